"""measure.py PARTY --latency MS ...: one party against the endpoint, as one JSON line.

PARTY is llava (one background worker of the running server), asyncio or bare.  The
rate is the endpoint's own count of answers over the time measured, which begins when
the slots are full; CPU and memory are those of the same time, out of /proc.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")


def sql(text):
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def stat_fields(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def cpu_of(pid, with_children=False):
    """Seconds; with those of children that have ended."""
    try:
        fields = stat_fields(pid)
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15 if with_children else 13])) / TICKS


def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if stat_fields(name)[1] == str(pid):
                    found.append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def cluster_cpu(postmaster):
    return cpu_of(postmaster, True) + sum(map(cpu_of, children_of(postmaster)))


def memory_of(pid):
    """MB that are the process's own (anonymous), and MB resident.

    Not Private_* of smaps: that counts shared buffers that nobody else has touched.
    """
    found = {"RssAnon:": 0, "VmRSS:": 0}
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if words and words[0] in found:
                    found[words[0]] = int(words[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found["RssAnon:"] / 1000, found["VmRSS:"] / 1000


class Endpoint:
    def __init__(self, arguments):
        command = [os.environ["LLAVA_ENDPOINT"], "--count-only", "--reply-bytes", "1024", "--until-eof",
                   "--latency", arguments.latency, "--slots", str(arguments.slots), "--seed", "7"]
        if arguments.journal:
            command += ["--journal", arguments.journal]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.base = "http://127.0.0.1:" + self.process.stdout.readline().strip().rpartition(":")[2]
        self.url = self.base + "/v1"

    def stats(self):
        with urllib.request.urlopen(self.base + "/control/stats", timeout=20) as reply:
            return json.load(reply)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Llava:
    """One background worker of the server."""
    def __init__(self, arguments, endpoint):
        sql("SET client_min_messages = warning; DROP SERVER IF EXISTS endpoint CASCADE")
        sql("CREATE SERVER endpoint FOREIGN DATA WRAPPER llava_zh OPTIONS"
            f" (url '{endpoint.url}', model 'm', max_in_flight '{arguments.in_flight}', request_timeout '120s')")
        self.pid = int(sql("SELECT llava_start()"))

    def alive(self):
        return os.path.exists(f"/proc/{self.pid}")

    def own_cpu(self):
        return 0.0              # a child of the postmaster

    def close(self):
        sql("DROP SERVER endpoint CASCADE")

    def looks(self):
        """How often the loop looked at its sockets, how often late, and ms of the longest time it did not."""
        return json.loads(sql(f"SELECT json_build_array(looks, late, longest_ms) FROM llava_stat_worker WHERE pid = {self.pid}"))

    def check(self):
        """Replies, those not accepted, and samples."""
        return sql("SELECT count(*) || ' ' || count(reason) || ' ' || (SELECT count(*) FROM llava_conversation)"
                   " FROM llava_reply")


class Program:
    """A client program of its own."""
    def __init__(self, command):
        self.process = subprocess.Popen(command)
        self.pid = self.process.pid

    def alive(self):
        return self.process.poll() is None

    def own_cpu(self):
        return cpu_of(self.pid)

    def looks(self):
        return None

    def close(self):
        self.process.terminate()
        self.process.wait()


class Asyncio(Program):
    def __init__(self, arguments, endpoint):
        super().__init__([sys.executable, os.path.join(HERE, "asyncio_client.py"), endpoint.url, str(arguments.in_flight)])

    def check(self):
        return sql("SELECT count(*) || ' ' || count(reason) || ' ' || (SELECT count(*) FROM client.conversation)"
                   " FROM client.reply")


class Bare(Program):
    def __init__(self, arguments, endpoint):
        super().__init__([os.environ["BARE_CLIENT"], endpoint.url + "/chat/completions", str(arguments.in_flight),
                          str(arguments.image_bytes)])

    def check(self):
        return ""


class Witness:
    """How late a process came to the CPU meanwhile that only wakes every millisecond."""
    def __init__(self):
        self.process = subprocess.Popen([os.environ["WITNESS"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        return json.loads(self.process.communicate()[0])


PARTIES = {"llava": Llava, "asyncio": Asyncio, "bare": Bare}


def refill_ms(path, in_flight):
    """How long slots stood empty once all were full: a reply to the next request, half and 99 % of them, and the longest."""
    times = {"arrived": [], "answered": []}
    with open(path, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            if event["event"] in times:
                times[event["event"]].append(event["ms"])
    arrived, answered = sorted(times["arrived"]), sorted(times["answered"])
    full = 0                    # the first answer when all slots were taken
    while full < len(answered) and not (full + in_flight <= len(arrived) and arrived[full + in_flight - 1] <= answered[full]):
        full += 1
    gaps = sorted(next_one - answer for answer, next_one in zip(answered[full:], arrived[full + in_flight:]))
    return [round(gaps[int(len(gaps) * share)], 1) for share in (0.5, 0.99)] + [round(gaps[-1], 1)] if gaps else None


def snapshot(party, endpoint, postmaster):
    stats = endpoint.stats()
    return {"time": time.monotonic(), "answered": stats["answered"], "in_flight": stats["in_flight"], "own": party.own_cpu(), "cluster": cluster_cpu(postmaster)}


def run(arguments):
    postmaster = int(open(os.environ["POSTMASTER_PID"], encoding="utf-8").readline())
    highest = int(arguments.latency.rpartition("-")[2]) / 1000
    endpoint = Endpoint(arguments)
    party = PARTIES[arguments.party](arguments, endpoint)
    witness = Witness()
    begun = time.monotonic()
    first = last = None
    private = resident = 0.0
    full = None
    while party.alive():
        now = snapshot(party, endpoint, postmaster)
        # slots are full, and then a latency has passed; without latency they never look full
        if full is None and (highest == 0 or arguments.never_full or now["in_flight"] >= 0.97 * arguments.in_flight):
            full = now["time"]
        if first is None and full is not None and now["time"] - full >= highest + 1:
            first = now
        if first is not None and now["answered"] <= arguments.requests * 0.95:
            last = now
        memory = memory_of(party.pid)
        private, resident = max(private, memory[0]), max(resident, memory[1])
        if first is not None and (now["time"] - first["time"] >= arguments.seconds or
                                  now["answered"] > arguments.requests * 0.95):
            break
        if now["time"] - begun > arguments.seconds + 400:
            break
        time.sleep(0.1)
    looks = party.looks()
    witnessed = witness.close()
    party.close()
    endpoint.close()
    checked = party.check()
    if first is None or last is None or last["time"] <= first["time"]:
        sys.exit(f"measure.py: {arguments.party}: nothing was measured ({checked})")
    seconds = last["time"] - first["time"]
    answered = last["answered"] - first["answered"]
    cpu = {name: (last[name] - first[name]) / answered * 1000 for name in ("own", "cluster")}
    print(json.dumps({
        "scenario": arguments.scenario, "party": arguments.party, "seconds": round(seconds, 2), "answered": answered,
        "rate": answered / seconds, "ideal": arguments.ideal, "cpu": cpu["own"] + (cpu["cluster"] if arguments.party != "bare" else 0),
        "cpu_own": cpu["own"], "private_mb": private, "resident_mb": resident, "checked": checked, "looks": looks, "witnessed": witnessed,
        "refill_ms": refill_ms(arguments.journal, arguments.in_flight) if arguments.journal else None}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("party", choices=PARTIES)
    parser.add_argument("--scenario", default="")
    parser.add_argument("--latency", default="0")
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--never-full", action="store_true", help="preparation is what limits")
    parser.add_argument("--image-bytes", type=int, default=200000)
    parser.add_argument("--requests", type=int, default=10 ** 9, help="rows in the queue")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--ideal", type=float, default=0)
    parser.add_argument("--journal")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
