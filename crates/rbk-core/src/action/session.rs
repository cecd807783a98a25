//! A database as an effect keeps it: one session from look to send, and what markers in it say.

use super::rds::unprepared;
use crate::ids::DatabaseName;
use crate::ports::{Marker, PortError, PortErrorKind, Session};
use crate::run::{Failure, Scene};

/// A session that is kept from one look to the next, and made anew after an error.
pub(super) struct Kept<'a> {
    database: &'a DatabaseName,
    session: Option<Box<dyn Session>>,
}

impl<'a> Kept<'a> {
    pub fn new(database: &'a DatabaseName) -> Self {
        Self {
            database,
            session: None,
        }
    }

    /// The session; made if there is none.
    pub async fn get(&mut self, scene: &Scene<'_>) -> Result<&dyn Session, Failure> {
        if self.session.is_none() {
            let session = scene.look().into_session(self.database).await;
            let session = session.map_err(|unreached| unreached.into_failure(self.database))?;
            self.session = Some(session);
        }
        Ok(self.held("logging in")?)
    }

    /// The session that was made before.
    pub fn held(&self, doing: &str) -> Result<&dyn Session, PortError> {
        let session = self.session.as_deref();
        session.ok_or_else(|| unprepared(doing))
    }

    /// Ends it: what it was cut off from is asked anew.
    pub fn lose(&mut self) {
        self.session = None;
    }

    /// Ends it after an error of what was sent, unless that is sent again as it is: a call that was throttled, or came too early.
    pub fn lose_for(&mut self, error: &PortError) {
        if !is_sent_again(error) {
            self.lose();
        }
    }

    /// What its marker says of a change.
    pub async fn committed(
        &mut self,
        scene: &Scene<'_>,
        marker: &Marker,
    ) -> Result<Committed, Failure> {
        let answer = self.get(scene).await?.has_marker(marker).await;
        match answer {
            Ok(true) => Ok(Committed::Yes),
            Ok(false) => Ok(Committed::No),
            Err(error) if error.kind == PortErrorKind::InvalidState => {
                Ok(Committed::Open(error.message))
            }
            Err(error) => {
                self.lose();
                Err(error.into())
            }
        }
    }
}

/// Whether what got this error is sent again without being prepared anew.
pub(super) fn is_sent_again(error: &PortError) -> bool {
    matches!(
        error.kind,
        PortErrorKind::Throttled | PortErrorKind::InvalidState
    )
}

/// Whether a change is in the database.
pub(super) enum Committed {
    Yes,
    No,
    /// A transaction of it is open, and may be committed yet.
    Open(String),
}
