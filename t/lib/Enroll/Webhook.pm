package Enroll::Webhook;

# Standard Webhooks, the sender's side.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64 decode_base64);

our @EXPORT_OK = qw(webhook_secret webhook_headers webhook_signature);


my $count = 0;


sub webhook_secret {
    open my $random, '<:raw', '/dev/urandom' or die "urandom: $!";
    read $random, my $bytes, 32;
    return 'whsec_' . encode_base64($bytes, '');
}


sub webhook_signature {
    my ($secret, $id, $timestamp, $body) = @_;

    my ($key) = $secret =~ /^whsec_(.+)$/ or die "not a whsec_ secret\n";
    return 'v1,' . encode_base64(
        hmac_sha256("$id.$timestamp.$body", decode_base64($key)), '');
}


# webhook_headers($secret, $body, id => …, timestamp => …): a list of
# headers; the id is a fresh one and the time is now where not given.

sub webhook_headers {
    my ($secret, $body, %arg) = @_;

    my $id = defined $arg{id} ? $arg{id} : "msg_$$-" . ++$count;
    my $timestamp = defined $arg{timestamp} ? $arg{timestamp} : time;

    return ('webhook-id' => $id, 'webhook-timestamp' => $timestamp,
        'webhook-signature'
            => webhook_signature($secret, $id, $timestamp, $body));
}


1;
