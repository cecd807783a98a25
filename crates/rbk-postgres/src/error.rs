//! What can go wrong with a database, put into the port's kinds and into words that hold no secret.

use rbk_core::ports::{PortError, PortErrorKind, Sent};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use tokio_postgres::error::{DbError, Severity};

/// Why a [`Connector`](crate::Connector) can't be made of an environment's `access`.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The file of `access.ca` can't be read.
    #[error("the certificate authorities in `{}` can't be read: {source}", path.display())]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// The file of `access.ca` holds no usable certificate.
    #[error("`{}` holds no certificate in PEM form: `access.ca` names the authorities to trust, for RDS the bundle of its region", path.display())]
    CaEmpty {
        /// The file.
        path: PathBuf,
    },
    /// This system has no certificate authorities.
    #[error("this system has no certificate authorities: name a file of them in `access.ca`")]
    NoSystemAuthorities,
    /// The TLS library refuses the authorities.
    #[error("the certificate authorities can't be used: {0}")]
    Authorities(String),
    /// `access.tunnel` is an empty list.
    #[error("`access.tunnel` names no command: leave it out to connect directly")]
    TunnelEmpty,
    /// `access.tunnel` doesn't say which port to listen on.
    #[error(
        "`access.tunnel` has no `{{local_port}}` in it: rbk chooses the port that the tunnel listens on"
    )]
    TunnelWithoutLocalPort,
}

/// What was being done, and whether it changes anything.
#[derive(Debug, Clone)]
pub(crate) struct Doing {
    /// ``counting `public.documents` in `statistagpt` on `host:5432` ``.
    pub what: String,
    /// Whether it changes anything.
    pub effect: Effect,
}

/// Whether something that is being done changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only looks.
    Reads,
    /// It changes something that outlives the session.
    Changes,
}

/// A failure inside a session, before it is said what was being done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver or the server failed.
    Postgres(tokio_postgres::Error),
    /// Something was seen that forbids going on; nothing was changed.
    Refused(PortErrorKind, String),
    /// What was changed did not have its effect in time.
    Unfinished(PortErrorKind, String),
    /// The server refused, and what stands behind it was looked up; nothing was changed.
    Explained {
        /// Of which kind.
        kind: PortErrorKind,
        /// The server's words, and what was found.
        message: String,
        /// The SQLSTATE.
        code: Option<String>,
    },
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Failure::Postgres(error)
    }
}

impl Failure {
    /// A request that is wrong and will stay wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Failure::Refused(PortErrorKind::InvalidRequest, message.into())
    }

    /// The SQLSTATE, where the server gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Failure::Postgres(error) => error.code().map(|state| state.code()),
            Failure::Explained { code, .. } => code.as_deref(),
            Failure::Refused(..) | Failure::Unfinished(..) => None,
        }
    }

    /// Says what was being done.
    pub fn while_doing(self, doing: &Doing) -> PortError {
        match self {
            Failure::Postgres(error) => explain(&error, doing),
            Failure::Refused(kind, message) => PortError::new(kind, &doing.what, message),
            Failure::Explained {
                kind,
                message,
                code,
            } => PortError {
                code,
                ..PortError::new(kind, &doing.what, message)
            },
            Failure::Unfinished(kind, message) => PortError {
                sent: Sent::Maybe,
                ..PortError::new(kind, &doing.what, message)
            },
        }
    }
}

/// Puts an error of the driver into the port's words.
pub(crate) fn explain(error: &tokio_postgres::Error, doing: &Doing) -> PortError {
    let mut explained = match error.as_db_error() {
        Some(db) => PortError {
            code: Some(db.code().code().to_owned()),
            ..PortError::new(kind_of_state(db.code().code()), &doing.what, said(db))
        },
        None => {
            let (kind, message) = without_server(error);
            PortError::new(kind, &doing.what, message)
        }
    };
    if doing.effect == Effect::Changes && may_have_happened(error) {
        explained.sent = Sent::Maybe;
    }
    explained
}

/// Whether the statement may have taken effect though an error came back. An `ERROR` has rolled it back; a session
/// that ended may have ended after the commit.
fn may_have_happened(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(db) => matches!(
            db.parsed_severity(),
            Some(Severity::Fatal | Severity::Panic) | None
        ),
        None => true,
    }
}

/// Source: Postgres, appendix A, "PostgreSQL Error Codes".
fn kind_of_state(code: &str) -> PortErrorKind {
    match code {
        "28P01" | "28000" => PortErrorKind::LoginRefused,
        "3D000" => PortErrorKind::NotFound,
        "42501" => PortErrorKind::AccessDenied,
        // Starting up, too many connections; ended by an administrator, a crash or for being idle.
        "57P03" | "53300" | "57P01" | "57P02" | "57P05" => PortErrorKind::Unreachable,
        "55P03" | "55006" | "40001" | "40P01" => PortErrorKind::InvalidState,
        code if code.starts_with("08") => PortErrorKind::Unreachable,
        code if code.starts_with("53") => PortErrorKind::Quota,
        _ => PortErrorKind::Statement,
    }
}

/// The server's words, and a mend where the code tells one.
fn said(db: &DbError) -> String {
    let mut text = words(db);
    if let Some(mend) = mend(db) {
        text.push_str(": ");
        text.push_str(mend);
    }
    text
}

/// The server's words alone.
pub(crate) fn words(db: &DbError) -> String {
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    for more in [db.detail(), db.hint()].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(more.trim_end_matches('.'));
    }
    text
}

fn mend(db: &DbError) -> Option<&'static str> {
    let message = db.message();
    match db.code().code() {
        "28000" if message.contains("pg_hba.conf") => Some(
            "the server lets no such login in from this address, whatever the password; look at where rbk runs \
             (network, security group, `access.tunnel`) and at the server's host-based rules",
        ),
        "28000" if message.contains("not permitted to log in") => {
            Some("the role has NOLOGIN; if a freeze was left behind, thaw it")
        }
        "28P01" => Some("the secret's password isn't the role's, or there is no such role"),
        "55P03" => Some("another session holds a lock on it; see pg_stat_activity and pg_locks"),
        "53300" => Some("the server has no connection to spare; it may pass by itself"),
        _ => None,
    }
}

/// An error that didn't come out of the server's mouth: its kind, and a text of all its causes.
fn without_server(error: &tokio_postgres::Error) -> (PortErrorKind, String) {
    let text = with_causes(error);
    if let Some(message) = of_tls(error, &text) {
        return (PortErrorKind::Tls, message);
    }
    if text.starts_with("error encoding message") {
        return (PortErrorKind::InvalidRequest, text);
    }
    // Has to come before the search for an I/O error: what is wrong with SCRAM is dressed as one.
    if text.starts_with("authentication error") {
        return (PortErrorKind::LoginRefused, text);
    }
    if error.is_closed() || cause::<io::Error>(error).is_some() {
        return (
            PortErrorKind::Unreachable,
            format!("the connection was lost: {text}"),
        );
    }
    (PortErrorKind::Protocol, text)
}

/// What is wrong with TLS, if that is what is wrong.
fn of_tls(error: &(dyn Error + 'static), text: &str) -> Option<String> {
    if let Some(refusal) = cause::<crate::tls::Refusal>(error) {
        return Some(refusal.to_string());
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Some(format!("TLS could not be agreed on: {tls}"));
    }
    text.contains(NO_TLS).then(|| {
        "the server offers no TLS, and rbk sends no password without it: turn `ssl` on, or look whether host and \
         port are those of the database"
            .to_owned()
    })
}

/// Puts an error on the way to the server into the port's words.
pub(crate) fn explain_io(error: &io::Error, doing: &Doing) -> PortError {
    let text = error.to_string();
    match of_tls(error, &text) {
        Some(message) => PortError::new(PortErrorKind::Tls, &doing.what, message),
        None => PortError::new(
            PortErrorKind::Unreachable,
            &doing.what,
            format!("the connection was lost: {text}"),
        ),
    }
}

/// The driver's own text is a heading; the causes say what it is about.
fn with_causes(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// What the driver says of a server that answers no to TLS.
pub(crate) const NO_TLS: &str = "server does not support TLS";

/// Finds a cause by its type, also inside an [`io::Error`], whose `source` skips what it wraps.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => match error.downcast_ref::<rustls::Error>() {
                Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
                    Some(&*other.0)
                }
                _ => error.source(),
            },
        };
    }
    None
}
