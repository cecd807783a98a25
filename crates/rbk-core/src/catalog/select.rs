//! What statements on schema objects are about: indexes, columns, keys and sequences of a catalog, picked out.

use super::{Catalog, Column, ColumnName, ConstraintKind, Index, Schema, Table};
use crate::environment::TableName;
use crate::plan::{ForeignKeyFacts, IndexFacts, SequenceFacts};
use std::collections::BTreeSet;

/// Where in a catalog a statement looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// All of a schema.
    Schema(String),
    /// A table, or a materialized view.
    Table(TableName),
    /// Some columns of one schema.
    Columns {
        /// The schema.
        schema: String,
        /// Which.
        columns: BTreeSet<ColumnName>,
    },
}

impl Place {
    /// The schema that all of it is in.
    pub(crate) fn schema(&self) -> &str {
        match self {
            Place::Schema(schema) | Place::Columns { schema, .. } => schema,
            Place::Table(table) => &table.schema,
        }
    }

    fn has_table(&self, table: &TableName) -> bool {
        match self {
            Place::Schema(schema) => *schema == table.schema,
            Place::Table(wanted) => wanted == table,
            Place::Columns { columns, .. } => columns.iter().any(|column| column.table == *table),
        }
    }

    fn has_column(&self, column: &ColumnName) -> bool {
        match self {
            Place::Columns { columns, .. } => columns.contains(column),
            _ => self.has_table(&column.table),
        }
    }
}

/// An index that can be dropped and made by itself, with the parts that come and go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SelectedIndex {
    pub(crate) facts: IndexFacts,
    /// With its parts'. A figure.
    pub(crate) bytes: u64,
    /// `btree`, `hnsw`, …
    pub(crate) method: String,
    /// Of a partitioned table's index: those of the partitions, each after the one that it is a part of.
    pub(crate) parts: Vec<IndexFacts>,
}

impl Catalog {
    /// The tables of a schema that are no partitions, with their names.
    pub(crate) fn roots<'c>(
        &'c self,
        schema: &'c str,
    ) -> impl Iterator<Item = (TableName, &'c Table)> {
        self.tables(schema)
            .filter(|(_, table)| table.partition.is_none())
    }

    /// The tables of a schema with their names.
    fn tables<'c>(&'c self, schema: &'c str) -> impl Iterator<Item = (TableName, &'c Table)> {
        let tables = self
            .schemas
            .get(schema)
            .into_iter()
            .flat_map(|found| &found.tables);
        tables.map(move |(name, table)| {
            let name = TableName {
                schema: schema.to_owned(),
                table: name.clone(),
            };
            (name, table)
        })
    }

    /// All tables with their names.
    fn all_tables(&self) -> impl Iterator<Item = (TableName, &Table)> {
        self.schemas.keys().flat_map(|schema| self.tables(schema))
    }

    /// The column of that name.
    pub(crate) fn column(&self, name: &ColumnName) -> Option<&Column> {
        self.table(&name.table)?.column(&name.column)
    }

    /// The table at the top of the partitions that this one is among.
    pub(crate) fn root_of(&self, table: &TableName) -> TableName {
        let mut name = table.clone();
        // Partitions can't go in circles in a database; in a file written by hand they could.
        for _ in 0..64 {
            match self.table(&name).and_then(|table| table.partition.as_ref()) {
                Some(partition) => name = partition.of.clone(),
                None => break,
            }
        }
        name
    }

    /// The index of that name in a schema, and its table or materialized view.
    pub(crate) fn index<'c>(
        &'c self,
        schema: &'c str,
        name: &str,
    ) -> Option<(TableName, &'c Index)> {
        self.all_indexes(schema)
            .find(|(_, found, _)| *found == name)
            .map(|(table, _, index)| (table, index))
    }

    /// All indexes of a schema: of tables, then of materialized views.
    pub(crate) fn all_indexes<'c>(
        &'c self,
        schema: &'c str,
    ) -> impl Iterator<Item = (TableName, &'c str, &'c Index)> {
        let found = self.schemas.get(schema).into_iter();
        let named = move |table: &str| TableName {
            schema: schema.to_owned(),
            table: table.to_owned(),
        };
        let tables = found
            .clone()
            .flat_map(|schema| &schema.tables)
            .map(|(name, table)| (name, &table.indexes));
        let views = found
            .flat_map(|schema| &schema.views)
            .map(|(name, view)| (name, &view.indexes));
        tables.chain(views).flat_map(move |(table, indexes)| {
            indexes
                .iter()
                .map(move |(name, index)| (named(table), name.as_str(), index))
        })
    }

    /// The indexes of a place that can be dropped and made by themselves: none behind a constraint, none that is a part.
    pub(crate) fn indexes_on(&self, place: &Place) -> Vec<SelectedIndex> {
        self.all_indexes(place.schema())
            .filter(|(table, _, index)| {
                let free = index.constraint.is_none() && index.part_of.is_none();
                free && match place {
                    Place::Columns { .. } => index.columns.iter().any(|column| {
                        place.has_column(&ColumnName {
                            table: table.clone(),
                            column: column.clone(),
                        })
                    }),
                    _ => place.has_table(table),
                }
            })
            .map(|(table, name, index)| self.selected(table, name, index))
            .collect()
    }

    /// An index with its parts.
    pub(crate) fn selected(&self, table: TableName, name: &str, index: &Index) -> SelectedIndex {
        let mut bytes = index.bytes;
        let mut parts = Vec::new();
        // Partitions of partitions: the parts of each part follow it.
        let mut whole = vec![name.to_owned()];
        let partitioned = self
            .table(&table)
            .is_some_and(|table| table.partitioned.is_some());
        while let Some(of) = whole.pop().filter(|_| partitioned) {
            for (part_table, part_name, part) in self.parts_of(&table, &of) {
                bytes = bytes.saturating_add(part.bytes);
                whole.push(part_name.to_owned());
                parts.push(IndexFacts {
                    name: part_name.to_owned(),
                    table: part_table,
                    definition: part.definition.clone(),
                });
            }
        }
        SelectedIndex {
            facts: IndexFacts {
                name: name.to_owned(),
                table,
                definition: index.definition.clone(),
            },
            bytes,
            method: index.method.clone(),
            parts,
        }
    }

    /// The indexes that are parts of the index `of`, on partitions under `root`.
    fn parts_of<'c>(&'c self, root: &TableName, of: &str) -> Vec<(TableName, &'c str, &'c Index)> {
        self.all_tables()
            .filter(|(name, table)| table.partition.is_some() && self.root_of(name) == *root)
            .flat_map(|(name, table)| {
                table
                    .indexes
                    .iter()
                    .filter(|(_, index)| index.part_of.as_deref() == Some(of))
                    .map(move |(index_name, index)| (name.clone(), index_name.as_str(), index))
            })
            .collect()
    }

    /// The columns of a place that hold no NULL and could: without those of primary keys, identity and generated columns,
    /// partitions and the tables to ignore.
    pub(crate) fn relaxable(&self, place: &Place, ignored: &[TableName]) -> Vec<ColumnName> {
        let mut all = Vec::new();
        for (name, table) in self.roots(place.schema()) {
            if ignored.contains(&name) || !place.has_table(&name) {
                continue;
            }
            for column in &table.columns {
                let column_name = ColumnName {
                    table: name.clone(),
                    column: column.name.clone(),
                };
                if place.has_column(&column_name)
                    && column.not_null
                    && column.identity.is_none()
                    && column.generated.is_none()
                    && !table.primary_key().contains(&column.name)
                {
                    all.push(column_name);
                }
            }
        }
        all
    }

    /// The foreign keys of a schema's tables; those that a partition has from its parent are proven with the parent's.
    pub(crate) fn foreign_keys(&self, schema: &str) -> Vec<ForeignKeyFacts> {
        let mut all: Vec<ForeignKeyFacts> = Vec::new();
        let tables = self.tables(schema).collect::<Vec<_>>();
        for (table, facts) in &tables {
            for (name, constraint) in &facts.constraints {
                let Some(references) = &constraint.references else {
                    continue;
                };
                if constraint.kind != ConstraintKind::ForeignKey {
                    continue;
                }
                let root = self.root_of(table);
                let inherited = root != *table
                    && self.table(&root).is_some_and(|root| {
                        root.constraints.values().any(|other| {
                            other.columns == constraint.columns
                                && other.references.as_ref().is_some_and(|other| {
                                    self.root_of(&references.table) == self.root_of(&other.table)
                                        && other.columns == references.columns
                                })
                        })
                    });
                if !inherited {
                    all.push(ForeignKeyFacts {
                        name: name.clone(),
                        table: table.clone(),
                        columns: constraint.columns.clone(),
                        references: references.table.clone(),
                        referenced: references.columns.clone(),
                        match_full: references.match_full,
                    });
                }
            }
        }
        all
    }

    /// All sequences.
    pub(crate) fn sequences(&self) -> Vec<SequenceFacts> {
        self.schemas
            .iter()
            .flat_map(|(schema, found)| {
                found
                    .sequences
                    .iter()
                    .map(|(name, sequence)| SequenceFacts {
                        schema: schema.clone(),
                        name: name.clone(),
                        owner: sequence.owner.clone(),
                        increment: sequence.increment,
                    })
            })
            .collect()
    }

    /// Whether tables inherit from this one that are no partitions of it.
    pub(crate) fn is_inherited_from(&self, table: &TableName) -> bool {
        self.all_tables()
            .any(|(_, other)| other.inherits.contains(table))
    }

    /// The views that read a column, with their schemas.
    fn views_of(&self, column: &ColumnName) -> Vec<String> {
        let reads = |(schema, found): (&String, &Schema)| {
            found
                .views
                .iter()
                .filter(|(_, view)| view.reads.contains(column))
                .map(|(name, _)| format!("view `{schema}.{name}`"))
                .collect::<Vec<_>>()
        };
        self.schemas.iter().flat_map(reads).collect()
    }
}

/// What uses a column so that Postgres refuses to change its type: in words, the first that is found.
/// Source: the manual's page of ALTER TABLE, and `RememberAllDependentForRebuilding` in its source.
pub(crate) fn dependents_of_type(
    catalog: &Catalog,
    name: &ColumnName,
    between_integers: bool,
) -> Option<String> {
    let table = catalog.table(&name.table)?;
    let column = table.column(&name.column)?;
    if column.generated.is_some() {
        return Some("it is a generated column".to_owned());
    }
    if let Some(view) = catalog.views_of(name).into_iter().next() {
        return Some(format!("{view} reads it"));
    }
    let generated = table.columns.iter().find(|other| {
        let expression = other.generated.as_deref();
        expression.is_some_and(|expression| mentions(expression, &name.column))
    });
    if let Some(generated) = generated {
        return Some(format!("column `{}` is generated from it", generated.name));
    }
    if let Some(key) = &table.partitioned
        && mentions(key, &name.column)
    {
        return Some(format!("`{}` is partitioned by it: {key}", name.table));
    }
    let trigger = table.triggers.iter().find(|(_, definition)| {
        let conditional = definition.contains(" UPDATE OF ") || definition.contains(" WHEN (");
        conditional && mentions(definition, &name.column)
    });
    if let Some((trigger, _)) = trigger {
        return Some(format!("trigger `{trigger}` names it"));
    }
    let policy = table
        .policies
        .iter()
        .find(|(_, text)| mentions(text, &name.column));
    if let Some((policy, _)) = policy {
        return Some(format!("policy `{policy}` names it"));
    }
    if between_integers {
        // Keys of different integer types are compared without a cast.
        return None;
    }
    catalog.all_tables().find_map(|(other, facts)| {
        facts.constraints.iter().find_map(|(key, constraint)| {
            let references = constraint.references.as_ref()?;
            let refers = other == name.table && constraint.columns.contains(&name.column);
            let referred =
                references.table == name.table && references.columns.contains(&name.column);
            (refers || referred).then(|| format!("foreign key `{key}` of `{other}` needs it"))
        })
    })
}

/// Whether an expression of Postgres names a column. Texts in it are taken for names, too: rather once too often.
pub(crate) fn mentions(expression: &str, column: &str) -> bool {
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    expression.match_indices(column).any(|(at, found)| {
        let before = expression
            .get(..at)
            .and_then(|text| text.chars().next_back());
        let after = expression
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(part_of_a_name) && !after.is_some_and(part_of_a_name)
    })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_column_is_found_as_a_whole_name_only() {
        for (expression, found) in [
            ("lower(title)", true),
            ("lower(\"title\")", true),
            ("lower(subtitle)", false),
            ("title_key || ''", false),
            ("title", true),
            ("HASH (id, title)", true),
            ("", false),
        ] {
            assert_eq!(mentions(expression, "title"), found, "{expression}");
        }
    }
}
