//! STS: who is calling.

use crate::{
    rds::{RdsError, query::Params, xml::Xml},
    world::{Call, World},
};

pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
pub(crate) const API_VERSION: &str = "2011-06-15";

/// Answers an operation.
pub(crate) fn handle(world: &World, call: &Call, params: Params) -> Result<Xml, RdsError> {
    if call.operation != "GetCallerIdentity" {
        return Err(RdsError::InvalidAction {
            action: call.operation.clone(),
            version: API_VERSION.to_owned(),
        });
    }
    params.finish()?;
    let mut xml = Xml::default();
    xml.text("Arn", caller_arn(world))
        .text("UserId", "AIDASANDBOXOPERATOR00")
        .text("Account", &world.options.account);
    Ok(xml)
}

/// Everybody is the same user.
pub(crate) fn caller_arn(world: &World) -> String {
    format!("arn:aws:iam::{}:user/rbk", world.options.account)
}
