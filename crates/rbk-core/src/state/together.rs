//! Whether steps can be done together: what one of them changes no other changes or reads.

use super::flow_error::FlowError;
use crate::check::{Program, Step};
use crate::lease::{Entity, Touched};
use crate::lower::{Doings, doings};
use rbk_syntax::{Diagnostic, Span};
use std::collections::BTreeMap;

/// What a step does to the entities that it touches, each with the first statement that does.
#[derive(Default)]
struct Touches {
    changes: BTreeMap<Entity, Span>,
    reads: BTreeMap<Entity, Span>,
    /// A statement that reads all there is.
    everything: Option<Span>,
}

/// Two statements that can't be done at the same time.
struct Conflict {
    entity: Entity,
    /// In the step before the other one.
    first: Span,
    second: Span,
    /// What is done there: `changes` or `reads`.
    words: [&'static str; 2],
}

const CHANGES: &str = "changes";
const READS: &str = "reads";

/// The conflicts of steps that are done together, one for each two of them.
pub(super) fn conflicts(program: &Program) -> Vec<Diagnostic> {
    let is_parallel = |step: &Step| step.parallel.is_some();
    if !program.steps.iter().any(is_parallel) {
        return Vec::new();
    }
    let doings = doings(program);
    let touches: Vec<Touches> = doings
        .steps
        .iter()
        .map(|step| touches(program, &doings, step))
        .collect();
    let steps: Vec<(&Step, &Touches)> = program.steps.iter().zip(&touches).collect();
    let mut found = Vec::new();
    for (at, (second, theirs)) in steps.iter().enumerate() {
        let Some(together) = &second.parallel else {
            continue;
        };
        let siblings = steps.iter().take(at).filter(|(first, _)| {
            let other = first.parallel.as_ref();
            other.is_some_and(|other| other.number == together.number)
        });
        for (first, mine) in siblings {
            let Some(conflict) = conflict(mine, theirs) else {
                continue;
            };
            let Conflict {
                entity,
                first: other,
                second: span,
                words: [one, two],
            } = conflict;
            let what = match (one, two) {
                (CHANGES, CHANGES) => format!("both change {entity}"),
                (CHANGES, _) => format!("`{}` changes {entity}", first.path),
                _ => format!("`{}` changes {entity}", second.path),
            };
            let error = FlowError::Together {
                span,
                other,
                keyword: together.keyword,
                first: first.path.clone(),
                second: second.path.clone(),
                what,
                does: format!("{two} {entity}"),
                other_does: format!("{one} {entity}"),
            };
            let mut diagnostic = Diagnostic::from(error);
            if let Some(via) = program.via(span) {
                via.relate(&mut diagnostic);
            }
            found.push(diagnostic);
        }
    }
    found
}

/// What the statements of a step change and read.
fn touches(program: &Program, doings: &Doings, step: &[(Span, crate::plan::Action)]) -> Touches {
    let mut all = Touches::default();
    for (place, action) in step {
        let mut touched = Touched::new(&program.environment, &doings.replications);
        touched.action(action);
        if touched.everything {
            all.everything.get_or_insert(*place);
        }
        for entity in touched.changes {
            all.changes.entry(entity).or_insert(*place);
        }
        for entity in touched.reads {
            all.reads.entry(entity).or_insert(*place);
        }
    }
    all
}

/// The first thing that two steps can't both touch. Databases come first: their secrets go with them.
fn conflict(first: &Touches, second: &Touches) -> Option<Conflict> {
    let conflict = |entity: &Entity, spans: (Span, Span), words| Conflict {
        entity: entity.clone(),
        first: spans.0,
        second: spans.1,
        words,
    };
    let changed = first.changes.iter().find_map(|(entity, one)| {
        let two = second.changes.get(entity)?;
        Some(conflict(entity, (*one, *two), [CHANGES, CHANGES]))
    });
    let read = || {
        first.changes.iter().find_map(|(entity, one)| {
            let two = second.reads.get(entity).copied().or(second.everything)?;
            Some(conflict(entity, (*one, two), [CHANGES, READS]))
        })
    };
    let reads = || {
        second.changes.iter().find_map(|(entity, two)| {
            let one = first.reads.get(entity).copied().or(first.everything)?;
            Some(conflict(entity, (one, *two), [READS, CHANGES]))
        })
    };
    changed.or_else(read).or_else(reads)
}
