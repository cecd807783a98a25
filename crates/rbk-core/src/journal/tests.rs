//! Journals that are whole, torn and damaged, and what may follow what.

use super::encode::{decode, encode, no_hash};
use super::recover::read_records;
use super::*;
use crate::environment::TableName;
use crate::ids::{ActionId, DatabaseName, RunId};
use crate::plan::IndexFacts;
use crate::run::{EndingKind, Failure, OrphanedKey, Refusal};

fn run() -> RunId {
    RunId::from("20261122t091500-1f3a9c02")
}

fn header() -> Event {
    Event::Header(Header {
        plan: "f".repeat(64),
        plan_version: 1,
        rbk: "0.1.0".to_owned(),
        title: "Quick recovery".to_owned(),
        environment: "prod".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        operator: "ana".to_owned(),
        alone: false,
        saved: None,
    })
}

fn lease() -> Event {
    Event::Lease(LeaseFacts {
        operator: "ana".to_owned(),
        pid: 7,
        boot: None,
        rbk: "0.1.0".to_owned(),
        entities: vec!["instance x".to_owned()],
    })
}

fn intent() -> Event {
    Event::Intent(Intent {
        call: "RestoreDBInstanceFromDBSnapshot".to_owned(),
        target: "instance x".to_owned(),
        existed_before: Some(false),
        token: None,
        choice: None,
    })
}

fn done() -> Event {
    Event::Outcome(Outcome::Done {
        how: How::Done,
        detail: "it is `creating`".to_owned(),
        proof: None,
    })
}

fn failed() -> Event {
    Event::Outcome(Outcome::Failed {
        failure: Failure::Vanished {
            instance: "x".into(),
        },
    })
}

fn end() -> Event {
    Event::End {
        kind: EndingKind::Done,
        exit_code: 0,
        first: None,
        second: None,
        more: Vec::new(),
    }
}

fn suspended() -> Event {
    Event::Suspended {
        failure: Failure::Interrupted { in_flight: false },
        attended: 0,
    }
}

/// What repairs journal besides.
fn of_repairs() -> Vec<Entry> {
    let database = DatabaseName::from("original");
    let table = TableName {
        schema: "public".to_owned(),
        table: "embeddings".to_owned(),
    };
    let observations = [
        Observation::Catalog {
            database: database.clone(),
            seen: "2 tables".to_owned(),
        },
        Observation::Indexes {
            database: database.clone(),
            indexes: vec![IndexFacts {
                name: "i".to_owned(),
                table: table.clone(),
                definition: "CREATE INDEX i ON public.embeddings (\"a\"\"b\")".to_owned(),
            }],
        },
    ];
    let failures = [
        Failure::Drift {
            database: database.clone(),
            differences: vec!["table public.a is missing".to_owned()],
        },
        Failure::Dependents {
            database: database.clone(),
            schemas: vec!["public".to_owned()],
            dependents: vec!["view reports.totals".to_owned()],
        },
        Failure::IndexDiffers {
            database: database.clone(),
            index: Box::new(IndexFacts {
                name: "i".to_owned(),
                table: table.clone(),
                definition: "CREATE INDEX i".to_owned(),
            }),
            found: None,
        },
        Failure::Orphans {
            database: database.clone(),
            keys: vec![OrphanedKey {
                table: table.clone(),
                key: "k".to_owned(),
                references: table,
                rows: 3,
                example: Some("document_id = 17".to_owned()),
            }],
        },
        Failure::CommandFailed {
            command: "warm".to_owned(),
            reason: "status 3".to_owned(),
        },
        Failure::MigrationLocked {
            database: database.clone(),
            by: "ci".to_owned(),
            since: None,
        },
        Failure::LockNotGiven {
            doing: "changing".to_owned(),
            reason: "pid 7 holds it".to_owned(),
        },
        Failure::MigrationFailed {
            database,
            change_set: Some("a.xml::1::ana".to_owned()),
            reason: "it exists".to_owned(),
        },
    ];
    let observed = observations.into_iter().map(|observation| {
        let event = Event::Observed {
            preflight: None,
            observation,
        };
        of("a", 0, event)
    });
    let failed = failures
        .into_iter()
        .map(|failure| of("a", 1, Event::Unknown { failure }));
    observed.chain(failed).collect()
}

#[test]
fn what_repairs_journal_is_read_as_it_was_written() {
    // Writing reads back and compares.
    lines(&of_repairs());
}

fn of(action: &str, attempt: u32, event: Event) -> Entry {
    Entry {
        step: None,
        action: Some(ActionId::from(action)),
        attempt,
        event,
    }
}

fn whole() -> Vec<Entry> {
    vec![
        Entry::of_run(header()),
        Entry::of_run(lease()),
        Entry::of_run(Event::Ready),
        of("a", 0, Event::Started),
        of("a", 1, intent()),
        of("a", 1, done()),
        Entry::of_run(end()),
    ]
}

/// Lines with their newlines.
fn lines(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut prev = no_hash();
    let mut epoch = 0;
    let mut lines = Vec::new();
    for (seq, entry) in entries.iter().enumerate() {
        epoch += u64::from(matches!(entry.event, Event::Lease(_)));
        let record = Record {
            v: JOURNAL_VERSION,
            seq: seq as u64,
            epoch,
            run: run(),
            at: jiff::Timestamp::UNIX_EPOCH,
            entry: entry.clone(),
            prev,
        };
        let mut line = encode(&record).unwrap();
        assert_eq!(
            decode(&line).unwrap(),
            record,
            "it is read as it was written"
        );
        prev = encode::line_hash(&line);
        line.push(b'\n');
        lines.push(line);
    }
    lines
}

#[track_caller]
fn damaged_at(journal: &[u8], expected: usize, context: &str) {
    match read_records(&run(), journal).map(|read| read.records.len()) {
        Err(Refusal::Damaged { seq, .. } | Refusal::NewerJournal { seq, .. }) => {
            assert_eq!(seq, expected as u64, "{context}");
        }
        Err(refusal) => panic!("{context}: {refusal}"),
        Ok(read) => panic!("{context}: {read} records were taken"),
    }
}

#[test]
fn a_line_can_be_read_by_people_and_other_programs() {
    let line = lines(&whole()).swap_remove(4);
    insta::assert_snapshot!(String::from_utf8(line).unwrap().trim());
}

#[test]
fn a_record_that_is_torn_at_any_byte_is_cut_off_if_it_is_the_last() {
    let lines = lines(&whole());
    for last in 0..lines.len() {
        let before = lines[..last].concat();
        for cut in 1..lines[last].len() {
            let torn = [&before, &lines[last][..cut]].concat();
            let read = read_records(&run(), &torn).unwrap();
            assert!(read.torn);
            assert_eq!(read.records.len(), last, "{last} cut at {cut}");
            assert_eq!(read.length as usize, before.len());
        }
    }
}

#[test]
fn a_record_that_is_torn_before_the_last_is_refused() {
    let lines = lines(&whole());
    for torn in 0..lines.len() - 1 {
        for cut in 0..lines[torn].len() {
            let mut pieces = lines.clone();
            pieces[torn].truncate(cut);
            damaged_at(&pieces.concat(), torn, &format!("{torn} cut at {cut}"));
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_and_its_record_named() {
    let lines = lines(&whole());
    let journal = lines.concat();
    let mut record = 0;
    let mut end_of_record = lines[0].len();
    for byte in 0..journal.len() {
        if byte == end_of_record {
            record += 1;
            end_of_record += lines[record].len();
        }
        for bit in [0, 3, 5, 7] {
            let mut flipped = journal.clone();
            flipped[byte] ^= 1 << bit;
            damaged_at(&flipped, record, &format!("bit {bit} of byte {byte}"));
        }
    }
}

#[test]
fn a_missing_repeated_or_exchanged_record_is_refused() {
    let lines = lines(&whole());
    let mut missing = lines.clone();
    missing.remove(3);
    damaged_at(&missing.concat(), 3, "missing");
    let mut repeated = lines.clone();
    repeated.insert(3, lines[3].clone());
    damaged_at(&repeated.concat(), 4, "repeated");
    let mut exchanged = lines.clone();
    exchanged.swap(3, 4);
    damaged_at(&exchanged.concat(), 3, "exchanged");
}

#[test]
fn a_record_that_was_changed_with_its_checksum_breaks_the_chain() {
    let mut entries = whole();
    let lines_before = lines(&entries);
    entries[4].action = Some(ActionId::from("b"));
    let mut forged = lines_before.clone();
    forged[2] = {
        let mut record = decode(lines_before[2].strip_suffix(b"\n").unwrap()).unwrap();
        record.at = jiff::Timestamp::MAX;
        let mut line = encode(&record).unwrap();
        line.push(b'\n');
        line
    };
    damaged_at(&forged.concat(), 3, "forged");
}

#[test]
fn a_journal_of_another_run_is_refused() {
    let journal = lines(&whole()).concat();
    let other = RunId::from("another");
    let refusal = read_records(&other, &journal).err().unwrap();
    assert!(
        matches!(refusal, Refusal::Damaged { seq: 0, .. }),
        "{refusal}"
    );
}

/// A line with other JSON, and the checksum that fits it.
fn sealed(json: &str) -> Vec<u8> {
    let body = json.strip_suffix('}').unwrap();
    let crc = crc32fast::hash(body.as_bytes());
    format!("{body},\"crc\":\"{crc:08x}\"}}\n").into_bytes()
}

#[test]
fn newer_formats_and_unknown_records_are_refused() {
    let newer = sealed(r#"{"v":2,"seq":0,"surprise":true}"#);
    let refusal = read_records(&run(), &newer).err().unwrap();
    assert!(matches!(refusal, Refusal::NewerJournal { found: 2, .. }));
    assert_eq!(refusal.exit_code(), 64);

    let line = String::from_utf8(lines(&whole()).swap_remove(0)).unwrap();
    let json = line.split(",\"crc\"").next().unwrap().to_owned() + "}";
    let unknown = sealed(&json.replace("\"type\":\"header\"", "\"type\":\"weather\""));
    damaged_at(&unknown, 0, "unknown");
}

#[track_caller]
fn legal(entries: Vec<Entry>) -> State {
    let mut state = State::default();
    for entry in entries {
        state = state.next(&entry).unwrap();
    }
    state
}

/// An action of a step.
fn in_step(step: &str, action: &str, attempt: u32, event: Event) -> Entry {
    Entry {
        step: Some(step.into()),
        ..of(action, attempt, event)
    }
}

fn together(steps: &[&str]) -> Entry {
    Entry::of_run(Event::Together {
        steps: steps.iter().map(|step| (*step).into()).collect(),
    })
}

#[test]
fn the_table_of_what_may_be_under_way_together() {
    let began = |more: &[Entry]| {
        let mut all = vec![
            Entry::of_run(header()),
            Entry::of_run(lease()),
            Entry::of_run(Event::Ready),
        ];
        all.extend_from_slice(more);
        legal(all)
    };
    let start = |step: &str, action: &str| in_step(step, action, 0, Event::Started);
    let unknown = |action: &str| {
        let failure = Failure::Interrupted { in_flight: true };
        of(action, 1, Event::Unknown { failure })
    };
    let open = together(&["A", "B"]);
    let one = began(&[open.clone(), start("A", "a1")]);
    let two = began(&[open.clone(), start("A", "a1"), start("B", "b1")]);
    let failing = began(&[
        open.clone(),
        start("A", "a1"),
        start("B", "b1"),
        of("a1", 0, failed()),
    ]);
    let stopped = began(&[
        open.clone(),
        start("A", "a1"),
        start("B", "b1"),
        of("a1", 0, suspended()),
    ]);
    let both = stopped.next(&of("b1", 0, suspended())).unwrap();
    let closed = began(&[
        open.clone(),
        start("A", "a1"),
        of("a1", 0, done()),
        start("C", "c1"),
        of("c1", 0, done()),
        start("A", "a2"),
    ]);
    let lost = began(&[
        open.clone(),
        start("A", "a1"),
        start("B", "b1"),
        of("a1", 1, intent()),
        of("b1", 1, intent()),
        unknown("a1"),
    ]);
    let cases = [
        // Several that differ, between actions, in the steps.
        (began(&[]), together(&["A"]), false),
        (began(&[]), together(&["A", "A"]), false),
        (began(&[start("A", "a1")]), open.clone(), false),
        (failing.clone(), open.clone(), false),
        // One action of each of them, and of no other step.
        (one.clone(), start("B", "b1"), true),
        (one.clone(), start("A", "a2"), false),
        (one.clone(), start("C", "c1"), false),
        (one, of("f", 0, Event::Started), false),
        (began(&[start("A", "a1")]), start("B", "b1"), false),
        (closed, start("B", "b1"), false),
        // Each goes on by itself.
        (two.clone(), of("b1", 1, intent()), true),
        (two.clone(), of("a1", 0, done()), true),
        (two.clone(), Entry::of_run(end()), false),
        (two.clone(), Entry::of_run(suspended()), false),
        // After a failure what is under way comes to its end, and nothing of a step is begun.
        (failing.clone(), of("b1", 1, intent()), true),
        (failing.clone(), of("b1", 0, failed()), true),
        (failing.clone(), start("A", "a2"), false),
        (failing.clone(), of("f", 0, Event::Started), false),
        (failing, Entry::of_run(Event::CleaningUp), false),
        // Each stops by itself, once, and does nothing more.
        (stopped.clone(), of("b1", 0, suspended()), true),
        (stopped.clone(), of("a1", 0, suspended()), false),
        (stopped.clone(), of("b1", 0, done()), false),
        (stopped.clone(), of("b1", 1, intent()), false),
        (stopped, Entry::of_run(suspended()), false),
        (both.clone(), of("b1", 0, suspended()), false),
        (both.clone(), Entry::of_run(lease()), true),
        (lost.clone(), unknown("b1"), true),
        (lost.clone(), unknown("a1"), false),
        (lost, of("b1", 1, done()), false),
        // Without `together` one stop is all.
        (
            began(&[start("A", "a1"), of("a1", 0, suspended())]),
            of("a1", 0, suspended()),
            false,
        ),
    ];
    for (number, (state, entry, is_legal)) in cases.into_iter().enumerate() {
        assert_eq!(
            state.next(&entry).is_ok(),
            is_legal,
            "{number}: {entry:?} in {state:?}"
        );
    }
    // Gone on with, both are under way as they were.
    let again = both.next(&Entry::of_run(lease())).unwrap();
    let names: Vec<&str> = again.current.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(names, ["a1", "b1"]);
    assert!(again.next(&start("B", "b1")).is_ok());
}

#[test]
fn what_goes_back_and_what_is_done_together_is_read_as_it_was_written() {
    let database = DatabaseName::from("original");
    let time = jiff::Timestamp::UNIX_EPOCH;
    let observations = [
        Observation::RestoreWindow {
            database: database.clone(),
            earliest: time,
            latest: Some(time),
            wanted: Some(time),
        },
        Observation::SnapshotAbsent { id: "s".into() },
    ];
    let observed = observations.map(|observation| {
        Entry::of_run(Event::Observed {
            preflight: Some(0),
            observation,
        })
    });
    let decided = Event::Outcome(Outcome::Done {
        how: How::Done,
        detail: "1d > 12h".to_owned(),
        proof: Some(Proof::Decided { holds: true }),
    });
    let outside = Event::Outcome(Outcome::Failed {
        failure: crate::run::BackupFailure::OutsideWindow {
            instance: "x".into(),
            wanted: time,
            earliest: time,
            latest: time,
        }
        .into(),
    });
    let more = [
        together(&["A", "B"]),
        of("a", 0, decided),
        of("a", 0, outside),
    ];
    // Writing reads back and compares.
    let all: Vec<Entry> = observed.into_iter().chain(more).collect();
    let written = lines(&all);
    insta::assert_snapshot!(String::from_utf8(written[2].clone()).unwrap().trim());
}

#[test]
fn the_table_of_what_may_follow_what() {
    let began = vec![
        Entry::of_run(header()),
        Entry::of_run(lease()),
        Entry::of_run(Event::Ready),
    ];
    let with = |more: Vec<Entry>| legal([began.clone(), more].concat());
    let started = with(vec![of("a", 0, Event::Started)]);
    let intended = with(vec![of("a", 0, Event::Started), of("a", 1, intent())]);
    let over = with(vec![of("a", 0, Event::Started), of("a", 0, done())]);
    let failing = with(vec![of("a", 0, Event::Started), of("a", 0, failed())]);
    let stopped = with(vec![of("a", 0, Event::Started), of("a", 0, suspended())]);
    let unknown = with(vec![
        of("a", 0, Event::Started),
        of("a", 1, intent()),
        of(
            "a",
            1,
            Event::Unknown {
                failure: Failure::Interrupted { in_flight: true },
            },
        ),
    ]);
    let ended = with(vec![Entry::of_run(end())]);
    let resolved = Event::Resolved {
        decision: Decision::Done,
        by: "ana".to_owned(),
        reason: "seen".to_owned(),
    };
    let approved = Event::Approved {
        by: "ana".to_owned(),
        prompt: "?".to_owned(),
    };
    let cases = [
        (State::default(), Entry::of_run(lease()), false),
        (State::default(), Entry::of_run(header()), true),
        (
            legal(vec![Entry::of_run(header())]),
            Entry::of_run(Event::Ready),
            false,
        ),
        (legal(began.clone()), Entry::of_run(header()), false),
        (legal(began.clone()), of("a", 1, intent()), false),
        (
            legal(began[..2].to_vec()),
            of("a", 0, Event::Started),
            false,
        ),
        (started.clone(), of("b", 0, Event::Started), false),
        (started.clone(), of("a", 2, intent()), false),
        (started.clone(), of("a", 1, intent()), true),
        (started.clone(), of("a", 0, approved.clone()), true),
        (started.clone(), Entry::of_run(end()), false),
        (intended.clone(), of("a", 2, intent()), true),
        (intended.clone(), of("a", 1, approved), false),
        (intended.clone(), of("a", 1, done()), true),
        (intended.clone(), of("b", 1, done()), false),
        (over.clone(), of("a", 0, Event::Started), false),
        (over.clone(), of("a", 0, done()), false),
        (over.clone(), of("b", 0, Event::Started), true),
        (over, Entry::of_run(end()), true),
        (failing.clone(), of("f", 0, Event::Started), true),
        (failing.clone(), Entry::of_run(end()), true),
        (stopped.clone(), of("a", 0, done()), false),
        (stopped.clone(), Entry::of_run(end()), false),
        (stopped, Entry::of_run(lease()), true),
        (unknown.clone(), of("a", 1, done()), false),
        (unknown.clone(), of("a", 1, resolved.clone()), false),
        (unknown, Entry::of_run(lease()), true),
        (intended, of("a", 1, resolved), false),
        (ended.clone(), Entry::of_run(lease()), false),
        (ended, of("b", 0, Event::Started), false),
    ];
    for (index, (state, entry, is_legal)) in cases.iter().enumerate() {
        let next = state.next(entry);
        assert_eq!(next.is_ok(), *is_legal, "case {index}: {next:?}");
    }
}

#[tokio::test]
async fn a_local_store_keeps_runs_and_cuts_off_what_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path().join("deep/er"));
    assert!(store.list().await.unwrap().is_empty());
    assert!(store.read(&run()).await.unwrap().is_none());
    let mut log = store.create(&run(), b"{}").await.unwrap();
    log.append(0, b"one").await.unwrap();
    log.sync().await.unwrap();
    log.append(1, b"tw").await.unwrap();
    assert!(store.create(&run(), b"{}").await.is_err(), "never twice");
    let mut log = store.open(&run(), 4).await.unwrap();
    log.append(1, b"two").await.unwrap();
    log.sync().await.unwrap();
    let stored = store.read(&run()).await.unwrap().unwrap();
    assert_eq!(stored.journal, b"one\ntwo\n");
    assert_eq!(stored.plan, b"{}");
    assert_eq!(store.list().await.unwrap(), [run()]);
}

#[tokio::test]
async fn a_runs_name_leads_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path());
    for name in ["..", "a/b", "", "a\0b", "C:\\x"] {
        let run = RunId::from(name);
        assert!(store.read(&run).await.is_err(), "{name}");
        assert!(store.create(&run, b"{}").await.is_err(), "{name}");
    }
}

#[test]
fn a_cleanup_follows_on_failure_whatever_became_of_it_and_nothing_else() {
    let failed = || {
        let failure = Failure::CommandFailed {
            command: "warm".to_owned(),
            reason: "status 3".to_owned(),
        };
        Event::Outcome(Outcome::Failed { failure })
    };
    let cleanup = || Entry::of_run(Event::CleaningUp);
    let follow = |entries: &[Entry]| {
        let mut state = State::default();
        for (index, entry) in entries.iter().enumerate() {
            state = state.next(entry).map_err(|_| index)?;
        }
        Ok::<State, usize>(state)
    };
    let begin = || {
        vec![
            Entry::of_run(header()),
            Entry::of_run(lease()),
            Entry::of_run(Event::Ready),
            of("a", 0, Event::Started),
            of("a", 0, failed()),
        ]
    };
    let mut entries = begin();
    // Two statements of `on failure` fail; the third is done all the same.
    for action in ["undo", "undo more", "and more"] {
        entries.push(of(action, 0, Event::Started));
        entries.push(of(action, 0, failed()));
    }
    entries.push(cleanup());
    entries.push(Entry::of_run(lease()));
    entries.push(of("remove", 0, Event::Started));
    entries.push(of("remove", 1, intent()));
    entries.push(of("remove", 1, failed()));
    entries.push(of("remove more", 0, Event::Started));
    entries.push(of(
        "remove more",
        0,
        Event::Skipped {
            reason: String::new(),
        },
    ));
    let state = follow(&entries).unwrap();
    assert_eq!((state.phase, state.failures), (Phase::CleaningUp, 5));
    entries.push(Entry::of_run(end()));
    assert_eq!(follow(&entries).unwrap().phase, Phase::Ended);
    // Not without a failure, not twice, not in the middle of an action.
    let mut early = begin();
    early.truncate(3);
    early.push(cleanup());
    assert_eq!(follow(&early).unwrap_err(), 3);
    let mut twice = begin();
    twice.extend([cleanup(), cleanup()]);
    assert_eq!(follow(&twice).unwrap_err(), 6);
    let mut within = begin();
    within.extend([of("undo", 0, Event::Started), cleanup()]);
    assert_eq!(follow(&within).unwrap_err(), 6);
}
