//! The schema describes what the reader takes: the same keys, the same texts, the same files.

use super::super::forms::{self, Form};
use super::super::load;
use super::super::reader::Reader;
use super::super::tests::{EVERYTHING, PARCELS, PROD};
use super::schema;
use fancy_regex::Regex;
use proptest::prelude::*;
use rbk_syntax::SourceId;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::de::DeTable;

const SHIPPED: &str = "../../runbooks/environments/environment.schema.json";

fn written() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("it is JSON");
    text.push('\n');
    text
}

#[test]
fn the_shipped_schema_is_this_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED);
    let shipped = std::fs::read_to_string(&file).expect("it is shipped");
    assert!(
        shipped == written(),
        "write it anew: cargo test -p rbk-core write_the_shipped_schema -- --ignored"
    );
}

#[test]
#[ignore = "writes the shipped schema"]
fn write_the_shipped_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED);
    std::fs::write(file, written()).expect("it can be written");
}

#[test]
fn the_schema_has_the_readers_keys() {
    let document = DeTable::parse(EVERYTHING).expect("it is TOML");
    let mut reader = Reader::new(SourceId(0), EVERYTHING);
    load::read(&mut reader, document.get_ref(), "all", Path::new("")).expect("nothing is wrong");
    let read: BTreeMap<String, BTreeSet<String>> = reader
        .known
        .iter()
        .map(|(shape, keys)| {
            (
                (*shape).to_owned(),
                keys.iter().map(ToString::to_string).collect(),
            )
        })
        .collect();

    let schema = schema();
    let mut described = BTreeMap::new();
    collect_keys(&schema, &schema, "", &mut described);
    assert_eq!(read, described);
}

/// Every table of a schema with its keys; `*` stands for a name of the user's.
fn collect_keys(
    root: &Value,
    node: &Value,
    shape: &str,
    found: &mut BTreeMap<String, BTreeSet<String>>,
) {
    let below = |key: &str| {
        if shape.is_empty() {
            key.to_owned()
        } else {
            format!("{shape}.{key}")
        }
    };
    if let Some(target) = node["$ref"].as_str() {
        collect_keys(root, resolve(root, target), shape, found);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        for choice in node[list].as_array().into_iter().flatten() {
            collect_keys(root, choice, shape, found);
        }
    }
    for (key, value) in node["properties"].as_object().into_iter().flatten() {
        found
            .entry(shape.to_owned())
            .or_default()
            .insert(key.clone());
        collect_keys(root, value, &below(key), found);
    }
    if node["additionalProperties"].is_object() {
        collect_keys(root, &node["additionalProperties"], &below("*"), found);
    }
}

fn resolve<'s>(root: &'s Value, target: &str) -> &'s Value {
    root.pointer(target.trim_start_matches('#'))
        .expect("a reference within the schema")
}

#[test]
fn shipped_files_are_valid() {
    for text in [PROD, PARCELS, EVERYTHING] {
        assert_eq!(complaints(text), Vec::<String>::new());
    }
}

/// Changes of a good file: `(text, replacement)`. Each is wrong for the reader and for the schema.
const SPOILT: &[(&str, &str)] = &[
    ("region = \"eu-central-1\"", "region = \"Frankfurt\""),
    ("region = \"eu-central-1\"\n", ""),
    ("region = ", "regoin = "),
    ("account = \"123456789012\"", "account = 123456789012"),
    ("sg-0a1b2c3d4e5f60718", "statistagpt-db"),
    (
        "security_groups = [\"sg-0a1b2c3d4e5f60718\"]",
        "security_groups = []",
    ),
    ("[\"{host}\"]", "[\"db\"]"),
    ("{local_port}", "{localport}"),
    (
        "connect_timeout = \"10s\"",
        "connect_timeout = \"10 seconds\"",
    ),
    ("connect_timeout = \"10s\"", "connect_timeout = \"0s\""),
    (
        "instance = \"statistagptdb\"",
        "instance = \"StatistaGptDb\"",
    ),
    ("instance = \"statistagptdb\"\n", ""),
    ("storage_type = \"gp3\"", "storage_type = \"ssd\""),
    ("retention = \"7d\"", "retention = \"36d\""),
    ("retention = \"7d\"", "retention = \"24h\""),
    ("protect = true", "protect = \"yes\""),
    ("removal_policy = \"retain\"", "removal_policy = \"keep\""),
    ("cost-centre", "\"aws:cost\""),
    ("public.embeddings\"]", "embeddings\"]"),
    (
        "not_empty = [\"public.documents\"",
        "not_empty = [\"public.embeddings\"",
    ),
    ("within = \"26h\"", "limit = \"26h\""),
    ("[databases.recovery]", "[databases.\"the recovery\"]"),
    (
        "databases = [\"original\", \"recovery\"]",
        "databases = \"original\"",
    ),
    ("active = { pointer", "active = { points_at"),
    (
        "pointer = \"sgpt/active_secret_key\"",
        "pointer = \"a\", copy = \"b\"",
    ),
    (
        "pointer = \"sgpt/active_secret_key\"",
        "copy = \"b\", field = \"c\"",
    ),
    ("https://sgpt", "https://user:password@sgpt"),
    ("expect = 200", "expect = 2000"),
    ("unattended = false", "unattended = 0"),
    ("default_rows = 2000", "default_rows = 0"),
    ("default_rows = 2000", "default_rows = -5"),
    ("\"../drill/statistagpt/stack.sql\"", "\"~/stack.sql\""),
    ("drop_table", "burn_down"),
    ("{ drop_table = \"public.embeddings\" }", "\"fire\""),
    (
        "{ drop_table = \"public.embeddings\" }",
        "{ drop_table = \"a.b\", delete_rows = \"a.b\" }",
    ),
    ("{ drop_table = \"public.embeddings\" }", "{}"),
];

/// The same for a file that has everything.
const SPOILT_EVERYTHING: &[(&str, &str)] = &[
    ("tool = \"liquibase\"", "tool = \"flyway\""),
    ("tool = \"liquibase\"\n", ""),
    ("changelog = \"changelog/main.xml\"\n", ""),
    ("contexts = [\"!seed\"]", "contexts = [\"a,b\"]"),
    ("program = [\"/opt/liquibase\"]", "program = []"),
    ("schema = \"ops\"", "schema = \"o-p-s\""),
    ("program = [\"warm\"", "programme = [\"warm\""),
    ("{ table = \"text\"", "{ table = \"table\""),
    ("{ PGPASSWORD =", "{ \"PG PASSWORD\" ="),
    ("secret = \"ledger/reader\", field", "field"),
    ("repeatable = true", "repeatable = \"yes\""),
    (
        "subnet_group = \"ledger-dms\"",
        "subnet_group = \"Ledger DMS\"",
    ),
    ("subnet_group = \"ledger-dms\"\n", ""),
    ("tls = \"verify-full\"", "tls = \"full\""),
    (":role/dms", ":user/dms"),
    (":cert:", ":certificate:"),
    ("config.py", "config.toml"),
    ("section = [\"CONFIG\", \"gov\"]\n", ""),
    ("section = [\"CONFIG\", \"gov\"]", "section = []"),
    ("{ mirror_enabled", "{ \"mirror enabled\""),
    ("\"mirror exists\"", "true"),
    ("read = \"active_secret\"", "show = \"active_secret\""),
    ("stack = { apply", "stack = { deploy"),
];

#[test]
fn what_the_reader_refuses_the_schema_refuses() {
    let spoilt = SPOILT.iter().map(|change| (PROD, change));
    let spoilt = spoilt.chain(SPOILT_EVERYTHING.iter().map(|change| (EVERYTHING, change)));
    for (sound, (from, to)) in spoilt {
        assert!(sound.contains(from), "`{from}` is gone from the file");
        let spoilt = sound.replacen(from, to, 1);
        let loaded = load::load("prod", SourceId(0), &spoilt, Path::new(""));
        assert!(loaded.environment.is_none(), "the reader takes `{to}`");
        assert_ne!(
            complaints(&spoilt),
            Vec::<String>::new(),
            "the schema takes `{to}`"
        );
    }
}

/// What a schema validator says about a file.
fn complaints(text: &str) -> Vec<String> {
    let file: toml::Value = toml::from_str(text).expect("it is TOML");
    let file = serde_json::to_value(file).expect("without dates it is JSON");
    let schema = schema();
    let mut found = Vec::new();
    validate(&schema, &schema, &file, "", &mut found);
    found
}

/// As much of JSON Schema as the schema uses; a keyword that is not known here fails the test.
fn validate(root: &Value, node: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let holds = |node: &Value, value: &Value| {
        let mut found = Vec::new();
        validate(root, node, value, at, &mut found);
        found.is_empty()
    };
    let node = match node {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push(format!("{at}: not expected")),
        node => node.as_object().expect("a schema is an object"),
    };
    let size = |value: &Value| match value {
        Value::Array(items) => items.len() as u64,
        Value::Object(entries) => entries.len() as u64,
        Value::String(text) => text.chars().count() as u64,
        _ => 0,
    };
    for (keyword, rule) in node {
        let rules = || rule.as_array().expect("a list").iter();
        let good = match keyword.as_str() {
            "$schema" | "title" | "description" | "examples" | "default" | "format"
            | "definitions" => true,
            "$ref" => {
                let target = resolve(root, rule.as_str().expect("text"));
                validate(root, target, value, at, found);
                true
            }
            "type" => match rule {
                Value::String(kind) => is_of_type(value, kind),
                kinds => kinds
                    .as_array()
                    .expect("a list")
                    .iter()
                    .any(|kind| is_of_type(value, kind.as_str().expect("text"))),
            },
            "const" => value == rule,
            "enum" => rules().any(|choice| choice == value),
            "anyOf" => rules().any(|rule| holds(rule, value)),
            "oneOf" => rules().filter(|rule| holds(rule, value)).count() == 1,
            "allOf" => rules().all(|rule| holds(rule, value)),
            "not" => !holds(rule, value),
            "pattern" => value.as_str().is_none_or(|text| {
                let pattern = Regex::new(rule.as_str().expect("text")).expect("a pattern");
                pattern.is_match(text).expect("it ends")
            }),
            "maxLength" => !value.is_string() || size(value) <= rule.as_u64().expect("a number"),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().expect("a number")),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().expect("a number")),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(root, rule, item, &format!("{at}[{index}]"), found);
                }
                true
            }
            "contains" => value
                .as_array()
                .is_none_or(|items| items.iter().any(|item| holds(rule, item))),
            "minItems" => !value.is_array() || size(value) >= rule.as_u64().expect("a number"),
            "uniqueItems" => value.as_array().is_none_or(|items| {
                let texts: BTreeSet<String> = items.iter().map(ToString::to_string).collect();
                texts.len() == items.len()
            }),
            "minProperties" => {
                !value.is_object() || size(value) >= rule.as_u64().expect("a number")
            }
            "maxProperties" => {
                !value.is_object() || size(value) <= rule.as_u64().expect("a number")
            }
            "required" => value.as_object().is_none_or(|entries| {
                rules().all(|key| entries.contains_key(key.as_str().expect("text")))
            }),
            "propertyNames" => value.as_object().is_none_or(|entries| {
                entries
                    .keys()
                    .all(|key| holds(rule, &Value::String(key.clone())))
            }),
            "properties" => {
                for (key, rule) in rule.as_object().expect("an object") {
                    if let Some(value) = value.get(key) {
                        validate(root, rule, value, &format!("{at}.{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let named = node
                        .get("properties")
                        .is_some_and(|named| named.get(key).is_some());
                    if !named {
                        validate(root, rule, value, &format!("{at}.{key}"), found);
                    }
                }
                true
            }
            other => panic!("the test does not know `{other}`"),
        };
        if !good {
            found.push(format!("{at}: {keyword}"));
        }
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the test does not know type `{other}`"),
    }
}

const FORMS: &[&Form] = &[
    &forms::ACCOUNT,
    &forms::ADDRESS,
    &forms::CLASS,
    &forms::COLUMN,
    &forms::CONTEXT,
    &forms::DATABASE,
    &forms::DMS_CERTIFICATE,
    &forms::DMS_SUBNET_GROUP,
    &forms::DURATION,
    &forms::ENVIRONMENT,
    &forms::EXPRESSION,
    &forms::EXTENSION,
    &forms::FIELD,
    &forms::IAM_ROLE,
    &forms::INSTANCE,
    &forms::NAME,
    &forms::PARAMETER_GROUP,
    &forms::PATH,
    &forms::PYTHON_FILE,
    &forms::PYTHON_VARIABLE,
    &forms::REGION,
    &forms::RETENTION,
    &forms::ROLE,
    &forms::SCHEMA,
    &forms::SECRET,
    &forms::SECURITY_GROUP,
    &forms::SETTING,
    &forms::SUBNET_GROUP,
    &forms::TABLE,
    &forms::TAG_KEY,
    &forms::TAG_VALUE,
    &forms::NUMBERED_WRITE,
    &forms::SQL_EXPRESSION,
    &forms::VARIABLE,
];

#[track_caller]
fn agrees(form: &Form, pattern: &Regex, text: &str) {
    let described =
        text.chars().count() <= form.longest && pattern.is_match(text).expect("it ends");
    assert_eq!(form.fits(text), described, "{}: {text:?}", form.what);
}

#[test]
fn every_form_has_an_example_that_fits() {
    for form in FORMS {
        assert!(form.fits(form.example), "{}: {}", form.what, form.example);
    }
}

#[test]
fn patterns_say_what_the_functions_do() {
    let strange = [
        "",
        "-",
        "a--b",
        "a-",
        "A",
        "9a",
        "ä",
        "default.",
        "default.postgres16",
        "db.r6g",
        "db..large",
        "sg-12345678",
        "eu-central-12",
        "eu--1",
        "1d2h3m4s",
        "4s1d",
        "00d",
        "1d1d",
        "http://",
        "http://a",
        "https://a/b c",
        "https://a?b",
        "https://[::1]:80/",
        "aws:a",
        "rbk:run",
        "prod.toml",
        "a.b.c.d",
        "~",
        "\0",
        "x\n",
        "35d",
        "36d",
        "07d",
        "1000000000s",
        ".py",
        "a.py",
        "a\n.py",
        "arn:aws-us-gov:iam::123456789012:role/a/b",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:dms:eu-central-1:123456789012:cert:",
        "arn:awsX:iam::123456789012:role/a",
        " \t ",
        "recovery exists and\nmore",
    ];
    for form in FORMS {
        let pattern = Regex::new(form.pattern).expect("a pattern");
        for text in strange {
            agrees(form, &pattern, text);
        }
        for length in [form.longest, form.longest + 1] {
            agrees(form, &pattern, &"a".repeat(length));
        }
    }
}

proptest! {
    #[test]
    fn patterns_follow_the_functions_close_to_examples(
        which in 0..FORMS.len(),
        at in any::<prop::sample::Index>(),
        length in 0..4_usize,
        put in "[a-zA-Z0-9 ./:@_~{}$\n-]{0,4}",
    ) {
        let form = FORMS[which];
        let pattern = Regex::new(form.pattern).expect("a pattern");
        let at = at.index(form.example.len() + 1);
        let end = (at + length).min(form.example.len());
        let mut text = form.example.to_owned();
        text.replace_range(at..end, &put);
        agrees(form, &pattern, &text);
    }
}
