#!/usr/bin/perl

# The ways to Redis: TCP, TLS, password, ACL user, database, name. What is
# wrong with one of them closes enrollment (I6), and the password is told to
# nobody but the right server (I5).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Acl qw(acl_rules acl_user);
use Enroll::Dns;
use Enroll::Test;

my ($password, $default) = ('enroll "s\password', 'the default one');
remember_secret($password, $default);

my $redis = redis(name => 'redis', tcp => 1, tls => 1, password => $default,
    acl => [acl_user($password),
        'user blind on >blindpassword ~enroll:* -@all +ping +role'
        . ' +client|setname',
        'user stranger on >strangerpassword ~other:* +@all',
        'user hidden on >hiddenpassword ~enroll:* +@all -info',
        'user short on >shortpassword ~enroll:* +@all -xadd -zadd']);
my $named = redis(name => 'named', tls => 1, tls_name => 'redis.test',
    conf => ['tls-auth-clients yes', 'tls-protocols "TLSv1.2"']);
my $lure = redis(name => 'lure', tcp => 1, tls => 1, password => $default);
my $open = redis(name => 'open', tcp => 1);
my $replica = redis(name => 'replica', tcp => 1,
    conf => ['replicaof 127.0.0.1 ' . $open->port]);
my ($cert, $key) = certificate('nginx.test');
my ($stranger) = certificate('stranger.test');

my $dir = sub_dir('secrets');
my %file = (right => $password, default => $default, wrong => 'wrongpassword',
    blind => 'blindpassword', stranger => 'strangerpassword',
    hidden => 'hiddenpassword', short => 'shortpassword');
spew("$dir/$_", "$file{$_}\n", 0600) for keys %file;


my $dns = Enroll::Dns->new;
my $user = 'enroll_redis_user enroll;
    enroll_redis_password_file %%FILES%%/right;';
my $tls = 'enroll_redis 127.0.0.1:%%TLS%%; enroll_redis_ssl on;';
my $lured = 'enroll_redis 127.0.0.1:%%LURE%%; enroll_redis_ssl on;';
my $trusted = 'enroll_redis_ssl_trusted_certificate %%CA%%;';
my $mutual = 'enroll_redis 127.0.0.1:%%NAMED%%; enroll_redis_ssl on;
    enroll_redis_ssl_trusted_certificate %%CA%%;';
my $client = 'enroll_redis_ssl_certificate %%CERT%%;
    enroll_redis_ssl_certificate_key %%KEY%%;';
my $resolver = $dns->conf;

my %way = (
    socket    => "enroll_redis unix:%%SOCKET%%; $user",
    tcp       => "enroll_redis 127.0.0.1:%%TCP%%; $user",
    host      => "enroll_redis localhost:%%TCP%%; $user",
    default   => 'enroll_redis 127.0.0.1:%%TCP%%;
        enroll_redis_password_file %%FILES%%/default;',
    none      => 'enroll_redis 127.0.0.1:%%OPEN%%;',
    database  => 'enroll_redis 127.0.0.1:%%OPEN%%;
        enroll_redis_database 7;',
    tls       => "$tls $trusted $user",
    tls12     => "$tls $trusted $user enroll_redis_ssl_protocols TLSv1.2;",
    blindfold => "$tls $user enroll_redis_ssl_verify off;",
    mutual    => "$mutual $client enroll_redis_ssl_name redis.test;",
    name      => "$resolver enroll_redis redis.test:%%TCP%%; $user",
    several   => "$resolver enroll_redis several.test:%%TCP%%; $user",
    tlsname   => "$resolver enroll_redis redis.test:%%NAMED%%; $client
        enroll_redis_ssl on; $trusted",
    later     => "$resolver enroll_redis later.test:%%TCP%%; $user",

    nobody    => 'enroll_redis 127.0.0.1:%%TCP%%;',
    wrong     => 'enroll_redis 127.0.0.1:%%TCP%%; enroll_redis_user enroll;
        enroll_redis_password_file %%FILES%%/wrong;',
    other     => 'enroll_redis 127.0.0.1:%%TCP%%; enroll_redis_user noone;
        enroll_redis_password_file %%FILES%%/wrong;',
    blind     => 'enroll_redis 127.0.0.1:%%TCP%%; enroll_redis_user blind;
        enroll_redis_password_file %%FILES%%/blind;',
    stranger  => 'enroll_redis 127.0.0.1:%%TCP%%; enroll_redis_user stranger;
        enroll_redis_password_file %%FILES%%/stranger;',
    hidden    => 'enroll_redis 127.0.0.1:%%TCP%%; enroll_redis_user hidden;
        enroll_redis_password_file %%FILES%%/hidden;',
    short     => 'enroll_redis 127.0.0.1:%%TCP%%; enroll_redis_user short;
        enroll_redis_password_file %%FILES%%/short;',
    needless  => "enroll_redis 127.0.0.1:%%OPEN%%;
        enroll_redis_user noone; enroll_redis_password_file
        %%FILES%%/wrong;",
    nowhere   => 'enroll_redis 127.0.0.1:%%OPEN%%;
        enroll_redis_database 99;',
    replica   => 'enroll_redis 127.0.0.1:%%REPLICA%%;',
    refused   => 'enroll_redis 127.0.0.1:%%DEAD%%;',
    nosocket  => 'enroll_redis unix:%%SOCKET%%.no;',
    noname    => "$resolver enroll_redis nowhere.test:%%TCP%%; $user",
    nodns     => "resolver 127.0.0.1:%%DEAD%%; resolver_timeout 300ms;
        enroll_redis redis.test:%%TCP%%; $user",

    ca        => "$lured $user
        enroll_redis_ssl_trusted_certificate %%STRANGER%%;",
    certname  => "$lured $trusted $user enroll_redis_ssl_name redis.test;",
    certip    => "$mutual $client",
    protocol  => "$mutual $client enroll_redis_ssl_name redis.test;
        enroll_redis_ssl_protocols TLSv1.3;",
    nocert    => "$mutual enroll_redis_ssl_name redis.test;",
    tlsplain  => "enroll_redis 127.0.0.1:%%LUREPLAIN%%; enroll_redis_ssl on;
        $trusted $user",
    plaintls  => "enroll_redis 127.0.0.1:%%TLS%%; $user",
);

$dns->set('redis.test', '127.0.0.1');
$dns->set('several.test', map { "127.0.0.$_" } 2, 3, 1);

my $stack = stack(
    redis_user => 0,
    vars => { SOCKET => $redis->socket, TCP => $redis->port,
        TLS => $redis->tls_port, LURE => $lure->tls_port,
        LUREPLAIN => $lure->port, NAMED => $named->tls_port,
        OPEN => $open->port, REPLICA => $replica->port, DEAD => free_port(),
        FILES => $dir, CA => ca_file(), STRANGER => $stranger,
        CERT => $cert, KEY => $key },
    http => join "\n", map { <<"CONF" } sort keys %way);
    server {
        listen 127.0.0.1:%%PORT_$_%%;
        server_name localhost;
        enroll on;
        $way{$_}

        location = /enroll { enroll_redeem /register; }
        location = /enroll/issue { enroll_issue hr; }
        location = /enroll/status { enroll_status; }
        location = /register {
            enroll_endpoint page;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
        location = /register/begin {
            enroll_endpoint begin;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
        location = /register/finish {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
        location / { proxy_pass http://127.0.0.1:%%IDP%%; }
    }
CONF

my $idp = $stack->idp;


my $subjects = 0;

sub issue {
    my ($way) = @_;
    my $subject = "$way-" . ++$subjects;
    my $body = qq({"subject":"$subject","class":"standard"});
    return http($stack->nginx->port($way))->post('/enroll/issue', $body,
        webhook_headers($stack->{secret}, $body),
        'Content-Type' => 'application/json');
}

sub status {
    my ($way) = @_;
    return http($stack->nginx->port($way))->get('/enroll/status')
        ->json->{ledger};
}

# A whole enrollment by that way, in one line.

sub walk {
    my ($way) = @_;

    my $http = http($stack->nginx->port($way));
    my $made = issue($way);
    return $made->status . ' ' . $made->body if $made->status != 201;

    my $redeemed = $http->post('/enroll', 'token=' . $made->json->{token},
        'Content-Type' => 'application/x-www-form-urlencoded');
    my @cookie = (Cookie => '__Host-enroll='
        . ($redeemed->cookie('__Host-enroll') // ''));

    return join ' ', map { $_->status } $made, $redeemed,
        $http->get('/register', @cookie),
        $http->post('/register/begin', '{}', @cookie),
        $http->post('/register/finish', '{}', @cookie),
        $http->post('/enroll', 'token=' . $made->json->{token},
            'Content-Type' => 'application/x-www-form-urlencoded');
}

sub works {
    my ($way, $name) = @_;
    is walk($way), '201 200 200 200 200 410', "$name: an enrollment (I1)";
    my $status = status($way);
    is $status->{reachable}, JSON::PP::true(), 'the status says so';
    return;
}

# What a person would be shown since then, of one Redis.

my $read = 0;

sub complaints {
    my @lines = $stack->nginx->error_log
        =~ /^\S+ \S+ \[(?:warn|error|crit)\] \S+ (.*)/mg;
    my @new = @lines[$read .. $#lines];
    $read = @lines;
    return join "\n", @new;
}

sub fails {
    my ($way, $name, $why) = @_;

    complaints();
    my $response = issue($way);
    is $response->status . ' ' . ($response->json->{reason} // ''),
        '503 unavailable', "$name: closed (I6)";
    is $response->header('Retry-After'), 1, 'to be tried again';

    my $status = status($way);
    is $status->{reachable}, JSON::PP::false(), 'the status says so';
    like complaints(), $why, 'and the error log says why';
    return;
}


# --- those that work

works('socket', 'a unix socket');
works('tcp', 'TCP, with the ACL user that the docs advise');
works('host', 'a name that is found when nginx starts');
works('default', 'a password for the default user');
works('none', 'no password');
works('tls', 'TLS, verified');
works('tls12', 'TLS 1.2 only');
works('blindfold', 'TLS, not verified');
works('mutual', 'TLS with a certificate of our own');
works('name', 'a name that is found at run time');
works('several', 'a name of several addresses, of which one answers');
works('tlsname', 'TLS, verified by the name');

is $open->command('DBSIZE'), $open->command('EXISTS',
    $open->keys('enroll:*')), 'all keys begin with enroll:';
my $size = $open->command('DBSIZE');
works('database', 'database 7');
is $open->command('DBSIZE'), $size, 'nothing of it is in database 0';
my $seven = $open->connect;
$seven->command('SELECT', 7);
cmp_ok $seven->command('DBSIZE'), '>', 0, 'it is in 7';

like join("\n", map { $redis->command('CLIENT', 'LIST') } 1),
    qr/name=enroll .*user=enroll/, 'connections have a name';


# --- one that appears later, and moves

fails('later', 'a name that is not known yet',
    qr/resolve failed \(later\.test: .*not found/);
$dns->set('later.test', '127.0.0.1');
wait_for { issue('later')->status == 201 } 'the name to be found';
works('later', 'the name is known now');


# --- those that do not

my $auths = sub {
    my ($n) = $lure->command('INFO', 'commandstats')
        =~ /^cmdstat_auth:calls=(\d+)/m;
    return $n // 0;
};

fails('nobody', 'no password where there is one', qr/NOAUTH/);
fails('wrong', 'a wrong password', qr/AUTH refused \(WRONGPASS/);
fails('other', 'an unknown user', qr/AUTH refused \(WRONGPASS/);
fails('needless', 'a user that the server does not know',
    qr/127\.0\.0\.1:@{[$open->port]}".*AUTH refused \(WRONGPASS/);
fails('nowhere', 'a database that is not there', qr/SELECT refused/);
fails('replica', 'a replica', qr/not a master/);
fails('refused', 'nobody there', qr/connect failed/);
fails('nosocket', 'no such socket', qr/connect failed/);
fails('noname', 'no such name', qr/resolve failed \(nowhere\.test/);
fails('nodns', 'no name server', qr/resolve failed \(redis\.test/);

# those come in, and may not do what is asked of them

fails('blind', 'a user that may not run scripts', qr/probe refused \(NOPERM/);
fails('stranger', "a user for others' keys",
    qr/hides or forbids what is needed \(EVALSHA, EXISTS, GET, /);
fails('hidden', 'a user whom the fence would not work for (I10)',
    qr/hides or forbids what is needed \(master_replid\)/);
fails('short', 'a user that may not do all that the scripts do',
    qr/hides or forbids what is needed \(XADD, ZADD\)/);
wait_for { status('short')->{circuit} eq 'open' } 'its circuit to open';
is scalar(my @told = $stack->nginx->error_log
    =~ /\[error\] .* what is needed \(XADD, ZADD\)/g), 1,
    'which is told once';

# what the probe asks for is what the scripts do, and what the docs allow

my %needs = map { $_ => 1 } map { slurp($_) =~ /redis\.call\('([A-Z]+)'/g }
    glob top() . '/ngx_enroll_module/ledger/*.lua';
my $probe = slurp(top() . '/ngx_enroll_module/ledger/probe.lua');
my %asks = map { $_ => 1 } $probe =~ /^    \{ '([A-Z]+)'/mg;
delete @asks{qw(EVALSHA)};
delete $needs{INFO};
is join(' ', sort keys %asks), join(' ', sort keys %needs),
    'the probe asks for each command of the scripts, and for no other';
like acl_rules(), qr/\+\L$_\E\b/, "the docs' user may $_" for sort keys %needs;

my $before = $auths->();
fails('ca', 'a certificate of an unknown CA',
    qr/certificate refused \((?:19|20): /);
fails('certname', 'a certificate for another name',
    qr/certificate refused \(it is not for "redis\.test"/);
fails('tlsplain', 'TLS where the server has none', qr/SSL failed|timeout/);
is $auths->(), $before, 'none of them was told the password (I5)';

fails('certip', 'a certificate for a name, asked by its address',
    qr/certificate refused \(it is not for "127\.0\.0\.1"/);
fails('protocol', 'no protocol in common', qr/SSL failed/);
fails('nocert', 'no certificate of our own where one is asked for',
    qr/SSL failed|connection lost/);
fails('plaintls', 'no TLS where the server wants it',
    qr/protocol error|connection lost|timeout/);

is $named->command('DBSIZE') > 0, 1, 'the ones above did reach this server';
is_deeply [grep { !/^enroll:\{0\}:/ } $redis->keys], [],
    'all keys are in the partition';


# --- a password that changes: connections that stand go on

$redis->command('ACL', 'SETUSER', 'enroll', 'resetpass', '>another');
is issue('tcp')->status, 201, 'a changed password: what is connected goes on';
$redis->command('CLIENT', 'KILL', 'USER', 'enroll');
wait_for { issue('tcp')->status == 503 } 'the connections to be cut';
pass 'what connects anew is refused';
$redis->command('ACL', 'SETUSER', 'enroll', 'resetpass', ">$password");
wait_for { issue('tcp')->status == 201 } 'the password to be right again';
works('tcp', 'the old password again');

done_testing;
