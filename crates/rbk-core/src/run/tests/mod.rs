//! Runs against a world in memory.
