# Puts the library with injection points (src/server/server_inject.h) in the place of the one that is shipped, in one database of a
# test's server: every session that connects after that, and the recorder's worker, have moderation.test_points.
package TestLibrary;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(use_test_library);

sub use_test_library
{
	my ($node, $database) = @_;

	$node->safe_psql($database, q{UPDATE pg_proc SET probin = '$libdir/moderation_test' WHERE probin = '$libdir/moderation'});
	# A worker that the shipped library started does not know what the other one sends, and cannot load it besides its own.
	$node->safe_psql($database, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});
	$node->poll_query_until($database, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'moderation recorder'})
		or die 'the worker did not end';
	my $known = $node->safe_psql($database, q{SELECT moderation.normalize(''); SELECT count(*) FROM pg_settings WHERE name = 'moderation.test_points'});
	die "moderation_test is not installed, or is not what is loaded" unless $known =~ /1$/;
}

1;
