#!/usr/bin/perl

# Endpoints in other spellings, by other ways; and neighbours that are none.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

my $idp = 'proxy_pass http://127.0.0.1:%%IDP%%;';

my $stack = stack(
    server => 'rewrite ^/old(/.*)$ $1 last;',
    finish => 'proxy_intercept_errors on; error_page 500 = @backup;
        error_page 501 = @elsewhere; error_page 400 /sorry;',
    locations => <<"CONF");
        location /pre/ { enroll_endpoint page; $idp }
        location ~ ^/Rx/Finish\$ { enroll_endpoint finish; $idp }
        location ~ ^/dj/finish/\$ { enroll_endpoint finish; $idp }
        location ~ ^/pad/finish { enroll_endpoint finish; $idp }
        location /strip/ { rewrite ^/strip(/.*)\$ \$1 break; $idp }
        location \@backup { enroll_endpoint open; $idp }
        location \@elsewhere { enroll off; $idp }
        location = /sorry { enroll_endpoint open; $idp }
CONF

my $http = $stack->http;
my $upstream = $stack->idp;


# no session: the IdP must hear none of these

my @disguised = qw(
    /old/register/Finish /old/register/finish;x /strip/register/finish
    /strip/register/begin /rx/finish /Rx/Finish/ /RX/FINISH;x /dj/finish
    /dj/Finish/ /dj/finish;/ /dj/finish/%20 /PAD/finish /PRE/x /pre;x/y
    /pre /register/finish%0a /register/finish%c2%a0 /register/finish%3f
    /register/finish%23 /register/fi%09nish /x/../register/Finish
    /register/%2e/Finish /register/finish/%252e%252e/finish
);

for my $path (@disguised) {
    my $response = $http->post($path, '');
    ok $response->status >= 300 && $response->status < 500,
        "$path is not let through (I3)"
        or diag $response->status;
}

is $upstream->count, 0, 'the IdP has heard of none of them';


# ordinary sites are left alone

my @ordinary = qw(
    /prefix.css /preferences /pre.js /registered /registration/x /Register2
    /register.js /register-help /rx/finished /dj/finishes /a;b/c /A//b /x%20y
    /register/beginners /old/about /strip/about /caf%C3%A9
);

for my $path (@ordinary) {
    is $http->get($path)->status, 200, "$path is nobody's endpoint";
}


# a finish that was forwarded is not forwarded again

for my $case ([500, 'unknown', 'an open backup'],
              [501, 'unknown', 'one where the guard is off'])
{
    my ($status, $outcome, $name) = @$case;
    my ($session, $id) = $stack->enter(subject => "s$status");
    $stack->begin($session);
    $upstream->clear;
    $upstream->answer('/register/finish' => { status => $status },
        { status => 200 });

    is $stack->finish($session)->status, 409, "$name is not asked";
    is $upstream->count('/register/finish'), 1, 'the IdP hears it once (I2)';
    $stack->wait_record($id, state => 'claimed', outcome => $outcome);
}

{
    my ($session, $id) = $stack->enter(subject => 'sorry');
    $stack->begin($session);
    $upstream->clear;
    $upstream->answer('/register/finish' => { status => 400 });
    $upstream->answer('/sorry' => { status => 200, body => 'sorry' });

    is $stack->finish($session)->body, 'sorry', 'an open error page is shown';
    my ($page) = grep { $_->path eq '/sorry' } $upstream->requests;
    is $page->method, 'GET', 'by a GET';
    is $page->header('Enroll-Subject'), undef, 'and is told no subject';
    $stack->wait_record($id, state => 'redeemed', outcome => 'refused');
}


# headers that make some IdPs see another request

{
    my ($session) = $stack->enter(subject => 'eve');
    $upstream->clear;

    $http->get('/register', Cookie => $session, 'X-Original-URL' => '/admin',
        'X-Rewrite-URL' => '/admin', 'X-HTTP-Method-Override' => 'DELETE',
        'Upgrade' => 'h2c');
    my ($page) = $upstream->requests;
    is_deeply [map { scalar $page->header($_) } qw(X-Original-URL X-Rewrite-URL
        X-HTTP-Method-Override Upgrade)], [undef, undef, undef, undef],
        'a session overrides neither path nor method (I3)';
}


# a cookie of a key that is gone is taken away

my $forged = $http->get('/', Cookie => '__Host-enroll=ens_' . 'A' x 91);
is $forged->status, 403, 'a forged session is out of scope';
like $forged->header('Set-Cookie'), qr/__Host-enroll=;.*Max-Age=0/,
    'and its cookie ends';

done_testing;
