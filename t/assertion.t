#!/usr/bin/perl

# $enroll_assertion and enroll_jwks: the proxy's signed word to the IdP, which
# a stock JOSE library verifies; what it says, of which request, and when there
# is none. Nobody else can say it, in any spelling (I3). The IdP's UNIQUE on
# the token id stands where the ledger forgot (I2).

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/idp";
use Enroll::Refused qw(refused passed);
use Enroll::Test;
use IdP;

use JSON::PP ();
use MIME::Base64 qw(decode_base64url);


use constant ISS => 'https://login.example';
use constant AUD => 'https://idp.example';

my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();

$sender->key('veri', kty => 'EC');


# Every request of the stack's bears a word, where there is one.

my $said = <<'CONF';
        enroll_assertion https://login.example https://idp.example;
        proxy_set_header Enroll-Assertion $enroll_assertion;
CONF

my $jwks = 'location = /enroll/jwks { enroll_jwks; }';

my $stack = stack(
    classes => <<'CONF',
    enroll_class urgent { exception_of standard; ttl 10m; attempts 2; }
CONF
    issuer  => 'class standard urgent;',
    provers => <<'CONF',
    enroll_prover veri {
        jwks %%STACK%%/veri.jwks;
        iss https://veri.example;
        aud https://enroll.example;
    }
CONF
    prove   => 'veri',
    files   => { 'veri.jwks' => $sender->jwks('veri') },
    http    => <<'CONF',
    log_format word escape=none '$request_method $uri|$enroll_assertion|';
    enroll_session_cache 1s;
CONF
    server  => "$said log_subrequest on; access_log %%DIR%%/logs/word.log word;"
        . ' set $early "early:$enroll_assertion";',
    finish  => 'proxy_set_header X-Early $early;'
        . ' proxy_set_header Enroll-Assertion $enroll_assertion;',
    locations => <<"CONF");
        $jwks

        location = /optional {
            enroll_endpoint begin optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /oops {
            enroll_endpoint open;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /left {
            enroll_endpoint finish;
            proxy_intercept_errors on;
            error_page 400 = /oops;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /gone {
            enroll_endpoint page;
            proxy_intercept_errors on;
            error_page 404 = /oops;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /begun {
            enroll_endpoint begin;
            proxy_intercept_errors on;
            error_page 404 = /register/begin;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /mirrored {
            enroll_endpoint page;
            mirror /register;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /sub { internal; proxy_pass http://127.0.0.1:%%IDP%%; }

        location = /asks {
            enroll_endpoint page;
            auth_request /sub;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /twice {
            enroll_endpoint page;
            proxy_set_header Again \$enroll_assertion;
            proxy_set_header Enroll-Assertion \$enroll_assertion;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /other {
            enroll_endpoint page;
            enroll_assertion https://other.example another;
            proxy_intercept_errors on;
            error_page 404 = /register;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
CONF

my $http = $stack->http;
my $idp = $stack->idp;


# The word of the last request that the IdP has heard at this path.

sub word {
    my ($path) = @_;
    my @requests = $idp->requests($path);
    my @words = $requests[-1]->headers('Enroll-Assertion');
    die "words: @words" if @words > 1;
    return $words[0];
}

# What a stock library makes of it, by what enroll_jwks serves.

sub verified {
    my ($word, %options) = @_;
    return $sender->verify($word, $http->get('/enroll/jwks')->json,
        issuer => ISS, audience => AUD, typ => 'enroll+jwt',
        algorithms => ['ES256'], maxTokenAge => 60, %options);
}

sub claims {
    my ($path) = @_;
    return verified(word($path))->{payload};
}

# The word in a line of the access log, which comes after the response.

my $lines = 0;

sub logged {
    my ($request) = @_;

    my $found;
    wait_for {
        my @lines = split /\n/, slurp($stack->nginx->{logs} . '/word.log');
        for my $n ($lines .. $#lines) {
            next if $lines[$n] !~ /\A\Q$request\E\|(.*)\|\z/;
            ($found, $lines) = ($1, $n + 1);
            last;
        }
        defined $found;
    } "a line of $request";

    return $found;
}


subtest 'who, by which token, for which request' => sub {
    my $ada = "\x{c5}da \"\x{f6}\\\" \x{1f511}";
    my ($session, $id) = $stack->enter(subject => $ada);
    my $start = time;

    passed($stack->page($session), 'page');
    my $seen = verified(word('/register'));
    my $page = $seen->{payload};

    is_deeply [sort keys %{$seen->{header}}], [qw(alg kid typ)],
        'the header says alg, kid, typ';
    is_deeply [sort keys %$page], [qw(aud class exp host iat id iss jti method
        proof step sub uri)], 'the claims, and no others';
    is_deeply [@{$page}{qw(iss aud sub id class proof step method host uri)}],
        [ISS, AUD, $ada, $id,
            qw(standard none page GET localhost /register)], 'page';
    ok $page->{iat} >= $start - 1 && $page->{iat} <= time,
        'it was issued just now';
    is $page->{exp} - $page->{iat}, 60, 'and is good for a minute';
    like $page->{jti}, qr/\A[0-9a-f]{32}\z/, 'it has an id of its own';

    my $cached = $stack->status->{events}{cache};
    passed($stack->page($session), 'page, again');
    my $again = claims('/register');
    is $stack->status->{events}{cache}, $cached + 1,
        'a page that was checked a moment ago';
    isnt delete $again->{jti}, delete $page->{jti}, 'is another one';
    delete @{$_}{qw(iat exp)} for $again, $page;
    is_deeply $again, $page, 'of the same';

    passed($stack->begin($session), 'begin');
    my $begin = claims('/register/begin');
    is_deeply [@{$begin}{qw(sub id step method uri)}],
        [$ada, $id, qw(begin POST /register/begin)], 'begin';

    passed($stack->finish($session), 'finish');
    my $finish = claims('/register/finish');
    is_deeply [@{$finish}{qw(sub id step method uri)}],
        [$ada, $id, qw(finish POST /register/finish)],
        'finish';
    my ($claim) = $stack->events(event => 'claim', id => $id);
    is $finish->{jti}, $claim->{op}, 'its id is that of the claim';
    is $finish->{exp} - $finish->{iat}, 60, 'it, too, is good for a minute';
};


subtest 'class, exception, proof' => sub {
    my ($session, $id) = $stack->enter(class => 'urgent');

    for my $how ('asked', 'from the cache') {
        passed($stack->page($session), "page, $how");
        my $page = claims('/register');
        is_deeply [@{$page}{qw(class exception proof)}],
            [qw(urgent standard none)], "an exception says of which, $how";
    }

    my $now = time;
    is $stack->prove($sender->jwt('veri', { iss => 'https://veri.example',
        aud => 'https://enroll.example', iat => $now, exp => $now + 60,
        jti => 'p-1', id => $id, ial => 'ial2' }))->status, 200,
        'a proof comes';
    passed($stack->begin($session), 'begin');
    is claims('/register/begin')->{proof}, 'ial2', 'it is told';
    passed($stack->finish($session), 'finish');
    is_deeply [@{claims('/register/finish')}{qw(class exception proof)}],
        [qw(urgent standard ial2)], 'to the end';
};


subtest 'the raw address, the method, the host' => sub {
    my ($session, $id) = $stack->enter;
    my $raw = '/register?a=%c3%84&b="<>\'|{}&c=%2F%00';

    passed($http->get($raw, Cookie => $session, Host => 'LocalHost:81'),
        'a query');
    is_deeply [@{claims('/register')}{qw(uri host method)}],
        [$raw, qw(localhost GET)], 'it is told as it came';

    passed($http->request('HEAD', '/register', [Cookie => $session]), 'HEAD');
    is claims('/register')->{method}, 'HEAD', 'HEAD is told as HEAD';

    passed($http->get('/register', Cookie => $session,
        Host => 'other.example'), 'another host');
    is claims('/register')->{host}, 'other.example',
        'the host is that of the request, not of the server';

    passed($http->post('/register/begin?%c3%84', '{}', Authorization =>
        'Bearer ' . $stack->token), 'begin by a token');
    is claims('/register/begin')->{step}, 'begin',
        'a token alone serves, too';

    passed($http->get("/register?\xff", Cookie => $session), 'no UTF-8');
    is word('/register'), undef, 'there are no words for it';
    $stack->nginx->wait_log(
        qr/\[error\] .*"\$enroll_assertion" could not be made/);
};


subtest 'once for each location' => sub {
    my ($session) = $stack->enter;

    passed($http->get('/twice', Cookie => $session), 'twice');
    my ($request) = $idp->requests('/twice');
    ok length $request->header('Again'), 'it is used twice';
    is $request->header('Again'), $request->header('Enroll-Assertion'),
        'and is the same';
    is logged('GET /twice'), $request->header('Again'), 'in the log as well';

    $idp->answer('/other' => { status => 404 });
    passed($http->get('/other', Cookie => $session), 'led on');
    my ($other, $own) = map {
        ($idp->requests($_))[-1]->header('Enroll-Assertion')
    } qw(/other /register);
    is $sender->verify($other, $http->get('/enroll/jwks')->json,
        issuer => 'https://other.example', audience => 'another',
        typ => 'enroll+jwt')->{payload}{uri}, '/other',
        'a location may say it to another';
    is verified($own)->{payload}{uri}, '/other',
        'where it leads on to has a word of its own, of what was asked for';
};


subtest 'no word but of what was granted' => sub {
    my ($session) = $stack->enter;
    my $made = $stack->issue->json;

    $idp->clear;
    logged('POST /enroll/issue');

    passed($http->get('/register/assets/x', Cookie => $session), 'open');
    is word('/register/assets/x'), undef, 'nothing is said at an open one';
    passed($http->post('/optional', '{}'), 'optional, nobody');
    is word('/optional'), undef, 'nothing is said of nobody';
    passed($http->get('/'), 'elsewhere');
    is word('/'), undef, 'nor elsewhere';

    refused($http->get('/', Cookie => $session), 403, 'scope', 'out of scope');
    is_deeply [logged('GET /'), logged('GET /')], ['', ''],
        'nothing is said of one who is out of scope';
    refused($http->get('/register'), 401, 'missing', 'nobody');
    is logged('GET /register'), '', 'nothing is said of nobody';
    refused($http->get('/register/begin', Cookie => $session), 405, 'method',
        'a wrong method');
    is logged('GET /register/begin'), '', 'nothing is said of it';
    refused($stack->finish($session), 403, 'order', 'finish first');
    is logged('POST /register/finish'), '', 'nothing is said of it';
    refused($http->get('/register', Cookie => substr($session, 0, -1) . '!'),
        401, 'forged', 'forged');
    is logged('GET /register'), '', 'nothing is said of it';

    $idp->answer('/sub' => { status => 204 });
    passed($http->get('/asks', Cookie => $session), 'auth_request');
    is scalar(grep { $_->path eq '/asks' && $_->header('Enroll-Assertion') }
        $idp->requests), 1, 'the request has its word';
    is_deeply [map { scalar $_->headers('Enroll-Assertion') }
        grep { $_->method eq 'GET' && $_->raw =~ /\AGET \/sub / }
        $idp->requests], [0], 'its subrequest has none';

    passed($http->get('/mirrored', Cookie => $session), 'a mirror');
    is logged('GET /register'), '', 'a mirrored request has no word';
    ok length logged('GET /mirrored'), 'the one it is made of has';

    $idp->answer('/gone' => { status => 404 });
    passed($http->get('/gone', Cookie => $session), 'gone');
    ok length word('/gone'), 'a page that is gone has its word';
    is word('/oops'), undef, 'the error page behind it has none';

    $idp->answer('/begun' => { status => 404 });
    refused($http->post('/begun', '{}', Cookie => $session), 405, 'method',
        'a begin that is sent on by GET');
    ok length word('/begun'), 'where it was granted there is a word';
    is logged('GET /register/begin'), '', 'where it was refused there is none';

    passed($stack->begin($session), 'begin');
    ok length logged('POST /register/begin'), 'begin has its word';
    passed($stack->finish($session), 'finish');
    my ($finish) = $idp->requests('/register/finish');
    ok length $finish->header('Enroll-Assertion'), 'finish has its word';
    is $finish->header('X-Early'), 'early:',
        'but not before the guard has had its say';
    is logged('POST /register/finish'), '',
        'nor once the IdP has answered';

    $session = $stack->session($made->{token});
    passed($stack->begin($session), 'begin');
    $idp->answer('/left' => { status => 400 });
    $idp->clear;
    $http->post('/left', '{}', Cookie => $session);
    my @heard = $idp->requests;
    is_deeply [map { scalar $_->headers('Enroll-Assertion') } @heard], [1, 0],
        'an error page behind a finish has none';
};


subtest 'enroll_jwks' => sub {
    my $response = $http->get('/enroll/jwks');
    my @keys = @{$response->json->{keys}};

    is $response->status, 200, 'GET';
    is $response->header('Content-Type'), 'application/jwk-set+json', 'type';
    is_deeply [$response->headers('Cache-Control')], ['public, max-age=300'],
        'it may be kept';
    is_deeply [map { join ' ', sort keys %$_ } @keys],
        ['alg crv kid kty use x y'], 'one public key, and no more of it';
    is_deeply [@{$keys[0]}{qw(alg crv kty use)}], [qw(ES256 P-256 EC sig)],
        'what it is for';
    unlike $response->raw, qr/"(?:d|k)"/, 'no private part';

    my $head = $http->request('HEAD', '/enroll/jwks');
    is $head->status . $head->body, 200, 'HEAD';
    is $head->header('Content-Length'), length $response->body,
        'says how long it is';

    for my $method (qw(POST PUT DELETE OPTIONS)) {
        my $other = $http->request($method, '/enroll/jwks', [], '');
        refused($other, 405, 'method', $method);
        is $other->header('Allow'), 'GET, HEAD', "$method: what is allowed";
    }

    my ($session) = $stack->enter;
    passed($http->get('/enroll/jwks', Cookie => $session),
        'one who bears a session may read it');

    $stack->redis->stop;
    is $http->get('/enroll/jwks')->status, 200, 'Redis is not asked (I6)';
    $stack->redis->start;
};


subtest 'where it is not said to whom' => sub {
    my $mute = stack(server =>
        'proxy_set_header Enroll-Assertion $enroll_assertion;'
        . 'proxy_set_header Again $enroll_assertion;');
    my ($session) = $mute->enter;

    passed($mute->page($session), 'page');
    my ($request) = $mute->idp->requests('/register');
    is scalar($request->headers('Enroll-Assertion')), 0, 'no word is said';
    is_deeply [map { /\[error\].*(it needs .*? audience")/ }
        split /\n/, $mute->nginx->error_log],
        ['it needs "enroll_assertion issuer audience"'],
        'an error says so, once a request';

    passed($mute->begin($session), 'begin');
    is scalar(() = $mute->nginx->error_log =~ /it needs "enroll_assertion/g),
        2, 'and again of the next one';
};


# --- what a client says in the proxy's name

subtest 'a word of the client\'s own, in any spelling (I3)' => sub {
    my $open = stack(
        server    => "$said underscores_in_headers on;"
            . ' ignore_invalid_headers off;',
        locations => <<'CONF',
        location = /free { enroll off; proxy_pass http://127.0.0.1:%%IDP%%; }

        location = /optional {
            enroll_endpoint page optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /bare {
            proxy_set_header Host x;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /sub { internal; proxy_pass http://127.0.0.1:%%IDP%%; }

        location = /asks {
            enroll_endpoint page optional;
            proxy_set_header Host x;
            auth_request /sub;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /lost { error_page 404 @named; return 404; }
        location @named { proxy_pass http://127.0.0.1:%%IDP%%; }
        location /moved/ { rewrite ^/moved(/.*) $1 last; }
CONF
        http      => <<'CONF');
    server {
        listen %%PORT_BARE%%;
        underscores_in_headers on;
        ignore_invalid_headers off;
        location / { proxy_pass http://127.0.0.1:%%IDP%%; }
    }
CONF

    my $word = 'eyJhbGciOiJub25lIn0.e30.forged';
    my @spellings = qw(Enroll-Assertion enroll-assertion ENROLL-ASSERTION
        eNROLL-aSSERTION Enroll_Assertion enroll_assertion ENROLL_ASSERTION
        Enroll.Assertion Enroll-Assertion_ Enroll-assertion. Enroll~Assertion
        Enroll_assertion-2 Enroll!Assertion Enroll+Assertion);
    my @headers = map { $_ => $word } @spellings;
    my ($session) = $open->enter;
    my $browser = $open->http;
    my $upstream = $open->idp;

    my $bare = http($open->nginx->port('BARE'));
    is $bare->get('/', @headers)->status, 200, 'no guard';
    my ($free) = $upstream->requests;
    is scalar(() = $free->raw =~ /forged/g), scalar @spellings,
        'through a server without a guard all of them get';

    $upstream->answer('/sub' => { status => 204 });
    $upstream->clear;

    my %tried = (
        'nobody' => [qw(/ /free /optional /bare /asks /lost /moved/x
            /register/assets/x)],
        'with a session' => [qw(/register /register/assets/x /optional /asks
            /free)],
    );

    for my $who (sort keys %tried) {
        my @cookie = $who eq 'nobody' ? () : (Cookie => $session);

        for my $path (@{$tried{$who}}) {
            for my $header (@spellings, 'all') {
                my @forged = $header eq 'all' ? @headers : ($header => $word);
                $browser->get($path, @forged, @cookie);
            }

            my @heard = $upstream->requests;
            $upstream->clear;

            ok @heard >= @spellings + 1
                && !grep({ $_->raw =~ /forged/ } @heard),
                "$who, $path: none gets through";
        }
    }

    for my $step (qw(begin finish)) {
        $browser->post("/register/$step", '{}', @headers, Cookie => $session);
        my ($heard) = $upstream->requests("/register/$step");
        ok $heard && $heard->raw !~ /forged/, "$step: none gets through";
        is scalar($heard->headers('Enroll-Assertion')), 1,
            "$step: the proxy's own does";
    }
};


# --- a real IdP, which takes nothing but the proxy's signed word

my $port = free_port();
my $origin = "http://localhost:$port";
my $verifier = IdP->new(origin => $origin, assertion => {
    jwks => "http://127.0.0.1:$port/enroll/jwks", issuer => ISS,
    audience => AUD });

my $real = stack(idp => $verifier, server => $said, locations => $jwks,
    nginx_args => { ports => { '' => $port } });

sub register {
    my ($session) = @_;
    my $options = $real->begin($session);
    return $options if $options->status != 200;
    return $real->http->post('/register/finish',
        $verifier->passkey($options->body), Cookie => $session,
        'Content-Type' => 'application/json');
}

sub word_of_last {
    my ($path) = @_;
    my ($last) = reverse grep { ($_->{path} // '') eq $path }
        $verifier->requests;
    my ($header) = grep { lc $_->[0] eq 'enroll-assertion' }
        @{$last->{headers}};
    return $header->[1];
}

# Past the proxy, as somebody in its network could.

sub direct {
    my ($word, $method, $path, @more) = @_;
    return http($verifier->port)->request($method, $path,
        ['Enroll-Assertion' => $word, @more],
        $method eq 'POST' ? '{}' : undef)->status;
}


subtest 'it verifies with a stock library, and compares the request' => sub {
    my ($session, $id) = $real->enter(subject => 'ada');

    is $real->page($session)->status, 200, 'page';
    like $real->page($session)->body, qr/ada/, 'of whom the word is';
    my $word = word_of_last('/register');

    is direct($word, 'GET', '/register'), 200, 'the word is good';
    is direct($word, 'HEAD', '/register'), 401, 'but not by another method';
    is direct($word, 'GET', '/register?x=1'), 401, 'nor for another address';
    is direct($word, 'POST', '/register/begin'), 401, 'nor for another step';
    is direct('', 'GET', '/register', 'Enroll-Subject' => 'ada'), 401,
        'and a name alone is nothing';

    my ($head, $body, $signature) = split /\./, $word;
    my $claims = $json->decode(decode_base64url($body));
    $claims->{sub} = 'eve';
    my $eve = $sender->forge($json->encode($claims), alg => 'none',
        header => $json->decode(decode_base64url($head)));
    is direct($eve . $signature, 'GET', '/register'), 401,
        'nor is one whose subject was changed';

    $verifier->ahead(50);
    is direct($word, 'GET', '/register'), 200, 'it is good for 50 s';
    $verifier->ahead(61);
    is direct($word, 'GET', '/register'), 401, 'and not for 61 s';
    $verifier->ahead(0);

    is $real->http->get('/register', Cookie => $session,
        Host => 'evil.example')->status, 401,
        'what was asked of another host the IdP does not answer';
    is $real->http->get('/register?x=1', Cookie => $session)->status, 200,
        'a query is part of the word';

    is register($session)->status, 200, 'a passkey is registered';
    $real->wait_record($id, state => 'enrolled');
    is_deeply [map { $_->{subject} } $verifier->credentials], ['ada'],
        'of that subject';
    is direct(word_of_last('/register/finish'), 'POST', '/register/finish'),
        409, 'the word of a finish is of no use again (I2)';
};


subtest 'the ledger forgets: the IdP does not register twice (I2)' => sub {
    my $redis = $real->redis;
    my $made = $real->issue(subject => 'bob')->json;
    my %then = map { $_ => $redis->command('DUMP', $_) }
        @{$redis->command('KEYS', '*')};

    is register($real->session($made->{token}))->status, 200, 'a passkey';
    $real->wait_record($made->{id}, state => 'enrolled');

    # a restore, and a host that remembers nothing
    $real->nginx->stop;
    $redis->command('FLUSHALL');
    $redis->command('RESTORE', $_, 0, $then{$_}) for sort keys %then;
    $real->nginx->start;

    my $session = $real->session($made->{token});
    my $again = register($session);
    is $again->status, 409, 'the proxy would let it pass, the IdP does not';
    is $again->json->{error}, 'this token has registered already', 'why';
    is scalar(grep { $_->{subject} eq 'bob' } $verifier->credentials), 1,
        'one passkey for one token';
    is $real->wait_record($made->{id}, state => 'redeemed')->{outcome},
        'refused', 'the ledger hears that it was refused';
};


subtest 'keys are rotated' => sub {
    my $file = $real->dir . '/keys.jwks';
    my @first = @{$json->decode(slurp($file))->{keys}};
    my ($new) = grep { $_->{kty} eq 'EC' } @{$json->decode(new_keys())->{keys}};
    my @oct = grep { $_->{kty} eq 'oct' } @first;
    my ($old) = grep { $_->{kty} eq 'EC' } @first;
    my ($session) = $real->enter;

    my $shown = sub {
        return map { $_->{kid} }
            @{$real->http->get('/enroll/jwks')->json->{keys}};
    };
    my $use = sub {
        spew($file, $json->encode({ keys => [@_, @oct] }));
        $real->nginx->reload(leave => 1);
        is $real->page($session)->status, 200, 'the IdP takes its word';
        my $word = word_of_last('/register');
        return ($word, $json->decode(decode_base64url(
            (split /\./, $word)[0]))->{kid});
    };

    my ($kid) = $shown->();
    my ($word, $by) = $use->($old, $new);
    my @both = $shown->();
    is $by, $kid, 'a key behind the old one does not sign';
    is scalar(@both), 2, 'but it is shown';

    (undef, $by) = $use->($new, $old);
    is $by, $both[1], 'in front it signs';
    is_deeply [sort $shown->()], [sort @both], 'both are shown';
    is direct($word, 'GET', '/register'), 200,
        'what the old one signed is good';

    (undef, $by) = $use->($new);
    is_deeply [$by, $shown->()], [($both[1]) x 2], 'the old one goes';
    ok !eval { $sender->verify($word, $real->http->get('/enroll/jwks')->json,
        issuer => ISS, audience => AUD); 1 },
        'and what it signed goes with it';
};


# --- configurations that do not load

subtest 'what does not load' => sub {
    my $dir = test_dir();
    my $text = $json->decode(new_keys());
    my $keys = sub {
        my ($name, @ec) = @_;
        my @oct = grep { $_->{kty} eq 'oct' } @{$text->{keys}};
        return 'enroll_keys ' . spew("$dir/$name.jwks",
            $json->encode({ keys => [@oct, @ec] }), 0600) . ';';
    };
    my ($ec) = grep { $_->{kty} eq 'EC' } @{$text->{keys}};
    my %public = map { $_ => $ec->{$_} } qw(kty crv x y);
    my $good = $keys->('good', $ec);

    my $say = 'enroll_assertion https://login.example https://idp.example;';
    my $server = sub {
        return "\nserver {\nlisten %%PORT%%;\n$_[0]\nlocation / {\n$_[1]\n}"
            . "\n}\n";
    };
    my $zone = 'enroll_zone enroll 1m;';

    my $bad = sub {
        my ($name, $conf, @regexes) = @_;
        my ($status, $said) = nginx_test_config($conf);
        my ($line) = $said =~ /^(nginx: \[emerg\] .*)/m;
        my @missed = grep { ($line // '') !~ $_ } @regexes;
        ok $status == 1 && !@missed, $name or diag("$said\nmissed @missed");

        my ($file, $n) = ($line // '') =~ / in (\S+):(\d+)$/;
        like $file ? (split /\n/, slurp($file))[$n - 1] : '', qr/# here/,
            "$name: names its line";
    };

    my @no_key = (qr/"enroll_assertion" needs a key to sign with/,
        qr/no "EC" key with its private part/, qr/jose jwk gen/);

    $bad->('no EC key', $zone . $keys->('none')
        . $server->('', "$say # here"), @no_key);
    $bad->('a public EC key', $zone . $keys->('public', \%public)
        . $server->("$say # here", ''), @no_key);
    $bad->('no keys', $zone . "\n$say # here" . $server->('', ''), @no_key);
    $bad->('one word', "$good\nenroll_assertion https://x; # here",
        qr/invalid number of arguments in "enroll_assertion"/);
    $bad->('said twice', "$good\n$say\n$say # here",
        qr/"enroll_assertion" directive is duplicate/);
    $bad->('an empty issuer', "$good\nenroll_assertion '' a; # here",
        qr/invalid issuer or audience ""/, qr/1 to 255 printable/);
    $bad->('a space', "$good\nenroll_assertion a 'b c'; # here",
        qr/invalid issuer or audience "b c"/);
    $bad->('a variable', "$good\nenroll_assertion \$host b; # here",
        qr/invalid issuer or audience "\$host"/, qr/without.*variables/);
    $bad->('no ASCII', "$good\nenroll_assertion \xc3\xa4 b; # here",
        qr/invalid issuer or audience/);
    $bad->('too long', "$good\nenroll_assertion a " . 'b' x 256 . '; # here',
        qr/1 to 255/);

    $bad->('enroll_jwks with a word', $zone . $good
        . $server->('', 'enroll_jwks x; # here'),
        qr/invalid number of arguments in "enroll_jwks"/);
    $bad->('enroll_jwks in a server', $zone . $good
        . $server->('enroll_jwks; # here', ''),
        qr/"enroll_jwks" directive is not allowed here/);
    $bad->('enroll_jwks beside a proxy', $zone . $good
        . $server->('', "proxy_pass http://127.0.0.1:1;\nenroll_jwks; # here"),
        qr/they need a location each/);
    $bad->('enroll_jwks without keys', $zone
        . $server->('', 'enroll_jwks; # here'),
        qr/needs keys: say "enroll_keys file"/);

    for my $fine (["$zone$good" . $server->('', 'enroll_jwks;'),
            'enroll_jwks needs no Redis and no class'],
        [$zone . $keys->('none2') . $server->('', 'enroll_jwks;'),
            'and no EC key'],
        ["$say$good$zone" . $server->('', ''), 'keys may follow'],
        ["$good$say" . $server->($say, $say), 'each level may say its own']) {
        my ($status, $said) = nginx_test_config($fine->[0]);
        is $status, 0, $fine->[1] or diag($said);
    }
};

done_testing;
