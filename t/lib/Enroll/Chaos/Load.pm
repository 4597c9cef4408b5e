package Enroll::Chaos::Load;

# The clients: processes that enroll, repeat themselves, hold back, leave, and
# come again with what is spent.
#
#     my $load = Enroll::Chaos::Load->new(world => $world, dir => DIR,
#         seed => N, rate => 24, processes => 2);
#     $load->start;
#     $load->nudge;        # what was held back, and what is spent, once more
#     $load->stop;         # ends what is in flight; DIR/requests.jsonl is there
#
# Of the world it asks ->proxies, ->secret, ->partitions, and to ->enter its
# host. What each enrollment does is drawn from the seed and its number
# (Enroll::Chaos::Load::Plan), so that it is the same whatever comes between.

use strict;
use warnings;

use Enroll::Chaos::Load::Client;


sub new {
    my ($class, %arg) = @_;
    return bless { rate => 24, processes => 2, seed => 1, %arg }, $class;
}


sub _file {
    my ($self, $n) = @_;
    return "$self->{dir}/requests-$n.jsonl";
}


sub start {
    my ($self) = @_;

    my $world = $self->{world};

    for my $n (1 .. $self->{processes}) {
        my $client = Enroll::Chaos::Load::Client->new(name => $n,
            file => $self->_file($n), proxies => [$world->proxies],
            secret => $world->secret, seed => $self->{seed},
            rate => $self->{rate} / $self->{processes},
            # the last enrollments of one of them reach every partition
            sweep => $n == 1 ? $world->partitions : 0);
        push @{$self->{pids}}, $world->enter('load',
            sub { $client->run; 0 });
    }

    return $self;
}


sub nudge {
    my ($self) = @_;
    kill USR1 => @{$self->{pids}};
    return;
}


sub stop {
    my ($self) = @_;

    my @pids = @{delete $self->{pids} || []} or return;
    kill TERM => @pids;

    my $failed = 0;
    for my $pid (@pids) {
        waitpid $pid, 0;
        $failed ||= $?;
    }

    my $file = "$self->{dir}/requests.jsonl";
    open my $out, '>:raw', $file or die "$file: $!\n";
    for my $n (1 .. $self->{processes}) {
        open my $in, '<:raw', $self->_file($n) or die $self->_file($n)
            . ": $!\n";
        print $out $_ while <$in>;
        unlink $self->_file($n);
    }
    close $out or die "$file: $!\n";

    die "a client of the load has failed ($failed)\n" if $failed;
    return;
}


1;
