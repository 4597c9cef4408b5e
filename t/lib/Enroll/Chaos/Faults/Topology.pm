package Enroll::Chaos::Faults::Topology;

# Masters that are changed, and slots that move, because somebody wants it.

use strict;
use warnings;

use Time::HiRes qw(sleep);

use Enroll::Wait qw(wait_for);


sub kinds {
    return (
        'failover' => { where => 'redis', inject => \&_failover },
        'planned failover' => { where => 'redis', weight => 2,
            inject => \&_planned,
            heal => \&_kept },
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


# docs/failover.md: the end of this incarnation is named, and nobody writes
# from then on until the old master is none any more. A node of a cluster sees
# to that itself; a master that wants more replicas than there are writes
# nothing (CLIENT PAUSE would stop the sentinels' own messages, too).

sub _planned {
    my ($fault, $world) = @_;

    my $old = $fault->master;
    my @least = qw(CONFIG SET min-replicas-to-write);
    my $sentinel = $world->topology eq 'sentinel';

    $fault->sign(planned => $world->ledger->plan($old));
    $old->command(@least, 9) if $sentinel;
    _order($fault, $world, $old);
    wait_for { $old->role eq 'slave' } 'the old master to follow';
    $old->command(@least, 0) if $sentinel;
    $old->command('CONFIG', 'REWRITE') if $sentinel;

    return;
}

sub _kept {
    my ($fault, $world) = @_;

    # the first call finds the new incarnation
    sleep 0.5;
    my @fences = $world->ledger->fences($fault->{at});
    my $voided = 0;
    $voided += $_->{voided} for @fences;
    die "$voided tokens are void after a failover by plan\n" if $voided;
    $fault->sign(fences => scalar @fences, voided => $voided);

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
