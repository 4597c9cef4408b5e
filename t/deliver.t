#!/usr/bin/perl

# deliver: the fresh token goes to a gateway by a subrequest, and the issuer
# never holds it. What was not delivered is revoked, and the same event may be
# sent again.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;

my $stack = stack(deliver => 1,
    class => 'ttl 1h; window 10m; attempts 3; deliver /deliver;',
    classes => 'enroll_class handed { ttl 1h; }',
    issuer => 'class standard handed;',
    http => 'proxy_read_timeout 400ms; proxy_send_timeout 400ms;
        proxy_connect_timeout 400ms;');
my $redis = $stack->redis;
my $idp = $stack->idp;
my $http = $stack->http;
my $gateway = $stack->gateway;


# The answer has nothing of a token, nor of what the gateway said.

sub silent {
    my ($response, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return unlike $response->raw, qr/enr_|enroll#|"token"|"url"|chatter/,
        "$name: no token in the answer";
}

sub delivered {
    my ($response, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $response->status, 201, $name or diag $response->body;
    is join(' ', sort keys %{ $response->json }),
        'delivered expires_at id state', '… with its id and end';
    silent($response, '…');
    return $response->json;
}

sub gone {
    my ($id, $name) = @_;
    my $record = $stack->wait_record($id, state => 'revoked');
    return is "$record->{revoked_why} $record->{revoked_by}",
        'undelivered proxy', "$name: its token is revoked";
}


subtest 'to the gateway, and to nobody else' => sub {
    my $made = delivered($stack->issue(subject => 'ada', event => 'join-1',
        channel => 'email', requester => 'm-1',
        attributes => { email => 'ada@example.org' },
        headers => [Authorization => 'Basic eDp5', Cookie => 'a=1',
            'X-Secret' => 'x', 'Accept-Encoding' => 'gzip', Range =>
            'bytes=0-1', Expect => '']), 'an event');

    my ($letter) = $stack->delivered;
    my $token = delete $letter->{token};
    like $token, qr/\Aenr_[\w-]{59}\z/, 'the gateway has the token';
    is delete $letter->{url}, 'http://localhost:' . $stack->nginx->port
        . "/enroll#$token", '… as a link, too';
    is_deeply $letter, { id => $made->{id}, subject => 'ada',
        class => 'standard', channel => 'email', issuer => 'hr',
        event => 'join-1', requester => 'm-1',
        expires_at => $made->{expires_at},
        attributes => { email => 'ada@example.org' } },
        '… and what it needs to send it';

    my ($request) = $gateway->requests;
    is $request->method, 'POST', 'by POST';
    is $request->path, '/deliver', '… to where it says';
    is $request->header('Content-Type'), 'application/json', '… as JSON';
    is $request->header('Content-Length'), length $request->body,
        '… of a known length';
    my @foreign = grep { defined $request->header($_) } qw(Authorization
        Cookie X-Secret webhook-id webhook-signature webhook-timestamp
        Range Accept-Encoding);
    is "@foreign", '', 'nothing of the issuer\'s request goes along';

    my $session = $stack->session($token);
    passed($stack->$_($session), $_) for qw(page begin finish);
    $stack->wait_record($made->{id}, state => 'enrolled');
    $idp->clear;
};


subtest 'an event again' => sub {
    $gateway->clear;
    my $made = delivered($stack->issue(subject => 'bea', event => 'join-2'),
        'an event');
    wait_for { $stack->events(event => 'deliver', id => $made->{id}) }
        'the delivery to be told';
    my $again = $stack->issue(subject => 'bea', event => 'join-2');

    is $again->status, 200, 'the same again';
    is_deeply $again->json, { id => $made->{id}, state => 'issued' },
        '… is answered with the same';
    is $gateway->count, 1, '… and delivered once';
};


subtest 'a class that does not deliver' => sub {
    $gateway->clear;
    my $made = $stack->issue(class => 'handed')->json;
    like $made->{token}, qr/\Aenr_/, 'hands the token to the issuer';
    is $gateway->count, 0, 'the gateway has heard nothing';
};


subtest 'large and odd' => sub {
    $gateway->clear;
    my $subject = "\x{e9}\x{20ac}\x{1f600}\"\\" . 'x' x 200;
    my %attributes = map { ("a$_" => "\x{20ac}" x 85) } 1 .. 16;

    delivered($stack->issue(subject => $subject,
        attributes => \%attributes), 'an event');
    my ($letter) = $stack->delivered;
    is $letter->{subject}, $subject, 'the subject as it was';
    is_deeply $letter->{attributes}, \%attributes, 'the attributes, too';
    is $letter->{channel}, 'unspecified', 'a channel that was not said';
};


# What the gateway may do wrong. The same event is sent again afterwards, and
# this time it is delivered.

my %wrong = (
    'answers 400' => { status => 400, body => 'chatter' },
    'answers 404' => { status => 404 },
    'answers 429' => { status => 429 },
    'answers 500' => { status => 500, body => 'chatter' },
    'answers 503' => { status => 503, headers => ['Retry-After' => 5] },
    'leads elsewhere' => { status => 302,
        headers => [Location => 'http://localhost/chatter'] },
    'says 304' => { status => 304 },
    'says nothing' => { hang => 1 },
    'resets' => { reset => 1 },
    'closes' => { close => 1 },
    'is cut in its header' => { body => 'chatter', cut => 20 },
    'stops in its header' => { body => 'chatter', stall => 20 },
    'speaks no HTTP' => { raw => "chatter\r\n\r\n" },
    'has a header that is too long' => { headers => ['X-Long' =>
        'x' x 20_000] },
);

subtest 'the gateway does not take it' => sub {
    for my $name (sort keys %wrong) {
        my $subject = "wrong-$name";
        $gateway->clear;
        $gateway->answer('/deliver' => $wrong{$name}, {});

        my %joiner = (subject => $subject, event => "e-$subject" =~ tr/ /-/r);
        my $response = $stack->issue(%joiner);
        refused($response, 502, 'undelivered', $name);
        silent($response, $name);

        my ($letter) = $stack->delivered;
        gone($letter->{id}, $name);
        refused($stack->redeem($letter->{token}), 410, 'revoked',
            '… what the gateway holds is of no use');

        my $made = delivered($stack->issue(%joiner), '… the same event again');
        isnt $made->{id}, $letter->{id}, '… has a token of its own';
        my (undef, $second) = $stack->delivered;
        passed($stack->redeem($second->{token}), '… which works');
    }

    $gateway->answer('/deliver' => {});
    like $stack->nginx->error_log, qr{a token was not delivered: "/deliver"},
        'the error log says so';
    ok $stack->status->{refused}{undelivered} >= keys %wrong,
        'and it is counted';
};


subtest 'the gateway is not there' => sub {
    $gateway->clear;
    $gateway->refuse;
    my %joiner = (subject => 'cyd', event => 'join-3');

    my $response = $stack->issue(%joiner);
    refused($response, 502, 'undelivered', 'refused');
    silent($response, 'so');
    my ($event) = $stack->events(event => 'issue', subject => 'cyd');
    gone($event->{id}, 'and');

    refused($stack->issue(%joiner), 502, 'undelivered', 'and again');
    $gateway->listen;
    delivered($stack->issue(%joiner), 'until it is');
    is scalar(() = $stack->events(event => 'issue', subject => 'cyd')), 3,
        'each try is told';
    is scalar(() = $stack->events(event => 'revoke', subject => 'cyd',
        why => 'undelivered')), 2, '… and each failure';
};


subtest 'a yes whose body breaks off is a yes' => sub {
    $gateway->clear;
    $gateway->answer('/deliver' => { body => 'chatter' x 2000, cut => 2000 },
        {});
    my $made = delivered($stack->issue, 'delivered');
    is $stack->record($made->{id})->{state}, 'issued', 'it is live';
    $gateway->answer('/deliver' => {});
};


subtest 'slow, but it comes' => sub {
    for my $answer ({ delay => 0.3 }, { status => 202, delay => 0.1 },
        { status => 204 }, { chunked => ['chat', 'ter'], pause => 0.1 },
        { body => 'chatter' x 20_000, headers => ['Set-Cookie' =>
            'chatter=1', 'X-Chatter' => 1] })
    {
        $gateway->answer('/deliver' => $answer);
        delivered($stack->issue, 'delivered');
    }
    $gateway->answer('/deliver' => {});
};


subtest 'the issuer leaves in the middle' => sub {
    for my $name ('while the gateway works', 'and it never answers') {
        my $subject = "left $name";
        my $text = $json->encode({ subject => $subject,
            class => 'standard' });
        my $event = 'left-' . length $name;
        my @headers = webhook_headers($stack->{secret}, $text, id => $event);

        $gateway->clear;
        $gateway->answer('/deliver' => $name =~ /never/ ? { hang => 1 }
            : { delay => 0.2 }, {});

        my $socket = $http->connect;
        print {$socket} $http->bytes('POST', '/enroll/issue', [@headers],
            $text);
        $gateway->wait_count(1, '/deliver');
        close $socket;

        my ($letter) = $stack->delivered;
        gone($letter->{id}, $name);

        my $response = $stack->issue(subject => $subject, event => $event);
        is $response->status, 201, '… and the event may be repeated'
            or diag $response->body;
        silent($response, '…');
        my @letters = $stack->delivered;
        passed($stack->redeem($letters[-1]{token}), '… the new one works');
        refused($stack->redeem($letter->{token}), 410, 'revoked',
            '… and the old one does not');
        $gateway->release({});
    }
    $gateway->answer('/deliver' => {});
};


subtest 'Redis away when it has to be taken back (I6)' => sub {
    $gateway->clear;
    $gateway->answer('/deliver' => { status => 500, delay => 0.3 }, {});

    my $text = $json->encode({ subject => 'eve', class => 'standard' });
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', '/enroll/issue',
        [webhook_headers($stack->{secret}, $text, id => 'join-5')], $text);
    $gateway->wait_count(1, '/deliver');
    $redis->freeze;
    refused($http->read_response($socket), 502, 'undelivered', 'refused');
    $redis->thaw;

    my ($letter) = $stack->delivered;
    gone($letter->{id}, 'when Redis is back');
    wait_for { $stack->issue(subject => 'eve', event => 'join-5')->status
        == 201 } 'the event to be taken again';
    pass 'and the event may be repeated';
    $gateway->answer('/deliver' => {});
};


subtest 'Redis away when it is issued (I6)' => sub {
    $gateway->clear;
    $redis->stop;
    refused($stack->issue(subject => 'fay'), 503, 'unavailable', 'closed');
    $redis->start;
    is $gateway->count, 0, 'the gateway has heard nothing';
    wait_for { $stack->issue->status == 201 } 'the ledger to be reached';
};


subtest 'many at once' => sub {
    $gateway->clear;
    $gateway->answer('/deliver' => { delay => 0.05 });

    my @requests = map {
        my $text = $json->encode({ subject => "many-$_",
            class => 'standard' });
        [$http, 'POST', '/enroll/issue',
            [webhook_headers($stack->{secret}, $text)], $text]
    } 1 .. 20;
    my @responses = burst(@requests);

    is join(' ', map { $_->status } @responses), join(' ', (201) x 20),
        'all are delivered';
    my %subject = map { $_->{id} => $_->{subject} } $stack->delivered;
    is_deeply [map { $subject{$_->json->{id}} } @responses],
        [map { "many-$_" } 1 .. 20], 'each one his own';
    is $gateway->count, 20, 'once each';
    $gateway->answer('/deliver' => {});

    # the same event, five times
    $gateway->clear;
    my $text = $json->encode({ subject => 'same', class => 'standard' });
    my @headers = webhook_headers($stack->{secret}, $text, id => 'same');
    @responses = burst(map { [$http, 'POST', '/enroll/issue', [@headers],
        $text] } 1 .. 5);
    my %status;
    $status{$_->status}++ for @responses;
    is $status{201}, 1, 'the same event five times: one token';
    is 4, ($status{200} // 0) + ($status{503} // 0),
        '… the others learn that it is done, or being done';
    is $gateway->count, 1, '… which is delivered once';
    wait_for { $http->post('/enroll/issue', $text, @headers)->status == 200 }
        'it to be done';
};


# Nobody knows whether the gateway has it: its event is not answered as done.

subtest 'the worker dies while it delivers' => sub {
    my %joiner = (subject => 'gil', event => 'join-6');
    $gateway->clear;
    $gateway->answer('/deliver' => { hang => 1 });

    my $text = $json->encode({ subject => 'gil', class => 'standard' });
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', '/enroll/issue',
        [webhook_headers($stack->{secret}, $text, id => 'join-6')], $text);
    $gateway->wait_count(1, '/deliver');
    $stack->nginx->kill_worker;
    close $socket;
    wait_for { $stack->issue(class => 'handed')->status == 201 }
        'it to serve';

    my ($letter) = $stack->delivered;
    is $stack->record($letter->{id})->{delivery}, 'pending', 'it is pending';
    $gateway->answer('/deliver' => {});

    my $response = $stack->issue(%joiner);
    refused($response, 503, 'unavailable', 'the event again, at once');
    ok $response->header('Retry-After'), '… is for later';
    is $gateway->count, 1, '… and nothing is delivered';

    # five minutes later
    $redis->command('HINCRBY', "enroll:{0}:token:$letter->{id}",
        'issued_at', -301_000);
    refused($stack->issue(%joiner), 502, 'undelivered', 'much later');
    gone($letter->{id}, '… nobody is delivering it');
    delivered($stack->issue(%joiner), '… and then it is issued anew');
    refused($stack->redeem($letter->{token}), 410, 'revoked',
        'the first one is of no use');
};


subtest 'one connection, one after the other' => sub {
    $gateway->clear;
    my $socket = $http->connect;

    for my $n (1 .. 3) {
        my $text = $json->encode({ subject => "kept-$n",
            class => 'standard' });
        print {$socket} $http->bytes('POST', '/enroll/issue',
            [webhook_headers($stack->{secret}, $text),
                Connection => 'keep-alive'], $text);
        delivered($http->read_response($socket), "number $n");
    }
    is $gateway->count, 3, 'each is delivered';
};


subtest 'the door is the module\'s own' => sub {
    $gateway->clear;
    for my $method (qw(GET POST)) {
        is $http->request($method, '/deliver', [], '{}')->status, 404,
            "$method from outside";
    }
    is $gateway->count, 0, 'the gateway has heard nothing';
};


# A name that is misspelt leads to the IdP, whose catch-all says 200 to all; and
# so does a gateway that answers with another place of this server.

subtest 'to an internal location, and to nothing else (I5)' => sub {
    my $other = stack(deliver => 1, class => 'ttl 1h; deliver /delivr;',
        classes => 'enroll_class open { ttl 1h; deliver /open; }
            enroll_class led { ttl 1h; deliver /deliver; }',
        issuer => 'class standard open led;',
        locations => 'location = /open {
            proxy_pass http://127.0.0.1:%%GATEWAY%%; }');
    my $gate = $other->gateway;
    my $idp = $other->idp;
    my %place = (standard => '/delivr', open => '/open', led => '/plain');
    my $conf = $other->conf;

    $gate->answer('/deliver' => { headers => ['X-Accel-Redirect' =>
        '/plain'] }, {});

    for my $class (sort keys %place) {
        my %joiner = (subject => "in-$class", class => $class,
            event => "e-$class");
        my $response = $other->issue(%joiner);
        refused($response, 502, 'undelivered', "$place{$class}");
        silent($response, '…');
        is $idp->count, 0, '… the IdP has heard nothing';
        is $gate->count, $class eq 'led' ? 1 : 0,
            '… nor has who is not internal';
        like $other->nginx->error_log,
            qr/"$place{$class}" leads to no internal location/,
            '… the error log says why';
        my ($event) = $other->events(event => 'issue',
            subject => "in-$class");
        is $other->wait_record($event->{id}, state => 'revoked')
            ->{revoked_why}, 'undelivered', '… its token is revoked';
        $gate->delivered;
        $gate->clear;

        (my $right = $conf) =~ s{deliver /(?:delivr|open);}
            {deliver /deliver;}g;
        $other->nginx->reload(http => $right);
        delivered($other->issue(%joiner),
            '… and the event may be repeated when it is put right');
        is scalar(() = $gate->delivered), 1, '… the gateway has the letter';
        $gate->clear;
        $other->nginx->reload(http => $conf);
    }
};


subtest 'the events agree with the records (I7)' => sub {
    my $clean = stack(deliver => 1, class => 'deliver /deliver;');
    $clean->gateway->answer('/deliver' => { status => 500 }, {}, { close => 1 },
        {});

    for my $event (1, 1, 2, 2, 2) {
        my $response = $clean->issue(subject => 's', event => "e-$event");
        my ($last) = reverse $clean->delivered;
        $clean->wait_record($last->{id},
            state => $response->status == 502 ? 'revoked' : 'issued');
    }
    is_deeply [audit($clean)], [], 'one event each';
};

done_testing;
