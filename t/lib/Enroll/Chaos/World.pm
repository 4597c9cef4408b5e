package Enroll::Chaos::World;

# The deployment that faults are made in: two proxies, a Redis behind Sentinel
# or as a cluster, an IdP, and a host for the load.
#
#     my $world = Enroll::Chaos::World->new(topology => 'sentinel',
#         dir => DIR, module => FILE, nginx => FILE, seed => N);
#     $world->start, $world->stop
#     $world->proxies             # ({ name, host, port }, …): host an address
#     $world->secret              # of the issuer hr
#     $world->enter($host, sub {…})     # the pid of a child there
#     $world->dump_streams(FILE), $world->journals
#
# For faults: ->nginx('p1'), ->nodes, ->node('r1'), ->sentinels, ->net,
# ->masters, ->ill, and what is at the end.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Path qw(make_path);

use Enroll::Chaos::Net;
use Enroll::Chaos::Node;
use Enroll::Chaos::Proxy;
use Enroll::Chaos::Space qw(in_netns run);
use Enroll::Dir qw(spew slurp);
use Enroll::Keys qw(make_keys);
use Enroll::Paths qw(top nginx_binary module_file);
use Enroll::Process;
use Enroll::Wait qw(wait_for holds_within);
use Enroll::Webhook qw(webhook_secret);


use constant {
    HTTP => 8080, MASTER => 'enroll', DOWN => 600, SNAPSHOTS => 3,
};

my %TOPOLOGY = (
    sentinel => { nodes => [qw(r1 r2 r3)], partitions => 1 },
    cluster  => { nodes => [map { "c$_" } 1 .. 6], partitions => 64 },
);


sub new {
    my ($class, %arg) = @_;

    my $self = bless { module => module_file(), nginx => nginx_binary(),
        seed => 1, zone => '10m', %arg }, $class;
    my $topology = $TOPOLOGY{$self->{topology} // ''}
        or die "the topology is sentinel or cluster\n";

    make_path($self->{dir});
    $self->{$_} = abs_path($self->{$_}) for qw(dir module nginx);
    die "no module\n" if !-e ($self->{module} // '');

    # a build without the directive runs without
    $self->{journals} = slurp($self->{module}) =~ /enroll_journal\0/ ? 1 : 0;

    $self->{names} = $topology->{nodes};
    $self->{partitions} = $topology->{partitions};
    $self->{secret} = webhook_secret();

    return $self;
}


# the clients, whom a fault may nudge as well

sub has_load { $_[0]{load} = $_[1]; return }
sub nudge    { $_[0]{load}->nudge if $_[0]{load}; return }

sub topology   { return $_[0]{topology} }
sub partitions { return $_[0]{partitions} }
sub dir        { return $_[0]{dir} }
sub net        { return $_[0]{net} }
sub secret     { return $_[0]{secret} }
sub nodes      { return @{$_[0]{nodes}} }
sub sentinels  { return @{$_[0]{sentinels} || []} }
sub nginxes    { return @{$_[0]{proxies}} }

sub node {
    my ($self, $name) = @_;
    my ($node) = grep { $_->name eq $name } $self->nodes, $self->sentinels;
    return $node || die "no node $name\n";
}

sub nginx {
    my ($self, $name) = @_;
    my ($proxy) = grep { $_->name eq $name } $self->nginxes;
    return $proxy || die "no proxy $name\n";
}

sub proxies {
    my ($self) = @_;
    return map { { name => $_, host => $self->{net}->address($_),
        port => HTTP } } qw(p1 p2);
}

sub idp_address {
    my ($self) = @_;
    return $self->{net}->address('idp') . ':' . HTTP;
}

sub enter {
    my ($self, $host, $code) = @_;
    return in_netns($self->{net}->file($host), $code);
}


sub start {
    my ($self) = @_;

    $self->{net} = Enroll::Chaos::Net->new(
        hosts => [qw(p1 p2 idp load), @{$self->{names}}]);

    $self->_make_slow;
    $self->_start_nodes;
    $self->{topology} eq 'sentinel' ? $self->_sentinel : $self->_cluster;
    $self->_start_idp;
    $self->_start_proxies;

    return $self;
}


# --- Redis

my @REDIS = ('appendonly yes', 'appendfsync everysec', 'save ""',
    'enable-debug-command yes', 'repl-diskless-sync-delay 0',
    'repl-ping-replica-period 1', 'repl-timeout 3', 'repl-backlog-ttl 0',
    'maxmemory-policy noeviction');

my @CLUSTER = ('cluster-enabled yes', 'cluster-config-file nodes.conf',
    'cluster-node-timeout 1000', 'cluster-replica-validity-factor 0',
    'cluster-require-full-coverage no', 'cluster-allow-replica-migration no');


sub _start_nodes {
    my ($self) = @_;

    my $first = $self->{net}->address($self->{names}[0]);

    for my $name (@{$self->{names}}) {
        my @more = $self->{topology} eq 'cluster' ? @CLUSTER
            : $name eq $self->{names}[0] ? ()
            : "replicaof $first " . Enroll::Chaos::Node::REDIS;

        push @{$self->{nodes}}, Enroll::Chaos::Node->new(name => $name,
            host => $name, net => $self->{net}, dir => "$self->{dir}/$name",
            conf => [@REDIS, @more], $self->_slow_file($name));
        $self->{nodes}[-1]->start;
    }

    return;
}


sub _sentinel {
    my ($self) = @_;

    my $at = $self->{net}->address($self->{names}[0]) . ' '
        . Enroll::Chaos::Node::REDIS;
    my $name = MASTER;

    wait_for { $self->_following == @{$self->{names}} - 1 }
        'the replicas to follow', 20;

    for my $host (@{$self->{names}}) {
        my $n = substr $host, 1;
        push @{$self->{sentinels}}, Enroll::Chaos::Node->new(name => "s$n",
            host => $host, net => $self->{net}, sentinel => 1,
            dir => "$self->{dir}/s$n",
            conf => ["sentinel monitor $name $at 2",
                "sentinel down-after-milliseconds $name " . DOWN,
                "sentinel failover-timeout $name 1000",
                "sentinel parallel-syncs $name 2"]);
        $self->start_sentinel($self->{sentinels}[-1]);
    }

    for my $sentinel ($self->sentinels) {
        wait_for {
            my %said = %{$self->said($sentinel)};
            ($said{'num-other-sentinels'} // 0) == 2
                && $said{'num-slaves'} == 2;
        } "$sentinel->{name} to know the others", 30;
    }

    return;
}


# It asks and tells more often than its second, tells an old master sooner
# that it is none (four times publish-period), and does not go to sleep for
# half a minute where the machine was slow.

sub start_sentinel {
    my ($self, $sentinel) = @_;

    $sentinel->start;
    $sentinel->command('SENTINEL', 'DEBUG', 'INFO-PERIOD', 500,
        'PUBLISH-PERIOD', 250, 'ASK-PERIOD', 300, 'PING-PERIOD', 200,
        'TILT-PERIOD', 1000, 'SLAVE-RECONF-TIMEOUT', 2000,
        'MIN-LINK-RECONNECT-PERIOD', 500, 'ELECTION-TIMEOUT', 2000);
    return $sentinel;
}

sub start_node {
    my ($self, $node, @more) = @_;
    return $node->{sentinel} ? $self->start_sentinel($node)
        : $node->start(@more);
}


sub said {
    my ($self, $sentinel) = @_;
    return { @{ $sentinel->try('SENTINEL', 'MASTER', MASTER) || [] } };
}


sub _following {
    my ($self) = @_;
    return scalar grep { ($_->info('replication')->{master_link_status} // '')
        eq 'up' } $self->nodes;
}


# As Enroll::Cluster makes one.

sub _cluster {
    my ($self) = @_;

    my @nodes = $self->nodes;
    my $masters = @nodes / 2;
    my $first = $nodes[0];

    for my $n (0 .. $masters - 1) {
        my ($from, $to) = map { int(16384 * $_ / $masters) } $n, $n + 1;
        $nodes[$n]->command('CLUSTER', 'ADDSLOTSRANGE', $from, $to - 1);
        $nodes[$n]->command('CLUSTER', 'SET-CONFIG-EPOCH', $n + 1);
    }

    $_->command('CLUSTER', 'MEET', $first->address, $first->port)
        for @nodes[1 .. $#nodes];

    wait_for {
        !grep { $_->command('CLUSTER', 'INFO')
            !~ /cluster_known_nodes:@{[scalar @nodes]}\r/ } @nodes;
    } 'the nodes to know each other', 30;

    for my $n ($masters .. $#nodes) {
        my $id = $nodes[$n - $masters]->command('CLUSTER', 'MYID');
        wait_for { $nodes[$n]->try('CLUSTER', 'REPLICATE', $id) }
            'a replica to know its master', 20;
    }

    wait_for { !defined $self->_cluster_ill } 'the cluster to be well', 40;
    $self->third($_) for 0 .. $self->{partitions} - 1;
    return;
}


# Those that are, by their own word and by most others'.

sub masters {
    my ($self) = @_;

    my @masters = grep { $_->role eq 'master' } $self->nodes;

    if ($self->{topology} eq 'cluster') {
        return grep { ($_->try('CLUSTER', 'NODES') // '')
            =~ /myself,master \S+ \d+ \d+ \d+ \S+ [\[\d]/ } @masters;
    }

    return grep { my $address = $_->address;
        2 <= grep { ($self->said($_)->{ip} // '') eq $address }
            $self->sentinels } @masters;
}


# As it was at the beginning: everything runs, one master of each slot, all
# others follow, and everybody knows. Otherwise it says what is not so.

sub ill {
    my ($self) = @_;

    for my $one ($self->nodes, $self->sentinels) {
        return "$one->{name} does not run" if !$one->pid;
    }
    for my $proxy ($self->nginxes) {
        return $proxy->name . ' does not run' if $proxy->workers
            < Enroll::Chaos::Proxy::WORKERS;
    }

    return $self->{topology} eq 'cluster' ? $self->_cluster_ill
        : $self->_set_ill;
}


sub _set_ill {
    my ($self) = @_;

    my @masters = grep { $_->role eq 'master' } $self->nodes;
    return 'not one master but ' . @masters if @masters != 1;

    my $master = $masters[0];
    return 'not all follow' if $self->_following != $self->nodes - 1
        || ($master->info('replication')->{connected_slaves} // 0)
            != $self->nodes - 1;

    for my $sentinel ($self->sentinels) {
        my $said = $self->said($sentinel);
        return "$sentinel->{name} names another"
            if ($said->{ip} // '') ne $master->address;
        return "$sentinel->{name} says $said->{flags}"
            if $said->{flags} ne 'master';
        return "$sentinel->{name} knows $said->{'num-other-sentinels'} others"
            if $said->{'num-other-sentinels'} != 2;
    }

    return;
}


sub _cluster_ill {
    my ($self) = @_;

    for my $node ($self->nodes) {
        my $info = $node->try('CLUSTER', 'INFO') // '';
        my $nodes = $node->try('CLUSTER', 'NODES') // '';
        my $link = $node->info('replication');

        return "$node->{name} sees it down" if $info !~ /cluster_state:ok/
            || $info !~ /cluster_slots_ok:16384\r/;
        return "$node->{name} sees another fail"
            if $nodes =~ /,(?:fail|handshake|noaddr)|\[\d+-[<>]-/;
        return "$node->{name} does not follow"
            if $link->{role} eq 'slave'
                && $link->{master_link_status} ne 'up';
    }

    return if 3 == (my @masters = $self->masters);
    return 'not three masters but ' . @masters;
}


# Which third of the slots a partition is in: each has a master of its own.

sub third {
    my ($self, $partition) = @_;
    return int($self->slot($partition) * 3 / 16384);
}


# --- the IdP

sub _start_idp {
    my ($self) = @_;

    $self->{idp} = Enroll::Process->start(
        argv => [$self->{net}->argv('idp', $^X, top() . '/t/chaos/idp',
            $self->idp_address, "$self->{dir}/receipts.jsonl")],
        output => "$self->{dir}/idp.log");

    return;
}


# --- the proxies

sub _start_proxies {
    my ($self) = @_;

    my $dir = "$self->{dir}/shared";
    make_keys("$dir/keys.jwks");
    spew("$dir/hr.secret", "$self->{secret}\n", 0600);

    for my $name (qw(p1 p2)) {
        my $own = "$self->{dir}/$name";
        $self->_mount_journal($own);
        push @{$self->{proxies}}, Enroll::Chaos::Proxy->new(name => $name,
            net => $self->{net}, dir => $own, nginx => $self->{nginx},
            $self->_slow_file($name), conf => sub { $self->_conf($_[0]) });
        $self->{proxies}[-1]->start;
    }

    return;
}


sub has_journals { return $_[0]{journals} }


# A disk of its own, that can be full.

sub _mount_journal {
    my ($self, $own) = @_;

    make_path("$own/journal");
    run('mount', '-t', 'tmpfs', '-o', 'size=1g,mode=1777', 'tmpfs',
        "$own/journal");
    return;
}


sub _redis_conf {
    my ($self) = @_;

    my @ports = map { $_->address . ':' . $_->port }
        $self->{topology} eq 'sentinel' ? $self->sentinels : $self->nodes;

    return $self->{topology} eq 'sentinel'
        ? 'enroll_redis_sentinel ' . MASTER . " @ports;"
        : "enroll_redis_cluster @ports;";
}


sub _conf {
    my ($self, $proxy) = @_;

    my $redis = $self->_redis_conf;
    my $idp = $self->idp_address;
    my $own = $proxy->dir;
    my $listen = $self->{net}->address($proxy->name) . ':' . HTTP;
    my $zone = $proxy->{zone} || $self->{zone};
    my $journal = $self->{journals}
        ? "enroll_journal $own/journal/journal.jsonl sync;" : '';
    my $user = 'user nobody nogroup;';
    my $workers = Enroll::Chaos::Proxy::WORKERS;

    return <<"CONF";
load_module $self->{module};
$user
worker_processes $workers;
worker_shutdown_timeout 5s;
pid $own/nginx.pid;
error_log $own/logs/error.log notice;
env LD_PRELOAD;
env CHAOS_SLOW;

events {
    worker_connections 2048;
}

http {
    access_log off;

    client_body_temp_path $own/tmp/body;
    proxy_temp_path       $own/tmp/proxy;
    fastcgi_temp_path     $own/tmp/fastcgi;
    uwsgi_temp_path       $own/tmp/uwsgi;
    scgi_temp_path        $own/tmp/scgi;

    enroll_zone enroll $zone;
    enroll_keys $self->{dir}/shared/keys.jwks;
    enroll_partitions $self->{partitions};
    $redis
    enroll_redis_timeout 400ms;
    enroll_redis_retry 100ms;
    enroll_fence incarnation;
    $journal
    enroll_log $own/logs/enroll.log;

    enroll_class standard { ttl 1h; window 10m; attempts 5; }
    enroll_issuer hr { secret_file $self->{dir}/shared/hr.secret; }
    enroll_url http://localhost/enroll;

    server {
        listen $listen;
        server_name localhost;
        enroll on;

        proxy_set_header Enroll-Id \$enroll_id;
        proxy_set_header Enroll-Subject \$enroll_subject;
        proxy_connect_timeout 1s;
        proxy_read_timeout 2s;

        location = /enroll        { enroll_redeem /register; }
        location = /enroll/issue  { enroll_issue hr; }
        location = /enroll/revoke { enroll_revoke hr; }
        location = /enroll/status { enroll_status; }

        location = /register {
            enroll_endpoint page;
            proxy_pass http://$idp;
        }
        location = /register/begin {
            enroll_endpoint begin;
            proxy_pass http://$idp;
        }
        location = /register/finish {
            enroll_endpoint finish;
            proxy_ignore_client_abort on;
            proxy_pass http://$idp;
        }
        location / {
            proxy_pass http://$idp;
        }
    }
}
CONF
}


# --- what is left of it

sub journals { return glob "$_[0]{dir}/*/journal/*" }


# Every entry of every stream, of all nodes that answer.

sub dump_streams {
    my ($self, $file) = @_;

    open my $out, '>', $file or die "$file: $!";
    for my $node ($self->nodes) {
        eval { $self->_dump_node($node, $out); 1 }
            or print STDERR "# no streams of $node->{name}: $@";
    }
    close $out or die "$file: $!";

    return $file;
}


sub _dump_node {
    my ($self, $node, $out) = @_;

    # a replica of a cluster shows nothing otherwise
    $node->try('READONLY') if $self->{topology} eq 'cluster';

    for my $key (sort @{ $node->command('KEYS', 'enroll:{*}:events') }) {
        my ($partition) = $key =~ /\{(\d+)\}/ or next;
        my $from = '-';

        for (;;) {
            my $entries = $node->command('XRANGE', $key, $from, '+', 'COUNT',
                1000);
            last if !@$entries;

            for my $entry (@$entries) {
                my ($id, $fields) = @$entry;
                print $out _line($node->name, $partition, $id, @$fields);
            }
            $from = "($entries->[-1][0]";
        }
    }

    return;
}


# All are strings; JSON::PP would take a minute for what is there.

sub _string {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return "\"$text\"";
}

sub _line {
    my ($node, $partition, $entry, @fields) = @_;

    my @pairs;
    while (my ($name, $value) = splice @fields, 0, 2) {
        push @pairs, _string($name) . ':' . _string($value);
    }

    return "{\"node\":\"$node\",\"partition\":$partition,\"entry\":\"$entry\","
        . '"fields":{' . join(',', @pairs) . "}}\n";
}


# Ends it. The journals stay, though their disk goes with us.

sub stop {
    my ($self) = @_;

    $_->stop for @{$self->{proxies} || []};
    $self->{idp}->stop('TERM', 5) if $self->{idp};
    $_->kill('TERM') for @{$self->{sentinels} || []}, @{$self->{nodes} || []};
    $self->_keep_journals;

    return;
}


sub _keep_journals {
    my ($self) = @_;

    for my $own (map { $_->dir } @{$self->{proxies} || []}) {
        run('cp', '-rT', "$own/journal", "$own/kept");
        run('umount', '-l', "$own/journal");
        run('cp', '-rT', "$own/kept", "$own/journal");
        run('rm', '-r', "$own/kept");
    }

    return;
}


# --- for faults

# Another master in place of that one, or another three; their names.

sub wait_other_master {
    my ($self, $not) = @_;

    my $want = $self->{topology} eq 'cluster' ? 3 : 1;
    return wait_for {
        my @masters = grep { $_ != $not } $self->masters;
        @masters == $want ? join ' ', map { $_->name } @masters : '';
    } 'another master in place of ' . $not->name, 10;
}


sub replicas {
    my ($self, $master) = @_;
    my $address = $master->address;
    return grep { my $role = $_->try('ROLE');
        $role && $role->[0] eq 'slave' && $role->[1] eq $address }
        $self->nodes;
}


# How many events are in its streams. A node of a cluster does not say so for
# two seconds after its start.

sub events_of {
    my ($self, $node) = @_;

    my $n;
    wait_for {
        $n = 0;
        $node->try('READONLY') if $self->{topology} eq 'cluster';
        my $keys = $node->try('KEYS', 'enroll:{*}:events');
        my @length = map { $node->try('XLEN', $_) } @{$keys || []};
        $n += $_ // 0 for @length;
        $keys && !grep { !defined } @length;
    } "$node->{name} to say what it has";

    return $n;
}


# What an operator does before it: the incarnation that is to end is named.
# How many partitions it was done for.

sub plan {
    my ($self, $node) = @_;

    my @metas = @{ $node->command('KEYS', 'enroll:{*}:meta') };
    for my $meta (@metas) {
        my $here = $node->command('HGET', $meta, 'incarnation') // next;
        $node->command('HSET', $meta, 'planned', $here);
    }

    return scalar @metas;
}


sub slot {
    my ($self, $partition) = @_;
    return $self->{slots}[$partition] //= $self->{nodes}[0]->command(
        'CLUSTER', 'KEYSLOT', "enroll:{$partition}:meta");
}

sub owns {
    my ($self, $node, $slot) = @_;

    my ($slots) = ($node->try('CLUSTER', 'NODES') // '')
        =~ /myself,master \S+ \d+ \d+ \d+ \S+ (.*)/ or return 0;
    return scalar grep { /^(\d+)(?:-(\d+))?$/ && $1 <= $slot
        && $slot <= ($2 // $1) } split / /, $slots;
}


# Copies of what each Redis has on its disk, of three moments.

sub take_snapshots {
    my ($self) = @_;

    my $at = time;
    for my $node ($self->nodes) {
        my $old = $node->dir . '/old';
        make_path("$old/$at");
        # an append-only file may be written anew just now
        wait_for { $node->try('BGSAVE') } 'a snapshot to begin';
        wait_for { $node->info('persistence')->{rdb_bgsave_in_progress}
            eq '0' } 'a snapshot';
        run('cp', '-r', map({ $node->dir . "/$_" } 'dump.rdb',
            'appendonlydir'), "$old/$at");
    }

    push @{$self->{snapshots}}, $at;
    return if @{$self->{snapshots}} <= SNAPSHOTS;

    my $gone = shift @{$self->{snapshots}};
    run('rm', '-r', map { $_->dir . "/old/$gone" } $self->nodes);
    return;
}

sub snapshot_age {
    my ($self) = @_;
    return time - ($self->{snapshots}[-1] // 0);
}


# The folder of one that is at least so many seconds old: the nth newest.

sub snapshot {
    my ($self, $node, $seconds, $nth) = @_;

    my @old = reverse grep { $_ <= time - $seconds } @{$self->{snapshots}};
    die "no snapshot is that old\n" if !@old;

    return $node->dir . '/old/' . ($old[$nth] // $old[-1]);
}


# The disk under a proxy's journal is as large as what is on it, or large.

sub disk {
    my ($self, $proxy, $what) = @_;

    my $dir = $proxy->dir . '/journal';
    my ($used) = run('df', '-B4096', '--output=used', $dir) =~ /(\d+)/;
    my $size = $what eq 'full' ? 4096 * ($used || 1) : '1g';
    run('mount', '-o', "remount,size=$size", $dir);

    return;
}


# The shim of t/chaos/slow.c.

sub _make_slow {
    my ($self) = @_;

    $self->{shim} = "$self->{dir}/shared/slow.so";
    make_path("$self->{dir}/shared");
    run('cc', '-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o',
        $self->{shim}, top() . '/t/chaos/slow.c', '-ldl');
    return;
}

sub _slow_file {
    my ($self, $name) = @_;

    my $file = "$self->{dir}/$name.slow";
    spew($file, pack('QQ', 0, 0), 0666);
    return (env => { LD_PRELOAD => $self->{shim}, CHAOS_SLOW => $file });
}

# So many milliseconds; returns how many calls were delayed so far.

sub slow {
    my ($self, $one, $ms) = @_;

    my $file = "$self->{dir}/" . $one->name . '.slow';
    open my $fh, '+<:raw', $file or die "$file: $!\n";
    syswrite $fh, pack 'Q', $ms;
    sysread $fh, my $count, 8;

    return unpack 'Q', $count;
}


1;
