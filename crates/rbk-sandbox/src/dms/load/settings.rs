//! The replication settings document, as far as a full load goes by it.
//!
//! Allowed values: the DMS user guide, "Task settings". An absent key has DMS's default.

use serde_json::{Map, Value};

/// What a load goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadSettings {
    /// `None`: a table goes to the schema of its own name.
    pub(crate) target_schema: Option<String>,
    pub(crate) lobs: LobMode,
    pub(crate) prepare: Prepare,
    /// Of tables that DMS makes itself: whether they get their primary key after their rows.
    pub(crate) key_after_load: bool,
    /// Tables at a time, 1–49
    pub(crate) subtasks: usize,
    /// Rows of a batch, at most 50 000
    pub(crate) commit_rate: usize,
    /// Where DMS's own tables go.
    pub(crate) control_schema: String,
    pub(crate) full_load_exceptions: bool,
    pub(crate) errors: ErrorBehavior,
    pub(crate) fail_on_no_tables: bool,
}

/// How LOBs travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LobMode {
    /// `SupportLobs` is false: they don't.
    Without,
    /// After their row, whole; those up to `inline` bytes with it.
    Full { inline: usize },
    /// With their row, cut to this many bytes.
    Limited { longest: usize },
}

/// `TargetTablePrepMode`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prepare {
    DoNothing,
    DropAndCreate,
    Truncate,
}

/// `ErrorBehavior`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorBehavior {
    pub(crate) data: Policy,
    pub(crate) truncation: Policy,
    pub(crate) data_escalation: Escalation,
    pub(crate) table: TablePolicy,
    /// The number of tables with errors that stops the task; `None`: any number is borne.
    pub(crate) stop_after_tables: Option<u64>,
    pub(crate) recoverable: Recoverable,
}

/// What happens to a row that can't be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    IgnoreRecord,
    LogError,
    SuspendTable,
    StopTask,
}

/// What happens to a table that can't be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TablePolicy {
    SuspendTable,
    StopTask,
}

/// When so many rows of a table were bad, the policy changes; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escalation {
    pub(crate) after: Option<u64>,
    pub(crate) policy: Policy,
}

/// How lost connections are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recoverable {
    /// `None`: for ever.
    pub(crate) attempts: Option<u64>,
    /// In seconds
    pub(crate) interval: u64,
    /// The longest interval in seconds, if the interval doubles from try to try.
    pub(crate) throttle_to: Option<u64>,
    /// Whether it is over once the longest interval is reached.
    pub(crate) stop_at_longest: bool,
}

impl LoadSettings {
    /// Reads a settings document, as it was sent or with all defaults. The error says what is wrong with it.
    pub(crate) fn parse(document: &Value) -> Result<LoadSettings, String> {
        let metadata = Section::of(document, "TargetMetadata")?;
        let full_load = Section::of(document, "FullLoadSettings")?;
        let control = Section::of(document, "ControlTablesSettings")?;
        let control_schema = match control.text("ControlSchema")? {
            Some(schema) if !schema.is_empty() => schema,
            _ => "public".to_owned(),
        };
        check_logging(document)?;
        Ok(LoadSettings {
            target_schema: metadata
                .text("TargetSchema")?
                .filter(|schema| !schema.is_empty()),
            lobs: lob_mode(&metadata)?,
            prepare: full_load.one_of(
                "TargetTablePrepMode",
                &[
                    ("DO_NOTHING", Prepare::DoNothing),
                    ("DROP_AND_CREATE", Prepare::DropAndCreate),
                    ("TRUNCATE_BEFORE_LOAD", Prepare::Truncate),
                ],
                Prepare::DropAndCreate,
            )?,
            key_after_load: full_load.flag("CreatePkAfterFullLoad", false)?,
            subtasks: full_load.count("MaxFullLoadSubTasks", 1..=49, 8)?,
            commit_rate: full_load.count("CommitRate", 1..=50_000, 10_000)?,
            control_schema,
            full_load_exceptions: control.flag("FullLoadExceptionTableEnabled", false)?,
            errors: ErrorBehavior::parse(document)?,
            fail_on_no_tables: Section::of(document, "ErrorBehavior")?
                .flag("FailOnNoTablesCaptured", true)?,
        })
    }
}

/// Exactly one mode, in kilobytes.
fn lob_mode(metadata: &Section<'_>) -> Result<LobMode, String> {
    const KILOBYTE: usize = 1024;
    // PostgreSQL has no larger values than a gigabyte; DMS only recommends less than that.
    const LARGEST: usize = 1 << 20;
    let support = metadata.flag("SupportLobs", true)?;
    let full = metadata.flag("FullLobMode", false)?;
    let limited = metadata.flag("LimitedSizeLobMode", !full)?;
    let longest = metadata.count("LobMaxSize", 0..=LARGEST, if limited { 32 } else { 0 })?;
    let inline = metadata.count("InlineLobMaxSize", 0..=102_400, 0)?;
    let chunk = metadata.count("LobChunkSize", 0..=LARGEST, 64)?;
    if !support {
        return Ok(LobMode::Without);
    }
    match (full, limited) {
        (true, true) => Err(
            "`FullLobMode` and `LimitedSizeLobMode` exclude each other: set exactly one of them"
                .to_owned(),
        ),
        (false, false) => Err(
            "`SupportLobs` needs a mode: set exactly one of `FullLobMode` and `LimitedSizeLobMode`"
                .to_owned(),
        ),
        (true, false) if chunk == 0 => {
            Err("`LobChunkSize` has to be at least 1 with `FullLobMode`".to_owned())
        }
        (true, false) => Ok(LobMode::Full {
            inline: inline * KILOBYTE,
        }),
        (false, true) if inline > 0 => {
            Err("`InlineLobMaxSize` goes with `FullLobMode` only".to_owned())
        }
        (false, true) if longest == 0 => {
            Err("`LobMaxSize` has to be at least 1 with `LimitedSizeLobMode`".to_owned())
        }
        (false, true) => Ok(LobMode::Limited {
            longest: longest * KILOBYTE,
        }),
    }
}

const POLICIES: [(&str, Policy); 4] = [
    ("IGNORE_RECORD", Policy::IgnoreRecord),
    ("LOG_ERROR", Policy::LogError),
    ("SUSPEND_TABLE", Policy::SuspendTable),
    ("STOP_TASK", Policy::StopTask),
];

impl ErrorBehavior {
    fn parse(document: &Value) -> Result<ErrorBehavior, String> {
        let errors = Section::of(document, "ErrorBehavior")?;
        let positive = |count: u64| (count > 0).then_some(count);
        let table = [
            ("SUSPEND_TABLE", TablePolicy::SuspendTable),
            ("STOP_TASK", TablePolicy::StopTask),
        ];
        errors.one_of("TableErrorEscalationPolicy", &[("STOP_TASK", ())], ())?;
        Ok(ErrorBehavior {
            data: errors.one_of("DataErrorPolicy", &POLICIES, Policy::LogError)?,
            truncation: errors.one_of("DataTruncationErrorPolicy", &POLICIES, Policy::LogError)?,
            data_escalation: Escalation {
                after: positive(errors.number("DataErrorEscalationCount", 0)?),
                policy: errors.one_of(
                    "DataErrorEscalationPolicy",
                    &[
                        ("SUSPEND_TABLE", Policy::SuspendTable),
                        ("STOP_TASK", Policy::StopTask),
                    ],
                    Policy::SuspendTable,
                )?,
            },
            table: errors.one_of("TableErrorPolicy", &table, TablePolicy::SuspendTable)?,
            stop_after_tables: positive(errors.number("TableErrorEscalationCount", 0)?),
            recoverable: Recoverable {
                attempts: match errors.integer("RecoverableErrorCount", -1)? {
                    -1 => None,
                    count => Some(u64::try_from(count).map_err(|_| {
                        "`ErrorBehavior.RecoverableErrorCount` is -1 (for ever) or a number of retries"
                            .to_owned()
                    })?),
                },
                interval: errors.number("RecoverableErrorInterval", 5)?,
                throttle_to: {
                    let longest = errors.number("RecoverableErrorThrottlingMax", 1800)?;
                    errors
                        .flag("RecoverableErrorThrottling", true)?
                        .then_some(longest)
                },
                stop_at_longest: errors
                    .flag("RecoverableErrorStopRetryAfterThrottlingMax", true)?,
            },
        })
    }
}

const LOG_COMPONENTS: [&str; 20] = [
    "TRANSFORMATION",
    "SOURCE_UNLOAD",
    "IO",
    "TARGET_LOAD",
    "PERFORMANCE",
    "SOURCE_CAPTURE",
    "SORTER",
    "REST_SERVER",
    "VALIDATOR",
    "VALIDATOR_EXT",
    "TARGET_APPLY",
    "TASK_MANAGER",
    "TABLES_MANAGER",
    "METADATA_MANAGER",
    "FILE_FACTORY",
    "COMMON",
    "ADDONS",
    "DATA_STRUCTURE",
    "COMMUNICATION",
    "FILE_TRANSFER",
];

const SEVERITIES: [&str; 6] = [
    "LOGGER_SEVERITY_ERROR",
    "LOGGER_SEVERITY_WARNING",
    "LOGGER_SEVERITY_INFO",
    "LOGGER_SEVERITY_DEFAULT",
    "LOGGER_SEVERITY_DEBUG",
    "LOGGER_SEVERITY_DETAILED_DEBUG",
];

fn check_logging(document: &Value) -> Result<(), String> {
    let logging = Section::of(document, "Logging")?;
    let enabled = logging.flag("EnableLogging", false)?;
    if logging.flag("EnableLogContext", false)? && !enabled {
        return Err("`Logging.EnableLogContext` needs `EnableLogging`".to_owned());
    }
    let Some(components) = logging.value("LogComponents") else {
        return Ok(());
    };
    let components = components
        .as_array()
        .ok_or("`Logging.LogComponents` isn't an array")?;
    for component in components {
        let text = |key| component.get(key).and_then(Value::as_str).unwrap_or("");
        let (id, severity) = (text("Id"), text("Severity"));
        if !LOG_COMPONENTS.contains(&id) {
            return Err(format!("`Logging.LogComponents` has the unknown Id `{id}`"));
        }
        if !SEVERITIES.contains(&severity) {
            return Err(format!(
                "`Logging.LogComponents` has the unknown Severity `{severity}` for `{id}`"
            ));
        }
    }
    Ok(())
}

/// A part of the document; the errors name it.
struct Section<'a> {
    name: &'static str,
    keys: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    fn of(document: &'a Value, name: &'static str) -> Result<Section<'a>, String> {
        match document.get(name) {
            None | Some(Value::Null) => Ok(Section { name, keys: None }),
            Some(Value::Object(keys)) => Ok(Section {
                name,
                keys: Some(keys),
            }),
            Some(_) => Err(format!("`{name}` isn't an object")),
        }
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.keys?.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, what: &str) -> String {
        format!("`{}.{key}` {what}", self.name)
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, String> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "is true or false")),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .map(|text| Some(text.to_owned()))
                .ok_or_else(|| self.wrong(key, "is a text")),
        }
    }

    fn integer(&self, key: &str, default: i64) -> Result<i64, String> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value
                .as_i64()
                .ok_or_else(|| self.wrong(key, "is a whole number")),
        }
    }

    fn number(&self, key: &str, default: i64) -> Result<u64, String> {
        u64::try_from(self.integer(key, default)?).map_err(|_| self.wrong(key, "can't be negative"))
    }

    fn count(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<usize>,
        default: usize,
    ) -> Result<usize, String> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.wrong(
                    key,
                    &format!(
                        "is a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                )
            })
    }

    fn one_of<T: Copy>(&self, key: &str, values: &[(&str, T)], default: T) -> Result<T, String> {
        let Some(text) = self.text(key)? else {
            return Ok(default);
        };
        let found = values.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            self.wrong(
                key,
                &format!("is `{text}`; it is one of {}", names.join(", ")),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_document_has_dms_own_defaults() {
        let settings = LoadSettings::parse(&json!({})).unwrap();
        assert_eq!(settings.lobs, LobMode::Limited { longest: 32 * 1024 });
        assert_eq!(settings.prepare, Prepare::DropAndCreate);
        assert_eq!((settings.subtasks, settings.commit_rate), (8, 10_000));
        assert_eq!(settings.control_schema, "public");
        assert_eq!(settings.errors.data, Policy::LogError);
        assert_eq!(settings.errors.table, TablePolicy::SuspendTable);
        assert_eq!(settings.errors.recoverable.attempts, None);
        assert!(settings.fail_on_no_tables);
    }

    #[test]
    fn the_seeds_document_is_read() {
        let settings = LoadSettings::parse(&json!({
            "TargetMetadata": {
                "TargetSchema": "", "SupportLobs": true, "FullLobMode": true, "LobChunkSize": 512,
                "LimitedSizeLobMode": false, "LobMaxSize": 0, "InlineLobMaxSize": 0
            },
            "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING", "CommitRate": 500 },
            "Logging": { "EnableLogging": true, "LogComponents": [
                { "Id": "SOURCE_UNLOAD", "Severity": "LOGGER_SEVERITY_DEBUG" }
            ] },
            "ControlTablesSettings": { "ControlSchema": "rbk" },
            "ErrorBehavior": { "DataErrorPolicy": "STOP_TASK", "RecoverableErrorCount": 3 }
        }))
        .unwrap();
        assert_eq!(settings.target_schema, None);
        assert_eq!(settings.lobs, LobMode::Full { inline: 0 });
        assert_eq!(settings.prepare, Prepare::DoNothing);
        assert_eq!(settings.commit_rate, 500);
        assert_eq!(settings.control_schema, "rbk");
        assert_eq!(settings.errors.data, Policy::StopTask);
        assert_eq!(settings.errors.recoverable.attempts, Some(3));
    }

    #[test]
    fn what_dms_refuses_is_refused() {
        for (document, words) in [
            (
                json!({ "TargetMetadata": { "FullLobMode": true, "LimitedSizeLobMode": true } }),
                "exclude each other",
            ),
            (
                json!({ "TargetMetadata": { "FullLobMode": false, "LimitedSizeLobMode": false } }),
                "needs a mode",
            ),
            (
                json!({ "TargetMetadata": { "LimitedSizeLobMode": true, "InlineLobMaxSize": 16 } }),
                "goes with `FullLobMode`",
            ),
            (
                json!({ "TargetMetadata": { "FullLobMode": true, "InlineLobMaxSize": 102_401 } }),
                "from 0 to 102400",
            ),
            (
                json!({ "FullLoadSettings": { "TargetTablePrepMode": "NOTHING" } }),
                "one of DO_NOTHING, DROP_AND_CREATE, TRUNCATE_BEFORE_LOAD",
            ),
            (
                json!({ "FullLoadSettings": { "MaxFullLoadSubTasks": 50 } }),
                "from 1 to 49",
            ),
            (
                json!({ "FullLoadSettings": { "CommitRate": 50_001 } }),
                "from 1 to 50000",
            ),
            (
                json!({ "ErrorBehavior": { "DataErrorPolicy": "STOP" } }),
                "`ErrorBehavior.DataErrorPolicy` is `STOP`",
            ),
            (
                json!({ "ErrorBehavior": { "TableErrorPolicy": "LOG_ERROR" } }),
                "one of SUSPEND_TABLE, STOP_TASK",
            ),
            (
                json!({ "ErrorBehavior": { "RecoverableErrorCount": -2 } }),
                "-1 (for ever)",
            ),
            (
                json!({ "Logging": { "LogComponents": [{ "Id": "EVERYTHING", "Severity": "LOGGER_SEVERITY_DEBUG" }] } }),
                "unknown Id `EVERYTHING`",
            ),
            (
                json!({ "Logging": { "LogComponents": [{ "Id": "IO", "Severity": "DEBUG" }] } }),
                "unknown Severity `DEBUG`",
            ),
            (json!({ "TargetMetadata": 1 }), "isn't an object"),
        ] {
            let error = LoadSettings::parse(&document).unwrap_err();
            assert!(error.contains(words), "{document}: {error}");
        }
    }
}
