package Enroll::Load;

# Enrollments without a pause, by a process of its own. Each one presents its
# token again when it is done, and its finish a second time.
#
#     my $load = Enroll::Load->new($stack);
#     $load->wait_done(10)          # so many more have gone all the way
#     my @told = $load->stop;       # { subject, at, said => [status, …] }
#     is_deeply [Enroll::Load::faults($stack, @told)], [], '…';

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use Enroll::Dir qw(sub_dir slurp);
use Enroll::Wait qw(wait_for);


my $json = JSON::PP->new->canonical;
my $loads = 0;


sub new {
    my ($class, $stack, %arg) = @_;

    my $name = 'load-' . ++$loads;
    my $self = bless { stack => $stack, name => $name,
        file => sub_dir('load') . "/$name", pause => 0.02, %arg }, $class;

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        eval { $self->_run; 1 } or print STDERR "# load: $@";
        POSIX::_exit(0);
    }

    return $self;
}


sub _run {
    my ($self) = @_;

    my $parent = getppid;
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };

    open my $out, '>>', $self->{file} or die "$self->{file}: $!";
    $out->autoflush(1);

    for (my $n = 1; !$stop && getppid == $parent; $n++) {
        my $told = { subject => "$self->{name}-$n" };
        $told->{said} = [$self->_enrol($told->{subject})];
        $told->{at} = time;
        print $out $json->encode($told), "\n";
        sleep $self->{pause};
    }

    return;
}


# The statuses of issue, redeem, begin, finish, finish, redeem.

sub _enrol {
    my ($self, $subject) = @_;

    my $stack = $self->{stack};
    my @said;

    my $made = $stack->issue(subject => $subject,
        event => "event-$subject");
    push @said, $made->status;
    return @said if $made->status != 201;

    my $token = $made->json->{token};
    my $redeemed = $stack->redeem($token);
    push @said, $redeemed->status;
    return @said if $redeemed->status != 200;

    my $session = '__Host-enroll=' . $redeemed->cookie('__Host-enroll');
    push @said, map { $_->status } $stack->begin($session),
        $stack->finish($session), $stack->finish($session),
        $stack->redeem($token);

    return @said;
}


sub told {
    my ($self) = @_;
    return if !-e $self->{file};
    return map { $json->decode($_) } grep { /\}\z/ } split /\n/,
        slurp($self->{file});
}


sub _done { return scalar grep { ($_->{said}[3] // 0) == 200 } @_ }


sub wait_done {
    my ($self, $n, $seconds) = @_;

    my $want = $n + _done($self->told);
    wait_for { _done($self->told) >= $want } "$n more enrollments",
        $seconds || 10;
    return;
}


sub stop {
    my ($self) = @_;

    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    return $self->told;
}


# What must not be (I1, I2): a second receipt of a finish at the IdP, a
# second success of finish or redeem.

sub faults {
    my ($stack, @told) = @_;

    my (%received, @faults);
    $received{$_->header('Enroll-Subject') // 'nobody'}++
        for $stack->idp->requests('/register/finish');

    for my $subject (sort keys %received) {
        push @faults, "$subject: $received{$subject} receipts"
            if $received{$subject} > 1;
    }

    for my $told (@told) {
        my ($subject, @said) = ($told->{subject}, @{$told->{said}});
        my $line = "$subject: @said";
        push @faults, "$line: redeemed again" if ($said[5] // 0) == 200;
        push @faults, "$line: finished twice"
            if ($said[3] // 0) == 200 && $said[4] == 200;
        push @faults, "$line: a success without a receipt"
            if ($said[3] // 0) == 200 && !$received{$subject};
    }

    return @faults;
}


1;
