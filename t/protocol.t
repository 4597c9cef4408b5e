#!/usr/bin/perl

# Redis answers badly: in pieces, in part, not at all, with an error, with
# nonsense, with lies. A relay in front of a real Redis does it to order, for
# one script call at a time. Nothing is forwarded that the ledger did not
# grant, nothing happens twice, and the next good answer is taken (I1, I2,
# I5, I6, I7).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Process;
use Enroll::Test;
use Time::HiRes qw(time);


use constant TIMEOUT => 1000 * patience(1);         # ms

my $top = top();
my $port = free_port();
my $orders = sub_dir('orders');
my ($fake, $fakes, $written, $subjects, $cases) = (undef, 0, 0, 0, 0);

my $password = 'a-password-for-redis';
remember_secret($password);
spew(test_dir() . '/redis.password', "$password\n", 0600);

my $sender = sender();
$sender->key('prover', kty => 'EC');

my $stack = stack(
    classes => 'enroll_class guarded { ttl 1h; approvals 1; }
        enroll_class proofed { ttl 1h; proof ial2; }',
    issuer => 'class standard guarded proofed; approve on;', approve => 'hr',
    provers => 'enroll_prover acme { jwks %%STACK%%/prover.jwks;
        iss https://prover.example; aud https://enroll.example; }',
    files => { 'prover.jwks' => $sender->jwks('prover') }, prove => 'acme',
    vars => { FAKE => $port, PASSWORD => test_dir() . '/redis.password' },
    redis => 'enroll_redis 127.0.0.1:%%FAKE%%;
        enroll_redis_password_file %%PASSWORD%%;
        enroll_redis_timeout ' . TIMEOUT . 'ms; enroll_redis_retry 50ms;',
    redis_user => 0, page => 'enroll_session_cache 0;',
    locations => <<'CONF');
    location = /slow/finish {
        enroll_endpoint finish;
        enroll_redis_timeout 60s;
        proxy_pass http://127.0.0.1:%%IDP%%;
    }
CONF

my $idp = $stack->idp;
my $http = $stack->http;
my $relay = 'relay unix:' . $stack->redis->socket . " $orders";
my @workers = $stack->nginx->worker_pids;


# --- the fake, and what is ordered of it


# In place of the one before, on the same port.

sub fake {
    my (@script) = @_;

    $fake->{process}->stop('TERM') if $fake;

    my $log = test_dir() . '/fake-' . ++$fakes;
    $fake = { log => $log, mark => 0, process => Enroll::Process->start(
        argv => [$^X, "$top/t/fake/redis.pl", $port,
            'answer AUTH +OK', @script], output => $log) };
    wait_for {
        die slurp($log) if $fake->{process}->gone;
        slurp($log) =~ /^listening$/m;
    } 'the fake to listen';
    return;
}


# One text for each of the next script calls: statements, a line each.

sub order {
    for my $text (@_) {
        my $name = sprintf '%06d', ++$written;
        spew("$orders.$name", $text);
        rename "$orders.$name", "$orders/$name" or die "$orders/$name: $!";
    }
    return;
}

sub ordered { return scalar(my @left = glob "$orders/*") }


# Bytes, a reply, as the fake sends them.

sub raw {
    my ($bytes) = @_;
    utf8::encode($bytes) if utf8::is_utf8($bytes);
    $bytes =~ s/(\\\{\d+\})|(.)/$1 \/\/ sprintf '\x%02x', ord $2/ges;
    return "send $bytes";
}

# What the call itself has said, in its EVALSHA: its operation's id and the
# session's digest.
my $op = \"\$32\r\n\\{7}\r\n";
my $digest = \"\$32\r\n\\{14}\r\n";

# A reply of Perl data; \'…' is sent as it is.

sub resp {
    my ($value) = @_;
    return "\$-1\r\n" if !defined $value;
    return $$value if ref $value eq 'SCALAR';
    return '$' . length($value) . "\r\n$value\r\n" if !ref $value;
    return '*' . @$value . "\r\n" . join '', map { resp($_) } @$value;
}

sub said {
    my ($response) = @_;
    my $json = $response->json;
    return join ' ', $response->status, ref $json ? $json->{reason} // () : ();
}


# The script calls since the last mark: { how, op, id, more }.

sub mark { $fake->{mark} = -s $fake->{log}; return }

sub asked {
    my @asked;
    for (split /\n/, substr slurp($fake->{log}), $fake->{mark}) {
        my (undef, $how, $script, @words) = split / /;
        next if !defined $how || $how !~ /^EVAL/;
        next if $script =~ /^x2d2d2070726f6265/;    # the greeting's probe
        my (undef, @args) = splice @words, 0, 1 + $words[0];
        my ($op, $id, undef, undef, undef, undef, undef, @more) = @words;
        push @asked, { how => $how, op => $op, id => $id, more => \@more };
    }
    return @asked;
}


# --- the steps: everything up to one, which is then to be gone


my %begins = map { $_ => 1 } qw(page begin finish bearer);
my @steps = qw(issue redeem page begin finish bearer revoke approve prove);
my %tells = (finish => 'claim', bearer => 'begin', prove => 'proofed');

sub attest {
    my (%of) = @_;
    my $now = time;
    return $sender->jwt('prover', { iss => 'https://prover.example',
        aud => 'https://enroll.example', iat => int $now,
        exp => int $now + 300, jti => 'case-' . ++$cases, ial => 'ial2',
        %of });
}

sub step {
    my ($name, $class) = @_;

    my $subject = 'subject-' . ++$subjects;
    my $at = { name => $name, subject => $subject };

    if ($name eq 'issue') {
        $at->{go} = sub { $stack->issue(subject => $subject,
            event => "join-$subject") };
        return $at;
    }

    $class //= $name eq 'approve' ? 'guarded' : 'standard';
    my $made = $stack->issue(subject => $subject, class => $class,
        requester => 'm-1')->json;
    my $token = $made->{token};
    $at->{id} = $made->{id};

    if ($name eq 'approve') {
        $at->{go} = sub { $stack->approve(id => $at->{id},
            approver => 'm-2', event => "yes-$subject") };
    } elsif ($name eq 'prove') {
        my $jws = attest(id => $at->{id});
        $at->{go} = sub { $stack->prove($jws) };
    } elsif ($name eq 'redeem') {
        $at->{go} = sub { $stack->redeem($token) };
    } elsif ($name eq 'revoke') {
        $at->{go} = sub { $stack->revoke(id => $at->{id}) };
    } elsif ($name eq 'bearer') {
        $at->{go} = sub {
            $stack->begin_by(Authorization => "Bearer $token") };
    } else {
        my $session = $stack->session($token);
        $stack->begin($session) if $name eq 'finish';
        $at->{session} = $session;
        $at->{go} = sub { $stack->$name($session) };
    }

    return $at;
}

sub heard { return grep { $_->path !~ m{^/other} } $idp->requests }


# Goes a step while the fake does as ordered.

sub try_step {
    my ($step, @orders) = @_;

    my $at = ref $step ? $step : step($step);
    $idp->clear;
    mark();
    order(@orders);
    $at->{response} = $at->{go}->();
    $at->{said} = said($at->{response});
    $at->{asked} = [asked()];
    $at->{id} //= $at->{asked}[0]{id};
    $at->{op} = $at->{asked}[0]{op};
    $at->{heard} = heard();
    return $at;
}


# The claim of a request that is not to be forwarded is given back.

sub released {
    my ($at) = @_;
    return wait_for {
        my $record = $stack->record($at->{id});
        defined $record->{"withdrawn:$at->{op}"}
            || ($record->{outcome} // '') eq 'released';
    } 'a release';
}


# As if nothing had been: the step succeeds, and is asked for so many times
# with one operation id, and told once (I7).

sub succeeds {
    my ($at, $name, $times) = @_;

    my $n = grep { $_->{op} eq $at->{op} } @{$at->{asked}};
    my $good = $at->{name} eq 'issue' ? '201' : '200';
    my $told = grep { $_->{event} eq ($tells{$at->{name}} // $at->{name}) }
        $stack->events(last => 20, op => $at->{op});

    is "$at->{said}, heard $at->{heard}, told $told, asked $n",
        "$good, heard " . ($begins{$at->{name}} || 0)
            . ', told ' . ($at->{name} eq 'page' ? 0 : 1)
            . ', asked ' . ($times + ($at->{name} eq 'issue')),
        "$name: $at->{name}";
    is ordered(), 0, '… all orders were carried out' if ordered();

    $stack->wait_record($at->{id}, state => 'enrolled', attempts => 1)
        if $at->{name} eq 'finish';
    return;
}

# Refused, and nothing has reached the IdP.

sub fails {
    my ($at, $name, $want, $times) = @_;

    my $n = grep { $_->{op} eq $at->{op} } @{$at->{asked}};
    my $cookie = ($at->{response}->header('Set-Cookie') // '') =~ /ens_/
        ? ', a session' : '';
    $times //= $n;

    is "$at->{said}, heard $at->{heard}, asked $n$cookie",
        "$want, heard 0, asked $times", "$name: no $at->{name}";
    is ordered(), 0, '… all orders were carried out' if ordered();
    return;
}

# … and what it says then, when the fake behaves.

sub recovers {
    my ($at, $name, $want) = @_;

    $want //= $at->{name} eq 'issue' ? '201' : '200';
    $idp->clear;
    mark();
    my $said;
    # a token that is lost is taken back, which nobody waits for
    wait_for { $said = said($at->{go}->());
        $said ne '200' || $at->{name} ne 'issue' } "$name: an answer";
    is $said, $want, "$name: then $at->{name} is $want";
    return if $at->{name} ne 'finish' || $want ne '200';

    my $record = $stack->wait_record($at->{id}, state => 'enrolled');
    is $record->{attempts}, 1, '… with one attempt (I2)';
    is scalar(my @heard = heard()), 1, '… which the IdP heard of';
    return;
}


sub trail {
    my ($name) = @_;
    is_deeply [audit($stack)], [], "$name: the trail is whole (I7)";
    is_deeply [$stack->nginx->worker_pids], \@workers, 'the worker lives';
    return;
}


# --- a relay that behaves


fake($relay);

{
    # Redis has to have heard of the scripts
    my $at = step('finish');
    $at->{go}->();
    $stack->wait_record($at->{id}, state => 'enrolled');
    step($_)->{go}->() for qw(page revoke approve prove);
}

for my $step (@steps) {
    succeeds(try_step($step), 'through the relay', 1);
}


# --- odd on the wire, but whole


subtest 'a reply is a reply, however it comes' => sub {
    for my $step (@steps) {
        succeeds(try_step($step, "execute\npart 7\nsleep 20\nrest 7"),
            'in two pieces', 1);
        succeeds(try_step($step, "execute\nmore +OK\\r\\n\nrest 0"),
            'one reply too many: the connection is given up', 1);
        succeeds(try_step($step), 'and the next one is good', 1);
    }

    my ($session, $id) = $stack->enter(subject => 'slow');
    $stack->begin($session);
    order("drip 0.1\npass\ndrip 0");
    is $http->post('/slow/finish', '', Cookie => $session)->status, 200,
        'byte by byte';
    $stack->wait_record($id, state => 'enrolled');

    trail('odd on the wire');
};

# --- connections that break: asked once more, with the same operation id


my %broken = (
    close   => 'close',
    reset   => 'reset',
    'half a header' => raw('*4') . "\nclose",
    'half a bulk'   => raw("*4\r\n\$2\r\no") . "\nclose",
    'half a line'   => raw("-ERR half of it") . "\nreset",

    'HTTP'           => raw("HTTP/1.1 400 Bad Request\r\n\r\n"),
    'NULs'           => 'send \64*\0',
    'an empty line'  => raw("\r\n"),
    'a bare LF'      => raw("+OK\n"),
    'TLS'            => raw("\x15\x03\x03\x00\x02\x02\x28"),
    'a body that is longer than it says' => raw("\$3\r\nabcd\r\n"),
    'more elements than any reply has' => raw("*2000000000\r\n"),
    'more elements than 64 bits hold'
        => raw("*99999999999999999999999\r\n"),
    'one element too many' => raw("*4097\r\n"),
    'elements in sum' => raw("*2\r\n*4000\r\n" . "+\r\n" x 4000
        . "*4000\r\n"),
    'a longer string than any reply has' => raw("\$2000000000\r\n"),
    'a longer string than 64 bits say'
        => raw("\$18446744073709551617\r\n"),
    'one byte too many' => raw("\$1048577\r\n"),
    'a line without end' => 'send +\1100000*x',
    'nested deeply'  => raw("*1\r\n" x 8),
    'nested for ever' => raw("*1\r\n" x 10_000),
    'a negative count' => raw("*-2\r\n"),
    'a negative length' => raw("\$-2\r\n"),
    'a minus zero'   => raw("\$-0\r\n\r\n"),
    'a count with a sign' => raw("*+4\r\n"),
    'a count with a zero before' => raw("*04\r\n"),
    'a count of nothing' => raw("*\r\n"),
    'a long integer' => raw(':' . '9' x 30 . "\r\n"),
    'an integer that is none' => raw(":x\r\n"),

    'RESP3: a map'       => raw("%1\r\n+a\r\n+b\r\n"),
    'RESP3: a set'       => raw("~1\r\n+a\r\n"),
    'RESP3: a double'    => raw(",1.5\r\n"),
    'RESP3: a boolean'   => raw("#t\r\n"),
    'RESP3: null'        => raw("_\r\n"),
    'RESP3: a big number' => raw("(3492890328409238509324850943850\r\n"),
    'RESP3: verbatim'    => raw("=6\r\ntxt:ok\r\n"),
    'RESP3: a bulk error' => raw("!5\r\nERR x\r\n"),
    'RESP3: an attribute' => raw("|1\r\n+a\r\n+b\r\n*0\r\n"),
    'RESP3: a push'      => raw(">2\r\n+message\r\n+x\r\n"),
    'RESP3 inside'       => raw("*4\r\n+ok\r\n+1\r\n%0\r\n*0\r\n"),
);

subtest 'a lost reply is asked for once more, with the same id' => sub {
    for my $step (@steps) {
        for my $how ('close', 'reset') {
            succeeds(try_step($step, $how), "$how before", 2);
            succeeds(try_step($step, "execute\n$how"),
                "executed, then $how", 2);
        }
        for my $n (1, 5, 40, -1) {
            succeeds(try_step($step, "execute\npart $n\nclose"),
                "executed, $n bytes of the reply, then close", 2);
        }
    }

    my $n = 0;
    for my $name (sort keys %broken) {
        for my $before ('', "execute\n") {
            my $step = $steps[$n++ % @steps];
            succeeds(try_step($step, "$before$broken{$name}\nstall"),
                ($before ? 'executed, then ' : '') . $name, 2);
        }
    }

    trail('lost replies');
};


# What is said when the answer to an executed step was lost for good.
# A token that nobody heard of is taken back.
my %after = (issue => '201', redeem => '410 redeemed', page => '200',
    begin => '200', finish => '200', bearer => '200', revoke => '200',
    approve => '200', prove => '200');

subtest 'a reply lost twice is given up: 503, and never guessed' => sub {
    my $n = 0;
    for my $name ('close', sort keys %broken) {
        for my $before ('', "execute\n") {
            my @try = $name eq 'close' ? @steps
                : ('finish', $steps[$n++ % @steps]);

            for my $step (@try) {
                my $text = "$before$broken{$name}\nstall";
                # a token takes two calls, the second one makes it
                my @first = $before && $step eq 'issue' ? 'pass' : ();
                my $at = try_step($step, @first, $text, $text);
                my $what = ($before ? 'executed, then ' : '')
                    . "$name, twice";
                fails($at, $what, '503 unavailable', 2 + @first);
                is $at->{response}->header('Retry-After'), 1, '… for now';
                released($at) if $step eq 'finish';
                recovers($at, $what, $before ? $after{$step} : undef);
            }
        }
    }
    trail('replies lost twice');
};


subtest 'a settlement is asked again until it is answered (I2)' => sub {
    my %way = (
        'lost before'         => 'close',
        'lost after'          => "execute\nclose",
        'lost in the middle'  => "execute\npart 30\nclose",
        'nonsense'            => raw("*2000000000\r\n") . "\nstall",
        map({ ("-$_" => raw("-$_ x\r\n")) }
            qw(LOADING READONLY OOM NOSCRIPT)),
    );

    for my $name (sort keys %way) {
        my $at = step('finish');
        $idp->clear;
        mark();
        order('pass', $way{$name}, $way{$name});
        is said($at->{go}->()), '200', "$name, twice: a finish";
        $stack->wait_record($at->{id}, state => 'enrolled');

        my %op;
        wait_for {
            my @settle = grep { ($_->{more}[1] // '') eq 'enrolled' } asked();
            %op = map { $_->{op} => 1 } @settle;
            @settle == 3;
        } 'the third settlement';
        is keys %op, 1, '… is settled, with one operation id';
        is scalar(my @told = $stack->events(last => 20, event => 'settle',
            id => $at->{id})), 1, '… and told once (I7)';
        is said($at->{go}->()), '410 enrolled', '… and final';
        is scalar(my @heard = heard()), 1, '… the IdP heard of one';
    }
    trail('settlements');
};


subtest 'many in flight when a connection breaks' => sub {
    my %way = (
        'lost before' => 'close',
        'lost after'  => "execute\nclose",
        'nonsense'    => raw("%1\r\n") . "\nstall",
    );

    for my $name (sort keys %way) {
        my @token = map { $stack->token(subject => "flight-$_") } 1 .. 20;
        order(('pass') x 5, $way{$name});
        my @answers = burst(map { [$http, 'POST', '/enroll',
            ['Content-Type' => 'application/x-www-form-urlencoded'],
            "token=$_"] } @token);
        is grep({ said($_) eq '200' } @answers), 20,
            "$name: each is redeemed once (I1)";
        is ordered(), 0, '… all orders were carried out';
        my %cookie = map { $_->cookie('__Host-enroll') => 1 } @answers;
        is keys %cookie, 20, '… with a session of its own';

        # each answer belongs to its own question
        my @answer = burst(map { [$http, 'GET', '/register',
            [Cookie => '__Host-enroll=' . $_->cookie('__Host-enroll')]] }
            @answers);
        is grep({ said($_) eq '200' } @answer), 20, '… which is good';
    }
    trail('many in flight');
};


# --- no answer at all


subtest 'silence: 503 within the timeout (I6)' => sub {
    my @ways = (
        ['at once', finish => 'stall'],
        ['after half a header', redeem => raw('*4') . "\nstall"],
        ['executed', redeem => "execute\nstall"],
        ['executed, but for the last byte',
            finish => "execute\npart -1\nstall"],
    );

    for my $way (@ways) {
        my ($name, $step, $order) = @$way;
        my $from = time;
        my $at = try_step($step, $order);
        my $took = 1000 * (time - $from);
        fails($at, "silence, $name", '503 unavailable', 1);
        cmp_ok $took, '>', 0.5 * TIMEOUT, '… it was waited for';
        cmp_ok $took, '<', 3 * TIMEOUT, '… but not long';
        released($at) if $step eq 'finish';
        recovers($at, "silence, $name",
            $order =~ /execute/ ? $after{$step} : undef);
    }
    trail('silence');
};


# --- errors


my @not_here = ('LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    'MASTERDOWN Link with MASTER is down', 'CLUSTERDOWN The cluster is down',
    'TRYAGAIN Multiple keys request during rehashing of slot',
    'MOVED 3999 127.0.0.1:6381', 'ASK 3999 127.0.0.1:6381',
    'BUSY Redis is busy running a script.');

my @errors = (@not_here, "OOM command not allowed when used memory > 'x'.",
    'NOAUTH Authentication required.', "NOPERM this user has no permissions",
    'NOREPLICAS Not enough good replicas to write.',
    'MISCONF Errors writing to the AOF file', 'EXECABORT x', 'ERR unknown',
    'LOADING', 'MOVED', 'MOVED x y', 'moved 1 x', '', ' ', "\xff\xfe\x00x",
    'ERR ' . 'x' x 50_000);

subtest 'an error is a refusal: 503, nothing done, not asked again' => sub {
    for my $error (@errors) {
        my $name = '-' . substr $error =~ s/[^ -~]/?/gr, 0, 12;

        for my $step (@steps) {
            my $at = try_step($step, raw("-$error\r\n"));
            fails($at, $name, '503 unavailable', 1);
            is $at->{response}->header('Retry-After'), 1, '… for now';
            recovers($at, $name);
        }
    }
    trail('errors');
};

subtest 'NOSCRIPT: the script itself is sent' => sub {
    for my $step (@steps) {
        my $error = raw("-NOSCRIPT No matching script.\r\n");
        my $at = try_step($step, $error);
        is_deeply [map { "$_->{how} " . ($_->{op} eq $at->{op}) }
            @{$at->{asked}}[0, 1]], ['EVALSHA 1', 'EVAL 1'],
            'EVAL follows, with the same operation id';
        succeeds($at, 'NOSCRIPT', 2);

        $at = try_step($step, $error, $error);
        fails($at, 'NOSCRIPT for ever', '503 unavailable', 2);
        recovers($at, 'NOSCRIPT for ever');

        $at = try_step($step, $error, 'close');
        succeeds($at, 'NOSCRIPT, then a lost reply', 3);
        $at = try_step($step, 'close', $error);
        succeeds($at, 'a lost reply, then NOSCRIPT', 3);
    }

    # a repeat that is refused says nothing of the first time (I2)
    for my $error (@not_here, 'OOM x', 'ERR x', 'NOAUTH x') {
        my $at = try_step('finish', "execute\nclose", raw("-$error\r\n"));
        fails($at, "a lost claim, then -$error", '503 unavailable', 2);
        released($at);
        recovers($at, 'then');
    }
    trail('NOSCRIPT');
};


# --- replies that are not a script's


my @odd = (
    \":1\r\n", \":-1\r\n", undef, \"*-1\r\n", [], '', 'ok', \"+ok\r\n",
    ['ok'], ['ok', '1', []],
    [undef, '1', [], []], [\":0\r\n", '1', [], []], [['ok'], '1', [], []],
    map({ [$_, '1', [], []] } '', 'fine', 'OK', 'ok ', 'o', "ok\0",
        'ok' x 5000),
    map({ ['ok', $_, [], []] } '', 'x', '-1', '1e12', '1 ', '0x1', '9' x 30,
        '9223372036854775807', '9' x 17,
        undef, \":1700000000000\r\n", []),
    ['ok', '1', undef, []], ['ok', '1', 'state', []],
    ['ok', '1', \":1\r\n", []],
    ['ok', '1', [], undef], ['ok', '1', [], 'seq'], ['ok', '1', [], ['seq']],
    ['ok', '1', [], [['seq', '1'], undef]],
    ['ok', '1', [], [\":1\r\n"]],
    ['ok', '1', [], \"-ERR inside\r\n"], [\"-ERR inside\r\n", '1', [], []],
);

# what is wrong with them is not that they lack a seq and an epoch
@odd = map { ref $_ eq 'ARRAY' && @$_ == 4 ? [@$_, '0', '0'] : $_ } @odd;

push @odd, ['ok', '1', [], []], ['ok', '1', [], [], '0'],
    ['ok', '1', [], [], '0', '0', '0'],
    map { (['ok', '1', [], [], $_, '0'], ['ok', '1', [], [], '0', $_]) } '', 'x', '-1', '1 ', '9' x 17, undef,
        \":1\r\n", [];

subtest 'an answer in another form is none: 503' => sub {
    my $n = 0;
    for my $odd (@odd) {
        my $name = substr resp($odd) =~ s/\r\n/|/gr =~ s/\0/0/gr, 0, 40;

        for my $before ('', "execute\n") {
            for my $step ('finish', $steps[$n++ % @steps]) {
                my @first = $before && $step eq 'issue' ? 'pass' : ();
                my $at = try_step($step, @first, $before . raw(resp($odd)));
                fails($at, $name, '503 unavailable', 1 + @first);
                released($at) if $step eq 'finish';
                recovers($at, $name, $before ? $after{$step} : undef);
            }
        }
    }
    trail('other forms');
};


# --- verdicts that are another script's, or nobody's


subtest 'a verdict that is not a step\'s own opens nothing' => sub {
    for my $verdict (qw(unknown redeemed claimed enrolled expired revoked
        locked void order unproofed unapproved denied authenticator first_use
        never_enrolled same_issuer same_channel subject level seen approver
        missing forged duplicate scope method uri
        subrequest cross_site body signature class nothing ended tampered
        unavailable again repeat stale))
    {
        for my $step (@steps) {
            my $reply = [$verdict, '1700000000000', [], [], '0', '0'];
            my $at = try_step($step, raw(resp($reply)));
            my ($status) = split / /, $at->{said};

            ok $status >= 400 && $status < 600
                || $step =~ /^(?:issue|revoke|approve)$/,
                "$verdict: no $step ($at->{said})";
            is $at->{heard}, 0, '… the IdP hears nothing';
            unlike $at->{response}->header('Set-Cookie') // '', qr/ens_/,
                '… and there is no session';
        }
    }
    trail('verdicts');
};


# --- records


# the state that a step leads to
my %leads_to = (redeem => 'redeemed', page => 'redeemed',
    begin => 'redeemed', bearer => 'redeemed', finish => 'claimed');

# ok, with that record; how the script's reply would be without it
sub ok_with {
    my ($record, $events, $now) = @_;
    return "execute\n" . raw(resp(['ok', $now // int 1000 * time, $record,
        $events // [], '0', '0']));
}

subtest 'a record that is not the keys\' own is tampered with (I5)' => sub {
    my $other = $stack->issue(subject => 'other')->json;
    my %others = %{ $stack->record($other->{id}) };

    my %change = (
        'no mac'        => sub { my %r = @_; delete $r{mac}; %r },
        'an empty mac'  => sub { (@_, mac => '') },
        'a short mac'   => sub { my %r = @_; (%r, mac => substr $r{mac}, 2) },
        'a mac of zeroes' => sub { (@_, mac => '0' x 34) },
        'a mac of another key' =>
            sub { my %r = @_; (%r, mac => 'ff' . substr $r{mac}, 2) },
        'a mac with one bit flipped' =>
            sub { my %r = @_; substr($r{mac}, -1) =~ tr/0-9a-f/1-9a-f0/; %r },
        'a mac in capitals' =>
            sub { my %r = @_; (%r, mac => 'AB' . uc substr $r{mac}, 2) },
        'another subject'   => sub { (@_, subject => 'mallory') },
        'a subject cut short' => sub { my %r = @_; chop $r{subject}; %r },
        'a longer life'     => sub { (@_, expires_at => 9999999999999) },
        'more attempts'     => sub { (@_, attempts_allowed => 99) },
        'a longer window'   => sub { (@_, window => 99_999_999) },
        'another class'     => sub { (@_, class => 'urgent') },
        'the mac of another record' => sub { (@_, mac => $others{mac}) },
        'the record of another token' => sub { %others },
        'the record of nobody' => sub { () },
        'a mac that is no string' => sub { (@_, mac => ['x']) },
        'a subject that is nil' => sub { (@_, subject => undef) },
        'another session'   => sub { (@_, session => '0' x 32) },
        'no session'        => sub { (@_, session => undef) },
    );

    for my $name (sort keys %change) {
        for my $step (qw(redeem page begin finish bearer)) {
            my $at = step($step);
            my @fields = $change{$name}->(%{ $stack->record($at->{id}) },
                op => $op, session => $digest, state => $leads_to{$step});
            try_step($at, ok_with([@fields, op => $op,
                state => $leads_to{$step}]));
            fails($at, $name, '403 tampered', 1);
        }
    }

    # nor what lacks the proof, or the approval, that its class asks for
    my %lacks = (
        'no approval' => ['guarded', sub { @_ }],
        'a count of approvals' => ['guarded', sub { (@_, approvals => 3) }],
        'no proof' => ['proofed', sub { @_ }],
        'a proof without a mac' => ['proofed', sub { (@_, proof => 'ial2') }],
        'a proof of another token' => ['proofed', sub {
            my $id = step('redeem', 'proofed')->{id};
            $stack->prove(attest(id => $id));
            my $record = $stack->record($id);
            (@_, map { $_ => $record->{$_} } grep { /^proof/ } keys %$record);
        }],
    );
    for my $name (sort keys %lacks) {
        my ($class, $change) = @{$lacks{$name}};
        for my $step ($class eq 'guarded' ? qw(redeem bearer)
            : qw(begin finish bearer))
        {
            my $at = step($step, $class);
            my @fields = $change->(%{ $stack->record($at->{id}) });
            try_step($at, ok_with([@fields, op => $op, session => $digest,
                state => $leads_to{$step}]));
            fails($at, $name, '403 tampered', 1);
        }
    }

    # nor is the answer of another call, though the record is right
    for my $id ('', '0' x 32, undef, ['x']) {
        for my $step (qw(redeem begin finish bearer)) {
            my $at = step($step);
            my @fields = %{ $stack->record($at->{id}) };
            try_step($at, ok_with([@fields, session => $digest, op => $id,
                state => $leads_to{$step}]));
            fails($at, 'another operation id', '503 unavailable', 1);
            released($at) if $step eq 'finish';
        }
    }
    trail('tampered records');
};


subtest 'a good record with oddities beside it is good' => sub {
    my @many = map { ("x$_", $_) } 1 .. 1900;
    my %odd = (
        'an odd field at the end' => sub { [@_, 'state'] },
        'a lone mac at the end'   => sub { [@_, 'mac'] },
        '3800 elements more'      => sub { [@_, @many] },
        'empty names and values'  => sub { ['', '', @_, '', ''] },
        'names that are no strings' =>
            sub { [undef, 'x', ['subject'], 'y', \":1\r\n", 'z', @_] },
        'values that are no strings' =>
            sub { [@_, x => undef, y => [], z => \":1\r\n",
                outcome => undef, proof => ['x']] },
        'names as long as a page'  => sub { ['x' x 9000, 'y' x 9000, @_] },
        'too long a number' => sub { [@_, session_ends_at => '9' x 40] },
        'no number'     => sub { [@_, session_ends_at => 'soon'] },
    );
    my %events = (
        'an empty event'     => [[]],
        'an odd event'       => [['seq'], ['seq', '1', 'event']],
        'an event of no strings' => [[undef, undef, [], [], \":1\r\n",
            \":1\r\n"]],
        'an event of empty strings' => [[('') x 6]],
        'an event that is not UTF-8' => [["\xff", "\xfe", 'event', "\xff"]],
        'an event with NULs' => [["a\0b", "c\0d", "event", "x\0y"]],
        'numbers that are none' => [[seq => 'x', at => '', attempt => '-1',
            count => '9' x 40]],
        'many events'        => [map { [seq => $_, event => 'x'] } 1 .. 700],
        'an event of another token' => [[event => 'revoke', to => 'revoked',
            id => 'f' x 32]],
        'an event of a bad id' => [[event => 'revoke', to => 'revoked',
            id => 'x' x 32], [to => 'enrolled', id => ''],
            [to => 'enrolled', id => undef]],
    );

    for my $step (qw(redeem page begin finish)) {
        for my $name (sort(keys %odd), sort keys %events) {
            # its cookie has to have an end
            next if $step eq 'redeem' && $name =~ /number$/;
            my $at = step($step);
            my @fields = (session_ends_at => int(1000 * time) + 600_000,
                %{ $stack->record($at->{id}) }, op => $op,
                session => $digest, state => $leads_to{$step});
            try_step($at, $odd{$name} ? ok_with($odd{$name}->(@fields))
                : ok_with(\@fields, $events{$name}));
            is "$at->{said}, heard $at->{heard}",
                '200, heard ' . ($begins{$step} || 0), "$name: $step";
            $stack->wait_record($at->{id}, state => 'enrolled')
                if $step eq 'finish';
        }
    }

    for my $now ('0', '1', '9' x 15) {
        for my $step (qw(redeem page begin finish)) {
            my $at = step($step);
            try_step($at, ok_with([%{ $stack->record($at->{id}) },
                op => $op, session => $digest, state => $leads_to{$step}],
                [], $now));
            ok $at->{said} =~ /^(?:200|4\d\d|5\d\d)/,
                "now $now: $step ($at->{said})";
            $stack->wait_record($at->{id}, state => 'enrolled')
                if $step eq 'finish' && $at->{said} eq '200';
        }
    }
    trail('oddities');
};


# --- issue and revoke take more than one call


subtest 'again and again, and for ever' => sub {
    my $now = int 1000 * time;

    for my $step (qw(issue revoke)) {
        for my $token ('', 'x', 'f' x 31, 'f' x 33, 'z' x 32, undef, [],
            'f' x 32, "\r\n" x 16)
        {
            for my $verdict (qw(again repeat)) {
                my $reply = raw(resp([$verdict, $now, ['token', $token],
                    [], '0', '0']));
                my $at = try_step($step, $reply);
                like $at->{said}, qr/^(?:20[01]|503 unavailable|40[149] \w+)$/,
                    "$verdict with such a token: $step";
                unlink glob "$orders/*";
            }
        }

        my $at = step($step);
        $at->{go} = sub { $stack->revoke(subject => $at->{subject}) }
            if $step eq 'revoke';
        try_step($at, (raw(resp(['again', $now, ['token', 'f' x 32], [], '0', '0'])))
            x 40);
        is $at->{said}, '503 unavailable', "again for ever: no $step";
        cmp_ok scalar @{$at->{asked}}, '<=', 16, '… and an end';
        unlink glob "$orders/*";
        recovers($at, 'again for ever');

        for my $odd ('0', '9' x 15, '9223372036854775807') {
            $at = step($step);
            $at->{go} = sub { $stack->revoke(subject => $at->{subject}) }
                if $step eq 'revoke';
            try_step($at, raw(resp(['again', $odd, ['token', ''], [], '0', '0'])));
            ok $at->{said} =~ /^(?:20[01]|503 unavailable)$/,
                "a clock at $odd: $step ($at->{said})";
        }
    }

    # a revocation is answered, whatever the record
    for my $record ([], ['state'], ['state', undef], ['state', "\xff"],
        ['state', ''])
    {
        my $at = try_step('revoke', ok_with($record));
        ok $at->{said} =~ /^(?:200|5\d\d)/, 'revoked with an odd record: '
            . $at->{said};
    }
    trail('again');
};


# --- an answer to another question


subtest 'a reply that is another call\'s' => sub {

    # a redemption's, as that of another token
    my $one = step('redeem');
    my $two = step('redeem');
    order('pass', "again\nexecute");
    is said($one->{go}->()), '200', 'a redemption';
    is said($two->{go}->()), '503 unavailable',
        'its answer is none to the next one (I1)';

    # a page's, as that of a claim
    my $at = step('finish');
    order('pass', "again");
    is $stack->page($at->{session})->status, 200, 'a page';
    $idp->clear;
    my $said = said($at->{go}->());
    is $said, '503 unavailable', 'its answer is none to a claim (I2)';
    is scalar(my @heard = heard()), 0, '… the IdP hears nothing';
    recovers($at, 'when the answer is its own');
    trail('another answer');
};


# --- connections that never come about


my %greeting = (
    'AUTH refused' => 'answer AUTH -WRONGPASS invalid username-password pair',
    'NOAUTH'  => 'answer CLIENT -NOAUTH Authentication required.',
    'LOADING' => 'answer PING -LOADING Redis is loading the dataset',
    'MASTERDOWN' => 'answer PING -MASTERDOWN Link with MASTER is down',
    'BUSY'    => 'answer PING -BUSY Redis is busy',
    'a replica' => 'answer ROLE *5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n'
        . ':6379\r\n$9\r\nconnected\r\n:1',
    'a sentinel' => 'answer ROLE *2\r\n$8\r\nsentinel\r\n*0',
    'a role that is no array' => 'answer ROLE +master',
    'a role that is empty'    => 'answer ROLE *0',
    'a role that is a number' => 'answer ROLE *1\r\n:1',
    'masters'   => 'answer ROLE *1\r\n$7\r\nmasters',
    'no ROLE'   => "answer ROLE -ERR unknown command 'ROLE'",
    'RESP3'     => 'answer ROLE %1\r\n+role\r\n+master',
    'garbage'   => 'send HTTP/1.1 200 OK\r\n\r\n',
    'a huge greeting' => 'send *2000000000\r\n',
    'an end at once' => 'close',
    'a reset at once' => 'reset',
    'an end in the middle' => 'read 2; send +OK\r\n+O; close',
    'a silent one' => 'stall',
);

sub all_steps {
    my (@at) = @_;
    return map { said($_->{go}->()) } @at;
}

subtest 'a server that will not do: 503, until one does' => sub {
    for my $name (sort keys %greeting) {
        my @at = map { step($_) } @steps;
        $idp->clear;

        fake(split(/; /, $greeting{$name}), $relay);
        is join(' ', all_steps(@at)), join(' ', ('503 unavailable') x @at),
            "$name: all is closed (I6)";
        is scalar(my @heard = heard()), 0, '… the IdP hears nothing';
        is scalar(my @asked = asked()), 0, '… and the server no script';
        is $http->get('/other')->status, 200, '… others are served (I6)';

        fake($relay);
        wait_for { $stack->status->{ledger}{reachable} } "$name: recovery";
        is scalar(grep { !/^20[01]$/ } all_steps(@at)), 0,
            "$name: then all is open";
        $stack->wait_record($_->{id}, state => 'enrolled')
            for grep { $_->{name} eq 'finish' } @at;
    }
    trail('greetings');
};

subtest 'a server that will not do, and then one that does' => sub {
    for my $name (sort keys %greeting) {
        next if $name eq 'a silent one';
        my $at = step('finish');
        fake(split(/; /, $greeting{$name}), $relay, '---', 'answer AUTH +OK',
            $relay);
        wait_for { $stack->page($at->{session})->status == 200 }
            "$name, then a good one";
        recovers($at, "$name, then a good one");
    }

    my $at = step('finish');
    fake(map({ ($_, '---', 'answer AUTH +OK') } 'close', 'reset',
        'read; close'), $relay);
    wait_for { $stack->page($at->{session})->status == 200 }
        'three bad ones, then a good one';
    recovers($at, 'three bad ones, then a good one');
    trail('the next connection');
};

subtest 'a greeting with a reply too many' => sub {
    my @at = map { step($_) } @steps;
    $idp->clear;
    fake('hello', 'reply +OK', $relay);
    my @said = all_steps(@at);
    my @good = grep { $begins{$at[$_]{name}} && $said[$_] eq '200' }
        0 .. $#at;

    is scalar(grep { !/^(?:20[01]|503 unavailable|403 tampered|401 unknown)$/ }
        @said), 0, "each is answered, or refused (@said)";
    is scalar(my @heard = heard()), scalar @good,
        '… the IdP hears what was answered';

    fake($relay);
    wait_for { $stack->status->{ledger}{reachable} } 'recovery';
    succeeds(try_step($_), 'then all is good', 1) for @steps;
};


# --- what was logged


my $log = $stack->nginx->error_log;
like $log, qr/Redis "127\.0\.0\.1:$port": protocol error \(not RESP2/,
    'the error log says what was wrong with the protocol';
like $log, qr/protocol error \(a reply nobody asked for\)/, '… or unasked';
like $log, qr/Redis "127\.0\.0\.1:$port": not a master/, '… or a replica';
like $log, qr/: AUTH refused \(WRONGPASS/, '… or a wrong password';
like $log, qr/answered in a form that is not its own/, '… or a wrong form';
my @raw = grep { /^\d{4}\/\S+ \S+ \[(?!debug)/ && /[\x00-\x1f\x7f]/ }
    split /\n/, $log;
is scalar @raw, 0, '… and it holds no control characters';

$fake->{process}->stop('TERM');

done_testing;
