//! How long changes of schemas may take. An upper bound is the action's deadline, so it must hold for a slow instance
//! whose volume still fetches its blocks; it is no estimate.

use super::MINUTE;

/// How long a statement may wait for a lock, in seconds. Everybody who comes after a waiting `ALTER TABLE` waits behind it:
/// half a minute outlasts the short transactions of an application and is still shorter than its patience.
pub(crate) const LOCK_TIMEOUT: u64 = 30;

const GIGABYTE: u64 = 1 << 30;

/// Half an hour, and so many minutes for each gigabyte, in seconds.
pub(crate) fn by_size(bytes: u64, minutes_per_gigabyte: u64) -> u64 {
    let gigabytes = bytes.div_ceil(GIGABYTE);
    let growing = gigabytes.saturating_mul(minutes_per_gigabyte * MINUTE);
    growing.saturating_add(30 * MINUTE)
}
