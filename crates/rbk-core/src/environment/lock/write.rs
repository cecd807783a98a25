//! The text of a lock file: the same for the same content, and made to be read as a difference in a pull request: one line
//! a column, a constraint, an index, a sequence, a role's grants.

use super::{LOCK_VERSION, Lock};
use crate::catalog::{
    Catalog, Column, ColumnName, Constraint, ConstraintKind, DefaultPrivileges, Grants, Identity,
    Index, Schema, Sequence, Table, View,
};
use crate::environment::TableName;
use std::fmt::{self, Display, Write};

impl Lock {
    /// The text of the lock file of the environment of that name.
    pub fn write(&self, environment: &str) -> String {
        let mut writer = Writer::default();
        writer.comment(&format!(
            "What the databases of `{environment}` hold besides rows: what rbk checks and plans with and can't see offline."
        ));
        writer.comment(&format!(
            "Written by `rbk env pull --env {environment}` alone. Commit it: its differences are those of the databases."
        ));
        writer.comment("Rows and bytes are about right, and change here only when they have doubled or halved.");
        writer.line("");
        writer.number("version", u64::from(LOCK_VERSION));
        for (name, catalog) in &self.databases {
            writer.catalog(name.as_str(), catalog);
        }
        writer.text
    }
}

#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self, line: impl Display) {
        self.push(format_args!("{line}\n"));
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        // Writing into text can't fail.
        let _ = self.text.write_fmt(text);
    }

    fn comment(&mut self, text: &str) {
        self.line(format_args!("# {text}"));
    }

    /// `[a.b]`, behind an empty line.
    fn header(&mut self, path: &[&str]) {
        let path: Vec<String> = path.iter().map(|part| Key(part).to_string()).collect();
        self.push(format_args!("\n[{}]\n", path.join(".")));
    }

    fn number(&mut self, key: &str, value: u64) {
        self.line(format_args!("{key} = {}", Number(value)));
    }

    fn string(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {}", Text(value)));
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(key, value);
        }
    }

    /// `section.name = value`, a line each.
    fn entries<'i, T: 'i>(
        &mut self,
        section: &str,
        items: impl IntoIterator<Item = (&'i String, &'i T)>,
        value: impl Fn(&T) -> String,
    ) {
        for (name, item) in items {
            self.line(format_args!("{section}.{} = {}", Key(name), value(item)));
        }
    }

    fn grants(&mut self, grants: &Grants) {
        self.entries("grants", grants, |privileges| list(privileges));
    }

    /// A list with a line for each item; nothing where it is empty.
    fn items<T>(&mut self, key: &str, items: &[T], value: impl Fn(&T) -> String) {
        if items.is_empty() {
            return;
        }
        self.line(format_args!("{key} = ["));
        for item in items {
            self.line(format_args!("  {},", value(item)));
        }
        self.line("]");
    }

    fn catalog(&mut self, database: &str, catalog: &Catalog) {
        let Catalog {
            server_version,
            shared_buffers,
            bytes,
            extensions,
            schemas,
        } = catalog;
        self.header(&["databases", database]);
        self.string("server_version", server_version);
        self.number("shared_buffers", *shared_buffers);
        self.number("bytes", *bytes);
        self.entries("extensions", extensions, |extension| {
            Inline::default()
                .text("version", &extension.version)
                .text("schema", &extension.schema)
                .end()
        });
        for (name, schema) in schemas {
            self.schema(&["databases", database, "schemas", name], schema);
        }
    }

    fn schema(&mut self, path: &[&str; 4], schema: &Schema) {
        let Schema {
            owner,
            comment,
            grants,
            default_privileges,
            types,
            functions,
            sequences,
            tables,
            views,
        } = schema;
        self.header(path);
        self.string("owner", owner);
        self.optional("comment", comment.as_deref());
        self.grants(grants);
        self.items(
            "default_privileges",
            default_privileges,
            default_privileges_text,
        );
        self.entries("types", types, |definition| Text(definition).to_string());
        self.entries("functions", functions, |hash| Text(hash).to_string());
        self.entries("sequences", sequences, sequence_text);
        let [databases, database, schemas, name] = *path;
        for (table, content) in tables {
            self.header(&[databases, database, schemas, name, "tables", table]);
            self.table(content);
        }
        for (view, content) in views {
            self.header(&[databases, database, schemas, name, "views", view]);
            self.view(content);
        }
    }

    fn table(&mut self, table: &Table) {
        let Table {
            owner,
            rows,
            bytes,
            partitioned,
            partition,
            inherits,
            columns,
            constraints,
            indexes,
            triggers,
            policies,
            grants,
        } = table;
        self.string("owner", owner);
        self.number("rows", *rows);
        self.number("bytes", *bytes);
        self.optional("partitioned", partitioned.as_deref());
        if let Some(partition) = partition {
            let value = Inline::default()
                .raw("of", table_text(&partition.of))
                .text("bound", &partition.bound)
                .end();
            self.line(format_args!("partition = {value}"));
        }
        self.items("inherits", inherits, table_text);
        if columns.is_empty() {
            self.line("columns = []");
        }
        self.items("columns", columns, column_text);
        self.entries("constraints", constraints, constraint_text);
        self.entries("indexes", indexes, index_text);
        self.entries("triggers", triggers, |definition| {
            Text(definition).to_string()
        });
        self.entries("policies", policies, |definition| {
            Text(definition).to_string()
        });
        self.grants(grants);
    }

    fn view(&mut self, view: &View) {
        let View {
            materialized,
            definition,
            reads,
            indexes,
            grants,
        } = view;
        if *materialized {
            self.line("materialized = true");
        }
        self.line(format_args!("definition = {}", Long(definition)));
        self.items("reads", reads, column_name_text);
        self.entries("indexes", indexes, index_text);
        self.grants(grants);
    }
}

fn default_privileges_text(own: &DefaultPrivileges) -> String {
    let DefaultPrivileges {
        creator,
        objects,
        grants,
    } = own;
    let grants = grants
        .iter()
        .fold(Inline::default(), |grants, (role, privileges)| {
            grants.raw(&Key(role).to_string(), list(privileges))
        });
    Inline::default()
        .text("creator", creator)
        .text("objects", objects)
        .raw("grants", grants.end())
        .end()
}

fn sequence_text(sequence: &Sequence) -> String {
    let Sequence {
        ty,
        start,
        increment,
        min,
        max,
        cycle,
        owner,
        grants,
    } = sequence;
    let mut text = Inline::default().text("type", ty);
    for (key, value, usual) in [
        ("start", start, 1),
        ("increment", increment, 1),
        ("min", min, 1),
        ("max", max, i64::MAX),
    ] {
        if *value != usual {
            text = text.raw(key, value);
        }
    }
    text = text.flag("cycle", *cycle);
    if let Some(owner) = owner {
        text = text.raw("owner", column_name_text(owner));
    }
    if !grants.is_empty() {
        let grants = grants
            .iter()
            .fold(Inline::default(), |grants, (role, privileges)| {
                grants.raw(&Key(role).to_string(), list(privileges))
            });
        text = text.raw("grants", grants.end());
    }
    text.end()
}

fn column_text(column: &Column) -> String {
    let Column {
        name,
        ty,
        not_null,
        default,
        generated,
        identity,
        collation,
    } = column;
    Inline::default()
        .text("name", name)
        .text("type", ty)
        .flag("not_null", *not_null)
        .optional("default", default.as_deref())
        .optional("generated", generated.as_deref())
        .optional(
            "identity",
            identity.map(|identity| match identity {
                Identity::Always => "always",
                Identity::ByDefault => "by_default",
            }),
        )
        .optional("collation", collation.as_deref())
        .end()
}

fn constraint_text(constraint: &Constraint) -> String {
    let Constraint {
        kind,
        definition,
        columns,
        references,
    } = constraint;
    let kind = match kind {
        ConstraintKind::PrimaryKey => "primary_key",
        ConstraintKind::Unique => "unique",
        ConstraintKind::ForeignKey => "foreign_key",
        ConstraintKind::Check => "check",
        ConstraintKind::Exclusion => "exclusion",
    };
    let mut text = Inline::default()
        .text("kind", kind)
        .text("definition", definition);
    if !columns.is_empty() {
        text = text.raw("columns", list(columns));
    }
    if let Some(references) = references {
        let references = Inline::default()
            .raw("table", table_text(&references.table))
            .raw("columns", list(&references.columns))
            .flag("match_full", references.match_full);
        text = text.raw("references", references.end());
    }
    text.end()
}

fn index_text(index: &Index) -> String {
    let Index {
        definition,
        columns,
        method,
        unique,
        constraint,
        part_of,
        invalid,
        bytes,
    } = index;
    Inline::default()
        .text("definition", definition)
        .raw("columns", list(columns))
        .text("method", method)
        .flag("unique", *unique)
        .optional("constraint", constraint.as_deref())
        .optional("part_of", part_of.as_deref())
        .flag("invalid", *invalid)
        .raw("bytes", Number(*bytes))
        .end()
}

fn table_text(table: &TableName) -> String {
    Inline::default()
        .text("schema", &table.schema)
        .text("table", &table.table)
        .end()
}

fn column_name_text(column: &ColumnName) -> String {
    Inline::default()
        .text("schema", &column.table.schema)
        .text("table", &column.table.table)
        .text("column", &column.column)
        .end()
}

fn list<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    let texts: Vec<String> = texts
        .into_iter()
        .map(|text| Text(text).to_string())
        .collect();
    format!("[{}]", texts.join(", "))
}

/// `{ key = value, … }`
#[derive(Default)]
struct Inline {
    text: String,
}

impl Inline {
    fn raw(mut self, key: &str, value: impl Display) -> Self {
        let comma = if self.text.is_empty() { "" } else { ", " };
        // Writing into text can't fail.
        let _ = write!(self.text, "{comma}{key} = {value}");
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, Text(value))
    }

    fn optional(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    fn flag(self, key: &str, value: bool) -> Self {
        if value { self.raw(key, true) } else { self }
    }

    fn end(self) -> String {
        if self.text.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", self.text)
        }
    }
}

/// A key, in quotes where it must be.
struct Key<'t>(&'t str);

impl Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !self.0.is_empty() && self.0.bytes().all(bare) {
            f.write_str(self.0)
        } else {
            Text(self.0).fmt(f)
        }
    }
}

/// A whole number with its thousands apart.
struct Number(u64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.char_indices() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                f.write_char('_')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A text on one line: in single quotes where that spares escapes.
struct Text<'t>(&'t str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        if text.contains(['"', '\\']) && !text.contains(|c: char| c == '\'' || c.is_control()) {
            return write!(f, "'{text}'");
        }
        f.write_char('"')?;
        escaped(f, text, false)?;
        f.write_char('"')
    }
}

/// A text of several lines, as they are.
struct Long<'t>(&'t str);

impl Display for Long<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains('\n') {
            return Text(self.0).fmt(f);
        }
        f.write_str("\"\"\"\n")?;
        escaped(f, self.0, true)?;
        f.write_str("\"\"\"")
    }
}

fn escaped(f: &mut fmt::Formatter<'_>, text: &str, lines: bool) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\n' if lines => f.write_char('\n')?,
            // Three in a row would end a long text.
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control.is_control() => write!(f, "\\u{:04X}", u32::from(control))?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}
