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
#   hello            answer a greeting: AUTH, SELECT, CLIENT, ROLE, PING, up
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
#   stall            take all, say nothing, until the client closes
#   swallow          take nothing at all, for ever
#   half             close for writing, go on reading
#   close            close
#   reset            close with a RST (TCP)
#   exit             end the whole server
#
# In TEXT \r \n \t \0 \\ \xHH and \N* are escapes; \N*C is N times the
# character C.
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
    $statement =~ s/^\s+|\s+$//g;
    next if $statement eq '';
    if ($statement eq '---') { push @parts, []; next }
    my ($verb, $rest) = split / /, $statement, 2;
    main->can("do_$verb") or die "redis.pl: no such statement: $verb\n";
    push @{ $parts[-1] }, [ $verb, $rest // '' ];
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

    my $part = $parts[ $number > @parts ? -1 : $number - 1 ];
    for (@$part) {
        my ($verb, $rest) = @$_;
        no strict 'refs';
        "main::do_$verb"->($rest);
    }
    do_close();
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
sub do_half    { shutdown $socket, 1 }
sub do_exit    { kill TERM => $parent; exit }

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
    return "+OK\r\n";
}

sub bulk {
    my ($value) = @_;
    return defined $value ? '$' . length($value) . "\r\n$value\r\n"
                          : "\$-1\r\n";
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
    my ($text) = @_;
    while (length $text) {
        my $n = syswrite $socket, $text;
        do_close() unless $n;
        substr $text, 0, $n, '';
    }
}

sub unescape {
    my ($text) = @_;
    my %escape = (r => "\r", n => "\n", t => "\t", 0 => "\0", '\\' => '\\');
    $text =~ s{\\(?:x([0-9a-fA-F]{2})|(\d+)\*(.)|([rnt0\\]))}
              {defined $1 ? chr hex $1 : defined $2 ? $3 x $2 : $escape{$4}}ges;
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
    return IO::Socket::INET->new(LocalAddr => $address, Listen => SOMAXCONN,
                                 ReuseAddr => 1)
        || die "redis.pl: $address: $!\n";
}

# one write, so that lines of several processes do not mix
sub say_line { syswrite STDOUT, "$_[0]\n" }
