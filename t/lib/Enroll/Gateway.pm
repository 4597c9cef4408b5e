package Enroll::Gateway;

# Where tokens are delivered to: an Enroll::Upstream that may see them, and
# that alone. Everybody else's tokens and cookies in what it gets are for
# nobody, so what it received is remembered as secret.

use strict;
use warnings;

use parent 'Enroll::Upstream';

use JSON::PP ();

use Enroll::Secrets qw(remember_secrets_in);


my $json = JSON::PP->new->utf8;


sub new {
    my ($class, %arg) = @_;
    return $class->SUPER::new(%arg, scan => 0);
}


# The bodies that came, decoded.

sub delivered {
    my ($self) = @_;

    my @bodies = map { $_->body } $self->requests;
    remember_secrets_in($_) for @bodies;

    return map { $json->decode($_) } @bodies;
}


# It goes before those whose requests and logs are looked through.

sub finish {
    my ($self) = @_;

    if ($self->{control}) {
        remember_secrets_in($_) for @{ $self->_ask('everything') };
    }

    return $self->SUPER::finish;
}


1;
