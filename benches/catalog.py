"""Part four: what a schema of many tables costs, when it is read from a database and when runbooks are checked against it."""
import json
import os
import urllib.request

import generate
import measure
from language import in_turn, walls, cpus, write
from measure import Goal, Peer
from recovery import Sandbox

PG_DUMP = Peer("pg_dump", "apt-get install postgresql-client")
SECRET = "bench/master"

ENVIRONMENT = """region = "eu-central-1"
account = "123456789012"

[network]
subnet_group = "bench"
security_groups = ["sg-0a1b2c3d4e5f60718"]

[databases.original]
instance = "bench"
database = "bench"
class = "db.r6g.large"
parameter_group = "default.postgres16"
secret = "bench/master"
retention = "7d"

[drill]
database = "original"
schema = ["schema.sql"]
rows = "rows.sql"
disaster = "lose_instance"
"""

# One runbook that asks the lock file, one that has no use for it.
WITH_LOCK = """runbook "Look"

require original is available

step "Look" {
  assert no drift in original
}
"""
WITHOUT_LOCK = WITH_LOCK.replace("no drift in original", "original accepts connections")


def run(rbk, directory, turns, tables):
    """Prints the tables; gives back the goals."""
    turns = turns or 11
    print(f"pg_dump: {measure.output(['pg_dump', '--version']) if PG_DUMP.there() else PG_DUMP.missing()}\n")
    environment = write(directory, "bench.toml", ENVIRONMENT)
    write(directory, "schema.sql", generate.tables(tables))
    write(directory, "rows.sql", "INSERT INTO bench.t0 (title) SELECT n::text FROM generate_series(:from, :to) n;\n")
    with_lock = write(directory, "with.rbk", WITH_LOCK)
    without_lock = write(directory, "without.rbk", WITHOUT_LOCK)

    dump, without_dump = ["pg_dump", "--schema-only", "--file", os.devnull], None if PG_DUMP.there() else PG_DUMP.missing()
    read = {"rbk env pull --check": [rbk, "env", "pull", "--check", "--env", environment]}
    with Sandbox(rbk, 10, directory, environment) as sandbox:
        measure.run([rbk, "env", "pull", "--env", environment], sandbox.variables)
        variables = {**sandbox.variables, **login(sandbox)}
        if PG_DUMP.there():
            try:
                measure.run(dump, variables)
                read["pg_dump --schema-only"] = dump
            except measure.Broken:
                without_dump = "can't log in to the sandbox's server: older than it, or built without TLS"
        reading, peaks = in_turn(read, turns, variables)
    lock = os.path.join(directory, "bench.lock.toml")
    print(f"## A schema of {tables} tables, {turns} turns; its lock file has {os.path.getsize(lock) / 2**20:.1f} MiB\n")
    check = {
        "rbk check, a runbook that asks the lock file": [rbk, "check", with_lock, "--env", environment],
        "rbk plan, the same": [rbk, "plan", with_lock, "--env", environment],
        "rbk check, one that doesn't": [rbk, "check", without_lock, "--env", environment],
    }
    checking, more = in_turn(check, turns)
    costs, peaks = {**reading, **checking}, {**peaks, **more}
    rows = [[name, measure.milliseconds(walls(of)), measure.milliseconds(cpus(of)), measure.mebibytes(peaks[name])] for name, of in costs.items()]
    missing = [["pg_dump --schema-only", without_dump, "", ""]] if without_dump else []
    measure.table(["whole process", "wall", "CPU", "peak memory"], rows + missing)

    mine = walls(costs["rbk env pull --check"])
    theirs = None if without_dump else walls(costs["pg_dump --schema-only"])
    return [
        Goal(f"`rbk env pull`: {tables} tables beside `pg_dump --schema-only`", 1, measure.ratios(mine, theirs) if theirs else None, "×", without_dump or ""),
        Goal(f"`rbk check`: against a lock of {tables} tables", 0.1, walls(costs["rbk check, a runbook that asks the lock file"]), "ms"),
        Goal(f"`rbk check`: beside a lock of {tables} tables that it doesn't ask", 0.005, walls(costs["rbk check, one that doesn't"]), "ms"),
    ]


def login(sandbox):
    """What libpq needs to log in to the sandbox's database as its master user."""
    request = urllib.request.Request(
        sandbox.endpoint,
        json.dumps({"SecretId": SECRET}).encode(),
        {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "secretsmanager.GetSecretValue",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={sandbox.variables['AWS_ACCESS_KEY_ID']}/20260101/eu-central-1/secretsmanager/aws4_request",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        secret = json.loads(json.load(answer)["SecretString"])
    return {
        "PGHOST": secret["host"],
        "PGPORT": str(secret["port"]),
        "PGDATABASE": secret["dbname"],
        "PGUSER": secret["username"],
        "PGPASSWORD": secret["password"],
        "PGSSLMODE": "verify-full",
    }
