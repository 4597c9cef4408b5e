# The build: libraries that are missing are named, and files that are built
# in come out of the compiler as they went in.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;


my $top = top();
my $src = '/usr/share/nginx/src';
my $dir = sub_dir('build');


# --- nginx's configure, with a compiler to which one library is unknown


my %needs = (
    crypto  => ['OpenSSL, 3.0 or later', 'libssl-dev'],
    jansson => ['jansson', 'libjansson-dev'],
    hiredis => ['hiredis', 'libhiredis-dev'],
    jose    => ['libjose', 'libjose-dev'],
    cbor    => ['libcbor', 'libcbor-dev'],
);

my %running;

for my $library (sort keys %needs) {
    my $cc = spew("$dir/cc-$library", <<"EOS", 0755);
#!/bin/sh
for arg; do
    [ "\$arg" != -l$library ] || exit 1
done
exec cc "\$@"
EOS

    $running{$library} = Enroll::Process->start(
        argv => ['sh', '-c', "cd $src && exec ./configure --with-compat"
            . " --with-cc='$cc' --builddir='$dir/$library'"
            . " --add-dynamic-module='$top'"],
        output => "$dir/$library.log");
}

for my $library (sort keys %needs) {
    my ($name, $package) = @{$needs{$library}};
    my $process = $running{$library};

    wait_for { $process->gone } 'configure to end', 60;
    isnt($process->status, 0, "without $name: configure fails");
    like(slurp("$dir/$library.log"),
        qr/ngx_http_enroll_module needs \Q$name\E\.\n.*\Q$package\E$/m,
        "without $name: it and its package are named");
}


# --- text files as string literals


my $text = join '', map { "$_\n" } '-- "quoted" and \\ and \n and %d ??/',
    '', "\ttab, \xc3\xa9", '/* no comment */ // nor here', ' ' x 3, '\\';

spew("$dir/some-name.lua", $text);
spew("$dir/ngx_http_enroll_page.html", 'no newline at its end');
spew("$dir/main.c", <<'EOS');
#include <stdio.h>
#include "texts.h"

int
main(void)
{
    fputs(X_SOME_NAME X_PAGE, stdout);
    return 0;
}
EOS

system('sh', "$top/tools/embed.sh", "$dir/texts.h", 'X_',
    "$dir/some-name.lua", "$dir/ngx_http_enroll_page.html");
is($?, 0, 'embed.sh');
system('cc', '-Wall', '-Wextra', '-Werror', '-o', "$dir/main", "$dir/main.c");
is($?, 0, 'it compiles');
is(scalar `'$dir/main'`, "${text}no newline at its end\n",
    'text is what it was');


done_testing;
