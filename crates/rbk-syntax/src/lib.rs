//! Text to tree and back for the rbk runbook language.
//!
//! [`parse()`] turns a text into an [`ast::Runbook`] and every [`Diagnostic`] it has to give; [`parse_used`] does
//! the same with a file of procedures. [`format()`] lays a text out without a change of what it says. All are pure and know nothing of environments, types or effects: those
//! are `rbk-core`'s.

pub mod ast;
mod diagnostic;
mod format;
mod parse;
mod similar;
mod span;

pub use diagnostic::{Code, Diagnostic, Fix, Label, Safety, Severity, has_errors};
pub use format::{FormatError, format};
pub use parse::{
    CODES, DecodeError, MAX_ERRORS, MAX_TEXT, Parsed, SyntaxError, decode, parse, parse_expression,
    parse_used,
};
pub use similar::{Near, near, nearest};
pub use span::{Source, SourceId, Sources, Span, Spanned};
