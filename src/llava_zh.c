/*
 * llava_zh.c
 *	  The library's entry point: what happens when it is loaded.
 */
#include "postgres.h"

#include "db/db.h"
#include "jsonl/jsonl.h"
#include "miscadmin.h"
#include "run/run.h"
#include "server/server.h"
#include "shmem.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

/*
 * Does not demand preloading: without it everything works except the launcher and the
 * limits that processes share.
 */
void
_PG_init(void)
{
	endpoints_define();
	config_define();
	bind_install();
	copy_jsonl_install();

	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
	{
		shmem_request();
		launcher_register();
	}
}
