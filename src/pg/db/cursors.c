/*
 * cursors.c
 *	  The session's open cursors, protected from code that runs in between.
 */
#include "postgres.h"

#include "cursors.h"
#include "executor/spi.h"
#include "utils/portal.h"

List *
cursors_pin(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *names = NIL;

	if (SPI_execute("SELECT name FROM pg_catalog.pg_cursor()", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the session's cursors");
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		Portal		portal = GetPortalByName(name);

		if (!PortalIsValid(portal) || portal->portalPinned)
			continue;
		PinPortal(portal);
		names = lappend(names, name);
	}
	return names;
}

void
cursors_unpin(List *names)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		Portal		portal = GetPortalByName(lfirst(cell));

		if (PortalIsValid(portal) && portal->portalPinned)
			UnpinPortal(portal);
	}
}
