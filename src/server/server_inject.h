/*
 * server_inject.h
 *		Points at which a test makes something happen: an error, a cancel, a kill, a wait.
 *
 * Only the library built with -DMDR_TEST has them ("make test-library"; t/TestLibrary.pm puts it to use); in the one that is
 * shipped they are nothing at all.  moderation.test_points there is a list "point=action, point=action"; a superuser sets it,
 * or postgresql.conf for the recorder's worker.
 *
 *	error		raises an ERROR of SQLSTATE XX000 (not where an LWLock or a spinlock is held)
 *	cancel		the query is cancelled, as by pg_cancel_backend(), at the next CHECK_FOR_INTERRUPTS()
 *	terminate	the backend is terminated, as by pg_terminate_backend(), likewise
 *	kill		the process ends by SIGKILL, so that the server restarts
 *	crash		the postmaster and the process end by SIGKILL
 *	lost		the client is found to be gone, as by a failed write to it
 *	wait		writes the file moderation_test.POINT into the data directory and goes on when somebody has removed it
 *	fail		MDR_INJECT_FAIL(point) is true
 *
 * "point=action/N" acts the Nth time that this process comes by, and only then; "point=action/once" the first time that any
 * process of the database does (it leaves the file moderation_test.POINT.DATABASE in the data directory).  Whatever is made to
 * happen is told to the server's standard error: "moderation_test: DATABASE POINT ACTION PID".
 *
 * moderation.test_fail_alloc = N has the Nth allocation fail that the core makes from an arena from now on.
 *
 * Include after postgres.h.
 */
#ifndef MDR_SERVER_INJECT_H
#define MDR_SERVER_INJECT_H

#ifdef MDR_TEST

#define MDR_LIBRARY "moderation_test"
#define MDR_INJECT(point) ((void) mdr_inject(point))
#define MDR_INJECT_FAIL(point) mdr_inject(point)

extern bool mdr_inject(const char *point);	/* true: fail */
extern void mdr_inject_init(void);

#else

#define MDR_LIBRARY "moderation"
#define MDR_INJECT(point) ((void) 0)
#define MDR_INJECT_FAIL(point) false

#endif

#endif							/* MDR_SERVER_INJECT_H */
