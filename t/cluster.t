#!/usr/bin/perl

# Redis as a cluster: all that is of one subject is in one slot, what has
# moved is found, and what cannot be reached is closed (I1, I2, I6, I7).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Acl qw(acl_conf acl_user);
use Enroll::Audit qw(audit);
use Enroll::Cluster;
use Enroll::Dns;
use Enroll::Load;
use Enroll::Process;
use Enroll::Test;
use IO::Socket::INET;
use Time::HiRes qw(time);

use constant { BACK => 10, PARTITIONS => 64 };

my $password = 'the-clusters-password';
remember_secret($password);

my $dir = sub_dir('secrets');
spew("$dir/right", "$password\n", 0600);
spew("$dir/wrong", "wrongpassword\n", 0600);

my $cluster = Enroll::Cluster->new(name => 'cluster');
my $tls = Enroll::Cluster->new(name => 'tls', masters => 1, replicas => 0,
    tls => 1, password => $password,
    acl => [acl_user($password, 'cluster')]);
my $single = redis(name => 'single', tcp => 1);

# nodes that go by a name, which is found at run time
my $dns = Enroll::Dns->new;
my $named = Enroll::Cluster->new(name => 'named', masters => 2, replicas => 0,
    tls => 1, tls_name => 'node.test', password => $password,
    acl => [acl_user($password, 'cluster')],
    conf => ['cluster-announce-hostname node.test',
        'cluster-preferred-endpoint-type hostname']);
my ($named_port) = map { $_->tls_port } $named->servers;

my $dead = '127.0.0.1:' . free_port();
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
    Listen => 64) or die "mute: $!";
my $hanging = '127.0.0.1:' . $mute->sockport;

my ($seed) = split / /, $cluster->addresses;
my ($secure) = split / /, $tls->addresses;
my $quick = 'enroll_redis_timeout 600ms; enroll_redis_retry 200ms;
    enroll_redis_failures 3;';
my $ca = 'enroll_redis_ssl on;
    enroll_redis_ssl_trusted_certificate %%CA%%;';

my %way = (
    dead     => "$quick enroll_redis_cluster $dead $seed;",
    hanging  => "$quick enroll_redis_cluster $hanging $seed;",
    tls      => "$quick enroll_redis_cluster $secure; $ca
        enroll_redis_password_file %%FILES%%/right;",

    user     => "$quick enroll_redis_cluster $secure; $ca
        enroll_redis_user enroll;
        enroll_redis_password_file %%FILES%%/right;",

    named    => "$quick " . $dns->conf . " enroll_redis_cluster
        node.test:$named_port; $ca enroll_redis_user enroll;
        enroll_redis_password_file %%FILES%%/right;",

    none     => "$quick enroll_redis_cluster $dead $dead;",
    single   => "$quick enroll_redis_cluster 127.0.0.1:" . $single->port . ';',
    wrong    => "$quick enroll_redis_cluster $secure; $ca
        enroll_redis_password_file %%FILES%%/wrong;",
    nobody   => "$quick enroll_redis_cluster $secure; $ca",
    plain    => "$quick enroll_redis_cluster $secure;
        enroll_redis_password_file %%FILES%%/right;",
    stranger => "$quick enroll_redis_cluster $secure; $ca
        enroll_redis_ssl_name redis.test;
        enroll_redis_password_file %%FILES%%/right;",
);

# nodes that say what no node should: all slots are theirs, and nothing is

my $zero = $cluster->slot('enroll:{0}:meta');
my $all = '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n';
my $mine = $all . '$9\r\n127.0.0.1\r\n:PORT';

my %node = (
    moved    => [$mine, "-MOVED $zero 127.0.0.1:PORT"],
    here     => [$mine, "-MOVED $zero :PORT"],
    nil      => [$all . '$-1\r\n:PORT', "-MOVED $zero 127.0.0.1:PORT"],
    empty    => [$all . '$0\r\n\r\n:PORT', "-MOVED $zero 127.0.0.1:PORT"],
    ask      => [$mine, "-ASK $zero 127.0.0.1:PORT"],
    other    => [$mine, '-MOVED 1 127.0.0.1:PORT'],
    noport   => [$mine, "-MOVED $zero 127.0.0.1:0"],
    noslot   => [$mine, '-MOVED 16384 127.0.0.1:PORT'],
    nohost   => [$mine, "-MOVED $zero evil host:PORT"],
    down     => [$mine, '-CLUSTERDOWN The cluster is down'],
    loading  => [$mine, '-LOADING Redis is loading'],
    readonly => [$mine, '-READONLY You can not write'],
    again    => [$mine, '-TRYAGAIN Multiple keys'],

    text     => ['+OK', '-ERR'],
    none     => ['*0', '-ERR'],
    number   => ['*1\r\n:1', '-ERR'],
    short    => ['*1\r\n*2\r\n:0\r\n:1', '-ERR'],
    beyond   => ['*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$9\r\n127.0.0.1\r\n:1',
        '-ERR'],
    negative => ['*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$9\r\n127.0.0.1\r\n:1',
        '-ERR'],
    turned   => ['*1\r\n*3\r\n:9\r\n:8\r\n*2\r\n$9\r\n127.0.0.1\r\n:1',
        '-ERR'],
    portless => [$all . '$9\r\n127.0.0.1\r\n:0', '-ERR'],
    far      => [$all . '$9\r\n127.0.0.1\r\n:65536', '-ERR'],
    evil     => [$all . '$9\r\nevil\nhost\r\n:6379', '-ERR'],
    words    => [$all . '$9\r\n127.0.0.1\r\n$1\r\n1', '-ERR'],
);

for my $name (keys %node) {
    my $port = free_port();
    my ($slots, $reply) = map { s/PORT/$port/gr } @{$node{$name}};
    my $log = "$dir/node-$name.log";
    $node{$name} = { log => $log, process => Enroll::Process->start(
        output => $log, argv => [$^X, top() . '/t/fake/redis.pl',
        "127.0.0.1:$port", "answer CLUSTER $slots", "answer EVALSHA $reply",
        'serve']) };
    $way{"node_$name"} = "$quick enroll_redis_cluster 127.0.0.1:$port;";
}

wait_for { my $log = $_->{log}; -s $log } 'a fake node to listen'
    for values %node;

my $stack = stack(
    redis_server => $single,
    redis => '', redis_user => 0,
    server => "$quick enroll_redis_cluster " . $cluster->addresses . '; '
        . acl_conf(),
    page => 'enroll_session_cache 0;',
    vars => { FILES => $dir, CA => ca_file() },
    http => 'enroll_partitions ' . PARTITIONS . ';'
        . join "\n", map { <<"CONF" } sort keys %way);
    server {
        listen 127.0.0.1:%%PORT_$_%%;
        server_name localhost;
        $way{$_}
        location = /enroll/issue { enroll_issue hr; }
        location = /enroll/status { enroll_status; }
    }
CONF

# records and events are there
$stack->{redis_server} = $cluster;

my $subjects = 0;

sub issue {
    my ($way, $subject) = @_;
    $subject //= "$way-" . ++$subjects;
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

    my $since = time;
    is issue($way)->status, 503, 'and it stays so';
    cmp_ok time - $since, '<', 0.5 * ($ENV{ENROLL_PATIENCE} || 1), 'at once';
    return;
}

sub partition { return hex substr $_[0], 0, 4 }


# --- the ways to it

ok $stack->enrol, 'an enrollment';
works('dead', 'the first address is dead');
works('hanging', 'the first address hangs');
works('tls', 'TLS and a password');
works('user', 'the user that the docs advise');

fails('named', 'nodes whose name is not known yet',
    qr/the last: resolve failed \(node\.test: .*not found/);
$dns->set('node.test', '127.0.0.2', '127.0.0.1');
ok holds_within(5, sub { issue('named')->status == 201 }),
    'a name of two addresses, of which one answers: found, with no reload';
works('named', 'nodes by their name, TLS, a user and his password')
    for 1 .. 6;
is join(' ', sort map { $_->{address} } @{ http($stack->nginx->port('named'))
        ->get('/enroll/status')->json->{ledger}{nodes} }),
    join(' ', sort map { 'node.test:' . $_->tls_port } $named->servers),
    'they all go by it';

{
    my $id = issue('named', 'moves')->json->{id};
    my $slot = $named->slot('enroll:{' . partition($id) . '}:meta');
    my $owner = $named->owner($slot);
    my ($other) = grep { $_ != $owner } $named->servers;
    $named->move($slot, $other);
    my $moved = () = $owner->command('INFO', 'errorstats') =~ /MOVED/g;
    is issue('named', 'moves')->status, 201, 'MOVED to a name is followed';
    my $now = () = $owner->command('INFO', 'errorstats') =~ /MOVED/g;
    is "$moved $now", '0 1', '… by the word of the one that had the slot';
}

fails('none', 'nobody at any address',
    qr/no node of the cluster helps \(the last: connect failed/);
fails('single', 'a Redis that is no cluster',
    qr/no node of the cluster helps \(the last: .*cluster support disabled/);
fails('wrong', 'a wrong password',
    qr/no node of the cluster helps \(the last: AUTH refused/);
fails('nobody', 'no password',
    qr/no node of the cluster helps \(the last: NOAUTH/);
fails('plain', 'TLS nodes without TLS', qr/no node of the cluster helps/);
fails('stranger', 'a certificate for another name',
    qr/certificate refused \(it is not for "redis.test"\)/);


# --- where the keys are

my %made = map { $_->{id} => $_ } map { $stack->issue->json } 1 .. 192;
my %partition;
$partition{partition($_)}++ for keys %made;

cmp_ok scalar(keys %partition), '>=', PARTITIONS * 0.8,
    'tokens are spread over the partitions';
is scalar(grep { $_ >= PARTITIONS } keys %partition), 0, 'that there are';

for my $redis ($cluster->masters) {
    my @tokens = grep { /:token:/ } $redis->keys('enroll:*');
    cmp_ok scalar @tokens, '>', 192 * 0.15, 'and over the masters';
}

my @keys = $cluster->keys('enroll:*');
my @elsewhere = grep { /\Aenroll:\{(\d+)\}:token:([0-9a-f]{4})/
    && $1 != hex $2 } @keys;
is "@elsewhere", '', 'each record is in the partition that its id says';
is scalar(grep { !/\Aenroll:\{(?:\d+)\}:/ } @keys), 0,
    'each key is in a partition';


# --- the status page lists the nodes

my %node_of = map { $_->{address} => $_ } @{ $stack->status->{ledger}{nodes} };
is join(' ', sort keys %node_of),
    join(' ', sort map { '127.0.0.1:' . $_->port } $cluster->masters),
    'the status page lists the masters, and no replica';
is join(' ', map { "$_->{role} $_->{circuit} "
        . ($_->{connected} > 0 ? 'connected' : 'alone') } values %node_of),
    join(' ', ('master closed connected') x 3), 'each with what it is';


# --- what nodes say that is not so

my $zeroth;
for (my $n = 0; !defined $zeroth; $n++) {
    $zeroth = "zeroth-$n"
        if partition($stack->issue(subject => "zeroth-$n")->json->{id}) == 0;
}

# The commands of a call, as that node has heard them, in a word each; not the
# probe ("-- probe") of a connection that is made anew.

sub heard {
    my ($name) = @_;

    my $from = -s $node{$name}{log};
    my $status = issue("node_$name", $zeroth)->status;
    my @heard = map { (split / /)[1] } substr(slurp($node{$name}{log}), $from)
        =~ /^(\d+ (?:EVALSHA|EVAL|ASKING)\b)(?! x2d2d2070726f6265)/mg;

    return join ' ', $status, @heard;
}

heard($_) for sort keys %node;      # the connections are made

my $six = join ' ', 503, ('EVALSHA') x 6;
my %named = (
    moved => 'a node that sends to itself is believed five times',
    here  => 'an empty host is that of the node that says it',
    nil   => 'a node that does not know its address has the one asked',
    empty => 'nor one that says it by an empty text',
);

is heard($_), $six, "$named{$_}, then all is closed (I6)"
    for qw(moved here nil empty);
is heard('ask'), join(' ', 503, 'EVALSHA', ('ASKING', 'EVALSHA') x 5),
    'ASK: ASKING goes right before the command, each time';
is heard($_), '503 EVALSHA', "'$_' leads nowhere" for qw(other noport noslot
    nohost down loading readonly);

my $tries = () = heard('again') =~ /EVALSHA/g;
cmp_ok $tries, '>', 6, 'TRYAGAIN: it is tried again';
cmp_ok $tries, '<', 40, 'now and then, while there is time';

is heard($_), '503', "slots like '$_' are nobody's" for qw(text none number
    short beyond negative turned portless far evil words);

my $asked = () = slurp($node{moved}{log}) =~ /^\d+ CLUSTER SLOTS/mg;
cmp_ok $asked, '<', 100, 'and who has the slots is not asked all the time';
$_->{process}->stop('TERM') for values %node;


# --- what an id alone is good for

my @ids = (sort keys %made)[map { 12 * $_ } 0 .. 15];
my %seen = map { partition($_) => 1 } @ids;
cmp_ok scalar(keys %seen), '>', 8, 'ids of many partitions';
is join(' ', map { $stack->revoke(id => $_)->status } @ids),
    join(' ', (200) x @ids), 'a token is revoked by its id alone';
is join(' ', map { $stack->record($_)->{state} } @ids),
    join(' ', ('revoked') x @ids), 'wherever it is';

for my $id ('f' x 32, sprintf('%04x', PARTITIONS) . '0' x 28, '0' x 32) {
    is $stack->revoke(id => $id)->json->{reason}, 'nothing',
        "$id is of no token";
}

my $other = $stack->issue->json;
my $moved = sprintf('%04x', (partition($other->{id}) + 1) % PARTITIONS)
    . substr $other->{id}, 4;
is $stack->revoke(id => $moved)->json->{reason}, 'nothing',
    'an id in another partition is another';


# --- slots that move, under load

my $load = Enroll::Load->new($stack, pause => 0.005);
$load->wait_done(10);

my @masters = $cluster->masters;
my $n = 0;

for my $partition (map { 5 * $_ } 0 .. 11) {
    my $slot = $cluster->slot("enroll:{$partition}:meta");
    my $from = $cluster->owner($slot);
    my ($to) = grep { $_ != $from } @masters[$n++ % 3, $n % 3];

    # who looks for a token that is not there has used the partition, too
    my $nobody = sprintf('%04x', $partition) . '0' x 28;
    $stack->revoke(id => $nobody);

    # subjects of that very partition, while it is half here, half there
    $cluster->plan($partition) if $partition % 2;
    $cluster->move($slot, $to, each => sub {
        $stack->issue for 1 .. 3;
    });
    is $cluster->owner($slot), $to, "partition $partition has moved";
}

$load->wait_done(10);
my @told = $load->stop;
my $done = grep { ($_->{said}[3] // 0) == 200 } @told;
my $bad = grep { grep { $_ == 503 } @{$_->{said}} } @told;
cmp_ok $bad, '<=', $done * 0.05,
    'while slots move at least 95 of 100 go through';
is_deeply [Enroll::Load::faults($stack, @told)], [],
    'none is redeemed twice, no finish received twice (I1, I2)';

# the first call after it notices
for my $partition (map { 5 * $_ } 0 .. 11) {
    $stack->revoke(id => sprintf('%04x', $partition) . '0' x 28);
    my ($fence) = reverse $stack->events(partition => $partition,
        event => 'fence');
    is $fence->{why}, $partition % 2 ? 'planned' : 'incarnation',
        "partition $partition: " . ($partition % 2
            ? 'announced, its tokens have moved with it'
            : 'moved, its tokens are void (I10)');
}

sub errors {
    my ($name) = @_;
    my $count = 0;
    $count += $_ for map { $_->command('INFO', 'errorstats')
        =~ /errorstat_$name:count=(\d+)/ ? $1 : 0 } @masters;
    return $count;
}

ok holds_within(5, sub { my $were = errors('MOVED');
    $stack->issue for 1 .. 40; errors('MOVED') == $were }),
    'in the end the map is right: nobody is sent elsewhere';


# a slot that stays half way: all keys are there, and the slot is here
my ($made) = grep { partition($_->{id}) == 1 }
    map { $stack->issue->json } 1 .. 400;
my $session = $stack->session($made->{token});
my $slot = $cluster->slot('enroll:{1}:meta');
my $from = $cluster->owner($slot);
my ($to) = grep { $_ != $from } @masters;

# or the token would be void where its keys arrive (I10)
$cluster->plan(1);
$to->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING',
    $from->command('CLUSTER', 'MYID'));
$from->command('CLUSTER', 'SETSLOT', $slot, 'MIGRATING',
    $to->command('CLUSTER', 'MYID'));
$from->command('MIGRATE', '127.0.0.1', $to->port, '', 0, 5000, 'KEYS',
    @{ $from->command('CLUSTER', 'GETKEYSINSLOT', $slot, 100000) });

my ($asks, $moves) = (errors('ASK'), errors('MOVED'));
is $stack->page($session)->status, 200,
    'what has moved while the slot has not is asked for there (ASK)';
cmp_ok errors('ASK'), '>', $asks, 'because a node said so';

$asks = errors('ASK');
is $stack->page($session)->status, 200, 'and again';
cmp_ok errors('ASK'), '>', $asks, 'by the way of the node that has the slot';
is errors('MOVED'), $moves, 'who never ceased to be taken for it';

# a key that is yet to be made is nowhere
my $since = time;
is $stack->revoke(id => $made->{id})->status, 503,
    'what needs a new key has to wait (TRYAGAIN), and is closed';
cmp_ok time - $since, '<', 2 * ($ENV{ENROLL_PATIENCE} || 1),
    'when its time is over (I6)';

my $target = $to->command('CLUSTER', 'MYID');
$_->command('CLUSTER', 'SETSLOT', $slot, 'NODE', $target)
    for $to, grep { $_ != $to } @masters;
is $stack->revoke(id => $made->{id})->status, 200,
    'and open as soon as the slot is where its keys are';

# --- a failover

$load = Enroll::Load->new($stack, pause => 0.005);
$load->wait_done(10);

my $killed = $cluster->owner($cluster->slot('enroll:{7}:meta'));
$since = time;
$killed->stop('KILL');

ok holds_within(BACK, sub {
    !grep { $_->status != 201 } map { $stack->issue } 1 .. 40 }),
    'all partitions are back within 10 s of a kill -9 of a master';
diag sprintf 'after %.1f s', time - $since;
$load->wait_done(10);
@told = $load->stop;

is_deeply [Enroll::Load::faults($stack, @told)], [],
    'none is redeemed twice, no finish received twice (I1, I2)';

my $problems;
holds_within(10, sub { $problems = join "\n", audit($stack, PARTITIONS);
    $problems eq '' });
is $problems, '', 'an event for each change, in each partition (I7)';

$killed->start;
$cluster->wait_ok;
ok $stack->enrol, 'the dead one comes back as a replica';


# --- a part of it is gone

my $gone = $cluster->owner($cluster->slot('enroll:{7}:meta'));
my ($heir) = grep { $_ != $gone && $_->command('ROLE')->[0] eq 'slave'
    && $_->command('ROLE')->[2] == $gone->port } $cluster->servers;
$_->stop('KILL') for $heir, $gone;

my %status;
ok holds_within(10, sub {
    %status = ();
    $status{$_->status}++ for map { $stack->issue } 1 .. 60;
    $status{201} && $status{503} && keys %status == 2 }),
    'a master and its replica are gone: its partitions are closed (I6), '
        . 'the others are not';

ok holds_within(5, sub {
    $stack->issue for 1 .. 10;
    my ($dead, @others) = sort { $b->{circuit} cmp $a->{circuit} }
        @{ $stack->status->{ledger}{nodes} };
    "$dead->{address} $dead->{circuit}" eq '127.0.0.1:' . $gone->port
        . ' open' && !grep { $_->{circuit} ne 'closed' } @others }),
    'the status page says whose';

my ($slowest, $at) = (0, 0);
ok holds_within(10, sub {
    $slowest = 0;
    for (1 .. 40) {
        $at = time;
        $stack->issue;
        $slowest = time - $at if time - $at > $slowest;
    }
    $slowest < 0.4 * ($ENV{ENROLL_PATIENCE} || 1) }),
    'at once, when it is known' or diag $slowest;

$gone->start;
ok holds_within(BACK, sub {
    !grep { $_->status != 201 } map { $stack->issue } 1 .. 40 }),
    'and open again within 10 s of its return';

unlike $stack->nginx->error_log, qr/CROSSSLOT/,
    'no script ever had keys of two slots';

# its cluster's memory is all that it has lost
$stack->nginx->reload;
ok $stack->enrol, 'after a reload';

done_testing;
