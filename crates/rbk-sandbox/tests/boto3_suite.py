"""What boto3 sees of a sandbox; started by the Rust test `boto3_agrees`.

Each function whose name begins with `test_` is a test. They run in the order of the file, on one
account with the protected instance `orders` and 131 automated snapshots.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import time
import traceback
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
PASSWORD = os.environ["SANDBOX_PASSWORD"]
LATEST = os.environ["SANDBOX_LATEST"]

once = Config(retries={"total_max_attempts": 1})
rds = boto3.client("rds", config=once)
sm = boto3.client("secretsmanager", config=once)
sts = boto3.client("sts", config=once)


def refused(code, call, **arguments):
    """Calls, and gives the error, which must have this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error
    raise AssertionError(f"{arguments} wasn't refused with {code}")


def instance(name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def settled(name):
    """Waits until the instance is available and nothing is pending."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = instance(name)
        if found["DBInstanceStatus"] == "available" and not found["PendingModifiedValues"]:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{name} didn't settle: {found['DBInstanceStatus']}")


def control(method, path, body=""):
    request = urllib.request.Request(ENDPOINT + path, data=body.encode(), method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def log_in(port, password, user="postgres", database="shop"):
    """Logs in with verify-full and SCRAM-SHA-256. Gives the server's refusal, or None."""
    context = ssl.create_default_context(cafile=os.environ["SANDBOX_CA"])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(struct.pack("!II", 8, 80877103))
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            return scram(stream, password, user, database)


def scram(stream, password, user, database):
    def exactly(count):
        data = b""
        while len(data) < count:
            more = stream.recv(count - len(data))
            assert more, "the server closed the connection"
            data += more
        return data

    def receive():
        kind, length = struct.unpack("!cI", exactly(5))
        return kind, exactly(length - 4)

    def send(kind, body):
        stream.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    names = f"user\0{user}\0database\0{database}\0\0".encode()
    send(b"", struct.pack("!I", 196608) + names)
    kind, body = receive()
    assert (kind, body[:4]) == (b"R", struct.pack("!I", 10)), (kind, body)
    nonce = base64.b64encode(os.urandom(18)).decode()
    bare = f"n=,r={nonce}"
    first = f"n,,{bare}".encode()
    send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
    kind, body = receive()
    challenge = body[4:].decode()
    parts = dict(part.split("=", 1) for part in challenge.split(","))
    salt, rounds = base64.b64decode(parts["s"]), int(parts["i"])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={parts['r']}"
    message = f"{bare},{challenge},{final}".encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
    send(b"p", f"{final},p={proof}".encode())
    while True:
        kind, body = receive()
        if kind == b"E":
            return body.decode(errors="replace")
        if kind == b"Z":
            return None


def test_the_caller_is_in_the_account():
    identity = sts.get_caller_identity()
    assert identity["Account"] == os.environ["SANDBOX_ACCOUNT"]
    assert identity["Arn"].startswith(f"arn:aws:iam::{identity['Account']}:")


def test_an_instance_has_the_members_that_clients_need():
    found = instance("ORDERS")
    for member in (
        "DBInstanceIdentifier DbiResourceId DBInstanceArn DBInstanceStatus Engine EngineVersion"
        " DBInstanceClass MasterUsername DBName Endpoint AllocatedStorage StorageType"
        " StorageEncrypted KmsKeyId InstanceCreateTime BackupRetentionPeriod PreferredBackupWindow"
        " LatestRestorableTime MultiAZ AvailabilityZone PubliclyAccessible DeletionProtection"
        " IAMDatabaseAuthenticationEnabled VpcSecurityGroups DBParameterGroups"
        " OptionGroupMemberships DBSubnetGroup PendingModifiedValues CACertificateIdentifier"
        " CopyTagsToSnapshot TagList"
    ).split():
        assert member in found, member
    assert found["Engine"] == "postgres"
    assert found["DBInstanceIdentifier"] == "orders"
    assert found["DeletionProtection"] is True and found["MultiAZ"] is True
    assert "MasterUserSecret" not in found
    by_arn = rds.describe_db_instances(DBInstanceIdentifier=found["DBInstanceArn"])
    assert by_arn["DBInstances"][0]["DbiResourceId"] == found["DbiResourceId"]
    nobody = [{"Name": "db-instance-id", "Values": ["nobody"]}]
    assert rds.describe_db_instances(Filters=nobody)["DBInstances"] == []
    assert log_in(found["Endpoint"]["Port"], PASSWORD) is None
    assert "28P01" in log_in(found["Endpoint"]["Port"], "wrong-Password")


def test_snapshots_come_in_pages_and_without_order():
    pages = list(
        rds.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier="orders", SnapshotType="automated"
        )
    )
    assert [len(page["DBSnapshots"]) for page in pages] == [100, 31]
    found = [snapshot for page in pages for snapshot in page["DBSnapshots"]]
    assert len({snapshot["DBSnapshotIdentifier"] for snapshot in found}) == 131
    times = [s["SnapshotCreateTime"] for s in found if "SnapshotCreateTime" in s]
    assert times != sorted(times) and times != sorted(times, reverse=True)
    unfinished = [s for s in found if s["Status"] == "creating"]
    assert len(unfinished) == 1 and "SnapshotCreateTime" not in unfinished[0]
    usable = [s for s in found if s["Status"] == "available"]
    latest = max(usable, key=lambda snapshot: snapshot["SnapshotCreateTime"])
    assert latest["DBSnapshotIdentifier"] == LATEST
    assert latest["SnapshotDatabaseTime"] <= latest["SnapshotCreateTime"]
    refused("DBSnapshotNotFound", rds.describe_db_snapshots, DBSnapshotIdentifier=LATEST)
    named = rds.describe_db_snapshots(DBSnapshotIdentifier=LATEST, SnapshotType="automated")
    assert len(named["DBSnapshots"]) == 1
    assert rds.describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"] == []


def test_the_automated_backups_have_a_window():
    backup = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="orders")
    (backup,) = backup["DBInstanceAutomatedBackups"]
    assert backup["Status"] == "active"
    assert backup["RestoreWindow"]["EarliestTime"] < backup["RestoreWindow"]["LatestTime"]


def test_groups_are_described():
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="default")["DBSubnetGroups"]
    assert group["VpcId"] and len(group["Subnets"]) == 2
    name = instance("orders")["DBParameterGroups"][0]["DBParameterGroupName"]
    (group,) = rds.describe_db_parameter_groups(DBParameterGroupName=name)["DBParameterGroups"]
    assert name == "default." + group["DBParameterGroupFamily"]


def test_a_restore_takes_what_is_passed_and_rdss_defaults_for_the_rest():
    answer = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="Rec-1",
        DBSnapshotIdentifier=LATEST,
        VpcSecurityGroupIds=["sg-db"],
        DBSubnetGroupName="default",
        PubliclyAccessible=False,
        Tags=[{"Key": "rbk:run", "Value": "r1"}],
    )["DBInstance"]
    assert answer["DBInstanceIdentifier"] == "rec-1"
    assert answer["DBInstanceStatus"] == "creating" and "Endpoint" not in answer
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier="rec-1", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    found = settled("rec-1")
    assert found["DeletionProtection"] is False and found["MultiAZ"] is False
    assert found["IAMDatabaseAuthenticationEnabled"] is False
    assert found["BackupRetentionPeriod"] == 7
    # Tags that are passed replace the source's.
    assert found["TagList"] == [{"Key": "rbk:run", "Value": "r1"}]
    assert found["DbiResourceId"] != instance("orders")["DbiResourceId"]
    assert log_in(found["Endpoint"]["Port"], PASSWORD) is None
    refused(
        "DBInstanceAlreadyExists",
        rds.restore_db_instance_from_db_snapshot,
        DBInstanceIdentifier="rec-1",
        DBSnapshotIdentifier=LATEST,
    )
    events = rds.describe_events(SourceType="db-instance", SourceIdentifier="rec-1")["Events"]
    assert any(event["Message"] == f"Restored from snapshot {LATEST}" for event in events)


def test_a_new_password_replaces_the_old_one():
    answer = rds.modify_db_instance(
        DBInstanceIdentifier="rec-1", MasterUserPassword="second-Password2"
    )["DBInstance"]
    assert answer["DBInstanceStatus"] == "available"
    assert answer["PendingModifiedValues"] == {"MasterUserPassword": "****"}
    port = settled("rec-1")["Endpoint"]["Port"]
    assert log_in(port, "second-Password2") is None
    assert "28P01" in log_in(port, PASSWORD)
    assert log_in(instance("orders")["Endpoint"]["Port"], PASSWORD) is None


def test_pending_values_wait_for_apply_immediately():
    rds.modify_db_instance(DBInstanceIdentifier="rec-1", DBInstanceClass="db.m6g.large")
    found = instance("rec-1")
    assert found["PendingModifiedValues"] == {"DBInstanceClass": "db.m6g.large"}
    assert found["DBInstanceClass"] == "db.t4g.medium"
    rds.modify_db_instance(
        DBInstanceIdentifier="rec-1", BackupRetentionPeriod=3, ApplyImmediately=True
    )
    found = settled("rec-1")
    assert found["DBInstanceClass"] == "db.m6g.large" and found["BackupRetentionPeriod"] == 3


def test_a_reboot_comes_back():
    assert rds.reboot_db_instance(DBInstanceIdentifier="rec-1")["DBInstance"][
        "DBInstanceStatus"
    ] == "rebooting"
    refused("InvalidDBInstanceState", rds.reboot_db_instance, DBInstanceIdentifier="rec-1")
    assert log_in(settled("rec-1")["Endpoint"]["Port"], "second-Password2") is None


def test_a_manual_snapshot_is_made_restored_and_deleted():
    answer = rds.create_db_snapshot(
        DBInstanceIdentifier="rec-1", DBSnapshotIdentifier="Before-Repair"
    )["DBSnapshot"]
    assert answer["Status"] == "creating" and "SnapshotCreateTime" not in answer
    refused(
        "InvalidDBInstanceState",
        rds.create_db_snapshot,
        DBInstanceIdentifier="rec-1",
        DBSnapshotIdentifier="another",
    )
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier="before-repair", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    settled("rec-1")
    refused(
        "DBSnapshotAlreadyExists",
        rds.create_db_snapshot,
        DBInstanceIdentifier="rec-1",
        DBSnapshotIdentifier="before-repair",
    )
    deleted = rds.delete_db_snapshot(DBSnapshotIdentifier="before-repair")["DBSnapshot"]
    assert deleted["DBSnapshotIdentifier"] == "before-repair"
    refused(
        "DBSnapshotNotFound", rds.delete_db_snapshot, DBSnapshotIdentifier="before-repair"
    )


def test_tags_are_added_listed_and_removed():
    arn = instance("rec-1")["DBInstanceArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "owner", "Value": "a b"}])
    tags = rds.list_tags_for_resource(ResourceName=arn)["TagList"]
    assert {"Key": "owner", "Value": "a b"} in tags
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["owner"])
    assert len(rds.list_tags_for_resource(ResourceName=arn)["TagList"]) == 1
    snapshot = rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"][0]
    tags = rds.list_tags_for_resource(ResourceName=snapshot["DBSnapshotArn"])["TagList"]
    assert tags == [{"Key": "team", "Value": "shop"}]


def test_deletions_have_their_rules():
    error = refused(
        "InvalidParameterCombination",
        rds.delete_db_instance,
        DBInstanceIdentifier="orders",
        SkipFinalSnapshot=True,
    )
    assert "disable deletion protection" in str(error)
    refused("InvalidParameterCombination", rds.delete_db_instance, DBInstanceIdentifier="rec-1")
    refused(
        "InvalidParameterCombination",
        rds.delete_db_instance,
        DBInstanceIdentifier="rec-1",
        SkipFinalSnapshot=True,
        FinalDBSnapshotIdentifier="fin",
    )
    answer = rds.delete_db_instance(DBInstanceIdentifier="rec-1", FinalDBSnapshotIdentifier="fin")
    assert answer["DBInstance"]["DBInstanceStatus"] == "deleting"
    error = refused(
        "InvalidDBInstanceState",
        rds.delete_db_instance,
        DBInstanceIdentifier="rec-1",
        SkipFinalSnapshot=True,
    )
    assert "is already being deleted" in str(error)
    rds.get_waiter("db_instance_deleted").wait(
        DBInstanceIdentifier="rec-1", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    (final,) = rds.describe_db_snapshots(DBSnapshotIdentifier="fin")["DBSnapshots"]
    assert final["SnapshotType"] == "manual" and final["Status"] == "available"


def test_an_unknown_operation_is_an_invalid_action():
    error = refused(
        "InvalidAction",
        rds.create_db_instance_read_replica,
        SourceDBInstanceIdentifier="orders",
        DBInstanceIdentifier="replica",
    )
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_instance_is_restored_to_a_point_in_time():
    backup = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="orders")
    (backup,) = backup["DBInstanceAutomatedBackups"]
    window = backup["RestoreWindow"]
    latest = instance("orders")["LatestRestorableTime"]
    assert latest >= window["LatestTime"]
    source = dict(SourceDBInstanceIdentifier="orders", TargetDBInstanceIdentifier="pit")
    point = rds.restore_db_instance_to_point_in_time
    hour = datetime.timedelta(hours=1)
    for wrong in (window["EarliestTime"] - hour, latest + hour):
        refused("InvalidParameterValue", point, RestoreTime=wrong, **source)
    combination = "InvalidParameterCombination"
    refused(combination, point, **source)
    refused(combination, point, RestoreTime=latest, UseLatestRestorableTime=True, **source)
    missing = dict(source, SourceDBInstanceIdentifier="nobody")
    refused("DBInstanceNotFound", point, UseLatestRestorableTime=True, **missing)
    # boto3 sends whole seconds, so the next one is waited for.
    at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    at += datetime.timedelta(seconds=1)
    deadline = time.monotonic() + 30
    while instance("orders")["LatestRestorableTime"] < at:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    tags = [{"Key": "team", "Value": "recovery"}]
    begun = point(RestoreTime=at, Tags=tags, VpcSecurityGroupIds=["sg-db"], **source)["DBInstance"]
    assert begun["DBInstanceStatus"] == "creating" and begun["TagList"] == tags
    assert begun["MultiAZ"] is False and begun["DeletionProtection"] is False
    refused("DBInstanceAlreadyExists", point, UseLatestRestorableTime=True, **source)
    assert settled("pit")["VpcSecurityGroups"][0]["VpcSecurityGroupId"] == "sg-db"
    # An instance of its own, without a window until its first backup.
    own = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="pit")
    assert own["DBInstanceAutomatedBackups"][0]["Status"] == "creating"


def test_the_account_tells_its_quotas_and_roles():
    quotas = rds.describe_account_attributes()["AccountQuotas"]
    quotas = {quota["AccountQuotaName"]: quota for quota in quotas}
    assert quotas["DBInstances"]["Max"] == 40 and quotas["DBInstances"]["Used"] >= 1
    iam = boto3.client("iam", config=once)
    role = iam.get_role(RoleName="dms-vpc-role")["Role"]
    assert role["Arn"].endswith(":role/dms-vpc-role")
    statement = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert statement["Principal"]["Service"] == "dms.amazonaws.com"
    refused("NoSuchEntity", iam.get_role, RoleName="nobody")


def test_throttled_reads_are_retried_by_the_sdk():
    control("POST", "/_sandbox/faults", "DescribeDBInstances:1-2:throttle")
    patient = boto3.client("rds", config=Config(retries={"mode": "standard", "max_attempts": 3}))
    answer = patient.describe_db_instances()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    control("POST", "/_sandbox/faults", "DescribeDBInstances:1:throttle")
    refused("Throttling", rds.describe_db_instances)


def test_a_secret_is_switched_by_compare_and_swap():
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    sm.create_secret(Name="rds/shop", SecretString="one", ClientRequestToken=first)
    refused("ResourceExistsException", sm.create_secret, Name="rds/shop", SecretString="two")
    assert sm.get_secret_value(SecretId="rds/shop")["SecretString"] == "one"
    put = dict(SecretId="rds/shop", ClientRequestToken=second, VersionStages=["RBK-1"])
    sm.put_secret_value(SecretString="two", **put)
    assert sm.put_secret_value(SecretString="two", **put)["VersionId"] == second
    refused("ResourceExistsException", sm.put_secret_value, SecretString="three", **put)
    assert sm.get_secret_value(SecretId="rds/shop")["SecretString"] == "one"
    labelled = sm.get_secret_value(SecretId="rds/shop", VersionStage="RBK-1")
    assert labelled["SecretString"] == "two"
    move = dict(SecretId="rds/shop", VersionStage="AWSCURRENT", MoveToVersionId=second)
    error = refused("InvalidParameterException", sm.update_secret_version_stage, **move)
    assert f"currently attached to version {first}" in str(error)
    refused(
        "InvalidParameterException",
        sm.update_secret_version_stage,
        RemoveFromVersionId=second,
        **move,
    )
    sm.update_secret_version_stage(RemoveFromVersionId=first, **move)
    described = sm.describe_secret(SecretId="rds/shop")
    assert sorted(described["VersionIdsToStages"][second]) == ["AWSCURRENT", "RBK-1"]
    assert described["VersionIdsToStages"][first] == ["AWSPREVIOUS"]
    assert isinstance(described["CreatedDate"], datetime.datetime)
    by_arn = sm.get_secret_value(SecretId=described["ARN"])
    assert by_arn["SecretString"] == "two" and by_arn["VersionId"] == second
    previous = sm.get_secret_value(SecretId="rds/shop", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "one"
    versions = sm.list_secret_version_ids(SecretId="rds/shop")["Versions"]
    assert len(versions) == 2
    assert [s["Name"] for s in sm.list_secrets()["SecretList"]] == ["rds/shop"]


def test_a_deleted_secret_can_be_restored():
    sm.delete_secret(SecretId="rds/shop", RecoveryWindowInDays=7)
    refused("InvalidRequestException", sm.get_secret_value, SecretId="rds/shop")
    refused("InvalidRequestException", sm.create_secret, Name="rds/shop", SecretString="x")
    assert "DeletedDate" in sm.describe_secret(SecretId="rds/shop")
    sm.restore_secret(SecretId="rds/shop")
    sm.tag_resource(SecretId="rds/shop", Tags=[{"Key": "k", "Value": "v"}])
    assert sm.describe_secret(SecretId="rds/shop")["Tags"] == [{"Key": "k", "Value": "v"}]
    error = refused("ResourceNotFoundException", sm.get_secret_value, SecretId="nope")
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_the_ledger_has_each_effect_once_and_no_secret():
    ledger = control("GET", "/_sandbox/ledger")
    assert [effect["sequence"] for effect in ledger] == list(range(1, len(ledger) + 1))
    restores = [e for e in ledger if e["operation"] == "RestoreDBInstanceFromDBSnapshot"]
    assert [effect["target"] for effect in restores] == ["rec-1"]
    puts = [effect for effect in ledger if effect["operation"] == "PutSecretValue"]
    assert len(puts) == 1 and puts[0]["client_request"]
    assert not any(effect["operation"].startswith(("Describe", "Get", "List")) for effect in ledger)
    assert "second-Password2" not in json.dumps(ledger)


def main():
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print("ok    ", name)
        except Exception:
            failed += 1
            print("FAILED", name)
            traceback.print_exc(file=None)
    raise SystemExit(1 if failed else 0)


main()
