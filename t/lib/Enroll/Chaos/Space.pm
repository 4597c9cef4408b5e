package Enroll::Chaos::Space;

# A place apart: a process, mount and network namespace of its own. Whatever
# is started in it dies with it, however it ends, and none of its hosts,
# addresses or mounts is seen outside.
#
#     enter_space($seconds);  # returns in the space; never returns outside
#     in_netns($file, sub { … })      # a child process in that network
#
# Who called enter_space() stays outside, hands INT and TERM on, and exits as
# the one inside did, whom he gives so many seconds.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

our @EXPORT_OK = qw(enter_space in_space in_netns run);


use constant {
    CLONE_NEWNS => 0x20000, CLONE_NEWPID => 0x20000000,
    CLONE_NEWNET => 0x40000000, KILL => 9, PR_SET_PDEATHSIG => 1,
};

my %CALLS = (
    x86_64  => { unshare => 272, setns => 308, prctl => 157 },
    aarch64 => { unshare => 97, setns => 268, prctl => 167 },
);

my $inside = 0;


sub _call {
    my ($name, @args) = @_;

    my $machine = (POSIX::uname())[4];
    my $number = $CALLS{$machine}{$name}
        or die "the number of $name on $machine is not known\n";
    my $result = syscall $number, @args;
    die "$name: $!\n" if $result < 0;

    return;
}


sub in_space { return $inside }


sub enter_space {
    my ($seconds) = @_;

    die "only root can make namespaces\n" if $> != 0;
    return if $inside;

    my $parent = $$;
    _call('unshare', CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET);

    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    _stay_outside($pid, $seconds) if $pid != 0;

    # dies with the one outside, and all that it started with it
    _call('prctl', PR_SET_PDEATHSIG, KILL);

    $inside = 1;
    run('mount', '--make-rprivate', '/');
    run('mount', '-t', 'proc', 'proc', '/proc');
    run('mkdir', '-p', '/run/netns');
    run('mount', '-t', 'tmpfs', 'tmpfs', '/run/netns');
    run('ip', 'link', 'set', 'lo', 'up');

    return;
}


sub _stay_outside {
    my ($pid, $seconds) = @_;

    local $SIG{ALRM} = sub {
        print STDERR "violation: it hangs, and is killed after $seconds s\n";
        kill KILL => $pid;
    };
    alarm $seconds;
    local $SIG{INT}  = sub { kill INT => $pid };
    local $SIG{TERM} = sub { kill TERM => $pid };
    local $SIG{HUP}  = sub { kill TERM => $pid };

    1 while waitpid($pid, 0) != $pid;

    # no END blocks: they are for the one inside
    POSIX::_exit($? & 127 ? 128 + ($? & 127) : $? >> 8);
}


# The pid of a child that runs the code in the network and exits with what it
# returns.

sub in_netns {
    my ($file, $code) = @_;

    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    return $pid if $pid != 0;

    my $status = 1;
    local $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    eval {
        _call('prctl', PR_SET_PDEATHSIG, KILL);
        open my $netns, '<', $file or die "$file: $!\n";
        _call('setns', fileno $netns, CLONE_NEWNET);
        close $netns;
        $status = $code->() || 0;
        1;
    } or print STDERR "in $file: $@";

    POSIX::_exit($status);
}


# A command that has to succeed; its output, where it is wanted.

sub run {
    my (@argv) = @_;

    open my $out, '-|', @argv or die "$argv[0]: $!\n";
    local $/;
    my $text = <$out> // '';
    close $out or die "failed ($?): @argv\n";

    return $text;
}


1;
