//! What can be wrong with a text, before it means anything.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::span::Span;
use thiserror::Error;

/// A mistake of syntax: the message, and code, label and help that belong to it.
#[expect(missing_docs, reason = "the messages say what each is about")]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SyntaxError {
    #[error("expected {expected}, found {found}")]
    Unexpected {
        expected: String,
        found: String,
        help: Option<String>,
    },
    #[error("the file does not say what it is called")]
    MissingTitle { has_only_procedures: bool },
    #[error("`{word}` begins no statement")]
    UnknownStatement {
        word: String,
        similar: Option<&'static str>,
    },
    #[error("`{word}` begins no item of a runbook")]
    UnknownItem {
        word: String,
        similar: Option<&'static str>,
    },
    #[error("`{what}` does not stand here")]
    Misplaced { what: String, help: &'static str },
    #[error("this block is never closed")]
    UnclosedBlock,
    #[error("`}}` closes nothing")]
    StrayBrace,
    #[error("`{open}` is never closed")]
    UnclosedParenthesis { open: char, close: char },
    #[error("the text has no closing quotes")]
    UnterminatedText { long: bool },
    #[error("`{{` in a text is never closed")]
    UnclosedInterpolation,
    #[error("a `}}` on its own in a text")]
    StrayBraceInText,
    #[error("`{escape}` is not an escape")]
    UnknownEscape { escape: String },
    #[error("a text stands in double quotes")]
    WrongQuotes { single: bool },
    #[error("unknown unit `{unit}` in `{written}`")]
    UnknownUnit {
        written: String,
        unit: String,
        better: Option<String>,
    },
    #[error("`{written}` is not a number of the language")]
    MalformedNumber {
        written: String,
        reason: &'static str,
        help: &'static str,
    },
    #[error("the time `{written}` has no offset")]
    TimeWithoutOffset { written: String },
    #[error("`{written}` is not a point in time")]
    MalformedTime { written: String, reason: String },
    #[error("`{written}` is not an operator")]
    MistakenOperator {
        written: String,
        meant: &'static str,
    },
    #[error("comparisons do not chain")]
    ChainedComparison,
    #[error("`await` has no deadline")]
    AwaitWithoutDeadline,
    #[error("no text after `{keyword}`")]
    MissingText { keyword: &'static str },
    #[error("`keep` gives no reason")]
    KeepWithoutReason,
    #[error("`destroy` doesn't say what becomes of the data of `{database}`")]
    DestroyWithoutEnd { database: String },
    #[error("`else` without an `if` before it")]
    ElseWithoutIf,
    #[error("a snapshot can't be restored as of another time")]
    SnapshotAsOf,
    #[error("`{name}` is not a name")]
    HyphenatedName { name: String },
    #[error("`{name}` has letters that no name has")]
    ForeignName { name: String },
    #[error("`{name}` is a word of the language")]
    ReservedName { name: String },
    #[error("a {what} is fixed text")]
    InterpolatedTitle { what: &'static str },
    #[error("nested more than {} levels deep", super::scan::MAX_DEPTH)]
    TooDeep,
    #[error(
        "blocks of `if` stand in each other more than {} deep",
        super::scan::MAX_DEPTH
    )]
    BlocksTooDeep,
    #[error("{what} is too long")]
    TooLong {
        what: &'static str,
        help: &'static str,
    },
    #[error("the file is larger than {} MiB", super::MAX_TEXT / (1024 * 1024))]
    TooLarge,
    #[error("the file holds {what}")]
    ControlCharacter { what: String, more: usize },
    #[error("the query does not say what type its value has")]
    QueryWithoutType,
    #[error("`{what}` is said twice")]
    Duplicate { what: &'static str },
    #[error("the option `{option}` is said twice")]
    DuplicateOption { option: String },
    #[error("{more} more errors are not shown")]
    TooManyErrors { more: usize },
}

/// The codes of this pass, each with its title.
pub const CODES: &[(Code, &str)] = &[
    (Code("RBK0001"), "Something else was expected"),
    (Code("RBK0002"), "A runbook without a title"),
    (Code("RBK0003"), "Unknown statement"),
    (Code("RBK0004"), "Unknown item"),
    (Code("RBK0005"), "In the wrong place"),
    (Code("RBK0006"), "A block that is never closed"),
    (Code("RBK0007"), "A brace that closes nothing"),
    (Code("RBK0008"), "A parenthesis that is never closed"),
    (Code("RBK0009"), "A text without closing quotes"),
    (Code("RBK0010"), "An interpolation that is never closed"),
    (Code("RBK0011"), "A closing brace on its own in a text"),
    (Code("RBK0012"), "Unknown escape"),
    (Code("RBK0013"), "The wrong quotes"),
    (Code("RBK0014"), "Unknown unit"),
    (Code("RBK0015"), "Malformed number"),
    (Code("RBK0016"), "A time without an offset"),
    (Code("RBK0017"), "Malformed time"),
    (Code("RBK0018"), "An operator of another language"),
    (Code("RBK0019"), "Chained comparison"),
    (Code("RBK0020"), "`await` without a deadline"),
    (Code("RBK0021"), "A missing text"),
    (Code("RBK0022"), "`keep` without a reason"),
    (Code("RBK0023"), "A hyphen in a name"),
    (Code("RBK0024"), "A reserved name"),
    (Code("RBK0025"), "A title, label or file that is not fixed"),
    (Code("RBK0026"), "Nested too deeply"),
    (Code("RBK0027"), "Too long"),
    (Code("RBK0028"), "File too large"),
    (
        Code("RBK0029"),
        "Characters that don't belong in a text file",
    ),
    (Code("RBK0030"), "Not UTF-8"),
    (Code("RBK0031"), "`query` without a type"),
    (Code("RBK0032"), "Said twice"),
    (Code("RBK0033"), "More errors than are shown"),
    (Code("RBK0034"), "Letters that no name has"),
    (Code("RBK0035"), "`destroy` without a word about the data"),
    (Code("RBK0036"), "`else` without an `if`"),
    (Code("RBK0037"), "A snapshot restored as of another time"),
];

impl SyntaxError {
    /// Its number.
    pub fn code(&self) -> Code {
        Code(match self {
            Self::Unexpected { .. } => "RBK0001",
            Self::MissingTitle { .. } => "RBK0002",
            Self::UnknownStatement { .. } => "RBK0003",
            Self::UnknownItem { .. } => "RBK0004",
            Self::Misplaced { .. } => "RBK0005",
            Self::UnclosedBlock => "RBK0006",
            Self::StrayBrace => "RBK0007",
            Self::UnclosedParenthesis { .. } => "RBK0008",
            Self::UnterminatedText { .. } => "RBK0009",
            Self::UnclosedInterpolation => "RBK0010",
            Self::StrayBraceInText => "RBK0011",
            Self::UnknownEscape { .. } => "RBK0012",
            Self::WrongQuotes { .. } => "RBK0013",
            Self::UnknownUnit { .. } => "RBK0014",
            Self::MalformedNumber { .. } => "RBK0015",
            Self::TimeWithoutOffset { .. } => "RBK0016",
            Self::MalformedTime { .. } => "RBK0017",
            Self::MistakenOperator { .. } => "RBK0018",
            Self::ChainedComparison => "RBK0019",
            Self::AwaitWithoutDeadline => "RBK0020",
            Self::MissingText { .. } => "RBK0021",
            Self::KeepWithoutReason => "RBK0022",
            Self::HyphenatedName { .. } => "RBK0023",
            Self::ReservedName { .. } => "RBK0024",
            Self::InterpolatedTitle { .. } => "RBK0025",
            Self::TooDeep | Self::BlocksTooDeep => "RBK0026",
            Self::TooLong { .. } => "RBK0027",
            Self::TooLarge => "RBK0028",
            Self::ControlCharacter { .. } => "RBK0029",
            Self::QueryWithoutType => "RBK0031",
            Self::Duplicate { .. } | Self::DuplicateOption { .. } => "RBK0032",
            Self::TooManyErrors { .. } => "RBK0033",
            Self::ForeignName { .. } => "RBK0034",
            Self::DestroyWithoutEnd { .. } => "RBK0035",
            Self::ElseWithoutIf => "RBK0036",
            Self::SnapshotAsOf => "RBK0037",
        })
    }

    /// What stands under the place, a few words.
    pub fn label(&self) -> String {
        match self {
            Self::Unexpected { expected, .. } => format!("expected {expected}"),
            Self::MissingTitle { .. } => "the title belongs here".into(),
            Self::UnknownStatement {
                similar: Some(similar),
                ..
            }
            | Self::UnknownItem {
                similar: Some(similar),
                ..
            } => {
                format!("did you mean `{similar}`?")
            }
            Self::UnknownStatement { .. } => "no such statement".into(),
            Self::UnknownItem { .. } => "no such item".into(),
            Self::Misplaced { .. } => "not here".into(),
            Self::UnclosedBlock
            | Self::UnclosedParenthesis { .. }
            | Self::UnclosedInterpolation => "opened here".into(),
            Self::StrayBrace => "nothing is open here".into(),
            Self::UnterminatedText { .. } => "begins here".into(),
            Self::StrayBraceInText => "closes nothing".into(),
            Self::UnknownEscape { .. } => "unknown escape".into(),
            Self::WrongQuotes { single: true } => "single quotes".into(),
            Self::WrongQuotes { single: false } => "typographic quotes".into(),
            Self::UnknownUnit {
                better: Some(better),
                ..
            } => format!("did you mean `{better}`?"),
            Self::UnknownUnit { .. } => "unknown unit".into(),
            Self::MalformedNumber { reason, .. } => (*reason).into(),
            Self::TimeWithoutOffset { .. } => "in which time zone?".into(),
            Self::MalformedTime { reason, .. } => reason.clone(),
            Self::MistakenOperator { meant, .. } => format!("did you mean `{meant}`?"),
            Self::ChainedComparison => "a second comparison".into(),
            Self::AwaitWithoutDeadline => "for how long?".into(),
            Self::MissingText { .. } => "a text belongs here".into(),
            Self::KeepWithoutReason => "why does it stay?".into(),
            Self::DestroyWithoutEnd { .. } => "a final snapshot, or none?".into(),
            Self::ElseWithoutIf => "no `if` ends before it".into(),
            Self::SnapshotAsOf => "not of a snapshot".into(),
            Self::HyphenatedName { .. } => "`-` subtracts".into(),
            Self::ForeignName { .. } => "not a name".into(),
            Self::ReservedName { .. } => "not free for a name".into(),
            Self::InterpolatedTitle { .. } => "holds `{…}`".into(),
            Self::TooDeep | Self::BlocksTooDeep => "one level too many".into(),
            Self::TooLong { .. } => "begins here".into(),
            Self::TooLarge => "the last byte that is still allowed".into(),
            Self::ControlCharacter { .. } => "here".into(),
            Self::QueryWithoutType => "`as TYPE` belongs here".into(),
            Self::Duplicate { .. } | Self::DuplicateOption { .. } => "the second time".into(),
            Self::TooManyErrors { .. } => "the last one that is shown".into(),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unexpected { help, .. } => return help.clone(),
            Self::MissingTitle {
                has_only_procedures: true,
            } => {
                "a file of procedures is read with the runbook that uses it: name that one; or begin with a line like `runbook \"…\"`"
            }
            Self::MissingTitle { .. } => "begin with a line like `runbook \"Quick recovery\"`",
            Self::UnknownStatement { similar: None, .. } => {
                "statements begin with `if`, `snapshot`, `restore`, `set`, `switch`, `freeze`, `thaw`, `keep`, `destroy`, `await`, `assert`, `approve`, \
                 `note`, `let`, \
                 `recreate`, `migrate`, `drop`, `alter`, `relax`, `sync`, `validate`, `analyze`, `sql`, `replicate`, `run` or `do`"
            }
            Self::UnknownItem { similar: None, .. } => {
                "a runbook is made of `use`, `param`, `let`, `require`, `procedure …(…) { … }`, `step \"…\" { … }`, \
                 `parallel { … }` and `on failure { … }`"
            }
            Self::UnknownStatement { .. } | Self::UnknownItem { .. } => return None,
            Self::Misplaced { help, .. } => help,
            Self::UnclosedBlock => "close it with `}` on a line of its own",
            Self::StrayBrace => "remove it, or look for the `{` that is missing above",
            Self::UnclosedParenthesis { close, .. } => {
                return Some(format!("close it with `{close}`"));
            }
            Self::UnterminatedText { long: false } => {
                "a text ends on its line: close it with `\"`, or use `\"\"\"` for many lines"
            }
            Self::UnterminatedText { long: true } => "close it with `\"\"\"`",
            Self::UnclosedInterpolation => {
                "close it with `}` on the same line, or write `\\{` for the character"
            }
            Self::StrayBraceInText => "write `\\}` for the character",
            Self::UnknownEscape { .. } => {
                "the escapes are `\\n`, `\\t`, `\\\"`, `\\\\`, `\\{` and `\\}`"
            }
            Self::WrongQuotes { .. } => "write \"…\"",
            Self::UnknownUnit { .. } => {
                "durations are written with `s`, `m`, `h` and `d`, sizes with `kb`, `mb`, `gb` and `tb`: `1h30m`, `512mb`"
            }
            Self::MalformedNumber { help, .. } => help,
            Self::TimeWithoutOffset { written } => {
                return Some(format!(
                    "say `{written}Z` for UTC, or the offset from it: `{written}+01:00`; on a bad night nobody should have to guess"
                ));
            }
            Self::MalformedTime { .. } => "write it as `2026-11-22T09:15:00Z`",
            Self::MistakenOperator { meant, .. } => return Some(format!("write `{meant}`")),
            Self::ChainedComparison => "say it in two: `a < b and b < c`",
            Self::AwaitWithoutDeadline => {
                "nothing waits forever: add `within 10m`, and what you expect at most instead of `10m`"
            }
            Self::MissingText { keyword } => return Some(format!("write `{keyword} \"…\"`")),
            Self::KeepWithoutReason => "the report shows the reason: add `because \"…\"`",
            Self::DestroyWithoutEnd { .. } => {
                "say it: `by its removal policy` (the environment's), `with final snapshot` or `without final snapshot`"
            }
            Self::ElseWithoutIf => {
                "`else` stands behind the `}` of an `if`: `if … { … } else { … }`; to say why a condition must hold, write `assert … else \"…\"`"
            }
            Self::SnapshotAsOf => {
                "name the database whose past is wanted: `restore target from source as of …`; or leave out `as of …`"
            }
            Self::HyphenatedName { .. } => {
                "names are letters, digits and `_`; to subtract, put blanks around `-`"
            }
            Self::ForeignName { .. } => "names are made of the letters `a` to `z`, digits and `_`",
            Self::ReservedName { .. } => "choose another name",
            Self::InterpolatedTitle { what: "file" } => {
                "which files are read is seen without running anything: write it out, or `\\{` for the character"
            }
            Self::InterpolatedTitle { what: "label" } => {
                "plans and journals tell two calls apart by their labels: write it out, or `\\{` for the character"
            }
            Self::InterpolatedTitle { .. } => {
                "plans, journals and reports know a step by its title: write it out, or `\\{` for the character"
            }
            Self::TooDeep => "name a part of it with `let`",
            Self::BlocksTooDeep => {
                "put conditions together with `and`, or decide less in one place"
            }
            Self::TooLong { help, .. } => help,
            Self::TooLarge => "is this the right file?",
            Self::ControlCharacter { .. } => "what can't be seen can't be reviewed: remove it",
            Self::QueryWithoutType => {
                "say it behind the query: `query(target, \"select …\") as integer`"
            }
            Self::Duplicate { .. } | Self::DuplicateOption { .. } => "remove one of them",
            Self::TooManyErrors { .. } => "mend the ones above first",
        };
        Some(help.into())
    }

    /// The diagnostic of this mistake at a place.
    pub(super) fn at(&self, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.code(), self.to_string(), span, self.label());
        let diagnostic = Diagnostic {
            help: self.help(),
            ..diagnostic
        };
        debug_assert_eq!(diagnostic.severity, Severity::Error);
        diagnostic
    }
}

/// A byte sequence that is not UTF-8, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not UTF-8 at line {line}, column {column} (byte {offset})")]
pub struct DecodeError {
    /// One-based.
    pub line: usize,
    /// One-based, in characters.
    pub column: usize,
    /// Zero-based, of the first byte that is wrong.
    pub offset: usize,
}

impl DecodeError {
    /// Its number.
    pub fn code(&self) -> Code {
        Code("RBK0030")
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        "save the file as UTF-8"
    }
}
