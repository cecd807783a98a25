//! DMS serverless: endpoints, replication configs, their life-cycle, and loads that really move rows.

pub(crate) mod load;
