//! Later passes can point at what an environment says.

use super::PROD;
use crate::environment::{DatabaseName, load};
use crate::ids::ApplicationName;
use rbk_syntax::Sources;
use std::path::Path;

#[test]
fn places_lead_to_where_it_is_written() {
    let mut sources = Sources::default();
    let source = sources.add("prod.toml", PROD);
    let places = load("prod", source, PROD, Path::new("")).places;
    let (original, recovery) = (DatabaseName::new("original"), DatabaseName::new("recovery"));
    let sgpt = ApplicationName::new("sgpt");
    let written = [
        places.database(&original),
        places.application(&sgpt),
        places.database_key(&recovery, "instance"),
        places.database_key(&recovery, "protect"),
        places.database_key(&recovery, "class"),
        places.database_key(&recovery, "subnet_group"),
        places.database_key(&recovery, "checks.fresh"),
        places.application_key(&sgpt, "role"),
        places.key("drill.disaster.drop_table"),
    ];
    let written: Vec<_> = written
        .into_iter()
        .map(|span| sources.text(span.expect("it is in the file")))
        .collect();
    assert_eq!(
        written,
        [
            "original",
            "sgpt",
            r#"instance = "statistagptdb-recovery""#,
            "protect = false",
            r#"class = "db.r6g.large""#,
            r#"subnet_group = "statistagpt-db""#,
            "fresh",
            r#"role = "sgpt_app""#,
            r#"drop_table = "public.embeddings""#,
        ]
    );
    assert_eq!(places.databases().count(), 2);
    assert_eq!(places.applications().count(), 1);
}

#[test]
fn a_file_with_errors_has_places_too() {
    let text = PROD.replace("db.r6g.large", "large");
    let loaded = load("prod", rbk_syntax::SourceId(0), &text, Path::new(""));
    assert_eq!(loaded.environment, None);
    assert!(
        loaded
            .places
            .database(&DatabaseName::new("original"))
            .is_some()
    );
}
