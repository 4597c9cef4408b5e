package Enroll::Chaos::Net;

# Hosts on one bridge, each a network namespace with an address, and what can
# be done to the ways between them.
#
#     my $net = Enroll::Chaos::Net->new(hosts => [qw(p1 p2 r1 …)]);
#     $net->address('p1'), $net->file('p1')
#     $net->argv('p1', @command)      # the command, to be run there
#     my $cut = $net->rule('p1', OUTPUT => '-d', $address, …);
#     $net->packets($cut), $net->remove($cut)
#     $net->shape('p1', 'tbf rate …'), $net->shaped('p1'), $net->unshape('p1')

use strict;
use warnings;

use Enroll::Chaos::Space qw(in_space run);


use constant PREFIX => '10.77.0';


sub new {
    my ($class, %arg) = @_;

    die "not without a space of its own\n" if !in_space();

    my $self = bless { hosts => {}, rules => 0 }, $class;
    run(qw(ip link add bridge0 type bridge));
    run(qw(ip link set bridge0 up));

    my $n = 10;
    $self->_add($_, PREFIX . '.' . ++$n) for @{$arg{hosts}};

    return $self;
}


sub _add {
    my ($self, $name, $address) = @_;

    my @in = ('ip', '-n', $name);
    my $port = "port-$name";

    run('ip', 'netns', 'add', $name);
    run('ip', 'link', 'add', $port, 'type', 'veth', 'peer', 'name', 'eth0',
        'netns', $name);
    run('ip', 'link', 'set', $port, 'master', 'bridge0', 'up');
    run(@in, 'addr', 'add', "$address/24", 'dev', 'eth0');
    run(@in, 'link', 'set', 'eth0', 'up');
    run(@in, 'link', 'set', 'lo', 'up');

    $self->{hosts}{$name} = $address;
    return;
}


sub hosts { return sort keys %{$_[0]{hosts}} }

sub address {
    my ($self, $name) = @_;
    return $self->{hosts}{$name} || die "no host $name\n";
}

sub file { return "/run/netns/$_[1]" }

sub argv {
    my ($self, $name, @command) = @_;
    $self->address($name);
    return ('nsenter', '--net=' . $self->file($name), '--', @command);
}


# A rule on that host that drops what it matches.

sub rule {
    my ($self, $host, $chain, @match) = @_;

    my $mark = 'rule-' . ++$self->{rules};
    my @rule = ($chain, @match, '-m', 'comment', '--comment', $mark,
        '-j', 'DROP');
    run($self->argv($host, 'iptables', '-w', '-I', @rule));

    return { host => $host, mark => $mark, rule => \@rule };
}

sub remove {
    my ($self, $rule) = @_;
    run($self->argv($rule->{host}, 'iptables', '-w', '-D',
        @{$rule->{rule}}));
    return;
}

sub packets {
    my ($self, $rule) = @_;

    my $text = run($self->argv($rule->{host}, 'iptables', '-w', '-nvxL',
        $rule->{rule}[0]));
    my ($packets) = $text =~ m{^\s*(\d+)\s.*/\* \Q$rule->{mark}\E \*/}m;

    return $packets // 0;
}


# No packets between two hosts: from the first to the second, or both ways.

sub cut {
    my ($self, $one, $other, %arg) = @_;

    my ($from, $to) = map { $self->address($_) } $one, $other;
    my @tcp = $arg{port} ? ('-p', 'tcp', '--dport', $arg{port}) : ();

    return ($self->rule($other, INPUT => '-s', $from, @tcp),
        $arg{oneway} ? () : $self->rule($one, INPUT => '-s', $to));
}


# What leaves the host, by a queueing discipline of tc.

sub shape {
    my ($self, $host, @discipline) = @_;
    run('tc', '-n', $host, qw(qdisc replace dev eth0 root), @discipline);
    return;
}

sub unshape {
    my ($self, $host) = @_;
    run('tc', '-n', $host, qw(qdisc del dev eth0 root));
    return;
}

# Packets that the discipline has dropped, and that it has kept waiting.

sub shaped {
    my ($self, $host) = @_;

    my $text = run('tc', '-n', $host, '-s', qw(qdisc show dev eth0));
    my ($dropped, $over) = $text
        =~ /\(dropped (\d+), overlimits (\d+)/;

    return ($dropped // 0, $over // 0);
}


1;
