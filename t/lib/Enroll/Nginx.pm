package Enroll::Nginx;

# A private nginx with the module.
#
#     my $nginx = Enroll::Nginx->new(
#         name    => 'nginx',         # of its folder
#         workers => 2,
#         main    => '…',             # at the top level
#         events  => '…',
#         http    => '…',             # in http { }
#         vars    => { REDIS => … },  # %%REDIS%% in these texts
#         module  => 0,               # without the module
#         user    => 'root',          # workers' user, where root runs it
#         level   => 'notice',        # of the error log; it is debug
#         env     => { NAME => … },   # more of its environment
#     );
#
# %%PORT%% is a free port, which ->port tells, and %%PORT_A%% another one,
# ->port('A'); %%DIR%% is its own folder. What lies in %%DIR%%/logs is
# searched for secrets at the end. conf => '…' instead of main, events and
# http is a whole file.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use IO::Socket::INET;

use Enroll::Checks qw(register add_problem);
use Enroll::Dir qw(sub_dir spew slurp);
use Enroll::Paths qw(nginx_binary module_file);
use Enroll::Port qw(free_port);
use Enroll::Process;
use Enroll::Wait qw(wait_for holds_within);

our @EXPORT_OK = qw(nginx_test_config);


use constant LEAVE => 10;           # seconds that a process has to leave

my $tried = 0;


sub new {
    my ($class, %arg) = @_;

    my $self = $class->_prepare(%arg);
    register($self, 1);
    $self->start if !exists $arg{start} || $arg{start};

    return $self;
}


sub _prepare {
    my ($class, %arg) = @_;

    my $name = $arg{name} || 'nginx';
    my $dir = sub_dir($name);
    # workers write there, too
    my $logs = sub_dir("$name/logs", 01777);
    sub_dir("$name/tmp", 01777);

    my $self = bless { workers => 1, module => 1, user => 'nobody nogroup',
        ports => {}, expected => [], %arg, name => $name, dir => $dir,
        logs => $logs }, $class;

    $self->write_conf;
    return $self;
}


sub dir        { return $_[0]{dir} }
sub pid        { return $_[0]{process} && $_[0]{process}->pid }
sub conf_file  { return "$_[0]{dir}/nginx.conf" }
sub error_log  { return slurp("$_[0]{logs}/error.log") }
sub access_log { return slurp("$_[0]{logs}/access.log") }


sub port {
    my ($self, $name) = @_;
    $name = '' if !defined $name;
    return $self->{ports}{$name} ||= free_port();
}


sub load_module_line {
    my ($self) = @_;
    return $self->{module} ? 'load_module ' . module_file() . ";\n" : '';
}


sub _text {
    my ($self) = @_;

    return $self->{conf} if defined $self->{conf};

    my %part = map { $_ => defined $self->{$_} ? $self->{$_} : '' }
        qw(main events http);
    my $load = $self->load_module_line;
    my $level = $self->{level} || 'debug';
    my $user = $> == 0 ? "user $self->{user};\n" : '';

    return <<"END";
${load}${user}worker_processes $self->{workers};
daemon off;
pid %%DIR%%/nginx.pid;
error_log %%DIR%%/logs/error.log $level;
$part{main}

events {
    worker_connections 2048;
    $part{events}
}

http {
    access_log %%DIR%%/logs/access.log;

    client_body_temp_path %%DIR%%/tmp/body;
    proxy_temp_path       %%DIR%%/tmp/proxy;
    fastcgi_temp_path     %%DIR%%/tmp/fastcgi;
    uwsgi_temp_path       %%DIR%%/tmp/uwsgi;
    scgi_temp_path        %%DIR%%/tmp/scgi;

    $part{http}
}
END
}


# Writes the configuration anew, with other parts where given.

sub write_conf {
    my ($self, %part) = @_;

    $self->{$_} = $part{$_} for keys %part;

    my $text = $self->_text;
    my %vars = %{$self->{vars} || {}};

    $text =~ s/%%(PORT(?:_(\w+))?)%%/$self->port($2)/ge;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s{%%(\w+)%%}{
        exists $vars{$1} ? $vars{$1} : croak "%%$1%% is not in vars" }ge;

    spew($self->conf_file, $text);
    return;
}


sub _argv {
    my ($self, @more) = @_;
    return (nginx_binary(), '-p', "$self->{dir}/", '-c', $self->conf_file,
        '-e', "$self->{logs}/error.log", @more);
}


# A sanitizer's reports go to files of the logs folder.

sub _env {
    my ($self, $leaks) = @_;

    my $log = "log_path=$self->{logs}/san";

    # what PCRE keeps of a regex location nginx leaves to the process' end
    my $known = "$self->{dir}/leaks";
    spew($known, "leak:ngx_regex_malloc\n");

    return { LC_ALL => 'C',
        # every module's tables have the same names; a library may be
        # preloaded
        ASAN_OPTIONS => "$log:detect_leaks=$leaks:detect_odr_violation=0"
            . ':detect_stack_use_after_return=1:strict_string_checks=1'
            . ':verify_asan_link_order=0',
        LSAN_OPTIONS => "suppressions=$known:print_suppressions=0",
        UBSAN_OPTIONS => "$log:print_stacktrace=1", %{$self->{env} || {}} };
}


sub start {
    my ($self) = @_;

    $self->{process} = Enroll::Process->start(argv => [$self->_argv],
        output => "$self->{logs}/stderr.log", env => $self->_env(1));

    my @ports = $self->_listening;

    wait_for {
        if ($self->{process}->gone) {
            die "nginx does not start:\n" . slurp("$self->{logs}/stderr.log")
                . join "\n", grep { /\[(?:emerg|alert)\]/ }
                    split /\n/, $self->error_log;
        }

        return 0 if $self->worker_pids < $self->{workers}
            && !defined $self->{conf};
        return 0 if !-s "$self->{dir}/nginx.pid" && !defined $self->{conf};

        for my $port (@ports) {
            return 0 if !IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                PeerPort => $port, Proto => 'tcp');
        }
        1;
    } 'nginx to listen';

    return $self;
}


# The ports of the configuration that were handed out by us and are listened
# to (others are an upstream's, say).

sub _listening {
    my ($self) = @_;

    my %ours = map { $_ => 1 } values %{$self->{ports}};
    return grep { $ours{$_} }
        slurp($self->conf_file) =~ /^\s*listen\s+(?:[\d.]+:)?(\d+)\b/mg;
}


# The workers that take requests; with a true argument those, too, that are
# on their leave.

sub worker_pids {
    my ($self, $all) = @_;

    my $master = $self->pid or return;
    my @pids;

    for my $file (glob '/proc/[0-9]*/stat') {
        my ($pid, $ppid) = slurp($file) =~ /^(\d+) \(.*\) \S (\d+) /s
            or next;
        next if $ppid != $master;

        my $title = slurp("/proc/$pid/cmdline");
        push @pids, $pid if $title =~ /^nginx: worker process/
            && ($all || $title !~ /shutting down/);
    }

    @pids = sort { $a <=> $b } @pids;
    return @pids;
}


sub signal {
    my ($self, $signal) = @_;
    return $self->{process}->signal($signal);
}


# Reloads, with other parts of the configuration where given, and returns
# when the new workers serve; with leave => 1 when the old ones have left.

sub reload {
    my ($self, %part) = @_;

    my $leave = delete $part{leave};
    my %old = map { $_ => 1 } $self->worker_pids(1);

    $self->write_conf(%part) if %part;
    $self->signal('HUP');

    wait_for {
        my @now = $self->worker_pids;
        @now >= $self->{workers} && !grep { $old{$_} } @now;
    } 'new workers after a reload';

    $self->workers_leave(keys %old) if $leave;

    my @left = sort { $a <=> $b } keys %old;
    return @left;
}


# Waits until these workers are gone.

sub workers_leave {
    my ($self, @pids) = @_;

    my %old = map { $_ => 1 } @pids;
    return wait_for { !grep { $old{$_} } $self->worker_pids(1) }
        'old workers to leave', LEAVE;
}


# Kills a worker (the first one, or that of the pid) as a crash would, and
# returns its pid when another has taken its place.

sub kill_worker {
    my ($self, $pid) = @_;

    ($pid) = $self->worker_pids if !$pid;
    $self->expect_log(qr/worker process $pid exited on signal 9/);
    kill 'KILL', $pid or croak "kill $pid: $!";

    wait_for {
        my @now = $self->worker_pids;
        @now >= $self->{workers} && !grep { $_ == $pid } @now;
    } 'a new worker after a kill';

    return $pid;
}


# An [alert] or [emerg] that this test means to cause.

sub expect_log {
    my ($self, $regex) = @_;
    push @{$self->{expected}}, $regex;
    return;
}


# Waits for a line in the error log and returns what the regex captured, or
# the text that it matched.

sub wait_log {
    my ($self, $regex, $seconds) = @_;
    return wait_for { $self->error_log =~ /($regex)/
        ? (defined $2 ? $2 : $1) : '' } "$regex in the error log", $seconds;
}


# QUIT (the default) lets requests end, TERM does not.

sub stop {
    my ($self, $signal) = @_;

    my $process = delete $self->{process} or return;
    my @workers = do {
        local $self->{process} = $process;
        $self->worker_pids(1);
    };

    if (!$process->stop($signal || 'QUIT', LEAVE)) {
        add_problem("$self->{name}: nginx does not leave within "
            . LEAVE . ' s');
    } elsif ($process->status != 0) {
        add_problem("$self->{name}: nginx left with the wait status "
            . $process->status);
    }

    # those whose master was killed
    for my $pid (@workers) {
        next if holds_within(2, sub { !_alive($pid) });
        add_problem("$self->{name}: worker $pid does not leave");
        kill 'KILL', $pid;
    }

    return;
}


sub _alive {
    my ($pid) = @_;
    return slurp("/proc/$pid/cmdline") =~ /^nginx:/;
}


# Stops it and looks at what it has said.

sub finish {
    my ($self) = @_;

    if ($self->{process} && $self->{process}->gone) {
        add_problem("$self->{name}: nginx had gone before the test's end");
        delete $self->{process};
    }

    $self->stop;

    for my $line (split /\n/, $self->error_log) {
        next if $line !~ /\[(?:alert|emerg)\]
            | \bexited[ ](?:on[ ]signal | with[ ]code[ ][1-9])/x;
        next if grep { $line =~ $_ } @{$self->{expected}};
        add_problem("$self->{name}: $line");
    }

    return;
}


# nginx_test_config(http => '…', …): what new() takes; one argument is the
# http part. Returns the exit status and what `nginx -t` said.

sub nginx_test_config {
    my (@arg) = @_;
    unshift @arg, 'http' if @arg == 1;

    my $self = __PACKAGE__->_prepare(name => 'try-' . ++$tried, @arg);
    my $output = "$self->{dir}/output";
    # nginx itself does not free everything when the configuration is bad
    my $process = Enroll::Process->start(argv => [$self->_argv('-t')],
        output => $output, env => $self->_env(0));

    wait_for { $process->gone } 'nginx -t to end', 20;
    my $status = $process->status;

    return ($status & 127 ? 128 + ($status & 127) : $status >> 8,
        slurp($output));
}


1;
