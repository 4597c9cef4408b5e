package Enroll::Early;

# A client whose whole request is TLS early data, and whose handshake does not
# end before the server has answered.
#
#     my $response = Enroll::Early::exchange($port, $first, $bytes);
#
# $first is a request that brings the session by which the other one comes.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

use Enroll::Dir qw(sub_dir spew);
use Enroll::Tls qw(ca_file);
use Enroll::Wait qw(patience);


sub exchange {
    my ($port, $first, $bytes) = @_;

    my $dir = sub_dir('early');
    spew("$dir/first", $first);
    spew("$dir/request", $bytes);

    my $said = _client($port, "-sess_out $dir/session < $dir/first");
    <$said>;
    close $said;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Proto => 'tcp', Listen => 1) or die "listen: $!";
    $said = _client($listen->sockport,
        "-sess_in $dir/session -early_data $dir/request < /dev/null");

    my $client = $listen->accept;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Proto => 'tcp') or die "connect: $!";
    _relay($client, $server);
    close $client;

    return do { local $/; <$said> } // '';
}


sub _client {
    my ($port, $more) = @_;

    my $command = 'openssl s_client -tls1_3 -quiet -servername localhost'
        . " -connect 127.0.0.1:$port -CAfile " . ca_file();
    open my $said, '-|', "$command $more 2>/dev/null" or die "openssl: $!";
    return $said;
}


# What the client says once the server has spoken, which ends the handshake,
# is kept from it.

sub _relay {
    my ($client, $server) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $select = IO::Select->new($client, $server);

    while (my @ready = $select->can_read(patience(5))) {
        for my $socket (@ready) {
            my $n = sysread $socket, my $text, 65_536;

            if ($socket == $server) {
                return if !$n;
                $select->remove($client);
                syswrite $client, $text;
            } elsif ($n) {
                syswrite $server, $text;
            } else {
                $select->remove($client);
            }
        }
    }

    return;
}


1;
