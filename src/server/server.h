/*
 * server.h
 *		What the stages inside the server share: the extension's own oids, whose rights are used, settings.
 *
 * Include after postgres.h.
 */
#ifndef MDR_SERVER_H
#define MDR_SERVER_H

#include "policy/policy.h"
#include "server/errors.h"

/* moderation.mode: what the guard does.  PGC_SUSET, so that no ordinary role can weaken it. */
typedef enum MdrMode
{
	MDR_MODE_ENFORCE,
	MDR_MODE_RESTORE			/* pass everything through untouched: for loading a dump */
} MdrMode;
extern int	mdr_mode;

/* moderation.moderate_replica: scan rows that logical replication applies, too.  PGC_SUSET, off. */
extern bool mdr_moderate_replica;

/* Whether this backend's database has the extension, looked up anew in every call. */
extern bool mdr_installed(void);

/* oid of a relation or type in schema moderation; cached, InvalidOid-safe, reset when the catalog changes. */
extern Oid	mdr_relation(const char *name);
extern Oid	mdr_type(const char *name);

/*
 * Keeps the extension from being dropped until the end of the transaction; false when it is not installed.  Whoever runs SQL on
 * our tables with more than the caller's rights needs it: mdr_become_owner() does it itself.
 */
extern bool mdr_hold_extension(void);

/* MdrAction <-> a value of type moderation.action. */
extern Datum mdr_action_datum(MdrAction action);
extern MdrAction mdr_action_from_datum(Datum datum);

/*
 * Acts as the extension's owner until mdr_restore_user(): needed wherever our own tables are read or written on behalf of
 * a role that has no rights there.  Meanwhile search_path is "pg_catalog, pg_temp", so that no SQL run in between can meet the
 * caller's operators, and plans are not shown to the client.  Must nest.  An ERROR in between is undone by (sub)transaction
 * abort, as with SECURITY DEFINER.
 */
typedef struct MdrUser
{
	Oid			user;
	int			context;
	int			guc_nest_level;
} MdrUser;
extern void mdr_become_owner(MdrUser *saved);
extern void mdr_restore_user(const MdrUser *saved);

/*
 * For MdrInterrupted: true when the caller must stop and call mdr_raise(MDR_INTERRUPTED, ...).  Interrupts that ask for no
 * more than a moment's work (a barrier, a message of a parallel worker) are served on the spot.
 */
extern bool mdr_interrupted(void *context);

/*
 * Raises the ERROR that fits a status other than MDR_OK and MDR_UNKNOWN; runs CHECK_FOR_INTERRUPTS() for MDR_INTERRUPTED.
 * error may be NULL.
 */
extern void mdr_raise(MdrStatus status, const MdrError *error) __attribute__((noreturn));

/* An arena that is destroyed with the memory context, or when the context is reset. */
extern MdrArena *mdr_arena_in(MemoryContext context, size_t limit);

/*
 * Database encoding <-> UTF-8.  The database's encoding is UTF8 or SQL_ASCII (types.sql refuses any other, which could not express
 * the built-in policy), so *utf8 points into text.  Bytes that are not UTF-8 (possible under SQL_ASCII) are left as they are: the
 * core reads each as U+FFFD.
 */
extern void mdr_to_utf8(const char *text, int length, const char **utf8, int *utf8_length);
extern char *mdr_from_utf8(const char *utf8, int length);	/* palloc'd, zero-terminated */

/* pg_cryptohash_update() in pieces, with a look at interrupts between them: an ERROR leaves the hash to its resource owner. */
struct pg_cryptohash_ctx;
extern bool mdr_hash_bytes(struct pg_cryptohash_ctx *hash, const void *bytes, size_t length);

#endif							/* MDR_SERVER_H */
