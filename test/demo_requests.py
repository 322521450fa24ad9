#!/usr/bin/python3
"""Holds the endpoint's journal against the database's ledger.

Usage: demo_requests.py JOURNAL LEDGER CALLS

JOURNAL: the simulated endpoint's JSON lines.  LEDGER: lines of call id and verdict
from llava_reply.  CALLS: one line, the last call id drawn and the requests settled.
Every request the endpoint saw must carry a call id that was drawn here, none twice;
every reply it finished sending is in the ledger, but for those that a killed worker
lost.
"""
import collections
import json
import sys


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    requests = {}
    seen = []
    with open(sys.argv[1], encoding="utf-8") as journal:
        for line in journal:
            entry = json.loads(line)
            if entry["event"] == "arrived":
                seen.append(entry["request_id"])
            requests.setdefault(entry["n"], {}).update(entry)
    ledger = {}
    with open(sys.argv[2], encoding="utf-8") as rows:
        for line in rows:
            call, verdict = line.split()
            ledger[call] = verdict
    with open(sys.argv[3], encoding="utf-8") as line:
        last_call, settled = (int(word) for word in line.read().split())

    problems = []
    for call, times in collections.Counter(seen).items():
        if times > 1:
            problems.append(f"call {call} reached the endpoint {times} times")
        if not call.isdigit() or not 1 <= int(call) <= last_call:
            problems.append(f"call {call} was not drawn here")
    by_status = collections.Counter(
        r.get("status") for r in requests.values() if r["request_id"] not in ledger
    )
    lost = by_status.pop(200, 0) + by_status.pop(None, 0)
    unknown = set(ledger) - set(seen)
    if unknown:
        problems.append(f"replies to requests nobody saw: {sorted(unknown)}")
    if len(seen) - settled > lost:
        problems.append(f"{len(seen)} requests seen, {settled} settled, {lost} lost")
    verdicts = collections.Counter(ledger.values())
    accepted = verdicts.pop("accepted", 0)
    parts = [f"{accepted} accepted", f"{sum(verdicts.values())} rejected"]
    parts += [f"{count} × {status}" for status, count in sorted(by_status.items())]
    parts.append(f"{lost} lost to the kill")
    print(f"requests: endpoint saw {len(seen)}; {', '.join(parts)}: all known here")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
