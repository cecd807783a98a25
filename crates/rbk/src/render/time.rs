//! Lengths of time for people.

use std::time::Duration;

/// `0.4s`, `12.3s`, `3m05s`, `1h02m`.
pub fn short(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = tenths / 10;
    match seconds {
        0..60 => format!("{seconds}.{}s", tenths % 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The same of seconds as JSON documents hold them.
pub fn seconds(seconds: f64) -> String {
    short(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_fits_the_length() {
        let cases = [
            (0, "0.0s"),
            (449, "0.4s"),
            (59_949, "59.9s"),
            (59_960, "1m00s"),
            (185_000, "3m05s"),
            (3_725_000, "1h02m"),
        ];
        for (millis, text) in cases {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
        assert_eq!(seconds(-1.0), "0.0s");
    }
}
