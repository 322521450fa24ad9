# What a build needs and this machine lacks, as Debian packages.  Included before
# anything is asked of pkg-config or pg_config; a goal that needs what is missing stops
# make here, with one line.

# Each library's header, and the package that has it.
LIBRARY_HEADERS = curl/curl.h:libcurl4-openssl-dev jansson.h:libjansson-dev jpeglib.h:libjpeg62-turbo-dev png.h:libpng-dev \
	webp/decode.h:libwebp-dev gif_lib.h:libgif-dev openssl/evp.h:libssl-dev archive.h:libarchive-dev ares.h:libc-ares-dev \
	idn2.h:libidn2-dev libpsl.h:libpsl-dev stdlib.h:libc6-dev
# pkg-config's names of those that it knows; giflib is not among them.
LIBRARY_MODULES = libcurl:libcurl4-openssl-dev jansson:libjansson-dev libjpeg:libjpeg62-turbo-dev libpng:libpng-dev \
	libwebp:libwebp-dev libcrypto:libssl-dev libarchive:libarchive-dev libcares:libc-ares-dev libidn2:libidn2-dev libpsl:libpsl-dev
ifneq ($(WITH_AVIF),no)
LIBRARY_HEADERS += avif/avif.h:libavif-dev
LIBRARY_MODULES += libavif:libavif-dev
endif

HASH := \#
needs_found = $(shell command -v $(firstword $1) 2>/dev/null)
# the build calls gcc unless told otherwise; make's own default would be cc
needs_cc := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))

ifneq ($(call needs_found,$(PKG_CONFIG)),)
MISSING_MODULES := $(shell for m in $(LIBRARY_MODULES); do \
	$(PKG_CONFIG) --exists "$${m%%:*}" 2>/dev/null || echo "$${m$(HASH)*:}"; done)
else
MISSING_MODULES := pkg-config
endif
ifneq ($(call needs_found,$(needs_cc)),)
MISSING_HEADERS := $(shell for h in $(LIBRARY_HEADERS); do \
	printf '$(HASH)if !__has_include(<%s>)\nneeds: %s\n$(HASH)endif\n' "$${h%%:*}" "$${h$(HASH)*:}"; done | \
	$(needs_cc) $(CPPFLAGS) -E -x c - 2>/dev/null | sed -n 's/^needs: //p')
else
MISSING_HEADERS := gcc
endif

# Empty where the server's own build files are not installed, whatever pg_config there is.
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
PG_HEADER := $(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h)
MISSING_SERVER := $(if $(and $(PGXS),$(PG_HEADER)),,postgresql-server-dev-$(or $(lastword $(sort $(notdir $(wildcard /usr/lib/postgresql/[1-9]*)))),all))

MISSING := $(sort $(MISSING_MODULES) $(MISSING_HEADERS) $(MISSING_SERVER))
NEED_NOTHING = help clean distclean maintainer-clean uninstall purity indent indent-check screenshot
ifneq ($(MISSING),)
ifneq ($(or $(filter-out $(NEED_NOTHING),$(MAKECMDGOALS)),$(if $(MAKECMDGOALS),,all)),)
$(error packages that the build needs are missing: apt-get install $(MISSING))
endif
endif
