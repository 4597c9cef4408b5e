package Enroll::Chaos::Faults::Back;

# A master that is replaced, and comes back, and nobody has used the one in
# between. What it did at last is lost, and its run_id is the one that it had.

use strict;
use warnings;

use Time::HiRes qw(sleep);

use Enroll::Wait qw(wait_for);


# seconds: for which the last writes need to reach the replicas, and in which
# the proxy that has not seen what is lost is alone with it
use constant { REPLICATED => 0.2, ALONE => 1.5 };

use constant EVENTS => 'enroll:{0}:events';


sub kinds {
    return ('there and back' => { where => 'net', weight => 2,
        topology => 'sentinel', inject => \&_inject, heal => \&_heal });
}


sub _cut {
    my ($fault, $world, $name, @hosts) = @_;
    push @{$fault->{rules}{$name}}, map { $world->net->cut($name, $_) }
        grep { $_ ne $name } @hosts;
    return;
}

sub _join {
    my ($fault, $world, $name) = @_;

    my $packets = 0;
    for my $rule (@{delete $fault->{rules}{$name} || []}) {
        $packets += $world->net->packets($rule);
        $world->net->remove($rule);
    }

    return $packets;
}


# One proxy goes on with the old master, and then with nobody; the other one
# has none from the beginning, and is the first whom it serves again.

sub _inject {
    my ($fault, $world) = @_;

    my $old = $fault->master;
    my ($near, $far) = $fault->draw(2) ? qw(p1 p2) : qw(p2 p1);
    my @others = map { $_->host } grep { $_ != $old } $world->ledger->nodes;
    my @redis = map { $_->host } $world->ledger->nodes;

    $fault->{near} = $near;
    $fault->target($old->name . "+$near");

    _cut($fault, $world, $far, @redis);
    sleep REPLICATED;
    _cut($fault, $world, $near, @others);
    _cut($fault, $world, $old->host, @others);
    my $new = $world->ledger->wait_other_master($old);
    $fault->hold(0.3, 1);

    _cut($fault, $world, $near, $old->host);
    my $last = $old->command('XREVRANGE', EVENTS, '+', '-', 'COUNT', 1);
    _join($fault, $world, $old->host);
    _again($fault, $world, $old, $new);
    die "nothing was lost\n" if !@$last
        || @{ $old->command('XRANGE', EVENTS, ($last->[0][0]) x 2) };
    $fault->sign(lost => $last->[0][0], between => $new);
    _join($fault, $world, $far);
    $world->nudge;
    sleep ALONE;

    return;
}


# No other one may be chosen.

sub _again {
    my ($fault, $world, $old, $new) = @_;

    my @others = grep { $_ != $old && $_->name ne $new } $world->ledger->nodes;
    $_->command('CONFIG', 'SET', 'replica-priority', 0) for @others;

    wait_for { !defined $world->ill } 'the old master to follow';
    $fault->{ordered} = 0;
    wait_for {
        grep { $_->name eq $old->name } $world->ledger->masters
            or do {
                $world->ledger->order_failover
                    if $fault->{ordered}++ % 20 == 0;
                0;
            };
    } 'the old master to be the master again';

    $_->command('CONFIG', 'SET', 'replica-priority', 100) for @others;
    return;
}


sub _heal {
    my ($fault, $world) = @_;
    my $packets = _join($fault, $world, $fault->{near});
    $fault->sign(packets => $packets);
    return;
}


1;
