//! Whatever a text is: it is read without a panic, and every span is a part of it.

use crate::{BRANCHES, QUICK_RECOVERY, REBUILD};
use proptest::prelude::*;
use proptest::sample::Index;
use rbk_syntax::ast::{
    AsOf, ColumnType, Entry, EntryValue, Expr, ExprKind, Item, Path, Removal, Statement,
    StatementKind, Step, Target, Text, TextPart,
};
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
    "[",
    "]",
    "*",
    "use \"x\"",
    "procedure p(a: database) {",
    "let load = replicate a to b with dms {",
    "lob: full, chunk 64kb",
    "destroy a ",
    "keep writes frozen on a ",
    "no drift ",
    "do p(",
    "replicate a to b with copy {",
    "run x {",
    "x: ",
    " with ",
    " in ",
    "columns of type ",
    "restore indexes on ",
    " matches ",
    "if a exists {",
    "} else {",
    "} else if b exists {\n",
    "}",
    "parallel {",
    " where ",
    "snapshot a",
    "restore a from b as of latest",
    " as of ",
    "oldest snapshot of ",
    "\n",
];

/// Collects every span of a tree.
#[derive(Default)]
struct Spans(Vec<Span>);

impl Spans {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Parallel(item) => {
                self.0.extend([item.span, item.keyword]);
                item.steps.iter().for_each(|step| self.step(step));
            }
            Item::Param(param) => {
                self.0.extend([param.span, param.name.span, param.ty.span]);
                self.0.extend(param.doc.iter().map(|doc| doc.span));
                param
                    .default
                    .iter()
                    .for_each(|default| self.expression(default));
                param
                    .bounds
                    .iter()
                    .for_each(|bounds| self.expression(bounds));
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
            Item::Step(step) => self.step(step),
            Item::OnFailure(item) => {
                self.0.extend([item.span, item.keyword]);
                item.body
                    .iter()
                    .for_each(|statement| self.statement(statement));
            }
            Item::Use(item) => self.0.extend([item.span, item.file.span]),
            Item::Procedure(item) => {
                self.0.extend([item.span, item.name.span]);
                self.0.extend(item.doc.iter().map(|doc| doc.span));
                for param in &item.params {
                    self.0.extend([param.span, param.name.span, param.ty.span]);
                }
                item.body
                    .iter()
                    .for_each(|statement| self.statement(statement));
            }
            Item::Error(span) => self.0.push(*span),
        }
    }

    fn step(&mut self, step: &Step) {
        self.0.extend([step.span, step.title.span]);
        self.0.extend(step.doc.iter().map(|doc| doc.span));
        step.body
            .iter()
            .for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        self.0.push(statement.span);
        match &statement.kind {
            StatementKind::RestoreAsOf {
                database,
                source,
                at,
            } => {
                self.path(database);
                self.path(source);
                match at {
                    AsOf::Latest { span } => self.0.push(*span),
                    AsOf::Time(at) => self.expression(at),
                }
            }
            StatementKind::Snapshot { database, id } => {
                self.path(database);
                id.iter().for_each(|id| self.text(id));
            }
            StatementKind::If {
                condition,
                then,
                otherwise,
                keyword,
            } => {
                self.0.push(*keyword);
                self.expression(condition);
                let other = otherwise.iter().flat_map(|otherwise| &otherwise.body);
                for inner in then.iter().chain(other) {
                    assert!(
                        statement.span.start <= inner.span.start
                            && inner.span.end <= statement.span.end,
                        "{:?} isn't within {:?}",
                        inner.span,
                        statement.span
                    );
                    self.statement(inner);
                }
                self.0
                    .extend(otherwise.iter().map(|otherwise| otherwise.keyword));
            }
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
            StatementKind::Keep { database, because }
            | StatementKind::KeepFrozen { database, because } => {
                self.0.push(database.span);
                self.text(because);
            }
            StatementKind::Named { name, statement } => {
                self.0.push(name.span);
                self.statement(statement);
            }
            StatementKind::Destroy { database, how } => {
                self.path(database);
                match how {
                    Removal::FinalSnapshot { id, span } => {
                        self.0.push(*span);
                        id.iter().for_each(|id| self.text(id));
                    }
                    Removal::WithoutFinalSnapshot { span } | Removal::ByPolicy { span } => {
                        self.0.push(*span);
                    }
                }
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
            StatementKind::SetCredentials { database: path }
            | StatementKind::RecreateSchema { schema: path }
            | StatementKind::Migrate { database: path }
            | StatementKind::DropIndex { index: path }
            | StatementKind::RestoreColumnTypes { schema: path }
            | StatementKind::RelaxNotNull { on: path }
            | StatementKind::RestoreNotNull { on: path }
            | StatementKind::ValidateConstraints { of: path }
            | StatementKind::Analyze { database: path } => self.path(path),
            StatementKind::DropIndexes { on } | StatementKind::RestoreIndexes { on } => match on {
                Target::Path(path) => self.path(path),
                Target::ColumnsOfType { ty, schema } => {
                    self.column_type(ty);
                    self.path(schema);
                }
            },
            StatementKind::AlterColumn { column, to, using } => {
                self.path(column);
                self.column_type(to);
                using.iter().for_each(|text| self.text(text));
            }
            StatementKind::AlterColumns { of, schema, to } => {
                self.column_type(of);
                self.path(schema);
                self.column_type(to);
            }
            StatementKind::SyncSequences { of, from } => {
                self.path(of);
                self.path(from);
            }
            StatementKind::Sql { database, sql } => {
                self.path(database);
                self.text(sql);
            }
            StatementKind::Replicate {
                from,
                to,
                with,
                options,
            } => {
                self.path(from);
                self.path(to);
                self.0.push(with.span);
                self.entries(options);
            }
            StatementKind::RunCommand { command, options } => {
                self.0.push(command.span);
                self.entries(options);
            }
            StatementKind::Do {
                procedure,
                arguments,
                label,
            } => {
                self.0.push(procedure.span);
                arguments
                    .iter()
                    .for_each(|argument| self.expression(argument));
                label.iter().for_each(|text| self.text(text));
            }
            StatementKind::Error => {}
        }
    }

    fn path(&mut self, path: &Path) {
        self.0.push(path.span);
        self.0.extend(path.names.iter().map(|name| name.span));
    }

    fn column_type(&mut self, ty: &ColumnType) {
        self.0.push(ty.span);
        assert_eq!(ty.text, ty.text.to_ascii_lowercase());
        assert!(!ty.text.contains("  "));
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.0.extend([entry.span, entry.name.span]);
            self.entry_value(&entry.value);
        }
    }

    fn entry_value(&mut self, value: &EntryValue) {
        self.0.push(value.span());
        match value {
            EntryValue::Expr(value) => self.expression(value),
            EntryValue::Pattern { of, .. } => self.path(of),
            EntryValue::List { items, .. } => {
                items.iter().for_each(|item| self.entry_value(item));
            }
            EntryValue::Qualified {
                value, qualifiers, ..
            } => {
                self.entry_value(value);
                for qualifier in qualifiers {
                    self.0.extend([qualifier.span, qualifier.name.span]);
                    self.expression(&qualifier.value);
                }
            }
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
    fn any_mutation_of_a_runbook_is_read(
        original in prop::sample::select(&[QUICK_RECOVERY, REBUILD, BRANCHES][..]),
        edits in prop::collection::vec((any::<Index>(), 0_usize..6, prop::sample::select(PIECES)), 1..8),
    ) {
        let mut characters: Vec<char> = original.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(characters.len());
            let end = (start + removed).min(characters.len());
            characters.splice(start..end, inserted.chars());
        }
        check(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn any_part_of_a_runbook_is_read(
        original in prop::sample::select(&[QUICK_RECOVERY, REBUILD, BRANCHES][..]),
        from in any::<Index>(),
        to in any::<Index>(),
    ) {
        let (from, to) = (from.index(original.len()), to.index(original.len()));
        check(original.get(from.min(to)..from.max(to)).unwrap_or(""));
    }
}
