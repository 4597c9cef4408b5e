#!/usr/bin/perl

# What the ledger tells is in the journal before anybody acts upon it, and
# nothing is granted that could not be written there.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Dir qw(append);
use Enroll::Disk qw(small_disk fill_disk empty_disk free_disk);
use Enroll::Journal qw(records torn);
use Enroll::Lossy;
use Enroll::Process;
use Enroll::Refused qw(refused passed);
use Enroll::Test;


# What of a record is the stream's.
sub told {
    my ($record) = @_;
    my %event = %$record;
    delete @event{qw(partition host keep_until session)};
    return \%event;
}

sub begun {
    my ($stack, %joiner) = @_;
    my ($session, $id) = $stack->enter(%joiner);
    passed($stack->begin($session), 'begin');
    return ($session, $id);
}


subtest 'every event, as in the stream (I7)' => sub {
    my $stack = stack(workers => 2, http =>
        'enroll_journal %%DIR%%/logs/journal;');
    my $file = $stack->nginx->{logs} . '/journal';
    my $idp = $stack->idp;

    my $subject = "ad\x{e4} \"x\\";
    $idp->answer('/register/finish' => { status => 400 }, { status => 200 });
    my ($session, $id) = $stack->enter(subject => $subject);
    $stack->finish($session);
    $stack->begin($session) for 1 .. 20;
    $stack->finish($session);
    $stack->wait_record($id, outcome => 'refused');
    $stack->begin($session);
    $stack->finish($session);
    $stack->wait_record($id, state => 'enrolled');
    my $old = $stack->issue(subject => 'bea')->json->{id};
    my $new = $stack->issue(subject => 'bea')->json->{id};
    $stack->leave(subject => 'bea');
    $stack->issue(subject => $subject);

    my @events = $stack->events;
    utf8::decode($_->{subject}) for @events;
    wait_for { my @all = records($file); @all >= @events } 'the last one';
    my @records = sort { $a->{seq} <=> $b->{seq} } records($file);
    is_deeply [map { told($_) } @records], \@events,
        'the same names, values and numbers';
    is_deeply [torn($file)], [], 'each in a line of its own';

    chomp(my $host = lc `uname -n`);
    is_deeply { map { ("$_->{partition} $_->{host}" => 1) } @records },
        { "0 $host" => 1 }, 'and where it was told';

    my $record = $stack->record($id);
    for my $one (grep { $_->{id} eq $id } @records) {
        my $spent = $one->{to} && $one->{to} ne 'issued';
        is $one->{session}, $spent ? $record->{session} : undef,
            "$one->{event} ($one->{seq}): whose session" or last;
        ok !$spent || $one->{keep_until} >= $record->{session_ends_at},
            '… and until when it is to be known' or last;
    }

    my ($superseded) = grep { $_->{id} eq $old && $_->{to} eq 'revoked' }
        @records;
    ok $superseded->{keep_until} > time * 1000,
        'a token that another one ends';
    is_deeply [audit($stack)], [], 'the stream is whole';

    # as docs/operations.md reads it
    my ($section) = slurp(top() . '/docs/operations.md')
        =~ /^## The journal\n(.*?)^## /ms;
    my @commands = $section =~ /^```sh\n(.*?)^```$/msg;
    my $run = sub {
        my ($command) = @_;
        $command =~ s{/var/log/nginx/enroll\.journal}{$file}g;
        $command =~ s/[0-9a-f]{32}/$id/g;
        return split /\n/, qx{$command};
    };
    my @steps = map { join "\t", $_->{event}, $_->{to} // $_->{reason},
        $_->{client} } grep { $_->{id} eq $id } @records;
    is_deeply [map { s/^[-\d]+T[:\d]+Z\t//r } $run->($commands[0])], \@steps,
        'what happened to a token, by a command of the docs';
    append($file, '{"seq":"1","event":"torn","wh' . slurp($file)
        =~ s/\n.*//sr . "\n\nhello\n{\"seq\":\"2\"");
    is scalar(my @whole = $run->($commands[1])), @records + 1,
        'and all that there is, by another';
};


# The IdP hangs while the journal is looked at.

subtest 'before it is acted upon (I2)' => sub {
    my $stack = stack(http => 'enroll_journal %%DIR%%/logs/journal;');
    my $file = $stack->nginx->{logs} . '/journal';
    my ($session, $id) = $stack->enter;
    my $http = $stack->http;

    for my $step (qw(begin finish)) {
        $stack->idp->answer("/register/$step" => { hang => 1 });
        my $socket = $http->connect;
        print {$socket} $http->bytes('POST', "/register/$step",
            [Cookie => $session], '{}');
        $socket->flush;
        $stack->idp->wait_count(1, "/register/$step");

        my $event = $step eq 'begin' ? 'begin' : 'claim';
        is scalar(grep { $_->{event} eq $event && $_->{id} eq $id }
            records($file)), 1, "the IdP has got $step, the journal has it";

        $stack->idp->release({ status => 200 });
        is $http->read_response($socket)->status, 200, $step;
    }
};


subtest 'a full disk' => sub {
    my $dir = small_disk('256k')
        or plan skip_all => 'no small disk can be mounted';

    my $stack = stack(workers => 2, http => "enroll_journal $dir/journal;");
    my ($nginx, $idp) = ($stack->nginx, $stack->idp);
    my $file = "$dir/journal";
    my $written = sub { scalar(my @all = records($file)) };

    my ($session, $id) = begun($stack);
    my ($other, $other_id) = begun($stack);
    my $token = $stack->token(subject => 'cyd');
    $idp->clear;
    fill_disk($dir);

    # what is left of the file's last page
    my ($n, $response) = 0;
    do { $response = $stack->issue(subject => 'n-' . ++$n) }
        while $response->status == 201 && $n < 40;

    is $response->status, 503, 'no token without a record of it';
    is scalar(torn($file)), 1, 'the last line is torn';
    wait_for { $stack->events(subject => "n-$n", event => 'revoke') }
        'it to be taken back';
    pass 'a token that was made and not written is taken back';

    my $before = $written->();
    refused($stack->finish($session), 503, 'unavailable', 'no finish (I2)');
    is $idp->count, 0, 'nothing is forwarded';
    my $record = $stack->wait_record($id, state => 'redeemed');
    is $record->{attempts}, 0, 'the claim is given back, and the attempt';

    refused($stack->begin($other), 503, 'unavailable', 'no begin');
    refused($stack->redeem($token), 503, 'unavailable', 'no redeem');
    is $stack->leave(subject => 'nobody-else')->status, 404,
        'what tells nothing is answered';
    is $idp->count, 0, 'nothing is forwarded';
    my ($spent) = grep { $_->{subject} eq 'cyd' } $stack->events(
        event => 'redeem');
    ok $spent, 'a redeem stays burned';
    passed($stack->page($session), 'a page changes nothing, and is shown');
    is $stack->http->get('/')->status, 200, 'nor does the rest of the site';

    is scalar(() = $nginx->error_log =~ /cannot be written/g), 1,
        'the error log tells it once';
    like $nginx->error_log,
        qr/\[crit\].*journal "\Q$file\E" cannot be written.*No space left/,
        '… and why';
    cmp_ok $stack->status->{events}{journal_failed}, '>=', 5,
        'the status page counts';
    is $written->(), $before, 'nothing was written';

    empty_disk($dir);
    passed($stack->finish($session), 'there is room: the finish again');
    $stack->wait_record($id, state => 'enrolled');
    wait_for { grep { $_->{event} eq 'settle' && $_->{id} eq $id
        && $_->{to} eq 'enrolled' } records($file) } 'its settlement';
    is scalar(torn($file)), 1, 'the torn line has ended by itself';
    is scalar(() = slurp($file) =~ /^[^\n]+\{"/mg), 0,
        '… and the next record has a line of its own';
    like $nginx->error_log, qr/\[notice\].* is written again/,
        'the outage has an end';
    refused($stack->redeem($token), 410, 'redeemed', 'what was burned is');

    my %known = map { ($_->{seq} => 1) } records($file);
    my @unknown = grep { !$known{$_->{seq}} } $stack->events;
    is_deeply [grep { $_->{event} eq 'settle' && $_->{outcome} ne 'released' }
        @unknown], [], 'all that became of a finish is written';

    fill_disk($dir);
    $stack->issue(subject => "m-$_") for 1 .. 40;
    $nginx->reload;
    empty_disk($dir);
    passed($stack->begin($other), 'a second outage, over a reload');
    is scalar(() = $nginx->error_log =~ /cannot be written/g), 2,
        'told once more';
};


# Some bytes are free now and then: lines of two workers are torn.

subtest 'a disk that is full now and then' => sub {
    my $dir = small_disk('64k')
        or plan skip_all => 'no small disk can be mounted';

    my $stack = stack(workers => 2, http => "enroll_journal $dir/journal;");
    my $file = "$dir/journal";
    my @sessions = map { ($stack->enter)[0] } 1 .. 8;
    fill_disk($dir);
    $stack->idp->clear;

    my $forwarded = 0;
    for my $n (1 .. 6) {
        free_disk($dir, 4096);
        $forwarded += grep { $_->status == 200 } burst(map { my $session = $_;
            map { [$stack->http, 'POST', '/register/begin',
                [Cookie => $session], '{}'] } 1 .. 2 } @sessions);
    }

    my @begun = grep { $_->{event} eq 'begin' } records($file);
    ok torn($file) > 1, 'lines are torn' or diag slurp($file);
    my %begins;
    $begins{$_->header('Enroll-Subject')}++ for $stack->idp->requests;
    my %written;
    $written{$_->{subject}}++ for @begun;
    is_deeply [grep { $begins{$_} > $written{$_} } keys %begins], [],
        "all of $forwarded that were forwarded are in the journal";
    ok $forwarded > 2, 'some were';
    empty_disk($dir);
};


subtest 'USR1' => sub {
    my $stack = stack(workers => 2, http =>
        'enroll_journal %%DIR%%/logs/journal;');
    my $nginx = $stack->nginx;
    my $file = "$nginx->{logs}/journal";

    $stack->enrol;
    wait_for { grep { $_->{event} eq 'settle' } records($file) } 'settled';
    my $n = records($file);
    rename $file, "$file.1" or die "$file: $!";
    $stack->issue;
    is scalar(records("$file.1")), $n + 1, 'until then, the old file';
    $nginx->signal('USR1');
    wait_for { -e $file } 'a new file';

    # of both workers, and not all of them are as quick
    wait_for {
        my $before = records("$file.1");
        burst(map { [$stack->http, $stack->http->bytes('GET', '/')] } 1 .. 4);
        $stack->enrol for 1 .. 3;
        records("$file.1") == $before;
    } 'both workers to write to the new one';
    my $owner = $> == 0 ? scalar getpwnam 'nobody' : $>;
    is +(stat $file)[4], $owner, 'which is the workers\' own';

    my %seen;
    $seen{$_->{seq}}++ for records($file), records("$file.1");
    my @events = $stack->events;
    wait_for { %seen = (); $seen{$_->{seq}}++ for records($file),
        records("$file.1"); keys %seen == @events } 'the last settlement';
    is_deeply [grep { $_ != 1 } values %seen], [],
        'each event is in one of them';
};


# The call is made again, and its first run is in the stream already.

subtest 'a reply that is lost' => sub {
    my $redis = redis();
    my $lossy = Enroll::Lossy->new($redis);
    my $stack = stack(redis_server => $redis, vars => {
            LOSSY => $lossy->socket },
        redis => 'enroll_redis unix:%%LOSSY%%; enroll_redis_timeout 3s;',
        http => 'enroll_journal %%DIR%%/logs/journal;');
    my $file = $stack->nginx->{logs} . '/journal';
    my $token = $stack->token(subject => 'ada');
    $stack->enrol;
    wait_for { grep { $_->{event} eq 'settle' } records($file) } 'settled';

    my %step = (redeem => sub { $stack->redeem($token) });
    $lossy->lose(1);
    my $redeemed = $step{redeem}->();
    my $session = '__Host-enroll=' . $redeemed->cookie('__Host-enroll');
    $lossy->lose(1);
    passed($stack->begin($session), 'begin');
    $lossy->lose(1);
    passed($stack->finish($session), 'finish');
    is $lossy->lost, 3, 'a redeem, a begin and a claim, each asked twice';

    my %known = map { ($_->{seq} => told($_)) } records($file);
    for my $event (qw(redeem begin claim)) {
        my ($told) = $stack->events(event => $event, subject => 'ada');
        is_deeply $known{$told->{seq}}, $told, "$event is in the journal";
    }
    is $stack->status->{events}{claim}, 2, 'and is counted';

    # a bearer without a browser: two events of one call
    my $direct = $stack->issue(subject => 'dan')->json;
    $lossy->lose(1);
    passed($stack->begin_by(Authorization => "Bearer $direct->{token}"),
        'a direct begin');
    is_deeply [map { $_->{event} } grep { $_->{id} eq $direct->{id} }
        records($file)], [qw(issue redeem begin)],
        'its redeem and its begin, in their order';

    # and where the stream does not have it any more
    my $gone = $stack->issue(subject => 'eve')->json;
    my ($first) = ($redis->command('TIME')->[0]);
    my $eve = $stack->session($gone->{token});
    my $port = free_port();
    my $orders = sub_dir('orders');
    my $go = test_dir() . '/go';
    my $log = test_dir() . '/relay.log';
    my $relay = Enroll::Process->start(argv => [$^X,
        "$FindBin::Bin/fake/redis.pl", $port, 'hello',
        'relay unix:' . $redis->socket . " $orders"], output => $log);
    wait_for { slurp($log) =~ /^listening$/m } 'the relay';
    $stack->{redis} = "enroll_redis 127.0.0.1:$port; "
        . 'enroll_redis_timeout 3s;';
    $stack->nginx->reload(http => $stack->conf, leave => 1);

    spew("$orders.x", "execute\nuntil $go\nclose");
    rename "$orders.x", "$orders/1" or die $!;
    my $http = $stack->http;
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', '/register/begin', [Cookie => $eve],
        '{}');
    $socket->flush;
    wait_for { $stack->record($gone->{id})->{begun_at} } 'it to be begun';
    $redis->command('XTRIM', 'enroll:{0}:events', 'MAXLEN', 0);
    spew($go, '');
    passed($http->read_response($socket), 'a begin, of which nobody knows');
    $relay->stop('TERM');

    my ($record) = grep { $_->{event} eq 'begin' && $_->{id} eq $gone->{id} }
        records($file);
    my $now = $stack->record($gone->{id});
    is_deeply { map { $_ => $record->{$_} } qw(op subject class issuer to
        repeated session) }, { op => $now->{op}, subject => 'eve',
        class => 'standard', issuer => 'hr', to => 'redeemed', repeated => 1,
        session => $now->{session} }, 'the record tells it';
    is "$record->{last} " . (exists $record->{seq} ? 1 : 0),
        $redis->command('HGET', 'enroll:{0}:meta', 'seq') . ' 0',
        'without a number, and behind which it is';
};


# What a hostile Redis tells must not end the line, nor the file's encoding.

subtest 'a record that somebody has edited' => sub {
    my $stack = stack(http => 'enroll_journal %%DIR%%/logs/journal;');
    my $file = $stack->nginx->{logs} . '/journal';
    my $made = $stack->issue(subject => 'ada')->json;
    $stack->redis->command('HSET', "enroll:{0}:token:$made->{id}", 'subject',
        "a\n{\"event\":\"claim\"}\0\xff\"");

    refused($stack->redeem($made->{token}), 403, 'tampered', 'refused');
    my @records = records($file);
    is_deeply [map { $_->{event} } @records], [qw(issue redeem)],
        'a record a line';
    is $records[1]{subject}, "a\n{\"event\":\"claim\"}\0?\"", 'and its words';
    is_deeply [torn($file)], [], 'nothing else';
};


subtest 'where it may stand' => sub {
    my $dir = sub_dir('conf');
    my $zone = 'enroll_zone enroll 1m;';

    my $bad = sub {
        my ($what, $http, @regexes) = @_;
        my ($status, $said) = nginx_test_config(http => $http);
        isnt $status, 0, $what;
        like $said, $_, "… $_" for @regexes;
    };

    $bad->('twice', "$zone enroll_journal $dir/a; enroll_journal $dir/b;",
        qr/"enroll_journal" directive is duplicate/);
    $bad->('without a zone', "enroll_journal $dir/a;",
        qr/"enroll_journal" needs a shared zone/);
    $bad->('no file', "$zone enroll_journal '';",
        qr/"enroll_journal" directive names no file/);
    $bad->('another word', "$zone enroll_journal $dir/a async;",
        qr/invalid parameter "async": "sync", or "sync=" and the name/);
    $bad->('sync= of nothing', "$zone enroll_journal $dir/a sync=;",
        qr/invalid parameter "sync="/);
    $bad->('an unknown thread pool', "$zone enroll_journal $dir/a sync=none;",
        qr/unknown thread pool "none" in .*nginx\.conf:\d+/);
    $bad->('in a server', "$zone server { enroll_journal $dir/a; }",
        qr/"enroll_journal" directive is not allowed here/);
    $bad->('a folder that is not there', "$zone enroll_journal $dir/no/a;",
        qr/"\Q$dir\E\/no\/a" failed/);
    $bad->('an access_log with a buffer',
        "$zone log_format f x; access_log $dir/a f buffer=4k; "
        . "enroll_journal $dir/a;", qr/"\Q$dir\E\/a" is an access_log, too/);
    $bad->('an enroll_log', "$zone enroll_keys @{[make_keys()]}; "
        . "enroll_class standard { } enroll_redis 127.0.0.1; enroll on; "
        . "enroll_journal $dir/a; enroll_log $dir/a; server { }",
        qr/journal "\Q$dir\E\/a" is an enroll_log, too/);

    my ($status, $said) = nginx_test_config(
        main => 'thread_pool disk threads=2;',
        http => "$zone enroll_journal $dir/b sync=disk;");
    is $status, 0, 'with a pool of its own' or diag $said;
    ok -e "$dir/b", 'the file is there';
};

done_testing;
