//! The two ways of an `if`: each from the state before it, narrowed by its condition; behind it what holds on both.

use super::facet::Facet;
use super::flow_error::FlowError;
use super::replication_error::ReplicationError;
use super::reshape::named;
use super::schema::SchemaState;
use super::{DatabaseState, Existence, Flow, Login, State};
use crate::check::{Block, Typed};
use crate::ids::{ApplicationName, DatabaseName};
use crate::plan::{Expr, Operator, Wording};
use rbk_syntax::{Label, Span};

/// An `if` that has been read: what was before it, and what each way left behind.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    /// The word `if`.
    keyword: Span,
    condition: Span,
    /// In the language's own words.
    text: String,
    before: State,
    then: State,
    otherwise: State,
}

/// Something that holds on one way of an `if` only, and that nothing has changed since.
#[derive(Debug)]
pub(crate) struct Parted {
    /// The statement on that way which made it so, or else the word `if`.
    span: Span,
    /// Whether it is a statement.
    is_statement: bool,
    /// ``where `target exists` holds``
    place: String,
    /// Where it last changed on the other way.
    pub(crate) elsewhere: Option<Span>,
    /// Where it last changed before the `if`.
    before: Option<Span>,
}

impl Parted {
    /// Whether it was so before the `if`, on both ways.
    pub(super) fn was(&self, since: Span) -> bool {
        self.before == Some(since)
    }
}

impl Flow<'_> {
    /// Reads both ways of an `if` whose condition isn't known when checking, and joins them. `span` is the word `if`.
    pub(crate) fn decide(
        &mut self,
        condition: &Typed,
        then: &Block,
        otherwise: Option<&Block>,
        span: Span,
    ) {
        self.demand_reads(condition);
        self.demand_countable(&condition.expr, condition.span);
        let before = self.state.clone();
        let approved_before = self.approved;

        // Where a replication is seen to be complete, what is left of it is removed: as good as waited for.
        self.waiting = true;
        self.learn(&condition.expr, condition.span);
        self.waiting = false;
        self.possible_way(Some(then), &before);
        let then_left = std::mem::replace(&mut self.state, before.clone());
        let approved_then = std::mem::replace(&mut self.approved, approved_before);

        self.learn_not(&condition.expr, condition.span);
        self.possible_way(otherwise, &before);
        // Nobody has agreed for certain where somebody was asked on one way only.
        self.approved = match (then_left.impossible, self.state.impossible) {
            (true, false) => self.approved,
            (false, true) => approved_then,
            _ => self.approved && approved_then,
        };
        // Behind an `if` that can go one way only there is nothing to join.
        if then_left.impossible || self.state.impossible {
            if self.state.impossible {
                self.state = then_left;
            }
            return;
        }

        let decision = Decision {
            keyword: span,
            condition: condition.span,
            text: Wording::by_names().expr(&condition.expr),
            before,
            then: then_left,
            otherwise: self.state.clone(),
        };
        self.demand_alike(&decision);
        self.state = decision.then.clone();
        self.state.join(&decision.otherwise);
        for schema in self.state.schemas.values_mut() {
            // What was joined is a state of its own for the joins that follow.
            if schema.joined.is_some() {
                self.changes += 1;
                schema.touch(self.changes);
            }
        }
        self.decisions.push(decision);
    }

    /// Reads the only way that an `if` goes whose condition is known when checking.
    pub(crate) fn decided(&mut self, taken: &Block) {
        self.block(taken);
    }

    /// Reads one way. One that can't be gone is passed over behind the `if` only where the plan needn't be told: which database an
    /// application uses, what schemas are like and which replications run follow from all ways there.
    fn possible_way(&mut self, block: Option<&Block>, before: &State) {
        let entered = self.state.impossible.then(|| self.state.clone());
        let changes = self.changes;
        if let Some(block) = block {
            self.way(block, before);
        }
        let Some(entered) = entered.filter(|_| !before.impossible) else {
            return;
        };
        let same_uses = entered.applications.iter().all(|(name, one)| {
            let other = self.state.applications.get(name);
            other.is_some_and(|other| one.active == other.active && one.since == other.since)
        });
        let same_replications = entered.replications.len() == self.state.replications.len();
        self.state.impossible = same_uses && same_replications && changes == self.changes;
    }

    /// Reads what is done on one way. What is named there can be waited for there only.
    fn way(&mut self, block: &Block, before: &State) {
        self.gather();
        self.block(block);
        let begun = self.state.replications.iter_mut();
        let left = begun.filter(|(name, replication)| {
            replication.complete.is_none() && !before.replications.contains_key(*name)
        });
        let mut errors = Vec::new();
        for (name, replication) in left {
            replication.complete = Some(replication.span);
            errors.push((name.clone(), replication.span));
        }
        // Behind a failure nobody waits for it anyway: it is stopped.
        errors.retain(|_| !self.in_failure);
        for (name, span) in errors {
            if self.told.insert(("loading", span)) {
                self.schema_error(ReplicationError::NeverAwaited { span, name });
            }
        }
    }

    /// What is known once a condition has been seen not to hold.
    pub(super) fn learn_not(&mut self, condition: &Expr, span: Span) {
        match condition {
            Expr::Not(inner) => self.learn(inner, span),
            Expr::Binary {
                operator: Operator::Or,
                left,
                right,
            } => {
                self.learn_not(left, span);
                self.learn_not(right, span);
            }
            // Either the left one doesn't hold, or it does and the right one doesn't.
            Expr::Binary {
                operator: Operator::And,
                left,
                right,
            } => {
                let before = self.state.clone();
                self.learn_not(left, span);
                let either = std::mem::replace(&mut self.state, before);
                self.learn(left, span);
                self.learn_not(right, span);
                self.state.join(&either);
            }
            Expr::Binary {
                operator,
                left,
                right,
            } => {
                if let Some(operator) = opposite(*operator) {
                    let negated = Expr::Binary {
                        operator,
                        left: left.clone(),
                        right: right.clone(),
                    };
                    self.learn(&negated, span);
                }
            }
            Expr::Exists { database } => {
                let mut contradicts = false;
                self.change(database, |state| {
                    contradicts = state.existence.narrow(&[Existence::Absent], span);
                    // There is nothing to keep, or to look at.
                    state.created = None;
                    state.restored = None;
                });
                self.state.impossible |= contradicts;
            }
            Expr::Available { database } => self.change(database, |state| {
                let others = [Existence::Absent, Existence::Creating, Existence::Otherwise];
                state.existence.narrow(&others, span);
            }),
            Expr::AcceptsConnections { database } => self.change(database, |state| {
                // A login that has worked and doesn't: nobody knows why.
                if !state.login.is(Login::Untried) {
                    state.login.narrow(&[Login::Untried, Login::Stale], span);
                }
            }),
            Expr::Uses {
                application,
                database,
            } => {
                if let Some(state) = self.state.applications.get_mut(application) {
                    self.state.impossible |=
                        state.since.is_some() && state.active() == Some(database);
                    state.active.remove(database);
                    state.since = Some(span);
                }
            }
            // To see that it isn't so, somebody has looked.
            Expr::ChecksPass { database }
            | Expr::NoDrift {
                database: Some(database),
            } => self.read(database, span),
            Expr::Matches { left, right, .. } => {
                self.read(left, span);
                self.read(right, span);
            }
            Expr::Value(_)
            | Expr::Binding { .. }
            | Expr::Parameter { .. }
            | Expr::Now
            | Expr::Age(_)
            | Expr::Negate(_)
            | Expr::Snapshot { .. }
            | Expr::LatestSnapshot { .. }
            | Expr::OldestSnapshot { .. }
            | Expr::RestorableFrom { .. }
            | Expr::RestorableUntil { .. }
            | Expr::Retention { .. }
            | Expr::SnapshotGap { .. }
            | Expr::SourceSnapshot { .. }
            | Expr::ActiveSecret { .. }
            | Expr::Figure { .. }
            | Expr::Size { .. }
            | Expr::Healthy { .. }
            | Expr::HasLeft { .. }
            | Expr::Complete { .. }
            | Expr::AsLocked { .. }
            | Expr::NoDrift { database: None } => {}
            // Of type boolean: the database says no.
            Expr::Count { database, .. } | Expr::Query { database, .. } => {
                self.read(database, span);
            }
        }
    }

    /// What is believed of a database on one way of an `if` only. `view` tells whether it is so, and where that changed last.
    pub(crate) fn parted(
        &self,
        database: &DatabaseName,
        view: impl Fn(&DatabaseState) -> (bool, Option<Span>),
    ) -> Option<Parted> {
        self.parted_in(|state| match state.databases.get(database) {
            Some(state) => view(state),
            None => (false, None),
        })
    }

    /// The same of a fact of a database.
    pub(crate) fn parted_by<T: super::Bit>(
        &self,
        database: &DatabaseName,
        facet: impl Fn(&DatabaseState) -> Facet<T>,
        value: T,
    ) -> Option<Parted> {
        self.parted(database, |state| {
            let facet = facet(state);
            (facet.is(value), facet.since())
        })
    }

    /// The same of anything.
    pub(super) fn parted_in(
        &self,
        view: impl Fn(&State) -> (bool, Option<Span>),
    ) -> Option<Parted> {
        let (_, now) = view(&self.state);
        self.decisions.iter().rev().find_map(|decision| {
            let (then, otherwise) = (view(&decision.then), view(&decision.otherwise));
            let is_parted = then.0 != otherwise.0 && [then.1, otherwise.1].contains(&now);
            is_parted.then(|| {
                let ((_, since), (_, elsewhere)) = match then.0 {
                    true => (then, otherwise),
                    false => (otherwise, then),
                };
                let (_, before) = view(&decision.before);
                let place = match then.0 {
                    true => format!("where `{}` holds", decision.text),
                    false => format!("where `{}` doesn't hold", decision.text),
                };
                let statement =
                    since.filter(|_| since != before && since != Some(decision.condition));
                Parted {
                    span: statement.unwrap_or(decision.keyword),
                    is_statement: statement.is_some(),
                    place,
                    elsewhere,
                    before,
                }
            })
        })
    }

    /// Says of the last diagnostic on which way of an `if` it wouldn't be so.
    pub(crate) fn tell_parted(&mut self, parted: Option<Parted>, what: &str) {
        let (Some(parted), Some(diagnostic)) = (parted, self.diagnostics.last_mut()) else {
            return;
        };
        let text = match parted.is_statement {
            true => format!("{what} here, only {}", parted.place),
            false => format!("{what} only {}", parted.place),
        };
        let span = parted.span;
        // A line put in its place would be right on one way only.
        diagnostic.fix = None;
        if diagnostic.primary.span == span {
            diagnostic.primary.text = text;
            return;
        }
        diagnostic.related.retain(|label| label.span != span);
        diagnostic.related.push(Label { span, text });
    }

    /// Says of the last diagnostic on which way of an `if` an application uses which database.
    pub(crate) fn tell_active(&mut self, application: &ApplicationName) {
        let state = self.state.applications.get(application);
        let databases = state.map(|state| state.active.clone()).unwrap_or_default();
        for database in databases {
            let parted = self.parted_in(|state| match state.applications.get(application) {
                Some(state) => (state.active() == Some(&database), state.since),
                None => (false, None),
            });
            self.tell_parted_use(parted, &format!("`{application}` uses `{database}`"));
        }
    }

    /// The same where it was the last statement's mistake to come behind the `if`.
    pub(crate) fn tell_parted_use(&mut self, parted: Option<Parted>, what: &str) {
        let is_parted = parted.is_some();
        self.tell_parted(parted, what);
        if let Some(diagnostic) = self.diagnostics.last_mut().filter(|_| is_parted) {
            let help = "put it where it is so, inside of the `if`; or make it so on both ways";
            diagnostic.help = Some(help.to_owned());
        }
    }

    /// What statements work on must be told from the text: a schema whose objects the ways leave different can't be.
    fn demand_alike(&mut self, decision: &Decision) {
        // `on failure` knows of no schema for certain, and nothing is demanded of what it leaves.
        if self.in_failure {
            return;
        }
        let untouched = SchemaState::default();
        let keys = decision.then.schemas.keys();
        let others = decision.otherwise.schemas.keys();
        let mut keys: Vec<_> = keys.chain(others).cloned().collect();
        keys.sort();
        keys.dedup();
        for (database, schema) in keys {
            let key = (database, schema);
            let then = decision.then.schemas.get(&key).unwrap_or(&untouched);
            let otherwise = decision.otherwise.schemas.get(&key).unwrap_or(&untouched);
            let unlike = then.unlike(otherwise);
            // A database that is gone on one way has no schema to be worked on.
            let gone = |state: &State| {
                let state = state.databases.get(&key.0);
                state.is_some_and(|state| state.existence.is(Existence::Absent))
            };
            if gone(&decision.then) || gone(&decision.otherwise) {
                continue;
            }
            // What was said where the ways join isn't said again at the end.
            let told = unlike.iter().map(|(what, since)| (what.told(), *since));
            self.told.extend(told);
            if let Some((what, since)) = unlike.into_iter().next() {
                self.schema_error(FlowError::WaysDiffer {
                    span: decision.keyword,
                    schema: named(&key.0, &key.1),
                    what,
                    since,
                });
            }
        }
    }
}

/// What holds where a comparison doesn't.
fn opposite(operator: Operator) -> Option<Operator> {
    Some(match operator {
        Operator::Equal => Operator::NotEqual,
        Operator::NotEqual => Operator::Equal,
        Operator::Less => Operator::GreaterOrEqual,
        Operator::GreaterOrEqual => Operator::Less,
        Operator::Greater => Operator::LessOrEqual,
        Operator::LessOrEqual => Operator::Greater,
        Operator::Or
        | Operator::And
        | Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide => return None,
    })
}
