"""Part five: the rebuild of the original's schema beside a recovery that serves, with the real Liquibase, at two sizes of its data.

Each run has a fresh sandbox, which the quick recovery leaves as the rebuild needs it. What is asked: where the time goes, and
whether `rbk` holds more memory when there are more rows.
"""
import glob
import json
import os

import measure
from language import ENVIRONMENT, RUNBOOKS
from measure import Goal
from recovery import Sandbox, instant

RECOVER = os.path.join(RUNBOOKS, "quick-recovery.rbk")
REBUILD = os.path.join(RUNBOOKS, "rebuild-schema.rbk")
SMALLER = 10  # times fewer documents
# The effects that are told of by themselves, by the call in their intents: they take nearly all of the time of their steps.
TOLD = {
    "migrate": "Liquibase",
    "freeze writes": "the freeze, which is watched for seconds",
    "copy": "the copy itself",
    "alter columns": "columns written anew",
    "create indexes": "indexes",
}


def run(rbk, directory, turns, rows):
    """Prints the tables; gives back the goals."""
    turns = turns or 2
    sizes = [max(rows // SMALLER, 1), rows]
    print(f"java: {measure.output(['java', '-version'])}\n", flush=True)
    runs = {size: [] for size in sizes}
    for turn in range(turns):
        for size in sizes:
            runs[size].append(once(rbk, size, directory, os.path.join(directory, f"rebuild-{turn}-{size}")))

    copied = [runs[size][0].copied for size in sizes]
    print(f"## The rebuild of the original, {turns} turns; the copies were {' and '.join(copied)}\n")
    few, many = (runs[size] for size in sizes)
    rows = []
    for phase in many[0].took:
        step, effect = phase
        values = [[each.took[phase] for each in of] for of in (few, many)]
        whole = [[each.took["all of it", None] for each in of] for of in (few, many)]
        share = measure.statistics.median(measure.ratios(values[1], whole[1]))
        rows.append([f"– {effect}" if effect else step, *(measure.seconds(of) for of in values), measure.times(measure.ratios(values[1], values[0])), f"{share * 100:.0f} %"])
    measure.table(["by the journal", *(f"{size} documents" for size in sizes), "grown", "share of the larger"], rows)

    costs = [
        ("rbk itself: CPU", lambda each: each.cost.cpu, measure.milliseconds),
        ("Liquibase: CPU", lambda each: each.cost.of_children, measure.milliseconds),
        ("rbk itself: peak memory", lambda each: each.cost.peak, lambda values: measure.spread(values, lambda value: f"{value:.1f}") + " MiB"),
    ]
    rows = []
    for name, of, show in costs:
        values = [[of(each) for each in each_size] for each_size in (few, many)]
        if any(value is None for each in values for value in each):
            rows.append([name, "–", "–", "–"])
        else:
            rows.append([name, *(show(each) for each in values), measure.times(measure.ratios(values[1], values[0]))])
    measure.table(["", *(f"{size} documents" for size in sizes), "grown"], rows)

    peaks = [[each.cost.peak for each in of] for of in (few, many)]
    known = None not in peaks[0] + peaks[1]
    return [
        Goal(f"rebuild: `rbk`'s memory with {SMALLER} times the rows", 1.2, measure.ratios(peaks[1], peaks[0]) if known else None, "×", "told on Linux only"),
        Goal("rebuild: `rbk`'s peak memory", 40, peaks[1] if known else None, "MiB", "told on Linux only"),
    ]


class Run:
    """One rebuild: what it cost, and how long each step of it took."""

    def __init__(self, cost, store):
        self.cost = cost
        self.took, self.copied = timeline(store)


def once(rbk, rows, directory, store):
    """A rebuild in a sandbox of its own, after the recovery that comes before it."""
    log = os.path.join(directory, "rebuild.log")
    open(log, "wb").close()
    command = lambda runbook, to: [rbk, "run", runbook, "--env", ENVIRONMENT, "--approve", "all", "--store", to]
    with Sandbox(rbk, rows, directory) as sandbox:
        measure.run(command(RECOVER, f"{store}-recovery"), sandbox.variables, log)
        cost = measure.alone(command(REBUILD, store), sandbox.variables, log)
    return Run(cost, store)


def timeline(store):
    """How long each step took by the journal, in seconds, and in it the effects that are told of by themselves; what was copied."""
    (journal,) = glob.glob(os.path.join(store, "*", "journal.jsonl"))
    with open(journal, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    at = {record["type"]: instant(record["at"]) for record in records if record["type"] in ("header", "ready", "end")}
    called = {record["action"]: record["body"]["call"] for record in records if record["type"] == "intent"}
    begun, over, copied = {}, {}, ""
    for record in records:
        step, action, when = record["step"], record["action"], instant(record["at"])
        if record["type"] == "started":
            begun.setdefault((step, None), when)
            begun.setdefault((step, action), when)
        elif record["type"] in ("outcome", "approved"):
            over[step, None] = over[step, action] = when
            if called.get(action) == "copy":
                copied = record["body"]["detail"].removesuffix(" copied by this attempt")
    if records[-1]["type"] != "end" or records[-1]["body"]["kind"] != "done" or not copied:
        raise measure.Broken(f"{journal}: this rebuild did not rebuild")

    took = {("preflight", None): at["ready"] - at["header"]}
    for step, action in begun:
        told = None if action is None else TOLD.get(called.get(action))
        if action is None or told:
            took[step, told] = took.get((step, told), 0) + over[step, action] - begun[step, action]
    took["all of it", None] = at["end"] - at["header"]
    return took, copied
