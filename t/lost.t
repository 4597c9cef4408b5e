#!/usr/bin/perl

# A reply that is lost, and another verb before the proxy asks again: its own
# repeat is told that it was done, and is taken for nobody else's. What is told
# once arrives, whenever Redis comes back.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Process;
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


my $port = free_port();
my $orders = sub_dir('orders');
my $go = test_dir() . '/go';
my $sender = sender();
my ($ordered, $attestations) = (0, 0);

$sender->key('one', kty => 'EC');

# of the two proxies the second one does what comes in between
my $stack = stack(instances => 2,
    class => 'ttl 1h; window 10m; attempts 3; on_replay revoke;',
    vars => { FAKE => $port },
    redis => 'enroll_redis 127.0.0.1:%%FAKE%%; enroll_redis_timeout 3s;
        enroll_redis_retry 50ms;',
    provers => 'enroll_prover acme { jwks %%STACK%%/acme.jwks;
        iss https://prover.example; aud https://enroll.example; }',
    files => { 'acme.jwks' => $sender->jwks('one') }, prove => 'acme');
my ($redis, $idp) = ($stack->redis, $stack->idp);

my $log = test_dir() . '/relay.log';
my $relay = Enroll::Process->start(argv => [$^X, "$FindBin::Bin/fake/redis.pl",
    $port, 'hello', 'relay unix:' . $redis->socket . " $orders"],
    output => $log);
wait_for { slurp($log) =~ /^listening$/m } 'the relay';


# What the relay does with the next scripts.

sub order {
    for my $text (@_) {
        my $name = sprintf '%06d', ++$ordered;
        spew("$orders.$name", $text);
        rename "$orders.$name", "$orders/$name" or die "$orders/$name: $!";
    }
    return;
}

# A request whose script is executed, and whose reply is lost when what comes
# in between has been done; order of that how many scripts come before.

sub lost {
    my ($request, $executed, $meanwhile, @before) = @_;

    order(@before, "execute\nuntil $go\nclose");
    my $http = $stack->http;
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', @$request);
    $socket->flush;
    wait_for { $executed->() } 'the script to be executed';
    $meanwhile->();
    spew($go, '');

    return $http->read_response($socket);
}

sub attest {
    my (%claims) = @_;
    my $now = time;
    return $sender->jwt('one', { iss => 'https://prover.example',
        aud => 'https://enroll.example', iat => $now, exp => $now + 300,
        jti => 'j-' . ++$attestations, ial => 'ial2', %claims });
}

sub proofed {
    my $response = $stack->http(1)->post('/enroll/prove', attest(@_),
        'Content-Type' => 'application/jwt');
    return is $response->status, 200, 'a proof comes in between';
}


# Redis has each script: what is ordered for one is not spent on its loading.

{
    my ($session, $id) = $stack->enter;
    $stack->prove(attest(id => $id));
    $stack->$_($session) for qw(page begin finish);
    $stack->wait_record($id, state => 'enrolled');
    $stack->leave(subject => 'nobody');
    $stack->revoke(id => $stack->issue->json->{id});
}


subtest 'a redeem, and a proof before its repeat (I1)' => sub {
    my $made = $stack->issue->json;
    my $response = lost(['/enroll', ['Content-Type' =>
            'application/x-www-form-urlencoded'], "token=$made->{token}"],
        sub { ($stack->record($made->{id})->{state} // '') eq 'redeemed' },
        sub { proofed(id => $made->{id}) });

    passed($response, 'who redeemed it has it');
    my $session = '__Host-enroll=' . $response->cookie('__Host-enroll');
    is $stack->record($made->{id})->{state}, 'redeemed',
        'nobody has presented it twice';
    is_deeply [map { $_->{event} } $stack->events(id => $made->{id})],
        [qw(issue redeem proofed)], 'one event each';
    passed($stack->begin($session), 'the session is good');
};


subtest 'a proof, and a begin before its repeat (I4)' => sub {
    my ($session, $id) = $stack->enter;
    my $jti = 'once';
    my $response = lost(['/enroll/prove', ['Content-Type' =>
            'application/jwt'], attest(id => $id, jti => $jti)],
        sub { $stack->record($id)->{proof} eq 'ial2' },
        sub { passed($stack->http(1)->post('/register/begin', '{}',
            Cookie => $session), 'a begin comes in between') });

    passed($response, 'the prover hears that it was taken');
    is scalar(() = $stack->events(id => $id, event => 'proofed')), 1,
        'it was taken once';
    my (undef, $other) = $stack->enter;
    refused($stack->prove(attest(id => $other, jti => $jti)), 409, 'seen',
        'and serves nobody else');
};


subtest 'a token, and a proof of its subject before its repeat' => sub {
    my $text = JSON::PP->new->encode({ subject => 'ada',
        class => 'standard' });
    my $response = lost(['/enroll/issue', [webhook_headers($stack->{secret},
            $text, id => 'join-1')], $text],
        sub { $redis->command('EXISTS', 'enroll:{0}:request:hr:join-1') },
        sub { proofed(subject => 'ada') }, 'pass');

    is $response->status, 201, 'the issuer gets it' or diag $response->body;
    my $made = $response->json;
    is scalar(() = $stack->events(subject => 'ada', event => 'issue')), 1,
        'it was made once';
    passed($stack->begin($stack->session($made->{token})), 'it is good');
    is $stack->issue(subject => 'ada', event => 'join-1')->status, 200,
        'the event again is a repeat';
};


# Its finish goes to nobody, so that it is nobody's to settle but ours.

subtest 'a claim, and a leaver before its repeat (I2)' => sub {
    my ($session, $id) = $stack->enter(subject => 'bea');
    passed($stack->begin($session), 'begin');
    $idp->clear;

    my $response = lost(['/register/finish', [Cookie => $session], '{}'],
        sub { $stack->record($id)->{state} eq 'claimed' },
        sub { passed($stack->leave(subject => 'bea', instance => 1),
            'she leaves') });

    isnt $response->status, 200, 'the finish is refused';
    $stack->wait_record($id, state => 'revoked');
    pass 'the claim is given back, and ends';
    is $idp->count, 0, 'the IdP has heard nothing';
};


subtest 'a replay is told of when Redis is back' => sub {
    my $made = $stack->issue->json;
    my $session = $stack->session($made->{token});
    passed($stack->begin($session), 'begin');

    order('close', 'close');
    refused($stack->redeem($made->{token}), 410, 'redeemed', 'a replay');
    wait_for { !glob "$orders/*" } 'both tries to tell of it to be lost';
    my $record = $stack->wait_record($made->{id}, state => 'revoked');
    is $record->{revoked_why}, 'replayed', 'the session ends by it';
    refused($stack->begin($session), 410, 'revoked', 'its next request');
};


subtest 'the events agree with the records (I7)' => sub {
    is_deeply [audit($stack)], [], 'one event each';
};

$relay->stop('TERM');
done_testing;
