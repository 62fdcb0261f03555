/*
 * recorder_event.h
 *		Violations as bytes: what travels through the ring and lies in the spool.
 *
 * A unit is what one refused statement has to say: one or more records, or the news that an account stored clean content.  It
 * frames itself (magic, version, length, CRC-32C), so that a reader of a damaged spool finds the next whole unit.
 *
 * Pure C: no server headers, no allocation, nothing raised; fit for unit tests and fuzzers.
 */
#ifndef MDR_RECORDER_EVENT_H
#define MDR_RECORDER_EVENT_H

#include "policy/policy.h"

#define MDR_UNIT_HEAD 32		/* bytes of a unit before its records */
#define MDR_RECORD_RULES 16		/* rules kept with a record; further ones are left out */

typedef enum MdrUnitKind
{
	MDR_UNIT_REFUSED = 1,
	MDR_UNIT_CLEAN = 2
} MdrUnitKind;

/* MdrEvent of recorder.h, in plain C.  A clean unit's record has account and occurred_at only. */
typedef struct MdrRecord
{
	uint8_t		violation_id[16];
	int64_t		occurred_at;	/* microseconds, as TimestampTz */
	int			severity;
	int			action;			/* MdrAction */
	float		score;
	int			policy_version;
	bool		strike;
	bool		suspend;
	bool		has_ladder;
	uint8_t		content_sha256[32];
	const char *account;		/* strings may be NULL */
	const char *category;
	const char *policy;
	const char *relation;
	const char *column;
	const char *db_role;
	const char *content;
	uint32_t	content_length;
	uint32_t	nrules;
	const char *rules[MDR_RECORD_RULES];
	MdrLadder	ladder;			/* if has_ladder */
} MdrRecord;

typedef struct MdrUnit
{
	MdrUnitKind kind;
	uint32_t	table;			/* oid of the violation table it is meant for */
	uint32_t	nrecords;
	uint64_t	length;			/* bytes, head included */
	/* private to mdr_unit_next */
	const char *next;
	const char *end;
	uint32_t	left;
} MdrUnit;

/* Bytes that mdr_unit_encode() will write. */
extern uint64_t mdr_unit_length(const MdrRecord *records, uint32_t nrecords);
extern void mdr_unit_encode(MdrUnitKind kind, uint32_t table, const MdrRecord *records, uint32_t nrecords, char *bytes);

/*
 * Reads a unit's head.  False when the bytes cannot begin a unit.  unit->length may exceed what is available: then more bytes
 * must be had before mdr_unit_open().
 */
extern bool mdr_unit_head(const char *bytes, uint64_t available, MdrUnit *unit);

/* Opens a whole unit for mdr_unit_next().  False when it is damaged: length, CRC. */
extern bool mdr_unit_open(const char *bytes, uint64_t available, MdrUnit *unit);

/* The next record, whose strings point into the unit's bytes.  False at the end and, with *damaged set, on nonsense. */
extern bool mdr_unit_next(MdrUnit *unit, MdrRecord *record, bool *damaged);

/* First offset from `from` where a unit may begin, or `available` when there is none. */
extern uint64_t mdr_unit_seek(const char *bytes, uint64_t from, uint64_t available);

#endif							/* MDR_RECORDER_EVENT_H */
