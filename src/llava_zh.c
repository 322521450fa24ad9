/*
 * llava_zh.c
 *	  Entry: what happens when the library is loaded.
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
 * Never an ERROR for want of preloading: everything but the launcher and the
 * limits shared between processes works without it.
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
