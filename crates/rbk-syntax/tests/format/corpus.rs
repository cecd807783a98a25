//! Every runbook of this repository, and as many more as chance brings: laid out, they say what they said; blanks make
//! no difference.

use crate::formatted;
use crate::generated;
use crate::mangled::mangled;
use proptest::prelude::*;
use rbk_syntax::{SourceId, format, has_errors, parse, parse_used};
use std::fs;
use std::path::{Path, PathBuf};

/// All `.rbk` files below a folder of this repository.
fn runbooks(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rbk") {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

fn is_right(text: &str) -> bool {
    !has_errors(&parse(SourceId::default(), text).diagnostics)
        || !has_errors(&parse_used(SourceId::default(), text).diagnostics)
}

#[test]
fn shipped_runbooks_are_laid_out_already() {
    let shipped = runbooks("runbooks");
    assert!(shipped.len() >= 5, "{}", shipped.len());
    for (path, text) in shipped {
        assert_eq!(formatted(&text), text, "{}", path.display());
    }
}

#[test]
fn every_runbook_says_the_same_when_it_is_laid_out() {
    let all = [runbooks("runbooks"), runbooks("tests"), runbooks("crates")].concat();
    let mut seen = 0;
    for (path, text) in all {
        if is_right(&text) {
            seen += 1;
            let formatted = formatted(&text);
            for seed in 0..8 {
                let mangled = mangled(&formatted, seed);
                let again = format(SourceId::default(), &mangled);
                assert_eq!(
                    again.as_ref(),
                    Ok(&formatted),
                    "{}:\n{mangled}",
                    path.display()
                );
            }
        } else {
            assert!(
                format(SourceId::default(), &text).is_err(),
                "{}",
                path.display()
            );
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_generated_runbooks_of_the_benchmark_are_laid_out() {
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/generate.py");
    let output = std::process::Command::new("python3")
        .args([generator.as_os_str(), "rbk".as_ref(), "2000".as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2000);
    formatted(&text);
}

/// Each text is ten times as long as the one before. Ten times the work is linear; the bar leaves room for a busy machine,
/// and none for the square.
#[test]
fn the_time_is_in_proportion_to_the_length() {
    let text = |steps: usize| {
        let mut text = String::from("runbook \"Long\"\n");
        for number in 0..steps {
            text.push_str(&format!(
                "# {number}\nstep \"S {number}\"{{\n  restore  a from b # x\n  run x {{ a:1,b:[c,d] }}\n  await a exists and ({number}<2)\n within 5m }}\n"
            ));
        }
        text
    };
    let time = |text: &str| {
        let times = (0..3).map(|_| {
            let begun = std::time::Instant::now();
            format(SourceId::default(), text).unwrap();
            begun.elapsed()
        });
        times.min().unwrap()
    };
    let (short, long) = (time(&text(300)), time(&text(3000)));
    assert!(long < short * 40, "{short:?}, {long:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_runbook_is_laid_out_whatever_its_blanks(text in generated::runbook(), seed in any::<u64>()) {
        prop_assert!(is_right(&text), "{:?}\n{text}", parse(SourceId::default(), &text).diagnostics.first());
        let formatted = formatted(&text);
        let mangled = mangled(&formatted, seed);
        let again = format(SourceId::default(), &mangled);
        prop_assert_eq!(again.as_ref(), Ok(&formatted), "\n{}", mangled);
        for line in without_long_texts(&formatted).lines() {
            prop_assert_eq!(line, line.trim_end(), "\n{}", formatted);
            prop_assert!(!line.contains('\t') || line.contains('#') || line.contains('"'));
        }
    }
}

/// A text without the inside of its long texts.
fn without_long_texts(text: &str) -> String {
    text.split("\"\"\"")
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\"\"\"")
}
