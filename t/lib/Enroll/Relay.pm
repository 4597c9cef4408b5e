package Enroll::Relay;

# A relay before a real Redis, which misbehaves to order (t/fake/redis.pl),
# and what it was asked.
#
#     my $relay = Enroll::Relay->new(name => 'a', to => $redis,
#         answers => { CLUSTER => '…', ASKING => '+OK' });
#     $relay->port
#     $relay->order("execute\nclose", 'pass')   # for the next script calls
#     $relay->orders_left
#     $relay->mark; … $relay->asked             # since then: { how, op, asking }
#     $relay->stop

use strict;
use warnings;

use Enroll::Dir qw(sub_dir spew slurp);
use Enroll::Paths qw(top);
use Enroll::Port qw(free_port);
use Enroll::Process;
use Enroll::Wait qw(wait_for);

# a greeting's probe, as the fake's log has it
my $probe = 'x' . unpack 'H*', '-- probe';
my $written = 0;


sub new {
    my ($class, %arg) = @_;

    my $dir = sub_dir("relay-$arg{name}");
    my $self = bless { port => free_port(), %arg, dir => $dir,
        orders => sub_dir("relay-$arg{name}/orders"), mark => 0 }, $class;

    return $self->start;
}


sub start {
    my ($self) = @_;

    my $answers = $self->{answers} || {};
    my $log = $self->{log} = "$self->{dir}/log-" . ++$written;
    $self->{mark} = 0;
    $self->{process} = Enroll::Process->start(output => $log,
        argv => [$^X, top() . '/t/fake/redis.pl', $self->{port},
            (map { "answer $_ $answers->{$_}" } sort keys %$answers),
            'relay unix:' . $self->{to}->socket . " $self->{orders}"]);

    wait_for {
        die slurp($log) if $self->{process}->gone;
        slurp($log) =~ /^listening$/m;
    } 'the relay to listen';

    return $self;
}


sub port { return $_[0]{port} }
sub stop { $_[0]{process}->stop('TERM'); return }


# One text for each of the next script calls: statements, a line each.

sub order {
    my ($self, @texts) = @_;
    for my $text (@texts) {
        my $name = sprintf '%06d', ++$written;
        spew("$self->{dir}/$name", $text);
        rename "$self->{dir}/$name", "$self->{orders}/$name"
            or die "$self->{orders}/$name: $!";
    }
    return;
}

sub orders_left { return scalar(my @left = glob "$_[0]{orders}/*") }
sub forget      { unlink glob "$_[0]{orders}/*"; return }

sub mark { $_[0]{mark} = -s $_[0]{log}; return }


sub asked {
    my ($self) = @_;

    my (@asked, %asking);
    for (split /\n/, substr slurp($self->{log}), $self->{mark}) {
        my ($number, $how, $script, @words) = split / /;
        next if !defined $how;
        if ($how eq 'ASKING') { $asking{$number} = 1; next }
        next if $how !~ /^EVAL/ || $script =~ /^$probe/;
        push @asked, { how => $how, op => $words[1 + $words[0]],
            asking => delete $asking{$number} || 0 };
    }
    return @asked;
}


1;
