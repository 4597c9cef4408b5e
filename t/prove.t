#!/usr/bin/perl

# enroll_prove: no begin and no finish without the proofing that the class
# asks for, of the same subject, by a prover's fresh and signed word (I4). The
# attestations are made by the jose package.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused passed reason_of);
use Enroll::Test;

use JSON::PP ();


use constant ISS => 'https://prover.example';
use constant AUD => 'https://enroll.example';

my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();
my $count = 0;

# the prover's keys, and those of others
$sender->key('one', kty => 'EC');
$sender->key('two', kty => 'EC', crv => 'P-384');
$sender->key('three', kty => 'RSA', bits => 2048);
$sender->key('four', kty => 'RSA', bits => 2048, alg => 'PS256');
$sender->key('other', kty => 'EC');
$sender->key('stranger', kty => 'EC', kid => 'one');
$sender->key('unknown', kty => 'EC');

my $stack = stack(class => 'ttl 1h; window 10m; attempts 3; proof ial2;',
    classes => <<'CONF',
    enroll_class none { ttl 1h; }
    enroll_class low { ttl 1h; proof ial1; }
    enroll_class high { ttl 1h; proof ial3; }
    enroll_class guarded { ttl 1h; proof ial2; approvals 1; }
CONF
    provers => <<'CONF',
    enroll_prover acme {
        jwks %%STACK%%/acme.jwks;
        iss https://prover.example;
        aud https://enroll.example;
        max_age 5m;
    }
    enroll_prover bis {
        jwks %%STACK%%/bis.jwks;
        iss https://bis.example;
        aud https://enroll.example;
    }
    enroll_prover bank {
        jwks %%STACK%%/acme.jwks;
        iss https://bank.example;
        aud https://enroll.example;
        subject preferred_username;
    }
    enroll_prover twin {
        jwks %%STACK%%/bis.jwks;
        iss https://bank.example;
        aud https://twin.example;
    }
    enroll_prover elsewhere {
        jwks %%STACK%%/acme.jwks;
        iss https://elsewhere.example;
        aud https://enroll.example;
    }
CONF
    files => { 'acme.jwks' => $sender->jwks(qw(one two three four)),
        'bis.jwks' => $sender->jwks('other') },
    issuer => 'class standard none low high guarded; approve on;',
    approve => 'hr', prove => 'acme bis bank twin return=/register',
    begin => 'proxy_set_header Enroll-Proof $enroll_proof;');
my $redis = $stack->redis;
my $idp = $stack->idp;
my $http = $stack->http;


# An attestation's claims: what is given replaces the usual, undef leaves out.

sub claims {
    my (%over) = @_;
    my $now = time;
    my %claims = (iss => ISS, aud => AUD, iat => $now, exp => $now + 300,
        jti => 'a-' . ++$count, ial => 'ial2', %over);
    return { map { $_ => $claims{$_} } grep { defined $claims{$_} }
        keys %claims };
}

sub attest {
    my (%over) = @_;
    return $sender->jwt('one', claims(%over));
}

sub unheard {
    my ($name) = @_;
    my @heard = map { $_->path } $idp->requests;
    $idp->clear;
    return is "@heard", '', "$name: the IdP has heard nothing";
}

# Of the state that it is in nothing is changed, and no proof is there.

sub unproofed {
    my ($id, $state, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $record = $stack->record($id);
    return is "$record->{state} $record->{proof} $record->{attempts}",
        "$state none 0", "$name: nothing is proofed";
}

sub proofed {
    my ($response, $id, $state, $level, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $response->status, 200, $name or diag $response->body;
    is_deeply $response->json,
        { id => $id, state => $state, proof => $level }, '… and says so';
    return;
}


subtest 'before and after (I4)' => sub {
    my ($session, $id) = $stack->enter(subject => 'ada');

    passed($stack->page($session), 'the page is reachable');
    is $idp->count('/register'), 1, '… at the IdP';
    $idp->clear;
    refused($stack->begin($session), 403, 'unproofed', 'begin is not');
    refused($stack->finish($session), 403, 'unproofed', 'finish is not');
    unheard('before');
    unproofed($id, 'redeemed', 'before');

    proofed($stack->prove(attest(id => $id, subject => 'ada')), $id,
        'redeemed', 'ial2', 'the attestation is taken');

    passed($stack->page($session), 'page');
    passed($stack->begin($session), 'begin');
    my ($begin) = $idp->requests('/register/begin');
    is $begin->header('Enroll-Proof'), 'ial2', 'the IdP is told the level';
    passed($stack->finish($session), 'finish');
    $stack->wait_record($id, state => 'enrolled');

    my @refusals = map { "$_->{step} $_->{reason}" }
        $stack->events(event => 'refuse', id => $id);
    is_deeply \@refusals, ['begin unproofed', 'claim unproofed'],
        'what was refused is told';
    $idp->clear;
};


subtest 'before it is redeemed' => sub {
    my $made = $stack->issue(subject => 'bea')->json;
    my @bearer = (Authorization => "Bearer $made->{token}");

    refused($stack->begin_by(@bearer), 403, 'unproofed',
        'begin by the token itself');
    refused($stack->finish_by(@bearer), 403, 'unproofed', '… and finish');
    unproofed($made->{id}, 'issued', 'it is not spent by that');

    proofed($stack->prove(attest(subject => 'bea')), $made->{id}, 'issued',
        'ial2', 'an attestation of the subject');
    my $session = $stack->session($made->{token});
    passed($stack->begin($session), 'redeemed afterwards: begin');
    passed($stack->finish($session), 'finish');

    $made = $stack->issue->json;
    @bearer = (Authorization => "Bearer $made->{token}");
    $stack->prove(attest(id => $made->{id}));
    passed($stack->begin_by(@bearer), 'begin by the token itself');
    passed($stack->finish_by(@bearer), 'finish by it');
    $idp->clear;
};


subtest 'levels' => sub {
    my %class = (none => 0, low => 1, standard => 2, high => 3);

    for my $class (sort { $class{$a} <=> $class{$b} } keys %class) {
        for my $level (1 .. 3) {
            my ($session, $id) = $stack->enter(class => $class);
            my $response = $stack->prove(attest(id => $id,
                ial => "ial$level"));
            my $name = "ial$level for $class";

            if ($level < $class{$class}) {
                refused($response, 403, 'level', "$name is too low");
                refused($stack->begin($session), 403, 'unproofed',
                    '… and begin is closed');
            } else {
                proofed($response, $id, 'redeemed', "ial$level", $name);
                passed($stack->begin($session), '… and begin is open');
            }
        }
    }

    my ($session, $id) = $stack->enter(class => 'none');
    passed($stack->begin($session), 'a class that asks for none');
    $idp->clear;
};


subtest 'a lower level takes nothing back' => sub {
    my ($session, $id) = $stack->enter;
    my $prove = sub { $stack->prove(attest(id => $id, ial => $_[0])) };

    proofed($prove->('ial2'), $id, 'redeemed', 'ial2', 'ial2');
    proofed($prove->('ial3'), $id, 'redeemed', 'ial3', 'ial3 after it');
    my $before = $stack->record($id)->{proof_jti};
    refused($prove->('ial2'), 403, 'level', 'ial2 after that');
    my $record = $stack->record($id);
    is "$record->{proof} $record->{proof_jti}", "ial3 $before",
        '… the higher one stands';

    my ($event) = $stack->events(event => 'refuse', id => $id);
    is "$event->{step} $event->{reason}", 'prove level', '… which is told';
    proofed($prove->('ial3'), $id, 'redeemed', 'ial3', 'ial3 once more');
    isnt $stack->record($id)->{proof_jti}, $before, '… is taken';

    passed($stack->begin($session), 'begin');
    is +($idp->requests('/register/begin'))[0]->header('Enroll-Proof'),
        'ial3', '… and the IdP hears of the highest';
    $idp->clear;
};


# What is in Redis without its MAC is told to nobody, also where the class
# asks for no proof and would let anybody on.

subtest 'a level that nobody attested (I4)' => sub {
    for my $step (qw(begin finish)) {
        my ($session, $id) = $stack->enter(class => 'none');
        passed($stack->begin($session), 'begin') if $step eq 'finish';
        $redis->command('HSET', "enroll:{0}:token:$id", proof => 'ial3');
        $idp->clear;

        refused($stack->$step($session), 403, 'tampered', $step);
        unheard($step);
    }

    my $made = $stack->issue(class => 'none')->json;
    $redis->command('HSET', "enroll:{0}:token:$made->{id}", proof => 'ial3');
    refused($stack->redeem($made->{token}), 403, 'tampered', 'redeem');
    unheard('redeem');
};


subtest 'what is not taken' => sub {
    my $now = time;
    my ($session, $id) = $stack->enter(subject => 'cyd');
    my $claims = sub { return claims(subject => 'cyd', id => $id, @_) };
    my $monitor;

    my $good = attest(subject => 'cyd', id => $id);
    my ($head, $body, $signature) = split /\./, $good;
    my (undef, $other_body) = split /\./, attest(subject => 'cyd',
        id => $id, ial => 'ial3');
    my $flipped = $signature =~ s/\A(.)/$1 eq 'A' ? 'B' : 'A'/er;
    my $plain = $json->encode($claims->());

    my $forge = sub {
        my ($alg, %arg) = @_;
        return $sender->forge($plain, alg => $alg,
            header => { alg => $alg, kid => 'one' }, %arg);
    };

    my %table = (
        # signatures
        'another body' => "$head.$other_body.$signature",
        'another signature' => "$head.$body.$flipped",
        'no signature' => "$head.$body.",
        'two parts' => "$head.$body",
        'four parts' => "$good.x",
        'a signature with padding' => "$good==",
        'a signature of a byte more' => $good . 'AA',
        'none' => $forge->('none'),
        'none, without kid' => $forge->('none', header => { alg => 'none' }),
        'HS256 with the public key' => $forge->('HS256', public => 'one'),
        'HS256 with the key\'s x' => $forge->('HS256',
            secret => $sender->{keys}{one}{x}),
        'a stranger with that kid' => $sender->jwt('stranger', $claims->()),
        'an unknown kid' => $sender->jwt('unknown', $claims->()),
        'no kid, of several keys' => $forge->('ES256', key => 'one',
            header => { alg => 'ES256' }),
        'another prover\'s key' => $sender->jwt('other', $claims->()),
        'RS256 with a key for PS256' => $forge->('RS256', key => 'four',
            header => { alg => 'RS256', kid => 'four' }),
        'PS256 with a key for RS256' => $forge->('PS256', key => 'three',
            header => { alg => 'PS256', kid => 'three' }),
        'alg says another' => $forge->('ES256', key => 'one',
            header => { alg => 'RS256', kid => 'one' }),
        'no alg' => $forge->('ES256', key => 'one',
            header => { kid => 'one' }),
        'alg twice' => $forge->('ES256', key => 'one', header =>
            '{"alg":"none","alg":"ES256","kid":"one"}'),
        'crit' => $forge->('ES256', key => 'one', header =>
            { alg => 'ES256', kid => 'one', crit => ['x'], x => 1 }),
        'a key in the header' => $forge->('ES256', key => 'stranger',
            header => { alg => 'ES256', jwk => $sender->{keys}{stranger} }),
        'no payload' => $sender->forge('', alg => 'ES256', key => 'one',
            header => { alg => 'ES256', kid => 'one' }),
        'an array' => $sender->jwt('one', [1]),
        'no UTF-8' => $sender->jwt('one', $plain =~ s/cyd/\xff/r),
        'a member twice' => $sender->jwt('one',
            $plain =~ s/\A\{/{"ial":"ial3",/r),

        # claims
        'no iss' => $sender->jwt('one', $claims->(iss => undef)),
        'another iss' => $sender->jwt('one',
            $claims->(iss => 'https://evil.example')),
        'the iss of a prover of this place, with another\'s key' =>
            $sender->jwt('one', $claims->(iss => 'https://bis.example')),
        'a prover who is not of this place' => $sender->jwt('one',
            $claims->(iss => 'https://elsewhere.example')),
        'iss with a slash more' => $sender->jwt('one',
            $claims->(iss => ISS . '/')),
        'no aud' => $sender->jwt('one', $claims->(aud => undef)),
        'another aud' => $sender->jwt('one', $claims->(aud => 'x')),
        'a list of others' => $sender->jwt('one', $claims->(aud => ['x'])),
        'an aud that begins so' => $sender->jwt('one',
            $claims->(aud => AUD . '.evil')),
        'no exp' => $sender->jwt('one', $claims->(exp => undef)),
        'expired' => $sender->jwt('one', $claims->(exp => $now - 70)),
        'exp as a text' => $sender->jwt('one', $claims->(exp => "$now" + 300
            . '')),
        'no iat' => $sender->jwt('one', $claims->(iat => undef)),
        'older than max_age' => $sender->jwt('one',
            $claims->(iat => $now - 370, exp => $now + 300)),
        'of the future' => $sender->jwt('one',
            $claims->(iat => $now + 120, exp => $now + 300)),
        'not yet' => $sender->jwt('one', $claims->(nbf => $now + 120)),
        'milliseconds' => $sender->jwt('one',
            $claims->(iat => $now * 1000, exp => $now * 1000)),
        'no jti' => $sender->jwt('one', $claims->(jti => undef)),
        'an empty jti' => $sender->jwt('one', $claims->(jti => '')),
        'a long jti' => $sender->jwt('one', $claims->(jti => 'x' x 256)),
        'a number as jti' => $sender->jwt('one', $claims->(jti => 7)),
        'nobody' => $sender->jwt('one',
            $claims->(id => undef, subject => undef)),
        'no id' => $sender->jwt('one', $claims->(id => 'x')),
        'id and nonce that differ' => $sender->jwt('one',
            $claims->(nonce => '0' x 32)),
        'no level' => $sender->jwt('one', $claims->(ial => undef)),
        'level 0' => $sender->jwt('one', $claims->(ial => 'none')),
        'level 4' => $sender->jwt('one', $claims->(ial => 'ial4')),
        'IAL2' => $sender->jwt('one', $claims->(ial => 'IAL2')),
        'a number as level' => $sender->jwt('one', $claims->(ial => 2)),
        'two levels' => $sender->jwt('one',
            $claims->(acr => 'urn:x:ial:3')),
        'a method that is no word' => $sender->jwt('one',
            $claims->(method => 'a b')),
        'a long evidence' => $sender->jwt('one',
            $claims->(evidence => 'x' x 65)),
        'evidence with a newline' => $sender->jwt('one',
            $claims->(evidence => "a\nb")),
        'proofed in the future' => $sender->jwt('one',
            $claims->(proofed_at => $now + 120)),
        'proofed at no time' => $sender->jwt('one',
            $claims->(proofed_at => "$now")),

        'a blank before the subject' => $sender->jwt('one',
            $claims->(subject => ' cyd')),
        'a blank behind the subject' => $sender->jwt('one',
            $claims->(subject => "cyd\x{a0}")),
        'events, as a SET has them' => $sender->jwt('one',
            $claims->(events => { 'https://x.example/e' => {} })),
        'events, and none in it' => $sender->jwt('one',
            $claims->(events => {})),

        # of another thing
        'a token' => $stack->token,
        'a word' => 'x', 'dots' => '..', 'three dots' => '...',
    );

    my $before = $redis->command('XLEN', 'enroll:{0}:events');
    $monitor = $redis->monitor;
    for my $name (sort keys %table) {
        refused($stack->prove($table{$name}), 401, 'attestation', $name);
    }

    my @commands = $monitor->commands;
    is scalar(@commands), 0, 'Redis was not asked';
    is $redis->command('XLEN', 'enroll:{0}:events'), $before,
        'and there is no event';
    like $stack->nginx->error_log, qr/attestation that no prover signed/,
        'the error log says so';

    unproofed($id, 'redeemed', 'after all that');
    refused($stack->begin($session), 403, 'unproofed', 'and begin is closed');
    proofed($stack->prove($good), $id, 'redeemed', 'ial2',
        'the good one is taken still');
};


# Keys and kids are public: what nobody here can have signed is not verified.

subtest 'by an iss that no prover has' => sub {
    my $said = sub {
        my ($iss, $reason) = @_;
        my $offset = length $stack->nginx->error_log;
        refused($stack->prove($sender->jwt('stranger',
            claims(iss => $iss, subject => 'cyd'))), 401, 'attestation',
            "forged by kid, of $iss");
        my ($why) = substr($stack->nginx->error_log, $offset)
            =~ /no prover signed for us: ([^,]+)/;
        is $why, $reason, '… why';
    };

    $said->(ISS, 'signature does not verify');
    $said->('https://nobody.example', 'no prover has this iss');
    $said->('https://elsewhere.example', 'no prover has this iss');
};


subtest 'whose it is' => sub {
    my ($hers, $id) = $stack->enter(subject => 'dan');
    my ($his, $other) = $stack->enter(subject => 'eve');

    refused($stack->prove(attest(id => $id, subject => 'eve')), 403,
        'subject', 'the id of one, the subject of another');
    refused($stack->prove(attest(nonce => $id, subject => 'eve')), 403,
        'subject', 'the nonce of one, the subject of another');
    refused($stack->prove(attest(id => $id, subject => 'Dan')), 403,
        'subject', 'a subject in another case');
    refused($stack->prove(attest(subject => 'nobody')), 404, 'nothing',
        'a subject without a token');
    refused($stack->prove(attest(id => '0' x 32)), 404, 'nothing',
        'an unknown id');
    unproofed($_, 'redeemed', 'none of it') for $id, $other;

    my $event = ($stack->events(event => 'refuse', id => $id,
        step => 'prove'))[-1];
    is $event->{reason}, 'subject', 'what was refused is told';

    proofed($stack->prove(attest(subject => 'dan')), $id, 'redeemed', 'ial2',
        'of one of them');
    passed($stack->begin($hers), 'opens his');
    refused($stack->begin($his), 403, 'unproofed', 'and not the other\'s');
    $idp->clear;
};


# A nonce says which token was meant, and nothing of who stood before the
# prover: the holder of another's link has one as well.

subtest 'who it was, beside the nonce' => sub {
    my ($session, $id) = $stack->enter(subject => 'nina');
    my @bank = (iss => 'https://bank.example', nonce => $id);

    refused($stack->prove(attest(nonce => $id)), 401, 'attestation',
        'a nonce alone');
    refused($stack->prove(attest(nonce => $id, sub => 'mallory')), 403,
        'subject', 'a nonce, and another\'s sub');
    refused($stack->prove(attest(@bank)), 401, 'attestation',
        'without the claim that the prover\'s block names');
    refused($stack->prove(attest(@bank, subject => 'nina', sub => 'nina')),
        401, 'attestation', '… others do not stand for it');
    refused($stack->prove(attest(@bank, preferred_username => 'mallory',
        subject => 'nina')), 403, 'subject', '… nor overrule it');
    refused($stack->prove(attest(@bank, preferred_username => ['nina'])),
        401, 'attestation', '… and it is a text');
    unproofed($id, 'redeemed', 'none of it');
    refused($stack->begin($session), 403, 'unproofed', 'and begin is closed');

    proofed($stack->prove(attest(@bank, preferred_username => 'nina',
        sub => '24400320')), $id, 'redeemed', 'ial2', 'the claim itself');
    is $stack->record($id)->{proof_prover}, 'bank', '… by that prover';
    passed($stack->begin($session), '… and begin is open');

    (undef, $id) = $stack->enter(subject => 'olga');
    proofed($stack->prove(attest(nonce => $id, sub => 'olga')), $id,
        'redeemed', 'ial2', 'a nonce, and her sub');

    # of two provers of one iss the one whose key it is
    (undef, $id) = $stack->enter(subject => 'pia');
    proofed($stack->prove($sender->jwt('other', claims(
        iss => 'https://bank.example', aud => 'https://twin.example',
        nonce => $id, sub => 'pia'))), $id,
        'redeemed', 'ial2', 'the other one of that iss');
    is $stack->record($id)->{proof_prover}, 'twin', '… by that prover';
    $idp->clear;
};


subtest 'a newer token needs a proof of its own' => sub {
    my ($old, $old_id) = $stack->enter(subject => 'fay');
    $stack->prove(attest(id => $old_id));
    passed($stack->begin($old), 'the old one is proofed');

    my ($new, $id) = $stack->enter(subject => 'fay');
    refused($stack->begin($new), 403, 'unproofed', 'the new one is not');
    refused($stack->prove(attest(id => $old_id)), 410, 'revoked',
        'the old one cannot be any more');
    proofed($stack->prove(attest(subject => 'fay')), $id, 'redeemed', 'ial2',
        'of the subject: it is the new one\'s');
    $idp->clear;
};


subtest 'each serves once' => sub {
    my ($session, $id) = $stack->enter(subject => 'gil');
    my $jws = attest(id => $id, jti => 'once');

    proofed($stack->prove($jws), $id, 'redeemed', 'ial2', 'the first time');
    is $stack->prove($jws)->status, 200, 'the same again is told so';
    is scalar(() = $stack->events(event => 'proofed', id => $id)), 1,
        '… and is no second event (I7)';

    my (undef, $other) = $stack->enter(subject => 'hal');
    refused($stack->prove(attest(id => $other, jti => 'once')), 409, 'seen',
        'another of that jti');
    unproofed($other, 'redeemed', 'and so');
    proofed($stack->prove($sender->jwt('other', claims(
        iss => 'https://bis.example', id => $other, jti => 'once'))), $other,
        'redeemed', 'ial2', 'the same jti of another prover');

    # of one iss, also where two provers have it
    (undef, $other) = $stack->enter(subject => 'ivo');
    my %bank = (iss => 'https://bank.example', jti => 'of-the-bank');
    proofed($stack->prove(attest(%bank, preferred_username => 'ivo')), $other,
        'redeemed', 'ial2', 'of one of two provers of one iss');
    $stack->token(subject => 'ivo');
    refused($stack->prove($sender->jwt('other', claims(%bank,
        aud => 'https://twin.example', subject => 'ivo'))), 409, 'seen',
        'the same jti of the other, for another token');

    my $later = attest(subject => 'ida', jti => 'later');
    refused($stack->prove($later), 404, 'nothing', 'nobody to proof yet');
    my $made = $stack->issue(subject => 'ida')->json;
    proofed($stack->prove($later), $made->{id}, 'issued', 'ial2',
        'it was not used up by that');

    my $low = attest(id => $id, ial => 'ial1', jti => 'low');
    refused($stack->prove($low), 403, 'level', 'one that is too low')
        for 1 .. 2;

    my (undef, $raced) = $stack->enter;
    my @race = burst(map { [$http, 'POST', '/enroll/prove',
        ['Content-Type' => 'application/jwt'],
        attest(id => $raced, jti => 'race')] } 1 .. 5);
    is join(' ', sort map { $_->status } @race), '200 200 200 200 200',
        'five at the same moment: one is written, and all are told so';
    is scalar(() = $stack->events(event => 'proofed', id => $raced)), 1,
        '… and one event (I7)';
};


subtest 'when' => sub {
    my $state = sub {
        my ($id, $status, $reason, $name) = @_;
        refused($stack->prove(attest(id => $id)), $status, $reason, $name);
        is $stack->record($id)->{proof}, 'none', '… and no proof is there';
    };

    my $revoked = $stack->issue->json;
    $stack->revoke(id => $revoked->{id});
    $state->($revoked->{id}, 410, 'revoked', 'a revoked one');

    my $late = $stack->issue(ttl => 1)->json;
    wait_for { $redis->command('TIME')->[0] * 1000 > $late->{expires_at} }
        'it to expire';
    $state->($late->{id}, 410, 'expired', 'an expired one');

    my ($session, $id) = $stack->enter(class => 'none');
    $stack->begin($session);
    $stack->finish($session);
    $stack->wait_record($id, state => 'enrolled');
    $state->($id, 410, 'enrolled', 'an enrolled one');

    ($session, $id) = $stack->enter(class => 'none');
    $stack->begin($session);
    $idp->answer('/register/finish' => { hang => 1 });
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    $stack->wait_record($id, state => 'claimed');
    $state->($id, 409, 'claimed', 'a claimed one');
    $idp->release({});
    $http->read_response($socket);
    $stack->wait_record($id, state => 'enrolled');
    $idp->answer('/register/finish' => {});
    $idp->clear;
};


subtest 'proof and approvals are each their own' => sub {
    my $made = $stack->issue(class => 'guarded', requester => 'm-1')->json;

    $stack->prove(attest(id => $made->{id}));
    refused($stack->redeem($made->{token}), 403, 'unapproved',
        'a proof approves nothing');
    $stack->approve(id => $made->{id}, approver => 'm-2');
    passed($stack->begin($stack->session($made->{token})), 'both open it');

    $made = $stack->issue(class => 'guarded', requester => 'm-1')->json;
    $stack->approve(id => $made->{id}, approver => 'm-2');
    refused($stack->begin($stack->session($made->{token})), 403, 'unproofed',
        'an approval proofs nothing');
    $idp->clear;
};


subtest 'what is written down' => sub {
    my ($session, $id) = $stack->enter(subject => 'jan');
    my $at = time - 3600;
    $stack->prove(attest(id => $id, subject => 'jan', ial => 'ial3',
        method => 'document', evidence => 'case-77', proofed_at => $at,
        jti => 'j-1'));

    my $record = $stack->record($id);
    is join(' ', @$record{map { "proof$_" } '', qw(_prover _method _at
        _evidence)}), "ial3 acme document ${at}000 case-77", 'the record';
    like $record->{proof_jti}, qr/\A[0-9a-f]{32}\z/,
        '… with the digest of the jti';

    my ($event) = $stack->events(event => 'proofed', id => $id);
    is join(' ', @$event{qw(subject class issuer client from to prover proof
        proof_method proof_at proof_evidence proof_jti)}),
        'jan standard hr 127.0.0.1 redeemed redeemed acme ial3 document '
        . "${at}000 case-77 $record->{proof_jti}", 'the event';

    $stack->begin($session);
    $stack->finish($session);
    $stack->wait_record($id, state => 'enrolled');
    is_deeply [map { $_->{prover} // '-' }
        $stack->events(id => $id)], [qw(- - acme acme acme acme)],
        'what comes after names the prover (issue redeem … settle)';
    $idp->clear;
};


# An OpenID provider: nonce, acr, amr, auth_time. Its sub is its own name for
# the person.

subtest 'as OpenID Connect says it' => sub {
    my $now = time;

    for my $row (['ial2', 'ial2'], ['ial3', 'urn:example:ial:3'],
        ['ial2', 'https://id.example/ial/2'])
    {
        my ($level, $acr) = @$row;
        my $made = $stack->issue(subject => "oidc-$level")->json;
        proofed($stack->prove(attest(ial => undef, acr => $acr,
            nonce => $made->{id}, subject => "oidc-$level",
            amr => ['face', 'pin'],
            auth_time => $now - 5, sub => '248289761001')), $made->{id},
            'issued', $level, $acr);
        my $record = $stack->record($made->{id});
        is "$record->{proof_method} $record->{proof_at}",
            'face ' . ($now - 5) . '000', '… its method and time';
    }

    for my $acr ('0', 'urn:example:ial:0', 'ial', 'urn:mace:incommon:iap',
        'https://id.example/ial/22')
    {
        my $made = $stack->issue->json;
        refused($stack->prove(attest(ial => undef, acr => $acr,
            nonce => $made->{id})), 401, 'attestation', "acr $acr");
    }
};


subtest 'in a session, by the browser' => sub {
    my ($session, $id) = $stack->enter(subject => 'kim');
    my ($other, $other_id) = $stack->enter(subject => 'lea');
    my @html = (Accept => 'text/html,*/*;q=0.1',
        'Content-Type' => 'application/x-www-form-urlencoded');
    my $post = sub {
        my ($jws, @headers) = @_;
        return $http->post('/enroll/prove', "state=x&id_token=$jws", @html,
            @headers);
    };
    my %who = (subject => 'kim', nonce => $id);

    is $post->(attest(subject => 'lea', nonce => $other_id),
        Cookie => $session)->status, 401, 'another\'s nonce';
    is $post->(attest(%who), Cookie => $other)->status, 401,
        'in another\'s session';
    is $post->(attest(subject => 'kim', id => $id), Cookie => $session)
        ->status, 401, 'an id is no nonce';
    is $post->(attest(subject => 'kim'), Cookie => $session)->status, 401,
        'no nonce';
    is $post->(attest(%who), Cookie => '__Host-enroll=x')->status, 401,
        'in a forged session';
    is $post->(attest(%who), Cookie => "$session; $other")->status, 401,
        'in two of them';
    unproofed($_, 'redeemed', 'none of it') for $id, $other_id;

    my $response = $post->(attest(%who), Cookie => $session);
    is $response->status, 303, 'his own: led on';
    is $response->header('Location'), '/register', '… to where it says';
    is $response->header('Cache-Control'), 'no-store', '… not to be kept';
    is $response->header('Set-Cookie'), undef, '… with no cookie';
    passed($stack->begin($session), 'and begin is open');

    # a cookie that is SameSite=Lax does not come with another site's form
    $response = $post->(attest(subject => 'lea', nonce => $other_id),
        Origin => 'https://prover.example', 'Sec-Fetch-Site' => 'cross-site');
    is $response->status, 303, 'without the cookie: the nonce says whose';
    passed($stack->begin($other), 'and begin is open');
    $idp->clear;
};


subtest 'in what form' => sub {
    my @form = ('Content-Type' => 'application/x-www-form-urlencoded');
    my @json = ('Content-Type' => 'application/json; charset=utf-8');
    my $fresh = sub {
        my $made = $stack->issue->json;
        return ($made->{id}, attest(id => $made->{id}));
    };

    my %good = (
        'application/jwt' => sub { [$_[0],
            'Content-Type' => 'application/jwt'] },
        'JSON' => sub { [qq({"attestation":"$_[0]"}), @json] },
        'a form' => sub { ["attestation=$_[0]", @form] },
        'form_post' => sub { ["code=x&id_token=$_[0]&state=%20", @form] },
    );
    for my $name (sort keys %good) {
        my ($id, $jws) = $fresh->();
        my ($body, @headers) = @{ $good{$name}->($jws) };
        proofed($http->post('/enroll/prove', $body, @headers), $id, 'issued',
            'ial2', $name);
    }

    my ($id, $jws) = $fresh->();
    my %bad = (
        'no type' => [$jws], 'another type' => [$jws,
            'Content-Type' => 'text/plain'],
        'a longer type' => [$jws, 'Content-Type' => 'application/jwtx'],
        'JSON as a JWT' => [$jws, @json],
        'another member' => [qq({"attestation":"$jws","x":1}), @json],
        'a member twice' =>
            [qq({"attestation":"$jws","attestation":"$jws"}), @json],
        'a list' => [qq({"attestation":["$jws"]}), @json],
        'an empty form' => ['', @form],
        'another field' => ["token=$jws", @form],
        'two fields' => ["attestation=$jws&id_token=$jws", @form],
        'a field twice' => ["id_token=$jws&id_token=$jws", @form],
        'too long' => ['x' x 16_385, 'Content-Type' => 'application/jwt'],
    );
    for my $name (sort keys %bad) {
        refused($http->post('/enroll/prove', @{$bad{$name}}), 400, 'body',
            $name);
    }

    refused($http->request('POST', '/enroll/prove', ['Content-Type'
        => 'application/jwt', 'Transfer-Encoding' => 'chunked'],
        sprintf "%x\r\n%s\r\n0\r\n\r\n", length $jws, $jws), 400, 'body',
        'of no length');
    is $http->request($_, '/enroll/prove', ['Content-Type'
            => 'application/jwt'], $jws)->status, 405, $_
        for qw(GET HEAD PUT);
    unproofed($id, 'issued', 'none of it');

    proofed($stack->prove($jws, Accept => 'application/json'), $id, 'issued',
        'ial2', 'and the good one, at last');
};


subtest 'what is good' => sub {
    my $now = time;
    my @rows = (
        (map { ["a key: $_", $_, {}] } qw(one two three four)),
        ['an aud among others', 'one', { aud => ['x', AUD] }],
        ['at the end of max_age', 'one', { iat => $now - 290 }],
        ['a clock that is ahead', 'one', { iat => $now + 40 }],
        ['a clock that is behind', 'one', { exp => $now - 40 }],
        ['an nbf', 'one', { nbf => $now - 5 }],
        ['a jti of 255', 'one', { jti => 'x' x 255 }],
        ['evidence of 64', 'one', { evidence => 'x' x 64 }],
        ['evidence in UTF-8', 'one', { evidence => "\x{20ac}" }],
        ['proofed years ago', 'one', { proofed_at => $now - 1e8 }],
        ['a sub that is another', 'one', { sub => 'x' }],
    );

    for my $row (@rows) {
        my ($name, $key, $over) = @$row;
        my $made = $stack->issue->json;
        proofed($stack->prove($sender->jwt($key,
            claims(id => $made->{id}, %$over), typ => 'x+jwt')),
            $made->{id}, 'issued', 'ial2', $name);
    }

    my $made = $stack->issue(subject => 'sub-only')->json;
    proofed($stack->prove(attest(sub => 'sub-only')), $made->{id}, 'issued',
        'ial2', 'a sub alone is the subject');
};


# Who can write Redis without the keys proofs nobody (I4, I5).

subtest 'written by hand' => sub {
    my $key = sub { return "enroll:{0}:token:$_[0]" };
    my $copy = sub {
        my ($from, $to) = @_;
        my $record = $stack->record($from);
        $redis->command('HSET', $key->($to), map { ($_ => $record->{$_}) }
            grep { /^proof/ } keys %$record);
    };
    my $proofed = sub {
        my (%joiner) = @_;
        my $made = $stack->issue(%joiner)->json;
        $stack->prove(attest(id => $made->{id}, evidence => 'e'));
        return $made->{id};
    };
    my $alter = sub {
        my ($field, $value) = @_;
        return sub {
            my ($id) = @_;
            $copy->($proofed->(), $id) if !$stack->record($id)->{proof_mac};
            $redis->command('HSET', $key->($id), $field => $value);
        };
    };

    my %forged = (
        'a level' => sub {
            $redis->command('HSET', $key->($_[0]), proof => 'ial2');
        },
        'a level and its parts' => sub {
            $redis->command('HSET', $key->($_[0]), proof => 'ial2',
                proof_prover => 'acme', proof_method => 'document',
                proof_at => '1790000000000', proof_evidence => '',
                proof_jti => 'x', proof_mac => '0' x 32);
        },
        'that of another token' => sub { $copy->($proofed->(), $_[0]) },
    );
    for my $name (sort keys %forged) {
        my ($session, $id) = $stack->enter;
        $forged{$name}->($id);
        refused($stack->begin($session), 403, 'tampered', "$name: begin");
        refused($stack->finish($session), 403, 'tampered', "$name: finish");

        my $made = $stack->issue->json;
        my @bearer = (Authorization => "Bearer $made->{token}");
        $forged{$name}->($made->{id});
        refused($stack->begin_by(@bearer), 403, 'tampered',
            "$name: begin by the token");
        unheard($name);
    }

    # a true proof, changed
    my %changed = (proof => 'ial3', proof_prover => 'bis',
        proof_method => 'other', proof_at => '1790000000001',
        proof_evidence => 'f', proof_jti => 'y', proof_mac => '');
    for my $field (sort keys %changed) {
        my $made = $stack->issue->json;
        my $id = $made->{id};
        $stack->prove(attest(id => $id, evidence => 'e'));
        my $session = $stack->session($made->{token});
        passed($stack->begin($session), "$field: as it was");
        $idp->clear;
        $redis->command('HSET', $key->($id), $field => $changed{$field});
        refused($stack->begin($session), 403, 'tampered',
            "$field: changed, begin");
        refused($stack->finish($session), 403, 'tampered', '… finish');
        unheard($field);
    }

    # one that was lower is not raised
    my $low = $stack->issue(class => 'low')->json;
    $stack->prove(attest(id => $low->{id}, ial => 'ial1'));
    my ($session, $id) = $stack->enter(class => 'high');
    $copy->($low->{id}, $id);
    $redis->command('HSET', $key->($id), proof => 'ial3');
    refused($stack->begin($session), 403, 'tampered', 'a level raised');
    unheard('a level raised');
};


subtest 'led to the prover' => sub {
    my $led = stack(class => 'ttl 1h; window 10m; proof ial2;',
        classes => 'enroll_class none { ttl 1h; }',
        provers => <<'CONF', prove => 'acme return=/register',
    enroll_prover acme {
        jwks %%STACK%%/acme.jwks;
        iss https://prover.example;
        aud https://enroll.example;
    }
CONF
        files => { 'acme.jwks' => $sender->jwks('one') },
        issuer => 'class standard none;', page => <<'CONF');
            enroll_prove_at https://prover.example/start?nonce=$enroll_id;
CONF
    my ($session, $id) = $led->enter(subject => 'ada');
    my $where = "https://prover.example/start?nonce=$id";

    for my $time (1, 2) {
        my $page = $led->page($session);
        is $page->status, 303, "page, time $time: led away";
        is $page->header('Location'), $where, '… with the nonce';
        is $page->header('Cache-Control'), 'no-store', '… and not for ever';
    }
    is $led->idp->count('/register'), 0, 'the IdP has heard nothing';
    is $led->http->request('HEAD', '/register', [Cookie => $session])
        ->header('Location'), $where, 'HEAD, too';
    is $led->http->get('/register')->status, 401,
        'nobody is led without a session';
    refused($led->begin($session), 403, 'unproofed', 'begin leads nowhere');

    $led->prove(attest(id => $id));
    passed($led->page($session), 'once it is proofed, the very next page');
    is $led->idp->count('/register'), 1, '… is the IdP\'s';
    passed($led->begin($session), 'begin');

    my ($none) = $led->enter(class => 'none');
    passed($led->page($none), 'a class that asks for none is led nowhere');

    refused($led->page('__Host-enroll=x'), 401, 'forged',
        'nor is a forged session');
    my ($revoked) = $led->enter(subject => 'bea');
    $led->leave(subject => 'bea');
    refused($led->page($revoked), 410, 'revoked', 'nor a revoked one');
};


subtest 'Redis away' => sub {
    my ($session, $id) = $stack->enter;
    my $jws = attest(id => $id);
    $redis->stop;
    refused($stack->prove($jws), 503, 'unavailable', 'closed (I6)');
    $redis->start;
};


subtest 'the events agree with the records (I7)' => sub {
    my $clean = stack(class => 'proof ial2;', prove => 'acme',
        provers => <<'CONF', files => {
    enroll_prover acme {
        jwks %%STACK%%/acme.jwks;
        iss https://prover.example;
        aud https://enroll.example;
    }
CONF
            'acme.jwks' => $sender->jwks('one') });

    for my $subject (qw(a b c)) {
        my ($session, $id) = $clean->enter(subject => $subject);
        $clean->begin($session);
        $clean->prove(attest(id => $id, ial => $_)) for qw(ial1 ial2 ial3);
        $clean->begin($session);
        $clean->finish($session);
        $clean->wait_record($id, state => 'enrolled');
    }
    is_deeply [audit($clean)], [], 'each proof has one event';
};

done_testing;
