# The project's own linters can fail: each is shown a fault in a small copy.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;

use File::Path qw(make_path);


my $dir = test_dir() . '/copy';

my %good = (
    'ngx_enroll_module/http/ngx_http_enroll_module.h' => <<'EOS',
typedef struct {
    ngx_uint_t                  attempts;      /* a number; really */
    ngx_str_t                   names[4];
} ngx_http_enroll_class_t;

typedef struct {
    ngx_flag_t                  enable;
    ngx_array_t                *issuers;       /* of names */
} ngx_http_enroll_loc_conf_t;
EOS
    'ngx_enroll_module/http/ngx_http_enroll_module.c' => <<'EOS',
static ngx_command_t  ngx_http_enroll_commands[] = {

    { ngx_string("enroll"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, enable),
      NULL },

      ngx_null_command
};

static ngx_http_enroll_word_t  ngx_http_enroll_class_words[] = {
    { ngx_string("ttl"), ngx_http_enroll_class_ttl },
    { ngx_null_string, NULL }
};

static ngx_http_variable_t  ngx_http_enroll_variables[] = {
    { ngx_string("enroll_id"), NULL, ngx_http_enroll_variable_id, 0, 0, 0 },
      ngx_http_null_variable
};

static void *
ngx_http_enroll_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->issuers = NULL;
     */

    conf->enable = NGX_CONF_UNSET;

    return conf;
}

static char *
ngx_http_enroll_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_enroll_loc_conf_t *prev = parent;
    ngx_http_enroll_loc_conf_t *conf = child;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_ptr_value(conf->issuers, prev->issuers, NULL);

    return NGX_CONF_OK;
}
EOS
    'docs/directives.md' => <<'EOS',
# Directives

### enroll

    Syntax:  enroll on | off;
    Default: enroll off;
    Context: location

Turns the guard on.

## In classes

### ttl

- Syntax: `ttl time;`
- Default: `ttl 1d;`
- Context: `enroll_class`
EOS
    't/guard.t' => <<'EOS',
    location / { enroll on; }
    enroll_class standard { ttl 1h; }
EOS
);


# The exit status and text of a tool, over the copy with one file changed.

sub lint {
    my ($tool, $file, $from, $to) = @_;

    for my $name (keys %good) {
        my $text = $good{$name};

        if ($name eq $file) {
            $text =~ s/$from/$to/ or die "$file has no $from\n";
        }

        my ($folder) = "$dir/$name" =~ m{(.*)/};
        make_path($folder);
        spew("$dir/$name", $text);
    }

    my $what = $tool eq 'check-columns' ? "$dir/$file" : $dir;
    my $output = qx{'${\top()}/tools/$tool' '$what' 2>&1};

    return ($? >> 8, $output);
}

sub faulty {
    my ($name, $regex, @fault) = @_;

    my ($status, $output) = lint(@fault);
    isnt($status, 0, "$name: fails");
    like($output, $regex, "$name: says so");
    return;
}


my $h = 'ngx_enroll_module/http/ngx_http_enroll_module.h';
my $c = 'ngx_enroll_module/http/ngx_http_enroll_module.c';
my $md = 'docs/directives.md';
my $t = 't/guard.t';

for my $tool (qw(check-directives check-columns)) {
    my ($status, $output) = lint($tool, $c, qr/$/, '');
    is($status, 0, "$tool: no fault") or diag($output);
}

faulty('a directive without an entry', qr/^bogus: no entry/m,
    'check-directives', $c, qr/\{ ngx_string\("enroll"\)/,
    "{ ngx_string(\"bogus\"), 0 },\n    { ngx_string(\"enroll\")");
faulty('a directive without a test', qr/^bogus: in no test/m,
    'check-directives', $c, qr/\{ ngx_string\("ttl"\)/,
    "{ ngx_string(\"bogus\"), 0 },\n    { ngx_string(\"ttl\")");
faulty('an entry without a syntax', qr/^enroll: no Syntax:/m,
    'check-directives', $md, qr/Syntax:/, 'Usage:');
faulty('an entry without a default', qr/^ttl: no Default:/m,
    'check-directives', $md, qr/- Default:/, '-');
faulty('an entry without a context', qr/^ttl: no Context:/m,
    'check-directives', $md, qr/- Context:/, '-');
faulty('an entry without a directive', qr/^gone: .* no directive/m,
    'check-directives', $md, qr/$/, "\n### gone\n");
faulty('a test that is gone', qr/^ttl: in no test/m,
    'check-directives', $t, qr/ttl 1h;/, '# ttl 1h;');
faulty('a directive of a similar name', qr/^enroll: in no test/m,
    'check-directives', $t, qr/enroll on;/, 'enroll_x on;');
faulty('a member without a default or a merge',
    qr/no default for bogus\n.*bogus is neither merged nor told/,
    'check-directives', $h, qr/    ngx_flag_t/,
    "    ngx_str_t  bogus;\n    ngx_flag_t");
faulty('a member without a default', qr/no default for issuers/,
    'check-directives', $c, qr/ *conf->issuers = NULL;/, '');
faulty('a member that is not merged', qr/issuers is neither merged/,
    'check-directives', $c, qr/.*merge_ptr.*\n/, '');
{
    my ($status, $output) = lint('check-directives', $c, qr/.*merge_ptr.*\n/,
        "    /* issuers are a location's own */\n");
    is($status, 0, 'a member that is told not to be merged')
        or diag($output);
}
faulty('no table at all', qr/no directives found/,
    'check-directives', $c, qr/.*/s, '');

faulty('a tab', qr/module\.h:\d+: a tab/, 'check-columns', $h,
    qr/    ngx_flag_t/, "\tngx_flag_t");
faulty('a space at the end', qr/module\.h:2: a space at its end/,
    'check-columns', $h, qr/really \*\//, 'really */ ');
faulty('a long line', qr/module\.h:2: more than 80 columns/,
    'check-columns', $h, qr/really/, 'really' x 10);

{
    # 80 columns, 160 bytes
    my ($status) = lint('check-columns', $h, qr/\A/,
        "/* " . "\xc3\xa9" x 74 . " */\n");
    is($status, 0, 'columns are characters');
}


done_testing;
