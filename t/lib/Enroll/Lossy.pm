package Enroll::Lossy;

# A way to Redis that loses replies: what was asked is done, and nobody hears
# of it.
#
#     my $lossy = Enroll::Lossy->new($redis);
#     … enroll_redis unix:SOCKET, where ->socket says which
#     $lossy->lose(1);         # the next reply to a script
#     $lossy->lose(1, 2);      # the one after the next two
#     $lossy->lost             # how many were, in all

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC SOMAXCONN);

use Enroll::Checks qw(register);


sub new {
    my ($class, $redis) = @_;

    my $path = $redis->dir . '/lossy.sock';
    my $listener = IO::Socket::UNIX->new(Local => $path, Type => SOCK_STREAM,
        Listen => SOMAXCONN) or die "$path: $!";
    chmod 0777, $path;

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        close $ours;
        eval { _run($listener, $theirs, $redis->socket); 1 }
            or print STDERR "# lossy: $@";
        POSIX::_exit(0);
    }

    my $self = bless { socket => $path, pid => $pid, control => $ours },
        $class;
    register($self, 2);
    return $self;
}


sub socket { return $_[0]{socket} }


sub _ask {
    my ($self, $line) = @_;
    my $control = $self->{control};
    syswrite $control, "$line\n";
    return scalar(<$control>) + 0;
}

sub lose { return $_[0]->_ask($_[1] . ' ' . ($_[2] || 0)) }
sub lost { return $_[0]->_ask('?') }


sub finish {
    my ($self) = @_;
    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}


# Both ends of a connection know each other; scripts is how many are asked
# and not answered. nginx sends one at a time where a test does.

sub _run {
    my ($listener, $control, $path) = @_;

    my ($lose, $skip, $lost, %peer, %end) = (0, 0, 0);
    my $select = IO::Select->new($listener, $control);
    local $SIG{PIPE} = 'IGNORE';

    while (1) {
        for my $socket ($select->can_read) {

            if ($socket == $control) {
                sysread $control, my $line, 64 or return;
                ($lose, $skip) = ($1, $2) if $line =~ /^(\d+) (\d+)/;
                syswrite $control, "$lost\n";
                next;
            }

            if ($socket == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::UNIX->new(Peer => $path,
                    Type => SOCK_STREAM) or next;
                my $end = { client => $client, server => $server,
                    scripts => 0 };
                @end{$client, $server} = ($end, $end);
                $select->add($client, $server);
                next;
            }

            my $end = $end{$socket} or next;
            my $n = sysread $socket, my $data, 65_536;
            my $reply = $socket == $end->{server};
            my $loses = $n && $reply && $end->{scripts} > 0
                && --$end->{scripts} >= 0 && $lose && !$skip--;

            if (!$n || $loses) {
                if ($loses) {
                    $lose--;
                    $skip = 0;
                    $lost++;
                }
                for my $one (@$end{qw(client server)}) {
                    $select->remove($one);
                    delete $end{$one};
                    close $one;
                }
                next;
            }

            $skip = 0 if $skip < 0;
            $end->{scripts} += () = $data
                =~ /\r\nEVAL(?:SHA)?\r\n(?!\$\d+\r\n-- probe)/g
                if !$reply;
            syswrite $reply ? $end->{client} : $end->{server}, $data;
        }
    }
}


1;
