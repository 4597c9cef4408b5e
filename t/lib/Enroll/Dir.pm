package Enroll::Dir;

# The test's temporary directory. It is removed at the end, unless
# ENROLL_KEEP is set. What is in a logs/ folder is searched for secrets.

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

our @EXPORT_OK = qw(test_dir sub_dir spew slurp append);


my $dir;
my $owner = $$;


sub test_dir {
    if (!$dir) {
        $dir = tempdir('ngx-enroll-XXXXXX', TMPDIR => 1,
            CLEANUP => !$ENV{ENROLL_KEEP});

        # workers are another user when root runs the tests
        chmod 0755, $dir or die "$dir: $!";
    }

    return $dir;
}


sub sub_dir {
    my ($name, $mode) = @_;

    my $path = test_dir() . "/$name";
    make_path($path);
    chmod $mode, $path if $mode;

    return $path;
}


sub spew {
    my ($file, $text, $mode) = @_;

    open my $fh, '>:raw', $file or die "$file: $!";
    chmod $mode, $file if defined $mode;
    print $fh $text;
    close $fh or die "$file: $!";

    return $file;
}


sub append {
    my ($file, $text) = @_;

    open my $fh, '>>:raw', $file or die "$file: $!";
    print $fh $text;
    close $fh or die "$file: $!";

    return $file;
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;

    return defined $text ? $text : '';
}


END {
    if ($dir && $$ == $owner && $ENV{ENROLL_KEEP}) {
        print STDERR "# kept: $dir\n";
    }
}


1;
