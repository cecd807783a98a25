//! An environment's commands, as child processes.

use async_trait::async_trait;
use rbk_core::ports::{CommandFacts, CommandRequest, Commands, PortError};

/// Runs commands on this machine.
pub struct Processes;

#[async_trait]
impl Commands for Processes {
    async fn run(&self, _request: &CommandRequest<'_>) -> Result<CommandFacts, PortError> {
        unimplemented!("contract")
    }
}
