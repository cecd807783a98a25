//! Numbers with and without units, and points in time.

use super::convert::Converter;
use super::error::SyntaxError;
use super::grammar::Rule;
use crate::ast::ExprKind;
use crate::diagnostic::Safety;
use crate::span::Span;

/// Seconds of a unit of duration.
const DURATIONS: &[(&str, u64)] = &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

/// Bytes of a unit of size.
const SIZES: &[(&str, u64)] = &[
    ("kb", 1 << 10),
    ("mb", 1 << 20),
    ("gb", 1 << 30),
    ("tb", 1 << 40),
];

/// Reason and help.
const UNORDERED: (&str, &str) = (
    "units in a strange order",
    "the larger unit comes first, and each only once: `1d12h30m`",
);

/// Units of elsewhere, and what they are called here.
const MISTAKEN_UNITS: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("k", "kb"),
    ("kib", "kb"),
    ("mib", "mb"),
    ("g", "gb"),
    ("gib", "gb"),
    ("t", "tb"),
    ("tib", "tb"),
];

impl Converter<'_> {
    /// What a number or time stands for.
    pub(super) fn literal(&mut self, rule: Rule, written: &str, span: Span) -> ExprKind {
        let value = match rule {
            Rule::integer => integer(written).map(ExprKind::Integer),
            Rule::duration => duration(written).map(ExprKind::Duration),
            Rule::size => size(written).map(ExprKind::Size),
            Rule::time => return self.time(written, span),
            _ => return self.malformed(written, span),
        };
        value.unwrap_or_else(|| {
            let (reason, help) = match rule {
                _ if has_stray_underscore(written) => {
                    ("a stray `_`", "`_` stands between two digits")
                }
                Rule::integer => ("too large", "integers go up to 9_223_372_036_854_775_807"),
                Rule::duration if !is_ordered(written) => UNORDERED,
                Rule::duration => ("too long", "durations go up to 100 years"),
                _ => ("too large", "sizes go up to 8_388_607tb"),
            };
            self.add(
                &SyntaxError::MalformedNumber {
                    written: written.into(),
                    reason,
                    help,
                },
                span,
            );
            ExprKind::Error
        })
    }

    fn time(&mut self, written: &str, span: Span) -> ExprKind {
        match written.parse() {
            Ok(time) => ExprKind::Time(time),
            Err(_) => {
                let reason = "no such day, or no such time of day".into();
                self.add(
                    &SyntaxError::MalformedTime {
                        written: written.into(),
                        reason,
                    },
                    span,
                );
                ExprKind::Error
            }
        }
    }

    /// Finds out what a number was meant to be.
    fn malformed(&mut self, written: &str, span: Span) -> ExprKind {
        if is_date(written) {
            self.malformed_time(written, span);
            return ExprKind::Error;
        }
        let is_digit = |character: char| character.is_ascii_digit() || character == '_';
        let is_unknown = |unit: &str| !DURATIONS.iter().chain(SIZES).any(|(name, _)| *name == unit);
        let unit = amounts(written)
            .map(|(_, unit)| unit)
            .find(|unit| is_unknown(unit));
        let unit = unit.unwrap_or(written.trim_start_matches(is_digit));
        let malformed = |reason, help| SyntaxError::MalformedNumber {
            written: written.into(),
            reason,
            help,
        };
        if written.contains('.') {
            self.add(
                &malformed(
                    "not a whole number",
                    "take a smaller unit, `90m` for one hour and a half",
                ),
                span,
            );
        } else if matches!(unit, "w" | "week" | "weeks") {
            self.unknown_unit(written, unit, weeks(written), span);
        } else if let Some(better) = corrected(written) {
            self.unknown_unit(written, unit, Some(better), span);
        } else if is_reordered(written) {
            self.add(&malformed(UNORDERED.0, UNORDERED.1), span);
        } else {
            self.unknown_unit(written, unit, None, span);
        }
        ExprKind::Error
    }

    fn malformed_time(&mut self, written: &str, span: Span) {
        let (date, clock) = written.split_at_checked(10).unwrap_or((written, ""));
        let clock = clock.trim_start_matches([' ', 'T', 't']);
        let mended = format!("{date}T{clock}");
        if clock.is_empty() {
            let reason = "a day, but no time of it".into();
            let error = SyntaxError::MalformedTime {
                written: written.into(),
                reason,
            };
            self.add_with(&error, span, |it| it.fix(span, format!("{date}T00:00:00Z")));
        } else if mended.parse::<jiff::Timestamp>().is_ok() {
            let reason = "`T` stands between day and time".into();
            let error = SyntaxError::MalformedTime {
                written: written.into(),
                reason,
            };
            self.add_with(&error, span, |it| it.safe_fix(span, mended));
        } else if format!("{mended}Z").parse::<jiff::Timestamp>().is_ok() {
            let error = SyntaxError::TimeWithoutOffset {
                written: mended.clone(),
            };
            self.add_with(&error, span, |it| it.fix(span, format!("{mended}Z")));
        } else {
            let reason = "no such day, or no such time of day".into();
            self.add(
                &SyntaxError::MalformedTime {
                    written: written.into(),
                    reason,
                },
                span,
            );
        }
    }

    fn unknown_unit(&mut self, written: &str, unit: &str, better: Option<String>, span: Span) {
        let error = SyntaxError::UnknownUnit {
            written: written.into(),
            unit: unit.into(),
            better: better.clone(),
        };
        self.add_with(&error, span, |it| match better {
            Some(better) => it.fix_with(span, better, unit_safety(unit)),
            None => it,
        });
    }
}

/// What a unit of elsewhere is called here.
pub(super) fn unit_meant(unit: &str) -> Option<&'static str> {
    let unit = unit.to_ascii_lowercase();
    let known = DURATIONS
        .iter()
        .chain(SIZES)
        .map(|(name, _)| *name)
        .find(|name| *name == unit);
    known.or_else(|| {
        MISTAKEN_UNITS
            .iter()
            .find(|(mistaken, _)| *mistaken == unit)
            .map(|(_, meant)| *meant)
    })
}

/// Whether a unit of elsewhere can only mean what it is taken for: `5M` are minutes to one and megabytes to another.
pub(super) fn unit_safety(unit: &str) -> Safety {
    if unit == "M" {
        Safety::Shown
    } else {
        Safety::Safe
    }
}

fn digits(written: &str) -> Option<u64> {
    written
        .bytes()
        .filter(|byte| *byte != b'_')
        .try_fold(0_u64, |sum, byte| {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            sum.checked_mul(10)?.checked_add(u64::from(digit))
        })
}

fn integer(written: &str) -> Option<i64> {
    i64::try_from(digits(written)?)
        .ok()
        .filter(|_| !has_stray_underscore(written))
}

/// Numbers and the units behind them.
fn amounts(written: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = written;
    std::iter::from_fn(move || {
        let is_digit = |character: char| character.is_ascii_digit() || character == '_';
        let (number, behind) =
            rest.split_at_checked(rest.len() - rest.trim_start_matches(is_digit).len())?;
        let length = behind.find(is_digit).unwrap_or(behind.len());
        let (unit, next) = behind.split_at_checked(length)?;
        rest = next;
        (!number.is_empty()).then_some((number, unit))
    })
}

fn duration(written: &str) -> Option<u64> {
    const CENTURY: u64 = 100 * 366 * 86_400;
    let mut sum = 0_u64;
    for (number, unit) in amounts(written) {
        let (_, seconds) = DURATIONS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(digits(number)?.checked_mul(*seconds)?)?;
    }
    (sum <= CENTURY && is_ordered(written) && !has_stray_underscore(written)).then_some(sum)
}

/// Whether each unit of a duration is smaller than the one before.
fn is_ordered(written: &str) -> bool {
    let seconds = |unit| {
        DURATIONS
            .iter()
            .find(|(name, _)| *name == unit)
            .map_or(0, |(_, seconds)| *seconds)
    };
    amounts(written)
        .map(|(_, unit)| seconds(unit))
        .is_sorted_by(|larger, smaller| larger > smaller)
}

/// Whether a `_` stands elsewhere than between digits.
fn has_stray_underscore(written: &str) -> bool {
    let digits = |part: Option<&str>| {
        part.is_some_and(|part| part.starts_with(|first: char| first.is_ascii_digit()))
    };
    written
        .match_indices('_')
        .any(|(at, _)| !digits(written.get(at + 1..)))
}

fn size(written: &str) -> Option<u64> {
    let (number, unit) = amounts(written).next()?;
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    digits(number)?
        .checked_mul(*bytes)
        .filter(|size| i64::try_from(*size).is_ok() && !has_stray_underscore(written))
}

/// The same with the units of the language, if they are all known and in their order.
fn corrected(written: &str) -> Option<String> {
    let mut better = String::new();
    for (number, unit) in amounts(written) {
        better.push_str(number);
        better.push_str(unit_meant(unit)?);
    }
    (better != written && (duration(&better).is_some() || size(&better).is_some()))
        .then_some(better)
}

fn weeks(written: &str) -> Option<String> {
    let (number, _) = amounts(written).next()?;
    Some(format!("{}d", digits(number)?.checked_mul(7)?))
}

/// Whether all units are known, so that only their order can be wrong.
fn is_reordered(written: &str) -> bool {
    amounts(written).all(|(_, unit)| unit_meant(unit).is_some())
}

/// Whether it begins like `2026-11-22`.
fn is_date(written: &str) -> bool {
    written.len() >= 10
        && written
            .bytes()
            .take(10)
            .enumerate()
            .all(|(index, byte)| match index {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
}
