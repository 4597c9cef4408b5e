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
#         http    => '…', server => '…', finish => '…', begin => '…',
#         page    => '…', locations => '…',
#         main    => '…', vars => {…}, nginx_args => {…},
#         redis_server => {…},    # or one that is there: an Enroll::Redis
#     );
#     my $made = $stack->issue(subject => 'ada');      # the response
#     my $token = $stack->token(subject => 'ada');
#     my $redeemed = $stack->redeem($token);
#     my $session = $stack->session($token);           # a Cookie's value
#     $stack->page($session), ->begin($session), ->finish($session)
#     $stack->finish_by(Authorization => "Bearer $token")
#     $stack->record($id), ->events, ->status, ->monitor

use strict;
use warnings;

use Carp qw(croak);
use JSON::PP ();

use Enroll::Dir qw(sub_dir spew slurp);
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
        secret => webhook_secret(), events => 0 }, $class;

    $self->{redis_server} = Enroll::Redis->new(name => "$name-redis",
        %{$arg{redis_server} || {}}) if ref $arg{redis_server} ne
            'Enroll::Redis';
    $self->{idp} = $arg{idp} || Enroll::Upstream->new(name => "$name-idp");

    make_keys("$dir/keys.jwks");
    spew("$dir/hr.secret", "$self->{secret}\n");
    chmod 0600, "$dir/hr.secret";

    $self->{nginx} = [map { $self->_nginx($_) } 1 .. ($arg{instances} || 1)];
    return $self;
}


sub redis { return $_[0]{redis_server} }
sub idp   { return $_[0]{idp} }
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
                  STACK => $self->{dir}, %{$self->{vars} || {}} },
        http => $self->conf,
        %{$self->{nginx_args} || {}});
}


# What a test puts into http { }; the parts are the caller's to replace.

sub conf {
    my ($self) = @_;

    my %part = map { $_ => $self->{$_} // '' }
        qw(http server finish begin page locations listen issuer);
    my $class = $self->{class} // 'ttl 1h; window 10m; attempts 3;';
    my $redis = $self->{redis} // 'enroll_redis unix:%%REDIS%%;';

    return <<"CONF";
    enroll_zone enroll 1m;
    enroll_keys %%STACK%%/keys.jwks;
    $redis
    enroll_class standard { $class }
    enroll_issuer hr { secret_file %%STACK%%/hr.secret; $part{issuer} }
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
        location = /enroll/issue { enroll_issue hr; }
        location = /enroll/revoke { enroll_revoke hr; }
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


# A signed call of the issuer.

sub call {
    my ($self, $path, $body, %arg) = @_;

    my $text = ref $body ? $json->encode($body) : $body;
    my $id = $arg{event} // 'event-' . ++$self->{events} . "-$$";
    my @headers = webhook_headers($arg{secret} // $self->{secret}, $text,
        id => $id);

    return $self->http($arg{instance})->post($path, $text, @headers,
        'Content-Type' => 'application/json', @{$arg{headers} || []});
}


sub issue {
    my ($self, %joiner) = @_;

    my %arg = map { $_ => delete $joiner{$_} }
        grep { exists $joiner{$_} } qw(event secret instance headers);

    $joiner{subject} //= 'ada';
    $joiner{class} //= 'standard';
    return $self->call('/enroll/issue', \%joiner, %arg);
}


sub revoke {
    my ($self, %order) = @_;
    return $self->call('/enroll/revoke', \%order);
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
    return $self->redis->hash('HGETALL', "enroll:{0}:token:$id");
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


# The audit stream, as hashes; last => N of it, those with these fields.

sub events {
    my ($self, %want) = @_;

    my $last = delete $want{last};
    my $stream = 'enroll:{0}:events';
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
