//! A load by DMS, lowered by hand: made, started, awaited, proven, removed.

use super::repair::{migrated, plan_with, table};
use super::scenario::{actions, original, recovery, step};
use super::world::Fake;
use crate::environment::DmsTls;
use crate::plan::{
    Action, DmsReplication, EndpointSettings, Expr, Plan, PlannedReplication, Preflight,
    ReplicationMeans, Side,
};

/// What a load changes, each thing once.
pub const LEDGER: &[&str] = &[
    "create source endpoint",
    "create target endpoint",
    "create replication",
    "start replication",
    "delete replication",
    "delete source endpoint",
    "delete target endpoint",
];

fn name() -> String {
    "load".to_owned()
}

pub fn endpoint(side: Side) -> Action {
    Action::CreateEndpoint {
        replication: name(),
        side,
    }
}

pub fn create() -> Action {
    Action::CreateReplication {
        replication: name(),
    }
}

pub fn start() -> Action {
    Action::StartReplication {
        replication: name(),
    }
}

pub fn complete() -> Action {
    Action::Await {
        condition: Expr::Complete {
            replication: name(),
        },
        within: 4 * 3600,
        every: 30,
    }
}

pub fn prove() -> Action {
    Action::ProveReplication {
        replication: name(),
    }
}

pub fn remove() -> Vec<Action> {
    let endpoint = |side| Action::DeleteEndpoint {
        replication: name(),
        side,
    };
    vec![
        Action::DeleteReplication {
            replication: name(),
        },
        endpoint(Side::Source),
        endpoint(Side::Target),
    ]
}

pub fn planned() -> PlannedReplication {
    let endpoint = |database: &str| EndpointSettings {
        database: "statistagpt".to_owned(),
        secret: format!("{database}_admin").as_str().into(),
        secret_access_role: None,
        tls: DmsTls::Require,
        certificate: None,
        after_connect: None,
    };
    PlannedReplication {
        from: recovery(),
        to: original(),
        tables: vec![table("documents"), table("embeddings")],
        with: ReplicationMeans::Dms(Box::new(DmsReplication {
            source: endpoint("recovery"),
            target: EndpointSettings {
                after_connect: Some("SET session_replication_role = replica".to_owned()),
                ..endpoint("original")
            },
            capacity: 4,
            multi_az: false,
            subnet_group: "dms-subnets".to_owned(),
            security_groups: vec!["sg-dms".to_owned()],
            mappings: serde_json::json!({"rules": []}),
            settings: serde_json::json!({"ControlTablesSettings": {"ControlSchema": "rbk"}}),
        })),
    }
}

/// The load in two steps, with a cleanup for where it fails.
pub fn load() -> Plan {
    let mut plan = plan_with(Vec::new());
    plan.replications = [(name(), planned())].into();
    plan.preflight.push(Preflight::ReplicationSubnetGroup {
        name: "dms-subnets".to_owned(),
    });
    let begin = vec![
        endpoint(Side::Source),
        endpoint(Side::Target),
        create(),
        start(),
    ];
    let mut end = vec![complete(), prove()];
    end.extend(remove());
    plan.steps = vec![step("Load", begin), step("Prove", end)];
    let mut cleanup = vec![Action::StopReplication {
        replication: name(),
    }];
    cleanup.extend(remove());
    plan.cleanup = actions("cleanup", cleanup);
    for planned in &mut plan.cleanup {
        // As it is lowered: all of provisioning, and some more.
        planned.upper_bound = Some(3600);
    }
    plan
}

/// A fresh schema waits for rows; the load is over in seconds of virtual time.
pub fn brisk() -> Fake {
    let fake = migrated();
    let mut inner = fake.lock();
    inner.dms.provisioning = 700;
    inner.dms.loading = 400;
    drop(inner);
    fake
}
