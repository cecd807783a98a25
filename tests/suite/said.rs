//! What the pages of `RBK4…` show is what a run really says: each failure and refusal is made, and its words are held against the
//! block below *Said* of its page. `…` on a page stands for anything.

use crate::process::root;
use rbk_core::environment::TableName;
use rbk_core::ids::{ActionId, RunId};
use rbk_core::journal::Damage;
use rbk_core::lease::{Held, Holder};
use rbk_core::plan::IndexFacts;
use rbk_core::ports::{PortError, PortErrorKind};
use rbk_core::run::{
    BackupFailure, Class, CountedTable, FailedTable, Failure, OrphanedKey, Refusal, RemovalFailure,
    ReplicationFailure,
};

const HOUR: u64 = 3600;
const MINUTE: u64 = 60;

fn table(name: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        table: name.to_owned(),
    }
}

fn run() -> RunId {
    RunId::new("1f3a9c02-0000")
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// All that stops a run, in the order of the numbers where there is one.
fn failures() -> Vec<Failure> {
    vec![
        Failure::WrongAccount {
            expected: text("123456789012"),
            found: text("210987654321"),
            arn: text("arn:aws:sts::210987654321:assumed-role/stage/maria"),
        },
        Failure::WrongRegion {
            expected: text("eu-central-1"),
            found: text("eu-west-1"),
        },
        Failure::Precondition {
            statement: text("age(snap) <= max_loss"),
            message: Some(text(
                "the newest snapshot of original is 31h old: restore to a point in time instead",
            )),
            seen: text("31h <= 1d"),
        },
        Failure::TargetExists {
            database: "recovery".into(),
            instance: "shop-db-recovery".into(),
            status: text("available"),
            owner: Some(run()),
        },
        Failure::SecretMissing {
            secret: "shop/recovery_app".into(),
        },
        Failure::SecretUnusable {
            secret: "shop/app".into(),
            reason: text("its value has no text `password`"),
        },
        Failure::NoSnapshot {
            instance: "shop-db".into(),
            wanted: None,
        },
        Failure::Drift {
            database: "original".into(),
            differences: vec![text("index public.documents_title_idx is missing")],
        },
        Failure::Dependents {
            database: "original".into(),
            schemas: vec![text("public")],
            dependents: vec![text("view reporting.daily")],
        },
        Failure::Assertion {
            statement: text("checks of recovery pass"),
            message: None,
            seen: text("public.documents is not empty: 0 rows"),
        },
        Failure::Deadline {
            statement: text("recovery is available"),
            within: HOUR,
            seen: text("status `modifying`"),
        },
        Failure::Terminal {
            instance: "shop-db-recovery".into(),
            status: text("incompatible-restore"),
        },
        Failure::Vanished {
            instance: "shop-db-recovery".into(),
        },
        Failure::Foreign {
            instance: "shop-db-recovery".into(),
            owner: Some(RunId::new("77c0d1aa-0000")),
        },
        Failure::SettingsDiffer {
            instance: "shop-db-recovery".into(),
            differences: vec![text(
                "parameter group is `default.postgres16`, not `shop-pg16`",
            )],
        },
        Failure::SecretMoved {
            secret: "shop/active".into(),
            expected: Some("09af0000".into()),
            found: Some("5b1c0000".into()),
        },
        Failure::Refused {
            prompt: text("Point shop at recovery?"),
            by: text("maria@laptop"),
        },
        Failure::ProofFailed {
            secret: "shop/active".into(),
            reason: text(
                "it names shop-db.abc.eu-central-1.rds.amazonaws.com:5432, and recovery is at \
                 shop-db-recovery.abc.eu-central-1.rds.amazonaws.com:5432",
            ),
        },
        Failure::Evaluation {
            doing: text("computing `+`"),
            reason: text("the result is too large for an integer"),
        },
        Failure::Overdue {
            doing: text("setting the master password of `shop-db-recovery`"),
            waited: 10 * MINUTE,
            seen: text("the new password doesn't log in"),
        },
        Failure::Aborted {
            by: text("maria@laptop"),
            reason: text("the original is back"),
        },
        Failure::DecidedByHand {
            by: text("maria@laptop"),
            reason: text("no such snapshot in RDS, ticket 4711"),
        },
        Failure::IndexDiffers {
            database: "original".into(),
            index: Box::new(IndexFacts {
                name: text("documents_title_idx"),
                table: table("documents"),
                definition: text("CREATE INDEX documents_title_idx ON public.documents (title)"),
            }),
            found: None,
        },
        Failure::Orphans {
            database: "original".into(),
            keys: vec![OrphanedKey {
                table: table("embeddings"),
                key: text("embeddings_document_id_fkey"),
                references: table("documents"),
                rows: 12,
                example: Some(text("document_id = 17")),
            }],
        },
        Failure::CommandFailed {
            command: text("rebuild_search"),
            reason: text(
                "`./rebuild-search` ended with exit status: 1; it said: no index to rebuild",
            ),
        },
        Failure::MigrationLocked {
            database: "original".into(),
            by: text("build-agent-3 (10.0.4.17)"),
            since: Some(text("2026-11-22T02:14:07Z")),
        },
        Failure::LockNotGiven {
            doing: text("altering columns of original"),
            reason: text(
                "canceling statement due to lock timeout (SQLSTATE 55P03): another session holds \
                 a lock on it; see pg_stat_activity and pg_locks",
            ),
        },
        port(
            PortErrorKind::InvalidRequest,
            "restoring instance `shop-db-recovery`",
            "RDS said so",
        ),
        port(
            PortErrorKind::AccessDenied,
            "making the new version of `shop/active` current",
            "User: arn:aws:sts::1:x is not authorized to perform: \
             secretsmanager:UpdateSecretVersionStage",
        ),
        port(
            PortErrorKind::Credentials,
            "describing instance `shop-db-recovery`",
            "The security token included in the request is expired",
        ),
        port(
            PortErrorKind::Unreachable,
            "logging in to `shop`",
            "connection timed out",
        ),
        port(
            PortErrorKind::Throttled,
            "describing instance `shop-db-recovery`",
            "Rate exceeded",
        ),
        port(
            PortErrorKind::Tls,
            "logging in to `shop`",
            "invalid peer certificate: UnknownIssuer",
        ),
        port(
            PortErrorKind::LoginRefused,
            "logging in to `shop`",
            "password authentication failed for user \"shop_app\" (SQLSTATE 28P01): the secret's \
             password isn't the role's, or there is no such role",
        ),
        port(
            PortErrorKind::Quota,
            "restoring instance `shop-db-recovery`",
            "RDS said so",
        ),
        port(
            PortErrorKind::Statement,
            "restoring column types of original",
            "expected 1536 dimensions, not 768 (SQLSTATE 22000)",
        ),
        Failure::Unanswerable {
            step: text("Switch the application"),
            prompt: text("Point shop at recovery?"),
        },
        Failure::Interrupted { in_flight: true },
        Failure::Journal {
            message: text("No space left on device (os error 28)"),
        },
        Failure::MigrationFailed {
            database: "original".into(),
            change_set: Some(text("db.changelog.xml::42::maria")),
            reason: text("ERROR: relation \"documents\" already exists"),
        },
        Failure::Undecidable {
            doing: text("running command `warm_cache`"),
            seen: text("it was under way when rbk ended"),
            look_at: String::new(),
        },
        Failure::Bug {
            message: text("nobody knows"),
        },
    ]
}

fn port(kind: PortErrorKind, doing: &str, message: &str) -> Failure {
    PortError::new(kind, doing, message).into()
}

fn replications() -> Vec<ReplicationFailure> {
    let load = || text("load");
    vec![
        ReplicationFailure::NoSubnetGroup {
            name: text("shop-dms"),
        },
        ReplicationFailure::NameTaken {
            kind: text("endpoint"),
            id: text("rbk-1f3a9c-source"),
            owner: None,
        },
        ReplicationFailure::Refused {
            doing: String::new(),
            reason: text(
                "The IAM Role arn:aws:iam::123456789012:role/dms-vpc-role is not configured properly.",
            ),
        },
        ReplicationFailure::Failed {
            replication: load(),
            messages: vec![text("Endpoint is not reachable")],
        },
        ReplicationFailure::Stopped {
            replication: load(),
            reason: text("stopped by a user"),
        },
        ReplicationFailure::Gone {
            replication: load(),
            kind: text("endpoint"),
            id: text("rbk-1f3a9c-target"),
        },
        ReplicationFailure::TablesFailed {
            replication: load(),
            tables: vec![FailedTable {
                table: text("public.embeddings"),
                state: text("Table error"),
                error: Some(text("invalid input syntax for type vector")),
            }],
        },
        ReplicationFailure::StatisticsMissing {
            replication: load(),
            tables: vec![table("citations")],
        },
        ReplicationFailure::StatisticsGone {
            replication: load(),
        },
        ReplicationFailure::TooMany {
            replication: load(),
            tables: vec![text("public.databasechangelog")],
        },
        ReplicationFailure::RowsDiffer {
            replication: load(),
            from: "recovery".into(),
            to: "original".into(),
            tables: vec![CountedTable {
                table: table("documents"),
                from: 1_200_000,
                to: 1_199_988,
            }],
        },
    ]
}

fn backups() -> Vec<BackupFailure> {
    let at = |time: &str| time.parse().expect("a time");
    vec![
        BackupFailure::BackupsOff {
            instance: "shop-db".into(),
        },
        BackupFailure::NothingYet {
            instance: "shop-db".into(),
        },
        BackupFailure::OutsideWindow {
            instance: "shop-db".into(),
            wanted: at("2026-11-22T09:15:00Z"),
            earliest: at("2026-11-22T10:00:00Z"),
            latest: at("2026-11-22T17:40:00Z"),
        },
        BackupFailure::SnapshotExists {
            snapshot: "before-the-migration".into(),
            owner: None,
        },
        BackupFailure::SnapshotFailed {
            snapshot: "before-the-migration".into(),
            instance: "shop-db".into(),
            status: text("failed"),
        },
    ]
}

fn removals() -> Vec<RemovalFailure> {
    vec![
        RemovalFailure::Replaced {
            instance: "shop-db-recovery".into(),
            expected: "db-OLD".into(),
            found: "db-NEW".into(),
        },
        RemovalFailure::StillActive {
            instance: "shop-db-recovery".into(),
            application: "shop".into(),
        },
        RemovalFailure::Protected {
            instance: "shop-db-recovery".into(),
            by: text("RDS's deletion protection is on"),
        },
        RemovalFailure::SnapshotTaken {
            snapshot: "recovery-before-the-end".into(),
        },
        RemovalFailure::NoFinalSnapshot {
            instance: "shop-db-recovery".into(),
            snapshot: "recovery-before-the-end".into(),
            seen: text("`failed`"),
        },
        RemovalFailure::NotFrozen {
            database: "recovery".into(),
            seen: text("they are open"),
        },
        RemovalFailure::StackDiffers {
            application: "shop".into(),
            expected: text("shop/recovery_app"),
            found: text("shop/app"),
            command: text("deploy"),
        },
        RemovalFailure::StackNotDeployed {
            application: "shop".into(),
            expected: text("shop/recovery_app"),
            found: text("shop/app"),
        },
    ]
}

fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::Held(Held {
            entity: text("original"),
            holder: Some(Box::new(Holder {
                run: run(),
                operator: text("maria@laptop"),
                pid: 4711,
                boot: None,
                since: "2026-11-22T03:10:00Z".parse().expect("a time"),
            })),
        }),
        Refusal::Damaged {
            run: run(),
            seq: 14,
            damage: Damage::Checksum,
        },
        Refusal::NewerPlan {
            run: run(),
            found: 99,
        },
        Refusal::PlanChanged {
            run: run(),
            reason: text("its hash isn't the journal's"),
        },
        Refusal::PlanUnfit {
            reason: text("recursion limit exceeded"),
        },
        Refusal::Holes {
            parameters: vec![text("since")],
        },
        Refusal::NoSuchRun { run: run() },
        Refusal::NeverBegan { run: run() },
        Refusal::Ended { run: run() },
        Refusal::NeedsDecision {
            run: run(),
            action: ActionId::from("Warm#1"),
        },
        Refusal::NotUnknown {
            action: ActionId::from("Restore#1"),
        },
        Refusal::NothingToExtend { run: run() },
    ]
}

/// Whether a text is what a page shows, where `…` stands for anything.
fn fits(shown: &str, text: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = shown.split('…').skip(1).last() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || last.is_empty() || text.ends_with(last)
}

fn page(code: &str) -> String {
    let file = root().join(format!("docs/diagnostics/{code}.md"));
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{code}: {error}"))
}

/// The block below *Said*, its lines joined.
fn shown(code: &str) -> String {
    let page = page(code);
    let said = page.split("## Said").nth(1).expect("it has that part");
    let block = said
        .split("```")
        .nth(1)
        .expect("a block")
        .trim_start_matches("text");
    block.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_page_shows_what_is_said() {
    let mut said: Vec<(&str, String, u8)> = Vec::new();
    for it in failures() {
        said.push((it.code(), it.to_string(), it.exit_code()));
    }
    for it in replications() {
        said.push((it.code(), it.to_string(), it.exit_code()));
    }
    for it in backups() {
        said.push((it.code(), it.to_string(), it.exit_code()));
    }
    for it in removals() {
        said.push((it.code(), it.to_string(), it.exit_code()));
    }
    for it in refusals() {
        said.push((it.code(), it.to_string(), it.exit_code()));
    }
    let mut wrong = Vec::new();
    for (code, text, exit) in &said {
        let (page, shown) = (page(code), shown(code));
        if !fits(&shown, text) {
            wrong.push(format!("{code} says\n  {text}\nits page shows\n  {shown}"));
        }
        let words: Vec<&str> = page.split_whitespace().collect();
        if !words.join(" ").contains(&format!("Exit code {exit}.")) {
            wrong.push(format!(
                "{code} exits with {exit}, and its page doesn't say so"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether `rbk resume` may go on is what a person wants to know first.
#[test]
fn a_page_says_whether_the_run_goes_on() {
    let failures = failures()
        .into_iter()
        .chain(replications().into_iter().map(Failure::from))
        .chain(backups().into_iter().map(Failure::from))
        .chain(removals().into_iter().map(Failure::from));
    for failure in failures {
        let page = page(failure.code());
        match failure.class() {
            Class::Suspends => assert!(page.contains("suspended"), "{}", failure.code()),
            Class::Interrupted => assert!(page.contains("resumed"), "{}", failure.code()),
            Class::Undecidable => assert!(page.contains("rbk resolve"), "{}", failure.code()),
            Class::Decided | Class::Bug => {
                assert!(!page.contains("is suspended"), "{}", failure.code());
            }
        }
    }
}
