//! The `Dms` port over Database Migration Service, serverless.
//!
//! - this file: what is created, started, stopped and deleted, each sent once.
//! - `reading`: what DMS describes, all pages of it, and whose it is.
//! - `mapping`: from its descriptions to ours.

mod mapping;
mod reading;

use crate::Pace;
use crate::call::{Call, Service};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{ComputeConfig, MigrationTypeValue, PostgreSqlSettings};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rbk_core::plan::Side;
use rbk_core::ports::{
    Dms, DmsEndpoint, DmsLeftover, EndpointCredentials, EndpointRequest, PortError, PortErrorKind,
    Replication, ReplicationRequest, TableStatistics,
};
use secrecy::ExposeSecret;

/// DMS in one region.
pub(crate) struct DatabaseMigration {
    client: Client,
    mutations: TimeoutConfig,
}

impl DatabaseMigration {
    pub(crate) fn new(config: &SdkConfig, pace: &Pace) -> Self {
        Self {
            client: Client::new(config),
            mutations: pace.mutations(),
        }
    }

    /// What makes an operation be sent once only.
    fn once(&self) -> aws_sdk_databasemigration::config::Builder {
        aws_sdk_databasemigration::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.mutations.clone())
    }
}

#[async_trait]
impl Dms for DatabaseMigration {
    async fn endpoint(&self, id: &str) -> Result<Option<DmsEndpoint>, PortError> {
        self.endpoint_and_tags(id).await
    }

    async fn create_endpoint(&self, request: &EndpointRequest) -> Result<DmsEndpoint, PortError> {
        let id = &request.id;
        let mut call = Call::new(
            Service::Dms,
            "CreateEndpoint",
            format!("creating the {} endpoint `{id}`", request.side.name()),
        );
        let mut settings = PostgreSqlSettings::builder()
            .set_after_connect_script(request.after_connect.clone())
            // A boolean is otherwise moved as text.
            .map_boolean_as_boolean(true);
        if request.side == Side::Source {
            // Otherwise DMS makes an event trigger and a table in the source, for changes that a full load doesn't follow.
            settings = settings.capture_ddls(false);
        }
        let mut creation = self
            .client
            .create_endpoint()
            .endpoint_identifier(id)
            .resource_identifier(&request.resource)
            .endpoint_type(mapping::side(request.side))
            .engine_name("postgres")
            .database_name(&request.database)
            .ssl_mode(mapping::tls(request.tls))
            .set_certificate_arn(request.certificate.clone())
            .set_tags(Some(mapping::tags(&request.tags)));
        match &request.credentials {
            EndpointCredentials::Secret { secret, role } => {
                settings = settings
                    .secrets_manager_secret_id(secret.as_str())
                    .secrets_manager_access_role_arn(role)
                    .database_name(&request.database);
            }
            EndpointCredentials::Given {
                host,
                port,
                username,
                password,
            } => {
                call = call.hiding(password);
                creation = creation
                    .server_name(host)
                    .port(i32::from(*port))
                    .username(username)
                    .password(password.expose_secret());
            }
        }
        let sending = creation
            .postgre_sql_settings(settings.build())
            .customize()
            .config_override(self.once());
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        let made = answer
            .endpoint()
            .ok_or_else(|| call.nonsense("the answer describes no endpoint"))?;
        let made = mapping::endpoint(made)
            .map_err(|missing| call.nonsense(format!("the endpoint has no {missing}")))?;
        if !made.id.eq_ignore_ascii_case(id) {
            return Err(call.nonsense(format!(
                "the answer describes another endpoint, `{}`",
                made.id
            )));
        }
        Ok(DmsEndpoint {
            tags: request.tags.clone(),
            ..made
        })
    }

    async fn delete_endpoint(&self, arn: &str) -> Result<(), PortError> {
        let call = Call::new(
            Service::Dms,
            "DeleteEndpoint",
            format!("deleting the endpoint `{arn}`"),
        );
        let sending = self
            .client
            .delete_endpoint()
            .endpoint_arn(arn)
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(())
    }

    async fn replication(&self, id: &str) -> Result<Option<Replication>, PortError> {
        self.replication_and_tags(id).await
    }

    async fn create_replication(&self, request: &ReplicationRequest) -> Result<(), PortError> {
        let id = &request.id;
        let call = Call::new(
            Service::Dms,
            "CreateReplicationConfig",
            format!("creating the replication config `{id}`"),
        );
        let capacity = i32::try_from(request.capacity).map_err(|_| {
            PortError::new(
                PortErrorKind::InvalidRequest,
                &call.doing,
                format!("{} capacity units are too many", request.capacity),
            )
        })?;
        let compute = ComputeConfig::builder()
            .max_capacity_units(capacity)
            .multi_az(request.multi_az)
            .replication_subnet_group_id(&request.subnet_group)
            .set_vpc_security_group_ids(Some(request.security_groups.clone()))
            .build();
        let sending = self
            .client
            .create_replication_config()
            .replication_config_identifier(id)
            .resource_identifier(&request.resource)
            .source_endpoint_arn(&request.source)
            .target_endpoint_arn(&request.target)
            .compute_config(compute)
            .replication_type(MigrationTypeValue::FullLoad)
            .table_mappings(request.mappings.to_string())
            .replication_settings(request.settings.to_string())
            .set_tags(Some(mapping::tags(&request.tags)))
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(())
    }

    async fn start_replication(&self, arn: &str) -> Result<(), PortError> {
        let call = Call::new(
            Service::Dms,
            "StartReplication",
            format!("starting the replication `{arn}`"),
        );
        let sending = self
            .client
            .start_replication()
            .replication_config_arn(arn)
            .start_replication_type("start-replication")
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(())
    }

    async fn stop_replication(&self, arn: &str) -> Result<(), PortError> {
        let call = Call::new(
            Service::Dms,
            "StopReplication",
            format!("stopping the replication `{arn}`"),
        );
        let sending = self
            .client
            .stop_replication()
            .replication_config_arn(arn)
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(())
    }

    async fn delete_replication(&self, arn: &str) -> Result<(), PortError> {
        let call = Call::new(
            Service::Dms,
            "DeleteReplicationConfig",
            format!("deleting the replication config `{arn}`"),
        );
        let sending = self
            .client
            .delete_replication_config()
            .replication_config_arn(arn)
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(())
    }

    async fn table_statistics(&self, arn: &str) -> Result<Vec<TableStatistics>, PortError> {
        self.all_table_statistics(arn).await
    }

    async fn has_subnet_group(&self, name: &str) -> Result<bool, PortError> {
        self.subnet_group_is_there(name).await
    }

    async fn leftovers(&self) -> Result<Vec<DmsLeftover>, PortError> {
        self.tagged_by_rbk().await
    }
}
