#!/usr/bin/perl

# Reload under load: no enrollment is lost or doubled, old workers leave, and
# what the shared zone knows stays known.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Test;
use POSIX ();
use Time::HiRes qw(time);

use constant CLIENTS => 4;

my $stack = stack(workers => 2,
    redis => 'enroll_redis unix:%%REDIS%%;
        enroll_redis_retry 100ms;',
    finish => 'proxy_read_timeout 20s;');
my $nginx = $stack->nginx;
my $idp = $stack->idp;
my $http = $stack->http;
my $subject = 0;


sub said {
    my ($response) = @_;
    my $json = $response->json;
    return join ' ', $response->status, $json ? $json->{reason} // () : ();
}

sub begun {
    my ($session, $id) = $stack->enter(subject => 'subject-' . ++$subject);
    $stack->begin($session);
    return ($session, $id);
}

# A finish that the IdP has in its hands.

sub fly {
    my ($session) = @_;
    my $n = $idp->count('/register/finish');
    my $socket = $http->connect;
    print $socket $http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    $socket->flush;
    $idp->wait_count($n + 1, '/register/finish');
    return $socket;
}

# Its answer. The client closes, too: nginx lingers for one that does not.

sub land {
    my ($socket) = @_;
    my $response = $http->read_response($socket);
    close $socket;
    return $response;
}


# --- a stream of enrollments, and reloads

$idp->answer('/register/finish' => { status => 200, delay => 0.01 });

my $stop = test_dir() . '/stop';
my %client;

for my $n (1 .. CLIENTS) {
    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid) {
        $client{$pid} = $n;
        next;
    }

    # what went wrong, and how many went well; a connection that was
    # accepted is answered, reload or not
    my ($done, @wrong) = (0);

    while (!-e $stop && getppid != 1) {
        my $name = "load-$n-" . ($done + @wrong);
        my $step = eval {
            my $made = $stack->issue(subject => $name, event => $name);
            $made->status == 201 or return "issue $made->{error} "
                . said($made);
            my $redeemed = $stack->redeem($made->json->{token});
            $redeemed->status == 200 or return "redeem $redeemed->{error} "
                . said($redeemed);
            my $session = '__Host-enroll='
                . $redeemed->cookie('__Host-enroll');
            for my $step (qw(page begin finish)) {
                my $response = $stack->$step($session);
                $response->status == 200
                    or return "$step $response->{error} " . said($response);
            }
            '';
        } // "died: $@";
        push @wrong, "$name: $step" if $step ne '';
        $done++ if $step eq '';
    }

    spew(test_dir() . "/client-$n", join '', map { "$_\n" } $done, @wrong);
    POSIX::_exit(0);
}

my $slowest = 0;
my %workers = map { $_ => 1 } $nginx->worker_pids;
my $finishes = sub { $idp->count('/register/finish') };

for my $round (1 .. 5) {
    # in the midst of it
    my $from = $finishes->();
    wait_for { $finishes->() >= $from + 20 } 'enrollments to be made';

    my $time = time;
    $nginx->reload(leave => 1);
    my $took = time - $time;
    $slowest = $took if $took > $slowest;
    $workers{$_} = 1 for $nginx->worker_pids;
}

my $from = $finishes->();
wait_for { $finishes->() >= $from + 20 } 'enrollments after the reloads';
spew($stop, '');
wait_for { for (keys %client) { delete $client{$_} if waitpid($_,
    POSIX::WNOHANG()) == $_ } !%client } 'the clients to end';

is keys %workers, 12, 'five reloads of two workers under load';
cmp_ok $slowest, '<', patience(5), 'old workers leave';
note sprintf 'the slowest reload took %.0f ms', 1000 * $slowest;

my ($done, @wrong) = (0);
for my $n (1 .. CLIENTS) {
    my ($number, @lines) = split /\n/, slurp(test_dir() . "/client-$n");
    $done += $number // 0;
    push @wrong, @lines;
}

is_deeply \@wrong, [], 'no request failed';
note "$done enrollments";

my @all = $stack->redis->keys('enroll:{0}:token:*');
wait_for { !grep { ($stack->redis->command('HGET', $_, 'state') // '')
    eq 'claimed' } @all } 'the settlements';
my %record = map { my $record = $stack->redis->hash('HGETALL', $_);
    ($record->{subject} => $record) } @all;
my @enrolled = sort grep { $record{$_}{state} eq 'enrolled' } keys %record;
my @sent = sort map { $_->header('Enroll-Subject') }
    $idp->requests('/register/finish');

is @enrolled, $done, 'who was told so is enrolled, and nobody else';
is_deeply \@sent, \@enrolled,
    'each enrolled one was sent to the IdP once, and nobody else (I2)';
is_deeply [grep { $record{$_}{attempts} != 1 } @enrolled], [],
    'with one attempt each';

my $status = $stack->status;
is_deeply { map { $_ => $status->{events}{$_} }
    qw(issue redeem begin claim enrolled) },
    { map { $_ => $done } qw(issue redeem begin claim enrolled) },
    'the counters have gone on through all reloads';
is_deeply [audit($stack)], [], 'the trail is whole (I7)';
is grep({ $_->{event} eq 'settle' } $stack->log_lines), $done,
    'and so is enroll_log';


# --- tombstones

{
    my $token = $stack->token(subject => 'spent');
    my $session = $stack->session($token);
    $stack->begin($session);
    $stack->finish($session);
    wait_for { $stack->events(last => 1, event => 'settle',
        subject => 'spent') } 'settlement';
    my $redeemed = $stack->token(subject => 'redeemed');
    $stack->redeem($redeemed);
    my $before = $stack->status->{zone}{entries};

    $nginx->reload(leave => 1);
    my $monitor = $stack->redis->monitor;

    is said($stack->redeem($token)), '410 enrolled',
        'a spent token is refused after a reload (I1)';
    is said($stack->finish($session)), '410 enrolled', 'and its session (I2)';
    is said($stack->redeem($redeemed)), '410 redeemed', 'a redeemed one, too';
    is_deeply [grep { $_->{args}[0] =~ /^eval/i } $monitor->commands], [],
        'without asking Redis: the zone was kept';
    is $stack->status->{zone}{entries}, $before, 'with all its entries';
}


# --- a finish in flight while its worker is on its leave

for my $case ([200, 'enrolled', 'enrolled'], [400, 'refused', 'redeemed'],
    [500, 'unknown', 'claimed'])
{
    my ($status, $outcome, $state) = @$case;
    my ($session, $id) = begun();
    $idp->answer('/register/finish' => { hang => 1 });
    my $socket = fly($session);

    my @old = $nginx->reload;
    is said($stack->finish($session)), '409 claimed',
        'in flight in an old worker: new ones know (I2)';
    $idp->release({ status => $status });

    is land($socket)->status, $status,
        "the old worker brings the answer: $status";
    ok $nginx->workers_leave(@old), 'and leaves';
    $stack->wait_record($id, outcome => $outcome, state => $state);
    pass "its settlement has landed: $outcome (I2)";
}

# where Redis is away when the old worker would settle: within a bound

{
    my ($session, $id) = begun();
    $idp->answer('/register/finish' => { hang => 1 });
    my $socket = fly($session);
    my @old = $nginx->reload;

    $stack->redis->freeze;
    $idp->release({ status => 200 });
    is land($socket)->status, 200, 'Redis is frozen';
    $nginx->wait_log(qr/no answer from the ledger to settle of token $id/);
    is grep({ my $pid = $_; grep { $_ == $pid } @old }
        $nginx->worker_pids(1)), 1, 'the old worker stays to settle';
    $stack->redis->thaw;
    ok $nginx->workers_leave(@old), 'and leaves when Redis is back';
    $stack->wait_record($id, state => 'enrolled');
    pass 'enrolled';

    ($session, $id) = begun();
    $socket = fly($session);
    @old = $nginx->reload;
    $stack->redis->freeze;
    $idp->release({ status => 200 });
    land($socket);
    my $time = time;
    ok $nginx->workers_leave(@old), 'where Redis does not come back it leaves';
    cmp_ok time - $time, '<', patience(8), 'within a bound';
    note sprintf 'an old worker waited %.1f s', time - $time;
    is said($stack->finish($session)), '410 enrolled',
        'the zone knows that it enrolled (I2)';
    $stack->redis->thaw;
    wait_for { $stack->page((begun())[0])->status == 200 } 'recovery';
    is said($stack->redeem('x')), '401 forged', 'and it goes on';
}

# a claim that is asked for while its worker is told to leave

{
    my ($session, $id) = begun();
    $idp->answer('/register/finish' => { status => 200 });
    $stack->redis->freeze;
    my $socket = $http->connect;
    print $socket $http->bytes('POST', '/register/finish',
        [Cookie => $session], '');
    $socket->flush;
    $nginx->wait_log(
        qr{request line: "POST /register/finish(?!.*request line)}s);
    my @old = $nginx->reload;
    $stack->redis->thaw;

    my $response = land($socket);
    like $response->status, qr/\A(?:200|503)\z/,
        'a claim while its worker leaves is answered';
    ok $nginx->workers_leave(@old), 'the worker leaves';
    wait_for { $stack->record($id)->{state} =~ /^(?:enrolled|redeemed)$/ }
        'its end';
    is $stack->record($id)->{state},
        $response->status == 200 ? 'enrolled' : 'redeemed',
        'and the record says what the client heard';
}


# --- QUIT, with a finish in flight, and a start

{
    my ($session, $id) = begun();
    $idp->answer('/register/finish' => { hang => 1 });
    my $socket = fly($session);
    $nginx->signal('QUIT');
    wait_for { !$nginx->worker_pids } 'the workers to be on their leave';
    $idp->release({ status => 200 });
    is land($socket)->status, 200,
        'QUIT: what is in flight is brought home';
    $nginx->stop;
    $stack->wait_record($id, state => 'enrolled');
    pass 'and settled (I2)';
    $nginx->start;
    is said($stack->finish($session)), '410 enrolled',
        'a new start knows nothing, and asks Redis (I2)';
}

# TERM: as a crash

{
    my ($session, $id) = begun();
    $idp->answer('/register/finish' => { hang => 1 });
    my $socket = fly($session);
    $nginx->stop('TERM');
    $idp->release({ status => 200 });
    $nginx->start;
    is said($stack->finish($session)), '409 claimed',
        'TERM with a finish in flight: closed for ever (I2)';
    is $stack->record($id)->{state}, 'claimed', 'nobody knows its outcome';
}


# --- reload while Redis is down

{
    my ($session, $id) = begun();
    $idp->answer('/register/finish' => { status => 200 });
    $stack->redis->freeze;
    is said($stack->finish($session)), '503 unavailable', 'Redis is down';
    my $time = time;
    $nginx->reload(leave => 1);
    cmp_ok time - $time, '<', patience(8), 'a reload then: old workers leave';
    is said($stack->finish($session)), '503 unavailable', 'still closed (I6)';
    $stack->redis->thaw;
    wait_for { $stack->record($id)->{state} eq 'redeemed'
        && $stack->page($session)->status == 200 } 'recovery';
    is $stack->record($id)->{attempts}, 0, 'nothing was spent';
    is $stack->finish($session)->status, 200, 'and it works again';
    $stack->wait_record($id, state => 'enrolled');
}

is_deeply [audit($stack)], [], 'the trail is whole (I7)';

done_testing;
