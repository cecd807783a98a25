//! Why a sandbox can't be started, furnished or disturbed.

use std::{io, path::PathBuf};

use crate::{
    cluster::{ClusterError, template::TemplateError, tls::TlsError},
    dms::DmsError,
    fault::FaultError,
    postgres::PostgresError,
    rds::RdsError,
    secrets::SecretsError,
};

/// Why the library couldn't do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// There is no PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The template cluster can't be made.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A cluster doesn't work.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The certificates can't be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The account refuses it, as RDS would.
    #[error(transparent)]
    Rds(#[from] RdsError),
    /// The account refuses it, as Secrets Manager would.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The account refuses it, as DMS would.
    #[error(transparent)]
    Dms(#[from] DmsError),
    /// The fault's text can't be read.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The directory isn't empty.
    #[error(
        "`{path}` isn't empty, and a sandbox removes its directory in the end; name a missing or an empty one"
    )]
    DirectoryInUse {
        /// The directory concerned.
        path: PathBuf,
    },
    /// The servers' user can't get to the directory.
    #[error(
        "the servers run as an unprivileged user, who can't enter `{ancestor}`; name a directory elsewhere than `{path}`, as in /var/tmp"
    )]
    Unreachable {
        /// The directory concerned.
        path: PathBuf,
        /// Where the way ends.
        ancestor: PathBuf,
    },
    /// A file operation failed.
    #[error("`{path}`: {source}; check the free space and the directory's permissions")]
    Files {
        /// The path concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The listener can't be opened.
    #[error(
        "port {port} of 127.0.0.1 can't be opened ({source}); choose another one, or none for a free one"
    )]
    Port {
        /// The port concerned.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// The watchdog can't be started.
    #[error(
        "the watchdog `sh` can't be started ({source}); it removes the servers if this process dies"
    )]
    Watchdog {
        /// What the operating system said.
        source: io::Error,
    },
    /// The instance has no running server.
    #[error("the server of `{id}` doesn't run (status `{status}`)")]
    NotRunning {
        /// The instance.
        id: String,
        /// Its status.
        status: String,
    },
    /// The region or the account isn't one.
    #[error("`{value}` isn't {what}")]
    Invalid {
        /// The option's value.
        value: String,
        /// What it should be.
        what: &'static str,
    },
}

impl SandboxError {
    pub(crate) fn files(path: &std::path::Path) -> impl FnOnce(io::Error) -> SandboxError + use<> {
        let path = path.to_path_buf();
        move |source| SandboxError::Files { path, source }
    }
}
