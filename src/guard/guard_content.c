/*
 * guard_content.c
 *		Values of guarded columns as the text that is scanned, and a verdict's spans masked in the value again.
 *
 * text, varchar, char, citext and domains over them are scanned as they are.  The elements of an array, and the keys
 * and strings of json and jsonb, are scanned as one text with a line feed between them, so that a column is one content
 * with one verdict, and a sentence that is spread over elements is still seen.  Numbers, booleans and nulls are not
 * content.  json is read from its text, not through jsonb, because it keeps duplicate keys and escapes that jsonb would
 * drop or refuse.
 *
 * Takes no locks, runs no code of users (but the constraints of a domain whose value was masked).  Results are in the
 * current memory context; on error they go with it.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "guard/guard.h"
#include "server/server.h"

/* text, varchar, char, or the type "citext" of the extension of that name, whose values are text. */
static bool
is_text(Oid type)
{
	Oid			extension;

	if (type == TEXTOID || type == VARCHAROID || type == BPCHAROID)
		return true;
	if (type < FirstNormalObjectId)
		return false;
	extension = getExtensionOfObject(TypeRelationId, type);
	return OidIsValid(extension) && extension == get_extension_oid("citext", true) && get_typtype(type) == TYPTYPE_BASE &&
		!OidIsValid(get_element_type(type));
}

MdrContentKind
mdr_content_kind(Oid type)
{
	Oid			element;

	type = getBaseType(type);
	if (is_text(type))
		return MDR_CONTENT_TEXT;
	if (type == JSONOID)
		return MDR_CONTENT_JSON;
	if (type == JSONBOID)
		return MDR_CONTENT_JSONB;
	element = get_element_type(type);
	return OidIsValid(element) && is_text(getBaseType(element)) ? MDR_CONTENT_ARRAY : MDR_CONTENT_NONE;
}

bool
mdr_content_changed(Datum old_value, bool old_null, Datum new_value, bool new_null)
{
	struct varlena *one = (struct varlena *) DatumGetPointer(old_value);
	struct varlena *other = (struct varlena *) DatumGetPointer(new_value);
	bool		changed;

	if (old_null || new_null)
		return old_null != new_null;
	if (one == other)
		return false;
	if (VARATT_IS_EXTERNAL_ONDISK(one) && VARATT_IS_EXTERNAL_ONDISK(other))
	{
		struct varatt_external one_pointer;
		struct varatt_external other_pointer;

		VARATT_EXTERNAL_GET_POINTER(one_pointer, one);
		VARATT_EXTERNAL_GET_POINTER(other_pointer, other);
		if (one_pointer.va_valueid == other_pointer.va_valueid && one_pointer.va_toastrelid == other_pointer.va_toastrelid)
			return false;
	}
	if (toast_raw_datum_size(old_value) != toast_raw_datum_size(new_value))
		return true;

	one = PG_DETOAST_DATUM_PACKED(old_value);
	other = PG_DETOAST_DATUM_PACKED(new_value);
	changed = VARSIZE_ANY_EXHDR(one) != VARSIZE_ANY_EXHDR(other) ||
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) != 0;
	if (one != (struct varlena *) DatumGetPointer(old_value))
		pfree(one);
	if (other != (struct varlena *) DatumGetPointer(new_value))
		pfree(other);
	return changed;
}

/* ---- pieces ---- */

typedef struct Pieces
{
	StringInfoData text;
	int			count;
	int			allocated;
	MdrContentPiece *items;
} Pieces;

static void
begin_pieces(Pieces *pieces)
{
	initStringInfo(&pieces->text);
	pieces->count = 0;
	pieces->allocated = 16;
	pieces->items = palloc(pieces->allocated * sizeof(MdrContentPiece));
}

static void
begin_piece(Pieces *pieces)
{
	if (pieces->count == pieces->allocated)
	{
		pieces->allocated *= 2;
		pieces->items = repalloc_huge(pieces->items, pieces->allocated * sizeof(MdrContentPiece));
	}
	if (pieces->count > 0)
		appendStringInfoChar(&pieces->text, '\n');
	pieces->items[pieces->count].start = pieces->text.len;
}

static void
end_piece(Pieces *pieces)
{
	pieces->items[pieces->count].length = pieces->text.len - pieces->items[pieces->count].start;
	pieces->count++;
}

/* Adds a string in the database encoding. */
static void
add_piece(Pieces *pieces, const char *string, int length)
{
	const char *utf8;
	int			utf8_length;

	mdr_to_utf8(string, length, &utf8, &utf8_length);
	begin_piece(pieces);
	appendBinaryStringInfo(&pieces->text, utf8, utf8_length);
	end_piece(pieces);
}

static int
hexadecimal(const char *digits)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		char		c = digits[i];

		value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/*
 * Reads the escape at json[at], which follows a backslash, and returns where it ends.  A code point that a text cannot have is
 * read as U+FFFD, a zero as nothing, so that it hides nothing.
 */
static int
decode_escape(const char *json, int length, int at, StringInfo out)
{
	static const char *const letters = "bfnrt";
	static const char *const values = "\b\f\n\r\t";
	const char *letter = strchr(letters, json[at]);
	unsigned char bytes[8];
	pg_wchar	code;

	if (json[at] != 'u' || at + 5 > length)
	{
		appendStringInfoChar(out, letter != NULL && *letter != '\0' ? values[letter - letters] : json[at]);
		return at + 1;
	}
	code = hexadecimal(json + at + 1);
	at += 5;
	if (is_utf16_surrogate_first(code) && at + 6 <= length && json[at] == '\\' && json[at + 1] == 'u' &&
		is_utf16_surrogate_second(hexadecimal(json + at + 2)))
	{
		code = surrogate_pair_to_codepoint(code, hexadecimal(json + at + 2));
		at += 6;
	}
	else if (is_utf16_surrogate_first(code) || is_utf16_surrogate_second(code))
		code = 0xFFFD;
	if (code != 0)
	{
		unicode_to_utf8(code, bytes);
		appendBinaryStringInfo(out, (char *) bytes, pg_utf_mblen(bytes));
	}
	return at;
}

/* Reads the string that begins at json[at], after its quote; returns where its closing quote is.  json is well-formed. */
static int
decode_string(const char *json, int length, int at, StringInfo out)
{
	while (at < length && json[at] != '"')
	{
		int			from = at;

		while (at < length && json[at] != '"' && json[at] != '\\')
			at++;
		appendBinaryStringInfo(out, json + from, at - from);
		if (at + 1 < length && json[at] == '\\')
			at = decode_escape(json, length, at + 1, out);
	}
	return at;
}

static void
open_array(MdrContent *content, Pieces *pieces)
{
	ArrayType  *array = DatumGetArrayTypeP(content->value);
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;

	content->value = PointerGetDatum(array);
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &elements, &nulls, &nelements);
	for (int i = 0; i < nelements; i++)
		if (!nulls[i])
			add_piece(pieces, VARDATA_ANY(DatumGetPointer(elements[i])), VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i])));
}

static void
open_json(MdrContent *content, Pieces *pieces)
{
	text	   *value = DatumGetTextPP(content->value);
	const char *json;
	int			length;

	content->value = PointerGetDatum(value);
	mdr_to_utf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &json, &length);
	for (int at = 0; at < length; at++)
		if (json[at] == '"')
		{
			begin_piece(pieces);
			at = decode_string(json, length, at + 1, &pieces->text);
			end_piece(pieces);
		}
}

static bool
is_string(JsonbIteratorToken token, const JsonbValue *value)
{
	return (token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM) && value->type == jbvString;
}

static void
open_jsonb(MdrContent *content, Pieces *pieces)
{
	Jsonb	   *jsonb = DatumGetJsonbP(content->value);
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	content->value = PointerGetDatum(jsonb);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
		if (is_string(token, &value))
			add_piece(pieces, value.val.string.val, value.val.string.len);
}

void
mdr_content_open(const MdrContentColumn *column, Datum value, MdrContent *content)
{
	Pieces		pieces;

	memset(content, 0, sizeof(*content));
	content->column = column;
	content->value = value;
	content->size = toast_raw_datum_size(value) - VARHDRSZ;
	if (column->kind == MDR_CONTENT_TEXT)
	{
		text	   *packed = DatumGetTextPP(value);

		content->value = PointerGetDatum(packed);
		mdr_to_utf8(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed), &content->utf8, &content->length);
		return;
	}

	begin_pieces(&pieces);
	if (column->kind == MDR_CONTENT_ARRAY)
		open_array(content, &pieces);
	else if (column->kind == MDR_CONTENT_JSON)
		open_json(content, &pieces);
	else
		open_jsonb(content, &pieces);
	content->utf8 = pieces.text.data;
	content->length = pieces.text.len;
	content->npieces = pieces.count;
	content->pieces = pieces.items;
}

char *
mdr_content_text(const MdrContent *content, int *length)
{
	Oid			function;
	bool		varlena;
	char	   *text;

	getTypeOutputInfo(getBaseType(content->column->type), &function, &varlena);
	text = OidOutputFunctionCall(function, content->value);
	*length = strlen(text);
	return text;
}

/* ---- masking ---- */

/* U+2588 FULL BLOCK. */
static const char *
mask_character(void)
{
	/* Under SQL_ASCII, the other encoding that a policy can live in, varchar(n) counts bytes: the mask must be one. */
	return GetDatabaseEncoding() == PG_UTF8 ? "\xe2\x96\x88" : "*";
}

/* What the functions below share. */
typedef struct Masking
{
	const MdrContent *content;
	const MdrEngine *engine;
	MdrArena   *arena;
	const MdrVerdict *verdict;
	int			next;			/* the next piece */
} Masking;

/* Masks utf8[start, start + length); NULL when there is nothing to mask in it. */
static char *
mask_span(Masking *masking, int start, int length, size_t *out_length)
{
	MdrVerdict	part = *masking->verdict;
	const char *text = masking->content->utf8 + start;
	MdrStatus	status;
	char	   *out;

	part.findings = palloc(Max(part.nfindings, 1) * sizeof(MdrFinding));
	part.nfindings = 0;
	for (uint32 i = 0; i < masking->verdict->nfindings; i++)
	{
		MdrFinding	finding = masking->verdict->findings[i];

		if (finding.end <= (uint32) start || finding.start >= (uint32) (start + length))
			continue;
		finding.start = finding.start <= (uint32) start ? 0 : finding.start - start;
		finding.end = Min(finding.end - start, (uint32) length);
		part.findings[part.nfindings++] = finding;
	}
	if (part.nfindings == 0)
		return NULL;
	status = mdr_redact(masking->engine, masking->arena, &part, text, length, mask_character(), &out, out_length);
	if (status != MDR_OK)
		mdr_raise(status, NULL);
	return *out_length == (size_t) length && memcmp(out, text, length) == 0 ? NULL : out;
}

/* The next piece masked, in the database encoding; NULL when there is nothing to mask in it. */
static char *
mask_piece(Masking *masking)
{
	MdrContentPiece *piece = &masking->content->pieces[masking->next++];
	size_t		length;
	char	   *masked = mask_span(masking, piece->start, piece->length, &length);

	return masked == NULL ? NULL : mdr_from_utf8(masked, length);
}

static Datum
mask_text(Masking *masking)
{
	size_t		length;
	char	   *masked = mask_span(masking, 0, masking->content->length, &length);

	return masked == NULL ? masking->content->value : CStringGetTextDatum(mdr_from_utf8(masked, length));
}

static Datum
mask_array(Masking *masking)
{
	ArrayType  *array = (ArrayType *) DatumGetPointer(masking->content->value);
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &elements, &nulls, &nelements);
	for (int i = 0; i < nelements; i++)
	{
		char	   *masked = nulls[i] ? NULL : mask_piece(masking);

		if (masked != NULL)
			elements[i] = CStringGetTextDatum(masked);
	}
	return PointerGetDatum(construct_md_array(elements, nulls, ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
											  ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT));
}

/* Everything but the masked strings stays as it was written, byte for byte. */
static Datum
mask_json(Masking *masking)
{
	text	   *value = (text *) DatumGetPointer(masking->content->value);
	const char *json;
	int			length;
	StringInfoData out;
	StringInfoData ignored;

	initStringInfo(&out);
	initStringInfo(&ignored);
	mdr_to_utf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &json, &length);
	for (int at = 0; at < length; at++)
	{
		int			from = at;
		MdrContentPiece *piece;
		size_t		masked_length;
		char	   *masked;

		if (json[at] != '"')
		{
			appendStringInfoChar(&out, json[at]);
			continue;
		}
		resetStringInfo(&ignored);
		at = decode_string(json, length, at + 1, &ignored);
		piece = &masking->content->pieces[masking->next++];
		masked = mask_span(masking, piece->start, piece->length, &masked_length);
		if (masked == NULL)
			appendBinaryStringInfo(&out, json + from, Min(at + 1, length) - from);
		else
			escape_json(&out, masked);
	}
	return CStringGetTextDatum(mdr_from_utf8(out.data, out.len));
}

/* Two keys that become equal become one; jsonb keeps the last. */
static Datum
mask_jsonb(Masking *masking)
{
	Jsonb	   *jsonb = (Jsonb *) DatumGetPointer(masking->content->value);
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		bool		carries = token < WJB_BEGIN_ARRAY || (token == WJB_BEGIN_ARRAY && value.val.array.rawScalar);

		if (is_string(token, &value))
		{
			char	   *masked = mask_piece(masking);

			if (masked != NULL)
			{
				value.val.string.val = masked;
				value.val.string.len = strlen(masked);
			}
		}
		result = pushJsonbValue(&state, token, carries ? &value : NULL);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(result));
}

Datum
mdr_content_mask(const MdrContent *content, const MdrEngine *engine, MdrArena *arena, const MdrVerdict *verdict)
{
	Masking		masking = {content, engine, arena, verdict, 0};
	int32		typmod = content->column->typmod;
	Oid			base = getBaseTypeAndTypmod(content->column->type, &typmod);
	Datum		masked;

	switch (content->column->kind)
	{
		case MDR_CONTENT_TEXT:
			masked = mask_text(&masking);
			break;
		case MDR_CONTENT_ARRAY:
			masked = mask_array(&masking);
			break;
		case MDR_CONTENT_JSON:
			masked = mask_json(&masking);
			break;
		default:
			masked = mask_jsonb(&masking);
	}

	/* Under SQL_ASCII a masked char(n) may have become shorter in bytes, which is what it is measured in there. */
	if (base == BPCHAROID && typmod >= 0)
		masked = DirectFunctionCall3(bpchar, masked, Int32GetDatum(typmod), BoolGetDatum(true));
	if (base != content->column->type)
		domain_check(masked, false, content->column->type, NULL, NULL);
	return masked;
}
