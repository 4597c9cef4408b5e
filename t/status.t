#!/usr/bin/perl

# enroll_status: what its JSON has, that its counters count, and that it says
# so when Redis is away.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


my $stack = stack(workers => 2,
    class => 'ttl 1h; window 10m; attempts 1;',
    http => 'enroll_redis_failures 1; enroll_redis_retry 100ms;',
    locations => <<'CONF');
        location = /elsewhere {
            enroll_redis 127.0.0.1:1;
            enroll_redis_timeout 100ms;
            enroll_status;
        }
CONF
my $http = $stack->http;
my $idp = $stack->idp;

# the counters and reasons that docs/operations.md shows
my $docs = slurp(top() . '/docs/operations.md');
my ($shown) = $docs =~ /^## Status page\n.*?^(\{\n.*?^\}\n)/ms;
my $example = JSON::PP->new->decode($shown);


sub counters {
    my ($part) = @_;
    return %{ $stack->status->{$part} };
}

# What has grown by how much while the code ran.
sub grown {
    my ($part, $code) = @_;
    my %before = counters($part);
    $code->();
    my %after = counters($part);
    return join ' ', map { "$_+" . ($after{$_} - $before{$_}) }
        grep { $after{$_} != $before{$_} } sort keys %after;
}


subtest 'its members' => sub {
    my $response = $http->get('/enroll/status');
    is $response->status, 200, 'answered';
    is $response->header('Content-Type'), 'application/json', 'as JSON';
    is $response->header('Cache-Control'), 'no-store', 'kept nowhere';

    my $status = $response->json;
    for my $part (sort keys %$example) {
        is join(' ', sort keys %{$status->{$part}}),
            join(' ', sort keys %{$example->{$part}}),
            "$part is as documented";
    }
    is join(' ', sort keys %$status), join(' ', sort keys %$example),
        'and nothing else';

    is $status->{ledger}{address}, 'unix:' . $stack->redis->socket,
        'the address';
    ok $status->{ledger}{reachable}, 'reachable';
    ok $status->{ledger}{latency_ms} >= 0
        && $status->{ledger}{latency_ms} < 5000, 'within some time';
    is $status->{ledger}{circuit}, 'closed', 'the circuit is closed';
    is $status->{ledger}{failure}, undef, 'no failure';
    my ($node, @more) = @{ $status->{ledger}{nodes} };
    is join(' ', sort keys %$node),
        join(' ', sort keys %{$example->{ledger}{nodes}[0]}),
        'the server is as documented';
    is "$node->{address} $node->{role} $node->{circuit} $node->{connected}",
        'unix:' . $stack->redis->socket . ' master closed '
            . $status->{ledger}{connected}, 'it is the one, and a master';
    is scalar @more, 0, 'there is no other';
    is $status->{zone}{name}, 'enroll', 'the zone';
    is $status->{zone}{size}, 1_048_576, 'its size';
    is $status->{zone}{entries}, 0, 'it is empty';
    is grep({ $_ } values %{$status->{events}}, values %{$status->{refused}}),
        0, 'all counters are 0';
    unlike $response->body, qr/en[rs]_/, 'and no token is in it';

    my $head = $http->request('HEAD', '/enroll/status');
    is $head->status . $head->body, '200', 'HEAD';

    for my $method (qw(POST PUT DELETE OPTIONS)) {
        my $refused = $http->request($method, '/enroll/status', [], '');
        refused($refused, 405, 'method', $method);
        is $refused->header('Allow'), 'GET, HEAD', '… Allow';
    }
};


subtest 'events are counted' => sub {
    my ($made, $session);

    is grown(events => sub { $made = $stack->issue(subject => 'ada')->json }),
        'issue+1', 'issue';
    is grown(events => sub { $session = $stack->session($made->{token}) }),
        'redeem+1', 'redeem';
    is grown(events => sub { $stack->page($session) }), '',
        'a page that is asked for';
    is grown(events => sub { $stack->page($session) }), 'cache+1',
        'a page that is not';
    is grown(events => sub { $stack->begin($session) }), 'begin+1', 'begin';
    is grown(events => sub {
            $stack->finish($session);
            $stack->wait_record($made->{id}, state => 'enrolled');
            wait_for { $stack->status->{events}{enrolled} } 'it is counted';
        }), 'claim+1 enrolled+1', 'enrolled';
    is grown(events => sub { $stack->redeem($made->{token}) }),
        'tombstone+1', 'a tombstone';

    for my $row ([400, 'refused', 'locked'], [500, 'unknown', 'claimed']) {
        my ($code, $count, $state) = @$row;
        my ($session, $id) = $stack->enter(subject => "bea-$code");
        $stack->begin($session);
        $idp->answer('/register/finish' => { status => $code });
        my $was = $stack->status->{events}{$count};
        is grown(events => sub {
                $stack->finish($session);
                wait_for { $stack->status->{events}{$count} > $was }
                    'it is counted';
            }), "claim+1 $count+1", "a finish that is answered $code";
    }

    my ($closed, $id) = $stack->enter(subject => 'cyd');
    $stack->begin($closed);
    $idp->refuse;
    my $was = $stack->status->{events}{released};
    is grown(events => sub {
            $stack->finish($closed);
            wait_for { $stack->status->{events}{released} > $was }
                'it is counted';
        }), 'claim+1 released+1', 'a finish that was never sent';
    $idp->listen;

    is grown(events => sub { $stack->revoke(id => $id) }), 'revoke+1',
        'revoke';
    $made = $stack->issue(subject => 'dan')->json;
    is grown(events => sub { $stack->issue(subject => 'dan') }),
        'issue+1 revoke+1', 'an issue that supersedes';
    is grown(events => sub { $stack->issue(subject => 'dan', event => 'x')
            for 1 .. 3 }), 'issue+1 revoke+1', 'an event that is repeated';

    $made = $stack->issue(subject => 'eve', ttl => 1)->json;
    wait_for { $stack->redis->command('TIME')->[0] * 1000
        > $made->{expires_at} + 1000 } 'a second to pass', 5;
    is grown(events => sub { $stack->redeem($made->{token}) }), 'expire+1',
        'expire';
};


subtest 'refusals are counted by reason' => sub {
    my ($session, $id) = $stack->enter(subject => 'fay');
    my $spent = $stack->token(subject => 'gil');
    $stack->session($spent);

    my %cause = (
        missing    => sub { $http->get('/register') },
        forged     => sub { $stack->redeem('x') },
        duplicate  => sub { $stack->page("$session; $session") },
        scope      => sub { $http->get('/admin', Cookie => $session) },
        method     => sub { $http->post('/register', '',
            Cookie => $session) },
        uri        => sub { $http->get('//register', Cookie => $session) },
        order      => sub { $stack->finish($session) },
        redeemed   => sub { $stack->redeem($spent) },
        cross_site => sub { $stack->redeem('x', Origin => 'null') },
        body       => sub { $stack->redeem('') },
        signature  => sub { $http->post('/enroll/issue', '{}') },
        class      => sub { $stack->issue(class => 'urgent') },
        nothing    => sub { $stack->revoke(subject => 'nobody') },
    );

    for my $reason (sort keys %cause) {
        is grown(refused => $cause{$reason}), "$reason+1", $reason;
    }
};


subtest 'the zone' => sub {
    my $entries = $stack->status->{zone}{entries};
    my ($session) = $stack->enter(subject => 'hal');
    is $stack->status->{zone}{entries}, $entries + 1, 'a session is an entry';
    ok $stack->status->{zone}{free} <= 1_048_576, 'and takes its room';
};


subtest 'counters outlive a reload' => sub {
    my %before = counters('events');
    $stack->nginx->reload(leave => 1);
    is_deeply { counters('events') }, \%before, 'and are the same';
};


subtest 'another Redis' => sub {
    my $status = $http->get('/elsewhere')->json;
    is $status->{ledger}{address}, '127.0.0.1:1', 'its address';
    ok !$status->{ledger}{reachable}, 'not reachable';
    ok $status->{ledger}{failure}, "and why: $status->{ledger}{failure}";
    is $status->{ledger}{latency_ms}, undef, 'no latency';
    ok $stack->status->{ledger}{reachable}, 'the other one is';
};


subtest 'Redis away (I6)' => sub {
    $stack->redis->stop;

    my $response = $http->get('/enroll/status');
    is $response->status, 200, 'answered all the same';
    my $ledger = $response->json->{ledger};
    ok !$ledger->{reachable}, 'not reachable';
    ok $ledger->{failure}, 'and why: ' . ($ledger->{failure} // '');
    is $ledger->{latency_ms}, undef, 'no latency';
    is $ledger->{connected}, 0, 'no connection';
    is $ledger->{nodes}[0]{connected}, 0, 'of that server';
    ok $ledger->{nodes}[0]{failure}, 'and why';

    wait_for { $stack->status->{ledger}{circuit} eq 'open' }
        'the circuit to open';
    is grown(refused => sub { $stack->redeem('x') }), 'forged+1',
        'forged tokens are refused as ever';

    $stack->redis->start;
    wait_for { my $ledger = $stack->status->{ledger};
        $ledger->{reachable} && $ledger->{circuit} eq 'closed' }
        'it to be back', 5;
    pass 'and when it is back it says so';
};

done_testing;
