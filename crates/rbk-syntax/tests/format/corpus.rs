//! Every runbook there is.
