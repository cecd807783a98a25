//! Types of expressions and conditions; constants are folded.

use super::Checker;
use super::error::CheckError;
use super::functions::FUNCTIONS;
use super::parameters::named_type;
use super::scope::Meaning;
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::plan::{ArithmeticError, Expr, Operator, Template, TemplatePart, combine};
use crate::value::{Type, Value};
use rbk_syntax::{Label, Span, ast};

/// An expression whose type is known.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
    pub(crate) span: Span,
    /// What evaluating it asks of the world; the state pass sees to it that it is there.
    pub(crate) reads: Vec<Read>,
    /// Of a snapshot: the database that it is of.
    pub(crate) origin: Option<DatabaseName>,
}

/// Something that an evaluation needs.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) database: DatabaseName,
    pub(crate) need: Need,
    pub(crate) span: Span,
}

/// What is needed of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Its instance's description: there may be none.
    Description,
    /// A login, to read data.
    Login,
    /// A login, to see whether there can be one.
    LoginTried,
}

/// How many other uses of an unknown name are shown.
const OTHER_USES: usize = 3;

impl Checker<'_> {
    /// An expression of any type.
    pub(crate) fn expression(&mut self, expr: &ast::Expr) -> Option<Typed> {
        use ast::ExprKind as K;
        let span = expr.span;
        match &expr.kind {
            K::Integer(value) => Some(constant(Value::Integer(*value), span)),
            K::Boolean(value) => Some(constant(Value::Boolean(*value), span)),
            K::Duration(seconds) => Some(constant(Value::Duration(*seconds), span)),
            K::Size(bytes) => Some(constant(Value::Size(*bytes), span)),
            K::Time(time) => Some(constant(Value::Time(*time), span)),
            K::Text(text) => self.text(text),
            K::Path(path) => self.value_of(path),
            K::Now => Some(observed(Expr::Now, Type::Time, span)),
            K::Call {
                function,
                arguments,
            } => self.call(function, arguments, span),
            K::LatestSnapshot { database } => {
                let database = self.database(database)?;
                let typed = observed(
                    Expr::LatestSnapshot {
                        database: database.clone(),
                    },
                    Type::Snapshot,
                    span,
                );
                Some(Typed {
                    origin: Some(database),
                    ..typed
                })
            }
            K::OldestSnapshot { database } => {
                let database = self.database(database)?;
                let typed = observed(
                    Expr::OldestSnapshot {
                        database: database.clone(),
                    },
                    Type::Snapshot,
                    span,
                );
                Some(Typed {
                    origin: Some(database),
                    ..typed
                })
            }
            K::Snapshot { id, database } => {
                let id = self.template(id);
                let database = self.database(database)?;
                let typed = observed(
                    Expr::Snapshot {
                        id,
                        database: database.clone(),
                    },
                    Type::Snapshot,
                    span,
                );
                Some(Typed {
                    origin: Some(database),
                    ..typed
                })
            }
            K::Query { database, sql, ty } => self.query(database, sql, ty, span),
            K::Not(inner) => {
                let inner = self.expression_of(inner, Type::Boolean)?;
                Some(match inner.expr {
                    Expr::Value(Value::Boolean(value)) => constant(Value::Boolean(!value), span),
                    expr => Typed {
                        expr: Expr::Not(Box::new(expr)),
                        span,
                        ..inner
                    },
                })
            }
            K::Negate(inner) => {
                let inner = self.expression_of(inner, Type::Integer)?;
                Some(match inner.expr {
                    Expr::Value(Value::Integer(value)) => match value.checked_neg() {
                        Some(value) => constant(Value::Integer(value), span),
                        None => {
                            self.report(CheckError::Calculation {
                                span,
                                error: ArithmeticError::Overflow {
                                    operator: Operator::Subtract,
                                    left: "0".to_owned(),
                                    right: value.to_string(),
                                    ty: "integer",
                                },
                            });
                            return None;
                        }
                    },
                    expr => Typed {
                        expr: Expr::Negate(Box::new(expr)),
                        span,
                        ..inner
                    },
                })
            }
            K::Binary {
                operator,
                operator_span,
                left,
                right,
            } => self.binary(*operator, *operator_span, left, right, span),
            K::Is { subject, quality } => self.quality(subject, *quality, span),
            K::Uses {
                application,
                database,
            } => {
                let (application, database) =
                    (self.application(application)?, self.database(database)?);
                self.may_use(&application, &database, span)?;
                Some(observed(
                    Expr::Uses {
                        application,
                        database,
                    },
                    Type::Boolean,
                    span,
                ))
            }
            K::HasLeft {
                application,
                database,
            } => {
                let (application, database) =
                    (self.application(application)?, self.database(database)?);
                self.may_use(&application, &database, span)?;
                let read = Read {
                    database: database.clone(),
                    need: Need::Description,
                    span,
                };
                let typed = observed(
                    Expr::HasLeft {
                        application,
                        database,
                    },
                    Type::Boolean,
                    span,
                );
                Some(Typed {
                    reads: vec![read],
                    ..typed
                })
            }
            K::ChecksPass { database } => {
                let name = self.database(database)?;
                if self.database_facts(&name)?.checks.is_empty() {
                    let declared = self.places.database(&name);
                    self.report(CheckError::NoChecks {
                        span,
                        database: name,
                        declared,
                    });
                    return None;
                }
                let read = Read {
                    database: name.clone(),
                    need: Need::Login,
                    span,
                };
                Some(Typed {
                    reads: vec![read],
                    ..observed(Expr::ChecksPass { database: name }, Type::Boolean, span)
                })
            }
            K::Matches { left, right } => self.matches(left, right, span),
            K::NoDrift { database } => self.no_drift(database.as_ref(), span),
            K::Error => {
                self.unreadable();
                None
            }
        }
    }

    /// An expression that must be of one type.
    pub(crate) fn expression_of(&mut self, expr: &ast::Expr, ty: Type) -> Option<Typed> {
        let typed = self.expression(expr)?;
        if typed.ty == ty {
            return Some(typed);
        }
        self.report(CheckError::Mismatch {
            span: typed.span,
            expected: ty,
            found: typed.ty,
            value: written(&typed.expr),
        });
        None
    }

    /// A condition: of type boolean.
    pub(crate) fn condition(&mut self, expr: &ast::Expr) -> Option<Typed> {
        self.expression_of(expr, Type::Boolean)
    }

    /// A text whose parts are evaluated when it is shown. Parts that are wrong are reported and left out.
    pub(crate) fn template(&mut self, text: &ast::Text) -> Template {
        self.template_with_reads(text).0
    }

    fn template_with_reads(&mut self, text: &ast::Text) -> (Template, Vec<Read>) {
        let mut parts: Vec<TemplatePart> = Vec::new();
        let mut reads = Vec::new();
        for part in &text.parts {
            match part {
                ast::TextPart::Literal(literal) => push_text(&mut parts, literal),
                ast::TextPart::Expr(expr) => match self.expression(expr) {
                    Some(Typed {
                        expr: Expr::Value(value),
                        ..
                    }) => push_text(&mut parts, &value.to_string()),
                    Some(typed) => {
                        reads.extend(typed.reads);
                        parts.push(TemplatePart::Expr(typed.expr));
                    }
                    None => {}
                },
            }
        }
        (Template(parts), reads)
    }

    /// A duration that is known when planning.
    pub(crate) fn duration(&mut self, expr: &ast::Expr) -> Option<u64> {
        let typed = self.expression_of(expr, Type::Duration)?;
        match typed.expr {
            Expr::Value(Value::Duration(seconds)) => Some(seconds),
            expr => {
                self.not_constant(&expr, typed.span);
                None
            }
        }
    }

    /// Reports what must be known when planning, and the parameter without a value that keeps it from being so.
    pub(crate) fn not_constant(&mut self, expr: &Expr, span: Span) {
        self.report(CheckError::NotConstant {
            span,
            hole: hole_in(expr),
        });
    }

    /// The entity that a path names.
    pub(super) fn entity(&mut self, path: &ast::Path, ty: Type) -> Option<Value> {
        let typed = self.path(path)?;
        match typed.expr {
            Expr::Value(value) if typed.ty == ty => Some(value),
            expr => {
                let value = written(&expr);
                self.report(CheckError::Mismatch {
                    span: path.span,
                    expected: ty,
                    found: typed.ty,
                    value,
                });
                None
            }
        }
    }

    /// A text that is known when planning: of parameters only, where it has parts.
    pub(crate) fn constant_text(&mut self, text: &ast::Text) -> Option<String> {
        match self.text(text)?.expr {
            Expr::Value(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn text(&mut self, text: &ast::Text) -> Option<Typed> {
        if let Some(literal) = text.as_literal() {
            return Some(constant(Value::Text(literal.to_owned()), text.span));
        }
        let (template, _) = self.template_with_reads(text);
        match template.0.as_slice() {
            [TemplatePart::Text(literal)] => {
                Some(constant(Value::Text(literal.clone()), text.span))
            }
            parts => {
                let hole = parts.iter().find_map(|part| match part {
                    TemplatePart::Expr(expr) => hole_in(expr),
                    TemplatePart::Text(_) => None,
                });
                self.report(CheckError::TextNotConstant {
                    span: text.span,
                    hole,
                });
                None
            }
        }
    }

    pub(super) fn path(&mut self, path: &ast::Path) -> Option<Typed> {
        let Some(name) = path.single() else {
            self.report(CheckError::TableHere {
                span: path.span,
                path: path.to_string(),
            });
            return None;
        };
        let span = path.span;
        match self.scope.look_up(&name.value) {
            Some(Meaning::Known(value)) => return Some(constant(value, span)),
            Some(Meaning::Observed {
                binding,
                ty,
                origin,
            }) => {
                let typed = observed(Expr::Binding { name: binding, ty }, ty, span);
                return Some(Typed { origin, ..typed });
            }
            Some(Meaning::Hole { name, ty }) => {
                return Some(observed(Expr::Parameter { name, ty }, ty, span));
            }
            Some(Meaning::Replication(name)) => {
                let ty = Type::Replication;
                return Some(observed(Expr::Binding { name, ty }, ty, span));
            }
            Some(Meaning::Broken) => return None,
            None => {}
        }
        let database = DatabaseName::new(name.value.as_str());
        if self.environment.databases.contains_key(&database) {
            return Some(constant(Value::Database(database), span));
        }
        let application = name.value.as_str().into();
        if self.environment.applications.contains_key(&application) {
            return Some(constant(Value::Application(application), span));
        }
        self.unknown_name(&name.value, span);
        None
    }

    fn unknown_name(&mut self, name: &str, span: Span) {
        if self.in_bounds
            && let Some(defined) = self.later.get(name).copied()
        {
            self.excused.push(defined);
            self.report(CheckError::NotYet {
                span,
                name: name.to_owned(),
                defined,
            });
            return;
        }
        if let Some((procedure, defined)) = self.hidden(name) {
            let error = CheckError::HiddenName {
                span,
                name: name.to_owned(),
                procedure: procedure.to_owned(),
                defined,
            };
            self.report(error);
            return;
        }
        let candidates = self
            .scope
            .names()
            .chain(self.environment.databases.keys().map(DatabaseName::as_str))
            .chain(
                self.environment
                    .applications
                    .keys()
                    .map(|name| name.as_str()),
            )
            .map(str::to_owned)
            .collect();
        if let Some((defined, beyond)) = self.scope.gone(name) {
            self.report(CheckError::Beyond {
                span,
                name: name.to_owned(),
                defined,
                beyond,
            });
            return;
        }
        if self.told_again(name, span) {
            return;
        }
        let environment = self.environment.name.clone();
        self.report(CheckError::UnknownName {
            span,
            name: name.to_owned(),
            candidates,
            environment,
        });
    }

    /// Whether a name that nobody knows has been told of; then its other uses are shown with the first.
    fn told_again(&mut self, name: &str, span: Span) -> bool {
        let first = match self.unknown_names.get(name) {
            Some(first) => *first,
            None => {
                self.unknown_names.insert(name.to_owned(), span);
                return false;
            }
        };
        let told = self.diagnostics.iter_mut();
        let mut told = told.filter(|told| told.primary.span == first);
        if let Some(told) = told.next()
            && told.related.len() < OTHER_USES
        {
            told.related.push(Label {
                span,
                text: "nor here".to_owned(),
            });
        }
        true
    }

    fn call(&mut self, function: &ast::Name, arguments: &[ast::Expr], span: Span) -> Option<Typed> {
        match (function.value.as_str(), arguments) {
            ("age", [argument]) => {
                let argument = self.expression(argument)?;
                if !matches!(argument.ty, Type::Time | Type::Snapshot) {
                    self.report(CheckError::NoAge {
                        span: argument.span,
                        found: argument.ty,
                    });
                    return None;
                }
                Some(Typed {
                    expr: Expr::Age(Box::new(argument.expr)),
                    ty: Type::Duration,
                    span,
                    origin: None,
                    ..argument
                })
            }
            (
                name @ ("active_secret" | "source_snapshot" | "secret" | "removal_policy"),
                [argument],
            ) => self.named_in_environment(name, argument, span),
            (
                name @ ("restorable_from" | "restorable_until" | "retention" | "snapshot_gap"),
                [argument],
            ) => self.of_backups(name, argument, span),
            ("count", [argument]) => {
                let (database, table) = self.table(argument)?;
                let read = Read {
                    database: database.clone(),
                    need: Need::Login,
                    span,
                };
                Some(Typed {
                    reads: vec![read],
                    ..observed(Expr::Count { database, table }, Type::Integer, span)
                })
            }
            ("size", [argument]) => {
                let (database, table) = match &argument.kind {
                    ast::ExprKind::Path(path) if path.single().is_some() => {
                        (self.database(path)?, None)
                    }
                    _ => {
                        let (database, table) = self.table(argument)?;
                        (database, Some(table))
                    }
                };
                let read = Read {
                    database: database.clone(),
                    need: Need::Login,
                    span,
                };
                Some(Typed {
                    reads: vec![read],
                    ..observed(Expr::Size { database, table }, Type::Size, span)
                })
            }
            (
                name @ ("age" | "count" | "size" | "active_secret" | "source_snapshot" | "secret"
                | "removal_policy" | "restorable_from" | "restorable_until" | "retention"
                | "snapshot_gap"),
                _,
            ) => {
                self.report(CheckError::Arguments {
                    span,
                    function: name.to_owned(),
                    found: arguments.len(),
                });
                None
            }
            (name, _) => {
                let candidates = FUNCTIONS
                    .iter()
                    .map(|function| function.name.to_owned())
                    .collect();
                self.report(CheckError::UnknownFunction {
                    span: function.span,
                    name: name.to_owned(),
                    candidates,
                });
                None
            }
        }
    }

    /// What RDS says of a database's backups.
    fn of_backups(&mut self, name: &str, argument: &ast::Expr, span: Span) -> Option<Typed> {
        let typed = self.expression_of(argument, Type::Database)?;
        let Expr::Value(Value::Database(database)) = typed.expr else {
            return None;
        };
        let (expr, ty) = match name {
            "restorable_from" => (Expr::RestorableFrom { database }, Type::Time),
            "restorable_until" => (Expr::RestorableUntil { database }, Type::Time),
            "retention" => (Expr::Retention { database }, Type::Duration),
            _ => (Expr::SnapshotGap { database }, Type::Duration),
        };
        Some(observed(expr, ty, span))
    }

    /// `database.schema.table`
    fn table(&mut self, expr: &ast::Expr) -> Option<(DatabaseName, TableName)> {
        let ast::ExprKind::Path(path) = &expr.kind else {
            self.report(CheckError::NotATable { span: expr.span });
            return None;
        };
        let [database, schema, table] = path.names.as_slice() else {
            self.report(CheckError::NotATable { span: expr.span });
            return None;
        };
        let database = self.database(&ast::Path {
            names: vec![database.clone()],
            span: database.span,
        })?;
        let table = self.known_table(&database, schema, table)?;
        Some((database, table))
    }

    fn query(
        &mut self,
        database: &ast::Path,
        sql: &ast::Text,
        ty: &ast::Name,
        span: Span,
    ) -> Option<Typed> {
        let database = self.database(database);
        let sql_text = self.constant_text(sql);
        let result = named_type(&ty.value);
        match result {
            None => self.report(CheckError::UnknownType {
                span: ty.span,
                name: ty.value.clone(),
            }),
            Some(
                Type::Database
                | Type::Application
                | Type::Snapshot
                | Type::Table
                | Type::Replication,
            ) => {
                self.report(CheckError::NoQueryType {
                    span: ty.span,
                    ty: ty.value.clone(),
                });
                return None;
            }
            Some(_) => {}
        }
        let (database, sql, ty) = (database?, sql_text?, result?);
        let read = Read {
            database: database.clone(),
            need: Need::Login,
            span,
        };
        Some(Typed {
            reads: vec![read],
            ..observed(Expr::Query { database, sql, ty }, ty, span)
        })
    }

    fn quality(&mut self, subject: &ast::Path, quality: ast::Quality, span: Span) -> Option<Typed> {
        if quality == ast::Quality::Healthy {
            let application = self.application(subject)?;
            if self.application_facts(&application)?.health.is_none() {
                let declared = self.places.application(&application);
                self.report(CheckError::NoHealth {
                    span,
                    application,
                    declared,
                });
                return None;
            }
            return Some(observed(Expr::Healthy { application }, Type::Boolean, span));
        }
        if quality == ast::Quality::Complete {
            let replication = self.replication(subject)?;
            return Some(observed(
                Expr::Complete { replication },
                Type::Boolean,
                span,
            ));
        }
        let database = self.database(subject)?;
        let (need, expr) = match quality {
            ast::Quality::Exists => (
                Need::Description,
                Expr::Exists {
                    database: database.clone(),
                },
            ),
            ast::Quality::AcceptsConnections => (
                Need::LoginTried,
                Expr::AcceptsConnections {
                    database: database.clone(),
                },
            ),
            ast::Quality::Available | ast::Quality::Healthy | ast::Quality::Complete => (
                Need::Description,
                Expr::Available {
                    database: database.clone(),
                },
            ),
        };
        Some(Typed {
            reads: vec![Read {
                database,
                need,
                span,
            }],
            ..observed(expr, Type::Boolean, span)
        })
    }

    fn binary(
        &mut self,
        operator: ast::Operator,
        operator_span: Span,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<Typed> {
        let (left, right) = (self.expression(left), self.expression(right));
        let (left, right) = (left?, right?);
        let symbol = operator.symbol();
        let Some(ty) = result_type(operator, left.ty, right.ty) else {
            let error = CheckError::Operands {
                span: operator_span,
                operator: symbol,
                left: left.ty,
                left_span: left.span,
                right: right.ty,
                right_span: right.span,
                bare: bare_number(&left, &right),
            };
            self.report(error);
            return None;
        };
        if let (Expr::Value(a), Expr::Value(b)) = (&left.expr, &right.expr) {
            return match combine(operator, a, b) {
                Ok(value) => Some(constant(value, span)),
                Err(error) => {
                    self.report(CheckError::Calculation { span, error });
                    None
                }
            };
        }
        match one_side(operator, &left.expr, &right.expr) {
            Some(Side::Left) => return Some(Typed { span, ..left }),
            Some(Side::Right) => return Some(Typed { span, ..right }),
            None => {}
        }
        let mut reads = left.reads;
        reads.extend(right.reads);
        let expr = Expr::Binary {
            operator,
            left: Box::new(left.expr),
            right: Box::new(right.expr),
        };
        Some(Typed {
            reads,
            ..observed(expr, ty, span)
        })
    }
}

/// The first parameter in an expression that has no value.
pub(super) fn hole_in(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Parameter { name, .. } => Some(name.clone()),
        Expr::Age(inner) | Expr::Not(inner) | Expr::Negate(inner) => hole_in(inner),
        Expr::Binary { left, right, .. } => hole_in(left).or_else(|| hole_in(right)),
        _ => None,
    }
}

pub(super) fn constant(value: Value, span: Span) -> Typed {
    Typed {
        ty: value.ty(),
        expr: Expr::Value(value),
        span,
        reads: Vec::new(),
        origin: None,
    }
}

pub(super) fn observed(expr: Expr, ty: Type, span: Span) -> Typed {
    Typed {
        expr,
        ty,
        span,
        reads: Vec::new(),
        origin: None,
    }
}

fn push_text(parts: &mut Vec<TemplatePart>, text: &str) {
    match parts.last_mut() {
        Some(TemplatePart::Text(last)) => last.push_str(text),
        _ => parts.push(TemplatePart::Text(text.to_owned())),
    }
}

/// A constant as it is written, for messages.
pub(super) fn written(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The number without a unit, where the other side has one.
fn bare_number(left: &Typed, right: &Typed) -> Option<(Span, String, Type)> {
    let bare = |number: &Typed, other: &Typed| match (&number.expr, other.ty) {
        (Expr::Value(Value::Integer(value)), Type::Duration | Type::Size) => {
            Some((number.span, value.to_string(), other.ty))
        }
        _ => None,
    };
    bare(left, right).or_else(|| bare(right, left))
}

fn result_type(operator: Operator, left: Type, right: Type) -> Option<Type> {
    use Operator as O;
    use Type as T;
    match operator {
        O::Or | O::And => (left == T::Boolean && right == T::Boolean).then_some(T::Boolean),
        O::Equal | O::NotEqual => (left == right
            && !matches!(left, T::Snapshot | T::Table | T::Replication))
        .then_some(T::Boolean),
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual => (left == right
            && matches!(left, T::Integer | T::Duration | T::Size | T::Time))
        .then_some(T::Boolean),
        O::Add => match (left, right) {
            (T::Integer | T::Duration | T::Size, _) if left == right => Some(left),
            (T::Time, T::Duration) => Some(T::Time),
            _ => None,
        },
        O::Subtract => match (left, right) {
            (T::Integer | T::Duration | T::Size, _) if left == right => Some(left),
            (T::Time, T::Duration) => Some(T::Time),
            (T::Time, T::Time) => Some(T::Duration),
            _ => None,
        },
        O::Multiply | O::Divide => match (left, right) {
            (T::Integer | T::Duration | T::Size, T::Integer) => Some(left),
            _ => None,
        },
    }
}

/// A side of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The side that `and` and `or` amount to where only one side is known: `false and x` is `false`, `true and x` is `x`.
fn one_side(operator: Operator, left: &Expr, right: &Expr) -> Option<Side> {
    let decides = match operator {
        Operator::And => false,
        Operator::Or => true,
        _ => return None,
    };
    match (left, right) {
        (Expr::Value(_), Expr::Value(_)) => None,
        (Expr::Value(Value::Boolean(value)), _) => Some(match *value == decides {
            true => Side::Left,
            false => Side::Right,
        }),
        (_, Expr::Value(Value::Boolean(value))) => Some(match *value == decides {
            true => Side::Right,
            false => Side::Left,
        }),
        _ => None,
    }
}
