#!/usr/bin/perl

# What is out of the ordinary is stricter: a second token, the lost phone, the
# urgent case, the policy at request time, the token that comes twice.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;
my $sender = sender();
$sender->key('one', kty => 'EC');

my $PROVER = <<'CONF';
    enroll_prover acme {
        jwks %%STACK%%/acme.jwks;
        iss https://prover.example;
        aud https://enroll.example;
    }
CONF
my $attestations = 0;

sub attest {
    my ($id, $level) = @_;
    my $now = time;
    return $sender->jwt('one', { iss => 'https://prover.example',
        aud => 'https://enroll.example', iat => $now, exp => $now + 60,
        jti => 'a-' . ++$attestations, id => $id, ial => $level // 'ial2' });
}

sub unheard {
    my ($idp, $name) = @_;
    my @heard = map { $_->path } $idp->requests;
    $idp->clear;
    return is "@heard", '', "$name: the IdP has heard nothing";
}

sub events_of {
    my ($stack, $subject, %want) = @_;
    return $stack->events(subject => $subject, %want);
}


# First use and recovery (I9)

my $stack = stack(
    class => 'ttl 1h; window 10m; attempts 3; channel email post desk;',
    classes => <<'CONF',
    enroll_class recovery {
        exception_of standard; recovery on; ttl 30m; approvals 2;
    }
    enroll_class urgent { exception_of standard; ttl 10m; attempts 1; }
CONF
    issuer => 'class standard recovery urgent;',
    issuers => { it => 'class standard recovery urgent;',
        desk => 'class recovery;', boss => 'approve on;' },
    issue => 'hr it desk', approve => 'boss');
my $redis = $stack->redis;
my $idp = $stack->idp;

sub enrolled {
    my ($subject, %more) = @_;
    return $stack->enrol(subject => $subject, channel => 'email', %more);
}

sub recover {
    my ($subject, %more) = @_;
    return $stack->issue(subject => $subject, class => 'recovery',
        channel => 'post', by => 'desk', requester => 'm-1', %more);
}


subtest 'a second token for first use (I9)' => sub {
    my $first = enrolled('ada');

    for my $more ({}, { by => 'it' }, { channel => 'post' },
        { class => 'urgent' }, { class => 'urgent', by => 'it' })
    {
        my $name = join ' ', map { "$_ $more->{$_}" } sort keys %$more;
        refused($stack->issue(subject => 'ada', channel => 'email', %$more),
            409, 'first_use', "another: $name");
    }

    my @refusals = events_of($stack, 'ada', event => 'refuse',
        reason => 'first_use');
    is scalar(@refusals), 5, 'each is told';
    is join(' ', map { $_ // '-' } @{$refusals[0]}{qw(step class issuer
        channel id client)}), 'issue standard hr email  127.0.0.1',
        '… what, and on whose word';
    is scalar(() = events_of($stack, 'ada', event => 'issue')), 1,
        'none is issued';
    is $stack->record($first)->{state}, 'enrolled', 'the first one stays';
    is $redis->command('PTTL', $_), -1, 'who has enrolled is not forgotten'
        for grep { $redis->command('HGET', $_, 'subject') eq 'ada' }
            $redis->keys('enroll:{0}:subject:*');

    refused($stack->issue(subject => 'ada', channel => 'email',
        event => 'twice'), 409, 'first_use', 'the same event again')
        for 1 .. 3;
    is scalar(() = events_of($stack, 'ada', joiner => 'twice')), 1,
        '… is told once';

    is $stack->issue(subject => 'Ada', channel => 'email')->status, 201,
        'another subject is another';
};


subtest 'what is no enrollment does not count' => sub {
    my $again = sub {
        my ($subject, $name) = @_;
        is $stack->issue(subject => $subject, channel => 'email')->status,
            201, "$name: another is issued";
    };

    my $made = $stack->issue(subject => 'bea', channel => 'email')->json;
    $stack->revoke(id => $made->{id});
    $again->('bea', 'revoked');

    my ($session) = $stack->enter(subject => 'bea', channel => 'email');
    $stack->begin($session);
    $again->('bea', 'redeemed');

    my $id;
    ($session, $id) = $stack->enter(subject => 'cyd', channel => 'email');
    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 400 });
    for my $attempt (1 .. 3) {
        $stack->finish($session);
        $stack->wait_record($id, attempts => $attempt,
            state => $attempt < 3 ? 'redeemed' : 'locked');
    }
    $again->('cyd', 'locked');

    ($session, $id) = $stack->enter(subject => 'dan', channel => 'email');
    $stack->begin($session);
    $idp->answer('/register/finish' => { status => 500 });
    $stack->finish($session);
    $stack->wait_record($id, outcome => 'unknown');
    $idp->answer('/register/finish' => {});
    $again->('dan', 'unknown');
};


# A first token whose finish is under way may enroll any moment.

subtest 'a second token while the first is enrolling (I9)' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve', channel => 'email');
    $stack->begin($session);
    $idp->clear;
    $idp->answer('/register/finish' => { hang => 1 });

    my $http = $stack->http;
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', '/register/finish',
        [Cookie => $session], '{}');
    $idp->wait_count(1, '/register/finish');

    my $response = $stack->issue(subject => 'eve', channel => 'email',
        event => 'meanwhile');
    refused($response, 409, 'claimed', 'is not issued yet');
    ok $response->header('Retry-After'), '… but perhaps later';

    $idp->release({});
    passed($http->read_response($socket), 'the first is enrolled');
    $stack->wait_record($id, state => 'enrolled');
    refused($stack->issue(subject => 'eve', channel => 'email',
        event => 'meanwhile'), 409, 'first_use', 'then it is not at all');
    $idp->answer('/register/finish' => {});
    $idp->clear;
};


subtest 'the lost phone' => sub {
    refused(recover('fay'), 409, 'never_enrolled',
        'of one who has never enrolled');
    $stack->issue(subject => 'fay', channel => 'email');
    refused(recover('fay'), 409, 'never_enrolled', 'nor with a token only');

    enrolled('gil');
    refused(recover('gil', by => 'hr'), 403, 'same_issuer',
        'by the issuer of the original');
    refused(recover('gil', by => 'hr', channel => 'email'), 403,
        'same_issuer', '… and its channel');
    refused(recover('gil', channel => 'email'), 403, 'same_channel',
        'by the channel of the original');
    refused($stack->issue(subject => 'gil', class => 'recovery',
        channel => 'post', by => 'desk'), 422, 'attributes',
        'on nobody\'s wish');
    refused(recover('gil', channel => 'pigeon'), 403, 'channel',
        'by a channel that is none');
    refused(recover('gil', ttl => 1801), 400, 'body', 'for longer');
    is scalar(() = events_of($stack, 'gil', event => 'issue')), 1,
        'none is issued';
    my @told = map { $_->{reason} } events_of($stack, 'gil',
        event => 'refuse');
    is join(' ', @told), 'same_issuer same_issuer same_channel attributes',
        'what the subject\'s case decides is told';

    my $made = recover('gil')->json;
    refused($stack->redeem($made->{token}), 403, 'unapproved',
        'another issuer, another channel: issued, of no use yet');
    $stack->approve(id => $made->{id}, approver => $_, by => 'boss')
        for qw(m-2 m-3);

    my $session = $stack->session($made->{token});
    passed($stack->$_($session), $_) for qw(page begin finish);
    $stack->wait_record($made->{id}, state => 'enrolled');

    my @events = $stack->events(id => $made->{id});
    is join(' ', map { $_->{event} } @events),
        'issue refuse approve approve redeem begin claim settle',
        'the whole of it is told';
    is_deeply [grep { $_->{exception} ne 'standard'
            || $_->{class} ne 'recovery' } @events], [],
        '… each as the exception that it is';
    is $stack->record($made->{id})->{exception}, 'standard',
        '… the record, too';
    $idp->clear;
};


subtest 'after a recovery' => sub {
    # the original enrollment is what counts, not the recovery
    refused(recover('gil', by => 'hr', channel => 'desk'), 403,
        'same_issuer', 'the original\'s issuer still may not');
    refused(recover('gil', by => 'it', channel => 'email'), 403,
        'same_channel', 'nor its channel serve');
    refused($stack->issue(subject => 'gil', channel => 'email'), 409,
        'first_use', 'nor is there another first token');
    is recover('gil')->status, 201, 'the recovery\'s issuer may again';
};


# What was enrolled by one policy is not replaced by the exception of another.

subtest 'a recovery by the class that enrolled, and its exceptions' => sub {
    my $trees = stack(
        class => 'ttl 1h; channel email post;',
        classes => <<'CONF',
    enroll_class recovery { exception_of standard; recovery on; ttl 30m; }
    enroll_class urgent { exception_of standard; ttl 10m; }
    enroll_class admin { ttl 1h; approvals 1; channel email post; }
    enroll_class lost { exception_of admin; recovery on; ttl 30m; }
    enroll_class night { exception_of admin; ttl 10m; }
CONF
        issuer => 'class standard urgent admin night;',
        issuers => { boss => 'approve on;', desk => 'class recovery lost;' },
        issue => 'hr desk', approve => 'boss');

    my %recovered = (standard => 'recovery', urgent => 'recovery',
        admin => 'lost', night => 'lost');

    for my $class (sort keys %recovered) {
        my %who = (subject => "of-$class", requester => 'm-1');
        my $made = $trees->issue(%who, class => $class,
            channel => 'email')->json;
        $trees->approve(id => $made->{id}, approver => 'm-2', by => 'boss')
            if $recovered{$class} eq 'lost';
        my $session = $trees->session($made->{token});
        $trees->$_($session) for qw(begin finish);
        $trees->wait_record($made->{id}, state => 'enrolled');

        for my $by (qw(recovery lost)) {
            my $response = $trees->issue(%who, class => $by, by => 'desk',
                channel => 'post', event => "$class-$by");
            my $name = "$by, of one enrolled by $class";

            if ($by eq $recovered{$class}) {
                is $response->status, 201, $name;
                next;
            }

            refused($response, 403, 'class', $name);
            is_deeply [map { "$_->{step} $_->{reason} $_->{class}" }
                $trees->events(event => 'refuse', subject => "of-$class")],
                ["issue class $by"], '… which is told';
        }
    }
};


subtest 'a recovery takes the place of the one before' => sub {
    enrolled('hal');
    my $old = recover('hal')->json;
    my $new = recover('hal', by => 'it')->json;
    is $stack->record($old->{id})->{revoked_why}, 'superseded', 'it does';
    refused($stack->redeem($old->{token}), 410, 'revoked', 'the old link');
    is $stack->record($new->{id})->{state}, 'issued', 'the new one is live';
};


# As docs/operations.md says it.

subtest 'the auditor\'s list of exceptions' => sub {
    my $docs = slurp(top() . '/docs/operations.md');
    my ($command) = $docs =~ /^\$[ ](redis-cli\b[^\n]*:exceptions'[^\n]*
        (?:\n>[^\n]*)*)/mx;
    ok $command, 'the docs have a command' or return;

    $command =~ s/^> //mg;
    $command =~ s/redis-cli/'redis-cli -s ' . $redis->socket/ge;
    my $said = qx($command);
    is $?, 0, 'it runs' or diag $said;

    my @exceptions = map { $_->{id} } grep { $_->{exception} }
        $stack->events(event => 'issue');
    ok @exceptions >= 4, 'there are some';
    like $said, qr/\Q$_\E/, "it lists $_" for @exceptions;

    my @ordinary = map { $_->{id} } grep { !$_->{exception} }
        $stack->events(event => 'issue');
    is_deeply [grep { $said =~ /$_/ } @ordinary], [], 'and nothing else';
};


subtest 'the urgent case needs proof all the same (I4)' => sub {
    my $gate = stack(class => 'ttl 1h; proof ial2; require manager;',
        classes => 'enroll_class urgent { exception_of standard; ttl 5m; }',
        issuer => 'class standard urgent;', provers => $PROVER,
        files => { 'acme.jwks' => $sender->jwks('one') }, prove => 'acme');

    refused($gate->issue(class => 'urgent'), 422, 'attributes',
        'what its parent requires it requires');
    my ($session, $id) = $gate->enter(class => 'urgent', subject => 'ada',
        attributes => { manager => 'm-1' });

    passed($gate->page($session), 'page');
    $gate->idp->clear;
    refused($gate->begin($session), 403, 'unproofed', 'begin');
    refused($gate->finish($session), 403, 'unproofed', 'finish');
    unheard($gate->idp, 'unproofed');
    refused($gate->prove(attest($id, 'ial1')), 403, 'level', 'a lower proof');

    passed($gate->prove(attest($id)), 'a proof');
    passed($gate->begin($session), 'begin');
    passed($gate->finish($session), 'finish');
    $gate->wait_record($id, state => 'enrolled');

    is_deeply [grep { $_->{exception} ne 'standard' }
            $gate->events(id => $id)], [], 'told as an exception';
    my $record = $gate->record($id);
    is sprintf('%.0f', ($record->{expires_at} - $record->{issued_at}) / 1000),
        300, 'it is short';
    is_deeply [audit($gate)], [], 'the events agree with the records (I7)';
};


# deny_if: the policy at request time.

my $strict = stack(http => <<'CONF', issuer => 'class standard urgent free;',
    map $http_x_risk $risky { default 0; high 1; odd 00; }
    map $http_x_net $outside { default ''; guest yes; }
CONF
    class => 'ttl 1h; attempts 2; deny_if $risky $outside;',
    classes => <<'CONF');
    enroll_class urgent { exception_of standard; ttl 5m; }
    enroll_class free { ttl 1h; }
CONF
my $strict_idp = $strict->idp;
my @high = ('X-Risk' => 'high');

subtest 'policy at redeem' => sub {
    for my $class (qw(standard urgent)) {
        for my $risk ([@high], ['X-Net' => 'guest'], ['X-Risk' => 'odd'],
            ['X-Risk' => 'high', 'X-Net' => 'guest'])
        {
            my $made = $strict->issue(class => $class)->json;
            my $response = $strict->redeem($made->{token}, @$risk);
            refused($response, 403, 'denied', "$class, @$risk: redeem");
            is $response->header('Set-Cookie'), undef, '… no session';
            is $strict->record($made->{id})->{state}, 'issued',
                '… and it is not spent';
            passed($strict->redeem($made->{token}, 'X-Risk' => 'low'),
                '… from elsewhere it is good');
        }
    }

    my $made = $strict->issue(class => 'free')->json;
    passed($strict->redeem($made->{token}, @high), 'a class without policy');
};


subtest 'policy at begin and finish' => sub {
    my ($session, $id) = $strict->enter;
    my @cookie = (Cookie => $session);

    passed($strict->http->get('/register', @cookie, @high),
        'the page is not asked');
    $strict_idp->clear;
    refused($strict->begin_by(@cookie, @high), 403, 'denied', 'begin');
    unheard($strict_idp, 'begin');
    passed($strict->begin_by(@cookie), 'begin from elsewhere');
    $strict_idp->clear;

    refused($strict->finish_by(@cookie, @high), 403, 'denied', 'finish')
        for 1 .. 5;
    unheard($strict_idp, 'finish');
    my $record = $strict->record($id);
    is "$record->{state} $record->{attempts}", 'redeemed 0',
        'no attempt is spent';
    my @told = map { "$_->{step} $_->{reason}" }
        $strict->events(event => 'refuse', id => $id);
    is_deeply \@told, ['begin denied', ('claim denied') x 5],
        'each is told';

    passed($strict->finish_by(@cookie), 'finish from elsewhere');
    $strict->wait_record($id, state => 'enrolled');
    $strict_idp->clear;
};


subtest 'policy, and the token itself' => sub {
    my $made = $strict->issue->json;
    my @bearer = (Authorization => "Bearer $made->{token}");

    refused($strict->begin_by(@bearer, @high), 403, 'denied', 'begin');
    refused($strict->finish_by(@bearer, @high), 403, 'denied', 'finish');
    unheard($strict_idp, 'denied');
    is $strict->record($made->{id})->{state}, 'issued', 'it is not spent';
    passed($strict->begin_by(@bearer), 'begin from elsewhere');
    refused($strict->finish_by(@bearer, @high), 403, 'denied',
        'finish from there');
    passed($strict->finish_by(@bearer), 'finish');
    $strict_idp->clear;
};


# Whose token it is the ledger says, and it is asked with the policy's answer.

subtest 'policy that asks what is not known yet' => sub {
    my $blind = stack(class => 'ttl 1h; deny_if $unfit;',
        classes => 'enroll_class urgent { exception_of standard; ttl 10m; }
            enroll_class free { ttl 1h; }',
        issuer => 'class standard urgent free;', http => <<'CONF');
    map $http_x_ask $unfit {
        default 0; who $enroll_subject; what $enroll_class;
        word $enroll_assertion;
    }
CONF
    my $asks = sub {
        my ($response, $name) = @_;
        refused($response, 403, 'denied', $name);
        my @lines = $blind->nginx->error_log
            =~ /\[error\].*"deny_if" asks whose token it is/g;
        return scalar @lines;
    };

    # nginx asks a map once a request, and both classes have the one
    for my $case (map { my $class = $_; map { [$class, $_] }
        qw(who what word) } qw(standard urgent))
    {
        my ($class, $about) = @$case;
        my @ask = ('X-Ask' => $about);
        my $made = $blind->issue(class => $class)->json;
        my $lines = $asks->($blind->redeem($made->{token}, @ask),
            "$about: redeem");
        ok $lines, '… the error log says why';
        my @cookie = (Cookie => $blind->session($made->{token}));
        $asks->($blind->begin_by(@cookie, @ask), "$about: begin");
        passed($blind->begin_by(@cookie), '… which passes where it asks not');
        $blind->idp->clear;
        $asks->($blind->finish_by(@cookie, @ask), "$about: finish");
        unheard($blind->idp, $about);

        passed($blind->redeem($blind->issue(class => 'free')->json->{token},
            @ask), '… a class without policy is not asked');
    }
};


# on_replay: who presents a spent token again.

my @ON_REPLAY = (instances => 2, http => 'enroll_session_cache 0;',
    class => 'ttl 1h; window 10m; attempts 3; on_replay revoke;',
    classes => 'enroll_class lenient { ttl 1h; }',
    issuer => 'class standard lenient;');

subtest 'a token that comes twice' => sub {
    my $twice = stack(@ON_REPLAY);

    # the same host knows by its tombstone, the other by Redis
    for my $host (0, 1) {
        for my $how (qw(redeem begin_by finish_by)) {
            my $name = "$how at host $host";
            my $made = $twice->issue->json;
            my $session = $twice->session($made->{token});
            passed($twice->begin($session), "$name: before");

            my $other = $twice->http($host);
            my $response = $how eq 'redeem'
                ? $other->post('/enroll', "token=$made->{token}",
                    'Content-Type' => 'application/x-www-form-urlencoded')
                : $other->post($how eq 'begin_by' ? '/register/begin'
                    : '/register/finish', '{}',
                    Authorization => "Bearer $made->{token}");
            refused($response, 410, 'redeemed', '… the replay');

            my $record = $twice->wait_record($made->{id},
                state => 'revoked');
            is "$record->{revoked_why} $record->{revoked_by}",
                'replayed proxy', '… ends the session';
            $twice->idp->clear;
            refused($twice->$_($session), 410, 'revoked', "… $_")
                for qw(page begin finish);
            unheard($twice->idp, '…');
            is scalar(() = $twice->events(event => 'revoke',
                id => $made->{id}, why => 'replayed')), 1, '… told once';
            is scalar(() = $twice->events(event => 'refuse',
                id => $made->{id}, reason => 'redeemed')), 1,
                '… and so is the replay';
        }
    }

    is_deeply [audit($twice)], [], 'the events agree with the records (I7)';
};


subtest 'also after the IdP has said no' => sub {
    my $twice = stack(@ON_REPLAY);
    my $made = $twice->issue->json;
    my $session = $twice->session($made->{token});

    $twice->begin($session);
    $twice->idp->answer('/register/finish' => { status => 400 }, {});
    $twice->finish($session);
    $twice->wait_record($made->{id}, state => 'redeemed',
        outcome => 'refused');
    refused($twice->redeem($made->{token}), 410, 'redeemed', 'the replay');
    $twice->wait_record($made->{id}, state => 'revoked');
    refused($twice->finish($session), 410, 'revoked', 'ends the session');
};


subtest 'while the finish is under way' => sub {
    my $twice = stack(@ON_REPLAY);
    my $http = $twice->http;

    for my $row (['enrolled', {}, 'enrolled'],
        ['refused', { status => 400 }, 'revoked'])
    {
        my ($name, $answer, $end) = @$row;
        my $made = $twice->issue->json;
        my $session = $twice->session($made->{token});
        $twice->begin($session);
        $twice->idp->clear;
        $twice->idp->answer('/register/finish' => { hang => 1 });

        my $socket = $http->connect;
        print {$socket} $http->bytes('POST', '/register/finish',
            [Cookie => $session], '{}');
        $twice->idp->wait_count(1, '/register/finish');
        refused($twice->redeem($made->{token}), 410, 'redeemed',
            "$name: the replay");
        my $record = wait_for {
            my $now = $twice->record($made->{id});
            $now->{revoked_at} && $now;
        } 'it to be marked';
        is $record->{state}, 'claimed', '… the claim settles first';

        $twice->idp->release($answer);
        $http->read_response($socket);
        $twice->wait_record($made->{id}, state => $end);
        pass "… then it is $end";
        $twice->idp->answer('/register/finish' => {});
    }
};


subtest 'what does not count as a replay' => sub {
    my $twice = stack(@ON_REPLAY);
    my $http = $twice->http;
    my $made = $twice->issue->json;
    my $session = $twice->session($made->{token});

    # one host knows by its tombstone, the other by Redis
    for my $host ($http, $twice->http(1)) {
        for my $method (qw(GET HEAD OPTIONS)) {
            $host->request($method, $_,
                [Authorization => "Bearer $made->{token}"])
                for qw(/enroll /register /register/begin /register/finish);
        }
    }
    my $mangled = $made->{token} =~ s/(.)\z/$1 eq 'A' ? 'B' : 'A'/er;
    refused($twice->redeem($mangled), 401, 'forged', 'a forged one');
    is $twice->record($made->{id})->{state}, 'redeemed',
        'looking changes nothing (I11)';
    passed($twice->begin($session), 'the session lives');
    passed($twice->finish($session), 'and enrolls');
    $twice->wait_record($made->{id}, state => 'enrolled');

    refused($twice->redeem($made->{token}), 410, 'enrolled',
        'after the end') for 1 .. 2;
    is $twice->record($made->{id})->{state}, 'enrolled', 'nothing changes';

    # a class that only tells
    $made = $twice->issue(class => 'lenient')->json;
    $session = $twice->session($made->{token});
    refused($twice->redeem($made->{token}), 410, 'redeemed', 'on_replay log');
    wait_for { $twice->events(event => 'refuse', id => $made->{id},
        reason => 'redeemed') } 'it to be told';
    passed($twice->begin($session), '… the session lives');
};

done_testing;
