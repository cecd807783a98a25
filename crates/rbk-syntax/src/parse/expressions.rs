//! Expressions and conditions: from the grammar's flat list of operands and operators to the tree.

use super::convert::{Converter, MAX_OPERATORS, Parts};
use super::error::SyntaxError;
use super::grammar::Rule;
use super::scan::MAX_DEPTH;
use super::words;
use crate::ast::{Expr, ExprKind, Operator, Path, Quality, TextPart};
use crate::span::{Span, Spanned};
use pest::iterators::Pair;

/// What waits for its right side.
enum Pending {
    Prefix {
        negate: bool,
        span: Span,
    },
    Infix {
        operator: Operator,
        span: Span,
        left: Expr,
    },
}

impl Converter<'_> {
    /// The next part as an expression.
    pub(super) fn value(&mut self, parts: &mut Parts<'_>) -> Expr {
        match parts.take(Rule::expression) {
            Some(pair) => self.expression(pair),
            None => parts.missing_value(),
        }
    }

    /// Climbs the precedences with a stack of its own, so that a long expression costs no call depth.
    pub(super) fn expression(&mut self, pair: Pair<'_, Rule>) -> Expr {
        debug_assert_eq!(pair.as_rule(), Rule::expression);
        let all = self.span(&pair);
        let text = pair.get_input();
        let mut pending: Vec<Pending> = Vec::new();
        let mut prefixes = 0;
        let mut value = Expr {
            kind: ExprKind::Error,
            span: self.behind(all),
        };
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::prefix => {
                    prefixes += 1;
                    if prefixes > MAX_DEPTH {
                        self.add(&SyntaxError::TooDeep, span);
                        return Expr {
                            kind: ExprKind::Error,
                            span,
                        };
                    }
                    let negate = self.prefix(part.as_str(), span);
                    pending.push(Pending::Prefix { negate, span });
                }
                Rule::operator => {
                    prefixes = 0;
                    self.operators += 1;
                    if self.operators > MAX_OPERATORS {
                        if self.operators == MAX_OPERATORS + 1 {
                            let help = "name a part of it with `let`";
                            self.add(
                                &SyntaxError::TooLong {
                                    what: "this expression",
                                    help,
                                },
                                span,
                            );
                        }
                        return Expr {
                            kind: ExprKind::Error,
                            span,
                        };
                    }
                    let operator = self.operator(part.as_str(), span, &value);
                    let left = self.reduce(&mut pending, value, precedence(operator), Some(span));
                    value = Expr {
                        kind: ExprKind::Error,
                        span: self.behind(span),
                    };
                    pending.push(Pending::Infix {
                        operator,
                        span,
                        left,
                    });
                }
                _ => {
                    value = self.operand(part);
                    self.refuse_hyphen(text, pending.last(), &mut value);
                }
            }
        }
        self.reduce(&mut pending, value, 0, None)
    }

    /// Builds what binds at least as tightly as `precedence`; `next` is the operator that asks.
    fn reduce(
        &mut self,
        pending: &mut Vec<Pending>,
        mut right: Expr,
        precedence: u8,
        next: Option<Span>,
    ) -> Expr {
        while let Some(top) = pending.pop() {
            match top {
                Pending::Prefix { negate, span } => {
                    // `not` reaches over comparisons: `not age(snap) < 1h`.
                    if !negate && precedence > NOT {
                        pending.push(Pending::Prefix { negate, span });
                        return right;
                    }
                    let whole = span.to(right.span);
                    let operand = Box::new(right);
                    let kind = if negate {
                        ExprKind::Negate(operand)
                    } else {
                        ExprKind::Not(operand)
                    };
                    right = Expr { kind, span: whole };
                }
                Pending::Infix {
                    operator,
                    span,
                    left,
                } if self::precedence(operator) >= precedence => {
                    if self::precedence(operator) == COMPARISON
                        && precedence == COMPARISON
                        && let Some(next) = next
                    {
                        self.add_with(&SyntaxError::ChainedComparison, next, |it| {
                            it.relate(span, "the first comparison")
                        });
                        right = Expr {
                            kind: ExprKind::Error,
                            span: left.span.to(right.span),
                        };
                        continue;
                    }
                    let whole = left.span.to(right.span);
                    if operator == Operator::Subtract && matches!(right.kind, ExprKind::Error) {
                        // What was told of the right side is told of both: see `refuse_hyphen`.
                        right = Expr {
                            kind: ExprKind::Error,
                            span: whole,
                        };
                        continue;
                    }
                    let kind = ExprKind::Binary {
                        operator,
                        operator_span: span,
                        left: Box::new(left),
                        right: Box::new(right),
                    };
                    right = Expr { kind, span: whole };
                }
                waiting @ Pending::Infix { .. } => {
                    pending.push(waiting);
                    return right;
                }
            }
        }
        right
    }

    /// Whether a prefix is `-`; otherwise it is `not`.
    fn prefix(&mut self, written: &str, span: Span) -> bool {
        if written == "!" {
            let error = SyntaxError::MistakenOperator {
                written: written.into(),
                meant: "not",
            };
            self.add_with(&error, span, |it| it.fix(span, "not "));
        }
        written == "-"
    }

    fn operator(&mut self, written: &str, span: Span, left: &Expr) -> Operator {
        let (operator, mistaken) = match written {
            "or" => (Operator::Or, false),
            "||" => (Operator::Or, true),
            "and" => (Operator::And, false),
            "&&" => (Operator::And, true),
            "==" => (Operator::Equal, false),
            "!=" => (Operator::NotEqual, false),
            "!==" | "<>" => (Operator::NotEqual, true),
            "<" => (Operator::Less, false),
            "<=" => (Operator::LessOrEqual, false),
            ">" => (Operator::Greater, false),
            ">=" => (Operator::GreaterOrEqual, false),
            "+" => (Operator::Add, false),
            "-" => (Operator::Subtract, false),
            "*" => (Operator::Multiply, false),
            "/" => (Operator::Divide, false),
            _ => (Operator::Equal, true),
        };
        if mistaken && !matches!(left.kind, ExprKind::Error) {
            let meant = operator.symbol();
            let error = SyntaxError::MistakenOperator {
                written: written.into(),
                meant,
            };
            self.add_with(&error, span, |it| it.safe_fix(span, meant));
        }
        operator
    }

    /// `my-db` is no subtraction, whatever the grammar says. `text` is the statement.
    fn refuse_hyphen(&mut self, text: &str, pending: Option<&Pending>, right: &mut Expr) {
        let Some(Pending::Infix {
            operator: Operator::Subtract,
            span,
            left,
        }) = pending
        else {
            return;
        };
        let at = (span.start as usize).saturating_sub(self.base);
        let Some((start, name)) = words::hyphenated(text, at) else {
            return;
        };
        if matches!(left.kind, ExprKind::Error) {
            right.kind = ExprKind::Error;
            return;
        }
        let whole = self
            .problems
            .span(self.base + start, self.base + start + name.len());
        let fixed = name.replace('-', "_");
        self.add_with(
            &SyntaxError::HyphenatedName {
                name: name.to_owned(),
            },
            whole,
            |it| it.safe_fix(whole, fixed),
        );
        right.kind = ExprKind::Error;
    }

    fn operand(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::text => Expr {
                kind: ExprKind::Text(self.text(pair)),
                span,
            },
            Rule::integer | Rule::duration | Rule::size | Rule::time | Rule::malformed => Expr {
                kind: self.literal(pair.as_rule(), pair.as_str(), span),
                span,
            },
            Rule::group => {
                let mut parts = self.parts(pair);
                let inner = self.value(&mut parts);
                let closing = parts
                    .take(Rule::closing)
                    .map_or(inner.span, |closing| self.span(&closing));
                Expr {
                    kind: inner.kind,
                    span: span.to(closing),
                }
            }
            Rule::latest_snapshot => {
                let database = self.entity(&mut self.parts(pair));
                let end = database.span;
                Expr {
                    kind: ExprKind::LatestSnapshot { database },
                    span: Span {
                        end: end.end,
                        ..span
                    },
                }
            }
            Rule::oldest_snapshot => {
                let database = self.entity(&mut self.parts(pair));
                let span = Span {
                    end: database.span.end,
                    ..span
                };
                Expr {
                    kind: ExprKind::OldestSnapshot { database },
                    span,
                }
            }
            Rule::snapshot_named => {
                let mut parts = self.parts(pair);
                let id = self.required_text(&mut parts);
                let database = self.entity(&mut parts);
                let end = database.span.end;
                Expr {
                    kind: ExprKind::Snapshot { id, database },
                    span: Span { end, ..span },
                }
            }
            Rule::checks_pass => {
                let mut parts = self.parts(pair);
                let database = self.entity(&mut parts);
                let end = parts
                    .take(Rule::kw_pass)
                    .map_or(database.span.end, |pass| self.span(&pass).end);
                Expr {
                    kind: ExprKind::ChecksPass { database },
                    span: Span { end, ..span },
                }
            }
            Rule::no_drift => {
                let mut parts = self.parts(pair);
                let words = parts.take_word(Rule::kw_no_drift);
                let end = words.map_or(span.end, |words| self.span(&words).end);
                let database = parts.take_if(Rule::path).map(|pair| self.path(&pair));
                let end = database.as_ref().map_or(end, |path| path.span.end);
                Expr {
                    kind: ExprKind::NoDrift { database },
                    span: Span { end, ..span },
                }
            }
            Rule::reference => self.reference(pair),
            other => {
                debug_assert!(false, "an operand of the rule {other:?}");
                Expr {
                    kind: ExprKind::Error,
                    span,
                }
            }
        }
    }

    /// What begins with a name.
    fn reference(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let mut parts = self.parts(pair);
        let subject = self.entity(&mut parts);
        let Some(suffix) = parts.next() else {
            return self.lone_name(subject);
        };
        let start = subject.span;
        if let Some(name) = subject.single()
            && words::RESERVED.contains(&name.value.as_str())
        {
            let error = SyntaxError::Unexpected {
                expected: "an entity".into(),
                found: format!("`{}`", name.value),
                help: None,
            };
            self.add(&error, name.span);
            return Expr {
                kind: ExprKind::Error,
                span: name.span,
            };
        }
        match suffix.as_rule() {
            Rule::arguments => {
                let result_type = parts.take_if(Rule::result_type);
                self.call(subject, suffix, result_type)
            }
            Rule::quality => {
                let span = start.to(self.span(&suffix));
                let quality = quality(suffix.as_str());
                Expr {
                    kind: ExprKind::Is { subject, quality },
                    span,
                }
            }
            Rule::relation => self.relation(subject, suffix),
            other => {
                debug_assert!(false, "a reference with the rule {other:?}");
                Expr {
                    kind: ExprKind::Error,
                    span: start,
                }
            }
        }
    }

    /// `app uses source`, `app has left source`, `source.public matches broken.public`
    fn relation(&mut self, subject: Path, pair: Pair<'_, Rule>) -> Expr {
        let start = subject.span;
        let mut parts = self.parts(pair);
        let words = parts.take(Rule::kw_relation);
        let words = words.as_ref().map_or("", Pair::as_str);
        let object = self.entity(&mut parts);
        let span = start.to(object.span);
        let kind = if words.starts_with("has") {
            ExprKind::HasLeft {
                application: subject,
                database: object,
            }
        } else if words == "matches" {
            ExprKind::Matches {
                left: subject,
                right: object,
            }
        } else {
            ExprKind::Uses {
                application: subject,
                database: object,
            }
        };
        Expr { kind, span }
    }

    /// A name on its own; some are values.
    fn lone_name(&mut self, path: Path) -> Expr {
        let span = path.span;
        let kind = match path.single().map(|name| name.value.as_str()) {
            Some("true") => ExprKind::Boolean(true),
            Some("false") => ExprKind::Boolean(false),
            Some("now") => ExprKind::Now,
            Some(word @ ("and" | "or" | "not")) => {
                let found = format!("`{word}`");
                self.add(
                    &SyntaxError::Unexpected {
                        expected: "a value".into(),
                        found,
                        help: None,
                    },
                    span,
                );
                ExprKind::Error
            }
            _ => ExprKind::Path(path),
        };
        Expr { kind, span }
    }

    /// `age(snap)`, `query(target, "select …") as integer`.
    fn call(
        &mut self,
        path: Path,
        list: Pair<'_, Rule>,
        result_type: Option<Pair<'_, Rule>>,
    ) -> Expr {
        let start = path.span;
        let mut arguments = Vec::new();
        let mut end = start;
        for part in list.into_inner() {
            match part.as_rule() {
                Rule::expression => arguments.push(self.expression(part)),
                _ => end = self.span(&part),
            }
        }
        let ty = result_type.map(|pair| self.name(&mut self.parts(pair)));
        let span = start.to(end);
        let [function] = path.names.as_slice() else {
            let error = SyntaxError::Unexpected {
                expected: "a function".into(),
                found: format!("`{path}`"),
                help: Some("functions have names without dots, for instance `count(target.public.documents)`".into()),
            };
            self.add(&error, start);
            return Expr {
                kind: ExprKind::Error,
                span,
            };
        };
        match (function.value.as_str(), ty) {
            ("query", Some(ty)) => self.query(arguments, ty, span),
            ("query", None) => {
                let place = self.behind(span);
                self.add_with(&SyntaxError::QueryWithoutType, place, |it| {
                    it.fix(place, " as integer")
                });
                Expr {
                    kind: ExprKind::Error,
                    span,
                }
            }
            (_, None) => Expr {
                kind: ExprKind::Call {
                    function: function.clone(),
                    arguments,
                },
                span,
            },
            (name, Some(ty)) => {
                let error = SyntaxError::Unexpected {
                    expected: "the end of the value".into(),
                    found: "`as`".into(),
                    help: Some(format!(
                        "only `query` is told its type; `{name}` has one of its own"
                    )),
                };
                self.add(&error, ty.span);
                Expr {
                    kind: ExprKind::Error,
                    span: span.to(ty.span),
                }
            }
        }
    }

    fn query(&mut self, arguments: Vec<Expr>, ty: Spanned<String>, span: Span) -> Expr {
        let whole = span.to(ty.span);
        let count = arguments.len();
        let mut arguments = arguments
            .into_iter()
            .map(|argument| (argument.kind, argument.span));
        match (arguments.next(), arguments.next(), arguments.next()) {
            (Some((ExprKind::Path(database), _)), Some((ExprKind::Text(sql), _)), None) => Expr {
                kind: ExprKind::Query { database, sql, ty },
                span: whole,
            },
            (first, second, _) => {
                let is_error =
                    |part: &Option<(ExprKind, Span)>| matches!(part, Some((ExprKind::Error, _)));
                if !is_error(&first) && !is_error(&second) {
                    let found = match count {
                        0 => "nothing".to_owned(),
                        2 => "something else".to_owned(),
                        1 => "one value".to_owned(),
                        _ => format!("{count} values"),
                    };
                    let expected = "a database and a text in `query(…)`".into();
                    let help = Some("write `query(target, \"select …\") as integer`".into());
                    self.add(
                        &SyntaxError::Unexpected {
                            expected,
                            found,
                            help,
                        },
                        span,
                    );
                }
                Expr {
                    kind: ExprKind::Error,
                    span: whole,
                }
            }
        }
    }
}

/// What the words of the rule `quality` say.
fn quality(written: &str) -> Quality {
    if written.starts_with("exists") {
        Quality::Exists
    } else if written.starts_with("accepts") {
        Quality::AcceptsConnections
    } else if written.ends_with("healthy") {
        Quality::Healthy
    } else if written.ends_with("complete") {
        Quality::Complete
    } else {
        Quality::Available
    }
}

const COMPARISON: u8 = 4;
/// Between `and` and the comparisons.
const NOT: u8 = 3;

/// How tightly an operator binds.
fn precedence(operator: Operator) -> u8 {
    match operator {
        Operator::Or => 1,
        Operator::And => 2,
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => COMPARISON,
        Operator::Add | Operator::Subtract => 5,
        Operator::Multiply | Operator::Divide => 6,
    }
}

/// Whether a text has only fixed characters.
pub(super) fn is_fixed(parts: &[TextPart]) -> bool {
    parts
        .iter()
        .all(|part| matches!(part, TextPart::Literal(_)))
}
