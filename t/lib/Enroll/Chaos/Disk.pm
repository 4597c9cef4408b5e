package Enroll::Chaos::Disk;

# What is on disks, how much, and how fast.
#
#     my $disk = Enroll::Chaos::Disk->new(dir => DIR);
#     $disk->mount("DIR/p1/journal")      # one of its own, that can be full
#     $disk->full($there), $disk->empty($there), $disk->unmount($there)
#     $disk->env('p1')        # of a process whose fsync is to become slow
#     $disk->slow('p1', $ms), $disk->delayed('p1')    # calls so far
#     $disk->copy(@nodes)     # what these Redis have on theirs, now
#     $disk->age              # seconds since the last copy
#     $disk->old($node, $seconds, $n)     # a folder with a copy so old; nth

use strict;
use warnings;

use File::Path qw(make_path);
use Time::HiRes qw(sleep time);

use Enroll::Chaos::Space qw(run);
use Enroll::Dir qw(spew);
use Enroll::Paths qw(top);
use Enroll::Wait qw(wait_for);


use constant { COPIES => 3, PAGE => 4096, LARGE => '1g' };


sub new {
    my ($class, %arg) = @_;

    my $self = bless { copies => [], %arg }, $class;
    make_path("$self->{dir}/shared");
    $self->{shim} = "$self->{dir}/shared/slow.so";
    run('cc', '-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o',
        $self->{shim}, top() . '/t/chaos/slow.c', '-ldl');

    return $self;
}


# --- full disks

sub mount {
    my ($self, $there) = @_;
    make_path($there);
    run('mount', '-t', 'tmpfs', '-o', 'size=' . LARGE . ',mode=1777',
        'tmpfs', $there);
    return;
}

# No larger than what is on it, which may grow in this very moment.

sub full {
    my ($self, $there) = @_;

    wait_for {
        my ($used) = run('df', '-B' . PAGE, '--output=used', $there)
            =~ /(\d+)/;
        my $size = PAGE * ($used || 1);
        eval { run('sh', '-c', 'exec mount -o "remount,size=$1" "$2" 2>&1',
            'mount', $size, $there); 1 };
    } "$there to be full";

    return;
}

sub empty {
    my ($self, $there) = @_;
    run('mount', '-o', 'remount,size=' . LARGE, $there);
    return;
}

# What is on it stays.

sub unmount {
    my ($self, $there) = @_;
    run('cp', '-rT', $there, "$there.kept");
    run('umount', '-l', $there);
    run('cp', '-rT', "$there.kept", $there);
    run('rm', '-r', "$there.kept");
    return;
}


# --- slow disks: t/chaos/slow.c

sub _file {
    my ($self, $name) = @_;
    return "$self->{dir}/shared/$name.slow";
}

sub env {
    my ($self, $name) = @_;
    my $file = $self->_file($name);
    spew($file, pack('QQ', 0, 0), 0666);
    return { LD_PRELOAD => $self->{shim}, CHAOS_SLOW => $file };
}

sub slow {
    my ($self, $name, $ms) = @_;
    my $fh = $self->_shared($name);
    syswrite $fh, pack 'Q', $ms;
    return;
}

sub delayed {
    my ($self, $name) = @_;
    my $fh = $self->_shared($name);
    sysread $fh, my $both, 16;
    return (unpack 'QQ', $both)[1];
}

sub _shared {
    my ($self, $name) = @_;
    my $file = $self->_file($name);
    open my $fh, '+<:raw', $file or die "$file: $!\n";
    return $fh;
}


# --- old disks

sub copy {
    my ($self, @nodes) = @_;

    my $at = time;
    make_path($_->dir . "/old/$at") for @nodes;

    # an append-only file may be written anew just now
    for my $node (@nodes) {
        wait_for { $node->try('BGSAVE') } 'a snapshot to begin';
    }
    for my $node (@nodes) {
        wait_for { $node->info('persistence')->{rdb_bgsave_in_progress}
            eq '0' } 'a snapshot';
        my $dir = $node->dir;
        run('cp', '-r', "$dir/dump.rdb", "$dir/appendonlydir",
            "$dir/old/$at");
    }

    push @{$self->{copies}}, $at;
    return if @{$self->{copies}} <= COPIES;

    my $gone = shift @{$self->{copies}};
    run('rm', '-r', map { $_->dir . "/old/$gone" } @nodes);
    return;
}


sub age {
    my ($self) = @_;
    return time - ($self->{copies}[-1] // 0);
}


# The nth newest of those that are old enough, or the oldest of them.

sub old {
    my ($self, $node, $seconds, $n) = @_;

    # early in a run the first one is not
    my $young = ($self->{copies}[0] // 0) + $seconds - time;
    sleep $young if $young > 0;

    my @old = reverse grep { $_ <= time - $seconds } @{$self->{copies}};
    die "no copy is that old\n" if !@old;

    return $node->dir . '/old/' . ($old[$n] // $old[-1]);
}


1;
