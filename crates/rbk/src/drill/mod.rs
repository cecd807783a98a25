//! The rehearsal.
pub mod disaster;
