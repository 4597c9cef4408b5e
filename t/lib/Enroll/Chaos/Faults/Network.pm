package Enroll::Chaos::Faults::Network;

# Ways between hosts that are cut, slow, or lose what goes over them.

use strict;
use warnings;

use Enroll::Wait qw(wait_for);


sub kinds {
    my %rules = (where => 'net', heal => \&_mend);

    return (
        'cut'          => { %rules, weight => 2, inject => \&_cut },
        'split'        => { %rules, weight => 3, inject => \&_split },
        'one way'      => { %rules, weight => 2, inject => \&_one_way },
        'proxy redis'  => { %rules, weight => 2, inject => \&_proxy_redis },
        'loss'         => { %rules, weight => 2, inject => \&_loss },
        'lost replies' => { %rules, weight => 3, inject => \&_lost_replies },
        'delay' => { where => 'net', weight => 2, inject => \&_delay,
            heal => \&_no_delay },
    );
}


# The rules count what they drop. One that has dropped nothing yet stays until
# it has.

sub _mend {
    my ($fault, $world) = @_;

    my $net = $world->net;
    my @rules = @{$fault->{rules}};

    my $packets = wait_for {
        my $sum = 0;
        $sum += $net->packets($_) for @rules;
        $sum;
    } 'a packet that is dropped', 5;
    $net->remove($_) for @rules;
    $fault->sign(packets => $packets);

    return;
}


# A host and all others: any but the load's and the IdP's.

sub _cut {
    my ($fault, $world) = @_;

    my $net = $world->net;
    my $host = $fault->target($fault->draw(4) == 0
        ? $fault->pick(qw(p1 p2)) : $fault->redis->host);
    $fault->{rules} = [map { $net->cut($host, $_) }
        grep { $_ ne $host } $net->hosts];
    $fault->hold(0.5, 2.5);

    return;
}


# A master and one proxy on this side, all other servers on that side, where
# another master comes up. The load and the IdP reach both.

sub _split {
    my ($fault, $world) = @_;

    my $net = $world->net;
    my $master = $fault->master;
    my $proxy = $fault->pick(qw(p1 p2));
    my %here = map { $_ => 1 } $master->host, $proxy;
    my @there = grep { !$here{$_} && !/^(?:load|idp)$/ } $net->hosts;

    $fault->target($master->name . "+$proxy");
    for my $host (sort keys %here) {
        push @{$fault->{rules}}, map { $net->cut($host, $_) } @there;
    }
    $fault->sign(master => $world->ledger->wait_other_master($master));
    $fault->hold(0.2, 1.5);

    return;
}


# A Redis that is not heard by the others, or that does not hear them.

sub _one_way {
    my ($fault, $world) = @_;

    my $net = $world->net;
    my $host = $fault->redis->host;
    my $deaf = $fault->draw(2);
    $fault->target($deaf ? "to $host" : "from $host");
    $fault->{rules} = [map { $net->cut($deaf ? ($_, $host) : ($host, $_),
        oneway => 1) } grep { $_ ne $host } $net->hosts];
    $fault->hold(0.5, 2.5);

    return;
}


sub _proxy_redis {
    my ($fault, $world) = @_;

    my $proxy = $fault->proxy->name;
    my @nodes = $fault->draw(2) ? $world->ledger->nodes : $fault->master;
    $fault->target("$proxy " . (@nodes > 1 ? 'all' : $nodes[0]->name));
    $fault->{rules} = [map { $world->net->cut($proxy, $_->host,
        port => $_->port, oneway => 1) } @nodes];
    $fault->hold(0.3, 2);

    return;
}


# Of what comes to a Redis or to a proxy.

sub _loss {
    my ($fault, $world) = @_;

    my $host = $fault->target($fault->draw(2) ? $fault->proxy->name
        : $fault->redis->host);
    my $share = $fault->pick(0.1, 0.2, 0.4);
    $fault->{rules} = [$world->net->rule($host, 'INPUT', '-m', 'statistic',
        '--mode', 'random', '--probability', $share)];
    $fault->sign(share => $share);
    $fault->hold(1, 2.5);

    return;
}


# What Redis answers to proxies, after it has done what they asked for:
# whatever carries data, all or every third of it.

sub _lost_replies {
    my ($fault, $world) = @_;

    my $net = $world->net;
    my $node = $fault->master;
    my @proxies = $fault->draw(2) ? qw(p1 p2) : $fault->pick(qw(p1 p2));
    my @some = $fault->draw(2)
        ? qw(-m statistic --mode nth --every 3 --packet 0) : ();

    $fault->target($node->name . " to @proxies");
    $fault->{rules} = [map { $net->rule($node->host, 'OUTPUT', '-p', 'tcp',
        '--sport', $node->port, '-d', $net->address($_), '-m', 'length',
        '--length', '53:65535', @some) } @proxies];
    $fault->hold(0.2, 1.5);

    return;
}


# A line that is too narrow: what is to go over it waits, and then is lost.

sub _delay {
    my ($fault, $world) = @_;

    my $host = $fault->target($fault->draw(2) ? $fault->proxy->name
        : $fault->redis->host);
    my $rate = $fault->pick(64, 128, 256) . 'kbit';
    $world->net->shape($host, 'tbf', 'rate', $rate, 'burst', '2kb',
        'latency', '300ms');
    $fault->sign(rate => $rate);
    $fault->hold(1, 2.5);

    return;
}

sub _no_delay {
    my ($fault, $world) = @_;

    my ($dropped, $waited);
    wait_for {
        ($dropped, $waited) = $world->net->shaped($fault->{target});
        $waited;
    } 'a packet that has to wait', 5;
    $world->net->unshape($fault->{target});
    $fault->sign(waited => $waited, dropped => $dropped);

    return;
}


1;
