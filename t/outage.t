#!/usr/bin/perl

# Redis stopped, frozen, full, empty, cut off: enrollment is closed, promptly,
# and everything else is as it was (I6).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Lossy;
use Enroll::Test;
use POSIX ();
use Time::HiRes qw(time);

use constant TIMEOUT => 1;

# the stack's own Redis, before there is a stack
my $redis = redis(name => 'redis', conf => ['appendonly yes']);
my $lossy = Enroll::Lossy->new($redis);

my $stack = stack(redis_server => $redis,
    vars => { LOSSY => $lossy->socket },
    redis => 'enroll_redis unix:%%REDIS%%; enroll_redis_timeout 1s;
        enroll_redis_retry 200ms; enroll_redis_failures 3;',
    http => 'log_format timed "$status $request_time $uri";
        access_log %%DIR%%/logs/timed.log timed;',
    page => 'enroll_session_cache 0;',
    locations => <<'CONF');
    location = /cached {
        enroll_endpoint page;
        enroll_session_cache 30s;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
    location = /mixed {
        enroll_endpoint page optional;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
    location = /other/finish {
        enroll_endpoint finish;
        enroll_redis_queue 4;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
    location /lossy/ {
        enroll_redis unix:%%LOSSY%%;
        location = /lossy/enroll { enroll_redeem /register; }
        location = /lossy/enroll/issue { enroll_issue hr; }
        location = /lossy/enroll/revoke { enroll_revoke hr; }
        location = /lossy/status { enroll_status; }
        location = /lossy/page {
            enroll_endpoint page;
            enroll_session_cache 0;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
        location = /lossy/begin {
            enroll_endpoint begin;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
        location = /lossy/finish {
            enroll_endpoint finish;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }
    }
    location = /off { enroll off; proxy_pass http://127.0.0.1:%%IDP%%; }
CONF

my $idp = $stack->idp;
my $http = $stack->http;
my $subject = 0;


sub begun {
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject);
    $stack->begin($session);
    return ($session, $id);
}

sub said {
    my ($response) = @_;
    my $json = $response->json;
    return join ' ', $response->status, $json ? $json->{reason} // () : ();
}

# By nginx' own clock, which does not count how slow this test is.

sub waits {
    my ($from) = @_;
    my @lines = split /\n/, slurp($stack->nginx->{logs} . '/timed.log');
    return map { (split / /)[1] } @lines[$from .. $#lines];
}

sub seen {
    return scalar(my @lines = split /\n/,
        slurp($stack->nginx->{logs} . '/timed.log'));
}

sub max {
    my ($max) = sort { $b <=> $a } @_;
    return $max;
}

# Lines of the error log that a person would be shown.

sub complaints {
    return scalar(my @lines = $stack->nginx->error_log
        =~ /^\S+ \S+ \[(?:warn|error|crit|alert|emerg)\] .*/mg);
}

# Every way in that needs the ledger.

sub every_way {
    my ($session, $token, $id) = @_;
    return (
        issue  => $stack->issue(subject => 'nobody'),
        redeem => $stack->redeem($token),
        page   => $stack->page($session),
        begin  => $stack->begin($session),
        finish => $stack->finish($session),
        bearer => $stack->begin_by(Authorization => "Bearer $token"),
        revoke => $stack->revoke(id => $id),
        mixed  => $http->get('/mixed', Cookie => $session),
    );
}

sub closed {
    my ($name, $session, $token, $id) = @_;

    my $reached = $idp->count;
    my @answers = every_way($session, $token, $id);

    while (my ($way, $response) = splice @answers, 0, 2) {
        is said($response), '503 unavailable', "$name: $way is closed (I6)";
        is $response->header('Retry-After'), 1, 'and says when to come again';
    }

    is $idp->count, $reached, 'the IdP hears nothing';
    return;
}

sub open_to_others {
    my ($name, $session, $token) = @_;

    my $from = seen();
    for my $path ('/', '/anything?x=1', '/register/assets/x.css', '/off',
        '/mixed', '/enroll')
    {
        is $http->get($path)->status, 200, "$name: $path is served";
    }
    is $http->post('/anything', 'body')->status, 200, 'POST, too';

    # what is decided without the ledger still is
    is said($stack->page("__Host-enroll=ens_x")), '401 forged', 'a forgery';
    is said($http->get('/register')), '401 missing', 'nobody';
    is said($stack->redeem("x$token")), '401 forged', 'a mangled token';
    is said($http->get('/admin', Cookie => $session)), '403 scope',
        'out of scope';

    cmp_ok max(waits($from)), '<', TIMEOUT / 2, 'none of them waits (I6)';
    return;
}

sub ledger { return $stack->status->{ledger} }

sub circuit_opens {
    my ($session) = @_;
    return wait_for {
        $stack->page($session);
        ledger()->{circuit} eq 'open';
    } 'the circuit to open';
}

# How long it takes from here until the page is served.

sub recovers {
    my ($name, $session) = @_;
    my $from = time;
    wait_for { $stack->page($session)->status == 200 } "$name: recovery";
    my $took = time - $from;
    cmp_ok $took, '<', patience(2), "$name: it works again, with no reload";
    note sprintf '%s: back after %.0f ms', $name, 1000 * $took;
    is ledger()->{reachable}, JSON::PP::true(), 'and the status says so';
    return;
}


# --- before

my ($session, $id) = begun();
my $token = $stack->token(subject => 'waiting');
my ($spent_session, $spent) = begun();
$stack->finish($spent_session);
$stack->wait_record($spent, state => 'enrolled');

my $ledger = ledger();
is "$ledger->{reachable} $ledger->{circuit}", '1 closed',
    'Redis is there, says the status';
ok defined $ledger->{latency_ms}, 'and how far away';
my @workers = $stack->nginx->worker_pids;


# --- stopped, by plan: otherwise what is live would be void (I10)

$redis->plan;
$redis->stop;

closed('stopped', $session, $token, $id);
open_to_others('stopped', $session, $token);
$ledger = ledger();
is "$ledger->{reachable} $ledger->{circuit}", '0 open',
    'not reachable, says the status';
is $ledger->{latency_ms}, undef, 'with no latency';
ok length $ledger->{failure}, "but with a reason: $ledger->{failure}";

is said($stack->finish($spent_session)), '410 enrolled',
    'what is spent is known to be, without Redis';

# a storm

{
    my ($from, $complaints) = (seen(), complaints());
    my @answers = burst(map { [$http, 'POST', '/register/begin',
        [Cookie => $session], ''] } 1 .. 200);
    is grep({ said($_) eq '503 unavailable' } @answers), 200,
        'stopped: 200 at once are refused';
    cmp_ok max(waits($from)), '<', TIMEOUT / 2, 'and none waits (I6)';
    my $lines = complaints() - $complaints;
    cmp_ok $lines, '<', 20, 'the error log is not flooded';
    note "stopped: $lines lines for 200 requests";
}

$redis->start;
recovers('stopped', $session);
is_deeply [$stack->nginx->worker_pids], \@workers, 'the workers are the same';
is $stack->begin($session)->status, 200, 'begin';
is $stack->finish($session)->status, 200, 'finish';
is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
    'one attempt: those that Redis never heard of do not count';
is said($stack->redeem($token)), '200', 'the token was not spent';


# --- frozen: it takes what it is sent, and says nothing

($session, $id) = begun();
$token = $stack->token(subject => 'cold');
my $cold = $stack->token(subject => 'colder');
$idp->clear;
$redis->freeze;

{
    my ($from, $complaints) = (seen(), complaints());
    my @answers = burst(map { [$http, 'POST', '/register/finish',
        [Cookie => $session], ''] } 1 .. 30);
    is grep({ said($_) eq '503 unavailable' } @answers), 30,
        'frozen: nobody finishes (I6)';
    my $max = max(waits($from));
    # all at once, and not one after another; the machine may be busy
    cmp_ok $max, '<', 10 * TIMEOUT, 'they wait for the timeout, together';
    note "frozen: the longest wait is $max s of " . TIMEOUT;
    note 'frozen: ' . (complaints() - $complaints) . ' lines for 30 requests';
}

circuit_opens($session);

{
    my ($from, $complaints) = (seen(), complaints());
    my @answers = burst(map { [$http, 'POST', '/register/finish',
        [Cookie => $session], ''] } 1 .. 200);
    is grep({ said($_) eq '503 unavailable' } @answers), 200,
        'frozen: with the circuit open all are refused';
    cmp_ok max(waits($from)), '<', TIMEOUT / 2, 'at once (I6)';
    my $lines = complaints() - $complaints;
    cmp_ok $lines, '<', 20, 'and the error log is not flooded';
    note "frozen, circuit open: $lines lines for 200 requests";
    my $ledger = ledger();
    is "$ledger->{waiting} $ledger->{pending}", '0 0', 'nothing is queued';
}

closed('frozen', $session, $cold, $id);
open_to_others('frozen', $session, $cold);
is $idp->count(qr{^/register/(?:begin|finish)}), 0,
    'nothing was sent to the IdP while Redis was frozen (I6)';

$redis->thaw;
recovers('frozen', $session);

wait_for { $stack->record($id)->{state} eq 'redeemed' } 'the claims to end';
is $stack->record($id)->{attempts}, 0,
    'what Redis claimed after all was given back (I2)';
is $idp->count('/register/finish'), 0, 'and never sent';
is $stack->finish($session)->status, 200, 'now it can be';
is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
    'with one attempt';
is $idp->count('/register/finish'), 1, 'the IdP heard of one (I2)';
is said($stack->redeem($cold)), '200', 'a token that was refused is good';


# --- frozen, again and again, under load: no claim is left behind

for my $round (1 .. 3) {
    my ($session, $id) = begun();
    $idp->clear;
    my @items = map { [$http, 'POST', '/register/finish',
        [Cookie => $session], ''] } 1 .. 20;

    $redis->freeze;
    my $socket = $http->connect;
    print $socket $http->bytes('POST', '/register/finish',
        [Cookie => $session], '');
    $socket->flush;
    my $thaw = time + 0.3 * $round;     # before its timeout, at it, after it
    wait_for { time > $thaw } 'a while';
    $redis->thaw;
    my $first = $http->read_response($socket);
    my @answers = burst(@items);
    my $won = grep { $_->status == 200 } $first, @answers;

    wait_for { $stack->record($id)->{state} ne 'claimed' } 'settlement';
    if (!$won) {
        recovers("round $round", $session)
            if $stack->record($id)->{state} eq 'redeemed';
        $won += $stack->finish($session)->status == 200;
    }
    is $won, 1, "frozen for a moment, round $round: one finish succeeds (I2)";
    is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
        'with one attempt';
    is $idp->count('/register/finish'), 1, 'the IdP heard of one';
}


# --- the queue is bounded

($session, $id) = begun();
$redis->freeze;

{
    my $from = seen();
    my @answers = burst(map { [$http, 'POST', '/other/finish',
        [Cookie => $session], ''] } 1 .. 40);
    is grep({ said($_) eq '503 unavailable' } @answers), 40,
        'a queue of 4: 40 are refused';
    my @slow = grep { $_ > TIMEOUT / 2 } waits($from);
    cmp_ok @slow, '<=', 4, 'and 36 of them at once (I6)';
}

$redis->thaw;
wait_for { $stack->record($id)->{state} eq 'redeemed'
    && $stack->page($session)->status == 200 } 'the claims to end';


# --- the session cache

($session, $id) = begun();
is $http->get('/cached', Cookie => $session)->status, 200, 'a cached page';
$redis->freeze;
my $n = $idp->count('/cached');
is $http->get('/cached', Cookie => $session)->status, 200,
    'within enroll_session_cache it needs no Redis';
is $idp->count('/cached'), $n + 1, 'and reaches the IdP';
is said($stack->page($session)), '503 unavailable',
    'enroll_session_cache 0 always asks';
is said($http->get('/cached', Cookie => $spent_session)), '410 enrolled',
    'no session but its own';
$redis->thaw;
wait_for { $stack->page($session)->status == 200 } 'recovery';

is $stack->begin($session)->status, 200, 'a begin';
$redis->freeze;
is said($http->get('/cached', Cookie => $session)), '503 unavailable',
    'ends what was known before';
$redis->thaw;
wait_for { $stack->page($session)->status == 200 } 'recovery';

is $http->get('/cached', Cookie => $session)->status, 200, 'cached again';
$stack->revoke(id => $id);
is said($http->get('/cached', Cookie => $session)), '410 revoked',
    'a revocation on this host ends the cache, too';


# --- Redis that answers, but does not write

for my $case (['out of memory' => 'maxmemory'],
    ['too few replicas' => 'min-replicas-to-write'])
{
    my ($name, $option) = @$case;
    ($session, $id) = begun();
    $token = $stack->token(subject => "subject-$option");
    $idp->clear;
    $redis->command('CONFIG', 'SET', $option, 1);

    for my $way (['begin' => $stack->begin($session)],
        ['redeem' => $stack->redeem($token)],
        ['issue' => $stack->issue(subject => 'x', event => "x-$option")])
    {
        is said($way->[1]), '503 unavailable', "$name: no $way->[0] (I6)";
    }
    is $idp->count, 0, 'the IdP hears nothing';
    is $stack->record($id)->{state}, 'redeemed', 'nothing is changed (I7)';

    $redis->command('CONFIG', 'SET', $option, 0);
    wait_for { $stack->page($session)->status == 200 } 'recovery';
    is $stack->finish($session)->status, 200, 'then it works';
    is said($stack->redeem($token)), '200', 'and the token is good';
    is $stack->issue(subject => 'x', event => "x-$option")->status, 201,
        'and the joiner event makes its token';
    $stack->wait_record($id, state => 'enrolled');
}


# --- replies that are lost: what was done is not done twice, and is told

sub events_of {
    my ($id) = @_;
    return join ' ', map { $_->{event} } $stack->events(id => $id);
}

# A whole enrollment, in which the nth reply of a step is lost, m times.

sub lossy {
    my ($step, $skip, $times) = @_;

    my $name = 'lossy-' . ++$subject;
    # a reply that is still on its way must not be the one that is lost
    my $loses = sub {
        return if $_[0] ne $step;
        wait_for {
            $http->get('/lossy/status')->json->{ledger}{pending} == 0;
        } 'silence';
        $lossy->lose($times, $skip);
    };
    my %said;

    $loses->('issue');
    my $made = $stack->call('/lossy/enroll/issue',
        { subject => $name, class => 'standard' }, event => $name);
    $said{issue} = $made->status;
    my ($id, $token) = @{$made->json // {}}{qw(id token)};
    return \%said if !defined $token;

    $loses->('redeem');
    my $redeemed = $http->post('/lossy/enroll', "token=$token",
        'Content-Type' => 'application/x-www-form-urlencoded');
    $said{redeem} = $redeemed->status;
    my $cookie = $redeemed->cookie('__Host-enroll');
    return (\%said, $id) if !defined $cookie;

    for my $way ('page', 'begin', 'finish') {
        $loses->($way);
        my @request = ("/lossy/$way", Cookie => "__Host-enroll=$cookie");
        splice @request, 1, 0, '{}' if $way ne 'page';
        my $method = $way eq 'page' ? 'get' : 'post';
        $said{$way} = $http->$method(@request)->status;
    }

    return (\%said, $id, "__Host-enroll=$cookie");
}

my %well = (issue => 201, map { $_ => 200 } qw(redeem page begin finish));
lossy('', 0, 0);        # the server knows all scripts now

for my $case (['issue', 0], ['issue', 1], ['redeem', 0], ['page', 0],
    ['begin', 0], ['finish', 0], ['finish', 1])
{
    my ($step, $skip) = @$case;
    my $lost = $lossy->lost;
    $idp->clear;

    my ($said, $id) = lossy($step, $skip, 1);
    is_deeply $said, \%well,
        "$step: reply " . ($skip + 1) . ' is lost, and asked for again';
    $stack->wait_record($id, state => 'enrolled');
    is $lossy->lost, $lost + 1, 'it was lost';
    is events_of($id), 'issue redeem begin claim settle',
        'and done once (I1, I2, I7)';
    is $idp->count('/lossy/finish'), 1, 'the IdP heard of one finish (I2)';
}

# twice: nothing comes of it, and what may be given back is

{
    $idp->clear;
    my ($said, $id, $session) = lossy('finish', 0, 2);
    is $said->{finish}, 503, 'the claim is lost twice: unavailable (I6)';
    wait_for { $stack->record($id)->{state} eq 'redeemed' } 'its release';
    is $stack->record($id)->{attempts}, 0, 'given back (I2)';
    is events_of($id), 'issue redeem begin claim settle', 'once';
    is $idp->count('/lossy/finish'), 0, 'the IdP heard of none';
    is $stack->finish($session)->status, 200, 'it can be done again';
    $stack->wait_record($id, state => 'enrolled');

    my $lost = $lossy->lost;
    ($said, $id) = lossy('finish', 1, 3);
    is $said->{finish}, 200, 'the settlement is lost three times';
    $stack->wait_record($id, state => 'enrolled');
    wait_for { $lossy->lost == $lost + 3 } 'all to be lost';
    is events_of($id), 'issue redeem begin claim settle', 'it lands once';

    ($said, $id) = lossy('begin', 0, 2);
    is $said->{begin}, 503, 'a begin is lost twice: unavailable';
    $stack->wait_record($id, state => 'enrolled');
    is events_of($id), 'issue redeem begin claim settle',
        'it was done, once, and the finish finds it';
}


# --- connections that are cut, all the time

{
    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        my $client = $redis->connect;
        my $end = time + 60;
        while (time < $end && getppid != 1) {
            $client->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME',
                'yes');
            select undef, undef, undef, 0.025;
        }
        POSIX::_exit(0);
    }

    delete $redis->{client};    # it would be cut as well
    $idp->clear;
    my (%enrolled, %said, $sessions);

    # all of them at once; who is told to comes again: 503, and 409 while a
    # claim that was lost is given back
    my $all = sub {
        my ($what, %item) = @_;
        my (%answer, $round);
        wait_for {
            my @left = grep { !$answer{$_} } sort keys %item;
            $round++;
            my @got = burst(map { [$http, $item{$_}->($round)] } @left);
            for my $i (0 .. $#left) {
                $said{said($got[$i])}++;
                $answer{$left[$i]} = $got[$i]
                    if $got[$i]->status !~ /^(?:503|409)$/;
            }
            keys %answer == keys %item;
        } "all to $what", 40;
        return %answer;
    };

    for my $batch (1 .. 3) {
        my @names = map { "cut-$batch-$_" } 1 .. 30;
        my $type = 'Content-Type';

        my %made = $all->('be issued', map { my $name = $_; ($name => sub {
            my $body = qq({"subject":"$name","class":"standard"});
            return ('POST', '/enroll/issue', [webhook_headers(
                $stack->{secret}, $body, id => "$name-$_[0]"),
                $type => 'application/json'], $body);
        }) } @names);
        my %redeemed = $all->('redeem', map { my $name = $_; ($name => sub {
            return ('POST', '/enroll', [$type =>
                'application/x-www-form-urlencoded'],
                'token=' . $made{$name}->json->{token});
        }) } @names);
        my %cookie = map { $_ => $redeemed{$_}->cookie('__Host-enroll') }
            grep { $redeemed{$_}->status == 200 } @names;
        $sessions += keys %cookie;

        my %finished;
        for my $step (qw(begin finish)) {
            %finished = $all->($step, map { my $cookie = $cookie{$_};
                ($_ => sub { return ('POST', "/register/$step",
                    [Cookie => "__Host-enroll=$cookie"], '') })
                } keys %cookie);
        }
        $enrolled{$made{$_}->json->{id}} = 1
            for grep { $finished{$_}->status == 200 } keys %finished;
    }

    kill 'KILL', $pid;
    waitpid $pid, 0;
    note "connections cut: $_ $said{$_}" for sort keys %said;

    my @finished = $idp->requests('/register/finish');
    is @finished, scalar keys %enrolled,
        'connections cut: the IdP heard as many as succeeded (I2)';
    is scalar keys %enrolled, $sessions, 'and every session does in the end';
    $stack->wait_record($_, state => 'enrolled') for keys %enrolled;
    is_deeply [grep { $stack->record($_)->{attempts} != 1 } keys %enrolled],
        [], 'each with one attempt';
}

is_deeply [audit($stack)], [], 'the trail is whole after all that: no gap, '
    . 'no double, no change without its event (I7)';


# --- no scripts

$redis->command('SCRIPT', 'FLUSH');
($session, $id) = begun();
is $stack->finish($session)->status, 200, 'a server without our scripts';
$stack->wait_record($id, state => 'enrolled');


# --- emptied

my ($live) = begun();
($session, $id) = begun();
$token = $stack->token(subject => 'flushed');
my $used = $stack->token(subject => 'flushed-too');
my $used_session = $stack->session($used);
$stack->begin($used_session);
$stack->finish($used_session);
wait_for { $stack->events(event => 'settle', subject => 'flushed-too') }
    'settlement';
my $left = $stack->token(subject => 'redeemed-only');
$stack->redeem($left);

$redis->command('FLUSHALL');
$idp->clear;
my $monitor = $redis->monitor;

is said($stack->redeem($used)), '410 enrolled',
    'emptied: a token that enrolled is refused by this host (I1)';
is said($stack->begin_by(Authorization => "Bearer $used")), '410 enrolled',
    'as a bearer, too';
is said($stack->$_($used_session)), '410 enrolled', "its session's $_, too"
    for qw(page begin finish);
is said($stack->redeem($left)), '410 redeemed',
    'a token that was redeemed is (I1)';
is_deeply [grep { $_->{args}[0] =~ /^eval/i } $monitor->commands], [],
    'and Redis is not even asked';

for my $step (qw(page begin finish)) {
    is said($stack->$step($live)), '401 unknown',
        "emptied: a live session's $step is refused (I2)";
}
is said($stack->redeem($token)), '401 unknown', 'and a fresh token';
is $idp->count, 0, 'nothing reached the IdP';

($session, $id) = begun();
is $stack->finish($session)->status, 200, 'new tokens work';


# --- started anew, empty

$redis->stop;
unlink glob $redis->dir . '/appendonlydir/*';
$redis->start;
wait_for { said($stack->page($live)) eq '401 unknown' } 'recovery';

is said($stack->redeem($used)), '410 enrolled',
    'started empty: a spent token is refused by this host (I1)';
is said($stack->finish($session)), '410 enrolled', 'and its session';
($session, $id) = begun();
is $stack->finish($session)->status, 200, 'new tokens work';
$stack->wait_record($id, state => 'enrolled');

done_testing;
