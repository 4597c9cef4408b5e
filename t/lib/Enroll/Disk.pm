package Enroll::Disk;

# A disk that is slow or broken to order, and one that is small.
#
#     my $disk = Enroll::Disk->new;         # for nginx_args => $disk->nginx
#     $disk->hold; … $disk->let_go;         # no fdatasync() returns meanwhile
#     $disk->hold($inode)                   # … of that file; others do
#     $disk->fail; … $disk->mend;           # each says EIO
#     $disk->begun, ->ended                 # how many, so far
#     $disk->busy(@pids)                    # how many of these have not ended
#     $disk->told                           # [begin|end, pid, inode], …
#
#     my $dir = small_disk('64k');          # a folder, or nothing: not root
#     fill_disk($dir); empty_disk($dir);    # not a byte is left; as before
#     free_disk($dir, 4096);                # some are left again

use strict;
use warnings;

use Exporter qw(import);

use Enroll::Checks qw(register);
use Enroll::Dir qw(sub_dir spew slurp);
use Enroll::Paths qw(top);

our @EXPORT_OK = qw(small_disk fill_disk empty_disk free_disk);

my $disks = 0;


sub new {
    my ($class) = @_;

    my $dir = sub_dir('disk' . ++$disks, 01777);
    my $library = "$dir/fdatasync.so";
    system('cc', '-shared', '-fPIC', '-o', $library,
        top() . '/t/fake/fdatasync.c', '-ldl') == 0
        or die 'cc does not make fdatasync.so';

    return bless { dir => $dir, library => $library }, $class;
}


sub nginx {
    my ($self) = @_;
    return { env => { LD_PRELOAD => $self->{library},
        ENROLL_FDATASYNC => $self->{dir} } };
}


# in one step: it is looked at all the time
sub hold {
    my ($self, $inode) = @_;
    spew("$self->{dir}/hold.new", $inode // '');
    return rename "$self->{dir}/hold.new", "$self->{dir}/hold";
}

sub let_go { unlink "$_[0]{dir}/hold" }
sub fail   { spew("$_[0]{dir}/fail", '') }
sub mend   { unlink "$_[0]{dir}/fail" }

sub told {
    my ($self) = @_;
    return map { [split / /] } split /\n/, slurp("$self->{dir}/told");
}

sub begun { return scalar grep { $_->[0] eq 'begin' } $_[0]->told }
sub busy {
    my ($self, @pids) = @_;
    my %of = map { ($_ => 0) } @pids;
    $of{$_->[1]} += $_->[0] eq 'begin' ? 1 : -1 for $self->told;
    return scalar grep { $of{$_} } @pids;
}

sub ended { return scalar grep { $_->[0] eq 'end' } $_[0]->told }


# What lies there is kept for the search for secrets.

sub small_disk {
    my ($size) = @_;

    my $name = 'disk' . ++$disks;
    my $dir = sub_dir("$name/small");
    return if $> != 0 || system("mount -t tmpfs -o size=$size,mode=1777 "
        . "none $dir 2> /dev/null") != 0;

    register(bless({ dir => $dir, logs => sub_dir("$name/logs") },
        'Enroll::Disk::Small'), 3);
    return $dir;
}

sub fill_disk {
    my ($dir) = @_;
    open my $fh, '>>', "$dir/filler" or die "$dir: $!";
    for my $size (4096, 1) {
        1 while syswrite $fh, 'x' x $size;
    }
    return;
}

sub empty_disk {
    my ($dir) = @_;
    return unlink "$dir/filler";
}

sub free_disk {
    my ($dir, $bytes) = @_;
    truncate "$dir/filler", (-s "$dir/filler") - $bytes or die "$dir: $!";
    return;
}


package Enroll::Disk::Small;

sub finish {
    my ($self) = @_;
    system "cp $self->{dir}/journal* $self->{logs}/ 2> /dev/null; "
        . "umount $self->{dir}";
    return;
}


1;
