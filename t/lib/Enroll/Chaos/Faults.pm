package Enroll::Chaos::Faults;

# What goes wrong. t/chaos/README.md has the list.
#
#     my $faults = Enroll::Chaos::Faults->new(world => $world, seed => N);
#     my $fault = $faults->next;      # { fault, target, … }, not yet made
#     $faults->inject($fault)         # returns when it has taken effect
#     $faults->heal($fault)           # returns when it is undone
#
# A fault leaves a sign of what it did in $fault->{sign}; one that left none
# did nothing, and that is an error of the harness: inject and heal die then.
# The same seed makes the same faults in the same order; which server is the
# master when its turn comes is the deployment's own affair.

use strict;
use warnings;

use Time::HiRes qw(time sleep);

use Enroll::Wait qw(wait_for holds_within);


# name => [weight, topology or '', inject, heal]

my %FAULTS = (
    'kill redis'    => [3, '', \&_kill_redis, \&_start_again],
    'cut'           => [2, '', \&_cut, \&_mend],
);


sub new {
    my ($class, %arg) = @_;
    my $self = bless { deck => [], %arg }, $class;
    $self->{random} = $self->{seed} * 2_654_435_761 % 4_294_967_296;
    return $self;
}


# Not rand(): that is shared with whoever else draws in this process.

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


# Each fault comes as often as its weight says before any comes once more.

sub next {
    my ($self) = @_;

    if (!@{$self->{deck}}) {
        my $topology = $self->{world}->topology;
        my @all = map { ($_) x $FAULTS{$_}[0] }
            grep { $FAULTS{$_}[1] eq '' || $FAULTS{$_}[1] eq $topology }
            grep { !$self->{only} || $self->{only}{$_} }
            sort keys %FAULTS;
        die "no such fault\n" if !@all;

        while (@all) {
            push @{$self->{deck}}, splice @all, $self->draw(scalar @all), 1;
        }
    }

    return { fault => shift @{$self->{deck}}, log => [] };
}


sub inject {
    my ($self, $fault) = @_;

    $fault->{at} = time;
    $FAULTS{$fault->{fault}}[2]->($self, $fault);
    $fault->{injected} = time;

    return;
}


sub heal {
    my ($self, $fault) = @_;

    $FAULTS{$fault->{fault}}[3]->($self, $fault);
    $fault->{healed} = time;
    die "$fault->{fault} of $fault->{target} has left no sign\n"
        if !%{$fault->{sign} || {}};

    return;
}


# --- whom it meets

# A master two times of three, otherwise a replica.

sub _redis {
    my ($self) = @_;

    my %master = map { $_->name => 1 } $self->{world}->masters;
    my @masters = grep { $master{$_->name} } $self->{world}->nodes;
    my @replicas = grep { !$master{$_->name} } $self->{world}->nodes;

    my $of = $self->draw(3) < 2 ? \@masters : \@replicas;
    return $self->pick(@$of ? @$of : $self->{world}->nodes);
}


# --- a Redis dies

sub _kill_redis {
    my ($self, $fault) = @_;

    my $node = $self->_redis;
    $fault->{target} = $node->name;
    $fault->{node} = $node;
    my $role = $node->role;
    my $pid = $node->kill;
    $fault->{sign} = { role => $role, pid => $pid };
    $self->_others_take_over($fault) if $role eq 'master' && $self->draw(2);

    return;
}

sub _others_take_over {
    my ($self, $fault) = @_;

    my $name = $fault->{target};
    my $world = $self->{world};
    my $want = $world->topology eq 'cluster' ? 3 : 1;

    $fault->{sign}{took_over} = holds_within(8, sub {
        my @masters = grep { $_->name ne $name } $world->masters;
        @masters == $want ? join ' ', map { $_->name } @masters : '';
    }) or die "nobody took over from $name\n";

    return;
}

sub _start_again {
    my ($self, $fault) = @_;
    my $node = $fault->{node};
    $self->{world}->start_node($node);
    $fault->{sign}{started} = $node->pid;
    return;
}


# --- a host is cut off from all others

sub _cut {
    my ($self, $fault) = @_;

    my $world = $self->{world};
    my $host = $self->_redis->host;
    $fault->{target} = $host;
    $fault->{rules} = [map { $world->net->cut($host, $_) }
        grep { $_ ne $host } $world->net->hosts];
    sleep 1 + $self->draw(2);

    return;
}

sub _mend {
    my ($self, $fault) = @_;

    my $net = $self->{world}->net;
    my $packets = 0;
    for my $rule (@{$fault->{rules}}) {
        $packets += $net->packets($rule);
        $net->remove($rule);
    }
    $fault->{sign} = { packets => $packets } if $packets;

    return;
}


1;
