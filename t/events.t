#!/usr/bin/perl

# Every change of a state has one event, in the stream and in enroll_log, with
# the fields that docs/operations.md tells of (I7). What never reaches Redis
# is told in the log alone.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Refused qw(refused);
use Enroll::Test;

use JSON::PP ();


my $stack = stack(workers => 2, class => 'ttl 1h; window 10m; attempts 2;');
my $idp = $stack->idp;
my $http = $stack->http;


# The documented fields: of all events, and of each.

my $docs = slurp(top() . '/docs/operations.md');
my ($section) = $docs =~ /^## Events\n(.*?)^## enroll_log/ms;
my ($first, $second) = split /^\| event \|/m, $section;
my @common = map { /`(\w+)`/g } $first =~ /^\| (`[^|]*) \|/mg;
my ($table) = $second =~ /\A(.*?)\n\n/s;
my %more;
for my $row ($table =~ /^(\| `.*)$/mg) {
    my (undef, $event, $fields) = split /\|/, $row;
    ($event) = $event =~ /`(\w+)`/;
    $more{$event} = [$fields =~ /`(\w+)`/g,
        $event eq 'refuse' ? () : qw(from to)];
}

is join(' ', sort keys %more), 'approve begin claim deliver expire fence '
    . 'issue lock proofed redeem refuse revoke settle void', 'all events are documented';

# not in each event, even of its kind
my %optional = map { $_ => 1 } qw(exception requester approvers prover count
    leaver refuse:why revoke:claim settle:why);


# Lines of the log that are in no stream.

sub local_lines {
    return grep { !exists $_->{seq} } $stack->log_lines;
}

sub documented {
    my ($event) = @_;
    my %may = map { $_ => 1 } @common, @{$more{$event->{event}} || []};
    my @unknown = grep { !$may{$_} } sort keys %$event;
    my @missing = grep { !exists $event->{$_} && !$optional{$_}
        && !$optional{"$event->{event}:$_"} } sort keys %may;
    return join ' ', (map { "+$_" } @unknown), map { "-$_" } @missing;
}


subtest 'one event for each change (I7)' => sub {
    my $id = $stack->issue(subject => 'ada', event => 'join-1',
        channel => 'email')->json;
    my $token = $id->{token};
    $id = $id->{id};

    my $response = $stack->redeem($token);
    my $session = '__Host-enroll=' . $response->cookie('__Host-enroll');
    $stack->redeem($token);                     # a tombstone: local
    $stack->page($session) for 1 .. 3;
    $stack->finish($session);                   # out of order
    $stack->begin($session) for 1 .. 2;
    $idp->answer('/register/finish' => { status => 400 }, { status => 201 });
    $stack->finish($session);
    $stack->wait_record($id, outcome => 'refused');
    $stack->begin($session);
    $stack->finish($session);
    $stack->wait_record($id, state => 'enrolled');
    $stack->revoke(id => $id);                  # nothing left to revoke

    my @told = map { join ' ', grep { defined } @$_{qw(event from to step
        reason attempt outcome status count)} } $stack->events(id => $id);
    is_deeply \@told, [
        'issue none issued',
        'redeem issued redeemed',
        'refuse claim order 1',
        'begin redeemed redeemed',
        'begin redeemed redeemed 2',
        'claim redeemed claimed 1',
        'settle claimed redeemed refused 400',
        'begin redeemed redeemed 3',
        'claim redeemed claimed 2',
        'settle claimed enrolled enrolled 201',
    ], 'in their order' or diag explain \@told;

    for my $event ($stack->events(id => $id)) {
        is documented($event), '', "$event->{event} has its fields";
        is "$event->{id} $event->{subject} $event->{class} $event->{issuer} "
            . "$event->{joiner} $event->{client}",
            "$id ada standard hr join-1 127.0.0.1", '… of whom';
        like $event->{op}, qr/\A[0-9a-f]{32}\z/, '… by which operation';
        ok abs($event->{at} / 1000 - time) < 60, '… and when';
    }

    my ($claim) = $stack->events(event => 'claim', id => $id);
    my ($settle) = $stack->events(event => 'settle', id => $id);
    is $settle->{claim}, $claim->{op}, 'a settlement names its claim';
};


subtest 'the other events' => sub {
    my $old = $stack->issue(subject => 'bea')->json;
    $stack->issue(subject => 'bea');
    my $late = $stack->issue(subject => 'cyd', ttl => 1)->json;

    wait_for { $stack->redis->command('TIME')->[0] * 1000
        > $late->{expires_at} + 1000 } 'a second to pass', 5;
    $stack->redeem($late->{token});

    my $direct = $stack->issue(subject => 'dan')->json;
    $stack->begin_by(Authorization => "Bearer $direct->{token}");

    my @calls = ([revoke => $old->{id}, 'issued revoked superseded hr'],
        [expire => $late->{id}, 'issued expired']);
    for my $row (@calls) {
        my ($name, $id, $want) = @$row;
        my @events = $stack->events(event => $name, id => $id);
        is scalar(@events), 1, "$name is told once";
        is documented($events[0]), '', '… with its fields';
        is join(' ', grep { defined } @{$events[0]}{qw(from to why by)}),
            $want, '… which say';
    }

    my @both = $stack->events(id => $direct->{id});
    is join(' ', map { $_->{event} } @both), 'issue redeem begin',
        'a bearer without a browser redeems and begins';
    is $both[1]{op}, $both[2]{op}, '… by one operation';

    my ($revoke) = $stack->events(event => 'revoke', id => $old->{id});
    my ($issue) = grep { $_->{op} eq $revoke->{op} }
        $stack->events(event => 'issue');
    is $issue->{subject}, 'bea', 'and superseding is the issue of another';
};


subtest 'what one can repeat is told ever more rarely' => sub {
    my ($session, $id) = $stack->enter(subject => 'eve');
    $stack->finish($session) for 1 .. 70;
    my @refusals = $stack->events(event => 'refuse', id => $id);
    is join(' ', map { $_->{count} } @refusals),
        join(' ', 1 .. 16, 32, 64), 'refusals';

    $stack->begin($session) for 1 .. 70;
    my @begins = $stack->events(event => 'begin', id => $id);
    is join(' ', map { $_->{count} // 1 } @begins),
        join(' ', 1 .. 16, 32, 64), 'begins';
    is scalar(@{[audit($stack)]}), 0, 'and there is no gap (I7)';
};


subtest 'under load (I7)' => sub {
    my @entered = map { [$stack->enter(subject => "load-$_")] } 1 .. 20;
    my @requests;

    for my $who (@entered) {
        my $cookie = [Cookie => $who->[0]];
        push @requests, [$http, 'POST', '/register/begin', $cookie, '{}'],
            [$http, 'POST', '/register/finish', $cookie, '{}'],
            [$http, 'GET', '/register', $cookie];
    }
    burst(@requests) for 1 .. 3;

    for my $who (@entered) {
        my $session = $who->[0];
        $stack->begin($session);
        $stack->finish($session);
        $stack->wait_record($who->[1], state => 'enrolled');
    }

    is_deeply [audit($stack)], [], 'no gap, and nothing without its event';
};


subtest 'enroll_log has the stream' => sub {
    my @stream = $stack->events;
    my (@log, @local);
    wait_for {
        @log = grep { exists $_->{seq} } $stack->log_lines;
        @log == @stream;
    } 'the log to have all';

    @log = sort { $a->{seq} <=> $b->{seq} } @log;
    my $wrong = 0;

    for my $n (0 .. $#stream) {
        my %line = %{$log[$n]};
        my $partition = delete $line{partition};
        $wrong++ if ($partition // '') ne '0'
            || join("\0", map { "$_=$line{$_}" } sort keys %line)
            ne join("\0", map { "$_=$stream[$n]{$_}" }
                sort keys %{$stream[$n]});
    }

    is $wrong, 0, 'entry by entry, field by field';

    my $text = slurp($stack->nginx->{logs} . '/enroll.log');
    like $text, qr/\A(?:\{[^\n]*\}\n)+\z/, 'one object a line';
    unlike $text, qr/"(?:seq|at|attempt|count)":"/, 'numbers are numbers';
    unlike $text, qr/en[rs]_/, 'and no token is in it (I5)';
};


subtest 'refusals that never reach Redis are in the log alone' => sub {
    my ($session, $id) = $stack->enter(subject => 'fay');
    my $count = $stack->redis->command('XLEN', 'enroll:{0}:events');
    my $spent = $stack->token(subject => 'gil');
    $stack->session($spent);
    $count += 2;

    my @table = (
        # what, step, reason, status, knows the id
        [sub { $http->get('/register') }, 'page', 'missing', 401, 0],
        [sub { $stack->begin('__Host-enroll=x') }, 'begin', 'forged', 401, 0],
        [sub { $stack->redeem('x') }, 'redeem', 'forged', 401, 0],
        [sub { $stack->redeem($spent) }, 'redeem', 'redeemed', 410, 1],
        [sub { $http->get('/admin', Cookie => $session) }, 'none', 'scope',
            403, 1],
        [sub { $http->post('/register/assets/x', '', Cookie => $session) },
            'open', 'method', 405, 1],
        [sub { $http->get('//register', Cookie => $session) }, 'page', 'uri',
            400, 1],
        [sub { $http->get('/register', Cookie => "$session; $session") },
            'page', 'duplicate', 400, 0],
        [sub { $stack->redeem($spent, Origin => 'null') }, 'redeem',
            'cross_site', 403, 0],
        [sub { $http->post('/enroll/issue', '{}') }, 'issue', 'signature',
            401, 0],
        [sub { $stack->call('/enroll/issue', '{') }, 'issue', 'body', 400, 0],
        [sub { $stack->call('/enroll/revoke', '{') }, 'revoke', 'body', 400,
            0],
        [sub { $stack->revoke(subject => 'nobody') }, 'revoke', 'nothing',
            404, undef],
        [sub { $http->post('/enroll/status', '') }, 'status', 'method', 405,
            0],
    );

    for my $row (@table) {
        my ($cause, $step, $reason, $status, $known) = @$row;
        my @before = local_lines();
        my $response = $cause->();
        my @after = local_lines();
        my $line = $after[-1];

        is $response->status, $status, "$step $reason";
        is scalar(@after) - scalar(@before), 1, '… is one line';
        is join(' ', @$line{qw(event step reason status client)}),
            "refuse $step $reason $status 127.0.0.1", '… which says so';
        ok abs($line->{at} / 1000 - time) < 60, '… and when';
        is exists $line->{id} ? 1 : 0, $known, '… and who'
            if defined $known;

        my %may = map { $_ => 1 } qw(at event step reason status client id
            subject);
        is join(' ', grep { !$may{$_} } sort keys %$line), '',
            '… and nothing else';
    }

    is $stack->redis->command('XLEN', 'enroll:{0}:events'), $count,
        'the stream is as long as before';
};


subtest 'refusals that Redis made are told once' => sub {
    my ($session, $id) = $stack->enter(subject => 'hal');
    my @before = $stack->log_lines;
    $stack->finish($session);
    my @after = $stack->log_lines;
    is scalar(@after) - scalar(@before), 1, 'in one line';
    is $after[-1]{reason}, 'order', 'of that reason';
    ok $after[-1]{seq}, 'which is in the stream';
};


subtest 'a subject of any kind is one line' => sub {
    my $subject = "\x{e9}\x{20ac} \"x\" \\n \x{2028} {}";
    my $made = $stack->issue(subject => $subject)->json;
    my ($line) = grep { ($_->{id} // '') eq $made->{id} } $stack->log_lines;
    is $line->{subject}, $subject, 'which has it whole';
};


subtest 'USR1 opens the log anew' => sub {
    my $file = $stack->nginx->{logs} . '/enroll.log';
    my $lines = () = slurp($file) =~ /\n/g;
    rename $file, "$file.1" or die "rename: $!";
    $http->get('/register');
    my $moved = () = slurp("$file.1") =~ /\n/g;
    is $moved, $lines + 1, 'until then lines go to the old file';

    $stack->nginx->signal('USR1');
    wait_for { -e $file } 'a new file';
    wait_for { $http->get('/register'); -s $file } 'the workers to use it';
    wait_for {
        my $before = () = slurp("$file.1") =~ /\n/g;
        $http->get('/register') for 1 .. 8;
        my $after = () = slurp("$file.1") =~ /\n/g;
        $before == $after;
    } 'all workers to use it';
    like slurp($file), qr/\A(?:\{[^\n]*"reason":"missing"[^\n]*\}\n)+\z/,
        'then to the new one';
};


subtest 'without an enroll_log events are in the error log' => sub {
    my $plain = stack();
    my $conf = $plain->conf;
    $conf =~ s/^\s*enroll_log .*\n//m or die 'no enroll_log';
    $plain->nginx->reload(http => $conf, leave => 1);

    my $made = $plain->issue(subject => 'ada')->json;
    $plain->redeem($made->{token});
    $plain->http->get('/register');

    my $log = $plain->nginx->error_log;
    for my $event (qw(issue redeem)) {
        like $log, qr/\[notice\] .*enroll: \{.*"event":"$event".*"$made->{id}"/,
            "$event, as a notice";
    }
    like $log, qr/\[warn\] .*enroll: \{.*"reason":"missing"/,
        'a refusal, as a warning';
    my ($json) = $log =~ /enroll: (\{"partition".*"issue".*\})/;
    is eval { JSON::PP->new->utf8->decode($json)->{subject} }, 'ada',
        'as JSON';
};


subtest 'enroll_events_retain trims by age' => sub {
    my $brief = stack(http => 'enroll_events_retain 1s;');
    my $stream = 'enroll:{0}:events';
    # trimming is by whole nodes of the stream
    $brief->redis->command('CONFIG', 'SET', 'stream-node-max-entries', 2);

    $brief->issue(subject => "ada-$_") for 1 .. 6;
    my $last = $brief->redis->command('XREVRANGE', $stream, '+', '-',
        'COUNT', 1)->[0][0];
    is $brief->redis->command('XLEN', $stream), 6, 'six';
    my ($ms) = $last =~ /^(\d+)/;
    wait_for { $brief->redis->command('TIME')->[0] * 1000 > $ms + 2000 }
        'two seconds to pass', 5;

    my $made = $brief->issue(subject => 'bea');
    is $made->status, 201, 'another';
    ok $brief->redis->command('XLEN', $stream) <= 2, 'the old ones go';
    my @left = $brief->events;
    is $left[-1]{seq}, 7, 'and the numbers go on';
};

done_testing;
