package Enroll::Flood;

# Enrollments at a rate, by several processes, over all hosts of a stack, and
# an IdP that can bear it: an nginx that writes a line for each receipt.
#
#     my $idp = Enroll::Flood::idp();
#     my $stack = stack(idp => $idp, Enroll::Flood::conf(), instances => 2);
#     my $flood = Enroll::Flood->new($stack, rate => 200, lag => 0.5);
#     $flood->wait_done(100, 10)    # so many more have gone all the way
#     my @told = $flood->stop;      # { subject, id, began, ended, … }
#     is_deeply [Enroll::Flood::faults($stack, @told)], [], '…';
#
# A token waits for lag seconds before each step, so that rate * lag are issued
# and as many redeemed at any time. What is answered 503 or 409 is tried again,
# as people do. When all is done, or nothing helps, the token is presented once
# more, and its finish at each host. said has the statuses of each step.

use strict;
use warnings;

use IO::Socket::INET;
use List::Util qw(min);
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);

use Enroll::Dir qw(sub_dir slurp);
use Enroll::Nginx;
use Enroll::Wait qw(wait_for patience);
use Enroll::Webhook qw(webhook_headers);


use constant {
    TRY   => 15,                    # s, for how long somebody tries a step
    PAUSE => 0.25,                  # s, before the second try; it doubles
    SLOW  => 2,                     # up to this
};

my %next = (issue => 'redeem', redeem => 'begin', begin => 'finish',
    finish => 'again');
my $floods = 0;


sub idp {
    my $idp = Enroll::Nginx->new(name => 'flood-idp', level => 'notice',
        module => 0, http => <<'CONF');
    log_format receipt '$msec $http_enroll_id $status $uri';
    server {
        listen 127.0.0.1:%%PORT%% backlog=2048;
        keepalive_requests 1000000;
        access_log %%DIR%%/logs/receipts.log receipt;
        location / { return 200 '{}'; }
    }
CONF
    return $idp;
}

# What a stack needs for it.

sub conf {
    return (nginx_args => { level => 'notice' },
        server => 'access_log off; keepalive_requests 1000000;
            proxy_set_header Enroll-Id $enroll_id;');
}


# How often the finish of each id was received.

sub receipts {
    my ($stack) = @_;
    my %count;
    $count{$_}++ for slurp($stack->idp->{logs} . '/receipts.log')
        =~ m{^\S+ (\w+) \d+ /register/finish$}mg;
    return \%count;
}


sub new {
    my ($class, $stack, %arg) = @_;

    my $name = 'flood-' . ++$floods;
    my $self = bless { stack => $stack, name => $name, rate => 200,
        lag => 0.5, processes => 8, from => time,
        ports => [map { $_->port } @{$stack->{nginx}}],
        file => sub_dir('flood') . "/$name", %arg }, $class;

    for my $n (1 .. $self->{processes}) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            eval { $self->_run($n); 1 } or print STDERR "# flood: $@";
            POSIX::_exit(0);
        }
        push @{$self->{pids}}, $pid;
    }

    return $self;
}


# --- one of the processes

sub _run {
    my ($self, $n) = @_;

    my $parent = getppid;
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';
    srand $n;

    open $self->{out}, '>>', "$self->{file}.$n" or die "$self->{file}: $!";
    $self->{out}->autoflush(1);

    my $every = $self->{processes} / $self->{rate};
    my $due = time + rand $every;
    my ($made, @queue) = (0);

    while (getppid == $parent && (!$stop || @queue)) {
        my $now = time;
        # what could not be begun in time is not made up for
        $due = $now if $due < $now - 1;
        if (!$stop && $due <= $now) {
            my $subject = "$self->{name}-$n-" . ++$made;
            push @queue, $self->_step({ subject => $subject,
                step => 'issue', began => $now, worst => 0 });
            $due += $every;
            next;
        }
        @queue = sort { $a->{due} <=> $b->{due} } @queue;
        if (@queue && $queue[0]{due} <= $now) {
            push @queue, $self->_step(shift @queue);
            next;
        }
        my $wait = $stop || $due > $queue[0]{due} ? $queue[0]{due} : $due
            if @queue;
        $wait //= $due;
        sleep $wait - $now if $wait > $now;
    }

    return;
}


# One request; what is left of the token's way, or nothing.

sub _step {
    my ($self, $t) = @_;

    my $step = $t->{step};
    my @hosts = 0 .. $#{$self->{ports}};
    my $host = $hosts[rand @hosts];

    if ($step eq 'again') {
        push @{$t->{said}{again}}, $self->_ask($t, $host, 'redeem'),
            map { $t->{cookie} ? $self->_ask($t, $_, 'finish') : () } @hosts;
        return $self->_tell($t);
    }

    my $status = $self->_ask($t, $host, $step);
    push @{$t->{said}{$step}}, $status;

    if ($status =~ /^20[01]$/) {
        $t->{step} = $next{$step};
        $t->{due} = time + ($step =~ /^(?:issue|redeem)$/ ? $self->{lag} : 0);
        delete @{$t}{qw(tried pause)};
        $t->{enrolled} = sprintf '%.3f', time if $step eq 'finish';
    } elsif ($status =~ /^(?:503|409|0)$/
        && time < ($t->{tried} //= time) + patience(TRY))
    {
        $t->{pause} = min(SLOW, ($t->{pause} // PAUSE / 2) * 2);
        $t->{due} = time + $t->{pause};
    } elsif ($step eq 'issue') {
        return $self->_tell($t);
    } else {
        ($t->{step}, $t->{due}) = ('again', time);
    }

    return $t;
}


sub _tell {
    my ($self, $t) = @_;

    print { $self->{out} } join(' ', $t->{subject}, $t->{id} // '-',
        $t->{enrolled} // '-',
        (map { sprintf '%.3f', $_ } $t->{began}, time, $t->{worst}),
        map { "$_=" . join ',', @{$t->{said}{$_}} } sort keys %{$t->{said}}),
        "\n";
    return;
}


sub _ask {
    my ($self, $t, $host, $step) = @_;

    my ($path, $body, @headers);

    if ($step eq 'issue') {
        ($path, $body) = ('/enroll/issue',
            qq({"subject":"$t->{subject}","class":"standard"}));
        @headers = ('Content-Type' => 'application/json',
            webhook_headers($self->{stack}->secret_of('hr'), $body,
                id => "event-$t->{subject}"));
    } elsif ($step eq 'redeem') {
        ($path, $body) = ('/enroll', "token=$t->{token}");
        @headers = ('Content-Type' => 'application/x-www-form-urlencoded');
    } else {
        ($path, $body) = ("/register/$step", '{}');
        @headers = (Cookie => "__Host-enroll=$t->{cookie}");
    }

    my $from = time;
    my ($status, $head, $text) = $self->_http($host, $path, $body, @headers);
    my $took = time - $from;
    $t->{worst} = $took if $took > $t->{worst};

    if ($step eq 'issue' && $status =~ /^20[01]$/) {
        ($t->{id}) = $text =~ /"id":\s*"(\w+)"/;
        ($t->{token}) = $text =~ /"token":\s*"([\w-]+)"/;
        # the event of before has made one, which nobody can be told again
        $status = 'gone' if !defined $t->{token};
    } elsif ($step eq 'redeem' && $status == 200) {
        ($t->{cookie}) = $head =~ /^Set-Cookie: __Host-enroll=([^;\r]+)/mi;
    }

    return $status;
}


# Status 0: the connection was lost; -1: no answer for very long.

sub _http {
    my ($self, $host, $path, $body, @headers) = @_;

    my $socket = $self->{sockets}{$host} ||= do {
        my $new = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $self->{ports}[$host]) or return (0, '', '');
        setsockopt $new, IPPROTO_TCP, TCP_NODELAY, 1;
        $new;
    };

    my $text = "POST $path HTTP/1.1\r\nHost: localhost\r\n"
        . 'Content-Length: ' . length($body) . "\r\n";
    $text .= shift(@headers) . ': ' . shift(@headers) . "\r\n" while @headers;
    syswrite $socket, "$text\r\n$body";

    my ($in, $bits, $deadline) = ('', '', time + patience(20));
    vec($bits, fileno $socket, 1) = 1;

    while ($in !~ /\r\n\r\n/ || length $in < $+[0]
        + ($in =~ /^Content-Length: (\d+)/mi ? $1 : 0))
    {
        my $left = $deadline - time;
        if ($left <= 0 || !select my $ready = $bits, undef, undef, $left) {
            delete $self->{sockets}{$host};
            return (-1, '', '');
        }
        if (!sysread $socket, $in, 16384, length $in) {
            delete $self->{sockets}{$host};
            return (0, '', '');
        }
    }

    delete $self->{sockets}{$host} if $in =~ /^Connection: close/mi;
    my ($head, $rest) = split /\r\n\r\n/, $in, 2;
    my ($status) = $head =~ m{^HTTP/1\.\d (\d+)};
    return ($status, $head, $rest);
}


# --- what they tell

sub told {
    my ($self) = @_;

    my @told;
    for my $line (map { split /\n/, slurp($_) } glob "$self->{file}.*") {
        my ($subject, $id, $enrolled, $began, $ended, $worst, @said)
            = split / /, $line;
        my %said = map { my ($step, $list) = split /=/;
            ($step => [split /,/, $list]) } @said;
        push @told, { subject => $subject, id => $id, began => $began,
            enrolled => $enrolled, ended => $ended, worst => $worst,
            said => \%said };
    }
    return @told;
}

sub done { return grep { $_->{enrolled} ne '-' } @_ }

# … of those who began later than that.

sub wait_done {
    my ($self, $n, $seconds, $since) = @_;

    $since //= time;
    wait_for {
        my $count = 0;
        for my $file (glob "$self->{file}.*") {
            $count += grep { $_ >= $since }
                slurp($file) =~ /^\S+ \S+ \d\S+ (\S+)/mg;
        }
        sleep 0.1;
        $count >= $n;
    } "$n more enrollments", $seconds || 10;
    return;
}

# Enrollments a second that have gone all the way, since it began.

sub rate {
    my ($self) = @_;
    my @done = done($self->told);
    return @done / (time - $self->{from});
}


sub stop {
    my ($self) = @_;

    kill TERM => @{$self->{pids}};
    waitpid $_, 0 for @{$self->{pids}};
    return $self->told;
}


# What must not be (I1, I2): a second receipt, a second success, a success
# without a receipt; nor a request that nobody answers (I6).

sub faults {
    my ($stack, @told) = @_;

    my $received = receipts($stack);
    my @faults = map { "$_: $received->{$_} receipts" }
        grep { $received->{$_} > 1 } sort keys %$received;

    for my $told (@told) {
        my $said = $told->{said};
        my $line = join ' ', $told->{subject}, $told->{id},
            map { "$_=@{$said->{$_}}" } sort keys %$said;
        my @redeemed = grep { $_ eq '200' } @{$said->{redeem} || []},
            ($said->{again} || [])->[0] // ();
        my @finished = grep { $_ eq '200' } @{$said->{finish} || []},
            @{$said->{again} || []}[1 .. $#{$said->{again} || []}];

        push @faults, "$line: redeemed twice" if @redeemed > 1;
        push @faults, "$line: finished twice" if @finished > 1;
        push @faults, "$line: a success without a receipt"
            if @finished && !$received->{$told->{id}};
        push @faults, "$line: no answer"
            if grep { $_ eq '-1' } map { @$_ } values %$said;
    }

    return @faults;
}


1;
