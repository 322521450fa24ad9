# llava_zh.  make help says what there is.
EXTENSION = llava_zh
MODULE_big = llava_zh
# Where the sources are: here, or elsewhere for make -f SOURCES/Makefile VPATH=SOURCES.
TOP := $(if $(VPATH),$(VPATH),.)
sources = $(patsubst $(TOP)/%,%,$(wildcard $(1:%=$(TOP)/%)))
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(TOP)/llava_zh.control)
JOINED_SCRIPT = build/llava_zh--$(EXTVERSION).sql
DATA = $(call sources,sql/llava_zh--*.sql)
DATA_built = $(JOINED_SCRIPT)
# The install script of the version that is open, part by part; a part needs those before it.
PARTS = head server task image queue fetch ledger dataset stats ask export manifest page card report jsonl
PART_FILES = $(PARTS:%=$(TOP)/sql/parts/%.sql)
PURE_SOURCES = $(call sources,src/image/*.c src/vlm/*.c src/reply/*.c src/web/*.c)
PG_SOURCES = $(call sources,src/*.c src/pg/*/*.c)
OBJS = $(PURE_SOURCES:.c=.o) $(PG_SOURCES:.c=.o)
ifdef VPATH
$(shell mkdir -p $(sort $(dir $(OBJS))))
endif

LIBRARIES = libcurl jansson libjpeg libpng libwebp libcrypto libarchive libcares libidn2 libpsl
# make WITH_AVIF=no: without libavif, and AVIF files are refused with that reason
ifneq ($(WITH_AVIF),no)
LIBRARIES += libavif
AVIF_CFLAGS = -DLLAVA_WITH_AVIF
endif
PKG_CONFIG ?= pkg-config
PG_CONFIG ?= pg_config
include $(TOP)/test/needs.mk
LIBRARY_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null) $(AVIF_CFLAGS)
LIBRARY_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null) -lgif -lm -lpthread

PG_CPPFLAGS = -I$(srcdir)/src -I$(srcdir)/src/pg -Ibuild $(LIBRARY_CFLAGS)
PG_CFLAGS = $(if $(WERROR),-Wextra -Wno-unused-parameter -Wno-sign-compare -Werror) \
	$(if $(DEBUG),-O0 -g3 -DUSE_ASSERT_CHECKING)
SHLIB_LINK = $(LIBRARY_LIBS)

# Regression tests run in a throwaway server of their own, with preloading.
REGRESS = $(patsubst sql/%.sql,%,$(filter-out sql/llava_zh--%,$(call sources,sql/*.sql)))
REGRESS_OPTS = --temp-instance=tmp_regress --temp-config=$(srcdir)/test/regress.conf \
	--encoding=UTF8 --no-locale --load-extension=llava_zh
ISOLATION = same_bytes
ISOLATION_OPTS = --inputdir=test --outputdir=tmp_iso --temp-instance=tmp_iso/instance \
	--temp-config=$(srcdir)/test/regress.conf --encoding=UTF8 --no-locale --load-extension=llava_zh
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
PROVE_FLAGS = -I test/perl

EXTRA_CLEAN = build tmp_regress tmp_iso tmp_check regression_output

ifneq ($(PGXS),)
include $(PGXS)
else
include $(TOP)/test/no_pgxs.mk
endif

# pgxs compiles headers' users only when the source changes
$(OBJS): $(wildcard $(TOP)/src/*.h $(TOP)/src/*/*.h $(TOP)/src/pg/*/*.h)

# The texts of the page, the card and the report, and the page's script, as strings of C, a line each.
TEMPLATES = page.template card.template report.template page.js
build/templates.h: $(addprefix $(TOP)/src/pg/export/,$(TEMPLATES)) $(TOP)/Makefile
	@mkdir -p $(@D)
	@set -e; for file in $(TEMPLATES); do echo "static const char $${file%.*}_$${file##*.}[] ="; \
		sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(TOP)/src/pg/export/$$file; echo ';'; done >$@.new
	@mv $@.new $@
src/pg/export/template.o src/pg/export/template.bc: build/templates.h

# In a part, @.name stands for @extschema@.name.
$(JOINED_SCRIPT): $(PART_FILES) $(TOP)/llava_zh.control $(TOP)/Makefile
	@mkdir -p $(@D)
	@set -e; for part in $(PART_FILES); do sed 's/@\./@extschema@./g' $$part; echo; done >$@.new
	@mv $@.new $@

## all: build llava_zh.so and the install script; what make alone does
## install: into the PostgreSQL of PG_CONFIG (pg_config), or below DESTDIR
## uninstall: remove from there what install put there; DROP EXTENSION llava_zh comes first, in each database
## clean: remove what was built
## installcheck: regression, isolation and TAP tests, in throwaway servers

## soak: 200 rounds of killing workers and servers, with stages and without (SOAK=n)
SOAK = 200
soak:
	LLAVA_SOAK=$(SOAK) $(MAKE) installcheck REGRESS= ISOLATION= PROVE_TESTS='test/t/100_soak.pl test/t/257_stages_soak.pl'

## fetch-soak: SOAK=30 rounds of killing the fetcher and the server
fetch-soak:
	LLAVA_FETCH_SOAK=$(SOAK) $(MAKE) installcheck REGRESS= ISOLATION= PROVE_TESTS=test/t/269_fetch_soak.pl

## rehearsal: the published dataset's size and mix, with tiny pictures
rehearsal:
	LLAVA_REHEARSAL=641868 $(MAKE) installcheck REGRESS= ISOLATION= PROVE_TESTS=test/t/150_rehearsal.pl PROVE_FLAGS="$(PROVE_FLAGS) -v"

## triage: 20,000 pictures, a third of them worth nothing, before the dear question
triage:
	LLAVA_TRIAGE=20000 $(MAKE) installcheck REGRESS= ISOLATION= PROVE_TESTS=test/t/255_triage.pl PROVE_FLAGS="$(PROVE_FLAGS) -v"

## page-check: 200 samples judged on llava_page in Chromium, by keys, and taken in
page-check:
	$(MAKE) installcheck REGRESS= ISOLATION= PROVE_TESTS=test/page_check.pl

## screenshot: what PAGE=file.html, of llava_page or llava_report, looks like in Chromium
screenshot:
	test/screenshot $(PAGE)

## help: this list
help:
	@sed -n 's/^## /make /p' $(TOP)/Makefile $(TOP)/test/rooms.mk

include $(TOP)/test/rooms.mk

.PHONY: help soak fetch-soak rehearsal triage page-check screenshot
