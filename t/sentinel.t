#!/usr/bin/perl

# Redis behind Sentinel: the sentinels are asked where the master is, on each
# connection, and whoever they name must say itself that it is (I1, I2, I6).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Acl qw(acl_conf);
use Enroll::Audit qw(audit);
use Enroll::Dns;
use Enroll::Load;
use Enroll::Process;
use Enroll::Sentinels;
use Enroll::Test;
use IO::Socket::INET;
use Time::HiRes qw(time);

use constant BACK => 10;            # seconds, after the master is gone

my ($password, $guard) = ('the-masters-password', 'the-sentinels-password');
remember_secret($password, $guard);

my $dir = sub_dir('secrets');
my %file = (master => $password, guard => $guard, wrong => 'wrongpassword');
spew("$dir/$_", "$file{$_}\n", 0600) for keys %file;

# the user that the docs advise
my ($rules) = slurp(top() . '/docs/operations.md')
    =~ /^user enroll on >PASSWORD (.*sentinel\|.*)$/m
    or die 'docs/operations.md names no user for the sentinels';

my $set = Enroll::Sentinels->new(name => 'set', password => $password,
    guard => $guard, acl => ["user enroll on >$guard $rules"]);
my $tls = Enroll::Sentinels->new(name => 'tls', replicas => 0,
    sentinels => 1, tls => 1, password => $password, guard => $guard,
    acl => ["user enroll on >$guard $rules"]);

my ($first, $second, $third) = map { "127.0.0.1:$_" } $set->ports;
my $dead = '127.0.0.1:' . free_port();

# one that takes connections and never says a word
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
    Listen => 64) or die "mute: $!";
my $hanging = '127.0.0.1:' . $mute->sockport;

# one that names a replica
my $lies = free_port();
my $replica = ($set->servers)[1]->port;
my $liar = Enroll::Process->start(output => "$dir/liar.log", argv => [$^X,
    top() . '/t/fake/redis.pl', "127.0.0.1:$lies",
    'answer SENTINEL *2\r\n$9\r\n127.0.0.1\r\n$' . length($replica)
        . "\\r\\n$replica", 'serve']);

# one that names what no resolver, log or certificate should see
my $raves = free_port();
my $raver = Enroll::Process->start(output => "$dir/raver.log", argv => [$^X,
    top() . '/t/fake/redis.pl', "127.0.0.1:$raves",
    'answer SENTINEL *2\r\n$9\r\nevil\nhost\r\n$4\r\n6379', 'serve']);

# one that names a name
my $dns = Enroll::Dns->new;
$dns->set('sentinel.test', '127.0.0.1');
my ($calls, $called) = (free_port(), ($set->servers)[0]->port);
my $caller = Enroll::Process->start(output => "$dir/caller.log", argv => [$^X,
    top() . '/t/fake/redis.pl', "127.0.0.1:$calls",
    'answer SENTINEL *2\r\n$11\r\nmaster.test\r\n$' . length($called)
        . "\\r\\n$called", 'serve']);

wait_for { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_) }
    'a fake sentinel' for $lies, $raves, $calls;

my $users = 'enroll_redis_password_file %%FILES%%/master;
    enroll_redis_sentinel_password_file %%FILES%%/guard;';
my $quick = 'enroll_redis_timeout 600ms; enroll_redis_retry 200ms;';
my $by = "$users $quick enroll_redis_sentinel";
my $mine = acl_conf();

my %way = (
    dead      => "$by enroll $dead $second;",
    hanging   => "$by enroll $hanging $second;",
    liar      => "$by enroll 127.0.0.1:$lies $second $third;",
    raver     => "$by enroll 127.0.0.1:$raves $second;",
    user      => "$by enroll $first; enroll_redis_sentinel_user enroll;",
    tls       => "$by enroll " . $tls->addresses . ';
        enroll_redis_ssl on; enroll_redis_ssl_trusted_certificate %%CA%%;
        enroll_redis_sentinel_user enroll;',
    byname    => $dns->conf . " $by enroll sentinel.test:"
        . ($set->ports)[0] . ';',
    named     => $dns->conf . " $by enroll 127.0.0.1:$calls;",

    name      => "$by another $first $second $third;",
    none      => "$by enroll $dead $dead;",
    lies      => "$by enroll 127.0.0.1:$lies;",
    raves     => "$by enroll 127.0.0.1:$raves;",
    wrong     => "$quick enroll_redis_sentinel enroll $first;
        enroll_redis_password_file %%FILES%%/master;
        enroll_redis_sentinel_password_file %%FILES%%/wrong;",
    nobody    => "$quick enroll_redis_sentinel enroll $first;
        enroll_redis_password_file %%FILES%%/master;",
    noredis   => "$quick enroll_redis_sentinel enroll $first;
        enroll_redis_sentinel_password_file %%FILES%%/guard;",
    nosentinel => "$by enroll 127.0.0.1:"
        . ($set->servers)[0]->port . ';',
    tlswrong  => "$quick enroll_redis_sentinel enroll " . $tls->addresses . ';
        enroll_redis_ssl on; enroll_redis_ssl_trusted_certificate %%CA%%;
        enroll_redis_password_file %%FILES%%/master;
        enroll_redis_sentinel_password_file %%FILES%%/master;',
    plain     => "$by enroll " . $tls->addresses . ';',
    stranger  => "$by enroll " . $tls->addresses . ';
        enroll_redis_ssl on; enroll_redis_ssl_trusted_certificate %%CA%%;
        enroll_redis_ssl_name redis.test;',
);

my $stack = stack(
    redis_server => ($set->servers)[0],
    redis => '', redis_user => 0,
    server => "$mine enroll_redis_sentinel_password_file %%FILES%%/guard;
        $quick enroll_redis_sentinel enroll " . $set->addresses . ';',
    vars => { FILES => $dir, CA => ca_file() },
    http => join "\n", map { <<"CONF" } sort keys %way);
    server {
        listen 127.0.0.1:%%PORT_$_%%;
        server_name localhost;
        $way{$_}
        location = /enroll/issue { enroll_issue hr; }
        location = /enroll/status { enroll_status; }
    }
CONF

my $subjects = 0;

sub issue {
    my ($way) = @_;
    my $subject = "$way-" . ++$subjects;
    my $body = qq({"subject":"$subject","class":"standard"});
    return http($stack->nginx->port($way))->post('/enroll/issue', $body,
        webhook_headers($stack->{secret}, $body),
        'Content-Type' => 'application/json');
}

my $read = 0;

sub complaints {
    my @lines = $stack->nginx->error_log
        =~ /^\S+ \S+ \[(?:warn|error|crit)\] \S+ (.*)/mg;
    my @new = @lines[$read .. $#lines];
    $read = @lines;
    return join "\n", @new;
}

sub works {
    my ($way, $name) = @_;
    is issue($way)->status, 201, "$name: a token";
    return;
}

sub fails {
    my ($way, $name, $why) = @_;

    complaints();
    my $response = issue($way);
    is $response->status . ' ' . ($response->json->{reason} // ''),
        '503 unavailable', "$name: closed (I6)";

    my $said = '';
    ok holds_within(5, sub { ($said .= complaints()) =~ $why }),
        'and the error log says why' or diag $said;

    is status($way)->{reachable}, JSON::PP::false(),
        'and the status that it is';
    return;
}

sub status {
    my ($way) = @_;
    return http($stack->nginx->port($way))->get('/enroll/status')
        ->json->{ledger};
}

# The servers that the status page lists, each as "address role".

sub nodes { return map { "$_->{address} " . ($_->{role} // 'unknown') }
    @{ $_[0]{nodes} } }


# --- the ways to it

ok $stack->enrol, 'an enrollment by way of the sentinels';
is join(' ', nodes($stack->status->{ledger})),
    '127.0.0.1:' . ($set->servers)[0]->port . ' master',
    'the status page says where it leads';
works('dead', 'the first sentinel is dead');
works('hanging', 'the first sentinel hangs');
ok holds_within(5, sub { issue('liar')->status == 201 }),
    'the first sentinel names a replica: the others are asked';
works('raver', 'the first sentinel names no address');
works('user', 'a user at the sentinels, who may do what the docs say');
works('tls', 'sentinel and master by TLS, each with its user and password');
works('byname', 'a sentinel whose name is found at run time');

fails('name', 'a master that no sentinel knows',
    qr/no sentinel helps \(the last: it knows no master "another"\)/);
fails('none', 'no sentinel answers',
    qr/no sentinel helps \(the last: connect failed/);
fails('lies', 'all sentinels name a replica', qr/not a master/);
is join(' ', nodes(status('lies'))), "127.0.0.1:$replica replica",
    'and the status page says what it is';
fails('raves', 'all sentinels name no address',
    qr/no sentinel helps \(the last: it names no address of the master/);
fails('wrong', 'a wrong password for the sentinels',
    qr/no sentinel helps \(the last: AUTH refused/);
fails('tlswrong', "the master's password is not the sentinels'",
    qr/no sentinel helps \(the last: AUTH refused/);
fails('named', 'a master by a name that is not known yet',
    qr/resolve failed \(master\.test: .*not found/);
$dns->set('master.test', '127.0.0.2', '127.0.0.1');
ok holds_within(5, sub { issue('named')->status == 201 }),
    'a name of two addresses, of which one answers: found, with no reload';
works('named', 'and the name is good from then on');
fails('nobody', 'sentinels want a password',
    qr/no sentinel helps \(the last: (?:PING refused|NOAUTH)/);
fails('noredis', 'the master wants a password', qr/NOAUTH/);
fails('nosentinel', 'a Redis in place of a sentinel',
    qr/no sentinel helps \(the last: (?:AUTH refused|ERR )/);
fails('plain', 'TLS sentinels without TLS', qr/no sentinel helps/);
fails('stranger', 'a certificate for another name',
    qr/certificate refused \(it is not for "redis.test"\)/);

unlike $stack->nginx->error_log, qr/evil\nhost/,
    "what a sentinel says is not taken into the log as it is";


# --- a failover that was asked for, and a crash

my $load = Enroll::Load->new($stack);
$load->wait_done(10);

my $old = $set->master;
my $new = $set->failover;
isnt $new, $old, 'another master by SENTINEL FAILOVER';
$load->wait_done(5, BACK);
pass 'enrollments go on within 10 s';
ok holds_within(5, sub { $stack->nginx->error_log
    =~ /master "enroll" is at 127\.0\.0\.1:@{[$new->port]} now/ }),
    'there, though the old master takes itself for one for longer';

my $killed = $new;
my $since = time;
$killed->stop('KILL');
$load->wait_done(5, BACK);
cmp_ok time - $since, '<', BACK * ($ENV{ENROLL_PATIENCE} || 1),
    'after kill -9 of the master they do, too';

my $master = $set->wait_master($killed);
isnt $master, $killed, 'another master by the sentinels\' own decision';

# the dead one comes back, as what it was, until a sentinel tells it
$killed->start;
$load->wait_done(5, BACK);

wait_for { Enroll::Sentinels::role($killed) eq 'slave' } 'it to follow', 20;

my @told = $load->stop;
$stack->{redis_server} = $set->master;

is_deeply [Enroll::Load::faults($stack, @told)], [],
    'no token is redeemed twice, no finish received twice (I1, I2)';
cmp_ok scalar(grep { ($_->{said}[3] // 0) == 200 } @told), '>=', 20,
    'of many';

my $problems;
holds_within(10, sub { $problems = join "\n", audit($stack);
    $problems eq '' });
is $problems, '', 'the new master has an event for each change (I7)';

like $stack->nginx->error_log, qr/master "enroll" is at 127\.0\.0\.1:\d+ now/,
    'the log says where the master has gone';
$set->wait_calm;
ok holds_within(10, sub { join(' ', nodes($stack->status->{ledger}))
    eq '127.0.0.1:' . $set->master->port . ' master' }),
    'and so does the status page';


# --- all sentinels gone: what is connected goes on; nothing else

$set->wait_calm;
$stack->http->get('/enroll/status');
$set->stop_sentinel($_) for 0 .. 2;
$stack->{redis_server} = $set->serving;
ok $stack->enrol, 'without the sentinels, what is connected goes on';

$set->{servers}[$_]->stop('KILL') for 0 .. 2;
my $closed;
ok holds_within(10, sub { $closed = $stack->issue; $closed->status == 503
    && $stack->status->{ledger}{circuit} eq 'open' }),
    'without them and without a master the circuit opens (I6)';

$since = time;
is $stack->issue->status, 503, 'and stays closed';
cmp_ok time - $since, '<', 0.3 * ($ENV{ENROLL_PATIENCE} || 1), 'at once';
is $stack->http->get('/')->status, 200, 'others do not notice';

$_->stop('TERM') for $liar, $raver, $caller;

done_testing;
