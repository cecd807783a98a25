"""Part two: what the quick recovery costs on the side of the one who recovers.

Each run has a fresh sandbox with the same data. The sandbox counts the calls and how long it was itself busy with them and with
its databases; a run's own wall clock is what is left.
"""
import datetime
import glob
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request

import measure
from language import ENVIRONMENT, RUNBOOKS
from measure import Goal, Peer

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
AWS = Peer("aws", "pip install awscli")
PSQL = Peer("psql", "apt-get install postgresql-client")
BOTO3 = "pip install boto3"
POINTER = "sgpt/active_secret_key"
PROOFS = ", with the runbook's proofs"


def run(rbk, directory, turns, rows):
    """Prints the tables; gives back the goals."""
    turns = turns or 7
    boto3 = measure.output([sys.executable, "-c", "import boto3; print('boto3', boto3.__version__)"])
    has_boto3 = boto3.startswith("boto3 ")
    print(f"boto3: {boto3 if has_boto3 else f'missing for {sys.executable}: `{BOTO3}`'}")
    print(f"aws: {measure.output(['aws', '--version']) if AWS.there() else AWS.missing()}")
    print(f"psql: {measure.output(['psql', '--version']) if PSQL.there() else PSQL.missing() + '; the peers skip their logins'}\n")

    store = os.path.join(directory, "journals")
    python, bash = [sys.executable, os.path.join(PEERS, "recover.py")], ["bash", os.path.join(PEERS, "recover.sh")]
    shipped = os.path.join(RUNBOOKS, "quick-recovery.rbk")
    methods = {"rbk run": [rbk, "run", shipped, "--env", ENVIRONMENT, "--approve", "all", "--store", store]}
    missing = []
    for name, argv, there, install in (("aws in bash", bash, AWS.there(), AWS.missing()), ("boto3", python, has_boto3, f"missing: `{BOTO3}`")):
        if there:
            methods[name] = argv
            if PSQL.there():
                methods[name + PROOFS] = [*argv, "--proofs"]
        else:
            missing.append([name, install, "", "", "", "", "", ""])

    # A first turn for the memory, which also fills the page cache.
    rehearsed = {name: once(rbk, rows, directory, argv, measured=measure.peak) for name, argv in methods.items()}
    runs = {name: [] for name in methods}
    shutil.rmtree(store)
    for _ in range(turns):
        for name, argv in methods.items():
            runs[name].append(once(rbk, rows, directory, argv, measured=measure.run))

    print(f"## The quick recovery, {turns} turns, {rows} rows\n")
    table = []
    for name, of in runs.items():
        own = [each.own for each in of]
        beside = measure.times(measure.ratios(own, [each.own for each in runs["boto3"]])) if "boto3" in runs and name != "boto3" else ""
        table.append([
            name,
            measure.seconds([each.cost.wall for each in of]),
            measure.seconds([each.busy for each in of]),
            measure.seconds(own),
            beside,
            measure.milliseconds([each.cost.cpu for each in of]),
            measure.count([sum(each.calls.values()) for each in of]),
            measure.mebibytes([rehearsed[name].cost]),
        ])
    measure.table(["", "wall", "sandbox busy", "own wall", "beside boto3", "CPU", "calls", "largest process"], table + missing)

    print("API calls by operation, median\n")
    operations = sorted({operation for of in runs.values() for each in of for operation in each.calls})
    median = lambda name, operation: measure.statistics.median(each.calls.get(operation, 0) for each in runs[name])
    measure.table(["", *runs], [[operation, *(f"{median(name, operation):.0f}" for name in runs)] for operation in operations])

    print("Where `rbk run` is, by its journals\n")
    took, summaries, watched = timeline(store)
    measure.table(["action", "", "wall"], [[action, textwrap.shorten(summaries[action], 80, placeholder=" …"), measure.milliseconds(each)] for action, each in took.items()])

    mine = runs["rbk run"]
    own = [each.own for each in mine]
    unwatched = [wall - watch for wall, watch in zip(own, watched, strict=True)]
    goals = []
    for walls, without in ((own, ""), (unwatched, " without the freeze, which it watches for seconds")):
        theirs = [each.own for each in runs.get("boto3", [])]
        goals.append(Goal(f"`rbk run`: own wall{without}, beside boto3", 0.2, measure.ratios(walls, theirs) if theirs else None, "×", f"missing: `{BOTO3}`"))
    goals.append(Goal("`rbk run`: CPU", 0.1, [each.cost.cpu for each in mine], "ms"))
    memory = rehearsed["rbk run"].cost
    goals.append(Goal("`rbk run`: peak memory", 40, [memory] if memory else None, "MiB"))
    goals.append(Goal("`rbk run`: API calls, those of the declared proofs among them", 5, [sum(each.calls.values()) for each in mine], ""))
    return goals


def timeline(store):
    """How long each action took, a list in the order of the runs; what each does; how long each run watched its freeze."""
    took, watched = {}, []
    summaries = {"preflight": "what is read and proven before the first effect"}
    for journal in sorted(glob.glob(os.path.join(store, "*", "journal.jsonl"))):
        with open(journal, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        at = {(record["action"], record["type"]): instant(record["at"]) for record in records}
        spent = {"preflight": at[None, "ready"] - at[None, "header"]}
        for action, kind in at:
            if kind == "started":
                spent[action] = (at.get((action, "outcome")) or at[action, "approved"]) - at[action, "started"]
        for action, seconds in spent.items():
            took.setdefault(action, []).append(seconds)
        watched.append(sum(spent[record["action"]] for record in records if record["type"] == "intent" and record["body"]["call"] == "freeze writes"))
        with open(os.path.join(os.path.dirname(journal), "plan.json"), encoding="utf-8") as file:
            summaries.update({action["id"]: action["summary"] for step in json.load(file)["steps"] for action in step["actions"]})
    return took, summaries, watched


def instant(text):
    """Seconds, from RFC 3339 in UTC with nanoseconds."""
    return datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


class Run:
    """One recovery: its cost (or, where memory was measured, its peak), and what the sandbox counted meanwhile."""

    def __init__(self, cost, before, after):
        self.cost = cost
        self.busy = busy(after) - busy(before)
        calls = {operation: count["calls"] - before["operations"].get(operation, {"calls": 0})["calls"] for operation, count in after["operations"].items()}
        self.calls = {operation: count for operation, count in calls.items() if count}

    @property
    def own(self):
        return max(self.cost.wall - self.busy, 0.001)


def busy(stats):
    return stats["busy"]["secs"] + stats["busy"]["nanos"] / 1e9


def once(rbk, rows, directory, argv, measured):
    """A recovery in a sandbox of its own."""
    log = os.path.join(directory, "recovery.log")
    open(log, "wb").close()
    with Sandbox(rbk, rows, directory) as sandbox:
        before = sandbox.get("stats")
        cost = measured(argv, sandbox.variables, log)
        after = sandbox.get("stats")
        effects = sandbox.get("ledger")
    restored = [effect for effect in effects if effect["operation"] == "RestoreDBInstanceFromDBSnapshot"]
    if len(restored) != 1 or effects[-1]["target"] != POINTER:
        raise measure.Broken(f"`{' '.join(argv)}` did not recover: {effects}")
    return Run(cost, before, after)


class Sandbox:
    """`rbk sandbox up` as a child of this process, gone when left."""

    START = 180  # seconds; the first one on a machine brings PostgreSQL
    STOP = 30

    def __init__(self, rbk, rows, directory, environment=ENVIRONMENT):
        self.argv = [rbk, "sandbox", "up", "--env", environment, "--pace", "fast", "--rows", str(rows)]
        self.log = os.path.join(directory, "sandbox.log")

    def __enter__(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG", "RBK_", "DATABASE_URL"))}
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(self.argv, env=clean, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        try:
            exports = self.exports()
            self.endpoint = exports["AWS_ENDPOINT_URL"]
            self.manifest = exports["RBK_SANDBOX"]
            with open(self.manifest, encoding="utf-8") as file:
                overlay = json.load(file)["overlay"]
        except BaseException:
            self.__exit__()
            raise
        self.variables = {
            **clean,
            **exports,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PGSSLROOTCERT": overlay["ca"],
            "HEALTH_URL": overlay["health"].get("sgpt", ""),
            **({} if PSQL.there() else {"WITHOUT_PSQL": "1"}),
        }
        return self

    def exports(self):
        """The variables of its `export` lines; `RBK_SANDBOX` is the last."""
        text, until = b"", time.monotonic() + self.START
        while not any(line.startswith(b"export RBK_SANDBOX=") for line in text.split(b"\n")[:-1]):
            ready, _, _ = select.select([self.child.stdout], [], [], max(until - time.monotonic(), 0))
            more = os.read(self.child.stdout.fileno(), 65536) if ready else b""
            if not more:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    raise measure.Broken(f"`{' '.join(self.argv)}` did not get ready:\n{log.read()[-3000:]}")
            text += more
        lines = [shlex.split(line) for line in text.decode().splitlines() if line.startswith("export ")]
        return dict(words[1].split("=", 1) for words in lines)

    def get(self, what):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.endpoint}/_sandbox/{what}", timeout=10) as answer:
            return json.load(answer)

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(self.STOP)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise measure.Broken("the sandbox did not end on Ctrl-C") from None
        finally:
            self.child.stdout.close()
        if os.path.exists(getattr(self, "manifest", "")):
            raise measure.Broken(f"the sandbox left {self.manifest} behind")
