/*
 * folds.c
 *		Models that have not seen a set: who measures with the model that has learned from a set measures its memory.
 *
 * "make model" leaves in a folder fold-0.model, fold-1.model, ... and sets.txt, which says which set each of them has not seen:
 * NAME TAB FOLD TAB KIND.  Sets that are not named there have never been learned from.  Of every set that is, a tenth of the texts is
 * held back from all models.
 *
 * Input: a folder.  Output: a corpus' folds.  Locks: none.  Memory: models stay mapped until the program ends.  On error: the program
 * ends and says why.
 */
#include "eval.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void
open_model(const char *folder, int fold, MdrModel *model)
{
	char		name[4096];
	struct stat status;
	void	   *bytes;
	MdrError	error = {0};
	int			file;

	snprintf(name, sizeof(name), "%s/fold-%d.model", folder, fold);
	file = open(name, O_RDONLY);
	if (file < 0 || fstat(file, &status) != 0)
		give_up("%s: %s", name, strerror(errno));
	bytes = mmap(NULL, (size_t) status.st_size, PROT_READ, MAP_SHARED, file, 0);
	if (bytes == MAP_FAILED || mdr_model_open(bytes, (size_t) status.st_size, model, &error) != MDR_OK)
		give_up("%s: %s", name, error.message[0] ? error.message : "cannot be read");
}

void
read_folds(Corpus *corpus, const char *folder)
{
	char		name[4096];
	char	   *line = NULL;
	size_t		size = 0;
	FILE	   *in;

	snprintf(name, sizeof(name), "%s/sets.txt", folder);
	in = fopen(name, "r");
	if (in == NULL)
		give_up("%s: %s", name, strerror(errno));
	while (getline(&line, &size, in) > 0)
	{
		char	   *tab = strchr(line, '\t');
		int			fold = tab != NULL ? atoi(tab + 1) : -1;

		if (fold < 0 || fold >= MAX_FOLDS)
			give_up("%s: not \"set TAB fold\"", name);
		*tab = '\0';
		while (corpus->folds.count <= fold)
		{
			open_model(folder, corpus->folds.count, &corpus->folds.models[corpus->folds.count]);
			corpus->folds.count++;
		}
		for (uint32_t i = 0; i < corpus->nsets; i++)
			if (strcmp(corpus->sets[i].name, line) == 0)
				corpus->sets[i].fold = fold;
	}
	free(line);
	fclose(in);
}

/* The same tenth that policies/model/train/texts.c holds back: FNV-1a, Fowler, Noll and Vo. */
bool
is_held_back(const Text *text)
{
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);

	for (uint32_t i = 0; i < text->length; i++)
		hash = (hash ^ (unsigned char) text->bytes[i]) * UINT64_C(0x100000001B3);
	return hash % 10 == 0;
}
