package Enroll::Chaos::Faults::Processes;

# Processes that die, and processes that are replaced.

use strict;
use warnings;

use Time::HiRes qw(sleep);

use Enroll::Dir qw(slurp);
use Enroll::Wait qw(wait_for holds_within);


sub kinds {
    return (
        'kill worker' => { where => 'proxy', weight => 2,
            inject => \&_kill_worker },
        'kill master' => { where => 'proxy', weight => 2,
            inject => \&_kill_master, heal => \&_start_nginx },
        'reload' => { where => 'proxy', inject => \&_reload },
        'upgrade' => { where => 'proxy', inject => \&_upgrade },
        'resize zone' => { where => 'proxy', inject => \&_resize },
        'kill redis' => { where => 'redis', weight => 3,
            inject => \&_kill_redis, heal => \&_start_redis },
        'kill all redis' => { where => 'redis',
            inject => \&_kill_all_redis, heal => \&_start_all_redis },
        'kill sentinel' => { where => 'redis', topology => 'sentinel',
            inject => \&_kill_sentinel, heal => \&_start_redis },
    );
}


# --- nginx

sub _kill_worker {
    my ($fault) = @_;

    my $proxy = $fault->proxy;
    my $pid = $fault->pick($proxy->workers);
    $fault->explain("worker process $pid exited on signal 9");
    kill KILL => $pid;
    $fault->sign(killed => $pid, workers => join ' ',
        $proxy->wait_workers($pid));

    return;
}


# Its workers go on without it until whoever restarts it ends them, too.

sub _kill_master {
    my ($fault) = @_;

    my $proxy = $fault->proxy;
    my $pid = $proxy->master;
    $proxy->workers(old => 1);
    kill KILL => $pid;
    $fault->{killed} = $pid;
    $fault->hold(0, 1);

    return;
}

sub _start_nginx {
    my ($fault, $world) = @_;

    my $proxy = $world->nginx($fault->{target});
    $proxy->kill_all;
    $proxy->start;
    $fault->sign(killed => $fault->{killed}, master => $proxy->master);

    return;
}


sub _reload {
    my ($fault) = @_;

    my $proxy = $fault->proxy;
    my @old = $proxy->workers;
    $proxy->signal('HUP');
    $fault->sign(old => "@old", new => join ' ', $proxy->wait_workers(@old));

    return;
}


# The shared zone begins anew.

sub _resize {
    my ($fault) = @_;

    my $proxy = $fault->proxy;
    $proxy->{zone} = ($proxy->{zone} || '') eq '12m' ? '10m' : '12m';
    $proxy->write_conf;
    my @old = $proxy->workers;
    $proxy->signal('HUP');
    $fault->sign(zone => $proxy->{zone}, old => "@old",
        new => join ' ', $proxy->wait_workers(@old));

    return;
}


# As nginx' manual says: another binary beside the old one, whose workers are
# asked to leave, and then the old one itself.

sub _upgrade {
    my ($fault) = @_;

    my $proxy = $fault->proxy;
    my $old = $proxy->master;
    my @workers = $proxy->workers;
    kill USR2 => $old;

    my $new;
    wait_for {
        $new = $proxy->master;
        $new && $new != $old && $proxy->workers >= @workers;
    } 'the new binary';
    kill WINCH => $old;
    wait_for { !$proxy->workers(master => $old, old => 1) }
        'the old workers to leave';
    kill QUIT => $old;
    wait_for { $proxy->reap; !-e "/proc/$old" } 'the old binary to leave';

    $fault->sign(old => $old, new => $new);
    return;
}


# --- Redis and Sentinel

sub _kill_redis {
    my ($fault, $world) = @_;

    my $node = $fault->redis;
    my $wait = $fault->draw(2);
    my $role = $node->role;
    $fault->sign(role => $role, killed => $node->kill);
    $fault->sign(master => $world->ledger->wait_other_master($node))
        if $role eq 'master' && $wait;

    return;
}

sub _kill_sentinel {
    my ($fault, $world) = @_;

    my $sentinel = $fault->target($fault->pick($world->ledger->sentinels));
    $fault->sign(killed => $sentinel->kill);
    $fault->hold(0, 2);

    return;
}

sub _start_redis {
    my ($fault, $world) = @_;
    my $node = $world->ledger->node($fault->{target});
    $world->ledger->start_node($node);
    $fault->sign(started => $node->pid);
    return;
}


# As when the room loses its power.

sub _kill_all_redis {
    my ($fault, $world) = @_;

    $fault->target('all');
    $fault->sign(killed => join ' ', map { $_->kill }
        $world->ledger->nodes);
    $fault->hold(0, 1);

    return;
}

sub _start_all_redis {
    my ($fault, $world) = @_;
    $fault->sign(started => join ' ', map { $_->start->pid }
        $world->ledger->nodes);
    return;
}


1;
