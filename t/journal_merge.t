#!/usr/bin/perl

# After a split brain, in which the stream of the old master was lost, the
# journals and what is left of the streams make one audit, by the commands of
# docs/operations.md: complete, each event once, in its order (I7).

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Journal qw(records torn);
use Enroll::Redis;
use Enroll::Refused qw(passed);
use Enroll::Test;

use JSON::PP ();


use constant PARTITIONS => 2;

my $json = JSON::PP->new->utf8->canonical;
my $old = redis(name => 'old', tcp => 1);
my $new = redis(name => 'new', conf => ["replicaof 127.0.0.1 " . $old->port]);
my $stack = stack(redis_server => $old, instances => 2, http =>
    'enroll_partitions ' . PARTITIONS . ';
    enroll_journal %%DIR%%/logs/journal;');
my @file = map { $stack->nginx($_)->{logs} . '/journal' } 0, 1;
my @steps = qw(issue redeem begin claim settle);
my (%done, $people);


# Somebody enrolls by that proxy.

sub enroll {
    my ($instance) = @_;

    my $subject = 'person-' . ++$people;
    my $made = $stack->issue(subject => $subject, instance => $instance);
    my $http = $stack->http($instance);
    my $redeemed = $http->post('/enroll', 'token=' . $made->json->{token},
        'Content-Type' => 'application/x-www-form-urlencoded');
    my @session = (Cookie => '__Host-enroll='
        . $redeemed->cookie('__Host-enroll'));
    $http->post('/register/begin', '{}', @session);
    my $finish = $http->post('/register/finish', '{}', @session);
    die $finish->raw if $finish->status != 200;
    $done{$subject} = $made->json->{id};

    wait_for { grep { $_->{event} eq 'settle' && $_->{subject} eq $subject }
        records($file[$instance]) } "the settlement of $subject";
    return $subject;
}

sub leads_to {
    my ($instance, $redis) = @_;
    my $nginx = $stack->nginx($instance);
    return $nginx->reload(leave => 1,
        vars => { %{$nginx->{vars}}, REDIS => $redis->socket });
}


# --- what happens

enroll($_ % 2) for 1 .. 6;
my $old_seq = $old->command('HGET', 'enroll:{0}:meta', 'seq');
wait_for { ($new->command('HGET', 'enroll:{0}:meta', 'seq') // 0)
    >= $old_seq } 'the replica';

# a second master, while the first one still serves the other proxy
$new->command('REPLICAOF', 'NO', 'ONE');
leads_to(1, $new);
my (@apart);
for (1 .. 5) {
    push @apart, enroll(0);
    enroll(1);
}
rename $file[0], "$file[0].1" or die $!;
$stack->nginx(0)->signal('USR1');
wait_for { -e $file[0] } 'a new journal';

# … and is lost
$old->stop('KILL');
unlink glob $old->dir . '/*.rdb';
leads_to(0, $new);
enroll($_ % 2) for 1 .. 4;
$stack->{redis_server} = $new;


# --- the journals of both, torn here and there, and one that tells again

my $dir = sub_dir('audit');
sub_dir('audit/journals');
my @records = map { records($_) } @file, "$file[0].1";
is_deeply [map { torn($_) } @file, "$file[0].1"], [], 'they are whole so far';

my ($known) = grep { $_->{event} eq 'redeem' } records($file[1]);
my %again = (%$known, repeated => '1', last => $known->{seq} + 3, at =>
    $known->{at} + 500);
delete @again{qw(seq from)};
my %alone = (%again, op => 'f' x 32, last => "$known->{seq}");
my $whole = slurp("$file[0].1");
my $line = (split /\n/, $whole)[2];
my $cut = substr $line, 0, 90;

spew("$dir/journals/p1.1", $whole =~ s/^\Q$line\E$/$cut$line/mr);
spew("$dir/journals/p1", slurp($file[0]));
spew("$dir/journals/p2", $json->encode(\%again) . "\n" . slurp($file[1])
    . $json->encode(\%alone) . "\n$cut");


# --- the commands

my ($section) = slurp(top() . '/docs/operations.md')
    =~ /^## One audit of all\n(.*?)^## /ms;
my ($commands) = $section =~ /^```sh\n(.*?)^```$/ms;
ok $commands =~ s/seq 0 63/'seq 0 ' . (PARTITIONS - 1)/e, 'the docs have them';

my $bin = sub_dir('bin');
my ($redis_cli) = grep { -x } map { "$_/redis-cli" } split /:/, $ENV{PATH};
spew("$bin/redis-cli", "#!/bin/sh\nexec $redis_cli -s " . $new->socket
    . " \"\$@\"\n", 0755);

sub audit_of {
    my ($what, $text) = @_;
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    unlink "$dir/told", "$dir/audit";
    is system('sh', '-ec', "cd $dir; $text"), 0, $what;
    return map { $json->decode($_) } split /\n/, slurp("$dir/audit");
}

my @audit = audit_of('they run', $commands);

sub key { return join ' ', map { $_[0]{$_} // '-' } @_[1 .. $#_] }

my %seen;
$seen{key($_, qw(partition op event id to))}++ for @audit;
is_deeply [grep { $seen{$_} > 1 } sort keys %seen], [], 'each event once';
is_deeply [map { key($_, qw(seq op event)) }
    grep { !$seen{key($_, qw(partition op event id to))} } @records], [],
    'all of the journals';

my %steps;
push @{$steps{$_->{subject} // ''}}, $_ for @audit;
is_deeply [grep { join(' ', map { $_->{event} } grep { !$_->{repeated} }
        @{$steps{$_}}) ne "@steps" } sort keys %done], [],
    'the five steps of everybody, in their order';

my @fences = grep { $_->{event} eq 'fence' } @audit;
ok @fences >= 1, 'the new master begins with a fence';
my (@disorder, %last);
for my $event (@audit) {
    my $number = $event->{seq} // $event->{last};
    push @disorder, $number if $number < ($last{$event->{partition}} // 0);
    $last{$event->{partition}} = $number;
}
is_deeply \@disorder, [], 'ordered by their numbers';

my ($redeem) = grep { $_->{op} eq $known->{op} && $_->{event} eq 'redeem' }
    @audit;
is_deeply { map { $_ => $redeem->{$_} } qw(seq from at repeated last host) },
    { seq => $known->{seq}, from => 'issued', at => $known->{at},
      repeated => undef, last => undef, host => $known->{host} },
    'what was told again is known by itself';
my ($lone) = grep { $_->{op} eq $alone{op} } @audit;
is $lone->{repeated}, 1, '… unless nobody else knows it';

# that is what the journals are for
unlink glob "$dir/journals/*";
spew("$dir/journals/none", '');
my %left = map { ($_->{subject} // '' => 1) }
    audit_of('of the streams alone', $commands);
is_deeply [grep { $left{$_} } @apart], [],
    'the streams alone have lost all of the old master\'s';

done_testing;
