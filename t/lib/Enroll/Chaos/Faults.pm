package Enroll::Chaos::Faults;

# What goes wrong, in which order. t/chaos/README.md has the list; each kind
# is in one of the files below.
#
#     my $faults = Enroll::Chaos::Faults->new(world => $world, seed => N,
#         only => ['cut', …]);
#     my @faults = $faults->next;     # one Enroll::Chaos::Fault, or two
#
# The same seed makes the same faults in the same order. Which of the servers
# is the master when its turn comes is the deployment's own affair.

use strict;
use warnings;

use Enroll::Chaos::Fault;
use Enroll::Chaos::Faults::Back;
use Enroll::Chaos::Faults::Data;
use Enroll::Chaos::Faults::Disk;
use Enroll::Chaos::Faults::Network;
use Enroll::Chaos::Faults::Processes;
use Enroll::Chaos::Faults::Topology;


# A second one joins one time of so many.
use constant TOGETHER => 5;


sub new {
    my ($class, %arg) = @_;

    my $self = bless { deck => [], n => 0, %arg }, $class;
    my $topology = $arg{world}->topology;

    my %kinds = map { $_->kinds } map { "Enroll::Chaos::Faults::$_" }
        qw(Back Data Disk Network Processes Topology);
    for my $name (@{$arg{only} || []}) {
        die "no fault is called \"$name\"\n" if !$kinds{$name};
    }
    my %only = map { $_ => 1 } @{$arg{only} || []};

    delete @kinds{grep { %only && !$only{$_}
        || ($kinds{$_}{topology} // $topology) ne $topology
        || ($kinds{$_}{journal} && !$arg{world}->has_journals)
        } keys %kinds};
    die "no faults are left\n" if !%kinds;

    $self->{kinds} = \%kinds;
    $self->{dice} = Enroll::Chaos::Fault->new(name => 'dice',
        seed => $arg{seed}, n => 0);

    return $self;
}


# Each kind comes as often as its weight says before any comes once more.

sub _card {
    my ($self) = @_;

    if (!@{$self->{deck}}) {
        my @all = map { ($_) x ($self->{kinds}{$_}{weight} || 1) }
            sort keys %{$self->{kinds}};
        push @{$self->{deck}}, splice @all, $self->{dice}->draw(scalar @all),
            1 while @all;
    }

    return shift @{$self->{deck}};
}

sub _fault {
    my ($self, $name) = @_;
    return Enroll::Chaos::Fault->new(name => $name,
        kind => $self->{kinds}{$name}, world => $self->{world},
        seed => $self->{seed}, n => ++$self->{n});
}


# Two at once are one of a proxy, and one of something else, which is made
# first and healed last. Two of Redis would leave no majority.

sub next {
    my ($self) = @_;

    my $one = $self->_fault($self->_card);
    return $one if $self->{dice}->draw(TOGETHER) != 0;

    my $proxy = ($one->where eq 'proxy') || 0;
    my ($n) = grep { $proxy != (($self->{kinds}{$self->{deck}[$_]}{where}
        eq 'proxy') || 0) } 0 .. $#{$self->{deck}};
    return $one if !defined $n;

    my $other = $self->_fault(splice @{$self->{deck}}, $n, 1);
    $other->{second} = 1;

    return $proxy ? ($other, $one) : ($one, $other);
}


1;
