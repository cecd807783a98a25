//! The table mappings document: which tables a load takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Schemas that belong to PostgreSQL itself.
const SYSTEM_SCHEMAS: [&str; 2] = ["information_schema", "pg_catalog"];

/// How DMS's control tables begin; DMS doesn't take them as a source.
const CONTROL_TABLE: &str = "awsdms_";

/// The selection rules of a table mappings document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mappings {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    schema: Pattern,
    table: Pattern,
    action: Action,
    /// Higher goes first.
    load_order: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Include,
    Exclude,
    /// Include of exactly one name.
    Explicit,
}

impl Mappings {
    /// Reads a table mappings document. The error says what is wrong with it.
    pub(crate) fn parse(document: &Value) -> Result<Mappings, String> {
        let rules = document
            .get("rules")
            .and_then(Value::as_array)
            .ok_or("the table mappings need an array `rules`")?;
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut parsed = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let place = format!("rule {}", index + 1);
            let rule = rule
                .as_object()
                .ok_or_else(|| format!("{place} isn't an object"))?;
            if !ids.insert(identifier(rule, "rule-id", &place)?) {
                return Err(format!("{place} has a rule-id that is in use"));
            }
            if !names.insert(identifier(rule, "rule-name", &place)?) {
                return Err(format!("{place} has a rule-name that is in use"));
            }
            parsed.push(Rule::parse(rule, &place)?);
        }
        if !parsed.iter().any(|rule| rule.action != Action::Exclude) {
            return Err("the table mappings include no table: a selection rule with rule-action `include` or `explicit` is needed".to_owned());
        }
        Ok(Mappings { rules: parsed })
    }

    /// Whether a table is taken: some rule includes it, and none excludes it.
    pub(crate) fn selects(&self, schema: &str, table: &str) -> bool {
        if SYSTEM_SCHEMAS.contains(&schema)
            || schema.starts_with("pg_")
            || table.starts_with(CONTROL_TABLE)
        {
            return false;
        }
        let mut included = false;
        for rule in self.matching(schema, table) {
            match rule.action {
                Action::Exclude => return false,
                Action::Include | Action::Explicit => included = true,
            }
        }
        included
    }

    /// The highest `load-order` that a table has; tables without one have 0.
    pub(crate) fn load_order(&self, schema: &str, table: &str) -> i64 {
        self.matching(schema, table)
            .map(|rule| rule.load_order)
            .max()
            .unwrap_or(0)
    }

    fn matching(&self, schema: &str, table: &str) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(move |rule| rule.schema.matches(schema) && rule.table.matches(table))
    }
}

/// Both `"1"` and `1` are taken.
fn identifier(rule: &Map<String, Value>, key: &str, place: &str) -> Result<String, String> {
    match rule.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(format!("{place} needs a `{key}`")),
    }
}

impl Rule {
    fn parse(rule: &Map<String, Value>, place: &str) -> Result<Rule, String> {
        let kind = rule.get("rule-type").and_then(Value::as_str);
        match kind {
            Some("selection") => {}
            Some(
                kind @ ("transformation" | "table-settings" | "validation" | "data-masking"
                | "post-processing"),
            ) => {
                return Err(format!(
                    "{place} is of rule-type `{kind}`, which the sandbox doesn't do; it knows `selection`"
                ));
            }
            Some(kind) => {
                return Err(format!("{place} has the unknown rule-type `{kind}`"));
            }
            None => return Err(format!("{place} needs a `rule-type`")),
        }
        for key in rule.keys() {
            if !matches!(
                key.as_str(),
                "rule-type"
                    | "rule-id"
                    | "rule-name"
                    | "rule-action"
                    | "object-locator"
                    | "filters"
                    | "load-order"
            ) {
                return Err(format!("{place} has the unknown key `{key}`"));
            }
        }
        let action = match rule.get("rule-action").and_then(Value::as_str) {
            Some("include") => Action::Include,
            Some("exclude") => Action::Exclude,
            Some("explicit") => Action::Explicit,
            Some(other) => {
                return Err(format!(
                    "{place} has the rule-action `{other}`; it is `include`, `exclude` or `explicit`"
                ));
            }
            None => return Err(format!("{place} needs a `rule-action`")),
        };
        let filters = rule.get("filters").unwrap_or(&Value::Null);
        let unfiltered = filters.is_null() || filters.as_array().is_some_and(Vec::is_empty);
        if !unfiltered {
            return Err(format!(
                "{place} has filters, which the sandbox doesn't do; leave `filters` empty"
            ));
        }
        let load_order = match rule.get("load-order") {
            None | Some(Value::Null) => 0,
            Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
            Some(Value::String(text)) => text
                .parse()
                .map_err(|_| format!("{place} has a `load-order` that isn't a number"))?,
            Some(_) => return Err(format!("{place} has a `load-order` that isn't a number")),
        };
        let locator = rule
            .get("object-locator")
            .and_then(Value::as_object)
            .ok_or_else(|| format!("{place} needs an `object-locator`"))?;
        match locator.get("table-type").and_then(Value::as_str) {
            None | Some("table" | "all") => {}
            Some("view") => {
                return Err(format!(
                    "{place} selects views, which DMS serverless doesn't support"
                ));
            }
            Some(other) => {
                return Err(format!("{place} has the unknown table-type `{other}`"));
            }
        }
        let pattern = |key: &str| {
            let text = locator
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| format!("{place} needs a `{key}` in its `object-locator`"))?;
            match action {
                Action::Explicit if text.contains('%') => Err(format!(
                    "{place} is `explicit`, so its `{key}` can't have wildcards"
                )),
                Action::Explicit => Ok(Pattern::exact(text)),
                Action::Include | Action::Exclude => {
                    Pattern::parse(text).map_err(|what| format!("{place}: `{text}` {what}"))
                }
            }
        };
        Ok(Rule {
            schema: pattern("schema-name")?,
            table: pattern("table-name")?,
            action,
            load_order,
        })
    }
}

/// A name with DMS's wildcards: `%` any characters, `_` one, `[ab]` and `[a-d]` one of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Anything,
    AnyOne,
    One(char),
    /// Ranges; a single character is one of itself to itself.
    OneOf(Vec<(char, char)>),
}

impl Pattern {
    fn exact(text: &str) -> Pattern {
        Pattern(text.chars().map(Piece::One).collect())
    }

    fn parse(text: &str) -> Result<Pattern, &'static str> {
        let mut pieces = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            pieces.push(match character {
                '%' => Piece::Anything,
                '_' => Piece::AnyOne,
                '[' => {
                    let set: Vec<char> = rest.by_ref().take_while(|it| *it != ']').collect();
                    if rest.as_str().is_empty() && !text.ends_with(']') {
                        return Err("has a `[` without its `]`");
                    }
                    Piece::OneOf(ranges(&set)?)
                }
                other => Piece::One(other),
            });
        }
        Ok(Pattern(pieces))
    }

    fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        matches(&self.0, &name)
    }
}

fn ranges(set: &[char]) -> Result<Vec<(char, char)>, &'static str> {
    let mut ranges = Vec::new();
    let mut rest = set;
    loop {
        rest = match rest {
            [] if ranges.is_empty() => return Err("has an empty set `[]`"),
            [] => return Ok(ranges),
            [from, '-', to, tail @ ..] => {
                ranges.push((*from, *to));
                tail
            }
            [one, tail @ ..] => {
                ranges.push((*one, *one));
                tail
            }
        };
    }
}

/// Names and patterns are short, so trying each way is quick enough.
fn matches(pieces: &[Piece], name: &[char]) -> bool {
    match (pieces, name) {
        ([], name) => name.is_empty(),
        ([Piece::Anything, rest @ ..], name) => {
            matches(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(_, tail)| matches(pieces, tail))
        }
        ([piece, rest @ ..], [first, tail @ ..]) => piece.takes(*first) && matches(rest, tail),
        (_, []) => false,
    }
}

impl Piece {
    fn takes(&self, character: char) -> bool {
        match self {
            Piece::Anything | Piece::AnyOne => true,
            Piece::One(one) => *one == character,
            Piece::OneOf(ranges) => ranges
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&character)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(id: &str, action: &str, schema: &str, table: &str) -> Value {
        json!({
            "rule-type": "selection", "rule-id": id, "rule-name": id, "rule-action": action,
            "object-locator": { "schema-name": schema, "table-name": table }, "filters": []
        })
    }

    fn mappings(rules: &[Value]) -> Mappings {
        Mappings::parse(&json!({ "rules": rules })).unwrap()
    }

    fn taken(pattern: &str, names: &[&'static str]) -> Vec<&'static str> {
        let mappings = mappings(&[rule("1", "include", "public", pattern)]);
        let taken = names.iter().filter(|name| mappings.selects("public", name));
        taken.copied().collect()
    }

    #[test]
    fn wildcards_are_dms_own() {
        let names = ["item", "item_1", "items1", "itemx1", "Item", "a", "b", "e"];
        assert_eq!(taken("%", &names), names);
        assert_eq!(
            taken("item%", &names),
            ["item", "item_1", "items1", "itemx1"]
        );
        assert_eq!(taken("item_1", &names), ["item_1", "items1", "itemx1"]);
        assert_eq!(taken("item[_]1", &names), ["item_1"]);
        assert_eq!(taken("item[_s]1", &names), ["item_1", "items1"]);
        assert_eq!(taken("[a-d]", &names), ["a", "b"]);
        assert_eq!(taken("[a-ae]", &names), ["a", "e"]);
        assert_eq!(taken("%1%", &names), ["item_1", "items1", "itemx1"]);
        assert_eq!(taken("item", &names), ["item"]);
    }

    #[test]
    fn an_exclusion_wins_wherever_it_stands() {
        let mappings = mappings(&[
            rule("1", "exclude", "public", "databasechangelog%"),
            rule("2", "include", "public", "%"),
            rule("3", "explicit", "audit_log", "entry_1"),
        ]);
        assert!(mappings.selects("public", "item"));
        assert!(!mappings.selects("public", "databasechangeloglock"));
        assert!(!mappings.selects("audit", "entry"));
        assert!(mappings.selects("audit_log", "entry_1"));
        assert!(!mappings.selects("auditxlog", "entryx1"));
    }

    #[test]
    fn system_schemas_and_control_tables_are_never_taken() {
        let mappings = mappings(&[rule("1", "include", "%", "%")]);
        for (schema, table) in [
            ("pg_catalog", "pg_class"),
            ("information_schema", "sql_features"),
            ("pg_toast", "pg_toast_1"),
            ("public", "awsdms_apply_exceptions"),
        ] {
            assert!(!mappings.selects(schema, table), "{schema}.{table}");
        }
    }

    #[test]
    fn load_order_is_the_highest_of_the_matching_rules() {
        let mut first = rule("1", "include", "public", "item");
        first["load-order"] = json!("3");
        let mappings = mappings(&[first, rule("2", "include", "public", "%")]);
        assert_eq!(mappings.load_order("public", "item"), 3);
        assert_eq!(mappings.load_order("public", "other"), 0);
    }

    #[track_caller]
    fn refused(document: Value, words: &str) {
        let error = Mappings::parse(&document).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn what_the_sandbox_would_not_do_is_refused() {
        let with = |change: fn(&mut Value)| {
            let mut rule = rule("1", "include", "public", "%");
            change(&mut rule);
            json!({ "rules": [rule] })
        };
        refused(json!({}), "`rules`");
        refused(json!({ "rules": [] }), "include no table");
        refused(
            json!({ "rules": [rule("1", "exclude", "public", "%")] }),
            "include no table",
        );
        refused(
            with(|it| it["rule-type"] = json!("transformation")),
            "`transformation`",
        );
        refused(
            with(|it| it["rule-type"] = json!("table-settings")),
            "doesn't do",
        );
        refused(
            with(|it| it["rule-type"] = json!("select")),
            "unknown rule-type",
        );
        refused(with(|it| it["rule-action"] = json!("only")), "`only`");
        refused(with(|it| it["filters"] = json!([{}])), "filters");
        refused(with(|it| it["filter"] = json!([])), "unknown key `filter`");
        refused(
            with(|it| it["object-locator"]["table-type"] = json!("view")),
            "views",
        );
        refused(
            with(|it| it["object-locator"]["table-name"] = json!("a[b")),
            "without its `]`",
        );
        refused(with(|it| it["object-locator"] = json!({})), "`schema-name`");
        refused(
            json!({ "rules": [rule("1", "explicit", "public", "%")] }),
            "can't have wildcards",
        );
        refused(
            json!({ "rules": [rule("1", "include", "a", "%"), rule("1", "include", "b", "%")] }),
            "rule-id that is in use",
        );
    }
}
