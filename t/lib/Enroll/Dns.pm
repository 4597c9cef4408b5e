package Enroll::Dns;

# A name server for nginx' resolver.
#
#     my $dns = Enroll::Dns->new;
#     $dns->set('redis.test', '127.0.0.1', '127.0.0.2');
#     $dns->set('redis.test');          # it is not known any more
#     $dns->conf                        # the directives that lead to it

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

use Enroll::Checks qw(register);
use Enroll::Dir qw(sub_dir spew slurp);


my $servers = 0;


sub new {
    my ($class) = @_;

    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Proto => 'udp') or die "dns: $!";
    my $self = bless { socket => $socket, names => sub_dir('names-'
        . ++$servers) }, $class;

    my $parent = $$;
    $self->{pid} = fork // die "fork: $!";
    if ($self->{pid} == 0) {
        $self->_serve($parent);
        POSIX::_exit(0);
    }

    register($self, 2);
    return $self;
}


sub set {
    my ($self, $name, @addresses) = @_;
    spew("$self->{names}/$name", "@addresses");
    return;
}

sub conf {
    my ($self) = @_;
    return 'resolver 127.0.0.1:' . $self->{socket}->sockport
        . ' valid=1s ipv6=off; resolver_timeout 300ms;';
}


sub _serve {
    my ($self, $parent) = @_;

    while (getppid == $parent) {
        my $bits = '';
        vec($bits, fileno $self->{socket}, 1) = 1;
        next if !select $bits, undef, undef, 1;
        my $peer = $self->{socket}->recv(my $query, 512) or next;
        $self->{socket}->send($self->_answer($query), 0, $peer);
    }
    return;
}


sub _answer {
    my ($self, $query) = @_;

    my ($p, @labels) = (12);
    while (my $n = ord substr $query, $p, 1) {
        push @labels, lc substr $query, $p + 1, $n;
        $p += $n + 1;
    }

    my @addresses = split ' ', slurp("$self->{names}/" . join '.', @labels);
    return pack('a2 n5', substr($query, 0, 2),
            @addresses ? 0x8180 : 0x8183, 1, scalar @addresses, 0, 0)
        . substr($query, 12, $p - 7)
        . join '', map { pack 'n3 N n C4', 0xc00c, 1, 1, 1, 4, split /\./ }
            @addresses;
}


sub finish {
    my ($self) = @_;
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}


1;
