package Enroll::Corpus;

# Reads t/bypass/*.txt: requests, and what has to become of each. How they
# are written is told in t/bypass/README.md.
#
#     my @cases = read_corpus($file);
#
# A case is { file, line, name, to, who => [...], over => [...], send => [...],
# told, idp => [...], ledger, … }; of a key that may differ by protocol
# $case->{"idp/h2"} comes before $case->{idp}.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use File::Basename qw(basename);

our @EXPORT_OK = qw(read_corpus unescape said);


# those that are lists of lines, of words, and one line
my %LINES = map { $_ => 1 } qw(send bytes idp body trailer);
my %WORDS = map { $_ => 1 } qw(who over);
my %LINE = map { $_ => 1 } qw(to told ledger answer why);


sub read_corpus {
    my ($file) = @_;

    open my $fh, '<', $file or croak "$file: $!";
    my (%default, @cases, %names, $case);

    while (my $line = <$fh>) {
        $line =~ s/\s+\z//;
        next if $line =~ /^\s*#/;

        if ($line eq '') {
            undef $case;
            next;
        }

        if (my ($key, $value) = $line =~ /^\s+(\S+)(?:\s+(.*))?\z/) {
            croak "$file:$.: belongs to nothing" if !$case;
            _add($case, $key, $value // '', "$file:$.");
            next;
        }

        croak "$file:$.: after \"$case->{name}\" an empty line is missing"
            if $case;

        $case = { file => basename($file, '.txt'), line => $., name => $line,
            given => {} };

        if ($line eq 'defaults') {
            $case->{into} = \%default;
        } else {
            croak "$file:$.: \"$line\" is there twice" if $names{$line}++;
            push @cases, $case;
        }
    }

    return map { _whole($_, \%default, $file) } @cases;
}


sub _add {
    my ($case, $key, $value, $where) = @_;

    my ($base) = $key =~ m{^(\w+)(?:/(?:h1|h2))?\z};
    my $into = $case->{into} || $case->{given};

    croak "$where: \"$key\" is not known"
        if !defined $base || !($LINES{$base} || $WORDS{$base} || $LINE{$base});

    if ($LINES{$base}) {
        push @{$into->{$key}}, $value;
    } else {
        croak "$where: \"$key\" is there twice" if exists $into->{$key};
        $into->{$key} = $WORDS{$base} ? [split ' ', $value] : $value;
    }

    return;
}


sub _whole {
    my ($case, $default, $file) = @_;

    my $given = delete $case->{given};
    my $whole = { who => ['nobody'], to => 'plain', over => ['h1'],
        idp => ['nothing'], ledger => 'unchanged', %$default, %$given,
        %$case };
    my $where = "$file:$case->{line}";

    delete $whole->{send} if $given->{bytes} && !$given->{send};
    croak "$where: what is sent?" if !$whole->{send} == !$whole->{bytes};
    croak "$where: what is told?" if !defined $whole->{told};
    $whole->{over} = ['h1'] if $whole->{bytes};
    $whole->{over} = ['h2'] if !$whole->{bytes} && $whole->{send}[0] =~ /^:/;

    return $whole;
}


# What a case says of a key over that protocol.

sub said {
    my ($case, $key, $over) = @_;
    return $case->{"$key/$over"} // $case->{$key};
}


# \r \n \t \0 \xHH \\, and {5000 x} for as many of them.

my %ESCAPE = (r => "\r", n => "\n", t => "\t", 0 => "\0", '\\' => '\\');

sub unescape {
    my ($text) = @_;

    $text =~ s/\{(\d+) ([^{}]+)\}/$2 x $1/ge;
    $text =~ s{\\(?:x([0-9a-fA-F]{2})|(.))}{
        defined $1 ? chr hex $1
        : $ESCAPE{$2} // croak "\\$2 is no escape: $text" }ge;

    return $text;
}


1;
