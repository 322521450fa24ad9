# clean and uninstall where PostgreSQL's build files are not installed.

clean:
	rm -f $(OBJS) $(OBJS:.o=.bc) $(MODULE_big).so
	rm -rf $(EXTRA_CLEAN) results log regression.diffs regression.out

distclean maintainer-clean: clean

# There is no pg_config to ask: what stands where Debian has it, of every version.
INSTALLED = $(wildcard $(addprefix $(DESTDIR)/usr/, lib/postgresql/*/lib/$(MODULE_big).so \
	share/postgresql/*/extension/$(EXTENSION).control share/postgresql/*/extension/$(EXTENSION)--*.sql))
uninstall:
	$(if $(INSTALLED),rm -f $(INSTALLED),@echo "nothing of $(EXTENSION) is below $(DESTDIR)/usr/lib/postgresql and $(DESTDIR)/usr/share/postgresql")

.PHONY: clean distclean maintainer-clean uninstall
