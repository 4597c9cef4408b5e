#!/usr/bin/perl

# What the fault harness judges a run by: a good history passes, and each bad
# one is found by its own rule and by no other.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Dir qw(append);
use Enroll::Process;
use Enroll::Test;

use IO::Socket::INET;
use POSIX ();

use Enroll::Chaos::Checker;
use Enroll::Chaos::Documented qw(documented);
use Enroll::Chaos::History qw(decode_line decode_record encode_line
    read_history);
use Enroll::Chaos::Load;


use constant LEAP => 2 ** 20;


# A history is told step by step, by a clock of its own that ticks in tenths
# of a second. What the ledger tells goes into the streams of both nodes and
# into the proxy's journal.

my ($h, $clock, $seq);

sub tick { return $clock += 0.1 }

sub id { return sprintf '0000%028x', $_[0] }
sub op { return sprintf '%032x', $_[0] }

sub request {
    my ($step, $token, %more) = @_;
    push @{$h->{requests}}, { at => tick(), done => $clock + 0.05,
        proxy => 'p1', step => $step, id => id($token), try => undef,
        first => 0, status => 200, reason => '', %more };
    return $h->{requests}[-1];
}

sub told {
    my ($event, $token, $op, %more) = @_;
    my $fields = { seq => ++$seq, at => int(1000 * tick()), event => $event,
        (defined $token ? (id => id($token), subject => "s$token",
            class => 'standard') : ()), op => op($op),
        client => '127.0.0.1', %more };
    return $fields;
}

sub streamed {
    my ($fields, @nodes) = @_;
    push @{$h->{streams}}, map { { node => $_, partition => 0,
        entry => "$fields->{at}-0", fields => { %$fields } } }
        @nodes ? @nodes : qw(r1 r2);
    return $fields;
}

sub journaled {
    my ($fields, $file) = @_;
    # all are strings there
    my %record = (%$fields, partition => 0, host => 'p1');
    my $record = { map { ($_ => "$record{$_}") } keys %record };
    $file ||= 'p1/journal/journal.jsonl';
    push @{$h->{journals}}, { file => $file, record => $record,
        torn => 0, line => 1 + @{$h->{journals}}, text => encode_line($record) };
    return;
}

sub event { my $f = streamed(told(@_)); journaled($f); return $f }

sub receipt {
    my ($token, $try, $answer) = @_;
    push @{$h->{receipts}}, { at => tick(), id => id($token), try => $try,
        answer => $answer, journaled => 1 };
    return;
}


my $ops = 100;

sub enter {
    my ($token) = @_;

    request(issue => $token, status => 201);
    event(issue => $token, ++$ops, from => 'none', to => 'issued');
    request(redeem => $token, first => 1);
    event(redeem => $token, ++$ops, from => 'issued', to => 'redeemed');
    request(redeem => $token, proxy => 'p2', status => 410,
        reason => 'redeemed');
    request(begin => $token);
    event(begin => $token, ++$ops, from => 'redeemed', to => 'redeemed');
    return;
}

sub claim {
    my ($token, $op) = @_;
    return event(claim => $token, $op, from => 'redeemed', to => 'claimed',
        attempt => 1);
}

sub settle {
    my ($token, $claim, $outcome, $to) = @_;
    return event(settle => $token, ++$ops, from => 'claimed', to => $to,
        outcome => $outcome, claim => op($claim), status => '');
}

# from the claim to the IdP's answer

sub finish {
    my ($token, $op, $try, $answer, $status) = @_;
    my $request = request(finish => $token, try => $try, status => $status);
    claim($token, $op);
    receipt($token, $try, $answer);
    $request->{done} = tick();
    return;
}


# Five tokens: enrolled (with a second finish at the other proxy), refused and
# then enrolled, released and then enrolled, left without an answer; and a
# failover, which loses the last events of the old master and voids the fifth.

sub good {
    $h = { requests => [], receipts => [], faults => [], streams => [],
        journals => [], logs => { 'p1/logs/error.log' => [
            '2026/01/01 00:00:00 [notice] 7#7: start worker process 8'] } };
    ($clock, $seq, $ops) = (1_800_000_000, 0, 100);

    enter(1);
    finish(1, 10, '1-1-ok', 'enrolled', 200);
    request(finish => 1, proxy => 'p2', try => '1-2-ok', status => 409,
        reason => 'claimed');
    settle(1, 10, 'enrolled', 'enrolled');
    request(redeem => 1, status => 410, reason => 'enrolled');

    enter(2);
    finish(2, 20, '2-1-no', 'refused', 400);
    settle(2, 20, 'refused', 'redeemed');
    finish(2, 21, '2-2-ok', 'enrolled', 200);
    settle(2, 21, 'enrolled', 'enrolled');

    enter(3);
    request(finish => 3, try => '3-1-ok', status => 503,
        reason => 'unavailable');
    claim(3, 30);
    settle(3, 30, 'released', 'redeemed');
    finish(3, 31, '3-2-ok', 'enrolled', 200);
    settle(3, 31, 'enrolled', 'enrolled');

    enter(4);
    finish(4, 40, '4-1-hush', 'silent', 504);
    settle(4, 40, 'unknown', 'claimed');

    my $fault = { at => tick(), fault => 'kill redis', target => 'r1',
        log => ['worker process 8 exited on signal 9'] };
    push @{$h->{faults}}, $fault;
    request(issue => 5, status => 201);
    event(issue => 5, 50, from => 'none', to => 'issued');
    request(redeem => 5, first => 1);
    journaled(told(redeem => 5, 51, from => 'issued', to => 'redeemed'));
    $fault->{healed} = tick();
    $seq += LEAP;
    event(fence => undef, 52, why => 'incarnation', from => 1, to => 2,
        voided => 1);
    request(finish => 5, try => '5-1-ok', status => 410, reason => 'void');
    $fault->{recovered} = tick();

    enter(6);
    finish(6, 60, '6-1-ok', 'enrolled', 200);
    settle(6, 60, 'enrolled', 'enrolled');

    return $h;
}


sub checker {
    my ($history, %more) = @_;
    return Enroll::Chaos::Checker->new(history => $history, least => 3,
        faults => 1, %more);
}

sub rules {
    my ($history, %more) = @_;
    my %rule;
    $rule{$_->{rule}}++ for checker($history, %more)->violations;
    return join ' ', sort keys %rule;
}

# The history with a change is found by that rule alone.

sub found {
    my ($rule, $what, $change, %more) = @_;

    my $history = good();
    $change->($history);
    is rules($history, %more), $rule, ($rule || "passes") . ": $what"
        or diag map { "$_->{rule}: $_->{text}\n" }
            checker($history, %more)->violations;
    return;
}

sub passes { found('', @_); return }

# An event is taken out of, or put otherwise into, all that have it.

sub forget {
    my ($history, $where) = @_;
    my $hit = grep { $where->($_->{fields}) } @{$history->{streams}};
    die "no such event\n" if !$hit;
    @{$history->{streams}} = grep { !$where->($_->{fields}) }
        @{$history->{streams}};
    return;
}

sub unjournal {
    my ($history, $where) = @_;
    my @left = grep { !$where->($_->{record}) } @{$history->{journals}};
    die "no such record\n" if @left == @{$history->{journals}};
    $history->{journals} = \@left;
    return;
}

sub change {
    my ($history, $where, %with) = @_;
    my @hit = grep { $where->($_) } map({ $_->{fields} }
        @{$history->{streams}}), map { $_->{record} } @{$history->{journals}};
    die "no such event\n" if !@hit;
    @$_{keys %with} = values %with for @hit;
    return;
}

sub by_op { my $op = op($_[0]); return sub { $_[0]{op} eq $op } }

sub settles {
    my $claim = op($_[0]);
    return sub { ($_[0]{claim} // '') eq $claim };
}

sub asked {
    my ($history, $try) = @_;
    my ($one) = grep { ($_->{try} // '') eq $try } @{$history->{requests}};
    return $one || die "no request $try\n";
}

sub received {
    my ($history, $try) = @_;
    my ($one) = grep { $_->{try} eq $try } @{$history->{receipts}};
    return $one || die "no receipt $try\n";
}

sub log_line {
    my ($line) = @_;
    return sub { push @{$_[0]{logs}{'p1/logs/error.log'}}, $line };
}


passes('a good history has none', sub { });
my %figure = checker(good())->figures;
is $figure{'tokens voided'}, 1, 'the figures count the tokens voided';
is $figure{'events in no stream'}, 1, 'and what a failover has lost';

# (a) -------------------------------------------------------------------------

found(a => 'a second enrollment', sub {
    claim(1, 11); receipt(1, '1-3-ok', 'enrolled');
});
found(a => 'a receipt after one that was never answered', sub {
    claim(4, 41); receipt(4, '4-2-ok', 'enrolled');
});
found(a => 'a refusal after an enrollment', sub {
    claim(1, 11); receipt(1, '1-3-no', 'refused');
});
passes('as many refusals as it likes, before', sub {
    enter(7);
    for my $n (1 .. 3) {
        finish(7, 70 + $n, "7-$n-no", 'refused', 400);
        settle(7, 70 + $n, 'refused', 'redeemed');
    }
});

# (b) -------------------------------------------------------------------------

found(b => 'a receipt without a claim in a journal', sub {
    unjournal($_[0], by_op(40));
});
found(b => 'a second one by the claim of the first', sub {
    unjournal($_[0], by_op(21));
});
found(b => 'a claim that was journaled when the IdP had its request', sub {
    received($_[0], '1-1-ok')->{journaled} = 0;
});
passes('without journals nobody asks for them', sub {
    $_[0]{journals} = [];
    $_->{journaled} = 0 for @{$_[0]{receipts}};
});
found(b => 'unless they were to be', sub { $_[0]{journals} = [] },
    journal => 1);

# (c) -------------------------------------------------------------------------

my $settled = settles(60);

found(c => 'the last record is in no stream', sub {
    forget($_[0], $settled);
});
found(c => 'records are lost before a fence that was planned', sub {
    my $lost = told(revoke => 6, 94);
    journaled($lost);
    event(fence => undef, 95, why => 'planned', from => 2, to => 2,
        voided => 0);
    @{$_[0]{streams}} = map { $_->{fields}{seq}--
        if $_->{fields}{op} eq op(95); $_ } @{$_[0]{streams}};
    $_->{record}{seq}-- for grep { $_->{record}{op} eq op(95) }
        @{$_[0]{journals}};
});
found(c => 'a fence is lost, and the branch that it began', sub {
    $seq += LEAP;
    journaled(told(fence => undef, 96, why => 'sequence', from => 2,
        to => 3, voided => 0));
    journaled(told(issue => 9, 97, from => 'none', to => 'issued'));
});
found(c => 'a stream tells it otherwise', sub {
    $_[0]{journals}[2]{record}{class} = 'urgent';
});
found(c => 'the streams differ from each other', sub {
    $_[0]{streams}[0]{fields}{class} = 'urgent';
    shift @{$_[0]{journals}};
});
passes('all was forgotten, and nobody who calls has seen any of it', sub {
    my $before = told(issue => 9, 97, from => 'none', to => 'issued');
    $before->{seq} = 1;
    $before->{at} = $_[0]{streams}[0]{fields}{at} - 1000;
    journaled($before);
});
sub torn {
    my ($history, $text) = @_;
    push @{$history->{journals}}, { file => 'p1/journal/journal.jsonl',
        line => 99, text => $text, torn => 1, record => undef };
    return;
}

found(c => 'a line was torn, and nothing has torn it', sub {
    torn($_[0], '{"seq":"7","at":"17');
    $_[0]{faults}[0]{fault} = 'reload';
});
passes('a line that was torn by what was killed', sub {
    torn($_[0], '{"seq":"7","at":"17');
});
found(c => "a line without $_", sub {
    my $fields = told(issue => 9, 98, from => 'none', to => 'issued');
    journaled($fields);
    delete $_[0]{journals}[-1]{record}{$_};
}) for qw(seq at event op partition);

passes('a record that was told again, without a number', sub {
    my $again = told(claim => 6, 60, to => 'claimed', repeated => 1);
    $again->{last} = delete $again->{seq};
    journaled($again);
});
passes('a record is there only as it was told again', sub {
    my ($history) = @_;
    my $where = by_op(60);
    my ($line) = grep { $where->($_->{record}) } @{$history->{journals}};
    my $record = $line->{record};
    delete @$record{qw(from attempt)};
    $record->{last} = 3 + delete $record->{seq};
    $record->{repeated} = 1;
});
found(c => 'what was told again is in no stream', sub {
    my $again = told(claim => 6, 61, to => 'claimed', repeated => 1);
    $again->{last} = delete $again->{seq};
    journaled($again);
});
passes('two branches, each begun by a fence', sub {
    $seq = LEAP + 15;
    journaled(told(fence => undef, 90, why => 'incarnation', from => 1,
        to => 3, voided => 0));
    journaled(told(issue => 9, 91, from => 'none', to => 'issued'))
        for 1 .. 30;
});

my @audit = documented(good());
passes('the docs make one audit of it', sub { }, audit => \@audit);
found(c => 'theirs lacks an event of a journal', sub { },
    audit => [@audit[0 .. $#audit - 1]]);
found(c => 'theirs has one twice', sub { }, audit => [@audit, $audit[3]]);
passes('what was told again stands once in it', sub {
    my $again = told(claim => 6, 60, to => 'claimed', repeated => 1);
    $again->{last} = delete $again->{seq};
    journaled($again);
}, audit => \@audit);

# (d) -------------------------------------------------------------------------

found(d => 'a client was told of an enrollment that was not', sub {
    asked($_[0], '4-1-hush')->{status} = 200;
});
found(d => 'by another receipt of the same token', sub {
    asked($_[0], '1-2-ok')->{status} = 200;
});
found(d => 'before the IdP was asked', sub {
    asked($_[0], '1-1-ok')->{done} = received($_[0], '1-1-ok')->{at} - 0.01;
});
found(d => 'the audit tells of an enrollment that was not', sub {
    change($_[0], settles(40), outcome => 'enrolled');
});

# (e) -------------------------------------------------------------------------

found(e => 'a claim was released that the IdP has heard of', sub {
    change($_[0], settles(40), outcome => 'released', to => 'redeemed');
});
found(e => 'the IdP hears of a claim after its release', sub {
    my ($claim, $late) = (claim(7, 70), 0);
    settle(7, 70, 'released', 'redeemed');
    receipt(7, '7-1-ok', 'enrolled');
});
found(e => 'a claim was reopened that the IdP did not refuse', sub {
    change($_[0], settles(40), outcome => 'refused', to => 'redeemed');
});
found(e => 'a late release of the claim before reopens an open one', sub {
    claim(7, 70);
    settle(7, 70, 'released', 'redeemed');
    claim(7, 71);
    receipt(7, '7-1-hush', 'silent');
    my $again = settle(7, 70, 'released', 'redeemed');
    change($_[0], sub { $_[0]{seq} == $again->{seq} },
        op => op($ops - 1));
});
found(e => 'a claim was reopened as refused that the IdP never heard of', sub {
    claim(7, 70);
    settle(7, 70, 'refused', 'redeemed');
});
passes('a receipt, its settlement and the next claim at the same time', sub {
    claim(7, 70);
    receipt(7, '7-1-no', 'refused');
    my $settle = settle(7, 70, 'refused', 'redeemed');
    $clock -= 0.1;
    claim(7, 71);
    $_[0]{receipts}[-1]{at} = $settle->{at} / 1000 + 0.00004;
    receipt(7, '7-2-ok', 'enrolled');
    settle(7, 71, 'enrolled', 'enrolled');
});
found(e => 'the release of a claim that was never made does', sub {
    settle(4, 41, 'released', 'redeemed');
});
passes('an enrollment whose claim the ledger has lost', sub {
    enter(7);
    finish(7, 70, '7-1-no', 'refused', 400);
    settle(7, 70, 'refused', 'redeemed');
    finish(7, 71, '7-2-ok', 'enrolled', 200);
    forget($_[0], by_op(71));
    unjournal($_[0], by_op(71));
    $seq--;
    event(settle => 7, 72, from => 'void', to => 'enrolled', why => 'lost',
        outcome => 'enrolled', claim => op(71), status => 200);
}, journal => 0);
found(e => 'a claim is settled twice', sub {
    settle(4, 40, 'unknown', 'claimed');
});
passes('one settlement that two branches have', sub {
    my ($first) = grep { settles(60)->($_->{fields}) } @{$_[0]{streams}};
    journaled({ %{$first->{fields}}, seq => LEAP });
});

# (f) -------------------------------------------------------------------------

found(f => 'an event is missing in a stream', sub {
    $_[0]{streams} = [grep { $_->{node} ne 'r2' || $_->{fields}{seq} != 5 }
        @{$_[0]{streams}}];
});
found(f => 'a stream has lost its first events', sub {
    $_[0]{streams} = [grep { $_->{node} ne 'r2' || $_->{fields}{seq} > 5 }
        @{$_[0]{streams}}];
});
found(f => 'a fence that leaps too short', sub {
    for my $fields (map({ $_->{fields} } @{$_[0]{streams}}),
        map { $_->{record} } @{$_[0]{journals}})
    {
        $fields->{seq} -= LEAP - 5 if $fields->{seq} > LEAP;
    }
});
passes('the same, where a master read an old file again', sub {
    for my $fields (map({ $_->{fields} } @{$_[0]{streams}}),
        map { $_->{record} } @{$_[0]{journals}})
    {
        $fields->{seq} -= LEAP - 5 if $fields->{seq} > LEAP;
    }
    $_[0]{faults}[0]{fault} = 'reload nosave';
});
passes('a replica had more than who noticed that its master forgot it', sub {
    for my $fields (map({ $_->{fields} } @{$_[0]{streams}}),
        map { $_->{record} } @{$_[0]{journals}})
    {
        $fields->{seq} -= 5 if $fields->{seq} > LEAP;
    }
});
found(f => 'a number that two events have, without a fence', sub {
    # of a node that goes its own way
    my @rest = grep { $_->{node} ne 'r2' || $_->{fields}{seq} < 5 }
        @{$_[0]{streams}};
    $_[0]{streams} = \@rest;
    $seq = 4;
    streamed(told(issue => 9, 98, from => 'none', to => 'issued'), 'r2');
});
passes('a replica that is behind', sub {
    $_[0]{streams} = [grep { $_->{node} ne 'r2' || $_->{fields}{seq} < 9 }
        @{$_[0]{streams}}];
});
passes('a fence that was planned goes on counting', sub {
    event(fence => undef, 92, why => 'planned', from => 2, to => 2,
        voided => 0);
});

# the others ------------------------------------------------------------------

found(once => 'two clients were told of a session', sub {
    request(redeem => 1, proxy => 'p2');
});
found(once => 'the audit has two', sub {
    event(redeem => 1, 93, from => 'issued', to => 'redeemed');
});
passes('one event that two streams and a journal have', sub {
    my ($event) = grep { $_->{fields}{event} eq 'redeem' }
        @{$_[0]{streams}};
    journaled($event->{fields}, 'p2/journal/journal.jsonl');
});

found(available => 'a first presentation fails, without a fault', sub {
    for (grep { $_->{id} eq id(2) && $_->{first} } @{$_[0]{requests}}) {
        $_->{status} = 503;
    }
});
passes('in a fault it may', sub {
    for (grep { $_->{id} eq id(5) && $_->{first} } @{$_[0]{requests}}) {
        $_->{status} = 503;
    }
});
passes('of a token that was issued in a fault, too', sub {
    my $first = request(redeem => 5, first => 1, status => 410);
    my ($issue) = grep { $_->{step} eq 'issue' && $_->{id} eq id(5) }
        @{$_[0]{requests}};
    die "not after the fault\n" if $first->{at}
        <= $_[0]{faults}[0]{recovered};
});
found(available => 'there are too few of them', sub { }, least => 9);
found(available => 'a fault excuses what happens in ten seconds after it',
    sub {
        my $fault = $_[0]{faults}[0];
        delete $fault->{recovered};
        $fault->{recovered} = $fault->{healed};
        request(redeem => $_, first => 1, status => 503) for 20 .. 22;
    });

passes('until all servers are as they were', sub {
    my $fault = $_[0]{faults}[0];
    request(redeem => $_, first => 1, status => 503) for 23 .. 30;
    $fault->{well} = tick();
    enter($_) for 31 .. 33;
});

found(recovery => 'enrollments come back late', sub {
    my $fault = $_[0]{faults}[0];
    $fault->{recovered} = $fault->{healed} + 10.1;
});
found(recovery => 'enrollments do not come back', sub {
    delete $_[0]{faults}[0]{recovered};
});
found(recovery => 'a fault was never healed', sub {
    delete $_[0]{faults}[0]{healed};
});

found(stuck => 'a request without an answer', sub {
    request(finish => 1, try => '1-9-ok', status => 0, reason => 'timeout');
});
passes('in a fault it may', sub {
    my $request = request(finish => 1, try => '1-9-ok', status => 0,
        reason => 'timeout');
    $request->{at} = $_[0]{faults}[0]{at};
});
passes('a client that leaves is none', sub {
    request(finish => 1, try => '1-9-ok', status => 0, reason => 'left');
});

found(log => 'an alert', log_line('[alert] 7#7: open socket #9 left'));
found(log => 'a crash',
    log_line('[alert] 7#7: worker process 8 exited on signal 11'));
passes('a worker that was killed', log_line(
    '[alert] 7#7: worker process 8 exited on signal 9'));
found(log => 'one that nobody killed', log_line(
    '[alert] 7#7: worker process 9 exited on signal 9'));

my $token = 'enr_' . 'Ab0-' x 15;
found(plaintext => 'a token in a log', log_line("[warn] $token"));
found(plaintext => 'a session in a stream', sub {
    change($_[0], by_op(10), client => 'ens_' . 'Ab0_' x 20);
});
found(plaintext => 'a token in what the IdP was sent', sub {
    $_[0]{receipts}[0]{referer} = $token;
});
passes('a masked one', log_line('[warn] enr_***************************'));

found(faults => 'too few', sub { }, faults => 2);


# The mutants -----------------------------------------------------------------

my @patches = glob "$FindBin::Bin/chaos/mutants/*.patch";
ok @patches >= 6, 'there are mutants';

for my $patch (@patches) {
    my ($name) = $patch =~ m{([^/]+)\.patch$};
    my $top = top();
    is system("patch -d '$top' -p1 -F0 --dry-run -s -i '$patch' >/dev/null"), 0,
        "$name applies to the sources: make mutants";
}


# The history as files --------------------------------------------------------

my $dir = sub_dir('history');
sub_dir("history/p1/$_") for qw(logs journal);

sub write_history {
    my ($history) = @_;

    spew("$dir/$_.jsonl", join '', map { encode_line($_) }
        @{$history->{$_}}) for qw(requests receipts faults streams);
    spew("$dir/p1/journal/journal.jsonl", join '', map { $_->{text} }
        @{$history->{journals}});
    spew("$dir/p1/logs/error.log", join '', map { "$_\n" }
        @{$history->{logs}{'p1/logs/error.log'}});
    return;
}

sub check {
    my @options = @_;
    my $said = `"$^X" "$FindBin::Bin/chaos/check" @options "$dir" 2>&1`;
    return ($? >> 8, $said);
}

my $history = good();
write_history($history);
chomp $_->{text} for @{$history->{journals}};
is_deeply read_history($dir), $history, 'a history is read as it was written';

my ($status, $said) = check('--least', 3, '--faults', 1, '--journal');
is $status, 0, 'a good history: exits with 0' or diag $said;
like $said, qr/^no violation$/m, 'and says so';

claim(1, 11);
receipt(1, '1-3-ok', 'enrolled');
write_history($history);
($status, $said) = check('--least', 3);
is $status, 1, 'a bad one: exits with 1';
like $said, qr/^violation of a: token @{[id(1)]}: 2 receipts/m,
    'and says in which rule';

$history->{faults}[0]{fault} = 'reload';
write_history($history);
append("$dir/p1/journal/journal.jsonl", '{"seq":"1","at":');
($status, $said) = check('--least', 3);
like $said, qr/^violation of c: \S+, line \d+ is torn/m,
    'a journal\'s torn line is found';

is_deeply decode_record('{"seq":"1","at":{"seq":"2"}'), { seq => 2 },
    'and the record that stands behind one';

unlink "$dir/receipts.jsonl";
is +(check())[0], 2, 'without receipts there is no history';

is_deeply decode_line('{"a":"b","n":-1.5,"t":true,"x":{"y":"z"},"e":{}}'),
    { a => 'b', n => '-1.5', t => 1, x => { y => 'z' }, e => {} },
    'a plain line';
is_deeply decode_line('{"a":"\u00e4\"","b":"' . "\xc3\xa4" . '"}'),
    { a => "\x{e4}\"", b => "\x{e4}" }, 'one with escapes and UTF-8';
is decode_line($_), undef, "no JSON: $_"
    for '', '{', '{"a"}', '{"a":"b"', '[1]', '{"a":"b"}x', "{\"a\":\"\n\"}";

# The clients and the IdP, without a fault --------------------------------------

package HarmlessWorld {
    sub proxies {
        my ($self) = @_;
        return map { { name => "p$_", host => '127.0.0.1',
            port => $self->{stack}->nginx($_ - 1)->port } } 1, 2;
    }

    sub secret     { return $_[0]{stack}{secret} }
    sub partitions { return 4 }
    sub port       { return $_[0]{port} }

    sub enter {
        my ($self, $host, $code) = @_;
        my $pid = fork // die "fork: $!";
        return $pid if $pid;
        POSIX::_exit(eval { $code->() } // 1);
    }
}

my $run = sub_dir('run');
spew("$run/faults.jsonl", '');
my $port = free_port();
my $idp = Enroll::Process->start(output => "$run/idp.log", argv => [$^X,
    "$FindBin::Bin/chaos/idp", "127.0.0.1:$port", "$run/receipts.jsonl"]);
wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") } 'the IdP';

my $world = bless { port => $port }, 'HarmlessWorld';
my $stack = $world->{stack} = stack(instances => 2, idp => $world,
    class => 'ttl 1h; window 10m; attempts 5;',
    http => 'enroll_partitions 4;', server => 'proxy_read_timeout 1s;
        proxy_set_header Enroll-Id $enroll_id;');

my $load = Enroll::Chaos::Load->new(world => $world, dir => $run, seed => 7,
    rate => 30);
$load->start;
wait_for { (() = slurp("$run/receipts.jsonl") =~ /\n/g) >= 50 }
    'fifty receipts', 20;
$load->nudge;
wait_for { (() = slurp("$run/receipts.jsonl") =~ /\n/g) >= 90 }
    'ninety receipts', 20;
$load->stop;

spew("$run/streams.jsonl", join '', map { my $partition = $_;
    map { encode_line({ node => 'r1', partition => $partition, entry => '-',
        fields => $_ }) } $stack->events(partition => $partition) } 0 .. 3);

$dir = $run;
($status, $said) = check();
is $status, 0, 'clients of all kinds, an IdP of all kinds, and no violation'
    or diag $said;

my $seen = read_history($run);
my %had = map { ("$_->{step} $_->{status}" => 1) } @{$seen->{requests}};
my %answered = map { ($_->{answer} => 1) } @{$seen->{receipts}};
is_deeply [grep { !$had{$_} } 'issue 201', 'redeem 200', 'redeem 410',
    'page 200', 'begin 200', 'finish 200', 'finish 400', 'finish 409',
    'finish 410', 'finish 500', 'finish 502', 'finish 504'], [],
    'of each answer there was one';
is_deeply [sort keys %answered], [qw(enrolled error refused silent)],
    'and of what the IdP may do';

done_testing;
