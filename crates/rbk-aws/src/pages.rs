//! Lists come in pages, each with a marker that leads to the next. The SDK's own paginators stop where a marker comes again, as if
//! that had been all; for DMS serverless there are none.

use crate::call::Call;
use rbk_core::ports::PortError;
use std::collections::BTreeSet;

/// Where we are in a list.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    marker: Option<String>,
    seen: BTreeSet<String>,
}

impl Pages {
    /// What the next request has to carry.
    pub(crate) fn marker(&self) -> Option<String> {
        self.marker.clone()
    }

    /// Whether no page has been read yet.
    pub(crate) fn at_first(&self) -> bool {
        self.marker.is_none()
    }

    /// Goes on to the page that an answer leads to; whether there is one.
    pub(crate) fn turn(&mut self, call: &Call, next: Option<String>) -> Result<bool, PortError> {
        let Some(next) = next.filter(|marker| !marker.is_empty()) else {
            return Ok(false);
        };
        if !self.seen.insert(next.clone()) {
            return Err(call.nonsense("the pages go in a circle"));
        }
        self.marker = Some(next);
        Ok(true)
    }
}
