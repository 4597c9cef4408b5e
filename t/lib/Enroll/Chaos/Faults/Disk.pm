package Enroll::Chaos::Faults::Disk;

# Disks that are full, and disks that are slow.

use strict;
use warnings;

use Errno qw(ENOSPC);


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
    my $written = syswrite $more, 'x' x 8192;
    my $why = $!;
    close $more;
    die "the disk is not full\n" if ($written // 0) == 8192;
    unlink $file;

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
    $fault->{before} = $world->disk->slow($of->name, $delay);
    $fault->sign(ms => $delay);
    $fault->hold(1, 2.5);

    return;
}

sub _fast {
    my ($fault, $world) = @_;

    my $delayed = $world->disk->slow($fault->{target}, 0)
        - $fault->{before};

    # without a journal a proxy never asks for it
    die "$fault->{target} has not waited for its disk\n"
        if !$delayed && ($world->has_journals || $fault->{target} !~ /^p/);
    $fault->sign(delayed => $delayed);

    return;
}


1;
