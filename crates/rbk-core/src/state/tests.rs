//! Joins of schemas' states. What statements do to them is told by the cases in `tests/lang`.

use super::schema::{Departure, Keys, Load, Origin, Rows, SchemaState};
use crate::catalog::ColumnName;
use crate::environment::TableName;
use proptest::prelude::*;
use rbk_syntax::{Sources, Span};
use std::collections::BTreeMap;

fn span(place: usize) -> Span {
    let source = Sources::default().add("a", "a");
    Span::new(source, place, place + 1)
}

fn table(number: u8) -> TableName {
    TableName {
        schema: "public".to_owned(),
        table: format!("t{number}"),
    }
}

/// Something that a statement does to a state.
fn change(state: &mut SchemaState, what: u8, number: u8, at: usize) {
    let column = ColumnName {
        table: table(number),
        column: "c".to_owned(),
    };
    match what {
        0 => {
            state
                .columns
                .insert(column, departure("text".to_owned(), at));
        }
        1 => {
            state.columns.remove(&column);
        }
        2 => {
            state
                .indexes
                .insert(format!("i{number}"), departure((), at));
        }
        3 => {
            state.indexes.remove(&format!("i{number}"));
        }
        4 => {
            let load = Load {
                from: "source".into(),
                span: span(at),
                matched: None,
                outdated: None,
            };
            state.loads.insert(table(number), load);
            state.keys.set(Keys::Unproven, span(at));
        }
        5 => {
            for load in state.loads.values_mut() {
                load.matched = Some(span(at));
            }
        }
        6 => {
            *state = SchemaState::default();
            state.origin.set(Origin::Recreated, span(at));
            state.rows.set(Rows::None, span(at));
        }
        _ => state.unchecked = Some(span(at)),
    }
}

fn departure<T>(to: T, at: usize) -> Departure<T> {
    Departure {
        to,
        since: span(at),
        certain: true,
    }
}

/// Without the numbers that say what was joined.
fn told(state: &SchemaState) -> String {
    let mut state = state.clone();
    state.version = 0;
    state.joined = None;
    format!("{state:?}")
}

proptest! {
    /// Most statements leave a schema alone: a join that was made already is passed over, and makes no difference.
    #[test]
    fn a_join_that_is_passed_over_would_have_changed_nothing(
        changes in prop::collection::vec((0u8..12, 0u8..3), 0..40)
    ) {
        let mut state = SchemaState::default();
        let mut quick = state.clone();
        let mut thorough = state.clone();
        let mut versions = 0;
        for (at, (what, number)) in changes.into_iter().enumerate() {
            if what < 8 {
                versions += 1;
                change(&mut state, what, number, at);
                state.touch(versions);
            }
            quick.join(&state);
            let mut new = state.clone();
            // Never joined before: nothing is passed over.
            new.touch(1_000_000 + at as u64);
            thorough.join(&new);
            prop_assert_eq!(told(&quick), told(&thorough));
        }
    }
}

#[test]
fn what_only_one_way_has_changed_is_uncertain() {
    let mut changed = SchemaState::default();
    change(&mut changed, 0, 1, 1);
    change(&mut changed, 4, 1, 2);
    change(&mut changed, 5, 1, 3);
    changed.touch(1);
    for (mut one, other) in [
        (changed.clone(), SchemaState::default()),
        (SchemaState::default(), changed.clone()),
    ] {
        one.join(&other);
        let certain: Vec<bool> = one
            .columns
            .values()
            .map(|departure| departure.certain)
            .collect();
        let matched: BTreeMap<_, _> = one
            .loads
            .iter()
            .map(|(table, load)| (table.table.as_str(), load.matched))
            .collect();
        assert_eq!(certain, [false]);
        assert_eq!(matched, BTreeMap::from([("t1", None)]));
        assert!(one.keys.may_be(Keys::Unproven) && !one.keys.is(Keys::Unproven));
    }
    let mut same = changed.clone();
    same.join(&changed);
    assert_eq!(told(&same), told(&changed));
}
