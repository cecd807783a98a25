//! What statements of the language lower to does on a real server what it says, and `restore …` brings back what was.

use crate::catalog::{SHOP, without_figures};
use crate::change::marker;
use crate::server::Server;
use rbk_core::catalog::{Catalog, around, differences};
use rbk_core::check::{Input, Uses, check};
use rbk_core::environment::{Lock, LockSource, load};
use rbk_core::lower;
use rbk_core::plan::{Action, Change, PlannedAction};
use rbk_core::ports::{ChangeRequest, PortError, Session};
use rbk_syntax::{Sources, parse};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const ENVIRONMENT: &str = r#"
    region = "eu-central-1"
    account = "123456789012"
    [network]
    subnet_group = "shop-db"
    security_groups = ["sg-0a1b2c3d4e5f60718"]
    [databases.shop]
    instance = "shop"
    database = "shop"
    class = "db.r6g.large"
    parameter_group = "shop-pg16"
    secret = "shop/master"
    retention = "7d"
    [migrations]
    tool = "liquibase"
    changelog = "main.xml"
"#;

/// The actions of a runbook of these statements for a database that is as `catalog` says.
#[track_caller]
fn lowered(statements: &str, catalog: &Catalog) -> Vec<PlannedAction> {
    let mut sources = Sources::default();
    let id = sources.add("shop.toml", ENVIRONMENT);
    let environment = load("shop", id, ENVIRONMENT, Path::new("/"));
    let mut lock = Lock::default();
    lock.insert("shop".into(), catalog.clone());
    let text = format!(
        "runbook \"Shop\"\nrequire shop is available\nstep \"All\" {{\n  approve \"Now?\"\n{statements}\n}}\n"
    );
    let id = sources.add("shop.rbk", text.as_str());
    let parsed = parse(id, &text);
    assert!(parsed.diagnostics.is_empty(), "{:#?}", parsed.diagnostics);
    let input = Input {
        runbook: parsed.runbook.as_ref().unwrap(),
        environment: environment.environment.as_ref().unwrap(),
        places: &environment.places,
        lock: Some(&lock as &dyn LockSource),
        given: &BTreeMap::new(),
        uses: &Uses::default(),
    };
    let checked = check(&input, &mut sources);
    let program = checked
        .program
        .unwrap_or_else(|| panic!("{:#?}", checked.diagnostics));
    let mut plan = lower::plan(&program, "shop.rbk", &text);
    plan.steps.remove(0).actions
}

/// Performs the changes of a schema among actions.
async fn perform(session: &dyn Session, actions: &[PlannedAction]) -> Result<(), PortError> {
    for planned in actions {
        let Action::ChangeSchema {
            change,
            statements,
            settings,
            lock_timeout,
            ..
        } = &planned.action
        else {
            continue;
        };
        let request = ChangeRequest {
            change,
            statements,
            settings,
            lock_timeout: Duration::from_secs(*lock_timeout),
            deadline: Duration::from_secs(120),
        };
        session
            .change(&request, &marker(planned.id.as_str()))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn everything_that_is_taken_away_comes_back_as_it_was() {
    let server = Server::start().await;
    server.sql(SHOP).await;
    server
        .sql(
            "DROP SCHEMA rbk CASCADE; \
             INSERT INTO public.documents (tenant, title, price) SELECT i, 'title ' || i, i FROM generate_series(1, 50) i; \
             INSERT INTO public.embeddings (document_id, part, embedding_vector) \
               SELECT id, 1, ARRAY[id, 1, 0.25]::ext.vector FROM public.documents; \
             INSERT INTO public.events SELECT i, '2025-12-01'::date + i, 'note ' || i FROM generate_series(1, 60) i",
        )
        .await;
    let session = server.session().await;
    let before = session.catalog().await.unwrap();
    let taken = "
      drop indexes on shop.public
      alter columns of type vector in shop.public to text
      relax not null on shop.public";
    let back = "
      restore not null on shop.public
      restore column types in shop.public
      restore indexes on shop.public
      analyze shop";
    let actions = lowered(&format!("{taken}\n{back}"), &before);
    let first_back = actions
        .iter()
        .position(|planned| planned.statement.starts_with("restore"))
        .unwrap();
    let (taken, back) = actions.split_at(first_back);

    perform(&*session, taken).await.unwrap();
    let between = session.catalog().await.unwrap();
    let column = |catalog: &Catalog| {
        let table = &catalog.schemas["public"].tables["embeddings"];
        let column = table.column("embedding_vector").unwrap();
        (column.ty.clone(), table.column("part").unwrap().not_null)
    };
    assert_eq!(column(&between), ("text".to_owned(), false));
    let left = between.schemas["public"].tables["events_new_0"]
        .indexes
        .values();
    assert_eq!(left.filter(|index| index.constraint.is_none()).count(), 0);

    perform(&*session, back).await.unwrap();
    let after = session.catalog().await.unwrap();
    assert_eq!(without_figures(after), without_figures(before));
    let rows = session
        .query(
            "SELECT count(*) FROM public.embeddings WHERE embedding_vector::text = '[' || document_id || ',1,0.25]'",
            rbk_core::value::Type::Integer,
        )
        .await
        .unwrap();
    assert_eq!(rows.to_string(), "50");
}

#[tokio::test]
async fn what_goes_with_a_schema_besides_tables_comes_back_with_it() {
    let server = Server::start().await;
    let role = format!("reader_{}", server.database);
    let tables = "CREATE TABLE public.documents (id bigint PRIMARY KEY, embedding public.vector(3)); \
        CREATE VIEW public.ids AS SELECT id FROM public.documents; \
        CREATE SEQUENCE public.tickets";
    server
        .sql(&format!(
            "CREATE ROLE {role}; \
             CREATE EXTENSION vector; \
             COMMENT ON SCHEMA public IS 'it''s \\ a comment'; \
             GRANT USAGE ON SCHEMA public TO {role} WITH GRANT OPTION; \
             GRANT CREATE ON SCHEMA public TO PUBLIC; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {role}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {role} WITH GRANT OPTION; \
             {tables}; \
             GRANT UPDATE ON public.documents TO {role} WITH GRANT OPTION; \
             GRANT SELECT ON public.ids TO PUBLIC; \
             GRANT SELECT ON public.tickets TO {role}"
        ))
        .await;
    let session = server.session().await;
    let before = session.catalog().await.unwrap();
    let actions = lowered("recreate schema shop.public\nmigrate shop", &before);
    let migration = actions
        .iter()
        .position(|planned| matches!(planned.action, Action::Migrate { .. }))
        .unwrap();
    let (recreate, grants) = actions.split_at(migration);

    perform(&*session, recreate).await.unwrap();
    let between = session.catalog().await.unwrap();
    assert!(between.schemas["public"].tables.is_empty());
    assert_eq!(around(&before, &between, &["public".to_owned()]), []);

    // In the place of the migration tool.
    server.sql(tables).await;
    perform(&*session, grants).await.unwrap();
    let after = session.catalog().await.unwrap();
    assert_eq!(differences(&before, &after, &[]), []);
}

#[tokio::test]
async fn defaults_and_collations_come_back_and_nothing_is_cut_off() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.notes (id int PRIMARY KEY, code varchar(3) COLLATE \"C\" NOT NULL DEFAULT 'a', \
               settings jsonb NOT NULL DEFAULT '{}', flags bit(2)); \
             INSERT INTO public.notes VALUES (1, 'abc', '{\"a\": 1}', B'10')",
        )
        .await;
    let session = server.session().await;
    let before = session.catalog().await.unwrap();
    let actions = lowered(
        "
      alter column shop.public.notes.code to text
      alter column shop.public.notes.settings to text using \"upper(settings::text)\"
      alter column shop.public.notes.flags to text
      restore column types in shop.public",
        &before,
    );
    let (restore, alter) = actions.split_last().unwrap();
    assert!(
        matches!(&restore.action, Action::ChangeSchema { change: Change::AlterColumns { columns }, .. } if columns.len() == 3)
    );
    perform(&*session, alter).await.unwrap();
    server
        .sql("UPDATE public.notes SET settings = lower(settings), code = 'abcd'")
        .await;

    let error = perform(&*session, std::slice::from_ref(restore)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("too long"), "{error}");
    server.sql("UPDATE public.notes SET code = 'abc'").await;
    perform(&*session, std::slice::from_ref(restore))
        .await
        .unwrap();

    let after = session.catalog().await.unwrap();
    assert_eq!(differences(&before, &after, &[]), []);
    server.sql("INSERT INTO public.notes (id) VALUES (2)").await;
}
