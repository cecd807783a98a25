//! The tables of a TOML document: what was asked for, what was found.

use super::error::{Insert, title};
use rbk_syntax::{SourceId, Span, Spanned};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// What a key was found to hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given<T> {
    /// The key isn't there.
    Absent,
    /// It is there, and what it holds was already complained about.
    Bad,
    /// It holds this.
    Value(Spanned<T>),
}

impl<T> Given<T> {
    /// The value with its place, if it is good.
    pub fn value(&self) -> Option<&Spanned<T>> {
        match self {
            Given::Value(value) => Some(value),
            Given::Absent | Given::Bad => None,
        }
    }

    /// The value without its place, if it is good.
    pub fn into_inner(self) -> Option<T> {
        match self {
            Given::Value(value) => Some(value.value),
            Given::Absent | Given::Bad => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Given::Absent)
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Given::Absent => Given::Absent,
            Given::Bad => Given::Bad,
            Given::Value(Spanned { value, span }) => Given::Value(Spanned {
                value: change(value),
                span,
            }),
        }
    }
}

impl<T: Clone> Given<T> {
    /// What is given here, or else there.
    pub fn or(&self, other: &Given<T>) -> Given<T> {
        if self.is_absent() {
            other.clone()
        } else {
            self.clone()
        }
    }
}

/// One `key = value`.
#[derive(Debug, Clone)]
pub(super) struct Entry<'t> {
    /// The key behind the names of its tables, for instance `databases.original.class`.
    pub path: String,
    /// The key itself and where it stands.
    pub name: Spanned<String>,
    /// Where the value stands.
    pub span: Span,
    pub value: &'t DeValue<'t>,
}

impl Entry<'_> {
    /// Whether text stands there.
    pub fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// Whether a table stands there.
    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }
}

/// A table, and which of its keys were asked for.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// Which kind of table it is, with `*` where the user chooses the name: `databases.*`.
    pub shape: &'static str,
    /// Its full name; empty for the whole file.
    pub path: String,
    /// Where its name stands.
    pub span: Span,
    /// Where a line can be added to it.
    pub insert: Option<Insert>,
    pub source: SourceId,
    pub entries: &'t DeTable<'t>,
    pub asked: BTreeSet<&'static str>,
}

impl<'t> Table<'t> {
    /// The entry of that key, which is a known one from now on.
    pub fn take(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.asked.insert(key);
        let (name, value) = self.entries.get_key_value(key)?;
        Some(self.entry(name.get_ref(), name.span(), value))
    }

    /// All entries, where the user chooses the keys.
    pub fn take_all(&self) -> Vec<Entry<'t>> {
        self.entries
            .iter()
            .map(|(name, value)| self.entry(name.get_ref(), name.span(), value))
            .collect()
    }

    /// How it is called on the screen.
    pub fn title(&self) -> String {
        title(&self.path)
    }

    fn entry(
        &self,
        name: &str,
        key: Range<usize>,
        value: &'t serde_spanned::Spanned<DeValue<'t>>,
    ) -> Entry<'t> {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        let at = value.span();
        Entry {
            path,
            name: Spanned {
                value: name.to_owned(),
                span: Span::new(self.source, key.start, key.end),
            },
            span: Span::new(self.source, at.start, at.end),
            value: value.get_ref(),
        }
    }
}

/// What is remembered of a table after its keys were read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// Its full name.
    pub path: String,
    /// Where its name stands.
    pub span: Span,
    /// Where a line can be added to it.
    pub insert: Option<Insert>,
}

impl From<&Table<'_>> for Header {
    fn from(table: &Table<'_>) -> Self {
        Self {
            path: table.path.clone(),
            span: table.span,
            insert: table.insert,
        }
    }
}
