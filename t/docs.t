#!/usr/bin/perl

# What the docs show is what happens: the README's configuration loads, the
# commands of docs/operations.md print what it says, and the calls of
# docs/directives.md are answered as it says. Ids, times and tokens are
# others each time; all else has to be the same.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;
use Enroll::Passkey qw(passkey_json);
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
    $text =~ s/\b[0-9a-f]{16} [0-9a-f]{16}\b/PROCESS/g;
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

my $sender = sender();
$sender->key('acme', kty => 'EC');

# what the docs' configurations have in common: an exception, who approves
# and who proofs
my %lifecycle = (
    class => 'ttl 24h; window 10m; attempts 5; channel email desk;',
    classes => <<'CONF',
    enroll_class urgent {
        exception_of standard;
        ttl 1h;
        channel desk;
        require ticket;
        proof ial2;
        approvals 1;
    }
CONF
    issuers => { helpdesk => 'class urgent; channel desk;',
        managers => 'approve on;' },
    provers => <<'CONF',
    enroll_prover acme {
        jwks %%STACK%%/acme.jwks;
        iss https://prover.example.com;
        aud https://login.example.com;
    }
CONF
    files => { 'acme.jwks' => $sender->jwks('acme') },
    issuer => 'class standard; channel email;',
    issue => 'hr helpdesk', approve => 'managers',
    prove => 'acme return=/register');

my $stack = stack(%lifecycle);
my $idp = $stack->idp;

my $eve = $stack->issue(subject => 'eve', event => 'ticket-4711',
    class => 'urgent', by => 'helpdesk', requester => 'm-7',
    attributes => { ticket => '4711' })->json;
is $stack->approve(id => $eve->{id}, approver => 'm-8', by => 'managers',
    event => 'yes-4711')->status, 200, 'a manager approves eve\'s token';
my $eves = $stack->session($eve->{token});
is $stack->begin($eves)->status, 403, 'who is not proofed yet';
is $stack->prove($sender->jwt('acme', { iss => 'https://prover.example.com',
    aud => 'https://login.example.com', iat => time, exp => time + 300,
    jti => 'case-77', subject => 'eve', ial => 'ial2', method => 'document',
    evidence => 'case-77', proofed_at => time - 60 }))->status, 200,
    'and then is';
is $stack->begin($eves)->status, 200, 'she begins';
is $stack->http->post('/register/finish', passkey_json(
        aaguid => '2fc0579f-8113-47ea-b116-bb5a8db9202a', format => 'packed',
        transports => ['usb', 'nfc'], origin => 'https://login.example.com'),
    Cookie => $eves, 'Content-Type' => 'application/json')->status, 200,
    'and enrolls';
$stack->wait_record($eve->{id}, state => 'enrolled');
is $stack->issue(subject => 'eve', event => 'join-1041')->status, 409,
    'so she gets no token for first use';
is $stack->issue(subject => 'frank', event => 'ticket-4712',
    class => 'urgent', by => 'helpdesk', requester => 'm-7')->status, 422,
    'and frank none without a ticket';

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

# as the user that the docs have for auditors
my ($auditor) = $operations =~ /^user auditor on >PASSWORD (.+)$/m;
$stack->redis->command('ACL', 'SETUSER', 'auditor', 'on', '>look',
    split / /, $auditor // '');

my ($redis_cli) = grep { -x } map { "$_/redis-cli" } split /:/, $ENV{PATH};
tool('redis-cli', <<"END");
if [ -p /dev/stdout ]; then mode=--raw; else mode=--no-raw; fi
exec $redis_cli -s $socket --user auditor --pass look --no-auth-warning \\
    \$mode "\$@"
END
# nginx itself does not free everything before it leaves
tool('nginx', 'export ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0; exec '
    . nginx_binary() . " -p $nginx_dir/ -c "
    . $stack->nginx->conf_file . " -e $nginx_logs/error.log \"\$@\"\n");

sub run {
    my ($command) = @_;

    # of each id in the docs, whose it is there
    my %ids = ('0000c3884b6661506b5fb27875f2bda0' => $id,
        '00008b2f9a5d4f0ab3c67e1d20958e6f' => $eve->{id});
    $command =~ s/([0-9a-f]{32})/$ids{$1} || $1/ge;
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


# --- and each field of what it left in Redis and in the log is told

sub told {
    my ($section) = @_;
    my ($text) = $operations =~ /^## \Q$section\E\n(.*?)(?=^## |\z)/ms;
    return map { $_ => 1 } map { s/<\w+>/*/gr } $text =~ /`([^`\s]+)`/g;
}

sub untold {
    my ($told, @fields) = @_;
    my %seen = map { s/^attribute\.\K.*|\d+/*/gr => 1 } @fields;
    return join ' ', sort grep { !$told->{$_}
        && !(/^authenticator/ && $told->{"authenticator\xe2\x80\xa6"}) }
        keys %seen;
}

my %told = told('The record');
my %told_of_records = %told;
my @records = @{ $stack->redis->command('KEYS', 'enroll:{0}:token:*') };
is @records, 4, 'the records of the story';
is untold(\%told, map { keys %{ $stack->redis->hash('HGETALL', $_) } }
    @records, @{ $stack->redis->command('KEYS', 'enroll:{0}:subject:*') }),
    '', 'all fields of records and subjects are told';

%told = (told('Events'), told('enroll_log'));
is untold(\%told, map { keys %$_ } $stack->events, $stack->log_lines), '',
    'all fields of events are told';


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

# an epoch's end

my $meta = 'enroll:{0}:meta';
$stack->redis->command('HSET', $meta, planned => 'f' x 40);
my %meta = %{ $stack->redis->hash('HGETALL', $meta) };
my %told_of_tokens = told('Looking at tokens');
is untold(\%told_of_tokens, keys %meta), '', 'all fields of meta are told';
$stack->redis->command('HSET', $meta, incarnation => 'e' x 40);
is $stack->issue->status, 201, 'another incarnation';
my ($fence) = $stack->events(event => 'fence');
is untold(\%told, keys %$fence), '', 'and all fields of a fence';


# --- the calls of docs/directives.md

$sender->key('iam-1', kty => 'EC');
$stack = stack(%lifecycle, deliver => 1,
    issuer => 'class standard contractor; channel email;',
    classes => "$lifecycle{classes}
        enroll_class contractor { channel email; deliver /deliver; }",
    http => <<'CONF',
    enroll_issuer iam {
        jwks %%STACK%%/iam.jwks;
        iss https://iam.example.com;
        aud https://enroll.example.internal:8443/events;
        class contractor;
    }
CONF
    files => { %{$lifecycle{files}}, 'iam.jwks' => $sender->jwks('iam-1') },
    locations => 'location = /events { enroll_issue iam; }');
my @messages = blocks($directives, 'http');
my ($token, $session);

# what else it takes: the urgent token that is approved and proofed
my $urgent = $stack->issue(subject => 'eve', class => 'urgent',
    by => 'helpdesk', requester => 'm-7', attributes => { ticket => '1' })
    ->json->{id};

# the docs' attestation, of today
my @claims = grep { $_->{iss} } map { $json->decode($_) }
    grep { /\A\{/ } blocks($directives, 'json');
my ($claims) = grep { $_->{ial} } @claims;
my $late = time - $claims->{iat};
$claims->{$_} += $late for qw(iat exp proofed_at);
my $attestation = $sender->jwt('acme', $claims);

# and its security event token
my ($pushed) = grep { $_->{events} } @claims;
$pushed->{iat} = time;
my $event_token = $sender->jwt('iam-1', $pushed, typ => 'secevent+jwt');

ok @messages > 6 && @messages % 2 == 0, 'calls and their answers';

while (my ($request, $response) = splice @messages, 0, 2) {
    my ($head, $body) = split /\n\n/, $request, 2;
    my ($line, @lines) = split /\n/, $head;
    my ($method, $path) = split / /, $line;
    my @headers = map { split /: /, $_, 2 } @lines;
    my %header = @headers;

    $body =~ s/\s+\z//;
    $body =~ s/enr_[\w-]+/$token/;
    $body =~ s/00008b2f9a5d4f0ab3c67e1d20958e6f/$urgent/;
    $body =~ s{\Aey.*}{$path eq '/events' ? $event_token : $attestation}e;

    my @signed;
    if (my $event = $header{'webhook-id'}) {
        my $by = $path =~ /approve/ ? 'managers' : 'hr';
        @signed = webhook_headers($stack->secret_of($by), $body,
            id => $event);
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


my ($letter) = grep { $_->{attributes} } map { $json->decode($_) }
    blocks($directives, 'json');
my ($delivered) = $stack->delivered;
is_deeply leaves(cut($delivered, $letter)), leaves($letter),
    'what the gateway gets';


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
my @told = map { /\*\*`(\w+)`\*\* \d+/g }
    $directives =~ /^((?:- |And )\*\*`.*)/mg;
is "@{[sort @told]}", "@{[sort @reasons]}", 'all reasons are told';

my $lua = join '', map { slurp($_) } glob top()
    . '/ngx_enroll_module/ledger/*.lua';
my %events = map { $_ => 1 } $lua =~ /(?:change|tell)\('(\w+)'/g;
my ($table) = $operations =~ /^\| event \| more fields(.*?)\n\n/ms;
my @events = $table =~ /^\| `(\w+)` \|/mg;
is "@{[sort @events]}", "@{[sort keys %events]}", 'all events are told';

my ($user) = $operations =~ /^user enroll on >\S+ (.*?)\n```/ms;
my %may = map { $_ => 1 } $user =~ /\+([\w|]+)/g;
my @may_not = grep { !$may{lc $_} } $lua =~ /redis\.p?call\('(\w+)'/g;
is "@may_not", '', 'the Redis user may do what the scripts do';
delete @may{map { lc } $lua =~ /redis\.p?call\('(\w+)'/g};
is join(' ', sort keys %may), 'client|setname eval evalsha ping role select',
    'and what the proxy does, and no more';

my @times = grep { !$told_of_records{$_} } $lua =~ /'(\w+_at)'/g;
is "@times", '', 'all times that the scripts write are told';

my $c = join '', map { slurp($_) } glob top()
    . '/ngx_enroll_module/ledger/*.c';
my @keys = map { s/:.*//sr } $c =~ /call_key\(call, "([\w:%]+)"/g;
my ($key_table) = $operations =~ /^\| key \| type(.*?)\n\n/ms;
my @unknown = grep { $key_table !~ /^\| `enroll:\{0\}:\Q$_\E[:`]/m } @keys;
ok @keys > 4 && !@unknown, 'all keys are told' or diag("@keys; @unknown");

my %gone = map { $_ => 1 } grep { !-e top() . "/$_" }
    map { slurp(top() . "/docs/$_.md") =~ /`(t\/[\w\/]+\.(?:t|c))`/g }
    qw(security compliance recipes architecture);
is join(' ', keys %gone), '', 'the tests that the docs name are there';

# conf.example shows all of it at work; where Redis is can be said once only
my $example = slurp(top() . '/conf.example')
    =~ s/^ +#(?=enroll_redis_(?:sentinel|cluster))//mgr =~ s/^\s*#.*//mgr;
my @unused = grep { $example !~ /(?:^|[\s{;])$_[\s;]/m }
    $directives =~ /^### ([a-z_]+)$/mg;
is "@unused", '', 'each directive is in conf.example';

# each requirement of docs/compliance.md has its four lines, and what they name
my %entry = map { $_ => 1 } $directives =~ /^### (\w+)$/mg;
my %words = (%events, told('Events'));
my @items = split /^(?=\*\*)/m, slurp(top() . '/docs/compliance.md');
shift @items;

for my $item (@items) {
    my ($title) = $item =~ /\*\*([^,:]+)/;
    my %line = $item =~ /^- \*(\w+)\*: (.*?)(?=^[-#]|\n\n|\z)/msg;
    is join(' ', sort keys %line), 'Directives Events Tests Yours',
        "$title: by what, how it is seen, its tests, what is left";

    my %named = map { $_ => [$line{$_} =~ /`([^`]+)`/g] } keys %line;
    is join(' ', grep { !$entry{$_} } @{$named{Directives}}), '',
        '… its directives are there';
    is join(' ', grep { !$words{$_} && !$words{"$_\xe2\x80\xa6"} }
        @{$named{Events}}), '', '… its events and fields are';
    ok @{$named{Tests}} || $line{Tests} eq "none\n", '… and a test';
}

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
