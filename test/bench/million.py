"""million.py PICTURES FILE: times llava_report, written to FILE, and llava_forget_all beside a worker.

The rows are those of million.sql.  Called by test/bench/million, which says what fails.
"""
import argparse
import subprocess
import sys
import time

import measure

SLOTS, IN_FLIGHT, SECONDS = 256, 288, 0.5
ALONE = 20                      # seconds of the worker without a takedown beside it
PSQL = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"]
failures = []


def bar(name, value, unit, limit, at_most=True):
    missed = value > limit if at_most else value < limit
    print(f"  {name:58}{value:10.3f} {unit}{'  MISSED: ' + str(limit) if missed else ''}", flush=True)
    if missed:
        failures.append(name)


def report(path):
    taken = []
    for _ in range(3):
        began = time.monotonic()
        page = measure.sql("SELECT llava_report(8)")
        taken.append(time.monotonic() - began)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page + "\n")
    print(f"  llava_report: {len(page.encode()) // 1000} KB, " + ", ".join(f"{t:.1f} s" for t in taken))
    bar("llava_report, the second of three by time", sorted(taken)[1], "s", 10)


class Worker:
    """At work from the beginning of the block to its end."""
    def __enter__(self):
        arguments = argparse.Namespace(latency=str(int(SECONDS * 1000)), slots=SLOTS, journal=None, in_flight=IN_FLIGHT)
        self.endpoint = measure.Endpoint(arguments)
        self.party = measure.Llava(arguments, self.endpoint)
        while self.endpoint.stats()["in_flight"] < 0.97 * IN_FLIGHT:
            time.sleep(0.05)
        time.sleep(SECONDS + 1)
        return self

    def __exit__(self, *failure):
        self.party.close()
        self.endpoint.close()

    def share(self, work):
        """What the work returns, the seconds that it took, and the share of the ideal rate meanwhile."""
        first, began = self.endpoint.stats()["answered"], time.monotonic()
        result = work()
        last, seconds = self.endpoint.stats()["answered"], time.monotonic() - began
        return result, seconds, (last - first) / seconds / (SLOTS / SECONDS)


def forget(pictures):
    ids = ",".join(str(10 * n) for n in range(1, pictures // 10 + 1))

    def call():
        return subprocess.run(PSQL, check=True, input=f"CALL llava_forget_all('{{{ids}}}', 'letter');\n", text=True, stderr=subprocess.PIPE).stderr

    with Worker() as worker:
        share = worker.share(lambda: time.sleep(ALONE))[2]
        print(f"  the worker alone: {100 * share:.1f} % of the ideal rate")
        probe = subprocess.Popen(PSQL + ["-c", "CALL probe()"])
        said, seconds, share = worker.share(call)
        measure.sql("DROP TABLE probing")
        probe.wait()
        if int(measure.sql("SELECT count(*) FROM llava_pending")) == 0:
            sys.exit("million.py: the queue ran dry meanwhile")
    print("  " + said.strip().replace("\n", "\n  "))
    waits, middle, longest = measure.sql("SELECT count(*) || ' ' || coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), 0)"
                                         " || ' ' || coalesce(max(ms), 0) FROM probed").split()
    print(f"  a writer of llava_image waited more than 1 ms {waits} times, {float(middle):.1f} ms (median)")
    bar("llava_forget_all: a picture", seconds * 1000 / (pictures // 10), "ms", 1)
    bar("there: the longest that a writer waited", float(longest), "ms", 100)
    bar("there: the worker's share of the ideal rate", share, "", 0.98, at_most=False)


def main():
    pictures = int(sys.argv[1])
    print(f"\n{pictures:,} pictures, replies and samples")
    report(sys.argv[2])
    forget(pictures)
    if failures:
        sys.exit("million.py: missed: " + "; ".join(failures))


main()
