#!/usr/bin/perl

# What a server that is not the ledger any more could still do, and what an
# epoch's end must not make anybody forget (I1, I9, I10).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;

my ($stack, $redis, $idp, $session, $servers);

# Two hosts before one ledger, so that no tombstone helps.

sub fresh {
    my ($server) = @_;
    my $name = 'ledger-' . ++$servers;
    $server ||= redis(name => $name, tcp => 1, conf => ['appendonly no']);
    my $link = test_dir() . "/to-$name";
    symlink $server->socket, $link or die "$link: $!";

    $stack = stack(instances => 2, redis_server => $server, link => $link,
        redis => "enroll_redis unix:$link; enroll_redis_retry 100ms;"
            . ' enroll_session_cache 0;');
    ($redis, $idp) = ($stack->redis, $stack->idp);
    ($session) = $stack->enter(subject => 'somebody');
    return;
}

# The hosts are led to another server.

sub lead {
    my ($server) = @_;
    unlink $stack->{link};
    symlink $server->socket, $stack->{link} or die "$stack->{link}: $!";
    $redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $redis = $server;
    for my $n (0, 1) {
        wait_for { $stack->http($n)->get('/register', Cookie => $session)
            ->status != 503 } 'it to be asked';
    }
    return;
}

sub back {
    for my $n (0, 1) {
        wait_for { $stack->status($n)->{ledger}{reachable} }
            'Redis to be back';
    }
    return;
}

# A host that has seen nothing: what it knew went with its zone.

sub forget {
    my ($n) = @_;
    $stack->nginx($n)->stop;
    $stack->nginx($n)->start;
    return;
}

# the other host's
sub redeem_there {
    my ($token) = @_;
    return $stack->http(1)->post('/enroll', "token=$token",
        'Content-Type' => 'application/x-www-form-urlencoded');
}

sub begin_there {
    my ($session) = @_;
    return $stack->http(1)->post('/register/begin', '{}', Cookie => $session);
}

sub record {
    my ($id) = @_;
    return $redis->hash('HGETALL', "enroll:{0}:token:$id");
}

# Until a replica has all that the ledger told.

sub follows {
    my ($replica) = @_;
    my @seq = ('HGET', 'enroll:{0}:meta', 'seq');
    wait_for { ($replica->command(@seq) // '') eq $redis->command(@seq) }
        'the replica to follow';
    return;
}

sub whys {
    my @entries = @{ $redis->command('XRANGE', 'enroll:{0}:events',
        '-', '+') };
    return map { $_->{why} } grep { $_->{event} eq 'fence' }
        map { +{ @{$_->[1]} } } @entries;
}


# --- no master any more

for my $case (['as replicas are', 'yes'], ['that may be written to', 'no']) {
    my ($name, $read_only) = @$case;

    subtest "a master becomes a replica, $name, and closes nothing" => sub {
        fresh();
        my $new = redis(name => "new-$read_only", tcp => 1,
            conf => ['repl-diskless-sync-delay 0',
                'replicaof 127.0.0.1 ' . $redis->port]);
        follows($new);

        # of now: a master's first replica makes it another incarnation
        my $made = $stack->issue(subject => 'ada')->json;
        ($session) = $stack->enter(subject => 'eve');
        passed(begin_there($session), 'both hosts have their connections');
        follows($new);

        $redis->command('CONFIG', 'SET', 'replica-read-only', $read_only);
        $new->command('REPLICAOF', 'NO', 'ONE');
        $redis->command('REPLICAOF', '127.0.0.1', $new->port);
        wait_for { $redis->command('INFO', 'replication')
            =~ /^master_link_status:up/m } 'the old master to follow';

        # in the new master's own words
        my $meta = 'enroll:{0}:meta';
        $new->command('HSET', $meta, 'incarnation', $new->incarnation);
        $new->command('HDEL', $meta, 'process');
        wait_for { $redis->command('HGET', $meta, 'incarnation')
            eq $new->incarnation } 'its word to come';
        is $redis->incarnation, $new->incarnation,
            'it says that it is what it follows';

        refused($stack->http->get('/register', Cookie => $session), 503,
            'unavailable', 'what it knows is not asked for');
        refused(redeem_there($made->{token}), 503, 'unavailable',
            'nor is a token spent there (I1)');
        is record($made->{id})->{state}, 'issued', '… nothing is written';

        lead($new);
        passed(redeem_there($made->{token}), 'it is, where the ledger is');
    };
}


# In a cluster, where addresses change hands: the replica has forgotten its
# master's, so that it never followed it since it was started.

sub replica_of {
    my ($old, $bus, $new) = @_;

    $old->command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
    $new->command('CLUSTER', 'MEET', '127.0.0.1', $old->port, $bus);
    my $id = $old->command('CLUSTER', 'MYID');
    wait_for { eval { $new->command('CLUSTER', 'REPLICATE', $id) } }
        'the nodes to meet';
    wait_for { $new->command('INFO', 'replication')
        =~ /^master_link_status:up/m } 'the replica to follow';
    wait_for { $old->command('CLUSTER', 'INFO')
        =~ /^cluster_state:ok/m } 'the cluster to be one';
    return $id;
}

subtest 'a replica that is promoted before it has found its master' => sub {
    my @bus = map { free_port() } 0, 1;
    my ($old, $new) = map { redis(name => "node-$_", tcp => 1,
        conf => ['cluster-enabled yes', 'databases 1',
            "cluster-port $bus[$_]", 'repl-diskless-sync-delay 0']) } 0, 1;
    my $id = replica_of($old, $bus[0], $new);
    fresh($old);

    my $made = $stack->issue(subject => 'ada')->json;
    $new->command('READONLY');
    follows($new);
    $new->backup;
    $new->stop('KILL');
    passed(redeem_there($made->{token}), 'the token is spent');
    my $ended = $old->incarnation;
    $old->stop('KILL');

    my $nodes = slurp($new->dir . '/nodes.conf');
    $nodes =~ s/^$id \S+ \S+/$id :0\@0 master,noaddr/m or die $nodes;
    spew($new->dir . '/nodes.conf', $nodes);
    $new->start;
    $new->command('CLUSTER', 'FAILOVER', 'TAKEOVER');
    wait_for { $new->command('CLUSTER', 'INFO') =~ /^cluster_state:ok/m }
        'it to serve';
    is $new->incarnation, $ended, 'it says that it is what it replaces';

    forget($_) for 0, 1;
    $redis = $new;
    unlink $stack->{link};
    symlink $new->socket, $stack->{link} or die "$stack->{link}: $!";
    back();
    is record($made->{id})->{state}, 'issued', 'it knows less';
    refused(redeem_there($made->{token}), 410, 'void',
        'a spent token does not come back to life (I1)');
    is_deeply [whys()], ['incarnation'], '… as another process serves';
};


# --- a finish at the IdP, and the epoch ends

# Sends a finish, which hangs at the IdP.

sub finish_hangs {
    my ($session, $id) = @_;

    $idp->clear;
    $idp->answer('/register/finish' => { hang => 1 }, { status => 200 });
    my $socket = $stack->http->connect;
    print $socket $stack->http->bytes('POST', '/register/finish',
        [Cookie => $session], '{"id":"x"}');
    $socket->flush;
    $stack->wait_record($id, state => 'claimed');
    return $socket;
}

sub answer {
    my ($socket, $status, $name) = @_;
    $idp->release({ status => $status });
    is $stack->http->read_response($socket)->status, $status, $name;
    return;
}

for my $case ([200, 'enrolled'], [400, 'refused']) {
    my ($status, $outcome) = @$case;

    subtest "while a finish is at the IdP, which says $status" => sub {
        fresh();
        my $event = { subject => 'ada', event => 'join' };
        my ($session, $id) = $stack->enter(%$event);
        passed($stack->begin($session), 'begin');
        my $socket = finish_hangs($session, $id);
        my $backup = $redis->backup;
        $redis->restore($backup);
        back();

        refused($stack->issue(subject => 'ada'), 409, 'claimed',
            'the subject gets no other token (I9)');
        refused($stack->issue(%$event), 409, 'claimed',
            'nor by the event that had one, which is void');
        is_deeply [whys()], ['incarnation'], '… as the epoch has ended';

        answer($socket, $status, "the IdP says $status");
        $stack->wait_record($id, outcome => $outcome);
        if ($outcome eq 'enrolled') {
            refused($stack->issue(subject => 'ada'), 409, 'first_use',
                'who has enrolled gets none');
        } else {
            is $stack->issue(%$event)->status, 201, 'who has not gets one';
        }
    };
}

subtest 'a finish that nobody waits for any more' => sub {
    fresh();
    my ($session, $id) = $stack->enter(subject => 'ada');
    passed($stack->begin($session), 'begin');
    my $socket = finish_hangs($session, $id);
    my $backup = $redis->backup;
    $redis->restore($backup);
    back();

    refused($stack->issue(subject => 'ada'), 409, 'claimed', 'no other yet');
    passed($stack->revoke(id => $id), 'it is given up');
    my ($told) = $stack->events(event => 'revoke');
    is "$told->{from} $told->{to}", 'void void', '… an event says so';
    is $told->{claim}, record($id)->{claim}, '… and which claim is open';
    is $stack->issue(subject => 'ada')->status, 201, 'there is another then';

    answer($socket, 200, 'the IdP has enrolled, for all that');
    is $stack->wait_record($id, outcome => 'enrolled')->{state}, 'enrolled',
        '… which is told';
    refused($stack->issue(subject => 'ada'), 409, 'first_use',
        'and counts (I9)');
};

subtest 'a claim that the store forgot, while the IdP enrolls' => sub {
    fresh();
    my ($session, $id) = $stack->enter(subject => 'ada');
    passed($stack->begin($session), 'begin');
    my $backup = $redis->backup;
    my $socket = finish_hangs($session, $id);
    my $claim = record($id)->{claim};
    $redis->restore($backup);
    back();
    is record($id)->{state}, 'redeemed', 'it knows of no claim';

    answer($socket, 200, 'the IdP says that it has enrolled');
    my $record = $stack->wait_record($id, outcome => 'enrolled');
    is "$record->{state} $record->{claim}", "enrolled $claim",
        '… which is written down';
    my ($settle) = $stack->events(event => 'settle');
    is "$settle->{from} $settle->{to} $settle->{claim}",
        "void enrolled $claim", '… and told';
    refused($stack->issue(subject => 'ada'), 409, 'first_use',
        'the subject has enrolled (I9)');
    refused(begin_there($session), 410, 'enrolled',
        '… and is told so');
};

subtest 'a claim that the store forgot, while the IdP refuses' => sub {
    fresh();
    my ($session, $id) = $stack->enter(subject => 'ada');
    passed($stack->begin($session), 'begin');
    my $backup = $redis->backup;
    my $socket = finish_hangs($session, $id);
    $redis->restore($backup);
    back();

    answer($socket, 400, 'the IdP says no');
    refused(begin_there($session), 410, 'void', 'nothing reopens');
    is record($id)->{outcome}, undef, '… nothing is written';
    is $stack->issue(subject => 'ada')->status, 201,
        'the subject may have another';
};


# --- what a session proves

subtest 'a session of a token that was never redeemed' => sub {
    fresh();
    my $made = $stack->issue(subject => 'ada')->json;
    my $key = "enroll:{0}:token:$made->{id}";
    my $before = $redis->command('DUMP', $key);
    my $session = $stack->session($made->{token});
    $redis->command('RESTORE', $key, 0, $before, 'REPLACE');
    is record($made->{id})->{state}, 'issued', 'one key went back in time';

    refused($stack->http(1)->get('/register', Cookie => $session), 410,
        'void', 'the page is refused');
    is record($made->{id})->{state}, 'issued',
        '… and looking at it has changed nothing (I11)';
    refused(begin_there($session), 410, 'void', 'who has a session says so');
    is record($made->{id})->{state}, 'void', '… and ends it';
    is((map { $_->{from} } $stack->events(event => 'void'))[0], 'issued',
        '… with an event (I7)');
    refused(redeem_there($made->{token}), 410, 'void',
        'the token is not spent again (I1)');
};


# --- keys that move from one master to another

sub move {
    my ($from, $to) = @_;
    $from->command('MIGRATE', '127.0.0.1', $to->port, '', 0, 5000,
        'KEYS', $from->keys);
    return;
}

subtest 'a partition that moves to another master' => sub {
    fresh();
    my $other = redis(name => 'other', tcp => 1);
    my $home = $redis;
    my $first = $stack->token(subject => 'ada');

    move($home, $other);
    lead($other);
    refused(redeem_there($first), 410, 'void',
        'is in another incarnation there');
    is_deeply [whys()], ['incarnation'], '… as an event tells';

    my $second = $stack->token(subject => 'bob');
    move($other, $home);
    lead($home);
    refused(redeem_there($second), 410, 'void', 'and when it comes back');
    refused(redeem_there($first), 410, 'void', '… nor is the first one good');
    is_deeply [whys()], ['incarnation', 'incarnation'], '… which is told';

    my $third = $stack->token(subject => 'cy');
    move($home, $other);
    move($other, $home);
    passed(redeem_there($third), 'where nobody came meanwhile, it never left');
};

done_testing;
