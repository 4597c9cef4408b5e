#!/usr/bin/perl

# No plaintext of a token or a session in any log, in Redis, in what Redis was
# told, or in what the IdP received (I5). The harness looks for all that this
# test has seen, at its end; this test sees to it that there is something to
# be found, if anything left it there.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;


my $stack = stack(
    workers => 2,
    class   => 'ttl 1h; window 10m; attempts 2;',
    server  => <<'CONF',
        underscores_in_headers on;
        client_header_buffer_size 1k;
        large_client_header_buffers 4 2k;
        client_max_body_size 10k;
        log_subrequest on;
        error_log %%DIR%%/logs/server.log info;
        access_log %%DIR%%/logs/all.log all;
        access_log %%DIR%%/logs/combined.log;
CONF
    http => <<'CONF',
    log_format all escape=none '$request|$request_uri|$uri|$document_uri|'
        '$args|$query_string|$arg_token|$http_authorization|$http_cookie|'
        '$cookie_a|$http_referer|$http_user_agent|$http_x_token|'
        '$request_body|$remote_user|$is_args|$request_filename|'
        '$enroll_id|$enroll_reason|$enroll_subject|$status|'
        '$upstream_addr|$http_x_original_url|$http_webhook_id|'
        '$sent_http_location|$http_proxy_authorization|$host|$http_origin';

    server {
        listen %%PORT_OPEN%%;
        access_log %%DIR%%/logs/unguarded.log all;
        location / { proxy_pass http://127.0.0.1:%%IDP%%; }
    }

    server {
        listen %%PORT_RETURN%%;
        enroll on;
        access_log %%DIR%%/logs/return.log all;
        return 301 https://localhost/;
    }

    server {
        listen %%PORT_REWRITE%%;
        enroll on;
        access_log %%DIR%%/logs/rewrite.log all;
        rewrite ^/moved/(.*) /$1 permanent;
        rewrite ^ /inside last;
        location / { return 404; }
        location /inside {
            enroll_endpoint open;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
    }
CONF
    locations => <<'CONF');
        error_page 410 /oops;

        location = /oops {
            enroll_endpoint open;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /asked/ {
            enroll_endpoint open;
            auth_request /sub;
            mirror /sub;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /sub { internal; proxy_pass http://127.0.0.1:%%IDP%%; }

        location /off/ {
            enroll off;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
CONF

my $http = $stack->http;
my $idp = $stack->idp;
my $monitor = $stack->redis->monitor;
my $logs = $stack->nginx->{logs};

sub fresh { return $stack->token(subject => $_[0]) }


subtest 'what is looked for would be found' => sub {
    my $token = fresh();
    my $session = $stack->session($token);
    my ($cookie) = $session =~ /=(.*)/;

    for my $secret ($token, $cookie) {
        ok find_secrets("a line\nwith $secret in it\n"), 'as it is';
        ok find_secrets(uc $secret), 'in upper case';
        ok find_secrets(substr $secret, 15, 30), 'a part of it';
        ok !find_secrets('enr_' . '*' x 59), 'and not what is masked';
    }
};


subtest 'a whole flow, by form' => sub {
    my $token = fresh();
    my $response = $stack->redeem($token, Accept => 'text/html',
        Cookie => 'a=1', Referer => 'http://localhost/enroll');
    my $session = '__Host-enroll=' . $response->cookie('__Host-enroll');

    for my $cookies ($session, "$session; a=1", "a=1; $session",
        "a=1;$session;b=2")
    {
        passed($stack->page($cookies), 'page');
        $http->get('/asked/x', Cookie => $cookies);
        $http->get('/off/x', Cookie => $cookies);
        $http->get('/admin', Cookie => $cookies);
        $http->get('/register/assets/x', Cookie => $cookies);
        $http->get('//register', Cookie => $cookies);
    }

    passed($stack->begin($session), 'begin');
    $idp->answer('/register/finish' => { status => 400 }, {});
    $stack->finish($session);

    # a settlement comes after the response
    wait_for { $stack->begin($session)->status == 200 } 'it to be settled';
    passed($stack->finish($session), 'finish');
    $stack->$_($session) for qw(page begin finish);
    $stack->redeem($token);
};


subtest 'a whole flow, by JSON and as a bearer' => sub {
    my $token = fresh();
    $http->post('/enroll', qq({"token":"$token"}),
        'Content-Type' => 'application/json') for 1 .. 2;

    $token = fresh('bea');
    my @bearer = (Authorization => "Bearer $token");
    passed($stack->begin_by(@bearer), 'begin');
    passed($http->get('/register', @bearer), 'page');
    $http->get($_, @bearer) for qw(/admin /asked/x /off/x //register);
    passed($stack->finish_by(@bearer), 'finish');
    $stack->finish_by(@bearer);
};


subtest 'what is refused' => sub {
    my ($token, $other) = (fresh('cyd'), fresh('dan'));
    my ($session) = $stack->enter(subject => 'eve');

    $stack->redeem($_) for "${token}A", uc $token, substr($token, 0, -1),
        "$token&token=$other", " $token", "\"$token\"", "$token$other";
    $http->post('/enroll', $_, 'Content-Type' => 'application/json')
        for qq({"token":"$token","token":"$other"}), qq({"token":["$token"]}),
            qq({"token":"$token"), qq({"token":"${token}A"}),
            qq({"token":"$token","x":1}), "token=$token", '';
    $stack->redeem($token, Origin => 'null');
    $stack->redeem($token, 'Content-Length' => 5000);
    $http->post('/', "token=$token", 'X-Nobody' => 'reads it',
        'Content-Length' => 20_000);
    $http->request('PUT', '/enroll', [], "token=$token");

    $stack->begin_by(Authorization => $_) for "Bearer ${token}A",
        "Basic $token", $token, "Bearer\t$token", "Bearer $token, $other",
        "Token $token", "bearer x $token";
    $stack->begin_by(Authorization => "Bearer $token",
        Authorization => "Bearer $other");
    $stack->begin_by(Authorization => "Bearer $token", Cookie => $session);
    $stack->begin_by(Cookie => "$session; $session");
    $stack->begin_by(Cookie => $session, Cookie => $session);
    $stack->begin_by('X-Token' => $token, 'User-Agent' => $token,
        'Proxy-Authorization' => "Bearer $token", 'X-Original-Url'
            => "/enroll#$token", Referer => "http://localhost/enroll?$token",
        Origin => $token, 'Webhook-Id' => $token);
    ok 1, 'is refused';
};


# Addresses are not for tokens, and people put them there.

subtest 'a token in an address' => sub {
    my $token = fresh('fay');
    my ($session) = $stack->enter(subject => 'gil');
    my ($cookie) = $session =~ /=(.*)/;
    (my $encoded = $token) =~ s/_/%5F/;
    (my $all = $token) =~ s/(.)/sprintf '%%%02x', ord $1/ge;

    my @targets = ("/enroll?token=$token", "/enroll/$token",
        "/enroll?a=b&token=$token&c=d", "/?$token", "/$token", "/x/$token/y",
        "/x/y.$token", "/x?to=http://localhost/enroll%23$token",
        "/x?to=http%3A%2F%2Flocalhost%2Fenroll%23$token", "/x#$token",
        "/enroll#$token", "/x;$token", "/x?a=$cookie", "/$cookie",
        "/x?$encoded", "/$encoded", "/x/../$token", "//$token",
        "/register?token=$token", "/register/begin?token=$token",
        "/register/assets/$token", "/register/assets/?$token",
        "/asked/$token", "/asked/x?$token", "/enroll/status?$token",
        "/enroll/issue?$token", "http://localhost/$token",
        "http://localhost?$token");
    my $wrong = 0;

    for my $target (@targets) {
        (my $name = $target) =~ s/en[rs]_[\w-]{10,}/TOKEN/g;

        for my $method (qw(GET POST HEAD)) {
            my $response = $http->request($method, $target, [],
                $method eq 'POST' ? '' : undef);
            $wrong++ if $response->status < 400
                && $target !~ m{^(?:http://localhost)?/enroll/?#};
            diag "$method $name: " . $response->status
                if $response->status < 400
                && $target !~ m{^(?:http://localhost)?/enroll/?#};
        }
        $http->get('/register', Referer => "http://localhost$target");
        $http->get('/other', Referer => "http://localhost$target");
    }

    is $wrong, 0, 'is refused, wherever it is';
    my @heard = grep { $_->raw =~ /en[rs]_[\w%-]{32}/i } $idp->requests;
    is scalar(@heard), 0, 'and the IdP does not hear of it';
    is $stack->record($stack->issue(subject => 'x')->json->{id})->{state},
        'issued', 'all else works';
    $http->get("/register/assets", Cookie => $session);
};


# What nginx answers by itself is logged by it, too.

subtest 'what no handler ever sees' => sub {
    my $token = fresh('hal');
    my ($session) = $stack->enter(subject => 'ida');
    my @both = ("Authorization: Bearer $token", "Cookie: a=1; $session",
        "X-Token: $token");
    my $headers = join '', map { "$_\r\n" } 'Host: localhost', @both;
    my $long = 'x' x 3000;

    my %raw = (
        'no such method' => "get /?$token HTTP/1.1\r\n$headers\r\n",
        'no such version' => "GET /?$token HTTP/9.9\r\n$headers\r\n",
        'no version' => "GET /?$token\r\n",
        'no request' => "$token\r\n\r\n",
        'a header as a request' => "Authorization: Bearer $token\r\n\r\n",
        'no host' => "GET /?$token HTTP/1.1\r\n"
            . join('', map { "$_\r\n" } @both) . "\r\n",
        'two hosts' => "GET / HTTP/1.1\r\nHost: a\r\n$headers\r\n",
        'a bad host' => "GET / HTTP/1.1\r\n" . join("\r\n", @both)
            . "\r\nHost: a/b\r\n\r\n",
        'a bad header' => "GET / HTTP/1.1\r\n${headers}Bad header: x\r\n\r\n",
        'a header with a token for a name' =>
            "GET / HTTP/1.1\r\n${headers}$token: x\r\n\r\n",
        'a control character' => "GET /\x01$token HTTP/1.1\r\n$headers\r\n",
        'an encoded NUL' => "GET /%00$token HTTP/1.1\r\n$headers\r\n",
        'a bad length' => "POST / HTTP/1.1\r\n${headers}"
            . "Content-Length: x\r\n\r\n",
        'a body that is too large' => "POST /enroll HTTP/1.1\r\n${headers}"
            . "Content-Length: 20000\r\n\r\n",
        'a long line' => "GET /?$token&$long HTTP/1.1\r\n$headers\r\n",
        'a long header' => "GET / HTTP/1.1\r\n${headers}X-Long: $token $long"
            . "\r\n\r\n",
        'a long cookie' => "GET / HTTP/1.1\r\nHost: localhost\r\n"
            . "Cookie: $session; a=$long\r\n\r\n",
        'two lengths' => "POST / HTTP/1.1\r\n${headers}Content-Length: 1\r\n"
            . "Content-Length: 2\r\n\r\n",
        'two credentials' => "GET / HTTP/1.1\r\n${headers}"
            . "Authorization: Bearer $token\r\n\r\n",
        'TRACE' => "TRACE / HTTP/1.1\r\n$headers\r\n",
        'CONNECT' => "CONNECT localhost:1 HTTP/1.1\r\n$headers\r\n",
        'an unknown coding' => "POST / HTTP/1.1\r\n${headers}"
            . "Transfer-Encoding: x\r\n\r\n",
        'a slash that is missing' => "GET /register/assets HTTP/1.1\r\n"
            . "$headers\r\n",
        'a proxy\'s preface' => "PROXY TCP4 $token\r\n",
        'HTTP/2 by itself' => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n$token",
    );

    for my $name (sort keys %raw) {
        for my $port ($stack->nginx->port, map { $stack->nginx->port($_) }
            qw(OPEN RETURN REWRITE))
        {
            my $one = http($port, timeout => 5);
            my $response = $one->raw($raw{$name});
            ok $response->status >= 300 || $response->error ne ''
                || $port != $stack->nginx->port, "$name: "
                . ($response->status || $response->error);
        }
    }

    # half a request, and then nothing
    for my $text ("GET /?$token", "GET / HTTP/1.1\r\n$headers",
        "GET / HTTP/1.1\r\nAuthorization: Bearer $token",
        "POST /enroll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900"
            . "\r\n\r\ntoken=$token")
    {
        my $socket = $http->connect;
        print {$socket} $text;
        shutdown $socket, 1;
        my $answer = do { local $/; <$socket> };
        unlike $answer // '', qr/\Q$token\E/, 'half a request';
    }
};


subtest 'servers and locations that are not guarded' => sub {
    my $token = fresh('jan');
    my ($session) = $stack->enter(subject => 'kim');

    for my $name (qw(OPEN RETURN REWRITE)) {
        my $other = http($stack->nginx->port($name));
        for my $path ('/', '/x?a=b', '/moved/x', '/inside') {
            for my $ours ([Authorization => "Bearer $token"],
                [Cookie => $session], [Cookie => "a=1; $session; b=2"],
                [Referer => "http://localhost/enroll?$token"])
            {
                my $response = $other->get($path, @$ours);
                ok $response->status, "$name $path: " . $response->status;
            }
        }
        $other->get("/moved/$token");
        $other->get("/moved/x?$token");
    }
};


subtest 'issuers' => sub {
    my $made = $stack->issue(subject => 'lea', event => 'again')->json;
    $stack->issue(subject => 'lea', event => 'again');
    $stack->issue(subject => 'lea', event => $made->{token});
    $stack->revoke(id => $made->{id}, reason => 'leaked');
    $stack->call('/enroll/revoke', { id => $made->{token} });
    ok 1, 'issue and revoke';
};


subtest 'the logs tell of all of it' => sub {
    $stack->http->get('/register');

    my %want = (
        'all.log'       => [qr/enr_\*{20}/, qr/POST \/enroll /],
        'combined.log'  => [qr/"GET \/enroll\?token=enr_\*{20}/,
            qr/"POST \/enroll /],
        'unguarded.log' => [qr/GET \/x\?a=b/],
        'return.log'    => [qr/GET \/x\?a=b/],
        'rewrite.log'   => [qr/GET \/x\?a=b/],
        'server.log'    => [qr/client sent/],
        'error.log'     => [qr/\[debug\].*http header: "Authorization: /,
            qr/\[debug\].*http header: "Cookie: /, qr/ens_\*{20}/,
            qr/enr_\*{20}/, qr/http process request line/],
        'enroll.log'    => [qr/"event":"issue"/, qr/"reason":"forged"/],
    );

    for my $file (sort keys %want) {
        my $text = slurp("$logs/$file");
        like $text, $_, "$file: $_" for @{$want{$file}};
        my @found = find_secrets($text);
        is scalar(@found), 0, "$file has no secret" or diag @found;
    }

    my @commands = $monitor->commands;
    ok @commands > 50, 'Redis was told a lot';
    is scalar(my @told = find_secrets(join "\n",
        map { @{$_->{args}} } @commands)), 0, 'and no secret';
    is scalar(my @kept = find_secrets($stack->redis->dump_keys)), 0,
        'nor does it keep one';
    is scalar(my @heard = map { find_secrets($_->raw) } $idp->requests), 0,
        'nor has the IdP heard one';
    like $stack->redis->dump_keys, qr/enroll:\{0\}:events/,
        'the dump has the stream';
};

done_testing;
