//! Requests to stop, from the keyboard or from the system.

use tokio::sync::watch;

/// Hears every request from its creation on, also those that come while nobody waits. A clone has heard what the
/// original had.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<u32>);

impl Stop {
    /// Begins to listen; from now on Ctrl-C ends the process no more.
    pub fn listen() -> Self {
        let (sender, receiver) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                signal().await;
                sender.send_modify(|count: &mut u32| *count = count.saturating_add(1));
            }
        });
        Self(receiver)
    }

    /// Takes all requests until now as answered: a clone has heard them.
    pub fn answered(&mut self) {
        self.0.mark_unchanged();
    }

    /// Returns at the next request that this one hasn't returned for. May be dropped at any time.
    pub async fn asked(&mut self) {
        if self.0.changed().await.is_err() {
            // Can't be: the listening task ends with the process.
            std::future::pending::<()>().await;
        }
    }
}

/// Returns at Ctrl-C, or when the system asks the process to end.
#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Returns at Ctrl-C.
#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
