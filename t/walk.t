#!/usr/bin/perl

# People, real browsers and a real IdP: the link, the passkey, what happens
# to those who come late, and every page that they may see on the way.
#
# WALK_SHOTS=DIR keeps pictures of all pages.

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/idp";
use Enroll::Test;
use IdP;
use JSON::PP ();

my $subject = 'maria.magdalena.gonzalez-fernandez@research.example.com';
my $port = free_port();
my $origin = "http://localhost:$port";
my $idp = IdP->new(origin => $origin);

my $stack = stack(idp => $idp, nginx_args => { ports => { '' => $port } });


# A program of t/browser: its findings become this test's.

sub browse {
    my ($script, %env) = @_;

    local @ENV{keys %env} = values %env;
    open my $out, '-|', 'node', "$FindBin::Bin/browser/$script"
        or die "node: $!";

    my $planned = 0;

    while (my $line = <$out>) {
        chomp $line;

        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            ok !$1, $2;
        } elsif ($line =~ /^1\.\.\d+$/) {
            $planned = 1;
        } elsif ($line =~ /^Bail out! (.*)/) {
            fail $1;
        } else {
            $line =~ s/^# ?//;
            note $line;
        }
    }

    close $out;
    ok $planned, "$script went to its end";
    return;
}


# one enrollment

my $made = $stack->issue(subject => $subject)->json;

browse('walk.mjs', WALK_LINK => $made->{url}, WALK_SUBJECT => $subject,
    WALK_IDP => $idp->control);

my $record = $stack->wait_record($made->{id}, state => 'enrolled');
is $record->{attempts}, 1, 'the record says enrolled, at the first attempt';
is_deeply [grep { $_ ne 'refuse' }
        map { $_->{event} } $stack->events(id => $made->{id})],
    [qw(issue redeem begin begin claim settle)],
    'one token, two begins, one claim';


# what the readers of a link see, in each state that it can have

sub new_link {
    my ($subject, %more) = @_;
    return $stack->issue(subject => $subject, %more)->json->{url};
}

sub enter {
    my ($link) = @_;
    return $stack->session($link =~ /#(.+)/);
}

my %link = map { $_ => new_link($_) }
    qw(fresh revoked replaced redeemed locked unknown pasted);

$link{expired} = new_link('expired', ttl => 1);

($link{forged} = $link{fresh}) =~ s/(.)\z/$1 eq 'A' ? 'B' : 'A'/e;

$stack->revoke(subject => 'revoked');
new_link('replaced');

my $redeemed = enter($link{redeemed});

my $locked = enter($link{locked});

for my $left (2, 1, 0) {
    wait_for { $stack->begin($locked)->status == 200 } 'another begin';
    $stack->finish($locked);
}

my $unknown = enter($link{unknown});

$stack->begin($unknown);
$idp->fail(path => '/register/finish', status => 500);
$stack->finish($unknown);

my @cases = map { +{ name => $_->[0], status => $_->[1], reason => $_->[2],
        alarm => $_->[3] ? JSON::PP::true : JSON::PP::false,
        session => $_->[5] && $_->[5] =~ s/.*=//r,
        ($_->[4] =~ /#/ ? 'link' : 'url') => $_->[4] } }
    ['redeemed', 410, 'redeemed', 1, $link{redeemed}],
    ['enrolled', 410, 'enrolled', 1, $made->{url}],
    ['expired', 410, 'expired', 0, $link{expired}],
    ['revoked', 410, 'revoked', 0, $link{revoked}],
    ['replaced', 410, 'revoked', 0, $link{replaced}],
    ['locked', 429, 'locked', 0, $link{locked}],
    ['forged', 401, 'forged', 0, $link{forged}],
    ['missing', 401, 'missing', 0, "$origin/register"],
    ['scope', 403, 'scope', 0, "$origin/admin", $redeemed],
    ['claimed', 409, 'claimed', 1, "$origin/register", $unknown];

browse('refusals.mjs', WALK_CASES => JSON::PP->new->utf8->encode(\@cases),
    WALK_LINK => $link{pasted});


# and when Redis is away

$stack->redis->freeze;
browse('refusals.mjs', WALK_CASES => JSON::PP->new->utf8->encode([{
    name => 'unavailable', status => 503, reason => 'unavailable',
    link => $link{fresh} }]));
$stack->redis->thaw;

done_testing;
