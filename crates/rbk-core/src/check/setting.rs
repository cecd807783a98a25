//! Expressions that stand in the environment: what the settings of the deployed stack must say.

use super::{Checker, StatementError};
use crate::environment::{Environment, Places};
use crate::plan::{Expr, StackValue};
use crate::value::Type;
use rbk_syntax::{Diagnostic, Label, SourceId, Span};

/// What a setting must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Evaluated against the world.
    pub expr: Expr,
    /// Boolean, integer or text.
    pub ty: Type,
}

/// Checks an expression that stands in an environment, without a runbook: its names are the environment's databases and
/// applications.
///
/// `place` is where the text stands in the environment's file, without its quotes. Where it is as long as the text, diagnostics
/// point into it; where it isn't, because of escapes, they point at all of it.
pub fn setting(
    environment: &Environment,
    places: &Places,
    text: &str,
    place: Span,
) -> Result<Setting, Vec<Diagnostic>> {
    let here = |diagnostics: Vec<Diagnostic>| {
        let placed = |diagnostic| in_file(diagnostic, text, place);
        diagnostics.into_iter().map(placed).collect::<Vec<_>>()
    };
    let parsed = rbk_syntax::parse_expression(WITHIN, text).map_err(here)?;
    let mut checker = Checker::new(environment, places, None);
    let typed = checker.expression(&parsed);
    if let Some(typed) = &typed
        && !matches!(typed.ty, Type::Boolean | Type::Integer | Type::Text)
    {
        checker.report(StatementError::SettingType {
            span: typed.span,
            ty: typed.ty,
        });
    }
    match typed {
        Some(typed) if checker.diagnostics.is_empty() => Ok(Setting {
            expr: typed.expr,
            ty: typed.ty,
        }),
        _ => Err(here(checker.diagnostics)),
    }
}

/// Names the text itself, until its place in the file is known.
const WITHIN: SourceId = SourceId(u16::MAX);

/// A diagnostic of an expression, with its places in the file that the expression stands in.
fn in_file(diagnostic: Diagnostic, text: &str, place: Span) -> Diagnostic {
    let is_literal = place.len() == text.len();
    let shift = |span: Span| match span.source == WITHIN {
        false => span,
        true if is_literal => Span {
            source: place.source,
            start: place.start.saturating_add(span.start),
            end: place.start.saturating_add(span.end),
        },
        true => place,
    };
    let label = |label: Label| Label {
        span: shift(label.span),
        ..label
    };
    Diagnostic {
        primary: label(diagnostic.primary),
        related: diagnostic.related.into_iter().map(label).collect(),
        fix: diagnostic
            .fix
            .filter(|_| is_literal)
            .map(|mut fix| {
                fix.span = shift(fix.span);
                fix
            })
            // What would need escaping there stays a hint.
            .filter(|fix| !fix.replacement.contains(['"', '\\', '\n'])),
        ..diagnostic
    }
}

impl Checker<'_> {
    /// What the settings of the environment's stack must say.
    pub(super) fn stack(&mut self) -> Vec<StackValue> {
        let settings = self.environment.stack.iter();
        let settings = settings.flat_map(|stack| &stack.settings);
        let mut values = Vec::new();
        for declared in settings {
            let key = format!("stack.settings.{}", declared.name);
            let place = self.places.key(&key).or_else(|| self.places.key("stack"));
            let place = place.unwrap_or(Span::new(SourceId::default(), 0, 0));
            match setting(self.environment, self.places, &declared.expression, place) {
                Ok(Setting { expr, ty }) => values.push(StackValue {
                    setting: declared.name.clone(),
                    expr,
                    ty,
                    text: declared.expression.clone(),
                }),
                Err(diagnostics) => self.diagnostics.extend(diagnostics),
            }
        }
        values
    }
}
