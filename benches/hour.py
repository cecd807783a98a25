"""Part seven: what an hour of waiting for DMS costs, on a simulated clock.

The engine's own test waits for a load of which 40 minutes are provisioning and 20 minutes move rows, at several intervals, and
counts what it asks the fake DMS. `cargo` builds and runs it; where there is none, this part is left out.
"""
import os
import re
import shutil
import subprocess

import measure

TEST = ["cargo", "test", "--quiet", "-p", "rbk-core", "--lib"]
NAME = "an_hour_of_waiting_costs_few_calls"
LINE = re.compile(r"an hour of waiting, every (\d+) s: \{(.*)\}")
# What the adapter asks AWS for a look of the engine: the replication and the tags that say whose it is; a page of its tables.
CALLS = {"replication": ["DescribeReplications", "ListTagsForResource"], "table_statistics": ["DescribeReplicationTableStatistics"]}
COUNT = re.compile(r'"(\w+)": (\d+)')


def run(directory):
    """Prints the table."""
    print("## An hour of waiting for a load\n")
    if shutil.which("cargo") is None:
        print("missing: `cargo`, which builds the simulation\n")
        return
    # Built first, so that only the test itself is accounted for.
    built = subprocess.run([*TEST, "--no-run"], cwd=measure.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise measure.Broken(f"`{' '.join(TEST)} --no-run` failed:\n{built.stderr[-3000:]}")
    argv = [*TEST, "--", NAME, "--nocapture"]
    log = os.path.join(directory, "hour.log")
    cost = measure.run(["/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", measure.ROOT, *argv], log=log)
    with open(log, encoding="utf-8") as file:
        waits = {int(every): {call: int(count) for call, count in COUNT.findall(calls)} for every, calls in LINE.findall(file.read())}
    if not waits:
        raise measure.Broken(f"`{' '.join(argv)}` told of no wait")
    rows = []
    for every, asked in waits.items():
        calls = {}
        for question, times in asked.items():
            for operation in CALLS[question]:
                calls[operation] = calls.get(operation, 0) + times
        rows.append([f"every {every} s", *(str(calls.get(operation, 0)) for operations in CALLS.values() for operation in operations), str(sum(calls.values()))])
    measure.table(["looks", *(operation for operations in CALLS.values() for operation in operations), "calls in the hour"], rows)
    print(f"the {len(waits)} hours took {cost.wall:.2f} s: {cost.cpu:.2f} s of CPU with cargo, the fake AWS and no optimisation\n")
