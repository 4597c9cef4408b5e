#!/usr/bin/perl

# What a ledger that forgot makes of its tokens (I10): a token can be spent
# only in the epoch that issued it. Two hosts, so that no tombstone helps.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Process;
use Enroll::Refused qw(refused passed);
use Enroll::Test;

my ($stack, $redis, $idp);

# A ledger of its own, with two hosts before it.

sub fresh {
    my (%arg) = @_;

    my $conf = delete $arg{conf} || ['appendonly yes', 'appendfsync always'];
    $stack = stack(instances => 2, redis_server => { conf => $conf },
        redis => 'enroll_redis unix:%%REDIS%%; enroll_redis_retry 100ms;',
        %arg);
    ($redis, $idp) = ($stack->redis, $stack->idp);
    return;
}

sub meta {
    my ($partition) = @_;
    return $redis->hash('HGETALL', 'enroll:{' . ($partition // 0) . '}:meta');
}

sub epoch  { return meta(@_)->{epoch} }
sub fences { return $stack->events(event => 'fence', @_) }

sub told {
    my ($fence) = @_;
    return join ' ', map { $_ // '-' } @$fence{qw(why voided)};
}

# What a host's error log says of it.

sub complained {
    my ($n) = @_;
    my @lines = $stack->nginx($n)->error_log
        =~ /(\[\w+\]) \S+ (enroll: partition .*)/g;
    return join ' ', @lines;
}

sub reason {
    my ($response) = @_;
    my $problem = $response->body =~ /^\{/ ? $response->json : {};
    return $response->status . ($problem->{reason}
        ? " $problem->{reason}" : '');
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

sub page_there {
    my ($session) = @_;
    return $stack->http(1)->get('/register', Cookie => $session);
}

# … in milliseconds

sub in_a_while { return 1000 * (time + 1800) }

# Until the hosts have found Redis again, without a call that asks for more.

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

# What there is to be lost: a token, a session, a passkey.

sub people {
    my ($name) = @_;

    my %p = (event => "join-$name", subject => "$name-issued");
    my $made = $stack->issue(subject => $p{subject}, event => $p{event});
    @p{qw(token id)} = @{ $made->json }{qw(token id)};
    ($p{session}, $p{session_id}) = $stack->enter(
        subject => "$name-redeemed");
    passed($stack->begin($p{session}), "$name: a session has begun");
    $p{enrolled} = $stack->enrol(subject => "$name-enrolled");
    return \%p;
}

sub all_void {
    my ($p, $name) = @_;

    my $reached = $idp->count;
    refused(redeem_there($p->{token}), 410, 'void', "$name: the token");
    refused($stack->redeem($p->{token}), 410, 'void', '… on both hosts');
    refused(page_there($p->{session}), 410, 'void', "$name: the page");
    is $stack->record($p->{session_id})->{state}, 'redeemed',
        '… and looking at it has changed nothing (I11)';
    refused(begin_there($p->{session}), 410, 'void', "$name: begin");
    refused($stack->http(1)->post('/register/finish', '{}',
        Cookie => $p->{session}), 410, 'void', "$name: finish");
    refused($stack->finish($p->{session}), 410, 'void', '… on both hosts');
    is $idp->count, $reached, '… the IdP hears nothing (I2)';
    refused(redeem_there($p->{token}), 410, 'void', "$name: it stays void");
    return;
}

sub none_void {
    my ($p, $name) = @_;

    passed(begin_there($p->{session}), "$name: the session goes on");
    passed($stack->finish($p->{session}), '… to its end');
    passed(redeem_there($p->{token}), "$name: the token is good");
    return;
}


subtest 'restarted: all that was live is void, once' => sub {
    fresh();
    my $p = people('restart');
    my $before = epoch();
    $redis->restart;
    back();
    all_void($p, 'restarted');

    my @fences = fences();
    is @fences, 1, 'one event for both hosts';
    is told($fences[0]), 'incarnation 2',
        'says why, and how many are void by it';
    is "$fences[0]{from} $fences[0]{to}", "$before " . epoch(),
        'and which epoch began';
    cmp_ok epoch(), '>', $before, 'a later one';
    is meta()->{incarnation}, $redis->incarnation,
        'which is that of the server';
    is join(' ', map { $stack->status($_)->{events}{fence} } 0, 1), '0 1',
        'counted by the host that noticed';
    is complained(1), '[warn] enroll: partition 0 begins a new epoch '
        . '(incarnation): 2 live tokens are void', 'and in its error log';
    is_deeply [map { $_->{voided} } grep { $_->{event} eq 'fence' }
        $stack->log_lines(1)], [2], 'and in its own, as a number';
    is $stack->record($p->{enrolled})->{state}, 'enrolled',
        'who has enrolled has enrolled';
    refused($stack->issue(subject => 'restart-enrolled'), 409, 'first_use',
        'and gets no other token (I9)');

    my $again = $stack->issue(subject => $p->{subject},
        event => $p->{event});
    is $again->status, 201, 'the same joiner event gets a fresh token';
    isnt $again->json->{id}, $p->{id}, '… another one';
    refused(redeem_there($p->{token}), 410, 'void', '… the old one is void');
    is $stack->issue(subject => $p->{subject}, event => $p->{event})->status,
        200, '… which is made once';
    passed(redeem_there($again->json->{token}), '… and is good');
};


subtest 'killed: each partition for itself' => sub {
    fresh(http => 'enroll_partitions 2;');
    my (%made, $n);
    while (grep { @{$made{$_} || []} < 3 } 0, 1) {
        my $one = $stack->issue(subject => 'killed-' . ++$n,
            event => "join-$n")->json;
        push @{$made{hex substr $one->{id}, 0, 4}},
            { %$one, subject => "killed-$n", event => "join-$n" };
    }
    my $session = $stack->session($made{0}[0]{token});
    my $revoked = pop @{$made{1}};
    passed($stack->revoke(id => $revoked->{id}), 'one is revoked before');

    # one that nobody came back for, of long ago
    $redis->command('ZADD', "enroll:{$_}:live", 1, 'f' x 32) for 0, 1;

    $redis->restart('KILL');
    back();

    for my $partition (0, 1) {
        my @made = @{$made{$partition}};
        is fences(partition => $partition), 0,
            "partition $partition: nobody has noticed yet";
        refused(redeem_there($made[-1]{token}), 410, 'void',
            'who comes first does');
        is_deeply [map { told($_) } fences(partition => $partition)],
            ['incarnation ' . @made], 'the event counts all live ones';
        is_deeply [$redis->command('ZCARD', "enroll:{$partition}:live")], [0],
            'none is live any more';
        refused(redeem_there($_->{token}), 410, 'void', "$_->{subject} is")
            for @made[1 .. $#made];
    }

    refused(begin_there($session), 410, 'void', 'a session, too');
    refused($stack->redeem($revoked->{token}), 410, 'revoked',
        'what had ended keeps its true reason');

    my $again = $stack->issue(map { $_ => $made{1}[0]{$_} }
        qw(subject event));
    is $again->status, 201, 'the same joiner event gets a fresh token';
    passed($stack->enrol(subject => 'after') && redeem_there(
        $again->json->{token}), '… which is good');
    is_deeply [audit($stack, 2)], [], 'no gap but the leap (I7)';
};


subtest 'an epoch of a clock that was ahead' => sub {
    fresh();
    my $ahead = 1000 * (time + 3600);
    $stack->token;
    $redis->command('HSET', 'enroll:{0}:meta', 'epoch', $ahead);
    my $made = $stack->issue->json;
    is $stack->record($made->{id})->{epoch}, $ahead, 'it began in an hour';
    $redis->restart;
    back();
    refused(redeem_there($made->{token}), 410, 'void', 'a restart ends it');
    cmp_ok epoch(), '>', $ahead, 'the next one is later all the same';
    my $token = $stack->token;
    passed(redeem_there($token), 'and goes on');
    is scalar(fences()), 1, 'one event';
};


subtest 'restarted, and there is no memory for it' => sub {
    fresh();
    my $p = people('memory');
    $redis->restart;
    $redis->command('CONFIG', 'SET', 'maxmemory', 1);
    back();
    refused(redeem_there($p->{token}), 503, 'unavailable',
        'what cannot be written is closed (I6)');
    is fences(), 0, 'and not told';
    $redis->command('CONFIG', 'SET', 'maxmemory', 0);
    all_void($p, 'then');
    is told((fences())[0]), 'incarnation 2', 'none was forgotten by that';
};


subtest 'restarted by plan: nothing is void, once' => sub {
    fresh();
    my $p = people('plan');
    my ($before, $ended) = (epoch(), $redis->incarnation);
    $redis->plan->restart;
    back();
    none_void($p, 'planned');
    is epoch(), $before, 'it is the same epoch';
    is_deeply [map { told($_) } fences()], ['planned 0'], 'an event says so';
    isnt meta()->{incarnation}, $ended, 'of another incarnation';
    is complained(1), '[notice] enroll: partition 0 goes on with another '
        . 'incarnation of Redis (planned)', 'the error log has a notice';
    is meta()->{planned}, undef, 'the plan is used up';

    $p = people('after');
    $redis->restart;
    back();
    all_void($p, 'the next time it is none');
};


subtest 'a plan for another incarnation is none' => sub {
    fresh();
    my $p = people('stale');

    # the crash that nobody noticed, because nobody came
    $redis->restart('KILL');
    $redis->plan->restart;
    back();
    all_void($p, 'planned after a crash');
    is told((fences())[-1]), 'incarnation 2', 'an event says why';

    # a plan that came to nothing, and a crash
    $p = people('early');
    $redis->plan->restart('KILL');
    back();
    is $stack->issue->status, 201, 'the plan is used up';
    my $first = $redis->incarnation;
    $redis->restart;
    $redis->command('HSET', 'enroll:{0}:meta', 'planned', $first,
        'planned_until', in_a_while());
    forget(0);
    back();
    none_void($p, 'announced by the name of what had ended');

    for my $planned ('1', '', 'x' x 40) {
        $p = people("wrong-$planned");
        $redis->command('HSET', 'enroll:{0}:meta', 'planned', $planned,
            'planned_until', in_a_while());
        $redis->restart;
        back();
        all_void($p, "planned: '$planned'");
        is_deeply [@{ meta() }{qw(planned planned_until)}], [undef, undef],
            'and forgotten';
    }

    my %untils = (past => in_a_while() - 3_600_000,
        far => in_a_while() + 3_600_000, none => undef,
        odd => 'x');
    for my $until (sort keys %untils) {
        $p = people("until-$until");
        $redis->plan;
        $redis->command('HDEL', 'enroll:{0}:meta', 'planned_until');
        $redis->command('HSET', 'enroll:{0}:meta', 'planned_until',
            $untils{$until}) if defined $untils{$until};
        $redis->restart;
        back();
        all_void($p, "planned until: $until");
    }
};


subtest 'a ledger of the version before' => sub {
    fresh();
    my $p = people('upgrade');
    $redis->command('HDEL', 'enroll:{0}:meta', 'incarnation');
    $redis->command('HSET', 'enroll:{0}:meta', 'epoch', 1);
    $redis->command('HSET', "enroll:{0}:token:$p->{$_}", 'epoch', 1)
        for qw(id session_id);
    forget($_) for 0, 1;
    all_void($p, 'upgrade');
    is told((fences())[0]), 'incarnation 2', 'an event tells of it';
};


subtest 'a plan for a partition that nobody has used' => sub {
    fresh();
    $redis->command('HSET', 'enroll:{0}:meta', 'planned',
        $redis->incarnation, 'planned_until', in_a_while());
    $redis->restart;
    back();
    my $p = people('unused');
    is_deeply [fences()], [], 'its first epoch needs no event';
    $redis->restart;
    back();
    all_void($p, 'the plan was for none of its tokens');
};


subtest 'a claim in flight' => sub {
    fresh();

    for my $case ([200, 'enrolled', 'enrolled'], [400, 'refused', 'void'],
        [500, 'unknown', 'void'])
    {
        my ($status, $outcome, $state) = @$case;
        my ($session, $id) = $stack->enter;
        $stack->begin($session);
        $idp->clear;
        $idp->answer('/register/finish' => { hang => 1 }, { status => 200 });
        my $socket = $stack->http->connect;
        print $socket $stack->http->bytes('POST', '/register/finish',
            [Cookie => $session], '{"id":"x"}');
        $socket->flush;
        $stack->wait_record($id, state => 'claimed');
        $redis->restart;
        back();
        $idp->release({ status => $status });
        is $stack->http->read_response($socket)->status, $status,
            "the IdP says $status to a finish of before";
        my $record = $stack->wait_record($id, outcome => $outcome);
        my ($settle) = $stack->events(event => 'settle', id => $id);
        is "$record->{state} $settle->{to} $settle->{status}",
            "$state $state $status", '… which is told';
        $idp->clear;
        like reason(begin_there($session)), qr/^410 (?:void|enrolled)$/,
            '… and nothing reopens';
        like reason($stack->finish($session)), qr/^410 (?:void|enrolled)$/,
            '… on either host';
        is $idp->count, 0, '… the IdP hears no more of it (I2)';
    }

    is_deeply [audit($stack)], [], 'the events agree with the records (I7)';
};


# --- gone back in time

# A token is spent and a passkey registered, and then the ledger is as it was
# before; who has seen that, has.

sub relapse {
    my ($p, $name, $go_back) = @_;

    passed($stack->redeem($p->{token}), "$name: a token is spent");
    passed($stack->finish($p->{session}), 'a passkey is registered');
    # the host has heard of it: what it has not, it settles again
    wait_for { grep { ($_->{to} // '') eq 'enrolled'
        && $_->{id} eq $p->{session_id} } $stack->log_lines }
        'the settlement';
    $go_back->();
    back();
    is $stack->record($p->{id})->{state}, 'issued', 'Redis has forgotten it';
    return;
}

sub neither_comes_back {
    my ($p) = @_;

    my $reached = $idp->count;
    refused(redeem_there($p->{token}), 410, 'void',
        'a spent token does not come back to life (I1)');
    refused(begin_there($p->{session}), 410, 'void', 'nor does a session');
    is $idp->count, $reached, 'the IdP hears of neither (I2)';
    return;
}

my $file = ['appendonly no'];       # a backup is what it starts from

subtest 'a backup is put back' => sub {
    fresh(conf => $file);
    my $p = people('backup');
    my $backup = $redis->backup;
    relapse($p, 'backup', sub { $redis->restore($backup) });
    forget(1);
    neither_comes_back($p);
    is told((fences())[-1]), 'incarnation 2',
        'a host that has seen nothing of it ends the epoch';

    $p = people('second');
    $backup = $redis->backup;
    relapse($p, 'again', sub { $redis->restore($backup) });
    is $stack->issue->status, 201, 'the ledger goes on';
    my $fence = (fences())[-1];
    is told($fence), 'sequence 2', 'a host that has seen more says so';
    cmp_ok $fence->{seq}, '>', 2 ** 20, 'and leaps ahead';
    neither_comes_back($p);
};

subtest 'a backup is put back, and once more at once' => sub {
    fresh(conf => $file);
    my $p = people('twice');
    my $backup = $redis->backup;
    for my $time ('once', 'twice') {
        $redis->restore($backup);
        back();
        # another incarnation is no master that was replaced: nobody waits
        is reason($stack->issue), '201', "$time: it goes on at once";
        refused(redeem_there($p->{token}), 410, 'void', '… what was is void');
    }
    is scalar(fences()), 1, 'and told';
};

subtest 'a backup is put back, and the fence is the sequence' => sub {
    fresh(conf => $file, server => 'enroll_fence sequence;');
    my $p = people('sequence');
    my $backup = $redis->backup;
    relapse($p, 'sequence', sub { $redis->restore($backup) });
    is $stack->issue->status, 201, 'the ledger goes on';
    is told((fences())[-1]), 'sequence 2', 'a host that has seen more says so';
    forget(1);
    neither_comes_back($p);

    # docs/security.md says so
    $p = people('limit');
    $backup = $redis->backup;
    relapse($p, 'limit', sub { $redis->restore($backup) });
    forget(1);
    passed(redeem_there($p->{token}),
        'a host that has seen nothing believes it: the limit of it');
};

# A finish that waits for the IdP, while what the code does happens to Redis.

sub enrol_while {
    my ($session, $id, $happens) = @_;

    $idp->answer('/register/finish' => { hang => 1 }, { status => 200 });
    my $socket = $stack->http->connect;
    print $socket $stack->http->bytes('POST', '/register/finish',
        [Cookie => $session], '{"id":"x"}');
    $socket->flush;
    my $record = $stack->wait_record($id, state => 'claimed');
    $happens->();
    back();
    $idp->release({ status => 200 });
    is $stack->http->read_response($socket)->status, 200, 'the IdP enrolls';
    return $record->{claim};
}

subtest 'a claim in flight that the ledger forgets' => sub {
    fresh(conf => $file);
    my ($session, $id) = $stack->enter(subject => 'forgotten');
    $stack->begin($session);
    my $backup = $redis->backup;
    my $claim = enrol_while($session, $id,
        sub { $redis->restore($backup) });

    my $record = $stack->wait_record($id, state => 'enrolled');
    is $record->{claim}, $claim, 'the enrollment is told';
    my ($settle) = $stack->events(event => 'settle', id => $id);
    is join(' ', @$settle{qw(from to outcome why claim)}),
        "void enrolled enrolled lost $claim", '… as of a claim that is lost';
    refused($stack->issue(subject => 'forgotten'), 409, 'first_use',
        'there is no other token for first use (I9)');

    ($session, $id) = $stack->enter(subject => 'all-forgotten');
    $stack->begin($session);
    $claim = enrol_while($session, $id, sub { $redis->command('FLUSHALL') });
    $stack->nginx->wait_log(qr{\[error\].*the ledger has lost token $id, }
        . qr{whose claim $claim the IdP has answered: enrolled});
    pass 'where nothing is left of it, the error log says so';
};

subtest 'loaded anew, in the same incarnation' => sub {
    fresh(conf => $file);
    my $p = people('reload');
    $redis->backup;
    my $before = $redis->incarnation;
    relapse($p, 'reload',
        sub { $redis->command('DEBUG', 'RELOAD', 'NOSAVE') });
    is $redis->incarnation, $before, 'which the server does not tell';
    is $stack->issue->status, 201, 'the ledger goes on';
    is told((fences())[-1]), 'sequence 2', 'who has seen more does';
    neither_comes_back($p);
};

subtest 'keys put back, one by one' => sub {
    fresh();
    my $p = people('restored');
    my %dump = map { $_ => $redis->command('DUMP', $_) } $redis->keys;
    relapse($p, 'restored', sub {
        $redis->command('DEL', $_) for $redis->keys;
        $redis->command('RESTORE', $_, 0, $dump{$_}) for keys %dump;
    });
    is $stack->issue->status, 201, 'the ledger goes on';
    is told((fences())[-1]), 'sequence 2', 'the fence says why';
    neither_comes_back($p);
};

subtest 'all of it gone' => sub {
    fresh();
    my $p = people('gone');
    $redis->command('FLUSHALL');
    refused($stack->redeem($p->{token}), 401, 'unknown', 'a token');
    refused(begin_there($p->{session}), 401, 'unknown', 'a session');
    my @fences = fences();
    is told($fences[0]), 'sequence 0', 'that it is gone is told';
    is @fences, 1, 'once';
    my $again = $stack->issue(subject => $p->{subject}, event => $p->{event});
    is $again->status, 201, 'the same joiner event gets a fresh token';
    passed(redeem_there($again->json->{token}), 'it begins anew');
};


# --- enroll_fence sequence: the incarnation ends nothing

subtest 'sequence: a restart that lost nothing voids nothing' => sub {
    fresh(server => 'enroll_fence sequence;');
    my $p = people('lax');
    my $before = epoch();
    $redis->restart('KILL');
    back();
    none_void($p, 'sequence');
    is epoch(), $before, 'the epoch goes on';
    is_deeply [fences()], [], 'without an event';
    isnt meta()->{incarnation}, $redis->incarnation,
        'and hides nothing from those who ask for the incarnation';
    is_deeply [audit($stack)], [], 'no gap (I7)';
};

# The scripts themselves, as one calls them who asks for the sequence only.

sub look_by_sequence {
    my $lua = top() . '/ngx_enroll_module/ledger';
    return $redis->command('EVAL',
        slurp("$lua/prelude.lua") . slurp("$lua/show.lua"), 4,
        map({ "enroll:{0}:$_" } 'token:' . '0' x 32, qw(live events meta)),
        'f' x 32, '0' x 32, '', 0, 0, 'sequence', '0 0', '', '');
}

subtest 'who asks for the sequence hides no incarnation from others' => sub {
    fresh();
    my $p = people('mixed');
    $redis->restart('KILL');
    is look_by_sequence()->[0], 'unknown', 'one asks for the sequence';
    is $stack->issue->status, 201, 'and then one for the incarnation';
    is told((fences())[-1]), 'incarnation 2', 'who ends the epoch';
    neither_comes_back($p);
};


# --- two masters: the one before is not made to end the epoch of the other

subtest 'a master that was replaced is given time to hear of it' => sub {
    fresh();
    my $p = people('replaced');
    my $old = epoch();
    $redis->command('FLUSHALL');
    is $stack->issue->status, 201, 'an epoch begins elsewhere';
    my ($new, @fences) = (epoch(), fences());

    $redis->command('HSET', 'enroll:{0}:meta', epoch => $old,
        seq => meta()->{seq});
    my %before = %{ meta() };
    is reason($stack->issue), '503 unavailable', 'the old one is not asked';
    is_deeply meta(), \%before, 'and does not begin one';

    wait_for { $stack->issue->status == 201 } 'the old one to be believed';
    cmp_ok epoch(), '>', $new, 'which ends the epoch that it did not know';
    cmp_ok epoch() - $new, '>=', 3000, 'after a while';
    is scalar(my @now = fences()), @fences + 1, 'once';
};


# --- replies that are lost, and an incarnation that ends meanwhile

{
    package Relay;

    # To what the link leads to, but for what is ordered.
    sub new {
        my ($class, $name, $redis) = @_;
        my $dir = Enroll::Dir::test_dir();
        my $self = bless { port => Enroll::Port::free_port(),
            orders => Enroll::Dir::sub_dir("orders-$name"),
            go => "$dir/go-$name", link => "$dir/to-$name" }, $class;
        $self->lead($redis);

        my $log = "$dir/relay-$name.log";
        $self->{process} = Enroll::Process->start(output => $log,
            argv => [$^X, "$FindBin::Bin/fake/redis.pl", $self->{port},
            'hello', "relay unix:$self->{link} $self->{orders}"]);
        Enroll::Wait::wait_for(sub {
            Enroll::Dir::slurp($log) =~ /^listening$/m }, 'the relay');
        return $self;
    }

    sub conf {
        return "enroll_redis 127.0.0.1:$_[0]{port}; enroll_redis_timeout 5s;
            enroll_redis_retry 50ms;";
    }

    sub lead {
        my ($self, $redis) = @_;
        unlink $self->{link};
        symlink $redis->socket, $self->{link} or die "$self->{link}: $!";
        return;
    }

    # What it does with the next scripts.
    sub order {
        my ($self, @orders) = @_;
        for my $order (@orders) {
            my $name = sprintf '%s/%03d', $self->{orders}, ++$self->{n};
            Enroll::Dir::spew("$self->{orders}.new",
                $order =~ s/ GO$/ $self->{go}/mr);
            rename "$self->{orders}.new", $name or die "$name: $!";
        }
        return;
    }

    sub go   { return Enroll::Dir::spew($_[0]{go}, '') }
    sub stop { return $_[0]{process}->stop('TERM') }
}

# It is executed, and nobody hears of it.
use constant LOST => "execute\nuntil GO\nclose";

sub ask {
    my ($path, @request) = @_;
    my $socket = $stack->http->connect;
    print {$socket} $stack->http->bytes('POST', $path, @request);
    $socket->flush;
    return $socket;
}

for my $case (['asked once more', LOST], ['not asked any more', LOST, 'close'])
{
    my ($name, @orders) = @$case;
    subtest "a claim that was lost with its incarnation, $name" => sub {
        $redis = redis(name => "lost-@{[scalar @orders]}",
            conf => ['appendonly yes', 'appendfsync always']);
        my $relay = Relay->new(scalar @orders, $redis);
        $stack = stack(redis_server => $redis, redis => $relay->conf);
        $stack->enrol;

        my ($session, $id) = $stack->enter;
        passed($stack->begin($session), 'begin');
        $stack->idp->clear;
        $relay->order(@orders);
        my $socket = ask('/register/finish', [Cookie => $session], '{}');
        $stack->wait_record($id, state => 'claimed');
        $redis->restart;
        $relay->go;

        my $response = $stack->http->read_response($socket);
        like reason($response), qr/^(?:410 void|503 unavailable)$/,
            'the finish is refused';
        my $record = $stack->wait_record($id, outcome => 'released');
        is $record->{state}, 'void', '… and given back, which reopens nothing';
        refused($stack->finish($session), 410, 'void', '… nor does another');
        is $stack->idp->count, 0, '… the IdP hears nothing (I2)';
        $relay->stop;
    };
}

for my $mode (qw(incarnation sequence)) {
    subtest "$mode: a replica is promoted while a token is made" => sub {
        my $old = redis(name => "$mode-old", tcp => 1,
            conf => ['repl-diskless-sync-delay 0']);
        my $new = redis(name => "$mode-new",
            conf => ['replicaof 127.0.0.1 ' . $old->port]);
        my $relay = Relay->new($mode, $old);
        $stack = stack(redis_server => $old, server => "enroll_fence $mode;",
            redis => $relay->conf);
        $stack->token;
        wait_for { $new->command('EXISTS', 'enroll:{0}:meta') }
            'the replica to follow';
        wait_for { $new->command('INFO', 'replication')
            =~ /^master_link_status:up/m } 'its link';
        $new->command('REPLICAOF', 'NO', 'ONE');

        # asked for the clock; made, and not heard; asked once more, there
        $relay->order('pass', LOST,
            'server unix:' . $new->socket . "\npass");
        my $text = '{"subject":"ada","class":"standard"}';
        my $socket = ask('/enroll/issue', [webhook_headers($stack->{secret},
            $text, id => 'join-1')], $text);
        wait_for { $old->command('EXISTS', 'enroll:{0}:request:hr:join-1') }
            'the token to be made';
        $relay->lead($new);
        $relay->go;

        my $response = $stack->http->read_response($socket);
        is $response->status, 201, 'the issuer gets one'
            or diag $response->body;
        my $id = $response->json->{id};
        my $lost = $old->command('GET', 'enroll:{0}:request:hr:join-1');
        isnt $lost, $id, '… not the one that was lost';
        is $new->command('EXISTS', "enroll:{0}:token:$id"), 1,
            '… made where it was asked for';
        is $old->command('EXISTS', "enroll:{0}:token:$id"), 0,
            '… and nowhere else (I1)';
        is $new->command('EXISTS', "enroll:{0}:token:$lost"), 0,
            'nor is the lost one';
        passed($stack->redeem($response->json->{token}), 'it is good');
        $relay->stop;
    };
}

done_testing;
