package Enroll::Upstream::Server;

# The process behind Enroll::Upstream: one loop over the control socket, the
# listening socket and the connections.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);


my $json = JSON::PP->new->ascii->canonical;

my %REASON = (200 => 'OK', 201 => 'Created', 204 => 'No Content',
    302 => 'Found', 400 => 'Bad Request', 401 => 'Unauthorized',
    403 => 'Forbidden', 404 => 'Not Found', 409 => 'Conflict',
    500 => 'Internal Server Error', 502 => 'Bad Gateway',
    503 => 'Service Unavailable');


sub new {
    my ($class, $port, $control) = @_;
    $control->blocking(0);
    return bless { port => $port, control => $control, told => '',
        select => IO::Select->new($control), rules => [], requests => [],
        everything => [], connections => {} }, $class;
}


sub run {
    my ($self) = @_;

    $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $wait = 60;
        for my $c (values %{$self->{connections}}) {
            next if !defined $c->{due};
            my $left = $c->{due} - time;
            $wait = $left < 0 ? 0 : $left if $left < $wait;
        }

        for my $socket ($self->{select}->can_read($wait)) {

            if ($socket == $self->{control}) {
                return if !$self->_control;

            } elsif ($self->{listener} && $socket == $self->{listener}) {
                $self->_accept;

            } else {
                my $c = $self->{connections}{fileno $socket} or next;
                $self->_read($c);
            }
        }

        for my $c (values %{$self->{connections}}) {
            $self->_play($c) if defined $c->{due} && $c->{due} <= time;
        }
    }
}


# --- control


sub _control {
    my ($self) = @_;

    my $n = sysread $self->{control}, $self->{told}, 65_536,
        length $self->{told};
    return 1 if !defined $n && ($! == EAGAIN || $! == EINTR);
    return 0 if !$n;

    while ($self->{told} =~ s/\A(.*)\n//) {
        my $order = $json->decode($1);
        my $do = "_do_$order->{do}";
        my $value = eval { $self->$do($order) };
        my $reply = $json->encode($@ ? { error => "$@" }
            : { value => $value }) . "\n";

        $self->{control}->blocking(1);
        while (length $reply) {
            my $written = syswrite $self->{control}, $reply;
            return 0 if !defined $written;
            substr $reply, 0, $written, '';
        }
        $self->{control}->blocking(0);
    }

    return 1;
}


sub _do_listen {
    my ($self) = @_;

    return if $self->{listener};

    $self->{listener} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $self->{port}, Proto => 'tcp', Listen => 1024,
        ReuseAddr => 1) or die "listen on $self->{port}: $!\n";
    $self->{listener}->blocking(0);
    $self->{select}->add($self->{listener});
    return;
}

sub _do_refuse {
    my ($self) = @_;

    my $listener = delete $self->{listener} or return;
    $self->{select}->remove($listener);
    close $listener;

    # kept-alive connections would get around it
    for my $c (values %{$self->{connections}}) {
        $self->_close($c) if !$c->{answer};
    }
    return;
}

sub _do_answer {
    my ($self, $order) = @_;
    @{$self->{rules}} = grep { $_->{path} ne $order->{path} }
        @{$self->{rules}};
    unshift @{$self->{rules}}, $order;
    return;
}

sub _do_clear {
    my ($self) = @_;
    $self->{requests} = [];
    return;
}

sub _chosen {
    my ($self, $order) = @_;
    my @all = @{$self->{requests}};
    @all = grep { $_->{path} =~ /$order->{path}/ } @all
        if defined $order->{path};
    return @all;
}

sub _do_count {
    my ($self, $order) = @_;
    return scalar(my @chosen = $self->_chosen($order));
}

sub _do_requests {
    my ($self, $order) = @_;
    return [ map { $_->{raw} } $self->_chosen($order) ];
}

sub _do_everything {
    my ($self) = @_;
    return $self->{everything};
}

sub _do_release {
    my ($self, $order) = @_;

    my $n = 0;
    for my $c (values %{$self->{connections}}) {
        next if !$c->{hangs};
        $c->{hangs} = 0;
        $self->_begin($c, $order->{answer} || $self->_rule($c->{path}));
        $n++;
    }
    return $n;
}


# --- connections


sub _accept {
    my ($self) = @_;

    while (my $socket = $self->{listener}->accept) {
        $socket->blocking(0);
        $self->{connections}{fileno $socket} = { socket => $socket,
            in => '' };
        $self->{select}->add($socket);
    }
    return;
}


sub _close {
    my ($self, $c, $reset) = @_;

    delete $self->{connections}{fileno $c->{socket}};
    $self->{select}->remove($c->{socket});
    setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
        if $reset;
    close $c->{socket};
    return;
}


sub _read {
    my ($self, $c) = @_;

    my $n = sysread $c->{socket}, $c->{in}, 65_536, length $c->{in};
    return if !defined $n && ($! == EAGAIN || $! == EINTR);

    if (!$n) {
        # what came of a request that never became whole is a receipt, too
        push @{$self->{everything}}, $c->{in} if length $c->{in};
        return $self->_close($c);
    }

    return $c->{answer} || $c->{hangs} ? () : $self->_next($c);
}


# Takes the next whole request from what came.

sub _next {
    my ($self, $c) = @_;

    my ($head, $rest) = $c->{in} =~ /\A(.*?\r\n\r\n)(.*)\z/s or return;
    my $length;

    if ($head =~ /^Transfer-Encoding:\s*chunked/mi) {
        $rest =~ /\A((?:[0-9a-fA-F]+[^\r]*\r\n.*?)?0\r\n\r\n)/s or return;
        $length = length $1;
    } else {
        $length = $head =~ /^Content-Length:\s*(\d+)/mi ? $1 : 0;
        return if length $rest < $length;
    }

    my $raw = substr $c->{in}, 0, length($head) + $length, '';
    my ($target) = $raw =~ /\A\S+ (\S+)/;
    ($c->{path} = defined $target ? $target : '') =~ s/\?.*//s;
    $c->{head_only} = $raw =~ /\AHEAD /;
    $c->{keep} = $head =~ m{\A[^\r]* HTTP/1\.1\r\n}
        && $head !~ /^Connection:\s*close/mi;

    push @{$self->{requests}}, { path => $c->{path}, raw => $raw };
    push @{$self->{everything}}, $raw;

    return $self->_begin($c, $self->_rule($c->{path}));
}


sub _rule {
    my ($self, $path) = @_;

    for my $rule (@{$self->{rules}}) {
        next if $path !~ /$rule->{path}/;
        my $answers = $rule->{answers};
        my $answer = @$answers > 1 ? shift @$answers : $answers->[0];
        return $answer || {};
    }

    return {};
}


# --- answers


# Turns an answer into pieces to send, each with the pause before it, and
# what to do at the end.

sub _begin {
    my ($self, $c, $answer) = @_;

    if ($answer->{hang}) {
        $c->{hangs} = 1;
        return;
    }

    my $delay = $answer->{delay} || 0;
    my ($end, @pieces) = ('next');

    if ($answer->{reset}) {
        $end = 'reset';
        @pieces = [$delay, ''];

    } elsif ($answer->{close}) {
        $end = 'close';
        @pieces = [$delay, ''];

    } elsif (defined $answer->{raw}) {
        $end = 'close';
        @pieces = [$delay, $answer->{raw}];

    } else {
        @pieces = $self->_response($c, $answer);
        $pieces[0][0] += $delay;
        $end = 'close' if !$c->{keep};
    }

    if (defined(my $left = $answer->{cut} // $answer->{stall})) {
        for my $piece (@pieces) {
            $piece->[1] = substr $piece->[1], 0, $left;
            $left -= length $piece->[1];
        }
        $end = defined $answer->{cut} ? 'close' : 'stall';
    }

    @$c{qw(answer pieces end)} = ($answer, \@pieces, $end);
    $c->{due} = time + $pieces[0][0];

    return $self->_play($c) if $c->{due} <= time;
}


sub _response {
    my ($self, $c, $answer) = @_;

    my $status = $answer->{status} || 200;
    my $body = defined $answer->{body} ? $answer->{body} : '';
    my @headers = @{$answer->{headers} || []};
    my $chunks = $answer->{chunked};

    my $head = "HTTP/1.1 $status " . ($REASON{$status} || 'Status') . "\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    if ($chunks) {
        $head .= "Transfer-Encoding: chunked\r\n";
    } elsif ($status != 204 && $status != 304
        && $head !~ /^Content-Length:/mi)
    {
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }

    $head .= "Connection: close\r\n" if !$c->{keep};
    $head .= "\r\n";

    return [0, $head] if $c->{head_only};

    if ($chunks) {
        my $pause = $answer->{pause} || 0;
        my @pieces = ([0, $head],
            map { [$pause, sprintf("%x\r\n%s\r\n", length $_, $_)] }
                grep { length } @$chunks);
        $pieces[-1][1] .= "0\r\n\r\n";     # the end, with what is last
        return @pieces;
    }

    if ($answer->{slow}) {
        my $size = $answer->{piece} || 1;
        return ([0, $head], map { [$answer->{slow}, $_] }
            $body =~ /(.{1,$size})/gs);
    }

    return [0, $head . $body];
}


# Sends what is due.

sub _play {
    my ($self, $c) = @_;

    my $pieces = $c->{pieces};

    while (@$pieces && $c->{due} <= time) {
        my $text = $pieces->[0][1];

        if (length $text) {
            my $n = syswrite $c->{socket}, $text;

            if (!defined $n) {
                return $self->_close($c) if $! != EAGAIN && $! != EINTR;
                $c->{due} = time + 0.005;
                return;
            }

            if ($n < length $text) {
                substr $pieces->[0][1], 0, $n, '';
                next;
            }
        }

        shift @$pieces;
        $c->{due} = time + $pieces->[0][0] if @$pieces;
    }

    return if @$pieces;

    delete @$c{qw(pieces due)};
    return if $c->{end} eq 'stall';
    delete $c->{answer};
    return $self->_close($c, $c->{end} eq 'reset') if $c->{end} ne 'next';
    return $self->_next($c);
}


1;
