#!/usr/bin/perl

# enroll_approve: a token of a class with approvals is of no use until so many
# different people have said yes, none of whom asked for it or gains by it.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;
my $requests = 0;

my $stack = stack(classes => <<'CONF',
    enroll_class guarded { ttl 1h; window 10m; attempts 3; approvals 2; }
    enroll_class single { ttl 1h; window 10m; attempts 1; approvals 1; }
CONF
    issuer => 'class standard guarded single;',
    issuers => { boss => 'approve on;', chief => 'approve on;',
        clerk => 'approve off;' },
    approve => 'hr boss chief clerk');
my $redis = $stack->redis;
my $idp = $stack->idp;
my $http = $stack->http;


# A token of that class; m-1 asked for it.

sub made {
    my (%joiner) = @_;
    my $response = $stack->issue(class => 'guarded', requester => 'm-1',
        subject => 'u-' . ++$requests, %joiner);
    is $response->status, 201, 'issued' or diag $response->body;
    return $response->json;
}

sub approve {
    my ($id, $approver, %more) = @_;
    return $stack->approve(id => $id, approver => $approver, by => 'boss',
        %more);
}

sub approved {
    my ($response, $id, $count, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $response->status, 200, $name or diag $response->body;
    is_deeply $response->json, { id => $id, state => 'issued',
        approvals => $count }, '… and says how often so far';
    return;
}

sub told {
    my ($id) = @_;
    return map { $_->{approver} } $stack->events(event => 'approve',
        id => $id);
}

sub unheard {
    my ($name) = @_;
    my @heard = map { $_->path } $idp->requests;
    $idp->clear;
    return is "@heard", '', "$name: the IdP has heard nothing";
}


# It is of no use, and nothing of it is spent.

sub useless {
    my ($made, $name) = @_;

    refused($stack->redeem($made->{token}), 403, 'unapproved',
        "$name: redeem");
    for my $step (qw(begin_by finish_by)) {
        refused($stack->$step(Authorization => "Bearer $made->{token}"), 403,
            'unapproved', "$name: $step, by the token itself");
    }

    my $record = $stack->record($made->{id});
    is $record->{state}, 'issued', '… it is not spent';
    is $record->{attempts}, 0, '… nor an attempt';
    unheard($name);
    return;
}


subtest 'of no use before' => sub {
    my $made = made();

    useless($made, 'without an approval');
    is $stack->redeem($made->{token})->cookie('__Host-enroll'), undef,
        'there is no session';

    approved(approve($made->{id}, 'm-2'), $made->{id}, 1, 'the first');
    useless($made, 'with one of two');

    approved(approve($made->{id}, 'm-3', by => 'chief'), $made->{id}, 2,
        'the second');
    my $session = $stack->session($made->{token});
    passed($stack->page($session), 'page');
    passed($stack->begin($session), 'begin');
    passed($stack->finish($session), 'finish');
    $stack->wait_record($made->{id}, state => 'enrolled');

    my ($refused) = $stack->events(event => 'refuse', id => $made->{id});
    is join(' ', @$refused{qw(step reason subject requester)}),
        "redeem unapproved u-$requests m-1", 'what was refused is told';
};


subtest 'the token itself, once it is approved' => sub {
    my $made = made(class => 'single');
    my @bearer = (Authorization => "Bearer $made->{token}");

    refused($stack->begin_by(@bearer), 403, 'unapproved', 'before');
    approve($made->{id}, 'm-2');
    passed($stack->begin_by(@bearer), 'begin');
    passed($stack->finish_by(@bearer), 'finish');
    $idp->clear;
};


subtest 'a browser is told to wait' => sub {
    my $made = made();
    my $response = $stack->redeem($made->{token}, Accept => 'text/html');

    is $response->status, 403, 'refused';
    like $response->body, qr/not been approved yet/, 'by a page that says so';
    is $stack->record($made->{id})->{state}, 'issued', 'it is not spent';
};


subtest 'who may not' => sub {
    my $subject = 'u-Ada';
    my $made = made(subject => $subject, requester => 'Mia-Lee');
    my $id = $made->{id};

    for my $who ('Mia-Lee', 'mia-lee', 'MIA-LEE') {
        refused(approve($id, $who), 403, 'approver', "the requester: $who");
    }
    for my $who ('u-Ada', 'u-ada', 'U-ADA') {
        refused(approve($id, $who), 403, 'approver', "the subject: $who");
    }
    refused(approve($id, 'm-2', by => 'clerk'), 403, 'approver',
        'an issuer that may not approve');
    refused(approve($id, 'm-2', by => 'hr'), 403, 'approver',
        'the issuer of the token, which may not, either');
    refused(approve($id, 'm-2', secret => webhook_secret()), 401, 'signature',
        'nobody\'s issuer');
    is_deeply [told($id)], [], 'none of it counts';
    is $stack->record($id)->{approvals}, undef, '… in the record';

    approved(approve($id, 'Ben'), $id, 1, 'somebody else');
    for my $row (['Ben', 'boss'], ['ben', 'boss'], ['BEN', 'chief'],
        ['Ben', 'chief'])
    {
        my ($who, $by) = @$row;
        refused(approve($id, $who, by => $by), 403, 'approver',
            "the same person again: $who, by $by");
    }
    is_deeply [told($id)], ['Ben'], 'one person is one approval';
    useless($made, 'after all that');

    my @refusals = grep { $_->{step} eq 'approve' }
        $stack->events(event => 'refuse', id => $id);
    ok @refusals >= 10, 'each refusal is told';
    is_deeply [grep { $_->{reason} ne 'approver' } @refusals], [],
        '… with its reason';
};


subtest 'nobody can say who asked: then it is not issued' => sub {
    my $response = $stack->issue(class => 'guarded');
    refused($response, 422, 'attributes', 'without a requester');
    like $response->json->{detail}, qr/\brequester\b/, 'it is named';
    is $stack->issue(class => 'standard')->status, 201,
        'a class without approvals does not ask for it';
};


subtest 'more than are needed' => sub {
    my $made = made();

    approved(approve($made->{id}, "n-$_"), $made->{id}, $_, "number $_")
        for 1 .. 16;
    refused(approve($made->{id}, 'n-17'), 403, 'approver', 'number 17');
    passed($stack->redeem($made->{token}), 'it works all the same');
};


subtest 'what there is to approve' => sub {
    refused(approve('0' x 32, 'm-2'), 404, 'nothing', 'an unknown id');
    refused(approve(made(class => 'standard')->{id}, 'm-2'), 403, 'class',
        'a class that asks for none');

    my $spent = made(class => 'single');
    approve($spent->{id}, 'm-2');
    my $session = $stack->session($spent->{token});
    refused(approve($spent->{id}, 'm-3'), 410, 'redeemed', 'a spent one');

    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 500 });
    $stack->finish($session);
    $stack->wait_record($spent->{id}, outcome => 'unknown');
    $idp->answer('/register/finish' => {});
    refused(approve($spent->{id}, 'm-3'), 409, 'claimed', 'a claimed one');

    my $revoked = made();
    $stack->revoke(id => $revoked->{id});
    refused(approve($revoked->{id}, 'm-2'), 410, 'revoked', 'a revoked one');

    my $late = made(ttl => 1);
    wait_for { $redis->command('TIME')->[0] * 1000 > $late->{expires_at} }
        'it to expire';
    refused(approve($late->{id}, 'm-2'), 410, 'expired', 'an expired one');
    is $stack->record($late->{id})->{state}, 'expired', '… which is noticed';

    my $enrolled = made(class => 'single');
    approve($enrolled->{id}, 'm-2');
    $session = $stack->session($enrolled->{token});
    $stack->$_($session) for qw(begin finish);
    $stack->wait_record($enrolled->{id}, state => 'enrolled');
    refused(approve($enrolled->{id}, 'm-3'), 410, 'enrolled',
        'an enrolled one');
    $idp->clear;

    is scalar(() = told($_)), 0, 'nothing of that is an approval'
        for $revoked->{id}, $late->{id};
};


subtest 'a new token needs new approvals' => sub {
    my $old = made(subject => 'twice');
    approve($old->{id}, $_) for qw(m-2 m-3);
    my $new = made(subject => 'twice');

    useless($new, 'the new one');
    refused($stack->redeem($old->{token}), 410, 'revoked', 'the old one');
    approved(approve($new->{id}, 'm-2'), $new->{id}, 1,
        'the same person, of another token');
};


subtest 'an event again' => sub {
    my ($made, $other) = (made(), made());
    my $id = $made->{id};

    approved(approve($id, 'm-2', event => 'yes-1'), $id, 1, 'once');
    my $before = $redis->command('XLEN', 'enroll:{0}:events');
    approved(approve($id, 'm-2', event => 'yes-1'), $id, 1, 'twice');
    approved(approve($id, 'm-2', event => 'yes-1'), $id, 1, 'thrice');
    is $redis->command('XLEN', 'enroll:{0}:events'), $before,
        'told once (I7)';

    approved(approve($id, 'm-3', event => 'yes-1'), $id, 1,
        'under the same event nobody else approves');
    is_deeply [told($id)], ['m-2'], '… as the events say';

    approved(approve($id, 'm-3', event => 'yes-1', by => 'chief'), $id, 2,
        'the same name of another issuer\'s event is another');

    my $session = $stack->session($made->{token});
    my $again = approve($id, 'm-2', event => 'yes-1');
    is $again->status, 200, 'also when it was redeemed since';
    is $again->json->{state}, 'redeemed', '… and says so';

    # what was refused may become right
    refused(approve($other->{id}, 'm-1', event => 'yes-2'), 403, 'approver',
        'refused');
    approved(approve($other->{id}, 'm-2', event => 'yes-2'), $other->{id}, 1,
        'the event was not used up by that');
};


subtest 'at the same moment' => sub {
    my $made = made();
    my @same = map { my $text = $json->encode({ id => $made->{id},
        approver => $_ % 2 ? 'Zoe' : 'zoe' });
        [$http, 'POST', '/enroll/approve',
            [webhook_headers($stack->secret_of('boss'), $text)], $text] }
        1 .. 8;

    is join(' ', sort map { $_->status } burst(@same)),
        '200 403 403 403 403 403 403 403', 'one person, eight times';
    is scalar(() = told($made->{id})), 1, 'is one approval';
    useless($made, 'so it');
};


subtest 'what the record and the events say' => sub {
    my $made = made();
    my $id = $made->{id};
    approve($id, 'm-2', event => 'ok-1');
    approve($id, 'm-3', event => 'ok-2', by => 'chief');
    $stack->redeem($made->{token});

    my $record = $stack->record($id);
    is join(' ', @$record{qw(approvals approval.1 approval.1.issuer
        approval.2 approval.2.issuer requester)}),
        '2 m-2 boss m-3 chief m-1', 'who, and on whose word';
    like $record->{"approval.$_.at"}, qr/\A\d{13}\z/, '… and when'
        for 1, 2;

    my ($one, $two) = $stack->events(event => 'approve', id => $id);
    is join(' ', map { $_ // '-' } @$one{qw(approver by from to class issuer
        requester client)}),
        'm-2 boss issued issued guarded hr m-1 127.0.0.1', 'the first event';
    is join(' ', map { $_ // '-' } @$two{qw(approver by)}), 'm-3 chief',
        'the second';
    my ($redeem) = $stack->events(event => 'redeem', id => $id);
    is $redeem->{approvers}, 'm-2, m-3', 'what comes after names both';
};


# Who can write Redis without the keys approves nothing (I5).

subtest 'written by hand' => sub {
    my $key = sub { return "enroll:{0}:token:$_[0]" };
    my %forged = (
        'a count' => sub {
            $redis->command('HSET', $key->($_[0]), approvals => 2);
        },
        'names' => sub {
            $redis->command('HSET', $key->($_[0]), approvals => 2,
                'approval.1' => 'm-2', 'approval.1.issuer' => 'boss',
                'approval.1.at' => '1700000000000',
                'approval.2' => 'm-3', 'approval.2.issuer' => 'boss',
                'approval.2.at' => '1700000000000');
        },
        'one, twice' => sub {
            my ($id) = @_;
            approve($id, 'm-2');
            my $record = $stack->record($id);
            $redis->command('HSET', $key->($id), approvals => 2,
                map { ("approval.2$_" => $record->{"approval.1$_"}) }
                '', qw(.issuer .at .mac));
        },
        'one, and its copy in another case' => sub {
            my ($id) = @_;
            approve($id, 'm-2');
            my $record = $stack->record($id);
            $redis->command('HSET', $key->($id), approvals => 2,
                'approval.2' => 'M-2',
                map { ("approval.2$_" => $record->{"approval.1$_"}) }
                qw(.issuer .at .mac));
        },
        'those of another token' => sub {
            my ($id) = @_;
            my $other = made();
            approve($other->{id}, $_) for qw(m-2 m-3);
            my $record = $stack->record($other->{id});
            $redis->command('HSET', $key->($id),
                map { ($_ => $record->{$_}) }
                grep { /^approval/ } sort keys %$record);
        },
        'a requester who is another' => sub {
            my ($id) = @_;
            approve($id, 'm-2');
            $redis->command('HSET', $key->($id), requester => 'm-9');
            approve($id, 'm-1');
        },
    );

    for my $name (sort keys %forged) {
        my $made = made();
        $forged{$name}->($made->{id});

        for my $response ($stack->redeem($made->{token}),
            $stack->begin_by(Authorization => "Bearer $made->{token}"),
            $stack->finish_by(Authorization => "Bearer $made->{token}"))
        {
            my $said = ($response->json || {})->{reason} // '';
            ok $response->status >= 400, "$name: refused, $said";
            is $response->cookie('__Host-enroll'), undef, '… no session';
        }
        unheard($name);
    }
};


subtest 'bodies and methods' => sub {
    my $made = made();
    my $id = $made->{id};
    my $before = $redis->command('XLEN', 'enroll:{0}:events');

    my %table = (
        'no object' => '[]', 'nothing' => '', 'not closed' => '{"id":"',
        'no id' => { approver => 'm-2' }, 'no approver' => { id => $id },
        'another member' => { id => $id, approver => 'm-2', reason => 'x' },
        'an approver twice' =>
            qq({"id":"$id","approver":"m-2","approver":"m-3"}),
        'an empty approver' => { id => $id, approver => '' },
        'an approver of 65' => { id => $id, approver => 'x' x 65 },
        'an approver with a newline' => { id => $id, approver => "a\nb" },
        'a number' => { id => $id, approver => 7 },
        'an id in upper case' => { id => uc $id, approver => 'm-2' },
        'a short id' => { id => substr($id, 1), approver => 'm-2' },
        'a token for an id' => { id => $made->{token}, approver => 'm-2' },
    );
    for my $name (sort keys %table) {
        next if $name eq 'an id in upper case' && $id !~ /[a-f]/;
        refused($stack->call('/enroll/approve', $table{$name}, by => 'boss'),
            400, 'body', $name);
    }

    my $text = $json->encode({ id => $id, approver => 'm-2' });
    my @headers = webhook_headers($stack->secret_of('boss'), $text);
    for my $method (qw(GET HEAD PUT DELETE)) {
        is $http->request($method, '/enroll/approve', [@headers], $text)
            ->status, 405, $method;
    }

    is $redis->command('XLEN', 'enroll:{0}:events'), $before,
        'nothing of that is told';
    is $stack->record($id)->{approvals}, undef, 'nor done';

    # what was signed as another order is not taken for this one
    refused($stack->call('/enroll/approve', { id => $id, reason => 'x' },
        by => 'boss'), 400, 'body', 'an order to revoke');
    approved($http->post('/enroll/approve', $text, @headers), $id, 1,
        'and the right one is');
};


subtest 'Redis away' => sub {
    my $made = made();
    $redis->stop;
    refused(approve($made->{id}, 'm-2'), 503, 'unavailable', 'closed (I6)');
    $redis->start;
};


subtest 'the events agree with the records (I7)' => sub {
    my $clean = stack(issuers => { boss => 'approve on;' },
        issuer => 'class guarded;', approve => 'boss', class => 'ttl 1h;',
        classes => 'enroll_class guarded { approvals 2; }');

    for my $subject (1 .. 3) {
        my $id = $clean->issue(class => 'guarded', requester => 'm-1')
            ->json->{id};
        $clean->approve(id => $id, approver => $_, by => 'boss')
            for qw(m-1 m-2 M-2 m-3);
    }
    is_deeply [audit($clean)], [], 'each approval has one event';
};

done_testing;
