package Enroll::Chaos::Load::Wire;

# HTTP/1.1 without waiting: requests, timers, and what to do next.
#
#     my $wire = Enroll::Chaos::Load::Wire->new(timeout => 8);
#     $wire->send({ host, port }, $bytes, sub { my ($answer) = @_; … },
#         leave => SECONDS)           # hangs up so long after it was sent
#     $wire->after(SECONDS, sub {…})
#     $wire->hurry                    # all timers are due
#     $wire->turn(SECONDS)            # what happens within that time
#     $wire->idle                     # neither requests nor timers are left
#
# An answer is { at, done, status, reason, head, body }; status 0 where there
# is none, and then reason says why: refused, closed, timeout, left.

use strict;
use warnings;

use Errno qw(EAGAIN EINPROGRESS EINTR);
use Fcntl ();
use Socket;
use Time::HiRes qw(time);


sub new {
    my ($class, %arg) = @_;
    return bless { timeout => 8, open => {}, timers => [], %arg }, $class;
}


sub idle { return !%{$_[0]{open}} && !@{$_[0]{timers}} }


sub send {
    my ($self, $to, $bytes, $next, %arg) = @_;

    my $one = { at => time, out => $bytes, in => '', next => $next, %arg };
    $one->{deadline} = $one->{at} + $self->{timeout};

    socket $one->{socket}, AF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    my $flags = fcntl $one->{socket}, Fcntl::F_GETFL(), 0;
    fcntl $one->{socket}, Fcntl::F_SETFL(), $flags | Fcntl::O_NONBLOCK();

    my $where = pack_sockaddr_in($to->{port}, inet_aton($to->{host}));
    if (!connect($one->{socket}, $where) && $! != EINPROGRESS) {
        $self->after(0, sub { $self->_end($one, 'refused') });
        return;
    }

    $self->{open}{fileno $one->{socket}} = $one;
    return;
}


sub after {
    my ($self, $seconds, $do) = @_;

    my $timers = $self->{timers};
    my $at = time + $seconds;
    my $i = @$timers;
    $i-- while $i > 0 && $timers->[$i - 1][0] > $at;
    splice @$timers, $i, 0, [$at, $do];

    return;
}


sub hurry {
    my ($self) = @_;
    $_->[0] = 0 for @{$self->{timers}};
    return;
}


sub turn {
    my ($self, $seconds) = @_;

    my $timers = $self->{timers};
    my $wait = @$timers ? $timers->[0][0] - time : $seconds;
    $wait = $wait < 0 ? 0 : $wait < $seconds ? $wait : $seconds;

    my ($read, $write) = ('', '');
    for my $fd (keys %{$self->{open}}) {
        vec($read, $fd, 1) = 1;
        vec($write, $fd, 1) = 1 if length $self->{open}{$fd}{out};
    }

    my $n = select $read, $write, undef, $wait;

    if ($n > 0) {
        for my $fd (keys %{$self->{open}}) {
            my $one = $self->{open}{$fd} or next;
            $self->_write($one) if vec $write, $fd, 1;
            $self->_read($one) if $self->{open}{$fd} && vec $read, $fd, 1;
        }
    }

    $self->_expire;
    (shift @$timers)->[1]->() while @$timers && $timers->[0][0] <= time;

    return;
}


sub _write {
    my ($self, $one) = @_;

    my $n = syswrite $one->{socket}, $one->{out};
    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        # what was answered is still read
        return $one->{out} = '' if length $one->{in};
        return $self->_end($one, 'refused');
    }

    substr $one->{out}, 0, $n, '';
    $one->{deadline} = time + $one->{leave}
        if $one->{leave} && !length $one->{out};
    return;
}


sub _read {
    my ($self, $one) = @_;

    my $n = sysread $one->{socket}, $one->{in}, 65_536, length $one->{in};
    return if !defined $n && ($! == EAGAIN || $! == EINTR);

    my ($head, $body) = $one->{in} =~ /\A(.*?\r\n)\r\n(.*)\z/s;
    my ($length) = ($head // '') =~ /^Content-Length:\s*(\d+)/mi;

    if (defined $body && (defined $length ? length $body >= $length : !$n)) {
        @$one{qw(head body)} = ($head, $body);
        return $self->_end($one, '');
    }

    $self->_end($one, 'closed') if !$n;
    return;
}


sub _expire {
    my ($self) = @_;

    my $now = time;
    for my $one (grep { $_->{deadline} <= $now } values %{$self->{open}}) {
        $self->_end($one, $one->{leave} && !length $one->{out} ? 'left'
            : 'timeout');
    }

    return;
}


sub _end {
    my ($self, $one, $why) = @_;

    delete $self->{open}{fileno $one->{socket}};
    close $one->{socket};

    my ($status) = ($one->{head} // '') =~ m{\AHTTP/1\.\d (\d{3})};
    my ($reason) = ($one->{body} // '') =~ /"reason":\s*"(\w+)"/;
    $one->{next}->({ at => $one->{at}, done => time, status => $status // 0,
        reason => $reason // $why, head => $one->{head} // '',
        body => $one->{body} // '' });
    return;
}


1;
