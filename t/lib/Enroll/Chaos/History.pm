package Enroll::Chaos::History;

# What a run of the fault harness leaves behind, read back.
#
#     my $history = read_history($dir);
#
#         requests, receipts, faults   the lines of DIR/….jsonl, as hashes;
#                     the requests of DIR/probe.jsonl, too
#         journals    { file, line, text, torn, record } of DIR/*/journal/;
#                     torn where the line does not begin with its record, or
#                     has none
#         streams     { node, partition, fields } of DIR/streams.jsonl, in
#                     the order of each stream
#         logs        { 'p1/logs/error.log' => [lines] } of DIR/*/logs/
#
#     my $hash = decode_line($text);      # nothing where it is not JSON
#     my $hash = decode_record($text);    # whatever stands before it
#     my $line = encode_line({…});        # with its end of line

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(read_history decode_line decode_record encode_line);


my $json = JSON::PP->new->ascii->canonical;
my $any = JSON::PP->new->utf8;


sub read_history {
    my ($dir) = @_;

    my $history = {
        (map { $_ => [_records("$dir/$_.jsonl")] }
            qw(requests receipts faults streams)),
        journals => [map { _journal($dir, $_) }
            sort glob "$dir/*/journal/*"],
        logs => { map { substr($_, 1 + length $dir) => [_lines($_)] }
            sort glob "$dir/*/logs/*" },
    };

    push @{$history->{requests}}, _records("$dir/probe.jsonl")
        if -e "$dir/probe.jsonl";
    return $history;
}


sub _lines {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "$file: $!\n";
    my @lines = <$in>;
    chomp @lines;

    return @lines;
}


sub _records {
    my ($file) = @_;

    my $n = 0;
    return map {
        $n++;
        decode_line($_) // die "$file, line $n: no record\n"
    } _lines($file);
}


sub _journal {
    my ($dir, $file) = @_;

    my $name = substr $file, 1 + length $dir;
    my $n = 0;

    return map {
        my $record = decode_line($_);
        { file => $name, line => ++$n, text => $_, torn => $record ? 0 : 1,
            record => $record // decode_record($_) }
    } grep { $_ ne '' } _lines($file);
}


# A write that was cut off may stand before it, on the same line. No string of
# a record has a {" in it.

sub decode_record {
    my ($text) = @_;
    my $begin = rindex $text, '{"';
    return $begin < 0 ? undef : decode_line(substr $text, $begin);
}


# Nearly all lines are objects of plain words and numbers, and there are
# hundreds of thousands of them: those are read here, the others by the book.

sub decode_line {
    my ($text) = @_;

    if ($text =~ /\G\{/gc) {
        my $object = _object(\$text);
        return $object if $object && $text =~ /\G\s*\z/gc;
    }

    my $value = eval { $any->decode($text) };
    return ref $value eq 'HASH' ? $value : undef;
}


sub _object {
    my ($text) = @_;

    my %object;
    return \%object if $$text =~ /\G\s*\}/gc;

    while (1) {
        $$text =~ /\G\s*"([^"\\\x00-\x1f\x80-\xff]*)"\s*:\s*/gc or return;
        my $name = $1;

        if ($$text =~ /\G"([^"\\\x00-\x1f\x80-\xff]*)"/gc) {
            $object{$name} = $1;
        } elsif ($$text =~ /\G(-?(?:0|[1-9]\d*)(?:\.\d+)?)(?=[\s,}])/gc) {
            $object{$name} = $1;
        } elsif ($$text =~ /\G(true|false|null)/gc) {
            $object{$name} = $1 eq 'true' ? 1 : $1 eq 'false' ? 0 : undef;
        } elsif ($$text =~ /\G\{/gc) {
            $object{$name} = _object($text) || return;
        } else {
            return;
        }

        next if $$text =~ /\G\s*,/gc;
        return \%object if $$text =~ /\G\s*\}/gc;
        return;
    }
}


sub encode_line { return $json->encode($_[0]) . "\n" }


1;
