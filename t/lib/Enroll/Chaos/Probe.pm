package Enroll::Chaos::Probe;

# Says when the deployment serves again: the first moment at which a whole
# enrollment has gone through each proxy, and where there are several masters
# through each with a subject of each.
#
#     my $probe = Enroll::Chaos::Probe->new(world => $world);
#     my $at = $probe->wait(20);      # seconds since the epoch; undef: never
#     $probe->why                     # what failed last
#
# What it asks for and what it is told is in probe.jsonl, as the load's
# requests are in theirs.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use Enroll::Dir qw(append slurp);
use Enroll::Http;
use Enroll::Webhook qw(webhook_headers);


use constant { TRIES => 40, TIMEOUT => 3, PAUSE => 0.1 };

my $json = JSON::PP->new->canonical;


sub new {
    my ($class, %arg) = @_;
    my $dir = $arg{world}->dir;
    return bless { %arg, n => 0, file => "$dir/probe.jsonl",
        answer => "$dir/probe.answer" }, $class;
}

sub why { return $_[0]{why} }


# A child for each proxy, in the load's network, each with its own time.

sub wait {
    my ($self, $seconds) = @_;

    my $n = ++$self->{n};
    my $deadline = time + $seconds;
    my %file;
    my %pid = map {
        my $proxy = $_;
        $file{$proxy->{name}} = "$self->{answer}.$proxy->{name}";
        unlink $file{$proxy->{name}};
        ($proxy->{name} => $self->{world}->enter('load',
            sub { $self->_until($proxy, $n, $deadline,
                $file{$proxy->{name}}) }))
    } $self->{world}->proxies;

    waitpid $_, 0 for values %pid;

    my $last;
    for my $name (sort keys %file) {
        my ($at, $why) = split / /, slurp($file{$name}), 2;
        $self->{why} = "$name: " . ($why // 'its probe has died');
        return if !$at;
        $last = $at if !$last || $at > $last;
    }

    return $last;
}


sub _until {
    my ($self, $proxy, $n, $deadline, $file) = @_;

    my $why = '';
    for (my $try = 1; time < $deadline; $try++) {
        $why = $self->_all($proxy, "$n-$proxy->{name}-$try");
        if (!$why) {
            append($file, sprintf '%.4f ok', time);
            return 0;
        }
        sleep PAUSE;
    }

    append($file, "0 $why");
    return 1;
}


# Subjects, until one of each master is among them: a third of the slots.

sub _all {
    my ($self, $proxy, $name) = @_;

    my $http = Enroll::Http->new(address => $proxy->{host},
        port => $proxy->{port}, timeout => TIMEOUT);
    my $parts = $self->{world}->partitions;
    my $want = $parts > 1 ? 3 : 1;
    my %token;

    for my $k (1 .. TRIES) {
        my $try = { http => $http, proxy => $proxy->{name},
            subject => "probe-$name-$k", try => "probe-$name-$k-ok" };
        my $body = $json->encode({ subject => $try->{subject},
            class => 'standard' });
        my $made = $self->_ask($try, issue => 'POST', '/enroll/issue',
            [webhook_headers($self->{world}->secret, $body,
                id => $try->{subject}), 'Content-Type' =>
                'application/json'], $body);
        return $try->{why} if $made->status != 201;

        my $token = $made->json;
        my $part = $want == 1 ? 0
            : $self->{world}->ledger->third(hex substr $token->{id}, 0, 4);
        next if $token{$part};
        @$try{qw(id token)} = @$token{qw(id token)};
        $token{$part} = $try;
        last if keys %token == $want;
    }

    for my $try (values %token) {
        return $try->{why} if !$self->_enroll($try);
    }

    return '';
}


sub _enroll {
    my ($self, $try) = @_;

    my $redeemed = $self->_ask($try, redeem => 'POST', '/enroll',
        ['Content-Type' => 'application/x-www-form-urlencoded'],
        "token=$try->{token}");
    return if $redeemed->status != 200;

    my @with = (Cookie => '__Host-enroll='
        . ($redeemed->cookie('__Host-enroll') // ''),
        'Content-Type' => 'application/json');

    return $self->_ask($try, begin => 'POST', '/register/begin', [@with],
            '{}')->status == 200
        && $self->_ask($try, finish => 'POST', '/register/finish', [@with],
            '{"id":"x"}')->status == 200;
}


sub _ask {
    my ($self, $try, $step, @request) = @_;

    push @{$request[2]}, 'X-Try' => $try->{try};

    my $at = time;
    my $response = eval { $try->{http}->request(@request) };
    my $status = $response ? $response->status : 0;
    my $said = $response && $response->body =~ /^\{/
        ? eval { $response->json } || {} : {};
    my $reason = $said->{reason} // ($response ? $response->error : $@) // '';
    my $id = $try->{id} // $said->{id} // '';

    append($self->{file}, $json->encode({ at => $at, done => time,
        proxy => $try->{proxy}, step => $step, id => $id, first => 0,
        try => $try->{try}, status => $status, reason => "$reason" }) . "\n");
    $try->{why} = "$step $status $reason" =~ s/\s+\z//r;

    return $response || Enroll::Chaos::Probe::Nothing->new;
}


package Enroll::Chaos::Probe::Nothing;

sub new    { return bless {}, $_[0] }
sub status { return 0 }
sub cookie { return }
sub body   { return '' }


1;
