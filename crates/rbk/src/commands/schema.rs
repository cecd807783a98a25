//! `rbk schema DOCUMENT`

use super::unwritten;
use crate::cli::{SchemaArgs, SchemaOf};
use crate::exit::{Exit, Failure};
use crate::render::colour::Screen;
use crate::render::diagnostics::Document;
use crate::render::json_text;
use rbk_core::plan::Plan;
use rbk_core::plan::diff::PlanDiff;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Prints the JSON Schema of a document.
pub fn schema(screen: Screen, args: &SchemaArgs) -> Result<Exit, Failure> {
    screen
        .data(&json_text(&schema_of(args.of)))
        .map_err(unwritten)?;
    Ok(Exit::Done)
}

/// The JSON Schema (draft 2020-12; of environments draft 7, which editors know best) of a document.
fn schema_of(document: SchemaOf) -> Value {
    match document {
        SchemaOf::Plan => described::<Plan>("An rbk plan", "What `rbk plan --format json` writes."),
        SchemaOf::PlanDiff => described::<PlanDiff>(
            "A difference of rbk plans",
            "What `rbk plan --diff BASE --format json` writes.",
        ),
        SchemaOf::Check => described::<Document>(
            "What rbk found",
            "What `rbk check --format json` writes, and `rbk plan --format json` where a runbook can't be planned.",
        ),
        SchemaOf::Environment => rbk_core::environment::schema(),
    }
}

/// The schema of what is written: every member that is always there is required.
fn described<T: JsonSchema>(title: &str, description: &str) -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), Value::from(title));
    schema.insert("description".to_owned(), Value::from(description));
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::{SchemaOf, json_text, schema_of};
    use std::path::PathBuf;

    /// The schemas that are shipped; that of environments is beside them in `runbooks/`, held by its own test.
    const SHIPPED: [(SchemaOf, &str); 3] = [
        (SchemaOf::Plan, "plan"),
        (SchemaOf::PlanDiff, "plan-diff"),
        (SchemaOf::Check, "check"),
    ];

    fn file(name: &str) -> PathBuf {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        root.join(format!("docs/schemas/{name}.schema.json"))
    }

    #[test]
    fn the_shipped_schemas_are_these() {
        for (document, name) in SHIPPED {
            let shipped = std::fs::read_to_string(file(name)).expect("it is shipped");
            assert!(
                shipped == json_text(&schema_of(document)),
                "{name}: write it anew: cargo test -p rbk write_the_shipped_schemas -- --ignored"
            );
        }
    }

    #[test]
    #[ignore = "writes the shipped schemas"]
    fn write_the_shipped_schemas() {
        for (document, name) in SHIPPED {
            let text = json_text(&schema_of(document));
            std::fs::write(file(name), text).expect("it can be written");
        }
    }
}
