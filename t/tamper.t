#!/usr/bin/perl

# Who can write Redis without the keys makes nothing that the proxy acts upon:
# no token, no longer life, no other subject (I5).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;


my $stack = stack(http => 'enroll_session_cache 0;',
    classes => 'enroll_class urgent { ttl 1m; }');
my $redis = $stack->redis;
my $idp = $stack->idp;


sub key { return "enroll:{0}:token:$_[0]" }

sub unheard {
    my ($name) = @_;
    my @heard = map { $_->path } $idp->requests;
    $idp->clear;
    return is "@heard", '', "$name: the IdP has heard nothing";
}

# field => what an intruder would like it to be
my %tampered = (
    subject          => ['HSET', 'subject', 'mallory'],
    'subject, empty' => ['HSET', 'subject', ''],
    class            => ['HSET', 'class', 'urgent'],
    issuer           => ['HSET', 'issuer', 'it'],
    event            => ['HSET', 'event', 'join-0'],
    channel          => ['HSET', 'channel', 'desk'],
    'longer life'    => ['HINCRBY', 'expires_at', 3_600_000],
    'shorter life'   => ['HINCRBY', 'expires_at', -1],
    window           => ['HINCRBY', 'window', 60_000],
    attempts         => ['HINCRBY', 'attempts_allowed', 1],
    'no mac'         => ['HDEL', 'mac'],
    'an empty mac'   => ['HSET', 'mac', ''],
    'a mac of zeroes' => ['HSET', 'mac', '0' x 34],
    'a long mac'     => ['HSET', 'mac', 'f' x 200],
    'not UTF-8'      => ['HSET', 'subject', "\xff\xfe"],
);

subtest 'a record that was changed is refused (I5)' => sub {
    for my $name (sort keys %tampered) {
        my ($command, @args) = @{$tampered{$name}};
        my $spoil = sub { $redis->command($command, key($_[0]), @args) };

        my $made = $stack->issue(subject => "ada-$name")->json;
        $spoil->($made->{id});
        my $response = $stack->redeem($made->{token});
        refused($response, 403, 'tampered', "$name: redeem");
        is $response->header('Set-Cookie'), undef, '… and no session';

        $made = $stack->issue(subject => "bea-$name")->json;
        $spoil->($made->{id});
        refused($stack->begin_by(Authorization => "Bearer $made->{token}"),
            403, 'tampered', "$name: begin by the token");

        my ($session, $id) = $stack->enter(subject => "cyd-$name");
        $spoil->($id);
        refused($stack->page($session), 403, 'tampered', "$name: page");
        refused($stack->begin($session), 403, 'tampered', "$name: begin");

        ($session, $id) = $stack->enter(subject => "dan-$name");
        $stack->begin($session);
        $idp->clear;
        $spoil->($id);
        refused($stack->finish($session), 403, 'tampered', "$name: finish");
        unheard($name);
    }

    like $stack->nginx->error_log,
        qr/record of token [0-9a-f]{32} was not written by a holder/,
        'it is in the error log';
    ok $stack->status->{refused}{tampered} >= 5 * keys %tampered,
        'and counted';
};


# The scripts themselves trip over what is not there.

subtest 'a record that lacks something is refused' => sub {
    my %before = %{ $stack->record($stack->issue(subject => 'kim')
        ->json->{id}) };

    for my $field (sort keys %before) {
        next if $field =~ /^(?:op|proof|epoch|issued_at|attempts|mac)$/;

        my $made = $stack->issue(subject => "kim-$field")->json;
        my ($session, $id) = $stack->enter(subject => "lea-$field");
        $redis->command('HDEL', key($_), $field) for $made->{id}, $id;

        for my $response ($stack->redeem($made->{token}),
            $stack->begin_by(Authorization => "Bearer $made->{token}"),
            $stack->page($session), $stack->begin($session),
            $stack->finish($session))
        {
            ok $response->status >= 400, "without $field: "
                . $response->status;
        }
    }

    unheard('records that lack something');
};


subtest 'a record of another token is refused (I5)' => sub {
    my $mine = $stack->issue(subject => 'mallory')->json;
    my $hers = $stack->issue(subject => 'ada')->json;

    # her whole record under my id
    $redis->command('COPY', key($hers->{id}), key($mine->{id}), 'REPLACE');
    refused($stack->redeem($mine->{token}), 403, 'tampered',
        'her record under my id');

    # her fields with my mac, and mine with hers
    my ($session, $id) = $stack->enter(subject => 'mallory');
    my $her = $stack->record($hers->{id});
    $redis->command('HSET', key($id), subject => 'ada', event => $her->{event},
        expires_at => $her->{expires_at}, mac => $her->{mac});
    refused($stack->page($session), 403, 'tampered', 'her mac in my record');
    refused($stack->begin($session), 403, 'tampered', 'at begin, too');

    # a record made of nothing
    my ($gone, $gone_id) = $stack->enter(subject => 'mallory');
    $redis->command('DEL', key($gone_id));
    $redis->command('HSET', key($gone_id), state => 'redeemed',
        subject => 'ada', class => 'standard', issuer => 'hr', event => 'x',
        channel => 'email', expires_at => '9999999999999',
        session_ends_at => '9999999999999', window => '600000',
        attempts_allowed => '3', attempts => '0', begun_at => '1',
        mac => '0' x 34);
    for my $step (qw(page begin finish)) {
        ok $stack->$step($gone)->status >= 400,
            "a record of nothing at $step";
    }

    unheard('other records');
};


subtest 'a session of another is refused' => sub {
    my ($mine, $my_id) = $stack->enter(subject => 'mallory');
    my ($hers, $her_id) = $stack->enter(subject => 'ada');

    # my session's digest in her record: my cookie names my own id
    $redis->command('HSET', key($her_id), session =>
        $stack->record($my_id)->{session});
    passed($stack->page($mine), 'mine is what it was');
    my ($got) = $idp->requests;
    is $got->header('Enroll-Subject'), 'mallory', 'and of whom';
    $idp->clear;
    refused($stack->page($hers), 410, 'redeemed', 'hers is none any more');
    unheard('hers');
};


subtest 'what an intruder can do is to refuse' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve');
    $redis->command('DEL', key($id));
    refused($stack->begin($session), 401, 'unknown', 'a record that is gone');

    ($session, $id) = $stack->enter(subject => 'fay');
    $redis->command('DEL', key($id));
    $redis->command('SET', key($id), 'x');
    refused($stack->begin($session), 503, 'unavailable',
        'a record of another type');
    $redis->command('DEL', key($id));

    for my $state ('', 'x', 'ISSUED', 'none', 'ok', 'again', 'repeat',
        'stale', 'missing', 'unavailable', 'order', 'enrolled', 'void')
    {
        ($session, $id) = $stack->enter(subject => 'gil');
        $redis->command('HSET', key($id), state => $state);
        for my $step (qw(page begin finish)) {
            my $response = $stack->$step($session);
            ok $response->status >= 400, "the state '$state' at $step: "
                . $response->status;
        }

        my $made = $stack->issue(subject => 'jon')->json;
        $redis->command('HSET', key($made->{id}), state => $state);
        for my $response ($stack->redeem($made->{token}),
            $stack->begin_by(Authorization => "Bearer $made->{token}"))
        {
            ok $response->status >= 400, "the state '$state' of a token: "
                . $response->status;
            is $response->header('Set-Cookie'), undef, '… and no session';
        }
        ok $_->status, "the state '$state' elsewhere: " . $_->status
            for $stack->revoke(id => $made->{id}),
                $stack->issue(subject => 'jon');
    }

    unheard('states of no kind');

    my $issued = $stack->issue(subject => 'hal')->json;
    for my $field (qw(expires_at attempts session_ends_at attempts_allowed
        window))
    {
        for my $text ('', 'x', '-1', '1e999', 'nan', '0x10', '9' x 400) {
            my ($session, $id) = $stack->enter(subject => 'ida');
            $redis->command('HSET', key($id), $field, $text);
            for my $step (qw(page begin)) {
                my $response = $stack->$step($session);
                next if $field =~ /^(?:attempts|session_ends_at)$/;
                ok $response->status >= 400, "$field '$text' at $step: "
                    . $response->status;
            }
            $stack->revoke(id => $id);
        }
    }

    # all that was wrong with Redis stays with these tokens
    $idp->clear;
    passed($stack->page($stack->session($issued->{token})),
        'others are as ever');
    my @pids = $stack->nginx->worker_pids;
    is scalar(@pids), 1, 'and the worker lives';
};


subtest 'a subject that was pointed at another token' => sub {
    my $hers = $stack->issue(subject => 'jan')->json;
    my $mine = $stack->issue(subject => 'mallory')->json;

    for my $key ($redis->keys('enroll:{0}:subject:*')) {
        $redis->command('HSET', $key, token => $mine->{id})
            if ($redis->command('HGET', $key, 'token') // '')
                eq $hers->{id};
    }

    is $stack->issue(subject => 'jan')->status, 201, 'issuing still works';

    for my $token ('not-an-id', '', 'x' x 32, $mine->{id}) {
        $redis->command('HSET', $_, token => $token)
            for $redis->keys('enroll:{0}:subject:*');
        my $revoked = $stack->revoke(subject => 'nobody else');
        refused($revoked, 404, 'nothing', 'a subject without a key is none');

        my $response = $stack->revoke(subject => 'jan');
        ok $response->status >= 400
            || $response->json->{id} eq $mine->{id},
            "a subject's token '$token': " . $response->status;
        is $stack->issue(subject => 'jan')->status, 201,
            'and it may get another';
    }
    is scalar(my @pids = $stack->nginx->worker_pids), 1, 'the worker lives';
};

done_testing;
