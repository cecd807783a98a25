//! From data to words on the screen. Nothing here decides anything.

pub mod colour;
pub mod diagnostics;
pub mod diff;
pub mod expression;
pub mod markdown;
pub mod online;
pub mod page;
pub mod plan;
pub mod plan_diff;
pub mod progress;
pub mod replication;
pub mod stack;
pub mod summary;
pub mod time;

use serde::Serialize;

/// A document as indented JSON with a line break at its end.
pub fn json_text(document: &impl Serialize) -> String {
    // Our own types serialise; the fallback keeps this total.
    let mut text = serde_json::to_string_pretty(document)
        .unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    text.push('\n');
    text
}
