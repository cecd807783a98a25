//! The words that begin or continue items and statements.

use super::grammar::Rule;
use crate::similar::Near;

/// Items by their first word, and an example of each.
pub(super) const ITEMS: &[(&str, &str)] = &[
    ("runbook", "runbook \"Quick recovery\""),
    ("use", "use \"shared.rbk\""),
    ("param", "param target: database = recovery"),
    ("let", "let snap = latest snapshot of source"),
    ("require", "require app uses source"),
    ("procedure", "procedure prove(db: database) { … }"),
    ("step", "step \"Restore\" { … }"),
    (
        "parallel",
        "parallel { step \"Copy\" { … } step \"Warm\" { … } }",
    ),
    ("on", "on failure { … }"),
];

/// Statements by their first word, the rule that reads them unless [`rule`] knows better, and an example of each.
pub(super) const STATEMENTS: &[(&str, Rule, &str)] = &[
    ("if", Rule::if_block, "if target exists { … } else { … }"),
    (
        "snapshot",
        Rule::take_snapshot,
        "snapshot source as \"before-the-repair\"",
    ),
    ("restore", Rule::restore, "restore target from snap"),
    ("set", Rule::set_credentials, "set credentials of target"),
    (
        "switch",
        Rule::switch_secret,
        "switch secret of app to target",
    ),
    ("freeze", Rule::freeze_writes, "freeze writes on source"),
    ("thaw", Rule::thaw_writes, "thaw writes on source"),
    ("keep", Rule::keep, "keep target because \"…\""),
    (
        "destroy",
        Rule::destroy,
        "destroy target by its removal policy",
    ),
    (
        "await",
        Rule::await_condition,
        "await target is available within 60m",
    ),
    ("assert", Rule::assert, "assert checks of target pass"),
    ("approve", Rule::approve, "approve \"…\""),
    ("note", Rule::note, "note \"…\""),
    (
        "let",
        Rule::let_value,
        "let n = count(target.public.documents)",
    ),
    (
        "recreate",
        Rule::recreate_schema,
        "recreate schema broken.public",
    ),
    ("migrate", Rule::migrate, "migrate broken"),
    (
        "drop",
        Rule::drop_indexes,
        "drop indexes on columns of type vector in broken.public",
    ),
    (
        "alter",
        Rule::alter_columns,
        "alter columns of type vector in broken.public to text",
    ),
    (
        "relax",
        Rule::relax_not_null,
        "relax not null on broken.public",
    ),
    (
        "sync",
        Rule::sync_sequences,
        "sync sequences of broken from source",
    ),
    (
        "validate",
        Rule::validate_constraints,
        "validate constraints of broken.public",
    ),
    ("analyze", Rule::analyze, "analyze broken"),
    ("sql", Rule::sql, "sql on broken \"…\""),
    (
        "replicate",
        Rule::replicate,
        "replicate source to broken with copy",
    ),
    (
        "run",
        Rule::run_command,
        "run warm_cache { table: \"documents\" }",
    ),
    ("do", Rule::do_procedure, "do prove(target)"),
];

/// Rules of statements that share their first word with another: it, a word that tells them apart, which is the
/// second or, where that is misspelt, the third, and what is none of them all the same.
const VARIANTS: &[(&str, [&str; 2], Rule)] = &[
    ("restore", ["indexes", "on"], Rule::restore_indexes),
    ("restore", ["column", "types"], Rule::restore_column_types),
    ("restore", ["not", "null"], Rule::restore_not_null),
    ("drop", ["index", ""], Rule::drop_index),
    ("alter", ["column", ""], Rule::alter_column),
    ("keep", ["writes", "frozen"], Rule::keep_frozen),
];

/// Words that only ever continue the line before.
const CONTINUE: &[&str] = &[
    "within",
    "every",
    "else",
    "because",
    "accepting",
    "to",
    "from",
    "with",
    "without",
    "by",
    "using",
    "as",
    "where",
    "and",
    "or",
];

/// Words that no parameter or value can be called by.
pub(super) const RESERVED: &[&str] = &["true", "false", "now", "not", "and", "or"];

/// The ASCII word at the start of a text; may be empty.
pub(crate) fn first_word(text: &str) -> &str {
    let length = text.bytes().take_while(|byte| is_word(*byte)).count();
    text.get(..length).unwrap_or("")
}

/// Whether a byte can stand in a name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name with hyphens around a `-` that has a letter or digit right before and a letter right behind it,
/// and where it begins.
pub(super) fn hyphenated(text: &str, at: usize) -> Option<(usize, &str)> {
    let (before, behind) = text.split_at_checked(at)?;
    let is_part =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let start = before.len()
        - before
            .bytes()
            .rev()
            .take_while(|byte| is_part(char::from(*byte)))
            .count();
    let end = at
        + behind
            .bytes()
            .take_while(|byte| is_part(char::from(*byte)))
            .count();
    let name = text.get(start..end)?;
    let is_tight = behind.starts_with('-')
        && behind
            .as_bytes()
            .get(1)
            .is_some_and(|byte| byte.is_ascii_alphabetic())
        && before.bytes().next_back().is_some_and(is_word);
    (is_tight && name.starts_with(|first: char| first.is_ascii_alphabetic()))
        .then_some((start, name))
}

/// The rule of the statement that begins with a word.
pub(super) fn statement(word: &str) -> Option<Rule> {
    STATEMENTS
        .iter()
        .find(|(first, ..)| *first == word)
        .map(|(_, rule, _)| *rule)
}

/// The rule of a statement that begins with `word`, or of the one among several that a text is probably meant for.
pub(super) fn rule(word: &str, text: &str) -> Option<Rule> {
    let common = statement(word)?;
    if word == "let" && named(text).is_some() {
        return Some(Rule::named);
    }
    if !matches!(word, "restore" | "drop" | "alter" | "keep") {
        return Some(common);
    }
    let mut next = words_behind(text, word.len());
    let (second, third) = (next.next().unwrap_or(""), next.next().unwrap_or(""));
    // `restore indexes from snap`, `keep writes because …`: a database may well be called so.
    if third == "from" || third == "because" {
        return Some(common);
    }
    let variants = || VARIANTS.iter().filter(|(first, ..)| *first == word);
    let found = variants()
        .find(|(_, [is_second, _], _)| *is_second == second)
        .or_else(|| {
            variants().find(|(_, [_, is_third], _)| !third.is_empty() && *is_third == third)
        });
    Some(found.map_or(common, |(.., rule)| *rule))
}

/// Words with nothing but blanks and comments between them.
fn words_behind(text: &str, at: usize) -> impl Iterator<Item = &str> {
    let mut rest = text.get(at..).unwrap_or("");
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        while rest.starts_with('#') {
            rest = rest.get(rest.find('\n')?..)?.trim_start();
        }
        let word = first_word(rest);
        rest = rest.get(word.len()..)?;
        (!word.is_empty()).then_some(word)
    })
}

/// The word that begins the statement behind `let NAME =`, if one stands there that yields something, or that is
/// probably meant for one.
pub(super) fn named(text: &str) -> Option<&str> {
    let behind = text.strip_prefix("let")?.trim_start();
    let name = first_word(behind);
    let value = behind.get(name.len()..)?.trim_start().strip_prefix('=')?;
    let value = value.trim_start();
    let word = first_word(value);
    let mut next = words_behind(value, word.len());
    let (from, to) = (next.next()?, next.next().unwrap_or(""));
    let is_operand = matches!(
        from,
        "and" | "or" | "of" | "is" | "has" | "uses" | "exists" | "accepts" | "matches"
    );
    let is_meant = matches!(word, "replicate" | "snapshot") && !is_operand
        || to == "to" && crate::nearest(word, ["replicate"]).is_some()
        || (to.is_empty() || to == "as")
            && !is_operand
            && crate::nearest(word, ["snapshot"]).is_some();
    (!name.is_empty() && is_meant && begins_with_word(value.get(word.len()..)?)).then_some(word)
}

/// Whether blanks and then a name come next.
fn begins_with_word(text: &str) -> bool {
    let rest = text.trim_start();
    rest.len() < text.len()
        && rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// The words that continue a statement.
pub(super) fn clauses() -> impl Iterator<Item = &'static str> {
    CONTINUE.iter().copied().filter(|word| word.len() > 3)
}

/// What other languages call `else if`.
pub(super) fn other_way(word: &str) -> Option<Near<'static>> {
    matches!(word, "elif" | "elsif" | "elseif").then_some(Near {
        word: "else if",
        is_only: true,
    })
}

/// What to do about a line that begins like one of another language.
pub(super) fn of_another_language(text: &str) -> Option<&'static str> {
    let word = first_word(text);
    match word {
        "for" | "foreach" | "while" | "until" | "loop" | "repeat" | "retry" => {
            return Some(
                "there are no loops, so that a plan can be read whole: `await … within …` looks again until something holds; what is done \
                 several times is written so, or put into a `procedure`",
            );
        }
        "then" | "begin" | "end" | "done" => {
            return Some(
                "what is done under a condition stands in braces: `if … { … } else { … }`",
            );
        }
        "sleep" => {
            return Some(
                "nothing waits for the time alone: `await … within …` waits until something holds",
            );
        }
        "echo" | "print" | "log" => return Some("`note \"…\"` shows and records a text"),
        _ => {}
    }
    if ["//", "--", "/*"].iter().any(|mark| text.starts_with(mark)) {
        return Some("comments begin with `#`");
    }
    let behind = text.get(word.len()..).unwrap_or("").trim_start();
    let is_assigned = behind.starts_with('=') && !behind.starts_with("==");
    (is_assigned && !word.is_empty()).then_some("a value is named with `let` before it")
}

/// Whether a text begins a statement that has a block of options.
pub(super) fn takes_options(text: &str) -> bool {
    match first_word(text) {
        "replicate" | "run" => true,
        "let" => named(text).is_some_and(|word| crate::nearest(word, ["replicate"]).is_some()),
        _ => false,
    }
}

/// Whether a text in a block begins what has a block of its own: `if …`, `else …`.
pub(super) fn opens_block(text: &str) -> bool {
    matches!(first_word(text), "if" | "else")
}

/// Whether a line begins the other way of an `if`: `else {`, `else if …`, and no `else "…"`.
pub(super) fn begins_else(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("else") else {
        return false;
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.starts_with('{') || first_word(rest) == "if" && !is_if_reachable(rest)
}

/// Whether a word begins an item.
pub(super) fn is_item(word: &str) -> bool {
    ITEMS.iter().any(|(first, _)| *first == word)
}

/// Whether a line that begins like this continues the one before.
pub(super) fn continues(line: &str) -> bool {
    let word = first_word(line);
    CONTINUE.contains(&word) && !begins_else(line) || (word == "if" && is_if_reachable(line))
}

/// `if reachable` and nothing behind it: `if reachable_count > 1 { … }` is none.
fn is_if_reachable(line: &str) -> bool {
    let line = line.lines().next().unwrap_or("");
    let Some(rest) = line
        .strip_prefix("if")
        .map(str::trim_start)
        .and_then(|rest| rest.strip_prefix("reachable"))
    else {
        return false;
    };
    let rest = rest.trim_start_matches([' ', '\t', '\r']);
    rest.is_empty() || rest.starts_with(['#', '}'])
}

/// Whether a line begins like a block does: `step "…"`, `on failure` or `procedure name`.
pub(crate) fn begins_block(line: &str) -> bool {
    let word = first_word(line);
    let rest = line
        .get(word.len()..)
        .unwrap_or("")
        .trim_start_matches([' ', '\t']);
    match word {
        "step" => rest.starts_with(['"', '{', '\'', '“']),
        "on" => first_word(rest) == "failure",
        "parallel" => rest.starts_with('{'),
        "procedure" => rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'),
        _ => false,
    }
}

/// Whether a line begins like an item does.
pub(super) fn begins_item(line: &str) -> bool {
    let word = first_word(line);
    match word {
        "step" | "on" | "procedure" | "parallel" => begins_block(line),
        _ => is_item(word) && is_followed_by_word(line, word),
    }
}

/// Whether a line begins like an item or a statement does.
pub(super) fn begins_any(line: &str) -> bool {
    line.starts_with('}') || begins_item(line) || begins_statement(line)
}

/// Whether a line begins like a statement does.
pub(super) fn begins_statement(line: &str) -> bool {
    let word = first_word(line);
    // `snapshot "id" of source` is a value.
    let is_value = || {
        let behind = line.get(word.len()..).unwrap_or("");
        word == "snapshot" && behind.trim_start().starts_with('"')
    };
    statement(word).is_some() && is_followed_by_word(line, word) && !is_value()
}

fn is_followed_by_word(line: &str, word: &str) -> bool {
    let rest = line.get(word.len()..).unwrap_or("");
    let trimmed = rest.trim_start_matches([' ', '\t']);
    trimmed.len() < rest.len()
        && trimmed.starts_with(|first: char| first.is_alphabetic() || first == '"')
}
