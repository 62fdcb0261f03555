/*
 * surface_status.c
 *		What status() needs and SQL cannot see: versions of the libraries at work, and how the recorder fares.
 *
 * Reads only; takes no locks of its own.  The row is palloc'd.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "postgres.h"

#include <pcre2.h>
#include <unicode/uversion.h>
#include <yaml.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "recorder/recorder.h"
#include "server/server.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(moderation_read_libraries);
PG_FUNCTION_INFO_V1(moderation_read_recorder);

static TupleDesc
result_descriptor(FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(descriptor);
}

/* "10.42 2022-12-11" -> what stands before the first blank. */
static Datum
first_word_datum(const char *text)
{
	return PointerGetDatum(cstring_to_text_with_len(text, strcspn(text, " ")));
}

#define MODEL_DIGITS 16			/* of the SHA-256, enough to tell models apart */

/* The first digits of the SHA-256 of the built-in model's bytes, computed once a session; NULL when this machine cannot read it. */
static const char *
model_version(void)
{
	static char version[MODEL_DIGITS + 1] = "";
	const MdrModel *model = mdr_model_built_in();
	pg_cryptohash_ctx *hash;
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
	bool		good;

	if (model == NULL)
		return NULL;
	if (version[0] != '\0')
		return version;
	hash = pg_cryptohash_create(PG_SHA256);
	good = hash != NULL && pg_cryptohash_init(hash) >= 0 && mdr_hash_bytes(hash, model->header, model->length) &&
		pg_cryptohash_final(hash, sha256, sizeof(sha256)) >= 0;
	if (hash != NULL)
		pg_cryptohash_free(hash);
	if (!good)
		elog(ERROR, "could not hash");
	for (int i = 0; i < MODEL_DIGITS; i += 2)
		snprintf(version + i, 3, "%02x", sha256[i / 2]);
	return version;
}

/* moderation.library_versions() */
Datum
moderation_read_libraries(PG_FUNCTION_ARGS)
{
	Datum		values[5];
	bool		nulls[5] = {0};
	char		pcre2[64];
	char		icu[U_MAX_VERSION_STRING_LENGTH];
	UVersionInfo icu_numbers;

	if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) > (int) sizeof(pcre2) || pcre2_config(PCRE2_CONFIG_VERSION, pcre2) < 0)
		snprintf(pcre2, sizeof(pcre2), "unknown");
	u_getVersion(icu_numbers);
	u_versionToString(icu_numbers, icu);

	values[0] = first_word_datum(pcre2);
	values[1] = first_word_datum(icu);
	values[2] = first_word_datum(yaml_get_version_string());
	values[3] = Int64GetDatum(mdr_text_fold_version());
	nulls[4] = (mdr_model_built_in() == NULL);
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(model_version());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_descriptor(fcinfo), values, nulls)));
}

/* moderation.recorder_status() */
Datum
moderation_read_recorder(PG_FUNCTION_ARGS)
{
	MdrRecorderStatus status = {0};
	Datum		values[13];
	bool		nulls[13] = {0};

	mdr_recorder_status(&status);
	values[0] = CStringGetTextDatum(status.worker);
	values[1] = Int32GetDatum(status.worker_pid);
	nulls[1] = (status.worker_pid == 0);
	values[2] = Int64GetDatum(status.queued);
	values[3] = Int64GetDatum(status.spooled_files);
	values[4] = Int64GetDatum(status.spooled_bytes);
	values[5] = Int64GetDatum(status.recorded);
	values[6] = Int64GetDatum(status.fallbacks);
	values[7] = Int64GetDatum(status.registration_failures);
	values[8] = Int64GetDatum(status.timeouts);
	values[9] = BoolGetDatum(status.degraded);
	values[10] = Int64GetDatum(status.uncounted);
	nulls[10] = (status.uncounted < 0);
	values[11] = TimestampTzGetDatum(status.oldest_uncounted);
	nulls[11] = (status.oldest_uncounted == 0);
	values[12] = Int64GetDatum(status.logged);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_descriptor(fcinfo), values, nulls)));
}
