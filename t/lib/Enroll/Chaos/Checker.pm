package Enroll::Chaos::Checker;

# Judges a history (Enroll::Chaos::History) by the promises that hold whatever
# fails. Each violation is a sentence, under the name of its rule:
#
#     a           a second receipt of a token, after one that was not refused
#     b           a receipt without an earlier journal record of its claim
#     c           a journal record that the merged audit does not have
#     d           a success without a receipt
#     e           a claim released, or reopened, that the IdP may have heard
#     f           a gap in the numbers of an epoch
#     once        a token redeemed twice (I1)
#     available   too few first presentations succeed outside of faults
#     recovery    too long after a fault until enrollments go all the way
#     stuck       a request without an answer, outside of faults
#     log         an alert that no fault explains, a crash
#     plaintext   a token or a session where none may be (I5)
#     faults      fewer faults than the run was to have
#
#     my $checker = Enroll::Chaos::Checker->new(history => {…},
#         journal  => 1,      # whether journals were written; default: there
#                             # is a file
#         audit    => [documented($history)],     # to be looked at as well
#         faults   => 0,      # how many there have to be at least
#         success  => 95,     # percent
#         least    => 20,     # first presentations that are judged
#         recovery => 10);    # seconds
#     my @violations = $checker->violations;      # { rule, text }
#     my %figures = $checker->figures;            # what was looked at

use strict;
use warnings;

use Enroll::Chaos::Merge qw(merge);


# Of the numbers, where an epoch begins: beyond what its caller has seen. A
# replica may have had more than that, where its master has forgotten it.
use constant { LEAP => 2 ** 20, LEAST => 2 ** 19 };

my @RULES = qw(a b c d e f once available recovery stuck log plaintext
    faults);

# after the prefix, which the log's masks keep
my $BEARER = qr/(?:enr|ens)_[A-Za-z0-9_-]{20,}/;


sub new {
    my ($class, %arg) = @_;

    my $self = bless { faults => 0, success => 95, least => 20,
        recovery => 10, %arg }, $class;
    my $history = $self->{history};

    $self->{journal} //= @{$history->{journals}} ? 1 : 0;
    $self->{merged} = merge($history);
    $self->{by_id} = _by_id($self->{merged}{events});
    $self->{receipts} = _by_id([sort { $a->{at} <=> $b->{at} }
        @{$history->{receipts}}]);
    $self->{windows} = [sort { $a->[0] <=> $b->[0] }
        map { $self->_window($_) } @{$history->{faults}}];
    $self->_assign;

    return $self;
}


sub _by_id {
    my ($list) = @_;

    my %by;
    push @{$by{$_->{id}}}, $_ for grep { ($_->{id} // '') ne '' } @$list;

    return \%by;
}


# A receipt belongs to the claim of its token that was open then, of the proxy
# that it came from. Redis' times are cut off to milliseconds, so one of the
# same millisecond may be the next.

sub _assign {
    my ($self) = @_;

    my %proxy = map { $_->{try} => $_->{proxy} }
        grep { $_->{step} eq 'finish' && defined $_->{try} }
        @{$self->{history}{requests}};

    for my $id (keys %{$self->{receipts}}) {
        my @claims = $self->_events($id, 'claim');
        my %settled = map { $_->{claim} => _ms($_) }
            $self->_events($id, 'settle');

        for my $receipt (@{$self->{receipts}{$id}}) {
            my $proxy = $proxy{$receipt->{try} // ''};
            my $claim = _claim_of($receipt, \%settled, grep { !$proxy
                || ($_->{journal} // $proxy) =~ /^\Q$proxy\E\b/ } @claims)
                // _claim_of($receipt, \%settled, @claims);
            push @{$claim->{receipts}}, $receipt if $claim;
        }
    }

    return;
}

sub _ms { return int($_[0]{at} * 1000 + 0.001) }

sub _claim_of {
    my ($receipt, $settled, @claims) = @_;

    my $at = _ms($receipt);
    my @before = grep { _ms($_) <= $at } @claims;
    my @open = grep { ($settled->{$_->{op}} // $at) >= $at } @before;
    my @sure = grep { _ms($_) < $at } @open;

    return $sure[-1] // $open[-1] // $before[-1];
}


sub _events {
    my ($self, $id, $name) = @_;
    return grep { $_->{event} eq $name } @{$self->{by_id}{$id} || []};
}


# For so long nothing is asked but the promises: until enrollments go all the
# way, and all servers are as they were (an old master believes in itself for
# a while). That must not take longer than a recovery may.

sub _window {
    my ($self, $fault) = @_;

    my $most = ($fault->{healed} // 9e9) + $self->{recovery};
    my ($end) = sort { $b <=> $a } $fault->{recovered} // $most,
        $fault->{well} // 0;

    return [$fault->{at}, $end < $most ? $end : $most];
}


sub _disturbed {
    my ($self, $from, $to) = @_;

    for my $window (@{$self->{windows}}) {
        last if $window->[0] > $to;
        return 1 if $window->[1] >= $from;
    }

    return 0;
}


sub violations {
    my ($self) = @_;

    my @all;
    for my $rule (@RULES) {
        my $check = "_rule_$rule";
        push @all, map { { rule => $rule, text => $_ } } $self->$check;
    }

    return @all;
}


sub _count { return (scalar @_) . ' ' . (@_ == 1 ? 'receipt' : 'receipts') }


# Nothing that bears a token reaches the IdP after the receipt that was not
# refused (I2).

sub _rule_a {
    my ($self) = @_;

    my @said;

    for my $id (sort keys %{$self->{receipts}}) {
        my @receipts = @{$self->{receipts}{$id}};
        shift @receipts
            while @receipts && $receipts[0]{answer} eq 'refused';
        push @said, "token $id: " . _count(@receipts) . ' ('
            . join(', ', map { "$_->{try} $_->{answer}" } @receipts)
            . ') where one may be' if @receipts > 1;
    }

    return @said;
}


# The nth receipt of a token has n claims in the journals, all before it; and
# the IdP saw them there when it came.

sub _rule_b {
    my ($self) = @_;

    return if !$self->{journal};
    my @said;

    for my $id (sort keys %{$self->{receipts}}) {
        my @claims = grep { $_->{journal} } $self->_events($id, 'claim');
        my $n = 0;

        for my $receipt (@{$self->{receipts}{$id}}) {
            my $before = grep { $_->{at} <= $receipt->{at} } @claims;
            my $which = 'receipt ' . ++$n . " of token $id ($receipt->{try})";

            if ($before < $n) {
                push @said, "$which has $before claims in the journals";
            } elsif (defined $receipt->{journaled} && !$receipt->{journaled})
            {
                push @said, "$which came before its claim's journal record";
            }
        }
    }

    return @said;
}


# Every record is in a stream, or on a branch of the history that a fence
# ended.

sub _rule_c {
    my ($self) = @_;

    my @said = (@{$self->{merged}{problems}}, $self->_torn,
        $self->_undocumented);
    my (%kept, %lost);

    for my $event (sort { $a->{seq} <=> $b->{seq} }
        @{$self->{merged}{events}})
    {
        my $branch = $event->{streams} ? \%kept : \%lost;
        push @{$branch->{$event->{partition}}}, $event;
    }

    for my $partition (sort { $a <=> $b } keys %lost) {
        my @kept = @{$kept{$partition} || []};
        my @lost = @{$lost{$partition}};
        push @said, map { "$_->{journal} has $_->{key}, which is in no "
            . 'stream, and no fence ended its branch' }
            grep { !_cut_off($_, \@kept) && !_apart($_, \@kept, \@lost)
                && !_forgotten($_, \@kept) } @lost;
    }

    return @said;
}


# What the procedure of the docs makes of it has all that we have of the
# journals, and each event once.

sub _undocumented {
    my ($self) = @_;

    return if !$self->{audit};
    my %seen;

    for my $event (@{$self->{audit}}) {
        $seen{join ' ', "{$event->{partition}}", map { $_ // '-' }
            @$event{qw(event op id)}, $event->{seq} // $event->{last}}++;
    }

    return map({ "the docs' audit does not have $_->{key} of $_->{journal}" }
            grep { $_->{journal} && !$seen{$_->{key}} }
                @{$self->{merged}{events}}),
        map { "the docs' audit has $_ $seen{$_} times" }
            grep { $seen{$_} > 1 } sort keys %seen;
}


# A line that was cut off is of a call that went no further; but something
# must have cut it off.

sub _torn {
    my ($self) = @_;

    my $history = $self->{history};
    return if grep { $_->{fault} =~ /full disk|kill/ } @{$history->{faults}};

    return map { "$_->{file}, line $_->{line} is torn: $_->{text}" }
        grep { $_->{torn} || !$_->{record} } @{$history->{journals}};
}


# A fence leaps, unless it was planned.

sub _leaps {
    my ($event) = @_;
    return $event->{event} eq 'fence'
        && $event->{why} =~ /^(?:incarnation|sequence)$/;
}


# Whether what is left goes on with a fence, where this event should be.

sub _cut_off {
    my ($event, $kept) = @_;

    my ($low, $high) = (0, scalar @$kept);
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        if ($kept->[$middle]{seq} < $event->{seq}) {
            $low = $middle + 1;
        } else {
            $high = $middle;
        }
    }

    return $low < @$kept && _leaps($kept->[$low]);
}


# Whether all of the partition was forgotten, and began anew, by who had not
# seen any of it: there is no epoch then that a fence could end.

sub _forgotten {
    my ($event, $kept) = @_;
    return @$kept && $kept->[0]{seq} == 1 && $kept->[0]{at} > $event->{at};
}


# Whether it is of a branch that began with a fence of its own, which is lost
# with it, and so did the one that is left.

sub _apart {
    my ($event, $kept, $lost) = @_;

    for my $fence (grep { _leaps($_) } @$lost) {
        my $after = $event->{seq} - $fence->{seq};
        next if $after < 0 || $after >= LEAP;
        return 1 if grep { _leaps($_) && $_->{seq} > $fence->{seq} - LEAP }
            @$kept;
    }

    return 0;
}


# Who was told of an enrollment, the client or the audit, was told of one that
# the IdP did.

sub _rule_d {
    my ($self) = @_;

    my %enrolled;
    for my $receipt (@{$self->{history}{receipts}}) {
        $enrolled{$receipt->{id}}{$receipt->{try}} = $receipt->{at}
            if $receipt->{answer} eq 'enrolled';
    }

    my @said;

    for my $request (grep { $_->{step} eq 'finish'
        && $_->{status} =~ /^2/ } @{$self->{history}{requests}})
    {
        my $at = $enrolled{$request->{id}}{$request->{try}};
        push @said, "$request->{proxy} answered finish $request->{try} of "
            . "token $request->{id} with $request->{status}, without a "
            . 'receipt' if !defined $at || $at > $request->{done};
    }

    for my $settle (grep { $_->{event} eq 'settle'
        && $_->{outcome} eq 'enrolled' } @{$self->{merged}{events}})
    {
        my @at = values %{$enrolled{$settle->{id}} || {}};
        push @said, "$settle->{key} tells of an enrollment, without a receipt"
            if !grep { $_ <= $settle->{at} + 0.001 } @at;
    }

    return @said;
}


# A claim is reopened where the IdP refused it, or never heard of it; and a
# settlement is of the claim that is open, unless that is an enrollment whose
# claim the ledger has lost.

sub _rule_e {
    my ($self) = @_;

    my @said;

    for my $id (sort keys %{$self->{by_id}}) {
        my @claims = $self->_events($id, 'claim');
        my %settled;

        for my $settle ($self->_events($id, 'settle')) {
            my ($claim, $outcome) = @$settle{qw(claim outcome)};
            my $what = "$settle->{key}, $outcome,";
            my ($own) = grep { $_->{op} eq $claim } @claims;
            my $open = _open_claim($settle, @claims);

            push @said, "$what settles claim $claim, which was settled before"
                if ($settled{$claim} //= $settle->{op}) ne $settle->{op};
            push @said, "$what settles claim $claim while $open->{op} is open"
                if $open && $open->{op} ne $claim
                    && ($own || $settle->{streams})
                    && ($settle->{why} // '') ne 'lost';
            push @said, map { "$what reopens claim $claim, $_" }
                $own ? _unproven($outcome, @{$own->{receipts} || []}) : ();
        }
    }

    return @said;
}


# The last one before it, on its own branch where that is known.

sub _open_claim {
    my ($settle, @claims) = @_;

    my ($last) = sort { $b->{seq} <=> $a->{seq} }
        grep { $_->{seq} < $settle->{seq}
            && ($_->{streams} || !$settle->{streams}) } @claims;

    return $last;
}


# Why the receipts do not allow that the claim was reopened.

sub _unproven {
    my ($outcome, @receipts) = @_;

    if ($outcome eq 'released') {
        return map { "of which the IdP has a receipt ($_->{try})" } @receipts;
    }

    return 'which the IdP did not refuse'
        if $outcome eq 'refused'
            && !grep { $_->{answer} eq 'refused' } @receipts;
    return;
}


sub _rule_f {
    my ($self) = @_;

    my (%last, @said);

    # then a replica has what its master has forgotten, the fences included
    my $parted = grep { $_->{fault} eq 'reload nosave' }
        @{$self->{history}{faults}};

    for my $entry (@{$self->{history}{streams}}) {
        my ($node, $partition, $fields) = @$entry{qw(node partition fields)};
        my $before = $last{$node}{$partition} // 0;
        my $seq = $fields->{seq};

        push @said, "stream {$partition} of $node: $seq ($fields->{event}) "
            . "comes after $before"
            if _leaps($fields) ? !$parted && $seq <= $before + LEAST
                : $seq != $before + 1;

        $last{$node}{$partition} = $seq;
    }

    return @said, $self->_forked;
}


# Two events of one number are in the streams of two nodes, of which a fence
# began at least one.

sub _forked {
    my ($self) = @_;

    my (%at, %fences, @said);

    for my $event (grep { $_->{streams} } @{$self->{merged}{events}}) {
        my ($partition, $seq) = @$event{qw(partition seq)};
        push @{$at{"$partition $seq"}}, $event;
        push @{$fences{$partition}}, $seq if _leaps($event);
    }

    for my $events (map { $at{$_} } sort keys %at) {
        next if @$events < 2;
        my ($partition, $seq) = @{$events->[0]}{qw(partition seq)};
        next if grep { $_ <= $seq && $_ > $seq - LEAP }
            @{$fences{$partition} || []};
        push @said, 'one number, without a fence: '
            . join ' and ', sort map { $_->{key} } @$events;
    }

    return @said;
}


sub _rule_once {
    my ($self) = @_;

    my (%redeemed, @said);

    for my $request (grep { $_->{step} eq 'redeem'
        && $_->{status} =~ /^[23]/ } @{$self->{history}{requests}})
    {
        push @{$redeemed{$request->{id}}}, $request->{proxy};
    }

    for my $id (sort keys %redeemed) {
        my @proxies = @{$redeemed{$id}};
        push @said, "token $id was redeemed " . @proxies . ' times, by '
            . join ' and ', @proxies if @proxies > 1;
    }

    for my $id (sort keys %{$self->{by_id}}) {
        my @events = $self->_events($id, 'redeem');
        push @said, 'the audit has ' . join ' and ', map { $_->{key} } @events
            if @events > 1;
    }

    return @said;
}


# Of the tokens that no fault touched between their issue and their first
# presentation.

sub _rule_available {
    my ($self) = @_;

    my ($all, $done) = $self->_presented;
    return "$all first presentations outside of faults are too few to judge"
        if $all < $self->{least};

    my $share = 100 * $done / $all;
    return if $share >= $self->{success};
    return sprintf '%.1f %% of %d first presentations outside of faults '
        . 'succeeded', $share, $all;
}

sub _presented {
    my ($self) = @_;

    my (%issued, $all, $done);

    for my $request (sort { $a->{at} <=> $b->{at} }
        @{$self->{history}{requests}})
    {
        my ($step, $id) = @$request{qw(step id)};
        $issued{$id} //= $request->{at} if $step eq 'issue' && $id;
        next if $step ne 'redeem' || !$request->{first};
        next if $self->_disturbed($issued{$id} // $request->{at},
            $request->{done});
        $all++;
        $done++ if $request->{status} =~ /^[23]/;
    }

    return ($all // 0, $done // 0);
}


sub _rule_recovery {
    my ($self) = @_;

    my @said;

    for my $fault (@{$self->{history}{faults}}) {
        my ($healed, $recovered) = @$fault{qw(healed recovered)};
        my $what = "$fault->{fault} of $fault->{target} at $fault->{at}";

        if (!defined $healed) {
            push @said, "$what was never healed";
        } elsif (!defined $recovered) {
            push @said, "$what: no enrollment after it";
        } elsif ($recovered - $healed > $self->{recovery}) {
            push @said, sprintf '%s: %.1f s until enrollments went all the '
                . 'way', $what, $recovered - $healed;
        }
    }

    return @said;
}


sub _rule_stuck {
    my ($self) = @_;

    return map { sprintf '%s had no answer to %s %s of token %s in %.1f s',
        $_->{proxy}, $_->{step}, $_->{try} // '', $_->{id} || '-',
        $_->{done} - $_->{at} }
        grep { !$_->{status} && ($_->{reason} // '') eq 'timeout'
            && !$self->_disturbed($_->{at}, $_->{done}) }
            @{$self->{history}{requests}};
}


# A fault says which lines it is going to cause.

sub _rule_log {
    my ($self) = @_;

    my @explained = map { qr/$_/ } map { @{$_->{log} || []} }
        @{$self->{history}{faults}};
    my $logs = $self->{history}{logs};
    my @said;

    for my $file (sort keys %$logs) {
        for my $line (@{$logs->{$file}}) {
            next if $line !~ /\[(?:alert|emerg)\]|\bexited on signal/;
            next if grep { $line =~ $_ } @explained;
            push @said, "$file: $line";
        }
    }

    return @said;
}


sub _rule_plaintext {
    my ($self) = @_;

    my $history = $self->{history};
    my %text = (%{$history->{logs}},
        'the journals' => [map { $_->{text} } @{$history->{journals}}],
        'the streams' => [map { values %{$_->{fields}} }
            @{$history->{streams}}],
        'the receipts' => [map { map { $_ // '' } values %$_ }
            @{$history->{receipts}}]);
    my @said;

    for my $where (sort keys %text) {
        my $found = grep { /$BEARER/ } @{$text{$where}};
        push @said, "$where: $found times" if $found;
    }

    return @said;
}


sub _rule_faults {
    my ($self) = @_;

    my $n = @{$self->{history}{faults}};
    return if $n >= $self->{faults};
    return "$n faults, where $self->{faults} were to be";
}


sub figures {
    my ($self) = @_;

    my $history = $self->{history};
    my %figure = (requests => 0, issued => 0, redeemed => 0, finished => 0);

    for my $request (@{$history->{requests}}) {
        my ($step, $status) = @$request{qw(step status)};
        $figure{requests}++;
        $figure{issued}++ if $step eq 'issue' && $status == 201;
        $figure{redeemed}++ if $step eq 'redeem' && $status =~ /^[23]/;
        $figure{finished}++ if $step eq 'finish' && $status =~ /^2/;
    }

    $figure{"receipts $_->{answer}"}++ for @{$history->{receipts}};
    @figure{'first presentations', '... that succeeded'} = $self->_presented;
    $figure{faults} = @{$history->{faults}};
    ($figure{'slowest recovery, s'}) = map { sprintf '%.1f', $_ }
        sort { $b <=> $a } map { $_->{recovered} - $_->{healed} }
        grep { defined $_->{recovered} } @{$history->{faults}};

    for my $event (@{$self->{merged}{events}}) {
        $figure{'events'}++;
        $figure{'events in journals'}++ if $event->{journal};
        $figure{'events in no stream'}++ if !$event->{streams};
        $figure{"settled $event->{outcome}"}++ if $event->{event} eq 'settle';
        next if $event->{event} ne 'fence';
        $figure{"fences $event->{why}"}++;
        $figure{'tokens voided'} += $event->{voided};
    }

    return %figure;
}


1;
