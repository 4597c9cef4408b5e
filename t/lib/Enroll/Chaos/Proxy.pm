package Enroll::Chaos::Proxy;

# An nginx with the module on a host of the net, as a service manager would
# run it: a daemon, known by its pid file.
#
#     my $proxy = Enroll::Chaos::Proxy->new(name => 'p1', net => $net,
#         dir => DIR, nginx => FILE, env => {…}, conf => sub { text });
#     $proxy->start, $proxy->stop
#     $proxy->master, $proxy->workers, $proxy->signal('HUP')
#     $proxy->write_conf

use strict;
use warnings;

use File::Path qw(make_path);
use POSIX ();

use Enroll::Chaos::Space qw(run);
use Enroll::Dir qw(spew slurp);
use Enroll::Process;
use Enroll::Wait qw(wait_for holds_within);


use constant WORKERS => 2;


sub new {
    my ($class, %arg) = @_;

    my $self = bless { known => {}, %arg }, $class;

    # workers write there, too
    for my $dir (map { "$self->{dir}/$_" } qw(logs tmp)) {
        make_path($dir);
        chmod 01777, $dir;
    }
    $self->write_conf;

    return $self;
}


sub name      { return $_[0]{name} }
sub host      { return $_[0]{name} }
sub dir       { return $_[0]{dir} }
sub pid_file  { return "$_[0]{dir}/nginx.pid" }
sub conf_file { return "$_[0]{dir}/nginx.conf" }
sub error_log { return "$_[0]{dir}/logs/error.log" }

# What was said since the log was of that size.

sub log_since {
    my ($self, $size) = @_;
    return split /\n/, substr slurp($self->error_log), $size // 0;
}

sub write_conf {
    my ($self) = @_;
    spew($self->conf_file, $self->{conf}->($self));
    return;
}


sub start {
    my ($self) = @_;

    my $said = "$self->{dir}/logs/stderr.log";
    unlink $self->pid_file;

    my $launch = Enroll::Process->start(
        argv => [$self->{net}->argv($self->{name}, $self->{nginx},
            '-p', "$self->{dir}/", '-c', $self->conf_file,
            '-e', $self->error_log)],
        output => $said, env => $self->{env} || {});

    wait_for { $launch->gone } "$self->{name} to become a daemon";
    die "$self->{name} does not start:\n" . slurp($said)
        if $launch->status != 0;

    $self->wait_workers;
    return $self;
}


# Pids that were reused would be other processes': only ours are counted.

sub _processes {
    my ($what) = @_;

    my %parent;
    for my $file (glob '/proc/[0-9]*/stat') {
        my ($pid, $state, $ppid) = slurp($file)
            =~ /^(\d+) \(.*\) (\S) (\d+) /s or next;
        next if $state eq 'Z';
        my $title = slurp("/proc/$pid/cmdline");
        $parent{$pid} = $ppid if $title =~ /^nginx: $what/;
    }

    return \%parent;
}


sub master {
    my ($self) = @_;

    my ($pid) = slurp($self->pid_file) =~ /^(\d+)/ or return;
    return _processes('master')->{$pid} ? $pid : undef;
}


# Those of the master that take requests; with old => 1 those, too, that are
# on their leave.

sub workers {
    my ($self, %arg) = @_;

    my $master = $arg{master} || $self->master or return;
    my $all = _processes($arg{old} ? 'worker process'
        : 'worker process(?! is shutting)');
    my @pids = sort { $a <=> $b }
        grep { $all->{$_} == $master } keys %$all;

    $self->{known}{$_} = 1 for $master, @pids;
    return @pids;
}


# Until the workers are complete, and none of those that were before.

sub wait_workers {
    my ($self, @before) = @_;

    my %before = map { $_ => 1 } @before;
    my @now;
    wait_for {
        @now = $self->workers;
        @now == WORKERS && !grep { $before{$_} } @now;
    } "$self->{name} to have new workers";

    return @now;
}


sub signal {
    my ($self, $signal) = @_;
    my $master = $self->master or die "$self->{name} has no master\n";
    return kill $signal, $master;
}


# All that is left of it, at once. What has lost its parent is our child.

sub kill_all {
    my ($self) = @_;

    $self->workers(old => 1);
    my @left = grep { slurp("/proc/$_/cmdline") =~ /^nginx: / }
        keys %{$self->{known}};
    kill KILL => @left;

    wait_for { $self->reap; !grep { -e "/proc/$_" } @left }
        "$self->{name}'s processes to be gone";
    return;
}

sub reap {
    my ($self) = @_;
    for my $pid (keys %{$self->{known}}) {
        waitpid $pid, POSIX::WNOHANG();
        delete $self->{known}{$pid} if !-e "/proc/$pid";
    }
    return;
}


sub stop {
    my ($self) = @_;

    my $master = $self->master or return;
    $self->workers(old => 1);
    kill QUIT => $master;
    holds_within(8, sub { $self->reap; !-e "/proc/$master" })
        or $self->kill_all;

    return;
}


1;
