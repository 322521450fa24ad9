# What is checked of the pure rooms (src/image, src/vlm, src/reply, src/web) without a
# server, and what is checked of all sources without running them.

STRICT = -std=gnu99 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wdeclaration-after-statement -Werror
SANITIZE = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
B = build
PILLOW = /usr/bin/python3

$(B)/unit/%.o: src/%.c $(wildcard src/*/*.h)
	@mkdir -p $(@D)
	gcc $(STRICT) $(SANITIZE) -Isrc $(LIBRARY_CFLAGS) -c $< -o $@

$(B)/test_%: test/unit/test_%.c $(PURE_SOURCES:src/%.c=$(B)/unit/%.o) $(wildcard test/unit/*.h test/web/*.h)
	@mkdir -p $(@D)
	gcc $(STRICT) -Wno-declaration-after-statement $(SANITIZE) -Isrc $(LIBRARY_CFLAGS) $(filter-out %.h,$^) -o $@ -lcmocka $(LIBRARY_LIBS)

## unitcheck: unit tests of the pure rooms under ASan and UBSan
unitcheck: $(patsubst test/unit/%.c,$(B)/%,$(wildcard test/unit/test_*.c))
	@set -e; for t in $^; do echo "# $$t"; $$t; done

$(B)/picture: test/image/picture.c $(wildcard src/image/*.[ch])
	@mkdir -p $(@D)
	gcc -O2 -g $(STRICT) -Wno-declaration-after-statement -Isrc $(LIBRARY_CFLAGS) $(filter %.c,$^) -o $@ $(LIBRARY_LIBS)

$(B)/many: test/image/many.c $(wildcard src/image/*.[ch] test/unit/pictures*.h)
	@mkdir -p $(@D)
	gcc -O2 -g $(STRICT) -Wno-declaration-after-statement -Isrc $(LIBRARY_CFLAGS) $(filter %.c,$^) -o $@ $(LIBRARY_LIBS)

## safety: where the fetcher connects to for URLS=1000000 made URLs, by what connect() is called with
URLS = 1000000
safety: $(B)/test_web_safety
	LLAVA_URLS=$(URLS) $<

## picturecheck: src/image against other encoders, decoders, resizers, and hostile files (MANY=10000: films)
MANY = 200
picturecheck: $(B)/picture $(B)/many
	@set -e; for f in decode sides fit refuse; do echo "# test/image/$$f.py"; \
		$(PILLOW) test/image/$$f.py $(B)/pictures; done; $(B)/many $(MANY)

## tsancheck: the request pool and the preparing threads under ThreadSanitizer
tsancheck: $(wildcard test/unit/test_*pool*.c)
	@mkdir -p $(B)/tsan
	@set -e; for t in $^; do n=$(B)/tsan/$$(basename $$t .c); \
		gcc -std=gnu99 -g -O1 -fsanitize=thread -Isrc $(LIBRARY_CFLAGS) $$t $(PURE_SOURCES) \
			-o $$n -lcmocka $(LIBRARY_LIBS); echo "# $$n"; $$n; done

FUZZED = clang -std=gnu99 -g -O1 -Isrc $(LIBRARY_CFLAGS)
$(B)/fuzz/%.o: src/%.c $(wildcard src/*/*.h)
	@mkdir -p $(@D)
	$(FUZZED) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(B)/fuzz/fuzz_%: test/fuzz/fuzz_%.c $(PURE_SOURCES:src/%.c=$(B)/fuzz/%.o) $(wildcard test/fuzz/*.h)
	$(FUZZED) -fsanitize=fuzzer,address,undefined $(filter-out %.h,$^) -o $@ $(LIBRARY_LIBS)

$(B)/fuzz/run_%: $(B)/fuzz/fuzz_% fuzz-seeds
	@mkdir -p $<.corpus
	@$< -max_total_time=$(T) -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=64 -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz/ $<.corpus >$<.log 2>&1 || { tail -n 40 $<.log; exit 1; }
	@sed -n 's/^stat::number_of_executed_units: */# $(notdir $<), $(T) s, runs: /p' $<.log

fuzz-seeds:
	@mkdir -p $(B)/fuzz
	@$(PILLOW) test/fuzz/seeds.py $(B)/fuzz

## fuzz: each fuzz target for T seconds (FUZZ=name: only that one)
T = 60
FUZZ = *
fuzz: $(patsubst test/fuzz/fuzz_%.c,$(B)/fuzz/run_%,$(wildcard test/fuzz/fuzz_$(FUZZ).c))

## endpoint: the simulated chat-completions endpoint, build/llava_endpoint, and the simulated web, build/llava_web
endpoint: $(B)/llava_endpoint $(B)/llava_web
$(B)/llava_endpoint: $(wildcard test/endpoint/*.c test/endpoint/*.h)
	@mkdir -p $(@D)
	gcc -O2 -g $(STRICT) -Wno-declaration-after-statement $(LIBRARY_CFLAGS) $(filter %.c,$^) -o $@ $(LIBRARY_LIBS)

$(B)/llava_web: $(wildcard test/web/*.c test/web/*.h)
	@mkdir -p $(@D)
	gcc -O2 -g $(STRICT) -Wno-declaration-after-statement $(filter %.c,$^) -o $@ -lpthread

$(B)/bare_client: test/bench/bare_client.c
	@mkdir -p $(@D)
	gcc -O2 $(STRICT) -Wno-declaration-after-statement $< -o $@ $(shell $(PKG_CONFIG) --cflags --libs libcurl)

$(B)/bare_get: test/bench/bare_get.c
	@mkdir -p $(@D)
	gcc -O2 $(STRICT) -Wno-declaration-after-statement $< -o $@ $(shell $(PKG_CONFIG) --cflags --libs libcurl)

$(B)/witness: test/bench/witness.c
	@mkdir -p $(@D)
	gcc -O2 $(STRICT) -Wno-declaration-after-statement $< -o $@ -pthread

$(B)/image_hash: test/bench/image_hash.c $(wildcard src/image/*.c src/image/*.h)
	@mkdir -p $(@D)
	gcc -O2 $(STRICT) -Wno-declaration-after-statement -Isrc $(LIBRARY_CFLAGS) $(filter %.c,$^) -o $@ $(LIBRARY_LIBS)

## bench: llava_zh beside an asyncio client and bare libcurl (test/bench/run --help); pictures, replies, export
bench:
	test/bench/run $(BENCH)
	$(MAKE) bench-image bench-reply bench-reparse
	$(MAKE) bench-export BENCH=

## bench-throttle: what stray and real refusals of an endpoint cost (4 minutes; BENCH='--parts strays')
bench-throttle:
	test/bench/run throttle $(BENCH)

## bench-image: preparing pictures, beside Pillow, vipsthumbnail and bare libjpeg
bench-image: $(B)/picture
	$(PILLOW) test/bench/pictures.py $(B)/pictures

## bench-same: how well copies of a picture are told from other pictures (6 minutes; fonts-noto-cjk)
bench-same: $(B)/image_hash
	$(PILLOW) test/bench/same_pictures.py

$(B)/bench_reply: test/bench/bench_reply.c $(wildcard src/reply/*.[ch])
	@mkdir -p $(@D)
	gcc -O2 $(STRICT) -Wno-declaration-after-statement -Isrc $(filter %.c,$^) -o $@ -lm -lpthread

## bench-export: llava_export beside a plain COPY (BENCH=100000: fewer than 641,868 samples)
bench-export:
	test/bench/export $(BENCH)

## bench-shards: llava_export_shards beside tar (BENCH='641868 100': so many pictures of so many bytes)
bench-shards:
	test/bench/shards $(BENCH)

## bench-reparse: llava_reparse over 200,000 stored replies
bench-reparse:
	test/bench/reparse

## bench-fetch: the fetcher beside other clients, its memory, its share of what delays permit (BENCH='--small cpu': quick)
bench-fetch:
	test/bench/fetch $(BENCH)

## bench-million: llava_report over 1,000,000 samples, llava_forget_all of 100,000 pictures beside a worker (BENCH=100000: fewer)
bench-million:
	test/bench/million $(BENCH)

## bench-reply: MB/s of the reply parser, and growth of its time with hostile input
bench-reply: $(B)/bench_reply
	$(B)/bench_reply

## purity: the pure rooms know neither PostgreSQL nor each other, and share no name with the server
# Where headers or the server are not installed, it looks at what can be looked at, and says at what not.
purity:
	@set -e; mkdir -p $(B)/pure; server=$(B)/pure/server; rm -f $$server; \
	program="$(if $(PGXS),$$($(PG_CONFIG) --bindir)/postgres)"; \
	if [ -x "$$program" ]; then \
		nm -D --defined-only "$$program" | sed 's/.* //; s/@.*//' | LC_ALL=C sort -u >$$server; \
	else echo "# no server here: its names are not compared"; : >$$server; fi; \
	for room in image vlm reply web; do \
		if grep -lE '#include "(\.\./|image/|vlm/|reply/|web/|pg/|llava_zh)|postgres\.h|palloc|ereport' src/$$room/*.[ch]; \
			then echo "src/$$room reaches out of its room"; exit 1; fi; \
		$(if $(MISSING_HEADERS),continue;) \
		for f in src/$$room/*.c; do o=$(B)/pure/$$room-$$(basename $$f .c).o; \
			gcc $(STRICT) -Isrc/$$room $(LIBRARY_CFLAGS) -c $$f -o $$o; done; \
		if nm -u $(B)/pure/$$room-*.o | grep -E ' (palloc|pfree|errstart|SPI_.*|MemoryContext.*|json_object)$$'; \
			then echo "src/$$room needs PostgreSQL"; exit 1; fi; \
		if nm -g --defined-only $(B)/pure/$$room-*.o | sed -n 's/.* [A-Z] //p' | LC_ALL=C sort -u | \
				LC_ALL=C comm -12 - $$server | grep .; \
			then echo "src/$$room defines a name that the server's would hide"; exit 1; fi; \
		done; $(if $(MISSING_HEADERS),echo "# only includes are looked at; symbols need: $(MISSING_HEADERS)";) \
		echo "# pure: image, vlm, reply, web"

## rooms: which room of src calls into which; fails on an arrow up, a circle, a write to another's part of Loop
rooms: all
	@perl test/rooms.pl --strict

PG_INCLUDES = -isystem $(shell $(PG_CONFIG) --includedir-server)

## lint: cppcheck and clang-tidy (NODES: states that its analyzer follows in a function; its own default is 225000)
NODES = 60000
lint:
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c99 --enable=warning,portability \
		--suppress=missingIncludeSystem --suppress=unknownMacro --suppress=nullPointerRedundantCheck \
		--library=gnu -Isrc $(PURE_SOURCES) test/endpoint
	@# one file a run: with several, clang-tidy 14 mistakes a va_list
	@printf '%s\n' $(PURE_SOURCES) $(PG_SOURCES) | xargs -P "$$(nproc)" -I FILE clang-tidy --quiet \
		--warnings-as-errors='*' FILE -- -std=gnu99 -D_GNU_SOURCE -Isrc -Isrc/pg -Ibuild $(PG_INCLUDES) $(LIBRARY_CFLAGS) \
		-Xclang -analyzer-config -Xclang max-nodes=$(NODES) 2>/dev/null

# PostgreSQL's own flags (src/tools/pgindent)
# text is a type in src/pg and a name elsewhere.  Its lexer takes the byte 0x80 for one of its own marks, and Chinese text is full
# of it: 0xFF, which UTF-8 never has, stands in.
INDENT = tr '\200' '\377' <$$f | pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79 -lp \
	-lpl -nip -npro -sac -tpg -ts4 -U.typedefs $$(case $$f in src/pg/*) echo -Ttext;; esac) | tr '\377' '\200' | \
	sed -E 's/^([A-Za-z][A-Za-z0-9_ ]*[A-Za-z0-9_])[[:space:]]+\*$$/\1 */'
INDENTED = $(wildcard src/*.[ch] src/*/*.[ch] src/pg/*/*.[ch])

## indent: format the sources of src
indent:
	@for f in $(INDENTED); do $(INDENT) >$$f.indented && \
		{ cmp -s $$f $$f.indented && rm $$f.indented || mv $$f.indented $$f; }; done

## indent-check: fail where the formatter would change something
indent-check:
	@fail=0; for f in $(INDENTED); do $(INDENT) | diff -u $$f - || fail=1; done; exit $$fail

## typedefs: .typedefs anew, from the debug information of the built objects
typedefs: all
	objdump --dwarf=info $(OBJS) | grep -A 3 DW_TAG_typedef | sed -n 's/.*DW_AT_name.*: //p' | \
		sort -u | grep -vx text >.typedefs

.SECONDARY:
.PHONY: unitcheck safety picturecheck tsancheck fuzz fuzz-seeds endpoint bench bench-throttle bench-image bench-same bench-export bench-shards bench-reparse bench-fetch bench-million bench-reply purity rooms lint indent indent-check typedefs
