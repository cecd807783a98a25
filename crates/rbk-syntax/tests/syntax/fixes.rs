//! Fixes that can only have been meant: applied, they make their diagnostic go away.

use crate::{QUICK_RECOVERY, REBUILD};
use rbk_syntax::{Diagnostic, Fix, Safety, SourceId, has_errors, parse};

fn apply(text: &str, fix: &Fix) -> String {
    let (start, end) = (fix.span.start as usize, fix.span.end as usize);
    format!("{}{}{}", &text[..start], fix.replacement, &text[end..])
}

fn told(text: &str) -> Vec<Diagnostic> {
    parse(SourceId::default(), text).diagnostics
}

/// Applies the safe fixes one after the other until none is left; each must take its diagnostic away.
#[track_caller]
fn mended(text: &str) -> (String, usize) {
    let mut text = text.to_owned();
    let mut applied = 0;
    while let Some((diagnostic, fix)) = told(&text).into_iter().find_map(|diagnostic| {
        let fix = diagnostic.fix.clone()?;
        (fix.safety == Safety::Safe).then_some((diagnostic, fix))
    }) {
        let better = apply(&text, &fix);
        let is_same = |other: &Diagnostic| {
            other.code == diagnostic.code
                && other.message == diagnostic.message
                && other.primary.span.start == diagnostic.primary.span.start
        };
        assert!(
            !told(&better).iter().any(is_same),
            "{}: still there in\n{better}",
            diagnostic.message
        );
        text = better;
        applied += 1;
        assert!(applied < 1000, "no end of fixes:\n{text}");
    }
    (text, applied)
}

/// Where the words of a text begin and end, and which stand in quotes or comments.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mut is_text = false;
        let mut start = None;
        for (index, character) in line.char_indices() {
            if character == '#' && !is_text {
                break;
            }
            if character == '"' {
                is_text = !is_text;
            }
            if character.is_ascii_lowercase() && !is_text {
                start.get_or_insert(at + index);
            } else if let Some(start) = start.take() {
                found.push((start, at + index));
            }
        }
        at += line.len();
    }
    found
}

#[test]
fn misspelt_words_are_mended_or_left_to_a_person() {
    let mut whole = 0;
    for text in [QUICK_RECOVERY, REBUILD] {
        assert!(!has_errors(&told(text)));
        for (start, end) in words(text) {
            let word = &text[start..end];
            if word.len() < 5 {
                continue;
            }
            // A letter left out, and two the other way round.
            let short = format!(
                "{}{}{}",
                &text[..start + 2],
                &text[start + 3..end],
                &text[end..]
            );
            let mut letters: Vec<char> = word.chars().collect();
            letters.swap(2, 3);
            let swapped: String = letters.into_iter().collect();
            let swapped = format!("{}{swapped}{}", &text[..start], &text[end..]);
            for wrong in [short, swapped] {
                let (better, applied) = mended(&wrong);
                if applied > 0 {
                    assert_eq!(better, text, "mended to something else");
                    whole += 1;
                }
            }
        }
    }
    assert!(whole > 100, "{whole}");
}

#[test]
fn what_people_write_who_come_from_elsewhere_is_mended() {
    let text = "runbook 'R'\nparam max-loss: duration = 90sec\nrequire app uses source && age(snap) <> 5 min;\nrequire x = 10GB || now > 2026-11-22 09:15:00Z\nstep “S” {\n  restore my-db from snap\n}\n";
    let (better, _) = mended(text);
    assert_eq!(
        better,
        "runbook \"R\"\nparam max_loss: duration = 90s\nrequire app uses source and age(snap) != 5m\nrequire x == 10gb or now > 2026-11-22T09:15:00Z\nstep \"S\" {\n  restore my_db from snap\n}\n"
    );
    assert!(told(&better).is_empty());
}
