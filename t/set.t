#!/usr/bin/perl

# Security event tokens that an issuer pushes (RFC 8417, 8935, 9967): who
# joins gets a token, who leaves loses what is open, and all else is
# acknowledged. What is not the issuer's word never reaches the ledger. The
# tokens are made by the jose package.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);


use constant {
    ISS => 'https://hris.example',
    AUD => 'https://enroll.example/sets',
    URN => 'urn:ietf:params:scim:event:',
    CREATE => 'urn:ietf:params:scim:event:prov:create:full',
    DELETE => 'urn:ietf:params:scim:event:prov:delete',
};

my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();
my $count = 0;

# the issuer's keys (the second is the next one), and those of others
$sender->key('one', kty => 'EC');
$sender->key('two', kty => 'EC', crv => 'P-384');
$sender->key('rsa', kty => 'RSA', bits => 2048);
$sender->key('lone', kty => 'EC', kid => undef);
$sender->key('other', kty => 'EC');
$sender->key('spare', kty => 'EC');
$sender->key('stranger', kty => 'EC', kid => 'one');
$sender->key('unknown', kty => 'EC');

my $stack = stack(deliver => 1,
    class => 'ttl 1h; window 10m; attempts 3; deliver /deliver;',
    classes => <<'CONF',
    enroll_class strict {
        ttl 1h;
        require email manager;
        deliver /deliver;
    }
    enroll_class far { ttl 1h; channel courier desk; deliver /deliver; }
CONF
    issuer => 'secret_file %%STACK%%/old.secret;',
    issuers => <<'CONF',
    enroll_issuer hris {
        jwks  %%STACK%%/hris.jwks;
        iss   https://hris.example;
        aud   https://enroll.example/sets;
    }
    enroll_issuer twin {
        jwks  %%STACK%%/other.jwks;
        iss   https://hris.example;
        aud   https://enroll.example/twin;
    }
    enroll_issuer iam {
        jwks    %%STACK%%/lone.jwks;
        iss     https://iam.example;
        aud     https://enroll.example/sets;
        subject external_id;
        class   far;
        rate    1r/m burst=3;
    }
    enroll_issuer strict {
        jwks    %%STACK%%/other.jwks;
        iss     https://strict.example;
        aud     https://enroll.example/sets;
        class   strict;
    }
    enroll_issuer elsewhere {
        jwks    %%STACK%%/hris.jwks;
        iss     https://elsewhere.example;
        aud     https://enroll.example/sets;
    }
CONF
    files => {
        'hris.jwks' => $sender->jwks(qw(one two rsa)),
        'lone.jwks' => $sender->jwks('lone'),
        'other.jwks' => $sender->jwks(qw(other spare)),
        'old.secret' => webhook_secret() . "\n",
    },
    issue => 'hr hris twin iam strict', revoke => 'hr hris',
    locations => 'location = /webhooks { enroll_issue hr; }
        location = /sets { enroll_issue hris; }
        location = /leavers { enroll_revoke hris; }');
my $redis = $stack->redis;
my $idp = $stack->idp;
my $http = $stack->http;
my $gateway = $stack->gateway;


# The claims of a SET: what is given replaces the usual, undef leaves out. A
# text as events is the type of one that is empty.

sub claims {
    my (%over) = @_;

    my $subject = delete $over{subject} // 'subject-' . ++$count;
    my %claims = (iss => ISS, aud => AUD, iat => time, jti => 'j-' . ++$count,
        sub_id => { format => 'scim', uri => "/Users/$subject" },
        events => CREATE, %over);

    $claims{events} = { $claims{events} => {} }
        if defined $claims{events} && !ref $claims{events};
    return { map { $_ => $claims{$_} } grep { defined $claims{$_} }
        keys %claims };
}

sub token_of {
    my (%over) = @_;
    return $sender->jwt('one', claims(%over), typ => 'secevent+jwt');
}

sub push_set { return $stack->set(token_of(@_)) }

sub post_set {
    my ($path, $body, @headers) = @_;
    return $http->post($path, $body,
        'Content-Type' => 'application/secevent+jwt', @headers);
}


# 202, and nothing in it.

sub accepted {
    my ($response, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $good = $response->status == 202 && $response->body eq ''
        && ($response->header('Content-Length') // '') eq '0'
        && ($response->header('Cache-Control') // '') eq 'no-store';
    ok $good, $name or diag($response->error . "\n" . $response->raw);
    return $good;
}


# 400, as RFC 8935 has it.

sub failed {
    my ($response, $code, $pattern, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $says = eval { $json->decode($response->body) } // {};
    my $good = $response->status == 400
        && ($response->header('Content-Type') // '') eq 'application/json'
        && ($response->header('Content-Language') // '') eq 'en'
        && ($response->header('Cache-Control') // '') eq 'no-store'
        && join(' ', sort keys %$says) eq 'description err'
        && $says->{err} eq $code && $says->{description} =~ $pattern;
    ok $good, $name or diag("wanted $code $pattern, got: "
        . $response->error . "\n" . $response->raw);
    return $good;
}

sub reason {
    my ($line) = (grep { $_->{event} eq 'refuse' } $stack->log_lines)[-1];
    return "$line->{step} $line->{reason}";
}

sub length_of_stream {
    return $redis->command('XLEN', 'enroll:{0}:events');
}

# The token that was delivered last, and all of what was.

sub delivered {
    my @letters = $stack->delivered;
    return $letters[-1];
}


subtest 'who joins gets a token, by delivery' => sub {
    my $jws = token_of(subject => 'ada', jti => 'join-1', events => { CREATE,
        { data => { userName => 'ada', active => JSON::PP::true,
            name => { givenName => 'Ada', familyName => 'Lovelace' },
            emails => [{ value => 'home@x.org' },
                { value => 'ada@x.org', primary => JSON::PP::true }],
            'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
                => { employeeNumber => '7', manager => { value => 'm-1' } },
        } } });

    accepted($stack->set($jws), 'a SET is accepted, with an empty body');

    my $letter = delivered();
    is $letter->{subject}, 'ada', 'the subject is the last segment of its uri';
    is_deeply $letter->{attributes}, { user_name => 'ada',
        given_name => 'Ada', family_name => 'Lovelace', email => 'ada@x.org',
        employee_id => '7', manager => 'm-1' }, 'what SCIM says of it';
    is "$letter->{issuer} $letter->{class} $letter->{event}",
        'hris standard join-1', 'whose it is';

    my $record = $stack->record($letter->{id});
    is "$record->{state} $record->{issuer} $record->{event}",
        'issued hris join-1', 'the record says so, too';
    my ($event) = $stack->events(event => 'issue', id => $letter->{id});
    is "$event->{issuer} $event->{joiner}", 'hris join-1', 'and the event';

    my $session = $stack->session($letter->{token});
    passed($stack->$_($session), $_) for qw(page begin finish);
    $stack->wait_record($letter->{id}, state => 'enrolled');

    for my $type ('prov:create:full', 'prov:create:notice', 'prov:activate') {
        my $name = "by-$type" =~ tr/:/-/r;
        accepted(push_set(subject => $name, events => URN . $type), $type);
        is delivered()->{subject}, $name, '… issues';
    }

    accepted(push_set(subject => 'drafted',
        events => 'urn:ietf:params:SCIM:event:prov:activate'),
        'the URN as drafts wrote it');
    is delivered()->{subject}, 'drafted', '… issues';
    accepted(push_set(subject => 'fed', events => { URN . 'feed:add' => {},
        CREATE, {} }), 'among others');
    is delivered()->{subject}, 'fed', '… it issues';
    $idp->clear;
};


subtest 'whom it is about' => sub {
    my $iam = sub {
        return $stack->set($sender->jwt('lone', claims(
            iss => 'https://iam.example', @_), typ => 'secevent+jwt'));
    };

    accepted($iam->(sub_id => { format => 'scim', uri => '/Users/123',
        externalId => 'e-1@x.org' }), 'the issuer says externalId');
    is delivered()->{subject}, 'e-1@x.org', '… which is the subject';
    is delivered()->{class} . ' ' . delivered()->{channel}, 'far courier',
        'his class, and its first channel';
    failed($iam->(sub_id => { format => 'scim', uri => '/Users/123' }),
        'invalid_request', qr/externalId/, 'without one it is refused');

    accepted(push_set(sub_id => { format => 'opaque', id => 'o-1' }),
        'an opaque identifier');
    is delivered()->{subject}, 'o-1', '… is the subject';
    accepted(push_set(sub_id => undef, sub => 's-1'), 'a sub');
    is delivered()->{subject}, 's-1', '… serves where there is no sub_id';
};


subtest 'a jti again' => sub {
    my $jws = token_of(subject => 'bea', jti => 'again-1');
    accepted($stack->set($jws), 'a SET');
    $gateway->clear;
    my $before = length_of_stream();

    accepted($stack->set($jws), 'the same again');
    accepted(push_set(subject => 'bea', jti => 'again-1',
        events => URN . 'prov:activate'), 'another of that jti');
    is $gateway->count, 0, 'nothing more is delivered';
    is length_of_stream(), $before, 'nothing more is told';

    my @responses = burst(map { [$http, 'POST', '/enroll/issue',
        ['Content-Type' => 'application/secevent+jwt'], $_] }
        (token_of(subject => 'bo', jti => 'again-2')) x 5);
    is scalar(grep { $_->status == 202 || $_->status == 503 } @responses), 5,
        'five at once are accepted, or told to come later';
    is $gateway->count, 1, 'one is delivered';
};


subtest 'who leaves loses what is open' => sub {
    for my $type ('prov:deactivate', 'prov:delete') {
        my $name = "leaver-$type" =~ tr/:/-/r;
        accepted(push_set(subject => $name), 'a joiner');
        my $letter = delivered();

        accepted(push_set(subject => $name, jti => "left-$name",
            events => URN . $type), $type);
        my $record = $stack->record($letter->{id});
        is "$record->{state} $record->{revoked_why} $record->{revoked_by}",
            "revoked $type hris", '… revokes the token';
        my ($event) = $stack->events(event => 'revoke', id => $letter->{id});
        is $event->{leaver}, "left-$name", '… on whose word';
        refused($stack->redeem($letter->{token}), 410, 'revoked',
            '… the link is refused');
    }

    for my $step (qw(page begin finish)) {
        accepted(push_set(subject => "cut-$step"), 'a joiner');
        my $letter = delivered();
        my $session = $stack->session($letter->{token});
        passed($stack->page($session), 'a session');
        passed($stack->begin($session), '… that has begun');

        $idp->clear;
        accepted(push_set(subject => "cut-$step", events => DELETE),
            'leaves in the middle of it');
        refused($stack->$step($session), 410, 'revoked',
            "the very next request, $step, is refused");
        is $idp->count, 0, '… and does not reach the IdP';
    }

    accepted(post_set('/enroll/revoke', token_of(events => DELETE)),
        'one who never joined');
    accepted(push_set(subject => 'ada', events => DELETE),
        'one who has enrolled');

    accepted(push_set(subject => 'cyd'), 'a joiner');
    my $first = delivered();
    my $leaver = token_of(subject => 'cyd', events => DELETE);
    accepted(post_set('/leavers', $leaver), 'leaves, at enroll_revoke');
    is $stack->record($first->{id})->{state}, 'revoked', '… likewise';
    accepted(push_set(subject => 'cyd'), 'and comes back');
    my $second = delivered();
    accepted(post_set('/leavers', $leaver), 'the leaver\'s SET once more');
    is $stack->record($second->{id})->{state}, 'issued',
        '… does not end what came after it';
};


subtest 'where nothing is issued' => sub {
    $gateway->clear;
    my $before = length_of_stream();

    failed(post_set('/leavers', token_of()), 'access_denied',
        qr/no token is issued here/, 'a joiner at enroll_revoke');
    is reason(), 'revoke class', '… with its reason';
    is length_of_stream(), $before, '… no event';
    is $gateway->count, 0, '… no delivery';
};


subtest 'what orders nothing is acknowledged, and told' => sub {
    accepted(push_set(subject => 'dan'), 'a joiner');
    my $letter = delivered();
    $gateway->clear;
    my $monitor = $redis->monitor;

    my %nothing = (
        'prov:patch:full' => URN . 'prov:patch:full',
        'prov:put:notice' => URN . 'prov:put:notice',
        'feed:remove' => URN . 'feed:remove',
        'a type of later days' => URN . 'prov:delete:gently',
        'CAEP' => 'https://schemas.openid.net/secevent/caep/event-type/'
            . 'session-revoked',
    );

    for my $name (sort keys %nothing) {
        accepted(push_set(subject => 'dan', jti => "n-$name" =~ tr/ /-/r,
            events => { $nothing{$name} => { active => JSON::PP::false } }),
            $name);
        my $line = ($stack->log_lines)[-1];
        is "$line->{event} $line->{issuer} $line->{type} $line->{jti}",
            "ignore hris $nothing{$name} n-" . $name =~ tr/ /-/r,
            '… is told';
    }

    accepted(push_set(events => $_, sub_id => { format => 'scim',
        uri => '/Groups/dan' }), 'a group, not a person') for CREATE, DELETE;
    accepted(push_set(sub_id => { format => 'email', email => 'a@b' },
        events => 'x:y'), 'of a subject that means nothing here');

    is scalar(my @asked = $monitor->commands), 0, 'no ledger call in all that';
    is $gateway->count, 0, 'no delivery';
    is $stack->record($letter->{id})->{state}, 'issued', 'no change';
};


# --- what is not the issuer's word (Must show 1)

sub signed {
    my ($key, $claims, %more) = @_;
    return $sender->jwt($key, $claims // claims(), typ => 'secevent+jwt',
        %more);
}

sub forged {
    my ($payload, %how) = @_;
    my $header = { typ => 'secevent+jwt', kid => 'one', alg => 'ES256',
        %{ delete $how{say} // {} } };
    return $sender->forge($payload // claims(), header => $header,
        alg => 'ES256', key => 'one', %how);
}

# One byte of that part is another one, and base64url all the same.
sub changed {
    my ($jws, $part) = @_;
    my @parts = split /\./, $jws;
    my $bytes = decode_base64url($parts[$part]);
    substr($bytes, length($bytes) / 2, 1) ^= "\x01";
    $parts[$part] = encode_base64url($bytes);
    return join '.', @parts;
}

my $now = time;
my $good = claims(subject => 'eve');
my $text = $json->encode($good);

my %wrong = (
    'another key of that kid' => [signed('stranger', $good,
        header => { kid => 'one' }), 'authentication_failed', 'signature'],
    'the key of another issuer' => [signed('other', $good,
        header => { kid => 'one' }), 'authentication_failed', 'signature'],
    'another key of the set' => [signed('two', $good,
        header => { kid => 'one' }), 'invalid_key', 'signature'],
    'an unknown kid' => [signed('unknown', $good), 'invalid_key',
        'signature'],
    'no kid, of several' => [$sender->forge($good, alg => 'ES256',
        key => 'one', header => { alg => 'ES256', typ => 'secevent+jwt' }),
        'invalid_key', 'signature'],
    'alg none' => [forged($good, alg => 'none', say => { alg => 'none' }),
        'invalid_key', 'signature'],
    'no signature' => [signed('one', $good) =~ s/[^.]+\z//r,
        'authentication_failed', 'signature'],
    'HS256 by the public key' => [forged($good, alg => 'HS256',
        public => 'one', say => { alg => 'HS256' }), 'invalid_key',
        'signature'],
    'HS256 by the RSA key' => [forged($good, alg => 'HS256',
        public => 'rsa', say => { alg => 'HS256', kid => 'rsa' }),
        'invalid_key', 'signature'],
    'HS256 said, ES256 done' => [forged($good, say => { alg => 'HS256' }),
        'invalid_key', 'signature'],
    'PS256 by a key for RS256' => [forged($good, alg => 'PS256',
        key => 'rsa', say => { alg => 'PS256', kid => 'rsa' }),
        'invalid_key', 'signature'],
    'a changed header' => [changed(signed('one', $good), 0),
        qr/invalid_/, qr/body|signature/],
    'a body changed by one byte' => [join('.', (split /\./,
        signed('one', $good))[0], encode_base64url($text =~ s/eve/eva/r),
        (split /\./, signed('one', $good))[2]),
        'authentication_failed', 'signature'],
    'a changed signature' => [changed(signed('one', $good), 2),
        'authentication_failed', 'signature'],
    'a key in the header' => [signed('stranger', $good, header =>
        { kid => 'one', jwk => $sender->{keys}{stranger} }), 'invalid_key',
        'signature'],
    'a key elsewhere' => [signed('one', $good, header =>
        { jku => 'https://evil.example/jwks' }), 'invalid_key', 'signature'],
    'crit' => [forged($good, say => { crit => ['exp'], exp => $now }),
        'invalid_key', 'signature'],

    'another typ' => [$sender->jwt('one', $good, typ => 'JWT'),
        'invalid_request', 'body'],
    'no typ' => [$sender->jwt('one', $good), 'invalid_request', 'body'],

    'another issuer' => [signed('one', claims(iss => 'https://x.example')),
        'invalid_issuer', 'signature'],
    'an issuer of another location' => [signed('one',
        claims(iss => 'https://elsewhere.example')), 'invalid_issuer',
        'signature'],
    'an issuer who calls by webhook' => [signed('one', claims(iss => 'hr')),
        'invalid_issuer', 'signature'],
    'no issuer' => [signed('one', claims(iss => undef)), 'invalid_request',
        'body'],
    'an issuer of a list' => [signed('one', claims(iss => [ISS])),
        'invalid_request', 'body'],
    'another audience' => [signed('one', claims(aud => 'https://x.example')),
        'invalid_audience', 'signature'],
    'the audience of his twin' => [signed('one',
        claims(aud => 'https://enroll.example/twin')), 'invalid_audience',
        'signature'],
    'no audience' => [signed('one', claims(aud => undef)),
        'invalid_audience', 'signature'],
    'an empty audience' => [signed('one', claims(aud => [])),
        'invalid_audience', 'signature'],

    'a week old' => [signed('one', claims(iat => $now - 7 * 86_400 + 180)),
        'invalid_request', 'signature'],
    'of the future' => [signed('one', claims(iat => $now + 120)),
        'invalid_request', 'signature'],
    'of no time' => [signed('one', claims(iat => undef)), 'invalid_request',
        'signature'],
    'of a time that is a text' => [signed('one', claims(iat => "$now")),
        'invalid_request', 'signature'],
    'expired' => [signed('one', claims(exp => $now - 120)),
        'invalid_request', 'signature'],
    'not yet good' => [signed('one', claims(nbf => $now + 120)),
        'invalid_request', 'signature'],

    'nothing' => ['', 'invalid_request', 'body'],
    'no JWS' => ['x', 'invalid_request', 'body'],
    'two parts' => [join('.', (split /\./, signed('one', $good))[0, 1]),
        'invalid_request', 'body'],
    'four parts' => [signed('one', $good) . '.x', 'invalid_request', 'body'],
    'two of them' => [signed('one', $good) . "\n" . signed('one', $good),
        'invalid_request', 'body'],
    'a line feed behind it' => [signed('one', $good) . "\n",
        'invalid_request', 'body'],
    'as JSON' => [$json->encode({ payload => encode_base64url($text),
        signatures => [] }), 'invalid_request', 'body'],
    'the claims alone' => [$text, 'invalid_request', 'body'],
    'padding' => [signed('one', $good) . '=', 'invalid_request', 'body'],
    'a payload of a list' => [signed('one', "[$text]"), 'invalid_request',
        'body'],
    'a payload cut short' => [signed('one', substr $text, 0, -1),
        'invalid_request', 'body'],
    'a member twice' => [signed('one', $text =~ s/\A\{/{"iss":"x",/r),
        'invalid_request', 'body'],
    'a member twice, deep' => [signed('one',
        $text =~ s/"uri":/"uri":"\/Users\/ada","uri":/r), 'invalid_request',
        'body'],
    'a header\'s member twice' => [$sender->forge($good, alg => 'ES256',
        key => 'one', header => '{"alg":"none","kid":"one","alg":"ES256",'
            . '"typ":"secevent+jwt"}'), 'invalid_request', 'body'],
    'invalid UTF-8' => [signed('one', $text =~ s/eve/\xff/r),
        'invalid_request', 'body'],
    'deep JSON' => [signed('one', $text =~ s/\A\{/'{"x":' . '[' x 4000
        . ']' x 4000 . ','/er), 'invalid_request', 'body'],
    'a NUL' => [signed('one', $text =~ s/eve/\\u0000/r), 'invalid_request',
        'body'],
);

subtest 'what is not his word, with its reason and no ledger call' => sub {
    $gateway->clear;
    my $before = length_of_stream();
    my $monitor = $redis->monitor;

    for my $name (sort keys %wrong) {
        my ($jws, $code, $reason) = @{$wrong{$name}};
        my $response = $stack->set($jws);
        $code = qr/\A$code\z/ if !ref $code;
        $reason = qr/\A$reason\z/ if !ref $reason;

        my $says = eval { $json->decode($response->body) } // {};
        failed($response, $says->{err} // '', qr/./, $name);
        like $says->{err} // '', $code, '… its code';
        like reason() =~ s/issue //r, $reason, '… its reason';
        unlike $response->body, qr/example|eve|urn:/, '… and quotes nothing';
    }

    for my $size (16_385, 1024 * 1024) {
        failed($stack->set('x' x $size), 'invalid_request', qr/16384 bytes/,
            "of $size bytes");
        is reason(), 'issue body', '… with its reason';
    }
    failed($http->request('POST', '/enroll/issue', ['Content-Type' =>
        'application/secevent+jwt', 'Transfer-Encoding' => 'chunked'],
        "1\r\nx\r\n0\r\n\r\n"), 'invalid_request', qr/length/, 'chunked');

    failed(post_set('/webhooks', signed('one', $good)), 'invalid_issuer',
        qr/no issuer/, 'where all call by webhooks');
    my $webhook = $http->post('/sets', $text, webhook_headers(
        $stack->secret_of('hr'), $text));
    refused($webhook, 401, 'signature', 'a webhook where all push');
    like $webhook->json->{detail}, qr/push security event tokens/,
        '… and why';
    refused($http->post('/enroll/issue', signed('one', $good),
        'Content-Type' => $_), 401, 'signature', "a SET as $_")
        for 'application/jwt', 'application/secevent+jwtx', 'text/plain';
    is $http->get('/enroll/issue', 'Content-Type' =>
        'application/secevent+jwt')->status, 405, 'by GET';

    is scalar(my @asked = $monitor->commands), 0, 'no ledger call';
    is length_of_stream(), $before, 'no event';
    is $gateway->count, 0, 'no delivery';
};


subtest 'what is his word, whatever its form' => sub {
    my %good = (
        'the key that comes next' => signed('two'),
        'an RSA key' => signed('rsa'),
        'one of several audiences' => signed('one',
            claims(aud => ['https://x.example', AUD])),
        'almost a week old' => signed('one',
            claims(iat => $now - 7 * 86_400 + 600)),
        'a clock ahead' => signed('one', claims(iat => $now + 30)),
        'not expired' => signed('one', claims(exp => $now + 600)),
        'typ in full' => signed('one', undef,
            header => { typ => 'application/secevent+jwt' }),
        'typ in capitals' => signed('one', undef,
            header => { typ => 'SecEvent+JWT' }),
        'his twin of another audience' => signed('other',
            claims(aud => 'https://enroll.example/twin')),
        'other claims beside it' => signed('one', claims(txn => 't',
            toe => 7, x => { y => [1] })),
    );
    for my $name (sort keys %good) {
        $gateway->clear;
        accepted($stack->set($good{$name}), $name);
        is $gateway->count, 1, '… issues';
    }
    is delivered()->{issuer}, 'hris', 'each by its issuer';

    for my $type ('Application/SecEvent+JWT',
        'application/secevent+jwt; charset=utf-8',
        'application/secevent+jwt ; x=y')
    {
        accepted($http->post('/enroll/issue', token_of(),
            'Content-Type' => $type), "as $type");
    }
};


subtest 'what a SET has to say' => sub {
    $gateway->clear;
    my $monitor = $redis->monitor;

    my %bad = (
        'no jti' => [{ jti => undef }, qr/"jti"/],
        'a jti with a space' => [{ jti => 'a b' }, qr/"jti"/],
        'a jti of a number' => [{ jti => 7 }, qr/"jti"/],
        'no events' => [{ events => undef }, qr/"events"/],
        'empty events' => [{ events => {} }, qr/"events"/],
        'events of a list' => [{ events => [CREATE] }, qr/"events"/],
        'an event of null' => [{ events => { CREATE, undef } }, qr/event/],
        'one that joins and leaves' => [{ events => { CREATE, {}, DELETE,
            {} } }, qr/another to revoke/],
        'no subject' => [{ sub_id => undef }, qr/"sub"/],
        'a subject by e-mail' => [{ sub_id => { format => 'email',
            email => 'a@x.org' } }, qr/"format"/],
        'an encoded uri' => [{ sub_id => { format => 'scim',
            uri => '/Users/a%20b' } }, qr/"uri"/],
        'a subject behind a blank' => [{ subject => "\x{a0}ada" },
            qr/"uri"/],
        'a subject before a blank' => [{ sub_id => { format => 'opaque',
            id => 'ada ' } }, qr/"id".*blanks at its ends/],
        'a sub behind what is not seen' => [{ sub_id => undef,
            sub => "\x{200b}ada" }, qr/"sub".*blanks at its ends/],
        'a subject with a line feed' => [{ sub_id => { format => 'opaque',
            id => "a\nb" } }, qr/"id"/],
    );

    for my $name (sort keys %bad) {
        my ($over, $pattern) = @{$bad{$name}};
        failed(push_set(%$over), 'invalid_request', $pattern, $name);
        is reason(), 'issue body', '… with its reason';
    }

    is scalar(my @asked = $monitor->commands), 0, 'no ledger call';
    is $gateway->count, 0, 'no delivery';
};


subtest 'what the class requires, and is not there' => sub {
    my $strict = sub {
        return $stack->set($sender->jwt('other', claims(
            iss => 'https://strict.example', @_), typ => 'secevent+jwt'));
    };
    $gateway->clear;

    failed($strict->(subject => 'fay', jti => 'lacks'), 'invalid_request',
        qr/lacks: email, manager\.\z/, 'is listed');
    is $gateway->count, 0, '… nothing is delivered';
    my $event;
    wait_for { ($event) = $stack->events(event => 'refuse',
        subject => 'fay') } 'an event that says so';
    is "$event->{issuer} $event->{reason} $event->{why}",
        'strict attributes email, manager', '… of whom, and what';

    accepted($strict->(subject => 'fay', jti => 'lacks', events => { CREATE,
        { data => { emails => [{ value => 'f@x.org' }],
            'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
                => { manager => { value => 'm-1' } } } } }),
        'the same, complete');
    is delivered()->{attributes}{manager}, 'm-1', '… is delivered';
};


subtest 'who has enrolled gets no other (I9)' => sub {
    $gateway->clear;
    my $refused = $stack->status->{refused}{first_use};

    accepted(push_set(subject => 'ada', events => URN . 'prov:activate'),
        'the SET is good, whatever becomes of it');
    is $gateway->count, 0, 'nothing is delivered';
    is $stack->status->{refused}{first_use}, $refused + 1, 'it is counted';
    my ($event) = grep { ($_->{reason} // '') eq 'first_use' }
        $stack->events(subject => 'ada');
    ok $event, 'and told';
};


subtest 'a gateway that does not take it' => sub {
    my $jws = token_of(subject => 'gus', jti => 'gus-1');

    $gateway->clear;
    $gateway->answer('/deliver' => { status => 503 }, {});
    refused($stack->set($jws), 502, 'undelivered', 'is told');
    my $first = delivered();
    $stack->wait_record($first->{id}, state => 'revoked');

    accepted($stack->set($jws), 'the same SET again');
    isnt delivered()->{id}, $first->{id}, '… delivers another token';
};


subtest 'more than his rate' => sub {
    my $iam = sub {
        return $stack->set($sender->jwt('lone', claims(
            iss => 'https://iam.example', sub_id => { format => 'scim',
                uri => '/Users/1', externalId => 'x-' . ++$count }, @_),
            typ => 'secevent+jwt'));
    };

    my $response;
    wait_for { ($response = $iam->())->status != 202 } 'his rate to end';
    refused($response, 429, 'throttled', 'is refused');
    is $response->header('Retry-After'), 63, '… until later';
    accepted($iam->(events => DELETE), 'who leaves does not wait');
    accepted(push_set(), 'nor does another issuer');
};


subtest 'Redis away' => sub {
    my $jws = token_of(subject => 'hal');
    my $leaver = token_of(subject => 'hal', events => DELETE);

    $redis->stop;
    for my $try ($jws, $leaver) {
        my $response = $stack->set($try);
        refused($response, 503, 'unavailable', 'is refused (I6)');
        ok $response->header('Retry-After'), '… until later';
    }
    accepted(push_set(events => 'x:y'), 'what needs no ledger is accepted');
    $redis->start;
};


subtest 'the events' => sub {
    my $audited = stack(deliver => 1, class => 'deliver /deliver;',
        issuers => "enroll_issuer hris { jwks %%STACK%%/hris.jwks;\n"
            . 'iss ' . ISS . '; aud ' . AUD . '; }',
        files => { 'hris.jwks' => $sender->jwks('one') },
        issue => 'hris', revoke => 'hris');

    for my $subject (qw(a b c)) {
        accepted($audited->set(token_of(subject => $subject)), 'joins');
        accepted($audited->set(token_of(subject => $subject,
            events => DELETE)), 'leaves');
    }
    is_deeply [audit($audited)], [], 'one for each change (I7)';
};

done_testing;
