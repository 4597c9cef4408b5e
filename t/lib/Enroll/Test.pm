package Enroll::Test;

# What every test file uses: strict, warnings, Test::More and the harness.
#
#     use FindBin;
#     use lib "$FindBin::Bin/lib";
#     use Enroll::Test;
#
#     my $redis = redis();
#     my $idp = upstream(name => 'idp');
#     my $nginx = nginx(workers => 2, vars => { IDP => $idp->port },
#         http => <<'CONF');
#         server { listen %%PORT%%; … proxy_pass http://127.0.0.1:%%IDP%%; }
#     CONF
#     my $http = http($nginx->port);
#     …
#     done_testing;
#
# done_testing() stops everything and tests that nothing went wrong on the
# way (Enroll::Checks). A test that dies before it is looked through as well.

use strict;
use warnings;

use Test::More ();

use Enroll::Checks qw(stop_all problems);
use Enroll::Dir qw(test_dir sub_dir spew slurp);
use Enroll::Http;
use Enroll::Keys qw(make_keys new_keys);
use Enroll::Nginx qw(nginx_test_config);
use Enroll::Paths qw(top);
use Enroll::Port qw(free_port);
use Enroll::Redis;
use Enroll::Secrets qw(remember_secret find_secrets);
use Enroll::Sender qw(sender);
use Enroll::Stack;
use Enroll::Tls qw(certificate ca_file);
use Enroll::Upstream;
use Enroll::Wait qw(wait_for holds_within patience);
use Enroll::Webhook qw(webhook_secret webhook_headers webhook_signature);


my @NAMES = qw(
    nginx redis upstream stack http burst sender done_testing

    test_dir sub_dir spew slurp make_keys new_keys nginx_test_config top
    free_port remember_secret find_secrets certificate ca_file wait_for
    holds_within patience webhook_secret webhook_headers webhook_signature
);

my $owner = $$;
my $done = 0;


sub import {
    my $caller = caller;

    strict->import;
    warnings->import;

    no strict 'refs';

    for my $name (@Test::More::EXPORT) {
        next if $name =~ /\A(?:\W|done_testing\z)/;
        *{"${caller}::$name"} = \&{"Test::More::$name"};
    }
    *{"${caller}::TODO"} = \$Test::More::TODO;

    *{"${caller}::$_"} = \&{$_} for @NAMES;
    return;
}


sub nginx    { return Enroll::Nginx->new(@_) }
sub redis    { return Enroll::Redis->new(@_) }
sub upstream { return Enroll::Upstream->new(@_) }
sub stack    { return Enroll::Stack->new(@_) }
sub burst    { return Enroll::Http::burst(@_) }

# http($port, …)
sub http {
    my ($port, %arg) = @_;
    return Enroll::Http->new(port => $port, %arg);
}


sub done_testing {
    stop_all();

    my @problems = problems();
    Test::More::ok(!@problems, 'nothing went wrong on the way');
    Test::More::diag($_) for @problems;

    $done = 1;
    return Test::More::done_testing();
}


# A test that died, or that forgot done_testing().

END {
    if ($$ == $owner && !$done) {
        my $status = $?;

        stop_all();
        my @problems = problems();
        print STDERR "# $_\n" for @problems;

        $? = $status || (@problems ? 1 : 0);
    }
}

# an interrupted test, too, stops what it started
$SIG{$_} ||= sub { exit 130 } for qw(INT TERM HUP);


1;
