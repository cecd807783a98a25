//! What the checker says of the shipped repair runbooks when a statement is missing or stands in the wrong place: a table says it
//! of each statement and each adjacent pair, and these tests hold it.

use crate::process::{rbk, root, said};
use rbk_syntax::{Span, ast};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// A runbook that differs from the shipped one.
struct Mutant {
    /// The step, or what else it stands in.
    place: String,
    /// ``without `migrate broken` ``
    change: String,
    text: String,
}

#[test]
fn each_statement_of_the_rebuild_deleted_and_each_pair_swapped_is_in_the_table() {
    hold(
        "runbooks/rebuild-schema.rbk",
        "tests/lang/deletion-and-swap.md",
    );
}

#[test]
fn each_statement_of_the_repair_deleted_and_each_pair_swapped_is_in_the_table() {
    hold(
        "runbooks/repair-original.rbk",
        "tests/lang/deletion-and-swap-repair-original.md",
    );
}

/// All that differ from a runbook by one deletion or swap are in its table, with what the check says of them.
fn hold(runbook: &str, table_file: &str) {
    let text = std::fs::read_to_string(root().join(runbook)).expect("the runbook");
    let mutants = mutants(runbook, &text);
    assert!(mutants.len() > 30, "only {}", mutants.len());
    let found = findings(&mutants);

    let table = std::fs::read_to_string(root().join(table_file)).expect("the table");
    let mut expected = rows(&table);
    let mut wrong = String::new();
    for (mutant, found) in mutants.iter().zip(found) {
        let row = expected.remove(&(mutant.place.clone(), mutant.change.clone()));
        let harmless = !found.contains("error");
        match row {
            Some((said, reason)) if said == found && harmless != reason.is_empty() => {}
            Some((said, _)) if said == found => {
                let _ = writeln!(
                    wrong,
                    "{}: a reason stands where nothing is an error, and there alone",
                    mutant.change
                );
            }
            _ => {
                let _ = writeln!(
                    wrong,
                    "## {}\n| {} | {found} | |",
                    mutant.place, mutant.change
                );
            }
        }
    }
    for (place, change) in expected.keys() {
        let _ = writeln!(wrong, "## {place}\nthere is no longer: {change}");
    }
    assert!(wrong.is_empty(), "{table_file} should say:\n{wrong}");
}

/// The rows of the table by step and change: what is found, and why it is harmless.
fn rows(table: &str) -> BTreeMap<(String, String), (String, String)> {
    let mut place = String::new();
    let mut rows = BTreeMap::new();
    for line in table.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut place);
        }
        let Some(cells) = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix('|'))
        else {
            continue;
        };
        let cells: Vec<&str> = cells.split(" | ").map(str::trim).collect();
        let [change, found, reason] = cells[..] else {
            panic!("not three cells: {line}");
        };
        if change.contains('`') {
            let row = (found.to_owned(), reason.to_owned());
            let before = rows.insert((place.clone(), change.to_owned()), row);
            assert!(before.is_none(), "twice: {line}");
        }
    }
    rows
}

/// What one check says of each.
fn findings(mutants: &[Mutant]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = rbk(&[
        "check",
        "--format",
        "json",
        "--env",
        "runbooks/environments/prod.toml",
    ]);
    for (number, mutant) in mutants.iter().enumerate() {
        let file = folder.path().join(format!("{number}.rbk"));
        std::fs::write(&file, &mutant.text).expect("written");
        command.arg(file);
    }
    let output = command.output().expect("rbk starts");
    let json: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let mut all = vec![BTreeSet::new(); mutants.len()];
    for one in json["diagnostics"].as_array().expect("a list") {
        let file = Path::new(one["file"].as_str().expect("a file"));
        let number: usize = file
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .parse()
            .expect("a number");
        all[number].insert(format!(
            "{} {}",
            one["code"].as_str().unwrap(),
            one["severity"].as_str().unwrap()
        ));
    }
    all.into_iter()
        .map(|found| match found.is_empty() {
            true => "nothing".to_owned(),
            false => found.into_iter().collect::<Vec<_>>().join(", "),
        })
        .collect()
}

fn mutants(runbook: &str, text: &str) -> Vec<Mutant> {
    let mut sources = rbk_syntax::Sources::default();
    let source = sources.add(runbook, text);
    let parsed = rbk_syntax::parse(source, text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let tree = parsed.runbook.expect("a tree");

    let mut blocks: Vec<(String, Vec<Span>)> = Vec::new();
    let mut requires = Vec::new();
    for item in &tree.items {
        match item {
            ast::Item::Require(require) => requires.push(require.span),
            ast::Item::Step(step) => blocks.push((step.title.value.clone(), spans(&step.body))),
            ast::Item::OnFailure(block) => {
                blocks.push(("on failure".to_owned(), spans(&block.body)))
            }
            _ => {}
        }
    }
    blocks.insert(0, ("Preconditions".to_owned(), requires));

    let mut mutants = Vec::new();
    for (number, (place, spans)) in blocks.iter().enumerate() {
        for (index, span) in spans.iter().enumerate() {
            mutants.push(Mutant {
                place: place.clone(),
                change: format!("without `{}`", first_line(text, *span)),
                text: without(text, *span),
            });
            let next_place = blocks
                .get(number + 1)
                .filter(|(next, _)| number > 0 && next != "on failure");
            let (next, of) = match (spans.get(index + 1), next_place) {
                (Some(next), _) => (*next, ""),
                (None, Some((_, next))) => (next[0], " of the next step"),
                (None, None) => continue,
            };
            mutants.push(Mutant {
                place: place.clone(),
                change: format!(
                    "`{}` after `{}`{of}",
                    first_line(text, *span),
                    first_line(text, next)
                ),
                text: swapped(text, *span, next),
            });
        }
    }
    mutants
}

fn spans(body: &[ast::Statement]) -> Vec<Span> {
    body.iter().map(|statement| statement.span).collect()
}

fn of(text: &str, span: Span) -> &str {
    &text[span.start as usize..span.end as usize]
}

/// Enough of a statement to know it by.
fn first_line(text: &str, span: Span) -> &str {
    of(text, span)
        .lines()
        .next()
        .unwrap()
        .trim_end_matches([' ', '{'])
}

fn without(text: &str, span: Span) -> String {
    format!(
        "{}{}",
        &text[..span.start as usize],
        &text[span.end as usize..]
    )
}

fn swapped(text: &str, first: Span, second: Span) -> String {
    format!(
        "{}{}{}{}{}",
        &text[..first.start as usize],
        of(text, second),
        &text[first.end as usize..second.start as usize],
        of(text, first),
        &text[second.end as usize..]
    )
}
