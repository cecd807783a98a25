//! Proves foreign keys.
