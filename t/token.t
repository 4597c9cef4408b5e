#!/usr/bin/perl

# Credentials as people, mail clients and attackers mangle them: refused at
# the proxy before Redis hears of them. And what the proxy takes out of a
# request never reaches the IdP, while all the rest does.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use MIME::Base64 qw(decode_base64url encode_base64url);


my $stack = stack(
    workers => 2,
    server  => 'underscores_in_headers on; ignore_invalid_headers off;',
    locations => <<'CONF');
        location /bare/ {
            enroll_endpoint open;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /vars/ {
            enroll_endpoint open;
            proxy_set_header X-Cookie $http_cookie;
            proxy_set_header X-Cookie-A $cookie_a;
            proxy_set_header X-Auth $http_authorization;
            proxy_set_header X-Agent $http_user_agent;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /asked/ {
            enroll_endpoint open;
            auth_request /sub;
            mirror /copy;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /sub {
            internal;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /copy {
            internal;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /files/ {
            enroll_endpoint open;
            alias %%STACK%%/files/;
        }
CONF

my $idp = $stack->idp;
my $http = $stack->http;
my $other = stack();                # the same, with other keys
my $monitor = $stack->redis->monitor;

mkdir $stack->dir . '/files';
spew($stack->dir . '/files/text', join '', 'a' .. 'z');


sub flip {
    my ($text, $bit) = @_;
    my ($prefix, $rest) = $text =~ /\A(en[rs]_)(.*)\z/;
    my $raw = decode_base64url($rest);
    vec($raw, $bit, 1) ^= 1;
    return $prefix . encode_base64url($raw);
}


# What somebody can do to a token: name => text, none of them genuine.

sub mangled {
    my ($text) = @_;

    my $half = int(length($text) / 2);
    my ($head, $tail) = (substr($text, 0, $half), substr($text, $half));
    (my $swapped = substr $text, 4) =~ tr/-_Aa/+\/aA/;
    (my $last = $text) =~ s/(.)\z/chr(ord($1) ^ 1)/e;

    return (
        'cut by one'              => substr($text, 0, -1),
        'cut in half'             => $head,
        'without its first'       => substr($text, 1),
        'its prefix only'         => substr($text, 0, 4),
        'longer by one'           => $text . 'A',
        'padded'                  => $text . '=',
        'padded twice'            => $text . '==',
        'in upper case'           => uc $text,
        'in lower case'           => lc $text,
        'its prefix in upper case' => uc(substr $text, 0, 4)
                                      . substr($text, 4),
        'another last character'  => $last,
        'in another base64'       => substr($text, 0, 4) . $swapped,
        'with a space inside'     => "$head $tail",
        'with a tab inside'       => "$head\t$tail",
        'in double quotes'        => "\"$text\"",
        'in single quotes'        => "'$text'",
        'in angle brackets'       => "<$text>",
        'with a full stop'        => "$text.",
        'twice'                   => $text . $text,
        'twice, with a comma'     => "$text,$text",
        'twice, with a space'     => "$text $text",
        'percent-encoded'         => sprintf('%%%02x', ord $text)
                                     . substr($text, 1),
        'with its prefix twice'   => substr($text, 0, 4) . $text,
        'with another prefix'     => ($text =~ /\Aenr/ ? 'ens_' : 'enr_')
                                     . substr($text, 4),
        'with a high byte'        => "$head\xff$tail",
    );
}


# A token, and a session of it, that the harness does not look for: remains of
# a mangled one that has no prefix any more cannot be masked in the debug log.

sub forgettable {
    my $body = '{"subject":"forgettable","class":"standard"}';
    my $socket = $http->connect;

    print {$socket} $http->bytes('POST', '/enroll/issue',
        [webhook_headers($stack->{secret}, $body)], $body);
    my ($token) = do { local $/; <$socket> } =~ /"token":"([^"]+)"/;

    $socket = $http->connect;
    print {$socket} $http->bytes('POST', '/enroll', [], "token=$token");
    my ($cookie) = do { local $/; <$socket> } =~ /__Host-enroll=([^;]+)/;

    return ($token, $cookie);
}


# No command reached Redis since the last call.

sub nothing_asked {
    my ($name) = @_;
    my @commands = $monitor->commands;
    return is scalar(map { join ' ', @{$_->{args}} } @commands), 0,
        "$name: Redis was not asked";
}

sub unheard {
    my ($name) = @_;
    my @requests = $idp->requests;
    $idp->clear;
    return is scalar(@requests), 0, "$name: the IdP has heard nothing"
        || diag map { $_->raw } @requests;
}


my $token = $stack->token(subject => 'ada');
my ($mangle, $mangle_session) = forgettable();
my $foreign = $other->token(subject => 'ada');
my ($session, $id) = $stack->enter(subject => 'bea');
my ($cookie) = $session =~ /=(.*)/;
my $foreign_session = $other->session($other->token(subject => 'bea'));

ok scalar($monitor->commands), 'MONITOR sees what is asked';


subtest 'a mangled token in a form (I5)' => sub {
    my %table = (mangled($token), 'of other keys' => $foreign,
        'a session' => $cookie, 'behind a space' => " $token",
        'before a space' => "$token ", 'behind a tab' => "\t$token",
        'before a tab' => "$token\t", 'behind a plus' => "+$token",
        'before a newline' => "$token\r\n", 'behind a newline' => "\n$token",
        'before a NUL' => "$token\0", 'behind a NUL' => "\0$token",
        'a word' => 'x', 'with another field behind it' => "$token&a=b",
        'with another token field' => "$token&token=$token",
        'with itself as another field' => "$token&token=x");

    for my $name (sort keys %table) {
        refused($stack->redeem($table{$name}), 401, 'forged', $name);
    }

    nothing_asked('forms');
};


subtest 'every bit of a token' => sub {
    my $wrong = 0;
    my $tries = 0;

    for my $bit (0 .. 44 * 8 - 1) {
        my $response = $stack->redeem(flip($token, $bit));
        my $reason = ($response->json || {})->{reason} // '';
        $wrong++ if $response->status != 401 || $reason ne 'forged';
        $tries++;
    }

    is $tries, 352, 'all of them';
    is $wrong, 0, 'flipped: refused as forged';
    nothing_asked('flipped bits');
};


subtest 'every bit of a session' => sub {
    my $wrong = 0;
    my $bits = 8 * length decode_base64url(substr $cookie, 4);

    for my $bit (0 .. $bits - 1) {
        my $response = $http->get('/register',
            Cookie => '__Host-enroll=' . flip($cookie, $bit));
        my $reason = ($response->json || {})->{reason} // '';
        $wrong++ if $response->status != 401 || $reason ne 'forged';
    }

    is $bits, 544, 'all of them';
    is $wrong, 0, 'flipped: refused as forged';
    nothing_asked('flipped bits');
    unheard('flipped bits');
};


subtest 'no token in a form' => sub {
    my %body = ('nothing' => '', 'an empty field' => 'token=',
        'no value' => 'token', 'another field' => "tok=$token",
        'another field first' => "a=b&token=$token",
        'in upper case' => "TOKEN=$token", 'the token alone' => $token,
        'JSON' => qq({"token":"$token"}), 'behind a space' => " token=$token",
        'a percent-encoded name' => "%74oken=$token");

    for my $name (sort keys %body) {
        refused($http->post('/enroll', $body{$name}, 'Content-Type'
            => 'application/x-www-form-urlencoded'), 400, 'body', $name);
    }

    refused($http->post('/enroll', <<"END", 'Content-Type' =>
--b\r
Content-Disposition: form-data; name="token"\r
\r
$token\r
--b--\r
END
        'multipart/form-data; boundary=b'), 400, 'body', 'multipart');

    refused($stack->redeem('A' x 1019), 400, 'body', 'more than 1024 bytes');
    refused($stack->redeem('A' x 1018), 401, 'forged', '1024 bytes');
    refused($http->request('POST', '/enroll',
            ['Transfer-Encoding' => 'chunked'], "0\r\n\r\n"),
        400, 'body', 'a body without a length');

    nothing_asked('no token');
};


subtest 'a token in JSON' => sub {
    my %body = (
        'nothing' => '', 'no object' => qq("$token"),
        'an array' => qq(["$token"]), 'another member' => qq({"t":"$token"}),
        'an extra member' => qq({"token":"$token","a":1}),
        'twice' => qq({"token":"$token","token":"$token"}),
        'twice, the other forged' => qq({"token":"x","token":"$token"}),
        'in an object' => qq({"token":{"token":"$token"}}),
        'in an array' => qq({"token":["$token"]}),
        'a number' => '{"token":1}', 'null' => '{"token":null}',
        'empty' => '{"token":""}', 'not closed' => qq({"token":"$token"),
        'more behind it' => qq({"token":"$token"}x),
        'two of them' => qq({"token":"$token"}{"token":"$token"}),
        'a NUL' => qq({"token":"$token\\u0000"}),
        'not UTF-8' => qq({"token":"$token\xff"}),
        'deep' => '[' x 1000,
        'a form' => "token=$token",
    );

    for my $name (sort keys %body) {
        refused($http->post('/enroll', $body{$name},
                'Content-Type' => 'application/json'), 400, 'body', $name);
    }

    my %table = mangled($token);
    delete $table{'with a high byte'};

    for my $name (sort keys %table) {
        (my $text = $table{$name}) =~ s/(["\\\t])/sprintf '\u%04x', ord $1/ge;
        refused($http->post('/enroll', qq({"token":"$text"}),
                'Content-Type' => 'application/json; charset=utf-8'),
            401, 'forged', $name);
    }

    nothing_asked('JSON');
};


subtest 'a mangled token as a bearer (I5)' => sub {
    my %table = (mangled($mangle), 'of other keys' => $foreign);

    # what does not look like a token any more is no credential of ours
    my @other = ('without its first', 'percent-encoded', 'its prefix only',
        'with another prefix');

    for my $name (sort keys %table) {
        my $ours = !grep { $_ eq $name } @other;
        refused($stack->begin_by(Authorization => "Bearer $table{$name}"),
            401, $ours || $name =~ /prefix only/ ? 'forged' : 'missing',
            $name);
    }

    my %value = (
        'no credentials' => ['Bearer', 'missing'],
        'another scheme' => ["Basic $token", 'forged'],
        'a scheme glued to it' => ["Bearer$token", 'forged'],
        'a tab between' => ["Bearer\t$token", 'forged'],
        'a comma between' => ["Bearer,$token", 'forged'],
        'a parameter' => ["Bearer token=$token", 'forged'],
        'a second scheme' => ["Bearer Bearer $token", 'forged'],
        'a second token' => ["Bearer $token, Bearer $token", 'forged'],
        'a user and a password' => ['Basic YWRhOmFkYQ==', 'missing'],
        'a JSON web token' => ['Bearer eyJhbGciOiJub25lIn0.e30.', 'missing'],
        'without a scheme' => [$token, 'forged'],
    );

    for my $name (sort keys %value) {
        my ($text, $reason) = @{$value{$name}};
        refused($stack->begin_by(Authorization => $text), 401, $reason,
            $name);
    }

    my $twice = $http->post('/register/begin', '{}',
        Authorization => "Bearer $token", Authorization => "Bearer $token");
    is $twice->status, 400, 'two headers';

    nothing_asked('bearers');
    unheard('bearers');
};


subtest 'a mangled session' => sub {
    my %table = (mangled($mangle_session), 'empty' => '', 'a word' => 'x',
        'behind a space' => " $cookie", 'before a space' => "$cookie ; a=b",
        'behind a tab' => "\t$cookie", 'before a tab' => "$cookie\t; a=b",
        'a token' => $token, 'of other keys' => $foreign_session
            =~ /=(.*)/);

    for my $name (sort keys %table) {
        refused($http->get('/register',
                Cookie => "__Host-enroll=$table{$name}"),
            401, 'forged', $name);
    }

    for my $cookies ("$session; $session", "$session; a=b; $session",
        "$session; __Host-enroll=", "__Host-enroll=x; $session",
        "$session;$session", "$session ; $session")
    {
        (my $name = $cookies) =~ s/\Q$cookie\E/…/g;
        refused($http->get('/register', Cookie => $cookies), 400,
            'duplicate', "twice: $name");
    }

    refused($http->get('/register', Cookie => $session, Cookie => $session),
        400, 'duplicate', 'in two headers');
    refused($http->get('/register', Cookie => "a=b; $session",
            Cookie => "$session; c=d"), 400, 'duplicate',
        'in two headers, among others');

    nothing_asked('sessions');
    unheard('sessions');
};


subtest 'two credentials in one request (I3)' => sub {
    for my $path (qw(/ /admin /register /register/assets/x)) {
        refused($http->get($path, Cookie => $session,
                Authorization => "Bearer $token"), 400, 'duplicate',
            "a token and a session at $path");
        refused($http->get($path, Cookie => '__Host-enroll=x',
                Authorization => 'Bearer enr_x'), 400, 'duplicate',
            "two forged ones at $path");
    }

    nothing_asked('two credentials');
    unheard('two credentials');
};


subtest 'what is ours but forged passes nowhere (I3)' => sub {
    for my $path (qw(/ /admin /other/x)) {
        refused($http->get($path, Cookie => '__Host-enroll=x'), 403, 'scope',
            "a forged session at $path");
        refused($http->get($path, Authorization => "Bearer ${token}A"), 403,
            'scope', "a forged token at $path");
        refused($http->get($path, Authorization => "Bearer $token"), 403,
            'scope', "a token at $path");
    }

    nothing_asked('forged ones');
    unheard('forged ones');
};


subtest 'other credentials than ours pass untouched' => sub {
    my @values = ('Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA-_A',
        'Basic YWRhOmFkYQ==', 'Bearer', 'bearer x', 'Negotiate abc',
        'Bearer abcenr_def', 'Bearer a-enr_b.c_enr_d', 'Bearer e.ENR',
        'Digest username="x", uri="/a;b", nonce="c,d"', "Bearer \xc3\xa9");

    for my $path (qw(/ /admin?a=b /register/assets/x /bare/x)) {
        for my $value (@values) {
            $http->get($path, Authorization => $value);
            my ($got) = $idp->requests;
            is $got && $got->header('Authorization'), $value,
                "$value at $path";
            $idp->clear;
        }
    }

    nothing_asked('other credentials');
};


subtest 'a scheme is a word in any case' => sub {
    for my $scheme ('Bearer', 'bearer', 'BEARER', 'bEaReR', 'Bearer  ') {
        my $text = $stack->token(subject => 'cyd');
        passed($stack->begin_by(Authorization => "$scheme $text"),
            "$scheme");
    }

    is $idp->count, 5, 'the IdP has heard them all';
    $idp->clear;
};


# --- what the proxy takes out of a request, and what it does not


my @others = (
    # as it comes, and as it is to go; X is ours
    ['X'                     => undef],
    ['X; a=1'                => 'a=1'],
    ['a=1; X'                => 'a=1'],
    ['a=1; X; b=2'           => 'a=1; b=2'],
    ['a=1;X;b=2'             => 'a=1; b=2'],
    ['X;a=1;b=2;c=3'         => 'a=1; b=2; c=3'],
    ['a=1;b=2;c=3;X'         => 'a=1; b=2; c=3'],
    ['a=1; a=2; X; a=3'      => 'a=1; a=2; a=3'],
    ['a=; X; b'              => 'a=; b'],
    ['a="x y"; X; b=c=d'     => 'a="x y"; b=c=d'],
    ['__Host-enrolled=1; X; x__Host-enroll=2; __Host-enrol=3'
        => '__Host-enrolled=1; x__Host-enroll=2; __Host-enrol=3'],
    ['__Secure-x=1; X'       => '__Secure-x=1'],
    ["a=\xc3\xa9; X; b=\xff" => "a=\xc3\xa9; b=\xff"],
    ['X;'                    => undef],
    [';X'                    => undef],
    [join(';', map { "c$_=$_" } 1 .. 150) . ';X;'
        . join(';', map { "d$_=$_" } 1 .. 150)
        => join('; ', (map { "c$_=$_" } 1 .. 150),
            map { "d$_=$_" } 1 .. 150)],
    [join('; ', 'X', map { "c$_=" . 'v' x $_ } 1 .. 60)
        => join('; ', map { "c$_=" . 'v' x $_ } 1 .. 60)],
);

# white space around a semicolon means nothing
sub spaced {
    my ($cookies) = @_;
    return if !defined $cookies;
    $cookies =~ s/\s*;\s*/; /g;
    $cookies =~ s/\A(?:; )+|(?:; ?)+\z//g;
    return $cookies;
}


subtest 'cookies of others reach the IdP, ours does not (I3, I5)' => sub {
    for my $row (@others) {
        my ($given, $want) = @$row;
        (my $cookies = $given) =~ s/X/$session/;
        my $name = length $given > 60 ? substr($given, 0, 50) . '…' : $given;

        for my $path (qw(/register /bare/x)) {
            my $response = $http->get($path, 'X-Before' => 'b',
                Cookie => $cookies, 'X-After' => 'after', 'X-End' => 'e');
            passed($response, "$name passes at $path");

            my ($got) = $idp->requests;
            is spaced($got->header('Cookie')), $want,
                "$name at $path: the others in their order";
            is join(' ', map { $got->header("X-$_") // '' }
                qw(Before After End)), 'b after e', '… and the headers';
            unlike $got->raw, qr/ens_|\b__Host-enroll=/, '… and not ours';
            $idp->clear;
        }
    }
};


subtest 'no byte of a Cookie is changed where there is none of ours' => sub {
    for my $row (@others, ['a=1;b=2'], [';'], ['; ;a'], [' a=1 ;b=2 ; c'],
        [join ';', 'a' .. 'z'], [';' x 500], [join ';', 1 .. 1000])
    {
        (my $cookies = $row->[0]) =~ s/X/x=y/;
        (my $want = $cookies) =~ s/\A\s+//;
        my $name = length $cookies > 60 ? substr($cookies, 0, 50) . '…'
            : $cookies;

        $http->get('/', 'X-Before' => 'b', Cookie => $cookies,
            'X-After' => 'after', 'X-End' => 'e');
        my ($got) = $idp->requests;
        is $got->header('Cookie'), $want, $name;
        is join(' ', map { $got->header("X-$_") // '' }
            qw(Before After End)), 'b after e', '… and the headers';
        $idp->clear;
    }
};


# Under a name that is not quite ours it is no credential, and still a secret.

subtest 'a session under another name is masked (I5)' => sub {
    for my $cookies ("__Host-enroll =$cookie", "a=b, $session",
        "__host-enroll=$cookie", "a=$cookie", "a=b; c=$cookie; d=e",
        "a=\"$cookie\"")
    {
        (my $want = $cookies) =~ s/\Q$cookie\E/'ens_' . '*' x 91/e;
        (my $name = $cookies) =~ s/\Q$cookie\E/SESSION/;

        refused($http->get('/register', Cookie => $cookies), 401, 'missing',
            "$name: no credential");
        $http->get('/other', Cookie => $cookies);
        my ($got) = $idp->requests;
        is $got->header('Cookie'), $want, '… and masked';
        $idp->clear;
    }
};


subtest 'two Cookie headers' => sub {
    passed($http->get('/bare/x', Cookie => 'a=1; b=2', 'X-A' => 'a',
        Cookie => "c=3; $session; d=4"), 'pass');
    my ($got) = $idp->requests;
    is join('|', $got->headers('Cookie')), 'a=1; b=2|c=3; d=4',
        'with what was beside ours';
    $idp->clear;

    passed($http->get('/bare/x', Cookie => $session, Cookie => 'a=1'),
        'pass');
    ($got) = $idp->requests;
    is join('|', $got->headers('Cookie')), 'a=1', 'or one of them goes';
    $idp->clear;
};


subtest 'variables see what the IdP does (I5)' => sub {
    $http->get('/vars/x', Cookie => "a=1; $session; b=2",
        'User-Agent' => 'agent', 'X-Forwarded-For' => '192.0.2.1',
        'X-Forwarded-For' => '192.0.2.2');
    my ($got) = $idp->requests;
    is $got->header('X-Cookie'), 'a=1; b=2', '$http_cookie';
    is $got->header('X-Cookie-A'), '1', '$cookie_a';
    is $got->header('X-Agent'), 'agent', '$http_user_agent';
    is $got->header('X-Forwarded-For'), '192.0.2.1, 192.0.2.2, 127.0.0.1',
        '$proxy_add_x_forwarded_for';
    $idp->clear;

    $http->get('/vars/x', Authorization => "Bearer $token",
        'User-Agent' => 'agent', Cookie => 'a=1');
    ($got) = $idp->requests;
    is $got->header('X-Auth'), undef, '$http_authorization';
    is $got->header('X-Agent'), 'agent', '$http_user_agent';
    is $got->header('X-Cookie'), 'a=1', '$http_cookie';
    $idp->clear;
};


# Headers come in parts of twenty: wherever ours stand, all the others stay,
# in their order, and what nginx itself reads still is what it was.

subtest 'removing headers leaves all others' => sub {
    my @rest = ((map { ("X-$_" => "value $_") } 1 .. 20),
        'X-Forwarded-For' => '192.0.2.1', 'X-Same' => '1',
        'X-Forwarded-For' => '192.0.2.2', 'X-Same' => '2',
        (map { ("Y-$_" => "value $_") } 1 .. 20));
    my $wrong = 0;
    my $tries = 0;

    for my $at (0 .. @rest / 2) {
        for my $ours (
            [Authorization => "Bearer $token"],
            [Cookie => $session],
            ['Enroll-Subject' => 'mallory'],
            [Cookie => $session, 'Enroll-Subject' => 'mallory',
                'enroll-id' => 'x', 'ENROLL_CLASS' => 'y'])
        {
            my @headers = @rest;
            splice @headers, 2 * $at, 0, @$ours;
            $http->request('GET', '/bare/x', \@headers);

            my ($got) = $idp->requests;
            my @names = grep { !/\A(?:Host|Connection)\z/ }
                map { $_->[0] } @{$got->{headers}};
            my @values = map { $_->[1] }
                grep { $_->[0] !~ /\A(?:Host|Connection)\z/ }
                @{$got->{headers}};
            my @want = @rest;
            my $text = '';
            while (my ($name, $value) = splice @want, 0, 2) {
                $text .= "$name: $value\n";
            }
            my $have = '';
            $have .= "$names[$_]: $values[$_]\n" for 0 .. $#names;

            $tries++;
            $wrong++ || diag($have) if $have ne $text;
            $idp->clear;
        }
    }

    ok $tries > 150, 'at all places';
    is $wrong, 0, 'none is lost, moved or changed';
};


subtest 'what nginx reads of the headers still is there' => sub {
    my @fill = map { ("X-$_" => $_) } 1 .. 17;

    for my $ours ([Authorization => "Bearer $token"], [Cookie => $session],
        [map { ("Enroll-$_" => $_) } 1 .. 30])
    {
        my $name = $ours->[0];

        my $part = $http->request('GET', '/files/text', [@fill, @$ours,
            Range => 'bytes=3-5']);
        is $part->status . $part->body, '206def', "$name: Range";

        my $last = $http->get('/files/text')->header('Last-Modified');
        is $http->request('GET', '/files/text', [@fill, @$ours,
            'If-Modified-Since' => $last])->status, 304,
            "$name: If-Modified-Since";

        my $socket = $http->connect;
        my $one = $http->bytes('GET', '/files/text', [@$ours, @fill,
            Connection => 'keep-alive']);
        print {$socket} $one;
        is $http->read_response($socket)->status, 200,
            "$name: Connection";
        print {$socket} $one;
        is $http->read_response($socket)->status, 200, '… keeps it alive';
        close $socket;
    }

    $stack->begin_by(Authorization => "Bearer $token", @fill,
        'Content-Type' => 'application/json');
    my ($got) = $idp->requests;
    is $got->body, '{}', 'Content-Length';
    is $got->header('Content-Type'), 'application/json', 'Content-Type';
    is $got->header('Authorization'), undef, 'and not the token (I5)';
    $idp->clear;
};


subtest 'subrequests and mirrors get nothing of ours (I5)' => sub {
    for my $ours ([Authorization => "Bearer $token"],
        [Cookie => "$session; a=b"], [Cookie => "a=b; $session"])
    {
        passed($http->request('GET', '/asked/x', [@$ours,
            'Enroll-Subject' => 'mallory', 'X-A' => 'a']), 'passes');
        $idp->wait_count(3);

        for my $got ($idp->requests) {
            my $name = $ours->[0] . ' to ' . $got->path;
            is $got->header('Authorization'), undef, "$name: no token";
            is $got->header('Cookie'), $ours->[0] eq 'Cookie' ? 'a=b'
                : undef, "$name: no session";
            is $got->header('Enroll-Subject'), undef, "$name: no subject";
            is $got->header('X-A'), 'a', "$name: all else";
        }
        $idp->clear;
    }
};


subtest 'what a client says in the name of the proxy (I3)' => sub {
    my $fresh = $stack->token(subject => 'dan');
    my $his = $stack->session($fresh);

    for my $header ('Enroll-Subject', 'enroll-subject', 'ENROLL-SUBJECT',
        'Enroll_Subject', 'enroll_subject', 'ENROLL_SUBJECT',
        'Enroll.Subject', 'eNrOlL~sUbJeCt', 'Enroll--Subject', 'Enroll-',
        'Enroll_', 'Enroll-Id', 'Enroll-Class', 'Enroll-Assertion',
        "Enroll\x80Subject", 'Enroll@Subject')
    {
        (my $name = $header) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;

        for my $path (qw(/ /bare/x /admin /register/assets/x)) {
            $http->get($path, $header => 'mallory');
            my ($got) = $idp->requests;
            unlike $got->raw, qr/mallory/, "$name at $path";
            $idp->clear;
        }

        $http->get('/register', $header => 'mallory', Cookie => $his);
        my ($got) = $idp->requests;
        is join('|', map { join ': ', @$_ } grep { $_->[0] =~ /enroll/i }
            @{$got->{headers}}), 'Enroll-Subject: dan',
            "$name beside a session";
        $idp->clear;
    }

    # what turns a request into another one, as CGI or a careless IdP reads it
    for my $header (map { ($_, tr/-/_/r, tr/-/./r, lc(tr/-/_/r), uc) }
        qw(X-Original-URL X-Rewrite-URL X-HTTP-Method-Override X-HTTP-Method
            X-Method-Override))
    {
        my $endpoint = $header =~ /url/i ? '/register' : '/register/begin';
        my $method = $endpoint eq '/register' ? 'GET' : 'POST';
        passed($http->request($method, $endpoint, [Cookie => $his,
            $header => 'mallory'], $method eq 'POST' ? '{}' : undef),
            "$header at $endpoint");
        my ($got) = $idp->requests;
        unlike $got->raw, qr/mallory/, '… is not told';
        $idp->clear;
    }

    for my $header ('X-Enroll-Subject', 'Enrolled-By', 'Enrollment') {
        $http->get('/bare/x', $header => 'somebody');
        my ($got) = $idp->requests;
        is $got->header($header), 'somebody', "$header is somebody else's";
        $idp->clear;
    }

    # no header of HTTP at all
    for my $header (' Enroll-Subject', "\tEnroll-Subject", 'Enroll Subject',
        'Enroll-Subject ')
    {
        is $http->get('/bare/x', $header => 'mallory')->status, 400,
            "'$header'";
    }
    unheard('headers with spaces');
};


subtest 'the genuine ones after all that' => sub {
    my $response = $stack->redeem($stack->token(subject => 'eve'));
    is $response->status, 200, 'a token is redeemed';
    passed($stack->page($session), 'a session passes');
    is $stack->record($id)->{state}, 'redeemed', 'as before';
};

done_testing;
