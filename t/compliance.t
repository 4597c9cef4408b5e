#!/usr/bin/perl

# Numbers and words that standards have, and that no other test is about:
# docs/compliance.md names this one for them.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;


my $stack = stack(class => 'ttl 1h; window 10m; attempts 100;',
    http => 'proxy_next_upstream off;');
my $http = $stack->http;


# SP 800-63B-4, 3.2.2: attempts that were given back, because the IdP was not
# there, count as well.

subtest 'a hundred claims, and no more' => sub {
    my ($session, $id) = $stack->enter(subject => 'ada');
    passed($stack->begin($session), 'begin');

    $stack->idp->refuse;
    my %status;
    for my $n (1 .. 100) {
        $status{$stack->finish($session)->status}++;
        $stack->wait_record($id, claims => $n, state => 'redeemed');
    }
    is_deeply \%status, { 502 => 100 }, 'a hundred are claimed';
    is $stack->record($id)->{attempts}, 0, '… and given back';

    $stack->idp->listen;
    $stack->idp->clear;
    refused($stack->finish($session), 429, 'locked', 'the next one locks');
    is $stack->idp->count, 0, 'the IdP has heard nothing of it';
    is $stack->record($id)->{state}, 'locked', 'the record says so';
    is join(' ', map { "$_->{from} $_->{to}" } $stack->events(id => $id,
        event => 'lock')), 'redeemed locked', '… and one event';
    refused($stack->begin($session), 429, 'locked', 'for good');
};


# RFC 6750: the challenge, and its error code where a token was sent.

subtest 'WWW-Authenticate' => sub {
    my $asked = sub {
        my (@headers) = @_;
        my $response = $stack->begin_by(@headers);
        is $response->status, 401, 'refused';
        return $response->header('WWW-Authenticate');
    };

    is $asked->(), 'Bearer realm="enroll"', 'no token: no error';
    is $asked->(Authorization => 'Bearer enr_x'),
        'Bearer realm="enroll", error="invalid_token"', 'a forged one';
    is $asked->(Cookie => '__Host-enroll=x'),
        'Bearer realm="enroll", error="invalid_token"', 'a forged session';

    my $made = $stack->issue->json;
    $stack->redis->command('DEL', "enroll:{0}:token:$made->{id}");
    is $asked->(Authorization => "Bearer $made->{token}"),
        'Bearer realm="enroll", error="invalid_token"', 'an unknown one';
};

done_testing;
