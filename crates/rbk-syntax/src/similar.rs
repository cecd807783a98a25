//! Which known word a misspelt one was meant to be: one rule for syntax, names, environment files.

/// Longer words are no misspelling of anything; comparing them would only take time.
const LONGEST_WORD: usize = 64;

/// The nearest of the candidates, if it is near enough to be meant. Upper and lower case count as the same.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if !(2..=LONGEST_WORD).contains(&length) {
        return None;
    }
    candidates
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
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

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
