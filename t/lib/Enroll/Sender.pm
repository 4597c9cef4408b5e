package Enroll::Sender;

# Who signs: issuers and provers, by the libraries that they really use
# (t/senders: jose and standardwebhooks). One process serves the whole test.
#
#     my $sender = sender();
#     $sender->key('acme', kty => 'EC');      # crv, bits, kid, alg, use
#     my $text = $sender->jwks('acme', …);    # the JWK Set of public keys
#     my $jws = $sender->jwt('acme', {claims}, typ => 'secevent+jwt',
#         header => {…});
#     my @headers = $sender->webhook($secret, $id, $body, timestamp => …);
#
# A key's kid is its name, unless given; kid => undef makes one without. The
# claims may be a text as well. The payload of
#
#     $sender->forge($payload, alg => 'none', header => {…} or 'text',
#         key => …, secret => …, public => …)
#
# is signed by hand, in ways that the library refuses: alg is what is done,
# the header says what it likes. Others' word is tried by
#
#     my $seen = $sender->verify($jws, $jwks, issuer => …, audience => …);
#     $sender->webhook_verify($secret, $body, 'webhook-id' => …, …);
#
# of which the first returns { header, payload }; both die where it is not
# good.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use IPC::Open2 qw(open2);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use POSIX ();

use Enroll::Checks qw(register);
use Enroll::Paths qw(top);
use Enroll::Wait qw(holds_within);

our @EXPORT_OK = qw(sender);


my $json = JSON::PP->new->ascii->canonical;
my $text = JSON::PP->new->utf8->canonical;
my $sender;


sub sender {
    $sender ||= __PACKAGE__->new;
    return $sender;
}


sub new {
    my ($class) = @_;

    my $pid = open2(my $out, my $in, 'node', top() . '/t/senders/sender.mjs');
    my $self = bless { pid => $pid, in => $in, out => $out, owner => $$,
        keys => {} }, $class;

    register($self, 0);
    return $self;
}


sub _ask {
    my ($self, $verb, %order) = @_;

    croak 'the sender has ended' if !$self->{in};

    print {$self->{in}} $json->encode({ do => $verb, %order }), "\n";
    $self->{in}->flush;

    my $line = readline $self->{out};
    croak 'the sender has gone' if !defined $line;

    my $answer = $text->decode($line);
    croak "$verb: $answer->{error}" if defined $answer->{error};

    return $answer;
}


# The public JWK; with secret => 1 the private one as well, as a list.

sub key {
    my ($self, $name, %arg) = @_;

    $arg{kid} = $name if !exists $arg{kid};
    delete $arg{kid} if !defined $arg{kid};

    my $made = $self->_ask('key', name => $name, %arg);
    $self->{keys}{$name} = $made->{jwk};

    return $arg{secret} ? ($made->{jwk}, $made->{private}) : $made->{jwk};
}


# Names of keys, or JWKs as hashes.

sub jwks {
    my ($self, @keys) = @_;
    return $text->encode({ keys => [map { ref $_ ? $_ : $self->_jwk($_) }
        @keys] });
}


sub _jwk {
    my ($self, $name) = @_;
    return $self->{keys}{$name} || croak "no key $name";
}


sub _payload {
    my ($payload) = @_;
    return encode_base64(ref $payload ? $text->encode($payload) : $payload,
        '');
}


sub jwt {
    my ($self, $name, $claims, %arg) = @_;

    my $kid = $self->_jwk($name)->{kid};
    my %header = (defined $kid ? (kid => $kid) : (),
        defined $arg{typ} ? (typ => $arg{typ}) : (), %{$arg{header} || {}});

    return $self->_ask('sign', key => $name, header => \%header,
        payload => _payload($claims))->{jws};
}


sub forge {
    my ($self, $payload, %arg) = @_;

    my $header = $arg{header} || {};
    return $self->_ask('forge', %arg, payload => _payload($payload),
        header => ref $header ? $header : encode_base64($header, ''))->{jws};
}


sub verify {
    my ($self, $jws, $jwks, %options) = @_;

    return $self->_ask('verify', jws => $jws, options => \%options,
        jwks => ref $jwks ? $jwks : $text->decode($jwks));
}


# The library reads its body as text: it has to be UTF-8.

sub _characters {
    my ($body) = @_;
    utf8::is_utf8($body) || utf8::decode($body) or croak 'not UTF-8';
    return $body;
}


sub webhook {
    my ($self, $secret, $id, $body, %arg) = @_;

    my $headers = $self->_ask('webhook', secret => $secret, id => $id,
        body => _characters($body),
        timestamp => 0 + ($arg{timestamp} // time))->{headers};

    return map { $_ => $headers->{$_} } sort keys %$headers;
}


sub webhook_verify {
    my ($self, $secret, $body, %headers) = @_;
    return $self->_ask('webhook_verify', secret => $secret,
        body => _characters($body), headers => \%headers)->{payload};
}


# Upstreams may have inherited the pipe, so its end is not enough.

sub finish {
    my ($self) = @_;

    return if $self->{owner} != $$ || !delete $self->{in};

    local $?;
    kill 'TERM', $self->{pid};

    if (!holds_within(5,
        sub { waitpid($self->{pid}, POSIX::WNOHANG()) != 0 }))
    {
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }

    return;
}


1;
