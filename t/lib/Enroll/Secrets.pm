package Enroll::Secrets;

# The plaintexts that this test has seen, and where they must not be (I5).

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(remember_secret remember_secrets_in find_secrets);


my %secrets;
my $pattern;

# A token or a session cookie; the first six characters after the prefix say
# nothing (version, key, partition).
my $BEARER = qr/(?<![A-Za-z0-9_-])(?:enr_[A-Za-z0-9_-]{59}|ens_[A-Za-z0-9_-]{91})
                (?![A-Za-z0-9_-])/x;

use constant HEAD  => 10;
use constant PIECE => 12;


sub remember_secret {
    for my $secret (@_) {
        next if !defined $secret || $secret eq '' || $secrets{$secret}++;
        undef $pattern;
    }
    return;
}


# Every token or session cookie that is in the text.

sub remember_secrets_in {
    my ($text) = @_;
    remember_secret($text =~ /($BEARER)/g);
    return;
}


# A part of a secret is as bad as the whole: pieces of 12 characters are
# looked for, in any case.

sub _pattern {
    my %pieces;

    for my $secret (keys %secrets) {

        if ($secret !~ /^en[rs]_/ || length $secret < HEAD + PIECE) {
            $pieces{lc $secret} = 1;
            next;
        }

        for (my $i = HEAD; $i + PIECE <= length $secret; $i += PIECE) {
            $pieces{lc substr $secret, $i, PIECE} = 1;
        }
    }

    my $any = join '|', map { quotemeta } sort keys %pieces;
    return qr/$any/;
}


# The lines of the text that hold a secret, with the secret masked in them.

sub find_secrets {
    my ($text) = @_;

    return if !%secrets;
    $pattern ||= _pattern();

    my $lower = lc $text;
    my @found;

    while ($lower =~ /$pattern/g) {
        my ($from, $to) = ($-[0], $+[0]);

        my $start = rindex($text, "\n", $from) + 1;
        $start = $from - 120 if $from - $start > 120;
        push @found, substr($text, $start, $from - $start) . '<secret>';

        last if @found == 5;

        my $end = index $text, "\n", $to;
        last if $end < 0;
        pos($lower) = $end;
    }

    return @found;
}


1;
