/*
 * guard.h
 *		The guard on a table: which columns are content, which one names the account, and the two row triggers that act.
 *
 * moderation.guard() registers a relation in moderation.guarded and gives it two triggers, both ENABLE ALWAYS:
 *
 *	zzz_moderation_scan		BEFORE INSERT OR UPDATE: passes the gate, scans changed content, refuses, diverts or masks
 *	zzz_moderation_verify	AFTER INSERT OR UPDATE: records what was stored, and scans whatever another trigger rewrote
 *
 * A trigger takes everything it does from moderation.guarded, by relation oid (a partition's: by its topmost registered
 * ancestor), so that a trigger on a table that nobody registered does nothing but raise an error.
 *
 * Include after postgres.h.
 */
#ifndef MDR_GUARD_H
#define MDR_GUARD_H

#include "access/htup.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "recorder/recorder.h"
#include "store/store.h"
#include "utils/relcache.h"

#define MDR_GUARD_SCAN_TRIGGER		"zzz_moderation_scan"
#define MDR_GUARD_VERIFY_TRIGGER	"zzz_moderation_verify"

/* How a column's type is read as content. */
typedef enum MdrContentKind
{
	MDR_CONTENT_NONE,			/* not a type that can be content */
	MDR_CONTENT_TEXT,			/* text, varchar, char, citext */
	MDR_CONTENT_ARRAY,			/* arrays of those: the elements, one below the other */
	MDR_CONTENT_JSON,			/* json and jsonb: keys and strings, one below the other */
	MDR_CONTENT_JSONB
} MdrContentKind;

typedef struct MdrContentColumn
{
	AttrNumber	attnum;			/* in this very relation: partitions may differ */
	NameData	name;
	Oid			type;			/* as declared, maybe a domain */
	int32		typmod;
	MdrContentKind kind;
} MdrContentColumn;

/* A guarded relation as the triggers need it; see mdr_guard_find(). */
typedef struct MdrGuard
{
	Oid			relation;
	bool		valid;			/* false from the moment that the catalog changed */
	bool		last;			/* nothing can change a row between our BEFORE trigger and its storage */
	Oid			root;			/* the registered relation: this one, or its topmost registered ancestor */
	const char *policy;			/* NULL: the built-in one */
	MdrAction	cap;			/* no action above it */
	AttrNumber	account;
	struct MdrAccountCast *cast;	/* account column -> text */
	Bitmapset  *moving;			/* attnum - FirstLowInvalidHeapAttributeNumber of whatever decides on the row's partition */
	MemoryContext context;		/* owns all of this */
	int			ncolumns;
	MdrContentColumn columns[FLEXIBLE_ARRAY_MEMBER];
} MdrGuard;

/*
 * The guard of a relation.  Raises MD011 when it has none (a trigger without a registration), or when a registered column is
 * gone.  Valid until the end of the transaction, whatever is invalidated meanwhile.
 */
extern const MdrGuard *mdr_guard_find(Relation relation);

/* False when no table is guarded; cheap, and true for a while after the last one was. */
extern bool mdr_guard_any(void);

/* Whether moderation.guarded has the relation itself. */
extern bool mdr_guard_registered(Oid relation);

/* A relation's name, schema-qualified, quoted as needed, in the current memory context. */
extern char *mdr_guard_name(Oid relation);

/* A tuple's account as text in the current memory context, as a cast to text would have it; NULL for NULL. */
extern char *mdr_guard_account(const MdrGuard *guard, HeapTuple tuple, TupleDesc descriptor);

/* ---- guard_content.c: values as text for the core, and back ---- */

/* How a type is read as content; domains are looked through. */
extern MdrContentKind mdr_content_kind(Oid type);

/* A part of an array or json value, within the text that is scanned. */
typedef struct MdrContentPiece
{
	int			start;			/* bytes in MdrContent.utf8 */
	int			length;
} MdrContentPiece;

typedef struct MdrContent
{
	const MdrContentColumn *column;
	Datum		value;			/* detoasted */
	Size		size;			/* bytes of the value, before it was detoasted */
	const char *utf8;			/* what is scanned: the text, or the pieces with a line feed between them */
	int			length;
	int			npieces;		/* 0 for text */
	MdrContentPiece *pieces;
} MdrContent;

/* Fills *content, in the current memory context. */
extern void mdr_content_open(const MdrContentColumn *column, Datum value, MdrContent *content);

/* The value's text form (what a cast to text gives), as a C string in the database encoding, in the current memory context. */
extern char *mdr_content_text(const MdrContent *content, int *length);

/*
 * The value with the verdict's spans masked, in the current memory context.  Each character becomes one mask character, U+2588, or
 * "*" in a database with encoding SQL_ASCII.
 */
extern Datum mdr_content_mask(const MdrContent *content, const MdrEngine *engine, MdrArena *arena,
							  const MdrVerdict *verdict);

/* Whether two values of a varlena column differ; values that share a TOAST pointer are not read. */
extern bool mdr_content_changed(Datum old_value, bool old_null, Datum new_value, bool new_null);

/* ---- guard_memo.c: what this transaction's BEFORE triggers know and its AFTER triggers need ---- */

#define MDR_DIGEST_BYTES 16

typedef struct MdrDigest
{
	uint8		bytes[MDR_DIGEST_BYTES];
} MdrDigest;

typedef enum MdrMemo
{
	MDR_MEMO_NONE,				/* never seen */
	MDR_MEMO_CLEAN,				/* scanned: nothing to record */
	MDR_MEMO_PENDING			/* scanned: to be recorded once it is stored */
} MdrMemo;

/* Of a detoasted value for a column of a guard, by its ordinal, and an account (or NULL). */
extern void mdr_memo_digest(const MdrGuard *guard, int ordinal, Datum value, const char *account, MdrDigest *digest);

extern void mdr_memo_clean(const MdrDigest *digest);

/* False when there is no room for one more event: the caller then records it itself, or relies on being scanned again. */
extern bool mdr_memo_pending(const MdrDigest *digest, const MdrEvent *event);

/* Nothing is pending, nothing was dropped. */
extern bool mdr_memo_empty(void);

/* Something may have been dropped: what take() does not know must be scanned. */
extern bool mdr_memo_dropped(void);

/* Takes one entry out.  *event (for MDR_MEMO_PENDING) is palloc'd in the current memory context. */
extern MdrMemo mdr_memo_take(const MdrDigest *digest, MdrEvent *event);

/*
 * Digests of what an UPDATE leaves unchanged while it may move the row from its partition to another; the next call replaces
 * them.
 */
extern void mdr_memo_move(Oid partition, const MdrDigest *digests, int ndigests);
/* Whether there are any for an INSERT into this partition: of the same statement, from another partition. */
extern bool mdr_memo_moving(Oid partition);
/* Whether the digest is among them; takes it out. */
extern bool mdr_memo_moved(const MdrDigest *digest);

/* ---- guard_act.c: what follows from verdicts ---- */

/* One content of a row, scanned. */
typedef struct MdrScanned
{
	int			ordinal;		/* of the column */
	MdrContent	content;
	MdrVerdict	verdict;
	MdrAction	action;			/* the verdict's, capped */
} MdrScanned;

/* A row on its way: what both triggers work with. */
typedef struct MdrRow
{
	const MdrGuard *guard;
	Relation	relation;
	TupleDesc	descriptor;
	const char *operation;		/* INSERT or UPDATE */
	const char *account;		/* NULL for NULL */
	bool		stored;			/* it came by a command of the table's owner: no strike */
	MdrAction	cap;
	const MdrLive *live;
	MdrArena   *arena;
	int			nscanned;
	MdrScanned *scanned;		/* those that were scanned */
	int			gravest;		/* index in scanned, -1 when everything is allowed */
	MdrAction	action;			/* the row's: the gravest's */
} MdrRow;

/* Fills *event for a scanned content.  taken is what happens to it; strings live in the current memory context. */
extern void mdr_guard_event(const MdrRow *row, const MdrScanned *scanned, MdrAction taken, MdrEvent *event);

/* A new violation_id and the present time: for an event that is recorded only now. */
extern void mdr_guard_stamp(MdrEvent *event);

/* Whether the same content of the same account was recorded already, for the same column of the same table. */
extern bool mdr_guard_recorded(const MdrEvent *event);

/* Records every violating content of the row, then raises MD001, or MD004 when it could not be scanned. */
extern void mdr_guard_refuse(MdrRow *row) __attribute__((noreturn));

/* Puts the row into moderation.quarantine and records it; false when it cannot be expressed as jsonb. */
extern bool mdr_guard_quarantine(MdrRow *row, HeapTuple tuple);

/* The tuple with redacted content masked, in the current memory context; the values are put into the contents, too. */
extern HeapTuple mdr_guard_mask(MdrRow *row, HeapTuple tuple);

/* ---- guard_event.c ---- */

/* Tells the ledger, once for each table and transaction, that rows are stored under moderation.mode = restore.  Never raises. */
extern void mdr_guard_tell_restored(Relation relation);

/* ---- guard_trigger.c, for guard_rows.c ---- */

/*
 * Scans a row that is stored and that no trigger saw: one column of the guard, or (NULL) all of them.  Refuses it like the AFTER
 * trigger, records what is flagged and was not recorded before.  Does not ask whether its account may write.
 */
extern void mdr_guard_judge(Relation relation, const MdrGuard *guard, HeapTuple tuple, const char *column);

#endif							/* MDR_GUARD_H */
