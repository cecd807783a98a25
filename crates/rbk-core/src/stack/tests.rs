//! Python files of literals, sound, odd and hostile.

use super::*;
use proptest::prelude::*;
use std::time::Instant;

/// Like the file that rbk began with.
const CONFIG: &str = r#"
from typing import Any, Final
from aws_cdk import RemovalPolicy

ORIGINAL = 'rds/statistagptdb'
BASE = {'keep_original_db': True, 'ports': (5432, 5433)}

CONFIG: Final[dict[str, dict[str, Any]]] = {
    'stage': {'recovery_enabled': False},
    "prod": {
        **BASE,
        'recovery_enabled': True,  # since the incident: "{"
        'active_sgpt_secret_key': ORIGINAL,
        'recovery_removal_policy': RemovalPolicy.SNAPSHOT,
        'recovery_snapshot_id': ('rds:statistagptdb-'
                                 '2026-11-22-03-00'),
        'recovery_secret_name': f"rds/{'x'}",
        'size': -1_000,
    },
}
"#;

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn value(text: &str, section: &[&str], key: &str) -> String {
    let module = Module::read(text).expect("it can be read");
    let found = module.section(&keys(section)).and_then(|section| {
        Ok(section
            .get(key)?
            .map_or("absent".to_owned(), |node| node.literal.to_string()))
    });
    found.unwrap_or_else(|error| error.to_string())
}

#[test]
fn the_seeds_file() {
    let at = |key| value(CONFIG, &["CONFIG", "prod"], key);
    assert_eq!(at("recovery_enabled"), "True");
    assert_eq!(at("keep_original_db"), "True");
    assert_eq!(at("active_sgpt_secret_key"), "'rds/statistagptdb'");
    assert_eq!(at("recovery_removal_policy"), "RemovalPolicy.SNAPSHOT");
    assert_eq!(
        at("recovery_snapshot_id"),
        "'rds:statistagptdb-2026-11-22-03-00'"
    );
    assert_eq!(
        at("recovery_secret_name"),
        "no literal (a text with values put into it)"
    );
    assert_eq!(at("size"), "-1_000");
    assert_eq!(at("ports"), "a list");
    assert_eq!(at("nothing"), "absent");
    assert_eq!(
        value(CONFIG, &["CONFIG", "test"], "x"),
        "there is no `CONFIG['test']`"
    );
    assert_eq!(value(CONFIG, &["SETTINGS"], "x"), "there is no `SETTINGS`");
    assert_eq!(
        value(CONFIG, &["CONFIG", "prod", "size"], "x"),
        "line 18: `CONFIG['prod']['size']` is no dictionary"
    );
}

#[test]
fn texts_are_what_python_makes_of_them() {
    for (written, meant) in [
        (r#"'a' "b" """c""""#, "abc"),
        (r"'\x41\u0042\U00000043\104\n\'\q'", "ABCD\n'\\q"),
        (r"r'\n\''", r"\n\'"),
        ("u'a'", "a"),
        ("'a\\\nb'", "ab"),
        ("'''a\r\nb'''", "a\nb"),
        ("'#no comment'", "#no comment"),
        ("'ä\u{1f600}'", "ä\u{1f600}"),
        ("''", ""),
        ("''''''", ""),
    ] {
        let text = format!("A = {{'k': {written}}}\n");
        assert_eq!(value(&text, &["A"], "k"), python_text(meant), "{written}");
    }
    for written in [
        "b'a'",
        "rb'a'",
        "f'{a}'",
        "F\"{a['b']}\"",
        "f'{a['b']}{{'",
        "'a' b'c'",
        r"'\N{DASH}'",
        r"'\ud800'",
        "t'{a}'",
        "'a' + 'b'",
        "'%s' % a",
        "f(1)",
        "a or b",
        "1 if a else 2",
        "[1][0]",
        "lambda: 1",
        "not a",
        "x := 1",
    ] {
        let text = format!("A = {{'k': {written}, 'l': 1}}\n");
        let told = value(&text, &["A"], "k");
        assert!(told.starts_with("no literal"), "{written}: {told}");
        assert_eq!(value(&text, &["A"], "l"), "1", "{written}");
    }
}

#[test]
fn what_changes_a_variable_otherwise_is_in_the_way() {
    for code in [
        "CONFIG['prod']['x'] = 2",
        "CONFIG.update(x=2)",
        "CONFIG |= {}",
        "if True:\n    CONFIG = {}",
        "if True: CONFIG = {}",
        "def f():\n    global CONFIG\n    CONFIG = {}",
        "for CONFIG in []:\n    pass",
        "from other import CONFIG",
        "import other as CONFIG",
        "with open('a') as CONFIG:\n    pass",
        "del CONFIG",
        "class CONFIG:\n    pass",
        "A, CONFIG = 1, 2",
        "(CONFIG) = 1",
        "[A, CONFIG] = 1, 2",
        "try:\n    pass\nexcept E as CONFIG:\n    pass",
    ] {
        let text = format!("CONFIG = {{'prod': {{'x': 1}}}}\n{code}\n");
        let told = value(&text, &["CONFIG", "prod"], "x");
        assert!(told.contains("changes `CONFIG`"), "{code}: {told}");
    }
    for code in [
        "print(CONFIG)",
        "OTHER = CONFIG['prod']",
        "for key in CONFIG:\n    print(key)",
        "if CONFIG['prod']:\n    pass",
        "def f(stage):\n    return CONFIG[stage]",
        "app(CONFIG=CONFIG)",
        "CONFIG: dict",
        "\"\"\"CONFIG = {}\"\"\"",
        "assert CONFIG == 1",
        "async def f():\n    pass",
    ] {
        let text = format!("{code}\nCONFIG = {{'prod': {{'x': 1}}}}\n{code}\n");
        assert_eq!(value(&text, &["CONFIG", "prod"], "x"), "1", "{code}");
    }
}

#[test]
fn what_must_be_computed_is_in_the_way_only_where_it_is() {
    let text = "A = {'a': f(), 'b': {'x': 1}, key(): 2, 'c': {'x': 3}, 'd': {**f(), 'x': 4}}\n";
    assert_eq!(value(text, &["A", "c"], "x"), "3");
    assert_eq!(value(text, &["A", "d"], "x"), "4");
    assert!(value(text, &["A", "d"], "y").contains("what a call gives"));
    assert!(value(text, &["A", "b"], "x").contains("a key of A"));
    let text = "A = {k: {'x': 1} for k in K}\n";
    assert!(value(text, &["A", "b"], "x").contains("a name that the file doesn't explain"));
    let text = "A = dict(b=1)\n";
    assert_eq!(value(text, &["A"], "b"), "line 1: `A` is what a call gives");
    // The last one counts, as in Python; an assignment anew replaces the old.
    assert_eq!(value("A = {'x': 1, 'x': 2}\n", &["A"], "x"), "2");
    assert_eq!(
        value("A = {'x': 1}\nB = A = {'x': 2}; C = 1\n", &["A"], "x"),
        "2"
    );
}

#[test]
fn files_that_are_no_python() {
    for (text, line) in [
        ("A = {\n'x': 1\n", 3),
        ("A = 'abc\n", 1),
        ("A = '''abc\n\n", 3),
        ("A = 1)\n", 1),
        ("A = 1\n\0\n", 2),
        ("A = f'{\n", 2),
        ("A = \\ 1\n", 1),
    ] {
        assert_eq!(
            Module::read(text).map_err(|broken| broken.line),
            Err(line),
            "{text:?}"
        );
    }
}

/// Linear in the text, and no deeper than the stack is.
#[test]
fn hostile_files_are_read_in_no_time() {
    let begun = Instant::now();
    let many = 200_000;
    for (open, close) in [("[", "]"), ("{'a':", "}"), ("(", ")"), ("f(", ")")] {
        let text = format!(
            "A = {{'k': {}1{}, 'l': 2}}\n",
            open.repeat(many),
            close.repeat(many)
        );
        assert_eq!(value(&text, &["A"], "l"), "2");
    }
    let _ = Module::read(&"f'{".repeat(many));
    let _ = Module::read(&"-".repeat(many));
    let _ = Module::read(&format!(
        "{}{{'a': [{}]}}",
        "a=".repeat(many),
        "1,".repeat(many)
    ));
    let unpacked: String = (0..40)
        .map(|number| format!("D{number} = {{**D{0}, **D{0}}}\n", number + 1))
        .collect();
    let told = value(&format!("{unpacked}D40 = {{}}\n"), &["D0"], "x");
    assert!(told.contains("unpacked too often"), "{told}");
    assert!(
        value("A = B\nB = A\n", &["A"], "x").contains("a name"),
        "a circle"
    );
    assert!(begun.elapsed().as_secs() < 20);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[A-Za-z'\"{}\\[\\]():,=.*#\\\\\n frub0-9-]{0,80}") {
        if let Ok(module) = Module::read(&text) {
            let _ = module.section(&keys(&["A", "b"]));
        }
    }

    /// What is written as Python writes texts is read as the same text.
    #[test]
    fn texts_come_back(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}") {
        let file = format!("A = {{'k': {}}}\n", python_text(&text));
        let module = Module::read(&file).expect("it can be read");
        let node = module.section(&keys(&["A"])).expect("a dictionary").get("k").expect("read").expect("there");
        prop_assert_eq!(&node.literal, &Literal::Text(text));
    }
}

fn wanted(name: &str, expression: &str, value: Value) -> Wanted {
    Wanted {
        name: name.to_owned(),
        expression: expression.to_owned(),
        value: Ok(value),
    }
}

#[test]
fn what_differs_from_the_file_is_told() {
    let stack = Stack {
        file: Some("stacks/config.py".into()),
        section: keys(&["CONFIG", "prod"]),
        settings: Vec::new(),
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let all = [
        wanted("recovery_enabled", "recovery exists", Value::Boolean(true)),
        wanted("keep_original_db", "original exists", Value::Boolean(false)),
        wanted(
            "active_sgpt_secret_key",
            "active_secret(sgpt)",
            text("rds/statistagptdb_recovery"),
        ),
        wanted(
            "recovery_removal_policy",
            "removal_policy(recovery)",
            text("snapshot"),
        ),
        wanted(
            "recovery_snapshot_id",
            "source_snapshot(recovery)",
            text(""),
        ),
        wanted(
            "recovery_secret_name",
            "secret(recovery)",
            text("rds/statistagptdb_recovery"),
        ),
        wanted("size", "count(a) + 1", Value::Integer(-1000)),
        wanted("missing", "recovery exists", Value::Boolean(true)),
        Wanted {
            value: Err("no permission".to_owned()),
            ..wanted("unknown", "active_secret(sgpt)", text(""))
        },
    ];
    let settings = Settings::compare(&stack, &all, Some(Ok(CONFIG)));
    assert!(settings.differ());
    insta::assert_json_snapshot!("stack_compared", settings);
    assert_eq!(settings.path(), "CONFIG['prod']");
    let unread = Settings::compare(&stack, &all, Some(Err("no such file".to_owned())));
    assert!(!unread.differ());
    assert_eq!(unread.unread.as_deref(), Some("no such file"));
    assert_eq!(unread.settings[0].wanted.as_deref(), Some("True"));
    let without = Settings::compare(&Stack::default(), &all, None);
    let plain: Vec<_> = without
        .settings
        .iter()
        .filter_map(|setting| setting.wanted.clone())
        .collect();
    assert_eq!(
        plain,
        [
            "true",
            "false",
            "\"rds/statistagptdb_recovery\"",
            "\"snapshot\"",
            "\"rds/statistagptdb_recovery\"",
            "-1000",
            "true"
        ]
    );
}
