#!/usr/bin/perl

# Events out: what an organisation acts upon arrives at a receiver, signed, in
# order and at least once; a receiver that is slow, or dead, harms nothing;
# of all workers one tells, and when it dies another goes on.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Passkey qw(passkey_json);
use Enroll::Paths qw(nginx_binary);
use Enroll::Test;
use JSON::PP ();
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();

my $NOTIFY = 'enroll:{0}:notify';
my $EVENTS = 'enroll:{0}:events';
my $CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
    . 'credential-change';
my %SAYS = (iss => 'https://login.example.com',
    aud => 'https://soc.example.com/events');
my $SAID = "enroll_notify /.notify iss=$SAYS{iss} aud=$SAYS{aud};";

my $receivers = 0;


# A stack that tells a receiver of its own; location => more of the location.

sub telling {
    my (%arg) = @_;

    my $receiver = upstream(name => 'receiver' . ++$receivers);
    $receiver->answer(qr{.}, { status => 202 });
    my $location = delete $arg{location} // '';
    my $server = delete $arg{server} // $SAID;

    my $stack = stack(%arg, server => $server,
        vars => { RECEIVER => $receiver->port, %{$arg{vars} || {}} },
        locations => ($arg{locations} // '') . <<"CONF");
        location = /.notify {
            internal;
            proxy_pass http://127.0.0.1:%%RECEIVER%%/events;
            $location
        }
CONF

    begun($stack) if $server ne '';
    return ($stack, $receiver);
}

sub place {
    my ($stack) = @_;
    return $stack->redis->hash('HGETALL', $NOTIFY);
}

sub place_has {
    my ($stack, %want) = @_;
    my $place = place($stack);
    return !grep { ($place->{$_} // '') ne $want{$_} } keys %want;
}

# What happens from now on is told.

sub begun {
    my ($stack) = @_;
    wait_for { exists place($stack)->{last} } 'somebody to tell';
    return;
}

# The pid of who tells.

sub teller {
    my ($stack) = @_;
    my $pid;
    wait_for { (undef, $pid) = split /:/, place($stack)->{holder} // '';
        $pid } 'a holder';
    return $pid;
}

# The public key that a receiver was given beforehand.

sub public_keys {
    my ($stack) = @_;

    my ($key) = grep { $_->{kty} eq 'EC' }
        @{ $json->decode(slurp("$stack->{dir}/keys.jwks"))->{keys} };
    my %public = map { $_ => $key->{$_} } qw(kty crv x y);
    my $file = spew(test_dir() . '/public', $json->encode(\%public));
    chomp($public{kid} = `jose jwk thp -i $file`);

    return $sender->jwks(\%public);
}

# What the receiver was told: the claims, each verified as a receiver would.

sub told {
    my ($stack, $receiver) = @_;

    my $keys = public_keys($stack);
    return map { $sender->verify($_->body, $keys, typ => 'secevent+jwt',
        issuer => $SAYS{iss}, audience => $SAYS{aud},
        algorithms => ['ES256'])->{payload} } $receiver->requests('/events');
}

# Those of the stream, as ids, that are to be told of.

sub ids {
    my ($stack, $match) = @_;
    return map { $_->[0] } grep { $match->({ @{$_->[1]} }) }
        @{ $stack->redis->command('XRANGE', $EVENTS, '-', '+') };
}

sub revokes {
    my ($stack) = @_;
    return map { "0-$_" } ids($stack, sub { $_[0]{event} eq 'revoke' });
}

# … and what a fence says, where Redis came back as another incarnation.

sub of_interest {
    my ($stack) = @_;
    return map { "0-$_" } ids($stack,
        sub { $_[0]{event} =~ /\A(?:revoke|fence)\z/ });
}

sub jtis { return map { $_->{jti} } told(@_) }

# Each at its first arrival.

sub once {
    my %seen;
    return grep { !$seen{$_}++ } @_;
}

# So many events that are told of.

sub happen {
    my ($stack, $n, %arg) = @_;

    for (1 .. $n) {
        my $made = $stack->issue(%arg);
        my $done = $stack->revoke(id => $made->json->{id}, %arg);
        $done->status == 200 or die 'revoke: ' . $done->status;
    }

    return;
}

# Nothing is left to be told of.

sub settled {
    my ($stack, $seconds) = @_;

    wait_for {
        my $last = $stack->redis->command('XREVRANGE', $EVENTS, '+', '-',
            'COUNT', 1)->[0][0];
        place_has($stack, last => $last);
    } 'all events to be told', $seconds || 10;

    return;
}

sub at_once {
    my ($stack) = @_;
    return $stack->redis->command('HSET', $NOTIFY, 'until', 0, 'failures', 0);
}

# The commands of docs/operations.md, about events out.

sub documented {
    my ($stack, $which, %replace) = @_;

    my ($part) = slurp(top() . '/docs/operations.md')
        =~ /^## Events out\n(.*?)^## /ms;
    my ($command) = grep { /$which/ } $part =~ /^```sh\n(.*?)^```$/msg;
    $command or die "no command $which";

    my $socket = $stack->redis->socket;
    $command =~ s/redis-cli/redis-cli -s $socket/g;
    $command =~ s/\Q$_\E/$replace{$_}/g for keys %replace;

    return scalar `$command`;
}


subtest 'each event that is told of, once, signed and in order' => sub {
    my $aaguid = '2fc0579f-8113-47ea-b116-bb5a8db9202a';
    my ($stack, $receiver) = telling(workers => 2,
        class => 'ttl 1h; window 10m; attempts 1;',
        issuer => 'class standard urgent;',
        classes => 'enroll_class urgent { exception_of standard; ttl 10m; '
            . 'window 5m; }');
    my $idp = $stack->idp;

    my ($ada, $ada_id) = $stack->enter(subject => 'ada');
    $stack->begin($ada);
    $stack->http->post('/register/finish', passkey_json(aaguid => $aaguid,
        transports => ['internal']), Cookie => $ada);
    $stack->wait_record($ada_id, state => 'enrolled');

    my $bob = $stack->token(subject => 'bob');
    my $session = $stack->session($bob);
    is $stack->redeem($bob)->status, 410, 'a replay';
    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 400 });
    $stack->finish($session);
    wait_for { $stack->events(to => 'locked') } 'a lock';

    $stack->issue(subject => 'eve', class => 'urgent');
    $stack->leave(subject => 'eve');
    settled($stack);

    my @told = told($stack, $receiver);
    my %type;

    for my $claims (@told) {
        my ($type) = keys %{$claims->{events}};
        $type{$type} = $claims;
    }

    is_deeply [map { (keys %{$_->{events}})[0] =~ s/^urn:enroll:event://r }
        @told], [$CAEP, qw(replay lock exception revoke)],
        'all that they have to know, and in order';
    is_deeply [map { "0-$_" } ids($stack, sub {
        my ($event) = @_;
        ($event->{outcome} // '') eq 'enrolled'
            || ($event->{to} // '') eq 'locked'
            || $event->{event} =~ /^(?:refuse|revoke)$/
            || ($event->{event} eq 'issue' && $event->{exception})
    })], [map { $_->{jti} } @told], 'each by its id in the stream';

    is_deeply $type{$CAEP}{events}{$CAEP}, { change_type => 'create',
        credential_type => 'fido2-platform', fido2_aaguid => $aaguid,
        initiating_entity => 'user',
        event_timestamp => $type{$CAEP}{toe} }, 'CAEP of an enrollment';
    is_deeply $type{$CAEP}{sub_id}, { format => 'opaque', id => 'ada' },
        'of whom';

    my %line = map { ("0-$_->{seq}" => $_) } grep { $_->{seq} }
        $stack->log_lines;
    for my $claims (@told) {
        my ($type) = keys %{$claims->{events}};
        my ($event) = grep { $_->{op} eq $claims->{txn} } values %line;
        ok $event, "$type: the operation";
        cmp_ok abs($claims->{iat} - time), '<', patience(30), '… when sent';
        is $claims->{toe}, int $event->{at} / 1000, '… when it happened';
        next if $type eq $CAEP;
        ($event) = grep { $_->{seq} == $claims->{events}{$type}{seq} }
            values %line;
        is_deeply $claims->{events}{$type}, $event,
            '… the event as in enroll_log';
    }

    my ($request) = $receiver->requests('/events');
    is $request->method, 'POST', 'by POST';
    is $request->header('Content-Type'), 'application/secevent+jwt',
        'of its type';

    is $stack->status->{events}{notified}, 5, 'they are counted';
    is $stack->status->{events}{notify_failed}, 0, 'as what went well';
    unlike $stack->nginx->access_log, qr/notify|unix:/,
        'and in no access log';
};


subtest 'from the moment it was first said' => sub {
    my ($stack, $receiver) = telling(server => '');
    happen($stack, 2);

    my $plain = $stack->conf;
    (my $conf = $plain) =~ s/^(\s*enroll on;)/$1 $SAID/m;
    $stack->nginx->reload(http => $conf, leave => 1);
    begun($stack);
    is_deeply place($stack)->{last}, (revokes($stack))[-1] =~ s/^0-//r,
        'what was before is not told';
    happen($stack, 1);
    settled($stack);
    is_deeply [jtis($stack, $receiver)], [(revokes($stack))[-1]],
        'what comes then is';

    $stack->nginx->reload(http => $plain, leave => 1);
    happen($stack, 1);
    $stack->nginx->reload(http => $conf, leave => 1);
    settled($stack);
    is_deeply [jtis($stack, $receiver)], [(revokes($stack))[-2, -1]],
        'and what has happened while it was not said, later';
};


subtest 'whatever is no 2xx is repeated; those behind it wait' => sub {
    my ($stack, $receiver) = telling(location => 'proxy_read_timeout 300ms;
        proxy_intercept_errors on; error_page 500 =200 /register;');
    my @answers = ({ status => 500 }, { status => 400 }, { status => 302,
        headers => [Location => '/'] }, { status => 304 }, { close => 1 },
        { reset => 1 }, { raw => "nonsense\r\n\r\n" }, { hang => 1 });
    my $failed = sub { $stack->status->{events}{notify_failed} };

    $receiver->answer('/events', @answers, { status => 204 });
    happen($stack, 3);
    my @events = revokes($stack);

    for my $n (1 .. @answers) {
        my $answer = $json->encode($answers[$n - 1]);
        wait_for { $failed->() >= $n && place($stack)->{holder} eq '' }
            "failure $n";
        is place($stack)->{failures}, 1, "$answer is no acknowledgement";
        at_once($stack);
    }

    settled($stack);
    is_deeply [jtis($stack, $receiver)], [($events[0]) x 8, @events],
        'then it is acknowledged, and the next ones come';
    is $failed->(), 8, 'each failure is counted';
    is place($stack)->{failures}, 0, 'and forgotten';
    my @statuses = $stack->nginx->error_log
        =~ /did not acknowledge event [\d-]+ of partition 0: status (\d+),/g;
    is "@statuses", '500 400 302 304 502 502 0 504', 'the log says what came';
};


subtest 'a pause that doubles' => sub {
    my ($stack, $receiver) = telling();
    $receiver->refuse;
    happen($stack, 1);

    my @pauses;
    for my $n (1 .. 3) {
        wait_for { place_has($stack, failures => $n, holder => '') }
            "failure $n";
        push @pauses, $stack->nginx->wait_log(
            qr/ failure $n, again in (\d+) ms/);
    }

    for my $n (0 .. 2) {
        my $mean = 1000 * 2 ** $n;
        ok $pauses[$n] >= 0.8 * $mean && $pauses[$n] <= 1.2 * $mean,
            "after failure @{[$n + 1]}: $pauses[$n] ms";
    }

    $stack->redis->command('HSET', $NOTIFY, 'failures', 60, 'until', 0);
    wait_for { place_has($stack, failures => 61) } 'one more';
    my ($until) = place($stack)->{until};
    my ($s, $us) = @{ $stack->redis->command('TIME') };
    my $left = $until / 1000 - $s - $us / 1e6;
    ok $left > 200 && $left < 361, "no more than five minutes: $left s";

    $receiver->listen;
    is documented($stack, qr/until 0 failures 0\n\z/) =~ /^\d+$/, 1,
        'the documented command';
    settled($stack);
    is_deeply [once(jtis($stack, $receiver))], [revokes($stack)],
        'makes it try again at once';
};


subtest 'a slow receiver holds nothing up' => sub {
    my ($stack, $receiver) = telling(workers => 2,
        location => 'proxy_read_timeout 60s; proxy_ignore_client_abort on;');
    $receiver->answer('/events', { hang => 1 }, { status => 202 });
    happen($stack, 1);
    $receiver->wait_count(1, '/events');
    my %before = %{ place($stack) };

    my @took;
    for (1 .. 20) {
        my $from = time;
        $stack->enrol;
        push @took, time - $from;
    }
    my ($slowest) = sort { $b <=> $a } @took;
    cmp_ok $slowest, '<', patience(2), 'enrollments are prompt';
    note sprintf 'the slowest one took %.0f ms', 1000 * $slowest;

    # longer than the lease, which is renewed
    wait_for { place($stack)->{until} > $before{until} + 6000 }
        'the lease to be renewed', 20;
    is place($stack)->{holder}, $before{holder}, 'by the same holder';
    is $receiver->count('/events'), 1, 'nothing overtakes what is slow';

    $receiver->release({ status => 202 });
    settled($stack);
    is scalar(told($stack, $receiver)), 21, 'then all come';
    is scalar(once(jtis($stack, $receiver))), 21, 'once';

    # another has taken it, for six seconds
    $receiver->answer('/events', { hang => 1 }, { status => 202 });
    happen($stack, 1);
    $receiver->wait_count(22, '/events');
    my ($s) = @{ $stack->redis->command('TIME') };
    $stack->redis->command('HSET', $NOTIFY, 'holder', 'another', 'until',
        ($s + 6) . '000');
    wait_for { $stack->redis->command('TIME')->[0] >= $s + 4 } 'a while';
    is $receiver->count('/events'), 22, 'who has lost the lease sends nothing';
    wait_for { place($stack)->{holder} eq $before{holder} } 'the lease, again';
    settled($stack);
    is $receiver->count('/events'), 23,
        'nor waits for an answer: when it has it again, it sends again';
};


subtest 'one of many tells; when it dies, another' => sub {
    my ($stack, $receiver) = telling(workers => 2, instances => 2,
        main => 'worker_shutdown_timeout 5s;');
    my %holders;

    for (1 .. 15) {
        happen($stack, 1, instance => $_ % 2);
        $holders{ place($stack)->{holder} } = 1;
    }
    settled($stack);
    is_deeply [jtis($stack, $receiver)], [revokes($stack)],
        'each event once, and in order';
    is keys %holders, 1, 'by one worker';

    # in the middle of several that it has read at once
    $receiver->refuse;
    happen($stack, 4);
    wait_for { place($stack)->{failures} } 'a failure';
    $receiver->answer('/events', { status => 202 }, { status => 202 },
        { hang => 1 });
    $receiver->listen;
    at_once($stack);
    $receiver->wait_count(18, '/events');
    my $pid = teller($stack);
    my ($nginx) = grep { my $n = $_; grep { $_ == $pid } $n->worker_pids }
        map { $stack->nginx($_) } 0, 1;
    ok $nginx, 'its pid is in its name';
    $receiver->answer('/events', { status => 202 });

    my $from = time;
    $nginx->kill_worker($pid);
    happen($stack, 3);
    settled($stack, 20);
    my $took = time - $from;
    cmp_ok $took, '<', patience(13), 'when it is killed another goes on';
    note sprintf 'after %.1f s', $took;

    my @jtis = jtis($stack, $receiver);
    is_deeply [once(@jtis)], [revokes($stack)], 'all arrive, in order';
    is @jtis, 23, 'and only what was being sent comes twice';
    isnt teller($stack), $pid, 'another holds it';
};


subtest 'reload' => sub {
    my ($stack, $receiver) = telling(workers => 2,
        location => 'proxy_read_timeout 2s;');
    my $nginx = $stack->nginx;

    happen($stack, 1);
    settled($stack);
    my $from = time;
    $nginx->reload(leave => 1);
    happen($stack, 1);
    settled($stack);
    my $took = time - $from;
    cmp_ok $took, '<', patience(5), 'the old one gives back what it holds';
    note sprintf 'the new one tells after %.1f s', $took;
    is_deeply [jtis($stack, $receiver)], [revokes($stack)], 'nothing twice';

    # while one is being sent
    $receiver->answer('/events', { hang => 1 }, { status => 202 });
    happen($stack, 3);
    $receiver->wait_count(3, '/events');
    my $pid = teller($stack);
    my @old = $nginx->reload;
    is grep({ $_ == $pid } $nginx->worker_pids(1)), 1,
        'while one is being sent: the old one sees it to its end';
    $receiver->release({ status => 202 });
    ok $nginx->workers_leave(@old), 'and leaves';
    settled($stack);
    is_deeply [jtis($stack, $receiver)], [revokes($stack)], 'nothing twice';

    # never acknowledged
    $receiver->answer('/events', { hang => 1 }, { status => 202 });
    happen($stack, 1);
    $receiver->wait_count(6, '/events');
    @old = $nginx->reload;
    $from = time;
    ok $nginx->workers_leave(@old), 'no answer: the old one leaves';
    cmp_ok time - $from, '<', patience(4), 'within its timeouts';
    settled($stack);
    is_deeply [once(jtis($stack, $receiver))], [revokes($stack)],
        'and the new one sends it again';

    # and that of nginx's own
    $receiver->answer('/events', { hang => 1 });
    happen($stack, 1);
    $receiver->wait_count(8, '/events');
    $nginx->stop('TERM');
    $receiver->answer('/events', { status => 202 });
    $nginx->start;
    settled($stack, 20);
    is_deeply [once(jtis($stack, $receiver))], [revokes($stack)], 'TERM';
};


subtest 'Redis goes and comes' => sub {
    my ($stack, $receiver) = telling(
        redis => 'enroll_redis unix:%%REDIS%%; enroll_redis_retry 100ms;',
        redis_server => { conf => ['appendonly yes',
            'appendfsync always'] });
    happen($stack, 2);
    settled($stack);

    $receiver->answer('/events', { status => 202, delay => 0.2 });
    happen($stack, 5);
    $stack->redis->restart('KILL');
    wait_for { eval { happen($stack, 1); 1 } } 'enrollments';
    settled($stack, 25);
    is_deeply [once(jtis($stack, $receiver))], [of_interest($stack)],
        'killed, and started again: all arrive';
    is scalar(grep { exists $_->{events}{'urn:enroll:event:fence'} }
        told($stack, $receiver)), 1, '… and that live tokens are void (I10)';

    my $lines = () = $stack->nginx->error_log =~ /\[error\].*notif/g;
    is $lines, 0, 'of its own it says nothing about it';

    $stack->redis->freeze;
    $stack->nginx->wait_log(qr/no answer|timeout|circuit opens/);
    $stack->redis->thaw;
    wait_for { eval { happen($stack, 1); 1 } } 'enrollments';
    settled($stack, 25);
    is_deeply [once(jtis($stack, $receiver))], [of_interest($stack)],
        'frozen, and thawed';

    $stack->redis->command('SCRIPT', 'FLUSH');
    happen($stack, 1);
    settled($stack);
    is_deeply [once(jtis($stack, $receiver))], [of_interest($stack)],
        'the scripts are gone';
};


subtest 'by hand' => sub {
    my ($stack, $receiver) = telling();
    my $waiting = 'grep -c';
    happen($stack, 2);
    settled($stack);
    is documented($stack, qr/$waiting/), "0\n", 'nothing waits';

    $receiver->answer('/events', { status => 400 });
    happen($stack, 2);
    wait_for { place($stack)->{failures} } 'a failure';
    like documented($stack, qr/HGETALL/), qr/failures.*[1-9]/s,
        'where it stands';
    is documented($stack, qr/$waiting/), "3\n", 'three wait';
    my @events = revokes($stack);
    my ($next) = documented($stack, qr/COUNT 3/) =~ /^([\d-]+)$/m;
    is "0-$next", $events[2], 'which are to be seen';

    my $seen = $receiver->count('/events');
    $receiver->answer('/events', { status => 202 });
    documented($stack, qr/HSET .* last/, '1795364508479-1' => $next);
    settled($stack);
    is_deeply [(jtis($stack, $receiver))[$seen .. $seen]], [$events[3]],
        'one is left out';

    documented($stack, qr/HSET .* last/, '1795364508479-1' => '0-0');
    wait_for { $receiver->count('/events') == $seen + 5 } 'all, again';
    settled($stack);
    is_deeply [splice @{[jtis($stack, $receiver)]}, $seen + 1], \@events,
        'all are sent again';

    # while one is being sent: what was set wins
    $receiver->answer('/events', { hang => 1 }, { status => 202 });
    happen($stack, 1);
    $receiver->wait_count($seen + 6, '/events');
    $stack->redis->command('HSET', $NOTIFY, 'last', $events[1] =~ s/^0-//r);
    my $until = place($stack)->{until};
    wait_for { place($stack)->{until} > $until } 'the lease to be renewed';
    $receiver->release({ status => 202 });
    wait_for { $receiver->count('/events') == $seen + 9 } 'those behind it';
    settled($stack);
    is_deeply [splice @{[jtis($stack, $receiver)]}, $seen + 6],
        [(revokes($stack))[2 .. 4]], 'set while one is being sent';

    $stack->redis->command('DEL', $NOTIFY);
    begun($stack);
    happen($stack, 1);
    settled($stack);
    is_deeply [splice @{[jtis($stack, $receiver)]}, $seen + 9],
        [(revokes($stack))[-1]], 'removed: from now on';
};


subtest 'what is not there to be told, or not ours' => sub {
    my ($stack, $receiver) = telling();
    my $redis = $stack->redis;
    $receiver->answer('/events', { status => 500 });
    happen($stack, 2);
    wait_for { place($stack)->{failures} } 'a failure';
    $redis->command('XTRIM', $EVENTS, 'MAXLEN', '=', 1);
    $receiver->answer('/events', { status => 202 });
    at_once($stack);
    settled($stack);
    is_deeply [once(jtis($stack, $receiver))], [do {
        my ($first) = jtis($stack, $receiver); $first }, revokes($stack)],
        'trimmed: the rest arrives';
    ok $stack->nginx->error_log =~ /\[error\].*partition 0 has lost 2 events/,
        'and how many are missing is told';

    $redis->command('XADD', $EVENTS, '*', 'event', 'revoke',
        map { ("field$_", 'x') } 1 .. 2100);
    $redis->command('XADD', $EVENTS, '*', 'event', 'revoke', 'why',
        'y' x 60_000);
    $redis->command('XADD', $EVENTS, '*', 'nothing', 'of ours');
    $redis->command('XADD', $EVENTS, '*', 'event', 'revoke', 'why',
        "\xff\xfe");
    $redis->command('XADD', $EVENTS, '*', 'event', 'fence', 'epoch', 2);
    settled($stack);
    my @types = map { (keys %{$_->{events}})[0] } told($stack, $receiver);
    is_deeply [@types[-2, -1]],
        ['urn:enroll:event:revoke', 'urn:enroll:event:fence'],
        'what is too large, or nothing of ours, is passed by';
    my $skipped = () = $stack->nginx->error_log
        =~ /\[error\].*too large.*others are not told of it/g;
    is $skipped, 2, 'what is too large is told in the log';

    ok !exists +(told($stack, $receiver))[-1]{sub_id}, 'nobody\'s event';

    my $before = $receiver->count('/events');
    $redis->command('HSET', $NOTIFY, 'last', 'nonsense');
    $stack->nginx->wait_log(qr/notify script failed: ".*"/);
    $redis->command('HSET', $NOTIFY, 'last', '0');
    wait_for { $receiver->count('/events') > $before } 'it to go on', 20;
    settled($stack);
    pass 'a position that is none is told, and can be mended';
};


subtest 'many at once' => sub {
    my ($stack, $receiver) = telling();
    my $n = 150;
    happen($stack, 1);
    settled($stack);
    my $pid = teller($stack);
    my $open = () = glob "/proc/$pid/fd/*";
    $receiver->clear;
    $receiver->refuse;
    $stack->redis->command('XADD', $EVENTS, '*', 'event', 'fence', 'seq', $_)
        for 1 .. $n;
    $receiver->listen;
    at_once($stack);
    settled($stack, 30);
    is_deeply [map { "0-$_" } ids($stack, sub { $_[0]{event} eq 'fence' })],
        [jtis($stack, $receiver)], 'more than are read at a time, each once';
    is scalar(() = glob "/proc/$pid/fd/*"), $open, 'and all is closed again';
};


subtest 'what a location may be like' => sub {
    my $stub = qx{@{[nginx_binary()]} -V 2>&1} =~ /stub_status/ || '';
    my ($crt, $key) = certificate('localhost');
    my $backend = upstream(name => 'kept');
    $backend->answer(qr{.}, { status => 204 });

    my ($stack, $receiver) = telling(vars => { KEPT => $backend->port },
        http => 'upstream kept { server 127.0.0.1:%%KEPT%%; keepalive 2; }
            limit_conn_zone $remote_addr zone=one:1m;
            limit_req_zone $binary_remote_addr zone=two:1m rate=1000r/s;
            map $remote_addr$server_addr$server_port$scheme $seen {
                default $remote_addr,$server_port,$scheme,$host; }
            log_format told "$request_method $uri $status $remote_addr";',
        server => $SAID =~ s{/\.notify}{/.kept?to=soc}r . 'allow 127.0.0.1;
            deny all; client_body_buffer_size 8;
            listen %%PORT_TLS%% ssl;
            ssl_certificate ' . $crt . '; ssl_certificate_key ' . $key . ';
            error_page 502 503 504 /register;',
        locations => 'location = /.kept {
                internal;
                limit_conn one 1; limit_req zone=two burst=5;
                log_subrequest on;
                access_log %%DIR%%/logs/told.log told;
                proxy_http_version 1.1; proxy_set_header Connection "";
                proxy_set_header Seen $seen;
                proxy_request_buffering off;
                proxy_pass http://kept; }
            ' . ($stub && 'location = /stub { stub_status; }'));
    my $http = $stack->http;

    $stack->redis->command('XADD', $EVENTS, '*', 'event', 'fence', 'seq', $_)
        for 1 .. 5;
    settled($stack);
    my @requests = $backend->requests;
    is @requests, 5, 'allow and deny do not ask it';
    is $requests[0]->path, '/.kept?to=soc', 'arguments';
    like $requests[0]->header('Seen'), qr/\Aunix:,\d*,http,localhost\z/,
        'variables';
    like slurp($stack->nginx->{logs} . '/told.log'),
        qr{\A(?:POST /\.kept 204 unix:\n){5}\z}, 'log_subrequest';

    SKIP: {
        skip 'nginx has no stub_status', 1 if !$stub;
        my ($active) = $http->get('/stub')->body
            =~ /Active connections: (\d+)/;
        is $active, 1, 'stub_status counts it out again';
    }

    my $conf = $stack->conf;
    for my $line ('return 200 ok', 'return 204', 'return 503',
        'return 301 /x', 'proxy_pass http://127.0.0.1:1',
        'enroll_status', 'rewrite ^ /register last', 'deny all; return 204')
    {
        my ($want) = $line =~ /20\d/ ? 'notified' : 'notify_failed';
        (my $with = $conf)
            =~ s/^(\s*)location = \/\.kept \{.*?\n\s*proxy_pass[^\n]*\}/
                $1location = \/.kept { internal; $line; }/ms
                or die 'no location';
        $stack->nginx->reload(http => $with, leave => 1);
        my $before = $stack->status->{events}{$want};
        $stack->redis->command('XADD', $EVENTS, '*', 'event', 'fence',
            'why', $line);
        at_once($stack) if place($stack)->{holder} eq '';
        wait_for { $stack->status->{events}{$want} > $before }
            "$want: $line";
        pass "$line: $want";
        $stack->redis->command('XTRIM', $EVENTS, 'MAXLEN', '=', 0);
    }
};


# The IdP's catch-all says 200 to all, and whoever may ask for a location may
# be its receiver as well.

subtest 'to an internal location, and to nothing else (I5)' => sub {
    for my $uri (qw(/.notifyy /open)) {
        my ($stack, $receiver) = telling(
            server => $SAID =~ s{/\.notify}{$uri}r,
            locations => 'location = /open {
                proxy_pass http://127.0.0.1:%%RECEIVER%%; }');

        happen($stack, 1);
        wait_for { place($stack)->{failures} } "$uri: a failure";
        is $stack->idp->count, 0, "$uri: the IdP has heard nothing";
        is $receiver->count, 0, '… nor has anybody else';
        like $stack->nginx->error_log,
            qr/"$uri" leads to no internal location: nothing is sent there/,
            '… the error log says why';
        is $stack->status->{events}{notified}, 0,
            '… and nothing counts as told';

        $stack->nginx->reload(http => $stack->conf
            =~ s{enroll_notify \S+}{enroll_notify /.notify}r);
        at_once($stack);
        settled($stack);
        is_deeply [jtis($stack, $receiver)], [revokes($stack)],
            '… put right, it is told';
    }
};


subtest 'what does not load' => sub {
    my $keys = make_keys();
    my $redis = redis(name => 'not-asked');
    my $unsigned = spew(test_dir() . '/unsigned.jwks', $json->encode({ keys =>
        [grep { $_->{kty} eq 'oct' }
            @{ $json->decode(slurp($keys))->{keys} }] }), 0600);
    my %part = (zone => 'enroll_zone enroll 1m;', keys => "enroll_keys $keys;",
        redis => 'enroll_redis unix:' . $redis->socket . ';',
        notify => $SAID, more => '');
    my $try = sub {
        my %with = (%part, @_);
        return nginx_test_config("$with{zone} $with{keys} $with{redis} "
            . "server { listen %%PORT%%; $with{notify} } $with{more}");
    };

    is +($try->())[0], 0, 'it loads';

    for my $row (
        [{ more => "server { listen %%PORT_B%%; $SAID }" },
            qr/"enroll_notify" directive is duplicate/, 'twice'],
        [{ notify => 'enroll_notify /x iss=a;' }, qr/number of arguments/,
            'without aud'],
        [{ notify => 'enroll_notify /x iss=a iss=b;' },
            qr/invalid parameter "iss=b"/, 'iss twice'],
        [{ notify => 'enroll_notify /x iss=a aud=;' },
            qr/invalid parameter "aud="/, 'an empty aud'],
        [{ notify => 'enroll_notify /x iss=a "aud=b c";' },
            qr/invalid parameter "aud=b c"/, 'a space'],
        [{ notify => 'enroll_notify /x iss=a aud=' . 'b' x 256 . ';' },
            qr/invalid parameter/, 'too long'],
        [{ notify => 'enroll_notify /x iss=a to=b;' },
            qr/invalid parameter "to=b"/, 'another parameter'],
        [{ notify => 'enroll_notify @x iss=a aud=b;' }, qr/invalid uri "\@x"/,
            'a named location'],
        [{ notify => 'enroll_notify http://x/ iss=a aud=b;' },
            qr/invalid uri/, 'another server'],
        [{ zone => '' }, qr/needs a shared zone/, 'no zone'],
        [{ keys => '' }, qr/needs keys/, 'no keys'],
        [{ keys => "enroll_keys $unsigned;" }, qr/needs a key to sign by/,
            'no key to sign by'],
        [{ redis => '' }, qr/needs a Redis/, 'no Redis'],
        [{ notify => '', more => $SAID }, qr/not allowed here/, 'in http'])
    {
        my ($with, $want, $what) = @$row;
        my ($status, $said) = $try->(%$with);
        isnt $status, 0, $what;
        like $said, $want, '… and why' or diag($said);
    }
};


subtest 'where it is not said' => sub {
    my $stack = stack();
    my $monitor = $stack->redis->monitor;
    $stack->enrol;
    is_deeply [grep { grep { /notify/ } @{$_->{args}} } $monitor->commands],
        [], 'Redis is not asked';
    is_deeply [$stack->redis->keys('*notify*')], [], 'and nothing kept there';
};

done_testing;
