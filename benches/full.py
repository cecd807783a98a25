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
TELLING = 0.01  # of the larger's whole time: an effect that takes less is not told of by itself
# The effects that are told of by themselves, by their action in the plan: they take nearly all of the time of their steps.
TOLD = {
    "migrate": "Liquibase",
    "freeze_writes": "the freeze, which is watched for seconds",
    "await": "waits",
    "create_indexes": "indexes",
    "alter_columns": "columns written anew",
    "assert": "proofs",
}
COPY = "Copy"  # the step of the load
LOAD = "the load by DMS, awaited"


def run(rbk, directory, turns, rows):
    """Prints the tables; gives back the goals."""
    turns = turns or 2
    sizes = [max(rows // SMALLER, 1), rows]
    runs = {size: [] for size in sizes}
    for turn in range(turns):
        for size in sizes:
            runs[size].append(once(rbk, size, directory, os.path.join(directory, f"full-{turn}-{size}")))
    few, many = (runs[size] for size in sizes)
    names = [f"{size:,} documents" for size in sizes]

    print(f"## The full recovery, {turns} turn{'' if turns == 1 else 's'}\n")
    table = []
    for phase in many[0].took:
        step, effect = phase
        values = [[each.took.get(phase, 0) for each in of] for of in (few, many)]
        grown = measure.times(measure.ratios(values[1], values[0])) if all(values[0]) else "–"
        if effect:
            if max(of / each.took["all of it", None] for of, each in zip(values[1], many, strict=True)) < TELLING:
                continue
            table.append([f"– {effect}", *(measure.seconds(of) for of in values), grown, "", "", ""])
            continue
        waiting = [measure.statistics.median(each.waited.get(step, 0) / each.took[phase] if each.took[phase] else 0 for each in of) for of in (few, many)]
        calls = [measure.count([each.calls.get(step, 0) for each in of]) for of in (few, many)]
        table.append([step, *(measure.seconds(of) for of in values), grown, " / ".join(f"{share * 100:.0f} %" for share in waiting), *calls])
    measure.table(["by the journal", *names, "grown", "waiting", "calls of the smaller", "of the larger"], table)

    operations = sorted({operation for each in few + many for operation in each.operations})
    table = []
    for operation in operations:
        within = [each.within.get(COPY, {}).get(operation, 0) for each in many]
        table.append([operation, *(measure.count([each.operations.get(operation, 0) for each in of]) for of in (few, many)), measure.count(within)])
    measure.table(["calls to AWS by operation", *names, f"in “{COPY}” of the larger"], table)

    peaks = [[each.cost.peak for each in of] for of in (few, many)]
    known = None not in peaks[0] + peaks[1]
    costs = [
        ("rbk itself: CPU", lambda each: each.cost.cpu, measure.milliseconds),
        ("rbk itself: peak memory", lambda each: each.cost.peak, lambda values: measure.spread(values, lambda value: f"{value:.1f}") + " MiB"),
        ("Liquibase: CPU", lambda each: each.cost.of_children, measure.milliseconds),
        ("records in the journal", lambda each: each.records, measure.count),
        ("– of them looks of the load's wait", lambda each: each.looks, measure.count),
        ("bytes of the journal", lambda each: each.journal, measure.count),
    ]
    table = []
    for name, of, show in costs:
        values = [[of(each) for each in each_size] for each_size in (few, many)]
        told = None not in values[0] + values[1]
        table.append([name, *(show(each) if told else "–" for each in values), measure.times(measure.ratios(values[1], values[0])) if told and all(values[0]) else "–"])
    measure.table(["", *names, "grown"], table)
    return [
        Goal(f"full recovery: `rbk`'s memory with {SMALLER} times the rows", 1.2, measure.ratios(peaks[1], peaks[0]) if known else None, "×", "told on Linux only"),
        Goal("full recovery: `rbk`'s peak memory", 40, peaks[1] if known else None, "MiB", "told on Linux only"),
    ]


class Run:
    """One full recovery: what it cost, and by step how long it took, how long it waited and how many calls it made."""

    def __init__(self, cost, store, samples, operations):
        self.cost = cost
        self.operations = operations
        self.took, self.waited, spans, self.records, self.looks, self.journal = timeline(store)
        self.within = {step: fewer(calls_until(samples, over), calls_until(samples, begun)) for step, (begun, over) in spans.items()}
        self.calls = {step: sum(of.values()) for step, of in self.within.items()}
        # The samples tell the steps apart to a fiftieth of a second; of all together every call is counted.
        self.calls["all of it"] = sum(operations.values())


class Sampler(threading.Thread):
    """Asks the sandbox for its count of calls, fifty times a second."""

    def __init__(self, sandbox):
        super().__init__(daemon=True)
        self.sandbox, self.samples, self.over = sandbox, [], threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.samples.append((time.time(), count(self.sandbox)))


def count(sandbox):
    """How many calls it has answered, by operation."""
    return {operation: of["calls"] for operation, of in sandbox.get("stats")["operations"].items()}


def calls_until(samples, when):
    """The latest sample of that moment."""
    return max(((at, calls) for at, calls in samples if at <= when), default=(0, {}), key=lambda sample: sample[0])[1]


def fewer(after, before):
    """The calls between two samples."""
    return {operation: calls - before.get(operation, 0) for operation, calls in after.items() if calls > before.get(operation, 0)}


def once(rbk, rows, directory, store):
    log = os.path.join(directory, "full.log")
    open(log, "wb").close()
    with Sandbox(rbk, rows, directory) as sandbox:
        before = count(sandbox)
        sampler = Sampler(sandbox)
        sampler.start()
        command = [rbk, "run", FULL, "--env", ENVIRONMENT, "--approve", "all", "--store", store]
        cost = measure.alone(command, sandbox.variables, log)
        sampler.over.set()
        sampler.join()
        after = count(sandbox)
    return Run(cost, store, sampler.samples, fewer(after, before))


def timeline(store):
    """By step: seconds, those of the effects told of by themselves, seconds that were waits for others, when it began and ended;
    the records, those of them that are looks of the load's wait, and the journal's bytes."""
    (journal,) = glob.glob(os.path.join(store, "*", "journal.jsonl"))
    with open(journal, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    if records[-1]["type"] != "end" or records[-1]["body"]["kind"] != "done":
        raise measure.Broken(f"{journal}: this recovery did not recover")
    (plan,) = glob.glob(os.path.join(store, "*", "plan.json"))
    with open(plan, encoding="utf-8") as file:
        plan = json.load(file)
    actions = {action["id"]: action["action"] for step in plan["steps"] for action in step["actions"]}
    at = {record["type"]: instant(record["at"]) for record in records if record["type"] in ("header", "ready", "end")}
    begun, spans, waited, looks = {}, {}, {}, 0
    took = {("preflight", None): at["ready"] - at["header"]}
    for record in records:
        step, action, when = record["step"], record["action"], instant(record["at"])
        if record["type"] == "started":
            begun.setdefault(action, when)
            spans.setdefault(step, [when, when])
            took.setdefault((step, None), 0)
        elif record["type"] in ("outcome", "approved"):
            spans[step][1] = when
            took[step, None] = when - spans[step][0]
            told = name(actions[action])
            if told:
                took[step, told] = took.get((step, told), 0) + when - begun[action]
            if actions[action]["action"] == "await":
                waited[step] = waited.get(step, 0) + when - begun[action]
        elif record["type"] == "observed" and action and name(actions[action]) == LOAD:
            looks += 1
    spans = {"preflight": [at["header"], at["ready"]], **spans}
    took["all of it", None] = at["end"] - at["header"]
    waited["all of it"] = sum(waited.values())
    return took, waited, spans, len(records), looks, os.path.getsize(journal)


def name(action):
    """What an effect is told of as, or nothing."""
    if action["action"] == "await" and "complete" in action["condition"]:
        return LOAD
    return TOLD.get(action["change"]["change"] if action["action"] == "change_schema" else action["action"])
