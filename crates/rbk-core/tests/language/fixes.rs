//! What a diagnostic offers as a fix can be read, and mends it: over all wrong runbooks of `tests/lang/cases`.

use crate::world::{World, read, root, told};
use rbk_syntax::{Diagnostic, Fix};

/// The cases with the environments that they are checked against, as `tests/suite/lang.rs` does.
fn cases() -> Vec<(String, World)> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("tests/lang/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rbk").map(str::to_owned))
        .collect();
    names.sort();
    let with_world = |name: String| {
        let own = format!("tests/lang/cases/{name}");
        let environment = match root().join(format!("{own}.toml")).exists() {
            true => own,
            false if name.starts_with("dms_") => "tests/lang/dms".to_owned(),
            false => "tests/lang/team".to_owned(),
        };
        Some((name, World::of(&environment)?))
    };
    names.into_iter().filter_map(with_world).collect()
}

fn mended(text: &str, fix: &Fix) -> String {
    let (start, end) = (fix.span.start as usize, fix.span.end as usize);
    let (before, after) = (&text[..start], &text[end..]);
    format!("{before}{}{after}", fix.replacement)
}

/// How often the same is told.
fn count(diagnostics: &[Diagnostic], like: &Diagnostic) -> usize {
    let same = |told: &&Diagnostic| told.code == like.code && told.message == like.message;
    diagnostics.iter().filter(same).count()
}

fn is_syntax(diagnostic: &&Diagnostic) -> bool {
    diagnostic.code.0.starts_with("RBK0")
}

#[test]
fn a_fix_can_be_read_and_what_it_mends_is_gone() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, world) in cases() {
        let text = read(&format!("tests/lang/cases/{name}.rbk"));
        let before = world.check(&text);
        for diagnostic in &before {
            let Some(fix) = &diagnostic.fix else {
                continue;
            };
            // Where both braces of a block are missing, one of them doesn't mend it.
            if diagnostic.message.starts_with("expected `{`") {
                continue;
            }
            // Some are for the environment's file.
            if fix.span.source != World::runbook() {
                continue;
            }
            tried += 1;
            let after = world.check(&mended(&text, fix));
            let was = before.iter().filter(is_syntax).count();
            let is = after.iter().filter(is_syntax).count();
            let of_syntax = usize::from(is_syntax(&diagnostic));
            if is > was.saturating_sub(of_syntax) {
                wrong.push(format!(
                    "{name}: {} {}: `{}` can't be read\n{}",
                    diagnostic.code,
                    diagnostic.message,
                    fix.replacement,
                    told(&after)
                ));
            } else if count(&after, diagnostic) >= count(&before, diagnostic) {
                wrong.push(format!(
                    "{name}: {} {}: `{}` doesn't mend it\n",
                    diagnostic.code, diagnostic.message, fix.replacement
                ));
            }
        }
    }
    assert!(tried > 60, "only {tried} fixes");
    assert!(
        wrong.is_empty(),
        "{} of {tried}\n{}",
        wrong.len(),
        wrong.concat()
    );
}
