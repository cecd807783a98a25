//! Text to tree and back for the rbk runbook language.
//!
//! [`parse()`] turns a text into an [`ast::Runbook`] and every [`Diagnostic`] it has to give. It is a pure
//! function and knows nothing of environments, types or effects: those are `rbk-core`'s.

pub mod ast;
mod diagnostic;
mod parse;
mod similar;
mod span;

pub use diagnostic::{Code, Diagnostic, Fix, Label, Severity, has_errors};
pub use parse::{
    CODES, DecodeError, MAX_ERRORS, MAX_TEXT, Parsed, SyntaxError, decode, parse, parse_expression,
};
pub use similar::nearest;
pub use span::{Source, SourceId, Sources, Span, Spanned};
