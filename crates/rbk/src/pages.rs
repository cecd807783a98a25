//! The pages of the diagnostics, as they stand in `docs/diagnostics`, and how a person names one.

use rbk_core::codes;
use rbk_syntax::Code;

// Built from the folder by `build.rs`: `PAGES`, each code with its Markdown.
include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// How many codes are offered for one that doesn't exist.
const OFFERED: usize = 3;

/// What a code is about, by its first digit: the order in which the codes are listed.
pub const KINDS: [(char, &str); 5] = [
    ('0', "syntax"),
    ('1', "names and types"),
    ('2', "states"),
    ('3', "environment"),
    ('4', "runs"),
];

/// A code with its title.
pub type Entry = (Code, &'static str);

/// The Markdown of a code's page.
pub fn page(code: Code) -> Option<&'static str> {
    PAGES
        .iter()
        .find(|(number, _)| *number == code.0)
        .map(|(_, page)| *page)
}

/// What a code is about.
pub fn kind(code: Code) -> &'static str {
    KINDS
        .into_iter()
        .find(|(digit, _)| code.0.chars().nth(3) == Some(*digit))
        .map_or("other", |(_, kind)| kind)
}

/// The code that is meant by `RBK2004`, `rbk2004` or `2004`; otherwise those that may be meant: the nearest numbers, or the titles
/// that hold the words.
pub fn find(written: &str) -> Result<Entry, Vec<Entry>> {
    let written = written.trim().to_lowercase();
    let digits = written.strip_prefix("rbk").unwrap_or(&written);
    let digits = digits.trim_start_matches(['-', ' ']);
    let Some(number) = Some(digits)
        .filter(|digits| digits.len() <= 4)
        .and_then(|digits| digits.parse::<u16>().ok())
    else {
        return Err(codes::all()
            .filter(|(_, title)| !written.is_empty() && title.to_lowercase().contains(&written))
            .collect());
    };
    let far = |(code, _): &Entry| {
        let other = code.0.trim_start_matches("RBK").parse::<u16>();
        other.map_or(u16::MAX, |other| other.abs_diff(number))
    };
    let mut nearest: Vec<Entry> = codes::all().collect();
    nearest.sort_by_key(far);
    match nearest.first() {
        Some(entry) if far(entry) == 0 => Ok(*entry),
        _ => {
            nearest.truncate(OFFERED);
            nearest.sort_by_key(|(code, _)| *code);
            Err(nearest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for written in ["RBK2004", "rbk2004", "Rbk2004", "2004", " RBK-2004 "] {
            assert_eq!(find(written).map(|(code, _)| code.0), Ok("RBK2004"));
        }
        assert_eq!(find("1").map(|(code, _)| code.0), Ok("RBK0001"));
    }

    #[test]
    fn an_unknown_number_offers_the_nearest() {
        let offered: Vec<&str> = find("RBK0000")
            .expect_err("there is no such code")
            .iter()
            .map(|(code, _)| code.0)
            .collect();
        assert_eq!(offered, ["RBK0001", "RBK0002", "RBK0003"]);
    }

    #[test]
    fn words_offer_the_titles_that_hold_them() {
        let offered = find("Sequences are").expect_err("no code");
        assert!(offered.iter().any(|(code, _)| code.0 == "RBK2038"));
        for nothing in ["", "RBK20041", "no title says this"] {
            assert_eq!(find(nothing), Err(Vec::new()), "{nothing}");
        }
    }

    #[test]
    fn every_code_has_a_kind() {
        assert!(codes::all().all(|(code, _)| kind(code) != "other"));
    }
}
