package Enroll::Chaos::Fault;

# One thing that goes wrong, with a random of its own: that it drew more or
# less does not change what comes after it.
#
#     my $fault = Enroll::Chaos::Fault->new(name => …, kind => {…},
#         world => $world, seed => N, n => N);
#     $fault->inject, $fault->heal
#
# For kinds (Enroll::Chaos::Faults::*):
#
#     $fault->draw(3)                 # 0, 1 or 2
#     $fault->pick(@of)
#     $fault->hold(0.5, 2)            # for as long as it stays
#     $fault->redis, $fault->master, $fault->proxy    # whom it meets
#     $fault->sign(name => value)     # what shows that it took effect
#     $fault->explain(qr/…/)          # an alert in a log that it causes

use strict;
use warnings;

use Digest::MD5 qw(md5);
use Time::HiRes qw(time sleep);


sub new {
    my ($class, %arg) = @_;

    my $self = bless { log => [], sign => {}, target => '', %arg }, $class;
    $self->{random} = unpack 'N', md5("$arg{seed} $arg{n} $arg{name}");

    return $self;
}

sub name  { return $_[0]{name} }
sub world { return $_[0]{world} }
sub where { return $_[0]{kind}{where} }


sub inject {
    my ($self) = @_;
    $self->{at} = time;
    $self->{kind}{inject}->($self, $self->{world});
    $self->{injected} = time;
    return;
}


# One that left no sign did nothing, and shows nothing.

sub heal {
    my ($self) = @_;

    $self->{kind}{heal}->($self, $self->{world}) if $self->{kind}{heal};
    $self->{healed} = time;
    die "$self->{name} of $self->{target} has left no sign\n"
        if !%{$self->{sign}};

    return;
}


sub draw {
    my ($self, $n) = @_;
    $self->{random} = ($self->{random} * 1_664_525 + 1_013_904_223)
        % 4_294_967_296;
    return int($self->{random} / 4_294_967_296 * $n);
}

sub pick {
    my ($self, @from) = @_;
    return $from[$self->draw(scalar @from)];
}

sub hold {
    my ($self, $least, $most) = @_;
    sleep $least + ($most - $least) * $self->draw(1000) / 1000;
    return;
}


# --- whom it meets

sub target {
    my ($self, $one) = @_;
    $self->{target} = ref $one ? $one->name : $one;
    return $one;
}

sub proxy {
    my ($self) = @_;
    return $self->target($self->pick($self->{world}->nginxes));
}

sub master {
    my ($self) = @_;
    my @masters = $self->{world}->ledger->masters or die "no master\n";
    return $self->target($self->pick(@masters));
}

# A master two times of three, otherwise a replica.

sub redis {
    my ($self) = @_;

    return $self->master if $self->draw(3) < 2;

    my %master = map { $_->name => 1 } $self->{world}->ledger->masters;
    return $self->target($self->pick(grep { !$master{$_->name} }
        $self->{world}->ledger->nodes));
}


sub sign {
    my ($self, %sign) = @_;
    $self->{sign}{$_} = $sign{$_} for keys %sign;
    return;
}

sub explain {
    my ($self, @text) = @_;
    push @{$self->{log}}, @text;
    return;
}


# A line of faults.jsonl.

sub line {
    my ($self) = @_;
    return { fault => $self->{name}, map { $_ => $self->{$_} }
        qw(n at injected healed target sign log) };
}


1;
