#!/usr/bin/perl

# Proofs and approvals are true of one token and by one person, also for who
# can write Redis while a true one is on its way (I4, I5).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;

my $sender = sender();
$sender->key('one', kty => 'EC');

my $stack = stack(class => 'ttl 1h; proof ial2;',
    issuer => 'class standard guarded;',
    classes => 'enroll_class guarded { ttl 1h; approvals 2; }',
    issuers => { boss => 'approve on;' }, approve => 'boss',
    provers => 'enroll_prover acme { jwks %%STACK%%/acme.jwks;
        iss https://prover.example; aud https://enroll.example; }',
    files => { 'acme.jwks' => $sender->jwks('one') }, prove => 'acme',
    http => 'enroll_session_cache 0;',
    page => 'proxy_set_header Enroll-Proof $enroll_proof;');
my ($redis, $attestations) = ($stack->redis, 0);

sub key { return "enroll:{0}:token:$_[0]" }

sub attestation {
    my (%claims) = @_;
    my $now = time;
    return $sender->jwt('one', { iss => 'https://prover.example',
        aud => 'https://enroll.example', iat => $now, exp => $now + 300,
        jti => 'j-' . ++$attestations, ial => 'ial2', %claims });
}


subtest 'the attestation of one person proofs nobody else (I4)' => sub {
    my $hers = $stack->issue(subject => 'mallory')->json;
    my ($session, $id) = $stack->enter(subject => 'bob');
    my ($subject) = grep { $redis->command('HGET', $_, 'subject')
        eq 'mallory' } $redis->keys('enroll:{0}:subject:*');

    $redis->command('HSET', $subject, token => $id);
    $redis->command('HSET', key($id), subject => 'mallory');
    refused($stack->prove(attestation(subject => 'mallory')), 403,
        'tampered', 'hers, while his record says that it is hers');
    is $stack->record($id)->{proof}, 'ial2', 'it is on the record';

    $redis->command('HSET', key($id), subject => 'bob');
    refused($stack->begin($session), 403, 'tampered',
        'and of no use when that is put right');
};


subtest 'nobody approves his own wish, or his own token' => sub {
    my $made = $stack->issue(class => 'guarded', subject => 'u1',
        requester => 'm-1')->json;

    $redis->command('HSET', key($made->{id}), requester => 'zzz',
        subject => 'yyy');
    for my $who ('m-1', 'u1') {
        $stack->approve(id => $made->{id}, approver => $who, by => 'boss');
    }
    is $stack->record($made->{id})->{approvals}, 2,
        'two approvals are on the record';

    $redis->command('HSET', key($made->{id}), requester => 'm-1',
        subject => 'u1');
    refused($stack->redeem($made->{token}), 403, 'tampered',
        'and of no use when it is put right');
};


subtest 'a level that was written into Redis is told to nobody (I4)' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve');
    passed($stack->page($session), 'the page');
    $redis->command('HSET', key($id), proof => 'ial3');
    $stack->idp->clear;
    refused($stack->page($session), 403, 'tampered', 'the page');
    is $stack->idp->count, 0, 'the IdP does not hear of it';
};


done_testing;
