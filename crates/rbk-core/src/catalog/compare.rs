//! What two catalogs disagree about.

use super::Catalog;
use crate::environment::TableName;

/// One thing that isn't as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `column public.embeddings.embedding_vector`
    pub object: String,
    /// As it should be; `None`: it shouldn't be there.
    pub expected: Option<String>,
    /// As it is; `None`: it isn't there.
    pub found: Option<String>,
}

/// Everything that differs, in the order of schemas and names. Figures don't count, nor do the tables to ignore and what is theirs.
pub fn differences(expected: &Catalog, found: &Catalog, ignored: &[TableName]) -> Vec<Difference> {
    let _ = (expected, found, ignored);
    unimplemented!("contract")
}

/// What differs of that which goes with these schemas besides their tables and is put back when they are recreated: the schemas'
/// owner, comment, grants and default privileges, and the extensions in them.
pub fn around(expected: &Catalog, found: &Catalog, schemas: &[String]) -> Vec<Difference> {
    let _ = (expected, found, schemas);
    unimplemented!("contract")
}
