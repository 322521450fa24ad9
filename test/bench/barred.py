"""barred.py ROWS: rows that must wait before rows that need not; 1 where a bar is missed.

One worker and two servers.  In front of the queue stand 1,000 rows, and then ROWS, whose
tasks name a server of four slots, which is always full; behind them rows for another one.
Then 1,000 rows that are pinned to a server of one slot and 1,000 to a paused one stand
before 100,000 free rows.  Says how full the other server's slots were, how long a row took
to claim, and how many calls were drawn.  Needs pictures in llava_image (images.sql) for
100,000 rows and ROWS / 3, and pg_stat_statements.
"""
import argparse
import sys
import time

import measure

LATENCY, SLOTS, EXTRA = 100, 128, 16
SECONDS = 20
FULL, SLOWER, DRAWN = 0.99, 1.5, 64
CLAIM = "SELECT sum(total_exec_time) * 1000 / greatest(sum(rows), 1) FROM pg_stat_statements WHERE query LIKE 'WITH picked AS%'"
missed = []


def endpoint(latency, slots):
    return measure.Endpoint(argparse.Namespace(latency=str(latency), slots=slots, journal=None))


def server(name, there, in_flight, options=""):
    measure.sql(f"CREATE SERVER {name} FOREIGN DATA WRAPPER llava_zh OPTIONS (url '{there.url}', model 'm',"
                f" max_in_flight '{in_flight}', request_timeout '120s'{options})")


def clear():
    measure.sql("TRUNCATE llava_pending, llava_reply, llava_conversation, llava_usage")


def queue(tasks, rows, before, pin=""):
    """Rows of these tasks, due for so many minutes, in the order of the pictures."""
    measure.sql(f"INSERT INTO llava_pending (image, task, visible_at, server) SELECT id, t, now() - interval '{before} min', '{pin}'"
                f" FROM unnest(ARRAY{tasks}) t, (SELECT id FROM llava_image ORDER BY id LIMIT {rows // len(tasks) + 1}) i"
                f" ORDER BY t, id LIMIT {rows}")


def full_share(there, pid, seconds):
    """How full the slots were, and microseconds of claiming a row."""
    while there.stats()["in_flight"] < SLOTS:
        time.sleep(0.01)
    time.sleep(2)
    measure.sql("SELECT pg_stat_statements_reset()")
    first, began = there.stats()["answered"], time.monotonic()
    time.sleep(seconds)
    last, ended = there.stats()["answered"], time.monotonic()
    return (last - first) / (ended - began) / (SLOTS * 1000 / LATENCY), float(measure.sql(CLAIM))


def judge(what, good):
    if not good:
        missed.append(what)
    return "" if good else "   MISSED"


def behind(rows, other):
    """Rows of tasks of a full server before those of another."""
    clear()
    queue(["日常对话", "复杂推理", "描述图片"], rows, 60)
    queue(["detail_en"], 100000, 10)
    measure.sql("VACUUM ANALYZE llava_pending; CHECKPOINT")
    pid = int(measure.sql("SELECT llava_start()"))
    found = full_share(other, pid, SECONDS)
    measure.sql("SELECT llava_stop()")
    return found


def pinned(other, slow):
    clear()
    queue(["日常对话"], 1000, 60, "slow")
    queue(["复杂推理"], 1000, 60, "resting")
    queue(["detail_en"], 100000, 10)
    measure.sql("VACUUM ANALYZE llava_pending; CHECKPOINT")
    calls = int(measure.sql("SELECT last_value FROM llava_call_seq"))
    asked = sum(there.stats()["requests"] for there in (other, slow))
    pid = int(measure.sql("SELECT llava_start()"))
    full, _ = full_share(other, pid, SECONDS)
    while measure.sql("SELECT count(*) FROM llava_pending WHERE server = ''") != "0":
        time.sleep(0.5)
    calls = int(measure.sql("SELECT last_value FROM llava_call_seq")) - calls
    asked = sum(there.stats()["requests"] for there in (other, slow)) - asked
    measure.sql("SELECT llava_stop()")
    return full, calls - asked


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int)
    rows = parser.parse_args().rows
    other, slow = endpoint(LATENCY, SLOTS), endpoint(1000, 4)
    server("other", other, SLOTS + EXTRA)
    server("slow", slow, 4, ", queue 'false'")
    server("resting", slow, 4, ", queue 'false', paused 'true'")
    measure.sql("INSERT INTO llava_task (name, server) SELECT unnest(ARRAY['日常对话', '复杂推理', '描述图片']), 'slow'")
    few = None
    for n in (1000, rows):
        full, claim = behind(n, other)
        few = few or claim
        print(f"  {n:,} rows of a full server in front: {full:.3f} of the other's slots full"
              f"{judge('slots', full >= FULL)}, {claim:.1f} us a claimed row, {claim / few:.2f} times"
              f"{judge('claim', claim <= SLOWER * few)}", flush=True)
    measure.sql("INSERT INTO llava_task (name, server) SELECT unnest(ARRAY['日常对话', '复杂推理', '描述图片']), ''")
    measure.sql("ALTER SERVER slow OPTIONS (SET max_in_flight '1')")
    full, spare = pinned(other, slow)
    print(f"  1,000 rows pinned to one slot, 1,000 to a paused server: {full:.3f} full{judge('pinned', full >= FULL)},"
          f" {spare} calls more than requests{judge('calls', spare <= DRAWN)}", flush=True)
    measure.sql("DROP SERVER other CASCADE; DROP SERVER slow CASCADE; DROP SERVER resting CASCADE")
    other.close()
    slow.close()
    return 1 if missed else 0


sys.exit(main())
