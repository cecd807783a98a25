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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::setting;
    use crate::environment::{Environment, Places};
    use crate::plan::Expr;
    use crate::value::{Type, Value};
    use rbk_syntax::{SourceId, Span};

    fn team() -> Environment {
        let text = include_str!("../../../../tests/lang/team.toml");
        let loaded =
            crate::environment::load("team", SourceId(1), text, std::path::Path::new("/team"));
        loaded.environment.unwrap()
    }

    /// The span that a text would have in line 7 of the file.
    fn place(text: &str) -> Span {
        Span::new(SourceId(1), 70, 70 + text.len())
    }

    fn told(text: &str, place: Span) -> Vec<(String, u32, u32)> {
        let told = setting(&team(), &Places::default(), text, place).unwrap_err();
        told.into_iter()
            .map(|diagnostic| {
                let span = diagnostic.primary.span;
                assert_eq!(span.source, SourceId(1));
                (diagnostic.message, span.start, span.end)
            })
            .collect()
    }

    #[test]
    fn the_environment_says_what_is_known_of_it() {
        let known = |text| setting(&team(), &Places::default(), text, place(text)).unwrap();
        assert_eq!(known("recovery exists").ty, Type::Boolean);
        assert_eq!(
            known("secret(recovery)").expr,
            Expr::Value(Value::Text("team/recovery_app".to_owned()))
        );
        assert_eq!(
            known("active_secret(shop) == secret(original)").ty,
            Type::Boolean
        );
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands_in_the_file() {
        let text = "recvery exists";
        assert_eq!(
            told(text, place(text)),
            [("nothing here is called `recvery`".to_owned(), 70, 77)]
        );
        let text = "recovery exists and";
        assert_eq!(told(text, place(text)).len(), 1);
        let text = "latest snapshot of recovery";
        assert_eq!(
            told(text, place(text)),
            [(
                "a setting of the stack can't be of type snapshot".to_owned(),
                70,
                97
            )]
        );
        // Written with escapes: longer in the file than it is.
        let whole = Span::new(SourceId(1), 70, 100);
        assert_eq!(
            told("recvery exists", whole),
            [("nothing here is called `recvery`".to_owned(), 70, 100)]
        );
    }
}
