"""throttle.py [strays|slots|minutes ...]: what throttling costs, as ratios; 1 where a bar is missed.

One worker of 64 slots and an endpoint of 300 ms: that refuses one request in a hundred
at random, that serves so many at once, and that serves so many a minute, with and
without Retry-After; limits are halved and doubled while it runs.  Needs pictures in
llava_image (images.sql).
"""
import argparse
import json
import sys
import time
import urllib.request

import measure

LATENCY, ALLOWED = 300, 64
FOUND_WITHIN, SECONDS = 10, 10
USED, REFUSED = 0.95, 0.02
ALLOWED_NOW = "SELECT allowed || ' allowed (' || held_down_by || ')' FROM llava_stat_server WHERE server = 'endpoint'"

missed = []


class Endpoint(measure.Endpoint):
    def control(self, **settings):
        body = json.dumps({name.replace("_", "-"): str(value) for name, value in settings.items()}).encode()
        urllib.request.urlopen(urllib.request.Request(self.base + "/control", body), timeout=20).close()


def counts(endpoint):
    stats = endpoint.stats()
    return time.monotonic(), stats["ok"], stats["requests"], stats["status"].get("429", 0)


def watch(endpoint, seconds):
    """Answers a second, and the share of requests that were refused."""
    began, ok, requests, refused = counts(endpoint)
    time.sleep(seconds)
    ended, ok_then, requests_then, refused_then = counts(endpoint)
    return (ok_then - ok) / (ended - began), (refused_then - refused) / max(requests_then - requests, 1)


def report(what, rate, ideal, refused, most=REFUSED):
    bad = rate < USED * ideal or refused > most
    if bad:
        missed.append(what)
    print(f"  {what:58} {rate / ideal:.3f} used, {refused:.4f} refused, {measure.sql(ALLOWED_NOW)}"
          f"{'   MISSED' if bad else ''}", flush=True)


def strays(endpoint):
    time.sleep(3)
    ideal, _ = watch(endpoint, SECONDS)
    endpoint.control(faults="429-1=0.01")
    time.sleep(2)
    rate, refused = watch(endpoint, 2 * SECONDS)
    endpoint.control(faults="")
    report("1 % stray 429, Retry-After: 1, of the rate without", rate, ideal, refused)


def limited(endpoint, what, unit, limit, rate_of):
    for fault, says in (("429", "Retry-After: 1"), ("429-none", "no Retry-After")):
        for change, now in ((None, limit), ("halved", limit // 2), ("doubled", limit)):
            endpoint.control(**{what: now, "reject": fault})
            time.sleep(FOUND_WITHIN)
            rate, refused = watch(endpoint, SECONDS)
            report(f"{now} {unit}, {says}{', ' + change if change else ''}", rate, rate_of(now), refused)
    endpoint.control(**{what: 0, "reject": 0})


def slots(endpoint):
    limited(endpoint, "slots", "at once", 40, lambda n: n * 1000 / LATENCY)


def minutes(endpoint):
    limited(endpoint, "per_minute", "a minute", 6000, lambda n: n / 60)


def main():
    arguments = argparse.Namespace(latency=str(LATENCY), slots=0, journal=None, in_flight=ALLOWED)
    for part in sys.argv[1:] or ("strays", "slots", "minutes"):
        endpoint = Endpoint(arguments)
        party = measure.Llava(arguments, endpoint)
        globals()[part](endpoint)
        party.close()
        endpoint.close()
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
