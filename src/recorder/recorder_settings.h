/*
 * recorder_settings.h
 *		The recorder's settings, as the worker and the refusing backends see them.
 */
#ifndef MDR_RECORDER_SETTINGS_H
#define MDR_RECORDER_SETTINGS_H

typedef enum MdrCommit
{
	MDR_COMMIT_LOCAL,			/* flushed here */
	MDR_COMMIT_ON				/* and on the synchronous standbys, if there are any */
} MdrCommit;

extern int	mdr_record_timeout; /* ms: a refusal waits at most so long for its record */
extern int	mdr_recorder_idle;	/* ms: the worker leaves after so long without work */
extern int	mdr_record_synchronous_commit;	/* MdrCommit */

#endif							/* MDR_RECORDER_SETTINGS_H */
