#!/usr/bin/perl

# Key rotation: the first key makes, all verify.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

my $stack = stack(workers => 2);
my $file = $stack->dir . '/keys.jwks';
my $nginx = $stack->nginx;

my $json = JSON::PP->new;
my @old = @{$json->decode(slurp($file))->{keys}};
my @new = @{$json->decode(new_keys())->{keys}};

sub use_keys {
    my (@keys) = @_;
    spew($file, $json->encode({ keys => \@keys }));
    $nginx->reload(leave => 1);
    return;
}


my $token = $stack->token(subject => 'ada');
my ($session, $id) = $stack->enter(subject => 'bob');
$stack->begin($session);

use_keys($new[0], @old);

is $stack->finish($session)->status, 200,
    'a session of the old key goes on behind the new one';
$stack->wait_record($id, state => 'enrolled');

is $stack->redeem($token)->status, 200,
    'a token of the old key is redeemed behind the new one';

my $made = $stack->issue(subject => 'ada')->json;
is scalar $stack->events(event => 'revoke', why => 'superseded'), 1,
    'the subject is found again under the new key: its old token ends';

($session, $id) = $stack->enter(subject => 'cay');
my $left = $stack->token(subject => 'dan');

use_keys($new[0], grep { ($_->{kid} // '') eq 'subject' } @old);

is $stack->page($session)->status, 200,
    'what the new key made is good without the old one';
is $stack->redeem($made->{token})->status, 200, 'tokens and sessions alike';

use_keys($old[0], grep { ($_->{kid} // '') eq 'subject' } @old);

my $monitor = $stack->redis->monitor;
my $refused = $stack->redeem($left);
is $refused->status, 401, 'a token of a key that is gone is refused';
is $refused->json->{reason}, 'forged', 'like any other forged one';
is $stack->page($session)->status, 401, 'a session, too';
is scalar(grep { $_->{args}[0] =~ /^EVAL/ } $monitor->commands), 0,
    'and Redis is not asked';

done_testing;
