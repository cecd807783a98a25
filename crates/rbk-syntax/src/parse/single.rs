//! A text that is one expression and nothing else.

use super::Problems;
use super::convert::Converter;
use super::diagnose;
use super::error::SyntaxError;
use super::grammar::{Grammar, Rule};
use super::scan::{Level, Piece, Scanner};
use crate::ast::Expr;
use crate::diagnostic::{Diagnostic, Label};
use crate::span::{SourceId, Span};
use pest::Parser;

/// Reads a text that is one expression.
pub(super) fn expression(source: SourceId, text: &str, problems: &mut Problems) -> Option<Expr> {
    let mut scanner = Scanner::new(text, 0);
    let end = text.len();
    let chunk = match scanner.next(Level::Block) {
        Piece::Chunk(chunk) => chunk,
        piece => {
            let at = if let Piece::Close { at } = piece {
                at
            } else {
                text.len().min(end)
            };
            let error = SyntaxError::Unexpected {
                expected: "a value".into(),
                found: diagnose::found(text.get(at..).unwrap_or("")),
                help: None,
            };
            problems.add(|| error.at(Span::new(source, at, at)));
            return None;
        }
    };
    if let Some(fault) = chunk.fault {
        problems.add(|| diagnose::fault(source, text, &chunk, fault));
        return None;
    }
    if chunk.end < end && scanner.peek() < text.len() {
        let at = scanner.peek();
        let error = SyntaxError::Unexpected {
            expected: "the end of the value".into(),
            found: diagnose::found(text.get(at..).unwrap_or("")),
            help: None,
        };
        problems.add(|| error.at(Span::new(source, at, at)));
        return None;
    }
    let code = scanner.code(&chunk);
    match Grammar::parse(Rule::single_expression, &code) {
        Ok(mut pairs) => {
            let mut converter = Converter::new(problems, chunk.start);
            pairs
                .next()
                .map(|pair| converter.value(&mut converter.parts(pair)))
        }
        Err(error) => {
            problems.add(|| {
                let told = diagnose::refusal(source, text, &chunk, &error);
                let of_value = |words: String| {
                    words.replace("the end of the statement", "the end of the value")
                };
                let primary = Label {
                    text: of_value(told.primary.text),
                    ..told.primary
                };
                Diagnostic {
                    message: of_value(told.message),
                    primary,
                    ..told
                }
            });
            None
        }
    }
}
