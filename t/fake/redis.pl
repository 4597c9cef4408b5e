#!/usr/bin/perl

# A Redis that misbehaves to order.
#
#   redis.pl ADDRESS [STATEMENT ...]
#
# ADDRESS is unix:/path, host:port or port. The script is the statements on
# the command line (one an argument, or several joined by ';'), or else comes
# on stdin, one a line; '#' begins a comment there. It says what is done with
# each connection; '---' ends what is meant for the first connection and
# begins the second's, and so on; the last part is for all that follow.
# Where a part ends the connection is closed.
#
#   hello            answer a greeting: AUTH, SELECT, CLIENT, ROLE, the probe
#                    (nothing is missing), WAITAOF (not known), WAIT, PING, up
#                    to and with PING
#   answer CMD TEXT  from now on hello and serve answer CMD with the reply
#                    TEXT instead (as 'reply')
#   serve [N]        answer N commands (all, until the client closes) as Redis
#                    would: ECHO, GET, SET, INCR, hello's; +OK to others
#   read [N]         take N commands (1), and say nothing
#   reply TEXT       send TEXT and CRLF
#   send TEXT        send TEXT
#   drip MS          from now on send byte by byte, MS apart; 0: no longer
#   sleep MS         wait
#   until FILE       wait until there is that file, and remove it
#   stall            take all, say nothing, until the client closes
#   swallow          take nothing at all, for ever
#   half             close for writing, go on reading
#   close            close
#   reset            close with a RST (TCP)
#   exit             end the whole server
#   relay TO [DIR]   from now on hand each command on to the Redis at TO, and
#                    its reply back, until the client closes; but for what
#                    'answer' says. Each EVAL and EVALSHA takes a file from
#                    DIR, if there is one, the first by its name, and the
#                    statements in it, one a line, are carried out for it
#                    instead; the probe takes none. Each WAIT and WAITAOF
#                    takes one from DIR-wait
#   execute          hand this command on, and keep its reply to oneself
#   part N           send the first N bytes of that reply; all but the last
#                    -N where it is negative
#   rest N           send what part N has left
#   more TEXT        add TEXT to that reply
#   pass             hand this command on, and its reply back
#   server TO        hand this one, and what follows, on to the Redis at TO
#   again            send the reply before this one, once more
#
# In TEXT \r \n \t \0 \\ \xHH, \N*C and \{N} are escapes; \N*C is N times the
# character C, \{N} the Nth word of the command that a relay has taken.
#
# On stdout, a line for each: 'listening', 'N open', 'N COMMAND ARGUMENTS' (a
# word that is not plain is quoted in hex), 'N close'; N counts connections.
# Ends at TERM, and when its parent is gone.

use strict;
use warnings;

use IO::Handle ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY SOMAXCONN);
use Time::HiRes ();

my ($address, @statements) = @ARGV;
die "usage: redis.pl ADDRESS [STATEMENT ...]\n" unless defined $address;

@statements = map { s/^\s*#.*//r } <STDIN> unless @statements;

my @parts = ([]);
for my $statement (map { split /;/ } @statements) {
    if ($statement =~ /^\s*---\s*$/) { push @parts, []; next }
    push @{ $parts[-1] }, parse($statement);
}

my $parent   = $$;
my $starter  = getppid;
my $listener = listener($address);

$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = $SIG{INT} = sub { $SIG{TERM} = 'IGNORE'; kill TERM => -$$; exit };
$SIG{ALRM} = sub { getppid == $starter ? alarm 1 : kill TERM => $$ };
setpgrp;
alarm 1;

say_line('listening');

# of the connection that this process serves
my ($number, $socket, $drip, %answers) = (0, undef, 0);
my ($input, %store) = ('');
# of a relay: the server, the command, the replies kept and sent before
my ($server, @command, $kept, $before);

for (;;) {
    my $client = $listener->accept or next;
    $number++;

    defined(my $pid = fork) or die "fork: $!";
    if ($pid) { close $client; next }

    alarm 0;
    $SIG{TERM} = $SIG{INT} = 'DEFAULT';
    close $listener;
    $socket = $client;
    $socket->autoflush(1);
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 unless $address =~ /^unix:/;
    say_line("$number open");

    carry_out(@{ $parts[ $number > @parts ? -1 : $number - 1 ] });
    do_close();
}


sub parse {
    my ($statement) = @_;
    $statement =~ s/^\s+|\s+$//g;
    return if $statement eq '';
    my ($verb, $rest) = split / /, $statement, 2;
    main->can("do_$verb") or die "redis.pl: no such statement: $verb\n";
    return [ $verb, $rest // '' ];
}

sub carry_out {
    for (@_) {
        my ($verb, $rest) = @$_;
        no strict 'refs';
        "main::do_$verb"->($rest);
    }
}


sub do_hello {
    while (defined(my $name = serve_one())) {
        return if $name eq 'PING';
    }
    do_close();
}

sub do_answer {
    my ($command, $text) = split / /, $_[0], 2;
    $answers{ uc $command } = unescape($text) . "\r\n";
}

sub do_serve {
    my ($n) = @_;
    for (my $i = 0; $n eq '' || $i < $n; $i++) {
        defined serve_one() or do_close();
    }
}

sub do_read {
    my ($n) = @_;
    for (1 .. $n || 1) {
        command() or do_close();
    }
}

sub do_stall   { while (command()) { } do_close() }
sub do_swallow { sleep 1 while 1 }
sub do_reply   { output(unescape($_[0]) . "\r\n") }
sub do_send    { output(unescape($_[0])) }
sub do_drip    { $drip = $_[0] }
sub do_sleep   { Time::HiRes::sleep($_[0] / 1000) }
sub do_until   { Time::HiRes::sleep(0.01) until unlink $_[0] }
sub do_half    { shutdown $socket, 1 }
sub do_exit    { kill TERM => $parent; exit }

sub do_relay {
    my ($to, $dir) = split / /, $_[0];

    do_server($to);

    while (@command = command()) {
        my $answer = $answers{ $command[0] };
        my @orders = !defined $dir            ? ()
            : $command[0] =~ /^WAIT/          ? orders("$dir-wait")
            : $command[0] =~ /^EVAL/ && !probe(@command) ? orders($dir) : ();
        if    (@orders)         { carry_out(@orders) }
        elsif (defined $answer) { output($answer) }
        else                    { do_pass() }
    }
    do_close();
}

sub do_server {
    my ($to) = @_;
    $server = $to =~ /^unix:(.*)/ ? IO::Socket::UNIX->new(Peer => $1)
                                  : IO::Socket::INET->new(PeerAddr => $to);
    do_close() unless $server;
}

sub do_execute {
    my $text = join '', '*' . @command . "\r\n", map { bulk($_) } @command;
    write_all($text, $server);
    $kept = whole_reply();
}

sub do_part {
    my ($n) = @_;
    output(substr $kept, 0, $n);
}

sub do_rest {
    my ($n) = @_;
    output(substr $kept, $n);
}

sub do_more { $kept .= unescape($_[0]) }

sub do_pass {
    do_execute();
    output($before = $kept);
}

sub do_again { output($before) }

sub do_close {
    say_line("$number close");
    exit;
}

sub do_reset {
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    do_close();
}


sub serve_one {
    my ($name, @args) = command() or return;
    output($answers{$name} // default_answer($name, @args));
    return $name;
}

sub default_answer {
    my ($name, @args) = @_;
    return "*3\r\n\$6\r\nmaster\r\n:0\r\n*0\r\n" if $name eq 'ROLE';
    return "+PONG\r\n"                           if $name eq 'PING';
    return bulk($args[0])                        if $name eq 'ECHO';
    return bulk($store{ $args[0] })              if $name eq 'GET';
    return ':' . ++$store{ $args[0] } . "\r\n"   if $name eq 'INCR';
    $store{ $args[0] } = $args[1] if $name eq 'SET';
    return "*0\r\n" if probe($name, @args);
    return ":0\r\n" if $name eq 'WAIT';
    return "-ERR unknown command 'WAITAOF'\r\n" if $name eq 'WAITAOF';
    return "+OK\r\n";
}

# A greeting's question for what is missing.

sub probe { return $_[0] eq 'EVAL' && $_[1] =~ /\A-- probe/ }

sub bulk {
    my ($value) = @_;
    return defined $value ? '$' . length($value) . "\r\n$value\r\n"
                          : "\$-1\r\n";
}


# What is ordered for this command. Who removes the file has it.

sub orders {
    my ($dir) = @_;
    for my $file (sort glob "$dir/*") {
        open my $fh, '<', $file or next;
        my @lines = <$fh>;
        return map { parse($_) } @lines if unlink $file;
    }
    return;
}

# A reply of the server's as it came.

sub whole_reply {
    my $line = readline $server;
    do_close() unless defined $line;

    if ($line =~ /^\*(\d+)/) {
        $line .= whole_reply() for 1 .. $1;
    } elsif ($line =~ /^\$(\d+)/) {
        read($server, $line, $1 + 2, length $line) or do_close();
    }
    return $line;
}

# The next command as a list of its words, or nothing: the client has closed.

sub command {
    my $n = line();
    return unless defined $n;
    $n =~ s/^\*// or die "redis.pl: not a command: $n\n";

    my @words;
    for (1 .. $n) {
        my $length = line();
        return unless defined $length && $length =~ s/^\$//;
        while (length $input < $length + 2) { input() or return }
        push @words, substr $input, 0, $length, '';
        substr $input, 0, 2, '';
    }

    $words[0] = uc $words[0];
    say_line(join ' ', $number, map {
        /^[!-~]{1,200}$/ ? $_ : 'x' . unpack('H*', substr $_, 0, 100)
    } @words);
    return @words;
}

sub line {
    for (;;) {
        return $1 if $input =~ s/^(.*?)\r\n//s;
        input() or return;
    }
}

sub input { return sysread $socket, $input, 65536, length $input }

sub output {
    my ($text) = @_;

    if (!$drip) { write_all($text); return }

    for my $byte (split //, $text) {
        write_all($byte);
        Time::HiRes::sleep($drip / 1000);
    }
}

sub write_all {
    my ($text, $to) = @_;
    while (length $text) {
        my $n = syswrite $to // $socket, $text;
        do_close() unless $n;
        substr $text, 0, $n, '';
    }
}

sub unescape {
    my ($text) = @_;
    my %escape = (r => "\r", n => "\n", t => "\t", 0 => "\0", '\\' => '\\');
    $text =~ s{\\(?:x([0-9a-fA-F]{2})|(\d+)\*(.)|\{(\d+)\}|([rnt0\\]))}
              {defined $1 ? chr hex $1 : defined $2 ? $3 x $2
               : defined $4 ? $command[$4] : $escape{$5}}ges;
    return $text;
}

sub listener {
    my ($address) = @_;

    if ($address =~ /^unix:(.*)/) {
        unlink $1;
        return IO::Socket::UNIX->new(Local => $1, Listen => SOMAXCONN)
            || die "redis.pl: $address: $!\n";
    }

    $address = "127.0.0.1:$address" unless $address =~ /:/;

    # a child of the server before this one may still be on its leave
    for (1 .. 100) {
        my $socket = IO::Socket::INET->new(LocalAddr => $address,
            Listen => SOMAXCONN, ReuseAddr => 1);
        return $socket if $socket;
        $!{EADDRINUSE} or last;
        Time::HiRes::sleep(0.05);
    }
    die "redis.pl: $address: $!\n";
}

# one write, so that lines of several processes do not mix
sub say_line { syswrite STDOUT, "$_[0]\n" }
