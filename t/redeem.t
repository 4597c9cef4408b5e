#!/usr/bin/perl

# enroll_redeem: a token for a session, once (I1), by a POST of one's own
# browser; and how long that session lives.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;


my $stack = stack(workers => 2, class => 'ttl 1h; window 2s; attempts 2;',
    locations => <<'CONF');
        location = /in/other { enroll_redeem /register?from=other; }
CONF
my $http = $stack->http;
my $idp = $stack->idp;
my $port = $stack->nginx->port;
my $subjects = 0;

sub fresh { return $stack->issue(subject => 'subject-' . ++$subjects)->json }


subtest 'who asks for HTML, who for JSON' => sub {
    my %table = (
        'text/html' => 303, 'text/html,application/xhtml+xml;q=0.9' => 303,
        'TEXT/HTML' => 303, 'application/json' => 200, '*/*' => 200,
        '' => 200,
    );

    for my $accept (sort keys %table) {
        my $made = fresh();
        my $response = $stack->redeem($made->{token}, Accept => $accept);
        is $response->status, $table{$accept}, "Accept: $accept";

        if ($table{$accept} == 303) {
            is $response->header('Location'), '/register', '… leads on';
        } else {
            my $said = $response->json;
            is_deeply [@$said{qw(id state target)}],
                [$made->{id}, 'redeemed', '/register'], '… says where';
            is $said->{session_ends_at},
                $stack->record($made->{id})->{session_ends_at},
                '… and how long';
        }

        is $response->header('Cache-Control'), 'no-store',
            '… and is not kept' if $table{$accept} == 200;
        like $response->header('Set-Cookie'),
            qr/\A__Host-enroll=ens_[\w-]{91};/, '… with a session';
        unlike $response->body, qr/en[rs]_/, '… that is in no text (I5)';
    }

    my $made = fresh();
    my $response = $http->post('/enroll', qq({"token":"$made->{token}"}),
        'Content-Type' => 'application/json', Accept => 'text/html');
    is $response->status, 200, 'JSON is answered in JSON';

    $response = $http->post('/in/other', 'token=' . fresh()->{token},
        Accept => 'text/html');
    is $response->header('Location'), '/register?from=other',
        'the target of the location';
};


# A page of another site must not spend somebody's token.

subtest 'a request from another site is refused' => sub {
    my $made = fresh();
    my $before = $stack->redis->command('XLEN', 'enroll:{0}:events');
    my $host = "localhost:$port";

    my @table = (
        [Origin => 'null'], [Origin => ''], [Origin => 'https://evil.example'],
        [Origin => "http://localhost:1$port"], [Origin => 'http://localhost'],
        [Origin => "http://$host.evil.example"],
        [Origin => "http://evil.example/$host"],
        [Origin => "http://evil.example\@$host"],
        [Origin => "ftp://$host"], [Origin => "//$host"], [Origin => $host],
        [Origin => "http://$host/"], [Origin => "http://$host "
            . 'http://evil.example'], [Origin => "HTTP://$host"],
        [Origin => "http://127.0.0.1:$port"], [Origin => 'http://'],
        [Origin => "chrome-extension://$host"],
        [Origin => "http://$host", Origin => 'https://evil.example'],
        [Origin => "http://$host", Origin => "http://$host"],
        ['Sec-Fetch-Site' => 'cross-site'], ['Sec-Fetch-Site' => 'same-site'],
        ['Sec-Fetch-Site' => ''], ['Sec-Fetch-Site' => 'x'],
        ['Sec-Fetch-Site' => 'Same-Origin'],
        ['Sec-Fetch-Site' => 'same-origin, cross-site'],
        ['Sec-Fetch-Site' => 'same-origin', 'Sec-Fetch-Site' => 'none'],
        ['Sec-Fetch-Site' => 'cross-site', Origin => "http://$host"],
        ['Sec-Fetch-Site' => 'same-origin', Origin => 'null'],
    );

    for my $row (@table) {
        for my $body (["token=$made->{token}",
                'application/x-www-form-urlencoded'],
            ["token=$made->{token}", 'text/plain'],
            [qq({"token":"$made->{token}"}), 'application/json'])
        {
            my ($text, $type) = @$body;
            refused($http->post('/enroll', $text, Host => $host,
                    'Content-Type' => $type, @$row), 403, 'cross_site',
                "@$row ($type)");
        }
    }

    is $stack->record($made->{id})->{state}, 'issued', 'nothing is spent';
    is $stack->redis->command('XLEN', 'enroll:{0}:events'), $before,
        'and there is no event';
};


subtest 'a request from this site' => sub {
    my $host = "localhost:$port";

    my @table = (
        [], [Origin => "http://$host"], [Origin => "https://$host"],
        [Origin => "http://LOCALHOST:$port"],
        ['Sec-Fetch-Site' => 'same-origin'],
        ['Sec-Fetch-Site' => 'none'],
        ['Sec-Fetch-Site' => 'same-origin', Origin => "http://$host"],
        ['Sec-Fetch-Site' => 'none', Origin => "http://$host",
            Referer => "http://$host/enroll"],
        [Referer => 'https://mail.example/'],
    );

    for my $row (@table) {
        is $stack->redeem(fresh()->{token}, Host => $host, @$row)->status,
            200, "@$row" || 'that says nothing';
    }

    is $stack->redeem(fresh()->{token}, Host => 'localhost',
        Origin => 'https://localhost')->status, 200, 'at the usual port';
};


subtest 'once (I1)' => sub {
    my $made = fresh();
    my $session = $stack->session($made->{token});

    for my $try (1 .. 3) {
        my $response = $stack->redeem($made->{token}, Cookie => $session);
        refused($response, 410, 'redeemed', "again, $try");
        like $response->json->{detail}, qr/call your security team/,
            '… in words that make one call somebody';
    }

    passed($stack->page($session), 'the session lives on');

    my $html = $stack->redeem($made->{token}, Accept => 'text/html');
    is $html->status, 410, 'in HTML';
    like $html->header('Content-Type'), qr{\Atext/html}, '… as HTML';
    like $html->body, qr/call your security team/, '… with the same words';
    like $html->body, qr/redeemed/, '… and the reason';
    like $html->body, qr/$made->{id}/, '… and the id to tell them';

    my $two = fresh();
    is $stack->redeem($two->{token}, Cookie => $session)->status, 200,
        'who has a session may redeem another link';
};


# A host that has not seen the token has to ask the ledger.

subtest 'once, on another host (I1)' => sub {
    my $two = stack(instances => 2);
    my ($first, $second) = ($two->http(0), $two->http(1));
    my ($made, $session, @token);

    # a token each: what was asked for once is known there, too
    for my $row (['GET', '/register'], ['POST', '/register/begin'],
        ['POST', '/register/finish'], ['POST', '/enroll'])
    {
        my ($method, $path) = @$row;
        $made = $two->issue(subject => "ada $path")->json;
        $session = $two->session($made->{token});
        @token = (Authorization => "Bearer $made->{token}");

        my $response = $path eq '/enroll'
            ? $second->post('/enroll', "token=$made->{token}")
            : $second->request($method, $path, [@token],
                $method eq 'POST' ? '{}' : undef);
        refused($response, 410, 'redeemed', "$method $path");
        is $two->record($made->{id})->{state}, 'redeemed', '… by the first';
    }
    is $two->idp->count, 0, 'the IdP has heard nothing (I3)';

    is $second->post('/register/begin', '{}', Cookie => $session)->status,
        200, 'the session goes on there';

    # the other way around: the token itself holds the session
    $made = $two->issue(subject => 'bea')->json;
    @token = (Authorization => "Bearer $made->{token}");
    is $first->post('/register/begin', '{}', @token)->status, 200,
        'a bearer without a browser';
    refused($second->post('/enroll', "token=$made->{token}"), 410,
        'redeemed', 'its link is spent');
    is $second->post('/register/finish', '{}', @token)->status, 200,
        'and it goes on there';
    $two->wait_record($made->{id}, state => 'enrolled');
};


subtest 'the landing page' => sub {
    for my $accept ('text/html', '*/*', undef) {
        my $page = $http->get('/enroll',
            defined $accept ? (Accept => $accept) : ());
        is $page->status, 200, 'for ' . ($accept // 'everybody');
        like $page->header('Content-Type'), qr{\Atext/html; charset=utf-8},
            '… is HTML';
    }

    my $page = $http->get('/enroll?x=y');
    my $policy = $page->header('Content-Security-Policy');
    like $policy, qr/default-src 'none'/, 'nothing by default';
    like $policy, qr/style-src 'sha256-[\w+\/]{43}='/, 'its style by digest';
    like $policy, qr/script-src 'sha256-[\w+\/]{43}='/, 'its script, too';
    like $policy, qr/form-action 'self'/, 'its form goes here';
    like $policy, qr/base-uri 'none'/, 'no base';
    like $policy, qr/frame-ancestors 'none'/, 'in no frame';
    unlike $policy, qr/unsafe|https?:/, 'nothing unsafe, nobody else';
    is $page->header('X-Content-Type-Options'), 'nosniff', 'no sniffing';
    is $page->header('Cache-Control'), 'no-store', 'kept nowhere';
    ok $page->header('Referrer-Policy'), 'a policy for referrers';
    is $page->header('Set-Cookie'), undef, 'no cookie';
    unlike $page->body, qr{(?:src|href)=["']?(?:https?:)?//},
        'loads nothing from elsewhere';

    my $head = $http->request('HEAD', '/enroll');
    is $head->status, 200, 'HEAD';
    is $head->body, '', '… is empty';
    is $head->header('Content-Length'), length $page->body, '… of its length';

    require Digest::SHA;
    require MIME::Base64;
    for my $tag (qw(style script)) {
        my ($text) = $page->body =~ m{<$tag>(.*?)</$tag>}s;
        my $digest = MIME::Base64::encode_base64(Digest::SHA::sha256($text),
            '');
        like $policy, qr/$tag-src 'sha256-\Q$digest\E'/,
            "the digest of its $tag";
        my @tags = $page->body =~ /<$tag\b/g;
        is scalar(@tags), 1, "… which is its only $tag";
    }
    unlike $page->body, qr/\son\w+=|\sstyle=|javascript:/i, 'nothing inline';
};


# --- time


subtest 'a token expires' => sub {
    my $made = $stack->issue(subject => 'late', ttl => 1)->json;
    my $direct = $stack->issue(subject => 'late-2', ttl => 1)->json;
    my $unused = $stack->issue(subject => 'late-3', ttl => 1)->json;

    wait_for { $stack->redis->command('TIME')->[0] * 1000
        > $direct->{expires_at} + 1000 } 'a second to pass', 5;

    refused($stack->redeem($made->{token}), 410, 'expired', 'its link');
    is $stack->record($made->{id})->{state}, 'expired', 'the record says so';
    refused($stack->redeem($made->{token}), 410, 'expired', 'again');

    refused($stack->begin_by(Authorization => "Bearer $direct->{token}"),
        410, 'expired', 'as a bearer');
    refused($stack->begin_by(Authorization => "Bearer $direct->{token}"),
        410, 'expired', 'again');
    is $idp->count('/register/begin'), 0, 'the IdP has heard nothing (I3)';

    for my $id ($made->{id}, $direct->{id}) {
        my @events = $stack->events(event => 'expire', id => $id);
        is scalar(@events), 1, 'one event (I7)';
        is "$events[0]{from} $events[0]{to}", 'issued expired', '… says it';
    }

    is $stack->record($unused->{id})->{state}, 'issued',
        'what nobody comes with stays as it was';
};


subtest 'a session expires' => sub {
    my @token = (Authorization => 'Bearer '
        . $stack->token(subject => 'slow-3'));
    passed($stack->begin_by(@token), 'begin by a token');
    my ($session, $id) = $stack->enter(subject => 'slow');
    my ($begun, $begun_id) = $stack->enter(subject => 'slow-2');
    passed($stack->page($session), 'the page');
    passed($stack->begin($begun), 'begin');
    $idp->clear;

    wait_for { $stack->page($session)->status != 200 }
        'the window to end', 6;
    my $seen = $idp->count;

    for my $who ($session, $begun) {
        for my $step (qw(page begin finish)) {
            wait_for { $stack->$step($who)->status != 403 } 'its end', 4;
            refused($stack->$step($who), 410, 'expired', $step);
        }
    }

    # whose bearer has no cookie that says when
    for my $step (qw(begin_by finish_by)) {
        refused($stack->$step(@token), 410, 'expired', "$step the token");
    }

    is $idp->count, $seen, 'the IdP has heard nothing more (I3)';
    my $response = $stack->page($session);
    like $response->header('Set-Cookie'), qr/\A__Host-enroll=; .*Max-Age=0/,
        'the cookie is taken back';
    is $stack->issue(subject => 'slow')->status, 201,
        'the subject may get another';
};


subtest 'attempts' => sub {
    my ($session, $id) = $stack->enter(subject => 'clumsy');
    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 400 });
    $idp->clear;

    is $stack->finish($session)->status, 400, 'the first is refused';
    is $stack->wait_record($id, outcome => 'refused')->{state}, 'redeemed',
        'and another is left';
    is $stack->finish($session)->status, 400, 'the second is refused';
    is $stack->wait_record($id, state => 'locked')->{attempts}, 2,
        'and none is left';

    for my $step (qw(finish begin page)) {
        refused($stack->$step($session), 429, 'locked', "$step is locked");
    }
    is $idp->count('/register/finish'), 2, 'the IdP has heard two (I2)';
    $idp->answer('/register/finish' => {});
};

done_testing;
