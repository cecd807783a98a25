//! A session that works for the adapter itself, beside others: it has no methods of the port, and leaves nothing running.

use crate::connect::Connected;
use crate::error::{Doing, Effect, Failure};
use crate::session::{Ended, GRACE, explain_with};
use rbk_core::ports::{Login, PortError, PortErrorKind, Sent};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_postgres::Client;

/// A login whose connection is cut when this is dropped, so that a statement or a `COPY` that nobody waits for any more
/// doesn't go on in the background.
pub(crate) struct Worker {
    client: Client,
    words: Words,
    task: Option<AbortHandle>,
}

impl Worker {
    pub fn new(connected: Connected, to: &Login) -> Self {
        Self {
            client: connected.client,
            words: Words {
                ended: connected.ended,
                place: format!("in `{}` on `{}:{}`", to.database, to.host, to.port),
            },
            task: Some(connected.task),
        }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The client for a transaction, and the words for what goes wrong in it.
    pub fn split(&mut self) -> (&mut Client, &Words) {
        (&mut self.client, &self.words)
    }

    /// Takes leave of the server, once all is done.
    pub fn leave(mut self) {
        self.task = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Says of what goes wrong where that was, and what ended the session if something has.
pub(crate) struct Words {
    ended: Ended,
    place: String,
}

impl Words {
    /// ``in `shop` on `host:5432` ``.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Waits for statements that only look, or whose effect is undone where they fail.
    pub async fn read<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, PortError> {
        self.finish(what, Effect::Reads, limit, work).await
    }

    /// Waits for statements that leave something behind.
    pub async fn change<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, PortError> {
        self.finish(what, Effect::Changes, limit, work).await
    }

    async fn finish<T>(
        &self,
        what: &str,
        effect: Effect,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, PortError> {
        // Made where it is needed only: some of these are a row's.
        let doing = || Doing {
            what: format!("{what} {}", self.place),
            effect,
        };
        match tokio::time::timeout(limit.saturating_add(GRACE), work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(explain_with(failure, &self.ended, &doing())),
            Err(_) => Err(PortError {
                sent: match effect {
                    Effect::Reads => Sent::No,
                    Effect::Changes => Sent::Maybe,
                },
                ..PortError::new(
                    PortErrorKind::Unreachable,
                    doing().what,
                    "no answer came in time",
                )
            }),
        }
    }
}
