package Enroll::Chaos::Merge;

# One audit out of the proxies' journals and all the streams that are left,
# as docs/failover.md says: an event is the same where partition, number,
# operation, name and token are.
#
#     my $merged = merge($history);
#
#         events    { key, partition, seq, at (seconds), event, id, op, …,
#                     journal: name of the file, streams: how many have it }
#                   in the order of their time
#         problems  what cannot be merged, in sentences

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(merge);


# what a journal's line has and an event has not
my %BESIDE = map { $_ => 1 } qw(partition host);


sub merge {
    my ($history) = @_;

    my (%event, @problems);

    for my $entry (@{$history->{streams}}) {
        my $fields = $entry->{fields};
        my $key = _key($entry->{partition}, $fields);
        my $event = $event{$key} ||= _event($entry->{partition}, $key,
            $fields);
        push @problems, "node $entry->{node} tells $key otherwise than "
            . "another node does" if _text($fields) ne $event->{text};
        $event->{streams}++;
    }

    for my $line (@{$history->{journals}}) {
        my $where = "$line->{file}, line $line->{line}";
        my $record = $line->{record};

        if (!$record || grep { !defined $record->{$_} }
            qw(partition seq at event op))
        {
            push @problems, "$where is no record: $line->{text}";
            next;
        }

        my $key = _key($record->{partition}, $record);
        my $known = $event{$key};
        my $event = $event{$key} ||= _event($record->{partition}, $key,
            $record);
        push @problems, "$where tells $key otherwise than "
            . ($known->{journal} || 'the stream') . ' does'
            if $known && _text($record) ne $known->{text};
        $event->{journal} ||= $line->{file};
    }

    return { problems => \@problems, events => [
        sort { $a->{at} <=> $b->{at} || $a->{seq} <=> $b->{seq} }
            values %event ] };
}


sub _key {
    my ($partition, $fields) = @_;
    return join ' ', "{$partition}", map { $fields->{$_} // '-' }
        qw(seq event op id);
}


sub _event {
    my ($partition, $key, $fields) = @_;

    return { %$fields, partition => $partition, key => $key,
        at => $fields->{at} / 1000, text => _text($fields), streams => 0 };
}


sub _text {
    my ($fields) = @_;
    return join "\n", map { "$_=" . ($fields->{$_} // '') }
        grep { !$BESIDE{$_} } sort keys %$fields;
}


1;
