//! One mistake is told once: nothing follows from it that would be noise.

use crate::world::{World, read, root, told};
use rbk_syntax::has_errors;
use std::collections::BTreeSet;

/// The shipped runbooks that need no value.
fn shipped() -> Vec<(String, String)> {
    let folder = root().join("runbooks");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".rbk"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let text = read(&format!("runbooks/{name}"));
            (name, text)
        })
        .collect()
}

/// The words of a runbook outside of texts and comments, by their places.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    let (mut in_text, mut in_comment) = (false, false);
    for (at, letter) in text.char_indices().chain([(text.len(), '\n')]) {
        let is_word = letter.is_ascii_alphanumeric() || letter == '_';
        if is_word && !in_text && !in_comment {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            found.push((start, &text[start..at]));
        }
        match letter {
            '\n' => in_comment = false,
            '"' if !in_comment => in_text = !in_text,
            '#' if !in_text => in_comment = true,
            _ => {}
        }
    }
    found
}

/// A text with something else in the place of a part of it.
fn with(text: &str, start: usize, length: usize, other: &str) -> String {
    format!("{}{other}{}", &text[..start], &text[start + length..])
}

/// `resore` of `restore`
fn misspelt(word: &str) -> Option<String> {
    if word.len() < 4 || !word.is_ascii() {
        return None;
    }
    let middle = word.len() / 2;
    Some(with(word, middle, 1, ""))
}

#[test]
fn a_misspelt_word_is_told_once_and_nothing_of_states_follows() {
    let world = World::of("runbooks/environments/prod").unwrap();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, text) in shipped() {
        let before: BTreeSet<String> = codes(&world, &text);
        for (at, word) in words(&text) {
            let Some(other) = misspelt(word) else {
                continue;
            };
            let diagnostics = world.check(&with(&text, at, word.len(), &other));
            tried += 1;
            let line = text[..at].lines().count().max(1);
            // A name that is made is unused then, and unknown where it is used.
            let has_errors = has_errors(&diagnostics);
            let states = diagnostics
                .iter()
                .any(|told| told.code.0.starts_with("RBK2") && !before.contains(told.code.0));
            let others = diagnostics
                .iter()
                .any(|told| !told.code.0.starts_with("RBK2"));
            if diagnostics.len() > 2 || (has_errors && others && states) {
                wrong.push(format!(
                    "{name}:{line}: `{other}` for `{word}`\n{}",
                    told(&diagnostics)
                ));
            }
        }
    }
    assert!(tried > 500, "only {tried} words");
    assert!(
        wrong.is_empty(),
        "{} of {tried}\n{}",
        wrong.len(),
        wrong.concat()
    );
}

fn codes(world: &World, text: &str) -> BTreeSet<String> {
    let diagnostics = world.check(text);
    diagnostics
        .iter()
        .map(|told| told.code.0.to_owned())
        .collect()
}

#[test]
fn a_missing_line_or_clause_brings_no_flood() {
    let world = World::of("runbooks/environments/prod").unwrap();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, text) in shipped() {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let trimmed = line.trim();
            // The options of a statement whose head is gone are told of one by one.
            if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.contains("replicate") {
                continue;
            }
            let mut changed = vec![with(&text, start, line.len(), "")];
            for clause in [
                " within ",
                " every ",
                " because ",
                " accepting ",
                " from ",
                " to ",
                ": ",
            ] {
                if let Some(clause) = line.find(clause) {
                    let end = line.trim_end().len();
                    // A block that is opened behind it stays open.
                    if !trimmed.ends_with('{') {
                        changed.push(with(&text, start + clause, end - clause, ""));
                    }
                }
            }
            for changed in changed {
                tried += 1;
                let diagnostics = world.check(&changed);
                let names_or_syntax = diagnostics
                    .iter()
                    .filter(|told| {
                        told.code.0 < "RBK2000" && told.severity == rbk_syntax::Severity::Error
                    })
                    .count();
                let states = diagnostics.len() - names_or_syntax;
                let has_states = diagnostics
                    .iter()
                    .any(|told| told.code.0.starts_with("RBK2"));
                if names_or_syntax > 2 || (names_or_syntax > 0 && has_states) || states > 6 {
                    wrong.push(format!(
                        "{name}: without `{trimmed}`\n{}",
                        told(&diagnostics)
                    ));
                }
            }
        }
    }
    assert!(tried > 200, "only {tried} lines");
    assert!(
        wrong.is_empty(),
        "{} of {tried}\n{}",
        wrong.len(),
        wrong.concat()
    );
}

#[test]
fn a_unit_of_another_language_is_told_once() {
    let world = World::of("runbooks/environments/prod").unwrap();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, text) in shipped() {
        for (at, word) in words(&text) {
            let digits = word.chars().take_while(char::is_ascii_digit).count();
            if digits == 0 || digits == word.len() {
                continue;
            }
            for unit in ["min", "hours", "seconds", "ms", "GiB", ""] {
                tried += 1;
                let other = format!("{}{unit}", &word[..digits]);
                let diagnostics = world.check(&with(&text, at, word.len(), &other));
                let is_one = matches!(diagnostics.as_slice(), [told] if told.code.0 < "RBK2000");
                if !is_one {
                    wrong.push(format!(
                        "{name}: `{other}` for `{word}`\n{}",
                        told(&diagnostics)
                    ));
                }
            }
        }
    }
    assert!(tried > 50, "only {tried} units");
    assert!(
        wrong.is_empty(),
        "{} of {tried}\n{}",
        wrong.len(),
        wrong.concat()
    );
}
