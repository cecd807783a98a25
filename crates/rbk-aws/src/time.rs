//! Instants of the SDK's as ours, and back.

use aws_smithy_types::DateTime;

/// The same instant; `None` where it is outside of what can be told.
pub(crate) fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
    jiff::Timestamp::new(time.secs(), nanoseconds).ok()
}

/// The same instant for the SDK.
pub(crate) fn date_time(time: jiff::Timestamp) -> DateTime {
    // Before the epoch jiff counts the parts of a second down, and the SDK up.
    let nanoseconds = time.subsec_nanosecond();
    let (seconds, nanoseconds) = if nanoseconds < 0 {
        (time.as_second() - 1, nanoseconds + 1_000_000_000)
    } else {
        (time.as_second(), nanoseconds)
    };
    DateTime::from_secs_and_nanos(seconds, u32::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_goes_there_and_back() {
        for text in [
            "2026-11-22T09:15:00Z",
            "2026-11-22T09:15:00.123Z",
            "1969-12-31T23:59:58.5Z",
        ] {
            let time: jiff::Timestamp = text.parse().expect("a time");
            assert_eq!(timestamp(&date_time(time)), Some(time));
        }
    }
}
