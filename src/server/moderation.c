/*
 * moderation.c
 *		The module's entry: settings, and the stages that want to be called once in each process.
 *
 * Runs when the library is loaded: by the first call of one of its functions, by LOAD, or by a preloading setting.  It takes no
 * lock, reads no catalog (there may be no transaction, and no database), and allocates only what GUCs and callbacks need,
 * for the life of the process.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/uuid.h"

#include "account/account.h"
#include "ledger/ledger.h"
#include "recorder/recorder.h"
#include "server/server.h"
#include "server/server_inject.h"
#include "store/store.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

int			mdr_mode = MDR_MODE_ENFORCE;
bool		mdr_moderate_replica = false;

static const struct config_enum_entry mode_options[] = {
	{"enforce", MDR_MODE_ENFORCE, false},
	{"restore", MDR_MODE_RESTORE, false},
	{NULL, 0, false}
};

void
_PG_init(void)
{
	DefineCustomEnumVariable("moderation.mode",
							 "What the guard does with content.",
							 "enforce: classify and act. restore: store everything as it is, for loading a dump.",
							 &mdr_mode,
							 MDR_MODE_ENFORCE,
							 mode_options,
							 PGC_SUSET,
							 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("moderation.moderate_replica",
							 "Classify rows that logical replication applies, too.",
							 "Off, a subscriber stores what its publisher has already decided about.",
							 &mdr_moderate_replica,
							 false,
							 PGC_SUSET,
							 0,
							 NULL, NULL, NULL);

#ifdef MDR_TEST
	mdr_inject_init();
#endif
	mdr_store_init();
	mdr_ledger_init(mdr_record_noted);
	mdr_account_init(mdr_record_clean);
	mdr_recorder_init();

	/* Last: stages define settings of their own. */
	MarkGUCPrefixReserved("moderation");
}
