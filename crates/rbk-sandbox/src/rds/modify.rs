//! Modifications and reboots: some at once, some after a lag, some at the maintenance window.

use std::sync::Arc;

use secrecy::SecretString;

use super::{
    RdsError, lifecycle,
    query::Params,
    render,
    restore::{active_groups, check_parameter_group, check_retention, check_security_groups},
    xml::Xml,
};
use crate::{
    cluster::{Scram, scram_verifier},
    fault::{Drawn, Moment},
    ledger::Entry,
    model::{EventSource, Instance, InstanceId, InstanceStatus, Model, ParameterGroupMembership},
    world::{Call, World},
};

/// What a modification asks for.
#[derive(Default)]
struct Wanted {
    apply_immediately: bool,
    password: Option<Scram>,
    security_groups: Option<Vec<String>>,
    parameter_group: Option<String>,
    deletion_protection: Option<bool>,
    backup_retention_days: Option<u32>,
    backup_window: Option<String>,
    maintenance_window: Option<String>,
    iam_authentication: Option<bool>,
    multi_az: Option<bool>,
    class: Option<String>,
    allocated_storage: Option<u32>,
    new_id: Option<InstanceId>,
    publicly_accessible: Option<bool>,
    copy_tags_to_snapshot: Option<bool>,
    auto_minor_version_upgrade: Option<bool>,
    ca_certificate: Option<String>,
}

/// What is left to be done after the answer.
struct Work {
    resource_id: String,
    password: Option<Scram>,
    security_groups: bool,
    immediately: bool,
    drawn: Drawn,
}

pub(super) fn modify(world: &Arc<World>, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let id = params.instance_id("DBInstanceIdentifier")?;
    let (wanted, names) = take(&mut params)?;
    params.finish()?;
    if names.is_empty() {
        return Err(RdsError::InvalidParameterCombination(
            "No modifications were requested".into(),
        ));
    }
    let immediately = wanted.apply_immediately;
    let groups = wanted.security_groups.is_some();
    let (instance, password) = world.apply(|model| {
        let entry = call.entry(&id).with("Modified", names.join(","));
        let (instance, password) = accept(model, &id, wanted)?;
        let entry = with_password(entry, password.is_some());
        Ok(((instance, password), Some(entry)))
    })?;
    let work = Work {
        resource_id: instance.resource_id.clone(),
        password,
        security_groups: groups,
        immediately,
        drawn: call.drawn.clone(),
    };
    let background = Arc::clone(world);
    world.spawn(async move { carry_out(&background, work).await });
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBInstance", |xml| {
            render::instance(world, model, &instance, xml)
        });
    });
    Ok(xml)
}

fn with_password(entry: Entry, given: bool) -> Entry {
    if given {
        entry.with("MasterUserPassword", "****")
    } else {
        entry
    }
}

/// Takes the parameters, and the names of those that ask for a change.
fn take(params: &mut Params) -> Result<(Wanted, Vec<&'static str>), RdsError> {
    for parameter in ["ManageMasterUserPassword", "RotateMasterUserPassword"] {
        if params.flag(parameter)? == Some(true) {
            return Err(RdsError::InvalidParameterCombination(format!(
                "{parameter} isn't supported by the sandbox; set MasterUserPassword."
            )));
        }
    }
    let mut names = Vec::new();
    let mut asked = |name: &'static str, given: bool| {
        if given {
            names.push(name);
        }
    };
    let password = params.text("MasterUserPassword").map(SecretString::from);
    let password = password
        .map(|password| check_password(&password))
        .transpose()?;
    let new_id = params.text("NewDBInstanceIdentifier");
    let new_id = new_id
        .map(|name| InstanceId::parse("NewDBInstanceIdentifier", &name))
        .transpose()?;
    let wanted = Wanted {
        apply_immediately: params.flag("ApplyImmediately")?.unwrap_or(false),
        password,
        security_groups: params.list("VpcSecurityGroupIds", "VpcSecurityGroupId"),
        parameter_group: params.text("DBParameterGroupName"),
        deletion_protection: params.flag("DeletionProtection")?,
        backup_retention_days: params.number("BackupRetentionPeriod")?,
        backup_window: params.text("PreferredBackupWindow"),
        maintenance_window: params.text("PreferredMaintenanceWindow"),
        iam_authentication: params.flag("EnableIAMDatabaseAuthentication")?,
        multi_az: params.flag("MultiAZ")?,
        class: params.text("DBInstanceClass"),
        allocated_storage: params.number("AllocatedStorage")?,
        new_id,
        publicly_accessible: params.flag("PubliclyAccessible")?,
        copy_tags_to_snapshot: params.flag("CopyTagsToSnapshot")?,
        auto_minor_version_upgrade: params.flag("AutoMinorVersionUpgrade")?,
        ca_certificate: params.text("CACertificateIdentifier"),
    };
    asked("MasterUserPassword", wanted.password.is_some());
    asked("VpcSecurityGroupIds", wanted.security_groups.is_some());
    asked("DBParameterGroupName", wanted.parameter_group.is_some());
    asked("DeletionProtection", wanted.deletion_protection.is_some());
    asked(
        "BackupRetentionPeriod",
        wanted.backup_retention_days.is_some(),
    );
    asked("PreferredBackupWindow", wanted.backup_window.is_some());
    asked(
        "PreferredMaintenanceWindow",
        wanted.maintenance_window.is_some(),
    );
    asked(
        "EnableIAMDatabaseAuthentication",
        wanted.iam_authentication.is_some(),
    );
    asked("MultiAZ", wanted.multi_az.is_some());
    asked("DBInstanceClass", wanted.class.is_some());
    asked("AllocatedStorage", wanted.allocated_storage.is_some());
    asked("NewDBInstanceIdentifier", wanted.new_id.is_some());
    asked("PubliclyAccessible", wanted.publicly_accessible.is_some());
    asked("CopyTagsToSnapshot", wanted.copy_tags_to_snapshot.is_some());
    asked(
        "AutoMinorVersionUpgrade",
        wanted.auto_minor_version_upgrade.is_some(),
    );
    asked("CACertificateIdentifier", wanted.ca_certificate.is_some());
    Ok((wanted, names))
}

/// PostgreSQL: 8 to 128 printable ASCII characters without `/`, `"`, `@`.
fn check_password(password: &SecretString) -> Result<Scram, RdsError> {
    use secrecy::ExposeSecret;
    let text = password.expose_secret();
    if !(8..=128).contains(&text.len()) {
        return Err(RdsError::InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is not between 8 and 128 characters long.".into(),
        ));
    }
    let allowed = |c: char| c.is_ascii_graphic() && !"/\"@".contains(c);
    if !text.chars().all(allowed) {
        return Err(RdsError::InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.".into(),
        ));
    }
    Ok(scram_verifier(password))
}

/// Checks a modification, and makes what takes effect at once; the rest becomes pending.
fn accept(
    model: &mut Model,
    id: &InstanceId,
    wanted: Wanted,
) -> Result<(Instance, Option<Scram>), RdsError> {
    let current = model.instance(id)?.clone();
    if !current.status.takes_modifications() {
        return Err(RdsError::InvalidInstanceState(format!(
            "Database instance is not in available state: {id} is {}.",
            current.status.as_str()
        )));
    }
    if let Some(groups) = &wanted.security_groups {
        check_security_groups(model, groups)?;
    }
    let parameter_group = wanted.parameter_group.map(|name| name.to_ascii_lowercase());
    if let Some(name) = &parameter_group {
        check_parameter_group(model, name, &current.engine_version)?;
    }
    if let Some(days) = wanted.backup_retention_days {
        check_retention(days)?;
    }
    if wanted
        .allocated_storage
        .is_some_and(|size| size < current.allocated_storage)
    {
        return Err(RdsError::InvalidParameterCombination(
            "Invalid storage size: storage can only grow.".into(),
        ));
    }
    if let Some(new_id) = &wanted.new_id
        && model.instances.contains_key(new_id)
    {
        return Err(RdsError::InstanceAlreadyExists);
    }
    let instance = model.instance_mut(id)?;
    if let Some(groups) = wanted.security_groups {
        instance.security_groups = adding(&instance.security_groups, groups);
    }
    if let Some(name) = parameter_group
        && name != instance.parameter_group.name
    {
        instance.parameter_group = ParameterGroupMembership {
            name,
            status: "applying",
        };
    }
    set(
        &mut instance.deletion_protection,
        wanted.deletion_protection,
    );
    set(&mut instance.backup_window, wanted.backup_window);
    set(&mut instance.maintenance_window, wanted.maintenance_window);
    set(
        &mut instance.publicly_accessible,
        wanted.publicly_accessible,
    );
    set(
        &mut instance.copy_tags_to_snapshot,
        wanted.copy_tags_to_snapshot,
    );
    set(
        &mut instance.auto_minor_version_upgrade,
        wanted.auto_minor_version_upgrade,
    );
    set(&mut instance.ca_certificate, wanted.ca_certificate);
    let pending = &mut instance.pending;
    pending.master_password |= wanted.password.is_some();
    pending.id = wanted.new_id.or(pending.id.take());
    pending.class = wanted.class.or(pending.class.take());
    pending.allocated_storage = wanted.allocated_storage.or(pending.allocated_storage);
    pending.multi_az = wanted.multi_az.or(pending.multi_az);
    pending.iam_authentication = wanted.iam_authentication.or(pending.iam_authentication);
    pending.backup_retention_days = wanted
        .backup_retention_days
        .or(pending.backup_retention_days);
    Ok((instance.clone(), wanted.password))
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn adding(
    present: &[crate::model::SecurityGroupMembership],
    ids: Vec<String>,
) -> Vec<crate::model::SecurityGroupMembership> {
    let mut groups = active_groups(ids);
    for group in &mut groups {
        if !present.iter().any(|one| one.id == group.id) {
            group.status = "adding";
        }
    }
    groups
}

/// What happens after the answer, with a lag: for a moment the status is still `available`.
async fn carry_out(world: &World, work: Work) {
    let lock = world.work_lock(&work.resource_id);
    let _alone = lock.lock().await;
    world.faults.wait(&work.drawn, Moment::During).await;
    tokio::time::sleep(world.durations.lag).await;
    if work.security_groups {
        settle_groups(world, &work.resource_id);
    }
    lifecycle::update(world, &work.resource_id, |instance| {
        if instance.parameter_group.status == "applying" {
            instance.parameter_group.status = "pending-reboot";
        }
    });
    if let Some(password) = &work.password {
        reset_password(world, &work.resource_id, password).await;
    }
    settle_retention(world, &work.resource_id, work.immediately);
    if work.immediately {
        apply_pending(world, &work.resource_id).await;
    }
}

fn settle_groups(world: &World, resource_id: &str) {
    let admission = world.change(|model| {
        let instance = model.by_resource_id(resource_id)?;
        for group in &mut instance.security_groups {
            group.status = "active";
        }
        let instance = instance.clone();
        Some(model.admission(&instance))
    });
    if let (Some(admission), Some(running)) = (admission, world.running(resource_id)) {
        running.admit(admission);
    }
}

async fn reset_password(world: &World, resource_id: &str, password: &Scram) {
    use InstanceStatus::{Available, ResettingMasterCredentials};
    lifecycle::pass(world, resource_id, Available, ResettingMasterCredentials);
    tokio::time::sleep(world.durations.resetting_credentials).await;
    let master =
        world.change(|model| Some(model.by_resource_id(resource_id)?.master_username.clone()));
    let (Some(master), Some(running)) = (master, world.running(resource_id)) else {
        return;
    };
    let outcome = running.cluster.set_password(&master, password).await;
    world.change(|model| {
        let Some(instance) = model.by_resource_id(resource_id) else {
            return;
        };
        instance.pending.master_password = false;
        if instance.status == ResettingMasterCredentials {
            instance.status = Available;
        }
        let id = instance.id.clone();
        let message = match outcome {
            Ok(()) => "Reset master credentials".to_owned(),
            Err(error) => format!("Unable to reset your password. Error information: {error}"),
        };
        model.event(
            EventSource::Instance,
            id,
            message,
            &["configuration change"],
        );
    });
}

/// Between zero and a number of days there is an I/O suspension, so that it waits for the window.
fn settle_retention(world: &World, resource_id: &str, immediately: bool) {
    lifecycle::update(world, resource_id, |instance| {
        let Some(days) = instance.pending.backup_retention_days else {
            return;
        };
        let both_keep = days > 0 && instance.backup_retention_days > 0;
        if immediately || both_keep {
            instance.backup_retention_days = days;
            instance.pending.backup_retention_days = None;
        }
    });
}

/// Applies everything that is pending, as `ApplyImmediately` does.
async fn apply_pending(world: &World, resource_id: &str) {
    let pending = world.change(|model| Some(model.by_resource_id(resource_id)?.pending.clone()));
    let Some(pending) = pending else { return };
    let resized = pending.class.is_some()
        || pending.allocated_storage.is_some()
        || pending.multi_az.is_some()
        || pending.iam_authentication.is_some();
    if resized {
        lifecycle::pass(
            world,
            resource_id,
            InstanceStatus::Available,
            InstanceStatus::Modifying,
        );
        tokio::time::sleep(world.durations.modifying).await;
        lifecycle::update(world, resource_id, |instance| {
            let pending = &mut instance.pending;
            set(&mut instance.class, pending.class.take());
            set(
                &mut instance.allocated_storage,
                pending.allocated_storage.take(),
            );
            set(&mut instance.multi_az, pending.multi_az.take());
            set(
                &mut instance.iam_authentication,
                pending.iam_authentication.take(),
            );
        });
        lifecycle::pass(
            world,
            resource_id,
            InstanceStatus::Modifying,
            InstanceStatus::Available,
        );
    }
    if pending.id.is_some() {
        rename(world, resource_id).await;
    }
}

/// A rename restarts the instance; what never changes is its resource id.
async fn rename(world: &World, resource_id: &str) {
    lifecycle::pass(
        world,
        resource_id,
        InstanceStatus::Available,
        InstanceStatus::Renaming,
    );
    restart(world, resource_id).await;
    tokio::time::sleep(world.durations.rebooting).await;
    world.change(|model| {
        let instance = model.by_resource_id(resource_id)?;
        let new_id = instance.pending.id.take()?;
        let old_id = std::mem::replace(&mut instance.id, new_id.clone());
        if instance.status == InstanceStatus::Renaming {
            instance.status = InstanceStatus::Available;
        }
        let message = format!("Renamed instance from {old_id} to {new_id}");
        let instance = model.instances.remove(&old_id)?;
        for snapshot in model.snapshots.values_mut() {
            let automated = snapshot.kind == crate::model::SnapshotKind::Automated;
            if automated && snapshot.source.resource_id == resource_id {
                snapshot.source.id = new_id.clone();
            }
        }
        model.instances.insert(new_id.clone(), instance);
        model.event(
            EventSource::Instance,
            new_id,
            message,
            &["configuration change"],
        );
        Some(())
    });
}

async fn restart(world: &World, resource_id: &str) {
    let Some(running) = world.running(resource_id) else {
        return;
    };
    running.cluster.stop_cleanly().await;
    if let Err(error) = running.cluster.start().await {
        tracing::warn!(%error, resource_id, "an instance didn't come up again");
        lifecycle::update(world, resource_id, |instance| {
            instance.status = InstanceStatus::Lost("failed");
        });
    }
}

pub(super) fn reboot(world: &Arc<World>, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let id = params.instance_id("DBInstanceIdentifier")?;
    let failover = params.flag("ForceFailover")?.unwrap_or(false);
    params.finish()?;
    let instance = world.apply(|model| {
        let instance = model.instance_mut(&id)?;
        if instance.status != InstanceStatus::Available {
            return Err(RdsError::InvalidInstanceState(format!(
                "Database instance {id} is not in available state."
            )));
        }
        if failover && !instance.multi_az {
            return Err(RdsError::InvalidParameterCombination(
                "ForceFailover cannot be specified since the instance is not configured for either MultiAZ or High Availability".into(),
            ));
        }
        instance.status = InstanceStatus::Rebooting;
        let entry = call.entry(&id).with("ForceFailover", failover);
        Ok((instance.clone(), Some(entry)))
    })?;
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBInstance", |xml| {
            render::instance(world, model, &instance, xml)
        });
    });
    let (background, drawn) = (Arc::clone(world), call.drawn.clone());
    world.spawn(async move {
        let resource_id = instance.resource_id;
        let lock = background.work_lock(&resource_id);
        let _alone = lock.lock().await;
        background.faults.wait(&drawn, Moment::During).await;
        restart(&background, &resource_id).await;
        tokio::time::sleep(background.durations.rebooting).await;
        background.change(|model| {
            let instance = model.by_resource_id(&resource_id)?;
            instance.parameter_group.status = "in-sync";
            let id = instance.id.clone();
            model.event(
                EventSource::Instance,
                id,
                "DB instance restarted",
                &["availability"],
            );
            Some(())
        });
        settle_groups(&background, &resource_id);
        lifecycle::pass(
            &background,
            &resource_id,
            InstanceStatus::Rebooting,
            InstanceStatus::Available,
        );
    });
    Ok(xml)
}
