package Enroll::Refused;

# What a refusal must look like, in one test.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

our @EXPORT_OK = qw(refused passed reason_of);


sub reason_of {
    my ($response) = @_;

    my $json = $response->json;
    return ref $json eq 'HASH' && defined $json->{reason}
        ? $json->{reason} : '';
}


# refused($response, 401, 'forged', 'a token cut short'): that status, in a
# problem document with that reason, and not to be kept by a cache.

sub refused {
    my ($response, $status, $reason, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $json = $response->json;
    my $good = $response->status == $status
        && ($response->header('Content-Type') // '')
            eq 'application/problem+json'
        && ($response->header('Cache-Control') // '') eq 'no-store'
        && reason_of($response) eq $reason
        && $json->{status} == $status
        && $json->{title} ne '' && defined $json->{detail};

    Test::More::ok($good, $name) or Test::More::diag(
        "wanted $status $reason, got: " . $response->error . "\n"
        . $response->raw);

    return $good;
}


# passed($response, 'what'): 200

sub passed {
    my ($response, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $good = $response->status == 200;
    Test::More::ok($good, $name) or Test::More::diag(
        'wanted 200, got: ' . $response->error . "\n" . $response->raw);

    return $good;
}


1;
