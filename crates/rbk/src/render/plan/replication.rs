//! The parameters of actions on replications: endpoints, the documents that DMS is sent, what must come of a load.

use super::{documents, schema};
use crate::render::colour::printable;
use rbk_core::environment::DmsTls;
use rbk_core::ids::{DatabaseName, RunId};
use rbk_core::plan::{
    DmsReplication, EndpointSettings, Plan, PlannedReplication, ReplicationMeans, ReplicationNames,
    Side,
};

type Rows = Vec<(&'static str, String)>;

/// The tags of everything that rbk makes in DMS.
const TAGS: &str = "rbk:run, rbk:action, rbk:plan";

pub(super) fn create_endpoint(plan: &Plan, name: &str, side: Side) -> Rows {
    let (planned, dms) = match by_dms(plan, name) {
        Ok(found) => found,
        Err(rows) => return rows,
    };
    let (database, settings) = end(planned, dms, side);
    let mut parameters = vec![
        ("endpoint", names(name).endpoint(side)),
        ("database", database.to_string()),
        ("address", address(database, settings)),
        ("database in it", printable(&settings.database)),
        ("credentials", credentials(settings)),
        ("TLS", tls(settings)),
    ];
    if let Some(script) = &settings.after_connect {
        let lines = script.trim_end().lines().map(printable);
        parameters.extend(schema::rows("after connect", lines));
    }
    let capture = (side == Side::Source).then_some("CaptureDdls = false");
    let own = ["MapBooleanAsBoolean = true"].into_iter().chain(capture);
    parameters.extend(schema::rows("settings", own.map(str::to_owned)));
    parameters.push(("tags", TAGS.to_owned()));
    parameters
}

pub(super) fn create(plan: &Plan, name: &str) -> Rows {
    let (planned, dms) = match by_dms(plan, name) {
        Ok(found) => found,
        Err(rows) => return rows,
    };
    let names = names(name);
    let zones = if dms.multi_az {
        "a second one stands by"
    } else {
        "one"
    };
    let mut parameters = vec![
        ("config", names.base.clone()),
        (
            "from",
            format!(
                "{} (endpoint {})",
                planned.from,
                names.endpoint(Side::Source)
            ),
        ),
        (
            "to",
            format!("{} (endpoint {})", planned.to, names.endpoint(Side::Target)),
        ),
        ("type", "full load".to_owned()),
        (
            "capacity",
            format!(
                "at most {} units ({} GB), at least 1; billed from the start until the config is deleted",
                dms.capacity,
                u64::from(dms.capacity) * 2
            ),
        ),
        ("zones", zones.to_owned()),
        ("subnet group", printable(&dms.subnet_group)),
        (
            "security groups",
            printable(&dms.security_groups.join(", ")),
        ),
    ];
    parameters.extend(tables(planned));
    parameters.extend(schema::rows(
        "table mappings",
        documents::lines(&dms.mappings),
    ));
    parameters.extend(schema::rows("settings", documents::lines(&dms.settings)));
    parameters.push(("", "(what isn't named here is DMS's default)".to_owned()));
    parameters.push(("tags", TAGS.to_owned()));
    parameters
}

pub(super) fn start(name: &str) -> Rows {
    vec![
        ("config", names(name).base),
        ("type", "start-replication: all of it, once".to_owned()),
    ]
}

pub(super) fn prove(plan: &Plan, name: &str) -> Rows {
    let Some(planned) = plan.replications.get(name) else {
        return unplanned(name);
    };
    let mut parameters = vec![(
        "must be",
        "stopped because it was finished (`FULL_LOAD_ONLY_FINISHED`), with no table in error"
            .to_owned(),
    )];
    parameters.push((
        "",
        format!(
            "each of its tables completed, no other loaded, and as many rows in {} as in {}",
            planned.to, planned.from
        ),
    ));
    parameters.extend(tables(planned));
    parameters.push((
        "journaled",
        "each table's state, rows and time: DMS forgets them with the config".to_owned(),
    ));
    parameters
}

pub(super) fn stop(name: &str) -> Rows {
    vec![
        ("config", names(name).base),
        ("if it doesn't run", "skipped, and reported so".to_owned()),
    ]
}

pub(super) fn delete(name: &str) -> Rows {
    vec![
        ("config", names(name).base),
        (
            "goes with it",
            "its capacity, so that it isn't billed any more, and its statistics".to_owned(),
        ),
    ]
}

pub(super) fn delete_endpoint(name: &str, side: Side) -> Rows {
    vec![("endpoint", names(name).endpoint(side))]
}

/// How a replication is called at AWS; the run is known when it begins.
fn names(name: &str) -> ReplicationNames {
    ReplicationNames::new(&RunId::from("‹run›"), name)
}

fn end<'p>(
    planned: &'p PlannedReplication,
    dms: &'p DmsReplication,
    side: Side,
) -> (&'p DatabaseName, &'p EndpointSettings) {
    match side {
        Side::Source => (&planned.from, &dms.source),
        Side::Target => (&planned.to, &dms.target),
    }
}

/// DMS takes the address from where it takes the password.
fn address(database: &DatabaseName, settings: &EndpointSettings) -> String {
    match settings.secret_access_role {
        Some(_) => format!("as {} says it", settings.secret),
        None => format!("‹of {database}, read from its instance›"),
    }
}

fn credentials(settings: &EndpointSettings) -> String {
    let secret = &settings.secret;
    printable(&match &settings.secret_access_role {
        Some(role) => format!("DMS reads {secret} itself, through {role}"),
        None => format!("‹the current ones of {secret}, given in the call, shown nowhere›"),
    })
}

fn tls(settings: &EndpointSettings) -> String {
    let meaning = match settings.tls {
        DmsTls::None => "rows and password are sent in the clear",
        DmsTls::Require => "encrypted, whoever answers",
        DmsTls::VerifyCa => "encrypted, and signed by the certificate's authority",
        DmsTls::VerifyFull => "encrypted, signed by the certificate's authority, for this host",
    };
    let by = settings
        .certificate
        .as_ref()
        .map_or_else(String::new, |arn| format!(", by {}", printable(arn)));
    format!("{} ({meaning}){by}", settings.tls.name())
}

fn tables(planned: &PlannedReplication) -> Rows {
    let tables = planned.tables.iter();
    schema::rows("tables", tables.map(|table| printable(&table.to_string())))
}

/// A plan from a file may have been edited by hand.
fn unplanned(name: &str) -> Rows {
    vec![(
        "replication",
        printable(&format!(
            "`{name}`, of which the plan doesn't say what it is"
        )),
    )]
}

fn by_dms<'p>(
    plan: &'p Plan,
    name: &str,
) -> Result<(&'p PlannedReplication, &'p DmsReplication), Rows> {
    let planned = plan.replications.get(name).ok_or_else(|| unplanned(name))?;
    match &planned.with {
        ReplicationMeans::Dms(dms) => Ok((planned, dms)),
        ReplicationMeans::Copy => Err(unplanned(name)),
    }
}
