package Enroll::Chaos::Load::Plan;

# What one enrollment is going to do, drawn from the seed and its number.
#
#     my $plan = plan($seed, $name);
#
#         issue    proxies that the joiner event is sent to, at once
#         first    proxies that the token is presented at, at once; none: a
#                  bearer without a browser, who begins with it
#         lost     the client leaves before the first answer
#         again    proxies that it is presented at when it is spent
#         page     whether the page is looked at
#         begin    the proxy
#         finish   rounds of [{ proxy, word, leave }, …], each sent at once:
#                  word is what the IdP is to do, leave whether the client
#                  does not wait
#         late     proxies that a finish is sent to when all is done
#         hold     issue, redeem: waits for a nudge after it; or nothing
#         pause    seconds between issue and presentation
#         stubborn whether it goes on to present what is spent where nobody
#                  answers

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Exporter qw(import);

our @EXPORT_OK = qw(plan dice);


use constant ROUNDS => 6;

# a claim that nobody knows the end of is worth as much as one that ends well
my @WORDS = (('ok') x 20, ('no') x 8, ('slow') x 4, ('err') x 4, ('hush') x 2,
    ('cut') x 2);


# dice($seed, $name): a function that draws one of so many.

sub dice {
    my $state = unpack 'N', sha256(join "\0", @_);

    return sub {
        my ($n) = @_;
        $state = ($state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
        return int($state / 4_294_967_296 * $n);
    };
}


sub plan {
    my ($seed, $name) = @_;

    my $draw = dice($seed, $name);
    my $one = $draw->(2);
    # often enough only one proxy gets to see it before it is spent
    my $both = $draw->(2);
    my $proxy = sub { return $both ? $draw->(2) : $one };
    my $times = 1 + $draw->(5);

    my $plan = {
        issue => $draw->(10) ? [$draw->(2)] : [0, 1],
        first => $draw->(8) ? [map { $proxy->() }
            1 .. ($times > 3 ? 3 : $times)] : [],
        lost => $draw->(25) == 0,
        page => $draw->(4) == 0,
        begin => $proxy->(),
        hold => (qw(issue redeem), ('') x 8)[$draw->(10)],
        pause => $draw->(4) ? 0 : 1 + $draw->(8),
        stubborn => $draw->(3) == 0,
    };

    my $rest = $times - @{$plan->{first}};
    $plan->{again} = [map { $proxy->() } 1 .. ($rest > 0 ? $rest : 0)];
    $plan->{finish} = [map { _round($draw, $proxy) } 1 .. ROUNDS];
    $plan->{late} = [map { $proxy->() } 1 .. $draw->(3)];

    return $plan;
}


sub _round {
    my ($draw, $proxy) = @_;

    my @round = map { { proxy => $proxy->(),
        word => $WORDS[$draw->(scalar @WORDS)], leave => 0 } }
        1 .. (1, 1, 2, 2, 3)[$draw->(5)];
    $round[$draw->(scalar @round)]{leave} = 1 if $draw->(15) == 0;

    return \@round;
}


1;
