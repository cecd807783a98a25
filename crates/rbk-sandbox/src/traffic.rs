//! What an application does while others recover its database: it writes and reads, and keeps a log of what was acknowledged.
//!
//! The log is ground truth: a number stands in it as acknowledged when the server said so, whatever anybody else believes. It is
//! kept in memory, outside of every database.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;

/// What stands for a write's number in its SQL.
const NUMBER: &str = ":number";

/// An application's writes and reads. All clones are the same traffic.
#[derive(Clone)]
pub struct Traffic {
    shared: Arc<Shared>,
}

struct Shared {
    write: String,
    read: String,
    flows: AtomicBool,
    log: Mutex<Log>,
    /// Held while something is under way.
    turn: tokio::sync::Mutex<()>,
}

/// What an application has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// Its writes, but for those that were refused.
    pub writes: Vec<Write>,
    /// When reads were answered.
    pub reads: Vec<Timestamp>,
    /// When it could not write.
    pub no_writes: Vec<Interruption>,
    /// When it could not read.
    pub no_reads: Vec<Interruption>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// The last number that was given out.
    pub last_number: u64,
}

/// A write that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its number, from 1.
    pub number: u64,
    /// When its outcome was known.
    pub at: Timestamp,
    /// The server that it was sent to, as `HOST:PORT`.
    pub server: String,
    /// Whether the server said that it is committed. Otherwise nobody answered, and it may be.
    pub acknowledged: bool,
}

/// A time without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    /// The last success before it, or the beginning.
    pub since: Timestamp,
    /// The next success.
    pub until: Option<Timestamp>,
    /// What went wrong first.
    pub reason: String,
}

/// The two kinds of what an application does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Read,
}

impl Traffic {
    /// Traffic that has not begun. In `write`, `:number` is replaced by each write's own number; `read` is any query.
    pub fn new(write: impl Into<String>, read: impl Into<String>) -> Traffic {
        Traffic {
            shared: Arc::new(Shared {
                write: write.into(),
                read: read.into(),
                flows: AtomicBool::new(false),
                log: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Lets it flow.
    pub fn begin(&self) {
        self.log_mut().began.get_or_insert_with(Timestamp::now);
        self.shared.flows.store(true, Ordering::SeqCst);
    }

    /// Ends it, and waits for what is under way.
    pub async fn end(&self) {
        self.shared.flows.store(false, Ordering::SeqCst);
        let _turn = self.shared.turn.lock().await;
    }

    /// What was seen until now.
    pub fn log(&self) -> Log {
        self.log_mut().clone()
    }

    /// The time of the last acknowledged write.
    pub fn last_write(&self) -> Option<Timestamp> {
        self.log_mut().last_success(Kind::Write)
    }

    pub(crate) fn flows(&self) -> bool {
        self.shared.flows.load(Ordering::SeqCst)
    }

    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.turn.lock().await
    }

    pub(crate) fn read_statement(&self) -> &str {
        &self.shared.read
    }

    /// A new number and its statement.
    pub(crate) fn next_write(&self) -> (u64, String) {
        let mut log = self.log_mut();
        log.last_number += 1;
        let number = log.last_number;
        (
            number,
            self.shared.write.replace(NUMBER, &number.to_string()),
        )
    }

    pub(crate) fn wrote(&self, number: u64, server: &str, acknowledged: bool) {
        let mut log = self.log_mut();
        let at = Timestamp::now();
        log.writes.push(Write {
            number,
            at,
            server: server.to_owned(),
            acknowledged,
        });
        if acknowledged {
            Log::end_of(&mut log.no_writes, at);
        }
    }

    pub(crate) fn read(&self) {
        let mut log = self.log_mut();
        let at = Timestamp::now();
        log.reads.push(at);
        Log::end_of(&mut log.no_reads, at);
    }

    /// It could not: the interruption goes on or begins.
    pub(crate) fn could_not(&self, kind: Kind, reason: &str) {
        let mut log = self.log_mut();
        let since = log
            .last_success(kind)
            .or(log.began)
            .unwrap_or_else(Timestamp::now);
        let interruptions = match kind {
            Kind::Write => &mut log.no_writes,
            Kind::Read => &mut log.no_reads,
        };
        if interruptions.last().is_none_or(|last| last.until.is_some()) {
            interruptions.push(Interruption {
                since,
                until: None,
                reason: reason.to_owned(),
            });
        }
    }

    fn log_mut(&self) -> MutexGuard<'_, Log> {
        self.shared
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn last_success(&self, kind: Kind) -> Option<Timestamp> {
        match kind {
            Kind::Write => self
                .writes
                .iter()
                .rev()
                .find(|write| write.acknowledged)
                .map(|write| write.at),
            Kind::Read => self.reads.last().copied(),
        }
    }

    fn end_of(interruptions: &mut [Interruption], at: Timestamp) {
        if let Some(last) = interruptions.last_mut()
            && last.until.is_none()
        {
            last.until = Some(at);
        }
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic")
            .field("write", &self.shared.write)
            .field("read", &self.shared.read)
            .field("flows", &self.flows())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_lasts_from_the_last_success_to_the_next() {
        let traffic = Traffic::new("insert :number", "select");
        traffic.begin();
        let (first, sql) = traffic.next_write();
        assert_eq!((first, sql.as_str()), (1, "insert 1"));
        traffic.wrote(first, "a:1", true);
        traffic.could_not(Kind::Write, "the server is gone");
        traffic.could_not(Kind::Write, "it is still gone");
        let (second, _) = traffic.next_write();
        traffic.wrote(second, "b:1", false);
        let log = traffic.log();
        assert_eq!(log.no_writes.len(), 1);
        assert_eq!(log.no_writes[0].since, log.writes[0].at);
        // An unknown outcome is no success.
        assert_eq!(log.no_writes[0].until, None);
        assert_eq!(log.no_writes[0].reason, "the server is gone");
        let (third, _) = traffic.next_write();
        traffic.wrote(third, "b:1", true);
        let log = traffic.log();
        assert_eq!(log.no_writes[0].until, Some(log.writes[2].at));
        assert!(log.no_reads.is_empty());
    }
}
