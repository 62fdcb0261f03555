#!/usr/bin/perl
# The rules of pgspot (PS001 to PS018), on the parse tree of a script: pgspot.pl PARSER SCRIPT prints a line for each finding,
# "PS003 line 12: ...".  PARSER is t/pgspot/parse.c compiled.
#
# Where names are looked up is safe from the first SET search_path to pg_catalog, pg_temp on, and within a function that has such a
# SET clause: there, what is not in pg_catalog is found nowhere.  Relations are the exception, because pg_temp is anybody's: one that is not in
# pg_catalog must be qualified everywhere (PS017).
use strict;
use warnings;
use IPC::Open2;
use JSON::PP;

my ($parser, $file) = @ARGV;
my $json = JSON::PP->new->utf8;
my (@findings, $text);

sub parse
{
	my ($sql, @how) = @_;
	my $pid = open2(my $out, my $in, $parser, @how);
	print $in $sql;
	close $in;
	my $tree = do { local $/; <$out> };
	waitpid $pid, 0;
	die "$file cannot be parsed\n" if $?;
	return $json->decode($tree);
}

# What libpg_query calls a node is the only key of a hash around it.
sub names { return map { $_->{String}{sval} // '' } @{ $_[0] // [] } }
sub option { my ($node, $name) = @_; return map { $_->{DefElem}{arg} } grep { $_->{DefElem}{defname} eq $name } @{ $node->{options} // [] } }

sub found
{
	my ($where, $rule, $what) = @_;
	push @findings, "$rule line $where->{line}: $what";
	return;
}

# 'pinned' for pg_catalog, pg_temp; 'quoted' for a list that is one name; otherwise what it is.
sub search_path
{
	my ($set) = @_;
	my @path = map { $_->{A_Const}{sval}{sval} // '?' } @{ $set->{args} // [] };
	return 'quoted' if grep { /,/ } @path;
	return 'pinned' if "@path" eq 'pg_catalog pg_temp';
	return "@path";
}

# A table of the system: pg_catalog comes first in a pinned path, and has all of them.
my $catalog = qr/^pg_/;

# Walks a tree; where: line, path ('pinned' or not), names of WITH queries, whether it is a body.
sub walk
{
	my ($node, $where) = @_;
	if (ref $node eq 'ARRAY')
	{
		walk($_, $where) for @$node;
		return;
	}
	return unless ref $node eq 'HASH';
	for my $kind (sort keys %$node)
	{
		my $value = $node->{$kind};
		next unless ref $value;
		my $inner = $where;
		if (ref $value eq 'HASH' && $value->{withClause})
		{
			$inner = { %$where, with => { %{ $where->{with} }, map { $_->{CommonTableExpr}{ctename} => 1 } @{ $value->{withClause}{ctes} } } };
		}
		if ($kind eq 'A_Expr' || $kind eq 'SortBy' || $kind eq 'SubLink')
		{
			my @name = names($value->{name} // $value->{operName} // $value->{useOp});
			found($where, 'PS001', "operator @name is not qualified") if @name == 1 && $where->{path} ne 'pinned';
			found($where, 'PS001', "operator $name[0].$name[1] is not pg_catalog's") if @name == 2 && $name[0] ne 'pg_catalog';
		}
		elsif ($kind eq 'CaseExpr')
		{
			found($where, 'PS009', 'CASE x WHEN y hides an operator =') if $value->{arg} && $where->{path} ne 'pinned';
		}
		elsif ($kind eq 'FuncCall')
		{
			my @name = names($value->{funcname});
			found($where, 'PS016', "function @name is not qualified") if @name == 1 && $where->{path} ne 'pinned';
		}
		elsif ($kind eq 'RangeVar' || $kind eq 'relation' && $value->{relname})
		{
			my $name = $value->{relname};
			found($where, 'PS017', "relation $name is not qualified")
				if !$value->{schemaname} && !$where->{with}{$name} && !($where->{path} eq 'pinned' && $name =~ $catalog);
		}
		elsif ($kind eq 'CommonTableExpr' && $where->{with})
		{
			# A query of WITH may name itself.
			$inner = { %$where, with => { %{ $where->{with} }, $value->{ctename} => 1 } };
		}
		walk($value, $inner);
	}
	return;
}

sub body
{
	my ($language, $source, $where, $statement) = @_;
	if ($language eq 'sql')
	{
		walk($_->{stmt}, $where) for @{ parse($source)->{stmts} };
	}
	elsif ($language eq 'plpgsql')
	{
		walk_plpgsql(parse($statement, 'plpgsql'), $where);
	}
	return;
}

# Expressions of PL/pgSQL are SQL in a text of their own.
sub walk_plpgsql
{
	my ($node, $where) = @_;
	if (ref $node eq 'ARRAY')
	{
		walk_plpgsql($_, $where) for @$node;
	}
	elsif (ref $node eq 'HASH')
	{
		if (defined $node->{query} && !ref $node->{query})
		{
			my $sql = $node->{query};
			$sql =~ s/^\s*[\w.\[\]]+\s*:=/SELECT/;
			$sql = "SELECT $sql" unless $sql =~ /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|TRUNCATE|LOCK|GRANT|REVOKE|CREATE|ALTER|DROP|CALL|VALUES)\b/i;
			walk($_->{stmt}, $where) for @{ parse($sql)->{stmts} };
		}
		walk_plpgsql($node->{$_}, $where) for sort keys %$node;
	}
	return;
}

my %exists = (CreateSchemaStmt => 'PS010', CreateSeqStmt => 'PS011', CreateStmt => 'PS012', CreateTableAsStmt => 'PS012', CreateForeignServerStmt => 'PS013',
	IndexStmt => 'PS014', CreateForeignTableStmt => 'PS012', CreateExtensionStmt => 'PS007', AlterEnumStmt => 'PS007');
my %replace = (CreateFunctionStmt => 'PS002', CreateTransformStmt => 'PS006', ViewStmt => 'PS015', CreateTrigStmt => 'PS007', CreatePLangStmt => 'PS007',
	RuleStmt => 'PS007', DefineStmt => 'PS007');

sub check_function
{
	my ($node, $where, $statement) = @_;
	my $name = join '.', names($node->{funcname});
	my ($language) = map { $_->{String}{sval} } option($node, 'language');
	my ($definer) = map { $_->{Boolean}{boolval} } option($node, 'security');
	my ($set) = grep { $_->{name} eq 'search_path' } map { $_->{VariableSetStmt} } option($node, 'set');
	my $path = $set ? search_path($set) : undef;
	found($where, 'PS003', "$name is SECURITY DEFINER without search_path") if $definer && !defined $path;
	found($where, 'PS004', "$name is SECURITY DEFINER with search_path $path") if $definer && defined $path && $path ne 'pinned';
	# Only what is C and says so has none: .ci/rules.
	found($where, 'PS005', "$name has no search_path") if !defined $path && lc $language ne 'c';
	found($where, 'PS018', "$name has a list of schemas in quotes as search_path") if defined $path && $path eq 'quoted';
	my ($as) = option($node, 'as');
	my ($source) = names($as->{List}{items}) if $as;
	if (defined $source && lc $language eq 'plpgsql')
	{
		# libpg_query does not know the arguments by the function's name: they are declared in a block of that name.
		my ($label) = $name =~ /(\w+)$/;
		my $declared = join ' ', map { "$_ text;" } grep { defined } map { $_->{FunctionParameter}{name} } @{ $node->{parameters} // [] };
		my $at = index $statement, $source;
		die "$name: the body is not where it was\n" if $at < 0;
		(my $inner = $source) =~ s/\s*;?\s*$//;
		# Nor that such a one returns nothing.
		$inner =~ s/\bRETURN(\s+NEXT)?\s*;/NULL;/g;
		$inner =~ s/^((?:\s*#.*\n)*)//;
		substr($statement, $at, length $source) = "$1\n<<$label>> DECLARE $declared BEGIN $inner; END";
	}
	body(lc $language, $source, { %$where, path => $path // 'caller\'s' }, $statement) if defined $source && lc $language ne 'c';
	# Defaults of arguments are evaluated where the caller is.
	walk($node->{parameters}, { %$where, path => 'caller\'s' });
	return;
}

open my $in, '<:raw', $file or die "$file: $!\n";
$text = do { local $/; <$in> };
my $update = $file =~ /--.*--/;
$text =~ s/^\\.*$//mg;
die "$file: a substitution that CREATE EXTENSION would make\n" if $text =~ /\@extschema|\@extowner/;
my $path = 'caller\'s';
for my $statement (@{ parse($text)->{stmts} })
{
	my ($start, $length) = ($statement->{stmt_location} // 0, $statement->{stmt_len});
	my $sql = substr $text, $start, $length // length $text;
	$sql =~ s/^(\s|--.*\n)+//;
	my $where = { line => 1 + (substr($text, 0, index($text, $sql, $start)) =~ tr/\n//), path => $path, with => {} };
	my ($kind) = keys %{ $statement->{stmt} };
	my $node = $statement->{stmt}{$kind};
	found($where, $exists{$kind}, 'IF NOT EXISTS adopts what is there') if $node->{if_not_exists} && $exists{$kind};
	# In an update the object is the extension's, or PostgreSQL refuses: CVE-2022-2625 was fixed before every version that is supported.
	found($where, $replace{$kind}, 'OR REPLACE adopts what is there') if $node->{replace} && $replace{$kind} && !$update;
	if ($kind eq 'VariableSetStmt' && $node->{name} eq 'search_path')
	{
		my $to = search_path($node);
		found($where, 'PS018', 'a list of schemas in quotes is the name of one') if $to eq 'quoted';
		found($where, 'PS018', "SET search_path outlives the script") unless $node->{is_local};
		$path = $to;
	}
	elsif ($kind eq 'CreateFunctionStmt')
	{
		my @name = names($node->{funcname});
		found($where, 'PS017', "function @name is created in no schema") if @name == 1;
		check_function($node, $where, $sql);
	}
	elsif ($kind eq 'DoStmt')
	{
		my ($source) = map { $_->{DefElem}{arg}{String}{sval} } grep { $_->{DefElem}{defname} eq 'as' } @{ $node->{args} };
		(my $quoted = $source) =~ s/'/''/g;
		body('plpgsql', $source, $where, "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS '$quoted'");
	}
	elsif ($kind eq 'CreateTrigStmt' || $kind eq 'CreateEventTrigStmt')
	{
		my @name = names($node->{funcname});
		found($where, 'PS016', "function @name is not qualified") if @name == 1;
		walk($node, $where);
	}
	elsif ($kind eq 'CommentStmt' || $kind eq 'CreateEnumStmt' || $kind eq 'GrantStmt')
	{
		walk($node, $where);
	}
	else
	{
		walk({ $kind => $node }, $where);
	}
}
print map { "$_\n" } @findings;
