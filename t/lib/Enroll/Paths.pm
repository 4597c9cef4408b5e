package Enroll::Paths;

# Where things are: the checkout, the nginx and the module under test.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);

our @EXPORT_OK = qw(top nginx_binary module_file redis_binary);


my $top = abs_path(dirname(abs_path(__FILE__)) . '/../../..');


sub top { return $top }

sub nginx_binary { return $ENV{ENROLL_NGINX} || '/usr/sbin/nginx' }

sub redis_binary { return $ENV{ENROLL_REDIS} || 'redis-server' }

sub module_file {
    return $ENV{ENROLL_MODULE}
        || "$top/build/nginx/ngx_http_enroll_module.so";
}


1;
