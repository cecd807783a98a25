//! Expressions, conditions, literals and texts.

use crate::value;
use insta::assert_snapshot;

/// One line for each value.
#[track_caller]
fn each(values: &[&str]) -> String {
    let all: Vec<String> = values
        .iter()
        .map(|text| format!("{text:45} {}", value(text)))
        .collect();
    all.join("\n")
}

#[test]
fn literals_are_read() {
    assert_snapshot!(each(&[
        "42",
        "1_000",
        "-7",
        "true",
        "false",
        "now",
        "90s",
        "5m",
        "2h",
        "7d",
        "1h30m",
        "1d2h3m4s",
        "1_000s",
        "512kb",
        "1gb",
        "3mb",
        "2tb",
        "2026-11-22T09:15:00Z",
        "2026-11-22T09:15Z",
        "2026-11-22T10:15:00.250+01:00",
        "  42  ",
        "42 # a comment",
        "\"text\"",
        "\"\"",
        "\"\"\"\"\"\"",
    ]));
}

#[test]
fn operators_bind_as_usual() {
    assert_snapshot!(each(&[
        "a or b and c",
        "a and b or c",
        "(a or b) and c",
        "not a and b",
        "not a == b",
        "not (a and b)",
        "not not a",
        "a and not b == c",
        "a + b * c - d / e",
        "a - b - c",
        "-a * b",
        "- -a",
        "now - 2h < restorable_until(x)",
        "a < b and b <= c and c != d",
        "age(snap) > -5m",
        "a-1",
        "notable or android",
    ]));
}

#[test]
fn conditions_and_calls_are_read() {
    assert_snapshot!(each(&[
        "target exists",
        "target is available",
        "target is  healthy",
        "target accepts\tconnections",
        "app uses source",
        "app has left source and app is healthy",
        "checks of target pass",
        "latest snapshot of source",
        "snapshot \"rds:x-{day}\" of source",
        "age(latest snapshot of source)",
        "count(original.public.documents)",
        "f()",
        "f(a, b,)",
        "f (a)",
        "query(target, \"select max(id) from documents\") as integer",
        "size(a.b) >= 5gb",
        "not app uses source",
    ]));
}

#[test]
fn words_of_the_language_are_names_where_nothing_else_can_stand() {
    assert_snapshot!(each(&[
        "latest",
        "snapshot",
        "checks",
        "query",
        "step is available",
        "within exists",
        "exists exists",
        "is is available",
        "uses uses uses",
        "latest snapshot of snapshot",
        "checks of checks pass",
        "from.to.with",
        "let + param",
        "nowhere",
        "truely",
    ]));
}

#[test]
fn texts_have_escapes_and_interpolations() {
    assert_snapshot!(each(&[
        r#""a\n\t\"\\\{\}b""#,
        r#""{a}{b}""#,
        r#""{a} and {b}!""#,
        r#""{ age( x ) }""#,
        r#""{f("inner {deep}")}""#,
        r##""# no comment""##,
        r#""it's""#,
        r#""grüße ☃""#,
        "\"\"\"one \"quoted\" line\"\"\"",
        "\"\"\"\n  first {x}\n    second\n\n  third\n  \"\"\"",
        "\"\"\"\n    closing quotes\n  decide\n  \"\"\"",
        "\"\"\"first\n  second\"\"\"",
        "\"\"\"\r\n  windows\r\n  lines\r\n  \"\"\"",
        "\"\"\"\n{x}\n{y}\n\"\"\"",
        "\"\"\"\n\"\"\"",
    ]));
}

#[test]
fn what_is_no_value_is_refused() {
    assert_snapshot!(each(&[
        "",
        "   ",
        "}",
        "5 5",
        "a\nb",
        "a }",
        "param x: y",
        "\"open",
        "(a",
        "a and\n# c\n",
        "# only"
    ]));
}
