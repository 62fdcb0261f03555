/*
 * server_inject.c
 *		Makes happen at a point what moderation.test_points says; empty in the library that is shipped.
 *
 * Takes no lock and allocates nothing, so that a point may stand anywhere, within a critical section, too ("error" excepted).
 */
#include "postgres.h"

#include "server/server_inject.h"

#ifdef MDR_TEST

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/pmsignal.h"
#include "utils/guc.h"

#include "base/base.h"

#define MAX_COUNTED 32

static char *test_points = NULL;

/* How often this process came by the points that are to act once. */
static struct
{
	char		point[64];
	int			count;
}			counted[MAX_COUNTED];

static int
count_visit(const char *point)
{
	for (int i = 0; i < MAX_COUNTED; i++)
	{
		if (counted[i].point[0] == '\0')
			strlcpy(counted[i].point, point, sizeof(counted[i].point));
		if (strcmp(counted[i].point, point) == 0)
			return ++counted[i].count;
	}
	return 0;
}

static void
wait_for_removal(const char *point)
{
	char		path[128];
	struct stat known;
	int			file;

	snprintf(path, sizeof(path), "moderation_test.%s", point);
	file = open(path, O_WRONLY | O_CREAT, 0600);
	if (file < 0)
		return;
	close(file);
	while (stat(path, &known) == 0 && PostmasterIsAlive())
		pg_usleep(1000);
}

/* Whether this is the first time in this database; a file remembers it over restarts. */
static bool
first_time(const char *point)
{
	char		path[128];
	int			file;

	snprintf(path, sizeof(path), "moderation_test.%s.%u", point, MyDatabaseId);
	file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0)
		return false;
	close(file);
	return true;
}

static void
tell(const char *point, const char *action, size_t length)
{
	char		line[256];
	int			size = snprintf(line, sizeof(line), "moderation_test: %u %s %.*s %d\n", MyDatabaseId, point, (int) length, action, MyProcPid);

	if (write(STDERR_FILENO, line, Min(size, (int) sizeof(line) - 1)) < 0)
		return;
}

bool
mdr_inject(const char *point)
{
	size_t		length = strlen(point);

	for (const char *at = test_points; at != NULL && *at != '\0'; at = *at == ',' ? at + 1 : at)
	{
		const char *action;
		size_t		size;
		const char *nth;

		at += strspn(at, " ");
		action = at + length + 1;
		if (strncmp(at, point, length) != 0 || at[length] != '=')
		{
			at += strcspn(at, ",");
			continue;
		}
		size = strcspn(action, ",");
		at = action + size;
		nth = memchr(action, '/', size);
		if (nth != NULL)
		{
			size = nth - action;
			if (strncmp(nth, "/once", 5) == 0 ? !first_time(point) : count_visit(point) != atoi(nth + 1))
				continue;
		}
		tell(point, action, size);
#define IS(name) (size == strlen(name) && strncmp(action, name, size) == 0)
		if (IS("fail"))
			return true;
		if (IS("error"))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("injected at \"%s\"", point)));
		if (IS("cancel"))
			InterruptPending = QueryCancelPending = true;
		if (IS("terminate"))
			InterruptPending = ProcDiePending = true;
		if (IS("lost"))
			InterruptPending = ClientConnectionLost = true;
		if (IS("crash"))
			kill(PostmasterPid, SIGKILL);
		if (IS("crash") || IS("kill"))
			kill(MyProcPid, SIGKILL);
		if (IS("wait"))
			wait_for_removal(point);
#undef IS
	}
	return false;
}

static void
assign_fail_alloc(int value, void *extra)
{
	mdr_test_fail_alloc(value);
}

void
mdr_inject_init(void)
{
	static int	fail_alloc = 0;

	DefineCustomIntVariable("moderation.test_fail_alloc", "Which of the core's allocations from now on fails.", NULL,
							&fail_alloc, 0, 0, INT_MAX, PGC_SUSET, 0, NULL, assign_fail_alloc, NULL);
	DefineCustomStringVariable("moderation.test_points", "What is to happen at which point of the code.", NULL,
							   &test_points, "", PGC_SUSET, 0, NULL, NULL, NULL);
}

#endif							/* MDR_TEST */
