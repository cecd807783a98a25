//! What the tests of this module share.

use super::*;
use rbk_syntax::SourceId;
use std::path::Path;

const PROD: &str = include_str!("../../../../runbooks/environments/prod.toml");
const PARCELS: &str = include_str!("../../../../runbooks/environments/parcels.toml");

#[track_caller]
fn shipped(name: &str, text: &str) -> Environment {
    let loaded = load(name, SourceId(0), text, Path::new("runbooks/environments"));
    assert_eq!(loaded.diagnostics, []);
    loaded
        .environment
        .expect("no diagnostics, so an environment")
}

#[test]
fn shipped_files_resolve() {
    insta::assert_json_snapshot!("prod", shipped("prod", PROD));
    insta::assert_json_snapshot!("parcels", shipped("parcels", PARCELS));
}
