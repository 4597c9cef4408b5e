#!/usr/bin/perl

# What becomes of a claim: the IdP's answers, of every kind, and its silence.
#
# %place is the finish locations, by name: what they say beside
# enroll_endpoint and (where they have none) proxy_pass.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Test;
use IO::Socket::INET;

my ($cert, $key) = certificate('idp.test');
my $other = upstream(name => 'other');
my $json = 'application/json';

# a listener that takes no more connections: SYNs get no answer
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
    Proto => 'tcp', ReuseAddr => 1) or die "listen: $!";
$full->blocking(0);
my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $full->sockport, Proto => 'tcp', Blocking => 0) } 1 .. 8;

my %place = (
    plain   => '',
    slow    => 'proxy_read_timeout 150ms;',
    abort   => 'proxy_ignore_client_abort off;',
    ignore  => 'proxy_ignore_client_abort on;',
    stream  => 'proxy_request_buffering off; proxy_http_version 1.1;',
    short   => 'client_body_timeout 100ms;',
    small   => 'client_max_body_size 64;',
    tries   => 'proxy_pass http://first_dead;',
    dead    => 'proxy_pass http://127.0.0.1:%%DEAD%%;',
    dying   => 'proxy_pass http://all_dead;',
    full    => 'proxy_connect_timeout 150ms;
                proxy_pass http://127.0.0.1:%%FULL%%;',
    unnamed => 'resolver 127.0.0.1:%%DEAD%%; resolver_timeout 150ms;
                set $backend nowhere.test; proxy_pass http://$backend;',
    noname  => 'set $backend nowhere.test; proxy_pass http://$backend;',
    tls     => 'proxy_ssl_verify on; proxy_ssl_name idp.test;
                proxy_ssl_trusted_certificate %%CA%%;
                proxy_pass https://127.0.0.1:%%PORT_TLS%%;',
    wrong   => 'proxy_ssl_verify on; proxy_ssl_name other.test;
                proxy_ssl_trusted_certificate %%CA%%;
                proxy_pass https://127.0.0.1:%%PORT_TLS%%;',
    kept    => 'proxy_http_version 1.1; proxy_set_header Connection "";
                proxy_pass http://kept;',
    retry   => 'proxy_read_timeout 150ms; proxy_pass http://two;
                proxy_next_upstream error timeout http_500 http_404;',

    # enroll_success
    status  => 'enroll_success 200 202 302;',
    map     => 'enroll_success $by_status;',
    header  => 'enroll_success $by_header;',
    both    => 'enroll_success 200 $by_header;',
    member  => 'enroll_success verified=true;',
    string  => 'enroll_success status=done;',
    all     => 'enroll_success 200 $by_header verified=true;',
    pass    => 'enroll_success verified=true; proxy_buffering off;
                proxy_http_version 1.1;',
    chunk   => 'enroll_success verified=true; proxy_http_version 1.1;
                proxy_buffer_size 1k; proxy_buffers 4 1k;
                proxy_busy_buffers_size 2k;',
    disk    => 'enroll_success verified=true; proxy_buffer_size 4k;
                proxy_buffers 2 4k; proxy_busy_buffers_size 4k;
                limit_rate 60k;',
    late    => 'enroll_success verified=true; proxy_http_version 1.1;
                proxy_ignore_client_abort on;',

    # elsewhere from here
    page    => 'proxy_intercept_errors on; error_page 400 500 /static/sorry;',
    paint   => 'proxy_intercept_errors on;
                error_page 400 =200 /static/sorry;
                error_page 500 =200 /static/sorry;',
    said    => 'proxy_intercept_errors on; error_page 500 =200 /said;',
    off     => 'proxy_intercept_errors on; error_page 400 500 = @off;',
    again   => 'proxy_intercept_errors on; error_page 400 500 = @again;',
    backup  => 'error_page 502 504 = @again;
                proxy_read_timeout 150ms;
                proxy_pass http://127.0.0.1:%%DEAD%%;',
    failed  => 'error_page 502 504 = @again; proxy_read_timeout 150ms;',
    astray  => 'error_page 502 = @plain;
                proxy_pass http://127.0.0.1:%%DEAD%%;',
    uri     => 'error_page 502 = /plain/finish;
                proxy_pass http://127.0.0.1:%%DEAD%%;',
    lost    => 'try_files /nowhere @plain;',
    try     => 'try_files /nowhere @again;',
    mirror  => 'mirror /mirror;',
    after   => 'post_action /plain/finish;',
    authed  => 'auth_request /never;',
    limited => 'limit_req zone=tight;',
);

my $locations = join '', map { my $conf = $place{$_};
    $conf .= ' proxy_pass http://127.0.0.1:%%IDP%%;'
        if $conf !~ /proxy_pass|try_files/;
    "location = /$_/finish { enroll_endpoint finish; $conf }\n" }
    sort keys %place;

my $stack = stack(instances => 2, issuer => 'class standard strict;',
    vars => { OTHER => $other->port, DEAD => free_port(), CERT => $cert,
        KEY => $key, CA => ca_file(), FULL => $full->sockport },
    redis => 'enroll_redis unix:%%REDIS%%; enroll_redis_timeout 5s;',
    redis_server => { conf => ['appendonly yes'] },
    http => <<'CONF', locations => $locations . <<'CONF');
    enroll_class strict { ttl 1h; attempts 1; }
    limit_req_zone $server_name zone=tight:64k rate=1r/m;

    upstream first_dead { server 127.0.0.1:%%DEAD%% max_fails=0;
        server 127.0.0.1:%%IDP%% max_fails=0; }
    upstream all_dead { server 127.0.0.1:%%DEAD%% fail_timeout=1h;
        server 127.0.0.2:%%DEAD%% fail_timeout=1h; }
    upstream two { server 127.0.0.1:%%IDP%% max_fails=0;
        server 127.0.0.1:%%OTHER%% max_fails=0; }
    upstream kept { server 127.0.0.1:%%IDP%%; keepalive 2; }

    map $upstream_status $by_status { 200 0; 202 1; 409 enrolled;
        422 refused; default ""; }
    map $upstream_http_x_outcome $by_header { yes 1; no refused;
        default what; }

    server {
        listen %%PORT_TLS%% ssl;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { proxy_pass http://127.0.0.1:%%IDP%%; }
    }
CONF
    location @again {
        enroll_endpoint finish;
        proxy_read_timeout 150ms;
        proxy_pass http://127.0.0.1:%%OTHER%%;
    }
    location @off { enroll off; proxy_pass http://127.0.0.1:%%OTHER%%; }
    location @plain { proxy_pass http://127.0.0.1:%%OTHER%%; }
    location /static/ {
        enroll_endpoint open;
        proxy_method GET;
        proxy_pass http://127.0.0.1:%%OTHER%%;
    }
    location = /said { return 200 "said\n"; }
    location = /mirror {
        internal;
        enroll_endpoint finish;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
    location = /never { internal; return 403; }

    location = /leap/begin {
        enroll_endpoint begin;
        proxy_intercept_errors on;
        error_page 500 = @again;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }

    location = /quick/finish {
        enroll_endpoint finish;
        enroll_redis_timeout 150ms;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
CONF

my $idp = $stack->idp;
my $http = $stack->http;
my $subject = 0;


# --- the tools


# A session that has begun.

sub begun {
    my (%joiner) = @_;
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject,
        %joiner);
    $stack->begin($session);
    $idp->clear;
    $other->clear;
    return ($session, $id);
}

sub finish_at {
    my ($place, $session, $body) = @_;
    return $http->post("/$place/finish", $body // '{"id":"x"}',
        Cookie => $session);
}

# The settlement of the token's nth claim.

sub settlement {
    my ($id, $n) = @_;
    $n //= 1;
    my @all;
    wait_for {
        @all = $stack->events(id => $id, event => 'settle', last => 40);
        @all >= $n;
    } "settlement $n of $id";
    return $all[$n - 1];
}

sub claims {
    my ($id) = @_;
    return scalar(my @found = $stack->events(id => $id, event => 'claim',
        last => 40));
}

# How a finish there ends, in one line: what the client hears, the outcome,
# the IdP's status, the state after it, the attempts, the IdP's receipts.

sub ending {
    my ($place, $answer, %more) = @_;

    my ($session, $id) = begun(%{$more{joiner} || {}});
    $idp->answer("/$place/finish" => $answer) if $answer;

    my $response = $more{run} ? $more{run}->($session, $id)
        : finish_at($place, $session, $more{body});
    my $event = settlement($id);
    my $record = $stack->record($id);
    my $line = join ' ', $response ? $response->status : 'gone',
        $event->{outcome}, $event->{status} || '-', $record->{state},
        $record->{attempts}, $idp->count($more{count} // qr/finish$/);

    return wantarray ? ($line, $session, $id, $response) : $line;
}

sub closed {
    my ($name, $session, $id) = @_;

    my $reached = $idp->count + $other->count;
    my @answers = map { $_->status . ' ' . $_->json->{reason} }
        $stack->finish($session), $stack->begin($session),
        $stack->page($session), finish_at('plain', $session),
        $stack->http(1)->post('/register/finish', '{}', Cookie => $session);

    is_deeply \@answers, [('409 claimed') x 5], "$name: closed for ever (I2)";
    is $idp->count + $other->count, $reached, 'and the IdP hears no more';
}

# Unknown, and closed.

sub unknown {
    my ($name, $place, $answer, $want, %more) = @_;
    my ($line, $session, $id) = ending($place, $answer, %more);

    is $line, $want, "$name: unknown (I2)";
    closed($name, $session, $id);
    return;
}

# Never sent: it can be done again, and has cost no attempt.

sub released {
    my ($name, $place, $want, %more) = @_;
    my ($line, $session, $id) = ending($place, undef, %more);

    is $line, $want, "$name: never sent, released (I2)";
    $idp->clear;
    is $stack->finish($session)->status, 200, 'and it can be done again';
    is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
        'with one attempt on the record';
    is $idp->count('/register/finish'), 1, 'that the IdP heard of';
    return;
}

# Opens a finish that the IdP has in its hands, and does not answer.

sub fly {
    my ($place, $session) = @_;
    my $n = $idp->count("/$place/finish");
    my $socket = $http->connect;
    print $socket $http->bytes('POST', "/$place/finish",
        [Cookie => $session], '{}');
    $socket->flush;
    $idp->wait_count($n + 1, "/$place/finish");
    return $socket;
}

sub gone {
    my ($place) = @_;
    return wait_for {
        $stack->nginx->access_log =~ m{"POST /$place/finish[^"]*" 499 }
    } "nginx to notice that the client of /$place/finish has gone";
}


# --- statuses

for my $status (200, 201, 204) {
    is ending('plain', { status => $status }),
        "$status enrolled $status enrolled 1 1", "$status means enrolled";
}

for my $status (400, 401, 403, 404, 409, 422, 429, 499) {
    is ending('plain', { status => $status }),
        "$status refused $status redeemed 1 1", "$status means refused";
}

for my $status (202, 206, 302, 304, 500, 501, 502, 503, 504, 599) {
    unknown($status, 'plain', { status => $status },
        "$status unknown $status claimed 1 1");
}


# --- refused: again, until the attempts are spent

{
    my ($session, $id) = begun();
    $idp->answer('/plain/finish' => { status => 400 });

    for my $n (1 .. 3) {
        is finish_at('plain', $session)->status, 400, "refused, attempt $n";
        my $event = settlement($id, $n);
        is "$event->{outcome} $event->{to}",
            $n < 3 ? 'refused redeemed' : 'refused locked',
            'the settlement says so';
        last if $n == 3;
        is $stack->page($session)->status, 200, 'the page is open again';
        is $stack->begin($session)->status, 200, 'and begin';
    }

    my $reached = $idp->count;
    for my $step (qw(finish begin page)) {
        my $response = $stack->$step($session);
        is $response->status . ' ' . $response->json->{reason}, '429 locked',
            "then $step is locked";
    }
    is $idp->count, $reached, 'and the IdP hears no more (I2)';

    my ($once) = ending('plain', { status => 400 },
        joiner => { class => 'strict' });
    is $once, '400 refused 400 locked 1 1', 'a class of one attempt has one';
}

{
    my ($session, $id) = begun();
    $idp->answer('/plain/finish' => { status => 400 }, { status => 400 },
        { status => 200 });
    finish_at('plain', $session) && settlement($id, $_) for 1 .. 2;
    is finish_at('plain', $session)->status, 200, 'the last attempt may work';
    is $stack->wait_record($id, state => 'enrolled')->{attempts}, 3,
        'and it was the third';
}


# --- no answer

unknown('timeout', 'slow', { hang => 1 }, '504 unknown - claimed 1 1');
$idp->release({ status => 200 });
unknown('reset', 'plain', { reset => 1 }, '502 unknown - claimed 1 1');
unknown('closed', 'plain', { close => 1 }, '502 unknown - claimed 1 1');
unknown('closed in the header', 'plain', { status => 200, cut => 20 },
    '502 unknown - claimed 1 1');
unknown('silent in the header', 'slow',
    { status => 200, stall => 20 },
    '504 unknown - claimed 1 1');
unknown('an invalid header', 'plain',
    { raw => "HTTP/1.1 200 OK\r\nno colon\r\n\r\n" },
    '502 unknown - claimed 1 1');
unknown('a header too large', 'plain',
    { status => 200, headers => ['X-Large' => 'x' x 70_000] },
    '502 unknown - claimed 1 1');

# nginx takes what is no status line for HTTP/0.9, and that for a 200
for my $raw ("garbage\r\n\r\n", '{"error":"not here"}', "\0\1\2\3",
    "HTTP/1.1 2000 OK\r\n\r\n", "200 OK\r\n\r\n")
{
    (my $name = $raw) =~ s/[^ -~]/./g;
    my ($line, $session, $id) = ending('plain', { raw => $raw });
    like $line, qr/^\d+ unknown \S+ claimed 1 1$/,
        "no HTTP, '$name': unknown (I2)";
    closed("'$name'", $session, $id);
}

is ending('plain', { status => 200, body => 'x' x 9000, cut => 300 }),
    '200 enrolled 200 enrolled 1 1',
    'a status is an answer, however its body ends';
is ending('slow', { status => 400, body => 'x' x 9000, stall => 300 }),
    '400 refused 400 redeemed 1 1', 'or does not';


# --- never sent

released('a refused connection', 'dead', '502 released - redeemed 0 0');

{
    my ($session, $id) = begun();
    $idp->refuse;
    is $stack->finish($session)->status, 502, 'the IdP is down';
    is settlement($id)->{outcome}, 'released', 'released (I2)';
    is $stack->finish($session)->status, 502, 'still down';
    is settlement($id, 2)->{outcome}, 'released', 'released once more';
    $idp->listen;
    is $stack->finish($session)->status, 200, 'up again: it works';
    is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
        'the first attempt that counts';
}

is ending('tries', { status => 200 }), '200 enrolled 200 enrolled 1 1',
    'the first server refuses the connection, the second takes it';
is ending('tries', { status => 400 }), '400 refused 400 redeemed 1 1',
    'or refuses';
unknown('the first refuses the connection, the second resets', 'tries',
    { reset => 1 }, '502 unknown - claimed 1 1');

released('all servers down', 'dying', '502 released - redeemed 0 0');
released('no live upstreams', 'dying', '502 released - redeemed 0 0');
released('no route in time', 'full', '504 released - redeemed 0 0');
released('a name that does not resolve', 'unnamed',
    '502 released - redeemed 0 0');
released('a name and no resolver', 'noname', '502 released - redeemed 0 0');

is ending('tls', { status => 200 }), '200 enrolled 200 enrolled 1 1',
    'over TLS it works';
unknown('over TLS, 500', 'tls', { status => 500 },
    '500 unknown 500 claimed 1 1');
released("an IdP's certificate of another name", 'wrong',
    '502 released - redeemed 0 0');

# a kept connection that the IdP closes as the next request comes

is ending('kept', { status => 200 }), '200 enrolled 200 enrolled 1 1',
    'a connection is kept';
unknown('a kept connection closed', 'kept', { close => 1 },
    '502 unknown - claimed 1 1');


# --- the next upstream: nothing goes to a second server (I2)

$other->answer('/retry/finish' => { status => 200 });

for my $answer ({ status => 500 }, { status => 404 }, { hang => 1 },
    { reset => 1 }, { close => 1 })
{
    # in turn: whichever is first
    for my $first ($idp, $other) {
        my ($session, $id) = begun();
        $_->answer('/retry/finish' => $answer) for $idp, $other;
        finish_at('retry', $session);
        my ($what) = %$answer;
        is settlement($id)->{outcome},
            ($answer->{status} // 0) == 404 ? 'refused' : 'unknown',
            "two servers, $what: as the first says";
        is $idp->count + $other->count, 1, 'and no second one is asked (I2)';
    }
}


# --- the client leaves

# before the claim's reply

{
    my ($session, $id) = begun();
    $stack->redis->freeze;
    my $socket = $http->connect;
    print $socket $http->bytes('POST', '/abort/finish', [Cookie => $session],
        '{}');
    $socket->flush;
    $stack->nginx->wait_log(qr{request line: "POST /abort/finish});
    close $socket;
    gone('abort');
    $stack->redis->thaw;

    is settlement($id)->{outcome}, 'released',
        'the client leaves before the claim is granted: released (I2)';
    is $idp->count, 0, 'nothing is sent';
    my $record = $stack->record($id);
    is "$record->{state} $record->{attempts}", 'redeemed 0',
        'and nothing is spent';
    is $stack->finish($session)->status, 200, 'it can be done again';
}

# in the body, or with one that nginx does not take: nobody holds a claim
# that way, and none is spent

sub withheld {
    my ($name, $session, $id) = @_;

    wait_for { my $record = $stack->record($id);
        $record->{state} eq 'redeemed' && $record->{attempts} == 0 }
        "$name: nothing to be held";
    is $idp->count, 0, "$name: never sent (I2)";
    is $stack->finish($session)->status, 200, 'it can be done again';
    is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
        'with one attempt on the record';
    return;
}

sub part {
    my ($place, $session) = @_;
    my $socket = $http->connect;
    print $socket $http->bytes('POST', "/$place/finish",
        [Cookie => $session, 'Content-Length' => 1000], '{"id":');
    $socket->flush;
    $stack->nginx->wait_log(
        qr{request line: "POST /$place/finish(?!.*request line)}s);
    return $socket;
}

for my $place (qw(plain ignore stream)) {
    my ($session, $id) = begun();
    close part($place, $session);
    withheld("the client leaves in the body ($place)", $session, $id);
}

{
    my ($session, $id) = begun();
    my $socket = part('plain', $session);
    is $stack->finish($session)->status, 200,
        'who sends a body by and by holds up nobody';
    print $socket ' ' x 993, '}';
    $socket->flush;
    is $http->read_response($socket)->status, 410, 'and comes too late (I2)';
    is $idp->count, 1, 'the IdP heard of one';

    ($session, $id) = begun();
    $socket = part('plain', $session);
    $stack->revoke(id => $id);
    print $socket ' ' x 993, '}';
    $socket->flush;
    is $http->read_response($socket)->status, 410,
        'revoked while the body comes: refused';
    is $idp->count, 0, 'and the IdP hears nothing (I2)';
}

{
    my ($session, $id) = begun();
    my $response = $http->read_response(part('short', $session));
    is $response->status, 0, 'a body that stops';
    withheld('a body that stops', $session, $id);

    ($session, $id) = begun();
    is $http->post('/small/finish', "80\r\n" . 'x' x 128 . "\r\n0\r\n\r\n",
        Cookie => $session, 'Transfer-Encoding' => 'chunked')->status, 413,
        'a body too large';
    withheld('a body too large', $session, $id);

    ($session, $id) = begun();
    is $http->post('/plain/finish', "zz\r\n", Cookie => $session,
        'Transfer-Encoding' => 'chunked')->status, 400, 'a body that is none';
    withheld('a body that is none', $session, $id);

    ($session, $id) = begun();
    is $http->request('POST', '/small/finish', [Cookie => $session,
        'Content-Length' => 128], 'x' x 128)->status, 413,
        'a length that is too large';
    is claims($id), 0, 'is refused before any claim';
}

for my $case ([200 => 'enrolled'], [500 => 'unknown']) {
    my ($status, $outcome) = @$case;
    is ending('stream', { status => $status }, body => 'x' x 20_000,
        count => '/stream/finish') =~ s/ \S+ \d \d$//r,
        "$status $outcome $status", "a large body, unbuffered: $outcome";
}

# when the IdP has it

{
    my ($session, $id) = begun();
    $idp->answer('/plain/finish' => { hang => 1 });
    close fly('plain', $session);
    is settlement($id)->{outcome}, 'unknown',
        'the client leaves, the IdP has it: unknown (I2)';
    $idp->release({ status => 200 });
    closed('abandoned', $session, $id);
    is $stack->record($id)->{state}, 'claimed', 'whatever the IdP says then';
}

for my $case ([200, 'enrolled', 'enrolled'], [400, 'refused', 'redeemed'],
    [500, 'unknown', 'claimed'])
{
    my ($status, $outcome, $state) = @$case;
    my ($session, $id) = begun();
    $idp->answer('/ignore/finish' => { hang => 1 });
    close fly('ignore', $session);
    is $stack->finish($session)->status, 409, 'still in flight';
    $idp->release({ status => $status });
    is settlement($id)->{outcome}, $outcome,
        "proxy_ignore_client_abort, and the IdP says $status: $outcome";
    is $stack->record($id)->{state}, $state, "$state";
}


# --- enroll_success: statuses, variables

is ending('status', { status => 302, headers => [Location => '/done'] }),
    '302 enrolled 302 enrolled 1 1', 'a redirect may be a success';
is ending('status', { status => 202 }), '202 enrolled 202 enrolled 1 1',
    'any status may';
is ending('status', { status => 400 }), '400 refused 400 redeemed 1 1',
    'and 4xx is a refusal';
unknown('a success that is not listed', 'status', { status => 201 },
    '201 unknown 201 claimed 1 1');

is ending('map', { status => 202 }), '202 enrolled 202 enrolled 1 1',
    'a map of $upstream_status says 1';
is ending('map', { status => 409 }), '409 enrolled 409 enrolled 1 1',
    'or enrolled, of whatever status';
is ending('map', { status => 200 }), '200 refused 200 redeemed 1 1',
    'or 0';
is ending('map', { status => 422 }), '422 refused 422 redeemed 1 1',
    'or refused';
unknown('a map that says nothing', 'map', { status => 400 },
    '400 unknown 400 claimed 1 1');

my @yes = ('X-Outcome' => 'yes');
my @no = ('X-Outcome' => 'no');

is ending('header', { status => 500, headers => \@yes }),
    '500 enrolled 500 enrolled 1 1', "a map of the IdP's header says 1";
is ending('header', { status => 200, headers => \@no }),
    '200 refused 200 redeemed 1 1', 'or refused';
unknown('a header that is missing', 'header', { status => 200 },
    '200 unknown 200 claimed 1 1');

is ending('both', { status => 200, headers => \@yes }),
    '200 enrolled 200 enrolled 1 1', 'status and variable: both must';
is ending('both', { status => 200, headers => \@no }),
    '200 refused 200 redeemed 1 1', 'the variable refuses';
unknown('status and variable that contradict each other', 'both',
    { status => 400, headers => \@yes }, '400 unknown 400 claimed 1 1');
is ending('both', { status => 400, headers => \@no }),
    '400 refused 400 redeemed 1 1', 'both refuse';
unknown('status and variable, none said', 'both', { status => 200 },
    '200 unknown 200 claimed 1 1');


# --- enroll_success: a member of the body

sub body { return { status => 200, headers => ['Content-Type' => $json],
    body => $_[0] } }

for my $place (qw(member pass chunk)) {
    is ending($place, body('{"verified":true}')),
        '200 enrolled 200 enrolled 1 1', "$place: verified=true";
    is ending($place, body('{"verified":false}')),
        '200 refused 200 redeemed 1 1', "$place: verified=false";
    is ending($place, { status => 400, body => '{"verified":true}' }),
        '400 refused 400 redeemed 1 1', "$place: the status goes first";
    unknown("$place: a 500 that says true", $place,
        { status => 500, body => '{"verified":true}' },
        '500 unknown 500 claimed 1 1');
    unknown("$place: no such member", $place, body('{"error":"no"}'),
        '200 unknown 200 claimed 1 1');
}

my @garbage = (
    ['nothing' => ''], ['no JSON' => 'verified=true'],
    ['an array' => '[{"verified":true}]'], ['a word' => 'true'],
    ['a member within' => '{"a":{"verified":true}}'],
    ['in another case' => '{"Verified":true}'],
    ['the member twice' => '{"verified":false,"verified":true}'],
    ['something behind' => '{"verified":true} {"verified":false}'],
    ['cut short' => '{"verified":true'],
    ['a comment' => '/**/{"verified":true}'],
    ['not UTF-8' => qq({"verified":true,"name":"\xff"})],
    ['deep' => '{"verified":true,"a":' . '[' x 5000 . ']' x 5000 . '}'],
    ['NUL behind' => qq({"verified":true}\0{)],
);

for my $case (@garbage) {
    my ($name, $text) = @$case;
    unknown("$name", 'member', body($text), '200 unknown 200 claimed 1 1');
}

is ending('string', body('{"status":"done"}')),
    '200 enrolled 200 enrolled 1 1', 'a member that is a string';
is ending('string', body('{"status":false}')),
    '200 refused 200 redeemed 1 1', 'false in its place refuses';
unknown('another value', 'string', body('{"status":"done "}'),
    '200 unknown 200 claimed 1 1');
is ending('string', body('{"status":"done\u0000"}')),
    '200 unknown 200 claimed 1 1', 'and no NUL cuts it short';

my $pad = '"pad":"' . 'x' x 60_000 . '"';
is ending('member', body("{$pad,\"verified\":true}")),
    '200 enrolled 200 enrolled 1 1', 'a body of 60 000 bytes is read whole';
is ending('chunk', body("{$pad,\"verified\":false}")),
    '200 refused 200 redeemed 1 1', 'across small buffers';
is ending('pass', body("{$pad,\"verified\":true}")),
    '200 enrolled 200 enrolled 1 1', 'and unbuffered';
is ending('disk', body("{$pad,\"verified\":true}")),
    '200 enrolled 200 enrolled 1 1',
    'and where nginx keeps it in a file for a slow client';

my $exact = '{"verified":true,"pad":""}';
my $most = 65_536 - length $exact;
$exact =~ s/(?="\}$)/'x' x $most/e;
is ending('member', body($exact)), '200 enrolled 200 enrolled 1 1',
    'the largest body';
unknown('a larger one', 'member', body($exact . ' ' x 2),
    '200 unknown 200 claimed 1 1');
unknown('a larger one, in chunks', 'chunk', { status => 200,
    chunked => [$exact =~ /(.{1,4000})/gs, ' ' x 2] },
    '200 unknown 200 claimed 1 1');

for my $place (qw(member pass chunk)) {
    is ending($place, { status => 200,
        chunked => [split //, '{"verified":true}'], pause => 0.002 }),
        '200 enrolled 200 enrolled 1 1', "$place: byte by byte";
    unknown("$place: truncated", $place,
        { status => 200, body => '{"verified":true}' . ' ' x 500,
          cut => 80 }, '200 unknown 200 claimed 1 1');
    unknown("$place: truncated in a chunk", $place, { status => 200,
        chunked => ['{"verified":true}', ' ' x 100], cut => 120 },
        '200 unknown 200 claimed 1 1');
}

unknown('compressed', 'member', { status => 200,
    headers => ['Content-Encoding' => 'gzip'], body => '{"verified":true}' },
    '200 unknown 200 claimed 1 1');
{
    my ($session) = begun();
    $http->post('/member/finish', '{}', Cookie => $session,
        'Accept-Encoding' => 'gzip, br');
    my ($received) = $idp->requests('/member/finish');
    is $received->header('Accept-Encoding'), undef,
        'nor is a compressed body asked for';
}

is ending('all', { status => 200, headers => \@yes,
    body => '{"verified":true}' }), '200 enrolled 200 enrolled 1 1',
    'status, variable and member: all must';
is ending('all', { status => 200, headers => \@no,
    body => '{"verified":true}' }), '200 refused 200 redeemed 1 1',
    'or it is not';
unknown('status, variable and no member', 'all', { status => 200,
    headers => \@yes }, '200 unknown 200 claimed 1 1');

# the client leaves while the body comes

{
    my ($session, $id) = begun();
    $idp->answer('/member/finish' => { status => 200, pause => 0.3,
        chunked => ['{"verified":', 'true}'] });
    close fly('member', $session);
    is settlement($id)->{outcome}, 'unknown',
        'the client leaves, the body is not read: unknown (I2)';

    ($session, $id) = begun();
    $idp->answer('/late/finish' => { status => 200, pause => 0.1,
        chunked => ['{"verified":', 'true}'] });
    close fly('late', $session);
    is settlement($id)->{outcome}, 'enrolled',
        'proxy_ignore_client_abort: it is read to its end';
}


# --- error_page, X-Accel-Redirect, try_files and the like

$other->answer('/static/sorry' => { status => 200, body => 'sorry' });

sub elsewhere {
    my ($name, $place, $status, $want, $others, %more) = @_;
    my ($line, $session, $id) = ending($place, { status => $status,
        headers => $more{headers} || [] }, %more);
    like $line, qr/\A$want\z/, $name;
    is $other->count, $others, $others ? 'the other was asked'
        : 'and it is sent nowhere else (I2)';
    is claims($id), 1, 'one claim';
    return ($session, $id);
}

my ($session, $id);

elsewhere('an error page does not change a refusal', 'page', 400,
    '400 refused 400 redeemed 1 1', 1);
($session, $id) = elsewhere('an error page does not change a 500 (I2)',
    'page', 500, '500 unknown 500 claimed 1 1', 1);
closed('an error page', $session, $id);

elsewhere('=200 does not make a refusal a success', 'paint', 400,
    '200 refused 400 redeemed 1 1', 1);
($session, $id) = elsewhere('=200 does not make a 500 a success (I2)',
    'paint', 500, '200 unknown 500 claimed 1 1', 1);
closed('painted over', $session, $id);
elsewhere("nor does nginx' own text (I2)", 'said', 500,
    '200 unknown 500 claimed 1 1', 0);

$other->answer(qr{/finish$} => { status => 200 });

elsewhere('a refusal is not sent on to another server', 'again', 400,
    '409 refused 400 redeemed 1 1', 0);
($session, $id) = elsewhere('nor is a 500 (I2)', 'again', 500,
    '409 unknown 500 claimed 1 1', 0);
closed('not sent on', $session, $id);

($session, $id) = elsewhere('nor is what a client sent, unanswered (I2)',
    'failed', 200, '409 unknown - claimed 1 1', 0,
    run => sub { $idp->answer('/failed/finish' => { hang => 1 });
        finish_at('failed', $_[0]) });
closed('unanswered, and a fallback', $session, $id);

elsewhere('what was never sent goes to the fallback', 'backup', 200,
    '200 enrolled 200 enrolled 1 0', 1);

$other->answer(qr{/finish$} => { status => 400 });
elsewhere('whose refusal is one', 'backup', 200,
    '400 refused 400 redeemed 1 0', 1);
$other->answer(qr{/finish$} => { hang => 1 });
($session, $id) = elsewhere('and whose silence is unknown (I2)', 'backup',
    200, '504 unknown - claimed 1 0', 1);
closed('a silent fallback', $session, $id);
$other->answer(qr{/finish$} => { status => 200 });

elsewhere('a fallback that is no endpoint gets nothing (I3)', 'astray', 200,
    '40[03] released - redeemed 0 0', 0);

elsewhere('an error page by its URI is a GET, and no finish (I11)', 'uri',
    200, '405 released - redeemed 0 0', 0);

# where the guard is off the IdP's answer is still what it was, and what has
# been forwarded once goes nowhere else

$other->answer(qr{/finish$} => { status => 200 });
elsewhere('a guard that is off does not make a refusal a success', 'off',
    400, '409 refused 400 redeemed 1 1', 0);
$other->answer(qr{/finish$} => { status => 400 });
elsewhere('nor a 500 a refusal (I2)', 'off', 500,
    '409 unknown 500 claimed 1 1', 0);
elsewhere('nor a success a refusal (I2)', 'off', 200,
    '409 enrolled 200 enrolled 1 1', 0,
    headers => ['X-Accel-Redirect' => '@off']);
$other->answer(qr{/finish$} => { status => 200 });

# X-Accel-Redirect

elsewhere('X-Accel-Redirect after a success', 'plain', 200,
    '200 enrolled 200 enrolled 1 1', 1,
    headers => ['X-Accel-Redirect' => '/static/sorry']);
elsewhere('X-Accel-Redirect after a refusal', 'plain', 400,
    '200 refused 400 redeemed 1 1', 1,
    headers => ['X-Accel-Redirect' => '/static/sorry']);
($session, $id) = elsewhere('X-Accel-Redirect after a 500 (I2)', 'plain',
    500, '200 unknown 500 claimed 1 1', 1,
    headers => ['X-Accel-Redirect' => '/static/sorry']);
closed('X-Accel-Redirect', $session, $id);
elsewhere('X-Accel-Redirect to another finish (I2)', 'plain', 200,
    '409 enrolled 200 enrolled 1 1', 0,
    headers => ['X-Accel-Redirect' => '@again']);
elsewhere('X-Accel-Redirect hides the body that was to be read (I2)',
    'member', 200, '200 unknown 200 claimed 1 1', 1,
    headers => ['X-Accel-Redirect' => '/static/sorry']);

# on the way to the proxy

elsewhere('try_files to a named endpoint', 'try', 200,
    '200 enrolled 200 enrolled 1 0', 1);
elsewhere('try_files to what is no endpoint: never sent (I3)', 'lost', 200,
    '40[03] released - redeemed 0 0', 0);
elsewhere('a mirror gets no copy of a finish (I2)', 'mirror', 200,
    '200 enrolled 200 enrolled 1 1', 0);
is $idp->count, 1, 'the IdP heard of it once';
$idp->answer('/plain/finish' => { status => 200 });
elsewhere('post_action does not send it again (I2)', 'after', 200,
    '200 enrolled 200 enrolled 1 1', 0);

for my $case (['authed', 403], ['limited', 503]) {
    my ($place, $status) = @$case;
    my ($session, $id) = begun();
    finish_at($place, $session) if $place eq 'limited';
    my $before = claims($id);
    is finish_at($place, $session)->status, $status,
        "$place: refused by nginx before the guard";
    is claims($id), $before, 'claims nothing';
}

# a begin that becomes a finish within one request: the begin's answer is
# not the finish's

{
    my ($session, $id) = begun();
    $idp->answer('/leap/begin' => { status => 500 });
    $other->answer('/leap/begin' => { status => 200 });
    is $http->post('/leap/begin', '{}', Cookie => $session)->status, 200,
        'a begin whose error page is a finish';
    is settlement($id)->{outcome}, 'enrolled',
        "is settled by the finish's answer";
}


# --- a worker dies

{
    my ($session, $id) = begun();
    $idp->answer('/plain/finish' => { hang => 1 });
    my $socket = fly('plain', $session);
    $stack->nginx->kill_worker;
    $idp->release({ status => 200 });
    close $socket;

    closed('kill -9 while the IdP has it', $session, $id);
    my $record = $stack->record($id);
    is "$record->{state} " . ($record->{outcome} // '-'), 'claimed -',
        'and nobody settles it';
}

{
    my ($session, $id) = begun();
    $stack->redis->freeze;
    my $socket = $http->connect;
    print $socket $http->bytes('POST', '/kill/finish', [Cookie => $session],
        '{}') =~ s{/kill/}{/ignore/}r;
    $socket->flush;
    $stack->nginx->wait_log(
        qr{request line: "POST /ignore/finish(?!.*request line)}s);
    $stack->nginx->kill_worker;
    $stack->redis->thaw;
    close $socket;

    $stack->wait_record($id, state => 'claimed');
    is $idp->count, 0, 'kill -9 before the claim was granted: nothing sent';
    closed('kill -9 before the claim was granted', $session, $id);
}


# --- the ledger is away when the outcome is known

for my $case ([200, 'enrolled', 'enrolled'], [400, 'refused', 'redeemed'],
    [500, 'unknown', 'claimed'])
{
    my ($status, $outcome, $state) = @$case;
    my ($session, $id) = begun();
    $idp->answer('/plain/finish' => { hang => 1 });
    my $socket = fly('plain', $session);
    $stack->redis->plan;
    $stack->redis->stop;
    $idp->release({ status => $status });

    is $http->read_response($socket)->status, $status,
        "Redis is gone when the IdP says $status: the client hears it";
    $stack->nginx->wait_log(
        qr/no answer from the ledger to settle of token $id/);
    is finish_at('plain', $session)->status,
        $status == 200 ? 410 : 503, 'nothing passes meanwhile (I2, I6)';
    $stack->redis->start;

    is settlement($id)->{outcome}, $outcome, 'it lands when Redis is back';
    is $stack->record($id)->{state}, $state, "$state";
    is $idp->count('/plain/finish'), 1, 'the IdP heard of one (I2)';
}

# the claim's own reply is lost

{
    my ($session, $id) = begun();
    $stack->redis->freeze;
    my $response = finish_at('quick', $session);
    is $response->status, 503, 'no reply to the claim: unavailable (I6)';
    is $response->header('Retry-After'), 1, 'to be tried again';
    is $idp->count, 0, 'and nothing sent';
    $stack->redis->thaw;

    wait_for { my $record = $stack->record($id);
        $record->{state} eq 'redeemed' && $record->{attempts} == 0 }
        'the claim to be given back';
    is $idp->count, 0, 'what Redis did after all is given back (I2)';
    is $stack->finish($session)->status, 200, 'and can be done again';
}


# --- revoked while the IdP has it; nor is there another token meanwhile

for my $case ([200, 'enrolled', 'enrolled'], [400, 'refused', 'revoked'],
    [500, 'unknown', 'claimed'], [0, 'unknown', 'claimed'])
{
    my ($status, $outcome, $state) = @$case;

    for my $how (qw(revoked superseded)) {
        my ($session, $id) = begun();
        my $name = "subject-$subject";
        $idp->answer('/plain/finish' => { hang => 1 });
        my $socket = fly('plain', $session);

        if ($how eq 'revoked') {
            is $stack->revoke(id => $id)->status, 200, 'revoked in flight';
        } else {
            is $stack->issue(subject => $name)->status, 409,
                'not superseded in flight (I9)';
        }
        is $stack->record($id)->{state}, 'claimed', 'the claim stands';
        is $stack->finish($session)->status, 409, 'and nothing else passes';

        $idp->release($status ? { status => $status } : { reset => 1 });
        is settlement($id)->{outcome}, $outcome,
            "$how in flight, then $status: $outcome";
        my $record = $stack->record($id);
        my $end = $how eq 'superseded' && $state eq 'revoked' ? 'redeemed'
            : $state;
        is $record->{state}, $end, "$end";
        is $record->{revoked_at} ? 1 : 0, $how eq 'revoked' ? 1 : 0,
            'and the record says whether it was revoked';
        is $stack->finish($session)->status,
            $end eq 'claimed' ? 409 : $end eq 'redeemed' ? 200 : 410,
            "$end: a further finish (I2)";
    }
}

{
    my ($session, $id) = begun();
    my $socket = $http->connect;
    print $socket $http->bytes('POST', '/full/finish', [Cookie => $session],
        '{}');
    $socket->flush;
    $stack->wait_record($id, state => 'claimed');
    is $stack->revoke(id => $id)->status, 200, 'revoked in flight';
    is $http->read_response($socket)->status, 504, 'and the IdP is not there';
    settlement($id);
    is $stack->record($id)->{state}, 'revoked',
        'revoked in flight and never sent: revoked';
}


is_deeply [audit($stack)], [], 'the trail is whole: no gap, no double, no '
    . 'change without its event (I7)';

done_testing;
