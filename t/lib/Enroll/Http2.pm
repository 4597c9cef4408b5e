package Enroll::Http2;

# A client of HTTP/2 without TLS (prior knowledge) that sends exactly the
# header fields it is told, whatever they are.
#
#     my $said = Enroll::Http2::exchange($port, [[':method', 'GET'], …],
#         body => '…', trailers => [[name, value], …]);
#
# One connection, one stream. $said is { status, body, end }; end is "closed"
# (whole, or the connection's end), "reset" (RST_STREAM), "goaway" or
# "timeout". Of the response's fields only the status is read.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use Enroll::Secrets;
use Enroll::Wait qw(patience);


use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, GOAWAY => 7,
    CONTINUATION => 9, END_STREAM => 1, END_HEADERS => 4, ACK => 1,
    FRAME_MAX => 16_384,
};

# nginx writes these by their index, the others as three digits
my %STATUS = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304,
    0x8c => 400, 0x8d => 404, 0x8e => 500);


sub exchange {
    my ($port, $fields, %arg) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Proto => 'tcp')
        or die "connect to port $port: $!";
    local $SIG{PIPE} = 'IGNORE';

    my $body = $arg{body};
    my $trailers = $arg{trailers};

    syswrite $socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        . _frame(SETTINGS, 0, 0, '')
        . _headers($fields, !defined $body && !$trailers)
        . (defined $body
            ? _frame(DATA, $trailers ? 0 : END_STREAM, 1, $body) : '')
        . ($trailers ? _headers($trailers, 1) : '');

    return _read($socket);
}


sub _frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}


# As many frames as it takes.

sub _headers {
    my ($fields, $end) = @_;

    my $block = join '', map { "\0" . _text($_->[0]) . _text($_->[1]) }
        @$fields;
    my @parts = $block =~ /(.{1,${\ FRAME_MAX}})/gs;

    return join '', map { _frame($_ ? CONTINUATION : HEADERS,
        ($_ == $#parts ? END_HEADERS : 0) | ($end && !$_ ? END_STREAM : 0),
        1, $parts[$_]) } 0 .. $#parts;
}


# HPACK: a string without Huffman, its length in a prefix of seven bits.

sub _text {
    my ($text) = @_;

    my $n = length $text;
    return chr($n) . $text if $n < 127;

    my $length = chr 127;
    for ($n -= 127; $n >= 128; $n >>= 7) {
        $length .= chr(128 | $n & 127);
    }
    return $length . chr($n) . $text;
}


sub _read {
    my ($socket) = @_;

    my $select = IO::Select->new($socket);
    my $deadline = time + patience(10);
    my %said = (status => 0, body => '', end => 'timeout');
    my $in = '';

    while ($select->can_read($deadline - time)) {
        if (!sysread $socket, $in, 65_536, length $in) {
            $said{end} = 'closed';
            last;
        }
        last if _frames(\%said, \$in, $socket);
    }

    Enroll::Secrets::remember_secrets_in($said{body});
    return \%said;
}


# Takes the whole frames; true when nothing more is to come.

sub _frames {
    my ($said, $in, $socket) = @_;

    while (length $$in >= 9) {
        my ($length, $type, $flags, $stream)
            = unpack 'NCCN', "\0" . substr $$in, 0, 9;
        last if length $$in < 9 + $length;

        my $payload = substr $$in, 9, $length;
        substr $$in, 0, 9 + $length, '';

        if ($type == SETTINGS && !($flags & ACK)) {
            syswrite $socket, _frame(SETTINGS, ACK, 0, '');
        } elsif ($type == GOAWAY) {
            $said->{end} = 'goaway';
            return 1;
        }

        next if $stream != 1;

        if ($type == RST_STREAM) {
            $said->{end} = 'reset';
            return 1;
        }

        $said->{status} ||= _status($payload) if $type == HEADERS;
        $said->{body} .= $payload if $type == DATA;

        if (($type == HEADERS || $type == DATA) && $flags & END_STREAM) {
            $said->{end} = 'closed';
            return 1;
        }
    }

    return 0;
}


sub _status {
    my ($block) = @_;

    $block =~ s/\A[\x20-\x3f]+//;       # the size of a table
    return $1 if $block =~ /\A[\x08\x48]\x03([0-9]{3})/;
    return $STATUS{ord $block} // die 'a status that is not understood';
}


1;
