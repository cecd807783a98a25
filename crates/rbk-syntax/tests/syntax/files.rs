//! Whole files.

use crate::{BRANCHES, QUICK_RECOVERY, REBUILD, file};
use insta::assert_snapshot;
use rbk_syntax::{SourceId, decode, parse};

#[test]
fn quick_recovery_is_read() {
    assert_snapshot!(file(QUICK_RECOVERY));
}

#[test]
fn a_rebuilt_schema_is_read() {
    assert_snapshot!(file(REBUILD));
}

#[test]
fn branches_parallel_steps_and_points_in_time_are_read() {
    assert_snapshot!(file(BRANCHES));
}

#[test]
fn types_are_read_as_postgres_writes_them() {
    let types = [
        "text",
        "TEXT",
        "vector(1536)",
        "vector( 1536 )",
        "numeric(10, 2)",
        "numeric ( 10,2 )",
        "numeric(3, -1)",
        "double precision",
        "double   precision",
        "character varying(20)",
        "national character varying (20)",
        "bit varying",
        "timestamp with time zone",
        "timestamp(3) without  time zone",
        "time\n    with time zone",
        "interval day to second(3)",
        "interval year",
        "text[]",
        "text[][3]",
        "integer [ 3 ]",
        "public.vector(3)[]",
        "geometry(Point, 4326)",
        "in",
    ];
    let statements: Vec<String> = types
        .iter()
        .map(|ty| format!("  alter columns of type {ty} in a.public to {ty}\n  alter column a.b.c.d to {ty} using \"x\"\n"))
        .collect();
    assert_snapshot!(file(&format!(
        "runbook \"R\"\nstep \"S\" {{\n{}}}\n",
        statements.concat()
    )));
}

#[test]
fn options_end_with_their_line_or_a_comma() {
    assert_snapshot!(file(
        r#"runbook "R"
step "S" {
  replicate a to b with copy
  replicate a to b with copy {}
  replicate a to b
    with copy # why
  {
    # nothing but a comment
  }
  run x { a: 1, b: 2 }
  run x { a: 1, b: two.three, c: two.*, }
  run x {
    mode: full
    exists: true
    uses: [one,
      two.*, "three"
    ]
    and_more: 1 + 2
    with: not a
    text: """
      a: b
      c: d
    """, last: (
      1
    )
  }
  note "done"
}
"#
    ));
}

#[test]
fn documentation_belongs_to_what_it_stands_at_and_comments_are_kept() {
    assert_snapshot!(file(
        r#"# licence

runbook "R" # title
## Two lines
##   of documentation.

# about the parameter
## Where from.
param a: database # trailing

## Nobody's: a let has no documentation.
let b = 5

### a banner, no documentation ###

## The step's.
step "S" { # opened
  # inside
  ## inside as well
  await a exists # why
    # between
    within 5m
  note "x" } # closed
## Nothing follows.
"#
    ));
}

#[test]
fn documentation_below_the_title_is_the_runbooks_even_behind_a_blank_line() {
    assert_snapshot!(file(
        "runbook \"R\"\n\n## The runbook's.\n\nparam a: database\n"
    ));
    assert_snapshot!(file(
        "runbook \"R\"\n\n## The parameter's.\nparam a: database\n"
    ));
}

#[test]
fn a_line_that_begins_with_a_clause_continues_the_one_before() {
    assert_snapshot!(file(
        r#"runbook "R"
let snap = latest snapshot of source
require a
  and b

  # still the same
  or c
  else "no"
step "S"
{
  restore target
    from snap
  switch secret of app
    to target
    accepting loss
  freeze writes on source
    if reachable
  freeze writes on source
    if reachable # with a comment
  keep target
    because "it is needed"
  await target exists
    every 5s
    within 5m
  let x = query(
    target,
    """
      select 1
    """
  ) as integer
}
"#
    ));
}

#[test]
fn blocks_fit_on_one_line() {
    assert_snapshot!(file(
        "runbook \"R\"\nstep \"A\" { note \"a\" }\nstep \"B\" {}\non failure { thaw writes on a if reachable }"
    ));
}

#[test]
fn names_may_look_like_words_of_the_language() {
    assert_snapshot!(file(
        r#"runbook "R"
param target: database = step
param step: database = from
param within: duration = 5m
param param: param = param
let let = latest snapshot of latest
require require uses uses
step "S" {
  restore restore from from
  restore from from latest snapshot of snapshot
  set credentials of of
  switch secret of to to to
  freeze writes on if if reachable
  keep because because "because"
  await within exists within within every every
  await is is available within 5m
  assert checks
  let else = else
  restore indexes from indexes
  restore indexes # said
    # twice
    from indexes
  restore indexes on indexes
  restore column from column
  restore column types in types.in
  restore types from null
  restore not null on on.on
  drop index index.indexes.on
  drop indexes on columns.of
  drop indexes on columns of type of in in.in
  sync sequences of of from from
  replicate to to with with with
  run run { run: run }
  do do(do) as "as"
  assert matches matches matches
  assert no
  assert no.drift matches no.drift
  assert no drift in no
  assert else else "else"
}
"#
    ));
}

#[test]
fn line_ends_tabs_and_a_byte_order_mark_do_not_matter() {
    for original in [QUICK_RECOVERY, REBUILD] {
        let plain = parse(SourceId::default(), original);
        for text in [
            original.replace('\n', "\r\n"),
            original.replace("  ", "\t"),
            format!("\u{feff}{original}"),
        ] {
            let parsed = parse(SourceId::default(), &text);
            assert_eq!(parsed.diagnostics, []);
            let tree = |parsed: rbk_syntax::Parsed, text: &str| {
                crate::render::runbook(&parsed.runbook.unwrap(), text)
            };
            // The indentation inside of a long text is its own.
            let told = |tree: String| tree.replace("\\t", "  ");
            assert_eq!(
                told(tree(parsed, &text)),
                told(tree(plain.clone(), original))
            );
        }
    }
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    assert_eq!(decode(b"runbook").unwrap(), "runbook");
    let error = decode(b"runbook \"R\"\n# gr\xc3\xbc\xdfe\n").unwrap_err();
    assert_eq!((error.line, error.column, error.offset), (2, 6, 18));
    assert_snapshot!(error.to_string(), @"not UTF-8 at line 2, column 6 (byte 18)");
}

#[test]
fn replications_have_names_and_qualified_options() {
    assert_snapshot!(file(
        "runbook \"R\"\nstep \"S\" {\n  let load = replicate source to broken with dms {\n    tables: [public.*, audit.entries]\n    \
         lob: full, chunk 64kb # a piece\n    capacity: 4, multi_az: false\n    mode: full_load, logging: debug, on_error: stop\n    \
         lob_too: limited, max 32kb, and_more \"x\", after_connect: \"\"\n  }\n  await load is complete within 4h\n    every 30s\n  \
         assert load.tables_failed == 0 and not load is complete\n  let other = replicate a to b with copy\n  \
         let replicate = count(a.b.c)\n  let x = replicate and true\n  let y = replicate a to b with dms\n    {\n      capacity: 4\n    }\n}\n"
    ));
}

#[test]
fn databases_are_destroyed_and_stay_frozen() {
    assert_snapshot!(file(
        "runbook \"R\"\nrequire no drift and not no drift in a\nstep \"S\" {\n  destroy a by its removal policy\n  destroy a\n    with final snapshot\n  \
         destroy a with final snapshot as \"before-{b}\"\n  destroy a\n    without final snapshot\n  keep writes frozen on a because \"it goes\"\n  \
         keep writes because \"a database is called so\"\n  keep a\n    because \"why\"\n  assert no drift\n    else \"x\"\n}\n"
    ));
}
