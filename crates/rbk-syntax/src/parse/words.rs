//! The words that begin or continue items and statements.

use super::grammar::Rule;

/// Items by their first word, and an example of each.
pub(super) const ITEMS: &[(&str, &str)] = &[
    ("runbook", "runbook \"Quick recovery\""),
    ("param", "param target: database = recovery"),
    ("let", "let snap = latest snapshot of source"),
    ("require", "require app uses source"),
    ("step", "step \"Restore\" { … }"),
    ("on", "on failure { … }"),
];

/// Statements by their first word, the rule that reads them, and an example of each.
pub(super) const STATEMENTS: &[(&str, Rule, &str)] = &[
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
    "using",
    "and",
    "or",
];

/// Words that no parameter or value can be called by.
pub(super) const RESERVED: &[&str] = &["true", "false", "now", "not", "and", "or"];

/// The ASCII word at the start of a text; may be empty.
pub(super) fn first_word(text: &str) -> &str {
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
    let is_tight = behind
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

/// Whether a word begins an item.
pub(super) fn is_item(word: &str) -> bool {
    ITEMS.iter().any(|(first, _)| *first == word)
}

/// Whether a line that begins like this continues the one before.
pub(super) fn continues(line: &str) -> bool {
    let word = first_word(line);
    CONTINUE.contains(&word) || (word == "if" && is_if_reachable(line))
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

/// Whether a line begins like a block does: `step "…"` or `on failure`.
pub(super) fn begins_block(line: &str) -> bool {
    let word = first_word(line);
    let rest = line
        .get(word.len()..)
        .unwrap_or("")
        .trim_start_matches([' ', '\t']);
    match word {
        "step" => rest.starts_with(['"', '{', '\'', '“']),
        "on" => first_word(rest) == "failure",
        _ => false,
    }
}

/// Whether a line begins like an item does.
pub(super) fn begins_item(line: &str) -> bool {
    let word = first_word(line);
    match word {
        "step" | "on" => begins_block(line),
        _ => is_item(word) && is_followed_by_word(line, word),
    }
}

/// Whether a line begins like an item or a statement does.
pub(super) fn begins_any(line: &str) -> bool {
    let word = first_word(line);
    line.starts_with('}')
        || begins_item(line)
        || (statement(word).is_some() && is_followed_by_word(line, word))
}

fn is_followed_by_word(line: &str, word: &str) -> bool {
    let rest = line.get(word.len()..).unwrap_or("");
    let trimmed = rest.trim_start_matches([' ', '\t']);
    trimmed.len() < rest.len()
        && trimmed.starts_with(|first: char| first.is_alphabetic() || first == '"')
}
