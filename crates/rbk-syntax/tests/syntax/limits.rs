//! What is too much, and what is no text: refused with a place, quickly, and without a deep stack.

use crate::{told, told_of_file, value};
use insta::assert_snapshot;
use rbk_syntax::{SourceId, parse};
use std::time::{Duration, Instant};

#[test]
fn nesting_has_a_limit() {
    let deep = |open: &str, middle: &str, close: &str, depth| {
        format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
    };
    let statements = [
        format!("assert {}", deep("(", "a", ")", 10_000)),
        format!("assert {}", "(".repeat(10_000)),
        format!("assert {}", deep("f(", "a", ")", 10_000)),
        format!("assert {}a", "not ".repeat(10_000)),
        format!("assert {}a", "- ".repeat(10_000)),
        format!("assert {}", deep("\"{", "a", "}\"", 10_000)),
        format!("assert {}", "\"{".repeat(10_000)),
        format!("assert a{}", " + a".repeat(10_000)),
        "{".repeat(10_000),
        "{\n".repeat(10_000),
        format!("note \"\"\"{}", "{\"\"\"".repeat(10_000)),
    ];
    let all: Vec<String> = statements.iter().map(|text| told(text)).collect();
    assert_snapshot!(all.join("=====\n"));
}

#[test]
fn what_nests_no_deeper_than_the_limit_is_read() {
    let deep = |open: &str, close: &str, depth| {
        value(&format!("{}a{}", open.repeat(depth), close.repeat(depth)))
    };
    assert_eq!(deep("(", ")", 64), "a");
    assert_eq!(deep("f(", ")", 64).matches("f(").count(), 64);
    assert_eq!(deep("not ", "", 64).matches("not").count(), 64);
    assert_eq!(deep("\"{", "}\"", 32).matches("\"{").count(), 32);
    assert_eq!(deep("a + ", "", 256).matches('+').count(), 256);
}

#[test]
fn statements_have_a_longest_length() {
    assert_snapshot!(told(&format!("note \"{}\"", "long ".repeat(20_000))));
}

#[test]
fn files_have_a_largest_size() {
    let text = format!("runbook \"R\"\n{}", "# ten bytes\n".repeat(1_000_000));
    assert_snapshot!(told_of_file(&text));
}

#[test]
fn what_can_not_be_seen_is_refused() {
    let texts = [
        "runbook \"R\"\n# a NUL: \0\0\n",
        "\u{7f}ELF\u{1}\u{2}",
        "runbook \"R\"\rstep \"S\" {\r}\r",
        "runbook \"R\" # \u{202e}tfel ot thgir\n",
        "runbook \"R\u{feff}\"\n",
    ];
    let all: Vec<String> = texts.iter().map(|text| told_of_file(text)).collect();
    assert_snapshot!(all.join("=====\n"));
}

/// Each takes well under a second even in a debug build; read with a square of its length, it takes many.
#[test]
fn no_text_takes_long() {
    let pieces = [
        "(",
        "{",
        "}",
        "\"",
        "'",
        "\"{",
        "#",
        "## a\n",
        "## a\n\n",
        "## a\n# b\n",
        "\n",
        "a",
        "a\n",
        "note x\n",
        "note '\n",
        "step \"S\" {\n",
        "step \"S\"\n",
        "}\n",
        "\"\"\"",
        "\\",
        "within 5m\n",
        "note \"a\"\n",
        "let x = (\n",
        "é",
        "- ",
        "a.",
        "1",
        "x\n\n\n",
        "[\n",
        "restor a\n",
        "on failure\n",
    ];
    for piece in pieces {
        for head in [
            "",
            "runbook \"R\"\nstep \"S\" {\n",
            "runbook \"R\"\nstep \"S\" {\nassert (",
            "runbook \"R\"\nrequire \"\"\"",
        ] {
            let text = format!("{head}{}", piece.repeat(256 * 1024 / piece.len()));
            let start = Instant::now();
            let parsed = parse(SourceId::default(), &text);
            let time = start.elapsed();
            assert!(
                time < Duration::from_secs(5),
                "{piece:?} behind {head:?} took {time:?}"
            );
            assert!(parsed.diagnostics.len() <= 101);
        }
    }
}
