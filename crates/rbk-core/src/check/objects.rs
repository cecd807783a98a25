//! Paths to schema objects: `original.public.embeddings.embedding_vector`, against the environment and the lock file.

use super::Checker;
use super::column_type::{SqlType, known_types};
use super::schema_error::{SchemaError, Wanted};
use crate::catalog::{Catalog, ColumnName, Place, Table};
use crate::environment::TableName;
use crate::ids::DatabaseName;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

/// A schema, a table or a column of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    Schema(String),
    Table(TableName),
    Column(ColumnName),
}

impl Object {
    /// As a place to look in.
    pub(crate) fn place(&self) -> Place {
        match self {
            Object::Schema(schema) => Place::Schema(schema.clone()),
            Object::Table(table) => Place::Table(table.clone()),
            Object::Column(column) => Place::Columns {
                schema: column.table.schema.clone(),
                columns: BTreeSet::from([column.clone()]),
            },
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Object::Schema(schema) => f.write_str(schema),
            Object::Table(table) => table.fmt(f),
            Object::Column(column) => column.fmt(f),
        }
    }
}

impl Checker<'_> {
    /// `database.schema`
    pub(crate) fn schema(&mut self, path: &ast::Path) -> Option<(DatabaseName, String)> {
        match self.object(path, Wanted::Schema)? {
            (database, Object::Schema(schema)) => Some((database, schema)),
            _ => None,
        }
    }

    /// `database.schema.table.column`
    pub(crate) fn column(&mut self, path: &ast::Path) -> Option<(DatabaseName, ColumnName)> {
        match self.object(path, Wanted::Column)? {
            (database, Object::Column(column)) => Some((database, column)),
            _ => None,
        }
    }

    /// `database.schema`, `database.schema.table` or `database.schema.table.column`
    pub(crate) fn schema_object(&mut self, path: &ast::Path) -> Option<(DatabaseName, Object)> {
        self.object(path, Wanted::Place)
    }

    /// `database.schema.index`: the database, the schema and the index's name.
    pub(crate) fn index(&mut self, path: &ast::Path) -> Option<(DatabaseName, String, String)> {
        let [_, schema, index] = path.names.as_slice() else {
            return self.not(path, Wanted::Index);
        };
        let (database, known) = self.known(path)?;
        let found = schema_of(known, schema, &database).and_then(|()| {
            let mut names = known.all_indexes(&schema.value).map(|(_, name, _)| name);
            if names.any(|name| name == index.value) {
                return Ok(());
            }
            Err(Box::new(SchemaError::UnknownIndex {
                span: index.span,
                name: index.value.clone(),
                schema: schema.value.clone(),
                database: database.clone(),
                candidates: known
                    .all_indexes(&schema.value)
                    .map(|(_, name, _)| name.to_owned())
                    .collect(),
            }))
        });
        self.accept(found)?;
        Some((database, schema.value.clone(), index.value.clone()))
    }

    /// What statements about indexes are about.
    pub(crate) fn target(&mut self, target: &ast::Target) -> Option<(DatabaseName, Place)> {
        match target {
            ast::Target::Path(path) => {
                let (database, object) = self.schema_object(path)?;
                Some((database, object.place()))
            }
            ast::Target::ColumnsOfType { ty, schema } => {
                let (database, schema, columns) = self.columns_of_type(ty, schema)?;
                Some((database, Place::Columns { schema, columns }))
            }
        }
    }

    /// The columns of a schema that have a type in the lock file, partitions' left to their parents. At least one.
    pub(crate) fn columns_of_type(
        &mut self,
        ty: &ast::ColumnType,
        schema: &ast::Path,
    ) -> Option<(DatabaseName, String, BTreeSet<ColumnName>)> {
        let (database, schema_name) = self.schema(schema)?;
        let wanted = SqlType::parse(&ty.text);
        let catalog = self.catalog(&database, schema.span)?;
        let (mut columns, mut types) = (BTreeSet::new(), BTreeSet::new());
        for (table, facts) in catalog.roots(&schema_name) {
            for column in &facts.columns {
                let Some(found) = SqlType::parse(&column.ty) else {
                    continue;
                };
                if wanted.as_ref().is_some_and(|wanted| wanted.selects(&found)) {
                    columns.insert(ColumnName {
                        table: table.clone(),
                        column: column.name.clone(),
                    });
                }
                let bare = SqlType {
                    modifier: None,
                    schema: None,
                    ..found
                };
                types.insert(bare.to_string());
            }
        }
        if columns.is_empty() {
            self.report(SchemaError::NoSuchColumns {
                span: ty.span,
                ty: ty.text.clone(),
                schema: schema_name,
                database,
                candidates: types.into_iter().collect(),
            });
            return None;
        }
        Some((database, schema_name, columns))
    }

    /// A type that a column may get, written in full.
    pub(crate) fn column_type(
        &mut self,
        ty: &ast::ColumnType,
        database: &DatabaseName,
    ) -> Option<SqlType> {
        let parsed = SqlType::parse(&ty.text);
        let known = known_types(self.catalog(database, ty.span)?);
        match parsed {
            Some(parsed) if known.contains_key(&parsed.base) => {
                let schema = known.get(&parsed.base).cloned().flatten();
                Some(SqlType {
                    schema: schema.map(|schema| in_sql(&schema)),
                    ..parsed
                })
            }
            parsed => {
                self.report(SchemaError::UnknownType {
                    span: ty.span,
                    name: parsed.map_or_else(|| ty.text.clone(), |parsed| parsed.base),
                    candidates: known.into_keys().collect(),
                });
                None
            }
        }
    }

    /// Reports a table that is a partition, which only follows its parent.
    pub(crate) fn no_partition(
        &mut self,
        database: &DatabaseName,
        table: &TableName,
        span: Span,
    ) -> Option<()> {
        let root = self.catalog(database, span)?.root_of(table);
        if root == *table {
            return Some(());
        }
        self.report(SchemaError::Partition {
            span,
            table: table.clone(),
            root,
        });
        None
    }

    fn object(&mut self, path: &ast::Path, wanted: Wanted) -> Option<(DatabaseName, Object)> {
        let (schema, rest) = match (path.names.as_slice(), wanted) {
            ([_, schema], Wanted::Schema) => (schema, [None, None]),
            ([_, schema], Wanted::Place) => (schema, [None, None]),
            ([_, schema, table], Wanted::Place) => (schema, [Some(table), None]),
            ([_, schema, table, column], Wanted::Place | Wanted::Column) => {
                (schema, [Some(table), Some(column)])
            }
            _ => return self.not(path, wanted),
        };
        let (database, known) = self.known(path)?;
        let found = schema_of(known, schema, &database).and_then(|()| {
            let schema = schema.value.clone();
            let [Some(table), column] = rest else {
                return Ok(Object::Schema(schema));
            };
            let name = TableName {
                schema,
                table: table.value.clone(),
            };
            let facts = table_of(known, &name, table.span, &database)?;
            let Some(column) = column else {
                return Ok(Object::Table(name));
            };
            if facts.is_some_and(|facts| facts.column(&column.value).is_some()) {
                return Ok(Object::Column(ColumnName {
                    table: name,
                    column: column.value.clone(),
                }));
            }
            Err(Box::new(SchemaError::UnknownColumn {
                span: column.span,
                name: column.value.clone(),
                table: name,
                database: database.clone(),
                candidates: facts
                    .into_iter()
                    .flat_map(|facts| &facts.columns)
                    .map(|column| column.name.clone())
                    .collect(),
            }))
        });
        let object = self.accept(found)?;
        Some((database, object))
    }

    /// The database that a path begins with, and what the lock file says of it.
    fn known(&mut self, path: &ast::Path) -> Option<(DatabaseName, &Catalog)> {
        let first = path.names.first()?;
        let database = self.database(&ast::Path {
            names: vec![first.clone()],
            span: first.span,
        })?;
        let catalog = self.catalog(&database, first.span)?;
        Some((database, catalog))
    }

    fn not<T>(&mut self, path: &ast::Path, wanted: Wanted) -> Option<T> {
        self.report(SchemaError::Path {
            span: path.span,
            path: path.to_string(),
            wanted,
        });
        None
    }

    fn accept<T>(&mut self, found: Result<T, Box<SchemaError>>) -> Option<T> {
        found.map_err(|error| self.report(*error)).ok()
    }
}

/// A schema's name as a part of a type's: in quotes where it needs them, as `format_type` writes it.
fn in_sql(schema: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && schema.chars().all(plain)
    {
        schema.to_owned()
    } else {
        crate::sql::quote_identifier(schema.trim_matches('"'))
    }
}

fn schema_of(
    catalog: &Catalog,
    schema: &ast::Name,
    database: &DatabaseName,
) -> Result<(), Box<SchemaError>> {
    if catalog.schemas.contains_key(&schema.value) {
        return Ok(());
    }
    Err(Box::new(SchemaError::UnknownSchema {
        span: schema.span,
        name: schema.value.clone(),
        database: database.clone(),
        candidates: catalog.schemas.keys().cloned().collect(),
    }))
}

/// A table, or `None` for a materialized view, which has indexes, too.
fn table_of<'c>(
    catalog: &'c Catalog,
    name: &TableName,
    span: Span,
    database: &DatabaseName,
) -> Result<Option<&'c Table>, Box<SchemaError>> {
    if let Some(table) = catalog.table(name) {
        return Ok(Some(table));
    }
    let schema = catalog.schemas.get(&name.schema);
    let view = schema.and_then(|schema| schema.views.get(&name.table));
    if view.is_some_and(|view| view.materialized) {
        return Ok(None);
    }
    Err(Box::new(SchemaError::UnknownTable {
        span,
        name: name.table.clone(),
        schema: name.schema.clone(),
        database: database.clone(),
        candidates: schema
            .into_iter()
            .flat_map(|schema| schema.tables.keys())
            .cloned()
            .collect(),
    }))
}
