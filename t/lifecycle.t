#!/usr/bin/perl

# The whole of it, by the libraries that real senders use: somebody joins, is
# proofed, enrolls; gets no second first token; loses the phone, and recovers
# by another issuer and another channel on two people's yes; leaves, and the
# very next request is refused.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


use constant AUD => 'https://enroll.example';
use constant SCIM => 'urn:ietf:params:scim:event:prov';

my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();
$sender->key('prover', kty => 'EC');
$sender->key('iam', kty => 'RSA', bits => 2048);

my $stack = stack(instances => 2, deliver => 1,
    class => <<'CONF',
        ttl 1h; window 10m; attempts 3;
        proof ial2; channel email post; require email manager;
        deny_if $http_x_risk; on_replay revoke; deliver /deliver;
CONF
    classes => <<'CONF',
    enroll_class recovery {
        exception_of standard; recovery on; ttl 10m; approvals 2;
    }
CONF
    issuer => 'channel email;',
    issuers => {
        desk => 'class recovery; channel post email;',
        board => 'approve on;',
    },
    http => <<'CONF',
    enroll_issuer iam {
        jwks %%STACK%%/iam.jwks;
        iss https://iam.example;
        aud https://enroll.example;
        channel email;
    }
    enroll_prover acme {
        jwks %%STACK%%/prover.jwks;
        iss https://prover.example;
        aud https://enroll.example;
    }
CONF
    files => { 'iam.jwks' => $sender->jwks('iam'),
        'prover.jwks' => $sender->jwks('prover') },
    issue => 'hr desk iam', revoke => 'hr iam', approve => 'board',
    prove => 'acme return=/register');
my $idp = $stack->idp;
my $http = $stack->http;
my $orders = 0;


# An order, signed by the standardwebhooks package.

sub order {
    my ($path, $by, %order) = @_;
    my $body = $json->encode(\%order);
    return $http->post($path, $body, 'Content-Type' => 'application/json',
        $sender->webhook($stack->secret_of($by), 'order-' . ++$orders,
            $body));
}

sub join_order {
    my ($by, $subject, %more) = @_;
    return order('/enroll/issue', $by, subject => $subject,
        class => 'standard', channel => 'email', attributes =>
            { email => "$subject\@example.org", manager => 'm-1' }, %more);
}

# An attestation and a SET, signed by the jose package.

sub prove {
    my ($subject, %more) = @_;
    my $now = time;
    return $stack->prove($sender->jwt('prover', {
        iss => 'https://prover.example', aud => AUD, iat => $now,
        exp => $now + 60, jti => 'case-' . ++$orders, subject => $subject,
        ial => 'ial2', method => 'document', evidence => "case-$orders",
        %more }));
}

sub set {
    my ($event, $subject, %data) = @_;
    return $stack->set($sender->jwt('iam', {
        iss => 'https://iam.example', aud => AUD, iat => time,
        jti => 'set-' . ++$orders,
        sub_id => { format => 'scim', uri => "/Users/$subject" },
        events => { SCIM . ":$event" => %data ? { data => \%data } : {} },
    }, typ => 'secevent+jwt'));
}

sub user {
    my ($subject) = @_;
    return (userName => $subject,
        emails => [{ value => "$subject\@example.org", primary =>
            JSON::PP::true }],
        'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' =>
            { manager => { value => 'm-1' } });
}

# What the gateway was given last.

sub letter { return ($stack->delivered)[-1] }

sub unheard {
    my ($name) = @_;
    my @heard = map { $_->path } $idp->requests;
    $idp->clear;
    return is "@heard", '', "$name: the IdP has heard nothing";
}


my ($first, $second);

subtest 'ada joins' => sub {
    my $response = order('/enroll/issue', 'hr', subject => 'ada',
        class => 'standard', channel => 'email',
        attributes => { email => 'ada@example.org' });
    refused($response, 422, 'attributes', 'an incomplete event is refused');
    like $response->json->{detail}, qr/\bmanager\b/, '… with what it lacks';

    $response = join_order('hr', 'ada');
    is $response->status, 201, 'a joiner event' or diag $response->body;
    unlike $response->raw, qr/enr_/, 'hr never holds the token';

    my $letter = letter();
    $first = $letter->{id};
    is "$letter->{subject} $letter->{channel}", 'ada email',
        'the gateway has it';

    my $session = $stack->session($letter->{token});
    passed($stack->page($session), 'the page');
    $idp->clear;
    refused($stack->begin($session), 403, 'unproofed', 'begin, unproofed');
    unheard('unproofed (I4)');

    is prove('ada')->status, 200, 'she is proofed';
    passed($stack->begin($session), 'begin');
    passed($stack->finish($session), 'finish');
    $stack->wait_record($first, state => 'enrolled');

    refused($stack->page($session), 410, 'enrolled', 'her session is over');
    refused($stack->redeem($letter->{token}), 410, 'enrolled',
        'and so is the link');
    wait_for { $stack->events(id => $first, reason => 'enrolled') }
        'its replay to be told';
    $idp->clear;
};


subtest 'there is no second first time (I9)' => sub {
    my $before = $stack->gateway->count;

    refused(join_order('hr', 'ada'), 409, 'first_use', 'by hr');
    is set('create:full', 'ada', user('ada'))->status, 202,
        'by the IAM: acknowledged';
    is $stack->gateway->count, $before, 'nothing is delivered';

    my @told = $stack->events(subject => 'ada', event => 'refuse',
        reason => 'first_use');
    is join(' ', map { $_->{issuer} } @told), 'hr iam', 'each is told';
};


subtest 'ada loses her phone' => sub {
    my %wish = (class => 'recovery', requester => 'm-1');

    refused(join_order('hr', 'ada', %wish), 403, 'class',
        'hr may not recover');
    refused(join_order('desk', 'ada', %wish), 403, 'same_channel',
        'nor may the desk, by the same channel');
    is join_order('desk', 'ada', %wish, channel => 'post')->status, 201,
        'the desk may, by another';

    my $letter = letter();
    $second = $letter->{id};
    is $letter->{channel}, 'post', 'it goes the other way';
    refused($stack->redeem($letter->{token}), 403, 'unapproved',
        'of no use yet');

    for my $row (['m-1', 403, 'who asked for it'], ['ada', 403, 'herself'],
        ['m-2', 200, 'one'], ['M-2', 403, 'the same'])
    {
        my ($who, $status, $name) = @$row;
        is order('/enroll/approve', 'board', id => $second,
            approver => $who)->status, $status, "approved by $name";
    }
    refused($stack->redeem($letter->{token}), 403, 'unapproved',
        'one yes is not enough');
    is order('/enroll/approve', 'board', id => $second, approver => 'm-3')
        ->status, 200, 'approved by another';

    my $session = $stack->session($letter->{token});
    refused($stack->begin($session), 403, 'unproofed',
        'an exception is proofed as well');
    refused(prove('ada', ial => 'ial1'), 403, 'level', '… as high');
    is prove('ada', id => $second)->status, 200, 'she is proofed again';
    $idp->clear;
    refused($stack->begin_by(Cookie => $session, 'X-Risk' => 'high'), 403,
        'denied', 'from where policy says no');
    unheard('denied');

    passed($stack->begin($session), 'begin');
    passed($stack->finish($session), 'finish');
    $stack->wait_record($second, state => 'enrolled');
    $idp->clear;
};


# A leaver, in the middle of a session: at each step, by either way in, on the
# host that took the order and on the other.

subtest 'somebody leaves' => sub {
    my %leave = (
        'a webhook' => sub { order('/enroll/revoke', 'hr', subject => $_[0],
            reason => 'left') },
        'prov:deactivate' => sub { set('deactivate', $_[0]) },
        'prov:delete' => sub { set('delete', $_[0]) },
    );
    my %step = (page => ['GET', '/register'],
        begin => ['POST', '/register/begin'],
        finish => ['POST', '/register/finish']);

    for my $how (sort keys %leave) {
        for my $step (sort keys %step) {
            for my $host (0, 1) {
                # another host's page may be remembered for a second
                next if $step eq 'page' && $host == 1;

                my $subject = "leaver-$orders";
                my $joined = set('create:full', $subject, user($subject));
                is $joined->status, 202, "$subject joins" or
                    diag $joined->body;
                is $joined->body, '', '… with an empty answer';

                my $letter = letter();
                my $session = $stack->session($letter->{token});
                prove($subject);
                passed($stack->page($session), 'the page');
                passed($stack->begin($session), 'begin');
                $idp->clear;

                my $left = $leave{$how}->($subject);
                is $left->status, $how =~ /^prov/ ? 202 : 200, $how;
                my ($method, $path) = @{$step{$step}};
                refused($stack->http($host)->request($method, $path,
                    [Cookie => $session], $method eq 'POST' ? '{}' : undef),
                    410, 'revoked', "the very next $step, at host $host");
                unheard("$how, $step");

                my ($event) = $stack->events(event => 'revoke',
                    id => $letter->{id});
                is "$event->{from} $event->{to} $event->{by} $event->{leaver}",
                    'redeemed revoked ' . ($how =~ /^prov/
                        ? "iam set-$orders" : "hr order-$orders"),
                    '… told, and on whose word';
            }
        }
    }
};


subtest 'a leaver whose finish is under way' => sub {
    for my $row (['enrolled', {}], ['revoked', { status => 400 }]) {
        my ($end, $answer) = @$row;
        my $subject = "leaver-$orders";
        join_order('hr', $subject);
        my $letter = letter();
        my $session = $stack->session($letter->{token});
        prove($subject);
        $stack->begin($session);
        $idp->clear;
        $idp->answer('/register/finish' => { hang => 1 });

        my $socket = $http->connect;
        print {$socket} $http->bytes('POST', '/register/finish',
            [Cookie => $session], '{}');
        $idp->wait_count(1, '/register/finish');
        is set('delete', $subject)->status, 202, 'prov:delete';
        refused($stack->finish($session), 409, 'claimed',
            'another finish does not pass');

        my ($event) = $stack->events(event => 'revoke', id => $letter->{id});
        my ($claim) = $stack->events(event => 'claim', id => $letter->{id});
        is $event->{claim}, $claim->{op},
            'the event says that his claim was open';

        $idp->release($answer);
        $http->read_response($socket);
        $stack->wait_record($letter->{id}, state => $end);
        pass "the claim settles as it may: $end";
        $idp->answer('/register/finish' => {});
        $idp->clear;
    }
};


# Who, what, when, on whose word.

subtest 'what every event carries' => sub {
    my @events = $stack->events;
    my %kind = map { $_->{event} => 1 } @events;
    is_deeply [grep { !$kind{$_} } qw(issue approve proofed redeem begin
        claim settle revoke refuse deliver)], [], 'there are all kinds';

    for my $field (qw(seq at event subject class issuer joiner op client)) {
        is_deeply [grep { ($_->{$field} // '') eq '' } @events], [],
            "each has: $field";
    }
    is_deeply [grep { $_->{id} !~ /\A[0-9a-f]{32}\z/ }
            grep { $_->{event} ne 'refuse' } @events], [], 'each has: id';
    is_deeply [grep { $_->{at} !~ /\A\d{13}\z/
            || $_->{op} !~ /\A[0-9a-f]{32}\z/ } @events], [],
        'times and operation ids are such';

    my %of = map { my $id = $_; $id => [$stack->events(id => $id)] }
        $first, $second;
    my $line = sub {
        my ($id, @fields) = @_;
        return [map { my $event = $_; join ' ', $event->{event},
            map { "$_=$event->{$_}" } grep { defined $event->{$_} } @fields }
            @{$of{$id}}];
    };

    is_deeply $line->($first, qw(class exception issuer channel reason
        prover)), [
        'issue class=standard issuer=hr channel=email',
        'deliver class=standard issuer=hr channel=email',
        'redeem class=standard issuer=hr',
        'refuse class=standard issuer=hr reason=unproofed',
        'proofed class=standard issuer=hr prover=acme',
        'begin class=standard issuer=hr prover=acme',
        'claim class=standard issuer=hr prover=acme',
        'settle class=standard issuer=hr prover=acme',
        'refuse class=standard issuer=hr reason=enrolled prover=acme',
    ], 'her first token, line by line';

    my $way = 'class=recovery exception=standard issuer=desk requester=m-1';
    is_deeply $line->($second, qw(class exception issuer requester approvers
        prover)), [
        "issue $way", "deliver $way", "refuse $way",
        "refuse $way", "refuse $way",           # the requester, herself
        "approve $way approvers=m-2",
        "refuse $way approvers=m-2",            # the same again
        "refuse $way approvers=m-2",
        "approve $way approvers=m-2, m-3",
        "redeem $way approvers=m-2, m-3",
        "refuse $way approvers=m-2, m-3",       # unproofed
        "refuse $way approvers=m-2, m-3",       # too low
        (map { "$_ $way approvers=m-2, m-3 prover=acme" }
            qw(proofed refuse begin claim settle)),
    ], 'her second one';

    is_deeply [audit($stack)], [], 'and they agree with the records (I7)';
};

done_testing;
