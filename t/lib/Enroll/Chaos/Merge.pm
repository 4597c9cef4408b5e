package Enroll::Chaos::Merge;

# One audit out of the proxies' journals and all the streams that are left,
# as docs/failover.md says: an event is the same where partition, operation,
# name, token and number are. One that the ledger has told again, from its
# record, has no number; the last one at that time serves, if nobody else has
# the event.
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
my %BESIDE = map { $_ => 1 } qw(partition host session keep_until);


sub merge {
    my ($history) = @_;

    my $self = { event => {}, numbered => {}, problems => [] };
    my @repeated;

    _streamed($self, $_) for @{$history->{streams}};

    for my $line (@{$history->{journals}}) {
        my $record = $line->{record} or next;
        my $where = "$line->{file}, line $line->{line}";

        if (grep { !defined $record->{$_} } qw(partition at event op)) {
            push @{$self->{problems}},
                "$where is no record: $line->{text}";
        } elsif (defined $record->{seq}) {
            _journaled($self, $line, $where);
        } elsif (defined $record->{last}) {
            push @repeated, $line;
        } else {
            push @{$self->{problems}}, "$where has no number: $line->{text}";
        }
    }

    _repeated($self, $_) for @repeated;

    return { problems => $self->{problems}, events => [
        sort { $a->{at} <=> $b->{at} || $a->{seq} <=> $b->{seq} }
            values %{$self->{event}} ] };
}


sub _event {
    my ($self, $partition, $fields, $text) = @_;

    my $name = join ' ', "{$partition}", map { $fields->{$_} // '-' }
        qw(event op id);
    my $key = "$name $fields->{seq}";

    return $self->{event}{$key} ||= $self->{numbered}{$name} = { %$fields,
        partition => $partition, key => $key, at => $fields->{at} / 1000,
        text => $text, streams => 0 };
}


sub _streamed {
    my ($self, $entry) = @_;

    my $fields = $entry->{fields};
    my $text = _text($fields);
    my $event = _event($self, $entry->{partition}, $fields, $text);

    push @{$self->{problems}}, "node $entry->{node} tells $event->{key} "
        . 'otherwise than another node does' if $text ne $event->{text};
    $event->{streams}++;
    return;
}


sub _journaled {
    my ($self, $line, $where) = @_;

    my $record = $line->{record};
    my $text = _text($record);
    my $event = _event($self, $record->{partition}, $record, $text);

    push @{$self->{problems}}, "$where tells $event->{key} otherwise than "
        . ($event->{journal} || 'the stream') . ' does'
        if $text ne $event->{text};
    $event->{journal} ||= $line->{file};
    return;
}


sub _repeated {
    my ($self, $line) = @_;

    my $record = $line->{record};
    my $name = join ' ', "{$record->{partition}}",
        map { $record->{$_} // '-' } qw(event op id);
    my $event = $self->{numbered}{$name} || _event($self,
        $record->{partition}, { %$record, seq => $record->{last} },
        _text($record));

    $event->{journal} ||= $line->{file};
    return;
}


sub _text {
    my ($fields) = @_;
    return join "\n", map { "$_=" . ($fields->{$_} // '') }
        grep { !$BESIDE{$_} } sort keys %$fields;
}


1;
