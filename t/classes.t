#!/usr/bin/perl

# What a class says, and what its exceptions may say (I8): an exception that
# is laxer than its parent does not load, whichever directive makes it so, and
# the error names both.

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Test;


my $dir = test_dir();

my @model = map { sprintf '%08x-8113-47ea-b116-bb5a8db9202a', $_ } 1 .. 3;
my %models = map {
    my $list = $_;
    ($list => spew("$dir/models-$list", join("\n", @model[split //, $list])))
} qw(0 1 01 012);


# --- the two ways in which a configuration is judged


# The error that nginx -t ends with, or '' where there is none; and its files'
# lines that the error names.
sub verdict {
    my ($http) = @_;

    my ($status, $said) = nginx_test_config($http);
    my ($error) = $said =~ /^nginx: \[emerg\] (.*)/m;

    return '' if $status == 0 && !defined $error;
    return "exit $status: $said" if $status != 1 || !defined $error;

    my @lines = map {
        my ($file, $number) = /^(\S+):(\d+)$/;
        (split /\n/, slurp($file))[$number - 1];
    } $error =~ / in (\/\S+\.conf:\d+)/g;

    return ($error, @lines);
}


# Fails with words that match all of the patterns, and names the lines that
# have these comments, in their order.
sub refused {
    my ($name, $http, $lines, @patterns) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($error, @named) = verdict($http);
    my @missed = grep { $error !~ $_ } @patterns;

    ok $error ne '' && !@missed, $name or diag("$error\nmissed: @missed");
    is join(' ', map { /# (\w+)/ ? $1 : '?' } @named), $lines,
        "$name: names its lines";
    return;
}


sub loads {
    my ($name, $http) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is +(verdict($http))[0], '', $name;
    return;
}


# enroll_class blocks; each name's line is marked with itself
sub classes {
    my (@pairs) = @_;

    my $text = '';
    while (my ($name, $says) = splice @pairs, 0, 2) {
        $text .= "enroll_class $name { # $name\n$says\n}\n";
    }
    return $text;
}


# --- I8: each directive in which an exception can be laxer

# [directive, what the parent says, what is laxer, what is not, … and how it is
# told]. Between laxer and not there is the one difference.
my @fields = (
    [ttl => 'ttl 24h;', 'ttl 48h;', 'ttl 24h;', '2d instead of at most 1d'],
    [ttl => '', 'ttl 86401s;', 'ttl 86400s;',
        '86401s instead of at most 1d'],
    [window => 'window 5m;', 'window 301s;', 'window 300s;',
        '301s instead of at most 5m'],
    [window => '', 'window 11m;', 'window 10m;',
        '11m instead of at most 10m'],
    [attempts => 'attempts 2;', 'attempts 3;', 'attempts 2;',
        '3 instead of at most 2'],
    [attempts => '', 'attempts 6;', 'attempts 5;',
        '6 instead of at most 5'],
    [proof => 'proof ial2;', 'proof ial1;', 'proof ial2;',
        'ial1 instead of at least ial2'],
    [proof => 'proof ial1;', 'proof none;', 'proof ial3;',
        'none instead of at least ial1'],
    [approvals => 'approvals 2;', 'approvals 1;', 'approvals 2;',
        '1 instead of at least 2'],
    [approvals => 'approvals 1;', 'approvals 0;', 'approvals 8;',
        '0 instead of at least 1'],
    [channel => 'channel desk courier;', 'channel courier fax;',
        'channel courier;', '"fax" is none of its parent\'s'],
    [require => 'require email manager;', 'require email cost;',
        'require email manager cost;', '"manager" is missing'],
    [authenticators => 'authenticators any;', 'authenticators unread;',
        'authenticators any;', 'unread instead of at least any'],
    [authenticators => 'authenticators device_bound;', 'authenticators any;',
        'authenticators device_bound;',
        'any instead of at least device_bound'],
    [authenticators => 'authenticators hardware;',
        'authenticators device_bound;', 'authenticators hardware;',
        'device_bound instead of at least hardware'],
    [aaguid => "aaguid $models{'01'};", "aaguid $models{'012'};",
        "aaguid $models{1};", qq("$model[2]" is none of its parent's)],
    [user_verification => 'user_verification required;',
        'user_verification preferred;', 'user_verification required;',
        'preferred instead of required'],
    [origin => 'origin https://a.example https://b.example;',
        'origin https://b.example https://b.example:8443;',
        'origin https://b.example;',
        '"https://b.example:8443" is none of its parent\'s'],
    [deny_if => 'deny_if $http_x $http_y;', 'deny_if $http_x "${http_y}";',
        'deny_if $http_z $http_y $http_x;', '"$http_y" is missing'],
    [on_replay => 'on_replay revoke;', 'on_replay log;',
        'on_replay revoke;', 'log instead of revoke'],
);

subtest 'I8 an exception that is laxer in one directive' => sub {
    for my $field (@fields) {
        my ($name, $parent, $laxer, $right, $values) = @$field;
        my $say = sub { classes(standard => $parent,
            urgent => "exception_of standard; $_[0]") };

        refused "I8 $laxer of $parent", $say->($laxer), 'urgent standard',
            qr/^exception "urgent" is laxer than "standard" in "$name": /,
            qr/": \Q$values\E in /,
            qr/ in \S+:\d+, its parent in \S+:\d+$/;
        loads "$right of $parent", $say->($right);
        loads "$laxer of no one", classes(standard => $parent,
            urgent => $laxer);
    }

    my ($compared) = slurp(top() . '/ngx_enroll_module/core/ngx_enroll_class.c')
        =~ /^(ngx_enroll_class_laxer\(.*)^ngx_enroll_channel_ceiling\(/ms;
    my %tried = map { $_->[0] => 1 } @fields;
    my @forgotten = grep { !$tried{$_} } $compared =~ /return "(\w+)";/g;
    is "@forgotten", '', 'none of those that are compared was left out';
    is scalar keys %tried, () = $compared =~ /return "\w+";/g,
        'and each of these is compared';
};


subtest 'I8 in several: the first that the docs tell is named' => sub {
    my @names;
    my %seen;

    my ($section) = slurp(top() . '/docs/directives.md')
        =~ /^### enroll_class$(.*?)^### enroll_issuer$/ms;
    my @told = $section =~ /^### (\w+)$/mg;

    for my $name (@told) {
        my ($field) = grep { $_->[0] eq $name && $_->[1] } @fields or next;
        push @names, $field;
    }

    is scalar @names, scalar(keys %{{ map { $_->[0] => 1 } @fields }}),
        'the docs tell of all';

    while (@names) {
        my $parent = join ' ', map { $_->[1] } @names;
        # said of authenticators, "unread" is refused for another reason
        my $laxer = join ' ', map { $_->[0] eq 'authenticators' ? ()
            : $_->[2] } @names;
        my $first = shift @names;
        next if $first->[0] eq 'authenticators';

        refused "I8 $first->[0] is the first", classes(standard => $parent,
            urgent => "exception_of standard; $laxer"), 'urgent standard',
            qr/in "$first->[0]": /;
    }
};


subtest 'I8 what is not said is inherited, also from far' => sub {
    for my $field (@fields) {
        my ($name, $parent, $laxer, $right, $values) = @$field;

        my $say = sub { classes(
            urgent => "exception_of middle; $_[0]",
            middle => 'exception_of upper;',
            upper => 'exception_of standard;',
            standard => $parent) };

        refused "I8 $laxer of $parent, from far", $say->($laxer),
            'urgent middle',
            qr/^exception "urgent" is laxer than "middle" in "$name": /,
            qr/": \Q$values\E in /;
        loads "$right of $parent, from far", $say->($right);
        loads "nothing of $parent, from far", $say->('');
    }
};


subtest 'I8 an exception of an exception' => sub {
    my $say = sub { classes(standard => 'ttl 24h;',
        urgent => 'exception_of standard; ttl 1h;',
        worse => "exception_of urgent; ttl $_[0];") };

    refused 'I8 stricter than the root is not enough', $say->('2h'),
        'worse urgent', qr/"worse" is laxer than "urgent" in "ttl": 2h/;
    loads 'as strict as its parent', $say->('1h');

    loads 'two exceptions of one class need not agree', classes(
        standard => 'ttl 24h;', urgent => 'exception_of standard; ttl 1h;',
        contractor => 'exception_of standard; ttl 2h;');
};


# --- whose exception


subtest 'parents' => sub {
    refused 'an unknown parent', classes(urgent => 'exception_of standard;'),
        'urgent', qr/unknown class "standard" in "exception_of" of/,
        qr/enroll_class "urgent": declare it with enroll_class/;
    refused 'an unknown parent of another exception',
        classes(standard => '', urgent => 'exception_of middle;',
            middle => 'exception_of nobody;'), 'middle',
        qr/unknown class "nobody" in "exception_of" of enroll_class "middle"/;

    my %cycle = (
        'of itself' => ['a', a => 'exception_of a;'],
        'of two'    => ['a', a => 'exception_of b;', b => 'exception_of a;'],
        'of three'  => ['a', a => 'exception_of b;', b => 'exception_of c;',
            c => 'exception_of a;'],
        'beside it' => ['b', standard => '', a => 'exception_of b;',
            b => 'exception_of c;', c => 'exception_of b;'],
    );

    for my $name (sort keys %cycle) {
        my ($where, @classes) = @{$cycle{$name}};
        refused "a circle $name", classes(@classes), $where,
            qr/enroll_class "$where" is, by "exception_of", an exception of/;
    }

    my @chain = map { my $n = $_; ("c$n" => 'exception_of c' . ($n + 1) . ';') }
        1 .. 50;
    loads 'fifty of them, the parents behind', classes(@chain, c51 => '');
    loads 'fifty of them, the parents in front',
        classes(c51 => '', map { ($chain[2 * $_], $chain[2 * $_ + 1]) }
            reverse 0 .. 49);
};


# --- recovery


subtest 'recovery' => sub {
    refused 'recovery of no parent',
        classes(standard => 'channel desk courier; recovery on;'), 'standard',
        qr/"recovery" of enroll_class "standard" needs "exception_of"/;

    my $say = sub { classes(standard => $_[0],
        recovery => "exception_of standard; recovery on; $_[1]") };

    refused 'no channel', $say->('', ''), 'standard',
        qr/"recovery" of enroll_class "recovery" needs "channel" in/,
        qr/in enroll_class "standard": otherwise another channel than the/;
    refused 'no channel in the parent', $say->('', 'channel desk;'),
        'standard', qr/needs "channel" in enroll_class "standard"/;
    loads 'inherited channels', $say->('channel desk courier;', '');
    loads 'one of two channels', $say->('channel desk courier;',
        'channel desk;');
    loads 'recovery off needs none of it',
        classes(standard => 'recovery off;',
            urgent => 'exception_of standard; recovery off;');

    refused 'no channel in the root', classes(standard => '',
        middle => 'exception_of standard; channel desk courier;',
        recovery => 'exception_of middle; recovery on;'), 'standard',
        qr/"recovery" of enroll_class "recovery" needs "channel" in/;

    my $below = sub { classes(standard => 'channel desk courier;',
        recovery => 'exception_of standard; recovery on;',
        lost => 'exception_of recovery; ' . $_[0]) };

    refused 'I8 an exception of a recovery that is none',
        $below->('recovery off;'), 'lost recovery',
        qr/"lost" is laxer than "recovery" in "recovery": off instead of on/;
    loads 'an exception of a recovery', $below->('recovery on;');
    loads 'what it is by itself', $below->('');

    my ($status, $said) = nginx_test_config($say->('channel desk;', ''));
    is $status, 0, 'a single channel loads' or diag($said);
    like $said, qr/\[warn\].*"recovery" has the only channel of "standard"/,
        'with a warning that nobody can recover by another';
    ($status, $said) = nginx_test_config($say->('channel desk courier;', ''));
    unlike $said, qr/\[warn\]/, 'two have none';
};


# --- channels and how long a code may live


subtest 'SP 800-63A-4: ceilings of channels' => sub {
    my %ceiling = (email => ['24h', '1d', 86_400], sms => ['10m', '10m', 600],
        voice => ['600s', '10m', 600], post => ['21d', '21d', 1_814_400]);

    for my $channel (sort keys %ceiling) {
        my ($right, $told, $seconds) = @{$ceiling{$channel}};
        my $longer = $seconds + 1 . 's';

        loads "$channel: $right",
            classes(standard => "channel $channel; ttl $right;");
        refused "$channel: $longer",
            classes(standard => "channel $channel; ttl $longer;"), 'standard',
            qr/^"ttl" of enroll_class "standard" is $longer, but SP 800-63A-4/,
            qr/ allows at most $told where a code is sent by "$channel" in /;
    }

    loads 'post_abroad: the longest ttl there is',
        classes(standard => 'ttl 30d; channel post_abroad;');
    loads 'other channels have no ceiling',
        classes(standard => 'ttl 30d; channel desk e-mail sms_2;');
    loads 'nor has a class without channels', classes(standard => 'ttl 30d;');

    refused 'of several the least', classes(standard =>
        'channel post sms email; ttl 11m;'), 'standard',
        qr/is 11m, but .* at most 10m where a code is sent by "sms"/;
    refused 'the default ttl, too', classes(standard => 'channel voice;'),
        'standard', qr/is 1d, but .* at most 10m .* by "voice"/;
    refused 'an inherited ttl, too', classes(standard => 'ttl 20m;',
        urgent => 'exception_of standard; channel sms;'), 'urgent',
        qr/"ttl" of enroll_class "urgent" is 20m, but .* at most 10m/;
    loads 'and an exception may be in time', classes(standard => 'ttl 20m;',
        urgent => 'exception_of standard; channel sms; ttl 10m;');
};


# --- what a class says of authenticators holds for what cannot be read


subtest 'authenticators that pass unread' => sub {
    my %rule = (aaguid => "aaguid $models{0};",
        'user_verification required' => 'user_verification required;',
        origin => 'origin https://login.example.com;');

    for my $name (sort keys %rule) {
        refused "$name and unread",
            classes(standard => "$rule{$name} authenticators unread;"),
            'standard', qr/"authenticators unread" in enroll_class "standard"/,
            qr/would let pass what "$name" forbids: say "authenticators any"/;
        loads "$name and any",
            classes(standard => "$rule{$name} authenticators any;");
        loads "$name alone", classes(standard => $rule{$name});
        refused "an exception's $name and unread",
            classes(standard => 'authenticators unread;',
                urgent => "exception_of standard; $rule{$name} "
                    . 'authenticators unread;'), 'urgent',
            qr/would let pass what "$name" forbids/;
        refused "a parent's $name and unread",
            classes(standard => $rule{$name},
                urgent => 'exception_of standard; authenticators unread;'),
            'urgent', qr/would let pass what "$name" forbids/;
        loads "an exception's $name alone",
            classes(standard => 'authenticators unread;',
                urgent => "exception_of standard; $rule{$name}");
    }

    loads 'preferred is no rule', classes(standard =>
        'user_verification preferred; authenticators unread;');
};


# --- what the docs show


subtest 'docs/directives.md' => sub {
    my ($section) = slurp(top() . '/docs/directives.md')
        =~ /^### enroll_class$(.*?)^### enroll_issuer$/ms;
    my @shown = $section =~ /^```nginx\n(.*?)^```$/msg;

    ok @shown >= 2, 'has examples';
    loads +(split /\n/)[0], $_ for @shown;
};


# --- wrong values


sub wrong {
    my ($says, @patterns) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    refused $says, "enroll_class standard {\n$says # here\n}\n", 'here',
        @patterns;
    return;
}


subtest 'words' => sub {
    my @table = (
        [proof => '"none", "ial1", "ial2" or "ial3"',
            qw(ial0 ial4 IAL2 2 ial on)],
        [authenticators => '"unread", "any", "device_bound" or "hardware"',
            qw(all none device-bound Any software)],
        [user_verification => '"preferred" or "required"',
            qw(on discouraged Required)],
        [recovery => '"off" or "on"', qw(yes 1 On)],
        [on_replay => '"log" or "revoke"', qw(kill on Log logs lo)],
    );

    for my $row (@table) {
        my ($name, $right, @values) = @$row;

        for my $value (@values, '') {
            wrong qq($name "$value";),
                qr/invalid value "\Q$value\E" in "$name", it must be \Q$right/;
        }

        my ($first) = $right =~ /"(\w+)"/;
        wrong "$name $first; $name $first;", qr/"$name" directive is duplicate/;
    }

    wrong "approvals $_;", qr/invalid value "$_" in "approvals", it must be a/,
        qr/a number from 0 to 8/ for qw(9 -1 two 1.5);
    wrong 'approvals 1; approvals 1;', qr/"approvals" directive is duplicate/;
    loads 'bounds', classes(none => 'approvals 0;', all => 'approvals 8;');

    for my $name (qw(proof approvals authenticators aaguid user_verification
        exception_of recovery deliver on_replay))
    {
        wrong "$name;", qr/invalid number of arguments in "$name"/;
        wrong "$name a b;", qr/invalid number of arguments in "$name"/;
    }
};


subtest 'lists' => sub {
    my @sixteen = map { "a$_" } 1 .. 16;

    for my $name (qw(channel require)) {
        for my $word ('Email', 'e.mail', 'a:b', '$x', '', 'x' x 33, "\xc3\xa9")
        {
            my $shown = quotemeta $word;
            wrong qq($name email "$word";), qr/invalid name "$shown"/,
                qr/1 to 32 characters of a-z, 0-9, "_" and "-"/;
        }

        wrong "$name;", qr/invalid number of arguments in "$name"/;
        wrong "$name a; $name b;", qr/"$name" directive is duplicate/;
        wrong "$name @sixteen a17;", qr/"$name" takes 16 parameters at most/;
        loads "$name: sixteen", classes(standard => "$name @sixteen;");
        loads "$name: a long one", classes(standard => "$name " . 'x' x 32
            . ';');
    }

    wrong 'channel email unspecified; ttl 1m;',
        qr/"unspecified" is no channel, it stands for none: leave "channel"/;
};


subtest 'origins' => sub {
    my @right = map { ($_, "$_:1", "$_:8443", "$_:65535") }
        'https://login.example.com', 'http://localhost', 'https://a',
        'https://1.2.3.4', 'https://xn--bcher-kva.example', 'https://a_b.c-d';
    my @wrong = ('', 'login.example.com', 'https:', 'https:/', 'https://',
        'https://:1', 'HTTPS://a', 'https://A', 'https://a/', 'https://a/b',
        'https://a:', 'https://a:0', 'https://a:01', 'https://a:65536',
        'https://a:443', 'http://a:80', 'https://a:1x', 'https://a:+1',
        'https://a:1:2', 'https://.a', 'https://a.', 'https://a..b',
        'https://a b', 'https://u@a', 'https://a?b', 'https://a#b',
        'https://*.a', 'https://[::1]', 'ftp://a', 'null', '*',
        "https://\xc3\xa9", 'android:apk-key-hash:x',
        'https://' . 'a' x 248);

    wrong qq(origin https://a "$_";), qr/invalid origin "\Q$_\E"/,
        qr{such as https://login\.example\.com} for @wrong;

    while (my @some = splice @right, 0, 16) {
        loads "@some", classes(standard => "origin @some;");
    }

    loads 'the longest', classes(standard => 'origin https://' . 'a' x 247
        . ';');
    loads 'a port that is usual elsewhere',
        classes(standard => 'origin https://a:80 http://a:443;');
    wrong 'origin;', qr/invalid number of arguments in "origin"/;
    wrong 'origin https://a; origin https://b;',
        qr/"origin" directive is duplicate/;
    wrong 'origin ' . join(' ', map { "https://a$_" } 1 .. 17) . ';',
        qr/"origin" takes 16 parameters at most/;
};


subtest 'deny_if' => sub {
    my @many = map { "\$http_a$_" } 1 .. 16;

    for my $text ('1', 'country', '', '0', 'http_x') {
        wrong qq(deny_if \$http_x "$text";),
            qr/invalid parameter "\Q$text\E": "deny_if" takes texts with/,
            qr/is the same for all requests/;
    }

    for my $text ('$enroll_subject', 'a$enroll_class', '${enroll_state}x',
        '$http_x$enroll_proof', '$enroll_assertion')
    {
        wrong qq(deny_if \$http_y "$text";),
            qr/invalid parameter "\Q$text\E": whose token it is, and all/,
            qr/is not known when "deny_if" is asked/;
    }

    wrong 'deny_if "a$";', qr/invalid variable name/;
    wrong 'deny_if;', qr/invalid number of arguments in "deny_if"/;
    wrong "deny_if @many \$http_x;", qr/"deny_if" takes 16 parameters at most/;
    wrong "deny_if @many; deny_if \$http_x;",
        qr/takes 16 parameters at most, of all its lines in a class/;

    is +(verdict(classes(standard => 'deny_if $nope;')))[0],
        'unknown "nope" variable', 'an unknown variable';
    loads 'sixteen, in several lines', classes(standard =>
        join ' ', map { "deny_if $_;" } @many);
    loads 'a map that follows', classes(standard => 'deny_if $bad "a${bad}b";')
        . 'map $remote_addr $bad { default 0; 192.0.2.1 1; }';
    loads 'a variable of another name', classes(standard =>
        'deny_if $http_enroll_x $cookie_enroll_y;');
    loads 'lines are one list', classes(
        standard => 'deny_if $http_x; deny_if $http_y;',
        urgent => 'exception_of standard; deny_if $http_y $http_x;');
};


subtest 'deliver' => sub {
    for my $uri ('deliver', '', '@gateway', '//a', '/a//b', '/a/../b', '/a;b',
        '/a\\\\b', '/a?b', '/a%20b', 'http://127.0.0.1/', "/\xc3\xa9",
        '/a#b')
    {
        my $shown = quotemeta($uri =~ s/\\\\/\\/r);
        wrong qq(deliver "$uri";), qr/invalid uri "$shown"/,
            qr/"deliver" takes the path of an internal location/;
    }

    wrong 'deliver /a; deliver /a;', qr/"deliver" directive is duplicate/;
    loads 'a path', classes(standard => 'deliver /deliver/mail;');
};


subtest 'exception_of' => sub {
    wrong qq(exception_of "$_";), qr/invalid name "\Q$_\E"/,
        qr/1 to 32 characters of a-z/ for 'Standard', '', 'a b', 'x' x 33;
    wrong 'exception_of a; exception_of a;',
        qr/"exception_of" directive is duplicate/;
};


subtest 'aaguid' => sub {
    my $n = 0;
    my $file = sub { spew("$dir/aaguids-" . ++$n, $_[0]) };

    my @wrong = (
        'a word' => "# models\n\nyubikey\n", 3,
        'no dashes' => "2fc0579f811347eab116bb5a8db9202a\n", 1,
        'too short' => "$model[0]\n" . substr($model[0], 1), 2,
        'too long' => "${\$model[0]}0", 1,
        'no hex' => "$model[0]\n\n" . ($model[0] =~ s/.$/g/r), 3,
        'a digit for a dash' => ($model[0] =~ s/-/0/r), 1,
        'a dash elsewhere' => '0000000-18113-47ea-b116-bb5a8db9202a', 1,
        'two in a line' => "$model[0] $model[1]", 1,
        'a list' => "$model[0],\n$model[1]", 1,
        'quotes' => "\"$model[0]\"", 1,
        'a NUL' => "$model[0]\0", 1,
        'a NUL and more' => "$model[0]\n\0# nothing", 2,
        'no comment' => "$model[0]\n// yubikey", 2,
    );

    while (my ($name, $text, $line) = splice @wrong, 0, 3) {
        my $path = $file->($text);
        wrong "aaguid $path;", qr/"aaguid": no AAGUID in \Q$path\E:$line, it/,
            qr/it has 32 hex digits with "-" behind the 8th/;
    }

    for my $text ('', "\n\n", "# $model[0]\n") {
        my $path = $file->($text);
        wrong "aaguid $path;",
            qr/"aaguid": no AAGUID in "\Q$path\E", at least one is needed/;
    }

    my $many = join "\n", ($model[0]) x 1024;
    my $path = $file->("$many\n\n$model[0]");
    wrong "aaguid $path;", qr/"aaguid": one too many in \Q$path\E:1026, 1024/;
    loads '1024 of them', classes(standard => 'aaguid ' . $file->($many) . ';');

    $path = $file->("$model[0]#" . ' ' x 262_107);
    loads 'of 256 kilobytes', classes(standard => "aaguid $path;");
    $path = $file->("$model[0]#" . ' ' x 262_108);
    wrong "aaguid $path;",
        qr/"aaguid": "\Q$path\E" has 262145 bytes, 262144 are allowed/;

    wrong "aaguid $dir/none;", qr/"aaguid": .*"\Q$dir\E\/none" failed.*\(2:/,
        qr/name a file that holds one AAGUID a line/;
    wrong "aaguid $dir;", qr/"aaguid": "\Q$dir\E" must be a regular file/;
    wrong "aaguid $models{0}; aaguid $models{1};",
        qr/"aaguid" directive is duplicate/;

    # what a person may write, as an exception of what a program wrote
    $path = $file->("# keys\r\n\r\n\t \U$model[2]\E # the newest\r\n"
        . "  $model[0]");
    my $say = sub { classes(standard => "aaguid $_[0];",
        urgent => "exception_of standard; aaguid $_[1];") };
    loads 'spaces, comments, upper case', $say->($models{'012'}, $path);
    refused 'are read as they are', $say->($models{'01'}, $path),
        'urgent standard', qr/in "aaguid": "$model[2]" is none/;
};


# --- what is inherited is what tokens get


subtest 'tokens of an exception' => sub {
    my $stack = stack(
        class  => 'ttl 2h; window 3m; attempts 4;',
        http   => 'enroll_class soon { exception_of urgent; ttl 20m; }
            enroll_class urgent { exception_of standard; attempts 1; }',
        issuer => 'class standard urgent soon;');

    my %want = (standard => [7200, 180, 4], urgent => [7200, 180, 1],
        soon => [1200, 180, 1]);

    for my $class (sort keys %want) {
        my ($ttl, $window, $attempts) = @{$want{$class}};
        my $made = $stack->issue(subject => "of-$class", class => $class)
            ->json;
        my $record = $stack->record($made->{id});

        # two calls to Redis, each with its own time
        my $lives = $record->{expires_at} - $record->{issued_at};
        ok abs($lives - $ttl * 1000) <= 5000, "$class: ttl" or diag($lives);
        is $record->{window}, $window * 1000, "$class: window";
        is $record->{attempts_allowed}, $attempts,
            "$class: attempts";
    }
};

done_testing;
