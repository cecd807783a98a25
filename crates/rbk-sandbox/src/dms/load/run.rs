//! Going through the tables: several at a time, in an order that DMS doesn't guarantee.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio_postgres::Client;

use super::{
    Board, LoadEnd, LoadTask, TableState,
    catalog::{self, TableName},
    mappings::Mappings,
    plan::TablePlan,
    read::transfer,
    session::{Session, Trouble},
    settings::{LoadSettings, Policy, Recoverable, TablePolicy},
    target,
    types::Booleans,
    write::{Broken, Writer},
};

pub(super) async fn run(task: &LoadTask, board: &Board) -> LoadEnd {
    let documents = LoadSettings::parse(&task.settings)
        .and_then(|settings| Ok((settings, Mappings::parse(&task.mappings)?)));
    let (mut settings, mappings) = match documents {
        Ok(documents) => documents,
        Err(message) => return failed(message),
    };
    if task.source.fail_on_lob_truncation {
        settings.errors.truncation = Policy::StopTask;
    }
    let run = Run {
        task,
        board,
        settings,
        mappings,
        bad_tables: Mutex::new(0),
    };
    match run.all_tables().await {
        Ok(()) => LoadEnd::Finished,
        Err(message) => {
            board.say([format!("[TASK_MANAGER    ]E: {message}")]);
            failed(message)
        }
    }
}

fn failed(message: String) -> LoadEnd {
    LoadEnd::Failed {
        messages: vec![format!(
            "Last Error {message} Stop Reason FATAL_ERROR Error Level FATAL"
        )],
    }
}

struct Run<'a> {
    task: &'a LoadTask,
    board: &'a Board,
    settings: LoadSettings,
    mappings: Mappings,
    bad_tables: Mutex<u64>,
}

/// A subtask's sessions.
struct Sessions {
    source: Session,
    target: Session,
}

impl Run<'_> {
    /// The error stops the task.
    async fn all_tables(&self) -> Result<(), String> {
        let names = self.board.names();
        let waves = self.begin(&names).await?;
        for wave in waves {
            let subtasks = wave.len().min(self.settings.subtasks);
            let queue = Mutex::new(VecDeque::from(wave));
            try_join_all((0..subtasks).map(|_| self.subtask(&queue))).await?;
        }
        Ok(())
    }

    /// Makes the control tables, and finds an order; again if a session was lost.
    async fn begin(&self, names: &[TableName]) -> Result<Vec<Vec<TableName>>, String> {
        let mut retries = Retries::new(self.settings.errors.recoverable);
        loop {
            let (doing, trouble) = match self.try_to_begin(names).await {
                Ok(order) => return Ok(order),
                Err(failed) => failed,
            };
            let message = format!("{doing}: {trouble}");
            match retries.next().filter(|_| trouble.lost_connection()) {
                None => return Err(message),
                Some(pause) => {
                    self.board.say([format!("[TASK_MANAGER    ]W: {message}")]);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// The error has what couldn't be done.
    async fn try_to_begin(
        &self,
        names: &[TableName],
    ) -> Result<Vec<Vec<TableName>>, (String, Trouble)> {
        let party = &self.task.target;
        let target = self.task.open(party).await.map_err(|trouble| {
            let doing = format!("endpoint '{}' can't be connected to", party.endpoint);
            (doing, trouble)
        })?;
        let made = target::make_control_tables(&target.client, &self.settings).await;
        made.map_err(|trouble| {
            let schema = &self.settings.control_schema;
            let doing =
                format!("the control tables can't be made in schema '{schema}' of the target");
            (doing, trouble)
        })?;
        let order = self.order(&target.client, names).await;
        order.map_err(|trouble| ("the target's catalog can't be read".to_owned(), trouble))
    }

    /// Waves of tables, one after the other.
    ///
    /// Where foreign keys are enforced, referencing tables go before those that they refer to: DMS
    /// promises no order, and this one shows what comes of it every time. One table at a time keeps
    /// to the mappings' load order, which is how DMS is told one.
    async fn order(
        &self,
        target: &Client,
        names: &[TableName],
    ) -> Result<Vec<Vec<TableName>>, Trouble> {
        let role = target
            .query_one("SELECT current_setting('session_replication_role')", &[])
            .await?;
        let enforced = role.try_get::<_, &str>(0)? != "replica";
        let references = match enforced {
            true => catalog::references(target).await?,
            false => Vec::new(),
        };
        let references: Vec<_> = references
            .into_iter()
            .map(|(from, to)| (self.source_name(from), self.source_name(to)))
            .collect();
        let load_order = |it: &TableName| self.mappings.load_order(&it.schema, &it.table);
        let mut names = names.to_vec();
        names.sort_by_key(|it| std::cmp::Reverse(load_order(it)));
        if self.settings.subtasks > 1 {
            return Ok(waves(names, &references));
        }
        let ranks = names.chunk_by(|one, other| load_order(one) == load_order(other));
        Ok(ranks
            .flat_map(|rank| waves(rank.to_vec(), &references))
            .collect())
    }

    /// Takes tables until none is left.
    async fn subtask(&self, queue: &Mutex<VecDeque<TableName>>) -> Result<(), String> {
        let mut sessions = None;
        loop {
            let next = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match next {
                Some(name) => self.table(&mut sessions, &name).await?,
                None => return Ok(()),
            }
        }
    }

    /// Loads a table, again if a session was lost, and enters how it ended.
    async fn table(&self, sessions: &mut Option<Sessions>, name: &TableName) -> Result<(), String> {
        let mut retries = Retries::new(self.settings.errors.recoverable);
        loop {
            self.board.start(name);
            let broken = match self.attempt(sessions, name).await {
                Ok(state) => {
                    self.board.end(name, state);
                    return Ok(());
                }
                Err(broken) => broken,
            };
            *sessions = None;
            match broken {
                Broken::Lost(trouble) => {
                    self.board.say([format!(
                        "[TASK_MANAGER    ]W: the connection was lost while table {name} was loaded: {trouble}"
                    )]);
                    let Some(pause) = retries.next() else {
                        self.board.end(name, TableState::Error);
                        return Err(format!(
                            "the connection was lost while table {name} was loaded, and retries are used up: {trouble}"
                        ));
                    };
                    tokio::time::sleep(pause).await;
                }
                Broken::Suspended(why) => {
                    self.bad_table(name, &why);
                    return self.escalated();
                }
                Broken::Table(why) => {
                    self.bad_table(name, &why);
                    return match self.settings.errors.table {
                        TablePolicy::SuspendTable => self.escalated(),
                        TablePolicy::StopTask => {
                            Err(format!("table {name} could not be loaded: {why}"))
                        }
                    };
                }
                Broken::Stopped(why) => {
                    self.bad_table(name, &why);
                    return Err(why);
                }
            }
        }
    }

    fn bad_table(&self, name: &TableName, why: &str) {
        *self
            .bad_tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        self.board.say([format!(
            "[TASK_MANAGER    ]W: Table {name} was errored/suspended: {why}"
        )]);
        self.board.end(name, TableState::Error);
    }

    fn escalated(&self) -> Result<(), String> {
        let bad = *self
            .bad_tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match self.settings.errors.stop_after_tables {
            Some(most) if bad >= most => Err(format!("{bad} tables could not be loaded")),
            _ => Ok(()),
        }
    }

    /// One try at a table.
    async fn attempt(
        &self,
        sessions: &mut Option<Sessions>,
        name: &TableName,
    ) -> Result<TableState, Broken> {
        let Sessions { source, target } = match sessions {
            Some(sessions) => sessions,
            None => sessions.insert(Sessions {
                source: self.open(&self.task.source).await?,
                target: self.open(&self.task.target).await?,
            }),
        };
        let relation = catalog::relation(&source.client, name).await;
        let Some(relation) = relation.map_err(Broken::of)? else {
            return Ok(TableState::DoesNotExist);
        };
        let target_name = self.target_name(name);
        let there = target::prepare(
            &target.client,
            &target_name,
            &relation,
            &self.settings,
            self.booleans(),
        )
        .await;
        let there = there.map_err(Broken::of)?;
        let plan = TablePlan::make(
            (name, &relation),
            (&target_name, &there),
            self.settings.lobs,
        )
        .map_err(Broken::Table)?;
        self.board.say(plan.notes.iter().cloned());
        let mut writer = Writer::prepare(
            &target.client,
            &plan,
            &self.settings,
            &self.task.replication,
        )
        .await?;
        let seen = |writer: &mut Writer<'_>| {
            self.board.say(writer.log.drain(..));
            self.board.change(name, |it| {
                it.rows = writer.rows;
                it.error_rows = writer.error_rows;
            });
        };
        transfer(&source.client, &plan, &self.settings, &mut writer, seen).await?;
        if self.settings.key_after_load && there.keys.is_empty() {
            let added = target::add_primary_key(&target.client, &target_name, &relation).await;
            added.map_err(Broken::of)?;
        }
        self.board.say([format!(
            "[TASK_MANAGER    ]I: Load finished for table {name}. {} rows received. {} rows skipped.",
            writer.rows + writer.error_rows,
            writer.error_rows
        )]);
        Ok(TableState::Completed)
    }

    async fn open(&self, party: &super::Party) -> Result<Session, Broken> {
        self.task.open(party).await.map_err(Broken::of)
    }

    fn booleans(&self) -> Booleans {
        let LoadTask { source, target, .. } = self.task;
        match source.map_boolean_as_boolean && target.map_boolean_as_boolean {
            true => Booleans::AsBooleans,
            false => Booleans::AsText,
        }
    }

    fn target_name(&self, name: &TableName) -> TableName {
        match &self.settings.target_schema {
            Some(schema) => TableName::new(schema, &name.table),
            None => name.clone(),
        }
    }

    /// The source's table of a target's; several schemas in one have several, of which one will do for an order.
    fn source_name(&self, name: TableName) -> TableName {
        if self.settings.target_schema.is_none() {
            return name;
        }
        let names = self.board.names();
        let found = names.into_iter().find(|it| it.table == name.table);
        found.unwrap_or(name)
    }
}

/// Tables that nothing left refers to, wave by wave; a circle is one wave.
fn waves(names: Vec<TableName>, references: &[(TableName, TableName)]) -> Vec<Vec<TableName>> {
    let mut left = names;
    let mut waves = Vec::new();
    while !left.is_empty() {
        let awaited: BTreeSet<&TableName> = references
            .iter()
            .filter(|(from, to)| from != to && left.contains(from))
            .map(|(_, to)| to)
            .collect();
        let (later, now): (Vec<_>, Vec<_>) =
            left.iter().cloned().partition(|it| awaited.contains(it));
        if now.is_empty() {
            waves.push(later);
            break;
        }
        waves.push(now);
        left = later;
    }
    waves
}

/// How long to wait before the next try.
struct Retries {
    rules: Recoverable,
    made: u64,
    pause: u64,
}

impl Retries {
    fn new(rules: Recoverable) -> Retries {
        Retries {
            rules,
            made: 0,
            pause: rules.interval,
        }
    }

    /// `None`: enough.
    fn next(&mut self) -> Option<Duration> {
        if self.rules.attempts.is_some_and(|most| self.made >= most) {
            return None;
        }
        self.made += 1;
        let pause = self.pause;
        if let Some(longest) = self.rules.throttle_to {
            if pause >= longest && self.rules.stop_at_longest && self.made > 1 {
                return None;
            }
            self.pause = (pause * 2).clamp(1, longest.max(1));
        }
        Some(Duration::from_secs(pause))
    }
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<TableName> {
        names
            .iter()
            .map(|it| TableName::new("public", it))
            .collect()
    }

    #[test]
    fn referencing_tables_go_first_and_circles_together() {
        let pair =
            |from: &str, to: &str| (TableName::new("public", from), TableName::new("public", to));
        let tables = names(&["customer", "item", "line", "order"]);
        let references = [
            pair("line", "order"),
            pair("line", "item"),
            pair("order", "customer"),
            pair("item", "item"),
            pair("elsewhere", "line"),
        ];
        assert_eq!(
            waves(tables, &references),
            [
                names(&["line"]),
                names(&["item", "order"]),
                names(&["customer"])
            ]
        );
        let circle = [pair("a", "b"), pair("b", "a")];
        assert_eq!(
            waves(names(&["a", "b", "c"]), &circle),
            [names(&["c"]), names(&["a", "b"])]
        );
    }

    #[test]
    fn retries_end_by_number_or_by_the_longest_pause() {
        let rules = Recoverable {
            attempts: Some(2),
            interval: 5,
            throttle_to: Some(1800),
            stop_at_longest: true,
        };
        let seconds = |rules| {
            let mut retries = Retries::new(rules);
            std::iter::from_fn(|| retries.next())
                .map(|it| it.as_secs())
                .take(20)
                .collect::<Vec<_>>()
        };
        assert_eq!(seconds(rules), [5, 10]);
        let for_ever = Recoverable {
            attempts: None,
            throttle_to: Some(30),
            ..rules
        };
        assert_eq!(seconds(for_ever), [5, 10, 20]);
        let steady = Recoverable {
            throttle_to: None,
            ..for_ever
        };
        assert_eq!(seconds(steady), [5; 20]);
    }
}
