#!/usr/bin/perl

# enroll_issue: who may issue what, by a signed joiner event, once an event;
# one live token a subject.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused passed reason_of);
use Enroll::Test;

use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;
my %secret = map { $_ => webhook_secret() } qw(it new old desk);
my $files = test_dir();
spew("$files/$_.secret", "$secret{$_}\n", 0600) for sort keys %secret;

my $stack = stack(workers => 2, vars => { FILES => $files },
    http => <<'CONF', locations => <<'CONF');
    enroll_class urgent { ttl 10m; window 1m; attempts 1; }
    enroll_class contractor { ttl 30d; }

    enroll_issuer it {
        secret_file %%FILES%%/it.secret;
        class standard urgent;
    }

    enroll_issuer turning {
        secret_file %%FILES%%/new.secret;
        secret_file %%FILES%%/old.secret;
    }

    enroll_issuer desk {
        secret_file %%FILES%%/desk.secret;
        class urgent;
    }
CONF
        location = /issue/all { enroll_issue hr it turning; }
        location = /issue/it { enroll_issue it; }
        location = /issue/desk { enroll_issue desk; }
        location = /issue/page { enroll_issue hr; enroll_url https://x/y?z=1; }
CONF

my $http = $stack->http;
my $redis = $stack->redis;
my $count = 0;


# A call, signed or as good as: what is given replaces the true headers.

sub call {
    my ($body, %arg) = @_;

    my $text = ref $body ? $json->encode($body) : $body;
    my $id = $arg{id} // 'call-' . ++$count;
    my $time = $arg{time} // time;
    my $secret = $arg{secret} // $stack->{secret};
    my $signature = $arg{signature}
        // webhook_signature($secret, $id, $time, $text);

    return $http->post($arg{path} // '/enroll/issue', $arg{sent} // $text,
        @{ $arg{headers} // ['webhook-id' => $id,
            'webhook-timestamp' => $time,
            'webhook-signature' => $signature] });
}

sub joiner { return { subject => 'ada', class => 'standard', @_ } }

sub length_of_stream {
    return $redis->command('XLEN', 'enroll:{0}:events');
}

sub live {
    my ($subject) = @_;
    my @live;
    for my $key ($redis->keys('enroll:{0}:token:*')) {
        my $record = $redis->hash('HGETALL', $key);
        push @live, $key if $record->{subject} eq $subject
            && $record->{state} =~ /^(?:issued|redeemed|claimed)$/;
    }
    return @live;
}


subtest 'signatures' => sub {
    my $before = length_of_stream();
    my $monitor = $redis->monitor;
    my $body = $json->encode(joiner());
    my $now = time;
    my $good = webhook_signature($stack->{secret}, 'i', $now, $body);
    my ($base64) = $good =~ /,(.*)/;
    my @all = ('webhook-id' => 'i', 'webhook-timestamp' => $now,
        'webhook-signature' => $good);

    my %table = (
        'no header' => { headers => [] },
        'no id' => { headers => [@all[2 .. 5]] },
        'no timestamp' => { headers => [@all[0, 1, 4, 5]] },
        'no signature' => { headers => [@all[0 .. 3]] },
        'empty ones' => { headers => ['webhook-id' => '',
            'webhook-timestamp' => '', 'webhook-signature' => ''] },
        'another secret' => { secret => webhook_secret() },
        'the secret of another issuer' => { secret => $secret{it} },
        'another body' => { sent => $body =~ s/ada/eve/r },
        'a byte more' => { sent => "$body " },
        'a byte less' => { sent => substr $body, 0, -1 },
        'no body' => { sent => '' },
        'another id' => { headers => ['webhook-id' => 'j', @all[2 .. 5]] },
        'another timestamp' => { headers => [@all[0, 1],
            'webhook-timestamp' => $now - 1, @all[4, 5]] },
        'a second id' => { headers => ['webhook-id' => 'i', @all] },
        'a second timestamp' => { headers => [@all,
            'webhook-timestamp' => $now] },
        'a second signature header' => { headers => [@all,
            'webhook-signature' => $good] },
        'another version' => { signature => "v2,$base64" },
        'no version' => { signature => $base64 },
        'a version in upper case' => { signature => "V1,$base64" },
        'no padding' => { signature => $good =~ s/=+$//r },
        'in another base64' => { signature => $good =~ tr{+/}{-_}r . '=' },
        'a long one' => { signature => $good . 'A' },
        'several, none good' => { signature => join ' ',
            map { webhook_signature(webhook_secret(), 'x', $now, $body) }
            1 .. 3 },
        'too many' => { signature => join ' ', ("v1,x") x 16, $good },
        'joined by commas' => { signature => "$good,$good" },
        'stale by 301 s' => { time => $now - 301 },
        'stale by a year' => { time => $now - 31_536_000 },
        'in the future by 310 s' => { time => $now + 310 },
        'a negative time' => { time => -$now },
        'no number' => { time => 'now' },
        'milliseconds' => { time => $now . '000' },
        'a fraction' => { time => "$now.5" },
        'a sign' => { time => "+$now" },
        'hexadecimal' => { time => sprintf '0x%x', $now },
        'a dot in the id' => { id => 'a.b' },
        'a space in the id' => { id => 'a b' },
        'an id of 256' => { id => 'x' x 256 },
        'an id beyond ASCII' => { id => "\xc3\xa9" },
        'another signature scheme' => { headers => ['X-Hub-Signature-256'
            => "sha256=$base64"] },
        'a bearer' => { headers => [Authorization => "Bearer $base64"] },
    );

    for my $name (sort keys %table) {
        refused(call($body, %{$table{$name}}), 401, 'signature', $name);
    }

    my @commands = $monitor->commands;
    is scalar(@commands), 0, 'Redis was not asked';
    is length_of_stream(), $before, 'and there is no event';
};


subtest 'signatures that are good' => sub {
    my $now = time;
    my $other = webhook_signature(webhook_secret(), 'x', $now, 'x');

    for my $time ($now - 295, $now, $now + 295) {
        is call(joiner(), time => $time)->status, 201,
            'at ' . ($time - $now) . ' s';
    }

    my $body = $json->encode(joiner());
    my $good = webhook_signature($stack->{secret}, 'several', $now, $body);
    is call($body, id => 'several', time => $now,
        signature => "$other v2,abc v1a,def $good")->status, 201,
        'one of several';
    is call(joiner(), id => '!~x' . 'y' x 252)->status, 201, 'an id of 255';

    # rotation: both secrets are good, and others are not
    for my $which (qw(new old)) {
        my $made = call(joiner(), path => '/issue/all',
            secret => $secret{$which});
        is $made->status, 201, "the $which secret";
        is $stack->record($made->json->{id})->{issuer}, 'turning',
            '… is the same issuer';
    }
    refused(call(joiner(), path => '/issue/all', secret => $secret{desk}),
        401, 'signature', 'one that is not of this location');

    # whose secret it is says who it is
    for my $row (['hr', $stack->{secret}], ['it', $secret{it}]) {
        my ($issuer, $secret) = @$row;
        my $made = call(joiner(), path => '/issue/all', secret => $secret);
        is $stack->record($made->json->{id})->{issuer}, $issuer,
            "the issuer is $issuer";
    }

    for my $type ('text/plain', 'application/json', 'x', undef) {
        my $text = $json->encode(joiner());
        is $http->post('/enroll/issue', $text,
            webhook_headers($stack->{secret}, $text),
            defined $type ? ('Content-Type' => $type) : ())->status, 201,
            'a content type of ' . ($type // 'nobody');
    }
};


subtest 'what is asked for' => sub {
    my $before = length_of_stream();
    my $long = 'x' x 256;

    my %table = (
        'no object' => '[]', 'nothing' => '', 'a string' => '"x"',
        'not closed' => '{"subject":"ada"', 'not UTF-8' => "{\"\xff\":1}",
        'two objects' => '{"subject":"a"}{}', 'a number' => '1',
        'deep' => '{"subject":' . '[' x 5000,
        'no subject' => { class => 'standard' },
        'no class' => { subject => 'ada' },
        'an empty subject' => joiner(subject => ''),
        'a long subject' => joiner(subject => $long),
        'a number as a subject' => joiner(subject => 1),
        'a subject with a newline' => joiner(subject => "a\nb"),
        'a subject with a NUL' => '{"class":"standard","subject":"a\\u0000"}',
        'a subject with a C1' => joiner(subject => "a\x{85}b"),
        'an unknown member' => joiner(tll => 60),
        'a member of another event' => joiner(id => '0' x 32),
        'a member twice' =>
            '{"class":"standard","subject":"a","subject":"b"}',
        'an empty class' => joiner(class => ''),
        'a class in upper case' => joiner(class => 'Standard'),
        'a channel in upper case' => joiner(channel => 'E-Mail'),
        'ttl 0' => joiner(ttl => 0), 'ttl -1' => joiner(ttl => -1),
        'ttl as a string' => joiner(ttl => '60'),
        'ttl 1.5' => '{"class":"standard","subject":"a","ttl":1.5}',
        'ttl huge' =>
            '{"class":"standard","subject":"a","ttl":99999999999999999999}',
        'ttl longer than the class' => joiner(ttl => 3601),
        'attributes as a list' => joiner(attributes => []),
        'seventeen attributes' => joiner(attributes =>
            { map { ("a$_" => 'x') } 1 .. 17 }),
        'a long attribute' => joiner(attributes => { a => 'x' x 257 }),
        'a number as an attribute' => joiner(attributes => { a => 1 }),
        'an attribute named badly' => joiner(attributes => { 'a.b' => 'x' }),
        'an attribute with a newline' => joiner(attributes => { a => "\n" }),
        'an event that is not the id' => joiner(event => 'another'),
    );

    for my $name (sort keys %table) {
        my $response = call($table{$name});
        refused($response, 400, 'body', $name);
        unlike $response->body, qr/xxxx/, '… and quotes nothing';
    }

    for my $class ('urgent', 'contractor', 'nobody', 'x' x 32) {
        refused(call(joiner(class => $class)), 403, 'class',
            "hr may not issue $class");
    }
    refused(call(joiner(), path => '/issue/desk', secret => $secret{desk}),
        403, 'class', 'nor the desk standard');

    is length_of_stream(), $before, 'there is no event';
};


subtest 'what is made' => sub {
    my $subject = "\x{e9}\x{20ac}\x{1f600} a'b\"c\\d";
    my $made = call(joiner(subject => $subject, ttl => 60, channel => 'post',
        attributes => { map { ("a$_" => 'v' x 256) } 1 .. 16 }),
        id => 'made-1')->json;
    my $record = $stack->record($made->{id});

    is_deeply [sort keys %$made], [qw(expires_at id state token url)],
        'what the answer has';
    is $made->{state}, 'issued', 'its state';
    utf8::decode(my $stored = $record->{subject});
    is $stored, $subject, 'a subject of any kind';
    is $record->{class}, 'standard', 'its class';
    is $record->{channel}, 'post', 'its channel';
    is $record->{issuer}, 'hr', 'its issuer';
    is $record->{event}, 'made-1', 'its event';
    is $record->{state}, 'issued', 'its state';
    is $record->{'attribute.a16'}, 'v' x 256, 'its attributes';
    is $record->{expires_at}, $made->{expires_at}, 'its end';
    is sprintf('%.0f', ($record->{expires_at} - $record->{issued_at}) / 1000),
        60, 'as long as was asked for';
    is $record->{attempts_allowed}, 3, 'its attempts';
    is $record->{window}, 600_000, 'its window';

    $made = call(joiner(class => 'urgent'), path => '/issue/it',
        secret => $secret{it})->json;
    $record = $stack->record($made->{id});
    is sprintf('%.0f', ($record->{expires_at} - $record->{issued_at}) / 1000),
        600, 'as long as the class says';
    is $record->{attempts_allowed}, 1, 'and as often';
    is $record->{channel}, 'unspecified', 'no channel';

    is call(joiner(ttl => 3600))->status, 201, 'a ttl as long as the class';
    like call(joiner(), path => '/issue/page')->json->{url},
        qr{\Ahttps://x/y\?z=1#enr_}, 'enroll_url of the location';

    my $response = call(joiner());
    is $response->header('Cache-Control'), 'no-store', 'not to be cached';
    is $response->header('Content-Type'), 'application/json', 'as JSON';
    is call(joiner(event => 'same'), id => 'same')->status, 201,
        'an event that is the id';
};


subtest 'an event again' => sub {
    my $first = call(joiner(subject => 'bea'), id => 'again')->json;
    my $before = length_of_stream();

    for my $body (joiner(subject => 'bea'), joiner(subject => 'bea', ttl => 5),
        joiner(subject => 'cyd'))
    {
        my $again = call($body, id => 'again');
        is $again->status, 200, 'is answered';
        is_deeply $again->json, { id => $first->{id}, state => 'issued' },
            'with the id and its state';
    }

    $stack->redeem($first->{token});
    is call(joiner(subject => 'bea'), id => 'again')->json->{state},
        'redeemed', 'as it is now';
    is length_of_stream(), $before + 1, 'without an event of its own';

    my $other = call(joiner(subject => 'bea'), id => 'again',
        path => '/issue/it', secret => $secret{it});
    is $other->status, 201, 'the same of another issuer is another';
    isnt $other->json->{id}, $first->{id}, 'with its own token';

    my $one = $first->{id};
    is $stack->record($one)->{state}, 'revoked', 'which supersedes it';
    is call(joiner(subject => 'bea'), id => 'again')->json->{state},
        'revoked', 'and so the first is told';
};


subtest 'a token supersedes the one before' => sub {
    my $old = call(joiner(subject => 'dan'))->json;
    my $new = call(joiner(subject => 'dan'))->json;

    is $stack->record($old->{id})->{state}, 'revoked', 'it is revoked';
    is $stack->record($old->{id})->{revoked_why}, 'superseded', 'therefore';
    is $stack->record($old->{id})->{revoked_by}, 'hr', 'by him';
    my ($event) = $stack->events(event => 'revoke', id => $old->{id});
    is $event->{why}, 'superseded', 'with an event';
    refused($stack->redeem($old->{token}), 410, 'revoked', 'the old link');

    my $session = $stack->session($new->{token});
    my $newer = call(joiner(subject => 'dan'))->json;
    refused($stack->page($session), 410, 'revoked',
        'the session of the one before');
    refused($stack->begin($session), 410, 'revoked', 'on all of its steps');
    is scalar(my @live = live('dan')), 1, 'one is live';
    is $stack->redeem($newer->{token})->status, 200, 'the newest';
};


subtest 'five at the same moment' => sub {
    for my $round (1 .. 5) {
        my $subject = "eve-$round";
        my $text = $json->encode(joiner(subject => $subject));
        my @responses = burst(map { [$http, 'POST', '/enroll/issue',
            [webhook_headers($stack->{secret}, $text)], $text] } 1 .. 5);

        is join(' ', map { $_->status } @responses), '201 201 201 201 201',
            'all are answered';
        my @live = live($subject);
        is scalar(@live), 1, 'one is live';

        my @good = grep { $stack->redeem($_->json->{token})->status == 200 }
            @responses;
        is scalar(@good), 1, 'one can be redeemed (I1)';
    }

    my $text = $json->encode(joiner(subject => 'fay'));
    my @headers = webhook_headers($stack->{secret}, $text, id => 'at-once');
    my @responses = burst(map { [$http, 'POST', '/enroll/issue', [@headers],
        $text] } 1 .. 5);
    is join(' ', sort map { $_->status } @responses), '200 200 200 200 201',
        'the same event five times makes one token';
    is scalar(my @live = live('fay')), 1, 'one is live';
};


subtest 'bodies' => sub {
    my $before = length_of_stream();
    my $text = $json->encode(joiner());
    my @headers = webhook_headers($stack->{secret}, $text);

    refused($http->request('POST', '/enroll/issue', [@headers,
            'Transfer-Encoding' => 'chunked'],
        sprintf("%x\r\n%s\r\n0\r\n\r\n", length $text, $text)), 400, 'body',
        'chunked, of no length');

    my $padding = ' ' x 16_384;
    refused(call(substr "$text$padding", 0, 16_385), 400, 'body',
        'of 16385 bytes');
    is length_of_stream(), $before, 'there is no event';
    is call(substr "$text$padding", 0, 16_384)->status, 201,
        'of 16384 bytes';

    is $http->request('GET', '/enroll/issue', [@headers])->status, 405,
        'GET';
    is length_of_stream(), $before + 2, 'and no other event';
};


subtest 'a body that nginx puts into a file' => sub {
    my $filed = stack(server => 'client_body_in_file_only clean;');
    my $response = $filed->issue(subject => 'ada');
    refused($response, 400, 'body', 'is refused');
    like $response->json->{detail}, qr/memory/, 'and says why';
};


# HTTP and most who read a name drop the blanks around it, so that it would be
# another one here only.

subtest 'a subject with blanks at its ends (I9)' => sub {
    $stack->enrol(subject => 'ada-b');

    for my $blank (' ', "\x{a0}", "\x{200b}", "\x{3000}", "\x{feff}") {
        my $name = sprintf 'U+%04X', ord $blank;
        for my $subject ($blank . 'ada-b', 'ada-b' . $blank, $blank) {
            my $response = $stack->issue(subject => $subject);
            refused($response, 400, 'body', $name);
            like $response->json->{detail}, qr/"subject".*blanks at its ends/,
                '… and says so';
            refused($stack->leave(subject => $subject), 400, 'body',
                '… nor does such a one leave');
        }
    }

    is $stack->issue(subject => 'ada b')->status, 201, 'within it they may be';
    refused($stack->issue(subject => 'ada-b'), 409, 'first_use',
        'the name itself has enrolled');
};


subtest 'an event whose token is forgotten' => sub {
    my $short = stack(http => 'enroll_retain 0;',
        classes => 'enroll_class blink { ttl 1s; }',
        issuer => 'class standard blink;');
    my %event = (subject => 'ada', class => 'blink', event => 'join-1');
    my $made = $short->issue(%event)->json;

    wait_for { !%{ $short->record($made->{id}) } } 'the record to be gone';
    my $response = $short->issue(%event);
    refused($response, 409, 'ended', 'the event again');
    like $response->json->{detail}, qr/send another event/, '… what helps';
    is $short->issue(%event, event => 'join-2')->status, 201, 'another event';
};


subtest 'Redis away' => sub {
    $redis->stop;
    my $response = call(joiner());
    refused($response, 503, 'unavailable', 'is refused (I6)');
    ok $response->header('Retry-After'), 'until later';
    $redis->start;
};

done_testing;
