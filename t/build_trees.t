#!/usr/bin/perl

# The module builds without a warning, as a dynamic module of an nginx that
# was built from source, and works there: Debian's own version, and that of
# its next release, whose headers are linked lists (since 1.23).
#
# The trees are kept in ENROLL_CACHE, outside the checkout, to be used again.

use Digest::MD5 qw(md5_hex);
use Fcntl qw(:flock);
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Refused qw(refused);
use Enroll::Test;

my $top = top();
my $cache = $ENV{ENROLL_CACHE} || '/var/tmp/ngx-enroll';
my $dir = sub_dir('build');
my @options = qw(--with-compat --with-threads --with-http_ssl_module
    --with-http_v2_module);
my $cores = qx{nproc} + 0;


# A command's exit status; all that it says is in the file.

sub run {
    my ($file, @command) = @_;

    my $process = Enroll::Process->start(argv => \@command,
        output => $file, env => { MAKEFLAGS => '' });
    wait_for { $process->gone } "@command[0 .. 1]", 300;
    return $process->status;
}

# The folder of the source, or nothing: what was said is in the file.

sub source {
    my ($suite) = @_;

    my $said = "$dir/source-$suite";
    unlink $said;
    my $status = run($said, 'sh', '-c', 'exec "$@" 2>"$0.err"', $said,
        "$top/tools/source.sh", $cache, $suite || ());
    return $status ? undef : slurp($said) =~ s/\n\z//r;
}

# nginx itself, once: its own warnings are none of ours.

sub build_nginx {
    my ($src, $objs) = @_;

    my @configure = ('./configure', "--builddir=$objs",
        '--with-cc-opt=-O0 -g0 -w', @options);
    my $made = join "\n", @configure, qx{cc --version};
    return if -x "$objs/nginx" && slurp("$objs/made") eq $made;

    for my $command (\@configure,
        ['make', '-s', '-j', $cores, '-f', "$objs/Makefile", 'binary'])
    {
        my $log = "$dir/nginx.log";
        if (run($log, 'sh', '-c', 'cd "$0" && exec "$@"', $src, @$command)) {
            my @lines = split /\n/, slurp($log);
            die join "\n", splice(@lines, -20), "nginx does not build\n";
        }
    }

    spew("$objs/made", $made);
    return;
}


sub smoke {
    my ($version, $binary, $module) = @_;

    local @ENV{qw(ENROLL_NGINX ENROLL_MODULE)} = ($binary, $module);
    my $stack = stack();
    my $idp = $stack->idp;

    like qx{'$binary' -v 2>&1}, qr{nginx/\Q$version\E$}, 'this very nginx';

    my $made = $stack->issue(subject => 'ada', channel => 'email');
    is $made->status, 201, 'a joiner event makes a token';
    my ($id, $token) = @{$made->json}{qw(id token)};

    my $missing = $stack->page('other=1');
    refused($missing, 401, 'missing', 'closed without a session (I3)');
    is $missing->header('WWW-Authenticate'), 'Bearer realm="enroll"',
        'with a header of ours';
    is $idp->count, 0, 'the IdP has heard nothing';

    my $session = $stack->session($token);
    refused($stack->redeem($token), 410, 'redeemed', 'it works once (I1)');
    refused($stack->finish($session), 403, 'order', 'finish before begin');

    # several headers of a name are several, or a list
    my $page = $stack->http->get('/register', Cookie => 'a=1',
        Cookie => "b=2; $session; c=3", Cookie => 'd=4',
        'Enroll-Subject' => 'mallory', 'Enroll-Subject' => 'eve');
    is $page->status, 200, 'the page, with three Cookie headers';
    my ($seen) = $idp->requests('/register');
    is_deeply [sort map { split /; / } $seen->headers('Cookie')],
        [qw(a=1 b=2 c=3 d=4)], 'which reach the IdP without the session (I5)';
    is_deeply [$seen->headers('Enroll-Subject')], ['ada'],
        'and with the one subject that the proxy names';

    is $stack->begin($session)->status, 200, 'begin';
    my $finish = $stack->finish($session);
    is $finish->status, 200, 'finish';
    is $finish->cookie('__Host-enroll'), '', 'which ends the session';
    is $stack->wait_record($id, state => 'enrolled')->{attempts}, 1,
        'enrolled with one attempt';
    refused($stack->finish($session), 410, 'enrolled', 'once (I2)');
    is $idp->count('/register/finish'), 1, 'the IdP heard of one';
    is_deeply [map { $_->{event} } $stack->events(id => $id)],
        [qw(issue redeem refuse begin claim settle)],
        'one event for each (I7)';
    return;
}


# The tree and its nginx, made by one at a time. Skips where there is none.

sub nginx_tree {
    my ($suite) = @_;

    if (!eval { make_path($cache); 1 } || !open my $lock, '>>', "$cache/lock") {
        plan(skip_all => "$cache cannot be written to: " . ($@ || $!));
    } else {
        flock $lock, LOCK_EX or die "$cache/lock: $!";

        my $src = source($suite);

        if (!defined $src) {
            my $said = slurp("$dir/source-$suite.err");
            my ($why) = $said =~ /^[EW]: (.*(?:[Cc]ould not|[Ff]ailed).*)/m
                ? $1 : $said =~ /(.*)\n*\z/;
            plan(skip_all => "the source of nginx cannot be had: $why");
        }

        build_nginx($src, "$src/objs-compat");
        return $src;
    }
}

sub tree {
    my ($suite) = @_;

    my $src = nginx_tree($suite);
    my ($version) = $src =~ /nginx-([\d.]+)\z/;

    # a folder of its own for each checkout
    my $build = "$cache/module-$version-" . substr md5_hex($top), 0, 8;
    local @ENV{qw(NGINX_SRC OPTIONS)} = ($src, "@options");

    is run("$dir/module-$version", "$top/tools/build.sh", $build), 0,
        "the module builds with nginx $version";
    is slurp("$dir/module-$version"), '', 'and no warning is given';
    is scalar(grep { /warning/i } split /\n/, slurp("$build/configure.log")),
        0, 'not by configure either';

    smoke($version, "$src/objs-compat/nginx",
        "$build/ngx_http_enroll_module.so");
    return;
}


# What asks for threads says so where there are none.

sub threadless {
    my $src = nginx_tree('');
    my $build = "$cache/module-threadless-" . substr md5_hex($top), 0, 8;
    local @ENV{qw(NGINX_SRC OPTIONS)} = ($src, join ' ',
        grep { !/threads/ } @options);

    is run("$dir/threadless", "$top/tools/build.sh", $build), 0,
        'the module builds';
    is slurp("$dir/threadless"), '', 'and no warning is given';

    local @ENV{qw(ENROLL_NGINX ENROLL_MODULE)} = ("$src/objs-compat/nginx",
        "$build/ngx_http_enroll_module.so");
    my $conf = "enroll_zone enroll 1m; enroll_journal $dir/journal";
    my ($status, $said) = nginx_test_config("$conf;");
    is $status, 0, 'a journal is written' or diag $said;
    ($status, $said) = nginx_test_config("$conf sync;");
    isnt $status, 0, 'but not waited for';
    like $said, qr/"sync" needs threads: build nginx .*--with-threads/,
        '… why';
    return;
}

subtest 'without threads' => \&threadless;


for my $suite ('', 'trixie') {
    subtest($suite ? "the nginx of $suite" : 'the nginx of this release',
        sub { tree($suite) });
}

done_testing;
