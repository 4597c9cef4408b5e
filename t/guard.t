#!/usr/bin/perl

# The guard: who may pass to which location, by which method, in which order,
# by which spelling of its address; and no way around it (I3, I11).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed reason_of);
use Enroll::Test;


my $stack = stack(workers => 2, locations => <<'CONF');
        location = /optional/page {
            enroll_endpoint page optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /optional/begin {
            enroll_endpoint begin optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /optional/finish {
            enroll_endpoint finish optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
CONF

my $idp = $stack->idp;
my $http = $stack->http;
my @endpoints = qw(/register /register/begin /register/finish);


# What must not change: the record and how many events there are.

sub snapshot {
    my ($of, $id) = @_;
    my $record = $of->record($id);
    return join ' ', $of->redis->command('XLEN', 'enroll:{0}:events'),
        map { "$_=$record->{$_}" } sort keys %$record;
}

sub unheard {
    my ($name) = @_;
    my @requests = map { $_->method . ' ' . $_->path } $idp->requests;
    $idp->clear;
    return is "@requests", '', "$name: the IdP has heard nothing";
}

sub heard {
    my ($what, $name) = @_;
    my @requests = map { $_->method . ' ' . $_->path } $idp->requests;
    $idp->clear;
    return is "@requests", $what, "$name: the IdP has heard it";
}


subtest 'methods (I3, I11)' => sub {
    my ($session, $id) = $stack->enter(subject => 'ada');
    $stack->begin($session);
    $idp->clear;

    my @methods = qw(GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT
        PROPFIND MKCOL COPY LOCK get FOO);
    my %allowed = ('/register' => 'GET, HEAD', '/register/begin' => 'POST',
        '/register/finish' => 'POST, PATCH',
        '/register/assets/x' => 'GET, HEAD');

    for my $path (sort keys %allowed) {
        my %may = map { $_ => 1 } split /, /, $allowed{$path};
        my $before = snapshot($stack, $id);

        for my $method (grep { !$may{$_} } @methods) {
            my $response = $http->request($method, $path,
                [Cookie => $session]);
            my $name = "$method $path";

            # nginx refuses these by itself
            if ($method =~ /^(?:TRACE|CONNECT|get)$/) {
                like $response->status, qr/^40[05]$/, $name;
                next;
            }

            if ($method eq 'HEAD') {
                is $response->status, 405, $name;
            } else {
                refused($response, 405, 'method', $name);
            }
            is $response->header('Allow'), $allowed{$path}, "$name: Allow";
        }

        is snapshot($stack, $id), $before, "$path: nothing has changed";
        unheard($path);
    }

    for my $method (qw(GET HEAD)) {
        is $http->request($method, '/register', [Cookie => $session])->status,
            200, "$method /register passes";
        is $http->request($method, '/register/assets/x',
            [Cookie => $session])->status, 200,
            "$method /register/assets/x passes";
    }

    is $http->request('PATCH', '/register/finish', [Cookie => $session],
        '{}')->status, 200, 'PATCH /register/finish passes';
    $stack->wait_record($id, state => 'enrolled');
    $idp->clear;

    for my $path (@endpoints) {
        for my $method (grep { !/^(?:TRACE|CONNECT|get|HEAD)$/ } @methods) {
            refused($http->request($method, $path), 401, 'missing',
                "$method $path without a session");
        }
    }
    unheard('methods without a session');

    for my $method (qw(GET POST PUT OPTIONS DELETE PROPFIND)) {
        is $http->request($method, '/register/assets/x', [], '')->status,
            200, "$method to an open endpoint is everybody's";
        is $http->request($method, '/other', [], '')->status, 200,
            "$method to what is no endpoint, too";
    }
    $idp->clear;
};


subtest 'methods of our own locations' => sub {
    my %allowed = ('/enroll' => 'GET, HEAD, POST', '/enroll/issue' => 'POST',
        '/enroll/revoke' => 'POST', '/enroll/status' => 'GET, HEAD');

    for my $path (sort keys %allowed) {
        for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND
            FOO))
        {
            next if $allowed{$path} =~ /\b$method\b/;
            my $response = $http->request($method, $path, [],
                $method eq 'HEAD' ? undef : '{}');

            if ($method eq 'HEAD') {
                is $response->status, 405, "$method $path";
            } else {
                refused($response, 405, 'method', "$method $path");
            }
            is $response->header('Allow'), $allowed{$path},
                "$method $path: Allow";
        }
    }
};


subtest 'GET, HEAD and OPTIONS change nothing (I11)' => sub {
    my $made = $stack->issue(subject => 'bea')->json;
    my ($session, $redeemed) = $stack->enter(subject => 'cyd');
    my ($begun, $begun_id) = $stack->enter(subject => 'dan');
    $stack->begin($begun);

    my %who = (
        'a fresh token' => [$made->{id},
            Authorization => "Bearer $made->{token}"],
        'a session' => [$redeemed, Cookie => $session],
        'a session that has begun' => [$begun_id, Cookie => $begun],
        'nobody' => [$made->{id}],
    );

    for my $who (sort keys %who) {
        my ($id, @headers) = @{$who{$who}};
        my $before = snapshot($stack, $id);

        for my $method (qw(GET HEAD OPTIONS)) {
            for my $path (@endpoints, qw(/enroll /enroll/issue /enroll/revoke
                /enroll/status /register/assets/x / /optional/begin
                /optional/finish))
            {
                $http->request($method, $path, [@headers]);
            }

            for my $path ("/enroll?token=x", '/enroll#x', '/enroll/') {
                $http->request($method, $path, [@headers]);
            }
        }

        is snapshot($stack, $id), $before, "with $who";
    }

    $idp->clear;
    is $stack->redeem($made->{token})->status, 200,
        'the token is as fresh as before';
};


subtest 'the order of steps (I3)' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve');

    refused($stack->finish($session), 403, 'order', 'finish before begin');
    passed($stack->page($session), 'page');
    refused($stack->finish($session), 403, 'order',
        'finish after the page only');
    $idp->clear;

    my $token = $stack->token(subject => 'fay');
    refused($stack->finish_by(Authorization => "Bearer $token"), 403, 'order',
        'finish before begin, by the token');
    refused($http->get('/register', Authorization => "Bearer $token"), 403,
        'order', 'the page before begin, by the token');
    unheard('out of order');

    passed($stack->begin_by(Authorization => "Bearer $token"),
        'begin by the token');
    passed($stack->finish_by(Authorization => "Bearer $token"),
        'finish by the token');
    $idp->clear;

    passed($stack->begin($session), 'begin');
    passed($stack->begin($session), 'begin again');
    passed($stack->finish($session), 'finish');
    $stack->wait_record($id, state => 'enrolled');
    heard('POST /register/begin POST /register/begin POST /register/finish',
        'in order');
};


subtest 'where no begin is declared none has to come before' => sub {
    my $short = stack(http => <<'CONF');
    server {
        listen %%PORT_SHORT%%;
        enroll on;

        location = /register/finish {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
    }
CONF
    my ($session, $id) = $short->enter(subject => 'ada');
    refused($short->finish($session), 403, 'order', 'where it is declared');
    passed(http($short->nginx->port('SHORT'))->post('/register/finish', '{}',
        Cookie => $session), 'in a server where it is not');
    $short->wait_record($id, state => 'enrolled');
};


subtest 'scope (I3)' => sub {
    my ($session) = $stack->enter(subject => 'gil');

    for my $path ('/', '/admin', '/register/x', '/register/begin/x',
        '/registerx', '/registe', '/register/beginx', '/register/assets',
        '/enrolls', '/enroll/', '/enroll/issue/', '/?a=/register',
        '/register/asset')
    {
        for my $method (qw(GET POST OPTIONS)) {
            my $response = $http->request($method, $path,
                [Cookie => $session], $method eq 'POST' ? '{}' : undef);

            # nginx' own answer, which tells nothing but the address
            next if $path eq '/register/assets' && $response->status == 301;

            refused($response, 403, 'scope', "$method $path");
        }
    }

    unheard('out of scope');
    passed($stack->page($session), 'the session is good all the same');
    $idp->clear;
};


subtest 'optional endpoints' => sub {
    for my $method (qw(GET POST PUT)) {
        for my $step (qw(page begin finish)) {
            my $response = $http->request($method, "/optional/$step", [],
                '{}');
            passed($response, "$method $step without a credential");
            my ($got) = $idp->requests;
            is $got->header('Enroll-Subject'), undef, '… and nobody is told';
            $idp->clear;
        }
    }

    for my $ours ([Cookie => '__Host-enroll=x'],
        [Authorization => 'Bearer enr_x'])
    {
        for my $step (qw(begin finish)) {
            refused($http->post("/optional/$step", '{}', @$ours), 401,
                'forged', "$step with a forged one");
        }
        refused($http->get('/optional/page', @$ours), 401, 'forged',
            'page with a forged one');
    }

    my ($session, $id) = $stack->enter(subject => 'hal');
    refused($http->get('/optional/begin', Cookie => $session), 405,
        'method', 'the methods of a session');
    refused($http->post('/optional/finish', '{}', Cookie => $session), 403,
        'order', 'the order of a session');
    unheard('refused');

    passed($http->get('/optional/page', Cookie => $session), 'page');
    passed($http->post('/optional/begin', '{}', Cookie => $session), 'begin');
    passed($http->post('/optional/finish', '{}', Cookie => $session),
        'finish');
    is join(' ', map { $_->header('Enroll-Subject') } $idp->requests),
        'hal hal hal', 'with a session all is as ever';
    $stack->wait_record($id, state => 'enrolled');
    $idp->clear;

    refused($http->post('/optional/finish', '{}', Cookie => $session), 410,
        'enrolled', 'an ended session is not taken for none (I2)');
    unheard('an ended session');
};


# --- spellings of an address


my @odd = (
    '/%72egister', '/register/%62egin', '/register%2fbegin',
    '/register%2Fbegin', '/register/begi%6e', '/register/begi%6E',
    '//register', '//register/begin', '/register//begin', '/./register',
    '/register/./begin', '/register/../register/begin',
    '/x/../register/begin', '/register/begin/.', '/register/begin/..',
    '/register/begin/x/..', '/.', '/..', '/register/.', '/register/..',
    '/register;x=y', '/register/begin;', '/register;/begin',
    '/register%3bx', '/register%3Bx', '/register\\begin',
    '/register%5cbegin', '/register%5Cbegin', '/\\register',
    '/register/begin%00', '/register%00/begin', '/%00register',
    '/register/begin%', '/register/begin%2', '/register/begin%zz',
    '/register/begin%20%', '/register%252fbegin', '/%2572egister',
    '/register%252e%252e/x', '/register/%2e/begin', '/register/%2E/begin',
    '/register/%2e%2e/register/begin', '/register/.%2e/register/begin',
    '/register/%2e./register/begin', '/x/%2e%2e%2fregister',
    '/register/begin%0a', '/register/begin%0d%0a', '/register/begin%09',
    '/register/begin%7f', '/register/begin%1f',
    '/register%c0%afbegin', '/register%e0%80%afbegin', '/%c1%b2egister',
    '/register/begin%80', '/register/begin%ff', '/register/begin%c3',
    '/register/begin%ed%a0%80', '/register/begin%f5%80%80%80',
    '/register/begin%fe', '/register/begin%c3%28',
    "/register/begin\xc3\xa9", "/register\xff", "/register/begin\x7f",
    "/register/begin\x01", '/register/begin#x', '/#/register',
    '/register/%2d', '/register/%5f', '/register/%7e', '/register/%41',
    '/register/begin/%2e', '/%2e%2e/register', '/register/begin//',
    '/register/assets//x', '/register/assets/%2e%2e/begin',
    '/register/assets/../begin', '/register/assets/..%2fbegin',
    '/register/assets/x;y', '/register/assets/%2e%2e%2f%2e%2e%2fadmin',
    '//', '///register', '/register/assets/./x',
);


subtest 'an address that others may read otherwise (I3)' => sub {
    my ($session, $id) = $stack->enter(subject => 'ida');
    my $token = $stack->token(subject => 'jan');
    my $before = snapshot($stack, $id);

    for my $path (@odd) {
        (my $name = $path) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;

        for my $method (qw(GET POST)) {
            my @body = $method eq 'POST' ? '{}' : ();

            for my $ours ([Cookie => $session],
                [Authorization => "Bearer $token"])
            {
                my $response = $http->request($method, $path, [@$ours],
                    @body);
                my $good = $response->status == 400
                    && (reason_of($response) eq 'uri'
                        # what nginx itself cannot read
                        || $response->header('Content-Type')
                            eq 'text/html');
                ok $good, "$method $name with a $ours->[0]"
                    or diag($response->raw);
            }
        }
    }

    unheard('with a bearer');
    is snapshot($stack, $id), $before, 'nothing has changed';

    # Without one they are refused where nginx takes them for an endpoint,
    # and are none of our business elsewhere.
    my ($refused, $others) = (0, 0);

    for my $path (@odd) {
        (my $name = $path) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
        my $response = $http->request('POST', $path, [], '{}');
        my ($got) = $idp->requests;
        $idp->clear;

        if ($response->status == 400) {
            is $got, undef, "$name: refused";
            $refused++;
        } else {
            is $response->status, 200, "$name: passes";
            is $got->path, $path, '… as it came';
            $others++;
        }
    }

    ok $refused > 20, "some are refused: $refused";
    ok $others > 10, "some are not ours: $others";

    for my $path ('/%72egister', '//register/begin', '/register/begi%6e',
        '/register/./begin', '/x/../register/finish', '/register#x',
        '/register/assets//x', '/register/assets/%78')
    {
        refused($http->post($path, '{}'), 400, 'uri',
            "$path is an endpoint, whoever comes");
    }
    unheard('at an endpoint');
};


# Those that nginx takes for something else, and that an IdP may take for an
# endpoint, are nobody's.

subtest 'an endpoint in disguise (I3)' => sub {
    my ($session, $id) = $stack->enter(subject => 'jim');
    $stack->begin($session);
    $idp->clear;

    for my $path ('/Register', '/REGISTER', '/register/', '/register.',
        '/register..', '/register%20', '/register;x', '/register;x=y;z',
        '/register%3bx', '/;x/register', '/register/Finish',
        '/register/finish/', '/register/finish;x', '/register;x/finish',
        '/register/finish.', '/register/finish/.', '/register/finish%20',
        '/register\\finish', '/register%5cfinish', '/Register%5CFinish',
        '/register%252ffinish', '/register/%2566inish',
        '/register/x%252f..%252ffinish', '/register/finish%253b',
        '/register%255cfinish', '/register/;/finish',
        '/register/finish/%2e;x', '/register/begin;x',
        '/x/..;/register/finish', '/register/x/..;y/finish',
        '/REGISTER/finish')
    {
        for my $ours ([], [Cookie => $session]) {
            my $name = $path . (@$ours ? ' with a session' : '');
            refused($http->post($path, '{}', @$ours), 400, 'uri', $name);
        }
    }

    unheard('disguised');
    is $stack->record($id)->{state}, 'redeemed', 'nothing has changed';

    for my $path ('/registers', '/register-me', '/Registration', '/regist',
        '/register/finished', '/Register/Finished', '/x/register',
        '/register/x', '/register/assets/', '/Register/Assets/x', '/a;b',
        '/a%252fb', '/a%2520b', '/A/B/', '/x/register/finish')
    {
        is $http->post($path, '{}')->status, 200, "$path is no endpoint";
        my ($got) = $idp->requests;
        is $got->path, $path, '… and passes as it came';
        $idp->clear;
    }
};


subtest 'addresses that all read the same' => sub {
    my ($session) = $stack->enter(subject => 'kim');

    for my $path ('/register?', '/register?a=b', '/register?a=%2f..//;\\',
        "/register?\xff\xc3", '/register?%00', '/register?a=%zz',
        '/register/assets/a-b._~c', '/register/assets/%20%c3%a9',
        '/register/assets/%E2%82%AC', '/register/assets/a%25b',
        '/register/assets/a+b', "/register/assets/!\$&'()*,:@=",
        '/register/assets/%f0%9f%98%80', '/register/assets/...',
        '/register/assets/.x', '/register/assets/x.', '/register/assets/..x')
    {
        (my $name = $path) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
        passed($http->get($path, Cookie => $session), $name);
        my ($got) = $idp->requests;
        like $got->raw, qr/\AGET \Q$path\E HTTP/, '… as it came';
        $idp->clear;
    }
};


subtest 'an address with its host' => sub {
    my ($session) = $stack->enter(subject => 'lea');
    my $port = $stack->nginx->port;
    my $ask = sub {
        my ($target, @headers) = @_;
        return $http->request('GET', $target, [@headers]);
    };

    passed($ask->("http://localhost:$port/register", Cookie => $session),
        'an absolute one');
    heard('GET /register', 'an absolute one');
    passed($ask->('http://localhost/register?a', Cookie => $session),
        'with a query');
    $idp->clear;

    for my $target ('http://localhost//register', 'http://localhost',
        'http://localhost/%72egister', 'http://localhost/register/../register',
        'http://localhost?/register', 'http://localhost/admin')
    {
        my $response = $ask->($target, Cookie => $session);
        like $response->status, qr/^40[03]$/, "$target is refused";
    }

    refused($ask->('http://localhost/register'), 401, 'missing',
        'without a session');
    unheard('refused');
};


# --- connections


# Sends them all at once, in one go, and reads as many answers.

sub pipeline {
    my ($port, @bytes) = @_;

    my $one = http($port);
    my $socket = $one->connect;
    print {$socket} join '', @bytes;

    my ($in, @answers) = ('');
    while (@answers < @bytes) {
        if ($in =~ s{\A(HTTP/1\.1 (\d+)[^\r]*\r\n.*?\r\n\r\n)}{}s) {
            my ($head, $status) = ($1, $2);
            my ($length) = $head =~ /^Content-Length: (\d+)/mi;
            while (length $in < ($length || 0)) {
                sysread $socket, $in, 65_536, length $in or return @answers;
            }
            push @answers, [$status, substr $in, 0, $length || 0, ''];
            next;
        }
        sysread $socket, $in, 65_536, length $in or last;
    }

    return @answers;
}

sub keep {
    my ($method, $path, @headers) = @_;
    return $http->bytes($method, $path, [@headers,
        Connection => 'keep-alive'], $method eq 'POST' ? '{}' : undef);
}


subtest 'requests of one connection know nothing of each other (I3)' => sub {
    my ($ada) = $stack->enter(subject => 'ada-2');
    my ($bea) = $stack->enter(subject => 'bea-2');
    my $cyd = $stack->token(subject => 'cyd-2');
    $idp->clear;

    my @requests = (
        [200, '', 'ada-2', keep('GET', '/register', Cookie => $ada)],
        [401, 'missing', '', keep('GET', '/register')],
        [200, '', 'bea-2', keep('GET', '/register', Cookie => $bea)],
        [400, 'duplicate', '', keep('GET', '/register',
            Cookie => "$ada; $bea")],
        [200, '', '', keep('GET', '/other')],
        [403, 'scope', '', keep('GET', '/other', Cookie => $ada)],
        [200, '', 'cyd-2', keep('POST', '/register/begin',
            Authorization => "Bearer $cyd")],
        [401, 'missing', '', keep('POST', '/register/begin')],
        [401, 'forged', '', keep('GET', '/register',
            Cookie => '__Host-enroll=x')],
        [200, '', 'ada-2', keep('GET', '/register', Cookie => $ada)],
        [400, 'uri', '', keep('GET', '//register', Cookie => $ada)],
        [200, '', '', keep('GET', '/other')],
        [403, 'order', '', keep('POST', '/register/finish',
            Cookie => $ada)],
        [200, '', 'cyd-2', keep('POST', '/register/finish',
            Authorization => "Bearer $cyd")],
        [401, 'missing', '', keep('POST', '/register/finish')],
    );

    my $check = sub {
        my ($how, @answers) = @_;
        my @told = map { $_->header('Enroll-Subject') // '' } $idp->requests;
        $idp->clear;

        is scalar(@answers), scalar(@requests), "$how: as many answers";
        for my $n (0 .. $#answers) {
            my ($status, $reason) = @{$requests[$n]};
            is $answers[$n][0], $status, "$how: answer $n";
            my ($said) = $answers[$n][1] =~ /"reason":"(\w+)"/;
            is $said // '', $reason, '… and its reason';
        }
        is "@told", join(' ', map { $_->[2] } grep { $_->[0] == 200 }
            @requests), "$how: the IdP was told each its own";
    };

    $check->('pipelined', pipeline($stack->nginx->port,
        map { $_->[3] } @requests));

    $cyd = $stack->token(subject => 'cyd-3');
    for my $n (6, 13) {
        $requests[$n][2] = 'cyd-3';
        $requests[$n][3] = keep('POST', $n == 6 ? '/register/begin'
            : '/register/finish', Authorization => "Bearer $cyd");
    }

    my $socket = $http->connect;
    my @answers;
    for my $request (@requests) {
        print {$socket} $request->[3];
        my $response = $http->read_response($socket);
        push @answers, [$response->status, $response->body];
    }
    $check->('one by one', @answers);
};


# --- error pages


my %reasons = (
    missing => [401, sub { $_[0]->http->get('/register') }],
    forged => [401, sub { $_[0]->page('__Host-enroll=x') }],
    duplicate => [400, sub { $_[0]->page('__Host-enroll=x; __Host-enroll=y') }],
    scope => [403, sub { $_[0]->http->get('/admin',
        Cookie => '__Host-enroll=x') }],
    method => [405, sub { $_[0]->http->request('PUT', '/register',
        [Cookie => $_[1]], '{}') }],
    uri => [400, sub { $_[0]->http->get('//register', Cookie => $_[1]) }],
    order => [403, sub { $_[0]->finish($_[1]) }],
    redeemed => [410, sub { $_[0]->redeem($_[2]) }],
    body => [400, sub { $_[0]->redeem('') }],
    signature => [401, sub { $_[0]->http->post('/enroll/issue', '{}') }],
    cross_site => [403, sub { $_[0]->redeem('x', Origin => 'null') }],
);

my %by_get = map { $_ => 1 } qw(missing forged duplicate scope uri);

for my $row (['a page that is open', '/oops'],
    ['a named location that is open', '@oops'])
{
    my ($kind, $target) = @$row;

    subtest "error_page by $kind" => sub {
        my $pages = upstream(name => 'pages');
        $pages->answer(qr/./ => { body => 'our own page' });
        my $paged = stack(vars => { PAGES => $pages->port },
            server => <<"CONF", locations => <<'CONF');
        error_page 400 401 403 405 409 410 429 503 $target;
CONF
        location = /oops {
            enroll_endpoint open;
            add_header X-Reason $enroll_reason always;
            proxy_pass http://127.0.0.1:%%PAGES%%;
        }

        location @oops {
            enroll_endpoint open;
            add_header X-Reason $enroll_reason always;
            proxy_pass http://127.0.0.1:%%PAGES%%;
        }
CONF
        my $token = $paged->token(subject => 'ada');
        my $session = $paged->session($token);

        for my $reason (sort keys %reasons) {
            my ($status, $cause) = @{$reasons{$reason}};
            my $before = $paged->status->{refused}{$reason};
            my $lines = my @before = $paged->log_lines;
            my $response = $cause->($paged, $session, $token);

            is $response->status, $status, "$reason keeps its status";

            # a named location keeps a POST a POST, on its endpoint's path
            if ($target =~ /^@/ && !$by_get{$reason}) {
                is $response->json->{reason}, $reason, '… and says why';
            } else {
                is $response->body, 'our own page', '… and shows the page';
                is $response->header('X-Reason'), $reason,
                    '… which knows why';
            }

            is $paged->status->{refused}{$reason} - $before, 1,
                '… and counts once';
            my @after = $paged->log_lines;
            is scalar(@after) - $lines, 1, '… and is told once';
        }

        $paged->redis->stop;
        is $paged->page($session)->status, 503, 'unavailable, too';
        is $paged->idp->count, 0, 'the IdP has heard nothing';
        $paged->redis->start;
    };
}


subtest 'error_page to a location that is not open' => sub {
    my $paged = stack(server => <<'CONF', locations => <<'CONF');
        error_page 401 403 410 /closed;
CONF
        location = /closed { proxy_pass http://127.0.0.1:%%IDP%%; }
CONF
    my ($session, $id) = $paged->enter(subject => 'ada');

    my $response = $paged->http->get('/admin', Cookie => $session);
    refused($response, 403, 'scope', 'the refusal stays');
    is $paged->idp->count, 0, 'the IdP has heard nothing (I3)';
    is $paged->status->{refused}{scope}, 1, 'counted once';

    $paged->begin($session);
    $paged->finish($session);
    $paged->wait_record($id, state => 'enrolled');
    $paged->idp->clear;
    refused($paged->finish($session), 410, 'enrolled', 'another reason, too');
    is $paged->idp->count, 0, 'the IdP has heard nothing (I2)';

    is $paged->http->get('/register')->status, 401,
        'nobody sees the page of the IdP';
};


subtest 'error_page with another status, and elsewhere' => sub {
    my $paged = stack(server => <<'CONF', locations => <<'CONF');
        error_page 401 =404 /oops;
        error_page 403 https://help.example/;
CONF
        location = /oops {
            enroll_endpoint open;
            alias %%STACK%%/oops;
        }
CONF
    spew($paged->dir . '/oops', 'our own page');
    my $http = $paged->http;

    my $response = $http->get('/register');
    is $response->status, 404, 'another status';
    is $response->body, 'our own page', '… and the page';
    $response = $http->get('/', Cookie => '__Host-enroll=x');
    is $response->status, 302, 'elsewhere';
    is $response->header('Location'), 'https://help.example/', '… there';
};


# An error page behind the same IdP, in a named location, sends the address
# that was refused to it: nobody is enrolled by that (I2).

subtest 'an open named error page at the IdP' => sub {
    my $paged = stack(instances => 2, server => <<'CONF',
        error_page 400 401 403 405 409 410 @idp;
CONF
        locations => <<'CONF');
        location @idp {
            enroll_endpoint open;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
CONF
    my ($session, $id) = $paged->enter(subject => 'ada');
    $paged->begin($session);
    $paged->finish($session);
    $paged->wait_record($id, state => 'enrolled');
    $paged->idp->clear;

    for my $path (qw(/register/finish /register/%66inish /admin)) {
        my $response = $paged->http(1)->post($path, '{}',
            Cookie => $session);
        like $response->status, qr/^4/, "POST $path is refused";

        for my $got ($paged->idp->requests) {
            is $got->header('Enroll-Subject'), undef,
                '… and the IdP is not told of a subject';
            is $got->header('Cookie'), undef, '… nor the session (I5)';
        }
        $paged->idp->clear;
    }
};


# --- ways around


my $maze = stack(
    http => <<'CONF',
    map $http_x_user $allowed { default 1; }
CONF
    locations => <<'CONF');
        location /nest {
            enroll_endpoint begin;
            proxy_pass http://127.0.0.1:%%IDP%%;

            location /nest/deeper {
                proxy_pass http://127.0.0.1:%%IDP%%;
            }

            location /nest/finish {
                enroll_endpoint finish;
                proxy_pass http://127.0.0.1:%%IDP%%;
            }

            location ~ \.css$ {
                enroll_endpoint open;
                proxy_pass http://127.0.0.1:%%IDP%%;
            }
        }

        location ~ ^/users/(?<who>\w+)/(begin|finish)$ {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /if {
            enroll_endpoint page;
            if ($allowed) { set $some thing; }
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /if/proxy {
            enroll_endpoint page;
            if ($allowed) { proxy_pass http://127.0.0.1:%%IDP%%; }
        }

        location = /limited {
            enroll_endpoint page;
            limit_except GET { deny all; }
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /named/open {
            enroll_endpoint open;
            try_files /none @finish;
        }

        location /named/plain { try_files /none @finish; }
        location /named/off { enroll off; try_files /none @finish; }

        location @finish {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /old/page { rewrite ^ /register last; }
        location = /old/begin { rewrite ^ /register/begin last; }
        location = /old/finish {
            enroll_endpoint open;
            rewrite ^ /register/finish last;
        }

        location = /away {
            enroll_endpoint page;
            rewrite ^ /admin last;
        }

        location /off/ {
            enroll off;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /any {
            enroll_endpoint page;
            satisfy any;
            allow all;
            auth_basic "x";
            auth_basic_user_file %%STACK%%/users;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /both {
            enroll_endpoint page;
            auth_basic "x";
            auth_basic_user_file %%STACK%%/users;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /returns {
            enroll_endpoint page;
            return 200 "for everybody";
        }

        location /mirrors {
            mirror /register/finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /asks {
            auth_request /register/begin;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /asks/page {
            enroll_endpoint open;
            auth_request /register;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /includes {
            enroll_endpoint open;
            ssi on;
            ssi_types *;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /issue/if {
            enroll_issue hr;
            if ($request_method = POST) { set $some thing; }
        }

        location = /revoke/if {
            enroll_revoke hr;
            if ($request_method = POST) { set $some thing; }
        }

        location = /redeem/if {
            enroll_redeem /register;
            if ($request_method = POST) { set $some thing; }
        }

        location = /status/if {
            enroll_status;
            if ($request_method = GET) { set $some thing; }
        }

        location = /issue/limited {
            enroll_issue hr;
            limit_except GET { allow 127.0.0.1; deny all; }
        }

        location = /redeem/limited {
            enroll_redeem /register;
            limit_except GET { allow 127.0.0.1; deny all; }
        }

        location = /issue/denied {
            enroll_issue hr;
            limit_except GET { deny all; }
        }
CONF

my $walls = $maze->http;
spew($maze->dir . '/users', "ada:{PLAIN}ada\n", 0644);
$idp = $maze->idp;


subtest 'nested and regex locations (I3)' => sub {
    my ($session) = $maze->enter(subject => 'ada');

    for my $path (qw(/nest /nest/x /nest/deeper /nest/deeper/x
        /nest/finish /users/ada/finish /users/ada/begin))
    {
        refused($walls->post($path, '{}'), 401, 'missing',
            "$path is closed");
        refused($walls->get($path, Cookie => $session), 405, 'method',
            "$path has its methods");
    }

    unheard('closed');
    refused($walls->post('/nest/finish', '{}', Cookie => $session), 403,
        'order', 'a nested finish has its order');
    passed($walls->get('/nest/x.css', Cookie => $session), 'a nested open');
    passed($walls->post('/nest/deeper', '{}', Cookie => $session),
        'a nested begin');
    passed($walls->post('/users/ada/finish', '{}', Cookie => $session),
        'a finish by a regex');
    heard('GET /nest/x.css POST /nest/deeper POST /users/ada/finish',
        'in order');
    refused($walls->post('/users/bea/finish', '{}', Cookie => $session),
        410, 'enrolled', 'once (I2)');
    unheard('a second finish');
};


subtest 'if and limit_except in a location' => sub {
    my ($session) = $maze->enter(subject => 'bea');

    for my $path (qw(/if /if/proxy /limited)) {
        refused($walls->get($path), 401, 'missing', "$path is closed (I3)");
        unheard($path);
        passed($walls->get($path, Cookie => $session), "$path");
        my ($got) = $idp->requests;
        is $got->header('Cookie'), undef, '… and the session stays (I5)';
        $idp->clear;
    }

    is $walls->post('/limited', '{}', Cookie => $session)->status, 403,
        'limit_except';
    unheard('limit_except');
};


subtest 'if and limit_except beside our own handlers' => sub {
    my $made = $maze->call('/issue/if', { subject => 'cyd',
        class => 'standard' });
    is $made->status, 201, 'enroll_issue beside if';
    is $maze->call('/revoke/if', { subject => 'cyd' })->status, 200,
        'enroll_revoke beside if';
    $made = $maze->call('/issue/limited', { subject => 'cyd',
        class => 'standard' });
    is $made->status, 201, 'enroll_issue beside limit_except';
    is $maze->call('/issue/denied', { subject => 'cyd' })->status, 403,
        'enroll_issue where limit_except denies';

    my $redeemed = $walls->post('/redeem/if', 'token='
        . $maze->token(subject => 'cyd'), Accept => 'text/html');
    is $redeemed->status, 303, 'enroll_redeem beside if';
    is $redeemed->header('Location'), '/register', '… leads to its target';

    $redeemed = $walls->post('/redeem/limited', 'token='
        . $maze->token(subject => 'cyd'), Accept => 'text/html');
    is $redeemed->status, 303, 'enroll_redeem beside limit_except';
    is $redeemed->header('Location'), '/register', '… leads to its target';
    is $walls->get('/redeem/if')->status, 200, 'and its page';
    is $walls->get('/status/if')->status, 200, 'enroll_status beside if';
};


subtest 'named locations, rewrites and "enroll off" (I3)' => sub {
    my ($session, $id) = $maze->enter(subject => 'dan');

    for my $path (qw(/named/open /named/plain)) {
        refused($walls->post($path, '{}'), 401, 'missing',
            "$path leads to a finish");
    }
    refused($walls->post('/named/open', '{}', Cookie => $session), 405,
        'method', 'an open location has its methods first');
    refused($walls->get('/named/open', Cookie => $session), 405,
        'method', 'and a finish its own');
    refused($walls->post('/named/plain', '{}', Cookie => $session), 403,
        'scope', 'a location that is none is none');
    refused($walls->post('/named/off', '{}', Cookie => $session), 403,
        'order', 'what is off leads to a finish all the same');

    refused($walls->get('/old/page'), 401, 'missing', 'rewritten: a page');
    refused($walls->post('/old/finish', '{}'), 401, 'missing',
        'rewritten: a finish');
    refused($walls->get('/away', Cookie => $session), 403, 'scope',
        'rewritten: away from an endpoint');
    unheard('refused');

    passed($walls->get('/old/page', Cookie => $session), 'rewritten: page');
    passed($walls->post('/old/begin', '{}', Cookie => $session), 'begin');
    passed($walls->post('/old/finish', '{}', Cookie => $session), 'finish');
    heard('GET /register POST /register/begin POST /register/finish',
        'rewritten');
    refused($walls->post('/named/off', '{}', Cookie => $session), 410,
        'enrolled', 'by a named location, once (I2)');
    unheard('a second finish');

    for my $ours ([Cookie => $session], [Cookie => "$session; a=b"],
        [Authorization => 'Bearer ' . $maze->token(subject => 'eve')])
    {
        passed($walls->get('/off/x', @$ours, 'Enroll-Subject' => 'mallory'),
            'enroll off: passes');
        my ($got) = $idp->requests;
        unlike $got->raw, qr/en[rs]_|mallory/,
            '… with nothing that is ours (I5)';
        $idp->clear;
    }
};


subtest 'other modules that let in' => sub {
    my ($session) = $maze->enter(subject => 'fay');
    my @basic = (Authorization => 'Basic YWRhOmFkYQ==');

    for my $path (qw(/any /both)) {
        refused($walls->get($path, @basic), 401, 'missing',
            "$path: satisfied, and no session (I3)");
        passed($walls->get($path, @basic, Cookie => $session),
            "$path: satisfied, and a session");
    }

    refused($walls->get('/any'), 401, 'missing', 'satisfy any');
    is $walls->get('/both', Cookie => $session)->status, 401,
        'a session is no password';
    is $walls->get('/returns')->body, 'for everybody',
        'a return in the same location comes before the guard';
    $idp->clear;
};


subtest 'subrequests do not reach endpoints (I3)' => sub {
    my ($session, $id) = $maze->enter(subject => 'gil');
    $maze->begin($session);
    $idp->clear;

    my $before = snapshot($maze, $id);

    for my $method (qw(GET POST)) {
        my @body = $method eq 'POST' ? '{}' : ();

        is $walls->request($method, '/mirrors', [], @body)->status, 200,
            "$method: mirrored";
        $maze->nginx->wait_log(qr{a subrequest to "/register/finish" refused});
        heard("$method /mirrors", "$method");

        is $walls->request($method, '/asks', [], @body)->status, 403,
            "$method: auth_request to begin";
        is $walls->request($method, '/asks/page', [], @body)->status, 403,
            "$method: auth_request to page";
    }

    is $walls->get('/asks/page', Cookie => $session)->status, 403,
        'auth_request with a session';
    unheard('auth_request');

    $idp->answer('/includes' => { body => '[<!--#include '
        . 'virtual="/register/finish" -->|<!--#include virtual="/register" '
        . '-->]' });
    my $page = $walls->get('/includes', Cookie => $session);
    is $page->status, 200, 'SSI';
    heard('GET /includes', 'SSI');

    is snapshot($maze, $id), $before, 'nothing has changed';
    ok $maze->status->{refused}{subrequest} >= 7, 'they are counted';
};


subtest 'no tunnel leads past the guard (I3)' => sub {
    my $tunnel = stack(server => <<'CONF', locations => <<'CONF');
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
        proxy_set_header Enroll-Subject $enroll_subject;
CONF
        location = /optional {
            enroll_endpoint page optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
CONF
    my ($session) = $tunnel->enter(subject => 'ada');
    my $token = $tunnel->token(subject => 'bea');
    my @upgrade = (Upgrade => 'websocket', Connection => 'Upgrade');

    for my $row (['GET', '/register', Cookie => $session],
        ['GET', '/register/assets/x', Cookie => $session],
        ['GET', '/register/assets/x'], ['GET', '/optional'],
        ['POST', '/register/begin', Cookie => $session],
        ['POST', '/register/begin', Authorization => "Bearer $token"],
        ['POST', '/register/finish', Cookie => $session])
    {
        my ($method, $path, @ours) = @$row;
        my $name = "$method $path" . (@ours ? " by $ours[0]" : '');
        passed($tunnel->http->request($method, $path, [@ours, @upgrade],
            $method eq 'POST' ? '{}' : undef), $name);
        my ($got) = $tunnel->idp->requests;
        is $got->header('Upgrade'), undef, '… without an upgrade';
        $tunnel->idp->clear;
    }

    passed($tunnel->http->request('GET', '/other', [@upgrade]),
        'elsewhere, by nobody');
    my ($got) = $tunnel->idp->requests;
    is $got->header('Upgrade'), 'websocket', '… it is no business of ours';
};


subtest 'bodies reach the IdP whole' => sub {
    my $bodies = stack(server => 'client_max_body_size 4m;',
        finish => 'proxy_request_buffering off; proxy_http_version 1.1;');
    my $large = join ',', 1 .. 30_000;

    for my $row (
        ['short', '{"a":1}'], ['empty', ''], ['large', $large],
        ['chunked', '{"a":1}', 'chunked'], ['large and chunked', $large,
            'chunked'],
    ) {
        my ($name, $body, $chunked) = @$row;
        my ($session, $id) = $bodies->enter(subject => $name);
        my @headers = (Cookie => $session);
        my $text = $body;

        if ($chunked) {
            push @headers, 'Transfer-Encoding' => 'chunked';
            $text = join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ }
                unpack('(a50000)*', $body), '';
        }

        for my $step (qw(begin finish)) {
            passed($bodies->http->request('POST', "/register/$step",
                [@headers], $text), "$step: $name");
            my ($got) = $bodies->idp->requests("/register/$step");
            my $sent = $got->body;
            if (($got->header('Transfer-Encoding') // '') eq 'chunked') {
                my $whole = '';
                while ($sent =~ s/\A([0-9a-f]+)\r\n//i) {
                    $whole .= substr $sent, 0, hex $1, '';
                    $sent =~ s/\A\r\n//;
                }
                $sent = $whole;
            }
            ok $sent eq $body, '… as it was sent';
            $bodies->idp->clear;
        }
        $bodies->wait_record($id, state => 'enrolled');
    }

    # a body that does not come whole claims nothing
    my ($session, $id) = $bodies->enter(subject => 'half');
    $bodies->begin($session);
    $bodies->idp->clear;
    my $socket = $bodies->http->connect;
    print {$socket} $bodies->http->bytes('POST', '/register/finish',
        [Cookie => $session, 'Content-Length' => 100], 'half');
    close $socket;
    $bodies->nginx->wait_log(qr/prematurely closed connection/);
    is $bodies->record($id)->{claims} // 0, 0, 'half a body claims nothing';
    is $bodies->idp->count, 0, 'and the IdP has heard nothing (I2)';
    passed($bodies->finish($session), 'a whole one does');
    $bodies->wait_record($id, state => 'enrolled');
};


# --- HTTP/2


SKIP: {
    skip 'no curl with HTTP/2', 1
        if `curl --version 2>/dev/null` !~ /^Features:.*\bHTTP2\b/m;

    subtest 'HTTP/2' => sub {
        my ($crt, $key) = certificate('localhost');
        my $two = stack(server => <<"CONF");
        listen %%PORT_TLS%% ssl http2;
        ssl_certificate $crt;
        ssl_certificate_key $key;
CONF
        my $port = $two->nginx->port('TLS');
        my ($ada, $ada_id) = $two->enter(subject => 'ada');
        my ($bea) = $two->enter(subject => 'bea');
        my $token = $two->token(subject => 'cyd');

        # one connection, and what each said: version, status, reason
        my $curl = sub {
            my (@transfers) = @_;
            my @argv = ('curl', '-s');
            for my $transfer (@transfers) {
                my ($path, @args) = @$transfer;
                push @argv, '--next' if @argv > 2;
                push @argv, '-s', '--http2', '--cacert', ca_file(),
                    '--path-as-is', '-w', '|%{http_version} %{http_code}\n',
                    @args, "https://localhost:$port$path";
            }
            open my $out, '-|', @argv or die "curl: $!";
            my @lines = <$out>;
            close $out;
            return map { my ($reason) = /"reason":"(\w+)"/;
                /\|(.*)$/ ? $1 . ($reason ? " $reason" : '') : () } @lines;
        };

        my @said = $curl->(
            ['/register', '-b', $ada],
            ['/register'],
            ['/register', '-b', $bea],
            ['/other'],
            ['/other', '-b', $ada],
            ['/register', '-H', "Cookie: a=b", '-H', "Cookie: $ada"],
            ['/register', '-H', "Cookie: $ada; a=1; c=d"],
            ['/register', '-b', "$ada; $bea"],
            ['/register/begin', '-d', '{}', '-H',
                "Authorization: Bearer $token", '-H', 'enroll-subject: x'],
            ['//register', '-b', $ada],
            ['/register', '-X', 'PUT', '-b', $ada],
            ['/register/begin', '-d', '{}', '-b', $ada],
            ['/register/finish', '-d', '{}', '-b', $ada],
            ['/register/finish', '-d', '{}', '-b', $ada],
        );
        is_deeply \@said, ['2 200', '2 401 missing', '2 200', '2 200',
            '2 403 scope', '2 200', '2 200', '2 400 duplicate', '2 200',
            '2 400 uri', '2 405 method', '2 200', '2 200',
            '2 410 enrolled'], 'each for itself (I2, I3)';

        is join('|', map { $_->path . ' '
            . ($_->header('Enroll-Subject') // '-') . ' '
            . ($_->header('Cookie') // '-') } $two->idp->requests),
            '/register ada -|/register bea -|/other - -|'
            . '/register ada a=b|/register ada a=1; c=d|'
            . '/register/begin cyd -|/register/begin ada -|'
            . '/register/finish ada -', 'the IdP was told each its own (I5)';
        is $two->wait_record($ada_id, state => 'enrolled')->{attempts}, 1,
            'one enrollment';
    };
}

done_testing;
