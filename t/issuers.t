#!/usr/bin/perl

# enroll_issuer and enroll_prover: what they take, and what does not load; and
# an issuer's rate, which is his own, of his signed calls.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused);
use Enroll::Test;

use JSON::PP ();


my $dir = test_dir();
my $keys = make_keys();
my $secret = spew("$dir/hr.secret", webhook_secret() . "\n", 0600);
my $sender = sender();
my $json = JSON::PP->new->utf8->canonical;

$sender->key('hris', kty => 'EC');
$sender->key('veri', kty => 'RSA', bits => 2048, alg => 'PS256');

my $jwks = spew("$dir/hris.jwks", $sender->jwks('hris'), 0644);
my $other = spew("$dir/veri.jwks", $sender->jwks('veri'), 0644);
my $class = 'enroll_class standard { ttl 1h; }';


# --- how a configuration is judged


# Fails, and says all of that of the line that is marked with "# here".

sub bad {
    my ($name, $http, @patterns) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = nginx_test_config("$class\n$http");
    my ($error) = $said =~ /^nginx: \[emerg\] (.*)/m;
    my @missed = grep { ($error // '') !~ $_ } @patterns;

    ok $status == 1 && defined $error && !@missed, $name
        or diag("exit $status: $said\nmissed: @missed");

    my ($file, $line) = ($error // '') =~ / in (\S+):(\d+)\z/;
    my @lines = $file ? split /\n/, slurp($file) : ();
    like $lines[($line || 1) - 1] // '', qr/# here/, "$name: names its line";
    return;
}


sub good {
    my ($name, $http) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = nginx_test_config("$class\n$http");
    is $status, 0, $name or diag($said);
    return;
}


# A block; the line at fault is its first one, unless another is marked.

sub block {
    my ($head, $says) = @_;

    $says =~ s/; (?!#)/;\n/g;
    my $here = $says =~ /# here/ ? '' : ' # here';
    return "$head {$here\n$says\n}\n";
}

sub issuer { return block("enroll_issuer $_[0]", $_[1]) }
sub prover { return block("enroll_prover $_[0]", $_[1]) }

my $set = "jwks $jwks; iss https://hr.example; aud https://x.example;";


subtest 'an issuer has secrets, or keys and what his tokens claim' => sub {
    good 'secrets', issuer(hr => "secret_file $secret;");
    good 'a JWK Set', issuer(hr => $set);

    my $own = spew("$dir/own.jwks", slurp($jwks), 0600);
    good 'one that others may not read', issuer(hr => $set =~ s/$jwks/$own/r);

    bad 'neither', issuer(hr => 'class standard;'),
        qr/neither "secret_file" nor "jwks" in enroll_issuer "hr"/,
        qr/nobody could sign its calls/;
    bad 'both', issuer(hr => "secret_file $secret; $set"),
        qr/both "secret_file" and "jwks" in enroll_issuer "hr"/,
        qr/an issuer for each/;

    bad 'keys without iss', issuer(hr => "jwks $jwks; aud x;"),
        qr/"jwks" in enroll_issuer "hr" needs "iss"/;
    bad 'keys without aud', issuer(hr => "jwks $jwks; iss x;"),
        qr/"jwks" in enroll_issuer "hr" needs "aud"/;
    bad 'keys alone', issuer(hr => "jwks $jwks;"),
        qr/"jwks" in enroll_issuer "hr" needs "iss"/;

    for my $claim (qw(iss aud)) {
        bad "$claim beside a secret",
            issuer(hr => "secret_file $secret; $claim x;"),
            qr/"$claim" in enroll_issuer "hr"/, qr/it needs "jwks"/;
        bad "an empty $claim", issuer(hr => "$claim ''; # here"),
            qr/invalid value "" in "$claim"/, qr/1 to 255 bytes/;
        bad "a long $claim", issuer(hr => "$claim " . 'x' x 256 . '; # here'),
            qr/in "$claim"/, qr/1 to 255 bytes/;
        bad "$claim twice", issuer(hr => "$claim x; $claim x; # here"),
            qr/"$claim" directive is duplicate/;
        bad "$claim of two words", issuer(hr => "$claim x y; # here"),
            qr/invalid number of arguments in "$claim"/;
    }

    bad 'subject beside a secret',
        issuer(hr => "secret_file $secret; subject id;"),
        qr/"subject" in enroll_issuer "hr"/, qr/it needs "jwks"/;
};


subtest 'what else an issuer says' => sub {
    good 'all of it', issuer(hr => "$set subject external_id; class standard;"
        . ' channel email desk; approve off; rate 10r/m burst=5;');
    good 'approvals', issuer(hr => "secret_file $secret; approve on;");

    bad 'another word', issuer(hr => 'jwk x; # here'),
        qr/unknown directive "jwk"/, qr/takes "secret_file"/;

    for my $word (qw(ID externalId on), '""') {
        bad "subject $word", issuer(hr => "$set subject $word; # here"),
            qr/in "subject"/, qr/must be "id" or "external_id"/;
    }
    bad 'subject twice', issuer(hr => 'subject id; subject id; # here'),
        qr/"subject" directive is duplicate/;

    for my $word (qw(yes ON 1)) {
        bad "approve $word", issuer(hr => "approve $word; # here"),
            qr/invalid value "$word" in "approve"/, qr/must be "on" or "off"/;
    }
    bad 'approve twice', issuer(hr => 'approve on; approve on; # here'),
        qr/"approve" directive is duplicate/;
    bad 'approvals by security event tokens',
        issuer(hr => "$set approve on;"),
        qr/"approve on" in enroll_issuer "hr" needs "secret_file"/;

    for my $name (qw(class channel)) {
        bad "$name in capitals", issuer(hr => "$name Email; # here"),
            qr/invalid name "Email"/, qr/1 to 32 characters of a-z/;
        bad "$name of nothing", issuer(hr => "$name; # here"),
            qr/invalid number of arguments in "$name"/;
        bad "$name twice", issuer(hr => "$name x; $name x; # here"),
            qr/"$name" directive is duplicate/;
    }

    good "rate $_", issuer(hr => "secret_file $secret; rate $_;")
        for qw(1r/m 100000r/m 1r/s 100000r/s), '10r/s burst=0',
            '10r/m burst=100000';

    for my $rate (qw(10 0r/m 10r/h r/m -1r/m 1.5r/s 100001r/m 10R/M 10r/m;),
        '""')
    {
        bad "rate $rate", issuer(hr => "rate '" . $rate =~ s/"//gr
                . "'; # here"),
            qr/invalid value "\Q@{[$rate =~ s{"}{}gr]}\E" in "rate"/,
            qr{must be 1r/m to 100000r/m, or the like with r/s};
    }
    for my $burst (qw(burst= burst=-1 burst=x burst=100001 nodelay 5)) {
        bad "rate 1r/s $burst", issuer(hr => "rate 1r/s $burst; # here"),
            qr/invalid parameter "$burst" in "rate"/,
            qr/burst=0 to burst=100000/;
    }
    bad 'a rate with too much behind it',
        issuer(hr => 'rate 1r/s burst=1 burst=2; # here'),
        qr/invalid parameter/, qr/burst=0/;
    bad 'rate twice', issuer(hr => 'rate 1r/s; rate 1r/s; # here'),
        qr/"rate" directive is duplicate/;
};


subtest 'issuers that could not be told apart' => sub {
    my $first = issuer(one => $set) =~ s/ # here//r;

    bad 'the same iss and aud', $first . issuer(two => $set),
        qr/enroll_issuer "two" has the "iss" and "aud" of enroll_issuer "one"/,
        qr/ in \S+:\d+: they could not be told apart/;
    good 'another aud', $first . issuer(two => $set =~ s/aud \S+/aud y;/r);
    good 'another iss', $first . issuer(two => $set =~ s/iss \S+/iss y;/r);
    good 'one with a secret', $first . issuer(two => "secret_file $secret;");
    good 'another secret', issuer(one => "secret_file $secret;") =~ s/ # here//r
        . issuer(two => 'secret_file ' . spew("$dir/desk.secret",
            webhook_secret() . "\n", 0600) . ';');

    # in one file, in two, or as one of several
    my $copy = spew("$dir/copy.secret", slurp($secret) =~ s/\n//r, 0600);
    my %new = map { $_ => spew("$dir/new-$_.secret", webhook_secret() . "\n",
        0600) } qw(one two);
    for my $file ($secret, $copy) {
        bad "the same secret in $file",
            issuer(one => "secret_file $secret;") =~ s/ # here//r
            . issuer(two => "secret_file $file;"),
            qr/a "secret_file" of enroll_issuer "two" has the secret of/,
            qr/enroll_issuer "one" in \S+:\d+: they could not be told apart/;
        bad "… of several",
            issuer(one => "secret_file $new{one}; secret_file $secret;")
                =~ s/ # here//r
            . issuer(two => "secret_file $new{two}; secret_file $file;"),
            qr/of enroll_issuer "two" has the secret of enroll_issuer "one"/;
    }
    bad 'the same name', $first . issuer(one => "secret_file $secret;"),
        qr/duplicate enroll_issuer "one"/;
};


subtest 'files of keys' => sub {
    my $try = sub {
        my ($name, $file, @patterns) = @_;
        bad $name, issuer(hr => "jwks $file; # here"), qr/"jwks"/, @patterns;
        bad "$name, of a prover", prover(veri => "jwks $file; # here"),
            qr/"jwks"/, @patterns;
    };

    $try->('none', "$dir/none", qr{"\Q$dir\E/none" failed},
        qr/name a file that holds a JWK Set of public keys/);
    $try->('a folder', $dir, qr/must be a regular file/);
    $try->('an empty one', spew("$dir/empty", '', 0644), qr/has 0 bytes/);
    $try->('no JSON', spew("$dir/text", 'x', 0644), qr/"\Q$dir\E\/text"/);
    $try->('a large one', spew("$dir/large", ' ' x 65_537, 0644),
        qr/has 65537 bytes/, qr/1 to 65536 bytes/);
    $try->('one that others may write',
        spew("$dir/open.jwks", slurp($jwks), 0646),
        qr/others may write "\Q$dir\E\/open\.jwks"/, qr/chmod o-w/);

    my (undef, $private) = $sender->key('own', kty => 'EC', secret => 1);
    $try->('a private key', spew("$dir/private.jwks",
        $sender->jwks($private), 0644), qr/private/);
    $try->('a secret', spew("$dir/oct.jwks",
        '{"keys":[{"kty":"oct","k":"' . 'A' x 43 . '"}]}', 0644), qr/oct/);

    bad 'keys twice', issuer(hr => "jwks $jwks; jwks $jwks; # here"),
        qr/"jwks" directive is duplicate/;

    my $wide = spew("$dir/wide.jwks", slurp($jwks) . ' ' x (65_536 - -s $jwks),
        0644);
    good 'as large as may be', issuer(hr => $set =~ s/$jwks/$wide/r);
};


subtest 'a prover has keys, and what its attestations claim' => sub {
    my $all = "jwks $other; iss https://p.example; aud https://x.example;";

    good 'a prover', prover(veri => $all);
    good "max_age $_", prover(veri => "$all max_age $_;")
        for qw(1s 10m 1d 86400);

    for my $missing (qw(jwks iss aud)) {
        bad "no $missing", prover(veri => $all =~ s/$missing \S+//r),
            qr/no "$missing" in enroll_prover "veri"/,
            qr/needs "jwks", "iss" and "aud"/;
    }

    for my $age (qw(0 500ms 86401 2d -1 x)) {
        bad "max_age $age", prover(veri => "max_age $age; # here"),
            qr/invalid value "$age" in "max_age"/, qr/from 1s to 1d/;
    }
    bad 'max_age twice', prover(veri => 'max_age 1m; max_age 1m; # here'),
        qr/"max_age" directive is duplicate/;
    bad 'a secret', prover(veri => 'secret_file x; # here'),
        qr/unknown directive "secret_file"/, qr/takes "jwks"/;
    bad 'a name with a colon', prover('a:b' => $all),
        qr/invalid name "a:b"/;

    my $first = prover(veri => $all) =~ s/ # here//r;
    bad 'the same iss and aud', $first . prover(other => $all),
        qr/enroll_prover "other" has the "iss" and "aud" of enroll_prover/,
        qr/they could not be told apart/;
    good 'another aud', $first . prover(other => $all =~ s/aud \S+/aud y;/r);
    bad 'the same name', $first . prover(veri => $all),
        qr/duplicate enroll_prover "veri"/;
    good 'the name of an issuer',
        issuer(veri => "secret_file $secret;") . $first;
};


subtest 'what security event tokens need to issue' => sub {
    my $try = sub {
        my ($policy, $handler) = @_;
        return "enroll_zone enroll 1m;\nenroll_keys $keys;\n"
            . "enroll_redis 127.0.0.1:1;\nenroll_url http://x/enroll;\n"
            . "enroll_class pushed { $policy }\n"
            . "enroll_class shown { ttl 1h; }\n"
            . "enroll_issuer hris { $set class pushed shown; }\n"
            . "server {\nlisten 127.0.0.1:1;\nlocation / {\n"
            . "$handler hris; # here\n}\n}\n";
    };

    bad 'no delivery', $try->('ttl 1h;', 'enroll_issue'),
        qr/"enroll_issue" of issuer "hris"/,
        qr/needs "deliver" in enroll_class "pushed"/, qr/no body/;
    good 'a delivery', $try->('ttl 1h; deliver /deliver;', 'enroll_issue');
    good 'to revoke needs none', $try->('ttl 1h;', 'enroll_revoke');
    bad 'approvals', $try->('deliver /deliver; approvals 1;', 'enroll_issue'),
        qr/needs "approvals 0" in enroll_class "pushed"/, qr/requester/;
};


# --- rates

my $stack = stack(workers => 2, issuer => 'rate 1r/m burst=2;',
    issuers => { it => 'rate 60r/m burst=0; approve on;', desk => '' },
    issue => 'hr it desk', revoke => 'hr it', approve => 'it');
my $http = $stack->http;

# How many of them were throttled: what a slow machine does besides is no
# matter of rates.
sub throttled { return scalar grep { $_->status == 429 } @_ }

sub at_once {
    my ($n, $by) = @_;
    return burst(map {
        my $text = $json->encode({ subject => "at-once-$_-$$",
            class => 'standard' });
        [$http, 'POST', '/enroll/issue', [webhook_headers(
            $stack->secret_of($by), $text)], $text]
    } 1 .. $n);
}


subtest 'more calls than the rate allows' => sub {
    is throttled(at_once(6, 'hr')), 3,
        'of six the burst and one more pass, whichever worker gets them';

    my $monitor = $stack->redis->monitor;
    my $refusal = $stack->issue(event => 'late');
    refused($refusal, 429, 'throttled', 'the next is refused');
    is $refusal->header('Retry-After'), 63, '… until one has leaked';
    is scalar(my @asked = $monitor->commands), 0, '… and Redis not asked';

    is $stack->revoke(subject => 'nobody')->status, 404,
        'who leaves does not wait';
    is $stack->issue(by => 'desk')->status, 201, 'nor another issuer';
    is throttled(at_once(20, 'desk')), 0, '… who has no rate at all';
    is $stack->status->{refused}{throttled}, 4, 'the counter says how many';
};


subtest 'what is not his own costs him nothing' => sub {
    is $stack->issue(by => 'it')->status, 201, 'his call';
    refused($stack->issue(by => 'it'), 429, 'throttled', 'the next');

    my $text = $json->encode({ subject => 'eve', class => 'standard' });
    wait_for {
        $http->post('/enroll/issue', $text,
            webhook_headers(webhook_secret(), $text))->status == 401
            or die 'an unsigned call was not refused';
        $stack->issue(by => 'it', event => 'again')->status == 201;
    } 'a call to leak out, and others\' calls beside it not to count';

    refused($stack->approve(by => 'it', id => '0' x 32, approver => 'm'), 429,
        'throttled', 'approvals are calls, too');
};


subtest 'a reload changes nothing' => sub {
    $stack->nginx->reload(leave => 1);
    refused($stack->issue, 429, 'throttled', 'it is refused as before');
};


subtest 'more issuers than there are buckets' => sub {
    my @names = map { sprintf 'i%02d', $_ } 1 .. 65;
    my $crowd = stack(issuers => { map { $_ => 'rate 1r/m burst=0;' }
        @names }, issue => "hr @names");

    is throttled(map { $crowd->issue(by => $_) } @names), 0,
        'each has one call';
    refused($crowd->issue(by => 'i65'), 429, 'throttled', 'and no other');
    refused($crowd->issue(by => 'i02'), 429, 'throttled', 'nor has he');
    is $crowd->issue(by => 'i01')->status, 201,
        'who was idle for longest has made room';
};

done_testing;
