"""Part one: how quickly a runbook is read, checked, planned and laid out.

Goals are judged by wall clock. Everything measured here has one thread, so that ratios of CPU time say the same with less noise.
"""
import os
import time

import generate
import measure
from measure import Goal, Peer

JUST = Peer("just", "cargo install just")
CEDAR = Peer("cedar", "cargo install cedar-policy-cli")
SIZES = [1_000, 10_000, 100_000]
MEMORY_TURNS = 3
RUNBOOKS = os.path.join(measure.ROOT, "runbooks")
# Production protects its original, so that one of the shipped runbooks is refused there; here all are right.
UNPROTECTED = os.path.join(RUNBOOKS, "environments", "stage.toml")
ENVIRONMENT = os.path.join(RUNBOOKS, "environments", "prod.toml")


def run(rbk, directory, turns):
    """Prints the tables; gives back the goals."""
    for peer in (JUST, CEDAR):
        print(f"{peer.name}: {measure.output([peer.name, '--version']) if peer.there() else peer.missing()}")
    print()
    goals = start_up(rbk, directory, turns or 41)
    shipped(rbk, turns or 41)
    return goals + sizes(rbk, directory, turns or 7) + layouts(rbk, directory, turns or 7)


def in_turn(commands, turns, environment=None):
    """Each command's costs, one a turn, and its memory."""
    for argv in commands.values():
        measure.run(argv, environment)  # the files are in the page cache from here on
    costs = {name: [] for name in commands}
    for _ in range(turns):
        for name, argv in commands.items():
            costs[name].append(measure.run(argv, environment))
    peaks = {name: [measure.peak(argv, environment) for _ in range(MEMORY_TURNS)] for name, argv in commands.items()}
    return costs, peaks


def start_up(rbk, directory, turns):
    """Whole processes on small files."""
    shipped = os.path.join(RUNBOOKS, "quick-recovery.rbk")
    commands = {
        "rbk check, the shipped runbook": [rbk, "check", shipped, "--env", ENVIRONMENT],
        "rbk plan, the shipped runbook": [rbk, "plan", shipped, "--env", ENVIRONMENT],
        "rbk --version": [rbk, "--version"],
    }
    missing = []
    if JUST.there():
        tiny = write(directory, "tiny.just", generate.justfile(10))
        commands["just --summary, 10 lines"] = ["just", "--justfile", tiny, "--summary"]
    else:
        missing.append(["just --summary, 10 lines", JUST.missing(), "", ""])
    if CEDAR.there():
        tiny = write(directory, "tiny.cedar", generate.policies(10))
        schema = write(directory, "cedarschema", generate.CEDAR_SCHEMA)
        commands["cedar validate, 10 lines"] = ["cedar", "validate", "--policies", tiny, "--schema", schema]
        commands["cedar --version"] = ["cedar", "--version"]
    else:
        missing.append(["cedar validate, 10 lines", CEDAR.missing(), "", ""])

    costs, peaks = in_turn(commands, turns)
    print(f"## Start-up, {turns} turns\n")
    rows = [[name, measure.milliseconds(walls(of)), measure.milliseconds(cpus(of)), measure.mebibytes(peaks[name])] for name, of in costs.items()]
    measure.table(["whole process", "wall", "CPU", "peak memory"], rows + missing)
    return [
        Goal(f"`rbk {what}`: start-up", 0.005, walls(costs[f"rbk {what}, the shipped runbook"]), "ms")
        for what in ("check", "plan")
    ]


def sizes(rbk, directory, turns):
    """Generated files of 1k, 10k and 100k lines."""
    commands = {}
    for lines in SIZES:
        runbook = write(directory, f"{lines}.rbk", generate.runbook(lines))
        commands["rbk check", lines] = [rbk, "check", runbook, "--env", ENVIRONMENT]
        commands["rbk plan", lines] = [rbk, "plan", runbook, "--env", ENVIRONMENT]
        if JUST.there():
            justfile = write(directory, f"{lines}.just", generate.justfile(lines))
            commands["just --summary", lines] = ["just", "--justfile", justfile, "--summary"]
        if CEDAR.there():
            policies = write(directory, f"{lines}.cedar", generate.policies(lines))
            schema = write(directory, "cedarschema", generate.CEDAR_SCHEMA)
            commands["cedar validate", lines] = ["cedar", "validate", "--policies", policies, "--schema", schema]
    begun = time.monotonic()
    costs, peaks = in_turn(commands, turns)
    print(f"## Generated files, {turns} turns ({time.monotonic() - begun:.0f} s)\n")

    rows = []
    for tool in ("rbk check", "rbk plan", "just --summary", "cedar validate"):
        peer = {"just --summary": JUST, "cedar validate": CEDAR}.get(tool)
        if peer and not peer.there():
            rows.append([tool, "", peer.missing(), *[""] * 7])
            continue
        for lines in SIZES:
            mine = walls(costs[tool, lines])
            smaller = costs.get((tool, lines // 10))
            beside = [measure.times(measure.ratios(of(costs[tool, lines]), of(costs[other, lines]))) if (other, lines) in costs and other != tool else ""
                      for other in ("just --summary", "cedar validate") for of in (walls, cpus)]
            rows.append([
                tool,
                f"{lines // 1000}k",
                measure.milliseconds(mine),
                measure.milliseconds(cpus(costs[tool, lines])),
                measure.mebibytes(peaks[tool, lines]),
                measure.times(measure.ratios(mine, walls(smaller))) if smaller else "",
                *beside,
            ])
    measure.table(["", "lines", "wall", "CPU", "peak memory", "of a tenth", "beside just", "by CPU", "beside cedar", "by CPU"], rows)

    goals = []
    for tool in ("rbk check", "rbk plan"):
        mine = walls(costs[tool, 10_000])
        for name, other, bar, peer in (("`just --summary`", "just --summary", 2, JUST), ("`cedar validate`", "cedar validate", 0.3, CEDAR)):
            theirs = costs.get((other, 10_000))
            measured = measure.ratios(mine, walls(theirs)) if theirs else None
            goals.append(Goal(f"`{tool}`: 10k lines beside {name}", bar, measured, "×", peer.missing()))
        memory = [value for value in peaks[tool, 10_000] if value is not None]
        goals.append(Goal(f"`{tool}`: 10k lines, peak memory", 50, memory, "MiB"))
        growth = measure.ratios(walls(costs[tool, 100_000]), mine)
        goals.append(Goal(f"`{tool}`: 100k lines beside 10k", 12, growth, "×"))
    return goals


def shipped(rbk, turns):
    """All shipped runbooks in one process, as a pipeline checks them."""
    files = sorted(os.path.join(RUNBOOKS, name) for name in os.listdir(RUNBOOKS) if name.endswith(".rbk"))
    commands = {
        f"rbk check, all {len(files)} shipped runbooks": [rbk, "check", *files, "--env", UNPROTECTED],
        f"rbk fmt --check, all {len(files)} shipped runbooks": [rbk, "fmt", "--check", RUNBOOKS],
    }
    costs, peaks = in_turn(commands, turns)
    print(f"## All shipped runbooks, {turns} turns\n")
    rows = [[name, measure.milliseconds(walls(of)), measure.milliseconds(cpus(of)), measure.mebibytes(peaks[name])] for name, of in costs.items()]
    measure.table(["whole process", "wall", "CPU", "peak memory"], rows)


def layouts(rbk, directory, turns):
    """Generated files, laid out. Each tool reads the file, lays all of it out and prints the result or compares it; rbk reads
    its result once more."""
    commands = {}
    for lines in SIZES[1:]:
        runbook = write(directory, f"{lines}-neat.rbk", generate.runbook(lines))
        measure.run([rbk, "fmt", runbook])
        commands["rbk fmt --check", lines] = [rbk, "fmt", "--check", runbook]
        if JUST.there():
            justfile = write(directory, f"{lines}.just", generate.justfile(lines))
            commands["just --dump", lines] = ["just", "--justfile", justfile, "--dump"]
        # Its time grows with the square of the text: a quarter of an hour for 100,000 lines.
        if CEDAR.there() and lines <= 10_000:
            policies = write(directory, f"{lines}.cedar", generate.policies(lines))
            commands["cedar format", lines] = ["cedar", "format", "--policies", policies]
    costs, peaks = in_turn(commands, turns)
    print(f"## Generated files laid out, {turns} turns\n")
    rows = []
    for tool, peer in (("rbk fmt --check", None), ("just --dump", JUST), ("cedar format", CEDAR)):
        if peer and not peer.there():
            rows.append([tool, "", peer.missing(), *[""] * 5])
            continue
        for lines in SIZES[1:]:
            if (tool, lines) not in costs:
                continue
            mine = walls(costs[tool, lines])
            smaller = costs.get((tool, lines // 10))
            beside = [measure.times(measure.ratios(mine, walls(costs[other, lines]))) if (other, lines) in costs and other != tool else ""
                      for other in ("just --dump", "cedar format")]
            rows.append([
                tool,
                f"{lines // 1000}k",
                measure.milliseconds(mine),
                measure.milliseconds(cpus(costs[tool, lines])),
                measure.mebibytes(peaks[tool, lines]),
                measure.times(measure.ratios(mine, walls(smaller))) if smaller else "",
                *beside,
            ])
    measure.table(["", "lines", "wall", "CPU", "peak memory", "of a tenth", "beside just", "beside cedar"], rows)
    growth = measure.ratios(walls(costs["rbk fmt --check", SIZES[-1]]), walls(costs["rbk fmt --check", SIZES[-2]]))
    return [Goal("`rbk fmt`: 100k lines beside 10k", 12, growth, "×")]


def walls(costs):
    return [cost.wall for cost in costs]


def cpus(costs):
    return [cost.cpu for cost in costs]


def write(directory, name, text):
    """A file's path."""
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path
