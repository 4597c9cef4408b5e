package Enroll::Chaos::Faults::Topology;

# Masters that are changed, and slots that move, because somebody wants it.

use strict;
use warnings;

use Enroll::Wait qw(wait_for);


my @LEAST = qw(CONFIG SET min-replicas-to-write);


sub kinds {
    return (
        'failover' => { where => 'redis', inject => \&_failover },
        'planned failover' => { where => 'redis', weight => 2,
            inject => \&_planned,
            heal => \&_end_plan },
        'move slot' => { where => 'redis', weight => 4,
            topology => 'cluster', inject => \&_move },
    );
}


sub _order {
    my ($fault, $world, $old) = @_;
    $world->ledger->failover($old);
    $fault->sign(from => $old->name,
        to => $world->ledger->wait_other_master($old));
    return;
}

sub _failover {
    my ($fault, $world) = @_;
    _order($fault, $world, $fault->master);
    return;
}


# As docs/failover.md says. A node of a cluster holds the writes itself; a
# master behind Sentinel has to refuse them first.

sub _planned {
    my ($fault, $world) = @_;

    my $ledger = $world->ledger;
    my $old = $fault->master;
    my $said = $ledger->plan($old);
    $fault->sign(planned => $said->{planned} // 0);

    if ($world->topology eq 'sentinel') {
        $old->command(@LEAST, 99);
        # the sentinels' messages still count
        my $all = $old->command('ROLE')->[1];
        wait_for {
            my $replicas = $old->command('ROLE')->[2];
            @$replicas == 2 && !grep { $_->[2] < $all } @$replicas;
        } 'the replicas to have all of it', 5;
    }

    _order($fault, $world, $old);
    return;
}

sub _end_plan {
    my ($fault, $world) = @_;

    my $ledger = $world->ledger;
    my $old = $ledger->node($fault->{target});
    wait_for { $old->role eq 'slave' } 'the old master to follow';

    my $said = $ledger->end_plan;
    if ($world->topology eq 'sentinel') {
        $old->command(@LEAST, 0);
        $old->command('CONFIG', 'REWRITE');
    }

    my @fences = $ledger->fences($fault->{at});
    my $voided = $said->{void} // 0;
    $voided += $_->{voided} for @fences;
    die "$voided tokens are void after a failover by plan\n" if $voided;

    $fault->sign(adopted => $said->{adopted} // 0, fences => scalar @fences);
    return;
}


# Of a partition, to another master, as redis-cli --cluster reshard does.

sub _move {
    my ($fault, $world) = @_;

    my $ledger = $world->ledger;
    my $slot = $ledger->slot($fault->draw($ledger->partitions));
    my ($from) = grep { $ledger->owns($_, $slot) } $ledger->masters;
    die "nobody has slot $slot\n" if !$from;
    my $to = $fault->pick(grep { $_ != $from } $ledger->masters);
    my ($source, $target) = map { $_->command('CLUSTER', 'MYID') } $from, $to;

    $fault->target("slot $slot");
    $to->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $source);
    $from->command('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $target);
    $fault->hold(0, 0.5);

    my $moved = 0;
    while (1) {
        my @keys = @{ $from->command('CLUSTER', 'GETKEYSINSLOT', $slot, 20) }
            or last;
        $from->command('MIGRATE', $to->address, $to->port, '', 0, 5000,
            'KEYS', @keys);
        $moved += @keys;
    }

    $_->command('CLUSTER', 'SETSLOT', $slot, 'NODE', $target)
        for $to, $from, grep { $_ != $to && $_ != $from } $ledger->masters;
    die "slot $slot has not moved\n" if !$ledger->owns($to, $slot);
    $fault->sign(from => $from->name, to => $to->name, keys => $moved);

    return;
}


1;
