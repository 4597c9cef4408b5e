package Enroll::Chaos::Ledger::Cluster;

# A cluster of three masters with a replica each.
#
#     $ledger->slot($partition), $ledger->owns($node, $slot)
#     $ledger->third($partition)      # of the slots: whose it was at first

use strict;
use warnings;

use parent 'Enroll::Chaos::Ledger';

use Enroll::Wait qw(wait_for);


use constant { SLOTS => 16_384, MASTERS => 3 };

my @CONF = ('cluster-enabled yes', 'cluster-config-file nodes.conf',
    'cluster-node-timeout 1000', 'cluster-replica-validity-factor 0',
    'cluster-require-full-coverage no', 'cluster-allow-replica-migration no');

sub hosts      { return map { "c$_" } 1 .. 6 }
sub partitions { return 64 }

sub conf {
    my ($self) = @_;
    return 'enroll_redis_cluster ' . join(' ',
        map { $_->address . ':' . $_->port } $self->nodes) . ';';
}


# As Enroll::Cluster makes one.

sub start {
    my ($self) = @_;

    $self->add_node($_, @CONF) for $self->hosts;
    my @nodes = $self->nodes;

    for my $n (0 .. MASTERS - 1) {
        my ($from, $to) = map { int(SLOTS * $_ / MASTERS) } $n, $n + 1;
        $nodes[$n]->command('CLUSTER', 'ADDSLOTSRANGE', $from, $to - 1);
        $nodes[$n]->command('CLUSTER', 'SET-CONFIG-EPOCH', $n + 1);
    }

    $_->command('CLUSTER', 'MEET', $nodes[0]->address, $nodes[0]->port)
        for @nodes[1 .. $#nodes];
    wait_for {
        !grep { $_->command('CLUSTER', 'INFO')
            !~ /cluster_known_nodes:@{[scalar @nodes]}\r/ } @nodes;
    } 'the nodes to know each other', 30;

    for my $n (MASTERS .. $#nodes) {
        my $id = $nodes[$n - MASTERS]->command('CLUSTER', 'MYID');
        wait_for { $nodes[$n]->try('CLUSTER', 'REPLICATE', $id) }
            'a replica to know its master', 20;
    }

    wait_for { !defined $self->ill } 'the cluster to be well', 40;
    $self->slot($_) for 0 .. $self->partitions - 1;

    return;
}


sub slot {
    my ($self, $partition) = @_;
    return $self->{slots}[$partition] //= $self->{nodes}[0]->command(
        'CLUSTER', 'KEYSLOT', "enroll:{$partition}:meta");
}

sub third {
    my ($self, $partition) = @_;
    return int($self->slot($partition) * 3 / SLOTS);
}


# By its own word.

sub _slots {
    my ($self, $node) = @_;
    my ($slots) = ($node->try('CLUSTER', 'NODES') // '')
        =~ /myself,master \S+ \d+ \d+ \d+ \S+ (.*)/;
    return split / /, $slots // '';
}

sub owns {
    my ($self, $node, $slot) = @_;
    return scalar grep { /^(\d+)(?:-(\d+))?$/ && $1 <= $slot
        && $slot <= ($2 // $1) } $self->_slots($node);
}

sub masters {
    my ($self) = @_;
    return grep { $_->role eq 'master' && $self->_slots($_) } $self->nodes;
}


sub failover {
    my ($self, $old) = @_;
    my ($replica) = $self->replicas($old);
    die 'no replica of ', $old->name, "\n" if !$replica;
    $replica->command('CLUSTER', 'FAILOVER');
    return;
}


# Keys of slots that have moved away since: removed, as whoever imports the
# slot, who alone may do that.

sub tidy {
    my ($self, $node) = @_;

    return if $node->role ne 'master';
    my %slots = map { $self->slot($_) => 1 } 0 .. $self->partitions - 1;

    for my $slot (sort { $a <=> $b } keys %slots) {
        next if $self->owns($node, $slot)
            || !$node->command('CLUSTER', 'COUNTKEYSINSLOT', $slot);
        my ($owner) = grep { $self->owns($_, $slot) } $self->masters;

        $node->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING',
            $owner->command('CLUSTER', 'MYID'));
        while (my @keys = @{ $node->command('CLUSTER', 'GETKEYSINSLOT', $slot,
            100) }) {
            $node->command('ASKING');
            $node->command('DEL', @keys);
        }
        $node->command('CLUSTER', 'SETSLOT', $slot, 'STABLE');
    }

    return;
}


sub ill {
    my ($self) = @_;

    for my $node ($self->nodes) {
        my $info = $node->try('CLUSTER', 'INFO') // '';
        my $nodes = $node->try('CLUSTER', 'NODES') // '';
        my $link = $node->info('replication');
        my $name = $node->name;

        return "$name sees it down" if $info !~ /cluster_state:ok/
            || $info !~ /cluster_slots_ok:@{[SLOTS]}\r/;
        return "$name sees another fail"
            if $nodes =~ /,(?:fail|handshake|noaddr)|\[\d+-[<>]-/;
        return "$name does not follow" if $link->{role} eq 'slave'
            && $link->{master_link_status} ne 'up';
    }

    my @masters = $self->masters;
    return @masters == MASTERS ? undef
        : 'there are not three masters but ' . @masters;
}


1;
