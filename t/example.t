#!/usr/bin/perl

# conf.example, as it is but for paths and addresses: it loads without a
# word, and a joiner, a lost phone and a leaver go through it.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Gateway;
use Enroll::Passkey qw(passkey_json);
use Enroll::Refused qw(refused);
use Enroll::Test;
use Enroll::Paths qw(module_file);
use JSON::PP ();
use POSIX ();
use Socket ();


# --- what it needs: certificates, keys, secrets, a Redis, an IdP

my $dir = sub_dir('example');
sub_dir('example/logs', 01777);
sub_dir("example/$_", 0777) for qw(tmp www);
sub_dir("example/$_") for qw(enroll tls);

my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();
$sender->key($_, kty => 'EC') for qw(iam acme);
spew("$dir/enroll/$_.jwks", $sender->jwks($_), 0644) for qw(iam acme);
my $model = '2fc0579f-8113-47ea-b116-bb5a8db9202a';
spew("$dir/enroll/models", "$model    # blue, with a slot\n", 0644);

my %secret = map { $_ => webhook_secret() } qw(hr helpdesk managers);
spew("$dir/enroll/$_.secret", "$secret{$_}\n", 0600) for keys %secret;
spew("$dir/enroll/redis.password", "for the test\n", 0600);
spew("$dir/www/unavailable.html", "<h1>Please come back later</h1>\n", 0644);
make_keys("$dir/enroll/keys.jwks");

sub install_certificate {
    my ($to, $name) = @_;
    my ($crt, $key) = certificate($name);
    spew("$dir/$to.crt", slurp($crt));
    spew("$dir/$to.key", slurp($key), 0600);
    return;
}

install_certificate("tls/$_", $_)
    for qw(login.example.com enroll.example.internal);
install_certificate('enroll/redis-client', 'nginx.example.internal');
spew("$dir/enroll/redis-ca.crt", slurp(ca_file()));

# the Redis user that docs/operations.md recommends
my ($acl) = slurp(top() . '/docs/operations.md')
    =~ /^(user enroll on >\S+ (?:.*\\\n)*.*)$/m;
ok $acl, 'docs/operations.md has a Redis user';
$acl =~ s/\s*\\\n\s*/ /g;
$acl =~ s/>\S+/">for the test"/;

my $redis = redis(name => 'example-redis', tls => 1,
    tls_name => 'redis.example.internal', acl => [$acl]);
my $idp = upstream(name => 'example-idp');
my $gateway = Enroll::Gateway->new(name => 'example-gateway');
my $soc = upstream(name => 'example-soc');
$soc->answer('/notify' => { status => 202 });
my %port = map { $_ => free_port() } qw(public issuers plain);


# --- the rule by which it is loaded: each of these is there, and replaced

my $user = $> == 0 ? 'user nobody nogroup;' : '';
my $temp = join '', map { "${_}_temp_path $dir/tmp/$_;\n" }
    qw(client_body proxy fastcgi uwsgi scgi);

my @rule = (
    'modules/ngx_http_enroll_module.so' => module_file(),
    'user              www-data;'       => $user,
    'worker_processes  auto;'           => 'worker_processes 2; daemon off;',
    '/run/nginx.pid'                    => "$dir/nginx.pid",
    '/var/log/nginx/error.log'          => "$dir/logs/error.log debug",
    '/var/log/nginx/'                   => "$dir/logs/",
    '/etc/nginx/'                       => "$dir/",
    '/var/www/login'                    => "$dir/www",
    "http {\n"                          => "http {\n$temp",
    '  redis.example.internal:6379'     => '  localhost:' . $redis->tls_port,
    "resolver  10.0.0.2 valid=30s;\n"   => "\n",
    '127.0.0.1:3000'                    => '127.0.0.1:' . $idp->port,
    '127.0.0.1:8025'                    => '127.0.0.1:' . $gateway->port,
    '127.0.0.1:8026'                    => '127.0.0.1:' . $soc->port,
    'listen  443 '                      => "listen  $port{public} ",
    'listen  10.0.0.10:8443 '           => "listen  $port{issuers} ",
    'listen  80;'                       => "listen  $port{plain};",
    'allow  10.0.0.0/16;'               => 'allow  127.0.0.1;',
);

my $conf = slurp(top() . '/conf.example');
my @missing;

while (my ($from, $to) = splice @rule, 0, 2) {
    my $n = $conf =~ s/\Q$from\E/$to/g;
    push @missing, $from if !$n;
}

is "@missing", '', 'all that is to be replaced is there';


# --- it loads

my ($status, $said) = nginx_test_config(conf => $conf);
is $status, 0, 'nginx -t takes it';
unlike $said, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'without a warning';
diag $said if $status;

# with what stands there commented out, in place of its enroll_redis

spew("$dir/enroll/sentinel.password", "secret\n", 0600);

for my $other (qw(sentinel cluster)) {
    my $text = $conf =~ s/^ +enroll_redis  +localhost.*\n//mr;
    my $n = $text =~ s/^( +)#(enroll_redis_${other}(?:_\w+)? [^;]*;)/
        my ($indent, $lines) = ($1, $2); $lines =~ s{^ +#}{}mg;
        "$indent$lines"/mge;
    $text =~ s/(?:sentinel|redis)-\d\.example\.internal/localhost/g;

    ($status, $said) = nginx_test_config(conf => $text);
    is "$status, $n", '0, ' . ($other eq 'sentinel' ? 3 : 1),
        "nginx -t takes it with enroll_redis_$other" or diag $said;
}

my $nginx = Enroll::Nginx->new(name => 'example', conf => $conf);


# --- a client that speaks TLS, by the openssl command

{
    package Client;
    our @ISA = ('Enroll::Http');

    sub connect {
        my ($self) = @_;

        socketpair my $ours, my $theirs, Socket::AF_UNIX(),
            Socket::SOCK_STREAM(), Socket::PF_UNSPEC()
            or die "socketpair: $!";
        my $pid = fork;
        die "fork: $!" if !defined $pid;

        if ($pid == 0) {
            POSIX::_exit(0) if fork;    # nobody has to wait for it
            open STDIN, '<&', $theirs;
            open STDOUT, '>&', $theirs;
            open STDERR, '>', '/dev/null';
            close $ours;
            close $theirs;
            exec qw(openssl s_client -quiet -verify_return_error -CAfile),
                Enroll::Tls::ca_file(), '-verify_hostname', $self->{host},
                '-servername', $self->{host},
                '-connect', "127.0.0.1:$self->{port}";
        }

        waitpid $pid, 0;
        close $theirs;
        $ours->autoflush(1);
        return $ours;
    }
}

my $login = Client->new(port => $port{public}, host => 'login.example.com');
my $inside = Client->new(port => $port{issuers},
    host => 'enroll.example.internal');

sub call {
    my ($issuer, $path, $body, @more) = @_;
    my $text = ref $body ? $json->encode($body) : $body;
    return $inside->post($path, $text, 'Content-Type' => 'application/json',
        webhook_headers($secret{$issuer}, $text, @more));
}

sub state_of {
    my ($id) = @_;
    return $redis->hash('HGETALL', "enroll:{0}:token:$id")->{state};
}

sub redeem {
    my ($token) = @_;
    return $login->post('/enroll', "token=$token", Accept => 'text/html',
        Origin => 'https://login.example.com',
        'Sec-Fetch-Site' => 'same-origin',
        'Content-Type' => 'application/x-www-form-urlencoded');
}

# What the gateway was given last.

sub letter {
    my @letters = $gateway->delivered;
    return $letters[-1] || {};
}

my $attestations = 0;

sub prove {
    my ($subject) = @_;
    my $jws = $sender->jwt('acme', { iss => 'https://prover.example.com',
        aud => 'https://login.example.com', iat => time, exp => time + 60,
        jti => 'a-' . ++$attestations, subject => $subject, ial => 'ial2' });
    return $login->post('/enroll/proof', $jws,
        'Content-Type' => 'application/jwt');
}


# --- who may issue what

wait_for { $inside->get('/status')->status == 200 } 'nginx to answer';
wait_for { $redis->command('EXISTS', 'enroll:{0}:notify') }
    'somebody to tell of what happens';
ok $inside->get('/status')->json->{ledger}{reachable},
    'the ledger is reached: TLS, client certificate, user and password';

my %ada = (subject => 'ada', attributes => { email => 'ada@example.org' });
my %bob = (subject => 'bob', class => 'urgent', requester => 'm-7',
    attributes => { email => 'bob@example.org' });

my $made = call('hr', '/issue', { %ada, class => 'standard' });
is $made->status, 201, 'HR issues';
ok $made->json->{delivered}, 'and is told that it is delivered';
unlike $made->raw, qr/enr_/, 'and not the token';
my ($id, $token) = ($made->json->{id}, letter()->{token});
is letter()->{url}, "https://login.example.com/enroll#$token",
    'the gateway has a link to the public server';
is letter()->{channel}, 'email', 'and HR\'s channel';

refused(call('hr', '/issue', { subject => 'eve', class => 'standard' }), 422,
    'attributes', 'who has no address');
refused(call('hr', '/issue', \%bob), 403, 'class',
    'HR may not issue urgent tokens');
my $urgent = call('helpdesk', '/issue', \%bob);
is $urgent->status, 201, 'the helpdesk may';
my $bobs = letter()->{token};
is redeem($bobs)->status, 403, 'which are of no use yet';
refused(call('managers', '/approve',
    { id => $urgent->json->{id}, approver => 'm-7' }), 403, 'approver',
    'who asked for it does not approve');
is call('managers', '/approve',
    { id => $urgent->json->{id}, approver => 'm-8' })->status, 200,
    'another manager does';
is redeem($bobs)->status, 303, 'and then it is';
is call('hr', '/revoke', { subject => 'bob' })->status, 200, 'HR revokes';

$gateway->answer('/deliver' => { status => 500 }, {});
refused(call('hr', '/issue', { subject => 'gil', class => 'standard',
    attributes => { email => 'gil@example.org' } }, id => 'join-gil'), 502,
    'undelivered', 'a gateway that fails');
is call('hr', '/issue', { subject => 'gil', class => 'standard',
    attributes => { email => 'gil@example.org' } }, id => 'join-gil')
    ->status, 201, 'the same event again';


# --- one enrollment

is $login->get('/register')->status, 401, 'no page without a session';

my $landing = $login->get('/enroll', Accept => 'text/html');
is $landing->status, 200, 'the link leads to a page';

my $redeemed = redeem($token);
is $redeemed->status, 303, 'which redeems';
is $redeemed->header('Location'), '/register', 'and leads on';

my @session = (Cookie => '__Host-enroll=' . $redeemed->cookie('__Host-enroll'));

my $led = $login->get('/register', @session);
is $led->status, 303, 'the page leads away';
is $led->header('Location'), "https://prover.example.com/start?nonce=$id",
    'to the prover';
refused($login->post('/register/begin', '{}', @session), 403, 'unproofed',
    'there is nothing to begin before');
is prove('ada')->status, 200, 'the prover says who it is';

$idp->answer('/register/finish' => { status => 400 },
    { status => 200, body => '{"verified":true}',
      headers => ['Content-Type' => 'application/json'] });

sub finish_by {
    my ($session, %kind) = @_;
    return $login->post('/register/finish',
        passkey_json(origin => 'https://login.example.com', %kind),
        @$session, 'Content-Type' => 'application/json');
}

sub finish { return finish_by(\@session, @_) }

is $login->get('/register', @session)->status, 200, 'the page';
is $login->get('/register/assets/x.js', @session)->status, 200, 'its script';
is $login->post('/register/begin', '{}', @session)->status, 200, 'begin';
refused(finish(verified => 0), 403, 'authenticator',
    'finish with a passkey that verifies nobody');
is $idp->count('/register/finish'), 0, 'of which the IdP hears nothing';
is finish()->status, 400, 'finish, which the IdP refuses';
wait_for { state_of($id) eq 'redeemed' } 'the settlement';
is $login->post('/register/begin', '{}', @session)->status, 200, 'begin again';
is finish()->status, 200, 'finish, which it accepts';
wait_for { state_of($id) eq 'enrolled' } 'the settlement';

my ($finish) = $idp->requests('/register/finish');
is $finish->header('Enroll-Subject'), 'ada', 'the IdP was told who';
is $finish->header('Enroll-Id'), $id, 'and by which token';
is $finish->header('Cookie'), undef, 'and nothing else';

my $word = $sender->verify($finish->header('Enroll-Assertion'),
    $inside->get('/jwks')->body, issuer => 'https://login.example.com',
    audience => 'https://idp.example.com', typ => 'enroll+jwt')->{payload};
is join(' ', @$word{qw(sub id class proof step method host uri)}),
    "ada $id standard ial2 finish POST login.example.com /register/finish",
    'and the same in a signed word';


# --- a lost phone

refused(call('hr', '/issue', { %ada, class => 'standard' }), 409, 'first_use',
    'who has enrolled gets no other');
my $recovery = call('helpdesk', '/issue', { %ada, class => 'recovery',
    requester => 'm-7', channel => 'video' });
is $recovery->status, 201, 'the helpdesk recovers, by another channel';
is call('managers', '/approve', { id => $recovery->json->{id},
    approver => $_ })->status, 200, "$_ approves" for qw(m-8 m-9);
my $second = redeem(letter()->{token});
is $second->status, 303, 'and then the link works';
is prove('ada')->status, 200, 'she is proofed once more';

my @second = (Cookie => '__Host-enroll=' . $second->cookie('__Host-enroll'));
is $login->post('/register/begin', '{}', @second)->status, 200, 'begin';
refused(finish_by(\@second), 403, 'authenticator', 'no other phone');
is finish_by(\@second, format => 'packed', aaguid => $model)->status, 200,
    'a key of the model that the desk hands out';
wait_for { state_of($recovery->json->{id}) eq 'enrolled' } 'the settlement';


# --- a leaver

sub push_set {
    my ($event, $data) = @_;
    my $jws = $sender->jwt('iam', { iss => 'https://iam.example.com',
        aud => 'https://enroll.example.internal:8443/issue', iat => time,
        jti => "e-$event", sub_id => { format => 'scim', uri => '/Users/leo' },
        events => { "urn:ietf:params:scim:event:prov:$event" => $data } },
        typ => 'secevent+jwt');
    return $inside->post('/issue', $jws,
        'Content-Type' => 'application/secevent+jwt');
}

is push_set('create:full', { data => { emails => [{ value =>
    'leo@example.org' }] } })->status, 202, 'the IAM says who joins';
my $leo = letter();
is $leo->{attributes}{email}, 'leo@example.org', 'with what it knows';
my @leo = (Cookie => '__Host-enroll='
    . redeem($leo->{token})->cookie('__Host-enroll'));
is $login->get('/register', @leo)->status, 303, 'he has a session';
is push_set('deactivate', {})->status, 202, 'and who leaves';
is $login->post('/register/begin', '{}', @leo)->status, 410,
    'the very next request is refused';


# --- who hears of it

my $jwks = $inside->get('/jwks')->body;
my @heard;

wait_for {
    @heard = map { my $claims = $sender->verify($_->body, $jwks,
        issuer => 'https://login.example.com',
        audience => 'https://soc.example.com/events',
        typ => 'secevent+jwt')->{payload};
        my ($type) = keys %{$claims->{events}};
        $claims->{sub_id}{id} . ' ' . $type =~ s{.*[/:]}{}r } $soc->requests;
    $heard[-1] && $heard[-1] eq 'leo revoke';
} 'the last of it to be told';
is_deeply \@heard, ['bob exception', 'bob revoke', 'gil revoke',
    'ada credential-change', 'ada exception', 'ada credential-change',
    'leo revoke'],
    'what one acts upon, in order, signed';


# --- what follows

my $heard = $idp->count;
is $login->post('/register/finish', '{}', @session)->status, 410, 'no replay';
is $login->get('/admin', @session)->status, 403, 'nothing beside it';
is $idp->count, $heard, 'the IdP has heard neither';

my ($line) = grep { /"path":"\/admin"/ } split /\n/, $nginx->access_log;
like $line, qr/"id":"$id",.*"reason":"scope"/, 'the access log says why';

# the one above, and nine more
my @many = map { $login->post('/enroll', 'token=enr_x',
    'Content-Type' => 'application/x-www-form-urlencoded')->status } 1 .. 12;
is $many[0], 401, 'guessing is answered';
is $many[-1], 429, 'and then it is not';
is $login->get('/enroll')->status, 200, 'while the page is still there';

my $plain = http($port{plain}, host => 'login.example.com')
    ->get('/enroll?x=y');
is $plain->status, 301, 'plain HTTP leads';
is $plain->header('Location'), 'https://login.example.com/enroll',
    'to TLS, without its arguments';

call('hr', '/issue', { subject => 'eve', class => 'standard',
    attributes => { email => 'eve@example.org' } });
my $late = letter()->{token};
$redis->stop;
my $down = $login->post('/register/begin', '{}',
    Authorization => "Bearer $late");
is $down->status, 503, 'Redis is down';
like $down->body, qr/come back later/, 'the page of our own says so';
is $down->header('Retry-After'), 1, 'and when to come back';

done_testing;
