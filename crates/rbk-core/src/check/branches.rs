//! `if`: both ways are checked, each with names of its own; and `parallel`: steps that don't see each other's names.

use super::error::CheckError;
use super::scope::Beyond;
use super::{Block, Checker, Step, Together, one_line};
use crate::ids::StepPath;
use crate::plan::Expr;
use crate::steps::{Branch, Statement};
use crate::value::Value;
use rbk_syntax::{Code, Diagnostic, Severity, Sources, Span, ast};

/// How deep blocks of `if` stand in each other, those of the procedures that are done in them included.
const MAX_BLOCKS: usize = 64;

/// Errors that only say what the environment doesn't allow: a way that isn't gone for just that reason may say it.
const ALLOWED_WHERE_NOT_GONE: &[Code] = &[Code("RBK1057")];

/// An `if` as it is written.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) condition: &'a ast::Expr,
    pub(super) then: &'a [ast::Statement],
    pub(super) otherwise: Option<&'a ast::Otherwise>,
    pub(super) keyword: Span,
}

impl<'a> Checker<'a> {
    /// Checks both ways of an `if`. The second is its condition as the runbook says it, on one line.
    pub(super) fn branch(
        &mut self,
        said: Said<'a>,
        step: &StepPath,
        sources: &Sources,
    ) -> Option<(Statement, String)> {
        if self.blocks >= MAX_BLOCKS {
            self.report(CheckError::BlocksTooDeep {
                span: said.keyword,
                limit: MAX_BLOCKS,
            });
            return None;
        }
        let condition = self.condition(said.condition);
        let known = match condition.as_ref().map(|condition| &condition.expr) {
            Some(Expr::Value(Value::Boolean(holds))) => Some(*holds),
            _ => None,
        };
        self.blocks += 1;
        let then = self.way(said.then, said.keyword, known == Some(false), step, sources);
        let otherwise = said.otherwise.map(|otherwise| {
            let is_left_out = known == Some(true);
            self.way(
                &otherwise.body,
                otherwise.keyword,
                is_left_out,
                step,
                sources,
            )
        });
        self.blocks -= 1;
        let text = one_line(sources.text(said.keyword.to(said.condition.span)));
        let branch = Branch::new(condition?, then, otherwise, said.keyword);
        Some((Statement::Branch(branch), text))
    }

    /// One way of an `if`.
    fn way(
        &mut self,
        body: &'a [ast::Statement],
        keyword: Span,
        is_left_out: bool,
        step: &StepPath,
        sources: &Sources,
    ) -> Block {
        let before = self.diagnostics.len();
        self.scope.open();
        let block = self.block(step, body, keyword, keyword, sources);
        let closed = self.scope.close(Beyond::Branch);
        if body.iter().all(is_read) {
            closed.report_unused(&mut self.diagnostics);
        }
        if is_left_out {
            let told = self.diagnostics.split_off(before);
            let stays = |diagnostic: &Diagnostic| {
                !(diagnostic.severity == Severity::Error
                    && ALLOWED_WHERE_NOT_GONE.contains(&diagnostic.code))
            };
            self.diagnostics.extend(told.into_iter().filter(stays));
        }
        block
    }

    /// Checks the steps of a `parallel`.
    pub(super) fn together(
        &mut self,
        item: &'a ast::Parallel,
        number: u32,
        sources: &Sources,
        steps: &mut Vec<Step>,
    ) {
        if item.steps.len() < 2 && !self.broken {
            self.report(CheckError::TooFewTogether {
                span: item.keyword,
                found: item.steps.len(),
            });
        }
        let mut closed = Vec::with_capacity(item.steps.len());
        for step in &item.steps {
            self.scope.open();
            self.parallel = Some(item.keyword);
            let together = Together {
                number,
                keyword: item.keyword,
            };
            let step = self.step(step, Some(together), sources);
            steps.push(step);
            self.parallel = None;
            closed.push(self.scope.close(Beyond::Sibling));
        }
        for names in closed {
            for (name, span, first) in self.scope.reopen(names) {
                self.report(CheckError::Twice { span, name, first });
            }
        }
    }

    /// Reports what asks or tells a person something while other steps go on.
    pub(super) fn refuse_person(&mut self, statement: &ast::Statement) {
        let word = match &statement.kind {
            ast::StatementKind::Approve { .. } => "approve",
            ast::StatementKind::Note { .. } => "note",
            _ => return,
        };
        if let Some(keyword) = self.parallel {
            let end = statement.span.start + u32::try_from(word.len()).unwrap_or(0);
            self.report(CheckError::PersonInParallel {
                span: Span {
                    end,
                    ..statement.span
                },
                word,
                keyword,
            });
        }
    }
}

/// Whether a statement could be read; the uses of names in one that couldn't are not known.
pub(super) fn is_read(statement: &ast::Statement) -> bool {
    match &statement.kind {
        ast::StatementKind::Error => false,
        ast::StatementKind::If {
            then, otherwise, ..
        } => {
            let other = otherwise.iter().flat_map(|otherwise| &otherwise.body);
            then.iter().chain(other).all(is_read)
        }
        _ => true,
    }
}
