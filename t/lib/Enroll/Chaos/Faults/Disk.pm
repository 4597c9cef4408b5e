package Enroll::Chaos::Faults::Disk;

# Disks that are full, and disks that are slow.

use strict;
use warnings;

use Errno qw(ENOSPC);

use Enroll::Wait qw(wait_for);


sub kinds {
    return (
        'full disk' => { where => 'proxy', weight => 2, journal => 1,
            inject => \&_fill, heal => \&_empty },
        'slow fsync' => { where => 'disk', weight => 3,
            inject => \&_slow, heal => \&_fast },
    );
}


# The journal's.

sub _fill {
    my ($fault, $world) = @_;

    my $proxy = $fault->proxy;
    $world->disk->full($proxy->dir . '/journal');

    my $file = $proxy->dir . '/journal/more';
    open my $more, '>', $file or die "$file: $!\n";
    my @failed = grep { !defined syswrite $more, 'x' x 4096 } 1 .. 2;
    my $why = $!;
    close $more;
    unlink $file;
    die "the disk is not full\n" if !@failed || $why != ENOSPC;

    $fault->{log_at} = -s $proxy->error_log;
    $fault->explain('No space left on device');
    $fault->sign(write => "$why");
    $fault->hold(0.3, 1.5);

    return;
}

sub _empty {
    my ($fault, $world) = @_;

    my $proxy = $world->nginx($fault->{target});
    $world->disk->empty($proxy->dir . '/journal');

    # what the proxy itself has said of it
    my @said = grep { /No space left on device/ }
        $proxy->log_since($fault->{log_at});
    $fault->sign(said => scalar @said);

    return;
}


# By the shim that is loaded into all of them.

sub _slow {
    my ($fault, $world) = @_;

    my $of = $fault->draw(2) ? $fault->proxy : $fault->redis;
    my $delay = $fault->pick(20, 100, 300);
    $fault->{before} = $world->disk->delayed($of->name);
    $world->disk->slow($of->name, $delay);
    $fault->sign(ms => $delay);
    $fault->hold(1, 2.5);

    return;
}

sub _fast {
    my ($fault, $world) = @_;

    # without a journal a proxy never asks for it
    my $asks = $world->has_journals || $fault->{target} !~ /^p/;
    my $delayed = sub { $world->disk->delayed($fault->{target})
        - $fault->{before} };

    wait_for { $delayed->() } "$fault->{target} to wait for its disk", 5
        if $asks;
    $world->disk->slow($fault->{target}, 0);
    $fault->sign(delayed => $delayed->());

    return;
}


1;
