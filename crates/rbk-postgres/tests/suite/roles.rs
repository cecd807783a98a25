//! Passwords of roles.

use crate::server::{Server, refused};
use rbk_core::ids::RoleName;
use rbk_core::ports::{PortErrorKind, Postgres, Sent};
use secrecy::SecretString;

#[tokio::test]
async fn a_new_password_is_the_only_one_that_logs_in() {
    let server = Server::start().await;
    let app = server.role("app").await;
    server
        .sql(&format!("ALTER ROLE {} NOLOGIN", app.role))
        .await;
    let session = server.session().await;
    let password = "new' \"$ecret\\ with Ünicode";
    session
        .set_role_password(&RoleName::new(&app.role), &SecretString::from(password))
        .await
        .unwrap();

    let stored: String = server
        .superuser()
        .await
        .query_one(
            "SELECT rolpassword FROM pg_authid WHERE rolname = $1",
            &[&app.role],
        )
        .await
        .unwrap()
        .get(0);
    assert!(stored.starts_with("SCRAM-SHA-256$4096:"), "{stored}");

    let login = server.login_as(&app.role, password);
    let own = server.connector().connect(&login).await.unwrap();
    assert_eq!(own.whoami().await.unwrap().role, app.role);
    let error = refused(server.connector().connect(&app.login).await, &app.login);
    assert_eq!(error.kind, PortErrorKind::LoginRefused);
}

#[tokio::test]
async fn a_role_with_a_hostile_name_is_a_name() {
    let server = Server::start().await;
    let name = format!("x\" SUPERUSER; -- {}", server.database);
    server
        .sql(&format!("CREATE ROLE \"{}\"", name.replace('"', "\"\"")))
        .await;
    let session = server.session().await;
    let role = RoleName::new(&name);
    session
        .set_role_password(&role, &SecretString::from("p"))
        .await
        .unwrap();
    let own = server
        .connector()
        .connect(&server.login_as(&name, "p"))
        .await
        .unwrap();
    assert_eq!(own.whoami().await.unwrap().role, name);
}

#[tokio::test]
async fn what_can_not_be_set_changes_nothing() {
    let server = Server::start().await;
    let app = server.role("app").await;
    let session = server.session().await;
    let role = RoleName::new(&app.role);
    let empty = session
        .set_role_password(&role, &SecretString::from(""))
        .await
        .unwrap_err();
    assert_eq!(empty.kind, PortErrorKind::InvalidRequest);
    let missing = session
        .set_role_password(&RoleName::new("no such role"), &SecretString::from("p"))
        .await
        .unwrap_err();
    assert_eq!(missing.kind, PortErrorKind::NotFound);

    let mere = server.connector().connect(&app.login).await.unwrap();
    let denied = mere
        .set_role_password(
            &RoleName::new(&server.master),
            &SecretString::from("stolen-secret"),
        )
        .await
        .unwrap_err();
    assert_eq!(denied.kind, PortErrorKind::AccessDenied);
    assert_eq!(denied.sent, Sent::No);
    assert!(!format!("{denied} {denied:?}").contains("stolen-secret"));
}

#[tokio::test]
async fn only_a_verifier_leaves_this_machine() {
    let server = Server::start().await;
    let app = server.role("app").await;
    let superuser = server.superuser().await;
    // Holds the role's row, so that the statement waits, and can be seen as the server got it.
    let holder = server.administrator().connect().await.unwrap();
    holder
        .batch_execute(&format!("BEGIN; ALTER ROLE {} LOGIN", app.role))
        .await
        .unwrap();
    let session = server.session().await;
    let role = RoleName::new(&app.role);
    let password = SecretString::from("never-sent-anywhere");
    let setting = session.set_role_password(&role, &password);
    let watching = async {
        loop {
            let seen: Vec<String> = superuser
                .query(
                    "SELECT query FROM pg_stat_activity WHERE application_name = 'rbk' \
                     AND datname = current_database() AND wait_event_type = 'Lock'",
                    &[],
                )
                .await
                .unwrap()
                .iter()
                .map(|row| row.get(0))
                .collect();
            if let [statement] = seen.as_slice() {
                break statement.clone();
            }
        }
    };
    let (set, statement) = tokio::join!(setting, async {
        let statement = watching.await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        statement
    });
    set.unwrap();
    assert!(statement.contains("PASSWORD"), "{statement}");
    assert!(statement.contains("SCRAM-SHA-256$"), "{statement}");
    assert!(!statement.contains("never-sent-anywhere"), "{statement}");
}
