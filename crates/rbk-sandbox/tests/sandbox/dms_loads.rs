//! What clients see of loads that go wrong, and of those that merely say that they didn't.

use rbk_sandbox::{InstanceBlueprint, Sandbox, SecurityGroupBlueprint};
use serde_json::{Value, json};

use crate::{
    client::{PASSWORD, operator, sandbox, value},
    dms::{config, done, endpoint, mappings, settings, start, statistics, until},
};

/// The seed's database in little: vectors, documents that can't be empty, foreign keys.
const TABLES: &str = "SET ROLE postgres;
    CREATE TABLE account (id int PRIMARY KEY, name varchar(40) NOT NULL);
    CREATE TABLE document (id int PRIMARY KEY, account int NOT NULL REFERENCES account, body text NOT NULL);
    CREATE TABLE embedding (id int PRIMARY KEY, embedding_vector vector(3))";

/// The database `shop` of `recovery`, with rows, and of `original`, without; their ports.
async fn two_databases() -> (Sandbox, [u16; 2]) {
    let sandbox = sandbox().await;
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![operator(), "127.0.0.3".parse().unwrap()],
    });
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-dms".into(),
        admits: vec![],
    });
    let mut ports = [0; 2];
    for (port, id) in ports.iter_mut().zip(["recovery", "original"]) {
        let mut blueprint = InstanceBlueprint::new(id, "shop", "postgres", PASSWORD.into());
        blueprint.security_groups = vec!["sg-db".into()];
        blueprint.extensions = vec!["vector".into()];
        *port = sandbox.create_instance(blueprint).await.unwrap().port;
        execute(&sandbox, id, TABLES).await;
    }
    let rows = "INSERT INTO account SELECT n, 'account ' || n FROM generate_series(1, 20) n;
        INSERT INTO document SELECT n, 1 + n % 20, repeat('text ', n) FROM generate_series(1, 200) n;
        INSERT INTO embedding SELECT n, format('[%s,0.1,-2e-7]', n)::vector FROM generate_series(1, 100) n";
    execute(&sandbox, "recovery", rows).await;
    (sandbox, ports)
}

async fn execute(sandbox: &Sandbox, id: &str, sql: &str) {
    let superuser = sandbox.superuser(id, "shop").await.unwrap();
    superuser.batch_execute(sql).await.unwrap();
}

async fn read(sandbox: &Sandbox, id: &str, sql: &str) -> String {
    value(&sandbox.superuser(id, "shop").await.unwrap(), sql).await
}

/// Runs a load of its own from start to end; `script` is the target's, `changes` are laid over the seed's settings.
async fn load(
    sandbox: &Sandbox,
    ports: [u16; 2],
    name: &str,
    (script, tables): (&str, &str),
    changes: Value,
    ends: &str,
) -> (Value, Vec<String>) {
    let mut arns = Vec::new();
    for (kind, port) in ["source", "target"].into_iter().zip(ports) {
        let mut body = endpoint(&format!("{name}-{kind}"), kind, port);
        body["PostgreSQLSettings"]["AfterConnectScript"] = json!(script);
        let made = done(sandbox, "CreateEndpoint", body).await;
        arns.push(made["Endpoint"]["EndpointArn"].as_str().unwrap().to_owned());
    }
    let mut document: Value = serde_json::from_str(&settings()).unwrap();
    for (section, keys) in changes.as_object().unwrap() {
        for (key, value) in keys.as_object().unwrap() {
            document[section][key] = value.clone();
        }
    }
    let mut body = config(name, &arns[0], &arns[1]);
    body["ReplicationSettings"] = json!(document.to_string());
    body["TableMappings"] = json!(mappings(tables));
    let made = done(sandbox, "CreateReplicationConfig", body).await;
    let arn = &made["ReplicationConfig"]["ReplicationConfigArn"];
    let arn = arn.as_str().unwrap();
    start(sandbox, arn, "start-replication").await;
    let ended = until(sandbox, arn, ends).await;
    let states = statistics(sandbox, arn).await;
    let shown = states.iter().map(|it| {
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        format!(
            "{}: {} {}",
            text("TableName"),
            text("TableState"),
            it["FullLoadRows"]
        )
    });
    (ended, shown.collect())
}

const REPLICA: &str = "SET session_replication_role='replica'";
const EVERYTHING: (&str, &str) = (REPLICA, "%");

#[tokio::test]
async fn a_finished_load_can_have_loaded_next_to_nothing() {
    let (sandbox, ports) = two_databases().await;
    let (ended, states) = load(&sandbox, ports, "naive", ("", "%"), json!({}), "stopped").await;
    assert_eq!(ended["StopReason"], "Stop Reason FULL_LOAD_ONLY_FINISHED");
    assert_eq!(
        states,
        [
            "account: Table completed 20",
            "document: Table error 0",
            "embedding: Table error 0"
        ]
    );
    assert_eq!(ended["ReplicationStats"]["TablesErrored"], 2);

    // The seed's way: text for vectors, no NOT NULLs on texts, the replica role.
    execute(
        &sandbox,
        "original",
        "TRUNCATE account, document; ALTER TABLE document ALTER body DROP NOT NULL; ALTER TABLE embedding ALTER embedding_vector TYPE text",
    )
    .await;
    let (ended, states) = load(&sandbox, ports, "seed", EVERYTHING, json!({}), "stopped").await;
    assert_eq!(
        states,
        [
            "account: Table completed 20",
            "document: Table completed 200",
            "embedding: Table completed 100"
        ]
    );
    assert_eq!(ended["ReplicationStats"]["TablesErrored"], 0);
    execute(
        &sandbox,
        "original",
        "ALTER TABLE embedding ALTER embedding_vector TYPE vector(3) USING embedding_vector::vector; ALTER TABLE document ALTER body SET NOT NULL",
    )
    .await;
    for table in ["account", "document", "embedding"] {
        let sum = format!("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM {table} t");
        assert_eq!(
            read(&sandbox, "recovery", &sum).await,
            read(&sandbox, "original", &sum).await,
            "{table}"
        );
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_load_that_may_not_bear_errors_fails_with_their_words() {
    let (sandbox, ports) = two_databases().await;
    let strict = json!({
        "FullLoadSettings": { "MaxFullLoadSubTasks": 1 },
        "ErrorBehavior": { "DataErrorPolicy": "STOP_TASK", "TableErrorPolicy": "STOP_TASK" },
    });
    let (ended, states) = load(
        &sandbox,
        ports,
        "table",
        EVERYTHING,
        strict.clone(),
        "failed",
    )
    .await;
    assert_eq!(
        states,
        [
            "account: Table completed 20",
            "document: Table error 0",
            "embedding: Table cancelled 0"
        ]
    );
    let message = ended["FailureMessages"][0].as_str().unwrap();
    assert!(
        message.contains(
            "table 'public'.'document' could not be loaded: ERROR: null value in column \"body\""
        ),
        "{message}"
    );
    // Now its rows are there already.
    let (ended, states) = load(
        &sandbox,
        ports,
        "row",
        (REPLICA, "account"),
        strict,
        "failed",
    )
    .await;
    assert_eq!(states, ["account: Table error 0"]);
    let message = ended["FailureMessages"][0].as_str().unwrap();
    assert!(
        message.contains("duplicate key value violates unique constraint \"account_pkey\""),
        "{message}"
    );

    let (ended, states) = load(
        &sandbox,
        ports,
        "nothing",
        (REPLICA, "acc[_]unt"),
        json!({}),
        "failed",
    )
    .await;
    assert!(states.is_empty());
    let message = ended["FailureMessages"][0].as_str().unwrap();
    assert!(
        message.starts_with("No tables were found at task initialization."),
        "{message}"
    );
    sandbox.shutdown().await;
}
