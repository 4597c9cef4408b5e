package Enroll::Monitor;

# What Redis was told, as MONITOR shows it. All of it is kept in a file of
# the logs folder, which is searched for secrets at the end.

use strict;
use warnings;

use Enroll::Dir qw(append);
use Enroll::Resp;


my $marks = 0;
my %ESCAPE = (n => "\n", r => "\r", t => "\t", a => "\a", b => "\b");


sub new {
    my ($class, $redis, $file) = @_;

    my $client = $redis->connect;
    $client->command('MONITOR');

    return bless { redis => $redis, client => $client, file => $file },
        $class;
}


# The lines since the last call, all that Redis executed before it included.

sub lines {
    my ($self) = @_;

    my $mark = "monitor-mark-$$-" . ++$marks;
    $self->{redis}->command('ECHO', $mark);

    my @lines;
    while (1) {
        my $line = $self->{client}->read_reply;
        last if $line =~ /"$mark"/;
        push @lines, $line;
    }

    append($self->{file}, join '', map { "$_\n" } @lines);
    return @lines;
}


# The same, parsed: { time, db, client, args => […] }. client is 'lua' for
# what a script did.

sub commands {
    my ($self) = @_;

    my @commands;
    for my $line ($self->lines) {
        my ($time, $db, $client, $rest)
            = $line =~ /^([\d.]+) \[(\d+) ([^\]]*)\] (.*)$/ or next;
        my @args = $rest =~ /"((?:[^"\\]|\\.)*)"/g;
        s/\\(?:x([0-9a-f]{2})|(.))/defined $1 ? chr hex $1
            : defined $ESCAPE{$2} ? $ESCAPE{$2} : $2/ge for @args;
        push @commands, { time => $time, db => $db, client => $client,
            args => \@args };
    }

    return @commands;
}


1;
