#!/usr/bin/env python3
"""The quick recovery as a boto3 script, as a team would write it: no journal, no plan, no undoing.

Beside rbk in `benches/run recovery`. It finds the sandbox through AWS_ENDPOINT_URL and PGSSLROOTCERT. With `--proofs` it also does
what the runbook proves and awaits: the checks, the freeze, health (at HEALTH_URL), the sessions that left.
"""
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request

import boto3

ORIGINAL, RECOVERY, DATABASE, ROLE = "statistagptdb", "statistagptdb-recovery", "statistagpt", "sgpt_app"
SECRET, POINTER = "rds/statistagptdb_recovery", "sgpt/active_secret_key"
PROOFS = "--proofs" in sys.argv[1:]
DEADLINE = time.monotonic() + 120

rds = boto3.client("rds")
manager = boto3.client("secretsmanager")


def until(condition):
    while not (answer := condition()):
        if time.monotonic() > DEADLINE:
            sys.exit("gave up")
        time.sleep(0.1)
    return answer


def put(secret, **values):
    manager.put_secret_value(SecretId=secret, SecretString=json.dumps({"engine": "postgres", "dbname": DATABASE, **values}))


def psql(address, user, password, sql):
    """What a query answers, or None. Without psql on the machine nothing is asked, and the benchmark says so."""
    if "WITHOUT_PSQL" in os.environ:
        return "t"
    where = f"host={address['Address']} port={address['Port']} dbname={DATABASE} user={user} sslmode=verify-full connect_timeout=5"
    done = subprocess.run(["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", where], input=sql, text=True, check=False,
                          env={**os.environ, "PGPASSWORD": password}, capture_output=True)
    return done.stdout.strip() if done.returncode == 0 else None


def settled():
    instance = rds.describe_db_instances(DBInstanceIdentifier=RECOVERY)["DBInstances"][0]
    return instance if instance["DBInstanceStatus"] == "available" and not instance.get("PendingModifiedValues") else None


snapshots = rds.describe_db_snapshots(DBInstanceIdentifier=ORIGINAL)["DBSnapshots"]
newest = max((s for s in snapshots if s["Status"] == "available"), key=lambda s: s["SnapshotCreateTime"])
rds.restore_db_instance_from_db_snapshot(
    DBInstanceIdentifier=RECOVERY,
    DBSnapshotIdentifier=newest["DBSnapshotIdentifier"],
    DBInstanceClass="db.r6g.large",
    DBSubnetGroupName="statistagpt-db",
    VpcSecurityGroupIds=["sg-0a1b2c3d4e5f60718"],
    DBParameterGroupName="statistagpt-pg16",
    PubliclyAccessible=False,
    MultiAZ=False,
    Tags=[{"Key": "team", "Value": "statistagpt"}, {"Key": "cost-centre", "Value": "4711"}],
)
instance = until(settled)
address, master = instance["Endpoint"], instance["MasterUsername"]
where = {"host": address["Address"], "port": address["Port"], "dbInstanceIdentifier": RECOVERY}

password = secrets.token_hex(16)
rds.modify_db_instance(DBInstanceIdentifier=RECOVERY, MasterUserPassword=password, ApplyImmediately=True)
until(settled)
until(lambda: psql(address, master, password, "SELECT true") == "t")
put(SECRET + "_admin", username=master, password=password, **where)

role_password = secrets.token_hex(16)
if psql(address, master, password, f"ALTER ROLE {ROLE} LOGIN PASSWORD '{role_password}'") is None:
    sys.exit("the role's password could not be set")
if psql(address, ROLE, role_password, "SELECT true") != "t":
    sys.exit("the role can't log in")
put(SECRET, username=ROLE, password=role_password, **where)

if PROOFS:
    checks = """SELECT EXISTS (SELECT FROM public.documents) AND EXISTS (SELECT FROM public.embeddings)
        AND (SELECT max(created_at) > now() - interval '26 hours' FROM public.documents)"""
    if psql(address, master, password, checks) != "t":
        sys.exit("the data isn't right")
    admin = json.loads(manager.get_secret_value(SecretId="rds/statistagptdb_admin")["SecretString"])
    original = {"Address": admin["host"], "Port": admin["port"]}
    ask = lambda sql: psql(original, admin["username"], admin["password"], sql)
    sessions = f"FROM pg_stat_activity WHERE usename = '{ROLE}'"
    ask(f"ALTER ROLE {ROLE} NOLOGIN; SELECT count(pg_terminate_backend(pid)) {sessions}")

manager.put_secret_value(SecretId=POINTER, SecretString=SECRET)


def healthy():
    try:
        with urllib.request.urlopen(os.environ["HEALTH_URL"], timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


if PROOFS:
    until(healthy)
    until(lambda: ask(f"SELECT count(*) = 0 {sessions}") == "t")
