package Enroll::Tls;

# A private CA and certificates for tests, made by the openssl command.

use strict;
use warnings;

use Exporter qw(import);

use Enroll::Dir qw(sub_dir spew slurp);

our @EXPORT_OK = qw(certificate ca_file);


my $made;


sub _openssl {
    my (@args) = @_;
    my $log = sub_dir('tls') . '/openssl.log';
    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        open STDOUT, '>>', $log;
        open STDERR, '>>', $log;
        { no warnings 'exec'; exec 'openssl', @args; }
        require POSIX;
        POSIX::_exit(127);
    }

    waitpid $pid, 0;
    die "openssl @args: " . slurp($log) if $?;
    return;
}


sub ca_file {
    my $dir = sub_dir('tls');

    if (!$made) {
        _openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256
            -nodes -days 2 -subj /CN=test-ca), '-keyout', "$dir/ca.key",
            '-out', "$dir/ca.crt");
        chmod 0644, "$dir/ca.crt";
        $made = 1;
    }

    return "$dir/ca.crt";
}


# certificate('redis.test', 'IP:127.0.0.1', …) returns (certificate, key)
# files; the name itself is a DNS name of it.

sub certificate {
    my ($name, @others) = @_;

    my $ca = ca_file();
    my $dir = sub_dir('tls');
    my $base = "$dir/$name";
    my $names = join ',', "DNS:$name", @others;

    spew("$base.ext", "subjectAltName=$names\n");
    _openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        '-subj', "/CN=$name", '-keyout', "$base.key", '-out', "$base.csr");
    _openssl(qw(x509 -req -days 2 -CAcreateserial), '-in', "$base.csr",
        '-CA', $ca, '-CAkey', "$dir/ca.key", '-extfile', "$base.ext",
        '-out', "$base.crt");

    return ("$base.crt", "$base.key");
}


1;
