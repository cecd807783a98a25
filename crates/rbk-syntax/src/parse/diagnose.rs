//! Words for what the scanner and the grammar refuse.
//!
//! The grammar only says where it could not go on, and which rules it tried there. What people most often
//! do at such places is looked for first; then what was expected is compared with what was found.

use super::error::SyntaxError;
use super::grammar::{Rule, Wording};
use super::scan::{Chunk, Fault, MAX_STATEMENT};
use super::{literals, words};
use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Span};
use pest::error::{Error, ErrorVariant, InputLocation};

/// The diagnostic of what the scanner found.
pub(super) fn fault(source: SourceId, chunk: &Chunk, fault: Fault) -> Diagnostic {
    let span = |start, end| Span::new(source, start, end);
    match fault {
        Fault::UnterminatedText { start, end, long } => {
            let error = SyntaxError::UnterminatedText { long };
            let quotes = if long { 3 } else { 1 };
            let diagnostic = error.at(span(start, start + quotes));
            if long {
                diagnostic
            } else {
                diagnostic.fix(span(end, end), "\"")
            }
        }
        Fault::UnclosedInterpolation { at } => {
            let place = span(at, at + 1);
            SyntaxError::UnclosedInterpolation
                .at(place)
                .fix(place, "\\{")
        }
        Fault::UnclosedParenthesis { at } => SyntaxError::UnclosedParenthesis.at(span(at, at + 1)),
        Fault::UnclosedBrace { at } => SyntaxError::UnclosedBlock.at(span(at, at + 1)),
        Fault::SingleQuotes { start, end } => {
            let place = span(start, end);
            SyntaxError::WrongQuotes { single: true }.at(place)
        }
        Fault::TooDeep { at } => SyntaxError::TooDeep.at(span(at, at + 1)),
        Fault::TooLong => {
            debug_assert!(chunk.end - chunk.start > MAX_STATEMENT);
            let help = "an item or statement has at most 64 KiB";
            SyntaxError::TooLong {
                what: "this statement",
                help,
            }
            .at(span(chunk.start, chunk.start))
        }
    }
}

/// The diagnostic of what the grammar could not read.
pub(super) fn refusal(
    source: SourceId,
    text: &str,
    chunk: &Chunk,
    error: &Error<Rule>,
) -> Diagnostic {
    let written = text.get(chunk.start..chunk.end).unwrap_or("");
    let at = offset(error);
    let place = Place {
        source,
        base: chunk.start,
        written,
        at,
    };
    let expected = Expected::of(error);
    None.or_else(|| place.hyphenated_name())
        .or_else(|| place.detached_unit())
        .or_else(|| place.typographic_quotes())
        .or_else(|| place.semicolon())
        .unwrap_or_else(|| place.unexpected(&expected))
}

/// Whether a statement ends where it has to go on: the next line is then probably part of it.
pub(super) fn breaks_off(written: &str, error: &Error<Rule>) -> bool {
    offset(error) >= written.len() && Expected::of(error).wants_value()
}

/// Which of some words was probably meant by the first one of a text.
pub(super) fn similar_first_word(
    written: &str,
    candidates: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let word = words::first_word(written);
    similar(word, candidates)
}

/// The first word of a chunk, or what stands in its place, and where.
pub(super) fn shown_word(
    source: SourceId,
    chunk: &Chunk,
    written: &str,
    word: &str,
) -> (String, Span) {
    let shown = if word.is_empty() {
        written.chars().next().map(String::from).unwrap_or_default()
    } else {
        word.chars().take(40).collect()
    };
    let length = if word.is_empty() {
        shown.len()
    } else {
        word.len()
    };
    let place = Span::new(source, chunk.start, chunk.start + length);
    (shown, place)
}

/// How a message names what a text begins with.
pub(super) fn found(rest: &str) -> String {
    let token = token(rest);
    match token.chars().next() {
        None | Some('\n' | '\r') => "the end of the line".into(),
        Some('#') => "the end of the line".into(),
        Some('"') => "a text".into(),
        Some(_) => format!("`{}`", token.chars().take(40).collect::<String>()),
    }
}

/// A place where the grammar could not go on.
struct Place<'t> {
    source: SourceId,
    base: usize,
    written: &'t str,
    at: usize,
}

impl<'t> Place<'t> {
    fn before(&self) -> &'t str {
        self.written.get(..self.at).unwrap_or("")
    }

    fn rest(&self) -> &'t str {
        self.written.get(self.at..).unwrap_or("")
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, self.base + start, self.base + end)
    }

    /// What stands here; at the end of the statement, the empty place behind its last character.
    fn token_span(&self) -> Span {
        let rest = self.rest();
        if rest.is_empty() || rest.starts_with('#') {
            let end = self.before().trim_end().len();
            return self.span(end, end);
        }
        self.span(self.at, self.at + token(rest).len())
    }

    fn hyphenated_name(&self) -> Option<Diagnostic> {
        let (start, name) = words::hyphenated(self.written, self.at)?;
        let place = self.span(start, start + name.len());
        let fixed = name.replace('-', "_");
        Some(
            SyntaxError::HyphenatedName {
                name: name.to_owned(),
            }
            .at(place)
            .fix(place, fixed),
        )
    }

    /// `5 minutes`
    fn detached_unit(&self) -> Option<Diagnostic> {
        let number = self.before().trim_end();
        let digits = number.len()
            - number
                .trim_end_matches(|last: char| last.is_ascii_digit() || last == '_')
                .len();
        let start = number.len() - digits;
        let is_number = digits > 0
            && !number
                .get(..start)?
                .bytes()
                .next_back()
                .is_some_and(words::is_word);
        let unit = words::first_word(self.rest());
        let meant = literals::unit_meant(unit).filter(|_| is_number)?;
        let place = self.span(start, self.at + unit.len());
        let better = format!("{}{meant}", number.get(start..)?);
        let written = self.written.get(start..self.at + unit.len())?.to_owned();
        let error = SyntaxError::UnknownUnit {
            written,
            unit: unit.to_owned(),
            better: Some(better.clone()),
        };
        Some(error.at(place).fix(place, better))
    }

    fn typographic_quotes(&self) -> Option<Diagnostic> {
        const QUOTES: [char; 9] = ['“', '”', '„', '‟', '«', '»', '‘', '’', '`'];
        let rest = self.rest();
        let first = rest.chars().next().filter(|first| QUOTES.contains(first))?;
        let inside = rest.get(first.len_utf8()..)?;
        let end = inside.find(QUOTES);
        let length = end.map_or(first.len_utf8(), |end| {
            let last = inside
                .get(end..)
                .and_then(|last| last.chars().next())
                .map_or(0, char::len_utf8);
            first.len_utf8() + end + last
        });
        let place = self.span(self.at, self.at + length);
        let diagnostic = SyntaxError::WrongQuotes { single: false }.at(place);
        Some(match end.and_then(|end| inside.get(..end)) {
            Some(content) if !content.contains('"') => {
                diagnostic.fix(place, format!("\"{content}\""))
            }
            _ => diagnostic,
        })
    }

    fn semicolon(&self) -> Option<Diagnostic> {
        self.rest().starts_with(';').then(|| {
            let place = self.span(self.at, self.at + 1);
            let error = SyntaxError::Unexpected {
                expected: "the end of the statement".into(),
                found: "`;`".into(),
                help: Some("a newline ends a statement".into()),
            };
            let is_last = self.rest().trim_end().len() == 1;
            let diagnostic = error.at(place);
            if is_last {
                diagnostic.fix(place, "")
            } else {
                diagnostic
            }
        })
    }

    fn unexpected(&self, expected: &Expected) -> Diagnostic {
        let place = self.token_span();
        let found = found(self.rest());
        let word = words::first_word(self.rest());
        let similar = similar(
            word,
            expected
                .literals
                .iter()
                .copied()
                .filter(|literal| *literal != word),
        );
        let help = match similar {
            Some(_) => None,
            None if self.rest().is_empty() && expected.wants_value() => {
                Some("a newline ends a statement, unless the next line begins with a word like `and`, `or` or `within`".into())
            }
            None if words::RESERVED.contains(&word) && expected.kinds.contains(&"a name") => {
                return SyntaxError::ReservedName { name: word.to_owned() }.at(place);
            }
            None if self.rest().starts_with(|first: char| first.is_alphabetic() && !first.is_ascii()) => {
                Some("names are made of ASCII letters, digits and `_`".into())
            }
            None => None,
        };
        let error = SyntaxError::Unexpected {
            expected: similar.map_or_else(|| expected.in_words(), |similar| format!("`{similar}`")),
            found,
            help,
        };
        let diagnostic = error.at(place);
        match (similar, expected.only_literal()) {
            (Some(similar), _) => diagnostic.fix(place, similar),
            (None, Some(literal)) if place.is_empty() && literal == ")" => {
                diagnostic.fix(place, literal)
            }
            _ => diagnostic,
        }
    }
}

/// What the grammar tried at a place.
struct Expected {
    literals: Vec<&'static str>,
    kinds: Vec<&'static str>,
}

impl Expected {
    fn of(error: &Error<Rule>) -> Self {
        let mut expected = Self {
            literals: Vec::new(),
            kinds: Vec::new(),
        };
        let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
            return expected;
        };
        for rule in positives {
            let (list, words) = match rule.wording() {
                Wording::Literal(words) => (&mut expected.literals, words),
                Wording::Kind(words) => (&mut expected.kinds, words),
                Wording::Silent => continue,
            };
            if !list.contains(&words) {
                list.push(words);
            }
        }
        expected
    }

    fn wants_value(&self) -> bool {
        self.kinds.contains(&"a value")
    }

    /// The one word or sign that fits, if nothing else does.
    fn only_literal(&self) -> Option<&'static str> {
        match (self.literals.as_slice(), self.kinds.as_slice()) {
            ([literal], []) => Some(literal),
            _ => None,
        }
    }

    /// `a value`, `` `from` ``, ``a name or `}` ``.
    fn in_words(&self) -> String {
        if self.wants_value() {
            return "a value".into();
        }
        // Where a value may end, operators and what can be said of it are not worth listing.
        let ends = self.kinds.contains(&"the end of the statement");
        let clauses = [
            "within",
            "every",
            "else",
            "because",
            "accepting loss",
            "accepting",
            "if reachable",
            "if",
            ")",
            "as",
        ];
        let literals = self
            .literals
            .iter()
            .filter(|literal| !ends || clauses.contains(literal));
        let kinds = self
            .kinds
            .iter()
            .filter(|kind| !ends || **kind != "an operator");
        let mut all: Vec<String> = literals.map(|literal| format!("`{literal}`")).collect();
        all.extend(kinds.map(|kind| (*kind).to_owned()));
        match all.as_slice() {
            [] => "something else".into(),
            [one] => one.clone(),
            [most @ .., last] => format!("{} or {last}", most.join(", ")),
        }
    }
}

fn offset(error: &Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    }
}

/// The characters at the start of a text that belong together.
fn token(rest: &str) -> &str {
    let word = words::first_word(rest);
    if !word.is_empty() {
        return word;
    }
    let is_letter = |character: char| character.is_alphanumeric() || character == '_';
    let length = match rest.chars().next() {
        Some(first) if is_letter(first) => rest
            .find(|character| !is_letter(character))
            .unwrap_or(rest.len()),
        Some('"') => rest
            .get(1..)
            .and_then(|inside| inside.find(['"', '\n']))
            .map_or(1, |end| end + 2),
        Some(first) => first.len_utf8(),
        None => 0,
    };
    rest.get(..length).unwrap_or(rest)
}

/// The candidate that a word is most probably a misspelling of.
fn similar(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let lower = word.to_ascii_lowercase();
    candidates
        .filter(|candidate| candidate.len() > 1)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed_distance(candidate) && lower.len() > 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters may be wrong: one in short words, two in longer ones.
fn allowed_distance(candidate: &str) -> usize {
    match candidate.len() {
        0..=2 => 1,
        3..=5 => 1.max(candidate.len() / 3),
        _ => 2,
    }
}
