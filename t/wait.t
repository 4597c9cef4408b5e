#!/usr/bin/perl

# enroll_redis_wait: what spends a token is acted upon when replicas have it,
# and not before. WAIT speaks for what its own connection has written, so a
# reply that is lost is no proof, and neither is a WAIT after a repeat that
# only reads (I1, I2, I6).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Acl qw(acl_rules);
use Enroll::Audit qw(audit);
use Enroll::Process;
use Enroll::Refused qw(refused passed);
use Enroll::Test;
use IO::Select;


# in ms: long enough for a healthy replica, and each refusal takes as long
use constant WAIT => 400 * patience(1);
use constant TIMEOUT => 4 * WAIT;

my $times = 'enroll_redis_wait 1 ' . WAIT . 'ms; enroll_redis_timeout '
    . TIMEOUT . 'ms; enroll_redis_retry 50ms;';

# One that is online, and has what there was, hears of nothing more for up to
# a second.
sub following {
    my ($master) = @_;
    for (1, 2) {
        $master->command('SET', 'followed', 1);
        $master->command('DEL', 'followed');
        wait_for { $master->command('WAIT', 1, 1000) } 'a replica to follow';
    }
    return;
}

sub pair {
    my ($name, @conf) = @_;
    my $master = redis(name => $name, tcp => 1, wait => 1,
        conf => ['repl-diskless-sync-delay 0', @conf]);
    my $replica = redis(name => "$name-replica", tcp => 1, wait => 1,
        conf => ['replicaof 127.0.0.1 ' . $master->port, @conf]);
    following($master);
    return ($master, $replica);
}

my $hasty = 'may-not-wait';
remember_secret($hasty);
spew(test_dir() . '/hasty', "$hasty\n", 0600);
my ($master, $replica) = pair('redis',
    "user hasty on >$hasty " . acl_rules());

my $stack = stack(redis_server => $master,
    vars => { HASTY => test_dir() . '/hasty' },
    redis => "enroll_redis unix:%%REDIS%%; $times",
    locations => <<'CONF');
    location = /hasty {
        enroll_redis_user hasty;
        enroll_redis_password_file %%HASTY%%;
        enroll_status;
    }
    location = /unwaited/issue { enroll_redis_wait off; enroll_issue hr; }
    location = /unwaited/redeem {
        enroll_redis_wait off;
        enroll_redeem /register;
    }
CONF
my ($idp, $http) = ($stack->idp, $stack->http);


sub unreplicated { return $stack->status->{events}{unreplicated} }

sub told {
    my ($regex) = @_;
    return scalar(my @lines = $stack->nginx->error_log =~ /$regex/g);
}

# Sends it, and does not read what comes.
sub begun {
    my ($path, $body, @headers) = @_;
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', $path, \@headers, $body);
    $socket->flush;
    return $socket;
}

sub redeeming {
    my ($token) = @_;
    return begun('/enroll', "token=$token",
        'Content-Type' => 'application/x-www-form-urlencoded');
}

sub answered { return IO::Select->new($_[0])->can_read(0) ? 1 : 0 }

# What clients have told the master: WAITs and scripts, in words.
sub waits {
    my ($monitor) = @_;
    return grep { $_->{args}[0] =~ /^WAIT/i && $_->{args}[1] }
        $monitor->commands;
}


# Redis has each script: none is to be loaded from here on.
sub warm {
    my ($stack) = @_;
    $stack->enrol;
    $stack->begin_by(Authorization => 'Bearer ' . $stack->token);
    $stack->revoke(id => $stack->issue->json->{id});
    return;
}

warm($stack);


# --- all is well

subtest 'replicas have it: all goes through' => sub {
    my $monitor = $master->monitor;
    my $id = $stack->enrol(subject => 'ada');
    my @waits = waits($monitor);
    is join(', ', map { "@{$_->{args}}" } @waits),
        join(', ', ('WAIT 1 ' . WAIT) x 2),
        'a WAIT behind the redeem, and one behind the claim';
    is $stack->record($id)->{state}, 'enrolled', 'she has enrolled';

    my $token = $stack->token;
    passed($stack->begin_by(Authorization => "Bearer $token"),
        'a bearer without a browser');
    is scalar(waits($monitor)), 1, 'a begin that redeems is waited for';

    my $made = $stack->issue->json;
    is $stack->leave(subject => 'nobody')->status, 404, 'nobody leaves';
    is $stack->revoke(id => $made->{id})->status, 200, 'a leaver';
    is scalar(waits($monitor)), 2, 'and so is a revocation';
    is unreplicated(), 0, 'nothing is counted';
};


# --- the replica does not answer

subtest 'nobody has it: nothing is forwarded (I1, I2)' => sub {
    my $made = $stack->issue->json;
    my ($session, $id) = $stack->enter;
    passed($stack->begin($session), 'a session');
    my ($other, $other_id) = $stack->enter;
    my $direct = $stack->token;
    my $spent = $stack->issue->json;
    $stack->session($spent->{token});
    my $leaver = $stack->issue->json;
    $idp->clear;
    $replica->freeze;

    my $counted = unreplicated();
    refused($stack->redeem($made->{token}), 503, 'unavailable', 'a redeem');
    is $stack->record($made->{id})->{state}, 'redeemed',
        'the token stays burned';
    refused($stack->redeem($made->{token}), 410, 'redeemed',
        'and is refused with its true reason');

    refused($stack->finish($session), 503, 'unavailable', 'a finish');
    my $record = $stack->wait_record($id, state => 'redeemed');
    is "$record->{outcome} $record->{attempts}", 'released 0',
        'the claim is given back';

    refused($stack->begin_by(Authorization => "Bearer $direct"), 503,
        'unavailable', 'a begin that redeems');
    is $idp->count, 0, 'the IdP has heard nothing';

    refused($stack->revoke(id => $leaver->{id}, event => 'leave-1'), 503,
        'unavailable', 'a leaver is not promised what may be forgotten');

    passed($stack->begin($other), 'a begin of a session is not waited for');
    is $stack->issue->status, 201, 'nor is a new token';
    passed($stack->page($other), 'nor a look');

    is unreplicated() - $counted, 4, 'they are counted';
    is told(qr/\[error\].*Redis ".*": only 0 of 1 replicas have the write/),
        1, 'the outage is told once';
    is told(qr/\[warn\].*too few replicas have the redeem of token $made->{id}/),
        1, 'and each token that it cost';
    is $stack->status->{ledger}{circuit}, 'closed', 'Redis itself is well';

    $replica->thaw;
    passed($stack->finish($session), 'the finish again');
    $stack->wait_record($id, state => 'enrolled', attempts => 1);
    passed($stack->begin_by(Authorization => "Bearer $direct"),
        'the begin again');
    passed($stack->revoke(id => $leaver->{id}, event => 'leave-1'),
        'the leaver again');
    is told(qr/\[notice\].*enough replicas have the writes again/), 1,
        'that it is over is told, too';
    is_deeply [audit($stack)], [], 'one event each (I7)';
};


subtest 'what is refused has written nothing' => sub {
    my $gone = $stack->issue->json;
    $master->command('DEL', "enroll:{0}:token:$gone->{id}");
    $replica->freeze;
    refused($stack->redeem($gone->{token}), 401, 'unknown', 'a redeem');
    $replica->thaw;
    is told(qr/only 0 of 1 replicas/), 1, 'nothing is missing';
};


subtest 'a replica that follows nobody' => sub {
    $replica->command('REPLICAOF', 'NO', 'ONE');
    my ($session, $id) = eval { $stack->enter };
    ok !$session, 'a redeem';
    $replica->command('REPLICAOF', '127.0.0.1', $master->port);
    following($master);
    passed($stack->redeem($stack->token), 'it follows again');
    is told(qr/\[error\].*Redis ".*": only 0 of 1 replicas have the write/),
        2, 'another outage is told again';
};


# --- one WAIT for all, and a connection for others

subtest 'a WAIT for each batch' => sub {
    my @tokens = map { $stack->token } 0 .. 10;
    my ($session) = $stack->enter;
    my $monitor = $master->monitor;
    $replica->freeze;

    my $first = redeeming(shift @tokens);
    wait_for { $master->command('INFO', 'clients')
        =~ /^blocked_clients:1\r/m } 'the first WAIT';
    my @all = map { redeeming($_) } @tokens;
    # they, the first one, and the WAIT
    wait_for { $stack->status->{ledger}{pending} >= 12 } 'all to be written';
    passed($stack->begin($session), 'others do not wait for them');
    ok !answered($first), '… who wait';

    $replica->thaw;
    is join(' ', map { $http->read_response($_)->status } $first, @all),
        join(' ', (200) x 11), 'all are answered';
    is scalar(waits($monitor)), 2, 'one WAIT for the first, one for the rest';
};


subtest 'a burst' => sub {
    my @tokens = map { $stack->token } 1 .. 30;
    my $monitor = $master->monitor;
    my @said = burst(map { [$http, 'POST', '/enroll',
        ['Content-Type' => 'application/x-www-form-urlencoded'],
        "token=$_"] } @tokens, @tokens);
    is scalar(grep { $_->status == 200 } @said), 30, 'each is redeemed once';
    cmp_ok scalar(waits($monitor)), '<', 60, 'with fewer WAITs than calls';
};


subtest 'a worker that leaves meanwhile' => sub {
    my $token = $stack->token;
    my ($session, $id) = $stack->enter;
    $stack->begin($session);
    $replica->freeze;
    my $redeem = redeeming($token);
    my $finish = begun('/register/finish', '{}', Cookie => $session);
    wait_for { $stack->status->{ledger}{pending} >= 3 } 'both to be written';
    $stack->nginx->reload;
    $replica->thaw;
    is join(' ', map { $http->read_response($_)->status } $redeem, $finish),
        '200 200', 'what it has begun is done';
    $stack->wait_record($id, state => 'enrolled');
    wait_for { $stack->nginx->worker_pids(1) == 1 } 'it to leave';
};


subtest 'a client that leaves meanwhile' => sub {
    my ($session, $id) = $stack->enter;
    $stack->begin($session);
    $idp->clear;
    $replica->freeze;
    my $finish = begun('/register/finish', '{}', Cookie => $session);
    wait_for { $stack->record($id)->{state} eq 'claimed' } 'the claim';
    close $finish;
    $stack->status for 1 .. 3;      # a worker does one thing after the other
    $replica->thaw;
    $stack->wait_record($id, outcome => 'released', state => 'redeemed');
    is $idp->count, 0, 'its claim is given back, and was not forwarded';
    passed($stack->finish($session), 'it may come again');
};


subtest 'where it is off' => sub {
    $replica->freeze;
    is $stack->issue(at => '/unwaited/issue')->status, 201, 'issue';
    passed($http->post('/unwaited/redeem', 'token=' . $stack->token,
        'Content-Type' => 'application/x-www-form-urlencoded'), 'redeem');
    $replica->thaw;
};


subtest 'a user who may not wait' => sub {
    my $ledger = $http->get('/hasty')->json->{ledger};
    ok !$ledger->{reachable}, 'is not used';
    like $stack->nginx->error_log,
        qr/\[error\].*: WAIT refused \(NOPERM/, 'and the log says so';
};


# --- replies that are lost, and a WAIT that lies

my ($far, $far_replica) = pair('far');
my $orders = sub_dir('orders');
sub_dir('orders-wait');
my ($port, $aof_port) = (free_port(), free_port());
my %log;

for my $fake ([$port, 'hello'], [$aof_port,
    'answer WAITAOF *2\r\n:1\r\n:0', 'hello', 'answer WAITAOF *2\r\n:1\r\n:1'])
{
    my ($at, @script) = @$fake;
    $log{$at} = test_dir() . "/relay-$at.log";
    Enroll::Process->start(argv => [$^X, "$FindBin::Bin/fake/redis.pl", $at,
        @script, 'relay unix:' . $far->socket . " $orders"],
        output => $log{$at});
    wait_for { slurp($log{$at}) =~ /^listening$/m } 'the relay';
}

my $lossy = stack(redis_server => $far, vars => { FAKE => $port,
        AOF => $aof_port },
    redis => "enroll_redis 127.0.0.1:%%FAKE%%; $times",
    locations => <<'CONF');
    location = /aof/redeem {
        enroll_redis 127.0.0.1:%%AOF%%;
        enroll_redeem /register;
    }
CONF

# A file for each of the next scripts, or ('-wait') WAITs.
my $ordered = 0;
sub order {
    my ($which, @texts) = @_;
    for my $text (@texts) {
        my $name = sprintf '%06d', ++$ordered;
        spew("$orders.$name", $text);
        rename "$orders.$name", "$orders$which/$name" or die $!;
    }
    return;
}

sub done { return is scalar(my @left = glob "$orders*/*"), 0,
    'all orders were carried out' }

warm($lossy);


# What the clients of the ledger have told it, a word each: the script's verb
# is in its id, and that it wrote something follows.
sub story {
    my ($monitor) = @_;
    my @story;
    for my $command ($monitor->commands) {
        my ($name, @args) = @{$command->{args}};
        if ($command->{client} eq 'lua') {
            $story[-1] =~ s/\z/+/
                if $name =~ /^(?:HSET|SET|XADD|HINCRBY)$/ && $story[-1] !~ /\+/;
        } elsif ($name =~ /^EVALSHA$/i) {
            push @story, 'call';
        } elsif ($name =~ /^WAIT$/i && $args[0]) {
            push @story, 'WAIT';
        }
    }
    return join ' ', @story;
}

my %step = (
    redeem => sub {
        my $made = $lossy->issue->json;
        return ($made->{id}, sub { $lossy->redeem($made->{token}) });
    },
    finish => sub {
        my ($session, $id) = $lossy->enter;
        $lossy->begin($session);
        return ($id, sub { $lossy->finish($session) });
    },
    begin => sub {
        my $made = $lossy->issue->json;
        return ($made->{id}, sub { $lossy->begin_by(
            Authorization => "Bearer $made->{token}") });
    },
    revoke => sub {
        my $made = $lossy->issue->json;
        return ($made->{id}, sub { $lossy->revoke(id => $made->{id}) });
    },
);
my %reaches = (finish => 1, begin => 1);

for my $name (qw(redeem finish begin revoke)) {
    subtest "replies to a $name that are lost" => sub {
        my $events = sub {
            return join ' ', map { $_->{event} }
                grep { $_->{event} !~ /^(?:issue|settle)$/ }
                $lossy->events(id => $_[0]) };

        # done, but not replicated; on the second connection, where nothing
        # else has been written, the replica still does not have it
        for my $case (['the reply', '', "execute\nclose"],
            ["the WAIT's", '-wait', "execute\nclose"],
            ['both, the replies held back', '-wait', 'close'])
        {
            my ($what, $which, $text) = @$case;
            my ($id, $go) = $step{$name}->();
            $lossy->idp->clear;
            my $monitor = $far->monitor;
            $far_replica->freeze;
            order($which, $text);
            refused($go->(), 503, 'unavailable', "$what, and no replica");
            is $lossy->idp->count, 0, '… the IdP has heard nothing';
            like story($monitor), qr/^call\+ (?:WAIT )?call\+ WAIT/,
                '… the repeat has written, and was waited for';
            $far_replica->thaw;
            $lossy->wait_record($id, outcome => 'released')
                if $name eq 'finish';
            done();
        }

        for my $case (['the reply', '', "execute\nclose"],
            ["the WAIT's", '-wait', "execute\nclose"],
            ['the WAIT itself', '-wait', 'close'])
        {
            my ($what, $which, $text) = @$case;
            my ($id, $go) = $step{$name}->();
            $lossy->idp->clear;
            order($which, $text);
            passed($go->(), "$what, and a replica that has it");
            is $lossy->idp->count, $reaches{$name} || 0, '… once';
            my @told = split / /, $events->($id);
            is scalar(grep { $_ eq ($name eq 'finish' ? 'claim' : $name) }
                @told), 1, '… and told once (I7)';
            done();
        }

        my ($id, $go) = $step{$name}->();
        $lossy->idp->clear;
        order('-wait', ("execute\nclose") x 2);
        refused($go->(), 503, 'unavailable', 'two are too many');
        is $lossy->idp->count, 0, '… the IdP has heard nothing';
        $lossy->wait_record($id, outcome => 'released') if $name eq 'finish';
        done();
    };
}


subtest 'what WAIT is answered with' => sub {
    for my $case ([':1', 200], [':7', 200], [':0', 503], [':-1', 503]) {
        my ($reply, $status) = @$case;
        my ($id, $go) = $step{redeem}->();
        order('-wait', "execute\nreply $reply");
        is $go->()->status, $status, $reply;
        done();
    }

    for my $reply ('+OK', '+1', '$1\r\n1', '$-1', '*-1', '*1\r\n:1',
        '*2\r\n:1\r\n:1', '-ERR no', '-UNBLOCKED instance state changed')
    {
        my ($id, $go) = $step{redeem}->();
        order('-wait', ("execute\nreply $reply") x 2);
        is $go->()->status, 503, "$reply, twice: no proof";
        done();
        ($id, $go) = $step{redeem}->();
        order('-wait', "execute\nreply $reply");
        is $go->()->status, 200, "… once: it is asked again";
        done();
    }
    like $lossy->nginx->error_log, qr/WAIT refused \(ERR no\)/,
        'the log says what was wrong';

    my ($id, $go) = $step{redeem}->();
    order('-wait', "execute\nreply :1\nreply :1");
    passed($go->(), 'one reply too many: the first counts');
    ($id, $go) = $step{redeem}->();
    passed($go->(), '… and the next call finds a connection');
    done();
};


subtest 'a WAIT that hangs' => sub {
    my ($id, $go) = $step{finish}->();
    order('-wait', ('stall') x 2);
    $lossy->idp->clear;
    refused($go->(), 503, 'unavailable', 'a finish');
    is $lossy->idp->count, 0, 'the IdP has heard nothing';
    $lossy->wait_record($id, outcome => 'released');
    unlink glob "$orders*/*";
    ($id, $go) = $step{finish}->();
    wait_for { $lossy->status->{ledger}{reachable} } 'Redis to be back';
    passed($go->(), 'the next one goes through');
};


subtest 'a script that Redis has lost' => sub {
    my ($id, $go) = $step{redeem}->();
    $far->command('SCRIPT', 'FLUSH');
    passed($go->(), 'it is sent, and waited for');
    ($id, $go) = $step{finish}->();
    $far->command('SCRIPT', 'FLUSH');
    $far_replica->freeze;
    $lossy->idp->clear;
    refused($go->(), 503, 'unavailable', 'and without a replica');
    is $lossy->idp->count, 0, '… the IdP has heard nothing';
    $far_replica->thaw;
};


# --- WAITAOF, as servers since 7.2 have it: the relay plays one

subtest 'WAITAOF' => sub {
    my $go = sub {
        my $token = $lossy->token;
        return $lossy->http->post('/aof/redeem', "token=$token",
            'Content-Type' => 'application/x-www-form-urlencoded');
    };
    passed($go->(), 'it is used where the server takes it');
    my $asked = slurp($log{$aof_port});
    like $asked, qr/^\d+ WAITAOF 1 1 10$/m, 'for its disk and theirs';
    unlike $asked, qr/^\d+ WAIT 1/m, 'instead of WAIT';

    # a replica that is asked with its write in the same breath does not have
    # it, and is asked again; but not for ever
    for my $reply ('*2\r\n:1\r\n:0', '*2\r\n:0\r\n:1', '*2\r\n:0\r\n:0') {
        order('-wait', ("reply $reply") x 3);
        is $go->()->status, 200, "$reply, three times: it is asked again";
        done();
        order('-wait', ("reply $reply") x 50);
        is $go->()->status, 503, '… all the time';
        cmp_ok scalar(my @left = glob "$orders-wait/*"), '>', 30,
            '… is asked less and less often';
        unlink @left;
    }
    order('-wait', 'reply *2\r\n:1\r\n:7');
    is $go->()->status, 200, 'more than enough';
    done();
    my $log = $lossy->nginx->error_log;
    like $log, qr/only 0 of 1 replicas have the write on disk within/,
        'the log says what is missing';

    for my $reply (':1', '*1\r\n:1', '*2\r\n+1\r\n:1', '*2\r\n:1\r\n+1',
        '*3\r\n:1\r\n:1\r\n:1', '-ERR appendonly is disabled')
    {
        order('-wait', ("reply $reply") x 2);
        is $go->()->status, 503, "$reply, twice: no proof";
        done();
        passed($go->(), '… and the next one goes through');
    }
    like $log = $lossy->nginx->error_log, qr/WAITAOF refused \(ERR append/,
        'the log says so';
};


# --- what the greeting says

subtest 'which of them is used' => sub {
    my @case = (
        ['a server that does not know WAITAOF', 'WAIT',
            "-ERR unknown command 'WAITAOF'", ':0'],
        ['one without an AOF', 'WAIT', '-ERR WAITAOF cannot be used when '
            . 'numlocal is set but appendonly is disabled.', ':0'],
        ['a user who may not', 'WAIT', '-NOPERM no', ':0'],
        ['an answer that is none', 'WAIT', ':1', ':0'],
        ['one that may not WAIT', 'WAITAOF', '*2\r\n:0\r\n:0', '-NOPERM no'],
        ['neither', '', '-NOPERM no', '-NOPERM no'],
        ['nonsense', '', '*0', '+OK'],
    );
    for my $n (0 .. $#case) {
        my ($name, $want, $waitaof, $wait) = @{$case[$n]};
        my $at = free_port();
        my $log = test_dir() . "/greeted-$n.log";
        my $process = Enroll::Process->start(argv => [$^X,
            "$FindBin::Bin/fake/redis.pl", $at, "answer WAITAOF $waitaof",
            "answer WAIT $wait", 'hello', 'answer WAIT :1',
            'answer WAITAOF *2\r\n:1\r\n:1', 'relay unix:' . $far->socket],
            output => $log);
        wait_for { slurp($log) =~ /^listening$/m } 'the fake';
        my $greeted = stack(redis_server => $far, idp => $idp,
            vars => { FAKE => $at },
            redis => "enroll_redis 127.0.0.1:%%FAKE%%; $times");
        my $response = $greeted->issue(subject => "greeted-$n",
            event => "greeted-$n");
        is $response->status, $want ? 201 : 503, $name;
        if ($want) {
            passed($greeted->redeem($response->json->{token}), '… is used');
            my $more = $want eq 'WAITAOF' ? '1 1 10' : '1 ' . WAIT;
            like slurp($log), qr/^\d+ $want $more$/m, "… by $want";
        } else {
            like $greeted->nginx->error_log, qr/WAIT refused/,
                '… is not used, and the log says so';
        }
        $greeted->nginx->stop;
        $process->stop('TERM');
    }
};


done_testing;
