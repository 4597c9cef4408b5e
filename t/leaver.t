#!/usr/bin/perl

# Who has left, or is enrolling just now, gets no token by an event of before:
# senders repeat for days.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;
use Enroll::Refused qw(refused passed);

my %mail = (classes => 'enroll_class mail { deliver /deliver; }',
    issuer => 'class standard mail;', deliver => 1);


subtest 'an event that failed before the subject left is not obeyed after' =>
    sub {
    my $stack = stack(%mail);
    $stack->gateway->answer('/deliver' => { status => 500 }, {});
    my %event = (subject => 'ada', class => 'mail', event => 'join-1');

    refused($stack->issue(%event), 502, 'undelivered', 'the gateway fails');
    wait_for { $stack->events(event => 'revoke') } 'the token to be undone';
    passed($stack->leave(subject => 'ada'), 'she leaves');

    for my $time ('the sender repeats', 'and again') {
        refused($stack->issue(%event), 410, 'revoked', $time);
    }
    is_deeply [map { "$_->{step} $_->{reason}" }
        $stack->events(event => 'refuse')], [('issue revoked') x 2],
        'which is told';
    is $stack->issue(%event, event => 'join-2')->status, 201,
        'who comes back comes by another event';
};


subtest 'nor one whose delivery fails while the subject leaves' => sub {
    my $stack = stack(%mail);
    $stack->gateway->answer('/deliver' => { hang => 1 }, {});
    my %event = (subject => 'ada', class => 'mail', event => 'join-1');

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $stack->issue(%event);
        require POSIX;
        POSIX::_exit(0);
    }

    $stack->gateway->wait_count(1, '/deliver');
    passed($stack->leave(subject => 'ada'), 'she leaves meanwhile');
    $stack->gateway->release({ status => 500 });
    waitpid $pid, 0;
    wait_for { $stack->redis->command('GET', 'enroll:{0}:request:hr:join-1')
        =~ /^refused / } 'the token to be taken back';

    refused($stack->issue(%event), 410, 'revoked', 'the sender repeats');
};


subtest 'nor one that was refused before the subject left' => sub {
    my $stack = stack(class => 'require email;');
    my %email = (attributes => { email => 'eve@example.org' });
    my ($session) = $stack->enter(subject => 'eve', %email);
    my %event = (subject => 'eve', event => 'join-2');

    refused($stack->issue(%event), 422, 'attributes', 'it lacks something');
    wait_for { $stack->redis->command('GET', 'enroll:{0}:request:hr:join-2') }
        'that to be told';
    passed($stack->leave(subject => 'eve'), 'she leaves');
    refused($stack->issue(%event, %email), 410, 'revoked',
        'it comes again, and is whole');
};


subtest 'a subject is remembered for longer than its session (I9)' => sub {
    my $stack = stack(http => 'enroll_retain 0;', class => 'ttl 1s;');
    my ($session, $id) = $stack->enter(subject => 'bob');
    my ($subject) = grep { /:subject:/ } $stack->redis->keys;

    cmp_ok $stack->redis->command('PTTL', $subject), '>',
        24 * 60 * 60 * 1000, 'also where records are not retained';
    $stack->begin($session);
    $stack->idp->answer('/register/finish' => { hang => 1 });
    my $socket = $stack->http->connect;
    print $socket $stack->http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    $socket->flush;
    $stack->wait_record($id, state => 'claimed');
    cmp_ok $stack->redis->command('PTTL', "enroll:{0}:token:$id"), '>',
        24 * 60 * 60 * 1000, 'and a claim for as long as it may be settled';
    $stack->idp->release({ status => 200 });
    $stack->http->read_response($socket);
};


subtest 'no token for who is enrolling just now, unless it is given up (I9)'
    => sub {
    my $stack = stack();
    my ($session, $id) = $stack->enter(subject => 'dan');
    $stack->begin($session);
    $stack->idp->answer('/register/finish' => { hang => 1 });
    my $socket = $stack->http->connect;
    print $socket $stack->http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    $socket->flush;
    $stack->wait_record($id, state => 'claimed');

    my %event = (subject => 'dan', event => 'join-2');
    refused($stack->issue(%event), 409, 'claimed', 'while it is open');
    my $claimed_at = $stack->record($id)->{claimed_at};
    my $day = 24 * 60 * 60 * 1000;
    $stack->redis->command('HSET', "enroll:{0}:token:$id", claimed_at =>
        $claimed_at - $day + 60_000);
    refused($stack->issue(%event), 409, 'claimed', 'for nearly a day');
    is_deeply [map { $_->{reason} } $stack->events(event => 'refuse')],
        ['claimed'], 'which is told';
    passed($stack->revoke(id => $id), 'somebody gives it up');
    is $stack->issue(%event)->status, 201, 'then the same event gets one';

    $stack->idp->release({ status => 200 });
    $stack->http->read_response($socket);
    $stack->wait_record($id, outcome => 'enrolled');
};


done_testing;
