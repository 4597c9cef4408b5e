package Enroll::Sentinels;

# A master, its replicas, and the sentinels that watch over them.
#
#     my $set = Enroll::Sentinels->new(
#         name      => 'set',        # of its folders
#         master    => 'enroll',     # what the sentinels call it
#         replicas  => 2,
#         sentinels => 3,
#         password  => '…',          # of the servers
#         guard     => '…',          # of the sentinels
#         acl       => ['user …'],   # of the sentinels
#         tls       => 1,            # of all of them
#         wait      => 1,            # as that of Enroll::Redis
#         conf      => ['…'],        # of the servers
#     );
#     $set->addresses              # the sentinels', as a directive takes them
#     $set->master                 # the Enroll::Redis that is master now
#     $set->failover               # a planned one; returns when it is done
#     $set->wait_master($not)      # until another one is
#     $set->wait_calm              # until no sentinel thinks of a failover
#     $set->serving                # whom nginx talks to, whatever they think
#     $set->servers, $set->ports, $set->stop_sentinel($n)

use strict;
use warnings;

use List::Util qw(min);

use Enroll::Checks qw(register add_problem);
use Enroll::Dir qw(sub_dir spew slurp);
use Enroll::Paths qw(redis_binary);
use Enroll::Port qw(free_port);
use Enroll::Process;
use Enroll::Redis;
use Enroll::Resp;
use Enroll::Tls qw(certificate ca_file);
use Enroll::Wait qw(wait_for patience);


sub new {
    my ($class, %arg) = @_;

    my $self = bless { master => 'enroll', replicas => 2, sentinels => 3,
        name => 'set', %arg }, $class;

    my @common = @{$arg{conf} || []};
    push @common, "masterauth $arg{password}" if defined $arg{password};
    push @common, 'tls-replication yes' if $arg{tls};

    for my $n (0 .. $self->{replicas}) {
        my $first = $self->{servers}[0];
        push @{$self->{servers}}, Enroll::Redis->new(
            name => "$self->{name}-redis$n", tcp => 1, tls => $arg{tls},
            wait => $arg{wait},
            password => $arg{password},
            conf => [@common, 'repl-diskless-sync-delay 0',
                $first ? 'replicaof 127.0.0.1 ' . $self->_port($first)
                    : ()]);
    }

    $self->_wait_replicas;
    register($self, 2);
    $self->_start_sentinel for 1 .. $self->{sentinels};
    $self->_wait_sentinels;

    return $self;
}


sub _port {
    my ($self, $redis) = @_;
    return $self->{tls} ? $redis->tls_port : $redis->port;
}


sub _wait_replicas {
    my ($self) = @_;

    wait_for {
        my ($online) = $self->{servers}[0]->command('INFO', 'replication')
            =~ /^connected_slaves:(\d+)/m;
        $online == $self->{replicas}
            && !grep { $_->command('INFO', 'replication')
                =~ /^master_link_status:down/m } @{$self->{servers}};
    } 'the replicas to follow', 20;

    return;
}


sub _start_sentinel {
    my ($self) = @_;

    my $n = @{$self->{processes} || []};
    my $dir = sub_dir("$self->{name}-sentinel$n");
    my $logs = sub_dir("$self->{name}-sentinel$n/logs");
    my $port = free_port();
    my $name = $self->{master};

    # a server that a busy machine holds up for a moment is not gone: who
    # takes it for that makes an empty one the master in the end
    my $down = int min(3000, 1500 * patience(1));

    my @conf = ("dir $dir", 'bind 127.0.0.1', 'protected-mode no',
        "logfile $logs/sentinel.log", 'daemonize no',
        ($self->{tls} ? $self->_tls($port) : "port $port"),
        "sentinel monitor $name 127.0.0.1 "
            . $self->_port($self->{servers}[0]) . ' '
            . (int($self->{sentinels} / 2) + 1),
        "sentinel down-after-milliseconds $name $down",
        "sentinel failover-timeout $name " . 2 * $down,
        "sentinel parallel-syncs $name 2",
        (defined $self->{password}
            ? "sentinel auth-pass $name $self->{password}" : ()),
        (defined $self->{guard} ? "requirepass $self->{guard}" : ()),
        @{$self->{acl} || []});

    spew("$dir/sentinel.conf", join '', map { "$_\n" } @conf);

    push @{$self->{ports}}, $port;
    push @{$self->{processes}}, Enroll::Process->start(
        argv => [redis_binary(), "$dir/sentinel.conf", '--sentinel'],
        output => "$logs/stderr.log");

    return;
}


sub _tls {
    my ($self, $port) = @_;

    my ($crt, $key) = certificate('localhost', 'IP:127.0.0.1');
    return ('port 0', "tls-port $port", "tls-cert-file $crt",
        "tls-key-file $key", 'tls-ca-cert-file ' . ca_file(),
        'tls-auth-clients no', 'tls-replication yes');
}


# What a sentinel says of the master; nobody asks one by TLS here.

sub _said {
    my ($self, $n) = @_;

    $self->{clients}[$n] ||= Enroll::Resp->new(port => $self->{ports}[$n],
        password => $self->{guard});
    return $self->{clients}[$n]->hash('SENTINEL', 'MASTER', $self->{master});
}


sub _wait_sentinels {
    my ($self) = @_;

    my @ports = @{$self->{ports}};

    if ($self->{tls}) {
        wait_for { !grep { !IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $_) } @ports } 'the sentinels to listen';
        return;
    }

    for my $n (0 .. $#ports) {
        wait_for {
            my $said = eval { $self->_said($n) } || {};
            ($said->{'num-other-sentinels'} // -1) == $#ports
                && $said->{'num-slaves'} == $self->{replicas};
        } 'the sentinels to know each other', 30;
    }

    return;
}


sub servers   { return @{$_[0]{servers}} }
sub ports     { return @{$_[0]{ports}} }
sub addresses { return join ' ', map { "127.0.0.1:$_" } $_[0]->ports }


# What a server says that it is. A sentinel closes its clients' connections
# when it tells it another role.

sub role {
    my ($redis) = @_;

    my $role = eval { $redis->command('ROLE') };
    delete $redis->{client} if !$role;

    return $role ? $role->[0] : '';
}


# Whom most sentinels take for it, and who says so itself.

sub master {
    my ($self) = @_;

    for my $redis ($self->servers) {
        next if !$redis->pid;
        return $redis if role($redis) eq 'master'
            && $self->_named($self->_port($redis));
    }

    return;
}


sub _named {
    my ($self, $port) = @_;

    return 1 if $self->{tls};
    my $votes = grep { (eval { $self->_said($_)->{port} } // 0) == $port }
        grep { $self->{processes}[$_] } 0 .. $#{$self->{ports}};

    return $votes > $self->{sentinels} / 2;
}


sub wait_master {
    my ($self, $not, $seconds) = @_;

    my $master;
    wait_for {
        $master = $self->master;
        $master && (!$not || $master != $not);
    } 'another master', $seconds || 15;

    return $master;
}


# On a busy machine a sentinel may decide upon a failover at any time.

sub wait_calm {
    my ($self) = @_;

    wait_for {
        my $calm = 0;
        for my $n (grep { $self->{processes}[$_] } 0 .. $#{$self->{ports}}) {
            my $said = eval { $self->_said($n) } || {};
            $calm++ if ($said->{flags} // '') eq 'master';
        }
        $calm == grep { $_ } @{$self->{processes}};
    } 'the sentinels to be calm', 20;

    return;
}


sub serving {
    my ($self) = @_;

    my ($redis) = grep { role($_) eq 'master'
        && $_->command('CLIENT', 'LIST') =~ / name=enroll / }
        grep { $_->pid } $self->servers;
    return $redis;
}


# announce => sub { … }: by plan, as docs/failover.md says, so that no token
# is void by it; it is called with the master that is to be relieved.

sub failover {
    my ($self, %arg) = @_;

    my $old = $self->master;
    if ($arg{announce}) {
        $arg{announce}->($old);
        $self->_hold($old);
    }

    wait_for {
        eval { $self->_said(0); $self->{clients}[0]->command('SENTINEL',
            'FAILOVER', $self->{master}); 1 };
    } 'a sentinel that begins the failover';

    return $self->wait_master($old);
}


# Nothing more is written, and all that was has reached the replicas.

sub _hold {
    my ($self, $master) = @_;

    $master->command('CONFIG', 'SET', 'min-replicas-to-write', 99);
    wait_for {
        my $info = $master->command('INFO', 'replication');
        my ($offset) = $info =~ /^master_repl_offset:(\d+)/m;
        !grep { $_ != $offset } $info =~ /^slave\d+:.*,offset=(\d+)/mg;
    } 'the replicas to have it all';

    return;
}


sub stop_sentinel {
    my ($self, $n, $signal) = @_;
    my $process = $self->{processes}[$n] or return;
    $self->{processes}[$n] = undef;
    delete $self->{clients}[$n];
    $process->stop($signal || 'KILL');
    return;
}


sub finish {
    my ($self) = @_;
    $self->stop_sentinel($_) for 0 .. $#{$self->{processes}};
    return;
}


1;
