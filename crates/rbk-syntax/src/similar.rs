//! Which known word a misspelt one was meant to be: one rule for syntax, names, environment files.

/// Longer words are no misspelling of anything; comparing them would only take time.
const LONGEST_WORD: usize = 64;

/// Of shorter words, `of` and `or` for instance, nobody can say which is a slip of which.
const SHORTEST_WORD: usize = 4;

/// The candidate that a misspelt word was probably meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near<'c> {
    /// The nearest.
    pub word: &'c str,
    /// Whether nothing else can have been meant: no other candidate is near, the word is long enough for a slip to be told from
    /// another word, it has one slip (two in a long word), and its digits are the same: `recovery_2` is no misspelt
    /// `recovery_1`.
    pub is_only: bool,
}

/// The nearest of the candidates, if it is near enough to be meant. Upper and lower case count as the same.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    near(word, candidates).map(|near| near.word)
}

/// The same, and whether it is the only one that could be meant.
pub fn near<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<Near<'c>> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if !(2..=LONGEST_WORD).contains(&length) {
        return None;
    }
    let mut all: Vec<(usize, &'c str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len() > 1)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            *distance <= (length.max(candidate.chars().count()) / 3).max(1)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    let (distance, nearest) = *all.first()?;
    let digits = |word: &str| -> String { word.chars().filter(char::is_ascii_digit).collect() };
    let most = match length {
        0..SHORTEST_WORD => 0,
        SHORTEST_WORD..8 => 1,
        _ => 2,
    };
    Some(Near {
        word: nearest,
        is_only: all.len() == 1 && distance <= most && digits(&word) == digits(nearest),
    })
}

#[cfg(test)]
mod tests {
    use super::{near, nearest};

    #[test]
    fn a_word_that_could_mean_two_is_told_from_one_that_can_not() {
        let known = ["recovery_1", "recovery_2", "original"];
        assert!(near("orignal", known).is_some_and(|near| near.is_only));
        assert!(near("recovery", known).is_some_and(|near| !near.is_only));
        assert!(near("origianl", ["original", "original"]).is_some_and(|near| near.is_only));
        for (word, other) in [
            ("recovery_2", "recovery_1"),
            ("of", "or"),
            ("orders", "border"),
        ] {
            assert!(
                near(word, [other]).is_some_and(|near| !near.is_only),
                "{word}"
            );
        }
    }

    #[test]
    fn a_slip_is_mended_and_another_word_is_left_alone() {
        let known = ["original", "recovery", "restore", "step"];
        assert_eq!(nearest("orignal", known), Some("original"));
        assert_eq!(nearest("Restroe", known), Some("restore"));
        assert_eq!(nearest("stpe", known), Some("step"));
        assert_eq!(nearest("replica", known), None);
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest(&"original".repeat(100), known), None);
    }
}
