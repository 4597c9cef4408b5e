#!/usr/bin/perl

# docs/failover.md, as it stands: its settings are Redis' settings, its
# commands are run, on one Redis, behind Sentinel and on a cluster, and come to
# what the page says. Above all: planned maintenance voids no token, and is
# over when it is over (I10).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Cluster;
use Enroll::Sentinels;
use Enroll::Test;

my $page = slurp(top() . '/docs/failover.md');
my $dir = sub_dir('shell');
my $bin = sub_dir('bin');
my (%seen, %port, %sub, $stack);

use constant PARTITIONS => 64;


# --- what the page consists of

# The blocks of a language in a section. One that no test has taken was not
# tried: %seen.

sub blocks {
    my ($title, $language) = @_;

    my ($text) = $page =~ /^##+ \Q$title\E\n(.*?)(?=^##|\z)/ms
        or die "no section $title";
    my @blocks = $text =~ /^```$language\n(.*?)^```$/msg;
    $seen{$_} = 1 for @blocks;
    return @blocks;
}

# [command, output] of what one sees on a terminal.

sub dialogue {
    my @steps;
    for my $line (map { split /^/ } @_) {
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

sub steps { return dialogue(blocks($_[0], 'console')) }


# --- its commands, with our servers for its names

my ($redis_cli) = grep { -x } map { "$_/redis-cli" } split /:/, $ENV{PATH};

sub tool {
    my ($name, $text) = @_;
    return spew("$bin/$name", $text, 0755);
}

# On a terminal it prints otherwise than into a pipe. The first of the servers
# is the one without a name.

tool('redis-cli', <<"END");
#!$^X
my \%port = map { split } do { local \@ARGV = '$dir/hosts'; <> };
my (\@args, \$port);
\$port = \$port{'redis-1.example.internal'};
while (\@ARGV) {
    my \$arg = shift \@ARGV;
    if (\$arg eq '-h') { \$port = \$port{shift \@ARGV} // die "host"; next }
    if (\$arg eq '-p') { shift \@ARGV; next }
    \$arg =~ s/^([\\w.-]+\\.internal):6379\$/127.0.0.1:\$port{\$1}/;
    push \@args, \$arg;
}
exec '$redis_cli', '-p', \$port, -p STDOUT ? '--raw' : '--no-raw', \@args;
END
symlink "$_", "$bin/" . s{.*/}{}r
    for grep { -x } map { "$_/redis-check-aof" } split /:/, $ENV{PATH};

# Its names, of these servers, in this order.

sub named {
    my ($servers, @sentinels) = @_;

    my $n = 0;
    %port = map { 'redis-' . ++$n . '.example.internal' => $_->port }
        @$servers;
    $n = 0;
    $port{'sentinel-' . ++$n . '.example.internal'} = $_ for @sentinels;
    spew("$dir/hosts", join '', map { "$_ $port{$_}\n" } keys %port);
    spew("$dir/where", "cd $dir\n");
    %sub = ();
    return;
}

sub run {
    my ($command) = @_;

    my $log = $stack->nginx->{logs};
    $command =~ s{/var/log/nginx/}{$log/}g;
    $command =~ s/\Q$_\E/$sub{$_}/g for sort keys %sub;

    my $output = "$dir/output";
    my $where = slurp("$dir/where");
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    system 'sh', '-c', "{ $where$command\n} > $output 2>&1 <<'END'
y
END";
    # what holds for the commands that follow
    spew("$dir/where", $where . $command)
        if $command =~ /\A(?:cd |[a-z]+=)/;

    return slurp($output);
}

# What does not change from day to day; Redis names fields in no order.

sub shape {
    my ($text) = @_;

    $text =~ s/\n(?="(?:op|why|id|subject)":)//g;       # a line that is broken
    $text =~ s/\r//g;
    $text =~ s/[0-9a-f]{32,}/HEX/g;
    $text =~ s/\b1\d{12}\b/TIME/g;
    $text =~ s/"seq":\d+/"seq":N/g;
    $text =~ s/"\d+\.\d+\.\d+\.\d+"/"ADDRESS"/g;
    $text =~ s/"\d+"$/"N"/mg;
    $text =~ s/\(integer\) \d+/(integer) N/g;
    $text =~ s/^ +\d+ (?=[a-z0-9])/N /mg;               # of uniq -c
    my @lines = split /\n/, $text;
    s/^(?:\s*\d+[)#])+\s*// for @lines;
    return join "\n", sort @lines;
}

# What is shown is what is said. one => 1: not each line of it need be there.

sub shows {
    my ($step, %arg) = @_;

    my ($command, $want) = @$step;
    my ($short) = $command =~ /^(.{1,60})/;
    my $got = run($command);

    if ($arg{one}) {
        my %known = map { $_ => 1 } split /\n/, shape($want);
        is join("\n", grep { !$known{$_} } split /\n/, shape($got)), '',
            $short or diag $got;
    } else {
        is shape($got), shape($want), $short or diag $got;
    }
    return $got;
}

# How many partitions have got which answer.

sub counts {
    my ($output) = @_;
    return { map { /^ *(\d+) (\w+)$/ ? ($2 => $1) : () } split /\n/, $output };
}

sub total {
    my ($counts) = @_;
    my $n = 0;
    $n += $_ for values %$counts;
    return $n;
}


# --- people with links, in some of the partitions,
# among them one whose partition is that of the page's examples.

sub people {
    my ($n) = @_;
    my @made;
    push @made, $stack->issue->json while @made < $n
        || !grep { partition($_) == 0 } @made;
    return { tokens => \@made, partitions => { map { partition($_) => 1 }
        @made } };
}

sub partition { return hex substr $_[0]{id}, 0, 4 }

sub redeemed {
    my (@made) = @_;
    return join ' ', map { $_->{said} = $stack->redeem($_->{token})->status }
        @made;
}

sub all_good {
    my ($name, @made) = @_;
    return is redeemed(@made), join(' ', (200) x @made),
        "$name: no token is void";
}

sub fences {
    return map { my $p = $_; map { "$p $_->{why} $_->{voided}" }
        $stack->events(partition => $p, event => 'fence') } @_;
}

# Nothing is announced any more, so that what comes without a plan is none.

sub over {
    my ($name, @servers) = @_;
    my @planned = grep { defined $_->[1] } map { my $redis = $_;
        map { [$_, $redis->command('HGET', $_, 'planned')] }
        grep { /:meta$/ } $redis->keys } @servers;
    return is_deeply \@planned, [], "$name: it is over";
}

my @lua = blocks('Announce', 'lua');
spew("$dir/plan.lua", $lua[0]);
spew("$dir/done.lua", $lua[1]);
is @lua, 2, 'the files that it wants';

sub stack_of {
    my (%arg) = @_;
    $stack = stack(http => 'enroll_partitions ' . PARTITIONS . ';', %arg);
    return;
}

sub unix {
    my ($redis, $more) = @_;
    return (redis_server => $redis, redis => "enroll_redis unix:%%REDIS%%;
        enroll_redis_retry 100ms; " . ($more // ''));
}

sub reachable {
    return wait_for { $stack->status->{ledger}{reachable} } 'Redis';
}

# The commands by which it is ended, at the server of that name. Those that
# were called since have noticed, the others had not.

sub end_it {
    my ($name, $at, %arg) = @_;
    my ($step, $save) = steps('End it');
    my ($command, $want) = @$step;
    $command =~ s/redis-2/$at/;
    my $counts = counts(shows([$command, $want],
        one => $arg{one}));
    is total($counts), $arg{of} // PARTITIONS, "$name: ended for all of them";
    shows([$save->[0] =~ s/redis-2/$at/r, $save->[1]]);
    return $counts;
}


# --- the settings

my ($alone, $more) = blocks('How to set up Redis', '');
my @settings = split /\n/, $alone;

subtest 'the settings' => sub {
    my $redis = redis(name => 'set-up', tcp => 1,
        conf => [@settings, split /\n/, $more]);
    for my $line (@settings, split /\n/, $more) {
        my ($name, $value) = split / /, $line;
        is $redis->command('CONFIG', 'GET', $name)->[1], $value, $line;
        like $page, qr/^\| `\Q$line\E` \| \w/m, '… and why'
            if $name ne 'min-replicas-max-lag';
    }
};


# --- one Redis

subtest 'restarted by plan' => sub {
    my $redis = redis(name => 'one', tcp => 1, conf => \@settings);
    stack_of(unix($redis));
    named([$redis, $redis]);
    my $people = people(60);
    my ($one, $shutdown, $all) = steps('One Redis');

    my $counts = counts(shows($all));
    is $counts->{planned}, keys %{$people->{partitions}},
        'all partitions that somebody has used';
    is total($counts), PARTITIONS, 'of all';
    shows($_) for $one, $shutdown;
    wait_for { $redis->{process}->gone } 'it to be down';
    is $stack->issue->status, 503, 'enrollment is closed';
    $redis->stop;
    $redis->start;
    reachable();

    # some have come by then
    my @made = @{$people->{tokens}};
    my @some = splice @made, 0, 15;
    my %called = map { partition($_) => 1 } @some;
    all_good('who comes at once', @some);
    $counts = end_it('restart', 'redis-1');
    is $counts->{adopted}, keys(%{$people->{partitions}}) - keys(%called),
        'those that nobody had called are adopted';
    over('restart', $redis);
    all_good('who comes later', @made);
    is_deeply [fences(0 .. PARTITIONS - 1)],
        [map { "$_ planned 0" } sort { $a <=> $b } keys %called],
        'an event, where somebody had called';

    @made = @{ people(20)->{tokens} };
    $redis->restart;
    reachable();
    is redeemed(@made), join(' ', (410) x @made),
        'the next restart is not taken for that one';
};


subtest 'what plan.lua and done.lua answer' => sub {
    my $redis = redis(name => 'answers', tcp => 1, conf => \@settings);
    stack_of(unix($redis), http => '');
    named([$redis]);
    my ($plan) = map { $_->[0] } steps('One Redis');
    my $done = $plan =~ s/plan/done/r;
    my $ask = sub { run($_[0]) =~ s/\W//gr };

    is $ask->($plan), 'unused', 'a partition that nobody has used';
    is $ask->($done), 'done', '… has nothing to end';
    is $redis->command('EXISTS', 'enroll:{0}:meta'), 0, '… and stays unused';

    my @made = map { $stack->issue->json } 1 .. 4;
    is $ask->($plan), 'planned', 'one that is used';
    is $ask->($done), 'done', '… where nothing has happened';
    $redis->restart;
    reachable();
    is $stack->redeem($made[0]{token})->status, 410, '… is announced no more';

    $redis->restart;
    is $ask->($plan), 'void', 'one whose incarnation has ended already';
    is $ask->($done), 'done', '… cannot be saved by it';
    reachable();
    is $stack->redeem($made[1]{token})->status, 410, '… its tokens are void';

    my $made = $stack->issue->json;
    is $ask->($plan), 'planned', 'announced';
    $redis->command('HSET', 'enroll:{0}:meta', 'incarnation', 'f' x 40);
    is $ask->($done), 'void', '… and something else has happened';
    reachable();
    is $stack->redeem($made->{token})->status, 410, '… its tokens are void';
};


subtest 'called off' => sub {
    my $redis = redis(name => 'off', tcp => 1, conf => \@settings);
    stack_of(unix($redis));
    named([$redis, $redis]);
    my @made = @{ people(10)->{tokens} };
    my (undef, undef, $all) = steps('One Redis');
    run($all->[0]);
    my (undef, undef, $hold) = steps('Behind Sentinel');
    run($hold->[0]);
    is $stack->issue->status, 503, 'writes are refused';
    my ($allow, $hdel) = steps('Called off');
    run($allow->[0] =~ s/1$/0/mr);
    shows($hdel, one => 1);
    over('called off', $redis);
    is $stack->issue->status, 201, 'enrollment goes on';
    $redis->restart;
    reachable();
    is redeemed(@made), join(' ', (410) x @made), 'a restart is not planned';
};


# --- a replica, and nobody to watch over them

sub pair {
    my ($name) = @_;
    my $master = redis(name => "$name-1", tcp => 1,
        conf => ['repl-diskless-sync-delay 0', @settings]);
    my $replica = redis(name => "$name-2", tcp => 1, conf => [@settings,
        'repl-diskless-sync-delay 0',
        'replicaof 127.0.0.1 ' . $master->port]);
    wait_for { $replica->command('INFO', 'replication')
        =~ /^master_link_status:up/m } 'the replica to follow';
    named([$master, $replica]);
    return ($master, $replica);
}

sub lead_to {
    my ($redis) = @_;
    my %vars = (%{$stack->nginx->{vars}}, REDIS => $redis->socket);
    $stack->nginx->reload(vars => \%vars, leave => 1);
    $stack->{redis_server} = $redis;
    reachable();
    return;
}

subtest 'handed over to a replica' => sub {
    my ($master, $replica) = pair('hand');
    stack_of(unix($master), http => '');
    my @made = @{ people(10)->{tokens} };
    my ($plan, $failover, $role)
        = steps('One Redis with a replica, without Sentinel');
    shows($_) for $plan, $failover;
    wait_for { run($role->[0]) =~ /slave/ } 'the master to step back', 20;
    shows($role);
    lead_to($replica);
    my $counts = end_it('hand over', 'redis-2');
    is $counts->{adopted}, 1, 'before anybody has called';
    all_good('hand over', @made);
    over('hand over', $replica);
};

subtest 'a replica alone, and a master alone' => sub {
    my ($master, $replica) = pair('alone');
    $master->command('CONFIG', 'SET', 'min-replicas-to-write', 1);
    stack_of(unix($master), http => '');
    my @made = @{ people(3)->{tokens} };

    $replica->stop('KILL');
    wait_for { $stack->issue->status == 503 } 'writes to be refused';
    shows($_) for steps('The replicas are gone');
    is $stack->issue->status, 201, 'without replicas, it is decided';
    $replica->start;
    wait_for { $replica->command('INFO', 'replication')
        =~ /^master_link_status:up/m } 'it to be back', 20;

    $master->stop('KILL');
    shows($_) for steps('A replica alone');
    lead_to($replica);
    is redeemed(@made), join(' ', (410) x @made), 'what was live is void';
    like((fences(0))[-1], qr/^0 incarnation [34]$/, 'and told');
};


# --- behind Sentinel

subtest 'a failover by plan, behind Sentinel' => sub {
    my $set = Enroll::Sentinels->new(name => 'set',
        conf => [@settings, split /\n/, $more]);
    $set->wait_calm;
    stack_of(redis_server => ($set->servers)[0],
        redis => 'enroll_redis_sentinel enroll ' . $set->addresses
            . '; enroll_redis_retry 100ms;');
    named([$set->master, grep { $_ != $set->master } $set->servers],
        $set->ports);
    my $people = people(60);
    my @made = @{$people->{tokens}};

    my ($where, $plan, $hold, $role, $go, $back, @again)
        = steps('Behind Sentinel');
    shows($where);
    my $counts = counts(shows($plan));
    is $counts->{planned}, keys %{$people->{partitions}}, 'announced';
    shows($hold);
    is $stack->issue->status, 503, 'writes are refused';
    wait_for {
        my $said = run($role->[0]);
        my ($offset) = $said =~ /\(integer\) (\d+)/;
        my @replicas = $said =~ /^ +3\) "(\d+)"/mg;
        @replicas == 2 && !grep { $_ != $offset } @replicas;
    } 'the replicas to have all of it';
    shows($role);
    my $old = $set->master;
    shows($go);
    my $new = $set->wait_master($old);
    unlike run($where->[0]), qr/"@{[$old->port]}"/, 'the sentinels name it';
    named([$old, $new], $set->ports);
    $stack->{redis_server} = $new;
    wait_for { run($back->[0]) =~ /"connected"/ } 'the old one to follow', 40;
    shows($_) for $back, @again;

    wait_for { $stack->issue->status == 201 } 'nginx to find it', 20;
    my @some = splice @made, 0, 15;
    all_good('who comes at once', @some);
    $counts = end_it('failover', 'redis-2');
    cmp_ok $counts->{adopted}, '>', 0, 'some had not been called';
    over('failover', $new);
    all_good('who comes later', @made);
    is_deeply [grep { !/ planned 0$/ } fences(0 .. PARTITIONS - 1)], [],
        'no epoch has ended';

    # the table's commands
    my @night = map { /`(redis-cli[^`]+)` \|$/ ? $1 : () } split /\n/,
        $page =~ s/^.*?^## At night\n(.*?)^## .*/$1/msr;
    cmp_ok scalar @night, '>', 3, 'commands for the night';
    for my $command (@night) {
        next if $command =~ /CLUSTER/;
        unlike run($command), qr/ERR|Could not|Usage/, $command;
    }
    $new->command('CONFIG', 'SET', 'maxmemory', 0);
};


# --- on a cluster

subtest 'on a cluster' => sub {
    my $cluster = Enroll::Cluster->new(name => 'cluster', conf => [@settings]);
    my $single = redis(name => 'nobody', tcp => 1);
    stack_of(redis_server => $single, redis => 'enroll_redis_cluster '
        . $cluster->addresses . '; enroll_redis_retry 100ms;');
    $stack->{redis_server} = $cluster;

    my @masters = $cluster->masters;
    my ($master) = @masters;
    my ($replica) = grep { $_->command('ROLE')->[0] eq 'slave'
        && $_->command('ROLE')->[2] == $master->port } $cluster->servers;
    named([$master, $masters[1], $masters[2], $replica]);
    my @made = @{ people(90)->{tokens} };
    my @of = grep { $cluster->owner($cluster->slot("enroll:{$_}:meta"))
        == $master } 0 .. PARTITIONS - 1;

    my ($plan, $failover, $role) = steps('On a cluster');
    my $counts = counts(shows($plan, one => 1));
    is total($counts), @of, 'what is that master\'s is announced';
    like run('redis-cli CLUSTER INFO'), qr/cluster_state:ok/, 'CLUSTER INFO';
    shows($failover);
    wait_for { run($role->[0]) =~ /master.*127\.0/s } 'it to be the master', 20;
    $cluster->wait_ok;
    shows($role);
    wait_for { $stack->issue->status == 201 } 'nginx to find it';

    my @some = splice @made, 0, 30;
    all_good('who comes at once', @some);
    end_it('failover', 'redis-4', of => scalar @of, one => 1);
    over('failover', $replica, @masters[1, 2]);
    my @later = splice @made, 0, 30;
    all_good('who comes later', @later);

    # all that this node has goes to another one
    ($master, my $target) = ($replica, $masters[1]);
    named([$target, $target, $masters[2], $master]);
    my $ids = $page =~ /--cluster-from (\w+) .*?--cluster-to (\w+)/s
        ? { from => $1, to => $2 } : die;
    my $slots = 0;
    $slots += $_->[1] - $_->[0] + 1 for grep { $_->[2][1] == $master->port }
        @{ $master->command('CLUSTER', 'SLOTS') };
    %sub = ($ids->{from} => $master->command('CLUSTER', 'MYID'),
        $ids->{to} => $target->command('CLUSTER', 'MYID'),
        '--cluster-slots 4096' => "--cluster-slots $slots",
        $plan->[0] => $plan->[0] =~ s/redis-1/redis-4/r);
    $counts = counts(run($plan->[0] =~ s/redis-1/redis-4/r));
    is total($counts), @of, 'announced at the node that they leave';
    my ($reshard) = steps('Slots that move');
    shows($reshard);
    like slurp("$dir/reshard.log"), qr/Moving slot \d+ from/,
        'redis-cli has moved them';
    $cluster->wait_ok;
    is_deeply [grep { $cluster->owner($cluster->slot("enroll:{$_}:meta"))
        != $target } @of], [], 'they are the other node\'s';
    end_it('move', 'redis-1', of => scalar(grep {
        $cluster->owner($cluster->slot("enroll:{$_}:meta")) == $target }
        0 .. PARTITIONS - 1), one => 1);
    all_good('after the move', @made);
    over('move', $cluster->masters);
    is_deeply [grep { !/ planned 0$/ } fences(0 .. PARTITIONS - 1)], [],
        'no epoch has ended';
};


# --- what is lost, and whose

my $journal = 'enroll_journal %%DIR%%/logs/enroll.journal;';

subtest 'who needs another link' => sub {
    my $redis = redis(name => 'who', tcp => 1, conf => \@settings);
    stack_of(unix($redis), http => $journal);
    named([$redis]);
    my $ada = $stack->issue(subject => 'ada', event => 'join-1042')->json;
    my ($bob) = $stack->enter(subject => 'bob', event => 'join-1043');
    $stack->enrol(subject => 'grace');
    $stack->revoke(id => $stack->issue(subject => 'eve')->json->{id});
    # who was void before has been told then
    $redis->restart;
    reachable();
    is $stack->redeem($ada->{token})->status, 410, 'void, once before';
    $ada = $stack->issue(subject => 'ada', event => 'join-1042')->json;
    my $session = $stack->session($stack->issue(subject => 'bob',
        event => 'join-1043')->json->{token});
    $redis->restart;
    reachable();
    is $stack->redeem($ada->{token})->status, 410, 'void';

    my ($fence, $vars, $who) = steps('Who needs another link');
    my $got = shows($fence);
    my ($at, $from) = $got =~ /"at":(\d+).*"from":"(\d+)"/;
    $vars->[0] =~ s/from=\d+ at=\d+/from=$from at=$at/ or die;
    shows($_) for $vars, $who;
    is $stack->issue(subject => 'ada', event => 'join-1042')->status, 201,
        'the event again makes another';
    my ($lost) = steps('All of Redis is lost');
    shows($lost);
};


subtest 'what was lost' => sub {
    my $redis = redis(name => 'lost', tcp => 1);
    stack_of(unix($redis), http => $journal);
    named([$redis]);
    my ($grace, $id) = $stack->enter(subject => 'grace');
    $stack->begin($grace);
    my $bob = $stack->issue(subject => 'bob')->json;
    my $backup = $redis->backup;
    is $stack->finish($grace)->status, 200, 'grace enrolls';
    $stack->wait_record($id, state => 'enrolled');
    wait_for { slurp($stack->nginx->{logs} . '/enroll.log')
        =~ /"to":"enrolled"/ } 'the log';
    is $stack->leave(subject => 'bob')->status, 200, 'bob leaves';
    $redis->restore($backup);
    reachable();
    is $stack->issue->status, 201, 'it goes on with a backup';

    for my $file (qw(enroll.log enroll.journal)) {
        $sub{'enroll.journal'} = $file;
        shows($_) for steps('What was lost');
    }
    like slurp("$dir/lost"), qr/"leaver":"event-/, 'with all that it was';

    my ($keep) = blocks('A network that is cut in two', 'sh');
    is run($keep), '', 'the stream is kept';
    my $kept = slurp("$dir/events-of-redis-1");
    is scalar(() = $kept =~ /^seq$/mg), $redis->command('XLEN',
        'enroll:{0}:events'), '… all of it';
};


subtest 'a truncated file' => sub {
    my $redis = redis(name => 'torn', tcp => 1, conf => \@settings);
    stack_of(unix($redis), http => '');
    named([$redis]);
    my $made = $stack->issue->json;
    $redis->stop('KILL');
    my $file = $redis->dir . '/appendonlydir/appendonly.aof.1.incr.aof';
    truncate $file, (-s $file) - 20 or die "$file: $!";

    ok !eval { $redis->start }, 'it does not start';
    like slurp("$redis->{logs}/redis.log"), qr/Unexpected end of file/,
        '… and says why';
    $redis->stop;
    my ($cd, $fix) = steps('A truncated file');
    $cd->[0] =~ s{/var/lib/redis}{$redis->dir}e or die;
    run($cd->[0]);
    like run($fix->[0]), qr/Successfully truncated/, 'the end is cut off';
    $redis->start;
    reachable();
    like $stack->redeem($made->{token})->status, qr/^(?:410|401)$/,
        'what was live is void';
    like((fences(0))[-1], qr/^0 (?:incarnation|sequence) /, 'and told');
};


# --- what is to be looked for in logs is what is said there

my $said = join '', map { slurp($_) } map { glob top()
    . "/ngx_enroll_module/$_/*.[ch]" } qw(http ledger redis);
$said =~ s/"\s*\n\s*"//g;
$said =~ s/%(?:ui|L|M)/0/g;                             # numbers
my $others = qr/^(?:Unexpected end of file|Can't recover from AOF)/;    # Redis'

for my $title ('At night', 'What to watch') {
    my ($table) = $page =~ /^## \Q$title\E\n(.*?)(?=^## |\z)/ms;
    my @looked_for = grep { / / && !/$others/ }
        map { split /\s*(?:\xe2\x80\xa6|[()":])\s*/ }
        map { /`([^`]+)`/g } $table =~ /^\| ([^|]+)/mg;
    cmp_ok scalar @looked_for, '>', 3, "$title: words to look for";
    is join('; ', grep { index($said, s/\d+/0/gr) < 0 } @looked_for), '',
        '… which somebody says';
}

my @not = grep { !$seen{$_} } $page =~ /^```[a-z]*\n(.*?)^```$/msg;
is "@not", '', 'nothing is shown that was not tried';

done_testing;
