#!/usr/bin/perl

# The variables: what is known where, and that nothing is known of one who was
# refused, but who and why.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;


my $stack = stack(
    class  => 'ttl 1h; window 10m; attempts 2;',
    http   => <<'CONF',
    log_format vars escape=none '$request_method $uri|$enroll_id|'
        '$enroll_subject|$enroll_class|$enroll_state|$enroll_proof|'
        '$enroll_reason';
CONF
    server => <<'CONF',
        access_log %%DIR%%/logs/vars.log vars;
        proxy_set_header Enroll-Id $enroll_id;
        proxy_set_header Enroll-Class $enroll_class;
        proxy_set_header Enroll-State $enroll_state;
        proxy_set_header Enroll-Proof $enroll_proof;
        proxy_set_header Enroll-Reason $enroll_reason;
CONF
    locations => <<'CONF');
        location = /oops {
            enroll_endpoint open;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /optional {
            enroll_endpoint page optional;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /paged/ {
            enroll_endpoint begin;
            error_page 401 403 405 410 /oops;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /sub { internal; proxy_pass http://127.0.0.1:%%IDP%%; }

        location = /asks {
            enroll_endpoint page;
            auth_request /sub;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
CONF

my $http = $stack->http;
my $idp = $stack->idp;
my @names = qw(Id Subject Class State Proof Reason);


# What the IdP was told in its last request.

sub told {
    my ($path) = @_;
    my @requests = $idp->requests($path);
    my $got = $requests[-1];
    $idp->clear;
    return join '|', map { $got->header("Enroll-$_") // '' } @names;
}

# A line of the access log comes after the response: waits for that of a
# request, behind those that were seen or forgotten.

my $seen = 0;
my $marks = 0;

sub logged {
    my ($request) = @_;

    my $line;
    wait_for {
        my @lines = split /\n/, slurp($stack->nginx->{logs} . '/vars.log');
        for my $n ($seen .. $#lines) {
            next if $lines[$n] !~ /\A\Q$request\E\|/;
            ($line, $seen) = ($lines[$n], $n + 1);
            last;
        }
        defined $line;
    } "a line of $request";

    return $line;
}

sub told_in_log {
    my ($request, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is logged($request), "$request|$want", $name;
}

sub forget_lines {
    my $mark = '/mark-' . ++$marks;
    $http->get($mark);
    logged("GET $mark");
    $idp->clear;
    return;
}


subtest 'step by step' => sub {
    my $made = $stack->issue(subject => 'ada')->json;
    my $id = $made->{id};
    told_in_log 'POST /enroll/issue', "$id|||||", 'issue knows the id';

    my $session = $stack->session($made->{token});
    told_in_log 'POST /enroll', "$id|||||", 'redeem knows the id';

    passed($stack->page($session), 'page');
    is told('/register'), "$id|ada|standard|redeemed|none|",
        'a page that is asked for';
    told_in_log 'GET /register', "$id|ada|standard|redeemed|none|",
        '… and its line';
    passed($stack->page($session), 'page');
    is told('/register'), "$id|ada|standard|redeemed|none|",
        'a page out of the cache';
    forget_lines();

    passed($stack->begin($session), 'begin');
    is told('/register/begin'), "$id|ada|standard|redeemed|none|", 'begin';
    forget_lines();

    $idp->answer('/register/finish' => { status => 400 }, {});
    $stack->finish($session);
    is told('/register/finish'), "$id|ada|standard|claimed|none|",
        'finish is claimed when it is forwarded';
    told_in_log 'POST /register/finish', "$id|ada|standard|redeemed|none|",
        '… and redeemed again when it was refused';

    $stack->wait_record($id, outcome => 'refused');
    $stack->finish($session);
    is told('/register/finish'), "$id|ada|standard|claimed|none|",
        'finish again';
    told_in_log 'POST /register/finish', "$id|ada|standard|enrolled|none|",
        '… and enrolled when it was not';
};


subtest 'an outcome that nobody knows' => sub {
    my ($session, $id) = $stack->enter(subject => 'bea');
    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 500 }, {});
    forget_lines();
    $stack->finish($session);
    told_in_log 'POST /register/finish', "$id|bea|standard|claimed|none|",
        'stays claimed';
    $idp->clear;
};


subtest 'a bearer without a browser' => sub {
    my $made = $stack->issue(subject => 'cyd')->json;
    passed($stack->begin_by(Authorization => "Bearer $made->{token}"),
        'begin');
    is told('/register/begin'), "$made->{id}|cyd|standard|redeemed|none|",
        'is known as well';
};


subtest 'where nobody asks' => sub {
    my ($session, $id) = $stack->enter(subject => 'dan');

    passed($http->get('/register/assets/x', Cookie => $session), 'open');
    is told('/register/assets/x'), "$id|||||", 'an open endpoint: the id';
    passed($http->get('/other'), 'no endpoint');
    is told('/other'), '|||||', 'nobody';
    passed($http->get('/optional'), 'optional');
    is told('/optional'), '|||||', 'nobody, at an optional one';
    passed($http->get('/optional', Cookie => $session), 'optional');
    is told('/optional'), "$id|dan|standard|redeemed|none|",
        'somebody, at an optional one';
    forget_lines();
};


subtest 'who was refused (I3)' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve');
    my $token = $stack->issue(subject => 'fay')->json;
    forget_lines();

    my @table = (
        ['GET /register', '', 'missing'],
        ['GET /register', '', 'forged', Cookie => '__Host-enroll=x'],
        ['GET /register', '', 'duplicate', Cookie => "$session; $session"],
        ['GET /admin', $id, 'scope', Cookie => $session],
        ['GET /admin', $token->{id}, 'scope',
            Authorization => "Bearer $token->{token}"],
        ['PUT /register', $id, 'method', Cookie => $session],
        ['GET //register', $id, 'uri', Cookie => $session],
        ['POST /register/finish', $id, 'order', Cookie => $session],
    );

    for my $row (@table) {
        my ($request, $who, $reason, @headers) = @$row;
        my ($method, $path) = split / /, $request;
        $http->request($method, $path, [@headers], '{}');
        (my $uri = $path) =~ s{//}{/};
        told_in_log "$method $uri", "$who|||||$reason",
            "$request: $reason";
    }

    # what the ledger said of him is not passed on
    my @headers = (Cookie => $session);
    is $http->post('/paged/x', '{}', @headers)->status, 200, 'begin';
    $stack->revoke(id => $id);
    $idp->clear;
    forget_lines();
    is $http->post('/paged/x', '{}', @headers)->status, 410, 'revoked';
    is told('/oops'), "$id|||||revoked", 'nor to an error page';
    told_in_log 'GET /oops', "$id|||||revoked", '… and its line';

    refused($stack->redeem($token->{token} . 'A'), 401, 'forged', 'redeem');
    told_in_log 'POST /enroll', '|||||forged', 'redeem: nobody';
    $stack->redeem($token->{token});
    forget_lines();
    $stack->redeem($token->{token});
    told_in_log 'POST /enroll', "$token->{id}|||||redeemed", 'redeem: who';
};


subtest 'a variable that was asked for too early is not kept' => sub {
    my ($session, $id) = $stack->enter(subject => 'gil');
    $idp->clear;
    passed($http->get('/asks', Cookie => $session), 'a subrequest before');

    my @requests = $idp->requests;
    is $requests[0]->path, '/sub', 'the subrequest';
    is $requests[0]->header('Enroll-Subject'), undef, '… knows nobody yet';
    is $requests[1]->header('Enroll-Subject'), 'gil', 'the page does';
    is $requests[1]->header('Enroll-Id'), $id, '… and who it is';
};


subtest 'a subject is passed on as it is' => sub {
    my $subject = "\x{e9}\x{20ac} a;b=c, \"d\" % \$host";
    my ($session, $id) = $stack->enter(subject => $subject);
    $idp->clear;
    passed($stack->page($session), 'page');
    my ($got) = $idp->requests;
    utf8::decode(my $told = $got->header('Enroll-Subject'));
    is $told, $subject, 'bytes and all';
};

done_testing;
