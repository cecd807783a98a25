//! Types of columns as text: what a runbook writes and what Postgres's `format_type` writes, made comparable.

use crate::catalog::Catalog;
use std::collections::BTreeMap;

/// A type of columns, taken apart. Written as a person would, without its schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SqlType {
    /// `public`, where it is said: for a type that isn't one of Postgres's own, the lock file always says it.
    pub(crate) schema: Option<String>,
    /// `vector`, `timestamp with time zone`: without its schema, modifier and array brackets, by its full name.
    pub(crate) base: String,
    /// `1536`, `10,2`
    pub(crate) modifier: Option<String>,
    /// Whether it is an array. Postgres doesn't keep how many dimensions were said.
    pub(crate) array: bool,
}

/// The second name of a type, and the first, which `format_type` writes. Source: the manual's table of data types.
const ALIASES: [(&str, &str); 17] = [
    ("bool", "boolean"),
    ("char", "character"),
    ("decimal", "numeric"),
    ("float", "double precision"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("int", "integer"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("bpchar", "character"),
    ("time", "time without time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("timetz", "time with time zone"),
    ("varbit", "bit varying"),
    ("varchar", "character varying"),
];

/// Types that every Postgres has and that columns have. Source: the manual's chapter on data types.
const BUILT_IN: [&str; 52] = [
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "box",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "double precision",
    "inet",
    "int4multirange",
    "int4range",
    "int8multirange",
    "int8range",
    "integer",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "real",
    "regclass",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
];

/// Two more, and what extensions bring; a type that a column of the lock file has is known anyway.
const BROUGHT: [(&str, &[&str]); 6] = [
    ("vector", &["vector", "halfvec", "sparsevec"]),
    ("citext", &["citext"]),
    ("hstore", &["hstore"]),
    ("ltree", &["ltree", "lquery", "ltxtquery"]),
    ("postgis", &["geometry", "geography", "box2d", "box3d"]),
    ("cube", &["cube"]),
];

impl SqlType {
    /// As SQL that says which schema's type is meant, whatever the session's `search_path` is.
    pub(crate) fn qualified(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{self}"),
            None => self.to_string(),
        }
    }

    /// What a value is cast to before it gets this type: without a length, since an explicit cast cuts off what is longer,
    /// while the column itself refuses it. Source: the manual's page *Character Types*, and that on bit strings.
    pub(crate) fn cast(&self) -> String {
        let base = match self.base.as_str() {
            "character varying" => "character varying",
            // Alone, these two mean a length of 1.
            "character" => "bpchar",
            "bit" | "bit varying" => "bit varying",
            _ => return self.qualified(),
        };
        format!("{base}{}", if self.array { "[]" } else { "" })
    }

    /// Takes a type apart; `None` where it hasn't the shape of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut text = text.trim();
        let mut array = false;
        while let Some(rest) = text.strip_suffix(']') {
            let (before, dimension) = rest.rsplit_once('[')?;
            if !dimension.chars().all(|c| c.is_ascii_digit()) {
                return None;
            }
            array = true;
            text = before.trim_end();
        }
        let (words, modifier) = match text.split_once('(') {
            None => (text.to_owned(), None),
            Some((before, rest)) => {
                let (modifier, after) = rest.split_once(')')?;
                let shape = |c: char| c.is_alphanumeric() || matches!(c, ',' | ' ' | '_' | '-');
                if modifier.trim().is_empty() || !modifier.chars().all(shape) {
                    return None;
                }
                let modifier = modifier.split(',').map(str::trim).collect::<Vec<_>>();
                (format!("{before} {after}"), Some(modifier.join(",")))
            }
        };
        let base = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let (schema, base) = match base.rsplit_once('.') {
            Some((schema, base)) => (Some(schema.to_owned()), base),
            None => (None, base.as_str()),
        };
        let shape = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ' | '"' | '$');
        let names_a_schema = |schema: &String| !schema.is_empty() && schema.chars().all(shape);
        if !schema.as_ref().is_none_or(names_a_schema) {
            return None;
        }
        if base.is_empty()
            || !base.chars().all(shape)
            || base.starts_with(|c: char| c.is_ascii_digit())
        {
            return None;
        }
        let full = ALIASES
            .iter()
            .find(|(alias, _)| *alias == base)
            .map_or(base, |(_, full)| full);
        Some(Self {
            schema,
            base: full.to_owned(),
            modifier,
            array,
        })
    }

    /// Whether a column of the type `found` is meant: of the same base where no modifier is written.
    pub(crate) fn selects(&self, found: &SqlType) -> bool {
        self.base == found.base
            && self.array == found.array
            && (self.modifier.is_none() || self.modifier == found.modifier)
    }

    /// Whether it is one of the three integers.
    pub(crate) fn is_integer(&self) -> bool {
        !self.array && matches!(self.base.as_str(), "smallint" | "integer" | "bigint")
    }

    /// Whether its modifier is a number of dimensions or bits that each value must have.
    pub(crate) fn has_exact_modifier(&self) -> bool {
        matches!(
            self.base.as_str(),
            "vector" | "halfvec" | "sparsevec" | "bit"
        )
    }
}

impl std::fmt::Display for SqlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.modifier, self.base.split_once(' ')) {
            // `timestamp(3) with time zone`: behind the first word, but for `character varying(20)`.
            (Some(modifier), Some((first, rest))) if rest != "varying" && rest != "precision" => {
                write!(f, "{first}({modifier}) {rest}")?;
            }
            (Some(modifier), _) => write!(f, "{}({modifier})", self.base)?,
            (None, _) => f.write_str(&self.base)?,
        }
        if self.array {
            f.write_str("[]")?;
        }
        Ok(())
    }
}

/// The types that a database knows as far as its lock file tells, by name, with the schemas of those that aren't Postgres's own.
pub(crate) fn known_types(catalog: &Catalog) -> BTreeMap<String, Option<String>> {
    let mut known = BTreeMap::new();
    for (extension, types) in BROUGHT {
        if let Some(extension) = catalog.extensions.get(extension) {
            let schema = Some(extension.schema.clone());
            known.extend(types.iter().map(|&name| (name.to_owned(), schema.clone())));
        }
    }
    for (name, schema) in &catalog.schemas {
        let own = schema.types.keys();
        known.extend(own.map(|ty| (ty.clone(), Some(name.clone()))));
        for column in schema.tables.values().flat_map(|table| &table.columns) {
            if let Some(ty) = SqlType::parse(&column.ty) {
                known.entry(ty.base).or_insert(ty.schema);
            }
        }
    }
    let built_in = BUILT_IN.iter().chain(&["uuid", "xml"]);
    known.extend(built_in.map(|&name| (name.to_owned(), None)));
    known
}

#[cfg(test)]
mod tests {
    use super::SqlType;

    fn written(text: &str) -> Option<String> {
        SqlType::parse(text).map(|ty| ty.to_string())
    }

    #[test]
    fn a_type_is_written_as_postgres_writes_it() {
        for (text, full) in [
            ("text", "text"),
            ("vector(1536)", "vector(1536)"),
            ("public.vector( 1536 )", "vector(1536)"),
            ("varchar(20)", "character varying(20)"),
            ("character varying (20)", "character varying(20)"),
            ("numeric(10, 2)", "numeric(10,2)"),
            ("timestamptz", "timestamp with time zone"),
            ("timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("int4[]", "integer[]"),
            ("text[3][]", "text[]"),
            ("char(1)", "character(1)"),
            ("geometry(point,4326)", "geometry(point,4326)"),
        ] {
            assert_eq!(written(text).as_deref(), Some(full), "{text}");
        }
    }

    #[test]
    fn no_cast_cuts_off_what_is_too_long() {
        for (text, cast) in [
            ("varchar(20)", "character varying"),
            ("varchar(20)[]", "character varying[]"),
            ("char(3)", "bpchar"),
            ("bit(3)", "bit varying"),
            ("public.vector(3)", "public.vector(3)"),
            ("text", "text"),
        ] {
            assert_eq!(SqlType::parse(text).unwrap().cast(), cast, "{text}");
        }
    }

    #[test]
    fn what_has_not_the_shape_of_a_type_is_none() {
        for text in [
            "",
            "vector(",
            "vector()",
            "text; drop table a",
            "a--b",
            "1536",
            "text]",
            "a'b",
            "text[x]",
        ] {
            assert_eq!(written(text), None, "{text}");
        }
    }

    #[test]
    fn a_type_without_a_modifier_selects_each() {
        let ty = |text| SqlType::parse(text).unwrap();
        assert!(ty("vector").selects(&ty("vector(1536)")));
        assert!(ty("vector(1536)").selects(&ty("public.vector(1536)")));
        assert!(!ty("vector(768)").selects(&ty("vector(1536)")));
        assert!(!ty("vector").selects(&ty("vector(3)[]")));
        assert!(!ty("vector").selects(&ty("halfvec(3)")));
    }
}
