package IdP;

# The IdP of this folder, for tests in Perl: stack(idp => IdP->new(…)).
#
#     my $idp = IdP->new(origin => 'http://localhost:PORT');
#     ->port       where it listens
#     ->control    the address of the tests' own door (control.js)
#     ->count, ->count($path), ->requests, ->credentials
#     ->fail(path => …, status => …)
#
# With assertion => { jwks => URL, issuer => …, audience => … } it takes the
# proxy's signed word only, and ->ahead($seconds) sets the clock by which that
# is verified. ->passkey($options) is what a browser makes of the options that
# begin answers (a text; so is what it returns).

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Open2 qw(open2);
use JSON::PP ();

use Enroll::Checks qw(register add_problem);
use Enroll::Dir qw(sub_dir slurp);
use Enroll::Http;
use Enroll::Process;
use Enroll::Secrets qw(find_secrets);
use Enroll::Wait qw(wait_for);


my $here = abs_path(dirname(__FILE__));
my $json = JSON::PP->new->utf8->canonical;


sub new {
    my ($class, %arg) = @_;

    my $name = $arg{name} || 'idp';
    my $output = sub_dir("$name/logs") . '/output.log';

    my $self = bless { %arg, name => $name }, $class;

    $self->{process} = Enroll::Process->start(
        argv => ['node', "$here/server.js"], output => $output,
        env => { IDP_ORIGIN => $arg{origin}, map {
            ("IDP_ASSERTION_\U$_" => $arg{assertion}{$_})
        } keys %{$arg{assertion} || {}} });
    register($self, 0);

    my $line = wait_for {
        die 'the IdP does not start: ' . slurp($output)
            if $self->{process}->gone;
        slurp($output) =~ /^(\{"event":"ready".*\})\n/m ? $1 : '';
    } 'the IdP to listen', 20;

    @{$self}{qw(port control_port)}
        = @{$json->decode($line)}{qw(port control_port)};
    $self->{door} = Enroll::Http->new(port => $self->{control_port});

    return $self;
}


sub port    { return $_[0]{port} }
sub control { return "http://127.0.0.1:$_[0]{control_port}" }


sub _ask {
    my ($self, @request) = @_;

    my $response = $self->{door}->request(@request);
    croak "$self->{name}: @request[0, 1]: " . $response->status . ' '
        . $response->error . $response->body if $response->status != 200;

    return $response->json;
}


sub requests    { return @{ $_[0]->_ask('GET', '/requests') } }
sub credentials { return @{ $_[0]->_ask('GET', '/credentials') } }

sub count {
    my ($self, $path) = @_;
    my $query = defined $path ? "&path=$path" : '';
    return $self->_ask('GET', "/requests?count=1$query")->{count};
}

sub fail {
    my ($self, %fault) = @_;
    return $self->_ask('POST', '/fail', [], $json->encode(\%fault));
}


sub ahead {
    my ($self, $seconds) = @_;
    return $self->_ask('POST', '/clock', [],
        $json->encode({ ahead => 1000 * $seconds }));
}


sub passkey {
    my ($self, $options) = @_;

    my $pid = open2(my $out, my $in, 'node', "$here/authenticator.mjs",
        $self->{origin});
    print {$in} $options;
    close $in;

    my $passkey = do { local $/; <$out> };
    waitpid $pid, 0;
    croak 'no passkey was made' if $? != 0;

    return $passkey;
}


# Ends it; a secret in what it received is a problem.

sub finish {
    my ($self) = @_;

    my $process = delete $self->{process} or return;

    if ($process->gone) {
        add_problem("$self->{name}: had gone before the test's end");
        return;
    }

    add_problem("secret in a request to $self->{name}: $_")
        for find_secrets($self->{door}->get('/requests')->raw);

    $process->stop('TERM') && $process->status == 0
        or add_problem("$self->{name}: does not leave cleanly");

    return;
}


1;
