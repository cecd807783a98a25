//! The target's end of a copy.

use super::Job;
use super::fit::Format;
use super::rows::{HEADER, Seen, TRAILER};
use crate::worker::Words;
use bytes::{Bytes, BytesMut};
use futures_util::SinkExt;
use rbk_core::ports::{PortError, PortErrorKind};
use std::pin::Pin;
use std::time::Duration;
use tokio_postgres::{CopyInSink, Statement, Transaction};

/// Bytes that are sent at a time.
const BUFFER: usize = 64 << 10;

/// Bytes after which a `COPY` is ended, and another one is begun in the same transaction. The server's answer comes with the
/// end only: without it, a row that is refused first would be told of last.
const PIECE: usize = 64 << 20;

/// Letters of a refused row that are shown.
const SHOWN: usize = 80;

/// Takes rows in.
pub(super) struct Inlet<'a> {
    job: &'a Job<'a>,
    transaction: &'a Transaction<'a>,
    words: &'a Words,
    what: String,
    statement: Statement,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    buffer: BytesMut,
    /// Bytes of the `COPY` that is under way.
    piece: usize,
    /// Rows of those that are done.
    arrived: u64,
}

impl<'a> Inlet<'a> {
    pub async fn open(
        job: &'a Job<'a>,
        transaction: &'a Transaction<'a>,
        words: &'a Words,
    ) -> Result<Self, PortError> {
        let what = format!("copying `{}`", job.table.table);
        let sql = job.fit.copy_in();
        let work = async {
            let statement = transaction.prepare(&sql).await?;
            let sink = transaction.copy_in(&statement).await?;
            Ok((statement, Box::pin(sink)))
        };
        let (statement, sink) = words.read(&what, job.limit, work).await?;
        let mut inlet = Self {
            job,
            transaction,
            words,
            what,
            statement,
            sink,
            buffer: BytesMut::with_capacity(2 * BUFFER),
            piece: 0,
            arrived: 0,
        };
        inlet.begin_piece();
        Ok(inlet)
    }

    /// Goes on with these bytes. Whether something was sent.
    pub async fn push(&mut self, bytes: Bytes, seen: Seen) -> Result<bool, PortError> {
        let body = bytes.slice(seen.header..);
        let Some(end) = seen.end_of_row.filter(|_| self.piece >= PIECE) else {
            return self.write(body).await;
        };
        let end = end.saturating_sub(seen.header);
        self.write(body.slice(..end)).await?;
        self.end_piece(true).await?;

        let work = async { Ok(self.transaction.copy_in(&self.statement).await?) };
        let sink = self.words.read(&self.what, self.job.limit, work).await?;
        self.sink = Box::pin(sink);
        self.begin_piece();
        self.write(body.slice(end..)).await?;
        Ok(true)
    }

    /// Ends it, and says how many rows have arrived.
    pub async fn finish(&mut self) -> Result<u64, PortError> {
        // The source's own trailer has come by here.
        self.end_piece(false).await?;
        Ok(self.arrived)
    }

    fn begin_piece(&mut self) {
        self.piece = 0;
        if self.job.fit.format == Format::Binary {
            self.buffer.extend_from_slice(&HEADER);
        }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<bool, PortError> {
        self.piece += bytes.len();
        if bytes.len() >= BUFFER {
            self.send().await?;
            self.feed(bytes).await?;
            return Ok(true);
        }
        self.buffer.extend_from_slice(&bytes);
        if self.buffer.len() < BUFFER {
            return Ok(false);
        }
        self.send().await?;
        Ok(true)
    }

    async fn send(&mut self) -> Result<(), PortError> {
        let bytes = self.buffer.split().freeze();
        self.feed(bytes).await
    }

    async fn feed(&mut self, bytes: Bytes) -> Result<(), PortError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sink = &mut self.sink;
        let work = async { Ok(sink.feed(bytes).await?) };
        self.words
            .read(&self.what, self.job.limit, work)
            .await
            .map_err(|error| explain(error, None))
    }

    async fn end_piece(&mut self, needs_trailer: bool) -> Result<(), PortError> {
        if needs_trailer && self.job.fit.format == Format::Binary {
            self.buffer.extend_from_slice(&TRAILER);
        }
        self.send().await?;
        let sink = self.sink.as_mut();
        let limit: Duration = self.job.limit;
        let mut context = None;
        let work = async {
            sink.finish().await.map_err(|error| {
                context = error
                    .as_db_error()
                    .and_then(|db| db.where_())
                    .map(str::to_owned);
                error.into()
            })
        };
        let finished = self.words.read(&self.what, limit, work).await;
        let row = context.and_then(|context| row(&context, self.arrived));
        self.arrived += finished.map_err(|error| explain(error, row))?;
        Ok(())
    }
}

/// Says what became of the table, and which row it was. Of the row that is refused the server shows every column; the
/// first ones tell it from others.
fn explain(mut error: PortError, row: Option<String>) -> PortError {
    if let Some((before, contents)) = error.message.split_once("Failing row contains (") {
        let shown: String = contents.chars().take(SHOWN).collect();
        if shown.len() < contents.len() {
            error.message = format!("{before}Failing row contains ({shown}…");
        }
    }
    if let Some(row) = row {
        error.message.push_str(&format!("; it was {row}"));
    }
    if error.kind != PortErrorKind::Unreachable {
        error.message.push_str("; nothing of this table was copied");
    }
    error
}

/// ``row 3, column `embedding` ``, of `COPY embeddings, line 3, column embedding`; the lines are those of the `COPY` that
/// failed, and rows had come before it.
fn row(context: &str, before: u64) -> Option<String> {
    let line = context
        .lines()
        .rev()
        .find(|line| line.starts_with("COPY "))?;
    let (number, after) = line.match_indices(", line ").find_map(|(place, text)| {
        let after = line.get(place + text.len()..)?;
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = after.split_at_checked(digits)?;
        Some((number.parse::<u64>().ok()?, after))
    })?;
    let row = format!("row {} of the copy", before + number);
    Some(match after.strip_prefix(", column ") {
        // In the text format the value follows.
        Some(column) => {
            let name = column.split(": ").next().unwrap_or(column);
            format!("{row}, column `{name}`")
        }
        None => row,
    })
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn the_row_is_found_in_what_the_server_says() {
        for (context, expected) in [
            ("COPY t, line 3", Some("row 103 of the copy")),
            (
                "COPY t, line 3, column v",
                Some("row 103 of the copy, column `v`"),
            ),
            (
                "COPY t, line 3, column v: \"a: b\"",
                Some("row 103 of the copy, column `v`"),
            ),
            ("COPY a, line b, line 4", Some("row 104 of the copy")),
            (
                "PL/pgSQL function f() line 2 at RAISE\nCOPY t, line 1",
                Some("row 101 of the copy"),
            ),
            ("SQL function f", None),
            ("", None),
        ] {
            assert_eq!(row(context, 100).as_deref(), expected, "{context}");
        }
    }
}
