//! What DMS makes of PostgreSQL's types: LOBs, plain values, strings, and what it doesn't carry.
//!
//! Source: the DMS user guide, "Source data types for PostgreSQL" and the limitations of both sides.

/// How a value of a type travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// With its row.
    Plain,
    /// As a LOB, by the task's LOB mode.
    Lob(Lob),
    /// As a string, because DMS doesn't know the type: an extension's or a user's own.
    Unknown,
    /// Not at all.
    NotCarried,
}

/// DMS's LOB types; they differ in how a size is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lob {
    /// Characters of the server's encoding.
    Clob,
    /// Characters of UTF-16.
    Nclob,
    /// Bytes.
    Blob,
}

/// How booleans travel (`MapBooleanAsBoolean`); PostgreSQL reads both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Booleans {
    AsText,
    AsBooleans,
}

/// A type as the catalog has it; of a domain: its base type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlType {
    pub(crate) schema: String,
    /// `pg_type.typname`
    pub(crate) name: String,
    /// `pg_type.typtype`
    pub(crate) kind: char,
    pub(crate) array: bool,
    /// `atttypmod`; -1: none
    pub(crate) modifier: i32,
    /// As SQL writes it without length or precision, for casts that must not cut.
    pub(crate) bare: String,
    /// As SQL writes it in full.
    pub(crate) full: String,
}

impl SqlType {
    pub(crate) fn transport(&self) -> Transport {
        if self.array {
            return Transport::Lob(Lob::Nclob);
        }
        match self.kind {
            'e' | 'c' | 'r' | 'm' => return Transport::NotCarried,
            _ => {}
        }
        match self.name.as_str() {
            // Extensions that DMS knows, in whichever schema they are.
            "hstore" | "citext" => Transport::Lob(Lob::Nclob),
            _ if self.schema != "pg_catalog" => Transport::Unknown,
            "text" | "json" | "jsonb" => Transport::Lob(Lob::Nclob),
            "bytea" => Transport::Lob(Lob::Blob),
            "xml" | "polygon" => Transport::Lob(Lob::Clob),
            "inet" | "macaddr" | "macaddr8" | "tsvector" | "tsquery" | "line" | "lseg" | "box"
            | "path" | "circle" => Transport::NotCarried,
            "bool" | "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" | "money"
            | "bpchar" | "char" | "varchar" | "name" | "date" | "time" | "timetz" | "timestamp"
            | "timestamptz" | "interval" | "bit" | "varbit" | "uuid" | "cidr" | "point" | "oid" => {
                Transport::Plain
            }
            _ => Transport::Unknown,
        }
    }

    /// How the source is asked for a value of this type, as text; `column` is quoted.
    ///
    /// `longest` cuts LOBs on the server, so that no more of them comes than is needed to see that they are too long.
    pub(crate) fn read(&self, column: &str, longest: Option<usize>) -> String {
        if let (Transport::Lob(lob), Some(longest)) = (self.transport(), longest) {
            return match lob {
                Lob::Blob => format!("substring({column} FROM 1 FOR {longest})::text"),
                Lob::Clob | Lob::Nclob => format!("left({column}::text, {longest})"),
            };
        }
        if self.array {
            return format!("{column}::text");
        }
        let finite = |first: &str, last: &str| {
            format!(
                "CASE {column}::text WHEN 'infinity' THEN '{last}' WHEN '-infinity' THEN '{first}' ELSE {column}::text END"
            )
        };
        match self.name.as_str() {
            // Without the currency's sign, which numbers don't have.
            "money" => format!("{column}::numeric::text"),
            "numeric" if self.modifier == -1 => format!("trunc({column}, 6)::text"),
            "date" => finite("4713-01-01 BC", "9999-12-31"),
            "timestamp" => finite("4713-01-01 00:00:00 BC", "9999-12-31 00:00:00"),
            "timestamptz" => finite("4713-01-01 00:00:00+00 BC", "9999-12-31 00:00:00+00"),
            _ => format!("{column}::text"),
        }
    }

    /// How a text from the source is bound for a target column of this type.
    ///
    /// What DMS knows is converted; of everything else it has only a string, which PostgreSQL takes
    /// or refuses by its own rules: a column of type `vector` refuses it.
    pub(crate) fn bind(&self, value: &str) -> String {
        match self.transport() {
            Transport::Plain | Transport::Lob(_) => format!("{value}::{}", self.bare),
            Transport::Unknown | Transport::NotCarried => format!("{value}::character varying"),
        }
    }

    /// The type of this column in a table that DMS makes itself.
    pub(crate) fn created(&self, booleans: Booleans) -> String {
        let sized = |what: &str| match self.modifier {
            -1 => what.to_owned(),
            _ => format!("{what}({})", self.modifier),
        };
        match self.transport() {
            Transport::Lob(Lob::Blob) => "bytea".to_owned(),
            Transport::Lob(Lob::Clob | Lob::Nclob) => "text".to_owned(),
            Transport::Unknown | Transport::NotCarried => "character varying".to_owned(),
            Transport::Plain => match self.name.as_str() {
                "bool" if booleans == Booleans::AsText => "character varying(5)".to_owned(),
                "numeric" if self.modifier == -1 => "numeric(28,6)".to_owned(),
                "money" => "numeric(38,4)".to_owned(),
                // A length is stored with PostgreSQL's four bytes of header.
                "bpchar" | "varchar" if self.modifier >= 4 => {
                    format!("character varying({})", self.modifier - 4)
                }
                "char" => "character varying(1)".to_owned(),
                "bpchar" | "varchar" | "name" => "character varying".to_owned(),
                "timestamptz" => "timestamp without time zone".to_owned(),
                "timetz" => "time without time zone".to_owned(),
                "bit" | "varbit" => sized("character varying"),
                "uuid" => "character varying(36)".to_owned(),
                "cidr" => "character varying(50)".to_owned(),
                "point" | "interval" => "character varying(255)".to_owned(),
                "oid" => "bigint".to_owned(),
                _ => self.full.clone(),
            },
        }
    }
}

/// Cuts a LOB to a size of DMS; `None`: it isn't longer.
///
/// `Nclob` counts two bytes for a character, and four for one beyond Unicode's first plane; a `Blob`
/// comes as `\x` with two digits a byte.
pub(crate) fn cut(lob: Lob, value: &str, bytes: usize) -> Option<String> {
    let mut left = bytes;
    let end = match lob {
        Lob::Blob => Some(2 + bytes * 2).filter(|end| *end < value.len()),
        Lob::Clob | Lob::Nclob => value.char_indices().find_map(|(at, character)| {
            let size = match lob {
                Lob::Nclob => character.len_utf16() * 2,
                Lob::Clob | Lob::Blob => character.len_utf8(),
            };
            match left.checked_sub(size) {
                Some(rest) => {
                    left = rest;
                    None
                }
                None => Some(at),
            }
        }),
    };
    value.get(..end?).map(str::to_owned)
}

/// A name as SQL writes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> SqlType {
        SqlType {
            schema: "pg_catalog".to_owned(),
            name: name.to_owned(),
            kind: 'b',
            array: false,
            modifier: -1,
            bare: name.to_owned(),
            full: name.to_owned(),
        }
    }

    #[test]
    fn text_is_a_lob_and_varchar_is_not() {
        for (name, transport) in [
            ("text", Transport::Lob(Lob::Nclob)),
            ("jsonb", Transport::Lob(Lob::Nclob)),
            ("bytea", Transport::Lob(Lob::Blob)),
            ("xml", Transport::Lob(Lob::Clob)),
            ("varchar", Transport::Plain),
            ("timestamptz", Transport::Plain),
            ("inet", Transport::NotCarried),
            ("tsvector", Transport::NotCarried),
        ] {
            assert_eq!(built_in(name).transport(), transport, "{name}");
        }
        let own = |name: &str, kind| SqlType {
            schema: "public".to_owned(),
            kind,
            ..built_in(name)
        };
        assert_eq!(own("vector", 'b').transport(), Transport::Unknown);
        assert_eq!(own("hstore", 'b').transport(), Transport::Lob(Lob::Nclob));
        assert_eq!(own("mood", 'e').transport(), Transport::NotCarried);
        assert_eq!(own("address", 'c').transport(), Transport::NotCarried);
        let array = SqlType {
            array: true,
            ..built_in("_int4")
        };
        assert_eq!(array.transport(), Transport::Lob(Lob::Nclob));
    }

    #[test]
    fn an_unknown_type_is_bound_as_a_string() {
        let vector = SqlType {
            schema: "public".to_owned(),
            bare: "vector".to_owned(),
            ..built_in("vector")
        };
        assert_eq!(vector.bind("$1"), "$1::character varying");
        assert_eq!(built_in("jsonb").bind("$1"), "$1::jsonb");
    }

    #[test]
    fn a_created_column_has_the_type_that_dms_maps() {
        let sized = |name: &str, modifier, full: &str| SqlType {
            modifier,
            full: full.to_owned(),
            ..built_in(name)
        };
        for (of, becomes) in [
            (built_in("bool"), "character varying(5)"),
            (built_in("numeric"), "numeric(28,6)"),
            (sized("numeric", 655_366, "numeric(10,2)"), "numeric(10,2)"),
            (
                sized("varchar", 24, "character varying(20)"),
                "character varying(20)",
            ),
            (built_in("jsonb"), "text"),
            (built_in("int8"), "int8"),
            (built_in("timestamptz"), "timestamp without time zone"),
            (sized("bit", 8, "bit(8)"), "character varying(8)"),
        ] {
            assert_eq!(of.created(Booleans::AsText), becomes, "{of:?}");
        }
        assert_eq!(built_in("bool").created(Booleans::AsBooleans), "bool");
    }

    #[test]
    fn lobs_are_cut_by_their_own_count() {
        assert_eq!(cut(Lob::Nclob, "abcd", 8), None);
        assert_eq!(cut(Lob::Nclob, "abcde", 8).as_deref(), Some("abcd"));
        assert_eq!(cut(Lob::Nclob, "a😀bc", 8).as_deref(), Some("a😀b"));
        assert_eq!(cut(Lob::Clob, "añb", 3).as_deref(), Some("añ"));
        assert_eq!(cut(Lob::Blob, "\\x0102", 2), None);
        assert_eq!(cut(Lob::Blob, "\\x010203", 2).as_deref(), Some("\\x0102"));
    }
}
