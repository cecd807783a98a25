//! Runbooks by chance, without errors of syntax: every item and statement, comments and documentation wherever they may stand.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

fn name() -> impl Strategy<Value = String> {
    let names = &[
        "source", "target", "a", "from", "to", "step_2", "within", "restored", "_x", "else_",
    ];
    select(names.as_slice()).prop_map(String::from)
}

fn path() -> impl Strategy<Value = String> {
    (name(), of("[a-z]{1,8}")).prop_map(|(name, more)| match more {
        Some(more) => format!("{name}.public.{more}"),
        None => name,
    })
}

fn text() -> impl Strategy<Value = String> {
    let contents = &[
        "",
        "short",
        "a # no comment",
        "{a  +b} and {f( \"x\" )}",
        "tab\there, \\\"quoted\\\" and \\{braces\\}",
        "a rather long text of more than a hundred characters, so that every line on which it stands has to be broken somewhere",
    ];
    prop_oneof![
        9 => select(contents.as_slice()).prop_map(|content| format!("\"{content}\"")),
        1 => Just("\"\"\"\n  One  \n\n    {a} two\n\t\"\"\"".to_owned()),
    ]
}

fn value() -> BoxedStrategy<String> {
    let literals = &[
        "1",
        "1_000",
        "true",
        "now",
        "5m",
        "1h30m",
        "64kb",
        "2026-11-22T09:15:00Z",
        "2026-11-22T10:15+01:00",
    ];
    let leaf = prop_oneof![
        select(literals.as_slice()).prop_map(String::from),
        path(),
        text(),
        path().prop_map(|path| format!("latest snapshot of {path}")),
        path().prop_map(|path| format!("{path} is available")),
        path().prop_map(|path| format!("checks of {path} pass")),
        (path(), path()).prop_map(|(a, b)| format!("{a} matches {b}")),
    ];
    let operators = &["+", "-", "*", "/", "and", "or"];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            (inner.clone(), select(operators.as_slice()), inner.clone())
                .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("(({left}) <= ({right}))")),
            inner.clone().prop_map(|inner| format!("not ({inner})")),
            inner.clone().prop_map(|inner| format!("-({inner})")),
            vec(inner.clone(), 0..3).prop_map(|inner| format!("f({})", inner.join(", "))),
            (inner.clone(), inner)
                .prop_map(|(left, right)| format!("(\n{left}\n  and {right}  # why\n)")),
        ]
    })
    .boxed()
}

fn entry() -> impl Strategy<Value = String> {
    prop_oneof![
        value(),
        Just("public.*".to_owned()),
        Just("full, chunk 64kb".to_owned()),
        vec(path(), 0..9).prop_map(|paths| format!("[{}]", paths.join(", "))),
        vec(path(), 1..9).prop_map(|paths| format!("[\n{},  # first\n  x.*\n]", paths.join(",\n"))),
    ]
}

fn options() -> impl Strategy<Value = String> {
    let separators = &[", ", "\n", " ,\n", "\n\n  # between\n", "  # behind\n"];
    (
        vec((entry(), select(separators.as_slice())), 0..4),
        any::<bool>(),
    )
        .prop_map(|(entries, is_open)| {
            let mut block = String::from(if is_open { "{\n" } else { "{ " });
            let count = entries.len();
            for (index, (entry, separator)) in entries.into_iter().enumerate() {
                let separator = if index + 1 == count { "\n" } else { separator };
                block.push_str(&format!("option_{index}: {entry}{separator}"));
            }
            block.push('}');
            block
        })
}

fn simple_statement() -> BoxedStrategy<String> {
    let fixed = &[
        "set credentials of target",
        "freeze writes on source if reachable",
        "thaw writes on source",
        "destroy target\n  with final snapshot as \"x\"",
        "destroy target without final snapshot",
        "keep writes frozen on source because \"x\"",
        "recreate schema broken.public",
        "drop indexes on columns of type vector(3) in broken.public",
        "alter columns of type numeric(10, 2)[] in broken.public to timestamp(3) with time zone",
        "alter column broken.public.t.c to character varying using \"c::text\"",
        "restore not null on broken.public",
        "switch secret of app to target\n  # said on purpose\n  accepting loss",
        "restore target from source as of latest",
        "restore target from source\n  as of 2026-11-22T09:15:00Z",
        "snapshot source",
        "let s = snapshot source as \"x\"",
        "let load = replicate a to b with dms { mode: full_load }",
    ];
    let all: Vec<BoxedStrategy<String>> = vec![
        select(fixed.as_slice()).prop_map(String::from).boxed(),
        (path(), value())
            .prop_map(|(path, value)| format!("restore {path} from {value}"))
            .boxed(),
        (value(), value(), of(value()))
            .prop_map(|(condition, within, every)| match every {
                Some(every) => format!("await {condition} within {within}\n  every {every}"),
                None => format!("await {condition} within {within}"),
            })
            .boxed(),
        (value(), of(text()))
            .prop_map(|(condition, otherwise)| match otherwise {
                Some(otherwise) => format!("assert {condition} else {otherwise}"),
                None => format!("assert {condition}"),
            })
            .boxed(),
        text().prop_map(|text| format!("note {text}")).boxed(),
        (path(), text())
            .prop_map(|(path, text)| format!("sql on {path} {text}"))
            .boxed(),
        (path(), text())
            .prop_map(|(path, text)| format!("keep {path}\n\n because {text}"))
            .boxed(),
        (name(), value())
            .prop_map(|(name, value)| format!("let {name} = {value}"))
            .boxed(),
        (name(), options())
            .prop_map(|(name, options)| format!("run {name} {options}"))
            .boxed(),
        (path(), path(), options())
            .prop_map(|(a, b, options)| format!("replicate {a} to {b} with copy {options}"))
            .boxed(),
        (name(), vec(value(), 0..3))
            .prop_map(|(name, values)| format!("do {name}({})", values.join(", ")))
            .boxed(),
    ];
    Union::new(all).boxed()
}

/// A statement, or an `if` with others in it.
fn statement() -> BoxedStrategy<String> {
    simple_statement()
        .prop_recursive(3, 8, 3, |inner| {
            let lines = vec((remark(), inner, trailing()), 0..3).boxed();
            let heads = &[" {\n", "{", "\n{\n", " # before\n{ # behind\n"];
            let block = (select(heads.as_slice()), lines, remark())
                .prop_map(|(head, lines, last)| format!("{head}{}{last}}}", joined(lines)))
                .boxed();
            let parts = &["", " ", "\n", " # closed\n", "\n\n# between\n"];
            let part = select(parts.as_slice()).boxed();
            let other = (part.clone(), value(), block.clone())
                .prop_map(|(part, value, block)| format!("{part}else if {value}{block}"));
            let last = (part, block.clone()).prop_map(|(part, block)| format!("{part}else{block}"));
            (value(), block, of(other), of(last)).prop_map(|(condition, block, other, last)| {
                let (other, last) = (other.unwrap_or_default(), last.unwrap_or_default());
                format!("if {condition}{block}{other}{last}")
            })
        })
        .boxed()
}

/// Statements and what stands around them, each on lines of its own.
fn joined(lines: Vec<(&str, String, &str)>) -> String {
    let lines = lines.into_iter();
    lines
        .map(|(remark, statement, trailing)| format!("{remark}{statement}{trailing}\n"))
        .collect()
}

fn remark() -> impl Strategy<Value = &'static str> {
    let remarks = &[
        "",
        "",
        "",
        "\n",
        "\n\n\n",
        "# A comment.\n",
        "# Apart.\n\n",
        "\n## Documentation\n##  of two lines.\n",
        "#tight\n### no documentation\n",
    ];
    select(remarks.as_slice())
}

fn trailing() -> impl Strategy<Value = &'static str> {
    select(&["", "", "", "", " # behind", " ## behind"][..])
}

fn block() -> impl Strategy<Value = String> {
    let lines = vec((remark(), statement(), trailing()), 0..4);
    let head = select(&[" {\n", "{\n", "\n{\n", " # before\n{ # behind\n"][..]);
    (head, lines, remark())
        .prop_map(|(head, lines, last)| format!("{head}{}{last}}}", joined(lines)))
}

fn item() -> BoxedStrategy<String> {
    let all: Vec<BoxedStrategy<String>> = vec![
        (name(), of(value()))
            .prop_map(|(name, value)| match value {
                Some(value) => format!("param {name}: database = {value}"),
                None => format!("param {name} :time"),
            })
            .boxed(),
        (name(), value())
            .prop_map(|(name, value)| format!("param {name}: time where {value}"))
            .boxed(),
        vec(
            (
                remark(),
                block().prop_map(|block| format!("step \"S\"{block}")),
                trailing(),
            ),
            0..3,
        )
        .prop_map(|steps| format!("parallel {{\n{}}}", joined(steps)))
        .boxed(),
        (name(), value())
            .prop_map(|(name, value)| format!("let {name} = {value}"))
            .boxed(),
        (value(), of(text()))
            .prop_map(|(condition, otherwise)| match otherwise {
                Some(otherwise) => format!("require {condition}\nelse {otherwise}"),
                None => format!("require {condition}"),
            })
            .boxed(),
        block()
            .prop_map(|block| format!("step \"S\"{block}"))
            .boxed(),
        block()
            .prop_map(|block| format!("on failure{block}"))
            .boxed(),
        (name(), block())
            .prop_map(|(name, block)| format!("procedure {name}(a: database, b: duration){block}"))
            .boxed(),
        Just("use \"more.rbk\"".to_owned()).boxed(),
    ];
    Union::new(all).boxed()
}

/// A whole file.
pub fn runbook() -> impl Strategy<Value = String> {
    let items = vec((remark(), item(), trailing()), 0..6);
    (remark(), trailing(), items, remark()).prop_map(|(head, trailing, items, last)| {
        format!("{head}runbook \"R\"{trailing}\n{}{last}", joined(items))
    })
}
