//! Proofs that writes are still frozen: right before a switch, and where a runbook ends so on purpose.

use super::session::Kept;
use super::{Once, Performed};
use crate::ids::DatabaseName;
use crate::plan::{Freeze, Template};
use crate::ports::FreezeState;
use crate::run::{Failure, RemovalFailure, Scene, render};
use async_trait::async_trait;

/// Proves that a database's writes are frozen.
pub(super) struct ProveFrozen<'a> {
    pub database: &'a DatabaseName,
    pub freeze: &'a Freeze,
    /// Why they stay so, where the runbook ends with it.
    pub because: Option<&'a Template>,
}

#[async_trait]
impl Once for ProveFrozen<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let mut session = Kept::new(self.database);
        let state = session.get(scene).await?.freeze_state(self.freeze).await?;
        let seen = match state {
            FreezeState::Frozen => {
                let still = format!("writes on {} are frozen, still", self.database);
                let Some(because) = self.because else {
                    return Ok(Performed::done(still));
                };
                let because = render(&mut scene.look(), because).await?;
                return Ok(Performed::done(format!("{still}, and stay so: {because}")));
            }
            FreezeState::Open => "they are open",
            FreezeState::Partly => {
                "a role can log in again, or a session of somebody else is there"
            }
        };
        Err(RemovalFailure::NotFrozen {
            database: self.database.clone(),
            seen: seen.to_owned(),
        }
        .into())
    }
}
