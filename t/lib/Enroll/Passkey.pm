package Enroll::Passkey;

# Registration responses (RegistrationResponseJSON of WebAuthn) made by hand,
# to say of an authenticator whatever a test wants to be said.
#
#     passkey(verified => 1, eligible => 1, backed_up => 1,
#         aaguid => '2fc0579f-…', format => 'packed', id => 'bytes',
#         origin => 'https://…', type => 'webauthn.create',
#         transports => ['usb'])         # a hash, for JSON
#     passkey_json(…)                    # its text
#     passkey_facts(…)                   # what the record says of it
#
# Its id is another one each time, where none is given.

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use Exporter qw(import);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

our @EXPORT_OK = qw(passkey passkey_json passkey_facts cbor_text cbor_bytes);


my $json = JSON::PP->new->utf8->canonical;
my $made = 0;


# The head of a CBOR item: RFC 8949, 3.

sub _head {
    my ($major, $n) = @_;
    return $n < 24 ? pack('C', $major << 5 | $n)
        : $n < 256 ? pack('CC', $major << 5 | 24, $n)
        : pack('Cn', $major << 5 | 25, $n);
}

sub cbor_bytes { return _head(2, length $_[0]) . $_[0] }
sub cbor_text  { return _head(3, length $_[0]) . $_[0] }


sub _defaults {
    my (%arg) = @_;
    return (verified => 1, eligible => 0, backed_up => 0, format => 'none',
        aaguid => '00000000-0000-0000-0000-000000000000',
        origin => 'http://localhost', type => 'webauthn.create',
        transports => ['internal'], %arg);
}


sub passkey {
    my %arg = _defaults(@_);

    my $id = $arg{id} // 'passkey ' . ++$made;
    my $flags = 0x41 | ($arg{verified} ? 4 : 0) | ($arg{eligible} ? 8 : 0)
        | ($arg{backed_up} ? 16 : 0);
    my $auth = sha256('localhost') . pack('CN', $flags, 1)
        . pack('H*', $arg{aaguid} =~ tr/-//dr) . pack('n', length $id) . $id
        . pack('H*', 'a201020326');
    my $object = _head(5, 3) . cbor_text('fmt') . cbor_text($arg{format})
        . cbor_text('attStmt') . ($arg{statement} // _head(5, 0))
        . cbor_text('authData') . cbor_bytes($auth);

    return {
        id => encode_base64url($id),
        rawId => encode_base64url($id),
        type => 'public-key',
        clientExtensionResults => {},
        response => {
            clientDataJSON => encode_base64url($json->encode({
                type => $arg{type}, origin => $arg{origin},
                challenge => 'AAAA', crossOrigin => JSON::PP::false })),
            attestationObject => encode_base64url($object),
            transports => $arg{transports},
        },
    };
}


sub passkey_json { return $json->encode(passkey(@_)) }


sub passkey_facts {
    my %arg = _defaults(@_);
    return {
        authenticator => sha256_hex($arg{id}),
        authenticator_aaguid => $arg{aaguid},
        authenticator_attestation => $arg{format},
        authenticator_user_verified => $arg{verified} ? 'yes' : 'no',
        authenticator_backup_eligible => $arg{eligible} ? 'yes' : 'no',
        authenticator_backed_up => $arg{backed_up} ? 'yes' : 'no',
        authenticator_transports => join(',', @{$arg{transports}}),
        authenticator_origin => $arg{origin},
    };
}


1;
