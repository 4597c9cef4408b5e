# The harness itself: what it offers works, and what it checks can fail.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;


# --- the parts


my $redis = redis(tcp => 1, tls => 1, password => 'a password');
my $idp = upstream(name => 'idp');
my $nginx = nginx(workers => 2, module => 0, vars => { IDP => $idp->port },
    http => <<'CONF');
    upstream idp {
        server 127.0.0.1:%%IDP%%;
    }

    server {
        listen %%PORT%%;

        location / {
            proxy_pass http://idp;
        }

        location = /static {
            return 200 "static";
        }
    }

    server {
        listen %%PORT_B%%;

        location / {
            proxy_pass http://idp;
        }
    }
CONF
my $http = http($nginx->port);


subtest 'an upstream by script' => sub {
    $idp->answer('/finish' => { status => 400, body => 'no' },
        { status => 204 });
    is($http->post('/finish', '{}', A => 'b')->status, 400, 'first answer');
    is($http->post('/finish?q', '{}')->status, 204, 'second answer');
    is($http->post('/finish', '{}')->status, 204, '… for all that follow');

    my ($first) = $idp->requests('/finish');
    is($first->header('a'), 'b', 'a header received');
    is($first->method . ' ' . $first->path, 'POST /finish', 'a request line');
    like($first->raw, qr/\r\nA: b\r\n(?:.*\r\n)?\r\n\{\}\z/s, 'the raw bytes');

    is($idp->count('/finish'), 3, 'count');
    $idp->clear;
    is($idp->count, 0, 'clear');

    $idp->answer('/delay' => { delay => 0.1, body => 'later' });
    is($http->get('/delay')->body, 'later', 'delay');

    $idp->answer('/reset' => { reset => 1 });
    is($http->post('/reset', 'x')->status, 502, 'reset');

    $idp->answer('/close' => { close => 1 });
    is($http->post('/close', 'x')->status, 502, 'close');
    is($idp->count('/close'), 1, '… after it was received');

    $idp->answer('/chunked' => { chunked => ['a', 'bc', 'x' x 9000],
        pause => 0.01 });
    is($http->get('/chunked')->body, 'abc' . 'x' x 9000, 'chunked');

    $idp->answer('/slow' => { body => 'abcd', slow => 0.01, piece => 2 });
    is($http->get('/slow')->body, 'abcd', 'slow');

    $idp->answer('/cut' => { body => 'x' x 100, cut => 120 });
    is($http->get('/cut')->error, 'cut short: closed', 'cut');

    $idp->answer('/raw' => { raw => "HTTP/1.1 299 Hm\r\nX: y\r\n\r\nz" });
    my $raw = $http->get('/raw');
    is($raw->status . $raw->header('x') . $raw->body, '299yz', 'raw');

    $idp->answer('/hang' => { hang => 1 });
    my $socket = $http->connect;
    print $socket $http->bytes('GET', '/hang');
    $idp->wait_count(1, '/hang');
    is($idp->release({ body => 'free' }), 1, 'hang, release');
    is($http->read_response($socket)->body, 'free', '… with its answer');

    $idp->refuse;
    is($http->post('/x', 'x')->status, 502, 'refuse');
    $idp->listen;
    is($http->post('/x', 'x')->status, 200, 'listen');
};


subtest 'a raw client' => sub {
    is($http->request('HEAD', '/static')->status, 200, 'HEAD');
    is($http->raw("GET /static HTTP/1.0\r\n\r\n")->body, 'static', 'raw');
    is($http->raw("nonsense\r\n\r\n")->status, 400, 'nonsense');

    my $other = http($nginx->port('B'));
    my @responses = burst(map {
        [$_ % 2 ? $http : $other, 'POST', "/burst/$_", [], "body $_"]
    } 1 .. 200);
    is((grep { $_->status == 200 } @responses), 200, '200 at once');
    is($idp->count(qr{^/burst/}), 200, '… all received');
};


subtest 'redis' => sub {
    my $monitor = $redis->monitor;
    my $value = "x\r\n\"\x01\\";

    is($redis->command('SET', 'a', $value), 'OK', 'SET');
    is($redis->command('GET', 'a'), $value, 'GET');
    is($redis->command('GET', 'b'), undef, 'GET of nothing');
    $redis->command('HSET', 'h', f => 1, g => 2);
    is_deeply($redis->hash('HGETALL', 'h'), { f => 1, g => 2 }, 'hash');
    ok(!eval { $redis->command('HGET', 'a', 'f') }, 'an error dies');
    like($@, qr/WRONGTYPE/, '… with its text');

    is_deeply([map { $_->{args}[0] } $monitor->commands],
        [qw(SET GET GET HSET HGETALL HGET)], 'MONITOR');
    like($redis->dump_keys, qr/^0 hash h\n    f\n    1\n/m, 'dump');

    $redis->restart('KILL');
    is_deeply([$redis->keys], [], 'restart, nothing kept');
    ok($redis->port && $redis->tls_port && -S $redis->socket, 'addresses');
};


subtest 'nginx' => sub {
    my ($old) = $nginx->worker_pids;
    is($nginx->kill_worker($old), $old, 'kill a worker');
    is($http->get('/static')->body, 'static', '… another one serves');

    (my $conf = $nginx->{http}) =~ s/"static"/"changed"/;
    my @left = $nginx->reload(http => $conf, leave => 1);
    is(@left, 2, 'reload');
    is($http->get('/static')->body, 'changed', '… with another file');

    my ($status, $text) = nginx_test_config(module => 0,
        http => 'server { listen %%PORT%%; nonsense on; }');
    is($status, 1, 'a bad configuration');
    like($text, qr/unknown directive "nonsense"/, '… and why');

    ($status, $text) = nginx_test_config(module => 0, http => '');
    is($status, 0, 'a good configuration');
};


subtest 'webhooks, keys' => sub {
    # the example of the specification
    is(webhook_signature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
            'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}'),
        'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'signature');

    my %headers = webhook_headers(webhook_secret(), '{}', id => 'x');
    is($headers{'webhook-id'}, 'x', 'headers');

    my $keys = make_keys();
    is((stat $keys)[2] & 07777, 0600, 'only its owner reads a key file');
    like(slurp($keys), qr/"kid":"subject"/, 'a key set');
};


# --- the checks: each one is shown a fault, in a test of its own


my $PREAMBLE = "use lib '$FindBin::Bin/lib';\n" . <<'EOS';
use Enroll::Test;
my $token = 'enr_' . 'AAAAAA' . 'bCdEfGhIjKlMnOpQrStUvWxYz' x 2 . '012';
my %conf = (module => 0, vars => { TOKEN => $token }, http => <<'CONF');
    server {
        listen %%PORT%%;
        location / {
            return 200 "ok";
        }
        location /t {
            return 200 "%%TOKEN%%";
        }
    }
CONF
EOS

my $count = 0;

sub run_test {
    my ($body) = @_;

    my $file = spew(sub_dir('faults') . '/' . ++$count . '.pl',
        $PREAMBLE . $body);
    local $ENV{HARNESS_ACTIVE};
    my $output = `$^X $file 2>&1`;

    return ($? >> 8, $output);
}


sub fails {
    my ($what, $regex, $body) = @_;

    my ($status, $output) = run_test("$body\npass('itself');\ndone_testing;");
    ok($status != 0, "$what: fails");
    like($output, $regex, "$what: says so");
    return;
}


sub passes {
    my ($what, $body) = @_;

    my ($status, $output) = run_test("$body\npass('itself');\ndone_testing;");
    is($status, 0, "$what: passes") or diag($output);
    return;
}


passes('no fault', <<'EOS');
    my $nginx = nginx(%conf);
    http($nginx->port)->get('/');
EOS

fails('an alert', qr/\[alert\] .* broken/, <<'EOS');
    my $nginx = nginx(%conf);
    Enroll::Dir::append($nginx->dir . '/logs/error.log',
        "2026/01/01 00:00:00 [alert] 1#1: broken\n");
EOS

fails('an emerg at a reload', qr/\[emerg\] .*nonsense/, <<'EOS');
    my $nginx = nginx(%conf);
    $nginx->write_conf(main => 'nonsense;');
    $nginx->signal('HUP');
    $nginx->wait_log(qr/nonsense/);
EOS

passes('an emerg that was expected', <<'EOS');
    my $nginx = nginx(%conf);
    $nginx->expect_log(qr/unknown directive "nonsense"/);
    $nginx->write_conf(main => 'nonsense;');
    $nginx->signal('HUP');
    $nginx->wait_log(qr/nonsense/);
EOS

fails('a crashed worker', qr/exited on signal 6/, <<'EOS');
    my $nginx = nginx(%conf);
    kill 'ABRT', $nginx->worker_pids;
    $nginx->wait_log(qr/exited on signal/);
EOS

fails('a worker that a sanitizer ended', qr/exited with code 1/, <<'EOS');
    my $nginx = nginx(%conf);
    Enroll::Dir::append($nginx->dir . '/logs/error.log',
        "2026/01/01 00:00:00 [notice] 1#1: worker process 2 exited with code 1\n");
EOS

passes('a worker that the test killed', <<'EOS');
    my $nginx = nginx(%conf);
    $nginx->kill_worker;
EOS

fails('a master that has gone', qr/had gone before the test's end/, <<'EOS');
    my $nginx = nginx(%conf);
    $nginx->signal('TERM');
    wait_for { !kill 0, $nginx->pid or $nginx->{process}->gone } 'its end';
EOS

fails('a worker that does not leave', qr/does not leave/, <<'EOS');
    $ENV{ENROLL_PATIENCE} = 0.1;
    my $nginx = nginx(%conf);
    kill 'STOP', $nginx->worker_pids;
EOS

fails('a redis-server that does not leave', qr/does not leave/, <<'EOS');
    my $redis = redis();
    $ENV{ENROLL_PATIENCE} = 0.05;
    no warnings 'redefine';
    my $signal = \&Enroll::Process::signal;
    *Enroll::Process::signal = sub {
        return $signal->(@_) if $_[1] eq 'KILL';
    };
EOS

for my $kind (
    ['AddressSanitizer', '==1==ERROR: AddressSanitizer: heap-use-after-free'],
    ['UBSan', 'x.c:1:2: runtime error: shift exponent 64 is too large'],
    ['LeakSanitizer', '==1==ERROR: LeakSanitizer: detected memory leaks'])
{
    my ($name, $line) = @$kind;

    fails("a report of $name", qr/sanitizer report in nginx\/logs\/san\.1/,
        <<"EOS");
        my \$nginx = nginx(\%conf);
        spew(\$nginx->dir . '/logs/san.1', "$line\\n");
EOS
}

fails("a sanitizer's report amid nginx' own lines",
    qr/sanitizer report in nginx\/logs\/error/, <<'EOS');
    my $nginx = nginx(%conf);
    Enroll::Dir::append($nginx->dir . '/logs/error.log',
        "x.c:1:2: runtime error: null pointer passed as argument 2\n");
EOS

fails('a token in the access log', qr/secret in nginx\/logs\/access/,
    <<'EOS');
    my $nginx = nginx(%conf);
    http($nginx->port)->get("/?t=$token");
    remember_secret($token);
EOS

fails('a token of a response, later in the error log',
    qr/secret in nginx\/logs\/error/, <<'EOS');
    my $nginx = nginx(%conf);
    my $http = http($nginx->port);
    $http->get('/t');
    $http->get('/', Authorization => "Bearer $token");
EOS

fails('a part of a token, in capitals', qr/secret in nginx\/logs\/events/,
    <<'EOS');
    my $nginx = nginx(%conf);
    remember_secret($token);
    spew($nginx->dir . '/logs/events.log', uc substr $token, 20, 30);
EOS

passes('a token that is masked', <<'EOS');
    my $nginx = nginx(%conf);
    remember_secret($token);
    spew($nginx->dir . '/logs/events.log', "enr_*****\n");
EOS

fails('a token in Redis', qr/secret in redis\/logs\/keys/, <<'EOS');
    my $redis = redis();
    remember_secret($token);
    $redis->command('HSET', 'key', token => $token);
EOS

fails('a token in the name of a key, in another database',
    qr/secret in redis\/logs\/keys/, <<'EOS');
    my $redis = redis();
    remember_secret($token);
    $redis->command('SELECT', 3);
    $redis->command('SET', "key:$token", 1);
EOS

fails('a token in an event', qr/secret in redis\/logs\/keys/, <<'EOS');
    my $redis = redis();
    remember_secret($token);
    $redis->command('XADD', 'events', '*', token => $token);
EOS

fails('a token in MONITOR', qr/secret in redis\/logs\/monitor/, <<'EOS');
    my $redis = redis();
    my $monitor = $redis->monitor;
    remember_secret($token);
    $redis->command('ECHO', $token);
EOS

fails('a token sent upstream', qr/secret in a request to idp/, <<'EOS');
    my $idp = upstream(name => 'idp');
    remember_secret($token);
    http($idp->port)->get('/', Authorization => "Bearer $token");
    $idp->clear;
EOS

passes('a token sent upstream where that is fine', <<'EOS');
    my $idp = upstream(name => 'idp', scan => 0);
    remember_secret($token);
    http($idp->port)->get('/', Authorization => "Bearer $token");
EOS


subtest 'a test that dies is looked through as well' => sub {
    my ($status, $output) = run_test(<<'EOS');
        my $nginx = nginx(%conf);
        kill 'ABRT', $nginx->worker_pids;
        $nginx->wait_log(qr/exited on signal/);
        exit 0;
EOS
    isnt($status, 0, 'fails');
    like($output, qr/exited on signal 6/, 'says so');

    ($status, $output) = run_test(<<'EOS');
        my $nginx = nginx(%conf);
        print 'master ', $nginx->pid, "\n";
        die "on purpose\n";
EOS
    isnt($status, 0, 'dies');
    my ($pid) = $output =~ /master (\d+)/;
    ok($pid && !kill(0, $pid), '… and leaves no nginx behind');
};


done_testing;
