//! Two databases with a load between them.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{Board, LoadEnd, LoadTask, Party, Trust, fetch_metadata, load};
use crate::{InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};

const PASSWORD: &str = "first-Password1";

pub(super) const REPLICA: &str = "SET session_replication_role='replica'";

/// Two clusters, and what a load between them goes by.
pub(super) struct Bench {
    sandbox: Sandbox,
    /// Sessions of the master user.
    pub(super) source: Client,
    pub(super) target: Client,
    pub(super) task: LoadTask,
    pub(super) board: Arc<Board>,
}

/// The seed's settings: full LOB mode onto tables as they are, everything in `public`.
pub(super) async fn bench(source: &str, target: &str) -> Bench {
    let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
    let operator = IpAddr::V4(Ipv4Addr::LOCALHOST);
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![operator],
    });
    let instance = async |id: &str, schema: &str| {
        let mut blueprint = InstanceBlueprint::new(id, "shop", "postgres", PASSWORD.into());
        blueprint.security_groups = vec!["sg-db".into()];
        blueprint.extensions = vec!["vector".into()];
        let address = sandbox.create_instance(blueprint).await.unwrap();
        let client = sandbox.superuser(id, "shop").await.unwrap();
        client.batch_execute("SET ROLE postgres").await.unwrap();
        client.batch_execute(schema).await.unwrap();
        let party = Party {
            endpoint: format!("rbk-{id}"),
            host: "127.0.0.1".to_owned(),
            port: address.port,
            database: "shop".to_owned(),
            username: "postgres".to_owned(),
            password: PASSWORD.into(),
            ssl_mode: "require".to_owned(),
            after_connect: None,
            map_boolean_as_boolean: false,
            fail_on_lob_truncation: false,
        };
        (client, party)
    };
    let ((source, source_party), (target, target_party)) =
        tokio::join!(instance("recovery", source), instance("original", target));
    let trust = connector(&sandbox);
    Bench {
        task: LoadTask {
            replication: "rbk-load".to_owned(),
            source: source_party,
            target: target_party,
            mappings: json!({ "rules": [selection("1", "include", "%")] }),
            settings: json!({
                "TargetMetadata": { "SupportLobs": true, "FullLobMode": true, "LobChunkSize": 64 },
                "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING" },
                "ControlTablesSettings": { "ControlSchema": "rbk" },
            }),
            client_address: operator,
            trust: Trust::new(trust),
        },
        board: Arc::new(Board::default()),
        sandbox,
        source,
        target,
    }
}

fn connector(sandbox: &Sandbox) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(sandbox.ca_pem_path()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

pub(super) fn selection(id: &str, action: &str, table: &str) -> Value {
    json!({
        "rule-type": "selection", "rule-id": id, "rule-name": id, "rule-action": action,
        "object-locator": { "schema-name": "public", "table-name": table }, "filters": []
    })
}

impl Bench {
    pub(super) fn set(&mut self, section: &str, key: &str, value: impl Into<Value>) -> &mut Bench {
        self.task.settings[section][key] = value.into();
        self
    }

    pub(super) fn replica_role(&mut self) -> &mut Bench {
        self.task.target.after_connect = Some(REPLICA.to_owned());
        self
    }

    /// Loads, and shows each table as `name: State rows/bad rows`.
    pub(super) async fn run(&self) -> (LoadEnd, Vec<String>) {
        fetch_metadata(&self.task, &self.board).await.unwrap();
        let (_tell, stop) = watch::channel(false);
        let end = load(&self.task, &self.board, &stop).await;
        (end, self.states())
    }

    /// Loads what has to finish.
    pub(super) async fn finish(&self) -> Vec<String> {
        let (end, states) = self.run().await;
        assert_eq!(end, LoadEnd::Finished, "{states:?}\n{}", self.log());
        states
    }

    pub(super) fn states(&self) -> Vec<String> {
        let tables = self.board.tables.lock().unwrap();
        let show = tables
            .iter()
            .map(|it| format!("{}: {:?} {}/{}", it.table, it.state, it.rows, it.error_rows));
        show.collect()
    }

    pub(super) fn log(&self) -> String {
        self.board.log.lock().unwrap().join("\n")
    }

    #[track_caller]
    pub(super) fn logged(&self, words: &str) {
        let log = self.log();
        assert!(log.contains(words), "`{words}` isn't in:\n{log}");
    }

    pub(super) async fn shutdown(self) {
        self.sandbox.shutdown().await;
    }
}

/// All rows of a query, with `|` between the columns and `∅` for null.
pub(super) async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let values: Vec<&str> = (0..row.len())
                .map(|at| row.get(at).unwrap_or("∅"))
                .collect();
            Some(values.join("|"))
        }
        _ => None,
    });
    rows.collect()
}
