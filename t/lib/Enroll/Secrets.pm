package Enroll::Secrets;

# The plaintexts that this test has seen, and where they must not be (I5).

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(remember_secret remember_secrets_in find_secrets);


my %secrets;
my ($pieces, $pattern);

# A token or a session cookie; the first six characters after the prefix say
# nothing (version, key, partition).
my $BEARER = qr/(?<![A-Za-z0-9_-])(?:enr_[A-Za-z0-9_-]{59}|ens_[A-Za-z0-9_-]{91})
                (?![A-Za-z0-9_-])/x;

use constant HEAD  => 10;
use constant PIECE => 12;


sub remember_secret {
    for my $secret (@_) {
        next if !defined $secret || $secret eq '' || $secrets{$secret}++;
        undef $pieces;
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
# looked for, in any case. There are thousands, too many for one pattern: each
# place of the text is looked up.

sub _prepare {
    my %whole;
    $pieces = {};

    for my $secret (keys %secrets) {

        if ($secret !~ /^en[rs]_[A-Za-z0-9_-]+$/
            || length $secret < HEAD + PIECE)
        {
            $whole{lc $secret} = 1;
            next;
        }

        for (my $i = HEAD; $i + PIECE <= length $secret; $i += PIECE) {
            $pieces->{lc substr $secret, $i, PIECE} = 1;
        }
    }

    my $any = join '|', map { quotemeta } sort keys %whole;
    $pattern = %whole ? qr/$any/ : qr/(?!)/;
    return;
}


# Where in the line there is one: its first character, or -1.

sub _find_in {
    my ($line) = @_;

    return $-[0] if $line =~ $pattern;

    while ($line =~ /[a-z0-9_-]{12,}/g) {
        for my $from ($-[0] .. $+[0] - PIECE) {
            return $from if $pieces->{substr $line, $from, PIECE};
        }
    }

    return -1;
}


# The lines of the text that hold a secret, with the secret masked in them.

sub find_secrets {
    my ($text) = @_;

    return if !%secrets;
    _prepare() if !$pieces;

    my @found;

    for my $line (split /\n/, $text) {
        my $from = _find_in(lc $line);
        next if $from < 0;

        my $start = $from > 120 ? $from - 120 : 0;
        push @found, substr($line, $start, $from - $start) . '<secret>';
        last if @found == 5;
    }

    return @found;
}


1;
