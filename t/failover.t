#!/usr/bin/perl

# The master dies, is relieved by plan, and slots move, all under some 200
# enrollments a second over two hosts: no token enrolls twice (I1, I2), what is
# void is told and counted (I7, I10), and it goes on by itself (I6).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Cluster;
use Enroll::Flood;
use Enroll::Sentinels;
use Enroll::Test;
use Time::HiRes qw(time);

use constant {
    RATE => 200, BACK => 10, PARTITIONS => 64,
    TIMEOUT => 600,                     # ms, of a call to Redis
};

# plan.lua and done.lua, word for word
my ($plan, $done) = slurp(top() . '/docs/failover.md')
    =~ /^```lua\n(.*?)^```/msg or die 'docs/failover.md has no scripts';

my $quick = 'enroll_redis_timeout ' . TIMEOUT . 'ms;
    enroll_redis_retry 200ms; enroll_redis_failures 3;';
my $stack;

# Enrollments of people who came after that time; with another host of each.

sub back_within {
    my ($flood, $seconds, $name) = @_;
    my $since = time;
    $flood->wait_done(RATE / 4, $seconds, $since);
    my ($first) = sort { $a <=> $b } map { $_->{ended} }
        Enroll::Flood::done(grep { $_->{began} >= $since } $flood->told);
    cmp_ok $first - $since, '<', patience($seconds),
        "$name: enrollments go on by themselves (I6)";
    diag sprintf '%s: the first whole enrollment after %.1f s', $name,
        $first - $since;
    return;
}

# The fences of a partition: each with what was alive when it got there (live:
# its id, its state), by the events that the store still knows.

sub fences {
    my ($partition) = @_;

    my (%live, @found);
    for my $event ($stack->events(partition => $partition)) {
        if ($event->{event} eq 'fence') {
            push @found, { %$event, partition => $partition,
                ended => $event->{from} ne $event->{to}, live => { %live } };
            %live = () if $event->{from} ne $event->{to};
        }
        my ($id, $to) = @$event{qw(id to)};
        next if !defined $to || !defined $id;
        my $ends = $to !~ /^(?:issued|redeemed|claimed)$/
            || ($event->{event} eq 'settle' && $to eq 'claimed');
        if ($ends) { delete $live{$id} }
        else       { $live{$id} = $to }
    }
    return @found;
}

# Whose token was void when they came.

sub void {
    my @void;
    for my $told (@_) {
        my @said = map { @{$told->{said}{$_} || []} } qw(redeem begin finish);
        push @void, $told if grep { $_ eq '410' } @said;
    }
    return @void;
}

# The clients have stopped: what they have seen, and what the events tell of
# those fences, is what must be.

sub judge {
    my ($name, $flood, $fences) = @_;

    my @told = $flood->stop;
    is_deeply [Enroll::Flood::faults($stack, @told)], [],
        "$name: nobody enrolls twice, everybody is answered (I1, I2, I6)";
    my ($worst) = sort { $b <=> $a } map { $_->{worst} } @told;
    # a token takes two calls, and each call its time
    cmp_ok $worst, '<', patience(3 * TIMEOUT / 1000),
        '… within the time that Redis is given';

    my @fences = $fences->();
    my @ended = grep { $_->{ended} } @fences;
    is_deeply [map { "partition $_->{partition}: $_->{voided} void of "
        . keys %{$_->{live}} } grep { $_->{voided} != keys %{$_->{live}} }
        @ended], [], '… the events count the live tokens that are void (I7)';
    is_deeply [map { $_->{voided} } grep { !$_->{ended} && $_->{voided} }
        @fences], [], '… of an incarnation that was adopted there are none';

    # enrolled by then, though perhaps the store has forgotten it
    my %void = map { my $at = $_->{at} / 1000;
        map { $_ => $at } keys %{$_->{live}} } @ended;
    is scalar(grep { $_->{enrolled} > $void{$_->{id}} + 1 }
        grep { $void{$_->{id}} } Enroll::Flood::done(@told)), 0,
        '… none of them enrolls any more (I10)';
    my @void = void(@told);
    is scalar(grep { !$void{$_->{id}} } @void), 0,
        '… and to nobody else it is said that his is void';

    my ($from, $to) = (sort { $a <=> $b } map { $_->{began} } @told)[0, -1];
    diag sprintf '%s: %.0f a second, %d of %d enrolled, the slowest answer '
        . 'after %.2f s, %d void, %d came again', $name, @told / ($to - $from),
        scalar Enroll::Flood::done(@told), scalar @told, $worst,
        scalar keys %void, scalar @void;
    return (\@told, \@fences, \@void);
}

# --- behind Sentinel

my $idp = Enroll::Flood::idp();
my $set = Enroll::Sentinels->new(name => 'set');

$stack = stack(idp => $idp, instances => 2, Enroll::Flood::conf(),
    redis_server => ($set->servers)[0],
    redis => "$quick enroll_redis_sentinel enroll " . $set->addresses . ';');

{
    my $flood = Enroll::Flood->new($stack, rate => RATE);
    $flood->wait_done(2 * RATE, 20);

    my $killed = $set->master;
    $killed->stop('KILL');
    back_within($flood, BACK, 'kill -9 of the master');
    $stack->{redis_server} = $set->wait_master($killed);

    my ($told, $fences, $void) = judge('kill -9 of the master', $flood,
        sub { fences(0) });
    is join(' ', map { $_->{why} } @$fences) =~ s/sequence/incarnation/r,
        'incarnation', 'one event tells of it';
    cmp_ok $fences->[0]{voided}, '>', RATE / 2, 'of many tokens';
    cmp_ok scalar @$void, '>', RATE / 4, 'as their bearers have noticed';

    my $problems;
    holds_within(10, sub { $problems = join "\n", audit($stack);
        $problems eq '' });
    is $problems, '', 'the new master has an event for each change (I7)';

    $killed->start;
    wait_for { Enroll::Sentinels::role($killed) eq 'slave' } 'it to follow',
        20;
    $set->wait_calm;
}


# --- by plan, as docs/failover.md says

{
    my $before = () = fences(0);
    my @waiting = map { $stack->issue->json } 1 .. 20;
    my @session = map { my ($s, $id) = $stack->enter; { id => $id,
        session => $s } } 1 .. 20;

    my $flood = Enroll::Flood->new($stack, rate => RATE, lag => 1);
    $flood->wait_done(RATE, 20);

    my $old = $set->master;
    my $new = $set->failover(announce => sub {
        $_[0]->command('EVAL', $plan, 1, 'enroll:{0}:meta') });
    isnt $new, $old, 'another master, by plan';
    $stack->{redis_server} = $new;
    back_within($flood, BACK, 'a failover by plan');

    my ($told, $fences, $void) = judge('a failover by plan', $flood,
        sub { my @all = fences(0); @all[$before .. $#all] });
    is join(' ', map { "$_->{why} $_->{voided}" } @$fences), 'planned 0',
        'one event tells of it, and that no token is void';
    is scalar @$void, 0, 'as all bearers have noticed';
    is scalar Enroll::Flood::done(@$told), scalar @$told, 'they all enroll';

    is scalar(grep { $stack->redeem($_->{token})->status != 200 } @waiting),
        0, 'those who had waited, too';
    is scalar(grep { $stack->begin($_->{session})->status != 200
        || $stack->finish($_->{session})->status != 200 } @session), 0,
        'and those who had begun';

    wait_for { Enroll::Sentinels::role($old) eq 'slave' } 'it to follow', 20;
    $old->command('CONFIG', 'SET', 'min-replicas-to-write', 0);
    $set->finish;
}


# --- a cluster

my $cluster = Enroll::Cluster->new(name => 'cluster');

$stack = stack(idp => $idp, instances => 2, Enroll::Flood::conf(),
    redis_server => redis(name => 'unused'),
    redis => "$quick enroll_redis_cluster " . $cluster->addresses . ';',
    http => 'enroll_partitions ' . PARTITIONS . ';');
$stack->{redis_server} = $cluster;

sub slot   { return $cluster->slot("enroll:{$_[0]}:meta") }
sub fences_of { return map { fences($_) } @_ }

sub at_all {
    my ($script) = @_;
    $cluster->command('EVAL', $script, 1, "enroll:{$_}:meta")
        for 0 .. PARTITIONS - 1;
    return;
}

sub planned {
    return join ' ', grep { defined $cluster->command('HGET',
        "enroll:{$_}:meta", 'planned') } 0 .. PARTITIONS - 1;
}

# The partitions that a master has.
sub partitions_of {
    my ($master) = @_;
    return grep { $cluster->owner(slot($_)) == $master } 0 .. PARTITIONS - 1;
}

my @all;        # all that were told

{
    my $flood = Enroll::Flood->new($stack, rate => RATE);
    $flood->wait_done(RATE, 20);

    # two of each kind after another, each to the next master
    my @masters = $cluster->masters;
    my %kind = map { 5 * $_ => $_ % 2 ? 'planned' : 'ended' } 0 .. 11;
    for my $partition (sort { $a <=> $b } keys %kind) {
        my $slot = slot($partition);
        my $from = $cluster->owner($slot);
        my ($n) = grep { $masters[$_] == $from } 0 .. 2;
        $cluster->command('EVAL', $plan, 1, "enroll:{$partition}:meta")
            if $kind{$partition} eq 'planned';
        $cluster->move($slot, $masters[($n + 1) % 3], keys => 100);
    }
    $flood->wait_done(RATE, 20, time);

    my ($told, $fences, $void) = judge('12 slots moved', $flood,
        sub { fences_of(0 .. PARTITIONS - 1) });
    push @all, @$told;
    is_deeply [sort map { "$_->{partition} "
        . ($_->{why} eq 'planned' ? 'planned' : 'ended') } @$fences],
        [sort map { "$_ $kind{$_}" } keys %kind],
        'each that moved is told of: by plan, or its tokens are void (I10)';
    cmp_ok scalar(grep { $_->{voided} } @$fences), '>', 3,
        'which some of them had';
    cmp_ok scalar(Enroll::Flood::done(@$told)) + @$void, '==', @$told,
        'and who was not one of those enrolls';
}

{
    my $flood = Enroll::Flood->new($stack, rate => RATE);
    $flood->wait_done(RATE, 20);

    my ($master) = $cluster->masters;
    my @partitions = partitions_of($master);
    at_all($plan);
    $cluster->failover($master);
    back_within($flood, BACK, 'CLUSTER FAILOVER by plan');

    my ($told, $fences, $void) = judge('CLUSTER FAILOVER by plan', $flood,
        sub { grep { $_->{at} / 1000 > $flood->{from} }
            fences_of(0 .. PARTITIONS - 1) });
    push @all, @$told;
    is_deeply [sort { $a <=> $b } map { $_->{partition} } grep {
        $_->{why} eq 'planned' } @$fences], [sort { $a <=> $b } @partitions],
        'each of its partitions goes on, by plan';
    is scalar(grep { $_->{why} ne 'planned' } @$fences), 0, '… and no other';
    at_all($done);
    is planned(), '', '… and when it is done no plan is left behind';
    is scalar @$void, 0, 'no token is void';
    is scalar Enroll::Flood::done(@$told), scalar @$told, 'they all enroll';
    $cluster->wait_ok;
}

{
    my $flood = Enroll::Flood->new($stack, rate => RATE);
    $flood->wait_done(RATE, 20);

    my ($killed) = $cluster->masters;
    my %its = map { $_ => 1 } partitions_of($killed);
    $killed->stop('KILL');

    my $since = time;
    $flood->wait_done(2 * RATE, BACK, $since);
    ok holds_within(BACK, sub {
        my %back = map { hex(substr $_->{id}, 0, 4) => 1 } Enroll::Flood::done(
            grep { $_->{began} > $since } $flood->told);
        !grep { !$back{$_} } keys %its;
    }), 'kill -9 of a master: all its partitions are back (I6)';
    diag sprintf 'kill -9 of a master: after %.1f s', time - $since;

    my ($told, $fences, $void) = judge('kill -9 of a master', $flood,
        sub { grep { $_->{at} / 1000 > $since }
            fences_of(0 .. PARTITIONS - 1) });
    push @all, @$told;
    is_deeply [sort { $a <=> $b } map { $_->{partition} } @$fences],
        [sort { $a <=> $b } keys %its], 'each of its partitions is told of';
    is scalar(grep { $_->{why} eq 'planned' } @$fences), 0, '… by no plan';
    cmp_ok scalar(Enroll::Flood::done(@$told)) + @$void, '==', @$told,
        'who was in none of those enrolls';

    $killed->start;
    $cluster->wait_ok;
}

my $problems;
holds_within(10, sub { $problems = join "\n", audit($stack, PARTITIONS);
    $problems eq '' });
is $problems, '', 'an event for each change, in each partition (I7)';


# --- how evenly tokens are spread: chi-square, 63 degrees of freedom; a fair
# keyed hash is above 132 once in a million runs

{
    my @count = (0) x PARTITIONS;
    $count[hex substr $_->{id}, 0, 4]++ for grep { $_->{id} ne '-' } @all;
    my ($n, $square) = (0, 0);
    $n += $_ for @count;
    $square += ($_ - $n / PARTITIONS) ** 2 / ($n / PARTITIONS) for @count;
    cmp_ok $n, '>=', 2000, 'many subjects';
    cmp_ok $square, '<', 132, '… are spread evenly over the partitions';
    my ($least, $most) = (sort { $a <=> $b } @count)[0, -1];
    diag sprintf '%d subjects in %d partitions: %d to %d, chi-square %.1f',
        $n, scalar @count, $least, $most, $square;
}

done_testing;
