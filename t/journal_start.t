#!/usr/bin/perl

# What the journal has seen spent stays spent when nginx is started anew,
# whatever Redis knows by then, and without asking it (I1, I10).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Journal qw(records);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use File::Path qw(remove_tree);
use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;
my $stack = stack(workers => 2, class => 'ttl 1h; window 10m; attempts 1;',
    http => 'enroll_journal %%DIR%%/logs/journal;',
    redis_server => { conf => ['appendonly yes'] });
my ($nginx, $idp, $redis) = ($stack->nginx, $stack->idp, $stack->redis);
my $file = "$nginx->{logs}/journal";

sub tombstones {
    my ($log) = @_;
    my $n = 0;
    $n += $_ for $log =~ /(\d+) tombstones from the journal/g;
    return $n;
}

# What nginx says while it starts, or does something else.
sub heard {
    my ($what) = @_;
    my $before = length $nginx->error_log;
    $what->();
    return substr $nginx->error_log, $before;
}

sub restart {
    return heard(sub { $nginx->stop; $nginx->start });
}

# Scripts that Redis has run since the monitor was asked.
sub asked {
    my ($monitor) = @_;
    return scalar grep { $_->{args}[0] =~ /^eval/i } $monitor->commands;
}


# --- one token of each kind, and sessions that are open

my %token = map { my $made = $stack->issue(subject => $_)->json; ($_ => $made) }
    qw(fresh redeemed enrolled revoked superseded locked open claimed direct);
my %session;
$session{$_} = $stack->session($token{$_}{token})
    for qw(redeemed enrolled locked open claimed);
$stack->begin($session{$_}) for qw(enrolled locked open claimed);
passed($stack->finish($session{enrolled}), 'one enrolls');
$idp->answer('/register/finish' => { status => 400 }, { status => 500 });
is $stack->finish($session{locked})->status, 400, 'one has no attempts left';
is $stack->finish($session{claimed})->status, 500, 'one nobody knows of';
passed($stack->begin_by(Authorization => "Bearer $token{direct}{token}"),
    'one has no browser');
$idp->answer('/register/finish' => { status => 200 });
$stack->leave(subject => 'revoked');
$stack->issue(subject => 'superseded');
$stack->wait_record($token{enrolled}{id}, state => 'enrolled');
$stack->wait_record($token{locked}{id}, state => 'locked');
$stack->wait_record($token{claimed}{id}, outcome => 'unknown');
wait_for { my @all = records($file); @all == $stack->events } 'the last line';


subtest 'nginx alone is started anew' => sub {
    my $said = restart();
    cmp_ok tombstones($said), '>', 10, 'tombstones are made of the journal';
    unlike slurp($file), qr/^$/m, 'in which no line is empty';
    unlike $said, qr/skipped/, 'of all lines';
    is scalar(() = $said =~ /tombstones/g), 1, 'once, not by each worker';
    my $monitor = $redis->monitor;

    my %reason = (redeemed => 'redeemed', enrolled => 'enrolled',
        revoked => 'revoked', superseded => 'revoked', locked => 'locked',
        open => 'redeemed', claimed => 'redeemed');
    refused($stack->redeem($token{$_}{token}), 410 + ($_ eq 'locked') * 19,
        $reason{$_}, "$_, presented again") for sort keys %reason;
    is asked($monitor), 0, 'without a call to Redis';

    passed($stack->page($session{open}), 'a session that is open goes on');
    passed($stack->begin_by(Authorization => "Bearer $token{direct}{token}"),
        'so does one without a browser');
    refused($stack->redeem($token{direct}{token}), 410, 'redeemed',
        'whose token nobody redeems any more');
    my $other = $stack->session($token{fresh}{token});
    passed($stack->page($other), 'and a token that was not spent is good');
};


subtest 'a reload' => sub {
    my $said = heard(sub { $nginx->reload(leave => 1) });
    is tombstones($said), 0, 'the zone was kept: nothing is read';

    (my $larger = $stack->conf) =~ s/enroll_zone enroll 1m/enroll_zone enroll 2m/;
    $said = heard(sub { $nginx->reload(http => $larger, leave => 1) });
    cmp_ok tombstones($said), '>', 10, 'a zone of another size is a new one';
    my $monitor = $redis->monitor;
    refused($stack->redeem($token{enrolled}{token}), 410, 'enrolled',
        'which knows of what was spent');
    is asked($monitor), 0, 'without a call to Redis';
};


subtest 'nginx -t' => sub {
    my $n = heard(sub {
        local %ENV = (%ENV, %{$nginx->_env(0)});
        system(join ' ', $nginx->_argv('-t', '-q')) == 0 or die 'nginx -t';
    });
    is tombstones($n), 0, 'does not read it';
};


# Everything is gone but the journal.

subtest 'Redis\' data are removed' => sub {
    $nginx->stop;
    $redis->stop;
    remove_tree(glob "@{[$redis->dir]}/appendonlydir");
    unlink glob "@{[$redis->dir]}/*.rdb";
    $redis->start;
    is scalar(@{[$redis->keys]}), 0, 'it knows nothing';
    $nginx->start;
    my $monitor = $redis->monitor;

    refused($stack->redeem($token{$_}{token}), 410,
        $_ eq 'enrolled' ? 'enrolled' : 'redeemed', "$_, presented again (I1)")
        for qw(enrolled redeemed open claimed fresh);
    refused($stack->finish_by(Authorization =>
        "Bearer $token{enrolled}{token}"), 410, 'enrolled',
        'and at an endpoint (I2)');
    is asked($monitor), 0, 'without a call to Redis';
    is scalar($idp->count('/admin')), 0, 'nothing is forwarded';
};


subtest 'a host that was down while it was rotated' => sub {
    $nginx->stop;
    rename $file, "$file.1" or die "$file: $!";
    $nginx->start;
    is((-s $file), 0, 'the journal is empty');
    refused($stack->redeem($token{enrolled}{token}), 410, 'enrolled',
        'the one before it is read, too');

    my $later = $stack->issue->json;
    $stack->session($later->{token});
    wait_for { grep { $_->{event} eq 'redeem' } records($file) } 'the line';
    my $said = restart();
    like $said, qr/tombstones from the journal "\Q$file\E\.1"/, 'it is read';
    like $said, qr/tombstones from the journal "\Q$file\E"$/m, 'and the journal';
    refused($stack->redeem($_), 410, $_ eq $later->{token} ? 'redeemed'
        : 'enrolled', 'so both are known')
        for $later->{token}, $token{enrolled}{token};
};


# --- what stands in it is not always a record

my $soon = (time + 600) * 1000;
my $ids = 0;

sub line {
    my ($to, %more) = @_;
    return $json->encode({ event => 'x', id => sprintf('%032x', ++$ids),
        to => $to, keep_until => "$soon", %more });
}

subtest 'torn lines, and others' => sub {
    $nginx->stop;
    unlink "$file.1";
    my $session = 'ab' x 16;
    my @good = (line('enrolled'), line('expired'), line('revoked'),
        line('locked'), line('void'), line('redeemed', session => $session),
        line('claimed', session => $session),
        line('enrolled', subject => "}\n{\"", why => '"keep_until":"1"'));
    my @nothing = (line('issued', keep_until => ''),
        line('enrolled', keep_until => (time - 1) * 1000 . ''),
        '{"event":"fence","seq":"1"}', '');
    my @bad = ('{"event":"redeem","id":"', 'x' x 300_000, 'hello', '}', '{}x',
        "\0\0\0\0", '[1]', line('enrolled', id => '0' x 31),
        line('enrolled', id => undef), line('redeemed'),
        line('redeemed', session => 'x' x 32), line('sleeping'),
        line('enrolled') =~ s/"x"/x/r, line('enrolled') =~ s/"x"/"\xff"/r,
        line('enrolled', keep_until => '1' x 18) . '}',
        'x' x 131_071 . line('enrolled'));
    my @glued = (substr($good[0], 0, 40) . line('enrolled'));
    spew($file, join "\n", @good, @nothing, @bad, @glued, $good[0] . ' ',
        substr $good[1], 0, 50);
    my ($skipped) = heard(sub { $nginx->start })
        =~ /(\d+) lines of the journal .* skipped/;
    is $stack->status->{zone}{entries}, @good + @glued, 'each good one';
    is $skipped, @bad + @glued + 2, 'and how many were not';

    $stack->token(subject => 'after');
    like slurp($file), qr/^\{"[^\n]*"subject":"after"[^\n]*\}\n\z/m,
        'the next record has a line of its own';
};


subtest 'more than the zone has room for' => sub {
    $nginx->stop;
    spew($file, join '', map { line('enrolled') . "\n" } 1 .. 30_000);
    my $time = time;
    $nginx->start;
    my $status = $stack->status;
    cmp_ok $status->{zone}{entries}, '>', 1000, 'the zone is full';
    cmp_ok $status->{zone}{entries}, '<', 30_000, '… of the last ones';
    is $status->{zone}{entries} + $status->{events}{evicted}, 30_000,
        'the others have given way';
    my ($peak) = slurp('/proc/' . $nginx->pid . '/status')
        =~ /^VmHWM:\s+(\d+)/m;
    note "$peak kB, ", -s $file, ' bytes of journal';
};


subtest 'no regular file' => sub {
    $nginx->stop;
    unlink $file;
    symlink '/dev/full', $file or die $!;
    $nginx->start;
    my $made = $stack->issue(subject => 'nobody');
    is $made->status, 503, 'a device that is full';
    $nginx->stop;
    unlink $file;
    symlink '/dev/null', $file or die $!;
    $nginx->start;
    is $stack->issue(subject => 'nobody-2')->status, 201, '… and empty';
    $nginx->stop;
    unlink $file;
    $nginx->start;
    ok -f $file, 'a file that was removed is made';
};

done_testing;
