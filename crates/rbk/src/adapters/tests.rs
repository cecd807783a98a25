//! What the adapters' tests share.

use rbk_core::ports::Progress;
use std::sync::Mutex;

/// Remembers what it was told.
#[derive(Default)]
pub struct Told(Mutex<Vec<String>>);

impl Told {
    /// In order.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Told {
    fn tell(&self, seen: &str, _: u64, _: u64) {
        self.0.lock().unwrap().push(seen.to_owned());
    }
}
