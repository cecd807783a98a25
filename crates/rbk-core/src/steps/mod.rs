//! The statements of the language, one file each: how it is checked, what it needs and leaves behind, how it lowers.
//!
//! A new statement is a file here, a line in the list below and a line in [`Statement::check`].

use crate::check::{Block, Checker};
use crate::lower::Lowering;
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use replicate::Said;

pub(crate) use replicate::clean_up;

/// What every statement says of itself.
pub(crate) trait Meaning {
    /// Pre-state and post-state: reports what is missing, then changes the state.
    fn flow(&self, flow: &mut Flow<'_>, span: Span);

    /// The actions that it is made of.
    fn lower(&self, lowering: &mut Lowering<'_>);
}

macro_rules! statements {
    ($($module:ident::$name:ident),* $(,)?) => {
        $(mod $module;)*
        $(pub(crate) use $module::$name;)*

        /// A checked statement.
        #[derive(Debug, Clone)]
        pub(crate) enum Statement {
            $($name($name),)*
        }

        impl Statement {
            /// See [`Meaning::flow`].
            pub(crate) fn flow(&self, flow: &mut Flow<'_>, span: Span) {
                match self {
                    $(Statement::$name(statement) => statement.flow(flow, span),)*
                }
            }

            /// See [`Meaning::lower`].
            pub(crate) fn lower(&self, lowering: &mut Lowering<'_>) {
                match self {
                    $(Statement::$name(statement) => statement.lower(lowering),)*
                }
            }
        }
    };
}

statements! {
    restore::Restore,
    restore_as_of::RestoreAsOf,
    snapshot::TakeSnapshot,
    set_credentials::SetCredentials,
    switch_secret::SwitchSecret,
    freeze_writes::FreezeWrites,
    thaw_writes::ThawWrites,
    keep::Keep,
    keep_frozen::KeepFrozen,
    destroy::Destroy,
    wait::Await,
    assertion::Assert,
    approve::Approve,
    note::Note,
    observe::Observe,
    recreate_schema::RecreateSchema,
    migrate::Migrate,
    drop_indexes::DropIndexes,
    restore_indexes::RestoreIndexes,
    alter_columns::AlterColumns,
    restore_column_types::RestoreColumnTypes,
    relax_not_null::RelaxNotNull,
    restore_not_null::RestoreNotNull,
    replicate::Replicate,
    sync_sequences::SyncSequences,
    validate_constraints::ValidateConstraints,
    analyze::Analyze,
    sql::Sql,
    run_command::RunCommand,
    branch::Branch,
}

impl Statement {
    /// The blocks that stand in it.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        let branch = match self {
            Statement::Branch(branch) => Some(branch),
            _ => None,
        };
        branch.into_iter().flat_map(Branch::blocks)
    }

    /// Resolves names and types. `None` where something was wrong; it has been reported.
    pub(crate) fn check(
        statement: &ast::Statement,
        checker: &mut Checker<'_>,
    ) -> Option<Statement> {
        use ast::StatementKind as K;
        match &statement.kind {
            K::Restore { database, from } => {
                Restore::check(database, from, checker).map(Statement::Restore)
            }
            K::RestoreAsOf {
                database,
                source,
                at,
            } => RestoreAsOf::check(database, source, at, checker).map(Statement::RestoreAsOf),
            K::Snapshot { database, id } => {
                TakeSnapshot::check(None, database, id.as_ref(), checker)
                    .map(Statement::TakeSnapshot)
            }
            K::SetCredentials { database } => {
                SetCredentials::check(database, checker).map(Statement::SetCredentials)
            }
            K::SwitchSecret {
                application,
                database,
                accepting_loss,
            } => SwitchSecret::check(application, database, accepting_loss.is_some(), checker)
                .map(Statement::SwitchSecret),
            K::FreezeWrites {
                database,
                if_reachable,
            } => FreezeWrites::check(database, if_reachable.is_some(), checker)
                .map(Statement::FreezeWrites),
            K::ThawWrites {
                database,
                if_reachable,
            } => ThawWrites::check(database, if_reachable.is_some(), checker)
                .map(Statement::ThawWrites),
            K::Keep { database, because } => {
                Keep::check(database, because, checker).map(Statement::Keep)
            }
            K::Await {
                condition,
                within,
                every,
            } => Await::check(condition, within, every.as_ref(), checker).map(Statement::Await),
            K::Assert {
                condition,
                otherwise,
            } => Assert::check(condition, otherwise.as_ref(), checker).map(Statement::Assert),
            K::Approve { prompt } => Some(Statement::Approve(Approve::check(prompt, checker))),
            K::Note { text } => Some(Statement::Note(Note::check(text, checker))),
            K::Let { name, value } => Observe::check(name, value, checker).map(Statement::Observe),
            K::RecreateSchema { schema } => {
                RecreateSchema::check(schema, checker).map(Statement::RecreateSchema)
            }
            K::Migrate { database } => {
                Migrate::check(database, statement.span, checker).map(Statement::Migrate)
            }
            K::DropIndex { index } => {
                DropIndexes::check_one(index, checker).map(Statement::DropIndexes)
            }
            K::DropIndexes { on } => {
                DropIndexes::check(on, statement.span, checker).map(Statement::DropIndexes)
            }
            K::RestoreIndexes { on } => {
                RestoreIndexes::check(on, statement.span, checker).map(Statement::RestoreIndexes)
            }
            K::AlterColumn { column, to, using } => {
                AlterColumns::check_one(column, to, using.as_ref(), checker)
                    .map(Statement::AlterColumns)
            }
            K::AlterColumns { of, schema, to } => {
                AlterColumns::check(of, schema, to, checker).map(Statement::AlterColumns)
            }
            K::RestoreColumnTypes { schema } => {
                RestoreColumnTypes::check(schema, checker).map(Statement::RestoreColumnTypes)
            }
            K::RelaxNotNull { on } => RelaxNotNull::check(on, checker).map(Statement::RelaxNotNull),
            K::RestoreNotNull { on } => {
                RestoreNotNull::check(on, checker).map(Statement::RestoreNotNull)
            }
            K::Replicate {
                from,
                to,
                with,
                options,
            } => {
                let said = Said {
                    name: None,
                    from,
                    to,
                    with,
                    options,
                    span: statement.span,
                };
                Replicate::check(said, checker).map(Statement::Replicate)
            }
            K::Named { name, statement } => match &statement.kind {
                K::Snapshot { database, id } => {
                    TakeSnapshot::check(Some(name), database, id.as_ref(), checker)
                        .map(Statement::TakeSnapshot)
                }
                _ => replicate::check_named(name, statement, checker).map(Statement::Replicate),
            },
            K::Destroy { database, how } => {
                Destroy::check(database, how, statement.span, checker).map(Statement::Destroy)
            }
            K::KeepFrozen { database, because } => {
                KeepFrozen::check(database, because, checker).map(Statement::KeepFrozen)
            }
            K::SyncSequences { of, from } => {
                SyncSequences::check(of, from, checker).map(Statement::SyncSequences)
            }
            K::ValidateConstraints { of } => {
                ValidateConstraints::check(of, checker).map(Statement::ValidateConstraints)
            }
            K::Analyze { database } => Analyze::check(database, checker).map(Statement::Analyze),
            K::Sql { database, sql } => Sql::check(database, sql, checker).map(Statement::Sql),
            K::RunCommand { command, options } => {
                RunCommand::check(command, options, statement.span, checker)
                    .map(Statement::RunCommand)
            }
            // The statements of a procedure take the place of its `do` before this is asked; the blocks of `if` are
            // checked where those of steps are.
            K::Do { .. } | K::If { .. } | K::Error => {
                checker.unreadable();
                None
            }
        }
    }
}
