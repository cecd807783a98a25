//! The faults that are planted, and the calls that wait for their release.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{Fault, FaultError, FaultKind, Moment, OperationFault, Rejection};

/// The account's faults.
#[derive(Debug)]
pub(crate) struct Faults {
    state: Mutex<State>,
    /// Counts up whenever a call begins or ends to wait.
    waiting: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    planted: Vec<Planted>,
    keys: BTreeMap<String, Rejection>,
    holds: BTreeMap<String, Gate>,
}

#[derive(Debug)]
struct Planted {
    fault: OperationFault,
    seen: u32,
}

#[derive(Debug)]
struct Gate {
    waiting: usize,
    open: watch::Sender<bool>,
}

/// What strikes one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    faults: Vec<(Moment, FaultKind)>,
}

impl Drawn {
    pub(crate) fn at(&self, moment: Moment) -> impl Iterator<Item = &FaultKind> {
        self.faults
            .iter()
            .filter(move |(when, _)| *when == moment)
            .map(|(_, kind)| kind)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Faults {
            state: Mutex::default(),
            waiting: watch::Sender::new(0),
        }
    }
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn plant(&self, fault: Fault) -> Result<(), FaultError> {
        match fault {
            Fault::Operation(fault) => {
                fault.check()?;
                self.state().planted.push(Planted { fault, seen: 0 });
            }
            Fault::AccessKey { id, rejection } => {
                self.state().keys.insert(id, rejection);
            }
        }
        Ok(())
    }

    /// Removes all faults, and lets every waiting call go on.
    pub(crate) fn clear(&self) {
        let state = std::mem::take(&mut *self.state());
        for gate in state.holds.values() {
            gate.open.send_replace(true);
        }
    }

    pub(crate) fn list(&self) -> Vec<String> {
        let state = self.state();
        let operations = state
            .planted
            .iter()
            .map(|planted| planted.fault.to_string());
        let keys = state.keys.iter().map(|(id, rejection)| {
            Fault::AccessKey {
                id: id.clone(),
                rejection: *rejection,
            }
            .to_string()
        });
        operations.chain(keys).collect()
    }

    pub(crate) fn rejection(&self, access_key: &str) -> Option<Rejection> {
        self.state().keys.get(access_key).copied()
    }

    /// Counts a call, and says what strikes it.
    pub(crate) fn draw(&self, operation: &str) -> Drawn {
        let mut drawn = Drawn::default();
        for planted in &mut self.state().planted {
            if planted.fault.operation != "*" && planted.fault.operation != operation {
                continue;
            }
            planted.seen += 1;
            if planted.fault.calls.contain(planted.seen) {
                drawn
                    .faults
                    .push((planted.fault.moment, planted.fault.kind.clone()));
            }
        }
        drawn
    }

    /// Waits where the drawn faults say so.
    pub(crate) async fn wait(&self, drawn: &Drawn, moment: Moment) {
        for kind in drawn.at(moment) {
            match kind {
                FaultKind::Delay(time) => tokio::time::sleep(*time).await,
                FaultKind::Hold(name) => self.hold(name).await,
                _ => {}
            }
        }
    }

    pub(crate) async fn hold(&self, name: &str) {
        let mut open = {
            let mut state = self.state();
            let gate = state.holds.entry(name.to_owned()).or_insert_with(|| Gate {
                waiting: 0,
                open: watch::Sender::new(false),
            });
            gate.waiting += 1;
            gate.open.subscribe()
        };
        self.waiting.send_modify(|count| *count += 1);
        // An error means that the gate was dropped, which is a release as well.
        let _ = open.wait_for(|open| *open).await;
    }

    /// Lets the calls go on that wait under this name; later ones don't wait.
    pub(crate) fn release(&self, name: &str) {
        let mut state = self.state();
        state.planted.retain(
            |planted| !matches!(&planted.fault.kind, FaultKind::Hold(held) if held == name),
        );
        if let Some(gate) = state.holds.remove(name) {
            gate.open.send_replace(true);
        }
        drop(state);
        self.waiting.send_modify(|count| *count += 1);
    }

    /// How many calls have been held under each name that isn't released.
    pub(crate) fn holds(&self) -> BTreeMap<String, usize> {
        let state = self.state();
        let held = state.holds.iter();
        held.map(|(name, gate)| (name.clone(), gate.waiting))
            .collect()
    }

    /// Waits until a call waits under this name.
    pub(crate) async fn until_held(&self, name: &str) {
        let mut changes = self.waiting.subscribe();
        loop {
            changes.mark_unchanged();
            let held = self
                .state()
                .holds
                .get(name)
                .is_some_and(|gate| gate.waiting > 0);
            if held || changes.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_from_the_planting() {
        let faults = Faults::default();
        faults.draw("DescribeDBInstances");
        faults
            .plant("DescribeDBInstances:2:throttle".parse().unwrap())
            .unwrap();
        let struck: Vec<bool> = (0..3)
            .map(|_| {
                let drawn = faults.draw("DescribeDBInstances");
                drawn.at(Moment::Before).next().is_some()
            })
            .collect();
        assert_eq!(struck, [false, true, false]);
    }

    #[tokio::test]
    async fn a_held_call_goes_on_when_it_is_released() {
        let faults = std::sync::Arc::new(Faults::default());
        faults
            .plant("DeleteDBInstance:*:hold=gate".parse().unwrap())
            .unwrap();
        let drawn = faults.draw("DeleteDBInstance");
        let waiting = tokio::spawn({
            let faults = faults.clone();
            async move { faults.wait(&drawn, Moment::Before).await }
        });
        faults.until_held("gate").await;
        assert!(!waiting.is_finished());
        faults.release("gate");
        waiting.await.unwrap();
        let later = faults.draw("DeleteDBInstance");
        assert!(later.at(Moment::Before).next().is_none());
    }
}
