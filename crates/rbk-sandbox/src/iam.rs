//! IAM: which roles there are.

use crate::{
    rds::{RdsError, query::Params, xml::Xml},
    world::{Call, World},
};

pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
pub(crate) const API_VERSION: &str = "2010-05-08";

/// All roles are DMS's.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"dms.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Answers an operation.
pub(crate) fn handle(world: &World, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    if call.operation != "GetRole" {
        return Err(RdsError::InvalidAction {
            action: call.operation.clone(),
            version: API_VERSION.to_owned(),
        });
    }
    let name = params.required("RoleName")?;
    params.finish()?;
    let found = world.view(call, |model| model.dms.roles.contains(&name));
    if !found {
        return Err(RdsError::NoSuchRole(name));
    }
    let trust: String = form_urlencoded::byte_serialize(TRUST.as_bytes()).collect();
    let mut xml = Xml::default();
    xml.element("Role", |xml| {
        xml.text("Path", "/")
            .text("RoleName", &name)
            .text("RoleId", "AROASANDBOXROLE000000")
            .text(
                "Arn",
                format!("arn:aws:iam::{}:role/{name}", world.options.account),
            )
            .text("CreateDate", "2026-01-02T03:04:05Z")
            .text("AssumeRolePolicyDocument", trust)
            .text("MaxSessionDuration", 3600);
    });
    Ok(xml)
}
