#!/usr/bin/perl

# The senders of other tests: what they sign is what they were told, and
# others' libraries agree with it.

use FindBin;
use lib "$FindBin::Bin/../lib";
use Enroll::Test;

use JSON::PP ();
use MIME::Base64 qw(decode_base64url);


my $sender = sender();

sub header_of {
    my ($jws) = @_;
    return JSON::PP->new->utf8->decode(
        decode_base64url((split /\./, $jws)[0]));
}

sub dies_like {
    my ($code, $want, $what) = @_;
    ok !eval { $code->(); 1 }, $what;
    like $@, $want, '… and says why';
    return;
}


subtest 'compact JWS' => sub {
    my %key = (es256 => [kty => 'EC'],
        es384 => [kty => 'EC', crv => 'P-384'],
        rs256 => [kty => 'RSA', bits => 2048],
        ps256 => [kty => 'RSA', alg => 'PS256', use => 'sig']);

    for my $name (sort keys %key) {
        my $jwk = $sender->key($name, @{$key{$name}});
        is $jwk->{kid}, $name, "$name: its kid";
        ok !exists $jwk->{d}, 'nothing private is shown';

        my $jws = $sender->jwt($name, { sub => "\x{20ac}" },
            typ => 'secevent+jwt', header => { cty => 'x' });
        is_deeply header_of($jws), { alg => uc $name, kid => $name,
            typ => 'secevent+jwt', cty => 'x' }, 'its header';

        my $seen = $sender->verify($jws, $sender->jwks($name),
            typ => 'secevent+jwt');
        is $seen->{payload}{sub}, "\x{20ac}", 'what it says';
    }

    is_deeply [map { $_->{kid} } @{ JSON::PP->new->decode(
            $sender->jwks(qw(ps256 es256)))->{keys} }], [qw(ps256 es256)],
        'a set of several';

    my (undef, $private) = $sender->key('shown', kty => 'EC', secret => 1);
    ok $private->{d}, 'the private one, where it is asked for';
    ok !exists $sender->key('nameless', kty => 'EC', kid => undef)->{kid},
        'a key without kid';
    ok !exists header_of($sender->jwt('nameless', {}))->{kid},
        'and its JWS';

    dies_like sub { $sender->verify($sender->jwt('es256', {}),
        $sender->jwks('es384')) }, qr/JWKS/, 'a key that is not in the set';
    dies_like sub { $sender->verify($sender->jwt('es256', { iss => 'a' }),
        $sender->jwks('es256'), issuer => 'b') }, qr/"iss"/, 'an issuer';
    dies_like sub { $sender->jwt('es256', {}, header => { alg => 'RS256' }) },
        qr{must be rsa}, 'an alg that is not the key\'s';
};


subtest 'forged ones' => sub {
    my $none = $sender->forge('{}', alg => 'none',
        header => { alg => 'none' });
    like $none, qr/\A[\w-]+\.e30\.\z/, 'none';

    my $twice = $sender->forge("\xff", alg => 'ES256', key => 'es256',
        header => '{"alg":"none","alg":"ES256"}');
    my ($header, $payload) = map { decode_base64url($_) } split /\./, $twice;
    is $header, '{"alg":"none","alg":"ES256"}', 'a header as it is';
    is $payload, "\xff", 'a payload as it is';

    for my $name (qw(es256 es384 rs256 ps256)) {
        my $jws = $sender->forge('{"a":1}', alg => uc $name, key => $name,
            header => { alg => uc $name, kid => $name });
        is $sender->verify($jws, $sender->jwks($name))->{payload}{a}, 1,
            "$name by hand is the same";
    }

    my ($one, $other) = map { $sender->forge('{}', alg => 'HS256', @$_,
        header => { alg => 'HS256' }) } [public => 'es256'], [secret => 'x'];
    isnt $one, $other, 'HS256 by a public key, and by a secret';
};


subtest 'Standard Webhooks' => sub {
    my $secret = webhook_secret();
    my $body = "{\"subject\":\"\xc3\xa9\"}";
    my $now = time;
    my %ours = webhook_headers($secret, $body, id => 'x', timestamp => $now);
    my %theirs = $sender->webhook($secret, 'x', $body, timestamp => $now);

    is_deeply \%theirs, \%ours, 'the package and the harness agree';
    is_deeply $sender->webhook_verify($secret, $body, %ours),
        { subject => "\x{e9}" }, 'it accepts what the harness signs';
    dies_like sub { $sender->webhook_verify($secret, "$body ", %ours) },
        qr/signature/, 'it refuses another body';
};

done_testing;
