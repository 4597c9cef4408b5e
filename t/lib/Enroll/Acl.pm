package Enroll::Acl;

# The user of Redis that the docs advise for nginx. Each private Redis has
# it, with these rights and no more, and each stack's nginx comes as it: what
# is missing there fails the tests, and so does what was refused (ACL LOG).
#
#     acl_rules()              # what may be done to one server
#     acl_rules('cluster')     # … to a node of a cluster
#     acl_rules('wait')        # … where enroll_redis_wait is said
#     acl_user($password, …)   # that as a line of a configuration
#     acl_conf()               # the directives by which nginx comes as it

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);

use Enroll::Dir qw(test_dir spew slurp);
use Enroll::Paths qw(top);
use Enroll::Secrets qw(remember_secret);

our @EXPORT_OK = qw(acl_rules acl_user acl_conf);


my ($docs, $password);

my %more = (cluster => qr/^(\+cluster\|slots .*)$/m, wait => qr/^(\+wait)$/m);


sub acl_rules {
    my (@for) = @_;

    $docs //= slurp(top() . '/docs/operations.md');
    my ($rules) = $docs =~ /^user enroll on >PASSWORD (.*?)^```/ms
        or croak 'docs/operations.md names no ACL user';
    $rules =~ s/\s*\\?\n\s*/ /g;

    for my $what (grep { $_ } @for) {
        my ($more) = $docs =~ $more{$what}
            or croak "docs/operations.md does not say what $what needs";
        $rules .= "$more ";
    }
    return $rules;
}


# The harness' own password, unless it is a test's.

sub acl_user {
    my ($own, @for) = @_;

    my $quoted = ($own // _password()) =~ s/(["\\])/\\$1/gr;
    return "user enroll on \">$quoted\" " . acl_rules(@for);
}

sub acl_conf {
    my $file = test_dir() . '/redis.password';
    spew($file, _password() . "\n", 0600) if !-e $file;
    return "enroll_redis_user enroll; enroll_redis_password_file $file;";
}


sub _password {
    return $password if defined $password;

    open my $random, '<', '/dev/urandom' or croak "/dev/urandom: $!";
    binmode $random;
    read $random, my $bytes, 16;
    $password = 'nginx-' . unpack 'H*', $bytes;
    remember_secret($password);
    return $password;
}


1;
