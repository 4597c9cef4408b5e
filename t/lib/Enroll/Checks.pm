package Enroll::Checks;

# What must never be, whatever the test is about. Everything that runs
# registers here; at the end it is stopped and looked through.

use strict;
use warnings;

use Exporter qw(import);
use File::Find qw(find);

use Enroll::Dir qw(test_dir slurp);
use Enroll::Secrets qw(find_secrets);

our @EXPORT_OK = qw(register add_problem stop_all problems);


my @running;        # objects with ->finish
my @problems;
my $owner = $$;


# finish() of what was registered last is called first, within a rank:
# upstreams (0) let go of what nginx (1) waits for; Redis (2) goes last.

sub register {
    my ($object, $rank) = @_;
    push @running, { object => $object, rank => $rank };
    return;
}


sub add_problem {
    push @problems, @_;
    return;
}


sub stop_all {
    return if $$ != $owner;

    for my $one (sort { $a->{rank} <=> $b->{rank} } reverse splice @running) {
        if (!eval { $one->{object}->finish; 1 }) {
            add_problem("cannot finish: $@");
        }
    }

    return;
}


# Returns a list of sentences, empty when all is well.

sub problems {
    my @found = splice @problems;

    find({ no_chdir => 1, wanted => sub {
        my $file = $File::Find::name;
        return if !-f $file || $file !~ m{/logs/};

        my $text = slurp($file);
        (my $name = $file) =~ s/^\Q${\test_dir()}\E\///;

        for my $line (find_secrets($text)) {
            push @found, "secret in $name: $line";
        }

        if ($text =~ /(^.*(?:(?:Address|Leak|UndefinedBehavior|Thread|Memory)
                       Sanitizer|runtime[ ]error:).*)/mx)
        {
            push @found, "sanitizer report in $name: $1\n"
                . join '', map { "    $_\n" } (split /\n/, $text)[0 .. 40]
                if $name =~ /san\.\d+$|stderr|stdout/;
        }
    }}, test_dir());

    return @found;
}


1;
