#!/usr/bin/perl

# Configurations that a person will write: the good ones load, the bad ones
# fail at `nginx -t`, in the right file and line, with words that say what is
# wrong and what would be right.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

use JSON::PP ();


my $dir = test_dir();
my $keys = make_keys();
my $secret = spew("$dir/hr.secret", webhook_secret() . "\n", 0600);
my $password = spew("$dir/password", "a password\n", 0600);
my $json = JSON::PP->new->canonical;

my %part = (
    zone   => 'enroll_zone enroll 1m;',
    keys   => "enroll_keys $keys;",
    redis  => 'enroll_redis 127.0.0.1:1;',
    class  => 'enroll_class standard { ttl 1h; window 5m; attempts 3; }',
    issuer => "enroll_issuer hr { secret_file $secret; }",
    url    => 'enroll_url http://localhost/enroll;',
);


# What stands in http { } before what is tried, all of it or without some.

sub base {
    my (@without) = @_;
    my %without = map { $_ => 1 } @without;
    return join "\n", map { $part{$_} } grep { !$without{$_} } sort keys %part;
}


# Fails, and says both; the line that is marked with "# here" is named.

sub bad {
    my ($name, $http, @regexes) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = nginx_test_config($http);
    my ($line) = $said =~ /^(nginx: \[emerg\] .*)/m;
    my @missed = grep { ($line // '') !~ $_ } @regexes;

    ok $status == 1 && !@missed && defined $line, $name
        or diag("exit $status: $said\nmissed: @missed");

    return if $http !~ /# here/;

    my ($file, $number) = ($line // '') =~ / in (\S+):(\d+)$/;
    my @lines = $file ? split /\n/, slurp($file) : ();
    my $there = $number && $lines[$number - 1] || '';
    like $there, qr/# here/, "$name: names its line";
    return;
}


sub good {
    my ($name, $http) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = nginx_test_config($http);
    is $status, 0, $name or diag($said);
    return;
}


sub server {
    my ($text) = @_;
    return "\nserver {\nlisten 127.0.0.1:1;\n$text\n}\n";
}


subtest 'what is needed and not there' => sub {
    my %location = (
        'enroll_redeem /register;' => 'redeem',
        'enroll_issue hr;'         => 'issue',
        'enroll_revoke hr;'        => 'revoke',
        'enroll_status;'           => 'status',
    );

    for my $handler (sort keys %location) {
        my $name = "enroll_$location{$handler}";
        my $there = server("location / {\n$handler # here\n}");

        bad "$name without a zone", base('zone') . $there,
            qr/needs a shared zone/, qr/"enroll_zone enroll 10m" in http/;
        bad "$name without keys", base('keys') . $there,
            qr/needs keys/, qr/"enroll_keys file" in http/;
        bad "$name without Redis", base('redis') . $there,
            qr/needs a Redis/, qr/say "enroll_redis address"/;
        bad "$name without a class", base('class', 'issuer') . $there,
            qr/there is no class/, qr/"enroll_class standard \{ ttl 24h; \}"/;
    }

    for my $endpoint (qw(page begin finish)) {
        my $there = server("enroll on;\nlocation / {\n"
            . "enroll_endpoint $endpoint; # here\n}");

        bad "$endpoint without Redis", base('redis') . $there,
            qr/needs a Redis/, qr/say "enroll_redis address"/;
        bad "$endpoint without a class", base('class', 'issuer') . $there,
            qr/there is no class/, qr/"enroll_class standard \{ ttl 24h; \}"/;
    }

    for my $endpoint (qw(open page begin finish)) {
        bad "$endpoint without enroll on", base() . server(
            "location / {\nenroll_endpoint $endpoint; # here\n}"),
            qr/"enroll_endpoint"/, qr/needs "enroll on" in the server/;
        bad "$endpoint with enroll off", base() . server("enroll on;\n"
            . "location / {\nenroll off;\n"
            . "enroll_endpoint $endpoint; # here\n}"),
            qr/"enroll_endpoint"/, qr/needs "enroll on" in the server/;
    }

    my $guarded = server("enroll on; # here\nlocation / { return 204; }");
    bad 'enroll on without a zone', base('zone') . $guarded,
        qr/"enroll on" needs a shared zone/, qr/"enroll_zone enroll 10m"/;
    bad 'enroll on without keys', base('keys') . $guarded,
        qr/"enroll on" needs keys/, qr/"enroll_keys file" in http/;
    bad 'enroll on in http without a zone',
        "enroll on; # here\n" . base('zone') . server(''),
        qr/"enroll on" needs a shared zone/, qr/"enroll_zone enroll 10m"/;

    bad 'enroll_issue without a url', base('url')
        . server("location / {\nenroll_issue hr; # here\n}"),
        qr/"enroll_issue" needs "enroll_url"/, qr/public address/;
    bad 'enroll_issue of nobody', base('issuer')
        . server("location / {\nenroll_issue hr; # here\n}"),
        qr/unknown issuer "hr"/, qr/declare it with enroll_issuer/;
    bad 'enroll_issue of somebody else', base()
        . server("location / {\nenroll_issue hr it; # here\n}"),
        qr/unknown issuer "it"/, qr/declare it with enroll_issuer/;
    bad 'enroll_revoke of nobody', base()
        . server("location / {\nenroll_revoke nobody; # here\n}"),
        qr/unknown issuer "nobody"/, qr/declare it with enroll_issuer/;
};


subtest 'classes' => sub {
    my $class = sub { "enroll_class standard {\n$_[0]\n}" };

    my @table = (
        ['ttl 0'      => 'ttl', 'a time from 1s to 30d'],
        ['ttl 0s'     => 'ttl', 'a time from 1s to 30d'],
        ['ttl 31d'    => 'ttl', 'a time from 1s to 30d'],
        ['ttl 10y'    => 'ttl', 'a time from 1s to 30d'],
        ['ttl abc'    => 'ttl', 'a time from 1s to 30d'],
        ['ttl -1'     => 'ttl', 'a time from 1s to 30d'],
        ['ttl ""'     => 'ttl', 'a time from 1s to 30d'],
        ['window 0'   => 'window', 'a time from 1s to 1h'],
        ['window 999ms' => 'window', 'a time from 1s to 1h'],
        ['window 61m' => 'window', 'a time from 1s to 1h'],
        ['window abc' => 'window', 'a time from 1s to 1h'],
        ['attempts 0' => 'attempts', 'a number from 1 to 100'],
        ['attempts 101' => 'attempts', 'a number from 1 to 100'],
        ['attempts -1'  => 'attempts', 'a number from 1 to 100'],
        ['attempts many' => 'attempts', 'a number from 1 to 100'],
    );

    for my $row (@table) {
        my ($text, $word, $right) = @$row;
        bad $text, $class->("$text; # here"),
            qr/invalid value "[^"]*" in "$word"/, qr/must be \Q$right\E/;
    }

    for my $word (qw(ttl window attempts)) {
        bad "$word twice", $class->("$word 5;\n$word 5; # here"),
            qr/"$word" directive is duplicate/;
        bad "$word without a value", $class->("$word; # here"),
            qr/invalid number of arguments in "$word"/;
        bad "$word with two values", $class->("$word 5 6; # here"),
            qr/invalid number of arguments in "$word"/;
    }

    bad 'another word', $class->('lifetime 1h; # here'),
        qr/unknown directive "lifetime"/, qr/takes "ttl"/;
    bad 'a directive of another block', $class->("secret_file x; # here"),
        qr/unknown directive "secret_file"/, qr/takes "ttl"/;
    bad 'a class twice', "$part{class}\nenroll_class standard { } # here",
        qr/duplicate enroll_class "standard"/;
    bad 'a class without a block', 'enroll_class standard; # here',
        qr/enroll_class.*has no opening "\{"/;
    bad 'a class without a name', "enroll_class { # here\n}",
        qr/invalid number of arguments in "enroll_class"/;

    for my $name ('Standard', 'a.b', 'a:b', 'a b', '', 'x' x 33, '{0}',
        "\xc3\xa9")
    {
        bad "the name '$name'", "enroll_class \"$name\" { # here\n}",
            qr/invalid name "\Q$name\E"/, qr/1 to 32 characters of a-z/;
    }

    good 'bounds', join '', map { "enroll_class $_\n" }
        'a { ttl 1s; window 1s; attempts 1; }',
        'b { ttl 30d; window 1h; attempts 100; }', 'c { }',
        'd-e_9 { ttl 24h; }', ('x' x 32) . ' { window 1000ms; }';
};


subtest 'issuers' => sub {
    my $issuer = sub { "$part{class}\nenroll_issuer hr {\n$_[0]\n}" };

    bad 'no secret', "$part{class}\nenroll_issuer hr { # here\n}",
        qr/neither "secret_file" nor "jwks" in enroll_issuer "hr"/,
        qr/nobody could sign/;
    bad 'an unknown class',
        "$part{class}\nenroll_issuer hr { # here\n"
            . "secret_file $secret; class standard urgent; }",
        qr/unknown class "urgent" in enroll_issuer "hr"/,
        qr/declare it with enroll_class/;
    bad 'no class standard', "enroll_class urgent { }\n"
        . "enroll_issuer hr { # here\nsecret_file $secret; }",
        qr/unknown class "standard"/, qr/declare it with enroll_class/;
    bad 'classes twice', $issuer->("secret_file $secret;\n"
        . "class standard;\nclass standard; # here"),
        qr/"class" directive is duplicate/;
    bad 'another word', $issuer->('secret x; # here'),
        qr/unknown directive "secret"/, qr/takes "secret_file"/;
    bad 'an issuer twice', "$part{class}\n$part{issuer}\n"
        . "enroll_issuer hr { # here\nsecret_file $secret; }",
        qr/duplicate enroll_issuer "hr"/;
    bad 'a name with a colon', "enroll_issuer a:b { # here\n}",
        qr/invalid name "a:b"/, qr/1 to 32 characters of a-z/;

    my %bad = (
        'empty' => ['', qr/0 bytes/],
        'a word' => ['secret', qr/"whsec_"/],
        'no base64' => ['whsec_!!!!', qr/whsec_.*base64/],
        'of 23 bytes' => ['whsec_' . 'A' x 30 . 'A=', qr/23 bytes, 24 to 64/],
        'of 65 bytes' => ['whsec_' . 'A' x 86 . 'A=', qr/65 bytes, 24 to 64/],
        'of a kilobyte' => ['whsec_' . 'A' x 2000, qr/bytes/],
    );

    for my $name (sort keys %bad) {
        my ($text, $regex) = @{$bad{$name}};
        my $file = spew("$dir/bad.secret", $text, 0600);
        bad "a secret that is $name",
            $issuer->("secret_file $file; # here"), qr/"secret_file"/,
            qr/\Q$file\E/, $regex;
    }

    spew("$dir/bad.secret", webhook_secret(), 0604);
    bad 'a secret that others may read',
        $issuer->("secret_file $dir/bad.secret; # here"),
        qr/others may access "\Q$dir\E\/bad.secret"/, qr/chmod o-rwx/;
    bad 'no such secret', $issuer->("secret_file $dir/none; # here"),
        qr/"\Q$dir\E\/none" failed/, qr/name a file that holds .*whsec_/;
    bad 'a folder', $issuer->("secret_file $dir; # here"),
        qr/must be a regular file/;

    good 'rotation: two secrets', $issuer->("secret_file $secret;\n"
        . "secret_file $secret;");
    good 'a class behind the issuer', "$part{issuer}\n$part{class}";
};


subtest 'keys' => sub {
    my $tried = sub {
        my ($name, $text, $mode, @regexes) = @_;
        my $file = spew("$dir/bad.jwks", $text, $mode);
        bad $name, "enroll_keys $file; # here", qr/"enroll_keys"/,
            qr/\Q$file\E/, @regexes;
    };

    my $set = JSON::PP->new->decode(new_keys());
    my ($first, $subject, $ec) = @{$set->{keys}};
    my $with = sub { $json->encode({ keys => [@_] }) };

    for my $mode (0604, 0602, 0601, 0644, 0777) {
        $tried->(sprintf('mode %04o', $mode), new_keys(), $mode,
            qr/others may access/, qr/chmod o-rwx/);
    }

    $tried->('empty', '', 0600, qr/has 0 bytes/,
        qr/it must hold a JWK Set.*1 to 65536 bytes/);
    $tried->('too long', ' ' x 65_537, 0600,
        qr/it must hold a JWK Set.*1 to 65536 bytes/);
    $tried->('garbage', "\x00\xff\x01", 0600, qr/not JSON in line 1/);
    $tried->('not closed', substr(new_keys(), 0, -2), 0600, qr/not JSON/);
    $tried->('no set', $json->encode($first), 0600,
        qr/not a JWK Set/, qr/\{"keys":\[\.\.\.\]\} is needed/);
    $tried->('an empty set', $with->(), 0600, qr/no "oct" key/,
        qr/jose jwk gen|make tokens with/);
    $tried->('a short key', $with->({ kty => 'oct',
        k => 'AAAAAAAAAAAAAAAAAAAAAA' }, $subject, $ec), 0600,
        qr/has 16 bytes/, qr/at least 32 are needed/);
    $tried->('no subject key', $with->($first, $ec), 0600,
        qr/no "oct" key with the kid "subject"/);
    $tried->('two subject keys', $with->($first, $subject, $subject), 0600,
        qr/the second one of that kid/);
    $tried->('only a subject key', $with->($subject), 0600,
        qr/no "oct" key to make tokens with/);
    $tried->('the same key twice', $with->($first, $first, $subject), 0600,
        qr/the same number/, qr/generate a new one/);
    $tried->('an RSA key', $with->($first, $subject, { kty => 'RSA' }), 0600,
        qr/kty "RSA"/, qr/"oct" or "EC" is needed/);
    $tried->('no kty', $with->({ k => $first->{k} }, $subject), 0600,
        qr/has no kty/);
    $tried->('no k', $with->({ kty => 'oct' }, $subject), 0600,
        qr/has no k/);
    $tried->('another curve', $with->($first, $subject,
        { %$ec, crv => 'P-384' }), 0600, qr/"P-256"/);
    $tried->('a duplicate member', '{"keys":[],"keys":[]}', 0600,
        qr/duplicate member in line 1/);

    bad 'no such file', "enroll_keys $dir/none; # here",
        qr/"\Q$dir\E\/none" failed.*\(2: No such file/,
        qr/name a file that holds a JWK Set/, qr/jose jwk gen/;
    bad 'a folder', "enroll_keys $dir; # here", qr/must be a regular file/;

    if ($> != 0) {
        $tried->('a file of nobody', new_keys(), 0000,
            qr/Permission denied/, qr/name a file that holds a JWK Set/);
    }

    good 'a file of the group', 'enroll_keys '
        . spew("$dir/group.jwks", new_keys(), 0640) . ';';
    spew("$dir/conf.jwks", new_keys(), 0600);
    good 'a key without the EC one', 'enroll_keys '
        . spew("$dir/no-ec.jwks", $with->($first, $subject), 0600) . ';';

    # the text of a key is in no message
    my ($status, $said) = nginx_test_config('enroll_keys '
        . spew("$dir/bad.jwks", $with->($first, $first, $subject), 0600)
        . ';');
    unlike $said, qr/\Q$first->{k}\E/, 'and no message quotes a key';
};


subtest 'the zone' => sub {
    for my $size ('31k', '0', 'abc', '-1', '1', '""') {
        (my $shown = $size) =~ tr/"//d;
        bad "a size of $size", "enroll_zone enroll $size; # here",
            qr/invalid size "\Q$shown\E" of enroll_zone "enroll"/,
            qr/at least \d+k are needed, 10m is a good start/;
    }

    bad 'no size', 'enroll_zone enroll; # here',
        qr/invalid number of arguments in "enroll_zone"/;
    bad 'in a server', server('enroll_zone enroll 1m; # here'),
        qr/"enroll_zone" directive is not allowed here/;
    good 'the least', 'enroll_zone enroll 32k;';
};


# Every directive that takes one value, where it is given twice.

subtest 'twice' => sub {
    my %value = (
        enroll_zone                         => ['http', 'enroll 1m'],
        enroll_keys                         => ['http', $keys],
        enroll                              => ['any', 'on'],
        enroll_success                      => ['any', '200'],
        enroll_retain                       => ['any', '1d'],
        enroll_events_retain                => ['any', '1d'],
        enroll_session_cache                => ['any', '1s'],
        enroll_fence                        => ['any', 'sequence'],
        enroll_log                          => ['any', "$dir/enroll.log"],
        enroll_url                          => ['any', 'http://localhost/'],
        enroll_endpoint                     => ['location', 'open'],
        enroll_issue                        => ['location', 'hr'],
        enroll_redeem                       => ['location', '/register'],
        enroll_revoke                       => ['location', 'hr'],
        enroll_status                       => ['location', ''],
        enroll_redis                        => ['any', '127.0.0.1'],
        enroll_redis_sentinel               => ['any', 'm 127.0.0.1'],
        enroll_redis_cluster                => ['any', '127.0.0.1'],
        enroll_partitions                   => ['http', '64'],
        enroll_redis_sentinel_user          => ['any', 'enroll'],
        enroll_redis_sentinel_password_file => ['any', $password],
        enroll_redis_user                   => ['any', 'enroll'],
        enroll_redis_password_file          => ['any', $password],
        enroll_redis_database               => ['any', '1'],
        enroll_redis_timeout                => ['any', '1s'],
        enroll_redis_queue                  => ['any', '100'],
        enroll_redis_failures               => ['any', '3'],
        enroll_redis_retry                  => ['any', '1s'],
        enroll_redis_wait                   => ['any', '1 100ms'],
        enroll_redis_ssl                    => ['any', 'on'],
        enroll_redis_ssl_verify             => ['any', 'on'],
        enroll_redis_ssl_trusted_certificate => ['any', ca_file()],
        enroll_redis_ssl_name               => ['any', 'redis.test'],
        enroll_redis_ssl_certificate        => ['any', ca_file()],
        enroll_redis_ssl_certificate_key    => ['any', ca_file()],
        enroll_redis_ssl_protocols          => ['any', 'TLSv1.3'],
    );

    for my $directive (sort keys %value) {
        my ($where, $value) = @{$value{$directive}};
        my $twice = "$directive $value;\n$directive $value; # here\n";

        bad "$directive in http", $twice,
            qr/"$directive" directive is duplicate/ if $where ne 'location';
        next if $where eq 'http';

        bad "$directive in a server", server($twice),
            qr/"$directive" directive is duplicate/ if $where eq 'any';
        bad "$directive in a location", server("location / {\n$twice}"),
            qr/"$directive" directive is duplicate/;
    }

    for my $pair (['enroll_issue hr', 'enroll_revoke hr'],
        ['enroll_redeem /x', 'enroll_status'],
        ['enroll_status', 'enroll_issue hr'])
    {
        my ($one, $other) = @$pair;
        bad "$one and $other in one location", base() . server(
            "location / {\n$one;\n$other; # here\n}"),
            qr/second handler for the same location/;
    }
};


# What one location cannot be at the same time.

subtest 'a location is one thing' => sub {
    my @pairs = (
        ['enroll_redeem /register', 'proxy_pass http://127.0.0.1:2',
            qr/another content handler/],
        ['enroll_issue hr', 'proxy_pass http://127.0.0.1:2',
            qr/another content handler/],
        ['enroll_endpoint finish', 'enroll_redeem /register',
            qr/"enroll_endpoint" stands in the same location/],
        ['enroll_endpoint open', 'enroll_status',
            qr/"enroll_endpoint" stands in the same location/],
        ['enroll_status', 'enroll_endpoint open',
            qr/"enroll_endpoint" stands in the same location/],
    );

    for my $pair (@pairs) {
        my ($one, $other, $wrong) = @$pair;
        bad "$one; $other;", base()
            . server("enroll on;\nlocation = /x {\n$one;\n$other;\n}"),
            $wrong, qr/they need a location each/;
    }
};


subtest 'an endpoint is forwarded once, and to the IdP (I2)' => sub {
    my $at = sub {
        my ($endpoint, $text, $server) = @_;
        return base() . "\nproxy_cache_path $dir/cache keys_zone=c:1m;\n"
            . server("enroll on;\n" . ($server // '') . "\nlocation / {\n"
            . "enroll_endpoint $endpoint; # here\n$text\n"
            . "proxy_pass http://127.0.0.1:1;\n}");
    };
    my $repeats = 'proxy_next_upstream error non_idempotent;';

    bad 'a finish that is repeated', $at->('finish', $repeats),
        qr/"non_idempotent" would send a finish to the IdP twice/;
    bad 'a finish that is repeated, by the server',
        $at->('finish', '', $repeats), qr/"proxy_next_upstream error"/;
    good "$_ that is repeated", $at->($_, $repeats) for qw(page begin open);

    for my $endpoint (qw(page begin finish)) {
        bad "a cache at $endpoint", $at->($endpoint, 'proxy_cache c;'),
            qr/"proxy_cache" would answer a bearer with what the IdP said to/,
            qr/say "proxy_cache off"/;
        bad "a cache at $endpoint, of the server",
            $at->($endpoint, '', 'proxy_cache c;'), qr/"proxy_cache off"/;
        good "no cache at $endpoint",
            $at->($endpoint, 'proxy_cache off;', 'proxy_cache c;');
    }
    good 'a cache at open', $at->('open', 'proxy_cache c;');

    for my $endpoint (qw(begin finish)) {
        bad "slice at $endpoint", $at->($endpoint, 'slice 1m;'),
            qr/"slice" could send a request to the IdP more than once/,
            qr/say "slice 0"/;
        bad "slice at $endpoint, of the server",
            $at->($endpoint, '', 'slice 1m;'), qr/"slice 0"/;
        good "no slice at $endpoint",
            $at->($endpoint, 'slice 0;', 'slice 1m;');
    }
    good "slice at $_", $at->($_, 'slice 1m;') for qw(page open);
};


subtest 'endpoints and what is said of them' => sub {
    my $at = sub { base() . server("enroll on;\nlocation / {\n$_[0]\n}") };

    for my $word ('finnish', 'Page', '', 'open,page', 'on') {
        bad "the endpoint '$word'", $at->("enroll_endpoint \"$word\"; # here"),
            qr/invalid endpoint "\Q$word\E"/,
            qr/one of "open", "page", "begin", "finish"/;
    }

    for my $text ('open optional', 'page option', 'begin page',
        'finish Optional')
    {
        bad $text, $at->("enroll_endpoint $text; # here"),
            qr/invalid parameter/,
            qr/"optional" may follow "page", "begin" or "finish"/;
    }

    bad 'enroll_fence off', 'enroll_fence off; # here',
        qr/invalid value "off"/;
    bad 'enroll_fence of two', 'enroll_fence incarnation sequence; # here',
        qr/invalid number of arguments in "enroll_fence"/;
    bad 'enroll maybe', "enroll maybe; # here", qr/invalid value "maybe"/,
        qr/must be "on" or "off"/;
    bad 'an endpoint in a server', base()
        . server("enroll on;\nenroll_endpoint open; # here"),
        qr/"enroll_endpoint" directive is not allowed here/;

    for my $target ('register', '//evil.example', 'https://evil.example/',
        '', '/\\\\evil.example', '/\\evil.example')
    {
        bad "a target '$target'", $at->("enroll_redeem \"$target\"; # here"),
            qr/invalid target/, qr/path of a page endpoint/;
    }

    for my $text ('199', '400', '1000', '-1', 'abc', '=true', '""', '200 404',
        'a=1 b=2', '$uri $uri', '200x')
    {
        bad "enroll_success $text", $at->("enroll_success $text; # here"),
            qr/invalid parameter/,
            qr/statuses from 200 to 399, one \$variable, and one member=value/;
    }

    bad 'enroll_success of 17 statuses',
        $at->('enroll_success ' . join(' ', 200 .. 216) . '; # here'),
        qr/invalid parameter "216"/;
    bad 'an unknown variable', $at->('enroll_success $nope;'),
        qr/unknown "nope" variable/;
    bad 'enroll_success of nothing', $at->('enroll_success; # here'),
        qr/invalid number of arguments in "enroll_success"/;

    for my $level ('http', 'server', 'location') {
        my $line = "enroll_session_cache 61s; # here\n";
        my %text = (http => $line . server('location / { }'),
            server => server("${line}location / { }"),
            location => server("location / {\n$line}"));

        bad "a huge enroll_session_cache in $level", $text{$level},
            qr/invalid value "61s" in "enroll_session_cache"/,
            qr/must be a time from 0ms to 1m/;
        (my $guarded = base() . $text{$level}) =~ s/listen/enroll on;\nlisten/;
        bad "… and $level is guarded", $guarded,
            qr/invalid value "61s" in "enroll_session_cache"/,
            qr/must be a time from 0ms to 1m/;
    }

    for my $name (qw(enroll_session_cache enroll_retain enroll_events_retain)) {
        for my $value ('abc', '-1', '""') {
            bad "$name $value", "$name $value; # here",
                qr/invalid value "[^"]*" in "$name"/,
                qr/must be a time from 0\S* to \d+\w/;
        }
    }

    good 'all endpoints', base() . server(join "\n", 'enroll on;',
        map { "location \"/$_\" { enroll_endpoint $_; }\n" }
            ('open', 'page', 'begin', 'finish', 'page optional',
            'begin optional', 'finish optional') );
    good 'enroll_success', $at->('enroll_success 200 201 204 302 $uri a=b;');
    good 'enroll_success of a member', $at->('enroll_success verified=true;');
    good 'enroll_session_cache', $at->('enroll_session_cache 1m;');
    good 'enroll_session_cache 0', $at->('enroll_session_cache 0;');
};


subtest 'Redis' => sub {
    my $at = sub { server("location / {\n$_[0]\n}") };

    my @number = (
        [enroll_redis_database => 'a number from 0 to 2147483647',
            '-1', '2147483648', 'abc', '""', '1.5'],
        [enroll_redis_queue => 'a number from 1 to 1000000', '0', '1000001',
            'abc', '1k'],
        [enroll_redis_failures => 'a number from 1 to 1000', '0', '1001',
            'abc'],
        [enroll_redis_timeout => 'a time from 1ms to 1m', '0', '61s',
            'abc', '-1', '1d'],
        [enroll_redis_retry => 'a time from 10ms to 1m', '0', '9ms',
            '61s', 'abc'],
    );

    for my $row (@number) {
        my ($directive, $right, @values) = @$row;
        for my $value (@values) {
            (my $shown = $value) =~ tr/"//d;
            bad "$directive $value", $at->("$directive $value; # here"),
                qr/invalid value "\Q$shown\E" in "$directive"/,
                qr/must be \Q$right\E/;
        }
    }

    good 'the bounds', join "\n", map { $at->($_) }
        'enroll_redis_database 0; enroll_redis_queue 1;'
            . 'enroll_redis_failures 1; enroll_redis_timeout 1ms;'
            . 'enroll_redis_retry 10ms;',
        'enroll_redis_database 2147483647; enroll_redis_queue 1000000;'
            . 'enroll_redis_failures 1000; enroll_redis_timeout 60s;'
            . 'enroll_redis_retry 1m;';

    for my $value ('0 100ms', '101 100ms', '1', 'x', 'x 100ms', '-1 100ms',
        'off 100ms', '1 0', '1 20001ms', '1 abc', '1 -1', '""', 'OFF')
    {
        bad "enroll_redis_wait $value",
            $at->("enroll_redis_wait $value; # here"),
            qr/"enroll_redis_wait" must be "off", or how many replicas, 1 to /,
            qr/to 100, and a time from 1ms to 20s/;
    }

    # a call may wait for others, then for its own
    bad 'a wait that is too long', $at->('enroll_redis_wait 1 167ms; '
        . 'enroll_redis 127.0.0.1; # here'),
        qr/"enroll_redis_wait" of 167ms needs "enroll_redis_timeout 501ms"/,
        qr/or more, it is 500ms:/;
    bad 'a timeout that is too short for the one before',
        server("enroll_redis_wait 2 1s; enroll_redis_timeout 3s;\nlocation / {"
            . ' enroll_redis_timeout 2s; enroll_redis 127.0.0.1; # here'
            . "\n}"),
        qr/"enroll_redis_wait" of 1s needs "enroll_redis_timeout 3s"/,
        qr/or more, it is 2s:/;
    good 'what just fits', join "\n", map { $at->($_) }
        'enroll_redis_wait 1 166ms;', 'enroll_redis_wait off;',
        'enroll_redis_wait 100 20s; enroll_redis_timeout 60s;',
        'enroll_redis_wait 1 1ms; enroll_redis_timeout 3ms;';

    for my $address ('localhost:x', ':6379', '127.0.0.1:0', 'unix:',
        '127.0.0.1:65536', '[::1', 'a/b')
    {
        bad "enroll_redis $address", $at->("enroll_redis $address; # here"),
            qr/in "enroll_redis \Q$address\E"/,
            qr{"host\[:port\]".*"unix:/path"};
    }

    bad 'a name that does not resolve',
        $at->('enroll_redis no-such-host.invalid; # here'),
        qr/host not found in "enroll_redis no-such-host.invalid/,
        qr/name a host that resolves now, or set "resolver"/;
    for my $address ('localhost:x', ':6379', '127.0.0.1:0', 'unix:/x',
        '127.0.0.1:65536', '[::1', 'a/b')
    {
        bad "a node $address",
            $at->("enroll_redis_cluster 127.0.0.1 $address; # here"),
            qr/in "enroll_redis_cluster \Q$address\E"/,
            qr{"host\[:port\]".*or "\[IPv6 address\]\[:port\]"};
    }

    bad 'a database of a cluster', $at->("enroll_redis_database 1;\n"
        . 'enroll_redis_cluster 127.0.0.1; # here'),
        qr/a cluster has no databases, "enroll_redis_database" must be 0/,
        qr/for "enroll_redis_cluster 127.0.0.1"/;
    bad 'a cluster and sentinels', $at->("enroll_redis_cluster 127.0.0.1;\n"
        . 'enroll_redis_sentinel m 127.0.0.1; # here'),
        qr/"enroll_redis_sentinel" and "enroll_redis_cluster" exclude/;

    for my $number ('0', '257', '-1', 'abc', '""') {
        (my $shown = $number) =~ tr/"//d;
        bad "enroll_partitions $number", "enroll_partitions $number; # here",
            qr/invalid value "\Q$shown\E" in "enroll_partitions"/,
            qr/must be a number from 1 to 256/;
    }

    bad 'partitions of a server', server("enroll_partitions 2; # here"),
        qr/"enroll_partitions" directive is not allowed here/;
    good 'as many as can be', "enroll_partitions 256;\n" . server('');

    for my $address ('localhost:x', ':26379', '127.0.0.1:0', 'unix:/x',
        '127.0.0.1:65536', '[::1', 'a/b')
    {
        bad "a sentinel $address",
            $at->("enroll_redis_sentinel m 127.0.0.1 $address; # here"),
            qr/in "enroll_redis_sentinel \Q$address\E"/,
            qr{"host\[:port\]".*or "\[IPv6 address\]\[:port\]"};
    }

    for my $name ('""', "'a b'", "'a\"b'", "m\x{7f}", "\x{e9}") {
        bad "a master called $name",
            $at->("enroll_redis_sentinel $name 127.0.0.1; # here"),
            qr/"enroll_redis_sentinel" needs the name/;
    }

    bad 'a sentinel that does not resolve', $at->('enroll_redis_sentinel m'
        . ' no-such-host.invalid; # here'),
        qr/host not found in "enroll_redis_sentinel no-such-host.invalid/,
        qr/name a host that resolves now, or set "resolver"/;
    bad 'a name and no sentinel', $at->('enroll_redis_sentinel m; # here'),
        qr/invalid number of arguments in "enroll_redis_sentinel"/;
    bad 'Redis and sentinels', $at->("enroll_redis 127.0.0.1;\n"
        . 'enroll_redis_sentinel m 127.0.0.1; # here'),
        qr/"enroll_redis_sentinel" and "enroll_redis" exclude each other/;
    bad 'sentinels and Redis', $at->("enroll_redis_sentinel m 127.0.0.1;\n"
        . 'enroll_redis 127.0.0.1; # here'),
        qr/"enroll_redis" and "enroll_redis_sentinel" exclude each other/;
    good 'one inside of the other', server(<<'CONF');
        enroll_redis 127.0.0.1;
        location / { enroll_redis_sentinel m 127.0.0.1 [::1]:1 localhost; }
CONF
    bad 'a sentinel\'s user without a password', $at->(
        "enroll_redis_sentinel_user enroll;\n"
        . 'enroll_redis_sentinel m 127.0.0.1; # here'),
        qr/"enroll_redis_sentinel_user" needs/,
        qr/"enroll_redis_sentinel_password_file", for "enroll_redis_sentinel m"/;
    bad 'a user without a password', $at->("enroll_redis_user enroll;\n"
        . 'enroll_redis 127.0.0.1; # here'),
        qr/"enroll_redis_user" needs/, qr/"enroll_redis_password_file"/;
    bad 'TLS without a CA', $at->("enroll_redis_ssl on;\n"
        . 'enroll_redis 127.0.0.1; # here'),
        qr/"enroll_redis_ssl on" needs/,
        qr/"enroll_redis_ssl_trusted_certificate"/;
    bad 'TLS over a socket without a name', $at->("enroll_redis_ssl on;\n"
        . 'enroll_redis_ssl_trusted_certificate ' . ca_file() . ";\n"
        . 'enroll_redis unix:/x; # here'),
        qr/with a unix socket needs/, qr/"enroll_redis_ssl_name"/;
    bad 'a certificate without its key', $at->("enroll_redis_ssl on;\n"
        . "enroll_redis_ssl_verify off;\n"
        . 'enroll_redis_ssl_certificate ' . ca_file() . ";\n"
        . 'enroll_redis 127.0.0.1; # here'),
        qr/"enroll_redis_ssl_certificate" needs/,
        qr/"enroll_redis_ssl_certificate_key"/;

    for my $version ('SSLv3', 'TLSv1', 'TLSv1.1', 'tlsv1.2', 'all') {
        bad "the protocol $version",
            $at->("enroll_redis_ssl_protocols $version; # here"),
            qr/invalid value "\Q$version\E" in "enroll_redis_ssl_protocols"/,
            qr/must be "TLSv1.2" or "TLSv1.3"/;
    }

    for my $name (qw(user sentinel_user ssl_name ssl_trusted_certificate ssl_certificate
        ssl_certificate_key))
    {
        bad "enroll_redis_$name is empty",
            $at->("enroll_redis_$name \"\"; # here"),
            qr/"enroll_redis_$name" directive must not be empty/;
    }

    my %bad = (
        'empty' => ['', 0600, qr/first line/, qr/1 to 1024 bytes/],
        'an empty first line' => ["\nx", 0600, qr/first line/,
            qr/1 to 1024 bytes/],
        'of 1025 bytes' => ['x' x 1025, 0600, qr/first line/,
            qr/1 to 1024 bytes/],
        'for others' => ['x', 0604, qr/others may access/, qr/chmod o-rwx/],
    );

    for my $name (sort keys %bad) {
        my ($text, $mode, @regexes) = @{$bad{$name}};
        my $file = spew("$dir/bad.password", $text, $mode);
        bad "a password file that is $name",
            $at->("enroll_redis_password_file $file; # here"),
            qr/"enroll_redis_password_file"/, qr/\Q$file\E/, @regexes;
    }

    bad 'no such password file',
        $at->("enroll_redis_password_file $dir/none; # here"),
        qr/"\Q$dir\E\/none" failed/,
        qr/name a file that holds the password in its first line/;
};


# --- good ones, at every level, and what is inherited


my %any = (
    enroll_success                       => '200 204',
    enroll_retain                        => '7d',
    enroll_events_retain                 => '7d',
    enroll_session_cache                 => '2s',
    enroll_fence                         => 'sequence',
    enroll_log                           => "$dir/logs/enroll.log",
    enroll_url                           => 'https://$host/enroll',
    enroll_redis                         => 'unix:/nowhere',
    enroll_redis_sentinel_user           => 'enroll',
    enroll_redis_sentinel_password_file  => $password,
    enroll_redis_user                    => 'enroll',
    enroll_redis_password_file           => $password,
    enroll_redis_database                => '2',
    enroll_redis_timeout                 => '200ms',
    enroll_redis_queue                   => '64',
    enroll_redis_failures                => '2',
    enroll_redis_retry                   => '100ms',
    enroll_redis_wait                    => '1 50ms',
    enroll_redis_ssl                     => 'on',
    enroll_redis_ssl_verify              => 'on',
    enroll_redis_ssl_trusted_certificate => ca_file(),
    enroll_redis_ssl_name                => 'redis.test',
    enroll_redis_ssl_protocols           => 'TLSv1.2 TLSv1.3',
);
my $any = join "\n", map { "$_ $any{$_};" } sort keys %any;

sub_dir('logs', 01777);

subtest 'at every level' => sub {
    my $own = join "\n", @part{qw(zone keys class issuer)};
    my $locations = 'location /e { enroll_endpoint finish; }
        location /i { enroll_issue hr; } location /v { enroll_revoke hr; }
        location /r { enroll_redeem /e; } location /s { enroll_status; }';

    good 'http', "$own\nenroll on;\n$any\n" . server($locations);
    good 'server', "$own\n" . server("enroll on;\n$any\n$locations");
    (my $each = $locations) =~ s/\{ /{ enroll on; $any /g;
    good 'location', "$own\n" . server("enroll on;\n$each");
    bad 'a location that is on in a server that is off', "$own\n"
        . server($each), qr/"enroll_endpoint" needs/,
        qr/"enroll on" in the server/;
    good 'all at once', "$own\nenroll on;\n$any\n"
        . server("enroll on;\n$any\n$each");
    good 'server by server', "$own\n" . server("enroll on;\n$any\n$locations")
        . server("enroll off;\nlocation / { return 204; }")
        . server("$part{redis} $part{url} $locations" =~ s/enroll_endpoint/#/r
            =~ s/# finish; \}/}/r);
    good 'nested locations', "$own\n$any\n" . server('enroll on;
        location /a { enroll_endpoint page;
            location /a/b { enroll_endpoint begin;
                location /a/b/c { enroll_endpoint finish; }
                location /a/b/d { return 204; } } }');
    good 'nothing of it', server('location / { return 204; }');
    good 'keys only, and off', "$own\n$any\n" . server('enroll off;');
};


subtest 'what is inherited, and what is not' => sub {
    my $stack = stack(
        http   => 'enroll_redis_database 1; enroll_success 202;',
        finish => 'enroll_success 200;',
        locations => <<'CONF');
        location = /two/issue {
            enroll_redis_database 2;
            enroll_url https://two.example/in;
            enroll_log %%DIR%%/logs/two.log;
            enroll_issue hr;
        }

        location /register/other {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;

            location = /register/other/nested {
                proxy_pass http://127.0.0.1:%%IDP%%;
            }
        }

        location /register/other/sub {
            enroll_endpoint page;

            location = /register/other/sub/finish {
                enroll_endpoint finish;
                proxy_pass http://127.0.0.1:%%IDP%%;
            }
        }
CONF
    my $redis = $stack->redis;

    my $one = $stack->issue(subject => 'ada');
    like $one->json->{url}, qr{^http://localhost:}, 'enroll_url of http';
    my $two = $stack->call('/two/issue', { subject => 'bea',
        class => 'standard' });
    like $two->json->{url}, qr{^https://two\.example/in\#enr_},
        'enroll_url of a location';

    $redis->command('SELECT', 1);
    is $stack->record($one->json->{id})->{subject}, 'ada',
        'a database of http';
    is $stack->record($two->json->{id})->{subject}, undef, '… is one';
    $redis->command('SELECT', 2);
    is $stack->record($two->json->{id})->{subject}, 'bea',
        'a database of a location';
    $redis->command('SELECT', 1);

    my @lines = split /\n/, slurp($stack->nginx->{logs} . '/two.log');
    is scalar(@lines), 1, 'a log of a location';
    is scalar(my @all = $stack->log_lines), 1, 'and that of http';

    my ($session, $id) = $stack->enter(subject => 'cyd');
    $stack->begin($session);
    is $stack->http->post('/register/other', '{}', Cookie => $session)
        ->status, 200, 'a finish by the success of http';
    is $stack->wait_record($id, outcome => 'unknown')->{state}, 'claimed',
        '200 is not 202: unknown';

    ($session, $id) = $stack->enter(subject => 'dan');
    $stack->begin($session);
    $stack->finish($session);
    $stack->wait_record($id, state => 'enrolled');
    pass 'a finish by the success of a location';

    is $stack->http->post('/register/other/nested', '{}')->status, 401,
        'a nested location is the endpoint that it lies in (I3)';
    is $stack->http->post('/register/other/sub/finish', '{}')->status, 401,
        'or its own';
};

subtest 'two content handlers in one location' => sub {
    for my $order (['enroll_redeem /register;', 'proxy_pass http://127.1;'],
        ['proxy_pass http://127.1;', 'enroll_redeem /register;'])
    {
        my ($status, $text) = nginx_test_config(http => <<"CONF");
            enroll_zone enroll 1m;
            enroll_keys @{[make_keys()]};
            enroll_redis 127.0.0.1:1;
            enroll_class standard { }
            server { listen %%PORT%%; location = /x { @$order } }
CONF
        isnt $status, 0, "@$order";
        like $text, qr/content handler .*they need a location each/, '… why';
    }
};

done_testing;
