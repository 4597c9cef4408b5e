package Enroll::Chaos::Documented;

# The one audit of all, made of a history by the very commands of
# docs/operations.md.
#
#     my @events = documented($history);      # as hashes
#
# Where they ask redis-cli for a stream they get the longest of those that the
# nodes had of that partition.

use strict;
use warnings;

use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP ();

use Enroll::Chaos::History qw(decode_line);
use Enroll::Dir qw(slurp spew);
use Enroll::Paths qw(top);

our @EXPORT_OK = qw(documented);


my $json = JSON::PP->new->ascii;

my $REDIS_CLI = <<'SH';
#!/bin/sh
# --json XRANGE enroll:{p}:events - +
p=${3#enroll:\{}
if [ -e "streams/${p%%\}*}" ]; then
    cat "streams/${p%%\}*}"
else
    echo '[]'
fi
SH


sub documented {
    my ($history) = @_;

    my $dir = tempdir('chaos-audit-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    mkdir "$dir/$_" for qw(journals streams bin);

    spew("$dir/bin/redis-cli", $REDIS_CLI, 0755);
    spew("$dir/journals/all", join '', map { "$_->{text}\n" }
        @{$history->{journals}});
    my $last = _streams($dir, $history);

    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    system('sh', '-ec', "cd '$dir'\n" . _commands($last)) == 0
        or die "the commands of docs/operations.md have failed\n";

    open my $audit, '<:raw', "$dir/audit" or die "$dir/audit: $!\n";
    return map { decode_line($_) // die "the audit has a line that is no "
        . "event: $_\n" } <$audit>;
}


sub _commands {
    my ($last) = @_;

    my ($section) = slurp(top() . '/docs/operations.md')
        =~ /^## One audit of all\n(.*?)^## /ms;
    my ($commands) = ($section // '') =~ /^```sh\n(.*?)^```$/ms;
    die "docs/operations.md has no commands for one audit\n"
        if !$commands || $commands !~ s/seq 0 63/seq 0 $last/;

    return $commands;
}


# The number of the last partition.

sub _streams {
    my ($dir, $history) = @_;

    my (%streams, $last);

    for my $entry (@{$history->{streams}}) {
        my ($node, $partition) = @$entry{qw(node partition)};
        push @{$streams{$partition}{$node}}, $entry;
        $last = $partition if $partition > ($last // 0);
    }

    for my $partition (keys %streams) {
        my ($longest) = sort { @$b <=> @$a } values %{$streams{$partition}};
        spew("$dir/streams/$partition", $json->encode([map {
            [$_->{entry}, [map { "$_" } %{$_->{fields}}]] } @$longest]));
    }

    return $last // 0;
}


1;
