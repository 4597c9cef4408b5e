#!/usr/bin/perl

# docs/recipes.md, as it stands: its configurations are loaded, its code and
# its commands are run, and say what the page says that they say. Addresses
# and files are ours.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Checks qw(register);
use Enroll::Process;
use Enroll::Refused qw(refused passed);
use Enroll::Secrets qw(remember_secrets_in);
use Enroll::Test;

use IO::Socket::INET;
use JSON::PP ();


my $json = JSON::PP->new->utf8->canonical;
my $page = slurp(top() . '/docs/recipes.md');
my $sender = sender();
my (%seen, %port);


# --- what a recipe consists of

# The blocks of that language in it. A block that no test has taken is one
# that was not tried: %seen.

sub blocks {
    my ($title, $language) = @_;

    my ($text) = $page =~ /^## \Q$title\E\n(.*?)(?=^## |\z)/ms;
    my @blocks = ($text // '') =~ /^```$language\n(.*?)^```$/msg;
    $seen{$_} = 1 for @blocks;

    return wantarray ? @blocks : $blocks[0];
}

# Its configuration goes where its comments say.

sub conf {
    my ($text) = @_;

    my (undef, %part) = split /^# in (\w[^\n]*)\n/m, $text;
    my %arg = map { $_->[0] => ours($part{$_->[1]} // '', '%%STACK%%') }
        ['http', 'http'], ['server', 'the public server'],
        ['locations', "the issuers' server"];

    $arg{class} = $1
        if $arg{http} =~ s/^enroll_class standard \{\n(.*?)^\}\n//ms;
    return %arg;
}

# The same with our addresses and files: the folder, and the nginx's port.

sub ours {
    my ($text, $dir, $nginx) = @_;

    my $base = 'http://127.0.0.1:' . ($nginx // '%%PORT%%');
    $text =~ s{https://(?:enroll\.example\.internal:8443|login\.example\.com)}
              {$base}g;
    $text =~ s{/etc/(?:nginx/enroll|iam|acme|mail)/}{$dir/}g;
    $text =~ s{/usr/sbin/sendmail}{$dir/sendmail};
    $text =~ s/\b8025\b/$port{gateway}/g;
    $text =~ s/\b8026\b/$port{receiver}/g;
    return $text;
}

sub folder {
    my ($name) = @_;

    my $dir = sub_dir("recipe-$name", 0755);
    symlink top() . '/t/senders/node_modules', "$dir/node_modules"
        or die "symlink: $!";
    spew("$dir/package.json", '{"type":"module"}');
    return $dir;
}

# The commands of a block, each with what is shown of it.

sub commands {
    my ($block) = @_;
    return map { [split /\n/, $_, 2] } $block =~ /^\$ (.*\n(?:(?!\$ ).*\n)*)/mg;
}

# What it wrote, and whether it went well.

sub run {
    my ($dir, $command) = @_;

    local $ENV{PATH} = "$dir:$ENV{PATH}";
    my $output = qx(cd $dir && { $command
        } 2>>$dir/errors);
    remember_secrets_in($output);
    return ($output, $? == 0);
}

sub run_code {
    my ($dir, $code) = @_;

    spew("$dir/code.mjs", $code);
    my ($said, $well) = run($dir, 'node code.mjs');
    ok $well, 'the code runs' or diag slurp("$dir/errors");
    return $said;
}

# The files that its commands make.

sub made {
    my ($dir, $block) = @_;

    for my $step (commands($block)) {
        my (undef, $well) = run($dir, $step->[0]);
        ok $well, "runs: $step->[0]" or diag slurp("$dir/errors");
    }

    my @files = glob "$dir/*.secret $dir/*.jw*";
    return map { m{([^/]+)\z} => slurp($_) } @files;
}

# What runs beside it.

{
    package Server;

    sub start {
        my ($class, $dir, $name, $port) = @_;
        my $self = bless { port => $port,
            process => Enroll::Process->start(argv => ['node',
                "$dir/$name.mjs"], output => "$dir/$name.log") }, $class;
        Enroll::Checks::register($self, 0);
        Enroll::Wait::wait_for(sub { IO::Socket::INET->new(
            PeerAddr => "127.0.0.1:$port") }, "$name to listen", 20);
        return $self;
    }

    sub port   { return $_[0]{port} }
    sub finish { return $_[0]{process}->stop('TERM') }
}


subtest 'webhooks' => sub {
    my $title = 'An HRIS or IAM that sends webhooks';
    my $dir = folder('webhooks');
    my %files = made($dir, scalar blocks($title, 'console'));
    my $stack = stack(files => \%files, conf(scalar blocks($title, 'nginx')));

    is run_code($dir, ours(scalar blocks($title, 'js'), $dir,
        $stack->nginx->port)), scalar blocks($title, 'text'),
        'and says what the page says';

    my ($event, @more) = $stack->events(subject => 'u-1042',
        event => 'revoke');
    is scalar(@more), 0, 'the leaver was told once';
    my $record = $stack->record($event->{id});
    is join(' ', @$record{qw(state issuer channel revoked_by event
        attribute.email attribute.manager)}),
        'revoked hris email hris join-1042 ada@example.org m-7',
        'the joiner has come and gone';
};


subtest 'security event tokens' => sub {
    my $title = 'One that pushes security events';
    my $dir = folder('events');
    my ($code, $gateway) = blocks($title, 'js');
    $port{gateway} = free_port();

    # the directory has an address of its own
    spew("$dir/people.json",
        $json->encode({ 'u-1043' => { email => 'bea@directory.example' } }));
    spew("$dir/sendmail", "#!/bin/sh\ncat > $dir/mail\n", 0755);
    spew("$dir/gateway.mjs", ours($gateway, $dir));
    my $server = Server->start($dir, 'gateway', $port{gateway});

    my %files = made($dir, scalar blocks($title, 'console'));
    my $stack = stack(files => \%files, conf(scalar blocks($title, 'nginx')));
    $code = ours($code, $dir, $stack->nginx->port);

    is run_code($dir, $code), scalar blocks($title, 'text'),
        'and says what the page says';
    my ($record) = map { $stack->record($_->{id}) }
        $stack->events(event => 'issue', subject => 'u-1043');
    is join(' ', @$record{qw(state revoked_why issuer event
        attribute.email)}),
        'revoked prov:deactivate iam e-1 bea@example.org', 'came and went';

    # others, by the same code
    my $push = sub {
        my ($call) = @_;
        my $calls = $code =~ s/^console\.log\(.*\n//mgr;
        return run_code($dir, $calls . "console.log(await push($call));\n");
    };
    like $push->(q('e-5', 'u-1043', 'create:full', { emails })), qr/^202$/m,
        'she comes again';

    my $mail = slurp("$dir/mail");
    remember_secrets_in($mail);
    my ($token) = $mail =~ m{/enroll#(enr_\S+)};
    like $mail, qr/\ATo: bea\@directory\.example\nSubject: /,
        'the mail goes to the directory\'s address';
    passed($stack->redeem($token), 'and its link works');

    like $push->(q('e-6', 'u-1045', 'create:full', { emails })), qr/^502 /m,
        'whom the directory does not know gets none';
    $stack->wait_record($_->{id}, state => 'revoked',
        revoked_why => 'undelivered')
        for $stack->events(event => 'issue', subject => 'u-1045');
};


subtest 'curl and openssl' => sub {
    my $title = 'A ticket system with curl';
    my $dir = folder('tickets');
    my %files = map { ("$_.secret" => webhook_secret() . "\n") }
        qw(helpdesk managers);
    spew("$dir/$_", $files{$_}, 0600) for keys %files;

    my $stack = stack(files => \%files, conf(scalar blocks($title, 'nginx')));
    spew("$dir/enroll", ours(scalar blocks($title, 'sh'), $dir,
        $stack->nginx->port), 0755);

    my $id;
    for my $step (commands(scalar blocks($title, 'console'))) {
        my ($command, $shown) = @$step;
        $command =~ s/[0-9a-f]{32}/$id/;
        my ($said, $well) = run($dir, $command);

        is $well, $shown !~ /^curl: /, $command;
        my ($want) = $shown =~ /^(\{.*)/ms;
        my ($is, $as) = map { $json->decode($_ =~ s/\n(?!\z)/ /gr) }
            $said, $want =~ s/\n"/"/gr;
        $id //= $is->{id};
        delete @$_{qw(id token url expires_at)} for $is, $as;
        is_deeply $is, $as, 'answers what the page says' or diag $said;
    }

    my ($revoke) = $stack->events(event => 'revoke', id => $id);
    is join(' ', map { $_ // '-' } @$revoke{qw(subject exception requester
        approvers by why)}),
        'eve standard m-7 m-8 helpdesk ticket-4712', 'all of it is told';

    for my $bad ('a"b', 'a b', '', '$(id)', "a'b") {
        my $quoted = $bad =~ s/'/'\\''/gr;
        my (undef, $well) = run($dir,
            "enroll helpdesk.secret issue t-1 '$quoted' m-7");
        ok !$well, "no word: $bad";
    }
    is scalar(() = $stack->events(event => 'issue')), 1, 'nothing came of it';
};


subtest 'proof, from the back end' => sub {
    my $title = 'A proofing service';
    my $dir = folder('prover');
    my ($conf) = blocks($title, 'nginx');
    my %files = made($dir, scalar blocks($title, 'console'));
    my $stack = stack(files => \%files, conf($conf));

    my ($session, $id) = $stack->enter(subject => 'ada');
    refused($stack->begin($session), 403, 'unproofed', 'before');
    is run_code($dir, ours(scalar blocks($title, 'js'), $dir,
        $stack->nginx->port)), scalar blocks($title, 'text'),
        'and says what the page says';
    passed($stack->begin($session), 'after');

    my ($event) = $stack->events(event => 'proofed', id => $id);
    is join(' ', @$event{qw(prover proof proof_method proof_evidence)}),
        'acme ial2 passport-video case-77', 'it is told';
};


subtest 'proof, by OpenID Connect' => sub {
    my $title = 'A proofing service';
    my (undef, $conf) = blocks($title, 'nginx');

    $sender->key('bank', kty => 'RSA');
    my $stack = stack(conf($conf),
        files => { 'bank.jwks' => $sender->jwks('bank') });
    my ($session, $id) = $stack->enter(subject => 'ada');

    my $led = $stack->page($session);
    is $led->status, 303, 'the page leads away';
    my ($to, $query) = split /\?/, $led->header('Location');
    my %query = map { my ($name, $value) = split /=/; $name => $value
        =~ s/%(..)/chr hex $1/ger } split /&/, $query;
    is_deeply [$to, \%query], ['https://id.bank.example/authorize', {
        response_type => 'id_token', response_mode => 'form_post',
        scope => 'openid profile', client_id => 'enroll-example-com',
        redirect_uri => 'https://login.example.com/enroll/proof',
        acr_values => 'urn:example:ial:2', nonce => $id }],
        'to the provider, with what it has to know';

    my $shown = $json->decode(scalar blocks($title, 'json'));
    my $late = time - $shown->{iat};
    my $token = sub {
        my (%over) = @_;
        my %claims = (%$shown, nonce => $query{nonce}, %over);
        $claims{$_} += $late for qw(iat exp auth_time);
        return $sender->jwt('bank', \%claims);
    };
    # a form of another site: without the cookie
    my $post = sub {
        my ($jws) = @_;
        return $stack->http->post('/enroll/proof', "id_token=$jws&state=x",
            'Content-Type' => 'application/x-www-form-urlencoded',
            Origin => 'https://id.bank.example', Accept => 'text/html',
            'Sec-Fetch-Site' => 'cross-site');
    };

    is $post->($token->(preferred_username => 'eve', jti => 'x'))->status,
        403, 'somebody else, with her nonce';
    refused($stack->begin($session), 403, 'unproofed', 'opens nothing');

    my $back = $post->($token->());
    is $back->status, 303, 'she comes back';
    is $back->header('Location'), '/register', 'and is led to the page';
    passed($stack->page($session), 'which is hers now');
    passed($stack->begin($session), 'and begin');
    is $stack->record($id)->{proof_method}, 'face', 'her proof is on record';
};


subtest 'an IdP that verifies' => sub {
    my $title = 'An IdP that verifies';
    my $dir = folder('idp');
    my $port = free_port();
    my $steps = '{ "/register": "page", "/register/begin": "begin", '
        . '"/register/finish": "finish" }';

    spew("$dir/idp.mjs", <<"JS");
        import http from 'node:http';
        import { enrolling } from './verify.mjs';
        http.createServer(async (request, response) => {
            try {
                const who = await enrolling(request, $steps\[request.url]);
                response.end(JSON.stringify(
                    { who, word: request.headers['enroll-assertion'] }));
            } catch (error) {
                response.writeHead(401).end(error.message);
            }
        }).listen($port, '127.0.0.1');
JS

    # it knows nginx's address before nginx is there
    my $nginx = free_port();
    spew("$dir/verify.mjs", ours(scalar blocks($title, 'js'), $dir, $nginx)
        =~ s/'login\.example\.com'/'localhost'/r);
    my $idp = Server->start($dir, 'idp', $port);
    my %conf = conf(scalar blocks($title, 'nginx'));
    s/%%PORT%%/$nginx/g for values %conf;
    my $stack = stack(%conf, idp => $idp, listen => ";\nlisten $nginx");
    my ($session, $id) = $stack->enter(subject => 'ada');

    my %said;
    for my $step (qw(page begin finish)) {
        my $response = $stack->$step($session);
        is $response->status, 200, "$step: it believes"
            or diag $response->body;
        $said{$step} = $response->json || {};
        is "$said{$step}{who}{sub} $said{$step}{who}{id}", "ada $id",
            '… and knows who';
    }
    $stack->wait_record($id, state => 'enrolled');
    is $said{finish}{who}{jti}, $stack->record($id)->{claim},
        'a finish by its claim';

    my $direct = http($port);
    is $direct->post('/register/begin', '{}')->status, 401,
        'past the proxy: nothing';
    is $direct->post('/register/finish', '{}',
        'Enroll-Assertion' => $said{begin}{word})->status, 401,
        'nor by the word for another request';
    is $direct->post('/register/begin', '{}',
        'Enroll-Assertion' => $said{begin}{word})->status, 200,
        'which is good for its own';

    blocks($title, 'sql');      # an IdP's own, of whatever kind
};


subtest 'somebody who has to know' => sub {
    my $title = 'Somebody who has to know';
    my $dir = folder('receiver');
    my $nginx = free_port();
    $port{receiver} = free_port();

    spew("$dir/receiver.mjs", ours(scalar blocks($title, 'js'), $dir, $nginx));
    Server->start($dir, 'receiver', $port{receiver});
    my %conf = conf(scalar blocks($title, 'nginx'));
    s/%%PORT%%/$nginx/g for values %conf;
    my $stack = stack(%conf, listen => ";\nlisten $nginx");
    wait_for { $stack->redis->command('EXISTS', 'enroll:{0}:notify') }
        'somebody to tell';

    my $token = $stack->token(subject => 'ada');
    my $session = $stack->session($token);
    passed($stack->$_($session), $_) for qw(begin finish);
    my $said = sub { slurp("$dir/receiver.log") };
    wait_for { $said->() =~ /create/ } 'the enrollment to be told', 20;
    refused($stack->redeem($token), 410, 'enrolled', 'the link again');
    wait_for { $said->() =~ /replay/ } 'the replay to be told', 20;
    is $said->(), scalar blocks($title, 'text'), 'as the page says';
};


my @untried = grep { !$seen{$_} } $page =~ /^```\w+\n(.*?)^```$/msg;
is scalar(@untried), 0, 'all that the page shows was tried'
    or diag $untried[0];

done_testing;
