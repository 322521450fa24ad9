"""followers.py PAIRS: what a follower costs the settle of what it follows; 1 where a bar is missed.

The worker's CPU time a request, of its main thread, over windows of 20,000 tiny pictures:
without a follower, with one of share 0, and with one of share 1 whose rows wait for a paused
server.  In turns, the order reversed each time; the medians of PAIRS ratios.
Needs pictures in llava_image (images.sql).
"""
import argparse
import statistics
import sys
import time

import measure

WARM, WINDOW, ROWS = 2000, 20000, 24000
BARS = {"0": 1.02, "1": 1.10}


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="utf-8") as file:
        return int(file.readline().split()[0])


def follower(share):
    measure.sql("SET session_replication_role = replica; DELETE FROM llava_task WHERE name = 'follower'")
    if share != "none":
        measure.sql("SET client_min_messages = warning; INSERT INTO llava_task (name, kind, language, prompt, required, after, share, server)"
                    f" VALUES ('follower', 'json', 'zh', 'JSON', '{{worth 0..3}}', '日常对话', {share}, 'resting')")


def wait_for(there, answered):
    while there.stats()["answered"] < answered:
        time.sleep(0.005)


def window(there, share):
    """CPU microseconds a request."""
    measure.sql("TRUNCATE llava_pending, llava_reply, llava_conversation, llava_usage")
    follower(share)
    measure.sql("INSERT INTO llava_pending (image, task) SELECT id, '日常对话' FROM llava_image ORDER BY id"
                f" LIMIT {ROWS}")
    measure.sql("VACUUM ANALYZE llava_pending")
    measure.sql("CHECKPOINT")
    before = there.stats()["answered"]
    pid = int(measure.sql("SELECT llava_start()"))
    wait_for(there, before + WARM)
    cpu, first = cpu_ns(pid), there.stats()["answered"]
    wait_for(there, before + WARM + WINDOW)
    cpu, last = cpu_ns(pid) - cpu, there.stats()["answered"]
    while measure.sql("SELECT count(*) FROM llava_pending WHERE task = '日常对话'") != "0":
        time.sleep(0.1)
    measure.sql("SELECT llava_stop()")
    queued = int(measure.sql("SELECT count(*) FROM llava_pending WHERE task = 'follower'"))
    if queued != (ROWS if share == "1" else 0):
        sys.exit(f"followers.py: {queued} rows of the follower with share {share}")
    return cpu / 1000 / (last - first)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=int)
    pairs = parser.parse_args().pairs
    there = measure.Endpoint(argparse.Namespace(latency="0", slots=0, journal=None))
    for name, options in (("endpoint", ""), ("resting", ", queue 'false', paused 'true'")):
        measure.sql(f"CREATE SERVER {name} FOREIGN DATA WRAPPER llava_zh OPTIONS (url '{there.url}', model 'm', max_in_flight '128'{options})")
    shares = ["none", "0", "1"]
    found = {share: [] for share in shares}
    for _ in range(pairs):
        for share in shares:
            found[share].append(window(there, share))
        shares.reverse()
    follower("none")
    measure.sql("DROP SERVER endpoint CASCADE; DROP SERVER resting CASCADE")
    there.close()
    print(f"  no follower: {statistics.median(found['none']):.1f} us of CPU a request")
    missed = 0
    for share, bar in BARS.items():
        ratios = sorted(with_one / without for with_one, without in zip(found[share], found["none"]))
        middle = statistics.median(ratios)
        missed += middle > bar
        print(f"  share {share}: {middle:.3f} times ({ratios[0]:.3f} to {ratios[-1]:.3f}){'   MISSED' if middle > bar else ''}")
    return 1 if missed else 0


sys.exit(main())
