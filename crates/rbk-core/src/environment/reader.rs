//! Walks a TOML document by hand, so that every mistake is found at once and each points at its place.
//!
//! A [`Table`] remembers which keys were asked for: what is left at the end is unknown. The [`Reader`] turns
//! entries into values and collects the errors.

use super::error::{EnvironmentError, Insert, title};
use super::forms::{self, Form};
pub(super) use super::table::{Entry, Given, Header, Table};
use rbk_syntax::{SourceId, Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use toml::de::{DeTable, DeValue};

/// The table that stands for one that isn't there.
static EMPTY: LazyLock<DeTable<'static>> = LazyLock::new(DeTable::new);

/// Turns entries into values and collects what is wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    source: SourceId,
    text: &'t str,
    /// What was found wrong so far.
    pub errors: Vec<EnvironmentError>,
    /// Every key that some kind of table knows: how unknown ones find their home.
    pub known: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Where every key of the file stands, with its value.
    pub keys: BTreeMap<String, Span>,
    /// Where the expressions of the stack's settings stand, in the order of the file.
    pub expressions: Vec<Span>,
}

impl<'t> Reader<'t> {
    pub fn new(source: SourceId, text: &'t str) -> Self {
        Self {
            source,
            text,
            errors: Vec::new(),
            known: BTreeMap::new(),
            keys: BTreeMap::new(),
            expressions: Vec::new(),
        }
    }

    /// The whole file as a table.
    pub fn root(&mut self, document: &'t DeTable<'t>) -> Table<'t> {
        let first = document
            .iter()
            .map(|(key, _)| self.line_start(key.span().start))
            .min()
            .unwrap_or(self.text.len());
        self.open(Table {
            shape: "",
            path: String::new(),
            span: Span::new(self.source, first, first),
            insert: Some(Insert::Before(Span::new(self.source, first, first))),
            source: self.source,
            entries: document,
            asked: BTreeSet::new(),
        })
    }

    /// The table that an entry holds.
    pub fn table(&mut self, shape: &'static str, entry: Option<Entry<'t>>) -> Option<Table<'t>> {
        let entry = entry?;
        let DeValue::Table(entries) = entry.value else {
            self.wrong_type(&entry, "a table");
            return None;
        };
        Some(self.open(Table {
            shape,
            insert: self.insertion(entry.name.span),
            path: entry.path,
            span: entry.name.span,
            source: self.source,
            entries,
            asked: BTreeSet::new(),
        }))
    }

    /// The table that an entry holds, or an empty one: for tables that need not be there and must have no key.
    pub fn section(&mut self, shape: &'static str, entry: Option<Entry<'t>>) -> Table<'t> {
        self.table(shape, entry).unwrap_or_else(|| Table {
            shape,
            path: String::new(),
            span: Span::new(self.source, 0, 0),
            insert: None,
            source: self.source,
            entries: &EMPTY,
            asked: BTreeSet::new(),
        })
    }

    fn open(&mut self, table: Table<'t>) -> Table<'t> {
        for entry in table.take_all() {
            let place = if entry.is_table() {
                entry.name.span
            } else {
                entry.name.span.to(entry.span)
            };
            self.keys.insert(entry.path, place);
        }
        table
    }

    /// Complains about the keys that nobody asked for.
    pub fn finish(&mut self, table: Table<'t>) {
        let known = self.known.entry(table.shape).or_default();
        known.extend(&table.asked);
        for entry in table.take_all() {
            if !table.asked.contains(entry.name.value.as_str()) {
                let free = table
                    .asked
                    .iter()
                    .filter(|key| !table.entries.contains_key(**key));
                self.errors.push(EnvironmentError::UnknownKey {
                    key: entry.name.value,
                    table: table.title(),
                    span: entry.name.span,
                    free: free.copied().collect(),
                    homes: Vec::new(),
                });
            }
        }
    }

    /// Text of any kind.
    pub fn text(&mut self, entry: Option<Entry<'t>>) -> Given<String> {
        self.scalar(entry, "text", |value| match value {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => None,
        })
    }

    /// Text of a form.
    pub fn formed(&mut self, entry: Option<Entry<'t>>, form: &'static Form) -> Given<String> {
        match entry {
            None => Given::Absent,
            Some(Entry {
                value: DeValue::String(text),
                span,
                ..
            }) => self.check_form(
                Spanned {
                    value: text.clone().into_owned(),
                    span,
                },
                form,
            ),
            Some(entry) => {
                let written = self.slice(entry.span);
                let meant = [written.to_owned(), format!("{written}d")];
                let replacement = meant.iter().find(|text| form.fits(text));
                self.mistyped(&entry, "text", replacement.map(|text| format!("{text:?}")));
                Given::Bad
            }
        }
    }

    /// Text of a form, as a type of its own.
    pub fn named<T>(
        &mut self,
        entry: Option<Entry<'t>>,
        form: &'static Form,
        make: impl FnOnce(String) -> T,
    ) -> Given<T> {
        self.formed(entry, form).map(make)
    }

    /// One word of a few.
    pub fn choice<T: Copy>(
        &mut self,
        entry: Option<Entry<'t>>,
        choices: &'static [(&'static str, T)],
    ) -> Given<T> {
        let Some(entry) = entry else {
            return Given::Absent;
        };
        let path = entry.path.clone();
        let Given::Value(Spanned { value, span }) = self.text(Some(entry)) else {
            return Given::Bad;
        };
        match choices.iter().find(|(word, _)| *word == value) {
            Some((_, choice)) => Given::Value(Spanned {
                value: *choice,
                span,
            }),
            None => {
                self.errors.push(EnvironmentError::NoSuchChoice {
                    path,
                    value,
                    span,
                    choices: choices.iter().map(|(word, _)| *word).collect(),
                });
                Given::Bad
            }
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, entry: Option<Entry<'t>>) -> Given<bool> {
        self.scalar(entry, "`true` or `false`", |value| value.as_bool())
    }

    /// A whole number within bounds.
    pub fn number(&mut self, entry: Option<Entry<'t>>, bounds: RangeInclusive<u64>) -> Given<u64> {
        let path = entry
            .as_ref()
            .map(|entry| entry.path.clone())
            .unwrap_or_default();
        let number = self.scalar(entry, "a whole number", |value| {
            // Digits are all that the parser lets through; what does not fit is far out of bounds.
            let integer = value.as_integer()?;
            let digits = integer.as_str();
            Some(match i128::from_str_radix(digits, integer.radix()) {
                Ok(number) => u64::try_from(number.max(-1)).ok(),
                Err(_) => None,
            })
        });
        match number {
            Given::Absent => Given::Absent,
            Given::Bad => Given::Bad,
            Given::Value(Spanned { value, span }) => match value {
                Some(value) if bounds.contains(&value) => Given::Value(Spanned { value, span }),
                _ => {
                    self.errors.push(EnvironmentError::OutOfBounds {
                        path,
                        value: self.slice(span).to_owned(),
                        span,
                        least: *bounds.start(),
                        most: *bounds.end(),
                    });
                    Given::Bad
                }
            },
        }
    }

    /// A length of time, in seconds.
    pub fn duration(&mut self, entry: Option<Entry<'t>>, form: &'static Form) -> Given<u64> {
        match self.formed(entry, form) {
            Given::Value(text) => match forms::seconds(&text.value) {
                Some(value) => Given::Value(Spanned {
                    value,
                    span: text.span,
                }),
                None => Given::Bad,
            },
            Given::Absent => Given::Absent,
            Given::Bad => Given::Bad,
        }
    }

    /// A list of texts of one form, none of them twice.
    pub fn list(
        &mut self,
        entry: Option<Entry<'t>>,
        form: &'static Form,
    ) -> Given<Vec<Spanned<String>>> {
        let Some(entry) = entry else {
            return Given::Absent;
        };
        let Some(items) = self.items(&entry) else {
            return Given::Bad;
        };
        let mut good: Vec<Spanned<String>> = Vec::new();
        let mut bad = false;
        for item in items {
            let Given::Value(item) = self.formed(Some(item), form) else {
                bad = true;
                continue;
            };
            match good.iter().find(|other| other.value == item.value) {
                Some(first) => {
                    self.errors.push(EnvironmentError::ListedTwice {
                        path: entry.path.clone(),
                        value: item.value,
                        span: item.span,
                        first: first.span,
                    });
                    bad = true;
                }
                None => good.push(item),
            }
        }
        if bad {
            Given::Bad
        } else {
            Given::Value(Spanned {
                value: good,
                span: entry.span,
            })
        }
    }

    /// The same, with at least one in it.
    pub fn full_list(
        &mut self,
        entry: Option<Entry<'t>>,
        form: &'static Form,
    ) -> Given<Vec<Spanned<String>>> {
        let path = entry
            .as_ref()
            .map(|entry| entry.path.clone())
            .unwrap_or_default();
        let list = self.list(entry, form);
        match list.value() {
            Some(items) if items.value.is_empty() => {
                self.errors.push(EnvironmentError::EmptyList {
                    path,
                    span: items.span,
                    what: form.what,
                    example: form.example,
                });
                Given::Bad
            }
            _ => list,
        }
    }

    /// A list of texts as they are; what isn't text is complained about.
    pub fn texts(&mut self, entry: &Entry<'t>) -> Given<Vec<Spanned<String>>> {
        let Some(items) = self.items(entry) else {
            return Given::Bad;
        };
        let count = items.len();
        let texts: Vec<_> = items
            .into_iter()
            .filter_map(|item| self.text(Some(item)).value().cloned())
            .collect();
        if texts.len() < count {
            return Given::Bad;
        }
        Given::Value(Spanned {
            value: texts,
            span: entry.span,
        })
    }

    /// The items of a list, each under the list's own key.
    fn items(&mut self, entry: &Entry<'t>) -> Option<Vec<Entry<'t>>> {
        let DeValue::Array(items) = entry.value else {
            self.wrong_type(entry, "a list of texts");
            return None;
        };
        let items = items.iter().map(|item| {
            let at = item.span();
            Entry {
                span: Span::new(self.source, at.start, at.end),
                value: item.get_ref(),
                path: entry.path.clone(),
                name: entry.name.clone(),
            }
        });
        Some(items.collect())
    }

    /// Text, a whole number, or `true` or `false`, as text.
    pub fn plain(&mut self, entry: Entry<'t>) -> Given<String> {
        let written = self.slice(entry.span).to_owned();
        self.scalar(
            Some(entry),
            "text, a whole number, `true` or `false`",
            |value| match value {
                DeValue::String(text) => Some(text.clone().into_owned()),
                DeValue::Integer(_) | DeValue::Boolean(_) => Some(written),
                _ => None,
            },
        )
    }

    /// Complains about text that does not have a form.
    pub fn check_form(&mut self, text: Spanned<String>, form: &'static Form) -> Given<String> {
        if form.fits(&text.value) {
            return Given::Value(text);
        }
        let quoted = self.slice(text.span).starts_with(['"', '\'']);
        let replacement = form.mend(&text.value).map(|mended| {
            if quoted {
                format!("{mended:?}")
            } else {
                mended
            }
        });
        self.errors.push(EnvironmentError::BadForm {
            value: forms::without_credentials(&text.value),
            form,
            span: text.span,
            replacement,
        });
        Given::Bad
    }

    /// Complains about a table without a key that it must have.
    pub fn missing(&mut self, table: &Header, key: &'static str, line: impl Into<String>) {
        self.errors.push(EnvironmentError::MissingKey {
            key,
            table: title(&table.path),
            span: table.span,
            line: line.into(),
            insert: table.insert,
            note: None,
        });
    }

    /// The text of a place.
    pub fn slice(&self, span: Span) -> &'t str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// The place of a part of a text, where it is written literally.
    pub fn narrowed(&self, word: &Spanned<String>, part: &str) -> Span {
        match self.slice(word.span).find(part) {
            Some(at) => {
                let start = word.span.start as usize + at;
                Span::new(word.span.source, start, start + part.len())
            }
            None => word.span,
        }
    }

    fn scalar<T>(
        &mut self,
        entry: Option<Entry<'t>>,
        expected: &'static str,
        read: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Given<T> {
        let Some(entry) = entry else {
            return Given::Absent;
        };
        match read(entry.value) {
            Some(value) => Given::Value(Spanned {
                value,
                span: entry.span,
            }),
            None => {
                self.wrong_type(&entry, expected);
                Given::Bad
            }
        }
    }

    /// Complains about a value of another type.
    pub fn wrong_type(&mut self, entry: &Entry<'t>, expected: &'static str) {
        let written = self.slice(entry.span);
        let replacement = match (expected, entry.value) {
            ("a list of texts", DeValue::String(_)) => Some(format!("[{written}]")),
            ("a table", DeValue::Array(_)) if written.starts_with("[[") => {
                Some(format!("[{}]", entry.path))
            }
            ("`true` or `false`", DeValue::String(text)) if matches!(&**text, "true" | "false") => {
                Some(text.to_string())
            }
            ("a whole number", DeValue::String(text)) if text.parse::<u64>().is_ok() => {
                Some(text.to_string())
            }
            _ => None,
        };
        self.mistyped(entry, expected, replacement);
    }

    fn mistyped(&mut self, entry: &Entry<'t>, expected: &'static str, replacement: Option<String>) {
        self.errors.push(EnvironmentError::WrongType {
            path: entry.path.clone(),
            expected,
            found: match entry.value {
                DeValue::String(_) => "text",
                DeValue::Integer(_) => "a whole number",
                DeValue::Float(_) => "a number with a point",
                DeValue::Boolean(_) => "true or false",
                DeValue::Datetime(_) => "a date or time",
                DeValue::Array(_) => "a list",
                DeValue::Table(_) => "a table",
            },
            span: if entry.is_table() {
                entry.name.span
            } else {
                entry.span
            },
            replacement,
        });
    }

    /// Whether the file has a database of that name, a wrong one included.
    pub fn has_database(&self, name: &str) -> bool {
        self.keys.contains_key(&format!("databases.{name}"))
    }

    /// Whether the file has an application of that name, a wrong one included.
    pub fn has_application(&self, name: &str) -> bool {
        self.keys.contains_key(&format!("applications.{name}"))
    }

    /// Where a line can be added below a `[header]`; there is none for inline tables and dotted keys.
    fn insertion(&self, key: Span) -> Option<Insert> {
        let start = self.line_start(key.start as usize);
        let line = self.text.get(start..)?.lines().next()?;
        let end = start + line.len();
        line.trim_start()
            .starts_with('[')
            .then(|| Insert::Below(Span::new(self.source, end, end)))
    }

    fn line_start(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or("");
        before.rfind('\n').map_or(0, |newline| newline + 1)
    }
}
