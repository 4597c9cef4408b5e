package Enroll::Stack;

# The whole of it: Redis, an IdP by script, one nginx or several in front of
# it, an issuer. The IdP's locations are /register (page), /register/begin,
# /register/finish and /register/assets/ (open); everything else is the
# IdP's, too, and nobody's endpoint.
#
#     my $stack = stack(
#         workers => 2, instances => 2,
#         class   => 'ttl 1h; window 10m; attempts 3;',
#         listen  => 'reuseport',          # more of the listen directive
#         issuer  => 'class standard x;',      # more of the issuer's block
#         redis   => 'enroll_redis …;',    # instead of the private one's
#         redis_user => 0,                 # not as the user of Enroll::Acl
#         http    => '…', server => '…', finish => '…', begin => '…',
#         page    => '…', locations => '…',
#         main    => '…', vars => {…}, nginx_args => {…},
#         redis_server => {…},    # or one that is there: an Enroll::Redis
#
#         classes => 'enroll_class urgent {…}',   # beside standard
#         issuers => { boss => 'approve on;' },   # beside hr, each with a
#                                                 # secret; or blocks as text
#         provers => 'enroll_prover veri {…}',
#         files   => { 'veri.jwks' => $text },    # %%STACK%%/veri.jwks
#         issue   => 'hr boss', revoke => 'hr boss',  # who may; default hr
#         approve => 'hr boss',                   # adds /enroll/approve
#         prove   => 'veri return=/register',     # adds /enroll/prove
#         deliver => 1,       # adds /deliver, which leads to ->gateway
#     );
#     my $made = $stack->issue(subject => 'ada');      # the response
#     my $token = $stack->token;                       # of a fresh subject
#     my $redeemed = $stack->redeem($token);
#     my $session = $stack->session($token);           # a Cookie's value
#     $stack->page($session), ->begin($session), ->finish($session)
#     $stack->finish_by(Authorization => "Bearer $token")
#     $stack->enrol(subject => 'ada');                 # all of that; the id
#     $stack->set($jws), ->prove($jws)
#     $stack->approve(id => $id, approver => 'm-1', by => 'boss')
#     $stack->revoke(subject => 'ada'), ->leave(subject => 'ada')
#     $stack->record($id), ->events, ->status, ->monitor
#
# A signed call (issue, approve, revoke, leave) takes by => 'boss' for another
# issuer's secret, or secret => …, and event, instance, headers, at => PATH.

use strict;
use warnings;

use Carp qw(croak);
use JSON::PP ();

use Enroll::Acl qw(acl_conf);
use Enroll::Dir qw(sub_dir spew slurp);
use Enroll::Gateway;
use Enroll::Http;
use Enroll::Keys qw(make_keys);
use Enroll::Nginx;
use Enroll::Redis;
use Enroll::Upstream;
use Enroll::Wait qw(wait_for);
use Enroll::Webhook qw(webhook_secret webhook_headers);


my $json = JSON::PP->new->utf8->canonical;
my $stacks = 0;


sub new {
    my ($class, %arg) = @_;

    my $name = 'stack' . ++$stacks;
    my $dir = sub_dir($name);

    my $self = bless { %arg, name => $name, dir => $dir,
        secret => webhook_secret(), events => 0, subjects => 0 }, $class;

    $self->{redis_server} = Enroll::Redis->new(name => "$name-redis",
        %{$arg{redis_server} || {}}) if ref $arg{redis_server} ne
            'Enroll::Redis';
    $self->{idp} = $arg{idp} || Enroll::Upstream->new(name => "$name-idp");

    $self->{gateway} = Enroll::Gateway->new(name => "$name-gateway")
        if $arg{deliver};

    $self->{secrets} = { hr => $self->{secret} };
    $self->{secrets}{$_} = webhook_secret()
        for ref $arg{issuers} ? sort keys %{$arg{issuers}} : ();

    my %file = ((map { ("$_.secret" => "$self->{secrets}{$_}\n") }
        keys %{$self->{secrets}}), %{$arg{files} || {}});
    spew("$dir/$_", $file{$_}, 0600) for sort keys %file;
    make_keys("$dir/keys.jwks");

    $self->{nginx} = [map { $self->_nginx($_) } 1 .. ($arg{instances} || 1)];
    return $self;
}


sub redis { return $_[0]{redis_server} }
sub idp   { return $_[0]{idp} }

# where tokens are delivered to, and what came there (decoded bodies)
sub gateway   { return $_[0]{gateway} }
sub delivered { return $_[0]{gateway}->delivered }

sub nginx { return $_[0]{nginx}[$_[1] || 0] }
sub dir   { return $_[0]{dir} }


sub http {
    my ($self, $instance) = @_;
    return Enroll::Http->new(port => $self->nginx($instance)->port);
}


sub _nginx {
    my ($self, $n) = @_;

    my $name = "$self->{name}-nginx$n";

    return Enroll::Nginx->new(
        name => $name, workers => $self->{workers} || 1,
        main => $self->{main} || '',
        vars => { REDIS => $self->redis->socket, IDP => $self->idp->port,
                  STACK => $self->{dir},
                  $self->{gateway} ? (GATEWAY => $self->{gateway}->port) : (),
                  %{$self->{vars} || {}} },
        http => $self->conf,
        %{$self->{nginx_args} || {}});
}


# What a test puts into http { }; the parts are the caller's to replace.

sub conf {
    my ($self) = @_;

    my %part = map { $_ => $self->{$_} // '' }
        qw(http server finish begin page locations listen issuer classes
            provers);
    $part{issuers} = $self->_issuers;
    $part{handlers} = $self->_handlers;
    my $class = $self->{class} // 'ttl 1h; window 10m; attempts 3;';
    my $redis = $self->{redis} // 'enroll_redis unix:%%REDIS%%;';
    $redis .= ' ' . acl_conf() if $self->{redis_user} // 1;

    return <<"CONF";
    enroll_zone enroll 1m;
    enroll_keys %%STACK%%/keys.jwks;
    $redis
    enroll_class standard { $class }
    $part{classes}
    enroll_issuer hr { secret_file %%STACK%%/hr.secret; $part{issuer} }
    $part{issuers}
    $part{provers}
    enroll_log %%DIR%%/logs/enroll.log;
    enroll_url http://localhost:%%PORT%%/enroll;
    $part{http}

    server {
        listen %%PORT%% $part{listen};
        server_name localhost;
        enroll on;
        proxy_set_header Enroll-Subject \$enroll_subject;
        $part{server}

        location = /enroll { enroll_redeem /register; }
        $part{handlers}
        location = /enroll/status { enroll_status; }

        location = /register {
            enroll_endpoint page;
            $part{page}
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location /register/assets/ {
            enroll_endpoint open;
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /register/begin {
            enroll_endpoint begin;
            $part{begin}
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        location = /register/finish {
            enroll_endpoint finish;
            $part{finish}
            proxy_pass http://127.0.0.1:%%IDP%%;
        }

        $part{locations}

        location / { proxy_pass http://127.0.0.1:%%IDP%%; }
    }
CONF
}


sub _issuers {
    my ($self) = @_;

    my $issuers = $self->{issuers};
    return $issuers // '' if !ref $issuers;

    return join "\n    ", map { "enroll_issuer $_ "
        . "{ secret_file %%STACK%%/$_.secret; $issuers->{$_} }" }
        sort keys %$issuers;
}


# The locations of those who are not bearers.

sub _handlers {
    my ($self) = @_;

    my %who = (issue => $self->{issue} // 'hr',
        revoke => $self->{revoke} // 'hr',
        map { $_ => $self->{$_} } grep { defined $self->{$_} }
            qw(approve prove));

    my @handlers = map { "location = /enroll/$_ { enroll_$_ $who{$_}; }" }
        sort keys %who;
    push @handlers, 'location = /deliver '
        . '{ internal; proxy_pass http://127.0.0.1:%%GATEWAY%%; }'
        if $self->{gateway};

    return join "\n        ", @handlers;
}


# The secret of an issuer.

sub secret_of {
    my ($self, $issuer) = @_;
    return $self->{secrets}{$issuer} // croak "no issuer $issuer";
}


# A signed call of an issuer.

sub call {
    my ($self, $path, $body, %arg) = @_;

    my $text = ref $body ? $json->encode($body) : $body;
    my $id = $arg{event} // 'event-' . ++$self->{events} . "-$$";
    my @headers = webhook_headers($arg{secret}
        // $self->secret_of($arg{by} // 'hr'), $text, id => $id);

    return $self->http($arg{instance})->post($arg{at} // $path, $text,
        @headers, 'Content-Type' => 'application/json',
        @{$arg{headers} || []});
}


# The same: what is not a call's is the body's.

sub _order {
    my ($self, $path, $body, %order) = @_;

    my %arg = map { $_ => delete $order{$_} } grep { exists $order{$_} }
        qw(event secret by instance headers at);

    return $self->call($path, { %$body, %order }, %arg);
}


# Of a subject that is fresh, unless named: who has enrolled gets no further
# standard token (I9).

sub issue {
    my ($self, %joiner) = @_;

    my $subject = $joiner{subject} // 'subject-' . ++$self->{subjects};
    return $self->_order('/enroll/issue', { class => 'standard' }, %joiner,
        subject => $subject);
}


sub revoke {
    my ($self, %order) = @_;
    return $self->_order('/enroll/revoke', {}, %order);
}

sub leave {
    my ($self, %order) = @_;
    return $self->revoke(reason => 'left', %order);
}

sub approve {
    my ($self, %order) = @_;
    return $self->_order('/enroll/approve', {}, %order);
}


# A SET, and an attestation; more headers may follow.

sub set {
    my ($self, $jws, @headers) = @_;
    return $self->http->post('/enroll/issue', $jws,
        'Content-Type' => 'application/secevent+jwt',
        Accept => 'application/json', @headers);
}

sub prove {
    my ($self, $jws, %headers) = @_;
    return $self->http->post('/enroll/prove', $jws,
        'Content-Type' => 'application/jwt', %headers);
}


sub token {
    my ($self, %joiner) = @_;

    my $response = $self->issue(%joiner);
    croak 'issue: ' . $response->status . ' ' . $response->body
        if $response->status != 201;

    return $response->json->{token};
}


sub redeem {
    my ($self, $token, @headers) = @_;
    return $self->http->post('/enroll', "token=$token",
        'Content-Type' => 'application/x-www-form-urlencoded', @headers);
}


sub session {
    my ($self, $token) = @_;

    my $response = $self->redeem($token);
    my $cookie = $response->cookie('__Host-enroll');
    croak 'redeem: ' . $response->status . ' ' . $response->body
        if !defined $cookie;

    return "__Host-enroll=$cookie";
}


# A fresh session, and the id of its token.

sub enter {
    my ($self, %joiner) = @_;

    my $made = $self->issue(%joiner)->json;
    return ($self->session($made->{token}), $made->{id});
}


# The whole way, to a registered passkey; returns the id.

sub enrol {
    my ($self, %joiner) = @_;

    my ($session, $id) = $self->enter(%joiner);
    for my $step (qw(begin finish)) {
        my $response = $self->$step($session);
        croak "$step: " . $response->status . ' ' . $response->body
            if $response->status != 200;
    }

    $self->wait_record($id, state => 'enrolled');
    return $id;
}


sub page   { return $_[0]->http->get('/register', Cookie => $_[1]) }
sub begin  { return $_[0]->begin_by(Cookie => $_[1]) }
sub finish { return $_[0]->finish_by(Cookie => $_[1]) }


sub begin_by {
    my ($self, @headers) = @_;
    return $self->http->post('/register/begin', '{}', @headers);
}


sub finish_by {
    my ($self, @headers) = @_;
    return $self->http->post('/register/finish', '{"id":"x"}', @headers);
}


sub record {
    my ($self, $id) = @_;
    my $partition = hex substr $id, 0, 4;
    return $self->redis->hash('HGETALL', "enroll:{$partition}:token:$id");
}


# Settlements come after the response: waits until the record says so.

sub wait_record {
    my ($self, $id, %want) = @_;

    my $record;
    wait_for {
        $record = $self->record($id);
        !grep { ($record->{$_} // '') ne $want{$_} } keys %want;
    } "record $id to say " . join ', ', map { "$_=$want{$_}" }
        sort keys %want;

    return $record;
}


# The audit stream, as hashes; last => N of it, those with these fields; that
# of another partition => N.

sub events {
    my ($self, %want) = @_;

    my $last = delete $want{last};
    my $partition = delete $want{partition} // 0;
    my $stream = "enroll:{$partition}:events";
    my $entries = $last
        ? [reverse @{ $self->redis->command('XREVRANGE', $stream, '+', '-',
            'COUNT', $last) }]
        : $self->redis->command('XRANGE', $stream, '-', '+');
    my @events = map { +{ @{$_->[1]} } } @$entries;

    for my $field (keys %want) {
        @events = grep { ($_->{$field} // '') eq $want{$field} } @events;
    }

    return @events;
}


# The lines of enroll_log, decoded.

sub log_lines {
    my ($self, $instance) = @_;

    my $file = $self->nginx($instance)->{logs} . '/enroll.log';
    return map { $json->decode($_) } split /\n/, slurp($file);
}


sub status { return $_[0]->http($_[1])->get('/enroll/status')->json }


1;
