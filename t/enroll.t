#!/usr/bin/perl

# One enrollment from the joiner event to the passkey, and every kind of
# reuse after it.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

my $stack = stack();
my $idp = $stack->idp;
my $http = $stack->http;


# issue

my $made = $stack->issue(subject => 'ada', event => 'join-1',
    channel => 'email', attributes => { email => 'ada@example.org' });

is $made->status, 201, 'a joiner event makes a token';
my ($id, $token) = @{$made->json}{qw(id token)};
like $token, qr/\Aenr_[\w-]{59}\z/, 'in its wire form';
like $id, qr/\A[0-9a-f]{32}\z/, 'and its public id';
is $made->json->{url},
    'http://localhost:' . $stack->nginx->port . "/enroll#$token",
    'in a link, as a fragment (I5)';

my $record = $stack->record($id);
is $record->{state}, 'issued', 'the record says issued';
is $record->{'attribute.email'}, 'ada@example.org', 'with attributes';

my $again = $stack->issue(subject => 'ada', event => 'join-1');
is $again->status, 200, 'the same joiner event again is answered';
is_deeply $again->json, { id => $id, state => 'issued' },
    'with the same id and its state, and no token';


# GET changes nothing

my $landing = $http->get('/enroll', Accept => 'text/html');
is $landing->status, 200, 'the landing page';
like $landing->header('Content-Security-Policy'), qr/default-src 'none'/,
    'has a strict policy';
is $http->request('HEAD', '/enroll')->status, 200, 'HEAD, too';
is $http->request('OPTIONS', '/enroll')->status, 405, 'OPTIONS is refused';
is $stack->record($id)->{state}, 'issued', 'and nothing has changed (I11)';


# closed without a session

for my $path (qw(/register /register/begin /register/finish)) {
    my $method = $path eq '/register' ? 'GET' : 'POST';
    my $response = $http->request($method, $path);
    is $response->status, 401, "$path is closed without a session (I3)";
    is $response->json->{reason}, 'missing', 'and says why';
}
is $idp->count, 0, 'the IdP has heard nothing so far';


# redeem

my $redeemed = $stack->redeem($token, Accept => 'text/html');
is $redeemed->status, 303, 'the token is redeemed';
is $redeemed->header('Location'), '/register', 'and leads to the page';
like join("\n", $redeemed->headers('Set-Cookie')),
    qr{\A__Host-enroll=ens_[\w-]{91};[ ]Path=/;[ ]Max-Age=600;[ ]Secure;
       [ ]HttpOnly;[ ]SameSite=Lax\z}x, 'with the session in a cookie';
my $session = '__Host-enroll=' . $redeemed->cookie('__Host-enroll');
is $stack->record($id)->{state}, 'redeemed', 'the record says redeemed';

my $second = $stack->redeem($token);
is $second->status, 410, 'it is redeemed once (I1)';
is $second->json->{reason}, 'redeemed', 'and says so';


# order, begin, finish

my $early = $stack->finish($session);
is $early->status, 403, 'finish before begin is refused (I3)';
is $early->json->{reason}, 'order', 'as out of order';
is $stack->page($session)->status, 200, 'the page is reached';
is $stack->page($session)->status, 200, 'and again';
is $stack->begin($session)->status, 200, 'begin is reached';
is $stack->finish($session)->status, 200, 'finish is reached';

$record = $stack->wait_record($id, state => 'enrolled');
is $record->{attempts}, 1, 'with one attempt';

my ($finish) = grep { $_->path eq '/register/finish' } $idp->requests;
is $finish->header('Enroll-Subject'), 'ada', 'the IdP was told who';
is $finish->header('Cookie'), undef, 'and not the session (I5)';


# reuse

my $reached = $idp->count;
is $stack->finish($session)->status, 410, 'finish again is refused (I2)';
is $stack->begin($session)->status, 410, 'begin again, too';
is $stack->page($session)->status, 410, 'the page, too';
is $stack->redeem($token)->status, 410, 'the token, too';
is $http->get('/admin', Cookie => $session)->status, 403,
    'and the rest of the IdP is out of scope (I3)';
is $stack->finish_by(Authorization => "Bearer $token")->status, 410,
    'the token as a bearer is refused';
is $idp->count, $reached, 'the IdP has heard of none of these';


# the trail

is_deeply [map { "$_->{event} $_->{seq}" } $stack->events(id => $id)],
    ['issue 1', 'redeem 2', 'refuse 3', 'begin 4', 'claim 5', 'settle 6'],
    'one event for each change, numbered without a gap (I7)';
my ($settle) = $stack->events(event => 'settle');
is $settle->{outcome}, 'enrolled', 'the settlement says enrolled';
is $settle->{status}, '200', 'and what the IdP said';

done_testing;
