//! Meaning and execution of rbk runbooks.
//!
//! The data goes one way: an [`rbk_syntax::ast::Runbook`] is checked against an [`environment::Environment`], lowered to a
//! [`plan::Plan`], performed against a [`ports::World`] and recorded in a journal, of which every report is a fold.

mod action;
pub mod catalog;
pub mod check;
pub mod codes;
pub mod drift;
pub mod environment;
pub mod ids;
pub mod journal;
pub mod lease;
mod listing;
pub mod lower;
pub mod plan;
pub mod ports;
pub mod run;
pub mod shell;
pub mod sql;
pub mod stack;
mod state;
pub mod status;
mod steps;
pub mod value;
