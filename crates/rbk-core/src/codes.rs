//! The registry of all diagnostics: one number, one title, for `check`, `plan`, `run` and their pages.

use rbk_syntax::Code;

/// Every diagnostic's number and title, in the order of the numbers.
pub fn all() -> impl Iterator<Item = (Code, &'static str)> {
    let passes: [&[(Code, &str)]; 5] = [
        rbk_syntax::CODES,
        crate::check::CODES,
        crate::state::CODES,
        crate::environment::CODES,
        crate::run::CODES,
    ];
    passes.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_unique_and_ordered() {
        let codes: Vec<_> = super::all().map(|(code, _)| code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }
}
