//! LOBs by mode.
