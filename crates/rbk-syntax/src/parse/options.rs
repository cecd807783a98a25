//! What stands behind the words of statements about schemas: columns by their type, and blocks of options.

use super::convert::{Converter, Parts};
use super::error::SyntaxError;
use super::grammar::Rule;
use crate::ast::{ColumnType, Entry, EntryValue, Expr, Qualifier, Target};
use crate::span::Span;
use pest::iterators::Pair;

impl Converter<'_> {
    /// The next part as what a statement about indexes is about.
    pub(super) fn target(&mut self, parts: &mut Parts<'_>) -> Target {
        let Some(pair) = parts.take_if(Rule::columns_of_type) else {
            return Target::Path(self.entity(parts));
        };
        let mut parts = self.parts(pair);
        Target::ColumnsOfType {
            ty: self.column_type(&mut parts),
            schema: self.entity(&mut parts),
        }
    }

    /// The next part as a type of columns.
    pub(super) fn column_type(&mut self, parts: &mut Parts<'_>) -> ColumnType {
        let Some(pair) = parts.take(Rule::column_type) else {
            return ColumnType {
                text: String::new(),
                span: parts.end(),
            };
        };
        let mut span = self.span(&pair);
        let mut text = String::new();
        for part in pair.into_inner() {
            span.end = self.span(&part).end;
            let written = part.as_str();
            match part.as_rule() {
                Rule::modifier | Rule::dimension => {
                    text.extend(
                        written
                            .chars()
                            .filter(|letter| !letter.is_ascii_whitespace()),
                    );
                }
                _ => {
                    for word in written.split_ascii_whitespace() {
                        if !text.is_empty() {
                            text.push(' ');
                        }
                        text.push_str(word);
                    }
                }
            }
        }
        text.make_ascii_lowercase();
        ColumnType { text, span }
    }

    /// What stands in braces behind a statement, if anything does.
    pub(super) fn options(&mut self, parts: &mut Parts<'_>) -> Vec<Entry> {
        let Some(block) = parts.take_if(Rule::options) else {
            return Vec::new();
        };
        let mut entries: Vec<Entry> = Vec::new();
        for part in block.into_inner() {
            if part.as_rule() != Rule::entry {
                continue;
            }
            let start = self.span(&part);
            let mut parts = self.parts(part);
            let name = self.name(&mut parts);
            let Some(value) = parts.next() else { continue };
            let value = self.entry_value(value);
            let value = self.qualified(value, &mut parts);
            let span = Span {
                end: value.span().end,
                ..start
            };
            if let Some(first) = entries.iter().find(|entry| entry.name.value == name.value) {
                let first = first.name.span;
                let option = name.value.clone();
                self.add_with(&SyntaxError::DuplicateOption { option }, name.span, |it| {
                    it.relate(first, "the first time")
                });
                continue;
            }
            entries.push(Entry { name, value, span });
        }
        entries
    }

    /// A value with what belongs to it behind its comma.
    fn qualified(&mut self, value: EntryValue, parts: &mut Parts<'_>) -> EntryValue {
        let mut qualifiers: Vec<Qualifier> = Vec::new();
        while let Some(part) = parts.take_if(Rule::qualifier) {
            let start = self.span(&part);
            let mut parts = self.parts(part);
            let name = self.name(&mut parts);
            let value = self.value(&mut parts);
            if let Some(first) = qualifiers
                .iter()
                .find(|known| known.name.value == name.value)
            {
                let first = first.name.span;
                let option = name.value.clone();
                self.add_with(&SyntaxError::DuplicateOption { option }, name.span, |it| {
                    it.relate(first, "the first time")
                });
                continue;
            }
            let span = Span {
                end: value.span.end,
                ..start
            };
            qualifiers.push(Qualifier { name, value, span });
        }
        let Some(last) = qualifiers.last() else {
            return value;
        };
        let span = value.span().to(last.span);
        EntryValue::Qualified {
            value: Box::new(value),
            qualifiers,
            span,
        }
    }

    fn entry_value(&mut self, pair: Pair<'_, Rule>) -> EntryValue {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::list => {
                let items = pair
                    .into_inner()
                    .filter(|part| !matches!(part.as_rule(), Rule::comma | Rule::closing_bracket))
                    .map(|part| self.entry_value(part))
                    .collect();
                EntryValue::List { items, span }
            }
            Rule::pattern => EntryValue::Pattern {
                of: self.entity(&mut self.parts(pair)),
                span,
            },
            _ => EntryValue::Expr(self.expression(pair)),
        }
    }

    /// The values between the parentheses of a call.
    pub(super) fn arguments(&mut self, parts: &mut Parts<'_>) -> Vec<Expr> {
        let list = parts.take(Rule::arguments).map(Pair::into_inner);
        list.into_iter()
            .flatten()
            .filter(|part| part.as_rule() == Rule::expression)
            .map(|part| self.expression(part))
            .collect()
    }
}
