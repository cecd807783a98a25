//! Trees and diagnostics as snapshots show them.

use rbk_syntax::ast::{
    AsOf, Entry, EntryValue, Expr, ExprKind, Item, Path, Quality, Removal, Runbook, Statement,
    StatementKind, Step, Target, Text, TextPart,
};
use rbk_syntax::{Diagnostic, Label, Severity, Span};
use std::fmt::Write;

/// The text with its tabs and carriage returns visible.
pub fn visible(text: &str) -> String {
    text.replace('\t', "→").replace('\r', "␍")
}

/// The text that a span covers.
pub fn covered(text: &str, span: Span) -> String {
    format!("{:?}", &text[span.start as usize..span.end as usize])
}

/// A runbook, one item or statement a line.
pub fn runbook(runbook: &Runbook, source: &str) -> String {
    let mut out = format!("---\nrunbook {:?}\n", runbook.title.value);
    if let Some(doc) = &runbook.doc {
        writeln!(out, "  doc {:?}", doc.text).unwrap();
    }
    for item in &runbook.items {
        match item {
            Item::Parallel(parallel) => {
                writeln!(out, "parallel").unwrap();
                for item in &parallel.steps {
                    step(&mut out, item, source);
                }
                writeln!(out, "end of parallel").unwrap();
            }
            Item::Param(param) => {
                write!(out, "param {}: {}", param.name.value, param.ty.value).unwrap();
                if let Some(default) = &param.default {
                    write!(out, " = {}", expression(default, source)).unwrap();
                }
                if let Some(bounds) = &param.bounds {
                    write!(out, " where {}", expression(bounds, source)).unwrap();
                }
                out.push('\n');
                if let Some(doc) = &param.doc {
                    writeln!(out, "  doc {:?}", doc.text).unwrap();
                }
            }
            Item::Let(item) => writeln!(
                out,
                "let {} = {}",
                item.name.value,
                expression(&item.value, source)
            )
            .unwrap(),
            Item::Require(item) => {
                write!(out, "require {}", expression(&item.condition, source)).unwrap();
                otherwise(&mut out, item.otherwise.as_ref(), source);
            }
            Item::Step(item) => step(&mut out, item, source),
            Item::OnFailure(item) => {
                writeln!(out, "on failure").unwrap();
                statements(&mut out, &item.body, source);
            }
            Item::Use(item) => writeln!(out, "use {:?}", item.file.value).unwrap(),
            Item::Procedure(item) => {
                let params: Vec<String> = item
                    .params
                    .iter()
                    .map(|param| format!("{}: {}", param.name.value, param.ty.value))
                    .collect();
                writeln!(out, "procedure {}({})", item.name.value, params.join(", ")).unwrap();
                if let Some(doc) = &item.doc {
                    writeln!(out, "  doc {:?}", doc.text).unwrap();
                }
                statements(&mut out, &item.body, source);
            }
            Item::Error(span) => writeln!(out, "error {}", covered(source, *span)).unwrap(),
        }
    }
    out
}

fn step(out: &mut String, step: &Step, source: &str) {
    writeln!(out, "step {:?}", step.title.value).unwrap();
    if let Some(doc) = &step.doc {
        writeln!(out, "  doc {:?}", doc.text).unwrap();
    }
    statements(out, &step.body, source);
}

/// What a block of `if` holds, one level deeper.
fn nested(out: &mut String, body: &[Statement], source: &str) {
    let mut inner = String::new();
    statements(&mut inner, body, source);
    for line in inner.lines() {
        writeln!(out, "  {line}").unwrap();
    }
}

fn statements(out: &mut String, body: &[Statement], source: &str) {
    for statement in body {
        out.push_str("  ");
        match &statement.kind {
            StatementKind::RestoreAsOf {
                database,
                source: of,
                at,
            } => {
                let at = match at {
                    AsOf::Latest { .. } => "latest!".to_owned(),
                    AsOf::Time(at) => expression(at, source),
                };
                writeln!(out, "restore {database} from {of} as-of {at}").unwrap();
            }
            StatementKind::Snapshot { database, id } => {
                write!(out, "snapshot {database}").unwrap();
                if let Some(id) = id {
                    write!(out, " as {}", text(id, source)).unwrap();
                }
                out.push('\n');
            }
            StatementKind::If {
                condition,
                then,
                otherwise,
                ..
            } => {
                writeln!(out, "if {}", expression(condition, source)).unwrap();
                nested(out, then, source);
                if let Some(otherwise) = otherwise {
                    writeln!(out, "  otherwise").unwrap();
                    nested(out, &otherwise.body, source);
                }
            }
            StatementKind::Restore { database, from } => {
                writeln!(out, "restore {database} from {}", expression(from, source)).unwrap();
            }
            StatementKind::SetCredentials { database } => {
                writeln!(out, "set-credentials {database}").unwrap()
            }
            StatementKind::SwitchSecret {
                application,
                database,
                accepting_loss,
            } => {
                let loss = flag(source, *accepting_loss);
                writeln!(out, "switch-secret {application} to {database}{loss}").unwrap();
            }
            StatementKind::FreezeWrites {
                database,
                if_reachable,
            } => {
                writeln!(
                    out,
                    "freeze-writes {database}{}",
                    flag(source, *if_reachable)
                )
                .unwrap();
            }
            StatementKind::ThawWrites {
                database,
                if_reachable,
            } => {
                writeln!(out, "thaw-writes {database}{}", flag(source, *if_reachable)).unwrap();
            }
            StatementKind::Keep { database, because } => {
                writeln!(out, "keep {database} because {}", text(because, source)).unwrap();
            }
            StatementKind::Await {
                condition,
                within,
                every,
            } => {
                write!(
                    out,
                    "await {} within {}",
                    expression(condition, source),
                    expression(within, source)
                )
                .unwrap();
                if let Some(every) = every {
                    write!(out, " every {}", expression(every, source)).unwrap();
                }
                out.push('\n');
            }
            StatementKind::Assert {
                condition,
                otherwise: message,
            } => {
                write!(out, "assert {}", expression(condition, source)).unwrap();
                otherwise(out, message.as_ref(), source);
            }
            StatementKind::Approve { prompt } => {
                writeln!(out, "approve {}", text(prompt, source)).unwrap()
            }
            StatementKind::Note { text: note } => {
                writeln!(out, "note {}", text(note, source)).unwrap()
            }
            StatementKind::Let { name, value } => {
                writeln!(out, "let {} = {}", name.value, expression(value, source)).unwrap();
            }
            StatementKind::Named { name, statement } => {
                write!(out, "let {} =", name.value).unwrap();
                statements(out, std::slice::from_ref(statement), source);
            }
            StatementKind::Destroy { database, how } => {
                let how = match how {
                    Removal::FinalSnapshot { id, span } => {
                        let id = id.as_ref().map(|id| format!(" as {}", text(id, source)));
                        format!("{}{}", covered(source, *span), id.unwrap_or_default())
                    }
                    Removal::WithoutFinalSnapshot { span } | Removal::ByPolicy { span } => {
                        covered(source, *span)
                    }
                };
                writeln!(out, "destroy {database} {how}").unwrap();
            }
            StatementKind::KeepFrozen { database, because } => {
                writeln!(
                    out,
                    "keep-frozen {database} because {}",
                    text(because, source)
                )
                .unwrap();
            }
            StatementKind::RecreateSchema { schema } => {
                writeln!(out, "recreate-schema {schema}").unwrap()
            }
            StatementKind::Migrate { database } => writeln!(out, "migrate {database}").unwrap(),
            StatementKind::DropIndex { index } => writeln!(out, "drop-index {index}").unwrap(),
            StatementKind::DropIndexes { on } => {
                writeln!(out, "drop-indexes {}", target(on)).unwrap()
            }
            StatementKind::RestoreIndexes { on } => {
                writeln!(out, "restore-indexes {}", target(on)).unwrap();
            }
            StatementKind::AlterColumn { column, to, using } => {
                write!(out, "alter-column {column} to `{}`", to.text).unwrap();
                if let Some(using) = using {
                    write!(out, " using {}", text(using, source)).unwrap();
                }
                out.push('\n');
            }
            StatementKind::AlterColumns { of, schema, to } => {
                writeln!(
                    out,
                    "alter-columns `{}` of {schema} to `{}`",
                    of.text, to.text
                )
                .unwrap();
            }
            StatementKind::RestoreColumnTypes { schema } => {
                writeln!(out, "restore-column-types {schema}").unwrap();
            }
            StatementKind::RelaxNotNull { on } => writeln!(out, "relax-not-null {on}").unwrap(),
            StatementKind::RestoreNotNull { on } => writeln!(out, "restore-not-null {on}").unwrap(),
            StatementKind::SyncSequences { of, from } => {
                writeln!(out, "sync-sequences {of} from {from}").unwrap();
            }
            StatementKind::ValidateConstraints { of } => {
                writeln!(out, "validate-constraints {of}").unwrap();
            }
            StatementKind::Analyze { database } => writeln!(out, "analyze {database}").unwrap(),
            StatementKind::Sql { database, sql } => {
                writeln!(out, "sql {database} {}", text(sql, source)).unwrap();
            }
            StatementKind::Replicate {
                from,
                to,
                with,
                options,
            } => {
                writeln!(out, "replicate {from} to {to} with {}", with.value).unwrap();
                entries(out, options, source);
            }
            StatementKind::RunCommand { command, options } => {
                writeln!(out, "run {}", command.value).unwrap();
                entries(out, options, source);
            }
            StatementKind::Do {
                procedure,
                arguments,
                label,
            } => {
                let arguments: Vec<String> = arguments
                    .iter()
                    .map(|argument| expression(argument, source))
                    .collect();
                write!(out, "do {}({})", procedure.value, arguments.join(", ")).unwrap();
                if let Some(label) = label {
                    write!(out, " as {}", text(label, source)).unwrap();
                }
                out.push('\n');
            }
            StatementKind::Error => {
                writeln!(out, "error {}", covered(source, statement.span)).unwrap()
            }
        }
    }
}

fn target(target: &Target) -> String {
    match target {
        Target::Path(path) => path.to_string(),
        Target::ColumnsOfType { ty, schema } => format!("of `{}` in {schema}", ty.text),
    }
}

fn entries(out: &mut String, entries: &[Entry], source: &str) {
    for entry in entries {
        let value = entry_value(&entry.value, source);
        writeln!(out, "    {}: {value}", entry.name.value).unwrap();
    }
}

fn entry_value(value: &EntryValue, source: &str) -> String {
    match value {
        EntryValue::Expr(value) => expression(value, source),
        EntryValue::Pattern { of, .. } => format!("(all-of {of})"),
        EntryValue::List { items, .. } => {
            let items: Vec<String> = items.iter().map(|item| entry_value(item, source)).collect();
            format!("[{}]", items.join(", "))
        }
        EntryValue::Qualified {
            value, qualifiers, ..
        } => {
            let mut out = format!("({}", entry_value(value, source));
            for qualifier in qualifiers {
                let value = expression(&qualifier.value, source);
                write!(out, ", {} {value}", qualifier.name.value).unwrap();
            }
            out + ")"
        }
    }
}

fn flag(source: &str, span: Option<Span>) -> String {
    span.map_or_else(String::new, |span| format!(" {}", covered(source, span)))
}

fn otherwise(out: &mut String, message: Option<&Text>, source: &str) {
    if let Some(message) = message {
        write!(out, " else {}", text(message, source)).unwrap();
    }
    out.push('\n');
}

fn text(text: &Text, source: &str) -> String {
    let mut out = String::from("\"");
    for part in &text.parts {
        match part {
            TextPart::Literal(literal) => out.push_str(&literal.escape_debug().to_string()),
            TextPart::Expr(value) => write!(out, "{{{}}}", expression(value, source)).unwrap(),
        }
    }
    out + "\""
}

/// An expression in prefix form, so that precedence shows.
pub fn expression(value: &Expr, source: &str) -> String {
    let path = Path::to_string;
    match &value.kind {
        ExprKind::Integer(number) => number.to_string(),
        ExprKind::Boolean(boolean) => boolean.to_string(),
        ExprKind::Text(value) => text(value, source),
        ExprKind::Duration(seconds) => format!("{seconds}s"),
        ExprKind::Size(bytes) => format!("{bytes}B"),
        ExprKind::Time(time) => time.to_string(),
        ExprKind::Path(value) => path(value),
        ExprKind::Call {
            function,
            arguments,
        } => {
            let arguments: Vec<String> = arguments
                .iter()
                .map(|argument| expression(argument, source))
                .collect();
            format!("{}({})", function.value, arguments.join(", "))
        }
        ExprKind::Now => "now!".into(),
        ExprKind::LatestSnapshot { database } => format!("(latest-snapshot {database})"),
        ExprKind::OldestSnapshot { database } => format!("(oldest-snapshot {database})"),
        ExprKind::Snapshot { id, database } => {
            format!("(snapshot {} {database})", text(id, source))
        }
        ExprKind::Query { database, sql, ty } => {
            format!("(query {database} {} {})", text(sql, source), ty.value)
        }
        ExprKind::Not(operand) => format!("(not {})", expression(operand, source)),
        ExprKind::Negate(operand) => format!("(- {})", expression(operand, source)),
        ExprKind::Binary {
            operator,
            left,
            right,
            ..
        } => {
            format!(
                "({} {} {})",
                operator.symbol(),
                expression(left, source),
                expression(right, source)
            )
        }
        ExprKind::Is { subject, quality } => {
            let quality = match quality {
                Quality::Exists => "exists",
                Quality::Available => "available",
                Quality::AcceptsConnections => "accepts-connections",
                Quality::Healthy => "healthy",
                Quality::Complete => "complete",
            };
            format!("({quality} {subject})")
        }
        ExprKind::Uses {
            application,
            database,
        } => format!("(uses {application} {database})"),
        ExprKind::HasLeft {
            application,
            database,
        } => format!("(has-left {application} {database})"),
        ExprKind::Matches { left, right } => format!("(matches {left} {right})"),
        ExprKind::NoDrift { database: None } => "(no-drift)".to_owned(),
        ExprKind::NoDrift {
            database: Some(database),
        } => format!("(no-drift {database})"),
        ExprKind::ChecksPass { database } => format!("(checks-pass {database})"),
        ExprKind::Error => format!("<error {}>", covered(source, value.span)),
    }
}

/// Everything that is told, each with its line of the source.
pub fn diagnostics(diagnostics: &[Diagnostic], source: &str) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let severity = match diagnostic.severity {
            Severity::Hint => "hint",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(
            out,
            "---\n{severity} {}: {}",
            diagnostic.code, diagnostic.message
        )
        .unwrap();
        label(&mut out, &diagnostic.primary, '^', source);
        for related in &diagnostic.related {
            label(&mut out, related, '-', source);
        }
        if let Some(help) = &diagnostic.help {
            writeln!(out, "help: {help}").unwrap();
        }
        if let Some(fix) = &diagnostic.fix {
            let (start, end) = (fix.span.start as usize, fix.span.end as usize);
            let fixed = format!("{}{}{}", &source[..start], fix.replacement, &source[end..]);
            let line = source[..start].matches('\n').count();
            let count = fix.replacement.matches('\n').count() + 1;
            for line in fixed.split('\n').skip(line).take(count) {
                writeln!(out, " fix: {}", shorten(&visible(line))).unwrap();
            }
        }
    }
    out
}

fn label(out: &mut String, label: &Label, mark: char, source: &str) {
    let (start, end) = (label.span.start as usize, label.span.end as usize);
    let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = source[start..]
        .find('\n')
        .map_or(source.len(), |length| start + length);
    let number = source[..start].matches('\n').count() + 1;
    let before = source[line_start..start].chars().count();
    let marked = source[start..end.min(line_end).max(start)]
        .chars()
        .count()
        .max(1);
    let line = visible(&source[line_start..line_end]);
    if line.chars().count() > 200 {
        writeln!(out, "{number:4} | (column {}) {}", before + 1, label.text).unwrap();
        return;
    }
    writeln!(out, "{number:4} | {line}").unwrap();
    writeln!(
        out,
        "     | {}{} {}",
        " ".repeat(before),
        mark.to_string().repeat(marked),
        label.text
    )
    .unwrap();
}

fn shorten(line: &str) -> String {
    if line.chars().count() > 200 {
        format!("{}…", line.chars().take(200).collect::<String>())
    } else {
        line.into()
    }
}
