/*
 * recorder_spool.c
 *		Units in a file of the data directory: appended by refusing backends, drained by the worker.
 *
 * In: a unit's bytes.  Out: the same, after whatever happened in between.  The lock is flock() on the file itself, so
 * that the spool works when shared memory cannot be had: an appender locks, checks that the path still leads to the file
 * it locked, appends with one write(), flushes the folder if the file was empty, unlocks, and flushes the file; a failed
 * append is cut off again.  The worker locks, renames to <oid>.draining, unlocks; then nobody else writes to it.  It
 * removes the file after everything in it was committed and flushed.  Killed at any step: before the rename the file is
 * as it was; after it the next worker begins with the .draining file, and what was committed already is a no-op, because
 * the tables take each violation once.
 *
 * A torn tail (kill or power loss within an append) does not hide what is appended later: the reader looks for the next
 * whole unit. Memory: palloc'd in the caller's context.  Errors: appending reports by its result and the server log;
 * draining raises.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "recorder/recorder_event.h"
#include "recorder/recorder_spool.h"
#include "server/server_inject.h"

#define SPOOL_FOLDER "moderation_spool"
#define SPOOL_DRAINING ".draining"
#define SPOOL_WAITING ".waiting"
#define SPOOL_DAMAGED ".damaged"
#define LOCK_WAIT_US 100
#define LOCK_TRIES 20000		/* 2 s */
#define READ_BYTES (64 * 1024)

struct MdrSpool
{
	int			file;			/* plain descriptor: draining takes several transactions */
	uint64		size;
	uint64		at;
	bool		retry;
	char		path[MAXPGPATH];
};

static void
spool_path(char *path, const char *suffix)
{
	snprintf(path, MAXPGPATH, "%s/%u%s", SPOOL_FOLDER, MyDatabaseId, suffix);
}

static bool
complain(const char *what, const char *path)
{
	ereport(LOG_SERVER_ONLY,
			(errcode_for_file_access(),
			 errmsg("moderation recorder: could not %s \"%s\": %m", what, path)));
	return false;
}

/* Whether the path still leads to the open file. */
static bool
is_at(int file, const char *path)
{
	struct stat mine;
	struct stat there;

	return fstat(file, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

/* The file, open for appending and locked; -1 on failure. */
static int
open_locked(const char *path)
{
	for (int try = 0; try < LOCK_TRIES;)
	{
		int			file = BasicOpenFilePerm(path, O_RDWR | O_CREAT | O_APPEND | PG_BINARY, S_IRUSR | S_IWUSR);

		if (file < 0 && errno == ENOENT)
		{
			/* The folder comes with the first use. */
			if (mkdir(SPOOL_FOLDER, S_IRWXU) < 0 && errno != EEXIST)
				return complain("create directory", SPOOL_FOLDER), -1;
			if (fsync_fname_ext(".", true, true, LOG) < 0)
				return -1;
			try++;
			continue;
		}
		if (file < 0)
			return complain("open file", path), -1;

		/* Who holds the lock is writing a unit or renaming; a stopped process must not stop everybody. */
		while (flock(file, LOCK_EX | LOCK_NB) < 0)
		{
			if ((errno != EWOULDBLOCK && errno != EINTR) || ++try >= LOCK_TRIES)
			{
				complain("lock file", path);
				close(file);
				return -1;
			}
			pg_usleep(LOCK_WAIT_US);
		}
		if (is_at(file, path))
			return file;
		/* The worker has taken it meanwhile. */
		close(file);
		try++;
	}
	return -1;
}

static bool
write_all(int file, const char *bytes, uint64 length)
{
	/* One call as a rule; the kernel may take less of what is larger than 2 GB, or when the disk is full. */
	while (length > 0)
	{
		ssize_t		written = write(file, bytes, MDR_INJECT_FAIL("spool_half") ? Max(1, length / 2) : length);

		MDR_INJECT("spool_written_half");
		if (MDR_INJECT_FAIL("spool_no_space"))
		{
			errno = ENOSPC;
			return false;
		}
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			if (written == 0)
				errno = ENOSPC;
			return false;
		}
		bytes += written;
		length -= written;
	}
	return true;
}

static bool
append(const char *suffix, const char *bytes, uint64 length)
{
	char		path[MAXPGPATH];
	struct stat before;
	int			file;
	bool		done = false;

	spool_path(path, suffix);
	file = open_locked(path);
	if (file < 0)
		return false;

	MDR_INJECT("spool_locked");
	if (MDR_INJECT_FAIL("no_spool"))
		done = true;
	else if (fstat(file, &before) < 0)
		complain("stat file", path);
	else
	{
		done = write_all(file, bytes, length) || complain("write file", path);
		if (done && before.st_size == 0)
			done = fsync_fname_ext(SPOOL_FOLDER, true, true, LOG) >= 0;
		if (!done && ftruncate(file, before.st_size) < 0)
			complain("truncate file", path);
	}

	/* Several flush at once: what each has written is in the file, and the file in its folder, before the lock is given up. */
	(void) flock(file, LOCK_UN);
	MDR_INJECT("spool_written");
	if (done && pg_fsync(file) < 0)
		done = complain("fsync file", path);
	close(file);
	MDR_INJECT("spool_flushed");
	return done;
}

bool
mdr_spool_append(const char *bytes, uint64 length)
{
	return append("", bytes, length);
}

bool
mdr_spool_keep(const char *bytes, uint64 length, bool forever)
{
	return append(forever ? SPOOL_DAMAGED : SPOOL_WAITING, bytes, length);
}

static bool
size_of(const char *suffix, int64 *bytes)
{
	char		path[MAXPGPATH];
	struct stat status;

	spool_path(path, suffix);
	if (stat(path, &status) < 0)
		return false;
	*bytes += status.st_size;
	return true;
}

bool
mdr_spool_pending(void)
{
	int64		bytes = 0;

	return size_of("", &bytes) || size_of(SPOOL_DRAINING, &bytes);
}

bool
mdr_spool_exists(void)
{
	int64		bytes = 0;

	return mdr_spool_pending() || size_of(SPOOL_WAITING, &bytes);
}

void
mdr_spool_size(int64 *files, int64 *bytes)
{
	*bytes = 0;
	*files = size_of("", bytes) + size_of(SPOOL_DRAINING, bytes) + size_of(SPOOL_WAITING, bytes) + size_of(SPOOL_DAMAGED, bytes);
}

/* Renames a file to what the worker drains; false when that failed or there is none. */
static bool
take_spool(const char *suffix, const char *draining)
{
	char		path[MAXPGPATH];
	struct stat status;
	int			file;
	bool		renamed;

	spool_path(path, suffix);
	if (stat(path, &status) < 0 || (file = open_locked(path)) < 0)
		return false;
	renamed = durable_rename(path, draining, LOG) == 0;
	close(file);
	return renamed;
}

MdrSpool *
mdr_spool_open(bool retry)
{
	MdrSpool   *spool;
	char		path[MAXPGPATH];
	struct stat status;
	int			file;
	bool		retries = false;

	spool_path(path, SPOOL_DRAINING);
	if (stat(path, &status) < 0 && !take_spool("", path))
	{
		retries = retry && take_spool(SPOOL_WAITING, path);
		if (!retries)
			return NULL;
	}
	file = BasicOpenFilePerm(path, O_RDONLY | PG_BINARY, S_IRUSR | S_IWUSR);
	if (file < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path)));
	/* A worker of another version of the library may be at it: then what is in it is the other's, and so is to remove it. */
	if (flock(file, LOCK_EX | LOCK_NB) < 0 || !is_at(file, path))
	{
		close(file);
		return NULL;
	}
	if (fstat(file, &status) < 0)
	{
		close(file);
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", path)));
	}
	spool = palloc0(sizeof(MdrSpool));
	snprintf(spool->path, sizeof(spool->path), "%s", path);
	spool->file = file;
	spool->retry = retries;
	spool->size = status.st_size;
	return spool;
}

bool
mdr_spool_is_retry(const MdrSpool *spool)
{
	return spool->retry;
}

/* Reads exactly length bytes at the offset. */
static void
read_at(MdrSpool *spool, char *bytes, uint64 length, uint64 offset)
{
	while (length > 0)
	{
		ssize_t		got = pread(spool->file, bytes, length, (off_t) offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", spool->path)));
		bytes += got;
		length -= got;
		offset += got;
	}
}

/* Moves on to the next place after spool->at where a unit may begin, or to the end. */
static void
seek_unit(MdrSpool *spool)
{
	char	   *window = palloc(READ_BYTES);

	spool->at++;
	while (spool->at < spool->size)
	{
		uint64		length = Min(READ_BYTES, spool->size - spool->at);
		uint64		found;

		read_at(spool, window, length, spool->at);
		found = mdr_unit_seek(window, 0, length);
		if (found < length)
		{
			spool->at += found;
			break;
		}
		/* A unit's first bytes may straddle two windows. */
		spool->at += length > 3 && spool->at + length < spool->size ? length - 3 : length;
	}
	pfree(window);
}

char *
mdr_spool_next(MdrSpool *spool, uint64 *length, uint64 *skipped)
{
	uint64		from = spool->at;

	while (spool->at < spool->size)
	{
		char		head[MDR_UNIT_HEAD];
		uint64		left = spool->size - spool->at;
		MdrUnit		unit;

		CHECK_FOR_INTERRUPTS();
		if (left >= MDR_UNIT_HEAD)
		{
			read_at(spool, head, MDR_UNIT_HEAD, spool->at);
			if (mdr_unit_head(head, MDR_UNIT_HEAD, &unit) && unit.length <= left)
			{
				char	   *bytes = MemoryContextAllocHuge(CurrentMemoryContext, unit.length);

				read_at(spool, bytes, unit.length, spool->at);
				if (mdr_unit_open(bytes, unit.length, &unit))
				{
					*skipped = spool->at - from;
					*length = unit.length;
					spool->at += unit.length;
					return bytes;
				}
				pfree(bytes);
			}
		}
		seek_unit(spool);
	}
	*skipped = spool->size - from;
	return NULL;
}

void
mdr_spool_close(MdrSpool *spool, bool done)
{
	close(spool->file);
	if (done)
		(void) durable_unlink(spool->path, LOG);
	pfree(spool);
}
