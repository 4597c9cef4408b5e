package Enroll::Process;

# A child process: started with its output in a file, stopped within a bound.

use strict;
use warnings;

use POSIX qw(WNOHANG);

use Enroll::Wait qw(holds_within);


# prctl(PR_SET_PDEATHSIG, SIGTERM): no daemon outlives a test that was killed
my %PRCTL = (x86_64 => 157, aarch64 => 167);


# Enroll::Process->start(argv => […], output => FILE, env => {…})

sub start {
    my ($class, %arg) = @_;

    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        my $number = $PRCTL{(POSIX::uname())[4]};
        syscall($number, 1, 15) if $number;

        local $SIG{__DIE__};
        $ENV{$_} = $arg{env}{$_} for keys %{$arg{env} || {}};

        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $arg{output} or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT;

        { no warnings 'exec'; exec {$arg{argv}[0]} @{$arg{argv}}; }
        print STDERR "cannot run $arg{argv}[0]: $!\n";
        POSIX::_exit(127);
    }

    return bless { pid => $pid, owner => $$ }, $class;
}


sub pid { return $_[0]{pid} }


# Reaps it if it has gone; ->status is the wait status then.

sub gone {
    my ($self) = @_;

    return 1 if defined $self->{status};
    return 0 if $self->{owner} != $$;

    my $pid = waitpid $self->{pid}, WNOHANG;

    if ($pid == $self->{pid}) {
        $self->{status} = $?;
    } elsif ($pid == -1) {
        $self->{status} = -1;
    }

    return defined $self->{status} ? 1 : 0;
}


sub status { return $_[0]{status} }


sub signal {
    my ($self, $signal) = @_;
    return $self->gone ? 0 : kill $signal, $self->{pid};
}


# Sends the signal; true if it left within the bound, otherwise it is killed.

sub stop {
    my ($self, $signal, $bound) = @_;

    local $?;

    $self->signal($signal);
    return 1 if holds_within($bound || 5, sub { $self->gone });

    $self->signal('KILL');
    holds_within(5, sub { $self->gone });

    return 0;
}


1;
