//! Lists and counts in messages.

/// The first few, and how many more there are: `a, b, c, and 12 more`
pub(crate) fn first_few(all: &[String], most: usize, between: &str) -> String {
    let mut text = all.get(..most).unwrap_or(all).join(between);
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        text.push_str(&format!("{between}and {more} more"));
    }
    text
}

/// `1 index`, `3 indexes`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::first_few;

    #[test]
    fn what_is_left_out_is_counted() {
        let all = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_few(&all, 4, ", "), "a, b, c");
        assert_eq!(first_few(&all, 3, ", "), "a, b, c");
        assert_eq!(first_few(&all, 2, "; "), "a; b; and 1 more");
        assert_eq!(first_few(&[], 2, "; "), "");
    }
}
