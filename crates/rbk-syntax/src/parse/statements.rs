//! Items and statements: from what the grammar matched to the tree.

use super::convert::{Converter, Parts};
use super::error::SyntaxError;
use super::grammar::Rule;
use crate::ast::{
    AsOf, Expr, ExprKind, Let, Param, Path, Procedure, Removal, Require, Statement, StatementKind,
    Text, Use,
};
use crate::span::{Span, Spanned};
use pest::iterators::Pair;

impl Converter<'_> {
    pub(super) fn param(&mut self, pair: Pair<'_, Rule>, span: Span) -> Param {
        debug_assert_eq!(pair.as_rule(), Rule::param);
        let mut parts = self.parts(pair);
        let name = self.name(&mut parts);
        let ty = self.name(&mut parts);
        let default = parts
            .take_if(Rule::expression)
            .map(|pair| self.expression(pair));
        let bounds = parts.take_if(Rule::bounds).and_then(|clause| {
            if let Some(late) = late_default(&clause) {
                let what = "=".to_owned();
                let help =
                    "the default stands before `where`: `param rows: integer = 100 where rows > 0`";
                let span = self.span(&late);
                self.add(&SyntaxError::Misplaced { what, help }, span);
                return None;
            }
            Some(self.value(&mut self.parts(clause)))
        });
        Param {
            doc: None,
            name,
            ty,
            default,
            bounds,
            span,
        }
    }

    pub(super) fn let_value(&mut self, pair: Pair<'_, Rule>, span: Span) -> Let {
        debug_assert_eq!(pair.as_rule(), Rule::let_value);
        let mut parts = self.parts(pair);
        let name = self.name(&mut parts);
        let value = self.value(&mut parts);
        Let { name, value, span }
    }

    pub(super) fn require(&mut self, pair: Pair<'_, Rule>, span: Span) -> Require {
        debug_assert_eq!(pair.as_rule(), Rule::require);
        let mut parts = self.parts(pair);
        let condition = self.value(&mut parts);
        let otherwise = self.otherwise(&mut parts);
        Require {
            condition,
            otherwise,
            span,
        }
    }

    pub(super) fn use_file(&mut self, pair: Pair<'_, Rule>, span: Span) -> Use {
        debug_assert_eq!(pair.as_rule(), Rule::use_file);
        let place = self.behind(span);
        let file = self.title_after(&mut self.parts(pair), "use", place);
        Use { file, span }
    }

    /// The head of a procedure.
    pub(super) fn procedure(&mut self, pair: Pair<'_, Rule>, span: Span) -> Procedure {
        debug_assert_eq!(pair.as_rule(), Rule::procedure);
        let mut parts = self.parts(pair);
        let name = self.name(&mut parts);
        let mut params = Vec::new();
        let list = parts.take(Rule::parameters).map(Pair::into_inner);
        for part in list.into_iter().flatten() {
            if part.as_rule() != Rule::parameter {
                continue;
            }
            let span = self.span(&part);
            let mut parts = self.parts(part);
            let name = self.name(&mut parts);
            let ty = self.name(&mut parts);
            params.push(Param {
                doc: None,
                name,
                ty,
                default: None,
                bounds: None,
                span,
            });
        }
        Procedure {
            doc: None,
            name,
            params,
            body: Vec::new(),
            span,
        }
    }

    /// The title of a runbook or step; `span` is all of what the rule matched.
    pub(super) fn title(
        &mut self,
        pair: Pair<'_, Rule>,
        keyword: &'static str,
        span: Span,
    ) -> Spanned<String> {
        let place = self.behind(span);
        self.title_after(&mut self.parts(pair), keyword, place)
    }

    /// One statement of a block.
    pub(super) fn statement(&mut self, pair: Pair<'_, Rule>, span: Span) -> StatementKind {
        let rule = pair.as_rule();
        if rule == Rule::let_value {
            let Let { name, value, .. } = self.let_value(pair, span);
            return StatementKind::Let { name, value };
        }
        let mut parts = self.parts(pair);
        let behind = self.behind(span);
        match rule {
            Rule::restore => self.restore(&mut parts),
            Rule::take_snapshot => self.take_snapshot(&mut parts),
            Rule::set_credentials => StatementKind::SetCredentials {
                database: self.entity(&mut parts),
            },
            Rule::switch_secret => StatementKind::SwitchSecret {
                application: self.entity(&mut parts),
                database: self.entity(&mut parts),
                accepting_loss: self.words(&mut parts, Rule::accepting_loss),
            },
            Rule::freeze_writes => StatementKind::FreezeWrites {
                database: self.entity(&mut parts),
                if_reachable: self.words(&mut parts, Rule::if_reachable),
            },
            Rule::thaw_writes => StatementKind::ThawWrites {
                database: self.entity(&mut parts),
                if_reachable: self.words(&mut parts, Rule::if_reachable),
            },
            Rule::keep => {
                let database = self.entity(&mut parts);
                let because = self.reason(&mut parts, behind);
                StatementKind::Keep { database, because }
            }
            Rule::keep_frozen => {
                let database = self.entity(&mut parts);
                let because = self.reason(&mut parts, behind);
                StatementKind::KeepFrozen { database, because }
            }
            Rule::destroy => {
                let database = self.entity(&mut parts);
                match self.removal(&mut parts, &database, behind) {
                    Some(how) => StatementKind::Destroy { database, how },
                    None => StatementKind::Error,
                }
            }
            Rule::named => {
                let name = self.name(&mut parts);
                let Some(pair) = parts.next() else {
                    return StatementKind::Error;
                };
                let span = self.span(&pair);
                let kind = match pair.as_rule() {
                    Rule::taken => self.take_snapshot(&mut self.parts(pair)),
                    _ => self.replication(&mut self.parts(pair)),
                };
                StatementKind::Named {
                    name,
                    statement: Box::new(Statement { kind, span }),
                }
            }
            Rule::await_condition => self.await_condition(&mut parts, span),
            Rule::assert => StatementKind::Assert {
                condition: self.value(&mut parts),
                otherwise: self.otherwise(&mut parts),
            },
            Rule::approve => StatementKind::Approve {
                prompt: self.text_after(&mut parts, "approve", behind),
            },
            Rule::note => StatementKind::Note {
                text: self.text_after(&mut parts, "note", behind),
            },
            Rule::recreate_schema => StatementKind::RecreateSchema {
                schema: self.entity(&mut parts),
            },
            Rule::migrate => StatementKind::Migrate {
                database: self.entity(&mut parts),
            },
            Rule::drop_index => StatementKind::DropIndex {
                index: self.entity(&mut parts),
            },
            Rule::drop_indexes => StatementKind::DropIndexes {
                on: self.target(&mut parts),
            },
            Rule::restore_indexes => StatementKind::RestoreIndexes {
                on: self.target(&mut parts),
            },
            Rule::alter_column => StatementKind::AlterColumn {
                column: self.entity(&mut parts),
                to: self.column_type(&mut parts),
                using: parts
                    .take_if(Rule::using)
                    .map(|clause| self.clause_text(clause, "using")),
            },
            Rule::alter_columns => StatementKind::AlterColumns {
                of: self.column_type(&mut parts),
                schema: self.entity(&mut parts),
                to: self.column_type(&mut parts),
            },
            Rule::restore_column_types => StatementKind::RestoreColumnTypes {
                schema: self.entity(&mut parts),
            },
            Rule::relax_not_null => StatementKind::RelaxNotNull {
                on: self.entity(&mut parts),
            },
            Rule::restore_not_null => StatementKind::RestoreNotNull {
                on: self.entity(&mut parts),
            },
            Rule::sync_sequences => StatementKind::SyncSequences {
                of: self.entity(&mut parts),
                from: self.entity(&mut parts),
            },
            Rule::validate_constraints => StatementKind::ValidateConstraints {
                of: self.entity(&mut parts),
            },
            Rule::analyze => StatementKind::Analyze {
                database: self.entity(&mut parts),
            },
            Rule::sql => StatementKind::Sql {
                database: self.entity(&mut parts),
                sql: self.text_after(&mut parts, "sql on …", behind),
            },
            Rule::replicate => self.replication(&mut parts),
            Rule::run_command => StatementKind::RunCommand {
                command: self.name(&mut parts),
                options: self.options(&mut parts),
            },
            Rule::do_procedure => StatementKind::Do {
                procedure: self.name(&mut parts),
                arguments: self.arguments(&mut parts),
                label: parts.take_if(Rule::label).map(|clause| {
                    let label = self.clause_text(clause, "as");
                    if label.as_literal().is_none() {
                        self.add(
                            &SyntaxError::InterpolatedTitle { what: "label" },
                            label.span,
                        );
                    }
                    label
                }),
            },
            other => {
                debug_assert!(false, "a statement of the rule {other:?}");
                StatementKind::Error
            }
        }
    }

    /// `restore DB from SNAPSHOT`, `restore DB from DB as of TIME`
    fn restore(&mut self, parts: &mut Parts<'_>) -> StatementKind {
        let database = self.entity(parts);
        let from = self.value(parts);
        let Some(clause) = parts.take_if(Rule::as_of) else {
            return StatementKind::Restore { database, from };
        };
        let words = self.span(&clause);
        let at = self.value(&mut self.parts(clause));
        let source = match from.kind {
            ExprKind::Path(source) => source,
            ExprKind::Error => return StatementKind::Error,
            _ => {
                let place = Span {
                    end: at.span.end,
                    ..words
                };
                self.add_with(&SyntaxError::SnapshotAsOf, place, |it| {
                    it.relate(from.span, "this has a time of its own")
                });
                return StatementKind::Error;
            }
        };
        let at = match &at.kind {
            ExprKind::Path(path) if path.single().is_some_and(|name| name.value == "latest") => {
                AsOf::Latest { span: at.span }
            }
            _ => AsOf::Time(at),
        };
        StatementKind::RestoreAsOf {
            database,
            source,
            at,
        }
    }

    /// `snapshot DB [as "id"]`
    fn take_snapshot(&mut self, parts: &mut Parts<'_>) -> StatementKind {
        StatementKind::Snapshot {
            database: self.entity(parts),
            id: parts
                .take_if(Rule::label)
                .map(|clause| self.clause_text(clause, "as")),
        }
    }

    /// The condition in the head of `if` and `else if`.
    pub(super) fn head_condition(&mut self, pair: Pair<'_, Rule>) -> Expr {
        self.value(&mut self.parts(pair))
    }

    fn replication(&mut self, parts: &mut Parts<'_>) -> StatementKind {
        StatementKind::Replicate {
            from: self.entity(parts),
            to: self.entity(parts),
            with: self.name(parts),
            options: self.options(parts),
        }
    }

    /// What becomes of the data of a database that is destroyed; nobody guesses where it isn't said.
    fn removal(&mut self, parts: &mut Parts<'_>, database: &Path, behind: Span) -> Option<Removal> {
        let Some(pair) = parts.next() else {
            let error = SyntaxError::DestroyWithoutEnd {
                database: database.to_string(),
            };
            self.add_with(&error, behind, |it| {
                it.fix(behind, " by its removal policy")
            });
            return None;
        };
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::final_snapshot => {
                let label = self.parts(pair).take_if(Rule::label);
                let id = label.map(|clause| self.clause_text(clause, "as"));
                Some(Removal::FinalSnapshot { id, span })
            }
            Rule::without_final_snapshot => Some(Removal::WithoutFinalSnapshot { span }),
            Rule::by_policy => Some(Removal::ByPolicy { span }),
            other => {
                debug_assert!(false, "an end of the rule {other:?}");
                None
            }
        }
    }

    /// Why something stays as it is.
    fn reason(&mut self, parts: &mut Parts<'_>, behind: Span) -> Text {
        if let Some(because) = parts.take_if(Rule::because) {
            return self.clause_text(because, "because");
        }
        self.add_with(&SyntaxError::KeepWithoutReason, behind, |it| {
            it.fix(behind, " because \"…\"")
        });
        Text {
            parts: Vec::new(),
            span: behind,
        }
    }

    fn await_condition(&mut self, parts: &mut Parts<'_>, span: Span) -> StatementKind {
        let condition = self.value(parts);
        let mut within: Option<Expr> = None;
        let mut every: Option<Expr> = None;
        while let Some(clause) = parts.next() {
            let is_deadline = clause.as_rule() == Rule::within;
            let place = self.span(&clause);
            let value = self.value(&mut self.parts(clause));
            let (slot, what) = if is_deadline {
                (&mut within, "within")
            } else {
                (&mut every, "every")
            };
            if slot.is_some() {
                let place = Span {
                    end: value.span.end,
                    ..place
                };
                self.add_with(&SyntaxError::Duplicate { what }, place, |it| {
                    it.fix(place, "")
                });
            } else {
                *slot = Some(value);
            }
        }
        let within = within.unwrap_or_else(|| {
            let place = self.behind(condition.span);
            self.add_with(
                &SyntaxError::AwaitWithoutDeadline,
                Span {
                    start: span.start,
                    ..place
                },
                |it| it.fix(place, " within 10m"),
            );
            Expr {
                kind: ExprKind::Error,
                span: place,
            }
        });
        StatementKind::Await {
            condition,
            within,
            every,
        }
    }

    /// `else "…"`
    fn otherwise(&mut self, parts: &mut Parts<'_>) -> Option<Text> {
        let clause = parts.take_if(Rule::otherwise)?;
        Some(self.clause_text(clause, "else"))
    }

    /// The text of a clause that is a keyword and a text.
    fn clause_text(&mut self, clause: Pair<'_, Rule>, keyword: &'static str) -> Text {
        let start = self.span(&clause).start as usize;
        let place = self
            .problems
            .span(start + keyword.len(), start + keyword.len());
        let mut parts = self.parts(clause);
        self.text_after(&mut parts, keyword, place)
    }

    /// Words that change what a statement does, and where they stand.
    fn words(&mut self, parts: &mut Parts<'_>, rule: Rule) -> Option<Span> {
        parts.take_if(rule).map(|pair| self.span(&pair))
    }
}

/// The `=` behind a comparison in a `where`: no operator that somebody has mistaken, but a default that comes too late.
fn late_default<'i>(clause: &Pair<'i, Rule>) -> Option<Pair<'i, Rule>> {
    let expression = clause
        .clone()
        .into_inner()
        .find(|part| part.as_rule() == Rule::expression)?;
    let mut has_compared = false;
    let operators = expression.into_inner();
    for operator in operators.filter(|part| part.as_rule() == Rule::operator) {
        match operator.as_str() {
            "=" if has_compared => return Some(operator),
            "and" | "or" | "&&" | "||" => has_compared = false,
            "==" | "!=" | "<" | "<=" | ">" | ">=" | "!==" | "<>" | "===" | "=" => {
                has_compared = true
            }
            _ => {}
        }
    }
    None
}
