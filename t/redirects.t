#!/usr/bin/perl

# Two nodes of a cluster that send a call to each other, to nowhere, or break
# while it is under way: it is executed at most once, told once, and a finish
# reaches the IdP only where the ledger has granted it (I1, I2, I6, I7).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Process;
use Enroll::Relay;
use Enroll::Test;
use Time::HiRes qw(time);

use constant TIMEOUT => 1000 * patience(0.5);       # ms

# CRC16-XMODEM, as a cluster counts its slots
sub slot {
    my ($tag) = @_;
    my $crc = 0;
    for my $byte (unpack 'C*', $tag) {
        $crc ^= $byte << 8;
        $crc = ($crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1) & 0xffff
            for 1 .. 8;
    }
    return $crc % 16384;
}

# Both stand before one Redis, so that who was asked is all that differs. By
# both nodes' word all slots are a's, but for one that nothing is in: who has
# none is let go, and connected to anew.

my $slot = slot('0');
my $redis = redis(name => 'redis');
my %port = map { $_ => free_port() } qw(a b dead);
my %answers = (ASKING => '+OK', CLUSTER => join '\r\n', '*2',
    '*3', ':0', ':16382', '*2', '$9', '127.0.0.1', ":$port{a}",
    '*3', ':16383', ':16383', '*2', '$9', '127.0.0.1', ":$port{b}");
my %relay = map { $_ => Enroll::Relay->new(name => $_, to => $redis,
    port => $port{$_}, answers => \%answers) } qw(a b);

my $budget = 'enroll_redis_timeout ' . TIMEOUT . 'ms;
    enroll_redis_retry 50ms; enroll_redis_failures 100;';
my $stack = stack(redis_server => $redis, redis_user => 0,
    redis => "$budget enroll_redis_cluster 127.0.0.1:$port{a};",
    page => 'enroll_session_cache 0;');
my ($idp, $http) = ($stack->idp, $stack->http);
my @workers = $stack->nginx->worker_pids;
my $subjects = 0;

sub said {
    my ($response) = @_;
    my $json = $response->json;
    return join ' ', $response->status, ref $json ? $json->{reason} // () : ();
}

my @steps = qw(issue redeem page begin finish revoke);
my %reaches = map { $_ => 1 } qw(page begin finish);
my %tells = (finish => 'claim');

# Everything up to a step, which is then to be gone.

sub step {
    my ($name) = @_;

    my $subject = 'person-' . ++$subjects;
    my $at = { name => $name, subject => $subject };
    if ($name eq 'issue') {
        $at->{go} = sub { $stack->issue(subject => $subject,
            event => "join-$subject") };
        return $at;
    }

    my $made = $stack->issue(subject => $subject)->json;
    $at->{id} = $made->{id};
    if ($name eq 'redeem') {
        $at->{go} = sub { $stack->redeem($made->{token}) };
    } elsif ($name eq 'revoke') {
        $at->{go} = sub { $stack->revoke(id => $made->{id}) };
    } else {
        my $session = $stack->session($made->{token});
        $stack->begin($session) if $name eq 'finish';
        $at->{go} = sub { $stack->$name($session) };
    }
    return $at;
}

# Goes it while the nodes do as ordered: a => [...], b => [...].

sub try_step {
    my ($name, %orders) = @_;

    my $at = step($name);
    $idp->clear;
    $_->mark for values %relay;
    $relay{$_}->order(@{$orders{$_}}) for keys %orders;
    my $from = time;
    $at->{response} = $at->{go}->();
    $at->{took} = 1000 * (time - $from);
    $at->{said} = said($at->{response});
    $at->{heard} = $idp->requests;

    # one operation, as each of them has heard it: "+" after ASKING
    my ($first) = map { $_->asked } @relay{qw(a b)};
    my $op = $at->{op} = $first->{op};
    $at->{id} //= $at->{response}->json->{id} if $name eq 'issue';
    $at->{asked} = join ' ', map { my $who = $_; join '', $who,
        map { ($_->{asking} ? '+' : '') . ($_->{how} eq 'EVAL' ? '!' : '.') }
        grep { $_->{op} eq $op } $relay{$who}->asked } qw(a b);
    return $at;
}

# The way that it went, if it is one of these, or else the first of them. A token
# takes two calls, the second of which makes it.

sub way {
    my ($at, @ways) = @_;
    @ways = map { s/^a/a./r } @ways if $at->{name} eq 'issue';
    my ($way) = grep { $_ eq $at->{asked} } @ways;
    return $way // $ways[0];
}

# As if nothing had been.

sub succeeds {
    my ($at, $name, @ways) = @_;

    my $good = $at->{name} eq 'issue' ? '201' : '200';
    my $told = grep { $_->{event} eq ($tells{$at->{name}} // $at->{name}) }
        $stack->events(last => 20, op => $at->{op});

    is "$at->{said}, heard $at->{heard}, told $told, $at->{asked}",
        "$good, heard " . ($reaches{$at->{name}} || 0) . ', told '
            . ($at->{name} eq 'page' ? 0 : 1) . ', ' . way($at, @ways),
        "$name: $at->{name}";
    left($name);
    $stack->wait_record($at->{id}, state => 'enrolled', attempts => 1)
        if $at->{name} eq 'finish';
    return;
}

sub left {
    my ($name) = @_;
    my $left = 0;
    $left += $_->orders_left for values %relay;
    is $left, 0, "$name: … all orders were carried out" if $left;
    $_->forget for values %relay;
    return;
}

# Refused, within the time, and the IdP hears nothing; then, when the nodes
# behave, it is what it would have been.

my %after = (issue => '201', redeem => '410 redeemed', map { $_ => '200' }
    qw(page begin finish revoke));

sub fails {
    my ($at, $name, $asked, $executed) = @_;

    is "$at->{said}, heard $at->{heard}, $at->{asked}",
        '503 unavailable, heard 0, ' . way($at, $asked),
        "$name: no $at->{name} (I6)";
    cmp_ok $at->{took}, '<', 2.5 * TIMEOUT, '… in time';
    left($name);

    if ($executed && $at->{name} eq 'finish') {
        wait_for {
            my $record = $stack->record($at->{id});
            defined $record->{"withdrawn:$at->{op}"}
                || ($record->{outcome} // '') eq 'released';
        } "$name: a release";
    }

    my $want = $executed ? $after{$at->{name}}
        : $at->{name} eq 'issue' ? '201' : '200';
    $idp->clear;
    my $said;
    # a token that was lost is taken back, and a claim given back, which
    # nobody waits for
    wait_for { $said = said($at->{go}->());
        $said !~ /^(?:503|409)/ && ($said ne '200' || $at->{name} ne 'issue')
    } "$name: an answer";
    is $said, $want, "$name: then $at->{name} is $want";
    return if $at->{name} ne 'finish';

    my $record = $stack->wait_record($at->{id}, state => 'enrolled');
    is $record->{attempts}, 1, '… with one attempt (I2)';
    is $idp->requests, 1, '… which the IdP heard of';
    return;
}

sub trail {
    my ($name) = @_;
    is_deeply [audit($stack)], [], "$name: the trail is whole (I7)";
    is_deeply [$stack->nginx->worker_pids], \@workers, 'the worker lives';
    return;
}

# Orders for the call that counts: of issue it is the second.
sub at_a {
    my ($step, @orders) = @_;
    return (a => [$step eq 'issue' ? 'pass' : (), @orders]);
}

sub say_to { my ($error) = @_; return "reply -$error" }

my $moved = say_to("MOVED $slot 127.0.0.1:$port{b}");
my $back = say_to("MOVED $slot 127.0.0.1:$port{a}");
my $ask = say_to("ASK $slot 127.0.0.1:$port{b}");
my $again = say_to('TRYAGAIN Multiple keys request during rehashing of slot');
my $lost = "execute\nclose";

# what is asked is in the map again: a has the slot
sub settled {
    wait_for {
        $relay{b}->mark;
        $stack->issue;
        !(my @asked = $relay{b}->asked);
    } 'the map to be right';
    return;
}


$stack->enrol;      # Redis has heard of the scripts
step($_)->{go}->() for qw(page revoke);
wait_for {                          # … and nginx is connected to both
    $relay{a}->order($moved);
    $stack->issue;
    $relay{b}->asked;
} 'the other node to be asked';
settled();

for my $step (@steps) {
    succeeds(try_step($step), 'a node that behaves', 'a. b');
}


subtest 'a redirect is followed, and the call is executed once' => sub {
    for my $step (@steps) {
        settled();
        succeeds(try_step($step, at_a($step, $moved)), 'MOVED', 'a. b.');
        settled();
        succeeds(try_step($step, at_a($step, $ask)), 'ASK', 'a. b+.');
        succeeds(try_step($step), 'the map is as it was', 'a. b');
        succeeds(try_step($step, at_a($step, $again)), 'TRYAGAIN', 'a.. b');
        succeeds(try_step($step, at_a($step, $ask), b => [$back]),
            'ASK, and MOVED back', 'a.. b+.');
        settled();
        succeeds(try_step($step, at_a($step, "drip 0.1\n$moved\ndrip 0"),
            b => ["drip 0.05\npass\ndrip 0"]), 'MOVED, byte by byte',
            'a. b.');
        settled();
    }
    trail('redirects');
};


subtest 'a reply that is lost after a redirect, or before one' => sub {
    # the map may have been asked for in between, and say that it is a
    my @repeat = ('a. b..', 'a.. b.');

    for my $step (@steps) {
        succeeds(try_step($step, at_a($step, $moved), b => ['close']),
            'MOVED, then lost before', @repeat);
        settled();
        succeeds(try_step($step, at_a($step, $moved), b => [$lost]),
            'MOVED, then lost after', @repeat);
        settled();
        succeeds(try_step($step, at_a($step, $ask), b => [$lost]),
            'ASK, then lost after', 'a. b+.+.');
        succeeds(try_step($step, at_a($step, $lost, $moved)),
            'lost after, then MOVED', 'a.. b.');
        settled();
        succeeds(try_step($step, at_a($step, $lost, $ask)),
            'lost after, then ASK', 'a.. b+.');
        succeeds(try_step($step, at_a($step, $lost, $again)),
            'lost after, then TRYAGAIN', 'a... b');
        succeeds(try_step($step, at_a($step, $moved),
            b => ["execute\nmore +OK\\r\\n\nrest 0"]),
            'MOVED, then one reply too many', 'a. b.');
        settled();
    }
    trail('lost replies');
};


subtest 'NOSCRIPT on the way' => sub {
    my $noscript = say_to('NOSCRIPT No matching script.');
    for my $step (@steps) {
        succeeds(try_step($step, at_a($step, $moved), b => [$noscript]),
            'MOVED, then NOSCRIPT', 'a. b.!');
        settled();
        succeeds(try_step($step, at_a($step, $ask, $ask), b => [$noscript]),
            'ASK, then NOSCRIPT: it is asked anew', 'a.! b+.+!');
    }
    trail('NOSCRIPT');
};


subtest 'a redirect that leads nowhere: 503, and nothing was done' => sub {
    my @errors = ('CLUSTERDOWN The cluster is down',
        'LOADING Redis is loading the dataset in memory',
        "READONLY You can't write against a read only replica.",
        'MASTERDOWN Link with MASTER is down', 'BUSY Redis is busy',
        "OOM command not allowed when used memory > 'maxmemory'.",
        'MISCONF Errors writing to the AOF file',
        'NOREPLICAS Not enough good replicas to write.',
        'NOAUTH Authentication required.', 'NOPERM no permissions',
        'CROSSSLOT Keys do not hash to the same slot', 'ERR unknown');

    for my $error (@errors) {
        my ($name) = $error =~ /^(\w+)/;
        for my $step (qw(redeem finish)) {
            fails(try_step($step, at_a($step, $moved), b => [say_to($error)]),
                "MOVED, then $name", 'a. b.');
            settled();
            fails(try_step($step, at_a($step, $ask), b => [say_to($error)]),
                "ASK, then $name", 'a. b+.');
            # what is refused is the repeat: the first may have been executed
            fails(try_step($step, at_a($step, $lost, $ask),
                b => [say_to($error)]), "lost, ASK, then $name", 'a.. b+.',
                1);
        }
    }

    for my $step (@steps) {
        fails(try_step($step, at_a($step, ($moved) x 3), b => [($back) x 3]),
            'in circles', 'a... b...');
        settled();

        my ($dead, $nobody) = map { say_to("$_ $slot 127.0.0.1:$port{dead}") }
            qw(MOVED ASK);
        fails(try_step($step, at_a($step, $nobody)), 'ASK nobody', 'a. b');
        # it was never written there, but executed before
        fails(try_step($step, at_a($step, $lost, $nobody)),
            'lost after, then ASK nobody', 'a.. b', 1);
        succeeds(try_step($step, at_a($step, $dead)),
            'to nobody: the map knows better', 'a.. b');
        settled();
        fails(try_step($step, at_a($step, $moved), b => ['stall']),
            'to one who says nothing', 'a. b.', $step eq 'finish');
        settled();
        fails(try_step($step, at_a($step, $moved), b => ["execute\nstall"]),
            'to one who does it, and says nothing', 'a. b.', 1);
        settled();
        my $other = $slot + 1;
        fails(try_step($step, at_a($step,
            say_to("MOVED $other 127.0.0.1:$port{b}"))),
            "of another's slot", 'a. b');
        fails(try_step($step, at_a($step, say_to("MOVED $slot nobody"))),
            'without a port', 'a. b');
    }
    trail('nowhere');
};


subtest 'many in flight when a node sends one of them away' => sub {
    my %way = (
        MOVED => [[$moved], []], ASK => [[$ask], []],
        TRYAGAIN => [[$again], []],
        'MOVED, then lost after' => [[$moved], [$lost]],
        'ASK, then lost after'   => [[$ask], [$lost]],
        'lost after, then ASK'   => [[$lost, $ask], []],
        'MOVED, then nonsense'   => [[$moved], ["send %1\\r\\n\nstall"]],
    );

    for my $name (sort keys %way) {
        my ($at_a, $at_b) = @{$way{$name}};
        my @token = map { $stack->token(subject => "flight-$name-$_") }
            1 .. 20;
        $relay{a}->order(('pass') x 5, @$at_a);
        $relay{b}->order(@$at_b);
        my @answers = burst(map { [$http, 'POST', '/enroll',
            ['Content-Type' => 'application/x-www-form-urlencoded'],
            "token=$_"] } @token);
        is grep({ said($_) eq '200' } @answers), 20,
            "$name: each is redeemed once (I1)";
        my %cookie = map { ($_->cookie('__Host-enroll') // '') => 1 }
            @answers;
        is keys %cookie, 20, '… with a session of its own';

        my @cookies = map { [Cookie => "__Host-enroll=$_"] } keys %cookie;
        burst(map { [$http, 'POST', '/register/begin', $_, '{}'] } @cookies);
        left($name);
        $idp->clear;
        $relay{a}->order(('pass') x 5, @$at_a);
        $relay{b}->order(@$at_b);
        my @finished = burst(map { [$http, 'POST', '/register/finish', $_,
            '{}'] } @cookies);
        is grep({ said($_) eq '200' } @finished), 20,
            '… each finish is forwarded';
        is $idp->requests, 20, '… once (I2)';
        $_->forget for values %relay;
        settled();
    }

    # those that the server does not execute are refused, and no other
    for my $error ('LOADING x', 'READONLY x', 'MASTERDOWN x', 'CLUSTERDOWN x',
        'OOM x')
    {
        my @token = map { $stack->token(subject => "some-$error-$_") }
            1 .. 20;
        $relay{a}->order(('pass') x 5, say_to($error));
        my @answers = burst(map { [$http, 'POST', '/enroll',
            ['Content-Type' => 'application/x-www-form-urlencoded'],
            "token=$_"] } @token);
        my %said;
        $said{said($_)}++ for @answers;
        is_deeply \%said, { 200 => 19, '503 unavailable' => 1 },
            "-$error to one of twenty: it is refused, the others go on";
        my ($who) = grep { said($answers[$_]) ne '200' } 0 .. 19;
        wait_for { said($stack->redeem($token[$who])) eq '200' }
            'it can be redeemed then';
        left($error);
    }

    holds_within(10, sub { !audit($stack) });
    trail('many in flight');
};

$_->stop for values %relay;


# --- behind Sentinel, which is asked again where the master says that it is
# none

{
    my $redis = redis(name => 'master');
    %relay = (a => Enroll::Relay->new(name => 'master', to => $redis),
        b => Enroll::Relay->new(name => 'nobody', to => $redis));

    my $port = free_port();
    my $log = test_dir() . '/sentinel.log';
    my $sentinel = Enroll::Process->start(output => $log, argv => [$^X,
        top() . '/t/fake/redis.pl', "127.0.0.1:$port",
        'answer SENTINEL *2\r\n$9\r\n127.0.0.1\r\n$'
            . length($relay{a}->port) . '\r\n' . $relay{a}->port, 'serve']);
    wait_for { -s $log } 'the sentinel to listen';

    $stack = stack(redis_server => $redis, redis_user => 0,
        redis => "$budget enroll_redis_sentinel enroll 127.0.0.1:$port;",
        page => 'enroll_session_cache 0;');
    ($idp, $http) = ($stack->idp, $stack->http);
    @workers = $stack->nginx->worker_pids;
    my $asked = sub { return scalar(my @asked = slurp($log)
        =~ /^\d+ SENTINEL GET-MASTER-ADDR-BY-NAME enroll$/mg) };

    $stack->enrol;
    for my $error ("READONLY You can't write against a read only replica.",
        'MASTERDOWN Link with MASTER is down',
        'LOADING Redis is loading the dataset in memory')
    {
        my ($name) = $error =~ /^(\w+)/;
        for my $step (qw(redeem finish)) {
            my $before = $asked->();
            fails(try_step($step, a => [say_to($error)]), $name, 'a. b');
            ok holds_within(5, sub { $asked->() > $before }),
                "$name: … the sentinel is asked who it is now";
            fails(try_step($step, a => [$lost, say_to($error)]),
                "lost, then $name", 'a.. b', 1);
        }
    }
    trail('behind Sentinel');
    $sentinel->stop('TERM');
}

$_->stop for values %relay;

done_testing;
