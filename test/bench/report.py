"""report.py SCENARIO: the results of one scenario as a table, out of measure.py's lines."""
import json
import sys

ABOUT = {
    "fixed": "256 slots, 500 ms",
    "spread": "256 slots, 200-800 ms",
    "at_once": "answers at once",
    "small": "answers at once, small pictures",
    "wide": "1,000 in flight, 18-22 s",
    "cold": "1,000 in flight, 18-22 s, pictures that are not in the page cache",
    "large": "12 megapixels, to be prepared; 64 slots, 400 ms",
}
NAMES = {"llava": "llava_zh, one worker", "asyncio": "asyncio client", "bare": "bare libcurl, no database"}

rows = [row for row in map(json.loads, sys.stdin) if row["scenario"] == sys.argv[1]]
print(f"\n{ABOUT.get(sys.argv[1], sys.argv[1])}")
print(f"  {'':28}{'requests/s':>11}{'of ideal':>10}{'CPU s/1000':>12}{'private MB':>12}{'resident MB':>13}   replies, rejected, samples")
for row in rows:
    share = f"{100 * row['rate'] / row['ideal']:.1f} %" if row["ideal"] else ""
    print(f"  {NAMES[row['party']]:28}{row['rate']:11.1f}{share:>10}{row['cpu']:12.3f}{row['private_mb']:12.1f}"
          f"{row['resident_mb']:13.1f}   {row['checked']}")
for row in rows:
    if row["refill_ms"]:
        print(f"  {NAMES[row['party']]}: a slot empty for {row['refill_ms'][0]} ms (median), {row['refill_ms'][1]} ms (99 %),"
              f" {row['refill_ms'][2]} ms (longest)")
for row in rows:
    if row["looks"]:
        print(f"  {NAMES[row['party']]}: looked at its sockets {row['looks'][0]} times, {row['looks'][1]} of them more than"
              f" 10 ms after the time before, at most {row['looks'][2]:.1f} ms")
        print(f"  meanwhile a process that only wakes every millisecond came to the CPU {row['witnessed'][1]} times of"
              f" {row['witnessed'][0]} more than 10 ms late, at most {row['witnessed'][2]:.1f} ms")
by_party = {row["party"]: row for row in rows}
if "llava" in by_party and "asyncio" in by_party:
    ours, theirs = by_party["llava"], by_party["asyncio"]
    print(f"  llava_zh / asyncio: rate {ours['rate'] / theirs['rate']:.2f}, CPU {ours['cpu'] / theirs['cpu']:.2f}")
