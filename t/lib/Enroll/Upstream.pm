package Enroll::Upstream;

# An HTTP server that answers by script and keeps what it received: the
# IdP's part in tests. It runs in a process of its own.
#
#     my $idp = Enroll::Upstream->new(name => 'idp');
#     $idp->answer('/finish' => { status => 400 }, { status => 204 });
#     $idp->answer(qr{^/begin} => { body => '{}', delay => 0.2 });
#
# One answer a request, the last one for all that follow; a path is matched
# without its query; the rule set last goes first. An answer is
#
#     { status, headers => [name, value, …], body, delay => SECONDS }
#     { …, chunked => ['piece', …], pause => SECONDS }   chunks, one by one
#     { …, slow => SECONDS, piece => BYTES }             body bit by bit
#     { …, cut => BYTES }           closes after so much of the response
#     { …, stall => BYTES }         says no more after so much of it
#     { raw => '…' }                these bytes, then closes
#     { hang => 1 }                 nothing, until ->release or the end
#     { reset => 1 }                RST when the request was read
#     { close => 1 }                FIN when the request was read
#
#     ->requests        received: { raw, method, path, headers, header, body }
#     ->count($path)    how many (of a path or a regex)
#     ->wait_count($n, $path)
#     ->release({…})    answers all that hang, as told or as the scripts say
#     ->clear           forgets what was received
#     ->refuse, ->listen   stops listening, listens again

use strict;
use warnings;

use Carp qw(croak);
use IO::Handle;
use JSON::PP ();
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

use Enroll::Checks qw(register add_problem);
use Enroll::Port qw(free_port);
use Enroll::Secrets qw(find_secrets);
use Enroll::Upstream::Server;
use Enroll::Wait qw(wait_for holds_within);


my $json = JSON::PP->new->ascii->canonical;


sub new {
    my ($class, %arg) = @_;

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!";

    my $port = $arg{port} || free_port();
    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        close $ours;
        eval { Enroll::Upstream::Server->new($port, $theirs)->run; 1 }
            or print STDERR "# upstream: $@";
        POSIX::_exit(0);
    }

    close $theirs;
    $ours->autoflush(1);

    my $self = bless { name => 'upstream', scan => 1, %arg, port => $port,
        pid => $pid, control => $ours }, $class;

    register($self, 0);
    $self->listen;

    return $self;
}


sub port { return $_[0]{port} }


sub _ask {
    my ($self, $what, %more) = @_;

    croak "$self->{name} has ended" if !$self->{control};

    my $control = $self->{control};
    print {$control} $json->encode({ do => $what, %more }), "\n";
    my $line = <$control>;
    croak "$self->{name} has gone" if !defined $line;

    my $reply = $json->decode($line);
    croak "$self->{name}: $reply->{error}" if defined $reply->{error};

    return $reply->{value};
}


sub _pattern {
    my ($path) = @_;
    return if !defined $path;
    return ref $path ? "$path" : "^\Q$path\E\$";
}


sub answer {
    my ($self, $path, @answers) = @_;
    return $self->_ask('answer', path => scalar _pattern($path),
        answers => \@answers);
}

sub clear   { return $_[0]->_ask('clear') }
sub listen  { return $_[0]->_ask('listen') }
sub refuse  { return $_[0]->_ask('refuse') }

sub count {
    my ($self, $path) = @_;
    return $self->_ask('count', path => scalar _pattern($path));
}

sub wait_count {
    my ($self, $n, $path, $seconds) = @_;
    return wait_for { $self->count($path) >= $n }
        "$n requests at $self->{name}", $seconds;
}

sub release {
    my ($self, $answer) = @_;
    return $self->_ask('release', answer => $answer);
}


sub requests {
    my ($self, $path) = @_;
    return map { Enroll::Upstream::Request->new($_) }
        @{ $self->_ask('requests', path => scalar _pattern($path)) };
}


# Ends it; a secret in what it received is a problem.

sub finish {
    my ($self) = @_;

    return if !$self->{control};

    if ($self->{scan}) {
        for my $raw (@{ $self->_ask('everything') }) {
            add_problem("secret in a request to $self->{name}: $_")
                for find_secrets($raw);
        }
    }

    # children that were forked later have it open, too
    shutdown $self->{control}, 2;
    close delete $self->{control};

    my $pid = $self->{pid};
    local $?;
    if (!holds_within(5, sub { waitpid($pid, POSIX::WNOHANG()) != 0 })) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    return;
}


package Enroll::Upstream::Request;

use strict;
use warnings;


sub new {
    my ($class, $raw) = @_;

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my ($line, @headers) = split /\r\n/, $head;
    my ($method, $path) = split / /, $line;

    return bless { raw => $raw, method => $method, path => $path,
        body => $body, headers => [ map { [ /\A([^:]*):\s*(.*)\z/s ] }
            @headers ] }, $class;
}


sub method { return $_[0]{method} }
sub path   { return $_[0]{path} }
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


1;
