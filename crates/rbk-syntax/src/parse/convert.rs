//! What the conversions from matches to tree share: places, names, and what is said of one statement.

use super::error::SyntaxError;
use super::grammar::Rule;
use super::{Problems, words};
use crate::ast::{Expr, ExprKind, Name, Path};
use crate::diagnostic::Diagnostic;
use crate::span::{Span, Spanned};
use pest::iterators::{Pair, Pairs};

/// How many operators one statement has at most: the tree is as deep.
pub(super) const MAX_OPERATORS: usize = 256;

/// Turns the matches of one item or statement into the tree.
pub(super) struct Converter<'p> {
    pub problems: &'p mut Problems,
    /// Where the statement begins in the text.
    pub base: usize,
    /// Operators seen in the statement.
    pub operators: usize,
}

/// The matches inside another, taken one after the other.
pub(super) struct Parts<'i> {
    pairs: Pairs<'i, Rule>,
    /// Stands in for what the grammar promises but didn't give: that would be a mistake in this crate.
    end: Span,
}

impl<'p> Converter<'p> {
    pub(super) fn new(problems: &'p mut Problems, base: usize) -> Self {
        Self {
            problems,
            base,
            operators: 0,
        }
    }

    /// Where a match stands in the text.
    pub(super) fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        self.problems
            .span(self.base + span.start(), self.base + span.end())
    }

    /// The empty place behind another.
    pub(super) fn behind(&self, span: Span) -> Span {
        Span {
            start: span.end,
            ..span
        }
    }

    pub(super) fn parts<'i>(&self, pair: Pair<'i, Rule>) -> Parts<'i> {
        let span = self.span(&pair);
        Parts {
            pairs: pair.into_inner(),
            end: self.behind(span),
        }
    }

    pub(super) fn add(&mut self, error: &SyntaxError, span: Span) {
        self.problems.add(|| error.at(span));
    }

    pub(super) fn add_with(
        &mut self,
        error: &SyntaxError,
        span: Span,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.problems.add(|| more(error.at(span)));
    }

    /// The next part as a name.
    pub(super) fn name(&mut self, parts: &mut Parts<'_>) -> Name {
        let Some(pair) = parts.take(Rule::name) else {
            return parts.missing_name();
        };
        let name = Spanned {
            value: pair.as_str().to_owned(),
            span: self.span(&pair),
        };
        if words::RESERVED.contains(&name.value.as_str()) {
            self.add(
                &SyntaxError::ReservedName {
                    name: name.value.clone(),
                },
                name.span,
            );
        }
        name
    }

    /// The next part as a path to an entity.
    pub(super) fn entity(&mut self, parts: &mut Parts<'_>) -> Path {
        match parts.take(Rule::path) {
            Some(pair) => self.path(&pair),
            None => Path {
                names: vec![parts.missing_name()],
                span: parts.end,
            },
        }
    }

    pub(super) fn path(&self, pair: &Pair<'_, Rule>) -> Path {
        debug_assert_eq!(pair.as_rule(), Rule::path);
        let span = self.span(pair);
        let mut start = span.start;
        let mut names = Vec::with_capacity(1);
        for name in pair.as_str().split('.') {
            let end = start + u32::try_from(name.len()).unwrap_or(0);
            names.push(Spanned {
                value: name.to_owned(),
                span: Span { start, end, ..span },
            });
            start = end + 1;
        }
        Path { names, span }
    }
}

impl<'i> Parts<'i> {
    /// The next part, which the grammar says matches `rule`. Keywords and signs before it are passed.
    pub(super) fn take(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        let found = self.pairs.find(|pair| !is_word(pair.as_rule()));
        debug_assert_eq!(found.as_ref().map(Pair::as_rule), Some(rule));
        found.filter(|pair| pair.as_rule() == rule)
    }

    /// The next part, if it matches `rule`.
    pub(super) fn take_if(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        loop {
            let next = self.pairs.peek()?.as_rule();
            if next == rule {
                return self.pairs.next();
            }
            if !is_word(next) {
                return None;
            }
            self.pairs.next();
        }
    }

    /// The word or sign that comes next, which the tree doesn't keep but its place may matter.
    pub(super) fn take_word(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        let found = self.pairs.next();
        debug_assert_eq!(found.as_ref().map(Pair::as_rule), Some(rule));
        found.filter(|pair| pair.as_rule() == rule)
    }

    /// The next part, whatever it is.
    pub(super) fn next(&mut self) -> Option<Pair<'i, Rule>> {
        self.pairs.find(|pair| !is_word(pair.as_rule()))
    }

    /// Where the parts end.
    pub(super) fn end(&self) -> Span {
        self.end
    }

    /// A value in place of one that the grammar promised.
    pub(super) fn missing_value(&self) -> Expr {
        Expr {
            kind: ExprKind::Error,
            span: self.end,
        }
    }

    fn missing_name(&self) -> Name {
        Spanned {
            value: String::new(),
            span: self.end,
        }
    }
}

/// Whether a rule stands for a word or sign that the tree doesn't keep.
fn is_word(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::EOI
            | Rule::colon
            | Rule::assign
            | Rule::kw_runbook
            | Rule::kw_param
            | Rule::kw_let
            | Rule::kw_require
            | Rule::kw_step
            | Rule::kw_on_failure
            | Rule::kw_restore
            | Rule::kw_from
            | Rule::kw_set_credentials_of
            | Rule::kw_of
            | Rule::kw_switch_secret_of
            | Rule::kw_to
            | Rule::kw_freeze_writes_on
            | Rule::kw_thaw_writes_on
            | Rule::kw_keep
            | Rule::kw_because
            | Rule::kw_await
            | Rule::kw_within
            | Rule::kw_every
            | Rule::kw_assert
            | Rule::kw_else
            | Rule::kw_approve
            | Rule::kw_note
            | Rule::kw_latest_snapshot_of
            | Rule::kw_oldest_snapshot_of
            | Rule::kw_snapshot
            | Rule::kw_where
            | Rule::kw_parallel
            | Rule::kw_if
            | Rule::kw_as_of
            | Rule::kw_checks_of
            | Rule::kw_as
            | Rule::kw_in
            | Rule::kw_with
            | Rule::kw_using
            | Rule::kw_use
            | Rule::kw_procedure
            | Rule::kw_migrate
            | Rule::kw_analyze
            | Rule::kw_replicate
            | Rule::kw_run
            | Rule::kw_do
            | Rule::kw_destroy
            | Rule::kw_no_drift
            | Rule::kw_keep_writes_frozen_on
            | Rule::kw_by_its_removal_policy
            | Rule::kw_with_final_snapshot
            | Rule::kw_without_final_snapshot
            | Rule::kw_columns_of_type
            | Rule::kw_recreate_schema
            | Rule::kw_drop_index
            | Rule::kw_drop_indexes_on
            | Rule::kw_restore_indexes_on
            | Rule::kw_alter_column
            | Rule::kw_alter_columns_of_type
            | Rule::kw_restore_column_types_in
            | Rule::kw_relax_not_null_on
            | Rule::kw_restore_not_null_on
            | Rule::kw_sync_sequences_of
            | Rule::kw_validate_constraints_of
            | Rule::kw_sql_on
            | Rule::comma
            | Rule::opening
            | Rule::line_end
    )
}
