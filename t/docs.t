#!/usr/bin/perl

# What the docs show is what happens: the README's configuration loads, the
# commands of docs/operations.md print what it says, and the calls of
# docs/directives.md are answered as it says. Ids, times and tokens are
# others each time; all else has to be the same.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;
use Enroll::Paths qw(nginx_binary);
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $readme = slurp(top() . '/README.md');
my $operations = slurp(top() . '/docs/operations.md');
my $directives = slurp(top() . '/docs/directives.md');


# The blocks of a text that are marked as of that language.
sub blocks {
    my ($text, $language) = @_;
    return $text =~ /^```\Q$language\E\n(.*?)^```$/msg;
}

# [command, output] of a block of what one sees on a terminal.
sub dialogue {
    my ($block) = @_;

    my @steps;
    for my $line (split /^/, $block) {
        if ($line =~ s/^\$ //) {
            push @steps, [$line, ''];
        } elsif ($line =~ s/^> // && $steps[-1][1] eq '') {
            $steps[-1][0] .= $line;
        } else {
            $steps[-1][1] .= $line;
        }
    }
    return @steps;
}

# What of a text does not change from day to day.
sub shape {
    my ($text) = @_;

    $text =~ s/(?:\xe2\x80\xa6|\x{2026})//g;     # an ellipsis
    $text =~ s/en([rs])_[\w-]+/en$1_/g;
    $text =~ s/[0-9a-f]{32,}/HEX/g;
    $text =~ s/\b1\d{12}(?:-\d+)?\b/TIME/g;
    $text =~ s/[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]+ UTC \d+/DATE/g;
    $text =~ s/localhost:\d+/localhost/g;
    $text =~ s{unix:/[\w./-]+}{unix:SOCKET}g;
    $text =~ s/(Max-Age=)(?:600|599)\b/${1}WINDOW/g;
    return $text;
}

# Redis gives fields in no order.
sub unordered {
    my ($text) = @_;
    my @lines = split /\n/, shape($text);
    s/^(?:\s*\d+[)#])+\s*// for @lines;
    return join "\n", sort @lines;
}

# JSON with its leaves' shapes; numbers of our own clocks and sizes vary.
sub leaves {
    my ($value) = @_;
    return { map { $_ => /^(?:latency_ms|free)$/ ? 'VARIES'
        : leaves($value->{$_}) } keys %$value } if ref $value eq 'HASH';
    return [ map { leaves($_) } @$value ] if ref $value eq 'ARRAY';
    return defined $value ? shape("$value") : undef;
}

# A text that the docs cut short, with an ellipsis, is cut short.
sub cut {
    my ($is, $want) = @_;
    return { map { $_ => cut($is->{$_}, $want->{$_}) } keys %$is }
        if ref $is eq 'HASH' && ref $want eq 'HASH';
    return $is if !defined $want || ref $want || $want !~ /\x{2026}\z/;
    return substr $is, 0, length($want) - 1;
}


# --- the README's configuration, loaded as it stands

my ($minimal) = blocks($readme, 'nginx');
ok $minimal, 'the README has a configuration';

my $dir = sub_dir('try-1');     # of the nginx_test_config that follows
make_keys("$dir/keys.jwks");
spew("$dir/hr.secret", webhook_secret() . "\n", 0600);
my ($crt, $key) = certificate('login.example.com');
spew("$dir/login.crt", slurp($crt));
spew("$dir/login.key", slurp($key), 0600);

my ($status, $said) = nginx_test_config(http => $minimal);
is $status, 0, 'which nginx -t takes' or diag($said);
unlike $said, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'without a warning';


# --- the commands that make keys and secrets, wherever they stand

my $shell = sub_dir('shell');

for my $text ($readme, $directives) {
    for my $step (map { dialogue($_) } blocks($text, 'console')) {
        my ($command) = @$step;
        next if $command !~ /keys\.jwks|hr\.secret/;
        is system('sh', '-ec', "cd $shell; rm -f *; $command"), 0,
            "runs: $command";
        my ($file) = glob "$shell/*";
        is +(stat $file)[2] & 07777, 0600, 'the file is its owner\'s alone';

        my $conf = $file =~ /keys/ ? "enroll_keys $file;"
            : "enroll_class standard { }\n"
                . "enroll_issuer hr { secret_file $file; }";
        ($status, $said) = nginx_test_config($conf);
        is $status, 0, 'and loads' or diag($said);
    }
}


# --- the story that docs/operations.md tells

my $stack = stack(class => 'ttl 24h; window 10m; attempts 5;');
my $idp = $stack->idp;

my $made = $stack->issue(subject => 'ada', event => 'join-1042',
    channel => 'email', attributes => { email => 'ada@example.org' });
my $id = $made->json->{id};
my $ada = $stack->session($made->json->{token});

$idp->answer('/register/finish' => { status => 400 }, { status => 200 });

$stack->page($ada);
$stack->begin($ada);
is $stack->finish($ada)->status, 400, 'the IdP refuses ada';
$stack->wait_record($id, outcome => 'refused', state => 'redeemed');
is $stack->http->get('/admin', Cookie => $ada)->status, 403,
    'she cannot leave';

my $bob = $stack->issue(subject => 'bob', event => 'join-1043')->json;

my ($grace, $grace_id) = $stack->enter(subject => 'grace',
    event => 'join-1044');
$stack->begin($grace);
is $stack->finish($grace)->status, 200, 'grace enrolls';
$stack->wait_record($grace_id, state => 'enrolled');
# the line of the log is written after the record
wait_for { slurp($stack->nginx->{logs} . '/enroll.log')
    =~ /"to":"enrolled"/ } 'the log';


# --- its commands. redis-cli on a terminal is not redis-cli in a pipe.

my $bin = sub_dir('bin');
my $socket = $stack->redis->socket;
my ($nginx_dir, $nginx_logs) = ($stack->nginx->dir, $stack->nginx->{logs});

sub tool {
    my ($name, $text) = @_;
    return spew("$bin/$name", "#!/bin/sh\n$text", 0755);
}

my ($redis_cli) = grep { -x } map { "$_/redis-cli" } split /:/, $ENV{PATH};
tool('redis-cli', <<"END");
if [ -p /dev/stdout ]; then mode=--raw; else mode=--no-raw; fi
exec $redis_cli -s $socket \$mode "\$@"
END
# nginx itself does not free everything before it leaves
tool('nginx', 'export ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0; exec '
    . nginx_binary() . " -p $nginx_dir/ -c "
    . $stack->nginx->conf_file . " -e $nginx_logs/error.log \"\$@\"\n");

sub run {
    my ($command) = @_;

    $command =~ s/token:[0-9a-f]{32}/token:$id/g;
    $command =~ s{/var/log/nginx/}{$nginx_logs/}g;
    $command =~ s{/etc/nginx/enroll}{$stack->{dir}}g;
    $command =~ s{http://127\.0\.0\.1:8080}
                 {'http://localhost:' . $stack->nginx->port}ge;

    my $output = "$shell/output";
    my $where = slurp("$shell/where") || "cd $shell\n";
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    system 'sh', '-c', "{ $where$command\n} > $output 2>&1";

    # cd and umask hold for the commands that follow
    spew("$shell/where", $where . $command)
        if $command =~ /^(?:cd|umask) /;

    return slurp($output);
}

for my $step (map { dialogue($_) } blocks($operations, 'console')) {
    my ($command, $output) = @$step;
    my ($short) = $command =~ /^(.{1,60})/;

    my $got = $command =~ /^curl / ? $stack->http->get('/enroll/status')->body
        : run($command);

    if ($got =~ /^\{/) {
        is_deeply leaves($json->decode($got)), leaves($json->decode($output)),
            $short or diag($got);
        next;
    }

    is unordered($got), unordered($output), $short or diag("\n$got");
}


# what the rotation of keys has come to

my $set = $json->decode(slurp("$stack->{dir}/keys.jwks"));
is_deeply [ map { "$_->{kty} " . ($_->{kid} || '') } @{$set->{keys}} ],
    ['oct ', 'oct subject', 'EC '], 'the old key is gone, the others are not';

wait_for { ($stack->redeem($bob->{token})->json->{reason} // '') eq 'forged' }
    'the last reload';
wait_for { $stack->nginx->worker_pids(1) == 1 } 'old workers to leave';
pass 'a token of the old key is forged now';

my $new = $stack->issue(subject => 'bob', event => 'join-1045')->json;
is $stack->record($bob->{id})->{state}, 'revoked',
    'its subject was found by the same digest';
is $stack->redeem($new->{token})->status, 200, 'a token of the new key is good';


# --- the calls of docs/directives.md

$stack = stack(class => 'ttl 24h; window 10m; attempts 5;');
my @messages = blocks($directives, 'http');
my ($token, $session);

ok @messages > 6 && @messages % 2 == 0, 'calls and their answers';

while (my ($request, $response) = splice @messages, 0, 2) {
    my ($head, $body) = split /\n\n/, $request, 2;
    my ($line, @lines) = split /\n/, $head;
    my ($method, $path) = split / /, $line;
    my @headers = map { split /: /, $_, 2 } @lines;
    my %header = @headers;

    $body =~ s/\s+\z//;
    $body =~ s/enr_[\w-]+/$token/;

    my @signed;
    if (my $event = $header{'webhook-id'}) {
        @signed = webhook_headers($stack->{secret}, $body, id => $event);
        @headers = ('Content-Type' => $header{'Content-Type'});
    }

    my $got = $stack->http->request($method, $path, [@headers, @signed],
        $body);
    $token ||= $got->json && $got->json->{token};

    my ($want_head, $want_body) = split /\n\n/, $response, 2;
    $want_head =~ s/\n +/ /g;
    my ($want_status, @want_headers) = split /\n/, $want_head;

    my ($is_status) = $got->raw =~ /\A(.*?)\r\n/;
    is $is_status, $want_status, "$method $path: $want_status";

    for my $want (@want_headers) {
        my ($name, $value) = split /: /, $want, 2;
        is shape($got->header($name) // ''), shape($value), "$name";
    }

    next if !defined $want_body;
    my $want = $json->decode($want_body);
    is_deeply leaves(cut($got->json, $want)), leaves($want),
        'and the body' or diag($got->body);
}

# --- what the docs name is there, and what is there is named

my $architecture = slurp(top() . '/docs/architecture.md');
my ($folders) = $architecture
    =~ /^(## What is in each folder\n.*?)^Elsewhere:/ms;

for my $layer (qw(http ledger redis core)) {
    my ($table) = $folders =~ /^In `$layer\/`(.*?)(?=^In `|\z)/ms;
    my ($prefix) = $table =~ /begins with\s+`(\w+)`/;
    $prefix //= '';

    my @named = sort map { "$prefix$_" }
        map { /`([\w.]+\.\w+)`/g } $table =~ /^\| (`.*?) \|/mg;
    my @there = sort map { s{.*/}{}r }
        glob top() . "/ngx_enroll_module/$layer/*";

    is "@named", "@there", "docs/architecture.md names all of $layer/";
}

my ($reasons) = slurp(top() . '/ngx_enroll_module/core/ngx_enroll_reason.c')
    =~ /\[NGX_ENROLL_REASONS\] = \{(.*?)\};/s;
my @reasons = grep { !/^(?:ok|again|repeat|stale)$/ }
    $reasons =~ /ngx_string\("(\w+)"\)/g;
my @told = $directives =~ /^(?:- |And )\*\*`(\w+)`\*\* \d+/mg;
is "@{[sort @told]}", "@{[sort @reasons]}", 'all reasons are told';

my $lua = join '', map { slurp($_) } glob top()
    . '/ngx_enroll_module/ledger/*.lua';
my %events = map { $_ => 1 } $lua =~ /(?:change|tell)\('(\w+)'/g;
my ($table) = $operations =~ /^\| event \| more fields(.*?)\n\n/ms;
my @events = $table =~ /^\| `(\w+)` \|/mg;
is "@{[sort @events]}", "@{[sort keys %events]}", 'all events are told';

my %gone = map { $_ => 1 } grep { !-e top() . "/$_" }
    map { /`(t\/[\w\/]+\.(?:t|c))`/g } slurp(top() . '/docs/security.md');
is join(' ', keys %gone), '', 'the tests of docs/security.md are there';

for my $file (glob top() . '/docs/*.md') {
    my $text = slurp($file);
    for my $link ($text =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ /^https:/;
        my ($to, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
        my $target = $to eq '' ? $text : slurp(top() . "/docs/$to");
        my %anchors = map { lc(s/[^\w\s-]//gr) =~ s/\s/-/gr => 1 }
            $target =~ /^#+ (.*)$/mg;
        ok $target ne '' && (!defined $anchor || $anchors{$anchor}),
            "a link to $link leads somewhere";
    }
}

done_testing;
