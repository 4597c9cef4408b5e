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

    for my $file (_log_files()) {
        my $text = slurp($file);
        my $name = substr $file, 1 + length test_dir();

        push @found, map { "secret in $name: $_" } find_secrets($text);
        push @found, _sanitizer_report($name, $text);
    }

    return @found;
}


sub _log_files {
    my @files;
    find({ no_chdir => 1, wanted => sub {
        push @files, $_ if -f && m{/logs/};
    }}, test_dir());
    return sort @files;
}


sub _sanitizer_report {
    my ($name, $text) = @_;

    # nginx' own stderr is its error log: there are other lines around it
    my $more = $name =~ /san\.\d+$/ ? qr/\n.*/ : qr/\n\s+\#.*/;

    my ($report) = $text =~ /^(.*(?:[a-z]Sanitizer:|runtime\ error:).*
                             (?:$more){0,30})/mx
        or return;
    $report =~ s/\s+\z//;

    return "sanitizer report in $name:\n$report";
}


1;
