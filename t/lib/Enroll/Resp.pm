package Enroll::Resp;

# A small client of Redis, for tests to look into it and to change it.
#
#     my $client = Enroll::Resp->new(socket => PATH)    or (port => N)
#     my $reply  = $client->command('HGETALL', $key);
#
# Strings and integers come as scalars, nil as undef, arrays as references;
# an error dies with its text.

use strict;
use warnings;

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(time);

use Enroll::Wait qw(patience);


sub new {
    my ($class, %arg) = @_;

    my $socket = defined $arg{socket}
        ? IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $arg{socket})
        : IO::Socket::INET->new(Proto => 'tcp', PeerAddr => '127.0.0.1',
            PeerPort => $arg{port});

    croak 'cannot connect to Redis: ' . ($@ || $!) if !$socket;
    binmode $socket;

    my $self = bless { socket => $socket, buffer => '',
        timeout => $arg{timeout} || 10 }, $class;

    if (defined $arg{password}) {
        $self->command('AUTH', defined $arg{user} ? $arg{user} : (),
            $arg{password});
    }

    return $self;
}


sub send_command {
    my ($self, @args) = @_;

    my $text = '*' . @args . "\r\n";
    for my $arg (@args) {
        my $bytes = "$arg";
        utf8::encode($bytes) if utf8::is_utf8($bytes);
        $text .= '$' . length($bytes) . "\r\n$bytes\r\n";
    }

    local $SIG{PIPE} = 'IGNORE';
    print { $self->{socket} } $text or croak "Redis: $!";
    $self->{socket}->flush;
    return;
}


sub command {
    my ($self, @args) = @_;

    $self->send_command(@args);
    my $reply = $self->read_reply;
    croak "Redis: ${$reply->{error}}" if ref $reply eq 'HASH';

    return $reply;
}


# A hash command's reply as a hash.

sub hash {
    my ($self, @args) = @_;
    return { @{ $self->command(@args) } };
}


sub _more {
    my ($self, $deadline) = @_;

    my $left = $deadline - time;
    croak 'Redis: no reply in time' if $left <= 0
        || !IO::Select->new($self->{socket})->can_read($left);

    my $n = sysread $self->{socket}, $self->{buffer}, 65_536,
        length $self->{buffer};
    croak 'Redis: connection closed' if !$n;
    return;
}


sub _line {
    my ($self, $deadline) = @_;

    $self->_more($deadline) while index($self->{buffer}, "\r\n") < 0;
    $self->{buffer} =~ s/\A(.*?)\r\n//s;
    return $1;
}


# An error is { error => \TEXT }.

sub read_reply {
    my ($self, $seconds) = @_;
    return $self->_reply(time + patience($seconds || $self->{timeout}));
}


sub _reply {
    my ($self, $deadline) = @_;

    my $line = $self->_line($deadline);
    my ($type, $rest) = $line =~ /\A(.)(.*)\z/s;

    return $rest if $type eq '+' || $type eq ':';
    return { error => \$rest } if $type eq '-';

    if ($type eq '$') {
        return if $rest < 0;
        $self->_more($deadline) while length $self->{buffer} < $rest + 2;
        my $text = substr $self->{buffer}, 0, $rest, '';
        substr $self->{buffer}, 0, 2, '';
        return $text;
    }

    if ($type eq '*') {
        return if $rest < 0;
        return [ map { scalar $self->_reply($deadline) } 1 .. $rest ];
    }

    croak "Redis: not a reply: $line";
}


1;
