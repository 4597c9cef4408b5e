package Enroll::Chaos::World;

# The deployment that faults are made in: two proxies, a Redis behind Sentinel
# or as a cluster, an IdP, and a host for the load.
#
#     my $world = Enroll::Chaos::World->new(topology => 'sentinel',
#         dir => DIR, module => FILE, nginx => FILE);
#     $world->start, $world->stop
#     $world->proxies             # ({ name, host, port }, …): host an address
#     $world->secret              # of the issuer hr
#     $world->enter($host, sub {…})     # the pid of a child there
#     $world->dump_streams(FILE), $world->journals
#     $world->ill                 # what does not run, or is not as it was
#
# For faults: ->nudge, ->nginx('p1'), ->nginxes, ->net, ->ledger, ->disk.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Path qw(make_path);

use Enroll::Chaos::Disk;
use Enroll::Chaos::Ledger::Cluster;
use Enroll::Chaos::Ledger::Sentinel;
use Enroll::Chaos::Net;
use Enroll::Chaos::Proxy;
use Enroll::Chaos::Space qw(in_netns);
use Enroll::Dir qw(spew slurp);
use Enroll::Keys qw(make_keys);
use Enroll::Paths qw(top nginx_binary module_file);
use Enroll::Process;
use Enroll::Webhook qw(webhook_secret);


use constant { HTTP => 8080, ZONE => '10m' };

my %LEDGER = (
    sentinel => 'Enroll::Chaos::Ledger::Sentinel',
    cluster  => 'Enroll::Chaos::Ledger::Cluster',
);


sub new {
    my ($class, %arg) = @_;

    my $self = bless { module => module_file(), nginx => nginx_binary(),
        proxies => [], %arg }, $class;

    die "the topology is sentinel or cluster\n"
        if !$LEDGER{$self->{topology} // ''};
    make_path($self->{dir});
    $self->{$_} = abs_path($self->{$_}) for qw(dir module nginx);
    die "no module\n" if !-e ($self->{module} // '');

    # a build without the directive runs without
    $self->{journals} = slurp($self->{module}) =~ /enroll_journal\0/ ? 1 : 0;
    $self->{secret} = webhook_secret();

    return $self;
}


sub topology     { return $_[0]{topology} }
sub dir          { return $_[0]{dir} }
sub net          { return $_[0]{net} }
sub disk         { return $_[0]{disk} }
sub ledger       { return $_[0]{ledger} }
sub secret       { return $_[0]{secret} }
sub nginxes      { return @{$_[0]{proxies}} }
sub partitions   { return $_[0]{ledger}->partitions }
sub has_journals { return $_[0]{journals} }

sub nginx {
    my ($self, $name) = @_;
    my ($proxy) = grep { $_->name eq $name } $self->nginxes;
    return $proxy || die "no proxy $name\n";
}

sub proxies {
    my ($self) = @_;
    return map { { name => $_, host => $self->{net}->address($_),
        port => HTTP } } qw(p1 p2);
}

# The clients, whom a fault may nudge as well.

sub has_load { $_[0]{load} = $_[1]; return }
sub nudge    { $_[0]{load}->nudge if $_[0]{load}; return }

sub enter {
    my ($self, $host, $code) = @_;
    return in_netns($self->{net}->file($host), $code);
}


sub start {
    my ($self) = @_;

    my $kind = $LEDGER{$self->{topology}};
    $self->{net} = Enroll::Chaos::Net->new(
        hosts => [qw(p1 p2 idp load), $kind->hosts]);
    $self->{disk} = Enroll::Chaos::Disk->new(dir => $self->{dir});
    $self->{ledger} = $kind->new(net => $self->{net}, dir => $self->{dir},
        env => sub { $self->{disk}->env($_[0]) });

    $self->{ledger}->start;
    $self->_start_idp;
    $self->_start_proxies;

    return $self;
}


sub _idp_address {
    my ($self) = @_;
    return $self->{net}->address('idp') . ':' . HTTP;
}

sub _start_idp {
    my ($self) = @_;

    $self->{idp} = Enroll::Process->start(
        argv => [$self->{net}->argv('idp', $^X, top() . '/t/chaos/idp',
            $self->_idp_address, "$self->{dir}/receipts.jsonl")],
        output => "$self->{dir}/idp.log");

    return;
}


sub _start_proxies {
    my ($self) = @_;

    my $shared = "$self->{dir}/shared";
    make_keys("$shared/keys.jwks");
    spew("$shared/hr.secret", "$self->{secret}\n", 0600);

    for my $name (qw(p1 p2)) {
        my $own = "$self->{dir}/$name";
        $self->{disk}->mount("$own/journal");
        push @{$self->{proxies}}, Enroll::Chaos::Proxy->new(name => $name,
            net => $self->{net}, dir => $own, nginx => $self->{nginx},
            env => $self->{disk}->env($name),
            conf => sub { $self->_conf($_[0]) });
        $self->{proxies}[-1]->start;
    }

    return;
}


sub _conf {
    my ($self, $proxy) = @_;

    my $redis = $self->{ledger}->conf;
    my $idp = $self->_idp_address;
    my $own = $proxy->dir;
    my $listen = $self->{net}->address($proxy->name) . ':' . HTTP;
    my $zone = $proxy->{zone} || ZONE;
    my $partitions = $self->partitions;
    my $journal = $self->{journals}
        ? "enroll_journal $own/journal/journal.jsonl sync;" : '';
    my $workers = Enroll::Chaos::Proxy::WORKERS;

    return <<"CONF";
load_module $self->{module};
user nobody nogroup;
worker_processes $workers;
worker_shutdown_timeout 5s;
pid $own/nginx.pid;
error_log $own/logs/error.log notice;
env LD_PRELOAD;
env CHAOS_SLOW;

events {
    worker_connections 2048;
}

http {
    access_log off;

    client_body_temp_path $own/tmp/body;
    proxy_temp_path       $own/tmp/proxy;
    fastcgi_temp_path     $own/tmp/fastcgi;
    uwsgi_temp_path       $own/tmp/uwsgi;
    scgi_temp_path        $own/tmp/scgi;

    enroll_zone enroll $zone;
    enroll_keys $self->{dir}/shared/keys.jwks;
    enroll_partitions $partitions;
    $redis
    enroll_redis_timeout 400ms;
    enroll_redis_retry 100ms;
    enroll_fence incarnation;
    $journal
    enroll_log $own/logs/enroll.log;

    enroll_class standard { ttl 1h; window 10m; attempts 5; }
    enroll_issuer hr { secret_file $self->{dir}/shared/hr.secret; }
    enroll_url http://localhost/enroll;

    server {
        listen $listen;
        server_name localhost;
        enroll on;

        proxy_set_header Enroll-Id \$enroll_id;
        proxy_set_header Enroll-Subject \$enroll_subject;
        proxy_connect_timeout 1s;
        proxy_read_timeout 2s;

        location = /enroll        { enroll_redeem /register; }
        location = /enroll/issue  { enroll_issue hr; }
        location = /enroll/revoke { enroll_revoke hr; }
        location = /enroll/status { enroll_status; }

        location = /register {
            enroll_endpoint page;
            proxy_pass http://$idp;
        }
        location = /register/begin {
            enroll_endpoint begin;
            proxy_pass http://$idp;
        }
        location = /register/finish {
            enroll_endpoint finish;
            proxy_ignore_client_abort on;
            proxy_pass http://$idp;
        }
        location / {
            proxy_pass http://$idp;
        }
    }
}
CONF
}


# Everything runs, and is as it was at the beginning; otherwise what is not.

sub ill {
    my ($self) = @_;

    for my $one ($self->{ledger}->nodes, $self->{ledger}->sentinels) {
        return $one->name . ' does not run' if !$one->pid;
    }
    for my $proxy ($self->nginxes) {
        return $proxy->name . ' does not run'
            if $proxy->workers < $proxy->WORKERS;
    }

    return $self->{ledger}->ill;
}


# --- what is left of it

sub journals { return glob "$_[0]{dir}/*/journal/*" }

sub dump_streams {
    my ($self, $file) = @_;
    return $self->{ledger} && $self->{ledger}->dump($file);
}


sub stop {
    my ($self) = @_;

    $_->stop for $self->nginxes;
    $self->{idp}->stop('TERM', 5) if $self->{idp};
    $self->{ledger}->stop if $self->{ledger};
    $self->{disk}->unmount($_->dir . '/journal') for $self->nginxes;

    return;
}


1;
