/*
 * model_lexicon.c
 *		The lexicon that a trainer is given, and the words it knows of: tables by hash.
 *
 * A word of a group becomes a word of the vocabulary, which says its groups.  A phrase is found by the hash of all its words, which is
 * asked for only at words that some phrase ends in; one of Han characters where a bit says that some phrase ends in these two.
 *
 * Input: phrases of a plain view.  Output: a trainer's tables.  Locks: none.  Memory: the trainer's arena.  Errors: MDR_NO_MEMORY.
 */
#include "model/model_train.h"

MdrLexeme *
mdr_lexeme(MdrArena *arena, MdrLexemes *lexemes, uint64_t hash, const char *at, uint32_t length)
{
	size_t		place;

	if (lexemes->items == NULL || lexemes->count * 2 > lexemes->mask)
	{
		MdrLexemes	grown = {.mask = lexemes->items == NULL ? 4095 : lexemes->mask * 2 + 1};

		grown.items = mdr_alloc_array(arena, grown.mask + 1, sizeof(MdrLexeme));
		if (grown.items == NULL)
			return NULL;
		for (size_t i = 0; lexemes->items != NULL && i <= lexemes->mask; i++)
		{
			if (lexemes->items[i].hash == 0)
				continue;
			for (place = lexemes->items[i].hash & grown.mask; grown.items[place].hash != 0;)
				place = (place + 1) & grown.mask;
			grown.items[place] = lexemes->items[i];
			grown.count++;
		}
		*lexemes = grown;
	}
	for (place = hash & lexemes->mask; lexemes->items[place].hash != 0; place = (place + 1) & lexemes->mask)
		if (lexemes->items[place].hash == hash)
			return &lexemes->items[place];
	lexemes->items[place] = (MdrLexeme)
	{
		.hash = hash,.at = at,.length = length
	};
	lexemes->count++;
	return &lexemes->items[place];
}

MdrTables
mdr_no_tables(void)
{
	static const uint32_t index[2];
	static const int8_t rows[2 * MDR_ROW_BYTES];
	static const uint64_t ends[1 << (MDR_END_BITS - 6)];
	static const MdrModelPhrase phrases[2];

	return (MdrTables)
	{
		.index = index,.rows = rows,.phrase_ends = ends,.phrases = phrases,.index_shift = 63,.index_mask = 1,.phrase_shift = 63,
			.phrase_mask = 1,.row_shift = 63
	};
}

static MdrStatus
add_phrase(MdrTrainer *trainer, uint64_t hash, uint32_t group)
{
	MdrLexeme  *phrase = mdr_lexeme(trainer->arena, &trainer->phrases, hash, NULL, 0);

	if (phrase == NULL)
		return MDR_NO_MEMORY;
	phrase->groups |= (uint32_t) 1 << group;
	return MDR_OK;
}

/* A phrase of one to four words. */
static MdrStatus
add_words(MdrTrainer *trainer, uint32_t group, const MdrBlock *block)
{
	uint64_t	hash = 0;
	const MdrToken *last = &block->tokens[block->ntokens - 1];
	char	   *at = mdr_strndup(trainer->arena, last->at, last->length);
	MdrLexeme  *word = at == NULL ? NULL : mdr_lexeme(trainer->arena, &trainer->lexemes, last->hash, at, last->length);

	if (word == NULL)
		return MDR_NO_MEMORY;
	if (block->ntokens == 1)
	{
		word->groups |= (uint32_t) 1 << group;
		return MDR_OK;
	}
	word->ends_phrase = true;
	for (uint32_t i = 0; i < block->ntokens; i++)
		hash = mdr_model_phrase(hash, block->tokens[i].hash);
	return add_phrase(trainer, hash, group);
}

/* A phrase of one to six Han characters, which the reader still holds. */
static MdrStatus
add_han(MdrTrainer *trainer, uint32_t group, const MdrBlocks *blocks)
{
	uint64_t	hash = 0;
	uint32_t	end = mdr_model_phrase_end(blocks->nhan > 1 ? blocks->han[blocks->nhan - 2] : 0, blocks->han[blocks->nhan - 1]);

	for (uint32_t i = 0; i < blocks->nhan; i++)
		hash = mdr_model_phrase(hash, blocks->han[i]);
	trainer->phrase_ends[end / 64] |= (uint64_t) 1 << end % 64;
	return add_phrase(trainer, hash, group);
}

MdrStatus
mdr_trainer_lexicon(MdrTrainer *trainer, uint32_t group, const MdrText *phrase)
{
	MdrTables	tables = mdr_no_tables();
	MdrBlock	block;
	MdrBlocks	blocks;

	mdr_blocks_start(&blocks, &tables, phrase->bytes, phrase->length);
	if (!mdr_blocks_next(&blocks, &block) || blocks.at < blocks.end)
		return MDR_OK;
	if (block.han == 0 && block.ntokens >= 1 && block.ntokens <= MDR_LONGEST_PHRASE)
		return add_words(trainer, group, &block);
	if (block.ntokens == 0 && block.han >= 1 && block.han <= MDR_LONGEST_HAN && blocks.nhan == block.han)
		return add_han(trainer, group, &blocks);
	return MDR_OK;
}
