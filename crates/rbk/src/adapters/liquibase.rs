//! Liquibase, the program.

use async_trait::async_trait;
use rbk_core::ports::{MigrateRequest, MigrationError, MigrationRunner};

/// Runs Liquibase on this machine.
pub struct Liquibase;

#[async_trait]
impl MigrationRunner for Liquibase {
    async fn migrate(&self, _request: &MigrateRequest<'_>) -> Result<(), MigrationError> {
        unimplemented!("contract")
    }
}
