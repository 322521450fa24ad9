"""storm.py: how full a server is kept that throttles.

One worker, an endpoint of 200 ms: 64 slots that are all allowed, through a storm of 10
seconds of nothing but 429, without and with Retry-After; then slots of which fewer are
there than max_in_flight says, the requests beyond being answered 429, Retry-After: 1.
Needs pictures in llava_image (images.sql).
"""
import argparse
import json
import time
import urllib.request

import measure

LATENCY, ALLOWED, STORM = 200, 64, 10


class Endpoint(measure.Endpoint):
    OPTIONS = ["--reply-bytes", "1024"]

    def control(self, **settings):
        body = json.dumps({name.replace("_", "-"): str(value) for name, value in settings.items()}).encode()
        urllib.request.urlopen(urllib.request.Request(self.base + "/control", body), timeout=20).close()


def rate(endpoint, seconds):
    """Replies a second, by the endpoint's own count."""
    first, began = endpoint.stats()["ok"], time.monotonic()
    time.sleep(seconds)
    return (endpoint.stats()["ok"] - first) / (time.monotonic() - began)


def wait_full(endpoint, share, ideal):
    began = time.monotonic()
    while rate(endpoint, 1) < share * ideal:
        if time.monotonic() - began > 120:
            raise SystemExit("storm.py: it does not come back")
    return time.monotonic() - began


def storm(endpoint, fault, ideal):
    wait_full(endpoint, 0.9, ideal)
    sent = endpoint.stats()["requests"]
    endpoint.control(faults=f"{fault}=1")
    time.sleep(STORM)
    sent = endpoint.stats()["requests"] - sent
    endpoint.control(faults="")
    seconds = wait_full(endpoint, 0.9, ideal)
    print(f"  {fault}: {sent} requests in {STORM} s of it; 90 % of the rate {seconds:.1f} s after it;"
          f" then {100 * rate(endpoint, 10) / ideal:.1f} % of the ideal", flush=True)


def main():
    arguments = argparse.Namespace(latency=str(LATENCY), slots=0, journal=None, in_flight=ALLOWED)
    endpoint = Endpoint(arguments)
    party = measure.Llava(arguments, endpoint)
    for fault in ("429-none", "429-1"):
        storm(endpoint, fault, ALLOWED * 1000 / LATENCY)
    for slots in (48, 24, 8):
        ideal = slots * 1000 / LATENCY
        endpoint.control(slots=slots, reject=429)
        time.sleep(30)
        before, answers = endpoint.stats()["status"], rate(endpoint, 20)
        after = endpoint.stats()["status"]
        print(f"  {slots} slots of {ALLOWED}: {100 * answers / ideal:.1f} % of the ideal,"
              f" {after['429'] - before['429']} requests throttled in 20 s", flush=True)
    party.close()
    endpoint.close()


if __name__ == "__main__":
    main()
