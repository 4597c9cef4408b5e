package Enroll::Http;

# A client of HTTP/1.1 that sends exactly what it is told.
#
#     my $http = Enroll::Http->new(port => N, address => '127.0.0.1');
#     my $response = $http->request('POST', '/x', [Name => 'value', …], $body);
#     my $response = $http->get('/x', Name => 'value', …);
#     my $response = $http->post('/x', $body, Name => 'value', …);
#     my $response = $http->raw($bytes);
#     my @responses = Enroll::Http::burst([$http, 'GET', '/x', […], $body], …);
#
# Host and Content-Length are added where they are not given, and
# Connection: close. A response has ->status (0: none came), ->error (why
# none came, or what cut it short),
# ->header($name), ->headers($name), ->{headers} ([[name, value], …]),
# ->body, ->json, ->cookie($name), ->raw. Secrets in responses are
# remembered, so that they are looked for in the logs.

use strict;
use warnings;

use Carp qw(croak);
use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

use Enroll::Secrets qw(remember_secrets_in);
use Enroll::Wait qw(patience);


sub new {
    my ($class, %arg) = @_;
    return bless { host => 'localhost', timeout => 15, %arg }, $class;
}


# The bytes of a request.

sub bytes {
    my ($self, $method, $path, $headers, $body) = @_;

    my @headers = @{$headers || []};
    my %given;
    for (my $i = 0; $i < @headers; $i += 2) {
        $given{lc $headers[$i]} = 1;
    }

    unshift @headers, Host => $self->{host} if !$given{host};
    push @headers, Connection => 'close' if !$given{connection};
    push @headers, 'Content-Length' => length $body
        if defined $body && !$given{'content-length'}
            && !$given{'transfer-encoding'};

    my $text = "$method $path HTTP/1.1\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    $text .= "\r\n" . (defined $body ? $body : '');
    utf8::encode($text) if utf8::is_utf8($text);

    return $text;
}


sub request {
    my ($self, $method, $path, $headers, $body) = @_;
    return $self->_exchange($self->bytes($method, $path, $headers, $body),
        $method eq 'HEAD');
}

sub get {
    my ($self, $path, @headers) = @_;
    return $self->request('GET', $path, \@headers);
}

sub post {
    my ($self, $path, $body, @headers) = @_;
    $body = '' if !defined $body;
    return $self->request('POST', $path, \@headers, $body);
}

sub raw {
    my ($self, $bytes) = @_;
    return $self->_exchange($bytes, $bytes =~ /\AHEAD /);
}


# A connection of the caller's own, to send in pieces or to abort.

sub connect {
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => $self->{address} || '127.0.0.1',
        PeerPort => $self->{port}, Timeout => $self->{timeout})
        or croak "connect to port $self->{port}: $!";
    binmode $socket;
    return $socket;
}

# Reads a response from such a connection.

sub read_response {
    my ($self, $socket, $head) = @_;
    my $one = { socket => $socket, in => '', head => $head, out => '' };
    _drive($self->{timeout}, $one);
    return $one->{response};
}

sub _exchange {
    my ($self, $bytes, $head) = @_;
    my $one = { socket => $self->connect, out => $bytes, in => '',
        head => $head };
    _drive($self->{timeout}, $one);
    return $one->{response};
}


# Requests at the same time: all connected first, then all sent but for the
# last byte, then the last bytes in a row. Items are [$http, method, path,
# headers, body] or [$http, $bytes]. The responses come in the items' order.

sub burst {
    my (@items) = @_;

    my @all;
    my $timeout = 0;

    for my $item (@items) {
        my ($http, @request) = @$item;
        my $bytes = @request == 1 ? $request[0] : $http->bytes(@request);
        push @all, { socket => $http->connect, in => '', out => '',
            bytes => $bytes, head => scalar $bytes =~ /\AHEAD / };
        $timeout = $http->{timeout} if $http->{timeout} > $timeout;
    }

    for my $one (@all) {
        my $bytes = substr $one->{bytes}, 0, -1;
        local $SIG{PIPE} = 'IGNORE';
        print { $one->{socket} } $bytes;
        $one->{socket}->flush;
    }

    for my $one (@all) {
        local $SIG{PIPE} = 'IGNORE';
        syswrite $one->{socket}, substr $one->{bytes}, -1;
    }

    _drive($timeout, @all);
    return map { $_->{response} } @all;
}


# Sends and reads on all the connections until each has its response.

sub _drive {
    my ($timeout, @all) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $deadline = time + patience($timeout);
    my %open = map { fileno($_->{socket}) => $_ } @all;
    my $read = IO::Select->new(map { $_->{socket} } @all);
    my $write = IO::Select->new(map { $_->{socket} }
        grep { length $_->{out} } @all);

    $_->{socket}->blocking(0) for @all;

    while (%open) {
        my $left = $deadline - time;
        last if $left <= 0;

        my ($readable, $writable) = IO::Select->select($read, $write, undef,
            $left);

        for my $socket (@{$writable || []}) {
            my $one = $open{fileno $socket} or next;
            my $n = syswrite $socket, $one->{out};
            if (defined $n) {
                substr $one->{out}, 0, $n, '';
            } elsif ($! != EAGAIN && $! != EINTR) {
                $one->{out} = '';       # what was answered is still read
            }
            $write->remove($socket) if !length $one->{out};
        }

        for my $socket (@{$readable || []}) {
            my $one = $open{fileno $socket} or next;
            my $n = sysread $socket, $one->{in}, 65_536, length $one->{in};
            next if !defined $n && ($! == EAGAIN || $! == EINTR);

            my $end = !$n;
            my $why = defined $n ? 'closed' : "$!";
            next if !$end && !_complete($one);

            $read->remove($socket);
            $write->remove($socket);
            delete $open{fileno $socket};
            $one->{response} = Enroll::Http::Response->new($one, $why);
        }
    }

    $_->{response} = Enroll::Http::Response->new($_, 'timeout')
        for values %open;
    $_->{socket}->blocking(1) for @all;

    return;
}


# Whether the response is whole: by its length or its last chunk. Where it
# says neither, the connection's end is its end.

sub _complete {
    my ($one) = @_;

    my ($head, $body) = $one->{in} =~ /\A(.*?\r\n)\r\n(.*)\z/s or return 0;
    my ($status) = $head =~ /\AHTTP\/1\.\d (\d{3})/ or return 0;

    if ($status == 100) {
        $one->{in} =~ s/\A.*?\r\n\r\n//s;
        return _complete($one);
    }

    return 1 if $one->{head} || $status == 204 || $status == 304;
    return $body =~ /(?:\A|\r\n)0\r\n\r\n\z/
        if $head =~ /^Transfer-Encoding:\s*chunked/mi;
    return length $body >= $1 if $head =~ /^Content-Length:\s*(\d+)/mi;
    return 0;
}


package Enroll::Http::Response;

use strict;
use warnings;


sub new {
    my ($class, $one, $why) = @_;

    my $raw = $one->{in};
    Enroll::Secrets::remember_secrets_in($raw);

    my $self = bless { raw => $raw, status => 0, headers => [], body => '',
        error => $raw eq '' ? $why : '' }, $class;

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my ($line, @headers) = split /\r\n/, defined $head ? $head : '';

    if (!defined $body || $line !~ m{\AHTTP/1\.\d (\d{3})}) {
        $self->{error} ||= 'not a response';
        return $self;
    }

    $self->{status} = $1;
    $self->{headers} = [ map { [ /\A([^:]*):\s*(.*)\z/s ] } @headers ];
    if (!Enroll::Http::_complete({ %$one, in => $raw })
        && ($why ne 'closed' || defined $self->header('Content-Length')
            || defined $self->header('Transfer-Encoding')))
    {
        $self->{error} = "cut short: $why";
    }

    if (($self->header('Transfer-Encoding') || '') =~ /chunked/i) {
        my $whole = '';
        while ($body =~ s/\A([0-9a-fA-F]+)[^\r]*\r\n//) {
            my $n = hex $1 or last;
            $whole .= substr $body, 0, $n, '';
            $body =~ s/\A\r\n//;
        }
        $body = $whole;
    }

    $self->{body} = $body;
    return $self;
}


sub status { return $_[0]{status} }
sub error  { return $_[0]{error} }
sub body   { return $_[0]{body} }
sub raw    { return $_[0]{raw} }

sub headers {
    my ($self, $name) = @_;
    return map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{$self->{headers}};
}

sub header {
    my ($self, $name) = @_;
    return ($self->headers($name))[0];
}

# The value of a cookie that the response sets.
sub cookie {
    my ($self, $name) = @_;
    for my $line ($self->headers('Set-Cookie')) {
        return $1 if $line =~ /\A\Q$name\E=([^;]*)/;
    }
    return;
}

# The body as JSON, or nothing when it is not.
sub json {
    my ($self) = @_;
    return eval { JSON::PP->new->utf8->decode($self->{body}) };
}


1;
