//! End-to-end tests through the binary that was just built.
