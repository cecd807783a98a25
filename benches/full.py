"""Part six: the full recovery, from the newest snapshot to the repaired original and back, at two sizes of its data.

`rbk run runbooks/full-recovery.rbk` in a fresh sandbox of its own. What is asked: where the time goes, how much of it is waiting
for AWS, how many calls each step costs, and whether `rbk` holds more memory when there are more rows.
"""
import glob
import json
import os
import threading
import time

import measure
from language import ENVIRONMENT, RUNBOOKS
from measure import Goal
from recovery import Sandbox, instant

FULL = os.path.join(RUNBOOKS, "full-recovery.rbk")
SMALLER = 10  # times fewer documents


def run(rbk, directory, turns, rows):
    """Prints the tables; gives back the goals."""
    turns = turns or 2
    sizes = [max(rows // SMALLER, 1), rows]
    runs = {size: [] for size in sizes}
    for turn in range(turns):
        for size in sizes:
            runs[size].append(once(rbk, size, directory, os.path.join(directory, f"full-{turn}-{size}")))
    few, many = (runs[size] for size in sizes)

    print(f"## The full recovery, {turns} turns\n")
    rows = []
    for step in many[0].took:
        values = [[each.took[step] for each in of] for of in (few, many)]
        waiting = [each.waited.get(step, 0) / each.took[step] if each.took[step] else 0 for each in many]
        calls = [each.calls.get(step, 0) for each in many]
        rows.append([
            step,
            *(measure.seconds(of) for of in values),
            measure.times(measure.ratios(values[1], values[0])),
            f"{measure.statistics.median(waiting) * 100:.0f} %",
            f"{measure.statistics.median(calls):.0f}",
        ])
    measure.table(["by the journal", *(f"{size} documents" for size in sizes), "grown", "waiting", "AWS calls"], rows)

    peaks = [[each.cost.peak for each in of] for of in (few, many)]
    known = None not in peaks[0] + peaks[1]
    rows = [["rbk itself: CPU", *(measure.milliseconds([each.cost.cpu for each in of]) if known else "–" for of in (few, many))],
            ["rbk itself: peak memory", *(measure.spread(of, lambda value: f"{value:.1f}") + " MiB" if known else "–" for of in peaks)]]
    measure.table(["", *(f"{size} documents" for size in sizes)], rows)
    return [
        Goal(f"full recovery: `rbk`'s memory with {SMALLER} times the rows", 1.2, measure.ratios(peaks[1], peaks[0]) if known else None, "×", "told on Linux only"),
    ]


class Run:
    """One full recovery: what it cost, and by step how long it took, how long it waited and how many calls it made."""

    def __init__(self, cost, store, samples):
        self.cost = cost
        self.took, self.waited, spans = timeline(store)
        self.calls = {}
        for step, (begun, over) in spans.items():
            self.calls[step] = calls_until(samples, over) - calls_until(samples, begun)


class Sampler(threading.Thread):
    """Asks the sandbox how many calls it has answered, ten times a second."""

    def __init__(self, sandbox):
        super().__init__(daemon=True)
        self.sandbox, self.samples, self.over = sandbox, [], threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            operations = self.sandbox.get("stats")["operations"]
            self.samples.append((time.time(), sum(of["calls"] for of in operations.values())))


def calls_until(samples, when):
    return max((calls for at, calls in samples if at <= when + 0.1), default=0)


def once(rbk, rows, directory, store):
    log = os.path.join(directory, "full.log")
    open(log, "wb").close()
    with Sandbox(rbk, rows, directory) as sandbox:
        sampler = Sampler(sandbox)
        sampler.start()
        command = [rbk, "run", FULL, "--env", ENVIRONMENT, "--approve", "all", "--store", store]
        cost = measure.alone(command, sandbox.variables, log)
        sampler.over.set()
        sampler.join()
    return Run(cost, store, sampler.samples)


def timeline(store):
    """By step: seconds, seconds of them that were waits for others, and when it began and ended."""
    (journal,) = glob.glob(os.path.join(store, "*", "journal.jsonl"))
    with open(journal, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    if records[-1]["type"] != "end" or records[-1]["body"]["kind"] != "done":
        raise measure.Broken(f"{journal}: this recovery did not recover")
    (plan,) = glob.glob(os.path.join(store, "*", "plan.json"))
    with open(plan, encoding="utf-8") as file:
        plan = json.load(file)
    awaits = {action["id"] for step in plan["steps"] for action in step["actions"] if action["statement"].startswith("await")}
    at = {record["type"]: instant(record["at"]) for record in records if record["type"] in ("header", "ready", "end")}
    begun, spans, waited = {}, {}, {}
    for record in records:
        step, action, when = record["step"], record["action"], instant(record["at"])
        if record["type"] == "started":
            begun.setdefault(action, when)
            spans.setdefault(step, [when, when])
        elif record["type"] in ("outcome", "approved"):
            spans[step][1] = when
            if action in awaits:
                waited[step] = waited.get(step, 0) + when - begun[action]
    spans = {"preflight": [at["header"], at["ready"]], **spans, "all of it": [at["header"], at["end"]]}
    waited["all of it"] = sum(waited.values())
    return {step: over - begun for step, (begun, over) in spans.items()}, waited, spans
