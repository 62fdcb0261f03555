/*
 * guard_internal.h
 *		What the files that put a guard on a table and take it off share.
 *
 * Include after postgres.h.
 */
#ifndef MDR_GUARD_INTERNAL_H
#define MDR_GUARD_INTERNAL_H

#include "access/attnum.h"
#include "nodes/nodes.h"
#include "nodes/pg_list.h"

/* What is asked of guard(). */
typedef struct MdrGuardRequest
{
	Oid			relation;
	char		relkind;
	Datum		content;		/* name[] */
	int			ncolumns;
	Datum	   *columns;		/* its elements */
	const char *account;
	const char *policy;			/* NULL: the built-in one */
	bool		has_action;
	Oid			action;			/* a label of moderation.action */
	bool		row_security;
} MdrGuardRequest;

/* Runs one command that gives no rows, with the rights of the current user.  SPI is connected. */
extern void mdr_guard_run(const char *format,...) __attribute__((format(printf, 1, 2)));

/* False while the library is newer than the extension in this database, which then has no names of former columns. */
extern bool mdr_guard_has_former(void);

/* Our own extension's script is being run. */
extern bool mdr_guard_updating(void);

/* guard() or unguard() is at work: what it does to a guard is no tampering. */
extern bool mdr_guard_working;

/* Runs a statement on our own tables with the owner's rights.  SPI is connected; the result is in SPI_tuptable. */
extern void mdr_guard_run_as_owner(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls);

/* regclass[] <-> list of oids. */
extern List *mdr_guard_oids(Datum array);
extern Datum mdr_guard_oid_array(List *oids);

/* ---- guard_event.c: what the ledger is told ---- */

/* What a superuser did or let pass; nothing while the ledger is empty, as when a dump is being loaded. */
extern void mdr_guard_tell_passed(const char *relation, const char *what, const char *detail);

/* ---- guard_rows.c: rows that no trigger saw ---- */

/* Whether a table or a partition of it may have rows; a foreign table is not asked. */
extern bool mdr_guard_has_rows(Oid relation);

/*
 * Judges the rows that are in a table and its partitions already: one column, or (NULL) all of the guard.  Raises MD001 or MD004
 * for the first that cannot stay.  Returns their number; 0 when moderation.mode lets them pass.
 */
extern uint64 mdr_guard_scan_rows(Oid relation, const char *column);

/* ---- guard_columns.c: columns of guarded tables that a command changed ---- */

typedef struct MdrNotedColumn
{
	Oid			relation;		/* a guarded table or a partition */
	AttrNumber	attnum;
	NameData	name;
	Oid			type;
} MdrNotedColumn;

/* The content columns of every guarded table and its partitions, a list in context.  SPI is connected. */
extern List *mdr_guard_columns(MemoryContext context);

/*
 * Takes a column under the guard whose name is that of a guarded one that was renamed or dropped.  Returns a list of
 * MdrNotedColumn: what is in them has not been scanned.  SPI is connected.
 */
extern List *mdr_guard_take_back(void);

/* Scans the columns, of those noted before a command, whose values it may have computed.  SPI is connected. */
extern void mdr_guard_scan_changed(const List *noted, Node *command);

/* ---- guard_check.c ---- */

/* Raises MD011 with the reason, and a hint that is the command to run, when the request cannot be met. */
extern void mdr_guard_check(MdrGuardRequest *request);

/* Raises MD011 when the current user does not own the relation.  verb: what cannot be done, for the message. */
extern void mdr_guard_check_owner(Oid relation, const char *verb);

/* ---- guard_security.c: the second wall ---- */

/*
 * Turns row security on and forces it, on the relation and its partitions, with a policy that refuses rows of accounts that may not
 * write.  *enabled and *forced are lists of relation oids: where it did so now or earlier.  SPI is connected.
 */
extern void mdr_guard_secure(Oid relation, const char *account, List **enabled, List **forced);

/* Takes all of that back. */
extern void mdr_guard_unsecure(Oid relation, List *enabled, List *forced);

#endif							/* MDR_GUARD_INTERNAL_H */
