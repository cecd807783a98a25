//! The layout, by examples: what is written on the left of the arrow becomes what is on its right.

use crate::{formatted, refused};
use insta::assert_snapshot;

/// A text and what it becomes, blanks shown where they would not be seen.
#[track_caller]
fn from_to(text: &str) -> String {
    format!("{text}\n──────── becomes ────────\n{}", formatted(text))
}

#[test]
fn a_runbook_gets_its_blanks_and_blank_lines() {
    assert_snapshot!(from_to(
        r#"

# License.
runbook    "Quick recovery"
##   Puts the application back.
##It stays there.
param   source :database=original
## The oldest.
param max_loss:duration   = 24h
let snap=latest   snapshot of source



require age( snap )<=max_loss
      else    "too old"
step "Restore"{
restore target from snap
      await target is available within 60m every 15s


    set credentials of target   # at once


}
# Then.
step "Switch"
{ freeze writes on source if reachable
switch secret of app to target accepting loss }
on   failure {
	switch secret of app to source
}
"#
    ));
}

#[test]
fn lines_that_were_broken_stay_broken() {
    assert_snapshot!(from_to(
        r#"runbook "R"
require app uses source
and (age(snap)<1h
or not target exists
)
# why

  else "x"
step "S" {
await target is available
        within 5m   # soon

every 10s
do prove(target,
1h)
}
"#
    ));
}

#[test]
fn lines_that_are_too_long_are_broken_before_a_clause() {
    assert_snapshot!(from_to(
        r#"runbook "R"
require count(source.public.documents_of_everybody) > 1_000_000 and age(snap) <= max_loss + 2h else "only {count(source.public.documents)} documents"
require count(source.public.documents_of_everybody) > 1_000_000 and age(the_newest_snapshot_of_all) <= max_loss + 2h or count(source.public.embeddings) > 1_000_000 and age(another_snapshot_of_all) <= max_loss else "no"
step "S" {
  keep target because "it serves until the original is repaired, which may take a day, or two, or even three of them"
  await target is available and target accepts connections and checks of target pass and app is healthy within 10m every 10s
  note "a text of more than a hundred characters can't be broken anywhere: nothing is cut out of what a person wrote down"
}
"#
    ));
}

#[test]
fn options_have_a_line_each() {
    assert_snapshot!(from_to(
        r#"runbook "R"
step "S" {
  replicate source to broken with dms {tables:public.*,except:[databasechangelog,databasechangeloglock]
lob:full,chunk 64kb, mode : full_load   # once
  # More.


  on_error: stop, }
  run warm_cache {table:"documents"}
  run warm_cache { table: "documents", }
  run warm_cache {
    table: "documents" }
  run warm_cache { table: "documents", rows: 3 }
  run warm_cache
  # which is large
  {
    table: "documents"
  }
  run warm_cache { }
  let load=replicate source to broken with copy{ tables: [public.documents, public.embeddings, public.customers, public.orders,
     public.items] }
  run warm_cache { tables: [public.documents, public.embeddings, public.customers, public.orders, public.items] }
}
"#
    ));
}

#[test]
fn signs_stand_as_in_a_calculation() {
    assert_snapshot!(from_to(
        r#"runbook "R"
let a=1+2*-3-b/ 4
let b=-( a+1 )
let c=not( a<b )and f (a ,b,)>=-1
let d = 2026-11-22T10:15:00+01:00-1h30m
let e=query( target,"select 1" )as integer
let f="{ a+1 } stays {b}"
step "S" {
  alter column broken.public.t.c to numeric( 10,2 ) [ ] using "x"
  alter columns of type vector (1536) in broken.public to timestamp( 3 ) with time zone
  do prove ( -1 )as "again"
  restore from from snapshot "a" of b
}
"#
    ));
}

#[test]
fn comments_stay_where_they_stand() {
    assert_snapshot!(from_to(
        r#"# First.
runbook "R" # title
# Behind the title.

## Of the step, and of no runbook.
step "S" # head
# between
{ # opened
    # in front
  restore a from b # trailing
  ## Documents nothing.
  #tight
  ### not documentation

  # last
} # closed
## Of the next.
procedure p( a:database , # one
  b : duration
) { ## nothing
}
#end"#
    ));
}

#[test]
fn long_texts_are_left_alone() {
    assert_snapshot!(from_to(
        "runbook \"R\"\nstep \"S\" {\n\tnote \"\"\"\n\t\tOne.  \n\n\t\t  Two {a +b}.\n\t\t\"\"\"\n      sql on a \"\"\"select 1\n;\"\"\"\n}"
    ));
}

#[test]
fn files_of_procedures_are_laid_out() {
    assert_snapshot!(from_to(
        r#"use   "more.rbk"
## Proves it.
procedure prove(db:database,patience : duration)
{
  await db is available within patience
}
procedure other ( ) { note "x" }
"#
    ));
}

#[test]
fn line_ends_and_the_byte_order_mark_are_of_one_kind() {
    let text = "\u{feff}runbook \"R\"\r\n\r\n\r\nstep \"S\" {\r\n\tnote \"\"\"\r\n\t  One\r\n\t  \"\"\" # x\r\n}\r\n\r\n";
    assert_eq!(
        formatted(text),
        "runbook \"R\"\n\nstep \"S\" {\n  note \"\"\"\n\t  One\n\t  \"\"\"  # x\n}\n"
    );
}

#[test]
fn what_the_runbook_says_of_itself_stays_its_own() {
    assert_eq!(
        formatted("runbook \"R\"\n\n## Of the runbook.\n\n\n"),
        "runbook \"R\"\n## Of the runbook.\n"
    );
    assert_eq!(
        formatted("runbook \"R\"\n\n## Of the parameter.\nparam a: database"),
        "runbook \"R\"\n\n## Of the parameter.\nparam a: database\n"
    );
    assert_eq!(
        formatted("runbook \"R\"\n# c\n## Of the step.\nstep \"S\" {}"),
        "runbook \"R\"\n\n# c\n## Of the step.\nstep \"S\" {\n}\n"
    );
}

#[test]
fn what_is_wrong_is_not_laid_out() {
    assert_eq!(
        refused("runbook \"R\"\nstep \"S\" {\n  restor a from b\n}"),
        ["RBK0003"]
    );
    assert_eq!(refused(""), ["RBK0002"]);
    assert_eq!(refused("procedure p() {\n  restor a\n}"), ["RBK0003"]);
    assert_eq!(refused("runbook \"R\u{0}\""), ["RBK0029"]);
}

#[test]
fn blocks_of_if_and_parallel_are_laid_out() {
    assert_snapshot!(from_to(
        r#"runbook "R"
param at :time where at<=restorable_until( original )and at >= restorable_from(original)
param the_time_to_go_back_to: time where the_time_to_go_back_to <= restorable_until(original) and not x
# Both.
parallel{
## One.
step "One" { restore target from source as of   latest
  # again
  }
# Two.
step "Two"
{
  let s=snapshot source
  snapshot source as "x" }


}
step "S" {
if   target exists{
destroy target without final snapshot
}
else if( a<b ) { note "x" } # of the other
else
{ # else
  if a
    and b {
  }
  # nothing more
}
  if a { note "y" }
  # between
  else { note "z" }
restore target from source as of 2026-11-22T09:15:00Z
  await target is available within 60m
  if reachable { note "r" }
}
"#
    ));
}
