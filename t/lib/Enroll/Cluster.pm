package Enroll::Cluster;

# A Redis cluster.
#
#     my $cluster = Enroll::Cluster->new(
#         name     => 'cluster',     # of its folders
#         masters  => 3,
#         replicas => 1,             # of each
#         password => '…',
#         acl      => ['user …'],
#         tls      => 1,             # and nothing else
#         tls_name => 'node.test',   # of all their certificates
#         wait     => 1,             # as that of Enroll::Redis
#         conf     => ['…'],
#     );
#     $cluster->addresses            # as a directive takes them
#     $cluster->masters              # those Enroll::Redis that are, now
#     $cluster->owner($slot)         # the one that has the slot
#     $cluster->move($slot, $to)     # all of its keys, as an operator would
#     $cluster->plan($partition)     # before that, so that no token is void
#     $cluster->failover($master)    # by its replica, which is returned
#     $cluster->command($key, …)     # to the one that has the key's slot
#     $cluster->slot($key), $cluster->keys
#
# It stands for one Redis where a stack wants one: ->command finds the key in
# its arguments.

use strict;
use warnings;

use Carp qw(croak);
use List::Util qw(min);

use Enroll::Checks qw(register add_problem);
use Enroll::Port qw(free_port);
use Enroll::Redis;
use Enroll::Wait qw(wait_for patience);


sub new {
    my ($class, %arg) = @_;

    my $self = bless { masters => 3, replicas => 1, name => 'cluster',
        %arg }, $class;

    # who is held up by a busy machine is not gone
    my @common = ('cluster-enabled yes',
        'cluster-node-timeout ' . int(min(3000, 1500 * patience(1))),
        'cluster-config-file nodes.conf', 'databases 1', 'repl-diskless-sync-delay 0',
        'cluster-replica-validity-factor 0',
        # the last one is looked through when the others have gone
        'cluster-allow-reads-when-down yes',
        'cluster-require-full-coverage no', @{$arg{conf} || []});
    push @common, "masterauth $arg{password}" if defined $arg{password};
    push @common, 'tls-replication yes', 'tls-cluster yes' if $arg{tls};

    my $count = $self->{masters} * (1 + $self->{replicas});
    $self->{servers} = [map { Enroll::Redis->new(
        name => "$self->{name}-redis$_", tcp => 1, tls => $arg{tls},
        tls_name => $arg{tls_name}, wait => $arg{wait},
        password => $arg{password}, acl => $arg{acl},
        conf => [@common, 'cluster-port ' . free_port()]) } 0 .. $count - 1];

    $self->_create;

    return $self;
}


sub _port {
    my ($self, $redis) = @_;
    return $self->{tls} ? $redis->tls_port : $redis->port;
}


# Without redis-cli: it takes the bus for port + 10000.

sub _create {
    my ($self) = @_;

    my @servers = @{$self->{servers}};
    my $masters = $self->{masters};
    my $first = $servers[0];

    for my $n (0 .. $masters - 1) {
        my $from = int(16384 * $n / $masters);
        my $to = int(16384 * ($n + 1) / $masters) - 1;
        $servers[$n]->command('CLUSTER', 'ADDSLOTSRANGE', $from, $to);
        $servers[$n]->command('CLUSTER', 'SET-CONFIG-EPOCH', $n + 1);
    }

    for my $redis (@servers) {
        my ($bus) = map { /^cluster-port (\d+)/ ? $1 : () } @{$redis->{conf}};
        $redis->{bus} = $bus;
        next if $redis == $first;
        $redis->command('CLUSTER', 'MEET', '127.0.0.1',
            $self->_port($first), $first->{bus});
    }

    wait_for {
        !grep { $_->command('CLUSTER', 'INFO')
            !~ /cluster_known_nodes:@{[scalar @servers]}\r/ } @servers;
    } 'the nodes to know each other', 30;

    for my $n ($masters .. $#servers) {
        my $id = $servers[$n % $masters]->command('CLUSTER', 'MYID');
        wait_for {
            eval { $servers[$n]->command('CLUSTER', 'REPLICATE', $id); 1 };
        } 'a replica to know its master';
    }

    $self->wait_ok;
    return;
}


# All slots have a master, by everybody's word, and all replicas follow.

sub wait_ok {
    my ($self) = @_;

    wait_for {
        my $bad = 0;
        for my $redis (grep { $_->pid } @{$self->{servers}}) {
            my $info = eval { $redis->command('CLUSTER', 'INFO') }
                or do { delete $redis->{client}; $bad++; next };
            my $link = $redis->command('INFO', 'replication');
            $bad++ if $info !~ /cluster_state:ok/
                || $info !~ /cluster_slots_ok:16384\r/
                || $link =~ /master_link_status:down/;
        }
        !$bad;
    } 'the cluster to be well', 40;

    return;
}


sub servers   { return @{$_[0]{servers}} }

sub addresses {
    my ($self) = @_;
    return join ' ', map { '127.0.0.1:' . $self->_port($_) } $self->servers;
}


sub masters {
    my ($self) = @_;

    return grep { $_->pid && eval { $_->command('ROLE')->[0] eq 'master'
        && $_->command('CLUSTER', 'NODES')
            =~ /myself,master \S+ \d+ \d+ \d+ \S+ [\[\d]/ } }
        $self->servers;
}


sub slot {
    my ($self, $key) = @_;
    my ($redis) = grep { $_->pid } $self->servers;
    return $redis->command('CLUSTER', 'KEYSLOT', $key);
}


# By each one's own word: the one whose configuration is the newest counts.

sub owner {
    my ($self, $slot) = @_;

    my ($best, $newest);
    for my $redis (grep { $_->pid } $self->servers) {
        my $nodes = eval { $redis->command('CLUSTER', 'NODES') }
            or do { delete $redis->{client}; next };
        my ($epoch, $slots) = $nodes
            =~ /myself,master \S+ \d+ \d+ (\d+) \S+ (.*)/ or next;
        next if !_among($slot, $slots);
        ($best, $newest) = ($redis, $epoch)
            if !$best || $epoch > $newest;
    }

    return $best;
}


# The slot is in the text "0-100 102 …".

sub _among {
    my ($slot, $slots) = @_;
    return grep { /^(\d+)(?:-(\d+))?$/ && $1 <= $slot && $slot <= ($2 // $1) }
        split / /, $slots;
}


sub command {
    my ($self, @args) = @_;

    my ($key) = grep { /\Aenroll:\{/ } @args;
    croak "no key in: @args" if !defined $key;

    return $self->owner($self->slot($key))->command(@args);
}

sub hash {
    my ($self, @args) = @_;
    return { @{ $self->command(@args) } };
}


# What an operator does before the partition's slot moves, or its master is to
# be another: the incarnation that ends there is named (I10).

sub plan {
    my ($self, $partition) = @_;
    my $meta = "enroll:{$partition}:meta";
    my $owner = $self->owner($self->slot($meta));
    $owner->command('HSET', $meta, 'planned', $owner->incarnation,
        'planned_until', 1000 * (time + 1800));
    return;
}


sub failover {
    my ($self, $master) = @_;

    my ($replica) = grep { $_->pid && $_->command('ROLE')->[0] eq 'slave'
        && $_->command('ROLE')->[2] == $master->port } $self->servers;
    croak 'it has no replica' if !$replica;

    $replica->command('CLUSTER', 'FAILOVER');
    wait_for { grep { $_ == $replica } $self->masters } 'the replica to lead',
        20;
    return $replica;
}


# Step by step, as redis-cli --cluster reshard does; between the steps the
# slot is half here, half there. each => sub { … } is called in between; keys
# is how many go at once.

sub move {
    my ($self, $slot, $to, %arg) = @_;

    my $from = $self->owner($slot);
    my ($source, $target) = map { $_->command('CLUSTER', 'MYID') } $from, $to;

    $to->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $source);
    $from->command('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $target);
    $arg{each}->() if $arg{each};

    for (;;) {
        my $keys = $from->command('CLUSTER', 'GETKEYSINSLOT', $slot,
            $arg{keys} || 10);
        last if !@$keys;
        $from->command('MIGRATE', '127.0.0.1', $self->_port($to), '', 0,
            5000, defined $self->{password}
                ? ('AUTH', $self->{password}) : (), 'KEYS', @$keys);
        $arg{each}->() if $arg{each};
    }

    $_->command('CLUSTER', 'SETSLOT', $slot, 'NODE', $target)
        for $to, $from, grep { $_ != $to && $_ != $from } $self->masters;

    # the next one, moved before they have heard of the epoch of this one,
    # would be taken back from its new master
    wait_for {
        !grep { my ($slots) = $_->command('CLUSTER', 'NODES')
            =~ /^$target .* connected (.*)$/m; !_among($slot, $slots // '') }
            grep { $_->pid } $self->servers;
    } "all nodes to know who has slot $slot";

    return;
}


# All keys, of all masters.

sub keys {
    my ($self, $pattern) = @_;
    return map { $_->keys($pattern) } $self->masters;
}


1;
