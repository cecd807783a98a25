//! The sandbox as its clients see it: through the wire, through PostgreSQL's port, and through
//! its library.

mod applications;
mod boto3;
mod client;
mod clusters;
mod death;
mod faults;
mod restores;
mod wire;
