"""backlog.py ROWS IN_FLIGHT: how fast the queue is drained, and claimed, whatever waits in it.

One worker against an endpoint that answers at once.  Over windows of 7,000 answers
with 10,000, 100,000 and ROWS rows waiting, and with 10,000 after ROWS have passed
through without a manual vacuum (medians of five each); and over all ROWS, by themselves
and while another session holds a snapshot.
Needs pictures in llava_image (images.sql) for ROWS / 3, and pg_stat_statements.
"""
import argparse
import statistics
import subprocess
import time

import measure

# answers before a window, so that slow start is over, and in it
WARM, WINDOW = 2000, 7000
REPEATS = 5
CLAIM = "SELECT sum(total_exec_time) * 1000 / greatest(sum(rows), 1) FROM pg_stat_statements WHERE query LIKE 'WITH picked AS%'"


def queue(rows):
    measure.sql("TRUNCATE llava_reply, llava_conversation, llava_usage")
    measure.sql("INSERT INTO llava_pending (image, task) SELECT id, t FROM"
                " unnest(ARRAY['日常对话', '复杂推理', '描述图片']) t,"
                f" (SELECT id FROM llava_image ORDER BY id LIMIT {rows // 3 + 1}) i ORDER BY t, id LIMIT {rows}")
    measure.sql("CHECKPOINT")


class Drain:
    """A worker at work until the end of the block."""
    def __init__(self, in_flight):
        self.arguments = argparse.Namespace(latency="0", slots=0, journal=None, in_flight=in_flight)

    def __enter__(self):
        self.endpoint = measure.Endpoint(self.arguments)
        self.party = measure.Llava(self.arguments, self.endpoint)
        return self

    def __exit__(self, *failure):
        self.party.close()
        self.endpoint.close()
        measure.sql(f"SELECT pg_terminate_backend({self.party.pid}, 20000)")

    def wait_for(self, answered):
        while True:
            now = self.endpoint.stats()["answered"]
            if now >= answered:
                return now, time.monotonic()
            time.sleep(0.01)

    def window(self, begin, end):
        """Answers a second, and microseconds of CPU time a request and of claiming a row, between so many answers."""
        first, began = self.wait_for(begin)
        measure.sql("SELECT pg_stat_statements_reset()")
        cpu = measure.cpu_of(self.party.pid)
        last, ended = self.wait_for(end)
        cpu = measure.cpu_of(self.party.pid) - cpu
        return (last - first) / (ended - began), cpu * 1e6 / (last - first), float(measure.sql(CLAIM))


def hold_snapshot():
    session = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    session.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT 'held' FROM llava_task LIMIT 1;\n")
    session.stdin.flush()
    assert session.stdout.readline() == "held\n"
    return session


def middle_window(rows, in_flight, clear="TRUNCATE llava_pending"):
    """The medians of REPEATS windows, each with a queue of its own."""
    found = []
    for _ in range(REPEATS):
        measure.sql(clear)
        queue(rows)
        with Drain(in_flight) as drain:
            found.append(drain.window(WARM, WARM + WINDOW))
    return [statistics.median(figures) for figures in zip(*found)]


def pass_through(rows, in_flight):
    """Drains so many."""
    queue(rows)
    with Drain(in_flight) as drain:
        found = drain.window(WARM, rows - 500)
    measure.sql("DELETE FROM llava_pending")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int)
    parser.add_argument("in_flight", type=int)
    arguments = parser.parse_args()
    results = []

    def report(name, found):
        results.append(found)
        print(f"  {name:58}" + "".join(f"{now:10.0f}{now / first:6.2f}" for now, first in zip(found, results[0])), flush=True)

    print(f"  {'':58}{'requests/s':>10}{'':6}{'CPU us':>10}{'':6}{'claim us':>10}{'':6}")
    for rows in sorted({10000, 100000, arguments.rows}):
        report(f"{rows:,} waiting", middle_window(rows, arguments.in_flight))
    measure.sql("TRUNCATE llava_pending")
    report(f"{arguments.rows:,}, all of them", pass_through(arguments.rows, arguments.in_flight))
    report("10,000 waiting after that", middle_window(10000, arguments.in_flight, "DELETE FROM llava_pending"))
    measure.sql("TRUNCATE llava_pending")
    session = hold_snapshot()
    report(f"{arguments.rows:,}, beside a snapshot held throughout",
           pass_through(arguments.rows, arguments.in_flight))
    session.stdin.close()
    session.wait()


main()
