#!/usr/bin/perl

# The bypass corpus: t/bypass/*.txt says of each request what the client is
# told, what reaches the IdP, to the byte, and what the ledger says then
# (I2, I3, I5, I11). How to read and extend it: t/bypass/README.md.
#
#     BYPASS=paths prove t/bypass.t         # one file of it
#     BYPASS='paths:dot' prove t/bypass.t   # cases whose name has that

use FindBin;
use lib "$FindBin::Bin/lib";
use Enroll::Corpus qw(read_corpus unescape said);
use Enroll::Early;
use Enroll::Http2;
use Enroll::Test;

use File::Basename qw(basename);
use Time::HiRes qw(time);


my $dir = "$FindBin::Bin/bypass";
my ($crt, $key) = certificate('localhost');

my $stack = stack(
    classes => 'enroll_class brief { ttl 1h; window 1s; }',
    issuer => 'class standard brief;',
    vars => { BYPASS => $dir, CRT => $crt, KEY => $key },
    http => slurp("$dir/servers.conf"),
);

my $idp = $stack->idp;
my $redis = $stack->redis;

spew($stack->dir . '/users', "ada:{PLAIN}ada\n", 0644);
mkdir $stack->dir . '/files';
spew($stack->dir . '/files/page.html', 'a file');


# --- who comes: a credential each, made when it is asked for


# [header name, its value, whose token]
my %make = (
    nobody => sub { [] },

    token => sub {
        my $made = $stack->issue->json;
        return ['Authorization', "Bearer $made->{token}", $made->{id}];
    },

    # one that has begun, and redeemed itself by that
    begun_token => sub {
        my $made = $stack->issue->json;
        my @bearer = ('Authorization', "Bearer $made->{token}");
        $stack->begin_by(@bearer);
        return [@bearer, $made->{id}];
    },

    # one whose session somebody has
    spent_token => sub {
        my $made = $stack->issue->json;
        $stack->session($made->{token});
        return ['Authorization', "Bearer $made->{token}", $made->{id}];
    },

    session => sub { ['Cookie', $stack->enter] },

    begun => sub {
        my ($session, $id) = $stack->enter;
        $stack->begin($session);
        return ['Cookie', $session, $id];
    },

    enrolled => sub {
        my ($session, $id) = $stack->enter;
        $stack->begin($session);
        $stack->finish($session);
        $stack->wait_record($id, state => 'enrolled');
        return ['Cookie', $session, $id];
    },

    # a finish was sent, and nobody knows what became of it
    claimed => sub {
        my ($session, $id) = $stack->enter;
        $stack->begin($session);
        $idp->answer('/register/finish' => { status => 500 });
        $stack->finish($session);
        $stack->wait_record($id, outcome => 'unknown');
        $idp->answer('/register/finish' => {});
        return ['Cookie', $session, $id];
    },

    revoked => sub {
        my ($session, $id) = $stack->enter;
        $stack->revoke(id => $id);
        return ['Cookie', $session, $id];
    },

    expired => sub {
        my ($session, $id) = $stack->enter(class => 'brief');
        wait_for { $stack->begin($session)->status == 410 } 'its end', 4;
        return ['Cookie', $session, $id];
    },

    forged => sub {
        my ($session) = $stack->enter;
        substr($session, 20, 1) =~ tr/A-Za-z/B-ZAb-za/
            or substr $session, 20, 1, 'A';
        return ['Cookie', $session];
    },
);

# a second session, beside whoever comes
$make{other} = $make{session};

my %have;

sub who { return $have{$_[0]} ||= $make{$_[0]}->() }


# {session}, {other}, {token}, … are credentials, as they stand in a header;
# {=session} without the cookie's name, or "Bearer "; {id} and {subject} are
# those of who comes.

sub fill {
    my ($text, $who) = @_;

    $text =~ s/\{(=?)(\w+)\}/
        my ($bare, $name) = ($1, $2);
        my $value = $name eq 'id' ? who($who)->[2]
            : $name eq 'subject' ? $stack->record(who($who)->[2])->{subject}
            : $make{$name} ? who($name)->[1] : die "{$name} is nobody";
        $value =~ s{\A(?:Bearer |[^=]+=)}{} if $bare;
        $value/gex;

    return unescape($text);
}


# --- sending


sub filled { return map { fill($_, $_[1]) } @{$_[0] || []} }

# name and value of each header, the credential with them if nobody placed it

sub fields {
    my ($case, $who) = @_;

    my @lines = @{$case->{send}};
    my ($first, @headers) = filled(\@lines, $who);
    my @fields = map { [/\A(:?[^:]*):[ ]?(.*)\z/s] } @headers;
    my $credential = who($who);

    push @fields, [@$credential[0, 1]]
        if @$credential && "@lines @{$case->{body} || []}"
            !~ /\{=?(?!id\}|subject\})[a-z_]+\}/;

    my $body = defined $case->{body}
        ? join('', filled($case->{body}, $who)) : undef;
    push @fields, ['Content-Length', length $body]
        if defined $body
            && !grep { $_->[0] =~ /^(?:Content-Length|Transfer-Encoding)$/i }
                @fields;

    return ($first, \@fields, $body);
}


sub bytes {
    my ($case, $who) = @_;

    return join '', filled($case->{bytes}, $who) if $case->{bytes};

    my ($line, $fields, $body) = fields($case, $who);
    my %given = map { lc $_->[0] => 1 } @$fields;

    $line .= ' HTTP/1.1' if $line !~ m{ HTTP/[\d.]+\z};
    unshift @$fields, ['Host', 'localhost'] if !$given{host};
    push @$fields, ['Connection', 'close'] if !$given{connection};

    return join "\r\n", $line, (map { "$_->[0]: $_->[1]" } @$fields), '',
        $body // '';
}


# Answers, until the connection ends: [status, body] each.

sub exchange_h1 {
    my ($case, $who) = @_;

    my $bytes = bytes($case, $who);
    my $socket = http($stack->nginx->port(uc $case->{to}))->connect;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, $bytes;

    my $in = '';
    my $deadline = time + patience(5);
    my $select = IO::Select->new($socket);

    while ($select->can_read($deadline - time)) {
        sysread $socket, $in, 65_536, length $in or last;
    }

    return answers($in, $bytes =~ /\AHEAD /);
}


sub answers {
    my ($in, $head) = @_;

    Enroll::Secrets::remember_secrets_in($in);
    my @answers;

    while ($in =~ s{\AHTTP/1\.1 (\d+)(.*?)\r\n\r\n}{}s) {
        my ($status, $headers) = ($1, $2);
        next if $status == 100;

        my $body = $head || $status =~ /^[23]04$/ ? ''
            : $headers =~ /^Content-Length: (\d+)/mi
                ? substr $in, 0, $1, ''
            : substr $in, 0, length $in, '';
        push @answers, [$status, $body];
    }

    # HTTP/0.9 has a body and nothing else
    push @answers, ['-', $in] if length $in;
    return @answers;
}


sub exchange_h2 {
    my ($case, $who) = @_;

    my @all;

    if ($case->{send}[0] =~ /^:/) {
        @all = map { [/\A(:?[^:]*):[ ]?(.*)\z/s] } filled($case->{send}, $who);
    } else {
        my ($line, $fields) = fields($case, $who);
        my ($method, $path) = split / /, $line, 2;
        @all = ([':method', $method], [':scheme', 'http'],
            [':path', $path], [':authority', 'localhost'],
            map { [lc $_->[0], $_->[1]] } @$fields);
    }

    my %more = map { $_ => $case->{$_} } grep { $case->{$_} } 'trailer';
    my $said = Enroll::Http2::exchange(
        $stack->nginx->port(uc "$case->{to}_2"), \@all,
        body => $case->{body} && join('', filled($case->{body}, $who)),
        trailers => $case->{trailer} && [map { [split /: /, $_, 2] }
            filled($case->{trailer}, $who)]);

    return $said->{status} ? [@$said{qw(status body)}] : [$said->{end}];
}


# By TLS 1.3, before the handshake is over.

sub exchange_early {
    my ($case, $who) = @_;

    my $first = "GET /ticket HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n\r\n";

    return answers(Enroll::Early::exchange(
        $stack->nginx->port(uc $case->{to}), $first, bytes($case, $who)));
}

my %exchange = (h1 => \&exchange_h1, h2 => \&exchange_h2,
    early => \&exchange_early);


# --- what has become of it


sub told {
    my (@answers) = @_;

    return 'closed' if !@answers;
    return join '; ', map {
        my ($status, $body) = @$_;
        my ($reason) = ($body // '') =~ /"reason":"(\w+)"/;
        $reason ? "$status $reason" : $status } @answers;
}


# The requests that came to the IdP, as the corpus writes them: without what
# the proxy says by itself, "HTTP/1.0" and a length that is right.

sub received {
    my ($over) = @_;

    my @lines;

    for my $got ($idp->requests) {
        next if $got->path eq '/ticket';

        my ($head, $body) = split /\r\n\r\n/, $got->raw, 2;
        my ($line, @headers) = split /\r\n/, $head;
        my $length = length $body;

        $line =~ s{ HTTP/1\.0\z}{};
        push @lines, $line, grep { !/\A(?:Host:\ idp|Connection:\ close
            |Content-Length:\ $length)\z/ix } @headers;
        push @lines, "| $body" if $length;
    }

    $idp->clear;
    return @lines ? @lines : 'nothing';
}


# The names of headers are in lower case over HTTP/2.

sub alike {
    my ($over, @lines) = @_;
    return @lines if $over ne 'h2';
    return map { /^[A-Z]+ \/|^\|/ ? $_ : s/^([^:]+)/\L$1/r } @lines;
}

sub printable {
    my ($text) = @_;
    $text =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    return $text =~ s/(en[rs]_)[\w-]{20,}/$1…/gr;
}


# How many writes Redis has seen.

sub written {
    return $redis->command('INFO', 'persistence')
        =~ /^rdb_changes_since_last_save:(\d+)/m ? $1 : die 'INFO';
}


# True when the record says what the case expects.

sub settled {
    my ($case, $over, $id, $before) = @_;

    my $want = said($case, 'ledger', $over);

    if ($want eq 'unchanged') {
        return written() == $before;
    }

    my %want = split /[ =]/, $want;
    return eval { $stack->wait_record($id, %want); 1 };
}


sub run_case {
    my ($case, $who, $over) = @_;

    my $id = who($who)->[2];
    my $name = "$case->{file}: $case->{name} ($who, $over)";
    my @want = map { /^\|/ ? $_ : split /\r\n/ }
        map { fill($_, $who) } @{ said($case, 'idp', $over) };
    my $told = said($case, 'told', $over);
    fill($_, $who) for map { @{$case->{$_} || []} } qw(send bytes body);

    my ($path, $answer) = answer($case->{answer});
    $idp->answer($path => $answer) if $path;
    $idp->clear;
    my $before = written();

    my $got = told($exchange{$over}->($case, $who));
    my @got = received();
    my $settled = settled($case, $over, $id, $before);

    $idp->answer($path => {}) if $path;
    %have = () if said($case, 'ledger', $over) ne 'unchanged' || !$settled;

    my $good = $got eq $told && $settled
        && join("\n", alike($over, @got)) eq join "\n", alike($over, @want);

    ok $good, $name or diag join "\n", "line $case->{line}",
        "told:    $told", "was:     $got",
        (map { 'idp:     ' . printable($_) } @want),
        (map { 'was:     ' . printable($_) } @got),
        'ledger:  ' . said($case, 'ledger', $over)
            . ($settled ? '' : ': it does not say so'),
        $case->{why} ? "why:     $case->{why}" : ();

    return;
}


# "/x 404", "/x 200 X-Accel-Redirect: /y; X-A: b | the body"

sub answer {
    my ($text) = @_;

    return if !defined $text;

    my ($path, $status, $headers, $body)
        = $text =~ m{\A(/\S*) (\d+)([^|]*)(?:\| (.*))?\z}
        or die "an answer? $text";
    my @headers = map { split /: /, $_, 2 } grep { length }
        map { s/\A\s+|\s+\z//gr } split /;/, $headers;

    return ($path, { status => $status, headers => \@headers,
        body => $body // '' });
}


my ($only, $named) = split /:/, $ENV{BYPASS} // '', 2;
my $requests = 0;

for my $file (sort glob "$dir/*.txt") {
    next if $only && basename($file, '.txt') ne $only;

    for my $case (read_corpus($file)) {
        next if defined $named && $case->{name} !~ /\Q$named/;
        $requests++;

        for my $over (@{$case->{over}}) {
            run_case($case, $_, $over) for @{$case->{who}};
        }
    }
}

cmp_ok $requests, '>=', 300, "a corpus worth the name: $requests requests"
    if !$only;

done_testing;
