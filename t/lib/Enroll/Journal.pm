package Enroll::Journal;

# A journal, as docs/operations.md says that it is read.
#
#     my @records = records($file);     # those that are whole, as hashes
#     my @torn = torn($file);           # what is left over of the others

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Enroll::Dir qw(slurp);

our @EXPORT_OK = qw(records torn);

my $json = JSON::PP->new->utf8;


# [record or undef, what stands before it in its line], …

sub _read {
    my ($file) = @_;

    return map {
        my ($before, $text) = /\A(.*)(\{".*)\z/s ? ($1, $2) : ($_, '');
        my $record = eval { $json->decode($text) };
        [$record, $record ? $before : $_];
    } grep { $_ ne '' } split /\n/, slurp($file);
}


sub records { return grep { $_ } map { $_->[0] } _read(@_) }

sub torn { return grep { $_ ne '' } map { $_->[1] } _read(@_) }


1;
