package Enroll::Chaos::Ledger;

# The Redis of a deployment. What is of one topology only is in
# Enroll::Chaos::Ledger::Sentinel and ::Cluster.
#
#     my $ledger = Enroll::Chaos::Ledger::Cluster->new(net => $net,
#         dir => DIR, env => sub { name => {…} });
#     $ledger->start, $ledger->stop
#     $ledger->conf               # the directive that leads there
#     $ledger->partitions
#     $ledger->nodes, $ledger->sentinels, $ledger->node('r1')
#     $ledger->start_node($node)
#     $ledger->masters, $ledger->replicas($of)
#     $ledger->wait_other_master($not)      # their names; within 10 s
#     $ledger->failover($old, $name_of_new) # is begun
#     $ledger->ill                # what is not as it was at the beginning
#     $ledger->events_of($node)   # how many
#     $ledger->plan($node), $ledger->end_plan      # by docs/failover.md
#     $ledger->fences($since)     # events, of the masters' streams
#     $ledger->tidy($node)        # after an old file came back
#     $ledger->dump(FILE)         # all streams of all nodes that answer

use strict;
use warnings;

use Enroll::Chaos::Node;
use Enroll::Dir qw(slurp);
use Enroll::Paths qw(top);
use Enroll::Wait qw(wait_for);


my @CONF = ('appendonly yes', 'appendfsync everysec', 'save ""',
    'enable-debug-command yes', 'repl-diskless-sync-delay 0',
    'repl-ping-replica-period 1', 'repl-timeout 3', 'repl-backlog-ttl 0',
    'maxmemory-policy noeviction');


sub new {
    my ($class, %arg) = @_;
    return bless { nodes => [], sentinels => [], %arg }, $class;
}

sub nodes     { return @{$_[0]{nodes}} }
sub sentinels { return @{$_[0]{sentinels}} }

sub node {
    my ($self, $name) = @_;
    my ($node) = grep { $_->name eq $name } $self->nodes, $self->sentinels;
    return $node || die "no node $name\n";
}


sub add_node {
    my ($self, $name, @conf) = @_;

    my $node = Enroll::Chaos::Node->new(name => $name, host => $name,
        net => $self->{net}, dir => "$self->{dir}/$name",
        conf => [@CONF, @conf], env => $self->{env}->($name));
    push @{$self->{nodes}}, $node->start;

    return $node;
}

sub start_node {
    my ($self, $node) = @_;
    return $node->start;
}

sub stop {
    my ($self) = @_;
    $_->kill('TERM') for $self->sentinels, $self->nodes;
    return;
}


sub replicas {
    my ($self, $master) = @_;
    my $address = $master->address;
    return grep { my $role = $_->try('ROLE');
        $role && $role->[0] eq 'slave' && $role->[1] eq $address }
        $self->nodes;
}


sub wait_other_master {
    my ($self, $not) = @_;

    return wait_for {
        my @masters = grep { $_ != $not } $self->masters;
        @masters == $self->MASTERS
            ? join ' ', map { $_->name } @masters : '';
    } 'another master in place of ' . $not->name, 10;
}


# --- what it holds

# What a node has and is not its own any more, in a slot that has moved before
# an old file came back, is nobody's: undef. While it does not answer it dies.

sub _ask {
    my ($self, $node, @command) = @_;
    my $reply = eval { $node->command(@command) };
    die $@ if $@ && $@ !~ /MOVED/;
    return $reply;
}

sub _streams {
    my ($self, $node) = @_;
    # a replica of a cluster shows nothing otherwise
    $node->try('READONLY');
    return sort @{ $node->command('KEYS', 'enroll:{*}:events') };
}


# A node of a cluster does not say it for two seconds after its start.

sub events_of {
    my ($self, $node) = @_;

    my $n;
    wait_for {
        $n = 0;
        eval {
            $n += $self->_ask($node, 'XLEN', $_) // 0
                for $self->_streams($node);
            1;
        };
    } $node->name . ' to say what it has';

    return $n;
}


# What an old file has brought and nobody owns: an operator's affair.

sub tidy { return }


# What an operator does before and after it: the scripts of docs/failover.md.
# How many partitions have answered what.

sub _script {
    my ($self, $name, @nodes) = @_;

    my ($text) = slurp(top() . '/docs/failover.md')
        =~ /`\Q$name\E`:\n\n```lua\n(.*?)^```/ms
        or die "docs/failover.md has no $name\n";

    my %said;
    for my $node (@nodes) {
        $said{$node->command('EVAL', $text, 1, $_)}++
            for @{ $node->command('KEYS', 'enroll:{*}:meta') };
    }

    return \%said;
}

sub plan     { return $_[0]->_script('plan.lua', $_[1]) }
sub end_plan { return $_[0]->_script('done.lua', $_[0]->masters) }


sub fences {
    my ($self, $since) = @_;

    my $from = int($since * 1000);
    my @fences;

    for my $node ($self->masters) {
        for my $stream ($self->_streams($node)) {
            my $entries = $self->_ask($node, 'XRANGE', $stream, $from, '+');
            push @fences, grep { $_->{event} eq 'fence' }
                map { +{ @{$_->[1]} } } @{$entries || []};
        }
    }

    return @fences;
}


sub dump {
    my ($self, $file) = @_;

    open my $out, '>', $file or die "$file: $!";
    for my $node ($self->nodes) {
        eval { $self->_dump_node($node, $out); 1 }
            or print STDERR "# no streams of $node->{name}: $@";
    }
    close $out or die "$file: $!";

    return $file;
}


sub _dump_node {
    my ($self, $node, $out) = @_;

    for my $key ($self->_streams($node)) {
        my ($partition) = $key =~ /\{(\d+)\}/ or next;
        my $from = '-';

        for (;;) {
            my $entries = $self->_ask($node, 'XRANGE', $key, $from, '+',
                'COUNT', 1000);
            last if !$entries || !@$entries;

            print $out _line($node->name, $partition, $_->[0], @{$_->[1]})
                for @$entries;
            $from = "($entries->[-1][0]";
        }
    }

    return;
}


# All are strings; JSON::PP would take a minute for what is there.

sub _line {
    my ($node, $partition, $entry, @fields) = @_;

    my @pairs;
    while (my ($name, $value) = splice @fields, 0, 2) {
        push @pairs, _string($name) . ':' . _string($value);
    }

    return "{\"node\":\"$node\",\"partition\":$partition,\"entry\":\"$entry\","
        . '"fields":{' . join(',', @pairs) . "}}\n";
}

sub _string {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return "\"$text\"";
}


1;
