#!/usr/bin/perl

# The shared zone: replays of what this host has seen end are refused without
# Redis, pages are shown without asking each time, and a zone that is too
# small costs calls, not safety.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;


# How many scripts ran since the last call.

sub scripts {
    my ($monitor) = @_;
    return scalar grep { $_->{client} ne 'lua' && $_->{args}[0] =~ /^EVAL/i
        && $_->{args}[1] !~ /^-- probe/ } $monitor->commands;
}


subtest 'tombstones: a replay needs no Redis' => sub {
    my $stack = stack(workers => 2,
        class => 'ttl 1h; window 10m; attempts 1;');
    my $idp = $stack->idp;
    my $monitor = $stack->redis->monitor;

    my %end = (
        redeemed => sub { $stack->session($_[1]) },
        revoked => sub { $stack->revoke(id => $_[0]) },
        superseded => sub { $stack->issue(subject => $_[2]) },
        enrolled => sub {
            my $session = $stack->session($_[1]);
            $stack->begin($session);
            $stack->finish($session);
            $stack->wait_record($_[0], state => 'enrolled');
        },
        locked => sub {
            my $session = $stack->session($_[1]);
            $stack->begin($session);
            $idp->answer('/register/finish' => { status => 400 }, {});
            $stack->finish($session);
            $stack->wait_record($_[0], state => 'locked');
        },
    );

    for my $name (sort keys %end) {
        my $made = $stack->issue(subject => "of-$name")->json;
        $end{$name}->($made->{id}, $made->{token}, "of-$name");
        scripts($monitor);

        my $reason = $name eq 'superseded' ? 'revoked' : $name;
        my $status = $name eq 'locked' ? 429 : 410;
        my $counted = $stack->status->{events}{tombstone};
        my $seen = $idp->count;
        $monitor->commands;

        for my $try (1 .. 3) {
            refused($stack->redeem($made->{token}), $status, $reason,
                "$name: the link");
            refused($stack->begin_by(Authorization
                    => "Bearer $made->{token}"), $status, $reason,
                "$name: as a bearer");
        }

        my @commands = $monitor->commands;
        is scalar(@commands), 0, "$name: Redis was not asked";
        is $stack->status->{events}{tombstone} - $counted, 6,
            "$name: they are counted";
        is $idp->count, $seen, "$name: the IdP has heard nothing";
    }
};


subtest 'tombstones stand whatever becomes of Redis (I1, I5)' => sub {
    my $stack = stack();
    my $redis = $stack->redis;
    my $made = $stack->issue(subject => 'ada')->json;
    my $fresh = { %{ $stack->record($made->{id}) } };
    my ($session) = $stack->session($made->{token});
    my $key = "enroll:{0}:token:$made->{id}";

    # what the MAC does not cover: the state, turned back
    $redis->command('DEL', $key);
    $redis->command('HSET', $key, %$fresh);
    is $stack->record($made->{id})->{state}, 'issued', 'turned back';

    refused($stack->redeem($made->{token}), 410, 'redeemed',
        'the token stays spent on this host');
    refused($stack->begin_by(Authorization => "Bearer $made->{token}"), 410,
        'redeemed', 'as a bearer, too');
    is $stack->record($made->{id})->{state}, 'issued', 'Redis was not asked';

    $stack->begin($session);
    refused($stack->finish($session), 410, 'void',
        'the session of what was never redeemed is void');
    is $stack->record($made->{id})->{state}, 'void', '… and so is its token';

    # … and so is the token, once and for all; a reload keeps that
    $stack->nginx->reload(leave => 1);
    refused($stack->redeem($made->{token}), 410, 'void',
        'after a reload, too');

    $redis->command('FLUSHALL');
    refused($stack->redeem($made->{token}), 410, 'void',
        'and when Redis has forgotten everything');

    $redis->stop;
    refused($stack->redeem($made->{token}), 410, 'void',
        'and when there is none (I6)');
    $redis->start;
    is $stack->idp->count, 0, 'the IdP has heard nothing';
};


subtest 'the end of an enrollment is known before Redis is (I2)' => sub {
    my $stack = stack();
    my ($session, $id) = $stack->enter(subject => 'ada');
    $stack->begin($session);
    $stack->idp->answer('/register/finish' => { hang => 1 }, {});

    my $socket = $stack->http->connect;
    print {$socket} $stack->http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    $stack->idp->wait_count(1, '/register/finish');
    $stack->redis->freeze;
    $stack->idp->release({ status => 200 });
    is $stack->http->read_response($socket)->status, 200, 'enrolled';

    refused($stack->finish($session), 410, 'enrolled',
        'and closed while Redis hangs');
    is $stack->idp->count('/register/finish'), 1, 'the IdP has heard one';
    $stack->redis->thaw;
    $stack->wait_record($id, state => 'enrolled');
};


for my $row (['0', 10], ['1s', 1], ['', 1]) {
    my ($cache, $most) = @$row;

    subtest "enroll_session_cache $cache" => sub {
        my $stack = stack(http => $cache eq '' ? ''
            : "enroll_session_cache $cache;");
        my ($session) = $stack->enter(subject => 'ada');
        my ($other) = $stack->enter(subject => 'bea');
        my $monitor = $stack->redis->monitor;

        # Redis learns the scripts
        passed($stack->page($other), 'a first page');
        passed($stack->begin($other), 'a first begin');
        my $counted = $stack->status->{events}{cache};
        $stack->idp->clear;
        $monitor->commands;

        my $started = time;
        passed($stack->page($session), 'a page') for 1 .. 10;
        my $seconds = time - $started;
        my $calls = scripts($monitor);

        if ($cache eq '0') {
            is $calls, 10, 'each is asked for';
        } else {
            ok $calls >= 1 && $calls <= $most + $seconds,
                "one a second is asked for: $calls";
        }
        is $stack->status->{events}{cache} - $counted, 10 - $calls,
            'the others are counted';

        # begin is always asked, and what was known is known no more
        $monitor->commands;
        passed($stack->begin($session), 'begin');
        is scripts($monitor), 1, '… is asked for';
        passed($stack->page($session), 'the page');
        is scripts($monitor), 1, '… is asked for again';

        my @told = map { $_->header('Enroll-Subject') }
            $stack->idp->requests;
        is join(' ', @told), join(' ', ('ada') x 12),
            'and all are of the same subject';
    };
}


subtest 'the cache is of one session' => sub {
    my $stack = stack(http => 'enroll_session_cache 1m;');
    my ($ada) = $stack->enter(subject => 'ada');
    my ($bea) = $stack->enter(subject => 'bea');
    my @told;

    for my $round (1 .. 3) {
        for my $who ($ada, $bea) {
            passed($stack->page($who), 'a page');
        }
    }
    is join(' ', map { $_->header('Enroll-Subject') } $stack->idp->requests),
        'ada bea ada bea ada bea', 'each sees its own';
    is $stack->status->{events}{cache}, 4, 'out of the cache';

    my $made = $stack->issue(subject => 'cyd')->json;
    passed($stack->begin_by(Authorization => "Bearer $made->{token}"),
        'a bearer begins');
    my $page = sub { $stack->http->get('/register',
        Authorization => "Bearer $made->{token}") };
    passed($page->(), 'and sees the page') for 1 .. 2;
    refused($stack->redeem($made->{token}), 410, 'redeemed',
        'his token is spent all the same');
};


subtest 'a cache ends with its session (I3)' => sub {
    my $stack = stack(http => 'enroll_session_cache 1m;',
        class => 'ttl 1h; window 2s;');
    my ($session) = $stack->enter(subject => 'ada');
    passed($stack->page($session), 'a page');
    my $response;
    wait_for { ($response = $stack->page($session))->status != 200 }
        'the window to end', 5;
    refused($response, 410, 'expired', 'not a moment longer');

    my $token = $stack->token(subject => 'bea');
    my $page = sub { $stack->http->get('/register',
        Authorization => "Bearer $token") };
    passed($stack->begin_by(Authorization => "Bearer $token"), 'a bearer');
    passed($page->(), 'and his page');
    wait_for { ($response = $page->())->status != 200 }
        'his window to end', 5;
    refused($response, 410, 'expired', 'ends as well');
};


# The smallest zone holds some hundred entries: with many more tokens the
# oldest give way, and then it is Redis that answers.

subtest 'a zone that is full' => sub {
    my $stack = stack(workers => 2);
    my $conf = $stack->conf;
    $conf =~ s/enroll_zone enroll 1m;/enroll_zone tiny 32k;/ or die;
    $stack->nginx->reload(http => $conf, leave => 1);

    my @spent;
    for my $n (1 .. 400) {
        my $made = $stack->issue(subject => "subject-$n")->json;
        my $session = $stack->session($made->{token});
        $stack->page($session) if $n % 3 == 0;
        push @spent, [$made->{token}, $session];
    }

    my $status = $stack->status;
    ok $status->{events}{evicted} > 0, 'the oldest give way: '
        . $status->{events}{evicted};
    ok $status->{zone}{entries} < 400, "$status->{zone}{entries} are left";
    is $status->{zone}{size}, 32_768, 'the size';
    is $status->{zone}{name}, 'tiny', 'the name';

    my $monitor = $stack->redis->monitor;
    for my $who (@spent[380 .. 399]) {
        refused($stack->redeem($who->[0]), 410, 'redeemed', 'a late one');
    }
    is scripts($monitor), 0, 'the latest are the ones that stay';

    my $wrong = 0;
    for my $who (@spent) {
        my $response = $stack->redeem($who->[0]);
        $wrong++ if $response->status != 410
            || $response->json->{reason} ne 'redeemed';
    }
    is $wrong, 0, 'every replay is refused (I1)';
    my $asked = scripts($monitor);
    ok $asked > 0, "Redis was asked about $asked";

    refused($stack->redeem($spent[0][0]), 410, 'redeemed', 'the first again');
    passed($stack->page($spent[0][1]), 'its session lives');
    is $stack->begin($spent[399][1])->status, 200, 'that of the last, too';

    my @pids = $stack->nginx->worker_pids;
    is scalar(@pids), 2, 'the workers live';
    unlike $stack->nginx->error_log, qr/no memory/, 'without a complaint';
};

done_testing;
