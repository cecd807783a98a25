//! What a runbook may ask of a replication, and what it may ask the environment about its entities.

use super::error::CheckError;
use super::expressions::{Need, Read, Typed, constant, observed, written};
use super::scope::Meaning;
use super::{Checker, StatementError};
use crate::environment::RemovalPolicy;
use crate::plan::{Expr, Figure};
use crate::value::{Type, Value};
use rbk_syntax::{Span, ast};

impl Checker<'_> {
    /// A name or path that stands for a value: a parameter, a `let`, an entity, a figure of a replication.
    pub(super) fn value_of(&mut self, path: &ast::Path) -> Option<Typed> {
        if let [name, figure, rest @ ..] = path.names.as_slice() {
            return match self.known_replication(name) {
                Some(replication) => self.figure(name, &replication?, figure, rest, path.span),
                None => self.path(path),
            };
        }
        let typed = self.path(path)?;
        if typed.ty != Type::Replication {
            return Some(typed);
        }
        if self.is_hidden_replication(path.first(), path.span) {
            return None;
        }
        self.report(StatementError::NoValue {
            span: path.span,
            name: path.to_string(),
        });
        None
    }

    /// The replication that a path names, as the plan calls it.
    pub(super) fn replication(&mut self, path: &ast::Path) -> Option<String> {
        let typed = self.path(path)?;
        match typed.expr {
            Expr::Binding {
                name,
                ty: Type::Replication,
            } => {
                let hidden = self.is_hidden_replication(path.first(), path.span);
                (!hidden).then_some(name)
            }
            expr => {
                self.report(CheckError::Mismatch {
                    span: path.span,
                    expected: Type::Replication,
                    found: typed.ty,
                    value: written(&expr),
                });
                None
            }
        }
    }

    /// What the plan calls a replication of that name, if the name is one's: `None` within where that was wrong.
    #[allow(clippy::option_option, reason = "no replication; a broken one; one")]
    fn known_replication(&mut self, name: &ast::Name) -> Option<Option<String>> {
        match self.scope.look_up(&name.value)? {
            Meaning::Replication(replication) => {
                let hidden = self.is_hidden_replication(&name.value, name.span);
                Some((!hidden).then_some(replication))
            }
            Meaning::Broken => Some(None),
            Meaning::Known(_) | Meaning::Observed { .. } | Meaning::Hole { .. } => None,
        }
    }

    /// Reports a replication of a step where `on failure` names it: nobody knows whether it was begun.
    fn is_hidden_replication(&mut self, name: &str, span: Span) -> bool {
        if self.in_failure {
            self.report(StatementError::ReplicationInFailure {
                span,
                name: name.to_owned(),
            });
        }
        self.in_failure
    }

    /// `load.tables_failed`
    fn figure(
        &mut self,
        name: &ast::Name,
        replication: &str,
        figure: &ast::Name,
        rest: &[ast::Name],
        span: Span,
    ) -> Option<Typed> {
        let known = Figure::ALL
            .into_iter()
            .find(|known| known.name() == figure.value && rest.is_empty());
        let Some(known) = known else {
            let mut parts = std::iter::once(figure).chain(rest);
            let end = parts.next_back().map_or(figure.span, |part| part.span);
            let written: Vec<&str> = std::iter::once(figure)
                .chain(rest)
                .map(|part| part.value.as_str())
                .collect();
            self.report(StatementError::UnknownFigure {
                span: figure.span.to(end),
                name: name.value.clone(),
                figure: written.join("."),
            });
            return None;
        };
        let ty = match known {
            Figure::Tables | Figure::TablesLoaded | Figure::TablesFailed | Figure::Rows => {
                Type::Integer
            }
            Figure::Elapsed => Type::Duration,
        };
        let expr = Expr::Figure {
            replication: replication.to_owned(),
            figure: known,
        };
        Some(observed(expr, ty, span))
    }

    /// `active_secret(app)`, `source_snapshot(db)`: observed. `secret(db)`, `removal_policy(db)`: as the environment says.
    pub(super) fn named_in_environment(
        &mut self,
        function: &str,
        argument: &ast::Expr,
        span: Span,
    ) -> Option<Typed> {
        let ty = match function {
            "active_secret" => Type::Application,
            _ => Type::Database,
        };
        let Value::Database(database) = self.entity_value(argument, ty)? else {
            let ast::ExprKind::Path(path) = &argument.kind else {
                return None;
            };
            let application = self.application(path)?;
            return Some(observed(
                Expr::ActiveSecret { application },
                Type::Text,
                span,
            ));
        };
        let facts = self.database_facts(&database)?;
        let text = match function {
            "secret" => facts.secret.to_string(),
            "removal_policy" => match facts.removal_policy {
                RemovalPolicy::Snapshot => "snapshot",
                RemovalPolicy::Destroy => "destroy",
                RemovalPolicy::Retain => "retain",
            }
            .to_owned(),
            _ => {
                let read = Read {
                    database: database.clone(),
                    need: Need::Description,
                    span,
                };
                return Some(Typed {
                    reads: vec![read],
                    ..observed(Expr::SourceSnapshot { database }, Type::Text, span)
                });
            }
        };
        Some(constant(Value::Text(text), span))
    }

    /// The entity that an argument names.
    fn entity_value(&mut self, argument: &ast::Expr, ty: Type) -> Option<Value> {
        if let ast::ExprKind::Path(path) = &argument.kind {
            return self.entity(path, ty);
        }
        let found = self.expression_of(argument, ty)?;
        match found.expr {
            Expr::Value(value) => Some(value),
            _ => None,
        }
    }
}
