//! Whole files.

use crate::{QUICK_RECOVERY, file};
use insta::assert_snapshot;

#[test]
fn quick_recovery_is_read() {
    assert_snapshot!(file(QUICK_RECOVERY));
}
