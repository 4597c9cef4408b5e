package Enroll::Wait;

# Waiting for a condition with a deadline, instead of sleeping.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(wait_for holds_within patience);


# All deadlines are stretched by it where things run slowly (a sanitizer).

sub patience {
    my ($seconds) = @_;
    return $seconds * ($ENV{ENROLL_PATIENCE} || 1);
}


# holds_within(5, sub { … }): what the condition returned when it first was
# true, or nothing when the time is over.

sub holds_within {
    my ($seconds, $condition) = @_;

    my $deadline = time + patience($seconds);
    my $pause = 0.002;

    while (1) {
        my $value = $condition->();
        return $value if $value;
        return if time > $deadline;

        sleep $pause;
        $pause *= 1.5 if $pause < 0.05;
    }
}


# wait_for { … } 'what it is', 5: the same, but dies at the deadline.

sub wait_for (&$;$) {
    my ($condition, $what, $seconds) = @_;

    $seconds ||= 10;
    my $value = holds_within($seconds, $condition);
    croak "gave up after $seconds s waiting for: $what" if !$value;

    return $value;
}


1;
