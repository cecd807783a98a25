"""What boto3 sees of the sandbox's DMS; started by the Rust test `boto3_and_dms_agree`.

Each function whose name begins with `test_` is a test. They run in the order of the file, on one
account with the databases `rec` (50 customers, 500 items) and `orders` (the same tables, empty).

Every answer is held against botocore's service model: a member that the operation's shape doesn't
have, a member of the wrong type, or an error that the operation doesn't have fails the suite.
"""

import datetime
import json
import os
import time
import traceback
import urllib.request

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
PASSWORD = os.environ["SANDBOX_PASSWORD"]
PREFIX = f"arn:aws:dms:{os.environ['AWS_REGION']}:{os.environ['SANDBOX_ACCOUNT']}:"

# Errors that any operation may answer with; the model doesn't list them.
COMMON = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "InternalFailure",
    "InvalidParameterCombinationException",
    "InvalidParameterValueException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnknownOperationException",
    "ValidationException",
}
MODEL = botocore.session.get_session().get_service_model("dms")
answered, refusals, faults = set(), set(), []


def conform(value, shape, path):
    """Raises if a JSON value isn't what the shape says, unknown members included."""
    kinds = {
        "boolean": bool,
        "double": (int, float),
        "float": (int, float),
        "integer": int,
        "list": list,
        "long": int,
        "string": str,
        "structure": dict,
        "timestamp": (int, float),
    }
    kind = kinds[shape.type_name]
    right = isinstance(value, kind) and (shape.type_name == "boolean" or value is not True is not False)
    assert right, f"{path} is no {shape.type_name}: {value!r}"
    if shape.type_name == "structure":
        for name, member in value.items():
            assert name in shape.members, f"{path} has no member {name}"
            conform(member, shape.members[name], f"{path}.{name}")
        for name in shape.required_members:
            assert name in value, f"{path} lacks {name}"
    if shape.type_name == "list":
        for number, member in enumerate(value):
            conform(member, shape.member, f"{path}[{number}]")


def compare(http_response, model, **_):
    """Holds an answer against the model, before botocore makes anything of it."""
    try:
        body = json.loads(http_response.content)
        headers = http_response.headers
        assert headers["content-type"] == "application/x-amz-json-1.1", headers
        assert headers["x-amzn-requestid"], headers
        if http_response.status_code == 200:
            conform(body, model.output_shape, model.name)
            answered.add(model.name)
            return
        code = body["__type"]
        assert set(body) == {"__type", "message"} and isinstance(body["message"], str), body
        assert headers["x-amzn-errortype"] == code, headers
        own = {shape.name for shape in model.error_shapes}
        assert code in own | COMMON, f"{model.name} has no error {code}"
        assert http_response.status_code == {"InternalFailure": 500, "ServiceUnavailableException": 503}.get(code, 400)
        refusals.add((model.name, code))
    except Exception:
        faults.append(traceback.format_exc())


dms = boto3.client("dms", config=Config(retries={"total_max_attempts": 1}))
dms.meta.events.register("after-call.dms", compare)


def refused(code, call, **arguments):
    """Calls, and gives the error's message, which must have this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{arguments} wasn't refused with {code}")


def control(method, path, body=""):
    request = urllib.request.Request(ENDPOINT + path, data=body.encode(), method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def by(name, *values):
    return [{"Name": name, "Values": list(values)}]


def settings(**metadata):
    return json.dumps(
        {
            "TargetMetadata": {"FullLobMode": True, "LimitedSizeLobMode": False, **metadata},
            "FullLoadSettings": {"TargetTablePrepMode": "DO_NOTHING"},
            "ControlTablesSettings": {"ControlSchema": "rbk"},
            "Logging": {"EnableLogging": True},
        }
    )


def rule(number, table, action="include"):
    return {
        "rule-type": "selection",
        "rule-id": str(number),
        "rule-name": str(number),
        "object-locator": {"schema-name": "public", "table-name": table},
        "rule-action": action,
        "filters": [],
    }


MAPPINGS = json.dumps({"rules": [rule(1, "%"), rule(2, "databasechangelog", "exclude")]})
ARN = {}


def wanted(**changes):
    return {
        "ReplicationConfigIdentifier": "rbk-r1-load",
        "ResourceIdentifier": "rbk-r1-load",
        "SourceEndpointArn": ARN["source"],
        "TargetEndpointArn": ARN["target"],
        "ComputeConfig": {
            "MaxCapacityUnits": 4,
            "MinCapacityUnits": 1,
            "MultiAZ": False,
            "ReplicationSubnetGroupId": "default",
            "VpcSecurityGroupIds": ["sg-dms"],
        },
        "ReplicationType": "full-load",
        "TableMappings": MAPPINGS,
        "ReplicationSettings": settings(),
        "Tags": [{"Key": "rbk:run", "Value": "r1"}],
        **changes,
    }


def replication():
    filters = by("replication-config-arn", ARN["config"])
    return dms.describe_replications(Filters=filters)["Replications"][0]


def until(status):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = replication()
        if found["Status"] == status:
            return found
        time.sleep(0.01)
    raise AssertionError(f"the replication is {found['Status']}, never {status}")


def start(kind):
    return dms.start_replication(ReplicationConfigArn=ARN["config"], StartReplicationType=kind)


def test_endpoints_are_made_and_found():
    for kind, port in (("source", "SANDBOX_SOURCE"), ("target", "SANDBOX_TARGET")):
        made = dms.create_endpoint(
            EndpointIdentifier=f"rbk-r1-{kind}",
            EndpointType=kind,
            EngineName="postgres",
            SslMode="require",
            DatabaseName="shop",
            ResourceIdentifier=f"rbk-r1-{kind}",
            PostgreSQLSettings={
                "ServerName": "127.0.0.1",
                "Port": int(os.environ[port]),
                "DatabaseName": "shop",
                "Username": "postgres",
                "Password": PASSWORD,
                "CaptureDdls": False,
                "AfterConnectScript": "SET session_replication_role='replica'",
            },
            Tags=[{"Key": "rbk:run", "Value": "r1"}],
        )["Endpoint"]
        ARN[kind] = made["EndpointArn"]
        assert made["EndpointArn"] == f"{PREFIX}endpoint:rbk-r1-{kind}"
        assert made["Status"] == "active"
        assert made["PostgreSQLSettings"]["CaptureDdls"] is False
        assert "Password" not in made["PostgreSQLSettings"]
    for filters, count in (
        (by("endpoint-id", "rbk-r1-source"), 1),
        (by("endpoint-arn", ARN["target"]), 1),
        (by("endpoint-type", "source", "target"), 2),
        (by("engine-name", "postgres") + by("endpoint-type", "source"), 1),
    ):
        assert len(dms.describe_endpoints(Filters=filters)["Endpoints"]) == count, filters
    refused("ResourceNotFoundFault", dms.describe_endpoints, Filters=by("endpoint-id", "none"))
    refused("InvalidParameterValueException", dms.describe_endpoints, Filters=by("colour", "red"))
    refused(
        "InvalidParameterCombinationException",
        dms.create_endpoint,
        EndpointIdentifier="both",
        EndpointType="source",
        EngineName="postgres",
        DatabaseName="shop",
        Username="postgres",
        PostgreSQLSettings={
            "SecretsManagerAccessRoleArn": "arn:aws:iam::123456789012:role/x",
            "SecretsManagerSecretId": "x",
        },
    )
    same = dict(EngineName="postgres", EndpointType="source", DatabaseName="shop", Username="u")
    same.update(Password="p", ServerName="h", Port=5432)
    refused(
        "ResourceAlreadyExistsFault",
        dms.create_endpoint,
        EndpointIdentifier="rbk-r1-source",
        **same,
    )


def test_lists_come_in_pages():
    made = [
        dms.create_endpoint(
            EndpointIdentifier=f"many-{number}",
            EndpointType="target",
            EngineName="aurora-postgresql",
            ServerName="127.0.0.1",
            Port=5432,
            DatabaseName="shop",
            Username="postgres",
            Password=PASSWORD,
        )["Endpoint"]["EndpointArn"]
        for number in range(45)
    ]
    assert len(set(made)) == 45
    sizes, found, marker = [], [], {}
    while True:
        filters = by("engine-name", "aurora-postgresql")
        page = dms.describe_endpoints(Filters=filters, MaxRecords=20, **marker)
        sizes.append(len(page["Endpoints"]))
        found += [endpoint["EndpointArn"] for endpoint in page["Endpoints"]]
        if "Marker" not in page:
            break
        marker = {"Marker": page["Marker"]}
    assert sizes == [20, 20, 5] and sorted(found) == sorted(made)
    refused("InvalidParameterValueException", dms.describe_endpoints, MaxRecords=19)
    refused("InvalidParameterValueException", dms.describe_endpoints, Marker="nonsense")
    for arn in made:
        dms.delete_endpoint(EndpointArn=arn)
    waiter = dms.get_waiter("endpoint_deleted")
    waiter.wait(Filters=by("endpoint-arn", made[0]), WaiterConfig={"Delay": 1, "MaxAttempts": 10})


def test_subnet_groups_are_made_and_found():
    (default,) = dms.describe_replication_subnet_groups(
        Filters=by("replication-subnet-group-id", "default")
    )["ReplicationSubnetGroups"]
    subnets = [subnet["SubnetIdentifier"] for subnet in default["Subnets"]]
    group = dict(
        ReplicationSubnetGroupIdentifier="rbk-group", ReplicationSubnetGroupDescription="x"
    )
    made = dms.create_replication_subnet_group(
        SubnetIds=subnets, Tags=[{"Key": "a", "Value": "b"}], **group
    )["ReplicationSubnetGroup"]
    assert made["VpcId"] == default["VpcId"] and made["SubnetGroupStatus"] == "Complete"
    create = dms.create_replication_subnet_group
    refused("ResourceAlreadyExistsFault", create, SubnetIds=subnets, **group)
    group["ReplicationSubnetGroupIdentifier"] = "another"
    refused("InvalidSubnet", create, SubnetIds=["subnet-nope"], **group)
    refused("ReplicationSubnetGroupDoesNotCoverEnoughAZs", create, SubnetIds=subnets[:1], **group)
    tags = dms.list_tags_for_resource(ResourceArn=f"{PREFIX}subgrp:rbk-group")["TagList"]
    assert tags == [{"Key": "a", "Value": "b"}]
    refused(
        "ResourceNotFoundFault",
        dms.describe_replication_subnet_groups,
        Filters=by("replication-subnet-group-id", "nope"),
    )


def test_a_config_is_made_and_its_settings_are_completed():
    create = dms.create_replication_config
    compute = wanted()["ComputeConfig"]
    value, combination = "InvalidParameterValueException", "InvalidParameterCombinationException"
    for code, changes in (
        (value, dict(ComputeConfig={**compute, "MaxCapacityUnits": 5})),
        (value, dict(ComputeConfig={**compute, "MinCapacityUnits": 8})),
        (combination, dict(ComputeConfig={**compute, "MultiAZ": True, "AvailabilityZone": "a"})),
        (combination, dict(SourceEndpointArn=ARN["target"])),
        ("ResourceNotFoundFault", dict(TargetEndpointArn=ARN["target"] + "x")),
        (value, dict(TableMappings="{")),
        (value, dict(ReplicationSettings="{")),
        (value, dict(ReplicationSettings=json.dumps({"Logging": {"CloudWatchLogGroup": "x"}}))),
        (value, dict(ReplicationSettings=settings(LimitedSizeLobMode=True))),
        (value, dict(ResourceIdentifier="r" * 32)),
    ):
        refused(code, create, **wanted(**changes))
    made = create(**wanted())["ReplicationConfig"]
    ARN["config"] = made["ReplicationConfigArn"]
    assert ARN["config"] == f"{PREFIX}replication-config:rbk-r1-load"
    assert made["TableMappings"] == MAPPINGS
    assert isinstance(made["ReplicationConfigCreateTime"], datetime.datetime)
    echoed = json.loads(made["ReplicationSettings"])
    assert echoed["TargetMetadata"]["FullLobMode"] is True
    assert echoed["ErrorBehavior"]["TableErrorPolicy"] == "SUSPEND_TABLE"
    assert echoed["StreamBufferSettings"]["StreamBufferCount"] == 3
    assert echoed["Logging"]["CloudWatchLogGroup"] is None
    refused("ResourceAlreadyExistsFault", create, **wanted())
    found = dms.describe_replication_configs(Filters=by("replication-config-id", "rbk-r1-load"))
    assert [one["ReplicationConfigArn"] for one in found["ReplicationConfigs"]] == [ARN["config"]]
    refused(
        "ResourceNotFoundFault",
        dms.describe_replication_configs,
        Filters=by("replication-config-arn", ARN["config"] + "x"),
    )
    assert replication()["Status"] == "created"
    refused("InvalidResourceStateFault", dms.delete_endpoint, EndpointArn=ARN["source"])
    modified = dms.modify_replication_config(
        ReplicationConfigArn=ARN["config"], ComputeConfig={"MaxCapacityUnits": 8}
    )["ReplicationConfig"]
    assert modified["ComputeConfig"]["VpcSecurityGroupIds"] == ["sg-dms"]
    until("created")


def test_tags_are_added_listed_and_removed():
    for arn in (ARN["config"], ARN["source"]):
        dms.add_tags_to_resource(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "a b"}])
    tags = dms.list_tags_for_resource(ResourceArn=ARN["config"])["TagList"]
    assert {"Key": "rbk:run", "Value": "r1"} in tags and len(tags) == 2
    both = dms.list_tags_for_resource(ResourceArnList=[ARN["config"], ARN["source"]])["TagList"]
    assert {tag["ResourceArn"] for tag in both} == {ARN["config"], ARN["source"]}
    dms.remove_tags_from_resource(ResourceArn=ARN["config"], TagKeys=["owner"])
    assert len(dms.list_tags_for_resource(ResourceArn=ARN["config"])["TagList"]) == 1
    missing = PREFIX + "endpoint:NOPE"
    refused("ResourceNotFoundFault", dms.list_tags_for_resource, ResourceArn=missing)
    refused("ResourceNotFoundFault", dms.remove_tags_from_resource, ResourceArn=missing, TagKeys=["a"])
    tags = [{"Key": "dms:x", "Value": "y"}]
    refused("InvalidParameterValueException", dms.add_tags_to_resource, ResourceArn=ARN["config"], Tags=tags)


def test_a_held_replication_runs_and_is_stopped():
    control("POST", "/_sandbox/faults", "StartReplication:1:during:hold=running")
    answer = start("start-replication")["Replication"]
    assert answer["Status"] == "initializing" and answer["ReplicationStats"]["TablesLoaded"] == 0
    seen = until("running")
    assert seen["ProvisionData"]["ProvisionState"] == "provisioned"
    refused("InvalidResourceStateFault", start, kind="reload-target")
    refused(
        "InvalidResourceStateFault", dms.delete_replication_config, ReplicationConfigArn=ARN["config"]
    )
    statistics = dms.describe_replication_table_statistics(ReplicationConfigArn=ARN["config"])
    states = {one["TableState"] for one in statistics["ReplicationTableStatistics"]}
    assert states == {"Before load"}
    dms.stop_replication(ReplicationConfigArn=ARN["config"])
    assert until("stopped")["StopReason"] == "Stop Reason NORMAL"
    refused("InvalidResourceStateFault", dms.stop_replication, ReplicationConfigArn=ARN["config"])
    refused(
        "InvalidResourceStateFault",
        dms.modify_replication_config,
        ReplicationConfigArn=ARN["config"],
        ReplicationSettings=settings(),
    )
    control("DELETE", "/_sandbox/faults")


def test_a_failed_replication_says_why():
    message = "Last Error: the source went away (57P01)"
    control("POST", "/_sandbox/faults", f"StartReplication:1:fails=fetching_metadata({message})")
    refused("InvalidParameterCombinationException", start, kind="start-replication")
    control("DELETE", "/_sandbox/faults")
    control("POST", "/_sandbox/faults", f"StartReplication:1:fails=fetching_metadata({message})")
    start("reload-target")
    assert until("failed")["FailureMessages"] == [message]
    control("DELETE", "/_sandbox/faults")


def test_rows_are_moved():
    start("reload-target")
    ended = until("stopped")
    assert ended["StopReason"] == "Stop Reason FULL_LOAD_ONLY_FINISHED"
    stats = ended["ReplicationStats"]
    assert (stats["TablesLoaded"], stats["TablesErrored"]) == (2, 0), stats
    assert stats["FullLoadStartDate"] <= stats["FullLoadFinishDate"] <= stats["StopDate"]
    kept = ended["ReplicationDeprovisionTime"] - ended["ReplicationLastStopTime"]
    assert kept == datetime.timedelta(hours=48)
    arn = ARN["config"]
    statistics = dms.describe_replication_table_statistics(ReplicationConfigArn=arn, MaxRecords=500)
    tables = statistics["ReplicationTableStatistics"]
    rows = {one["TableName"]: one["FullLoadRows"] for one in tables}
    assert rows == {"customer": 50, "item": 500}
    for filters, count in (
        (by("table-name", "item"), 1),
        (by("schema-name", "public"), 2),
        (by("table-state", "Table completed"), 2),
        (by("table-state", "Table error"), 0),
    ):
        statistics = dms.describe_replication_table_statistics(ReplicationConfigArn=arn, Filters=filters)
        assert len(statistics["ReplicationTableStatistics"]) == count, filters
    refused(
        "InvalidParameterValueException",
        dms.describe_replication_table_statistics,
        ReplicationConfigArn=arn,
        MaxRecords=501,
    )
    refused(
        "InvalidResourceStateFault",
        dms.reload_replication_tables,
        ReplicationConfigArn=arn,
        TablesToReload=[{"SchemaName": "public", "TableName": "item"}],
    )
    (config,) = dms.describe_replication_configs(Filters=by("replication-config-arn", arn))[
        "ReplicationConfigs"
    ]
    # Where the logs are can't be sent back.
    refused(
        "InvalidParameterValueException",
        dms.create_replication_config,
        **wanted(
            ReplicationConfigIdentifier="copy",
            ResourceIdentifier="copy",
            ReplicationSettings=config["ReplicationSettings"],
        ),
    )


def test_a_connection_test_needs_an_instance():
    instance = PREFIX + "rep:NONE"
    message = refused(
        "ResourceNotFoundFault",
        dms.test_connection,
        ReplicationInstanceArn=instance,
        EndpointArn=ARN["source"],
    )
    assert "serverless" in message


def test_each_operation_has_common_and_own_errors():
    for call, arguments in (
        (dms.create_endpoint, dict(EndpointIdentifier="x", EndpointType="source", EngineName="postgres")),
        (dms.delete_endpoint, dict(EndpointArn="x")),
        (dms.describe_endpoints, {}),
        (dms.create_replication_config, wanted()),
        (dms.describe_replication_configs, {}),
        (dms.modify_replication_config, dict(ReplicationConfigArn="x")),
        (dms.delete_replication_config, dict(ReplicationConfigArn="x")),
        (dms.describe_replications, {}),
        (dms.start_replication, dict(ReplicationConfigArn="x", StartReplicationType="reload-target")),
        (dms.stop_replication, dict(ReplicationConfigArn="x")),
        (dms.describe_replication_table_statistics, dict(ReplicationConfigArn="x")),
        (
            dms.reload_replication_tables,
            dict(ReplicationConfigArn="x", TablesToReload=[{"SchemaName": "a", "TableName": "b"}]),
        ),
        (dms.describe_replication_subnet_groups, {}),
        (
            dms.create_replication_subnet_group,
            dict(
                ReplicationSubnetGroupIdentifier="x",
                ReplicationSubnetGroupDescription="x",
                SubnetIds=["a"],
            ),
        ),
        (dms.add_tags_to_resource, dict(ResourceArn="x", Tags=[])),
        (dms.remove_tags_from_resource, dict(ResourceArn="x", TagKeys=[])),
        (dms.list_tags_for_resource, dict(ResourceArn="x")),
        (dms.test_connection, dict(ReplicationInstanceArn="x", EndpointArn="x")),
    ):
        for fault, code in (
            ("throttle", "ThrottlingException"),
            ("denied", "AccessDeniedException"),
            ("expired", "ExpiredTokenException"),
            ("500", "InternalFailure"),
            ("503", "ServiceUnavailableException"),
        ):
            control("POST", "/_sandbox/faults", f"*:1:{fault}")
            refused(code, call, **arguments)
            control("DELETE", "/_sandbox/faults")
        named = "ReplicationConfigArn" in arguments or "ResourceArn" in arguments
        if named:
            refused("ResourceNotFoundFault", call, **arguments)


def test_what_is_billed_is_told_until_the_config_is_gone():
    (billed,) = control("GET", "/_sandbox/capacity")
    assert billed["arn"] == ARN["config"] and billed["units"] == 1
    answer = dms.delete_replication_config(ReplicationConfigArn=ARN["config"])
    assert answer["ReplicationConfig"]["ReplicationConfigArn"] == ARN["config"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and dms.describe_replication_configs()["ReplicationConfigs"]:
        time.sleep(0.01)
    assert control("GET", "/_sandbox/capacity") == []
    for kind in ("source", "target"):
        dms.delete_endpoint(EndpointArn=ARN[kind])
    waiter = dms.get_waiter("endpoint_deleted")
    for kind in ("source", "target"):
        waiter.wait(Filters=by("endpoint-arn", ARN[kind]), WaiterConfig={"Delay": 1, "MaxAttempts": 10})


def test_the_ledger_has_each_effect_once_and_no_password():
    ledger = control("GET", "/_sandbox/ledger")
    effects = [effect["operation"] for effect in ledger if effect["target"] == "rbk-r1-load"]
    assert effects == [
        "CreateReplicationConfig",
        "ModifyReplicationConfig",
        "StartReplication",
        "StopReplication",
        "StartReplication",
        "StartReplication",
        "DeleteReplicationConfig",
    ]
    assert all(effect["client_request"] for effect in ledger)
    assert PASSWORD not in json.dumps(ledger)


def test_every_answer_was_what_the_service_model_says():
    assert not faults, "\n".join(faults)
    operations = set(os.environ["SANDBOX_OPERATIONS"].split())
    # There is nothing that these two could succeed with.
    never = {"TestConnection", "ReloadReplicationTables"}
    assert answered == operations - never, answered ^ operations
    assert {operation for operation, _ in refusals} == operations
    codes = {code for _, code in refusals}
    assert len(codes) >= 12, codes


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
