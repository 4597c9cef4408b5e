#!/usr/bin/perl

# enroll_redis_wait where masters change: what was acted upon is known to the
# next one, and what the next one may not know was not acted upon, with the
# fence by sequence alone (I1, I2). Behind Sentinel, and on a cluster.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Cluster;
use Enroll::Load;
use Enroll::Refused qw(refused passed);
use Enroll::Sentinels;
use Enroll::Test;


use constant WAIT => 400 * patience(1);             # ms

my $times = 'enroll_fence sequence; enroll_redis_wait 1 ' . WAIT . 'ms;
    enroll_redis_timeout ' . 4 * WAIT . 'ms; enroll_redis_retry 50ms;';

# at another host, which has no tombstone and has seen no number
sub redeem_there {
    my ($stack, $token) = @_;
    return $stack->http(1)->post('/enroll', "token=$token",
        'Content-Type' => 'application/x-www-form-urlencoded');
}

sub finish_there {
    my ($stack, $session) = @_;
    return $stack->http(1)->post('/register/finish', '{"id":"x"}',
        Cookie => $session);
}

# Whoever may be promoted has to have it: of two replicas Sentinel may take
# the one that has not. So there is one, and a spare for later.
sub set_of {
    my ($name) = @_;
    my $set = Enroll::Sentinels->new(name => $name, sentinels => 1,
        replicas => 1, wait => 1);
    follow($set->master);
    return $set;
}

# One that is online, and has what there was, hears of nothing more for up to
# a second.
sub follow {
    my ($master, $key) = @_;
    $key //= 'followed';
    for (1, 2) {
        $master->command('SET', $key, 1);
        $master->command('DEL', $key);
        wait_for { $master->command('WAIT', 1, 1000) } 'a replica to follow';
    }
    return;
}

sub behind {
    my ($set) = @_;
    $set->{spare} = redis(name => "$set->{name}-spare", tcp => 1,
        wait => 1);
    return stack(instances => 2, redis_server => $set->master,
        redis => 'enroll_redis_sentinel enroll ' . $set->addresses
            . "; $times");
}

# The old master does not come back; the harness looks into the new one.
sub fail_over {
    my ($stack, $set, @frozen) = @_;
    my $old = $set->master;
    $old->stop('KILL');
    $_->thaw for @frozen;
    my $new = $stack->{redis_server} = $set->wait_master($old, 30);
    $set->{spare}->command('REPLICAOF', '127.0.0.1', $new->port);
    follow($new);
    $set->wait_calm;
    # the first host has seen what may be lost, and must not say so
    wait_for {
        my $made = $stack->issue(instance => 1)->json;
        $made->{token}
            && redeem_there($stack, $made->{token})->status == 200;
    } 'the new master to be found, and its replica', 20;
    return $new;
}


subtest 'what was acted upon survives a failover' => sub {
    my $set = set_of('kept');
    my $stack = behind($set);
    my $idp = $stack->idp;

    my $later = $stack->token;
    my ($session, $id) = $stack->enter;
    passed($stack->begin($session), 'a session has begun');
    my $spent = $stack->issue->json;
    passed($stack->redeem($spent->{token}), 'a token is spent');
    my $before = $stack->redis->hash('HGETALL', 'enroll:{0}:meta')->{epoch};

    fail_over($stack, $set);
    refused(redeem_there($stack, $spent->{token}), 410, 'redeemed',
        'it is spent on the new master');
    passed(redeem_there($stack, $later), 'one that is not is good');
    passed(finish_there($stack, $session), 'and the session goes on');
    $stack->wait_record($id, state => 'enrolled');
    is $idp->count('/register/finish'), 1, '… once';
    is $stack->redis->hash('HGETALL', 'enroll:{0}:meta')->{epoch}, $before,
        'nothing is void';
    is_deeply [audit($stack)], [], 'one event each (I7)';
};


subtest 'what may not survive one was not acted upon' => sub {
    my $set = set_of('lost');
    my $stack = behind($set);
    my $idp = $stack->idp;
    my @replicas = grep { $_ != $set->master } $set->servers;

    my $token = $stack->token;
    my ($session, $id) = $stack->enter;
    passed($stack->begin($session), 'a session has begun');
    $stack->session($stack->token);             # and is waited for by that
    # what is in the socket of one that hangs would still arrive
    $_->freeze for @replicas;
    $set->master->command('CLIENT', 'KILL', 'TYPE', 'replica');
    $idp->clear;

    refused($stack->redeem($token), 503, 'unavailable', 'a redeem');
    refused($stack->finish($session), 503, 'unavailable', 'a finish');
    is $idp->count, 0, 'the IdP has heard nothing';

    fail_over($stack, $set, @replicas);
    passed(redeem_there($stack, $token), 'another host may redeem it');
    my $second = finish_there($stack, $session);
    is $second->status, 200, '… and finish';
    is $idp->count('/register/finish'), 1, 'one finish reaches the IdP (I2)';
};


subtest 'a master that dies under load (I1, I2)' => sub {
    my $set = set_of('load');
    my $stack = behind($set);
    my $load = Enroll::Load->new($stack);
    $load->wait_done(20, 20);
    fail_over($stack, $set);
    $load->wait_done(20, 20);
    is_deeply [Enroll::Load::faults($stack, $load->stop)], [],
        'no finish came twice, and nothing was spent twice';
};


subtest 'a cluster: each master has replicas of its own' => sub {
    my $cluster = Enroll::Cluster->new(name => 'cluster', masters => 2,
        wait => 1);
    my ($one, $other, @replicas) = $cluster->servers;
    my $stack = stack(redis_server => redis(name => 'nobody'), redis =>
        'enroll_partitions 16; enroll_redis_cluster '
            . $cluster->addresses . "; $times");
    $stack->{redis_server} = $cluster;

    my @partitions = ([], []);
    for my $p (0 .. 15) {
        my $slot = $cluster->slot("enroll:{$p}:meta");
        push @{ $partitions[$cluster->owner($slot) == $one ? 0 : 1] }, $p;
    }
    follow($one, "enroll:{$partitions[0][0]}:followed");
    follow($other, "enroll:{$partitions[1][0]}:followed");
    my %of = map { $_ => 1 } @{$partitions[0]};

    my %made = (one => [], other => []);
    for my $n (1 .. 60) {
        my $made = $stack->issue->json;
        push @{ $made{$of{hex substr $made->{id}, 0, 4} ? 'one' : 'other'} },
            $made->{token};
        last if @{$made{one}} > 3 && @{$made{other}} > 3;
    }
    my @one = @{$made{one}};
    my @other = @{$made{other}};
    passed($stack->redeem($_), 'a token on the way') for shift @one,
        shift @other;

    $replicas[0]->freeze;
    refused($stack->redeem(shift @one), 503, 'unavailable',
        'where the replica is missing');
    passed($stack->redeem(shift @other), '… and where it is not');
    refused($stack->redeem(shift @one), 503, 'unavailable', '… again');
    passed($stack->redeem(shift @other), '… again');
    my $name = '127.0.0.1:' . $one->port;
    is scalar(my @told = $stack->nginx->error_log
        =~ /Redis "\Q$name\E": only 0 of 1 replicas/g), 1,
        'the log names it, once';
    unlike $stack->nginx->error_log, qr/enough replicas/,
        'and does not take the other one for it';

    $replicas[0]->thaw;
    passed($stack->redeem(shift @one), 'it is back');
    like $stack->nginx->error_log,
        qr/Redis "\Q$name\E": enough replicas have the writes again/,
        'which is told, too';
};


done_testing;
