package Enroll::Port;

# Free TCP ports. Each one handed out stays this process' own, by a lock, so
# that test files which run in parallel never get the same.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);
use File::Spec;
use IO::Socket::INET;

our @EXPORT_OK = qw(free_port);


use constant FIRST => 20_000;      # below the kernel's ephemeral ports
use constant LAST  => 31_999;

my @locks;


sub free_port {
    my $dir = File::Spec->tmpdir . "/ngx-enroll-ports-$>";
    mkdir $dir, 0700;

    for (1 .. 500) {
        my $port = FIRST + int rand(LAST - FIRST + 1);

        open my $lock, '>', "$dir/$port" or die "$dir/$port: $!";
        next if !flock $lock, LOCK_EX | LOCK_NB;

        my $socket = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            Listen => 1, ReuseAddr => 1);
        next if !$socket;

        close $socket;
        push @locks, $lock;
        return $port;
    }

    die "no free port\n";
}


1;
