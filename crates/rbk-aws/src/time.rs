//! Instants of the SDK's as ours.

use aws_smithy_types::DateTime;

/// The same instant; `None` where it is outside of what can be told.
pub(crate) fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
    jiff::Timestamp::new(time.secs(), nanoseconds).ok()
}
