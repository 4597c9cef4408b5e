package Enroll::Keys;

# A key set file for enroll_keys, made as the README says: by jose.

use strict;
use warnings;

use Exporter qw(import);

use Enroll::Dir qw(test_dir spew);

our @EXPORT_OK = qw(make_keys new_keys);


my $count = 0;


sub _jose {
    my (@args) = @_;

    open my $jose, '-|', 'jose', @args or die "jose: $!";
    my $text = do { local $/; <$jose> };
    close $jose or die "jose failed\n";

    return $text;
}


# The text of a new key set.

sub new_keys {
    return _jose(qw(jwk gen -s), map { (-i => $_) }
        '{"kty":"oct","bytes":32}',
        '{"kty":"oct","bytes":32,"kid":"subject"}',
        '{"kty":"EC","crv":"P-256"}');
}


# Its file's name; only its owner may read it.

sub make_keys {
    my ($file) = @_;

    $file ||= test_dir() . '/keys-' . ++$count . '.jwks';
    spew($file, new_keys(), 0600);

    return $file;
}


1;
