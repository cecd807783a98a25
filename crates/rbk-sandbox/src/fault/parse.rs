//! The textual form of faults: `OPERATION:CALLS[:MOMENT]:KIND`.

use std::{str::FromStr, time::Duration};

use super::{
    Calls, Fault, FaultKind, Moment, OperationFault, Rejection, ReplicationPhase, TerminalState,
};
use crate::operations;

const KINDS: &str = "throttle, 500, 503, cut, denied, expired, no-capacity, delay=DURATION, hold[=NAME], stale, flap, ends=STATE; for StartReplication fails=PHASE, fails=PHASE(MESSAGE), suspends=SCHEMA.TABLE, loses=SCHEMA.TABLE, deprovisions";

/// Why a fault's text can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// Too few or too many parts.
    #[error(
        "`{0}` isn't a fault; write OPERATION:CALLS[:before|after|during]:KIND, as in `DescribeDBInstances:1-2:throttle`, or key=ACCESSKEY:expired|denied"
    )]
    Form(String),
    /// No such operation.
    #[error("the sandbox has no operation `{name}`{hint}")]
    Operation {
        /// What was written.
        name: String,
        /// A similar one, as a clause.
        hint: String,
    },
    /// Not a number, a range or `*`.
    #[error(
        "`{0}` doesn't say which calls; write `2` for the second, `1-3` for the first three, `*` for each"
    )]
    Calls(String),
    /// No such moment.
    #[error("`{0}` isn't a moment; write `before`, `after` or `during`")]
    Moment(String),
    /// No such kind.
    #[error("`{0}` isn't a kind of fault; the kinds are {KINDS}")]
    Kind(String),
    /// The kind can't happen at that moment.
    #[error("`{kind}` can't happen `{moment}`; {mend}")]
    Mismatch {
        /// The kind.
        kind: String,
        /// The moment.
        moment: &'static str,
        /// What can be written instead.
        mend: &'static str,
    },
    /// The kind never strikes that operation.
    #[error("`{kind}` can't strike `{operation}`; it is for {mend}")]
    Pointless {
        /// The kind or moment.
        kind: String,
        /// The operation.
        operation: String,
        /// The operations that it is for.
        mend: &'static str,
    },
    /// Not a duration.
    #[error("`{0}` isn't a duration; write `250ms` or `2s`")]
    Duration(String),
    /// Not a terminal state.
    #[error("`{name}` isn't a state in which a restore ends badly; they are {states}", states = states())]
    State {
        /// What was written.
        name: String,
    },
    /// Not a phase of a replication.
    #[error("`{name}` isn't a phase of a replication; they are {phases}", phases = phases())]
    Phase {
        /// What was written.
        name: String,
    },
    /// Not a table's name.
    #[error("`{0}` isn't a table; write `SCHEMA.TABLE`")]
    Table(String),
}

fn phases() -> String {
    ReplicationPhase::ALL
        .map(ReplicationPhase::status)
        .join(", ")
}

fn states() -> String {
    TerminalState::ALL.map(TerminalState::status).join(", ")
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let text = text.trim();
        if let Some(key) = text.strip_prefix("key=") {
            let (id, rejection) = match key.split_once(':') {
                Some((id, "expired")) => (id, Rejection::Expired),
                Some((id, "denied")) => (id, Rejection::Denied),
                _ => return Err(FaultError::Form(text.to_owned())),
            };
            return Ok(Fault::AccessKey {
                id: id.to_owned(),
                rejection,
            });
        }
        let (operation, calls, moment, kind) =
            parts(text).ok_or_else(|| FaultError::Form(text.to_owned()))?;
        let kind = parse_kind(kind, operation)?;
        let moment = match moment {
            Some(moment) => parse_moment(moment)?,
            None => usual_moment(&kind, operation),
        };
        let fault = OperationFault {
            operation: parse_operation(operation)?,
            calls: parse_calls(calls)?,
            moment,
            kind,
        };
        fault.check()?;
        Ok(Fault::Operation(fault))
    }
}

/// Operation, calls, moment if there is one, and kind. Only a message, in parentheses, may have colons.
fn parts(text: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let form = text.split_once('(').map_or(text, |(form, _)| form);
    let parts: Vec<&str> = form.split(':').collect();
    let (operation, calls, moment, kind) = match parts.as_slice() {
        [operation, calls, kind] => (*operation, *calls, None, *kind),
        [operation, calls, moment, kind] => (*operation, *calls, Some(*moment), *kind),
        _ => return None,
    };
    let start = form.len() - kind.len();
    Some((operation, calls, moment, text.get(start..)?))
}

impl OperationFault {
    /// Refuses combinations that could never strike.
    pub(crate) fn check(&self) -> Result<(), FaultError> {
        parse_operation(&self.operation)?;
        self.check_operation()?;
        let only_during = is_only_during(&self.kind)
            || (self.kind == FaultKind::InsufficientCapacity && self.operation == START);
        let also_during = matches!(self.kind, FaultKind::Hold(_) | FaultKind::Delay(_));
        let (moment, mend) = match self.moment {
            Moment::Before if only_during => ("before", "leave the moment out"),
            Moment::After if only_during => ("after", "leave the moment out"),
            Moment::After if self.kind == FaultKind::StaleRead => ("after", "leave the moment out"),
            Moment::During if !only_during && !also_during => {
                ("during", "write `before` or `after`")
            }
            _ => return Ok(()),
        };
        Err(FaultError::Mismatch {
            kind: self.kind.to_string(),
            moment,
            mend,
        })
    }
}

impl OperationFault {
    /// A fault that never strikes would make a test pass that tests nothing.
    fn check_operation(&self) -> Result<(), FaultError> {
        const RESTORES: [&str; 2] = [
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceToPointInTime",
        ];
        let operation = self.operation.as_str();
        let reads = ["Describe", "List", "Get"];
        let (strikes, mend) = match &self.kind {
            FaultKind::EndsAs(_) => (
                RESTORES.contains(&operation) || operation == "CreateDBSnapshot",
                "RestoreDBInstanceFromDBSnapshot, RestoreDBInstanceToPointInTime and CreateDBSnapshot",
            ),
            FaultKind::Flap => (
                RESTORES.contains(&operation),
                "RestoreDBInstanceFromDBSnapshot and RestoreDBInstanceToPointInTime",
            ),
            FaultKind::InsufficientCapacity => (
                RESTORES.contains(&operation) || operation == START,
                "RestoreDBInstanceFromDBSnapshot, RestoreDBInstanceToPointInTime and StartReplication",
            ),
            FaultKind::FailsIn { .. }
            | FaultKind::SuspendsTable { .. }
            | FaultKind::LosesTable { .. }
            | FaultKind::Deprovisions => (operation == START, START),
            FaultKind::StaleRead => (
                reads.iter().any(|prefix| operation.starts_with(prefix)),
                "operations that read",
            ),
            _ if self.moment == Moment::During => (
                operations::goes_on(operation),
                "operations whose work goes on after the answer",
            ),
            _ => return Ok(()),
        };
        if strikes {
            return Ok(());
        }
        Err(FaultError::Pointless {
            kind: match self.moment {
                Moment::During => format!("during:{}", self.kind),
                _ => self.kind.to_string(),
            },
            operation: self.operation.clone(),
            mend,
        })
    }
}

/// The operation that moves rows in the end.
const START: &str = "StartReplication";

fn is_only_during(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::EndsAs(_)
            | FaultKind::Flap
            | FaultKind::FailsIn { .. }
            | FaultKind::SuspendsTable { .. }
            | FaultKind::LosesTable { .. }
            | FaultKind::Deprovisions
    )
}

fn usual_moment(kind: &FaultKind, operation: &str) -> Moment {
    match kind {
        FaultKind::InsufficientCapacity if operation == START => Moment::During,
        kind if is_only_during(kind) => Moment::During,
        _ => Moment::Before,
    }
}

fn parse_operation(name: &str) -> Result<String, FaultError> {
    if name == "*" || operations::is_known(name) {
        return Ok(name.to_owned());
    }
    let hint = operations::similar(name)
        .map(|similar| format!("; did you mean `{similar}`?"))
        .unwrap_or_default();
    Err(FaultError::Operation {
        name: name.to_owned(),
        hint,
    })
}

fn parse_calls(text: &str) -> Result<Calls, FaultError> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    let calls = match text.split_once('-') {
        _ if text == "*" => Some(Calls::Every),
        None => number(text).map(Calls::nth),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(Calls::Range { first, last }),
            _ => None,
        },
    };
    calls.ok_or_else(|| FaultError::Calls(text.to_owned()))
}

fn parse_moment(text: &str) -> Result<Moment, FaultError> {
    match text {
        "before" => Ok(Moment::Before),
        "after" => Ok(Moment::After),
        "during" => Ok(Moment::During),
        _ => Err(FaultError::Moment(text.to_owned())),
    }
}

fn parse_kind(text: &str, operation: &str) -> Result<FaultKind, FaultError> {
    let (word, value) = match text.split_once('=') {
        Some((word, value)) => (word, Some(value)),
        None => (text, None),
    };
    Ok(match (word, value) {
        ("throttle", None) => FaultKind::Throttle,
        ("500", None) => FaultKind::InternalFailure,
        ("503", None) => FaultKind::ServiceUnavailable,
        ("cut", None) => FaultKind::Cut,
        ("denied", None) => FaultKind::AccessDenied,
        ("expired", None) => FaultKind::ExpiredToken,
        ("no-capacity", None) => FaultKind::InsufficientCapacity,
        ("stale", None) => FaultKind::StaleRead,
        ("flap", None) => FaultKind::Flap,
        ("hold", None) => FaultKind::Hold(operation.to_owned()),
        ("hold", Some(name)) if !name.is_empty() => FaultKind::Hold(name.to_owned()),
        ("delay", Some(time)) => FaultKind::Delay(parse_duration(time)?),
        ("ends", Some(name)) => FaultKind::EndsAs(parse_state(name)?),
        ("fails", Some(phase)) => parse_failure(phase)?,
        ("suspends", Some(name)) => {
            let (schema, table) = parse_table(name)?;
            FaultKind::SuspendsTable { schema, table }
        }
        ("loses", Some(name)) => {
            let (schema, table) = parse_table(name)?;
            FaultKind::LosesTable { schema, table }
        }
        ("deprovisions", None) => FaultKind::Deprovisions,
        _ => return Err(FaultError::Kind(text.to_owned())),
    })
}

fn parse_failure(text: &str) -> Result<FaultKind, FaultError> {
    let (name, message) = match text.split_once('(') {
        Some((name, rest)) => {
            let message = rest.strip_suffix(')').filter(|message| !message.is_empty());
            let message = message.ok_or_else(|| FaultError::Kind(format!("fails={text}")))?;
            (name, Some(message.to_owned()))
        }
        None => (text, None),
    };
    let phase = ReplicationPhase::of(name).ok_or_else(|| FaultError::Phase {
        name: name.to_owned(),
    })?;
    Ok(FaultKind::FailsIn { phase, message })
}

fn parse_table(text: &str) -> Result<(String, String), FaultError> {
    match text.split_once('.') {
        Some((schema, table)) if !schema.is_empty() && !table.is_empty() => {
            Ok((schema.to_owned(), table.to_owned()))
        }
        _ => Err(FaultError::Table(text.to_owned())),
    }
}

fn parse_duration(text: &str) -> Result<Duration, FaultError> {
    let fail = || FaultError::Duration(text.to_owned());
    if let Some(number) = text.strip_suffix("ms") {
        return number
            .parse()
            .map(Duration::from_millis)
            .map_err(|_| fail());
    }
    let number = text.strip_suffix('s').ok_or_else(fail)?;
    number.parse().map(Duration::from_secs).map_err(|_| fail())
}

fn parse_state(name: &str) -> Result<TerminalState, FaultError> {
    TerminalState::ALL
        .into_iter()
        .find(|state| state.status() == name)
        .ok_or_else(|| FaultError::State {
            name: name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_it_was_written() {
        for text in [
            "RestoreDBInstanceFromDBSnapshot:1:after:cut",
            "DescribeDBInstances:1-3:throttle",
            "DescribeDBInstances:*:stale",
            "*:2:503",
            "ModifyDBInstance:1:hold=password",
            "RestoreDBInstanceFromDBSnapshot:1:during:ends=incompatible-restore",
            "RestoreDBInstanceFromDBSnapshot:*:during:flap",
            "GetSecretValue:1:delay=250ms",
            "StartReplication:1:during:fails=running(Last Error: table public.a (b) failed)",
            "StartReplication:1:during:fails=testing_connection",
            "StartReplication:2:during:suspends=public.order_line",
            "StartReplication:*:during:loses=public.item",
            "StartReplication:1:during:deprovisions",
            "StartReplication:1:during:no-capacity",
            "StartReplication:1:during:hold=fetching_metadata",
            "RestoreDBInstanceFromDBSnapshot:1:no-capacity",
            "key=AKIAEXAMPLE:expired",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        let message = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        assert!(
            message("DescribeDBInstance:1:cut").contains("did you mean `DescribeDBInstances`?")
        );
        assert!(message("DescribeDBInstances:0:cut").contains("which calls"));
        assert!(message("DescribeDBInstances:3-1:cut").contains("which calls"));
        assert!(message("DescribeDBInstances:1:later:cut").contains("isn't a moment"));
        assert!(message("DescribeDBInstances:1:explode").contains("kinds are throttle"));
        assert!(message("DescribeDBInstances:1:delay=soon").contains("isn't a duration"));
        assert!(
            message("RestoreDBInstanceFromDBSnapshot:1:ends=sad").contains("incompatible-restore")
        );
        assert!(message("RestoreDBInstanceFromDBSnapshot:1:during:cut").contains("can't happen"));
        assert!(message("DeleteDBInstance:1:stale").contains("operations that read"));
        assert!(message("ModifyDBInstance:1:ends=failed").contains("CreateDBSnapshot"));
        assert!(message("DescribeDBInstances:1:during:hold").contains("goes on"));
        assert!(message("StartReplication:1:fails=soon").contains("replication_starting"));
        assert!(message("StartReplication:1:fails=running(").contains("kinds are"));
        assert!(message("StartReplication:1:loses=item").contains("SCHEMA.TABLE"));
        assert!(message("StopReplication:1:deprovisions").contains("for StartReplication"));
        assert!(message("StartReplication:1:before:no-capacity").contains("can't happen"));
        assert!(message("cut").contains("OPERATION:CALLS"));
        assert!(message("key=AKIA").contains("key=ACCESSKEY"));
    }
}
