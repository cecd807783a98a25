//! What the sandbox does inside a cluster, as `rdsadmin` over the private socket.

use postgres_protocol::password::scram_sha_256;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Client, NoTls};

use super::{Cluster, ClusterError, SOCKET_NUMBER, SUPERUSER};

/// A password as Postgres stores it. Statements with it reach no log that shows the password.
pub(crate) struct Scram(String);

/// Hashes a password on the client's side.
pub(crate) fn scram_verifier(password: &SecretString) -> Scram {
    Scram(scram_sha_256(password.expose_secret().as_bytes()))
}

impl Cluster {
    /// A superuser's session.
    pub(crate) async fn superuser(&self, database: &str) -> Result<Client, ClusterError> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.socket_directory())
            .port(SOCKET_NUMBER)
            .user(SUPERUSER)
            .dbname(database)
            .application_name("rdsadmin")
            .connect(NoTls)
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a superuser's session ended");
            }
        });
        Ok(client)
    }

    /// Makes the roles as RDS has them: the master user is no superuser.
    pub(crate) async fn make_master(
        &self,
        master: &str,
        password: &Scram,
    ) -> Result<(), ClusterError> {
        let client = self.superuser("postgres").await?;
        let master = quote_identifier(master);
        let verifier = &password.0;
        client
            .batch_execute(&format!(
                "CREATE ROLE rds_superuser NOLOGIN;
                 GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
                 GRANT SET ON PARAMETER session_replication_role TO rds_superuser WITH GRANT OPTION;
                 CREATE ROLE {master} LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}';
                 GRANT rds_superuser TO {master};
                 ALTER DATABASE postgres OWNER TO {master};"
            ))
            .await?;
        Ok(())
    }

    /// Makes a database that the master user owns, with extensions that superusers own.
    pub(crate) async fn make_database(
        &self,
        database: &str,
        master: &str,
        extensions: &[String],
    ) -> Result<(), ClusterError> {
        if database != "postgres" {
            let client = self.superuser("postgres").await?;
            let (database, master) = (quote_identifier(database), quote_identifier(master));
            client
                .batch_execute(&format!(
                    "CREATE DATABASE {database} OWNER {master} STRATEGY file_copy"
                ))
                .await?;
        }
        if extensions.is_empty() {
            return Ok(());
        }
        let client = self.superuser(database).await?;
        for extension in extensions {
            let extension = quote_identifier(extension);
            client
                .batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {extension}"))
                .await?;
        }
        Ok(())
    }

    /// Sets the master user's password.
    pub(crate) async fn set_password(
        &self,
        master: &str,
        password: &Scram,
    ) -> Result<(), ClusterError> {
        let client = self.superuser("postgres").await?;
        let (master, verifier) = (quote_identifier(master), &password.0);
        client
            .batch_execute(&format!("ALTER ROLE {master} PASSWORD '{verifier}'"))
            .await?;
        Ok(())
    }
}

/// Quotes a name for a statement.
fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
