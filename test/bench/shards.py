"""shards.py PICTURES FOLDER READER: llava_export_shards beside tar over the same files.

Both are on the disk at the end.  The server process's memory is that which is not shared
(RssAnon), looked at ten times a second.  READER is test/read_shards.py.
"""
import os
import subprocess
import sys
import threading
import time

ROUNDS = 3


def own_memory(pid):
    """MB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) / 1024


class Session:
    """A psql; run() returns the lines of one statement."""

    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.run("SELECT pg_backend_pid()")[0])

    def run(self, statement):
        self.psql.stdin.write(statement + ";\n\\echo done\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line == "done\n":
                return lines
            lines.append(line.rstrip("\n"))
        sys.exit(f"failed: {statement}")


def shards(session, folder):
    """Seconds, and memory at a tenth of the way and at most."""
    memory, ended = [], threading.Event()

    def watch():
        while not ended.is_set():
            memory.append(own_memory(session.pid))
            ended.wait(0.1)

    watcher = threading.Thread(target=watch)
    began = time.monotonic()
    watcher.start()
    manifest = session.run(f"SELECT manifest FROM llava_export_shards('{folder}')")[0]
    seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    return manifest, seconds, max(memory[:len(memory) // 10 + 1]), max(memory)


def tar(files, target):
    began = time.monotonic()
    subprocess.run(["tar", "cf", target, "-C", files, "."], check=True)
    file = os.open(target, os.O_RDONLY)
    os.fsync(file)
    os.close(file)
    return time.monotonic() - began


def names(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("train-"))


def read_back(session, folder, manifest, reader):
    """Whether each member is as it was recorded."""
    recorded = session.run(
        "SELECT concat(split_part(file_name, '.', 1), ' ', split_part(file_name, '.', 2), ' ',"
        f" encode(image_sha256, 'hex'), ' ', encode(sha256, 'hex')) FROM llava_manifest_line WHERE manifest = {manifest}"
        f" ORDER BY line")
    recorded += session.run(f"SELECT concat(rows, ' ', encode(sha256, 'hex')) FROM llava_manifest WHERE id = {manifest}")
    found = subprocess.run([sys.executable, reader] + names(folder), check=True, text=True, capture_output=True,
                           env={**os.environ, "PYTHONIOENCODING": "utf-8"}).stdout.splitlines()
    if found != recorded:
        sys.exit(f"what was read back is not what was recorded: {len(found)} and {len(recorded)} lines")
    rebuilt = session.run(f"SELECT encode(llava_lines_sha256(l), 'hex') FROM llava_rebuild_export({manifest}) AS l")
    if rebuilt[0] != recorded[-1].split()[1] or session.run(f"SELECT count(*) FROM llava_verify_export({manifest})") != ["0"]:
        sys.exit("the recorded export cannot be rebuilt")
    print(f"{len(found) - 1:,} samples read back: each picture, line and digest is as recorded", flush=True)


def main():
    pictures, work, reader = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    folder, files = os.path.join(work, "shards"), os.path.join(work, "files")
    session = Session()
    session.run("SELECT llava_draw_task(1)")
    print(f"{pictures:,} samples, {ROUNDS} times each, in turn; load {os.getloadavg()[0]:.1f} before")
    measured = []
    for turn in range(ROUNDS):
        subprocess.run(["find", folder, "-mindepth", "1", "-delete"], check=True)
        manifest, ours, early, most = shards(session, folder)
        size = sum(map(os.path.getsize, names(folder))) / 1e6
        if turn == 0:
            read_back(session, folder, manifest, reader)
            os.mkdir(files)
            for name in names(folder):
                subprocess.run(["tar", "xf", name, "-C", files], check=True)
            os.sync()
        theirs = tar(files, os.path.join(work, "all.tar"))
        os.remove(os.path.join(work, "all.tar"))
        measured.append((ours, theirs))
        print(f"llava_export_shards {pictures / ours:7,.0f} samples/s {size / ours:5.0f} MB/s,"
              f" {early:.1f} MB at a tenth, {most:.1f} MB at most; tar {size / theirs:5.0f} MB/s", flush=True)
    ours, theirs = (sum(column) for column in zip(*measured))
    print(f"llava_export_shards has {theirs / ours:.2f} of tar's rate"
          f" ({', '.join(f'{their / our:.2f}' for our, their in measured)})")


main()
