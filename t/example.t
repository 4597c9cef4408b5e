#!/usr/bin/perl

# conf.example, as it is but for paths and addresses: it loads without a
# word, and one enrollment goes through it.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;
use Enroll::Paths qw(module_file);
use POSIX ();
use Socket ();


# --- what it needs: certificates, keys, secrets, a Redis, an IdP

my $dir = sub_dir('example');
sub_dir('example/logs', 01777);
sub_dir("example/$_", 0777) for qw(tmp www);
sub_dir("example/$_") for qw(enroll tls);

my %secret = map { $_ => webhook_secret() } qw(hr helpdesk);
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
    my ($issuer, $path, $body) = @_;
    return $inside->post($path, $body, 'Content-Type' => 'application/json',
        webhook_headers($secret{$issuer}, $body));
}


# --- one enrollment

wait_for { $inside->get('/status')->status == 200 } 'nginx to answer';
ok $inside->get('/status')->json->{ledger}{reachable},
    'the ledger is reached: TLS, client certificate, user and password';

my $made = call('hr', '/issue',
    '{"subject":"ada","class":"standard","channel":"email"}');
is $made->status, 201, 'HR issues';
my ($id, $token) = @{$made->json || {}}{qw(id token)};
is $made->json->{url}, "https://login.example.com/enroll#$token",
    'a link to the public server';

is call('hr', '/issue', '{"subject":"bob","class":"urgent"}')->status, 403,
    'HR may not issue urgent tokens';
is call('helpdesk', '/issue', '{"subject":"bob","class":"urgent"}')->status,
    201, 'the helpdesk may';
is call('hr', '/revoke', '{"subject":"bob"}')->status, 200, 'HR revokes';

is $login->get('/register')->status, 401, 'no page without a session';

my $landing = $login->get('/enroll', Accept => 'text/html');
is $landing->status, 200, 'the link leads to a page';

my $redeemed = $login->post('/enroll', "token=$token",
    Accept => 'text/html', Origin => 'https://login.example.com',
    'Sec-Fetch-Site' => 'same-origin',
    'Content-Type' => 'application/x-www-form-urlencoded');
is $redeemed->status, 303, 'which redeems';
is $redeemed->header('Location'), '/register', 'and leads on';

my @session = (Cookie => '__Host-enroll=' . $redeemed->cookie('__Host-enroll'));

$idp->answer('/register/finish' => { status => 400 },
    { status => 200, body => '{"verified":true}',
      headers => ['Content-Type' => 'application/json'] });

is $login->get('/register', @session)->status, 200, 'the page';
is $login->get('/register/assets/x.js', @session)->status, 200, 'its script';
is $login->post('/register/begin', '{}', @session)->status, 200, 'begin';
is $login->post('/register/finish', '{}', @session)->status, 400,
    'finish, which the IdP refuses';
wait_for { $redis->hash('HGETALL', "enroll:{0}:token:$id")->{state}
    eq 'redeemed' } 'the settlement';
is $login->post('/register/begin', '{}', @session)->status, 200, 'begin again';
is $login->post('/register/finish', '{}', @session)->status, 200,
    'finish, which it accepts';
wait_for { $redis->hash('HGETALL', "enroll:{0}:token:$id")->{state}
    eq 'enrolled' } 'the settlement';

my ($finish) = $idp->requests('/register/finish');
is $finish->header('Enroll-Subject'), 'ada', 'the IdP was told who';
is $finish->header('Enroll-Id'), $id, 'and by which token';
is $finish->header('Cookie'), undef, 'and nothing else';


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

my $late = call('hr', '/issue', '{"subject":"eve","class":"standard"}')
    ->json->{token};
$redis->stop;
my $down = $login->post('/register/begin', '{}',
    Authorization => "Bearer $late");
is $down->status, 503, 'Redis is down';
like $down->body, qr/come back later/, 'the page of our own says so';
is $down->header('Retry-After'), 1, 'and when to come back';

done_testing;
