package Enroll::Chaos::Ledger::Sentinel;

# A master and two replicas, each beside a sentinel. Whom two of these name,
# and who says so itself, is the master.

use strict;
use warnings;

use parent 'Enroll::Chaos::Ledger';

use Enroll::Chaos::Node;
use Enroll::Wait qw(wait_for);


use constant { NAME => 'enroll', DOWN => 600, MASTERS => 1 };

sub hosts      { return qw(r1 r2 r3) }
sub partitions { return 1 }

sub conf {
    my ($self) = @_;
    return 'enroll_redis_sentinel ' . NAME . ' ' . join(' ',
        map { $_->address . ':' . $_->port } $self->sentinels) . ';';
}


sub start {
    my ($self) = @_;

    my ($first, @others) = $self->hosts;
    my $at = $self->add_node($first)->address . ' '
        . Enroll::Chaos::Node::REDIS;
    $self->add_node($_, "replicaof $at") for @others;

    wait_for { $self->_following == 2 } 'the replicas to follow', 20;
    $self->_add_sentinel($_, $at) for $self->hosts;

    for my $sentinel ($self->sentinels) {
        wait_for {
            my %said = %{$self->_said($sentinel)};
            ($said{'num-other-sentinels'} // 0) == 2
                && $said{'num-slaves'} == 2;
        } "$sentinel->{name} to know the others", 30;
    }

    return;
}


sub _add_sentinel {
    my ($self, $host, $at) = @_;

    my $name = $host =~ s/\A./s/r;
    my $sentinel = Enroll::Chaos::Node->new(name => $name, host => $host,
        net => $self->{net}, sentinel => 1, dir => "$self->{dir}/$name",
        conf => ['sentinel monitor ' . NAME . " $at 2",
            'sentinel down-after-milliseconds ' . NAME . ' ' . DOWN,
            'sentinel failover-timeout ' . NAME . ' 1000',
            'sentinel parallel-syncs ' . NAME . ' 2']);

    push @{$self->{sentinels}}, $sentinel;
    return $self->start_node($sentinel);
}


# It asks and tells more often than its second, tells an old master sooner
# that it is none (four times publish-period), and does not go to sleep for
# half a minute where the machine was slow.

sub start_node {
    my ($self, $node) = @_;

    $node->start;
    $node->command('SENTINEL', 'DEBUG', 'INFO-PERIOD', 500,
        'PUBLISH-PERIOD', 250, 'ASK-PERIOD', 300, 'PING-PERIOD', 200,
        'TILT-PERIOD', 1000, 'SLAVE-RECONF-TIMEOUT', 2000,
        'MIN-LINK-RECONNECT-PERIOD', 500, 'ELECTION-TIMEOUT', 2000)
        if $node->{sentinel};

    return $node;
}


sub _said {
    my ($self, $sentinel) = @_;
    return { @{ $sentinel->try('SENTINEL', 'MASTER', NAME) || [] } };
}

sub _following {
    my ($self) = @_;
    return scalar grep { ($_->info('replication')->{master_link_status} // '')
        eq 'up' } $self->nodes;
}


sub masters {
    my ($self) = @_;

    return grep {
        my $address = $_->address;
        $_->role eq 'master' && 2 <= grep { ($self->_said($_)->{ip} // '')
            eq $address } $self->sentinels;
    } $self->nodes;
}


# By another sentinel than the last time; whether it has begun.

sub order_failover {
    my ($self) = @_;
    my $sentinel = $self->{sentinels}[$self->{orders}++ % 3];
    return defined $sentinel->try('SENTINEL', 'FAILOVER', NAME);
}

sub failover {
    my ($self) = @_;
    wait_for { $self->order_failover } 'a sentinel that begins a failover', 5;
    return;
}


sub ill {
    my ($self) = @_;

    my ($master, @more) = grep { $_->role eq 'master' } $self->nodes;
    return 'there is not one master but ' . (@more ? 1 + @more : 'none')
        if !$master || @more;
    return 'not all follow' if $self->_following != 2
        || ($master->info('replication')->{connected_slaves} // 0) != 2;

    for my $sentinel ($self->sentinels) {
        my $said = $self->_said($sentinel);
        my $name = $sentinel->name;
        return "$name names another" if ($said->{ip} // '')
            ne $master->address;
        return "$name says $said->{flags}" if $said->{flags} ne 'master';
        return "$name knows $said->{'num-other-sentinels'} others"
            if $said->{'num-other-sentinels'} != 2;
    }

    return;
}


1;
