# moderation: content goes in, a verdict comes out, an account freezes.
#
#   make demo    see it work on a throw-away server         make test    build, install, run every test
#   make lint    check the policies with their examples     make eval    measure detection (DATA=folder of JSONL)
#   make bench   what a guard costs, as ratios              make soak    the long tests: hours (.ci/soak --list)
#   make model   learn the built-in model again (DATA=folder of JSONL)
#   make         build;  make install as usual

# How a row travels, stage by stage; each has its folder in src/, and may include headers of stages to its left only.
CORE   = base text policy model match verdict
SERVER = server store ledger account recorder guard surface
STAGES = $(CORE) $(SERVER)

EXTENSION = moderation
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" moderation.control)
UPDATES = $(patsubst src/updates/%.sql,moderation--%--$(EXTVERSION).sql,$(wildcard src/updates/*.sql))
DATA_built = moderation--$(EXTVERSION).sql $(UPDATES)

MODULE_big = moderation
sources   = $(sort $(wildcard src/$(1)/*.c))
OBJS      = $(patsubst %.c,%.o,$(foreach stage,$(STAGES),$(call sources,$(stage))))
CORE_OBJS = $(patsubst %.c,%.o,$(foreach stage,$(CORE),$(call sources,$(stage))))

LIBRARIES    = libpcre2-8 icu-uc icu-i18n yaml-0.1
PG_CPPFLAGS  = -Isrc $(shell pkg-config --cflags $(LIBRARIES))
PG_CFLAGS    = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-declaration-after-statement \
               $(if $(CI),-Werror)
CORE_LIBS    = $(shell pkg-config --libs $(LIBRARIES)) -lm
SHLIB_LINK   = $(CORE_LIBS)
override with_llvm = no

POLICY  = $(wildcard policies/terms-of-service/policy.yaml) $(sort $(filter-out %/policy.yaml,$(wildcard policies/terms-of-service/*.yaml)))
ISOLATION = $(patsubst specs/%.spec,%,$(sort $(wildcard specs/*.spec)))
REGRESS   = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION_OPTS = --load-extension=moderation
REGRESS_OPTS   = --load-extension=moderation
EXTRA_CLEAN = build results output_iso tmp_check moderation--*.sql $(OBJS:.o=.d)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
include $(PGXS)
else
all install: ; @echo 'no pg_config: install the server headers (.ci/packages does) or set PG_CONFIG' >&2; exit 1
endif
override CFLAGS += -MMD -MP
-include $(OBJS:.o=.d)

# The install script: all tables, then all functions, then all views, each in the order of the stages, then the built-in policy.
pieces = $(foreach kind,types tables functions views,$(foreach stage,$(STAGES),$(wildcard src/$(stage)/$(kind).sql)))
moderation--$(EXTVERSION).sql: $(pieces) $(POLICY) moderation.control Makefile .ci/script
	@.ci/script install "$(pieces)" "$(POLICY)" > $@.new && mv $@.new $@

# The update script from each earlier release: what src/updates says, then functions and views as they are now, then the policy.
repeated = $(foreach kind,functions views,$(foreach stage,$(STAGES),$(wildcard src/$(stage)/$(kind).sql)))
$(UPDATES): moderation--%--$(EXTVERSION).sql: src/updates/%.sql $(pieces) $(POLICY) moderation.control Makefile .ci/script
	@.ci/script update $< "$(repeated)" "$(POLICY)" > $@.new && mv $@.new $@

# Fold table of src/text, generated from ICU.
src/text/text_fold.o: build/text_fold_table.h
src/text/text_fold.o: CPPFLAGS += -Ibuild
build/text_fold_table.h: src/text/generate/fold_table.c src/text/generate/fold_shapes.h src/text/text_parts.h
	@mkdir -p build
	$(CC) -O2 -Isrc $(shell pkg-config --cflags icu-uc icu-i18n) $< -o build/fold_table $(shell pkg-config --libs icu-uc icu-i18n)
	build/fold_table > $@.new && mv $@.new $@

# The model of src/model is taken into the library as it is.  Training computes with operations that are the same everywhere: no
# multiplication and addition in one.
MODEL = policies/terms-of-service.model
src/model/model_built_in.o build/test/model/model_built_in.o: $(MODEL)
src/model/model_train.o src/model/model_lay.o: override CFLAGS += -ffp-contract=off -fno-math-errno -ftree-vectorize
src/model/model_read.o: override CFLAGS += -ftree-vectorize

# Programs on the pure core alone: no server, no postgres.h.
UNITS   = $(patsubst t/unit/%.c,build/unit/%,$(wildcard t/unit/*.c))
BENCHES = $(patsubst bench/%.c,build/bench/%,$(wildcard bench/*.c))
build/lint: policies/lint.c
$(UNITS): build/unit/%: t/unit/%.c
$(BENCHES): build/bench/%: bench/%.c
build/lint $(UNITS) $(BENCHES): $(CORE_OBJS)
	@mkdir -p $(@D)
	$(CC) -g -O2 -std=gnu11 -Wall -Isrc $(shell pkg-config --cflags $(LIBRARIES)) $(filter %.c,$^) $(CORE_OBJS) -o $@ $(CORE_LIBS)

# Measures detection; the only program that needs jansson, for labelled texts.
EVAL = $(wildcard bench/eval/*.c)
build/bench/eval: $(EVAL) $(wildcard bench/eval/*.h) $(CORE_OBJS)
	@mkdir -p $(@D)
	$(CC) -g -O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Isrc $(shell pkg-config --cflags $(LIBRARIES) jansson) $(EVAL) $(CORE_OBJS) -o $@ \
		$(CORE_LIBS) $(shell pkg-config --libs jansson)

# The same library with injection points (src/server/server_inject.h), for tests alone: .ci/test installs it beside the other.
TEST_OBJS = $(patsubst src/%.o,build/test/%.o,$(OBJS))
build/test/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -DMDR_TEST -c $< -o $@
build/test/text/text_fold.o: build/text_fold_table.h
build/test/text/text_fold.o: CPPFLAGS += -Ibuild
build/test/moderation_test.so: $(TEST_OBJS)
	$(CC) $(CFLAGS) $(TEST_OBJS) $(LDFLAGS) $(LDFLAGS_SL) -shared -o $@ $(SHLIB_LINK)
-include $(TEST_OBJS:.o=.d)
test-library: build/test/moderation_test.so
# Beside it: the installation scripts of earlier releases; and for t/053_update.pl, updates from the first one that each lack a line.
RELEASED = $(wildcard t/released/*.sql)
FIRST    = moderation--$(word 1,$(sort $(basename $(notdir $(RELEASED)))))
lacking  = sed -e '/^-- The built-in policy/,$$d' -e "$(2)" $(FIRST)--$(EXTVERSION).sql > '$(DESTDIR)$(datadir)/extension/$(FIRST)--lacking_$(1).sql'
install-test-library: build/test/moderation_test.so $(UPDATES)
	$(INSTALL_SHLIB) $< '$(DESTDIR)$(pkglibdir)/moderation_test.so'
	$(foreach f,$(RELEASED),$(INSTALL_DATA) $(f) '$(DESTDIR)$(datadir)/extension/moderation--$(notdir $(f))' &&) true
	$(call lacking,comment,/^COMMENT ON EVENT TRIGGER moderation_keep_guards /d)
	$(call lacking,state,/^ALTER EVENT TRIGGER moderation_keep_guards /d)
	$(call lacking,identity,/^ALTER TABLE moderation.quarantine REPLICA IDENTITY /d)
	$(call lacking,index,/^CREATE INDEX ledger_linked /d)
	$(call lacking,dump,/config_dump.*moderation.ledger_head/d)
	$(call lacking,revoke,/EXECUTE format.CASE WHEN object.open/d)

# The program that makes the model, from data sets and the project's own examples.
build/train: $(wildcard policies/model/train/*.c) $(CORE_OBJS) policies/model/train/train.h
	@mkdir -p $(@D)
	$(CC) -g -O2 -std=gnu11 -Wall -ffp-contract=off -Isrc $(filter %.c,$^) $(CORE_OBJS) -o $@ $(CORE_LIBS) -ljansson

model:
	@DATA="$(DATA)" OUT="$(MODEL)" .ci/model

lint: build/lint
	build/lint $(POLICY)

unit: $(UNITS)
	prove --exec '' $^

benches: $(BENCHES)

demo test eval bench soak:
	@POLICY="$(POLICY)" .ci/$@

.PHONY: lint model unit benches demo test eval bench soak test-library install-test-library
