# A client that speaks the v3 protocol itself: what psql cannot do, a driver does.  Portals suspended by a row limit, several
# statements in flight before one Sync, COPY broken off half way, a connection that is simply gone.  It authenticates by trust,
# over the node's Unix socket.
#
#	my $client = Protocol->connect($node, database => 'postgres', user => 'ann', settings => {search_path => 'app'});
#	my $answer = $client->query('SELECT 1');		# simple protocol, may be several statements
#	$client->parse('name', 'INSERT INTO post VALUES ($1, $2)');
#	$client->bind('portal', 'name', 'ann', undef);	# values as text, undef is NULL
#	$client->execute('portal', 2);					# row limit, 0 for none
#	$answer = $client->sync;						# what came back, up to and including ReadyForQuery
#
# parse, bind, execute, describe, close_portal, close_statement, flush only send; sync, or receive, reads.  An answer has
#	seen	the types of the messages, in order, an error as its SQLSTATE in brackets, e.g. '12DDsZ' or '12[MD001]Z':
#			1 ParseComplete, 2 BindComplete, 3 CloseComplete, C CommandComplete, D DataRow, s PortalSuspended, n NoData,
#			T RowDescription, I EmptyQueryResponse, G CopyInResponse, H CopyOutResponse, Z ReadyForQuery
#	rows	[[values], ...]		tags	what CommandComplete said		errors	[{C => SQLSTATE, M => message, D => detail, ...}, ...]
#	status	of the transaction after it: I, T or E; undef when the connection was lost
package Protocol;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;

sub connect
{
	my ($class, $node, %option) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $self = bless { path => $path, buffer => '', pid => 0, key => 0 }, $class;
	my $user = $option{user} // $ENV{PGUSER} // (getpwuid $>)[0];
	my %start = (user => $user, database => $option{database} // 'postgres', %{ $option{settings} // {} });

	$self->{socket} = IO::Socket::UNIX->new(Peer => $path) or die "cannot connect to $path: $!";
	my $body = pack('N', 196608) . join('', map { "$_\0$start{$_}\0" } sort keys %start) . "\0";
	$self->write_all(pack('N', 4 + length $body) . $body);
	my $answer = $self->receive;
	die 'cannot connect: ' . join(', ', map { $_->{M} } @{ $answer->{errors} }) unless $answer->{status};
	return $self;
}

sub pid { return $_[0]{pid}; }

# Sending.
sub write_all
{
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	while (length $bytes)
	{
		my $written = $self->{socket}->syswrite($bytes);
		return 0 unless $written;	# what the server said before it went is still to be read
		substr($bytes, 0, $written, '');
	}
	return 1;
}
sub put { my ($self, $type, $body) = @_; return $self->write_all($type . pack('N', 4 + length $body) . $body); }
sub parse { my ($self, $name, $sql) = @_; return $self->put('P', "$name\0$sql\0" . pack('n', 0)); }
sub bind
{
	my ($self, $portal, $name, @values) = @_;
	return $self->put('B', "$portal\0$name\0" . pack('nn', 0, scalar @values)
		. join('', map { defined $_ ? pack('N', length $_) . $_ : pack('N', 0xffffffff) } @values) . pack('n', 0));
}
sub execute { my ($self, $portal, $limit) = @_; return $self->put('E', "$portal\0" . pack('N', $limit // 0)); }
sub describe { my ($self, $portal) = @_; return $self->put('D', "P$portal\0"); }
sub close_portal { my ($self, $portal) = @_; return $self->put('C', "P$portal\0"); }
sub close_statement { my ($self, $name) = @_; return $self->put('C', "S$name\0"); }
sub flush { return $_[0]->put('H', ''); }
sub send_sync { return $_[0]->put('S', ''); }
sub send_query { my ($self, $sql) = @_; return $self->put('Q', "$sql\0"); }
sub copy_data { my ($self, $data) = @_; return $self->put('d', $data); }
sub copy_done { return $_[0]->put('c', ''); }
sub copy_fail { my ($self, $why) = @_; return $self->put('f', ($why // 'broken off') . "\0"); }

# Sending and reading.
sub sync { my ($self) = @_; $self->send_sync; return $self->receive; }
sub query { my ($self, $sql) = @_; $self->send_query($sql); return $self->receive; }
# parse, bind, execute, sync in one.
sub run
{
	my ($self, $sql, @values) = @_;
	$self->parse('', $sql);
	$self->bind('', '', @values);
	$self->execute('', 0);
	return $self->sync;
}

# Reading.  Everything up to and including a message of the given types, ReadyForQuery by default.
sub receive
{
	my ($self, $until) = @_;
	my $answer = { seen => '', rows => [], tags => [], errors => [], status => undef };
	$until //= 'Z';
	while (1)
	{
		my ($type, $body) = $self->take;
		return $answer unless defined $type;
		next if $type =~ /[SNAtR]/;
		if ($type eq 'K') { @{$self}{qw(pid key)} = unpack 'NN', $body; next; }
		if ($type eq 'E')
		{
			my %field = map { /^(.)(.*)$/s ? ($1 => $2) : () } split /\0/, $body;
			push @{ $answer->{errors} }, \%field;
			$answer->{seen} .= "[$field{C}]";
			next;
		}
		$answer->{seen} .= $type;
		push @{ $answer->{tags} }, unpack('Z*', $body) if $type eq 'C';
		if ($type eq 'D')
		{
			my ($count, $at, @values) = (unpack('n', $body), 2);
			for (1 .. $count)
			{
				my $length = unpack('N', substr($body, $at, 4));
				$at += 4;
				push @values, $length == 0xffffffff ? undef : substr($body, $at, $length);
				$at += $length if $length != 0xffffffff;
			}
			push @{ $answer->{rows} }, \@values;
		}
		$answer->{status} = $body if $type eq 'Z';
		return $answer if index($until, $type) >= 0;
	}
}

# One message; nothing when the connection is lost.
sub take
{
	my ($self) = @_;
	my $head = $self->read_bytes(5) // return;
	my ($type, $length) = unpack 'aN', $head;
	my $body = $self->read_bytes($length - 4) // return;
	return ($type, $body);
}
sub read_bytes
{
	my ($self, $count) = @_;
	while (length $self->{buffer} < $count)
	{
		die "nothing from the server within $PostgreSQL::Test::Utils::timeout_default s"
		  unless IO::Select->new($self->{socket})->can_read($PostgreSQL::Test::Utils::timeout_default);
		return undef unless $self->{socket}->sysread($self->{buffer}, 65536, length $self->{buffer});
	}
	return substr($self->{buffer}, 0, $count, '');
}

# Asks the server, on a connection of its own, to cancel what this one runs.
sub cancel
{
	my ($self) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $self->{path}) or return 0;
	$socket->syswrite(pack('NNNN', 16, 80877102, $self->{pid}, $self->{key}));
	$socket->sysread(my $nothing, 1);	# the server closes it when it has sent the signal
	return 1;
}

sub terminate { my ($self) = @_; $self->put('X', ''); close $self->{socket}; return; }
# Gone without a word, as a client that was killed is.
sub drop { my ($self) = @_; close $self->{socket}; return; }

1;
