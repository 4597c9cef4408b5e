# The unit tests of core/, each a program that speaks TAP (make unit).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

my $top = top();
my @sources = glob "$top/t/unit/test_*.c";

ok(@sources > 0, 'there are unit tests');

for my $source (@sources) {
    my ($name) = $source =~ m{/(test_\w+)\.c$};
    my $program = "$top/build/unit/$name";

    if (!-x $program) {
        fail("$name is built (make unit)");
        next;
    }

    subtest $name => sub {
        open my $out, '-|', "cd '$top' && exec '$program' 2>&1"
            or die "$name: $!";

        my ($plan, $tests) = (undef, 0);

        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok\b\s*\d*\s*(?:- )?(.*)/) {
                my ($not, $what) = ($1, $2);
                ok(!$not, $what);
                $tests++;
            } elsif ($line =~ /^1\.\.(\d+)/) {
                $plan = $1;
            } else {
                diag($line);
            }
        }

        ok(close $out, "$name exits with 0");
        is($tests, $plan, "$name ran as many tests as it planned");
    };
}

done_testing;
