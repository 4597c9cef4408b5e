#!/usr/bin/perl

# The authenticator that a finish brings to be bound: what it says of itself
# stands on the record and in the events, a class has its say before the IdP
# hears of it, and the body goes on as it came.

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/idp";
use Enroll::Audit qw(audit);
use Enroll::Passkey qw(passkey passkey_json passkey_facts);
use Enroll::Refused qw(refused);
use Enroll::Test;
use IdP;
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);

my $json = JSON::PP->new->utf8->canonical;
my $key = '2fc0579f-8113-47ea-b116-bb5a8db9202a';
my $other = 'cb69481e-8ff7-4039-93ec-0a2729a154a8';
my $allowed = spew(test_dir() . '/aaguids', "# models\n$key\n", 0644);

my @facts = qw(authenticator authenticator_aaguid authenticator_attestation
    authenticator_user_verified authenticator_backup_eligible
    authenticator_backed_up authenticator_transports authenticator_origin);

sub told {
    my ($from) = @_;
    return { map { $_ => $from->{$_} } grep { exists $from->{$_} } @facts };
}

sub yes { return $_[0] ? 'yes' : 'no' }


# --- a real browser, and what a real IdP has read

sub browse {
    my ($script, %env) = @_;

    local @ENV{keys %env} = values %env;
    open my $out, '-|', 'node', "$FindBin::Bin/browser/$script"
        or die "node: $!";

    my $planned = 0;

    while (my $line = <$out>) {
        ok !$1, $2 if $line =~ /^(not )?ok \d+ - (.*)/;
        fail $1 if $line =~ /^Bail out! (.*)/;
        note $line if $line =~ /^#/;
        $planned = 1 if $line =~ /^1\.\.\d+$/;
    }

    close $out;
    ok $planned, "$script went to its end";
    return;
}

sub real_browser {
    my $port = free_port();
    my $origin = "http://localhost:$port";
    my $idp = IdP->new(origin => $origin);
    my $stack = stack(idp => $idp, nginx_args => { ports => { '' => $port } },
        class => "authenticators device_bound; origin $origin;
            user_verification required;");
    my $made = $stack->issue(subject => 'ada')->json;

    my %with = (synced => { defaultBackupEligibility => JSON::PP::true,
            defaultBackupState => JSON::PP::true },
        own => { transport => 'usb' });

    browse('bind.mjs', BIND_LINK => $made->{url}, BIND_WITH => $json->encode([
        { state => 'closed', status => 403, authenticator => $with{synced} },
        { state => 'done', status => 200, authenticator => $with{own} },
    ]));

    is $idp->count('/register/finish'), 1,
        'a synced passkey: the IdP has not heard of it';

    my $record = $stack->wait_record($made->{id}, state => 'enrolled');
    is $record->{attempts}, 2, 'it has cost an attempt';

    my ($credential) = $idp->credentials;
    my $want = {
        authenticator => sha256_hex(decode_base64url($credential->{id})),
        authenticator_aaguid => $credential->{aaguid},
        authenticator_attestation => 'none',
        authenticator_user_verified => yes($credential->{user_verified}),
        authenticator_backup_eligible => 'no',
        authenticator_backed_up => yes($credential->{backed_up}),
        authenticator_transports => join(',', @{$credential->{transports}}),
        authenticator_origin => $origin,
    };
    is_deeply told($record), $want,
        'the record says of the passkey what the IdP has stored';

    my ($settle) = $stack->events(id => $made->{id}, event => 'settle');
    is_deeply told($settle), $want, 'and so does the event';

    my ($refuse) = $stack->events(id => $made->{id}, event => 'refuse');
    is "$refuse->{reason} $refuse->{why}", 'authenticator backup_eligible',
        'the other one has an event that says why it was not bound';
    is $refuse->{authenticator_backed_up}, 'yes', 'and what it was';
    isnt $refuse->{authenticator}, $want->{authenticator},
        'which is another credential';
    is_deeply [audit($stack)], [], 'events and records agree (I7)';
    return;
}

subtest 'a real browser', \&real_browser;


# --- one stack for all that is made by hand

my @classes = (
    unread => '',
    any    => 'authenticators any;',
    bound  => 'authenticators device_bound;',
    hard   => 'authenticators hardware;',
    model  => "aaguid $allowed;",
    uv     => 'user_verification required;',
    origin => 'origin https://a.example https://b.example;',
    all    => "authenticators hardware; aaguid $allowed;
               user_verification required; origin https://a.example;",
    twice  => 'authenticators device_bound; attempts 2;',
);
my %class = @classes;
my $classes = join '', map {
    my $says = $class{$_} =~ /attempts/ ? $class{$_}
        : "$class{$_} attempts 100;";
    "enroll_class $_ { ttl 1h; $says }\n" } sort keys %class;

my %place = (
    ''     => '',
    data   => 'enroll_authenticator data.credential;',
    deep   => 'enroll_authenticator a.b.c.d.e.f.g.h;',
    small  => 'client_body_buffer_size 1k;',
    file   => 'client_body_in_file_only clean;',
    stream => 'proxy_request_buffering off; proxy_http_version 1.1;',
);
my %within = (
    'in/here' => '',
    'in/body' => 'enroll_authenticator "";',
    'in/else' => 'enroll_authenticator credential;',
);

sub locations {
    my (%says) = @_;
    return join '', map { "location = /$_/finish { enroll_endpoint finish;
            $says{$_} proxy_pass http://127.0.0.1:%%IDP%%; }\n" }
        grep { $_ } sort keys %says;
}

my $locations = locations(%place) . 'location /in/ {
    enroll_authenticator data.credential; ' . locations(%within) . '}';

my $stack = stack(http => $classes, issuer => 'class standard '
    . join(' ', sort keys %class) . ';', locations => $locations,
    server => 'client_max_body_size 1m; underscores_in_headers on;
        ignore_invalid_headers off;', nginx_args => { log => 'info' });
my $idp = $stack->idp;

my $people = 0;

# A session in which begin has been called, and its token's id.
sub enter {
    my ($class) = @_;

    my ($session, $id) = $stack->enter(subject => 'person-' . ++$people,
        class => $class);
    $stack->begin($session);
    return ($session, $id);
}

sub finish {
    my ($session, $body, %arg) = @_;

    my $path = $arg{place} ? "/$arg{place}/finish" : '/register/finish';
    my @type = ('Content-Type' => 'application/json');
    return $stack->http->post($path, $body, Cookie => $session,
        @{$arg{headers} || \@type});
}

# The last finish that the IdP has heard of.
sub heard {
    my ($place) = @_;
    return ($idp->requests($place ? "/$place/finish" : '/register/finish'))[-1];
}


# --- each policy

my %good = (format => 'packed', aaguid => $key, origin => 'https://a.example',
    transports => ['usb', 'nfc']);

my @policies = (
    [any => {}],
    [any => { eligible => 1, backed_up => 1 }],
    [any => { verified => 0, transports => [] }],
    [bound => {}],
    [bound => { format => 'none' }],
    [bound => { eligible => 1 }, 'backup_eligible'],
    [bound => { eligible => 1, backed_up => 1 }, 'backup_eligible'],
    [hard => {}],
    [hard => { format => 'fido-u2f' }],
    [hard => { format => 'none' }, 'attestation'],
    [hard => { eligible => 1 }, 'backup_eligible'],
    [model => {}],
    [model => { format => 'none' }],
    [model => { aaguid => $other }, 'aaguid'],
    [model => { aaguid => '00000000-0000-0000-0000-000000000000' }, 'aaguid'],
    [uv => {}],
    [uv => { verified => 0 }, 'user_verification'],
    [origin => {}],
    [origin => { origin => 'https://b.example' }],
    [origin => { origin => 'https://a.example.evil.test' }, 'origin'],
    [origin => { origin => 'http://a.example' }, 'origin'],
    [origin => { origin => 'https://a.example:8443' }, 'origin'],
    [origin => { origin => 'https://A.example' }, 'origin'],
    [all => {}],
    [all => { verified => 0 }, 'user_verification'],
    [all => { origin => 'https://b.example' }, 'origin'],
    [unread => { eligible => 1, verified => 0, format => 'none' }],
);

sub policy {
    my ($class, $is, $why) = @_;

    my $name = "$class: " . (join(', ', map { "$_ "
        . (ref $is->{$_} ? 'none' : $is->{$_}) } sort keys %$is) || 'good');
    my ($session, $id) = enter($class);
    my $count = $idp->count('/register/finish');
    my %one = (%good, id => "one of $id", %$is);

    if (!$why) {
        is finish($session, passkey_json(%one))->status, 200, "$name: passes";
        my $record = $stack->wait_record($id, state => 'enrolled');
        is_deeply told($record), passkey_facts(%one), "$name: is recorded";
        my ($settle) = $stack->events(last => 1, id => $id, event => 'settle');
        is_deeply told($settle), passkey_facts(%one), "$name: and told";
        return;
    }

    refused(finish($session, passkey_json(%one)), 403, 'authenticator',
        "$name: refused");
    is $idp->count('/register/finish'), $count,
        "$name: the IdP hears nothing";

    my $record = $stack->record($id);
    is "$record->{state} $record->{attempts}", 'redeemed 1',
        "$name: the attempt counts, the session goes on";
    is_deeply told($record), {}, "$name: nothing is recorded as bound";

    my ($refuse) = $stack->events(last => 1, id => $id, event => 'refuse');
    is_deeply [@$refuse{qw(step reason why attempt)}],
        ['claim', 'authenticator', $why, 1], "$name: the event says $why";
    is_deeply told($refuse), passkey_facts(%one), "$name: and of what";

    my %next = (%good, id => "next of $id");
    is finish($session, passkey_json(%next))->status, 200,
        "$name: another one is taken";
    $record = $stack->wait_record($id, state => 'enrolled');
    is_deeply told($record), passkey_facts(%next),
        "$name: and it is the one on record";
    return;
}

policy(@$_) for @policies;


# --- the attempts that it costs

sub attempts {
    my ($session, $id) = enter('twice');
    my $count = $idp->count('/register/finish');
    my @synced = (%good, eligible => 1);

    refused(finish($session, passkey_json(@synced)), 403, 'authenticator',
        'the first of two attempts');
    refused(finish($session, passkey_json(@synced)), 429, 'locked',
        'the second one locks');
    refused(finish($session, passkey_json(%good)), 429, 'locked',
        'then none is taken any more');

    is $stack->record($id)->{state}, 'locked', 'the record is locked';
    is $idp->count('/register/finish'), $count, 'the IdP has heard of none';

    my ($lock) = $stack->events(id => $id, event => 'lock');
    is $lock->{why}, 'backup_eligible', 'the event says by what';

    # an attempt that the IdP refused, and what it left on the record
    ($session, $id) = enter('bound');
    $idp->answer('/register/finish' => { status => 400 }, { status => 200 });
    finish($session, passkey_json(%good, id => 'the first'));
    $stack->wait_record($id, outcome => 'refused');
    refused(finish($session, 'no JSON'), 403, 'authenticator', 'no JSON');
    finish($session, passkey_json(%good, id => 'the second',
        transports => []));
    is_deeply told($stack->wait_record($id, state => 'enrolled')),
        passkey_facts(%good, id => 'the second', transports => []),
        'the record tells of the last one alone';

    ($session) = $stack->enter(class => 'bound', subject => 'bob');
    refused(finish($session, passkey_json(@synced)), 403, 'order',
        'finish before begin, with the wrong kind: order');
    return;
}

subtest 'what it costs', \&attempts;


# --- bodies of other shapes: as they came, or not at all

my $form = 'Content-Type';
my $one = passkey_json(%good, id => 'one');

my %shapes = (
    'no body'          => [''],
    'no JSON'          => ['id=x&response=y'],
    'bytes'            => [join '', map { chr } 0 .. 255],
    'another JSON'     => ['{"id":"x"}'],
    'an array'         => ["[$one]"],
    'something behind' => ["$one}"],
    'a byte order mark' => ["\xef\xbb\xbf$one"],
    'UTF-16'           => [join '', map { "$_\0" } split //, $one],
    'a member twice'   => [$one =~ s/\{/{"type":"public-key",/r],
    'a member again, with a capital' => [$one =~ s/\{/{"Response":{},/r],
    'an assertion'     => [passkey_json(%good, type => 'webauthn.get')],
    'gzip, as it says' => [$one, [$form => 'application/json',
        'Content-Encoding' => 'gzip']],
    'identity, as it says' => [$one, [$form => 'application/json',
        'Content-Encoding' => 'identity']],
    'a form, as it says' => [$one,
        [$form => 'application/x-www-form-urlencoded']],
    'parts, as it says' => [$one, [$form => 'multipart/form-data; boundary=x']],
    'CBOR, as it says' => [$one, [$form => 'application/cbor']],
    'UTF-7, as it says' => [$one, [$form => 'application/json; charset=utf-7']],
    'UTF-16, further on' => [$one,
        [$form => 'application/json; charset=utf-8; charset=utf-16']],
    'a form, as it begins' => [$one,
        [$form => 'application/x-www-form-urlencoded+json']],
    'a kind with a space' => [$one, [$form => 'application/vnd.a b+json']],
    'a kind of nobody' => [$one, [$form => 'application/vnd.+json']],
    'a kind with a plus' => [$one, [$form => 'application/vnd.a+b+json']],
    'another kind'     => [$one, [$form => 'application/problem+json']],
    'gzip, to CGI'     => [$one, [$form => 'application/json',
        'Content_Encoding' => 'gzip']],
    'a form, to CGI'   => [$one, [$form => 'application/json',
        'Content_Type' => 'application/x-www-form-urlencoded']],
    'a form, to CGI alone' => [$one,
        ['content.type' => 'application/x-www-form-urlencoded']],
    'two types'        => [$one, [$form => 'application/json',
        $form => 'application/x-www-form-urlencoded']],
    'an empty type'    => [$one, [$form => '']],
    'too large'        => [$one . ' ' x (65537 - length $one)],
    'far too large'    => [$one . ' ' x 300000],
    'in a file'        => [$one, undef, 'file'],
    'elsewhere'        => ["{\"data\":{\"credential\":$one}}"],
    'not in its place' => [$one, undef, 'data'],
    'not where it is inherited' => [$one, undef, 'in/here'],
    'deeper than its place' => ["{\"data\":{\"credential\":{\"x\":$one}}}",
        undef, 'data'],
    'eight names, seven members' =>
        ['{"a":{"b":{"c":{"d":{"e":{"f":{"g":' . "$one}}}}}}}", undef, 'deep'],
);

sub shape {
    my ($name, $body, $headers, $place) = @_;

    my %how = (headers => $headers, place => $place);
    my ($session, $id) = enter('any');
    my $count = $idp->count(qr/finish/);

    refused(finish($session, $body, %how), 403, 'authenticator',
        "$name: refused");
    is $idp->count(qr/finish/), $count, "$name: the IdP hears nothing";
    my ($refuse) = $stack->events(last => 1, id => $id, event => 'refuse');
    is $refuse->{why}, 'unread', "$name: unread, says the event";
    is_deeply told($refuse), {}, "$name: of which nothing is known";

    ($session, $id) = enter('unread');
    is finish($session, $body, %how)->status, 200, "$name: passes unread";
    ok heard($place)->body eq $body, "$name: byte for byte";
    is_deeply told($stack->wait_record($id, state => 'enrolled')), {},
        "$name: nothing is recorded of it";
    return;
}

shape($_, @{$shapes{$_}}) for sort keys %shapes;

# no demand is met by what cannot be read
for my $class (qw(model uv origin all bound hard)) {
    my ($session) = enter($class);
    refused(finish($session, '{"id":"x"}'), 403, 'authenticator',
        "$class: what cannot be read is refused");
}

like slurp($stack->nginx->{logs} . '/error.log'),
    qr/\[info\].* the registration response cannot be read: the body is in a/,
    'the log says why';


# --- what is read, however it comes

my $chunked = sub {
    my ($size) = @_;
    return join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
        ($one =~ /(.{1,$size})/gs), '';
};
my $padded = $one . ' ' x (65536 - length $one);
my @chunked = ('Transfer-Encoding' => 'chunked');
my @json = ($form => 'application/json');

my %readable = (
    'of no type'       => [$one, []],
    'plain text'       => [$one, [$form => 'text/plain;charset=UTF-8']],
    'JSON in UTF-8'    => [$one, [$form => 'application/json; charset=utf-8']],
    'in quotes'        => [$one,
        [$form => 'Application/JSON ;charset="UTF-8"']],
    'of a kind'        => [$one, [$form => 'application/vnd.webauthn+json']],
    'by PATCH'         => [$one, undef, ''],
    'of 64 KiB'        => [$padded],
    'of 64 KiB, to a small buffer' => [$padded, undef, 'small'],
    'of 64 KiB, not buffered' => [$padded, undef, 'stream'],
    'in chunks'        => [$chunked->(100), [@json, @chunked], '', $one],
    'in single bytes'  => [$chunked->(1), [@json, @chunked], '', $one],
    'with white space' => [" \r\n$one\t\n"],
    'in its place'     => ["{\"data\":{\"credential\":$one}}", undef, 'data'],
    'in its deep place' => ['{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":'
        . "$one}}}}}}}}", undef, 'deep'],
    'in a place that is inherited' => ["{\"data\":{\"credential\":$one}}",
        undef, 'in/here'],
    'in the body, said again' => [$one, undef, 'in/body'],
    'in another place' => ["{\"credential\":$one}", undef, 'in/else'],
);

sub readable {
    my ($name, $body, $headers, $place, $plain) = @_;

    my ($session, $id) = enter('all');

    if ($name eq 'by PATCH') {
        is $stack->http->request('PATCH', '/register/finish',
            [@json, Cookie => $session], $body)->status, 200, "$name: passes";
    } else {
        is finish($session, $body, headers => $headers,
            place => $place)->status, 200, "$name: passes";
    }

    ok heard($place)->body eq ($plain // $body), "$name: byte for byte";
    is_deeply told($stack->wait_record($id, state => 'enrolled')),
        passkey_facts(%good, id => 'one'), "$name: is read";
    return;
}

readable($_, @{$readable{$_}}) for sort keys %readable;


# --- who holds the token itself, and has no browser

my $direct = $stack->token(subject => 'machine', class => 'hard');
my @bearer = (Authorization => "Bearer $direct", @json);
$stack->http->post('/register/begin', '{}', @bearer);
refused($stack->http->post('/register/finish', '{}', @bearer), 403,
    'authenticator', 'a bearer of the token is asked the same');
is $stack->http->post('/register/finish', $one, @bearer)->status, 200,
    'and gets the same answer';

is_deeply [audit($stack)], [], 'events and records agree (I7)';


# --- the directive

sub conf {
    my ($says) = @_;
    return nginx_test_config(http => "server { enroll_authenticator $says; }");
}

my $long = 'x' x 64;

for my $place ('data', 'data.credential', 'a.b.c.d.e.f.g.h', '""', $long,
    join('.', ($long) x 8), '"a-b_c:d$e.[0]"')
{
    my ($status, $said) = conf($place);
    is $status, 0, 'enroll_authenticator ' . substr($place, 0, 20) . ' loads'
        or diag($said);
}

for my $place ('.', '.data', 'data.', 'a..b', 'a.b.c.d.e.f.g.h.i', "x$long",
    "a.x$long", '"a b"', "\"a\tb\"", '"\x7f"', "d\xc3\xa4ta", "\"a\nb\"")
{
    my ($status, $said) = conf($place =~ s/\\x7f/\x7f/r);
    is $status, 1, 'enroll_authenticator ' . ($place =~ s/\n/ /r)
        . ' does not load';
    like $said, qr/invalid place/, 'and it is said what is wrong';
}

for my $wrong ('', 'a b', 'data; enroll_authenticator data') {
    my ($status, $said) = conf($wrong);
    is $status, 1, "enroll_authenticator $wrong; does not load";
    like $said, qr/"enroll_authenticator" directive|is duplicate/,
        'and it is said of which directive';
}


done_testing;
