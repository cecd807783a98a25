//! Kill points: against a sandbox, and nowhere else, a run can be made to die exactly where a crash is most instructive.
//!
//! `RBK_KILL_AT=after-intent:3` has the process end itself by SIGKILL when its third intent is durable and nothing of
//! it has been sent. Tests and demonstrations of `rbk resume` enumerate the points with it. See `docs/sandbox.md`.

use crate::exit::Failure;
use async_trait::async_trait;
use rbk_core::run::{Hooks, Point};
use rustix::process::{Signal, getpid, kill_process};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names the point.
pub const VARIABLE: &str = "RBK_KILL_AT";

/// Where a process dies.
#[derive(Debug)]
struct KillPoint {
    place: Place,
    /// How many times the place is still reached, this one included.
    left: AtomicU32,
}

/// Places around the two halves of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    AfterIntent,
    BeforeSend,
    AfterSend,
    BeforeOutcome,
    AfterOutcome,
}

impl Place {
    const ALL: [(&'static str, Place); 5] = [
        ("after-intent", Place::AfterIntent),
        ("before-send", Place::BeforeSend),
        ("after-send", Place::AfterSend),
        ("before-outcome", Place::BeforeOutcome),
        ("after-outcome", Place::AfterOutcome),
    ];

    fn is_at(self, point: Point) -> bool {
        match self {
            Place::AfterIntent => point == Point::AfterSync("intent"),
            Place::BeforeSend => matches!(point, Point::BeforeSend(_)),
            Place::AfterSend => matches!(point, Point::AfterSend(_)),
            Place::BeforeOutcome => point == Point::BeforeSync("outcome"),
            Place::AfterOutcome => point == Point::AfterSync("outcome"),
        }
    }
}

/// What `RBK_KILL_AT` says, for a run whose AWS calls stay on this machine.
pub fn from_variables() -> Result<Option<Arc<dyn Hooks>>, Failure> {
    let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    text.map(|text| parse(&text).map(|point| Arc::new(point) as Arc<dyn Hooks>))
        .transpose()
}

fn parse(text: &str) -> Result<KillPoint, Failure> {
    let parts = text.split_once(':').and_then(|(name, number)| {
        let (_, place) = Place::ALL.into_iter().find(|(known, _)| *known == name)?;
        let number = number.parse().ok().filter(|number| *number > 0)?;
        Some((place, number))
    });
    let (place, number) = parts.ok_or_else(|| {
        let names: Vec<&str> = Place::ALL.into_iter().map(|(name, _)| name).collect();
        Failure::usage(format!("{VARIABLE} is `{text}`, which is no kill point")).help(format!(
            "say one of {}, a colon, and which one counted from 1",
            names.join(", ")
        ))
    })?;
    Ok(KillPoint {
        place,
        left: AtomicU32::new(number),
    })
}

#[async_trait]
impl Hooks for KillPoint {
    async fn reached(&self, point: Point) {
        // It stays at zero if the signal can't be sent: the run stands still rather than go past its point.
        if self.place.is_at(point) && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _ = kill_process(getpid(), Signal::KILL);
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_known_place_and_a_number_from_one() {
        let point = parse("after-send:12").unwrap();
        assert_eq!(
            (point.place, point.left.into_inner()),
            (Place::AfterSend, 12)
        );
        for wrong in ["after-send", "after-send:0", "after-send:x", "later:1", ":"] {
            let failure = parse(wrong).unwrap_err();
            assert!(failure.message.contains(wrong), "{}", failure.message);
        }
    }

    #[test]
    fn a_place_is_told_from_its_neighbours() {
        assert!(Place::AfterIntent.is_at(Point::AfterSync("intent")));
        assert!(!Place::AfterIntent.is_at(Point::BeforeSync("intent")));
        assert!(!Place::AfterIntent.is_at(Point::AfterSync("outcome")));
        assert!(!Place::BeforeSend.is_at(Point::AfterSend("PutSecretValue")));
        assert!(Place::AfterOutcome.is_at(Point::AfterSync("outcome")));
    }
}
