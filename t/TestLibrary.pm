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
	my $known = $node->safe_psql($database, q{SELECT moderation.normalize(''); SELECT count(*) FROM pg_settings WHERE name = 'moderation.test_points'});
	die "moderation_test is not installed, or is not what is loaded" unless $known =~ /1$/;
}

1;
