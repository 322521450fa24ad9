/*
 * url_domain.c
 *	  Which part of a host's name one owner has registered.
 *
 * The public suffix list, as libpsl has it built in, lacks the Chinese object stores, where
 * each bucket is somebody else's: their suffixes are here.
 */
#include "url_host.h"

#include <libpsl.h>
#include <string.h>

/* A star stands for one label. */
static const char *const stores[] = {
	"*.aliyuncs.com", "cos.*.myqcloud.com", "*.myqcloud.com", "*.tencentcos.cn", "*.bcebos.com",
	"*.clouddn.com", "clouddn.com", "qiniucdn.com", "qiniudn.com", "qnssl.com", "qbox.me", "*.qiniucs.com",
	"*.upaiyun.com", "*.aicdn.com", "obs.*.myhuaweicloud.com", "obs.*.myhwclouds.com", "*.ksyuncs.com",
	"*.ksyun.com", "s3.*.jdcloud-oss.com", "nos-eastchina1.126.net", "nosdn.127.net", "*.volces.com", "*.ivolces.com",
	"*.ucloud.cn", "*.ufileos.com"
};

/* Labels are compared from the end; where the host goes on, the label before the suffix. */
static const char *
before_suffix(const char *host, const char *suffix)
{
	const char *h = host + strlen(host);
	const char *s = suffix + strlen(suffix);

	while (s > suffix)
	{
		if (h == host)
			return NULL;
		if (s[-1] == '*')
		{
			if (h[-1] == '.')
				return NULL;
			while (h > host && h[-1] != '.')
				h--;
			s--;
		}
		else if (*--h != *--s)
			return NULL;
	}
	if (h == host || h[-1] != '.')
		return NULL;
	for (h--; h > host && h[-1] != '.';)
		h--;
	return h;
}

void
url_domain(WebUrl *url)
{
	const char *domain = NULL;

	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
	{
		const char *found = before_suffix(url->host, stores[i]);

		/* the longest suffix leaves the longest domain */
		if (found != NULL && (domain == NULL || found < domain))
			domain = found;
	}
	if (domain == NULL)
		domain = psl_registrable_domain(psl_builtin(), url->host);
	if (domain == NULL)
		domain = url->host;
	memcpy(url->domain, domain, strlen(domain) + 1);
}
