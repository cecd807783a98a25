//! Whatever a text is: it is read without a panic, and every span is a part of it.

use crate::QUICK_RECOVERY;
use proptest::prelude::*;
use proptest::sample::Index;
use rbk_syntax::ast::{Expr, ExprKind, Item, Statement, StatementKind, Text, TextPart};
use rbk_syntax::{SourceId, Span, parse, parse_expression};

/// What mutations put in: signs and words that mean something.
const PIECES: &[&str] = &[
    "\"",
    "\"\"\"",
    "'",
    "{",
    "}",
    "(",
    ")",
    "#",
    "##",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\\",
    ".",
    ",",
    ":",
    "=",
    "==",
    "-",
    "not ",
    "and ",
    " within ",
    "every",
    "else",
    "step \"x\" {",
    "on failure {",
    "let x = ",
    "5min",
    "2026-11-22T09:15",
    "1_",
    "é",
    "“",
    "\u{0}",
    "\u{feff}",
    "latest ",
    " snapshot of ",
    "query(",
    " as ",
    " is ",
    "runbook",
    "await ",
];

/// Collects every span of a tree.
#[derive(Default)]
struct Spans(Vec<Span>);

impl Spans {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Param(param) => {
                self.0.extend([param.span, param.name.span, param.ty.span]);
                self.0.extend(param.doc.iter().map(|doc| doc.span));
                param
                    .default
                    .iter()
                    .for_each(|default| self.expression(default));
            }
            Item::Let(item) => {
                self.0.extend([item.span, item.name.span]);
                self.expression(&item.value);
            }
            Item::Require(item) => {
                self.0.push(item.span);
                self.expression(&item.condition);
                item.otherwise.iter().for_each(|text| self.text(text));
            }
            Item::Step(step) => {
                self.0.extend([step.span, step.title.span]);
                self.0.extend(step.doc.iter().map(|doc| doc.span));
                step.body
                    .iter()
                    .for_each(|statement| self.statement(statement));
            }
            Item::OnFailure(item) => {
                self.0.extend([item.span, item.keyword]);
                item.body
                    .iter()
                    .for_each(|statement| self.statement(statement));
            }
            Item::Error(span) => self.0.push(*span),
        }
    }

    fn statement(&mut self, statement: &Statement) {
        self.0.push(statement.span);
        match &statement.kind {
            StatementKind::Restore { database, from } => {
                self.0.push(database.span);
                self.expression(from);
            }
            StatementKind::Await {
                condition,
                within,
                every,
            } => {
                self.expression(condition);
                self.expression(within);
                every.iter().for_each(|every| self.expression(every));
            }
            StatementKind::Assert {
                condition,
                otherwise,
            } => {
                self.expression(condition);
                otherwise.iter().for_each(|text| self.text(text));
            }
            StatementKind::Let { name, value } => {
                self.0.push(name.span);
                self.expression(value);
            }
            StatementKind::Keep { database, because } => {
                self.0.push(database.span);
                self.text(because);
            }
            StatementKind::Approve { prompt: text } | StatementKind::Note { text } => {
                self.text(text)
            }
            StatementKind::SwitchSecret {
                application,
                database,
                accepting_loss,
            } => {
                self.0.extend([application.span, database.span]);
                self.0.extend(accepting_loss);
            }
            StatementKind::FreezeWrites {
                database,
                if_reachable,
            }
            | StatementKind::ThawWrites {
                database,
                if_reachable,
            } => {
                self.0.push(database.span);
                self.0.extend(if_reachable);
            }
            StatementKind::SetCredentials { database } => self.0.push(database.span),
            StatementKind::Error => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        self.0.push(expression.span);
        match &expression.kind {
            ExprKind::Text(text) => self.text(text),
            ExprKind::Path(path) => self.0.extend(path.names.iter().map(|name| name.span)),
            ExprKind::Call {
                function,
                arguments,
            } => {
                self.0.push(function.span);
                arguments
                    .iter()
                    .for_each(|argument| self.expression(argument));
            }
            ExprKind::Not(operand) | ExprKind::Negate(operand) => self.expression(operand),
            ExprKind::Binary {
                operator_span,
                left,
                right,
                ..
            } => {
                self.0.push(*operator_span);
                self.expression(left);
                self.expression(right);
            }
            ExprKind::Snapshot { id, database } => {
                self.text(id);
                self.0.push(database.span);
            }
            ExprKind::Query { database, sql, ty } => {
                self.0.extend([database.span, ty.span]);
                self.text(sql);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &Text) {
        self.0.push(text.span);
        for pair in text.parts.windows(2) {
            assert!(
                !matches!(pair, [TextPart::Literal(_), TextPart::Literal(_)]),
                "two literals side by side"
            );
        }
        for part in &text.parts {
            if let TextPart::Expr(expression) = part {
                self.expression(expression);
            }
        }
    }
}

/// Reads a text and checks what always holds.
#[track_caller]
fn check(text: &str) {
    let parsed = parse(SourceId::default(), text);
    let mut spans = Spans::default();
    if let Some(runbook) = &parsed.runbook {
        spans.0.extend([runbook.span, runbook.title.span]);
        runbook.items.iter().for_each(|item| spans.item(item));
    }
    for diagnostic in &parsed.diagnostics {
        spans.0.push(diagnostic.primary.span);
        spans
            .0
            .extend(diagnostic.related.iter().map(|label| label.span));
        spans.0.extend(diagnostic.fix.iter().map(|fix| fix.span));
        assert!(!diagnostic.message.ends_with('.'));
    }
    spans.0.extend(&parsed.trivia);
    for span in spans.0 {
        assert!(span.start <= span.end, "{span:?} in {text:?}");
        assert!(
            text.get(span.start as usize..span.end as usize).is_some(),
            "{span:?} in {text:?}"
        );
    }
    assert!(parsed.trivia.is_sorted_by_key(|span| span.start));
    // An error node never stands without a word about it.
    let has_errors = !parsed.diagnostics.is_empty();
    let debug = format!("{:?}", parsed.runbook);
    assert!(
        has_errors || !debug.contains("Error"),
        "silent about an error node in {text:?}"
    );
    if let Err(told) = parse_expression(SourceId::default(), text) {
        assert!(!told.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_characters_are_read(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_pieces_are_read(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        check(&format!("runbook \"R\"\nstep \"S\" {{\n{}", pieces.concat()));
    }

    #[test]
    fn any_mutation_of_a_runbook_is_read(edits in prop::collection::vec((any::<Index>(), 0_usize..6, prop::sample::select(PIECES)), 1..8)) {
        let mut characters: Vec<char> = QUICK_RECOVERY.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(characters.len());
            let end = (start + removed).min(characters.len());
            characters.splice(start..end, inserted.chars());
        }
        check(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn any_part_of_a_runbook_is_read(from in any::<Index>(), to in any::<Index>()) {
        let (from, to) = (from.index(QUICK_RECOVERY.len()), to.index(QUICK_RECOVERY.len()));
        check(QUICK_RECOVERY.get(from.min(to)..from.max(to)).unwrap_or(""));
    }
}
