"""fetch_clients.py aiohttp|threads FILE IN_FLIGHT: two clients that others write to get pictures.

FILE has a line "URL ADDRESS" for each.  Names are in a dictionary, which costs less than a
name server; nothing is stored, robots.txt is not asked for, no host's pace is kept.  Prints
how many came, CPU seconds and seconds, from the first request on.
"""
import asyncio
import io
import socket
import sys
import time
import urllib.parse
import urllib.request
from multiprocessing.pool import ThreadPool
from threading import Semaphore

AGENT = "llava_zh bench (+nobody@example.org)"


def read_list(path):
    with open(path, encoding="utf-8") as file:
        pairs = [line.split() for line in file]
    return [url for url, _ in pairs], {urllib.parse.urlsplit(url).hostname: address for url, address in pairs}


async def with_aiohttp(urls, addresses, in_flight):
    """One connection a host, kept alive, so many requests at once."""
    import aiohttp
    from aiohttp.abc import AbstractResolver

    class Resolver(AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            return [{"hostname": host, "host": addresses[host], "port": port, "family": socket.AF_INET, "proto": 0,
                     "flags": 0}]

        async def close(self):
            pass

    came = 0
    rest = iter(urls)

    async def work(session):
        nonlocal came
        for url in rest:
            async with session.get(url) as response:
                response.raise_for_status()
                await response.read()
                came += 1

    connector = aiohttp.TCPConnector(limit=4 * in_flight, limit_per_host=1, resolver=Resolver())
    async with aiohttp.ClientSession(connector=connector, headers={"User-Agent": AGENT}) as session:
        await asyncio.gather(*(work(session) for _ in range(in_flight)))
    return came


def is_disallowed(headers):
    for values in headers.get_all("X-Robots-Tag", []):
        directives = [value.strip().lower() for value in values.split(":", 1)[-1].split(",")]
        if any(word in directives for word in ("noai", "noimageai", "noindex", "noimageindex")):
            return True
    return False


def with_threads(urls, addresses, in_flight):
    """As img2dataset works: threads, urllib, a connection a picture."""
    def getaddrinfo(host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (addresses[host], port))]

    socket.getaddrinfo = getaddrinfo
    semaphore = Semaphore(in_flight * 2)

    def load():
        for url in urls:
            semaphore.acquire()
            yield url

    def get(url):
        request = urllib.request.Request(url, data=None, headers={"User-Agent": AGENT})
        with urllib.request.urlopen(request, timeout=10) as response:
            return None if is_disallowed(response.headers) else io.BytesIO(response.read())

    came = 0
    with ThreadPool(in_flight) as pool:
        for stream in pool.imap_unordered(get, load()):
            came += stream is not None
            semaphore.release()
    return came


def main():
    urls, addresses = read_list(sys.argv[2])
    in_flight = int(sys.argv[3])
    begun, cpu = time.monotonic(), time.process_time()
    if sys.argv[1] == "aiohttp":
        came = asyncio.run(with_aiohttp(urls, addresses, in_flight))
    else:
        came = with_threads(urls, addresses, in_flight)
    print(came, round(time.process_time() - cpu, 3), round(time.monotonic() - begun, 3))


if __name__ == "__main__":
    main()
