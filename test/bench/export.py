"""export.py SAMPLES FILE: llava_export to FILE beside a plain COPY, in one session.

Both files are on the disk at the end.  CPU time is the server process's own, out of
/proc, and that of a sync that it left to us; its memory is that which is not shared
(RssAnon), looked at ten times a second.
"""
import os
import subprocess
import sys
import threading
import time

ROUNDS = 3


class Session:
    """A psql; run() returns the lines of one statement."""

    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, statement):
        self.psql.stdin.write(statement + ";\n\\echo done\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line == "done\n":
                return lines
            lines.append(line.rstrip("\n"))
        sys.exit(f"failed: {statement}")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def own_memory(pid):
    """KB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def sync(path):
    """On the disk, as our COPY leaves it; the CPU seconds that took."""
    began = time.thread_time()
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.close(file)
    return time.thread_time() - began


class Measure:
    """Seconds, CPU seconds and memory (at a tenth of the way, and the most) of one statement."""

    def __init__(self, session, pid, statement, path):
        self.memory = []
        ended = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(pid, ended))
        cpu, wall = cpu_seconds(pid), time.monotonic()
        watcher.start()
        session.run(statement)
        synced = sync(path)
        self.seconds = time.monotonic() - wall
        self.cpu = cpu_seconds(pid) - cpu + synced
        ended.set()
        watcher.join()

    def watch(self, pid, ended):
        while not ended.is_set():
            self.memory.append(own_memory(pid))
            ended.wait(0.1)

    def early_memory(self):
        return max(self.memory[:len(self.memory) // 10 + 1]) / 1024

    def most_memory(self):
        return max(self.memory) / 1024


def main():
    samples, path = int(sys.argv[1]), sys.argv[2]
    statements = {
        "plain COPY": f"COPY (SELECT conversation FROM llava_conversation) TO '{path}'",
        "llava_export": f"COPY (SELECT llava_export()) TO '{path}' WITH (FORMAT jsonl)",
    }
    session = Session()
    pid = int(session.run("SELECT pg_backend_pid()")[0])
    session.run("SELECT llava_draw_task(1)")
    measured = {name: [] for name in statements}
    print(f"{samples:,} samples, {ROUNDS} times each, in turn; load {os.getloadavg()[0]:.1f} before")
    for _ in range(ROUNDS):
        for name, statement in statements.items():
            # both into a new file: the pages of an old one are cheaper
            subprocess.run(["rm", "-f", path], check=True)
            one = Measure(session, pid, statement, path)
            size = os.path.getsize(path) / 1e6
            measured[name].append(one)
            print(f"{name:13} {samples / one.seconds:9,.0f} rows/s {size / one.seconds:6.0f} MB/s "
                  f"{one.cpu:7.2f} s CPU  {one.early_memory():5.1f} MB at a tenth, {one.most_memory():5.1f} MB at most",
                  flush=True)
    for what, of in ("by CPU time", lambda one: one.cpu), ("by the clock", lambda one: one.seconds):
        ratios = [of(plain) / of(ours) for plain, ours in zip(*measured.values())]
        total = sum(map(of, measured["plain COPY"])) / sum(map(of, measured["llava_export"]))
        print(f"llava_export has {total:.2f} of the plain COPY's rate, {what} "
              f"({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


main()
