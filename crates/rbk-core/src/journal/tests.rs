//! Journals that are whole, torn and damaged.
