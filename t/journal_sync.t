#!/usr/bin/perl

# With `sync` a call goes on when its line is on the disk: the disk is waited
# for in a thread, once for all who wait, and whatever comes in between is as
# safe as while Redis is asked.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Audit qw(audit);
use Enroll::Disk;
use Enroll::Journal qw(records);
use Enroll::Refused qw(refused passed);
use Enroll::Test;

use Time::HiRes qw(time);


my $disk = Enroll::Disk->new;
my $stack = stack(nginx_args => $disk->nginx,
    http => 'enroll_journal %%DIR%%/logs/journal sync;');
my ($nginx, $idp, $http) = ($stack->nginx, $stack->idp, $stack->http);
my $file = "$nginx->{logs}/journal";

sub begun {
    my ($session, $id) = $stack->enter(@_);
    passed($stack->begin($session), 'begin');
    $idp->clear;
    return ($session, $id);
}

# A request that is on its way; what waits for the disk has its line written.

sub send_off {
    my ($path, $session) = @_;
    my $socket = $http->connect;
    print {$socket} $http->bytes('POST', $path, [Cookie => $session], '{}');
    $socket->flush;
    return $socket;
}

sub written {
    my ($event, $id) = @_;
    return wait_for { grep { $_->{event} eq $event && $_->{id} eq $id }
        records($file) } "$event of $id to be written";
}

sub land { return $http->read_response($_[0]) }

# No fdatasync() is under way, and none will be by itself.

sub idle {
    return wait_for {
        my $n = $disk->begun;
        my $last = ($stack->events(last => 1))[0]{seq};
        !$disk->busy($nginx->worker_pids)
            && (grep { $_->{seq} == $last } records($file))
            && $disk->begun == $n;
    } 'the disk to be idle';
}


subtest 'on the disk before it is forwarded (I2)' => sub {
    my ($session, $id) = begun();
    my ($other) = $stack->enter;
    $stack->page($other);
    idle();

    for my $step (['begin', 'begin'], ['finish', 'claim']) {
        my ($path, $event) = @$step;
        my $n = $disk->ended;
        my $begins = records($file);
        $disk->hold;
        my $socket = send_off("/register/$path", $session);
        wait_for { $disk->begun > $n } "the fdatasync() of $path";
        is +(records($file))[-1]{event}, $event, "$event is written";

        # all that does not wait for it is served by the same worker
        is $http->get('/')->status, 200, 'others are served: a site';
        is $stack->status->{ledger}{reachable}, JSON::PP::true(),
            '… the status page, which asks Redis';
        passed($stack->page($other), '… a page of another session');
        refused($stack->redeem('enr_x'), 401, 'forged', '… a forged token');
        is $idp->count("/register/$path"), 0, 'and it is not forwarded';
        is $disk->ended, $n, 'while the disk is at work';

        $disk->let_go;
        passed(land($socket), "$path goes on when it has done");
        is $idp->count("/register/$path"), 1, 'and is forwarded, once';
    }
    $stack->wait_record($id, state => 'enrolled');

    my $inode = (stat $file)[1];
    is_deeply [grep { $_->[2] != $inode } $disk->told], [],
        'the journal is what was synced';
    my %worker = map { ($_ => 1) } $nginx->worker_pids;
    is_deeply [grep { !$worker{$_->[1]} } $disk->told], [], 'by the worker';
};


# The kernel tells of a write that failed once to each who opened the file,
# not to each process that has inherited it: where one has written, only its
# own place in the file has moved.

subtest 'each worker has opened it' => sub {
    my $many = stack(workers => 3,
        http => 'enroll_journal %%DIR%%/logs/journal sync;');
    my $journal = $many->nginx->{logs} . '/journal';
    $many->issue;

    my @places = map {
        my $fd = (grep { (readlink $_ // '') eq $journal } glob "/proc/$_/fd/*")[0];
        slurp($fd =~ s/\/fd\//\/fdinfo\//r) =~ /^pos:\s+(\d+)/m;
    } $many->nginx->worker_pids;
    is "@{[sort { $a <=> $b } @places]}", '0 0 ' . -s $journal,
        'one of three has written';
};


subtest 'one for all who wait' => sub {
    my @sessions = map { ($stack->enter)[0] } 1 .. 60;
    idle();
    my $n = $disk->begun;
    $idp->clear;

    $disk->hold;
    my @sockets = map { send_off('/register/begin', $_) } @sessions;
    wait_for { (grep { $_->{event} eq 'begin' } records($file)) >= 60 }
        'sixty begins to be written';
    is $idp->count, 0, 'none is forwarded';
    $disk->let_go;
    is scalar(grep { land($_)->status == 200 } @sockets), 60, 'all go on';
    idle();
    my $took = $disk->begun - $n;
    cmp_ok $took, '<=', 3, 'sixty calls, few fdatasync()';
    note "$took of them";

    # without holding it back
    $n = $disk->begun;
    burst(map { [$http, 'POST', '/register/begin', [Cookie => $_], '{}'] }
        @sessions);
    idle();
    note $disk->begun - $n, ' for sixty at once';
};


subtest 'a client that leaves meanwhile (I2)' => sub {
    my ($session, $id) = begun();
    my $token = $stack->token(subject => 'left');
    idle();
    $disk->hold;
    my $socket = send_off('/register/finish', $session);
    written(claim => $id);
    close $socket;
    my $redeems = $http->connect;
    print {$redeems} $http->bytes('POST', '/enroll', ['Content-Type' =>
        'application/x-www-form-urlencoded'], "token=$token");
    $redeems->flush;
    wait_for { grep { $_->{event} eq 'redeem' && $_->{subject} eq 'left' }
        records($file) } 'the redeem';
    close $redeems;
    $nginx->wait_log(qr/client prematurely closed connection/);
    is $stack->record($id)->{state}, 'claimed', 'it is claimed';
    $disk->let_go;

    my $record = $stack->wait_record($id, state => 'redeemed');
    is "$record->{outcome} $record->{attempts}", 'released 0',
        'and given back, with its attempt';
    is $idp->count, 0, 'nothing was forwarded';
    passed($stack->finish($session), 'so it can be claimed again');
    $stack->wait_record($id, state => 'enrolled');
    refused($stack->redeem($token), 410, 'redeemed',
        'a redeem whose client left is spent');
};


subtest 'a disk that fails (I2)' => sub {
    my ($session, $id) = begun();
    my ($other) = $stack->enter;
    my $token = $stack->token(subject => 'bea');
    idle();
    $disk->fail;
    refused($stack->finish($session), 503, 'unavailable', 'no finish');
    my $record = $stack->wait_record($id, state => 'redeemed');
    is "$record->{outcome} $record->{attempts}", 'released 0',
        'the claim is given back, with its attempt';
    refused($stack->begin($other), 503, 'unavailable', 'no begin');
    refused($stack->redeem($token), 503, 'unavailable', 'no redeem');
    is $stack->issue(subject => 'cyd')->status, 503, 'no token';
    is scalar($idp->count), 0, 'nothing is forwarded';
    passed($stack->page($session), 'a page is shown');
    is scalar(() = $nginx->error_log =~ /cannot be written/g), 1,
        'the error log tells it once';
    like $nginx->error_log, qr/cannot be written.*Input\/output error/,
        '… and why';
    cmp_ok $stack->status->{events}{journal_failed}, '>=', 4,
        'the status page counts';

    $disk->mend;
    passed($stack->finish($session), 'when it is mended: the finish again');
    $stack->wait_record($id, state => 'enrolled');
    like $nginx->error_log, qr/\[notice\].* is written again/,
        'the outage has an end';
    wait_for { ($stack->events(subject => 'cyd', event => 'revoke'))[0] }
        'the token that was not written to be taken back';
};


subtest 'a reload, and rotation, meanwhile' => sub {
    my ($session, $id) = begun();
    my ($other, $other_id) = begun();
    my ($last, $last_id) = begun();
    idle();
    my $n = $disk->told;
    $disk->hold;
    my $first = send_off('/register/finish', $session);
    wait_for { $disk->told > $n } 'the fdatasync() of the first';
    my $second = send_off('/register/finish', $other);
    written(claim => $other_id);

    # its line waits for the next fdatasync(), and so does that of the third,
    # in another file
    my $old = (stat $file)[1];
    my ($worker) = $nginx->worker_pids;
    rename $file, "$file.1" or die "$file: $!";
    $nginx->signal('USR1');
    wait_for { grep { (readlink $_ // '') eq $file } glob "/proc/$worker/fd/*" }
        'the worker to have the new file';
    my $third = send_off('/register/finish', $last);
    written(claim => $last_id);
    my $new = (stat $file)[1];
    $nginx->reload;
    is $idp->count('/register/finish'), 0, 'nothing is forwarded';
    $disk->hold($new);

    passed(land($first), 'the old worker waits for the disk');
    my @synced;
    wait_for {
        my @told = $disk->told;
        @synced = map { $_->[2] } grep { $_->[0] eq 'begin' }
            splice @told, $n;
        @synced >= 3;
    } 'the new file';
    is "@synced", "$old $old $new",
        'each line is synced where it was written';
    is $idp->count('/register/finish'), 1, 'before it is forwarded';
    $disk->let_go;
    passed(land($second), '… for all who wait');
    passed(land($third), '… in whatever file');
    ok $nginx->workers_leave($worker), 'and leaves';
    $stack->wait_record($_, state => 'enrolled')
        for $id, $other_id, $last_id;
};


subtest 'the new file after USR1' => sub {
    unlink "$file.1";
    my ($session, $id) = begun();
    idle();
    rename $file, "$file.1" or die "$file: $!";
    $nginx->signal('USR1');
    wait_for { -e $file && (stat $file)[4] == ($> ? $> : getpwnam 'nobody') }
        'a new file';
    wait_for { $stack->enter; records($file) } 'the worker to write to it';
    my $n = $disk->told;
    passed($stack->finish($session), 'a finish');
    $stack->wait_record($id, state => 'enrolled');
    my @told = $disk->told;
    is_deeply [grep { $_->[2] != (stat $file)[1] } @told[$n .. $#told]], [],
        'the new file is synced, and no other';
};


subtest 'QUIT meanwhile' => sub {
    my ($session, $id) = begun();
    idle();
    $disk->hold;
    my $socket = send_off('/register/finish', $session);
    written(claim => $id);
    $nginx->signal('QUIT');
    wait_for { !$nginx->worker_pids } 'the worker to be on its leave';
    $disk->let_go;
    passed(land($socket), 'what waits is brought home');
    $nginx->stop;
    $stack->wait_record($id, state => 'enrolled');
    $nginx->start;
};


# TERM ends requests as a crash does, but not the thread.

subtest 'TERM meanwhile' => sub {
    my ($session, $id) = begun();
    idle();
    my $n = $disk->ended;
    $disk->hold;
    my $socket = send_off('/register/finish', $session);
    written(claim => $id);
    wait_for { $disk->begun > $n } 'the fdatasync()';
    $nginx->signal('TERM');
    wait_for { $nginx->error_log =~ /signal 15 \(SIGTERM\)/ } 'TERM';
    $disk->let_go;
    $nginx->stop('TERM');
    is land($socket)->status, 0, 'no answer';
    is $idp->count, 0, 'nothing was forwarded';
    is $stack->record($id)->{state}, 'claimed', 'it stays claimed (I2)';
    $nginx->start;
    refused($stack->finish($session), 409, 'claimed', 'closed for ever');
};


subtest 'a worker that is killed meanwhile (I2)' => sub {
    my ($session, $id) = begun();
    idle();
    $disk->hold;
    my $socket = send_off('/register/finish', $session);
    written(claim => $id);
    $nginx->kill_worker;
    $disk->let_go;
    is land($socket)->status, 0, 'no answer';
    is $idp->count, 0, 'nothing was forwarded';
    ok scalar(grep { $_->{event} eq 'claim' && $_->{id} eq $id }
        records($file)), 'the journal knows of the claim';
    refused($stack->finish($session), 409, 'claimed', 'closed for ever');
    my $later = $stack->enrol;
    written(settle => $later);
    pass 'the next worker goes on';
};


subtest 'a disk that does not answer' => sub {
    my ($session, $id) = begun();
    my ($other) = $stack->enter;
    idle();
    $disk->hold;
    my $time = time;
    refused($stack->finish($session), 503, 'unavailable',
        'who waits is told so');
    my $waited = time - $time;
    ok $waited > 9 && $waited < 10 + patience(1), 'after ten seconds'
        or diag $waited;
    my $record = $stack->wait_record($id, state => 'redeemed');
    is $record->{attempts}, 0, 'the claim is given back';

    $time = time;
    refused($stack->begin($other), 503, 'unavailable', 'and the next one');
    cmp_ok time - $time, '<', patience(1), '… at once';
    is $idp->count, 0, 'nothing was forwarded';
    is $http->get('/')->status, 200, 'others are served';
    like $nginx->error_log, qr/cannot be written.*timed out/i, 'it is told';
    $disk->let_go;
    wait_for { $stack->begin($other)->status == 200 } 'the disk to be back';
    passed($stack->finish($session), 'the finish again');
    $stack->wait_record($id, state => 'enrolled');
};

is_deeply [audit($stack)], [], 'the trail is whole (I7)';

done_testing;
