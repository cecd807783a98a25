//! Parameters: what was given, what the environment says, what the runbook defaults to.

use super::error::CheckError;
use super::expressions::Typed;
use super::{Checker, Input, Precondition};
use crate::plan::{Expr, Origin, Parameter};
use crate::value::{Type, Value};
use rbk_syntax::{SourceId, Sources, Span, ast};
use std::collections::HashMap;

impl Checker<'_> {
    /// All of them, and what is left to prove of their `where`s at preflight.
    pub(super) fn parameters(
        &mut self,
        input: &Input<'_>,
        sources: &mut Sources,
    ) -> (Vec<Parameter>, Vec<Precondition>) {
        let mut parameters = Vec::new();
        let mut unproven = Vec::new();
        let mut entities: HashMap<Value, (String, Span)> = HashMap::new();
        for item in &input.runbook.items {
            let ast::Item::Param(param) = item else {
                continue;
            };
            if let Some(first) = self.scope.span_of(&param.name.value) {
                self.report(CheckError::Twice {
                    span: param.name.span,
                    name: param.name.value.clone(),
                    first,
                });
                continue;
            }
            let value = match self.parameter_value(param, input, sources) {
                Given::Value(value, origin, span) => {
                    self.scope
                        .define_parameter(&param.name, Some(value.clone()));
                    Some((value, origin, span))
                }
                Given::Hole(ty) => {
                    self.scope.define_hole(&param.name, ty);
                    let bounds = self.bounds(param, None, sources, &mut unproven);
                    parameters.push(Parameter {
                        name: param.name.value.clone(),
                        doc: param.doc.as_ref().map(|doc| doc.text.clone()),
                        ty,
                        value: None,
                        origin: Origin::Open,
                        bounds,
                    });
                    continue;
                }
                Given::Wrong => {
                    self.scope.define_parameter(&param.name, None);
                    None
                }
            };
            let place = value
                .as_ref()
                .map(|(value, _, span)| (value.clone(), *span));
            let bounds = self.bounds(param, place, sources, &mut unproven);
            let Some((value, origin, span)) = value else {
                continue;
            };
            if matches!(value, Value::Database(_) | Value::Application(_)) {
                let name = param.name.value.clone();
                match entities.get(&value) {
                    Some((other, other_span)) => {
                        let error = CheckError::SameEntity {
                            span,
                            name,
                            value: value.to_string(),
                            other: other.clone(),
                            other_span: *other_span,
                        };
                        self.report(error);
                    }
                    None => {
                        entities.insert(value.clone(), (name, span));
                    }
                }
            }
            parameters.push(Parameter {
                name: param.name.value.clone(),
                doc: param.doc.as_ref().map(|doc| doc.text.clone()),
                ty: value.ty(),
                value: Some(value),
                origin,
                bounds,
            });
        }
        self.unknown_given(input, sources);
        (parameters, unproven)
    }

    fn parameter_value(
        &mut self,
        param: &ast::Param,
        input: &Input<'_>,
        sources: &mut Sources,
    ) -> Given {
        let Some(ty) = self.parameter_type(&param.ty) else {
            return Given::Wrong;
        };
        let found = |value: Option<(Value, Span)>, origin| match value {
            Some((value, span)) => Given::Value(value, origin, span),
            None => Given::Wrong,
        };
        let name = param.name.value.as_str();
        if let Some(text) = input.given.get(name) {
            let source = sources.add(format!("--set {name}"), text.as_str());
            return found(self.value_of_text(text, source, ty), Origin::Given);
        }
        if let Some(text) = input.environment.parameters.get(name) {
            let source = sources.add(
                format!(
                    "[parameters] {name} of environment `{}`",
                    input.environment.name
                ),
                text.as_str(),
            );
            return found(self.value_of_text(text, source, ty), Origin::Environment);
        }
        let Some(default) = &param.default else {
            if !matches!(ty, Type::Database | Type::Application) {
                return Given::Hole(ty);
            }
            self.report(CheckError::NoValue {
                span: param.name.span,
                name: name.to_owned(),
                ty,
            });
            return Given::Wrong;
        };
        let typed = self.expression_of(default, ty);
        let value = typed.and_then(|typed| self.constant(typed));
        found(value.map(|value| (value, default.span)), Origin::Default)
    }

    pub(super) fn parameter_type(&mut self, name: &ast::Name) -> Option<Type> {
        let ty = named_type(&name.value);
        match ty {
            Some(Type::Snapshot | Type::Table) => {
                self.report(CheckError::NoParameterType {
                    span: name.span,
                    ty: name.value.clone(),
                });
                None
            }
            Some(ty) => Some(ty),
            None => {
                self.report(CheckError::UnknownType {
                    span: name.span,
                    name: name.value.clone(),
                });
                None
            }
        }
    }

    /// A value as `--set` and the environment give it: written as in a runbook, text without its quotes.
    fn value_of_text(&mut self, text: &str, source: SourceId, ty: Type) -> Option<(Value, Span)> {
        let span = Span::new(source, 0, text.len());
        if ty == Type::Text {
            return Some((Value::Text(text.to_owned()), span));
        }
        let expr = match rbk_syntax::parse_expression(source, text) {
            Ok(expr) => expr,
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                return None;
            }
        };
        let typed = self.expression_of(&expr, ty)?;
        self.constant(typed).map(|value| (value, span))
    }

    fn constant(&mut self, typed: Typed) -> Option<Value> {
        match typed.expr {
            Expr::Value(value) => Some(value),
            expr => {
                self.not_constant(&expr, typed.span);
                None
            }
        }
    }

    fn unknown_given(&mut self, input: &Input<'_>, sources: &mut Sources) {
        for (name, text) in input.given {
            if self.scope.span_of(name).is_none() {
                let shown = format!("{name}={text}");
                let source = sources.add("--set", shown.as_str());
                let error = CheckError::UnknownParameter {
                    span: Span::new(source, 0, name.len()),
                    name: name.clone(),
                    candidates: self.scope.names().map(str::to_owned).collect(),
                };
                self.report(error);
            }
        }
    }
}

/// What a parameter is.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Given {
    /// A value, who gave it, and where.
    Value(Value, Origin, Span),
    /// Whoever runs the plan gives it.
    Hole(Type),
    /// Something that can't be; it has been reported.
    Wrong,
}

/// The type of that name.
pub(super) fn named_type(name: &str) -> Option<Type> {
    super::error::TYPES
        .iter()
        .copied()
        .find(|ty| ty.name() == name)
}
