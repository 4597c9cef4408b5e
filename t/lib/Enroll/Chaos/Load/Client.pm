package Enroll::Chaos::Load::Client;

# One process of the load (Enroll::Chaos::Load): as many enrollments at once
# as it takes to begin so many a second.

use strict;
use warnings;

use Fcntl ();
use Time::HiRes qw(time);

use Enroll::Chaos::Load::Plan qw(plan dice);
use Enroll::Chaos::Load::Wire;
use Enroll::Webhook qw(webhook_headers);


use constant {
    OPEN   => 80,       # enrollments at the same time
    HELD   => 40,       # that wait for a nudge
    SPENT  => 300,      # that are kept to be tried again
    LATELY => 30,       # of them, the last ones, at a nudge
    OTHERS => 15,       # and any
    AGAIN  => 20,       # times that somebody stubborn comes again
    DRAIN  => 12,       # seconds for what is in flight at the end
    SWEEP  => 20,       # and to reach all partitions
};


sub new {
    my ($class, %arg) = @_;
    return bless { n => 0, open => 0, held => [], spent => [], %arg },
        $class;
}


sub run {
    my ($self) = @_;

    my ($nudged, $stop) = (0, 0);
    local $SIG{USR1} = sub { $nudged = 1 };
    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';

    open $self->{out}, '>>:raw', $self->{file} or die "$self->{file}: $!\n";
    $self->{wire} = Enroll::Chaos::Load::Wire->new;
    $self->{draw} = dice($self->{seed}, $self->{name});

    my $next = time;

    while (!$stop) {
        if (time >= $next) {
            $self->begin if $self->{open} < OPEN;
            $next += 1 / $self->{rate};
            $next = time if $next < time - 1;
        }
        if ($nudged) {
            $nudged = 0;
            $self->nudge;
        }
        my $left = $next - time;
        $self->{wire}->turn($left > 0 ? $left : 0);
    }

    $self->{ending} = 1;
    $self->nudge;
    $self->{wire}->hurry;
    $self->_until(DRAIN, sub { $self->{wire}->idle });
    $self->_sweep if $self->{sweep};
    close $self->{out} or die "$self->{file}: $!\n";

    return;
}


sub _until {
    my ($self, $seconds, $done) = @_;
    my $end = time + $seconds;
    $self->{wire}->turn(0.1) while !$done->() && time < $end;
    return;
}


# A token in each partition: whatever was lost there is noticed now.

sub _sweep {
    my ($self) = @_;

    my %seen;
    my $missing = sub { return keys %seen < $self->{sweep} };
    my $more;
    $more = sub {
        return if !$missing->();
        my $e = { name => "sweep-" . ++$self->{n}, plan => { issue =>
            [$self->{n} % 2] }, end => sub {
                my ($e) = @_;
                $seen{hex substr $e->{id}, 0, 4} = 1 if $e->{id};
                $self->{wire}->after($e->{id} ? 0 : 0.2, $more);
            } };
        $self->issue($e);
    };

    $more->() for 1 .. 8;
    $self->_until(SWEEP, sub { !$missing->() });

    return;
}


# --- requests

# One answer for each of them, when all are there.

sub _all {
    my ($self, $requests, $next) = @_;

    my ($missing, @answers) = (scalar @$requests);
    return $next->() if !$missing;

    for my $n (0 .. $#$requests) {
        my ($proxy, $bytes, %arg) = @{$requests->[$n]};
        $self->{wire}->send($self->{proxies}[$proxy], $bytes, sub {
            $answers[$n] = { %{$_[0]}, %arg,
                proxy => $self->{proxies}[$proxy]{name} };
            $next->(@answers) if !--$missing;
        }, $arg{leave} ? (leave => $arg{leave}) : ());
    }

    return;
}


sub _note {
    my ($self, $e, $answer) = @_;

    my $try = $answer->{try} ? "\"$answer->{try}\"" : 'null';
    my $id = $e->{id} // '';
    my $first = $answer->{first} ? 1 : 0;

    printf { $self->{out} } '{"at":%.6f,"done":%.6f,"proxy":"%s",'
        . '"step":"%s","id":"%s","try":%s,"first":%d,"status":%d,'
        . "\"reason\":\"%s\"}\n", @$answer{qw(at done proxy step)}, $id,
        $try, $first, @$answer{qw(status reason)};
    return;
}


# The id that the client gives its request is the same for all that do the
# same: nobody may take it for more than a word of the client's.

sub _bytes {
    my ($e, $step, $method, $path, $body, @headers) = @_;

    my $text = "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nX-Request-Id: $e->{name}-$step\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    $text .= 'Content-Length: ' . length($body) . "\r\n" if defined $body;

    return "$text\r\n" . ($body // '');
}


# --- an enrollment

sub begin {
    my ($self) = @_;

    my $name = "$self->{seed}-$self->{name}-" . ++$self->{n};
    $self->{open}++;
    $self->issue({ name => $name, plan => plan($self->{seed}, $name),
        left => 5, tries => \(my $tries = 0), round => 0,
        end => sub { $self->_spent($_[0]) } });
    return;
}


# Out of the way, and kept for later.

sub _spent {
    my ($self, $e) = @_;

    $self->{open}--;
    return if !$e->{token};

    my $spent = $self->{spent};
    push @$spent, $e;
    # of those before the last ones any may be forgotten
    splice @$spent, $self->{draw}->(SPENT - LATELY), 1 if @$spent > SPENT;
    return;
}


sub issue {
    my ($self, $e) = @_;

    my $body = "{\"subject\":\"s-$e->{name}\",\"class\":\"standard\"}";
    my $bytes = _bytes($e, 'issue', 'POST', '/enroll/issue', $body,
        'Content-Type' => 'application/json',
        webhook_headers($self->{secret}, $body, id => "e-$e->{name}"));

    $self->_all([map { [$_, $bytes, step => 'issue'] } @{$e->{plan}{issue}}],
        sub { $self->_issued($e, @_) });
    return;
}


# An issuer asks again, somewhere else.

sub _issued {
    my ($self, $e, @answers) = @_;

    for my $answer (@answers) {
        next if $answer->{status} != 201;
        ($e->{id}) = $answer->{body} =~ /"id":\s*"(\w+)"/;
        ($e->{token}) = $answer->{body} =~ /"token":\s*"(enr_[\w-]+)"/;
    }
    $self->_note($e, $_) for @answers;

    return $self->_wait($e) if $e->{token} && $e->{plan}{first};
    return $e->{end}->($e) if $e->{token} || $e->{left}-- <= 0
        || grep { $_->{status} == 200 } @answers;

    $e->{plan}{issue} = [1 - $e->{plan}{issue}[0]];
    $self->{wire}->after(0.3, sub { $self->issue($e) });
    return;
}


# Mail takes its time.

sub _wait {
    my ($self, $e) = @_;

    my $pause = $e->{plan}{pause};
    return $self->_hold($e, 'issue', sub { $self->redeem($e) }) if !$pause;

    $self->{open}--;
    $self->{wire}->after($pause, sub {
        $self->{open}++;
        $self->redeem($e);
    });
    return;
}


sub _hold {
    my ($self, $e, $where, $next) = @_;

    return $next->() if $e->{plan}{hold} ne $where;

    $self->{open}--;
    push @{$self->{held}}, sub { $self->{open}++; $next->() };
    (shift @{$self->{held}})->() if @{$self->{held}} > HELD;
    return;
}


sub _redeem_bytes {
    my ($e) = @_;
    return _bytes($e, 'redeem', 'POST', '/enroll', "token=$e->{token}",
        'Content-Type' => 'application/x-www-form-urlencoded');
}

# What a session's answer is good for.

sub _redeemed {
    my ($e, $answer) = @_;
    return if $answer->{status} != 200;
    ($e->{session}) = $answer->{head}
        =~ /^Set-Cookie:\s*(__Host-enroll=[^;\s]+)/mi;
    return $e->{session};
}


# Presented several times at once: one of them is the first.

sub redeem {
    my ($self, $e) = @_;

    my $plan = $e->{plan};
    return $self->_hold($e, 'redeem', sub { $self->page($e) })
        if !@{$plan->{first}};

    my @leave = $plan->{lost} ? (leave => 0.001) : ();
    my $bytes = _redeem_bytes($e);

    $self->_all([map { [$_, $bytes, step => 'redeem', @leave] }
        @{$plan->{first}}], sub {
            my @answers = @_;
            my ($won) = grep { _redeemed($e, $_) } @answers;
            ($won || $answers[0])->{first} = 1
                if !$e->{presented}++ && !$plan->{lost};
            $self->_note($e, $_) for @answers;
            return $self->_not_redeemed($e, @answers) if !$won;
            $self->_hold($e, 'redeem', sub {
                $self->again($e, sub { $self->page($e) }) });
        });
    return;
}


# Somewhere else, while the ledger, or nginx, is away.

sub _not_redeemed {
    my ($self, $e, @answers) = @_;

    return $self->again($e, sub { $e->{end}->($e) })
        if grep({ $_->{status} !~ /^(?:0|50\d)$/ } @answers)
            || $e->{left}-- <= 0;

    $e->{plan}{lost} = 0;
    $e->{plan}{first} = [1 - $e->{plan}{first}[0]];
    $self->{wire}->after(0.3, sub { $self->redeem($e) });
    return;
}


# A token that is spent. Where there is no answer it is presented again.

sub again {
    my ($self, $e, $next) = @_;

    my $bytes = _redeem_bytes($e);
    $self->_all([map { [$_, $bytes, step => 'redeem'] }
        @{$e->{plan}{again}}], sub {
            my @answers = @_;
            $self->_note($e, $_) for @answers;
            $self->_intrude($e, @answers);

            my @left = grep { $answers[$_]{status} =~ /^(?:0|50\d)$/ }
                0 .. $#answers;
            if (@left && $e->{plan}{stubborn} && !$self->{ending}
                && $e->{again}++ < AGAIN)
            {
                @{$e->{plan}{again}} = @{$e->{plan}{again}}[@left];
                $self->{wire}->after(0.5, sub { $self->again($e, sub { }) });
            }
            $next->();
        });
    return;
}


# If one is let in with what is spent, he goes on as far as he comes.

sub _intrude {
    my ($self, $e, @answers) = @_;

    my ($won) = grep { $_->{step} eq 'redeem' && $_->{status} == 200 }
        @answers or return;

    my $again = { %$e, round => 0, left => 5, end => sub { } };
    _redeemed($again, $won);
    $again->{plan} = { %{$e->{plan}}, late => [], finish => [map {
        [map { { proxy => $_, word => 'ok' } } 0, 1] } 1, 2] };
    $self->start($again);
    return;
}


sub _bearer {
    my ($e) = @_;
    return $e->{session} ? (Cookie => $e->{session})
        : (Authorization => "Bearer $e->{token}");
}


sub page {
    my ($self, $e) = @_;

    return $self->start($e) if !$e->{plan}{page} || !$e->{session};

    $self->_all([[$e->{plan}{begin}, _bytes($e, 'page', 'GET', '/register',
        undef, _bearer($e)), step => 'page']], sub {
            $self->_note($e, $_) for @_;
            $self->start($e);
        });
    return;
}


sub start {
    my ($self, $e) = @_;

    $self->_all([[$e->{plan}{begin}, _bytes($e, 'begin', 'POST',
        '/register/begin', '{}', 'Content-Type' => 'application/json',
        _bearer($e)), step => 'begin']], sub {
            my ($answer) = @_;
            $self->_note($e, $answer);
            return $self->finish($e) if $answer->{status} == 200;
            # the ledger is away, or nginx: once more, while it is worth it
            return $e->{end}->($e) if $answer->{status} !~ /^(?:0|50\d)$/
                || $e->{left}-- <= 0;
            $e->{plan}{begin} = 1 - $e->{plan}{begin};
            $self->{wire}->after(0.2, sub { $self->start($e) });
        });
    return;
}


sub _finish_request {
    my ($e, $proxy, $word, @arg) = @_;

    my $try = "$e->{name}-" . ++${$e->{tries}} . "-$word";
    return [$proxy, _bytes($e, 'finish', 'POST', '/register/finish',
        '{"id":"x"}', 'Content-Type' => 'application/json', 'X-Try' => $try,
        _bearer($e)), step => 'finish', try => $try, @arg];
}


# Round by round, until it is done or nobody knows.

sub finish {
    my ($self, $e) = @_;

    my $round = $e->{plan}{finish}[$e->{round}++]
        or return $self->late($e);

    $self->_all([map { _finish_request($e, $_->{proxy}, $_->{word},
        $_->{leave} ? (leave => 0.02) : ()) } @$round], sub {
            $self->_note($e, $_) for @_;
            my %said = map { $_->{status} => 1 } @_;
            return $self->late($e)
                if $said{200} || $said{410} || $said{401} || $said{429};
            # refused, or never asked, or unknown: then it stays closed
            my $wait = $said{503} ? 0.05 + 0.1 * $self->{draw}->(5) : 0.02;
            $self->{wire}->after($wait, sub { $self->finish($e) });
        });
    return;
}


sub late {
    my ($self, $e) = @_;

    $self->_all([map { _finish_request($e, $_, 'ok') } @{$e->{plan}{late}}],
        sub {
            $self->_note($e, $_) for @_;
            $e->{end}->($e);
        });
    return;
}


# --- after a fault

sub nudge {
    my ($self) = @_;

    (shift @{$self->{held}})->() while @{$self->{held}};

    my @spent = reverse @{$self->{spent}};
    my @chosen = splice @spent, 0, LATELY;
    push @chosen, splice @spent, $self->{draw}->(scalar @spent), 1
        while @spent && @chosen < LATELY + OTHERS;

    my $n = 0;
    for my $e (@chosen) {
        $self->{wire}->after(0.02 * $n++, sub { $self->_revive($e) });
    }

    return;
}


# A token that is spent, and a session that is over, at both proxies.

sub _revive {
    my ($self, $e) = @_;

    my $bytes = _redeem_bytes($e);
    my @finish = map { _finish_request($e, $_, 'ok') } 0, 1;

    $self->_all([@finish, map { [$_, $bytes, step => 'redeem'] } 0, 1], sub {
        $self->_note($e, $_) for @_;
        $self->_intrude($e, @_);
    });
    return;
}


1;
