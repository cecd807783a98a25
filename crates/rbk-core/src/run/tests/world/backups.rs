//! Backups: snapshots that are being made, and the instants that an instance can be restored to.

use super::{Inner, START};
use crate::ids::{InstanceId, SnapshotId};
use crate::ports::{Quota, RestoreWindow};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What RDS knows besides instances.
pub struct Backups {
    /// How long a snapshot takes, in virtual milliseconds, and the state that it ends in.
    pub snapshot_takes: u64,
    pub snapshot_ends: &'static str,
    /// Snapshots that are being made, and when they are there.
    pub under_way: BTreeMap<SnapshotId, u64>,
    pub tags: BTreeMap<SnapshotId, BTreeMap<String, String>>,
    /// How far back an instance can be restored, and how far behind now; absent: it can't be.
    pub reach: Option<(SignedDuration, Option<SignedDuration>)>,
    /// The instants that instances were restored to.
    pub restored_to: Vec<Timestamp>,
    pub roles: BTreeSet<String>,
    pub subnet_groups: BTreeSet<String>,
    pub parameter_groups: BTreeSet<String>,
    pub quotas: Vec<Quota>,
}

impl Default for Backups {
    fn default() -> Self {
        Self {
            snapshot_takes: 120_000,
            snapshot_ends: "available",
            under_way: BTreeMap::new(),
            tags: BTreeMap::new(),
            reach: Some((
                SignedDuration::from_hours(24),
                Some(SignedDuration::from_mins(5)),
            )),
            restored_to: Vec::new(),
            roles: BTreeSet::new(),
            subnet_groups: BTreeSet::new(),
            parameter_groups: BTreeSet::new(),
            quotas: Vec::new(),
        }
    }
}

impl Inner {
    /// The virtual clock's time.
    fn time(&self, millis: u64) -> Timestamp {
        let start: Timestamp = START.parse().unwrap();
        start + SignedDuration::from_millis(i64::try_from(millis).unwrap())
    }

    /// What an instance can be restored to: it moves on with the clock.
    pub fn window(&self, of: &InstanceId) -> Option<RestoreWindow> {
        let (back, behind) = self.backups.reach?;
        self.servers.get(of)?;
        let now = self.time(self.now);
        Some(RestoreWindow {
            earliest: now - back,
            latest: behind.map(|behind| now - behind),
        })
    }

    /// Snapshots come to an end.
    pub fn settle_snapshots(&mut self) {
        let now = self.now;
        let done: Vec<(SnapshotId, u64)> = self
            .backups
            .under_way
            .iter()
            .filter(|(_, at)| now >= **at)
            .map(|(id, at)| (id.clone(), *at))
            .collect();
        for (id, at) in done {
            self.backups.under_way.remove(&id);
            let created = self.time(at - self.backups.snapshot_takes);
            let ends = self.backups.snapshot_ends;
            let mut snapshots = self.snapshots.iter_mut();
            if let Some(snapshot) = snapshots.find(|it| it.id == id) {
                ends.clone_into(&mut snapshot.status);
                snapshot.created_at = Some(created);
            }
        }
    }
}
