//! The sandbox as its clients see it: through the wire, through PostgreSQL's port, and through
//! its library.

// A test ends at the first surprise, also in what the tests share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod applications;
mod boto3;
mod client;
mod clusters;
mod death;
mod dms;
mod dms_faults;
mod dms_loads;
mod dms_wire;
mod faults;
mod point_in_time;
mod restores;
mod wire;
