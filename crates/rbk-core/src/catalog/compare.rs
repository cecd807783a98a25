//! What two catalogs disagree about.

use super::{
    Catalog, Column, Constraint, DefaultPrivileges, Extension, Grants, Identity, Index, Partition,
    Schema, Sequence, Table, View,
};
use crate::environment::TableName;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that isn't as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `column public.embeddings.embedding_vector`
    pub object: String,
    /// As it should be; `None`: it shouldn't be there.
    pub expected: Option<String>,
    /// As it is; `None`: it isn't there.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    /// As a sentence without its full stop: `column public.embeddings.embedding_vector is text, not vector(1536)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(f, "{} is {found}, not {expected}", self.object)
            }
            (None, Some(_)) => write!(f, "{} is there, but not expected", self.object),
            (_, None) => write!(f, "{} is missing", self.object),
        }
    }
}

/// Everything that differs, in the order of schemas and names. Figures don't count, nor do the tables to ignore and what is theirs.
pub fn differences(expected: &Catalog, found: &Catalog, ignored: &[TableName]) -> Vec<Difference> {
    let mut comparison = Comparison::default();
    comparison.texts(
        || "the server's major version".to_owned(),
        expected.major(),
        found.major(),
    );
    for (name, sides) in pairs(&expected.extensions, &found.extensions) {
        comparison.extension(name, sides);
    }
    let ignored: BTreeSet<&TableName> = ignored.iter().collect();
    for (name, sides) in pairs(&expected.schemas, &found.schemas) {
        comparison.schema(name, sides, &ignored);
    }
    comparison.told
}

/// What would be lost around these schemas if they were recreated as expected: what is there besides their tables and isn't
/// put back, or is put back otherwise. Extensions in them, their comment, grants and default privileges. What is missing is
/// no loss: a disaster may have taken it, and it comes back; so does the owner.
pub fn around(expected: &Catalog, found: &Catalog, schemas: &[String]) -> Vec<Difference> {
    let mut comparison = Comparison::default();
    for (name, sides) in pairs(&expected.extensions, &found.extensions) {
        let inside = |extension: &&Extension| schemas.contains(&extension.schema);
        let is_around =
            sides.expected.filter(inside).is_some() || sides.found.filter(inside).is_some();
        if is_around && sides.found.is_some() {
            comparison.extension(name, sides);
        }
    }
    for (name, sides) in pairs(&expected.schemas, &found.schemas) {
        if schemas.iter().any(|schema| schema == name)
            && let (Some(expected), Some(found)) = (sides.expected, sides.found)
        {
            comparison.lost_with(name, expected, found);
        }
    }
    comparison.told
}

/// Where rows could be that nobody expects: tables in the schemas of these tables, and columns of these tables.
pub(crate) fn unforeseen(
    expected: &Catalog,
    found: &Catalog,
    tables: &[&TableName],
    ignored: &[TableName],
) -> Vec<Difference> {
    let unexpected = |object: String| Difference {
        object,
        expected: None,
        found: Some("there".to_owned()),
    };
    let mut told = Vec::new();
    let schemas: BTreeSet<&String> = tables.iter().map(|table| &table.schema).collect();
    for schema in schemas {
        let there = found.schemas.get(schema).map(|schema| &schema.tables);
        for (name, facts) in there.into_iter().flatten() {
            let name = TableName {
                schema: schema.clone(),
                table: name.clone(),
            };
            // The rows of a partition are its parent's.
            let is_new = facts.partition.is_none() && expected.table(&name).is_none();
            if is_new && !ignored.contains(&name) {
                told.push(unexpected(format!("table {name}")));
            }
        }
    }
    for table in tables {
        let (Some(known), Some(there)) = (expected.table(table), found.table(table)) else {
            continue;
        };
        let mut columns = there.columns.iter();
        let new = columns.find(|column| known.column(&column.name).is_none());
        told.extend(new.map(|column| unexpected(format!("column {table}.{}", column.name))));
    }
    told
}

/// What either side says of one name.
struct Sides<'c, T> {
    expected: Option<&'c T>,
    found: Option<&'c T>,
}

/// The names of either side in order, with what both say.
fn pairs<'c, T>(
    expected: &'c BTreeMap<String, T>,
    found: &'c BTreeMap<String, T>,
) -> impl Iterator<Item = (&'c str, Sides<'c, T>)> {
    let mut left = expected.iter().peekable();
    let mut right = found.iter().peekable();
    std::iter::from_fn(move || {
        let name = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some((name, _)), None) | (None, Some((name, _))) => *name,
            (Some((one, _)), Some((other, _))) => (*one).min(*other),
        };
        let expected = left.next_if(|(mine, _)| *mine == name);
        let found = right.next_if(|(theirs, _)| *theirs == name);
        Some((
            name.as_str(),
            Sides {
                expected: expected.map(|(_, value)| value),
                found: found.map(|(_, value)| value),
            },
        ))
    })
}

#[derive(Default)]
struct Comparison {
    told: Vec<Difference>,
}

impl Comparison {
    /// Both sides of something that must be on both; tells it where it isn't.
    fn both<'c, T>(
        &mut self,
        object: impl FnOnce() -> String,
        sides: Sides<'c, T>,
    ) -> Option<(&'c T, &'c T)> {
        let is = |there: bool| there.then(|| "there".to_owned());
        match (sides.expected, sides.found) {
            (Some(expected), Some(found)) => Some((expected, found)),
            (expected, found) => {
                self.told.push(Difference {
                    object: object(),
                    expected: is(expected.is_some()),
                    found: is(found.is_some()),
                });
                None
            }
        }
    }

    /// Two texts that must be equal.
    fn texts(&mut self, object: impl FnOnce() -> String, expected: &str, found: &str) {
        if expected != found {
            self.told.push(Difference {
                object: object(),
                expected: Some(one_line(expected)),
                found: Some(one_line(found)),
            });
        }
    }

    /// Two texts that must be equal, or absent on both sides.
    fn maybe(
        &mut self,
        object: impl FnOnce() -> String,
        expected: Option<&str>,
        found: Option<&str>,
    ) {
        self.texts(
            object,
            expected.unwrap_or("absent"),
            found.unwrap_or("absent"),
        );
    }

    fn extension(&mut self, name: &str, sides: Sides<'_, Extension>) {
        let Some((expected, found)) = self.both(|| format!("extension {name}"), sides) else {
            return;
        };
        self.texts(
            || format!("the version of extension {name}"),
            &expected.version,
            &found.version,
        );
        self.texts(
            || format!("the schema of extension {name}"),
            &expected.schema,
            &found.schema,
        );
    }

    fn schema(&mut self, name: &str, sides: Sides<'_, Schema>, ignored: &BTreeSet<&TableName>) {
        let Some((expected, found)) = self.both(|| format!("schema {name}"), sides) else {
            return;
        };
        self.schema_itself(name, expected, found);
        for (ty, sides) in pairs(&expected.types, &found.types) {
            let object = || format!("type {name}.{ty}");
            if let Some((expected, found)) = self.both(object, sides) {
                self.texts(object, expected, found);
            }
        }
        for (signature, sides) in pairs(&expected.functions, &found.functions) {
            let object = || format!("function {name}.{signature}");
            if let Some((expected, found)) = self.both(object, sides) {
                self.texts(
                    || format!("the SHA-256 of function {name}.{signature}"),
                    expected,
                    found,
                );
            }
        }
        for (sequence, sides) in pairs(&expected.sequences, &found.sequences) {
            if !goes_with_its_table(&sides, expected, found, name, ignored) {
                self.sequence(&format!("{name}.{sequence}"), sides);
            }
        }
        let mut table = TableName {
            schema: name.to_owned(),
            table: String::new(),
        };
        for (own, sides) in pairs(&expected.tables, &found.tables) {
            own.clone_into(&mut table.table);
            if !ignored.contains(&table) {
                self.table(&table, sides);
            }
        }
        for (view, sides) in pairs(&expected.views, &found.views) {
            self.view(name, view, sides);
        }
    }

    /// What a schema is without the objects in it.
    fn schema_itself(&mut self, name: &str, expected: &Schema, found: &Schema) {
        self.texts(
            || format!("the owner of schema {name}"),
            &expected.owner,
            &found.owner,
        );
        self.maybe(
            || format!("the comment on schema {name}"),
            expected.comment.as_deref(),
            found.comment.as_deref(),
        );
        self.grants(
            || format!("on schema {name}"),
            &expected.grants,
            &found.grants,
        );
        self.each_default(expected, found, |comparison, on, expected, found| {
            comparison.grants(|| format!("{on} in schema {name}"), expected, found);
        });
    }

    /// What of a schema itself would be lost.
    fn lost_with(&mut self, name: &str, expected: &Schema, found: &Schema) {
        if found.comment.is_some() {
            self.maybe(
                || format!("the comment on schema {name}"),
                expected.comment.as_deref(),
                found.comment.as_deref(),
            );
        }
        self.lost_grants(
            || format!("on schema {name}"),
            &expected.grants,
            &found.grants,
        );
        self.each_default(expected, found, |comparison, on, expected, found| {
            comparison.lost_grants(|| format!("{on} in schema {name}"), expected, found);
        });
    }

    /// Default privileges of both sides: on what they are, and what each side says.
    fn each_default(
        &mut self,
        expected: &Schema,
        found: &Schema,
        compare: impl Fn(&mut Self, &str, &Grants, &Grants),
    ) {
        let nobody = Grants::new();
        let (expected, found) = (
            by_creator(&expected.default_privileges),
            by_creator(&found.default_privileges),
        );
        let all: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        for key @ (creator, objects) in all {
            compare(
                self,
                &format!("on {objects} that {creator} will create"),
                expected.get(key).copied().unwrap_or(&nobody),
                found.get(key).copied().unwrap_or(&nobody),
            );
        }
    }

    fn sequence(&mut self, name: &str, sides: Sides<'_, Sequence>) {
        let Some((expected, found)) = self.both(|| format!("sequence {name}"), sides) else {
            return;
        };
        self.texts(
            || format!("sequence {name}"),
            &sequence_text(expected),
            &sequence_text(found),
        );
        let owner = |sequence: &Sequence| sequence.owner.as_ref().map(ToString::to_string);
        self.maybe(
            || format!("the column that owns sequence {name}"),
            owner(expected).as_deref(),
            owner(found).as_deref(),
        );
        self.grants(
            || format!("on sequence {name}"),
            &expected.grants,
            &found.grants,
        );
    }

    fn table(&mut self, name: &TableName, sides: Sides<'_, Table>) {
        let Some((expected, found)) = self.both(|| format!("table {name}"), sides) else {
            return;
        };
        self.texts(
            || format!("the owner of table {name}"),
            &expected.owner,
            &found.owner,
        );
        self.maybe(
            || format!("the partition key of table {name}"),
            expected.partitioned.as_deref(),
            found.partitioned.as_deref(),
        );
        let partition = |table: &Table| table.partition.as_ref().map(partition_text);
        self.maybe(
            || format!("table {name}"),
            partition(expected).as_deref(),
            partition(found).as_deref(),
        );
        let parents =
            |table: &Table| (!table.inherits.is_empty()).then(|| list(table.inherits.iter()));
        self.maybe(
            || format!("what table {name} inherits from"),
            parents(expected).as_deref(),
            parents(found).as_deref(),
        );
        self.columns(name, &expected.columns, &found.columns);
        for (constraint, sides) in pairs(&expected.constraints, &found.constraints) {
            let object = || format!("constraint {constraint} of table {name}");
            if let Some((expected, found)) = self.both(object, sides) {
                let text = |constraint: &Constraint| constraint.definition.clone();
                self.texts(object, &text(expected), &text(found));
            }
        }
        self.indexes(&name.schema, &expected.indexes, &found.indexes);
        for (word, expected, found) in [
            ("trigger", &expected.triggers, &found.triggers),
            ("policy", &expected.policies, &found.policies),
        ] {
            for (own, sides) in pairs(expected, found) {
                let object = || format!("{word} {own} of table {name}");
                if let Some((expected, found)) = self.both(object, sides) {
                    self.texts(object, expected, found);
                }
            }
        }
        self.grants(
            || format!("on table {name}"),
            &expected.grants,
            &found.grants,
        );
    }

    fn columns(&mut self, table: &TableName, expected: &[Column], found: &[Column]) {
        let other = |columns: &[Column]| -> BTreeMap<String, usize> {
            columns
                .iter()
                .enumerate()
                .map(|(position, column)| (column.name.clone(), position))
                .collect()
        };
        let (theirs, mine) = (other(found), other(expected));
        for column in expected {
            let name = &column.name;
            let there = theirs
                .get(name)
                .and_then(|position| found.get(*position))
                .map(|there| (column, there));
            match there {
                Some((expected, found)) => self.column(&format!("{table}.{name}"), expected, found),
                None => self.told.push(Difference {
                    object: format!("column {table}.{name}"),
                    expected: Some(column.ty.clone()),
                    found: None,
                }),
            }
        }
        for column in found {
            if !mine.contains_key(&column.name) {
                self.told.push(Difference {
                    object: format!("column {table}.{}", column.name),
                    expected: None,
                    found: Some(column.ty.clone()),
                });
            }
        }
        // The order of what both have: an INSERT or a COPY without a list of columns depends on it.
        let order = |columns: &[Column], others: &BTreeMap<String, usize>| {
            list(
                columns
                    .iter()
                    .map(|column| &column.name)
                    .filter(|name| others.contains_key(*name)),
            )
        };
        self.texts(
            || format!("the order of the columns of table {table}"),
            &order(expected, &theirs),
            &order(found, &mine),
        );
    }

    fn column(&mut self, name: &str, expected: &Column, found: &Column) {
        let null = |column: &Column| {
            if column.not_null {
                "NOT NULL"
            } else {
                "nullable"
            }
        };
        let identity = |column: &Column| {
            column.identity.map(|identity| match identity {
                Identity::Always => "GENERATED ALWAYS",
                Identity::ByDefault => "GENERATED BY DEFAULT",
            })
        };
        let object = || format!("column {name}");
        self.texts(object, &expected.ty, &found.ty);
        self.texts(object, null(expected), null(found));
        for (word, expected, found) in [
            (
                "default",
                expected.default.as_deref(),
                found.default.as_deref(),
            ),
            (
                "generating expression",
                expected.generated.as_deref(),
                found.generated.as_deref(),
            ),
            ("identity", identity(expected), identity(found)),
            (
                "collation",
                expected.collation.as_deref(),
                found.collation.as_deref(),
            ),
        ] {
            self.maybe(|| format!("the {word} of column {name}"), expected, found);
        }
    }

    fn indexes(
        &mut self,
        schema: &str,
        expected: &BTreeMap<String, Index>,
        found: &BTreeMap<String, Index>,
    ) {
        for (name, sides) in pairs(expected, found) {
            let object = || format!("index {schema}.{name}");
            let Some((expected, found)) = self.both(object, sides) else {
                continue;
            };
            let valid = |index: &Index| if index.invalid { "invalid" } else { "valid" };
            self.texts(object, valid(expected), valid(found));
            self.texts(object, &expected.definition, &found.definition);
            self.maybe(
                || format!("the constraint of index {schema}.{name}"),
                expected.constraint.as_deref(),
                found.constraint.as_deref(),
            );
            self.maybe(
                || format!("the partitioned index above index {schema}.{name}"),
                expected.part_of.as_deref(),
                found.part_of.as_deref(),
            );
        }
    }

    fn view(&mut self, schema: &str, name: &str, sides: Sides<'_, View>) {
        let Some((expected, found)) = self.both(|| format!("view {schema}.{name}"), sides) else {
            return;
        };
        let kind = |view: &View| {
            if view.materialized {
                "materialized"
            } else {
                "not materialized"
            }
        };
        let object = || format!("view {schema}.{name}");
        self.texts(object, kind(expected), kind(found));
        self.texts(object, &expected.definition, &found.definition);
        self.indexes(schema, &expected.indexes, &found.indexes);
        self.grants(
            || format!("on view {schema}.{name}"),
            &expected.grants,
            &found.grants,
        );
    }

    /// Of the roles that may do something that isn't expected.
    fn lost_grants(&mut self, on: impl Fn() -> String, expected: &Grants, found: &Grants) {
        let goes = |role: &String, privileges: &BTreeSet<String>| match expected.get(role) {
            Some(kept) => !privileges.is_subset(kept),
            None => !privileges.is_empty(),
        };
        let found: Grants = found
            .iter()
            .filter(|(role, privileges)| goes(role, privileges))
            .map(|(role, privileges)| (role.clone(), privileges.clone()))
            .collect();
        let expected: Grants = expected
            .iter()
            .filter(|(role, _)| found.contains_key(*role))
            .map(|(role, privileges)| (role.clone(), privileges.clone()))
            .collect();
        self.grants(on, &expected, &found);
    }

    fn grants(&mut self, on: impl Fn() -> String, expected: &Grants, found: &Grants) {
        let privileges = |side: Option<&BTreeSet<String>>| match side {
            Some(privileges) if !privileges.is_empty() => list(privileges),
            _ => "nothing".to_owned(),
        };
        for (role, sides) in pairs(expected, found) {
            self.texts(
                || format!("what {role} may do {}", on()),
                &privileges(sides.expected),
                &privileges(sides.found),
            );
        }
    }
}

/// Whether a sequence belongs to a table that is ignored, or to one that is told to be missing or not expected anyway.
fn goes_with_its_table(
    sides: &Sides<'_, Sequence>,
    expected: &Schema,
    found: &Schema,
    schema: &str,
    ignored: &BTreeSet<&TableName>,
) -> bool {
    let owner = |side: Option<&Sequence>| side.and_then(|sequence| sequence.owner.clone());
    [owner(sides.expected), owner(sides.found)]
        .into_iter()
        .flatten()
        .any(|owner| {
            ignored.contains(&owner.table)
                || owner.table.schema == schema
                    && expected.tables.contains_key(&owner.table.table)
                        != found.tables.contains_key(&owner.table.table)
        })
}

fn by_creator(privileges: &[DefaultPrivileges]) -> BTreeMap<(&str, &str), &Grants> {
    privileges
        .iter()
        .map(|own| ((own.creator.as_str(), own.objects.as_str()), &own.grants))
        .collect()
}

fn sequence_text(sequence: &Sequence) -> String {
    let cycle = if sequence.cycle { " CYCLE" } else { "" };
    format!(
        "AS {} START {} INCREMENT {} MINVALUE {} MAXVALUE {}{cycle}",
        sequence.ty, sequence.start, sequence.increment, sequence.min, sequence.max
    )
}

fn partition_text(partition: &Partition) -> String {
    format!("a partition of {} {}", partition.of, partition.bound)
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(", ")
}

/// A definition of several lines on one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
