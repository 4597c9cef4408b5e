package Enroll::Audit;

# What the event stream says against what the records say (I7): numbers
# without a gap, one event for each change of a state, and nothing changed
# without one.
#
#     is_deeply [audit($stack)], [], '…';       a list of sentences
#     audit($stack, 64)                         of so many partitions

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(audit);

my $LIVE = qr/\A(?:issued|redeemed|claimed)\z/;


sub audit {
    my ($stack, $partitions) = @_;
    return map { _partition($stack, $_) } 0 .. ($partitions || 1) - 1;
}


sub _partition {
    my ($stack, $partition) = @_;

    my @events = $stack->events(partition => $partition);
    my @problems = _numbers($stack, $partition, \@events);
    my (%state, %spent, %void);

    for my $event (@events) {
        my ($seq, $id) = @$event{qw(seq id)};

        # which says it of all that is live, and not of each
        if ($event->{event} eq 'fence' && $event->{from} ne $event->{to}) {
            $void{$_} = 1 for grep { $state{$_} =~ $LIVE } keys %state;
        }
        next if !defined $event->{to} || !defined $id;

        my $from = delete $void{$id} ? 'void' : $state{$id} // 'none';
        push @problems, "event $seq: $event->{event} of $id from "
            . "$event->{from}, which is $from" if $event->{from} ne $from;

        $state{$id} = $event->{to};
        push @problems, "event $seq: $id is redeemed a second time"
            if $event->{event} eq 'redeem' && $spent{$id}++;
    }

    for my $id (sort keys %state) {
        my $state = $stack->record($id)->{state} // 'gone';
        push @problems, "$id is $state, its events end with $state{$id}"
            if $state ne $state{$id};
    }

    return @problems;
}


sub _numbers {
    my ($stack, $partition, $events) = @_;

    my @problems;
    my $next = 1;

    for my $event (@$events) {
        # an epoch begins with a leap
        push @problems, "event $event->{seq} where $next is due"
            if $event->{seq} != $next && ($event->{event} ne 'fence'
                || $event->{seq} < $next);
        $next = $event->{seq} + 1;
    }

    my $last = $stack->redis->command('HGET', "enroll:{$partition}:meta",
        'seq') // 0;
    push @problems, "meta says $last, the stream ends with " . ($next - 1)
        if $last != $next - 1;

    return @problems;
}


1;
