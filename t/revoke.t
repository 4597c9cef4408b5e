#!/usr/bin/perl

# enroll_revoke: what is taken back is refused from then on, everywhere.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;
my $stack = stack(instances => 2, http => 'enroll_session_cache 1s;',
    class => 'ttl 1h; window 10m; attempts 1;');
my $idp = $stack->idp;
my $http = $stack->http;


sub told {
    my ($id, $name) = @_;
    my @events = $stack->events(event => 'revoke', id => $id);
    is scalar(@events), 1, "$name: one event (I7)";
    return $events[0];
}

sub revoked {
    my ($response, $id, $state, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $response->status, 200, $name;
    is_deeply $response->json, { id => $id, state => $state }, '… says which';
    return;
}


subtest 'by id' => sub {
    my $made = $stack->issue(subject => 'ada')->json;

    revoked($stack->revoke(id => $made->{id}, reason => 'left the firm'),
        $made->{id}, 'revoked', 'is revoked');

    my $record = $stack->record($made->{id});
    is $record->{state}, 'revoked', 'the record says so';
    is $record->{revoked_why}, 'left the firm', '… and why';
    is $record->{revoked_by}, 'hr', '… and by whom';

    my $event = told($made->{id}, 'by id');
    is join(' ', @$event{qw(from to why by subject)}),
        'issued revoked left the firm hr ada', 'told with all of that';

    refused($stack->redeem($made->{token}), 410, 'revoked',
        'the link is refused');
    refused($stack->begin_by(Authorization => "Bearer $made->{token}"), 410,
        'revoked', 'the token, too');

    revoked($stack->revoke(id => $made->{id}, reason => 'again'),
        $made->{id}, 'revoked', 'revoked again');
    is $stack->record($made->{id})->{revoked_why}, 'left the firm',
        'the first reason stays';
    told($made->{id}, 'twice');
};


subtest 'by subject' => sub {
    my $made = $stack->issue(subject => 'bea')->json;
    my $other = $stack->issue(subject => 'bea2')->json;

    revoked($stack->revoke(subject => 'bea'), $made->{id}, 'revoked',
        'is revoked');
    is told($made->{id}, 'by subject')->{why}, 'issuer', 'without a reason';
    is $stack->record($other->{id})->{state}, 'issued', 'and nobody else';

    revoked($stack->revoke(subject => 'bea'), $made->{id}, 'revoked',
        'revoked again');
    told($made->{id}, 'twice');

    my $again = $stack->issue(subject => 'bea');
    is $again->status, 201, 'the subject may get another';
    revoked($stack->revoke(subject => 'bea'), $again->json->{id}, 'revoked',
        'which is revoked as well');
};


subtest 'what there is not' => sub {
    my $before = $stack->redis->command('XLEN', 'enroll:{0}:events');

    refused($stack->revoke(subject => 'nobody'), 404, 'nothing',
        'a subject without a token');
    refused($stack->revoke(id => '0' x 32), 404, 'nothing', 'an id of none');
    refused($stack->revoke(id => 'f' x 32), 404, 'nothing', 'another');

    my %bad = (
        'neither' => {}, 'both' => { id => '0' x 32, subject => 'ada' },
        'a short id' => { id => '0' x 31 }, 'a long one' => { id => '0' x 33 },
        'in upper case' => { id => 'A' x 32 }, 'no hex' => { id => 'g' x 32 },
        'an empty subject' => { subject => '' },
        'another member' => { subject => 'ada', class => 'standard' },
        'a long reason' => { subject => 'ada', reason => 'x' x 129 },
        'a reason with a newline' => { subject => 'ada', reason => "\n" },
        'a number' => { subject => 1 },
    );

    for my $name (sort keys %bad) {
        refused($stack->revoke(%{$bad{$name}}), 400, 'body', $name);
    }

    refused($stack->call('/enroll/revoke', 'x' x 4097), 400, 'body',
        'a long body');
    refused($http->post('/enroll/revoke', '{"subject":"ada"}'), 401,
        'signature', 'no signature');
    refused($stack->call('/enroll/revoke', { subject => 'ada' },
        secret => webhook_secret()), 401, 'signature', 'another secret');

    is $stack->redis->command('XLEN', 'enroll:{0}:events'), $before,
        'no event of any';
};


subtest 'a live session' => sub {
    my ($session, $id) = $stack->enter(subject => 'cyd');
    passed($stack->page($session), 'passes');
    passed($stack->http(1)->get('/register', Cookie => $session),
        'passes on another host');
    passed($stack->begin($session), 'has begun');
    $idp->clear;

    revoked($stack->revoke(id => $id), $id, 'revoked', 'is revoked');

    refused($stack->page($session), 410, 'revoked',
        'refused at once on this host');
    refused($stack->begin($session), 410, 'revoked', 'begin');
    refused($stack->finish($session), 410, 'revoked', 'finish');
    is $idp->count, 0, 'the IdP has heard nothing (I3)';

    # another host knows it when it next asks: begin and finish always do
    refused($stack->http(1)->post('/register/begin', '{}',
        Cookie => $session), 410, 'revoked', 'begin on another host');
    refused($stack->http(1)->post('/register/finish', '{}',
        Cookie => $session), 410, 'revoked', 'finish on another host');
    is $idp->count, 0, 'the IdP has heard nothing';

    my $response = $stack->http(1)->get('/register', Cookie => $session);
    refused($response, 410, 'revoked', 'and so the page');
    like $response->header('Set-Cookie'), qr/\A__Host-enroll=; .*Max-Age=0/,
        'the cookie is taken back';
};


subtest 'the page on another host, when its cache is over' => sub {
    my ($session, $id) = $stack->enter(subject => 'dan');
    my $page = sub {
        $stack->http(1)->get('/register', Cookie => $session)
    };

    passed($page->(), 'passes');
    my $cached = $stack->status(1)->{events}{cache};
    passed($page->(), 'passes');
    is $stack->status(1)->{events}{cache}, $cached + 1, '… out of the cache';

    revoked($stack->revoke(id => $id), $id, 'revoked', 'is revoked');
    my $response;
    wait_for { ($response = $page->())->status != 200 }
        'the cache of the other host to end', 3;
    refused($response, 410, 'revoked', 'refused after a second');
};


subtest 'what has ended' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve');
    $stack->begin($session);
    $stack->finish($session);
    $stack->wait_record($id, state => 'enrolled');

    refused($stack->revoke(id => $id), 409, 'ended', 'enrolled, by id');
    refused($stack->revoke(subject => 'eve'), 409, 'ended', 'by subject');
    is $stack->record($id)->{state}, 'enrolled', 'it stays';

    ($session, $id) = $stack->enter(subject => 'fay');
    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 400 }, {});
    $stack->finish($session);
    $stack->wait_record($id, state => 'locked');
    refused($stack->revoke(id => $id), 409, 'ended', 'locked');

    is scalar(my @events = $stack->events(event => 'revoke', id => $id)), 0,
        'without an event';
};


# What is on its way to the IdP cannot be called back: it settles, and then
# it is revoked or enrolled, as the IdP said.

subtest 'while a finish is on its way (I2)' => sub {
    for my $row ([200, 'enrolled'], [400, 'revoked'], [500, 'claimed']) {
        my ($status, $end) = @$row;
        my ($session, $id) = $stack->enter(subject => "gil-$status");
        $stack->begin($session);
        $idp->clear;

        $idp->answer('/register/finish' => { hang => 1 });
        my $socket = $http->connect;
        print {$socket} $http->bytes('POST', '/register/finish',
            [Cookie => $session], '{}');
        $idp->wait_count(1, '/register/finish');

        revoked($stack->revoke(id => $id), $id, 'claimed', 'is revoked');
        my $event = told($id, 'meanwhile');
        is "$event->{from} $event->{to}", 'claimed claimed', 'it stays so';
        revoked($stack->revoke(id => $id), $id, 'claimed', 'again');

        $idp->release({ status => $status });
        is $http->read_response($socket)->status, $status, "then a $status";
        is $stack->wait_record($id, outcome => $status == 200 ? 'enrolled'
            : $status == 400 ? 'refused' : 'unknown')->{state}, $end,
            "and it is $end";

        $idp->clear;
        my $reason = $end;
        refused($stack->finish($session), $end eq 'claimed' ? 409 : 410,
            $reason, 'finish again');
        is $idp->count, 0, 'the IdP has heard nothing';
    }
};


# A sender's ids are his own: one that he has used for something else before is
# no reason to obey a leaver's event twice.

subtest 'an id that an approval has, too' => sub {
    my $both = stack(classes => 'enroll_class guarded { ttl 1h; approvals 2; }',
        issuer => 'class standard guarded; approve on;', approve => 'hr');
    $both->issue(subject => 'eve');
    revoked($both->leave(subject => 'eve', event => 'x-1'),
        ($both->events(event => 'issue'))[0]{id}, 'revoked', 'she leaves');

    my $made = $both->issue(subject => 'eve', class => 'guarded',
        requester => 'm-1')->json;
    passed($both->approve(id => $made->{id}, approver => 'm-2',
        event => 'x-1'), 'an approval with that id');
    passed($both->leave(subject => 'eve', event => 'x-1'),
        'her leaving, once more');
    is $both->record($made->{id})->{state}, 'issued',
        '… does not end what came after it';
    passed($both->approve(id => $made->{id}, approver => 'm-2',
        event => 'x-1'), 'the approval, once more');
    is $both->record($made->{id})->{approvals}, 1, '… is one';
};


subtest 'Redis away' => sub {
    $stack->redis->stop;
    my $response = $stack->revoke(subject => 'ada');
    refused($response, 503, 'unavailable', 'is refused (I6)');
    ok $response->header('Retry-After'), 'until later';
    $stack->redis->start;
};

done_testing;
