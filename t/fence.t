#!/usr/bin/perl

# What a ledger that forgot makes of its tokens (I10): a token can be spent
# only in the epoch that issued it. Two hosts, so that no tombstone helps.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

my $stack = stack(instances => 2,
    classes => 'enroll_class mail { deliver /deliver; }',
    issuer => 'class standard mail;', deliver => 1,
    redis_server => { conf => ['appendonly yes', 'appendfsync always'] });
my ($redis, $idp) = ($stack->redis, $stack->idp);
my ($live, $events, $meta) = map { "enroll:{0}:$_" } qw(live events meta);

sub epoch { return $redis->hash('HGETALL', $meta)->{epoch} }

sub reason {
    my ($response) = @_;
    my $problem = $response->body =~ /^\{/ ? $response->json : {};
    return $response->status . ($problem->{reason}
        ? " $problem->{reason}" : '');
}

# the other host's
sub redeem_there {
    my ($token) = @_;
    return $stack->http(1)->post('/enroll', "token=$token",
        'Content-Type' => 'application/x-www-form-urlencoded');
}

sub begin_there {
    my ($session) = @_;
    return $stack->http(1)->post('/register/begin', '{}', Cookie => $session);
}

sub page_there {
    my ($session) = @_;
    return $stack->http(1)->get('/register', Cookie => $session);
}

# until Redis is back for both hosts
sub back {
    my ($session) = @_;
    for my $n (0, 1) {
        wait_for { $stack->http($n)->get('/register', Cookie => $session)
            ->status != 503 } 'Redis to be back';
    }
    return;
}

sub fences { return $stack->events(event => 'fence') }

# What is there to be lost: a token, a session, a passkey.
sub people {
    my ($name) = @_;
    my %p = (event => "join-$name", subject => "$name-issued");
    my $made = $stack->issue(subject => $p{subject}, event => $p{event});
    @p{qw(token id)} = @{ $made->json }{qw(token id)};
    ($p{session}, $p{session_id}) = $stack->enter(
        subject => "$name-redeemed");
    is $stack->begin($p{session})->status, 200, "$name: a session has begun";
    $p{enrolled} = $stack->enrol(subject => "$name-enrolled");
    return \%p;
}

sub all_void {
    my ($p, $name) = @_;

    is reason(redeem_there($p->{token})), '410 void', "$name: the token";
    is reason($stack->redeem($p->{token})), '410 void', '… on both hosts';
    is reason(page_there($p->{session})), '410 void', "$name: the page";
    is $stack->record($p->{session_id})->{state}, 'redeemed',
        '… and looking at it has changed nothing (I11)';
    my $reached = $idp->count;
    is reason(begin_there($p->{session})), '410 void', "$name: begin";
    is reason($stack->finish($p->{session})), '410 void', "$name: finish";
    is $idp->count, $reached, '… the IdP hears nothing';
    is reason(redeem_there($p->{token})), '410 void', "$name: it stays void";
    return;
}

sub none_void {
    my ($p, $name) = @_;

    is begin_there($p->{session})->status, 200, "$name: the session goes on";
    is $stack->finish($p->{session})->status, 200, '… to its end';
    is redeem_there($p->{token})->status, 200, "$name: the token is good";
    return;
}


# --- restarted

{
    my $p = people('restart');
    my $before = epoch();
    $redis->restart;
    back($p->{session});
    all_void($p, 'restarted');

    my ($fence) = fences();
    is $fence->{why}, 'incarnation', 'one event says why';
    is $fence->{voided}, 2, 'and how many tokens are void by it';
    is "$fence->{from} $fence->{to}", "$before " . epoch(),
        'and which epoch began';
    is scalar(fences()), 1, 'one for both hosts';
    is $stack->record($p->{enrolled})->{state}, 'enrolled',
        'who has enrolled has enrolled';
    is reason($stack->issue(subject => 'restart-enrolled')), '409 first_use',
        'and gets no other token (I9)';

    my $again = $stack->issue(subject => $p->{subject},
        event => $p->{event});
    is $again->status, 201, 'the same joiner event gets a fresh token';
    isnt $again->json->{id}, $p->{id}, '… another one';
    is reason(redeem_there($p->{token})), '410 void', '… the old one is void';
    is redeem_there($again->json->{token})->status, 200, '… which is good';
    is $stack->issue(subject => $p->{subject}, event => $p->{event})->status,
        200, '… once';
}


# --- restarted by plan

{
    my $p = people('plan');
    my $before = epoch();
    $redis->command('HSET', $meta, 'planned', '1');
    $redis->restart;
    back($p->{session});
    none_void($p, 'planned');
    is epoch(), $before, 'it is the same epoch';
    my $fence = (fences())[-1];
    is "$fence->{why} $fence->{voided}", 'planned 0', 'an event says so';

    $p = people('after');
    $redis->restart;
    back($p->{session});
    all_void($p, 'a plan is good once, and then');
}


# --- a claim in flight

for my $case ([200, 'enrolled', 'enrolled'], [400, 'refused', 'void']) {
    my ($status, $outcome, $state) = @$case;
    my ($session, $id) = $stack->enter;
    $stack->begin($session);
    $idp->answer('/register/finish' => { hang => 1 }, { status => 200 });
    my $socket = $stack->http->connect;
    print $socket $stack->http->bytes('POST', '/register/finish',
        [Cookie => $session], '{"id":"x"}');
    $socket->flush;
    $stack->wait_record($id, state => 'claimed');
    $redis->restart;
    back($session);
    $idp->release({ status => $status });
    my $record = $stack->wait_record($id, outcome => $outcome);
    is $record->{state}, $state,
        "the IdP says $status to a finish of before: $state";
    like reason(begin_there($session)), qr/^410 /, '… and nothing reopens';
    $stack->http->read_response($socket);
}


# --- gone back in time, and nobody noticed: the same incarnation

{
    my $p = people('restored');
    my %dump = map { $_ => $redis->command('DUMP', $_) } $redis->keys;
    my $spent = $stack->enrol(subject => 'restored-spent');

    is $stack->redeem($p->{token})->status, 200, 'a token is spent';
    is $stack->finish($p->{session})->status, 200, 'a passkey is registered';
    $stack->wait_record($p->{session_id}, state => 'enrolled');

    # a snapshot of before
    $redis->command('DEL', $_) for $redis->keys;
    $redis->command('RESTORE', $_, 0, $dump{$_}) for keys %dump;
    is $stack->record($p->{id})->{state}, 'issued', 'Redis has forgotten it';

    # the sequence is what a host has seen: this one has seen all of it
    is $stack->issue(subject => 'restored-new')->status, 201,
        'the ledger goes on';

    my $reached = $idp->count;
    is reason(redeem_there($p->{token})), '410 void',
        'a spent token does not come back to life (I1)';
    is reason(begin_there($p->{session})), '410 void',
        'nor does a session (I2)';
    is $idp->count, $reached, 'the IdP hears of neither';
    my $fence = (fences())[-1];
    is $fence->{why}, 'sequence', 'the fence says why';
    cmp_ok $fence->{seq}, '>', 2 ** 20, 'and leaps ahead';
}

# --- all of it gone

{
    my $p = people('gone');
    $redis->command('FLUSHALL');
    is reason(redeem_there($p->{token})), '401 unknown', 'nothing is known';
    is((fences())[-1]{why}, 'sequence', 'and that is told');
    is $stack->issue(subject => 'gone-new')->status, 201, 'it begins anew';
}


# --- the fence without incarnation

{
    my $lax = stack(server => 'enroll_fence sequence;',
        redis_server => { conf => ['appendonly yes', 'appendfsync always'] });
    my $token = $lax->token;
    $lax->redis->restart;
    wait_for { $lax->http->get('/enroll/status')->json->{ledger}{reachable} }
        'Redis to be back';
    wait_for { $lax->redeem($token)->status == 200 }
        'enroll_fence sequence: a restart that lost nothing voids nothing';
    is scalar($lax->events(event => 'fence')), 0, '… and is no event';
}


is_deeply [map { $_->{op} ? () : $_ } $stack->events], [],
    'each event says by which operation';

done_testing;
