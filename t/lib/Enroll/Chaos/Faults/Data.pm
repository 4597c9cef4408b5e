package Enroll::Chaos::Faults::Data;

# A Redis that knows less than it did, or does not come to answer.

use strict;
use warnings;

use Enroll::Chaos::Space qw(run);
use Enroll::Dir qw(slurp);
use Enroll::Wait qw(wait_for);


use constant { OLD => 8, OLDER => 15 };     # seconds that a snapshot has to be


sub kinds {
    my %old = (where => 'redis', weight => 2, heal => \&_tidy);

    return (
        'old rdb'       => { %old, inject => \&_old_rdb },
        'old aof'       => { %old, inject => \&_old_aof },
        'truncated aof' => { %old, inject => \&_truncated },
        'reload nosave' => { %old, inject => \&_reload },
        'debug sleep' => { where => 'redis', weight => 2,
            inject => \&_sleep, heal => \&_awake },
    );
}


# A master is taken down, given what it had before, and is back before anybody
# has missed it: it stays the master, and the others follow it into the past.

sub _restore {
    my ($fault, $world, $restore) = @_;

    my $node = $fault->master;
    my $before = $world->ledger->events_of($node);
    $node->kill;
    $restore->($node);
    my $after = $world->ledger->events_of($node);

    _told($fault, $before, $after);

    return;
}


# How many events there are. It may know of more than before: of some that
# were lost when it went back the last time.

sub _told {
    my ($fault, $before, $after) = @_;
    die "it has $before events, as before\n" if $after == $before;
    $fault->sign(before => $before, after => $after);
    return;
}


sub _tidy {
    my ($fault, $world) = @_;
    my $ledger = $world->ledger;
    $ledger->tidy($ledger->node($fault->{target}));
    return;
}


sub _old_rdb {
    my ($fault, $world) = @_;

    _restore($fault, $world, sub {
        my ($node) = @_;
        my $old = $world->disk->old($node, OLD, $fault->draw(3));
        run('cp', "$old/dump.rdb", $node->dir . '/dump.rdb');

        # with an append-only file it would not be read
        $node->start('--appendonly', 'no');
        $node->command('CONFIG', 'SET', 'appendonly', 'yes');
    });

    return;
}


sub _old_aof {
    my ($fault, $world) = @_;

    _restore($fault, $world, sub {
        my ($node) = @_;
        my $old = $world->disk->old($node, OLD, $fault->draw(3));
        run('rm', '-rf', $node->dir . '/appendonlydir');
        run('cp', '-r', "$old/appendonlydir", $node->dir);
        $node->start;
    });

    return;
}


# The end of the file never reached the disk.

sub _truncated {
    my ($fault, $world) = @_;

    _restore($fault, $world, sub {
        my ($node) = @_;
        my $dir = $node->dir . '/appendonlydir';
        my ($name) = slurp("$dir/appendonly.aof.manifest")
            =~ /^file (\S+) seq \d+ type i\s*\z/m
            or die "no append-only file in $dir\n";
        my $size = -s "$dir/$name";
        my $cut = 4096 + $fault->draw($fault->pick(10_000, 500_000));
        $cut = $size if $cut > $size;

        truncate "$dir/$name", $size - $cut or die "$dir/$name: $!\n";
        $fault->sign(cut => $cut);
        $node->start;
    });

    return;
}


# It reads its file again, and keeps its incarnation. That is noticed by who
# has seen more than the file has: so it is older than what both proxies have
# seen since they began.

sub _reload {
    my ($fault, $world) = @_;

    my $node = $fault->master;
    my $old = $world->disk->old($node, OLDER, $fault->draw(2));
    run('cp', "$old/dump.rdb", $node->dir . '/dump.rdb');

    my $id = sub { $node->info('replication')->{master_replid} };
    my ($here, $before) = ($id->(), $world->ledger->events_of($node));
    $node->command('DEBUG', 'RELOAD', 'NOSAVE');
    my $after = $world->ledger->events_of($node);

    die "it is another incarnation\n" if $id->() ne $here;
    _told($fault, $before, $after);

    return;
}


# Shorter than what the others wait for it, or longer: then it wakes as a
# master that no longer is one, and does what it was asked in the meantime.

sub _sleep {
    my ($fault, $world) = @_;

    my $node = $fault->master;
    my $seconds = $fault->pick(0.3, 0.5, 2.0, 2.5);
    $fault->{client} = $node->another;
    $fault->{client}->send_command('DEBUG', 'SLEEP', $seconds);
    $fault->sign(seconds => $seconds);

    return;
}

sub _awake {
    my ($fault) = @_;
    my $reply = $fault->{client}->read_reply(10);
    die "DEBUG SLEEP said something else\n" if ref $reply || $reply ne 'OK';
    $fault->sign(said => $reply);
    return;
}


1;
