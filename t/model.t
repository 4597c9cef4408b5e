# I1, I2, I10: the model of the ledger (t/model/), searched exhaustively by
# spin within the bounds below. With one defence taken out the search has to
# find a violation; what it never reached would prove nothing.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

my $model = top() . '/t/model/ledger.pml';
my $large = ($ENV{ENROLL_MODEL} // '') eq 'large';
my $limit = $large ? 3600 : 300;                # s, of one search

my $I1 = qr/cookie==0/;
my $I2 = qr/!\(executed\)/;
my $P = qr/session!=who|claim!=/;


# The bounds of a search: requests, promotions, crashes, lost replies, calls
# that come late, planned failovers.

sub bounds {
    my %bound = (requests => 4, promotions => 0, crashes => 0, losses => 0,
        late => 0, plans => 0, rollbacks => 0, @_);
    return map { '-D' . uc($_) . "=$bound{$_}" } sort keys %bound;
}

my @holds = (
    ['two promotions', bounds(requests => 3, promotions => 2)],
    ['a promotion', bounds(promotions => 1)],
    ['a promotion, a lost reply, a late call',
        bounds(requests => 3, promotions => 1, losses => 1, late => 1)],
    ['a crash, a lost reply', bounds(crashes => 1, losses => 1)],
    ['a crash and a promotion',
        bounds(requests => 3, crashes => 1, promotions => 1)],
    ['a lost reply and a late call, five requests',
        bounds(requests => 5, losses => 1, late => 1)],
    ['two lost replies', bounds(losses => 2)],
    ['a planned failover, another one before or after',
        bounds(requests => 3, promotions => 1, plans => 1)],
    ['with the sequence fence, a promotion',
        bounds(requests => 3, promotions => 1), '-DSEQUENCE'],
    ['with the sequence fence, a rollback, one proxy',
        bounds(rollbacks => 1), '-DSEQUENCE', '-DONE_PROXY'],
    ['the sequence alone, a promotion, one proxy',
        bounds(requests => 3, promotions => 1), '-DSEQUENCE',
        '-DNO_INCARNATION', '-DONE_PROXY'],
);

# More than there is time for each time: make model.

my @large = (
    ['two promotions, four requests', bounds(promotions => 2)],
    ['a promotion, a lost reply, four requests',
        bounds(promotions => 1, losses => 1)],
    ['two promotions, a lost reply',
        bounds(requests => 3, promotions => 2, losses => 1)],
    ['a promotion, a lost reply, a late call, four requests',
        bounds(promotions => 1, losses => 1, late => 1)],
    ['a crash and a promotion, four requests',
        bounds(crashes => 1, promotions => 1)],
    ['a crash, a promotion, a lost reply',
        bounds(requests => 3, crashes => 1, promotions => 1, losses => 1)],
    ['with the sequence fence, a promotion, a lost reply',
        bounds(requests => 3, promotions => 1, losses => 1), '-DSEQUENCE'],
);

# Each within the bounds of one that holds.

my @fails = (
    ['no fence, a promotion', $I1,
        bounds(requests => 3, promotions => 1), '-DNO_FENCE'],
    ['no fence, a crash', $I1, bounds(requests => 3, crashes => 1),
        '-DNO_FENCE'],
    ['no fence, and one session', $I2,
        bounds(promotions => 1), '-DNO_FENCE', '-DONLY_I2'],
    ['run_id, which survives a promotion', $I1,
        bounds(requests => 3, promotions => 2), '-DRUN_ID'],
    ['a release that does not compare the claim', $I2,
        bounds(requests => 5), '-DBLIND_RELEASE'],
    ['a finish forwarded before its claim', $I2, bounds(),
        '-DFORWARD_FIRST'],
    ['an operation id that the client chose', $I2, bounds(), '-DCLIENT_OP'],
    ['a repeat with a fresh operation id', $P, bounds(losses => 1),
        '-DFRESH_OP'],
    ['issue without an incarnation', $I1,
        bounds(requests => 3, promotions => 1, losses => 1),
        '-DISSUE_REPEAT'],
    ['the same token after a lost answer', $I1,
        bounds(requests => 3, promotions => 1, losses => 1),
        '-DSAME_TOKEN'],
    ['a plan of whatever incarnation', $I1,
        bounds(requests => 3, promotions => 1, plans => 1), '-DPLAN_ANY'],
    ['a rollback without the sequence fence', $I1,
        bounds(requests => 3, rollbacks => 1), '-DONE_PROXY'],
);

# What is not promised, and is known not to hold: README.md.

my @limits = (
    ['a rollback, where another proxy saw what is lost', $I1,
        bounds(requests => 3, rollbacks => 1), '-DSEQUENCE'],
    ['a failover while another is planned', $I1,
        bounds(requests => 2, promotions => 1, plans => 1),
        '-DPLAN_FAULTS'],
    ['a plan that names what meta says, and not what the server is', $I1,
        bounds(requests => 3, promotions => 1, plans => 1),
        '-DPLAN_COPIED'],
    ['the sequence alone, where another proxy saw what is lost', $I1,
        bounds(requests => 3, promotions => 1), '-DSEQUENCE',
        '-DNO_INCARNATION'],
);


my $n = 0;

# Compiles the model; what pan says of a search, and the folder of the search.
# To optimize takes longer than most searches do.
sub search {
    my ($optimize, @flags) = @_;

    my $here = sub_dir('model/' . ++$n);
    my $cc = $ENV{CC} || 'cc';
    my $status = system 'sh', '-c', "cd '$here' && cp '$model' . "
        . "&& spin -a @flags ledger.pml > spin.log 2>&1 "
        . "&& $cc $optimize -w -DSAFETY -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c "
        . "&& timeout $limit ./pan -m10000 > pan.log 2>&1";

    my $said = slurp("$here/pan.log") // '';
    diag(slurp("$here/spin.log"), $said) if $said !~ /errors: \d/;
    return ($here, $said, $status);
}

# The lines of the model that have states, and those that were reached.
sub lines {
    my ($here, $said) = @_;

    my (%unreached, %line, %reached);
    my $of = '';
    for (split /\n/, $said) {
        $of = $1 if /^unreached in (?:proctype )?(\S+)/;
        $unreached{"$of $1"} = 1 if /ledger\.pml:\d+, state (\d+)/;
    }

    open my $table, '-|', "cd '$here' && ./pan -d" or die "pan: $!";
    while (<$table>) {
        $of = $1 || 'init' if /^(?:proctype\s+(\S+)|init)/;
        next if !/^\s*state\s+(\d+) .* ledger\.pml:(\d+) /;
        $line{$2} = 1;
        $reached{$2} = 1 if !$unreached{"$of $1"};
    }
    close $table;
    return (\%line, \%reached);
}


my (%there, %reached);

for (@holds, $large ? @large : ()) {
    my ($name, @flags) = @$_;
    my ($here, $said, $status) = search($large ? '-O2' : '-O0', @flags);

    is $status, 0, "$name: the search ends";
    like $said, qr/errors: 0$/m, "$name: I1, I2 and P hold";
    unlike $said, qr/max search depth too small|Search not completed/,
        '… in all that there is';
    my ($states) = $said =~ /^\s*([\d.e+]+) states, stored/m;
    my ($depth) = $said =~ /depth reached (\d+)/;
    my ($time) = $said =~ /elapsed time (\S+)/;
    note("$name: @flags: $states states, depth $depth, $time s");

    my ($lines, $been) = lines($here, $said);
    $there{$_} = 1 for keys %$lines;
    $reached{$_} = 1 for keys %$been;
}

# a process that never ends does not reach its closing brace
my @source = split /\n/, slurp($model);
my @never = grep { !$reached{$_} && $source[$_ - 1] !~ /^\}/ }
    sort { $a <=> $b } keys %there;

cmp_ok scalar keys %there, '>', 50, 'the lines of the model that do something';
is "@never", '', '… and nothing of it was never reached'
    or diag(map { "$_: $source[$_ - 1]\n" } @never);

for (@fails, @limits) {
    my ($name, $broken, @flags) = @$_;
    my (undef, $said) = search('-O0', @flags);
    my ($what) = $said =~ /^pan:1: assertion violated (.*) \(at/m;
    like $what // 'nothing', $broken, "$name: is found";
}

done_testing;
