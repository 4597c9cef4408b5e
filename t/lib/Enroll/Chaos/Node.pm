package Enroll::Chaos::Node;

# A Redis, or a Sentinel, on a host of the net. The harness speaks to it by a
# socket in the file system, which no partition cuts.
#
#     my $node = Enroll::Chaos::Node->new(name => 'r1', host => 'r1',
#         net => $net, dir => DIR, conf => ['…'], sentinel => 1,
#         env => {…});
#     $node->start(@more), $node->kill, $node->stop
#     $node->command('ROLE'), $node->try('ROLE')      # dies; undef
#     $node->role, $node->info('replication')

use strict;
use warnings;

use File::Path qw(make_path);

use Enroll::Dir qw(spew slurp);
use Enroll::Paths qw(redis_binary);
use Enroll::Process;
use Enroll::Resp;
use Enroll::Wait qw(wait_for holds_within);


use constant { REDIS => 6379, SENTINEL => 26379 };


sub new {
    my ($class, %arg) = @_;

    my $self = bless { %arg }, $class;
    my $dir = $self->{dir};

    make_path("$dir/logs");
    $self->{socket} = "$dir/redis.sock";
    die "$self->{socket}: too long a name for a socket\n"
        if length $self->{socket} > 100;

    spew($self->conf_file, join '', map { "$_\n" } $self->_conf,
        @{$self->{conf} || []});

    return $self;
}


sub _conf {
    my ($self) = @_;

    return ("dir $self->{dir}", "unixsocket $self->{socket}",
        'port ' . $self->port, 'bind 0.0.0.0', 'protected-mode no',
        'daemonize no', "logfile $self->{dir}/logs/redis.log");
}


sub name      { return $_[0]{name} }
sub host      { return $_[0]{host} }
sub dir       { return $_[0]{dir} }
sub port      { return $_[0]{sentinel} ? SENTINEL : REDIS }
sub conf_file { return "$_[0]{dir}/redis.conf" }
sub log_text  { return slurp("$_[0]{dir}/logs/redis.log") }

sub address {
    my ($self) = @_;
    return $self->{net}->address($self->{host});
}

sub pid {
    my ($self) = @_;
    return $self->{process} && !$self->{process}->gone
        ? $self->{process}->pid : undef;
}


sub start {
    my ($self, @more) = @_;

    $self->{process} = Enroll::Process->start(
        argv => [$self->{net}->argv($self->{host}, redis_binary(),
            $self->conf_file, $self->{sentinel} ? '--sentinel' : (), @more)],
        output => "$self->{dir}/logs/stderr.log", env => $self->{env} || {});

    wait_for {
        die "$self->{name} does not start:\n"
            . slurp("$self->{dir}/logs/stderr.log")
            . substr $self->log_text, -2000 if $self->{process}->gone;
        # not while it is LOADING
        eval { $self->_connect->command('PING') eq 'PONG' };
    } "$self->{name} to answer";

    return $self;
}


# As a crash would, or as an operator.

sub kill {
    my ($self, $signal) = @_;

    delete $self->{client};
    my $process = delete $self->{process} or return;
    my $pid = $process->pid;
    $process->stop($signal || 'KILL', 5);

    return $pid;
}


sub _connect {
    my ($self) = @_;
    return Enroll::Resp->new(socket => $self->{socket}, timeout => 5);
}

sub command {
    my ($self, @args) = @_;

    die "$self->{name} does not run\n" if !$self->pid;
    my $reply = eval {
        ($self->{client} ||= $self->_connect)->command(@args);
    };
    return $reply if !$@;

    # its error replies leave the connection as it was; all else does not
    my $why = $@;
    delete $self->{client} if $why !~ /\ARedis: [A-Z]+ /;
    die $why;
}

# A connection of the caller's own.

sub another { return $_[0]->_connect }

sub try {
    my ($self, @args) = @_;
    my $reply = eval { $self->command(@args) };
    return $reply;
}


sub role {
    my ($self) = @_;
    my $role = $self->try('ROLE');
    return $role ? $role->[0] : '';
}

sub info {
    my ($self, $section) = @_;

    my $text = $self->try('INFO', $section) // '';
    return { $text =~ /^(\w+):(.*?)\r?$/mg };
}


1;
