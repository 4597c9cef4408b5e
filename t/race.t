#!/usr/bin/perl

# Everything at once: two instances of two workers on one Redis, and bearers
# who all come in the same moment.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Test;

use constant MANY => 200;

# reuseport: the kernel deals the connections out to both workers
my $stack = stack(workers => 2, instances => 2, listen => 'reuseport',
    class  => 'ttl 1h; window 10m; attempts 3;',
    server => 'add_header Worker $pid always;', locations => <<'CONF');
    location = /device/finish {
        enroll_endpoint finish;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
CONF

# no begin is declared here, so that none is asked for
my $device = nginx(name => 'device', workers => 2,
    vars => { REDIS => $stack->redis->socket, IDP => $stack->idp->port,
        STACK => $stack->dir }, http => <<'CONF');
    enroll_zone enroll 1m;
    enroll_keys %%STACK%%/keys.jwks;
    enroll_redis unix:%%REDIS%%;
    enroll_class standard { ttl 1h; }

    server {
        listen %%PORT%% reuseport;
        server_name localhost;
        enroll on;
        add_header Worker $pid always;

        location = /device/finish {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
    }
CONF

my $idp = $stack->idp;
my @form = ('Content-Type' => 'application/x-www-form-urlencoded');
my $subject = 0;


# One request many times, in turn to both instances (or to @to). The guard
# needs no body: without one a request's last byte is that of its header, and
# the claims come in the same moment, too.

sub crowd {
    my ($n, $method, $path, $headers, $body, @to) = @_;
    @to = ($stack->http(0), $stack->http(1)) if !@to;
    return burst(map { [$to[$_ % @to], $method, $path, $headers, $body] }
        1 .. $n);
}

sub tally {
    my %count;
    for my $response (@_) {
        my $json = $response->status >= 400 ? $response->json : undef;
        $count{join ' ', $response->status, $json ? $json->{reason} : ()}++;
    }
    return \%count;
}

sub fresh {
    my $made = $stack->issue(subject => 'subject-' . ++$subject)->json;
    return @$made{qw(token id)};
}

sub changes {
    my ($id, $event) = @_;
    return scalar(my @found = $stack->events(id => $id, event => $event));
}


# redeem

my ($token, $id) = fresh();
my @all = crowd(MANY, 'POST', '/enroll', \@form, "token=$token");
is_deeply tally(@all), { 200 => 1, '410 redeemed' => MANY - 1 },
    'of 200 parallel redemptions one succeeds (I1)';
my %workers = map { $_->header('Worker') => 1 } @all;
is keys %workers, 4, 'in which all four workers took part';
is changes($id, 'redeem'), 1, 'the stream has one redemption (I7)';

my ($won) = grep { $_->status == 200 } @all;
is grep({ defined $_->cookie('__Host-enroll') } @all), 1,
    'one session was given out (I1)';
my $session = '__Host-enroll=' . $won->cookie('__Host-enroll');
is $stack->page($session)->status, 200, 'and it is good';

is_deeply tally(crowd(40, 'POST', '/enroll', \@form, "token=$token")),
    { '410 redeemed' => 40 }, 'a second crowd gets nothing (I1)';


# begin with a session: may be repeated, and spends nothing

is_deeply tally(crowd(40, 'POST', '/register/begin', [Cookie => $session],
    '')), { 200 => 40 }, 'begin may be repeated at once';
is $stack->record($id)->{begins}, 40, 'all are counted';
is changes($id, 'begin'), 17,
    'the first sixteen are told, then each power of two (I7)';


# finish with a session; the IdP takes its time, so that all meet a claim

$idp->answer('/register/finish' => { status => 200, delay => 0.3 });
my $tally = tally(crowd(MANY, 'POST', '/register/finish',
    [Cookie => $session], ''));
is $idp->count('/register/finish'), 1,
    'of 200 parallel finishes one reaches the IdP (I2)';
is delete $tally->{200}, 1, 'and one client hears its answer (I2)';
is(($tally->{'409 claimed'} // 0) + ($tally->{'410 enrolled'} // 0),
    MANY - 1, 'the others are in flight or done')
    or diag explain $tally;
ok $tally->{'409 claimed'}, 'many met the claim';
is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
    'one attempt is on the record';
is changes($id, 'claim'), 1, 'with one claim (I7)';
is changes($id, 'settle'), 1, 'and one settlement (I7)';

$idp->answer('/register/finish' => { status => 200 });


# the same where the IdP is quick: the settlement races with the claims

for my $round (1 .. 3) {
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject);
    $stack->begin($session);
    $idp->clear;

    my $tally = tally(crowd(MANY, 'POST', '/register/finish',
        [Cookie => $session], $round == 1 ? '{"id":"x"}' : ''));
    is $idp->count, 1, "a quick IdP hears one finish (I2), round $round";
    is $tally->{200}, 1, 'and one client its answer';
    $stack->wait_record($id, state => 'enrolled');
}


# on one connection: the second waits in the socket while the first runs

{
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject);
    $stack->begin($session);
    $idp->clear;
    $idp->answer('/register/finish' => { status => 200, delay => 0.05 });

    my $http = $stack->http;
    my $one = $http->bytes('POST', '/register/finish',
        [Cookie => $session, Connection => 'keep-alive'], '{}');
    my $last = $http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    my $socket = $http->connect;
    print $socket $one x 4, $last;
    $socket->flush;
    my $text = do { local $/; <$socket> };

    is_deeply [$text =~ m{HTTP/1\.1 (\d{3}) }g], [200, 410, 410, 410, 410],
        'of five pipelined finishes the first succeeds (I2)';
    is $idp->count, 1, 'and the IdP heard of it alone';
    $idp->answer('/register/finish' => { status => 200 });
}


# the token itself, by a bearer without a browser

($token, $id) = fresh();
my @bearer = (Authorization => "Bearer $token");
$idp->clear;
is_deeply tally(crowd(MANY, 'POST', '/register/begin', \@bearer, '')),
    { 200 => MANY }, '200 begins with the token are one bearer';
is changes($id, 'redeem'), 1, 'who redeems it once (I1)';

$idp->clear;
$idp->answer('/register/finish' => { status => 200, delay => 0.2 });
$tally = tally(crowd(MANY, 'POST', '/register/finish', \@bearer, ''));
is $idp->count, 1, 'of 200 finishes with the token one is sent (I2)';
is delete $tally->{200}, 1, 'and answered';
is_deeply [grep { !/\A(?:409 claimed|410 enrolled)\z/ } keys %$tally], [],
    'the others are in flight or done';
$idp->answer('/register/finish' => { status => 200 });

($token, $id) = fresh();
$idp->clear;
$tally = tally(crowd(MANY, 'POST', '/device/finish',
    [Authorization => "Bearer $token"], '', http($device->port)));
is $idp->count, 1,
    'a finish that also redeems: one of 200 is sent (I1, I2)';
is $tally->{200}, 1, 'and answered';
is changes($id, 'redeem'), 1, 'one redemption (I7)';
is changes($id, 'claim'), 1, 'one claim (I7)';


# who redeems and who bears it directly: one of the two gets it

my %winner;

for my $round (1 .. 6) {
    my ($token, $id) = fresh();
    my @bearer = (Authorization => "Bearer $token");
    my @http = ($stack->http(0), $stack->http(1));
    $idp->clear;

    my @redeem = map { [$http[$_ % 2], 'POST', '/enroll', \@form,
        "token=$token"] } 1 .. 30;
    my @begin = map { [$http[$_ % 2], 'POST', '/register/begin', \@bearer,
        ''] } 1 .. 30;
    my @both = $round % 2 ? map { ($redeem[$_], $begin[$_]) } 0 .. 29
        : map { ($begin[$_], $redeem[$_]) } 0 .. 29;
    my @answers = burst(@both);
    my ($first, $second) = (tally(map { $answers[2 * $_] } 0 .. 29),
        tally(map { $answers[2 * $_ + 1] } 0 .. 29));
    my ($redeemed, $begun) = $round % 2 ? ($first, $second)
        : ($second, $first);

    if ($redeemed->{200}) {
        is_deeply [$redeemed, $begun],
            [{ 200 => 1, '410 redeemed' => 29 }, { '410 redeemed' => 30 }],
            "round $round: who redeemed has it, alone (I1)";
        is $idp->count, 0, 'and no begin was sent';
    } else {
        is_deeply [$redeemed, $begun],
            [{ '410 redeemed' => 30 }, { 200 => 30 }],
            "round $round: who bore it has it, alone (I1)";
        is $idp->count, 30, 'and every begin was sent';
    }

    is changes($id, 'redeem'), 1, 'one redemption (I7)';
}


# a session's finish against its token's

{
    my ($token, $id) = fresh();
    my $session = $stack->session($token);
    $stack->begin($session);
    $idp->clear;

    my @http = ($stack->http(0), $stack->http(1));
    my @answers = burst(map { [$http[$_ % 2], 'POST', '/register/finish',
        $_ % 4 < 2 ? [Cookie => $session]
        : [Authorization => "Bearer $token"], ''] } 0 .. 59);

    is $idp->count, 1, 'session and token together finish once (I2)';
    # the last of them may come when the session has enrolled
    is_deeply [grep { $_->status != 410
        || $_->json->{reason} !~ /\A(?:redeemed|enrolled)\z/ }
        @answers[grep { $_ % 4 >= 2 } 0 .. 59]], [],
        'the token was spent on the session (I1)';
}


# refusals reopen: a crowd can use up the attempts, and no more

{
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject);
    $stack->begin($session);
    $idp->clear;
    $idp->answer('/register/finish' => { status => 400 });

    my ($tries, %seen) = (0);
    while ($tries++ < 20 && $stack->record($id)->{state} ne 'locked') {
        my $tally = tally(crowd(MANY, 'POST', '/register/finish',
            [Cookie => $session], ''));
        $seen{$_} += $tally->{$_} for keys %$tally;
        wait_for { $stack->record($id)->{state} ne 'claimed' } 'settlement';
    }

    is $stack->record($id)->{state}, 'locked', 'a crowd spends the attempts';
    is $idp->count('/register/finish'), 3,
        'and the IdP hears of three, whatever races (I2)';
    is changes($id, 'claim'), 3, 'three claims (I7)';
    is $seen{400}, 3, 'three clients hear its refusal';
    is $stack->finish($session)->status, 429, 'then it is locked';
    $idp->answer('/register/finish' => { status => 200 });
}


# revocation against redemption, and against the finish

for my $round (1 .. 4) {
    my ($token, $id) = fresh();
    my $order = qq({"id":"$id"});
    my @http = ($stack->http(0), $stack->http(1));
    my @requests = map { [$http[$_ % 2], 'POST', '/enroll', \@form,
        "token=$token"] } 1 .. 20;
    my $secret = $stack->{secret};
    splice @requests, 5 * $round - 5, 0, [$http[$round % 2], 'POST',
        '/enroll/revoke', [webhook_headers($secret, $order),
        'Content-Type' => 'application/json'], $order];

    my @answers = burst(@requests);
    my ($revoked) = splice @answers, 5 * $round - 5, 1;
    my $tally = tally(@answers);

    is $revoked->status, 200, "round $round: revoked among redemptions";
    is $stack->record($id)->{state}, 'revoked', 'it stays revoked';
    cmp_ok $tally->{200} // 0, '<=', 1, 'redeemed once before, at most (I1)';
    is changes($id, 'revoke'), 1, 'one revocation (I7)';

    for my $response (grep { $_->status == 200 } @answers) {
        my $session = '__Host-enroll=' . $response->cookie('__Host-enroll');
        is $stack->begin($session)->status, 410, 'its session is dead';
    }
}

my %end;

for my $round (1 .. 6) {
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject);
    $stack->begin($session);
    $idp->clear;

    my $order = qq({"id":"$id"});
    my @http = ($stack->http(0), $stack->http(1));
    my @requests = map { [$http[$_ % 2], 'POST', '/register/finish',
        [Cookie => $session], ''] } 1 .. 4;
    my @revoke = map { [$_, 'POST', '/enroll/revoke',
        [webhook_headers($stack->{secret}, $order),
        'Content-Type' => 'application/json'], $order] } @http;
    splice @requests, $round % 3, 0, @revoke;

    my $tally = tally(burst(@requests));
    my $state = wait_for {
        my $state = $stack->record($id)->{state};
        $state ne 'claimed' && $state ne 'redeemed' ? $state : '';
    } 'an end';
    $end{$state}++;

    is $idp->count, $state eq 'enrolled' ? 1 : 0,
        "round $round: the IdP heard of it if it ended enrolled (I2)"
        or diag explain [$state, $tally];
}

note "finish against revoke: $_ $end{$_}" for sort keys %end;


# one joiner event, many times

{
    my $body = '{"subject":"joiner","class":"standard"}';
    my @headers = (webhook_headers($stack->{secret}, $body, id => 'twice'),
        'Content-Type' => 'application/json');
    my @answers = crowd(40, 'POST', '/enroll/issue', \@headers, $body);
    my %ids = map { $_->json->{id} => 1 } @answers;

    is_deeply tally(@answers), { 201 => 1, 200 => 39 },
        'of 40 parallel deliveries of one joiner event one makes a token';
    is keys %ids, 1, 'all name the same';
    is grep({ defined $_->json->{token} } @answers), 1, 'one has its text';
    is changes((keys %ids)[0], 'issue'), 1, 'one event (I7)';
}

# many joiner events of one subject

{
    my $body = '{"subject":"popular","class":"standard"}';
    my @http = ($stack->http(0), $stack->http(1));
    my @answers = burst(map { [$http[$_ % 2], 'POST', '/enroll/issue',
        [webhook_headers($stack->{secret}, $body, id => "popular-$_"),
        'Content-Type' => 'application/json'], $body] } 1 .. 40);
    my @made = grep { $_->status == 201 } @answers;
    my @others = grep { $_->status != 201 } @answers;

    ok @made >= 1, 'a subject gets a token, of 40 joiner events at once';
    is_deeply [grep { $_->status != 503 || $_->header('Retry-After') ne '1' }
        @others], [], 'who loses the race too often is to come again';
    note scalar(@others) . ' of 40 were';

    my @live = grep { $stack->record($_->json->{id})->{state} eq 'issued' }
        @made;
    is @live, 1, 'and one of them lives';

    my @redeemed = grep { $_->status == 200 } burst(map { [$http[0], 'POST',
        '/enroll', \@form, 'token=' . $_->json->{token}] } @made);
    is @redeemed, 1, 'one can be redeemed';
}


is_deeply [audit($stack)], [], 'the trail is whole: no gap, no double, no '
    . 'change without its event (I7)';

done_testing;
