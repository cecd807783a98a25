#!/usr/bin/env python3
"""Generates the inputs of the benchmark, each of exactly as many lines as asked for.

    generate.py rbk LINES             a runbook, right for runbooks/environments/prod.toml
    generate.py just LINES            a justfile
    generate.py cedar LINES           policies
    generate.py cedar-schema          the schema that the policies are validated against
    ... [-o FILE]                     into a file instead of onto stdout

The runbook uses the whole language: documentation, comments, parameters of every type, values, preconditions,
every statement, every kind of condition, units, interpolation and long texts. It has no error, so the whole way is
gone: parsing, names, types, states, lowering. An application goes back and forth between two databases, so the states
change all the time. The other generators do the same in their languages, as far as those reach: variables,
recipes with parameters, dependencies and interpolation; typed policies.
"""
import argparse
import sys

HEAD = '''\
runbook "Generated: {lines} lines"
## Restores once, then goes round and round: looks, freezes, switches, thaws.
## Made to measure with; nobody should run it.

param source: database = original
param target: database = recovery
param app: application = sgpt
## The oldest snapshot that may be restored: what is newer than it is lost.
param max_loss: duration = 24h

let snap = latest snapshot of source

require app uses source
require source is available
require not target exists
require age(snap) <= max_loss
  else "the newest snapshot of {{source}} is {{age(snap)}} old: restore to a point in time instead"

step "Restore" {{
  restore target from snap
  await target is available within 60m every 15s
  set credentials of target
  await target accepts connections within 5m
  assert checks of target pass
  keep target because "it serves until the original is repaired"
}}

on failure {{
  switch secret of app to source
  thaw writes on source if reachable
}}

'''

# Each block ends in the state in which it began: `app` uses `source`, nothing is frozen.
BLOCKS = [
    # Observing.
    '''\
# Round {n}: look at both sides. Nothing changes here, so this may be repeated as often as anybody likes.
## How long round {n} waits before it gives up.
param patience_{n}: duration = {m}m30s
param rows_{n}: integer = {n}_000
let newest_{n} = latest snapshot of source

require age(newest_{n}) <= max_loss + {m}m and (age(snap) < 2d or not target exists)
  else "round {n}: the newest snapshot of {{source}} is {{age(newest_{n})}} old"

step "Look, round {n}" {{
  # The freshest data first.
  let found_{n} = count(target.public.documents)
  let last_{n} = query(target, "select max(created_at) from documents where id > {n}") as time
  await target is available within patience_{n} every 5s
  assert found_{n} >= rows_{n} and count(target.public.embeddings) > {m} * 2 - 1
    else "only {{found_{n}}} documents after {{age(last_{n})}} in {{target}}"
  assert checks of target pass
  note "round {n}: {{found_{n}}} rows, the last one of {{last_{n}}}, {{max_loss}} may be lost"
}}

''',
    # Writes.
    '''\
## What round {n} puts aside, and until when it may.
param room_{n}: size = {m}gb
param until_{n}: time = 2026-11-22T{hour:02}:{m:02}:00Z

require {m}gb <= room_{n} or now < until_{n}

step "Hold writes, round {n}" {{
  freeze writes on source
  assert count(source.public.documents) == count(source.public.documents)
  await app has left source within {m}m every 10s
  thaw writes on source   # let them in again
}}

''',
    # There and back.
    '''\
# Round {n}: there and back again.

require (app uses source and not app uses target) or -{n} + {m} >= 0
  else """
    Round {n} begins where {{app}} uses {{source}}.

    If it uses {{target}} already, somebody was here before:
      look at the journal of the run before this one.
    """

step "There, round {n}" {{
  freeze writes on source if reachable
  approve "Point {{app}} at {{target}}, round {n}?"
  switch secret of app to target accepting loss
  await app is healthy
    within 10m
    every 20s
  await app has left source within 1h{m}m
}}

step "And back, round {n}" {{
  thaw writes on source if reachable
  await source accepts connections within 5m
  freeze writes on target
  note """
    Tell the team that {{app}} leaves {{target}} in round {n}.
    The snapshot was {{snap}}, {{age(snap)}} old.
    """
  approve "Point {{app}} at {{source}}, round {n}?"
  switch secret of app to source accepting loss
  await app is healthy and app has left target within 10m
  thaw writes on target
}}

''',
]


def runbook(lines):
    """The head, blocks in turn, and comments up to the number of lines."""
    parts = [HEAD.format(lines=lines)]
    room = lines - parts[0].count("\n")
    if room < 0:
        sys.exit(f"a runbook of {lines} lines: the smallest has {lines - room}")
    n = 0
    while True:
        n += 1
        block = BLOCKS[n % len(BLOCKS)].format(n=n, m=n % 50 + 1, hour=n % 24)
        if block.count("\n") > room:
            break
        parts.append(block)
        room -= block.count("\n")
    parts.append("# The end.\n" * room)
    return "".join(parts)


def justfile(lines):
    """Ten lines a block."""
    parts = []
    for i in range(lines // 10):
        before = f" step{i - 1}" if i else ""
        parts.append(f'''\
# block {i}
v{i} := "value-{i}" + "/suffix"
w{i} := if v{i} == "x" {{ "yes" }} else {{ v{i} }}

step{i} target="prod" region="us-east-1":{before}
    echo "restore {{{{target}}}} in {{{{region}}}} as {{{{v{i}}}}}"
    aws rds describe-db-instances --region {{{{region}}}}
    test -n "{{{{w{i}}}}}" && echo ok
    echo done {i}

''')
    parts.append("# the end\n" * (lines % 10))
    return "".join(parts)


def policies(lines):
    """Five lines a policy."""
    parts = []
    for i in range(lines // 5):
        action = ("restore", "copy", "drop")[i % 3]
        parts.append(f'''\
permit (principal, action == Action::"{action}", resource)
when {{ principal.level > {i % 97} && resource.size < {1000 + i} && context.mfa }}
when {{ resource.owner == principal || principal in Team::"t{i}" || principal.tags.contains("x{i}") }}
unless {{ resource.prod && resource.name like "prod-{i}*" && context.region != "us-east-{i % 5}" }};

''')
    parts.append("// the end\n" * (lines % 5))
    return "".join(parts)


CEDAR_SCHEMA = '''\
entity Team { rank: Long };
entity User in [Team] { name: String, level: Long, tags: Set<String> };
entity Db { owner: User, size: Long, name: String, prod: Bool };
action restore, copy, drop appliesTo { principal: User, resource: Db, context: { mfa: Bool, region: String } };
'''

LANGUAGES = {"rbk": runbook, "just": justfile, "cedar": policies}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=[*LANGUAGES, "cedar-schema"])
    parser.add_argument("lines", nargs="?", type=int)
    parser.add_argument("-o", "--output", metavar="FILE")
    given = parser.parse_args()
    if given.language == "cedar-schema":
        text = CEDAR_SCHEMA
    elif given.lines is None:
        parser.error("how many lines?")
    else:
        text = LANGUAGES[given.language](given.lines)
    if given.output:
        with open(given.output, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()


def tables(count):
    """A schema as SQL: tables with ten columns, a primary key, a foreign key to the one before, a check, three more indexes."""
    parts = ["CREATE SCHEMA bench;"]
    for number in range(count):
        before = f" REFERENCES bench.t{number - 1}" if number else ""
        parts.append(f"""CREATE TABLE bench.t{number} (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  before_id bigint{before},
  external_id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
  title text NOT NULL,
  kind varchar(20) NOT NULL DEFAULT 'plain',
  amount numeric(12, 2) NOT NULL DEFAULT 0 CHECK (amount >= 0),
  payload jsonb,
  tags text[] NOT NULL DEFAULT '{{}}',
  created_at timestamptz NOT NULL DEFAULT now(),
  total numeric(13, 2) GENERATED ALWAYS AS (amount * 2) STORED
);
CREATE INDEX t{number}_created_at_idx ON bench.t{number} (created_at DESC, kind);
CREATE INDEX t{number}_payload_idx ON bench.t{number} USING gin (payload jsonb_path_ops) WHERE payload IS NOT NULL;""")
    return "\n".join(parts) + "\n"
