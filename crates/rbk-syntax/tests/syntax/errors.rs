//! What is told about mistakes: every diagnostic in full.

use crate::{file, render, told, told_of_file};
use insta::assert_snapshot;
use rbk_syntax::{CODES, SourceId, parse_used};

/// One snapshot for several statements that go wrong alike.
#[track_caller]
fn each_told(statements: &[&str]) -> String {
    let all: Vec<String> = statements
        .iter()
        .map(|statement| format!("{statement}\n{}", told(statement)))
        .collect();
    all.join("\n=====\n")
}

#[track_caller]
fn each_file(texts: &[&str]) -> String {
    let all: Vec<String> = texts.iter().map(|text| file(text)).collect();
    all.join("\n=====\n")
}

#[test]
fn misspelt_statements_are_recognised() {
    assert_snapshot!(each_told(&[
        "restor target from snap",
        "swtich secret of app to target",
        "Await target exists within 5m",
        "destroy target with a final snapshot",
        "fi app uses source {\n  note \"x\"\n}",
        "don't forget the credentials",
        "=> what",
        "\"a text\"",
        "within 5m",
        "{ }",
    ]));
}

#[test]
fn misspelt_words_inside_statements_are_recognised() {
    assert_snapshot!(each_told(&[
        "restore target form snap",
        "set credential of target",
        "set credentials target",
        "switch secret app to target",
        "switch secret of app too target",
        "switch secret of app to target acepting loss",
        "switch secret of app to target accepting los",
        "freeze write on source",
        "thaw writes source",
        "freeze writes on source if reachible",
        "keep target becuase \"x\"",
        "await target is availabel within 5m",
        "await target is within 5m",
        "await target accepts connection within 5m",
        "await app has let source within 5m",
        "await app is healty withn 10m",
        "assert checks of target pas",
        "let x = latest snapshto of target",
        "let x = latest snapshot target",
        "let x = snapshot \"a\" on target",
    ]));
}

#[test]
fn misspelt_words_of_schema_statements_are_recognised() {
    assert_snapshot!(each_told(&[
        "recreate schma a.public",
        "recreate a.public",
        "recrate schema a.public",
        "drop table a.public.b",
        "drop indexs on a.public",
        "drop indexes in a.public",
        "drop indexes on columns of typ vector in a.public",
        "drop indexes on column of type vector in a.public",
        "drop indexes on columns of type vector on a.public",
        "restore indexs on a.public",
        "restore indexes of a.public",
        "restore column type in a.public",
        "restore columns types in a.public",
        "restore column types of a.public",
        "restore no null on a.public",
        "restore not nul on a.public",
        "restore a.public",
        "alter colum a.b.c.d to text",
        "alter table a.b.c",
        "alter column a.b.c.d text",
        "alter column a.b.c.d to double precison",
        "alter column a.b.c.d to text usin \"x\"",
        "alter columns type vector in a.public to text",
        "alter columns of type vector in a.public too text",
        "relax null on a.public",
        "sync sequence of a from b",
        "sync sequences of a to b",
        "validate constraint of a.public",
        "analyse a",
        "sql a \"select\"",
        "replicate a to b",
        "replicate a to b using copy",
        "let x = no drfit in a",
        "assert no drift on a",
        "assert a.public match b.public",
    ]));
}

#[test]
fn what_schema_statements_miss_is_named() {
    assert_snapshot!(each_told(&[
        "recreate schema",
        "migrate",
        "drop",
        "drop index",
        "drop indexes on",
        "drop indexes on columns of type",
        "drop indexes on columns of type vector",
        "drop indexes on columns of type vector in",
        "alter",
        "alter column a.b.c.d to",
        "alter column a.b.c.d to vector(",
        "alter column a.b.c.d to vector()",
        "alter column a.b.c.d to numeric(10,)",
        "alter column a.b.c.d to text[",
        "alter column a.b.c.d to text using",
        "alter column a.b.c.d to 5",
        "alter columns of type text in a.public",
        "restore indexes on",
        "restore not null on",
        "relax",
        "sync sequences of a",
        "sql on a",
        "sql on a select",
        "replicate a to b with",
        "run",
        "do",
        "do prove",
        "do prove(a",
        "do prove(a) as",
        "do prove(a) as again",
        "do prove a, b",
        "do prove(a) as \"{a}\"",
        "assert a.public matches",
        "assert no drift in",
    ]));
}

#[test]
fn options_are_told_apart() {
    assert_snapshot!(each_told(&[
        "run x { a }",
        "run x { a: }",
        "run x { a: 1 b: 2 }",
        "run x { a: 1; b: 2 }",
        "run x { a: 1,, b: 2 }",
        "run x { , a: 1 }",
        "run x { a = 1 }",
        "run x { \"a\": 1 }",
        "run x { 5: 1 }",
        "run x {\n  mode: full load\n  b: 1\n}",
        "run x {\n  mode: full +\n  b: 1\n}",
        "run x {\n  lob: full, chunk 64kb max 3\n}",
        "run x { a: [1, 2 }",
        "run x { a: [1 2] }",
        "run x { a: [[1], 2] }",
        "run x { a: [b: 1] }",
        "run x { a: 1] }",
        "run x { a: { b: 1 } }",
        "run x { a: public.* + 1 }",
        "run x { a: * }",
        "run x { a: public.t_* }",
        "run x { a: 1, a: 2 }",
        "run x { now: 1 }",
        "run x { a-b: 1 }",
        "run x { a: b-c }",
        "run x { a: 5min }",
        "run x (a: 1)",
        "run x a: 1",
        "run x { a: 1 } else \"y\"",
        "replicate a to b with copy { tables: public* }",
        "migrate a { b: 1 }",
    ]));
}

#[test]
fn blocks_of_options_are_opened_and_closed() {
    assert_snapshot!(each_file(&[
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: 1\n  note \"b\"\n  note \"c\"\n}\nstep \"B\" {\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: 1\n}\nstep \"B\" {\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: [1,\n    b: 2\n  }\n  note \"c\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: [\n      b,\n    note: 2\n  }\n  note \"c\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  run x\n    a: 1\n  }\n  note \"c\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: \"b\n    c: 2\n  }\n  note \"c\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: 1\n",
        "runbook \"R\"\nrun x {\n  a: 1\n}\nlet y = 5\n",
        "runbook \"R\"\nstep \"A\" {\n  run x {\n    a: 1\n  }\n  }\n  note \"c\"\n}\n",
    ]));
}

#[test]
fn procedures_say_what_they_are_given() {
    assert_snapshot!(each_file(&[
        "runbook \"R\"\nprocedure {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure \"p\"() {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p()\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p(a) {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p(a: database b: text) {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p(a: text = \"x\") {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p(now: time) {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p(a: database {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedur p() {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure p() {\n  note \"a\"\n\nprocedure q() {\n  note \"b\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  procedure p() {\n    note \"a\"\n  }\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  use \"x\"\n}\n",
        "runbook \"R\"\nuse\nuse x.rbk\nuse \"{x}.rbk\"\nuse \"a.rbk\" \"b.rbk\"\nuse 'a.rbk'\n",
        "runbook \"R\"\ndo p(a)\n",
        "procedure p(a: database) {\n  migrate a\n}\n",
    ]));
}

#[test]
fn files_that_are_used_hold_procedures_only() {
    let text = "## Procedures.\n\nuse \"other.rbk\"\n\n## Copies.\nprocedure copy(a: database) {\n  migrate a\n}\n";
    let parsed = parse_used(SourceId::default(), text);
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.runbook.unwrap().items.len(), 2);

    let text = "runbook \"R\"\nparam a: database\nlet b = 5\nrequire c\nprocedure p() {\n  note \"x\"\n}\n\
                step \"S\" {\n  note \"x\"\n}\non failure {\n  note \"x\"\n}\nnote \"x\"\nstp \"x\" {\n}\n";
    let parsed = parse_used(SourceId::default(), text);
    assert_snapshot!(render::diagnostics(&parsed.diagnostics, text));
}

#[test]
fn what_is_missing_is_named() {
    assert_snapshot!(each_told(&[
        "restore",
        "restore target",
        "restore target from",
        "set credentials of",
        "switch secret of app",
        "keep",
        "assert",
        "let = 5",
        "let x 5",
        "let x =",
        "let",
        "assert a and",
        "assert a ==",
        "assert not",
        "let x = age(",
        "let x = age(,)",
        "let x = ()",
        "restore target.  from snap",
    ]));
}

#[test]
fn a_line_that_breaks_off_takes_its_rest_with_it() {
    assert_snapshot!(told(
        "assert checks of target pass and\n  age(snap) < 5h\nnote \"fine\""
    ));
}

#[test]
fn too_much_is_named() {
    assert_snapshot!(each_told(&[
        "set credentials of target now",
        "note \"a\" \"b\"",
        "note \"a\";",
        "note \"a\"; note \"b\"",
        "restore target from snap, other",
        "assert a b",
        "assert (a))",
        "let x = 5 5",
        "restore target from snap with haste",
        "set credentials of größe",
        "note \"x\" ü",
        "let x = [1]",
    ]));
}

#[test]
fn every_await_has_a_deadline() {
    assert_snapshot!(each_told(&[
        "await target is available",
        "await target is available every 15s",
        "await target is available within 5m within 6m",
        "await target is available within",
        "await within 5m",
    ]));
}

#[test]
fn texts_are_asked_for() {
    assert_snapshot!(each_told(&[
        "assert a else",
        "assert a else 5",
        "keep target",
        "keep target because",
        "approve",
        "note",
        "note x",
    ]));
}

#[test]
fn quotes_are_double() {
    assert_snapshot!(each_told(&[
        "note 'single'",
        "note 'it says \"x\"'",
        "note 'single",
        "note “typographic”",
        "note „deutsch“",
        "note `backticks`",
    ]));
}

#[test]
fn texts_end_on_their_line() {
    assert_snapshot!(each_told(&[
        "note \"never closed\nset credentials of target",
        "note \"ends in a backslash\\\nset credentials of target",
        "note \"costs {\"\nset credentials of target",
        "note \"costs {5\nset credentials of target",
        "note \"a } b\"",
        "note \"{}\"",
        "note \"{a b}\"",
        "note \"C:\\dir\"",
        "note \"{age(snap}\"",
    ]));
}

#[test]
fn a_long_text_that_is_never_closed_is_told_once() {
    assert_snapshot!(told_of_file(
        "runbook \"R\"\nstep \"S\" {\n  note \"\"\"\n  never closed\n}\n\nstep \"T\" {\n}\n"
    ));
}

#[test]
fn numbers_have_the_units_of_the_language() {
    assert_snapshot!(each_told(&[
        "await a within 5min",
        "await a within 90sec",
        "await a within 2hours",
        "await a within 1hr30min",
        "await a within 1w",
        "await a within 5 minutes",
        "await a within 5 m",
        "await a within 500ms",
        "await a within 30m1h",
        "await a within 1.5h",
        "await a within 5M",
        "let x = 64k",
        "let x = 64KB",
        "let x = 1gib",
        "let x = 5foo",
        "let x = 5_",
        "let x = 99999999999999999999",
        "let x = 99999999999999d",
        "let x = 99999999tb",
        "let x = 0x1f",
    ]));
}

#[test]
fn times_have_an_offset() {
    assert_snapshot!(each_told(&[
        "let x = 2026-11-22T09:15:00",
        "let x = 2026-11-22T09:15",
        "let x = 2026-11-22 09:15:00Z",
        "let x = 2026-11-22 09:15:00",
        "let x = 2026-11-22",
        "let x = 2026-02-30T09:15:00Z",
        "let x = 2026-11-22T25:00:00Z",
        "let x = 2026-11-22T9:15:00Z",
    ]));
}

#[test]
fn operators_of_other_languages_are_recognised() {
    assert_snapshot!(each_told(&[
        "assert a = b",
        "assert a === b",
        "assert a && b",
        "assert a || b",
        "assert a <> b",
        "assert !a",
        "assert a < b < c",
        "assert a == b == c",
    ]));
}

#[test]
fn names_have_no_hyphens() {
    assert_snapshot!(each_told(&[
        "set credentials of my-db",
        "restore my-new-db from snap",
        "let x = latest snapshot of my-db",
        "assert my-db is available",
        "assert a - my-new-db",
        "let my-name = 5",
    ]));
    assert_snapshot!(told_of_file("runbook \"R\"\nparam my-db: database\n"));
}

#[test]
fn some_names_are_reserved() {
    assert_snapshot!(each_told(&[
        "let now = 5",
        "let and = 5",
        "assert a and and",
        "assert now is available",
        "assert original.age(x)",
    ]));
}

#[test]
fn queries_are_complete() {
    assert_snapshot!(each_told(&[
        "let x = query(target, \"select 1\")",
        "let x = query(\"select 1\") as integer",
        "let x = query(target, \"select 1\") as",
        "let x = age(snap) as duration",
        "let x = query(target, select 1) as integer",
    ]));
}

#[test]
fn parentheses_are_closed() {
    assert_snapshot!(each_told(&[
        "assert age(snap < 5h\nset credentials of target",
        "assert (a or b",
        "restore target from (snap {",
    ]));
}

#[test]
fn titles_are_asked_for_and_fixed() {
    assert_snapshot!(each_file(&[
        "",
        "# nothing but a comment\n",
        "step \"S\" {\n  note \"x\"\n}\n",
        "runbook\n",
        "runbook Recovery\n",
        "runbook \"R {x}\"\n",
        "runbok \"R\"\n",
        "runbook \"R\"\nrunbook \"S\"\n",
        "runbook \"R\"\nstep {\n  note \"x\"\n}\n",
        "runbook \"R\"\nstep Restore {\n  note \"x\"\n}\n",
        "runbook \"R\"\nstep \"S {x}\" {\n  note \"x\"\n}\n",
        "runbook \"R\"\nstep \"S {\n  note \"x\"\n}\n",
        "runbook \"R\"\nstep 'S' {\n  note \"x\"\n}\n",
        "runbook \"R\"\nstep “S” {\n  note \"x\"\n}\n",
    ]));
}

#[test]
fn blocks_are_opened_and_closed() {
    assert_snapshot!(each_file(&[
        "runbook \"R\"\nstep \"A\" {\n  note \"a\"\n\nstep \"B\" {\n  note \"b\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  note \"a\"\n",
        "runbook \"R\"\nstep \"A\" {\n  note \"a\"\n\non failure {\n  note \"b\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  step \"B\" {\n    note \"b\"\n  }\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  note \"a\"\n}\n}\n",
        "runbook \"R\"\nstep \"A\"\n  note \"a\"\n}\n",
        "runbook \"R\"\nstep \"A\"\n\nstep \"B\" {\n}\n",
        "runbook \"R\"\nparam x: database {\n  note \"a\"\n}\nrequire y\n",
        "runbook \"R\"\non failur {\n  note \"a\"\n}\n",
        "runbook \"R\"\non \"x\" {\n  note \"a\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  replicate a to b with dms {\n    mode: full\n  }\n  note \"b\"\n}\n",
        "runbook \"R\"\nstep \"A\" {\n  replicate a to b with dms {\n    mode: full\n\nstep \"B\" {\n  note \"b\"\n}\n",
    ]));
}

#[test]
fn everything_has_its_place() {
    assert_snapshot!(each_file(&[
        "runbook \"R\"\nrestore target from snap\nset credentials of target\nlet x = 5\nnote \"x\"\n",
        "runbook \"R\"\nstep \"A\" {\n  require a\n  param b: database\n}\n",
        "runbook \"R\"\nsetp \"A\" {\n  note \"a\"\n}\n",
        "runbook \"R\"\nprocedure restore(x) {\n  whatever x\n}\nparm x: database\nuse \"shared.rbk\"\n",
        "runbook \"R\"\nparam x database\nparam y: = 5\nparam z: database = \nparam : database\nparam v: database where v\n",
    ]));
}

#[test]
fn what_a_broken_line_names_is_still_known() {
    assert_snapshot!(file(
        "runbook \"R\"\nparam a: duration = 5min 3\nlet b = )\nstep \"S\" {\n  let c = \n  note \"x\"\n}\n"
    ));
}

#[test]
fn independent_mistakes_are_told_together() {
    assert_snapshot!(file(
        "runbook \"R\"\nparam a: duration = 5min\nrequire a = b\nstep \"S\" {\n  restor a from b\n  note 'x'\n  await c\n}\nfoo\n"
    ));
}

#[test]
fn after_many_mistakes_the_rest_is_counted() {
    let text = format!(
        "runbook \"R\"\nstep \"S\" {{\n{}}}\n",
        "  nonsense\n".repeat(250)
    );
    let told = told_of_file(&text);
    assert_eq!(told.matches("error RBK").count(), 101);
    assert_snapshot!(told.split("---\n").last().unwrap_or_default());
}

#[test]
fn every_code_is_shown_by_a_snapshot() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syntax/snapshots");
    let shown: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for (code, title) in CODES {
        let is_shown = shown.contains(&format!("error {code}: "));
        // What is no UTF-8 has bytes to point at, but no text: see `bytes_that_are_no_text_have_a_place`.
        assert!(
            is_shown || code.0 == "RBK0030",
            "{code} ({title}) is not shown"
        );
    }
    assert!(CODES.is_sorted_by(|(code, _), (next, _)| code < next));
}

#[test]
fn misspelt_words_of_replications_and_removals_are_recognised() {
    assert_snapshot!(each_told(&[
        "let load = replicat a to b with dms {\n  capacity: 4\n}\nawait load is complete within 4h",
        "let load = replicate a from b with dms",
        "let load = replicate a to b dms",
        "let load = replicate a to b",
        "let load = restore a from b",
        "let load == replicate a to b with dms",
        "let load = replicate a to b with dms {\n  lob: full, chunk\n}",
        "let load = replicate a to b with dms {\n  lob: full, chunk 64kb, chunk 32kb\n}",
        "let load = replicate a to b with dms {\n  lob: full,\n  chunk 64kb\n}",
        "let load = replicate a to b with dms {\n  lob: full chunk 64kb\n}",
        "let load = replicate a to b with dms {\n  capacity: 4\nawait load is complete within 4h",
        "await load is compleet within 4h",
        "await load is complete",
        "assert no drfit",
        "assert no drift on b",
        "assert no drift in",
        "destroy a",
        "destory a by its removal policy",
        "destroy a by removal policy",
        "destroy a by its removal polcy",
        "destroy a with a final snapshot",
        "destroy a with snapshot",
        "destroy a with final snapshot as",
        "destroy a with final snapshot a",
        "destroy a without snapshot",
        "destroy a without final snapshot as \"x\"",
        "keep writes frozen on a",
        "keep writes frozen a because \"x\"",
        "keep writes frozn on a because \"x\"",
        "keep write frozen on a because \"x\"",
        "keep writes frozen on a because",
    ]));
}

#[test]
fn a_named_replication_stands_in_a_block() {
    assert_snapshot!(each_file(&[
        "runbook \"R\"\nlet load = replicate a to b with dms {\n  capacity: 4\n}\nstep \"S\" {\n  await load is complete within 4h\n}\n",
    ]));
}

#[test]
fn blocks_of_branches_are_opened_and_closed() {
    assert_snapshot!(each_told(&[
        "if",
        "if {\n  note \"x\"\n}",
        "if a exists\n  note \"x\"\n}",
        "if a exists note \"x\"",
        "if a exists {\n  note \"x\"\n",
        "if a exists {\n  note \"x\"\nelse {\n  note \"y\"\n}",
        "if a exists {\n  note \"x\"\n} else\n  note \"y\"\n}",
        "if a exists {\n  note \"x\"\n} else \"it is gone\"\nnote \"z\"",
        "if a exists {\n  note \"x\"\n} else {\n  note \"y\"\n} else {\n  note \"z\"\n}",
        "note \"x\"\nelse {\n  note \"y\"\n}\nnote \"z\"",
        "else if a exists {\n  note \"y\"\n}",
        "if a exists {\n  note \"x\"\n} else if {\n  note \"y\"\n} else {\n  nota \"z\"\n}",
        "if a exists {\n  if b exists {\n    note \"x\"\n  }\n}\n}\nnote \"y\"",
        "if a exists then {\n  note \"x\"\n}",
        "if (a exists {\n  note \"x\"\n}",
        "if a == \"x {\n  note \"x\"\n}",
        "if a = b {\n  note \"x\"\n}",
        "if a exists {\n  step \"B\" {\n    note \"x\"\n  }\n}",
        "if a exists {\n  require b exists\n  param x: text\n}",
        "assert a exists\n  else { note \"x\" }",
        "unless a exists {\n  note \"x\"\n}",
        "if a exists: note \"x\"",
        "if a exists ? b : c",
    ]));
}

#[test]
fn steps_that_are_done_together_have_their_place() {
    let file = |items: &str| {
        let text = format!("runbook \"R\"\n{items}\n");
        format!("{text}{}", told_of_file(&text))
    };
    let all: Vec<String> = [
        "parallel",
        "parallel {",
        "parallel {\n  step \"A\" {\n    note \"x\"\n  }\n\nstep \"B\" {\n  note \"y\"\n}\n\non failure {\n  note \"z\"\n}",
        "parallel {\n  step \"A\" {\n    note \"x\"\n\n  step \"B\" {\n    note \"y\"\n  }\n}",
        "parallel {\n  step \"A\" {\n    if a exists {\n      note \"x\"\n    }\n  step \"B\" {\n    note \"y\"\n  }\n}",
        "parallel \"Both\" {\n  step \"A\" { note \"x\" }\n}",
        "parallel {\n  note \"x\"\n  let x = 3\n  if a exists {\n    note \"y\"\n  }\n  step \"A\" { note \"x\" }\n}",
        "parallel {\n  parallel {\n    step \"A\" { note \"x\" }\n  }\n  step \"B\" { note \"x\" }\n}",
        "parallel {\n  step \"A\" { note \"x\" }\n  on failure { note \"x\" }\n}",
        "parallel {\n  stepp \"A\" { note \"x\" }\n  step \"B\" { note \"x\" }\n}",
        "paralel {\n  step \"A\" { note \"x\" }\n  step \"B\" { note \"x\" }\n}",
        "step \"A\" {\n  parallel {\n    analyze a\n    analyze b\n  }\n}",
        "if a exists {\n  step \"A\" { note \"x\" }\n} else {\n  step \"B\" { note \"x\" }\n}",
        "step \"A\" {\n  if a exists {\n    note \"x\"\n}\n\nstep \"B\" {\n  note \"y\"\n}",
    ]
    .iter()
    .map(|items| file(items))
    .collect();
    assert_snapshot!(all.join("\n=====\n"));
}

#[test]
fn clauses_of_parameters_and_points_in_time_are_asked_for() {
    assert_snapshot!(each_file(&[
        "runbook \"R\"\nparam a: time where\nparam b: time where = 3\nparam c: time where c < now = now\nparam d: time wher d < now\nparam e: time\n  where e < now\n  where e > now\nwhere e < now\nlet f = 3 where f > 2\n",
        "runbook \"R\"\nprocedure p(a: time where a < now) {\n  note \"x\"\n}\n",
    ]));
    assert_snapshot!(
        "points_in_time",
        each_told(&[
            "restore a from b as of",
            "restore a from b as latest",
            "restore a from b of latest",
            "restore a from b as off latest",
            "restore a from latest snapshot of b as of latest",
            "restore a from b.public as of 2026-11-22T09:15Z extra",
            "restore a as of latest",
            "snapshot",
            "snapshot \"x\" of a",
            "snapshot of a",
            "snapshot a as",
            "snapshot a as x",
            "snapshot a \"x\"",
            "let s = snapshot of a",
            "let s = snapshot a of",
            "let s = snpashot a",
            "let s = snpashot a as \"x\"",
            "let s = oldst snapshot of a",
            "let s = oldest snapshot a",
            "let s = oldest of a",
        ])
    );
}

#[test]
fn branches_nest_no_deeper_than_anything_else() {
    let deep = |depth: usize| {
        let open = "if a exists {\n".repeat(depth);
        let close = "}\n".repeat(depth);
        format!("runbook \"R\"\nstep \"S\" {{\n{open}note \"x\"\n{close}}}\n")
    };
    let parsed = |text: &str| rbk_syntax::parse(SourceId::default(), text).diagnostics;
    assert_eq!(parsed(&deep(64)), []);
    assert_eq!(parsed(&deep(65)).len(), 1);
    assert_eq!(parsed(&deep(50_000)).len(), 1);
    let chain = |count: usize| {
        let more = "else if a exists {\nnote \"x\"\n}\n".repeat(count);
        format!("runbook \"R\"\nstep \"S\" {{\nif a exists {{\n}}\n{more}}}\n")
    };
    assert_eq!(parsed(&chain(63)), []);
    assert_eq!(parsed(&chain(64)).len(), 1);
    let told = parsed(&chain(50_000));
    assert_snapshot!(crate::render::diagnostics(&told, &chain(50_000)));
}
