//! The options of a replication: which there are, and how their values are read.

use crate::check::{Checker, SchemaError, StatementError};
use crate::plan::Expr;
use crate::state::Chosen;
use crate::value::{Type, Value};
use rbk_syntax::{Span, ast};
use std::collections::BTreeMap;

/// What every way to replicate is told.
pub(super) const COMMON: &[&str] = &["tables", "except"];

/// The capacity units of DMS serverless, each with 2 GB of memory. Source: `ComputeConfig.MaxCapacityUnits`.
const CAPACITY: [u32; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384];

/// The largest piece or LOB, in kB. Source: `TargetMetadata.LobMaxSize`, "102400 recommended".
const LARGEST: u64 = 102_400;

const KILOBYTE: u64 = 1024;

/// What stands in the braces, by name.
pub(super) struct Options<'a> {
    found: BTreeMap<&'a str, &'a ast::Entry>,
}

impl<'a> Options<'a> {
    /// Reports those that the statement doesn't have.
    pub(super) fn of(statement: &str, names: &[&str], options: &'a [ast::Entry], checker: &mut Checker<'_>) -> Self {
        let mut found: BTreeMap<&str, &ast::Entry> = BTreeMap::new();
        for entry in options {
            let name = entry.name.value.as_str();
            if names.contains(&name) {
                found.insert(name, entry);
                continue;
            }
            if name == "within" {
                checker.report(StatementError::DeadlineElsewhere { span: entry.span });
                continue;
            }
            checker.report(SchemaError::UnknownOption {
                span: entry.name.span,
                statement: statement.to_owned(),
                name: name.to_owned(),
                candidates: names.iter().map(|&name| name.to_owned()).collect(),
            });
        }
        Self { found }
    }

    /// A value, with its place where the runbook says it.
    pub(super) fn chosen<T>(&self, option: &str, value: T) -> Chosen<T> {
        Chosen { value, span: self.get(option).map(|entry| entry.value.span()) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a ast::Entry> {
        self.found.get(name).copied()
    }

    /// One of some words; the first where the runbook doesn't say. Reports what is none of them.
    pub(super) fn word(&self, option: &'static str, allowed: &'static [&'static str], checker: &mut Checker<'_>) -> Option<&'static str> {
        let Some(entry) = self.get(option) else {
            return allowed.first().copied();
        };
        one_of(option, allowed, &entry.value, checker)
    }

    /// `true` or `false`, which is the default.
    pub(super) fn flag(&self, option: &'static str, checker: &mut Checker<'_>) -> Option<bool> {
        let Some(entry) = self.get(option) else {
            return Some(false);
        };
        match known(option, entry, (Type::Boolean, "`true` or `false`", "multi_az: false"), checker)?.0 {
            Value::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// How many units of capacity at most.
    pub(super) fn capacity(&self, default: u32, checker: &mut Checker<'_>) -> Option<u32> {
        let Some(entry) = self.get("capacity") else {
            return Some(default);
        };
        let wanted = (Type::Integer, "a number of DMS capacity units", "capacity: 4");
        let (Value::Integer(units), span) = known("capacity", entry, wanted, checker)? else {
            return None;
        };
        let found = CAPACITY.into_iter().find(|allowed| i64::from(*allowed) == units);
        if found.is_none() {
            let nearest = CAPACITY.into_iter().min_by_key(|allowed| i64::from(*allowed).abs_diff(units));
            checker.report(StatementError::Capacity { span, units, nearest: nearest.unwrap_or(default), allowed: &CAPACITY });
        }
        found
    }

    /// Text without `{…}`; absent where it is said to be empty.
    pub(super) fn plain_text(&self, option: &'static str, default: &str, checker: &mut Checker<'_>) -> Option<Option<String>> {
        let Some(entry) = self.get(option) else {
            return Some(Some(default.to_owned()));
        };
        let text = match &entry.value {
            ast::EntryValue::Expr(ast::Expr { kind: ast::ExprKind::Text(text), .. }) => text.as_literal(),
            _ => None,
        };
        let Some(text) = text else {
            checker.report(SchemaError::OptionValue {
                span: entry.value.span(),
                name: option.to_owned(),
                wanted: "text without `{…}`",
                example: "after_connect: \"SET session_replication_role = 'replica'\"",
            });
            return None;
        };
        Some(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// How large objects are carried.
    pub(super) fn lob(&self, checker: &mut Checker<'_>) -> Option<Lob> {
        const MODES: &[&str] = &["full", "limited", "none"];
        let Some(entry) = self.get("lob") else {
            return Some(Lob::Full { chunk: DEFAULT_CHUNK });
        };
        let (value, qualifiers) = match &entry.value {
            ast::EntryValue::Qualified { value, qualifiers, .. } => (value.as_ref(), qualifiers.as_slice()),
            value => (value, [].as_slice()),
        };
        match one_of("lob", MODES, value, checker)? {
            "full" => {
                let chunk = kilobytes("lob: full", "chunk", qualifiers, checker)?;
                Some(Lob::Full { chunk: chunk.unwrap_or(DEFAULT_CHUNK) })
            }
            "limited" => match kilobytes("lob: limited", "max", qualifiers, checker)? {
                Some(max) => Some(Lob::Limited { max }),
                None => {
                    checker.report(StatementError::LimitMissing { span: value.span() });
                    None
                }
            },
            _ => {
                kilobytes("lob: none", "", qualifiers, checker)?;
                Some(Lob::None)
            }
        }
    }
}

/// How large objects (for DMS every `text`, `json`, `jsonb`, array and `bytea`) are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lob {
    /// Whole, in pieces of so many kB.
    Full { chunk: u64 },
    /// Cut behind so many kB.
    Limited { max: u64 },
    /// Not at all.
    None,
}

/// AWS advises against larger pieces: they "can cause task failures".
const DEFAULT_CHUNK: u64 = 64;

/// The one qualifier that a mode of LOBs has, in kB. Reports others, and sizes that DMS doesn't take.
#[allow(clippy::option_option, reason = "wrong, and reported; not said; said")]
fn kilobytes(of: &str, name: &str, qualifiers: &[ast::Qualifier], checker: &mut Checker<'_>) -> Option<Option<u64>> {
    let mut found = Some(None);
    for qualifier in qualifiers {
        if qualifier.name.value != name {
            checker.report(StatementError::UnknownQualifier {
                span: qualifier.name.span,
                of: of.to_owned(),
                name: qualifier.name.value.clone(),
                known: name.to_owned(),
            });
            found = None;
            continue;
        }
        let typed = checker.expression_of(&qualifier.value, Type::Size);
        let size = match typed.and_then(|typed| constant(typed.expr, qualifier.value.span, checker)) {
            Some(Value::Size(bytes)) => bytes,
            _ => {
                found = None;
                continue;
            }
        };
        let kilobytes = size / KILOBYTE;
        if !size.is_multiple_of(KILOBYTE) || !(1..=LARGEST).contains(&kilobytes) {
            checker.report(SchemaError::OptionValue {
                span: qualifier.value.span,
                name: format!("{of}, {name}"),
                wanted: "a size between 1kb and 102400kb (100mb), in whole kB",
                example: if name == "max" { "lob: limited, max 32kb" } else { "lob: full, chunk 64kb" },
            });
            found = None;
        } else if found.is_some() {
            found = Some(Some(kilobytes));
        }
    }
    found
}

fn one_of(option: &'static str, allowed: &'static [&'static str], value: &ast::EntryValue, checker: &mut Checker<'_>) -> Option<&'static str> {
    let word = match value {
        ast::EntryValue::Expr(ast::Expr { kind: ast::ExprKind::Path(path), .. }) => path.single().map(|name| name.value.as_str()),
        _ => None,
    };
    let found = allowed.iter().copied().find(|allowed| Some(*allowed) == word);
    if found.is_none() {
        checker.report(StatementError::OptionWord { span: value.span(), option, word: word.map(str::to_owned), allowed });
    }
    found
}

/// The value of an option, of a type and known when planning, and where it stands.
fn known(
    option: &str,
    entry: &ast::Entry,
    (ty, wanted, example): (Type, &'static str, &'static str),
    checker: &mut Checker<'_>,
) -> Option<(Value, Span)> {
    let span = entry.value.span();
    let wrong = SchemaError::OptionValue { span, name: option.to_owned(), wanted, example };
    let ast::EntryValue::Expr(expr) = &entry.value else {
        checker.report(wrong);
        return None;
    };
    // What people write who come from YAML.
    if let ast::ExprKind::Path(path) = &expr.kind
        && matches!(path.first(), "yes" | "no" | "on" | "off")
    {
        checker.report(wrong);
        return None;
    }
    let typed = checker.expression(expr)?;
    if typed.ty != ty {
        checker.report(wrong);
        return None;
    }
    constant(typed.expr, span, checker).map(|value| (value, span))
}

fn constant(expr: Expr, span: Span, checker: &mut Checker<'_>) -> Option<Value> {
    match expr {
        Expr::Value(value) => Some(value),
        expr => {
            checker.not_constant(&expr, span);
            None
        }
    }
}
