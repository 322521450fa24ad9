"""idle.py: whether this machine is as fast after a pause as before it.

Milliseconds that one small piece of work takes straight away and after sleeping.  On a
virtual machine whose host takes idle memory away they differ a hundredfold, and CPU
times of whatever waits in between, ours and others', mean little.
"""
import json
import statistics
import time

DOCUMENT = {str(i): [i, i * 2, "x" * 20] for i in range(100)}


def work():
    began = time.perf_counter()
    json.loads(json.dumps(DOCUMENT))
    return (time.perf_counter() - began) * 1000


def after(pause, times):
    taken = []
    for _ in range(times):
        time.sleep(pause)
        taken.append(work())
    return statistics.median(taken)


print(f"the same work: {after(0, 50):.2f} ms without a pause, {after(0.02, 20):.2f} after 20 ms of sleep, {after(1, 5):.2f} after 1 s")
