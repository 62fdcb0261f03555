/*
 * guard_internal.h
 *		What the files that put a guard on a table and take it off share.
 *
 * Include after postgres.h.
 */
#ifndef MDR_GUARD_INTERNAL_H
#define MDR_GUARD_INTERNAL_H

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

/* guard() or unguard() is at work: what it does to a guard is no tampering. */
extern bool mdr_guard_working;

/* Runs a statement on our own tables with the owner's rights.  SPI is connected; the result is in SPI_tuptable. */
extern void mdr_guard_run_as_owner(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls);

/* regclass[] <-> list of oids. */
extern List *mdr_guard_oids(Datum array);
extern Datum mdr_guard_oid_array(List *oids);

/* Whether a table or a partition of it may have rows; a foreign table is not asked. */
extern bool mdr_guard_has_rows(Oid relation);

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
