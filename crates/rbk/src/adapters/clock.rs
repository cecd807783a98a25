//! Time and randomness from the operating system.

use async_trait::async_trait;
use rbk_core::ports::Clock;
use std::time::{Duration, Instant};

/// The machine's own clocks.
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the monotonic reading.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// A machine without randomness can't make passwords or run names; there is nothing sensible to go on with.
    #[allow(clippy::expect_used, reason = "no randomness, no run")]
    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}
