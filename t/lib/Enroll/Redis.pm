package Enroll::Redis;

# A private redis-server.
#
#     my $redis = Enroll::Redis->new(
#         name      => 'redis',       # of its folder
#         tcp       => 1,             # ->port; ->socket is always there
#         tls       => 1,             # ->tls_port; ->ca
#         tls_name  => 'redis.test',  # what its certificate says
#         password  => 'secret',      # requirepass
#         acl       => ['user a on >pw ~* +@all'],  # beside the user
#                             # enroll of Enroll::Acl, or in its place
#         wait      => 1,             # that user may WAIT and, where the
#                                     # server knows it, WAITAOF
#         conf      => ['appendonly yes'],
#         scan      => 0,             # secrets in its key space are fine
#     );

use strict;
use warnings;

use Carp qw(croak);

use Enroll::Acl qw(acl_user);
use Enroll::Checks qw(register add_problem);
use Enroll::Dir qw(sub_dir spew slurp);
use Enroll::Monitor;
use Enroll::Paths qw(redis_binary);
use Enroll::Port qw(free_port);
use Enroll::Process;
use Enroll::Resp;
use Enroll::Tls qw(certificate ca_file);
use Enroll::Wait qw(wait_for);


sub new {
    my ($class, %arg) = @_;

    my $name = $arg{name} || 'redis';
    my $dir = sub_dir($name);
    my $logs = sub_dir("$name/logs");

    my $self = bless { name => $name, dir => $dir, logs => $logs,
        socket => "$dir/redis.sock", scan => 1, monitors => [], %arg },
        $class;

    if (length $self->{socket} > 100) {
        croak "$self->{socket}: too long a name for a socket";
    }

    my @conf = ("dir $dir", "unixsocket $self->{socket}",
        'unixsocketperm 777', 'daemonize no', "logfile $logs/redis.log",
        'save ""', 'bind 127.0.0.1', 'protected-mode no',
        'enable-debug-command yes');

    $self->{port} = $arg{tcp} ? free_port() : 0;
    push @conf, "port $self->{port}";

    if ($arg{tls}) {
        my ($crt, $key) = certificate($arg{tls_name} || 'localhost',
            $arg{tls_name} ? () : 'IP:127.0.0.1');
        $self->{tls_port} = free_port();
        push @conf, "tls-port $self->{tls_port}", "tls-cert-file $crt",
            "tls-key-file $key", 'tls-ca-cert-file ' . ca_file(),
            'tls-auth-clients no';
    }

    if (defined $arg{password}) {
        (my $quoted = $arg{password}) =~ s/(["\\])/\\$1/g;
        push @conf, "requirepass \"$quoted\"";
    }

    push @conf, $self->_users, @{$arg{conf} || []};

    spew("$dir/redis.conf", join '', map { "$_\n" } @conf);

    register($self, 2);
    $self->start;

    return $self;
}


sub _users {
    my ($self) = @_;

    my @users = @{$self->{acl} || []};
    my $cluster = grep { /^cluster-enabled yes/ } @{$self->{conf} || []};
    push @users, acl_user(undef, $cluster ? 'cluster' : (),
        $self->{wait} ? 'wait' : ())
        if !grep { /^user enroll / } @users;
    return @users;
}


sub socket   { return $_[0]{socket} }
sub port     { return $_[0]{port} }
sub tls_port { return $_[0]{tls_port} }
sub dir      { return $_[0]{dir} }
sub ca       { return ca_file() }

sub pid {
    my ($self) = @_;
    return $self->{process} && $self->{process}->pid;
}


sub start {
    my ($self) = @_;

    $self->{process} = Enroll::Process->start(
        argv => [redis_binary(), "$self->{dir}/redis.conf"],
        output => "$self->{logs}/stderr.log");

    wait_for {
        if ($self->{process}->gone) {
            die "redis-server does not start:\n"
                . slurp("$self->{logs}/stderr.log")
                . slurp("$self->{logs}/redis.log");
        }
        eval { $self->connect->command('PING') eq 'PONG' };
    } 'redis-server to answer';

    # since 7.2
    eval { $self->command('ACL', 'SETUSER', 'enroll', '+waitaof') }
        if $self->{wait};

    return $self;
}


# Cleanly ('TERM'), or as a crash would ('KILL'). MONITORs end with it.

sub stop {
    my ($self, $signal) = @_;

    $signal ||= 'TERM';
    $self->thaw if $signal ne 'KILL';

    for my $monitor (splice @{$self->{monitors}}) {
        eval { $monitor->lines } if !$self->{frozen};
    }

    delete $self->{client};
    delete $self->{frozen};

    my $process = delete $self->{process} or return;

    if (!$process->stop($signal, 10)) {
        add_problem("$self->{name}: redis-server does not leave");
    }

    return;
}

# What an operator does before a restart by plan: this incarnation of the
# server is meant to end, and the next one is adopted (I10).

sub plan {
    my ($self) = @_;
    my $here = $self->incarnation;
    $self->command('HSET', $_, 'planned', $here,
        'planned_until', int(1000 * (time + 1800)))
        for grep { /:meta$/ } $self->keys;
    return $self;
}

sub incarnation {
    my ($self) = @_;
    my ($replid) = $self->command('INFO', 'replication')
        =~ /^master_replid:(\w+)/m;
    return $replid;
}


sub restart {
    my ($self, $signal) = @_;
    $self->stop($signal);
    return $self->start;
}


# What an operator has kept of it, and a start with that in place of what it
# knows. Without an append-only file, which would be read instead.

sub backup {
    my ($self) = @_;
    $self->command('SAVE');
    return slurp("$self->{dir}/dump.rdb");
}

sub restore {
    my ($self, $backup) = @_;
    $self->stop('KILL');
    spew("$self->{dir}/dump.rdb", $backup);
    return $self->start;
}


# Hangs it: connections are accepted by the kernel and nothing is answered.

sub freeze {
    my ($self) = @_;
    $self->{frozen} = $self->{process}->signal('STOP');
    return;
}

sub thaw {
    my ($self) = @_;
    $self->{process}->signal('CONT') if delete $self->{frozen};
    return;
}


# A connection of the caller's own. The harness comes in by the default user.

sub connect {
    my ($self, %arg) = @_;
    return Enroll::Resp->new(socket => $self->{socket},
        password => $self->{password}, %arg);
}

sub command {
    my ($self, @args) = @_;
    $self->{client} ||= $self->connect;
    return $self->{client}->command(@args);
}

sub hash {
    my ($self, @args) = @_;
    return { @{ $self->command(@args) } };
}


sub monitor {
    my ($self) = @_;

    $self->command('PING');     # our own connection is not to be seen
    my $n = @{$self->{monitors}} + 1;
    my $monitor = Enroll::Monitor->new($self,
        "$self->{logs}/monitor-$n.log");
    push @{$self->{monitors}}, $monitor;

    return $monitor;
}


sub keys {
    my ($self, $pattern) = @_;
    my @keys = sort @{ $self->command('KEYS', $pattern || '*') };
    return @keys;
}


# The whole key space as text, as redis-cli would show it.

sub dump_keys {
    my ($self) = @_;

    my %read = (
        string => sub { $self->command('GET', $_[0]) },
        hash   => sub { @{ $self->command('HGETALL', $_[0]) } },
        list   => sub { @{ $self->command('LRANGE', $_[0], 0, -1) } },
        set    => sub { @{ $self->command('SMEMBERS', $_[0]) } },
        zset   => sub { @{ $self->command('ZRANGE', $_[0], 0, -1,
                          'WITHSCORES') } },
        stream => sub { map { $_->[0], @{$_->[1]} }
                        @{ $self->command('XRANGE', $_[0], '-', '+') } },
    );

    # a replica of a cluster shows nothing otherwise
    eval { $self->command('READONLY') };

    my $text = '';
    my (undef, $databases) = @{ $self->command('CONFIG', 'GET',
        'databases') };

    for my $db (0 .. $databases - 1) {
        $self->command('SELECT', $db);

        for my $key ($self->keys) {
            my $type = $self->command('TYPE', $key);
            my @values = $read{$type} ? $read{$type}->($key) : ();
            $text .= "$db $type $key\n"
                . join '', map { "    $_\n" } @values;
        }
    }

    $self->command('SELECT', 0);
    return $text;
}


# What nginx did that it may not.

sub _refused {
    my ($self) = @_;

    for my $entry (map { +{ @$_ } } @{ $self->command('ACL', 'LOG') }) {
        next if $entry->{username} ne 'enroll' || $entry->{reason} eq 'auth';
        add_problem("$self->{name}: the user enroll may not "
            . "$entry->{object} ($entry->{reason})");
    }

    return;
}


# Ends it, with its key space in its logs folder for the search.

sub finish {
    my ($self) = @_;

    my $running = $self->{process} && !$self->{process}->gone;
    my $keys = '';

    if ($self->{scan} && $running) {
        $self->thaw;
        delete $self->{client};
        eval { $keys = $self->dump_keys; $self->_refused; 1 }
            or add_problem("$self->{name}: cannot look through it: $@");
    }

    spew("$self->{logs}/keys.txt", $keys);
    $self->stop;

    return;
}


1;
