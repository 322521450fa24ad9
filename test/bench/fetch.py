"""fetch.py SCENE SIZE: one scene of the fetcher's bench in the running server; called by test/bench/fetch.

Prints each figure with its bar, and ends with 1 where one is missed.
"""
import os
import re
import subprocess
import sys
import threading
import time

from measure import Endpoint, Llava, cpu_of, memory_of, sql

HERE = os.path.dirname(os.path.abspath(__file__))
missed = []


def say(what, figure, bar=None, most=None, unit=""):
    """most: whether the bar is an upper one."""
    if bar is None:
        print(f"{what}: {figure:.3g}{unit}", flush=True)
        return
    good = figure <= bar if most else figure >= bar
    print(f"{what}: {figure:.3g}{unit}, bar {'<=' if most else '>='} {bar:g}{unit}{'' if good else ' MISSED'}",
          flush=True)
    if not good:
        missed.append(what)


class Web:
    """The simulated web, on so many addresses."""
    ADDRESSES = 250

    def __init__(self):
        self.process = subprocess.Popen([os.environ["LLAVA_WEB"], "/dev/null", str(self.ADDRESSES)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port, self.names = self.process.stdout.readline().split()

    def address(self, host):
        number = 0
        for byte in host.encode():
            number = (number * 31 + byte) & 0xFFFFFFFF
        return f"127.0.0.{1 + number % self.ADDRESSES}"

    def settings(self, **more):
        settings = {"fetch_contact": "nobody@example.org", "fetch_allow": "127.0.0.0/8", "fetch_ports": self.port,
                    "fetch_nameservers": f"127.0.0.1:{self.names}", "fetch_delay": "1s",
                    "fetch_in_flight": "64", "fetch": "on", **more}
        for name, value in settings.items():
            sql(f"ALTER SYSTEM SET llava_zh.\"{name}\" = '{value}'")
        sql("SELECT pg_reload_conf()")

    def close(self):
        sql("ALTER SYSTEM SET llava_zh.\"fetch\" = off")
        sql("SELECT pg_reload_conf()")
        self.process.stdin.close()
        self.process.wait()


def fetcher():
    query = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'"
    for _ in range(300):
        pid = int(sql(query))
        if pid:
            return pid
        time.sleep(0.1)
    sys.exit("fetch.py: no fetcher")


def wait_until(query, seconds, watch=lambda: None):
    end = time.monotonic() + seconds
    while sql(f"SELECT {query}") != "t":
        watch()
        if time.monotonic() > end:
            sys.exit(f"fetch.py: in vain: {query}")
        time.sleep(0.2)


def insert(port, hosts, each, path, first=1):
    """Rows in turns of the hosts; path has N for the number."""
    sql("INSERT INTO llava_image (source_url)"
        f" SELECT format('http://h%s.test:%s/%s', h, '{port}', replace('{path}', 'N', n::text))"
        f" FROM generate_series({first}, {first - 1 + each}) n, generate_series(1, {hosts}) h")


# ---- scenes ----

def insert_cpu(n):
    """CPU seconds of one INSERT of so many pictures that are already read."""
    sql("CREATE TABLE IF NOT EXISTS bench_bytes AS"
        " SELECT id, overlay(image PLACING convert_to(lpad(id::text, 12, 'i'), 'UTF8') FROM 8) AS image"
        f" FROM llava_image WHERE image IS NOT NULL LIMIT {n}")
    said = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          input="SET client_min_messages = log; SET log_statement_stats = on;\n"
                          "INSERT INTO llava_image (image) SELECT image FROM bench_bytes;\n").stdout
    times = re.findall(r"!\s+([\d.]+) s user, ([\d.]+) s system", said)[-1]
    count = int(sql("SELECT count(*) FROM bench_bytes"))
    return (float(times[0]) + float(times[1])) / count


def run_client(command):
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    came, used, seconds = map(float, said.split())
    name = os.path.basename(command[0]) if len(command) < 4 else command[2]
    print(f"  {name}: {came:.0f} pictures, {used / came * 1e6:.0f} us CPU each, {came / seconds:.0f} a second", flush=True)
    return used / came


def cpu(size):
    """CPU time a picture of 100 KB."""
    web = Web()
    hosts, each = 1000, max(1, size // 1000)
    web.settings(fetch_delay="10ms")
    insert(web.port, hosts, each, "size/100000/N")
    pid = fetcher()
    begun, before = time.monotonic(), cpu_of(pid)
    wait_until("count(*) = 0 FROM llava_fetch", 600)
    seconds = time.monotonic() - begun
    n = int(sql("SELECT count(image) FROM llava_image"))
    ours = (cpu_of(pid) - before) / n
    storing = insert_cpu(min(n, 5000))
    print(f"  fetcher: {n} pictures, {ours * 1e6:.0f} us CPU each, of which an INSERT of the same takes"
          f" {storing * 1e6:.0f} us; {n / seconds:.0f} a second")
    path = os.path.join(os.environ["WORK"], "urls")
    with open(path, "w", encoding="utf-8") as file:
        for number in range(1, each + 1):
            for host in range(1, hosts + 1):
                file.write(f"http://h{host}.test:{web.port}/size/100000/c{number} {web.address(f'h{host}.test')}\n")
    bare = run_client([os.environ["BARE_GET"], path, "64"])
    asyncio = run_client([sys.executable, os.path.join(HERE, "fetch_clients.py"), "aiohttp", path, "64"])
    threads = run_client([sys.executable, os.path.join(HERE, "fetch_clients.py"), "threads", path, "64"])
    web.close()
    fetching = ours - storing
    say("CPU seconds per 1,000 pictures, storing included", ours * 1000)
    say("CPU seconds per 1,000 pictures, storing extra", fetching * 1000, 1, True)
    say("CPU a picture, in times of bare libcurl's", fetching / bare, 2, True)
    say("pictures a CPU second, in times of aiohttp's", asyncio / fetching, 1.5)
    say("pictures a CPU second, in times of threads with urllib", threads / fetching, 5)


def pace(size):
    """The share of what the delays permit, at 1,000 hosts."""
    web = Web()
    hosts, delay = 1000, 4
    web.settings(fetch_delay=f"{delay}s", fetch_in_flight="256")
    insert(web.port, hosts, size // delay + 4, "picture/N")
    wait_until(f"count(*) = {hosts} FROM llava_host WHERE fetched > 0", 120)
    counted = "SELECT sum(fetched) || ' ' || extract(epoch FROM clock_timestamp()) FROM llava_host"
    # hosts that began together come together: whole delays are measured
    first, begun = map(float, sql(counted).split())
    time.sleep(size // delay * delay)
    last, ended = map(float, sql(counted).split())
    web.close()
    say("share of what the delays of 1,000 hosts permit", (last - first) / (ended - begun) / (hosts / delay), 0.95)


def copies(size):
    """Two COPYs in opposite order of hosts, beside the fetcher."""
    web = Web()
    web.settings(fetch_delay="1s")
    hosts = max(1, size // 50)
    files = []
    for number, order in enumerate((range(hosts), range(hosts - 1, -1, -1))):
        files.append(os.path.join(os.environ["WORK"], f"copy{number}"))
        with open(files[-1], "w", encoding="utf-8") as file:
            for host in order:
                for row in range(size // hosts):
                    file.write(f"http://h{host}.test:{web.port}/picture/{number}-{row}\n")
    fetcher()
    rates = [0.0, 0.0]

    def copy(number):
        begun = time.monotonic()
        sql(f"\\copy llava_image (source_url) FROM '{files[number]}'")
        rates[number] = size / (time.monotonic() - begun)

    threads = [threading.Thread(target=copy, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    web.close()
    for number in range(2):
        say(f"rows a second of COPY {number + 1}, of {size} URLs", rates[number], 15000)
    say("deadlocks", float(sql("SELECT sum(deadlocks) FROM pg_stat_database")), 0, True)


def flight(size):
    """Memory with 512 in flight, each with half of its picture."""
    web = Web()
    web.settings(fetch_delay="100ms", fetch_in_flight="512", fetch_memory="64MB")
    insert(web.port, 700, size, "half/100000/4000/N")
    pid = fetcher()
    most = [0.0, 0.0, 0]

    def watch():
        private, resident = memory_of(pid)
        held = int(sql("SELECT count(*) FROM llava_fetch WHERE holder IS NOT NULL"))
        most[:] = max(most[0], private), max(most[1], resident), max(most[2], held)

    wait_until("count(*) = 0 FROM llava_fetch", 300, watch)
    web.close()
    say("in flight at most", most[2], 512)
    say("there: memory of the fetcher's own", most[0], 128, True, " MB")
    say("there: resident, with shared memory", most[1], unit=" MB")


def hosts(size):
    """Memory with so many hosts."""
    web = Web()
    web.settings(fetch_delay="1s", fetch_in_flight="64")
    insert(web.port, size, 1, "picture/N")
    pid = fetcher()
    most = [0.0, 0.0]
    begun, before = time.monotonic(), cpu_of(pid)

    def watch():
        private, resident = memory_of(pid)
        most[:] = max(most[0], private), max(most[1], resident)
        time.sleep(2)

    wait_until("count(*) = 0 FROM llava_fetch", 900, watch)
    seconds, used = time.monotonic() - begun, cpu_of(pid) - before
    n = int(sql("SELECT count(*) FROM llava_host"))
    web.close()
    print(f"  {n} hosts asked for robots.txt and a picture in {seconds:.0f} s, {used / n * 1e6:.0f} us CPU each")
    say(f"memory of the fetcher's own with {n} hosts", most[0], 64, True, " MB")
    say("there: resident, with shared memory", most[1], unit=" MB")


class Arguments:
    latency, slots, journal, in_flight = "500", 64, None, 72


def share_of_ideal(seconds):
    """Of the model's 128 answers a second: 64 slots of half a second."""
    endpoint = Endpoint(Arguments)
    worker = Llava(Arguments, endpoint)
    time.sleep(3)
    first, begun = endpoint.stats()["answered"], time.monotonic()
    time.sleep(seconds)
    share = (endpoint.stats()["answered"] - first) / (time.monotonic() - begun) / 128
    worker.close()
    endpoint.close()
    return share


def beside(size):
    """The model's share of the ideal beside 512 fetches in flight, and without them."""
    web = Web()
    sql("INSERT INTO llava_pending (image, task) SELECT i.id, t.name FROM llava_image i, llava_task t WHERE t.weight > 0"
        " ON CONFLICT DO NOTHING")
    without = share_of_ideal(size)
    web.settings(fetch_delay="100ms", fetch_in_flight="512")
    insert(web.port, 700, size, "half/20000/4000/N")
    wait_until("count(*) >= 500 FROM llava_fetch WHERE holder IS NOT NULL", 60)
    with_fetches = share_of_ideal(size)
    in_flight = int(sql("SELECT count(*) FROM llava_fetch WHERE holder IS NOT NULL"))
    web.close()
    print(f"  share of the ideal {without:.4f} without fetches, {with_fetches:.4f} beside {in_flight}")
    say("the model's share of the ideal beside 512 fetches, in times of that without", with_fetches / without, 0.99)


SCENES = {scene.__name__: scene for scene in (cpu, pace, copies, flight, hosts, beside)}

if __name__ == "__main__":
    print(f"\n{sys.argv[1]}: {SCENES[sys.argv[1]].__doc__}", flush=True)
    SCENES[sys.argv[1]](int(sys.argv[2]))
    sys.exit(1 if missed else 0)
