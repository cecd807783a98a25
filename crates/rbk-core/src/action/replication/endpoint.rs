//! Endpoints: where DMS logs in. What they are given in the call is read right before it and journaled nowhere.

use super::{LAG, Subject, is_made_here, refused, tags, taken};
use crate::action::rds::unprepared;
use crate::plan::Side;
use crate::ports::{EndpointCredentials, EndpointRequest, PortError};
use crate::run::{Content, Effect, Failure, Probe, Scene, Since};
use async_trait::async_trait;
use std::time::Duration;

/// `CreateEndpoint`. Known by its name and by the tags that are sent with it.
pub(in crate::action) struct CreateEndpoint<'a> {
    replication: &'a str,
    side: Side,
    request: Option<EndpointRequest>,
}

impl<'a> CreateEndpoint<'a> {
    pub fn new(replication: &'a str, side: Side) -> Self {
        Self {
            replication,
            side,
            request: None,
        }
    }

    /// Address and credentials, as the database's secret says them; the address must be the instance's own.
    async fn credentials(
        &self,
        scene: &Scene<'_>,
        subject: &Subject<'_>,
    ) -> Result<EndpointCredentials, Failure> {
        let settings = subject.endpoint(self.side);
        let secret = &settings.secret;
        let mut look = scene.look();
        let address = look.endpoint(subject.database(self.side)).await?;
        let value = look.current(secret).await?;
        let content = Content::parse(secret, &value)?;
        if let Some(role) = &settings.secret_access_role {
            // DMS goes where the secret says, and would find out half an hour later.
            if content.endpoint().as_ref() != Some(&address) {
                return Err(Failure::SecretUnusable {
                    secret: secret.clone(),
                    reason: format!(
                        "DMS would go where it says, and that isn't {}:{}, where the instance is",
                        address.host, address.port
                    ),
                });
            }
            return Ok(EndpointCredentials::Secret {
                secret: secret.clone(),
                role: role.clone(),
            });
        }
        Ok(EndpointCredentials::Given {
            host: address.host,
            port: address.port,
            username: content.need(secret, "username")?.to_owned(),
            password: content.password(secret)?,
        })
    }
}

#[async_trait]
impl Effect for CreateEndpoint<'_> {
    fn call(&self) -> &'static str {
        "CreateEndpoint"
    }

    fn target(&self) -> String {
        format!("{} endpoint of {}", self.side.name(), self.replication)
    }

    fn doing(&self) -> String {
        format!(
            "creating the {} endpoint of {}",
            self.side.name(),
            self.replication
        )
    }

    fn look_at(&self) -> String {
        "look at DMS's endpoints whose tag `rbk:run` names this run; then say what you found with `rbk resolve`"
            .to_owned()
    }

    fn is_known_by_name(&self) -> bool {
        true
    }

    fn grace(&self) -> Duration {
        LAG
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let subject = Subject::of(scene, self.replication)?;
        let id = subject.names.endpoint(self.side);
        let Some(is) = scene.world.dms.endpoint(&id).await? else {
            return Ok(Probe::Undone(format!("there is no endpoint `{id}`")));
        };
        if !is_made_here(scene, &is.tags) {
            return Ok(Probe::Foreign(taken("endpoint", &id, &is.tags)));
        }
        let seen = format!("endpoint `{id}` is `{}`", is.status);
        Ok(if is.status.eq_ignore_ascii_case("creating") {
            Probe::Pending(seen)
        } else {
            Probe::Done {
                detail: seen,
                proof: None,
            }
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let subject = Subject::of(scene, self.replication)?;
        let settings = subject.endpoint(self.side);
        self.request = Some(EndpointRequest {
            id: subject.names.endpoint(self.side),
            resource: subject.names.endpoint_resource(self.side),
            side: self.side,
            database: settings.database.clone(),
            credentials: self.credentials(scene, &subject).await?,
            tls: settings.tls,
            certificate: settings.certificate.clone(),
            after_connect: settings.after_connect.clone(),
            tags: tags(scene),
        });
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let request = self.request.as_ref();
        let request = request.ok_or_else(|| unprepared(&self.doing()))?;
        scene.world.dms.create_endpoint(request).await?;
        Ok(())
    }

    fn explain(&mut self, error: PortError) -> Failure {
        refused(self.doing(), error)
    }
}
