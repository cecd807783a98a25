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

/// What is written in several words. The grammar knows each as one, and can't say which of them is wrong.
const PHRASES: &[&[&str]] = &[
    &["set", "credentials", "of"],
    &["switch", "secret", "of"],
    &["freeze", "writes", "on"],
    &["thaw", "writes", "on"],
    &["on", "failure"],
    &["accepting", "loss"],
    &["if", "reachable"],
    &["latest", "snapshot", "of"],
    &["oldest", "snapshot", "of"],
    &["as", "of"],
    &["checks", "of"],
    &["is", "available"],
    &["is", "healthy"],
    &["accepts", "connections"],
    &["has", "left"],
    &["recreate", "schema"],
    &["drop", "indexes", "on"],
    &["drop", "index"],
    &["restore", "indexes", "on"],
    &["restore", "column", "types", "in"],
    &["restore", "not", "null", "on"],
    &["alter", "column"],
    &["alter", "columns", "of", "type"],
    &["relax", "not", "null", "on"],
    &["sync", "sequences", "of"],
    &["validate", "constraints", "of"],
    &["sql", "on"],
    &["columns", "of", "type"],
    &["no", "drift"],
    &["is", "complete"],
    &["keep", "writes", "frozen", "on"],
    &["by", "its", "removal", "policy"],
    &["with", "final", "snapshot"],
    &["without", "final", "snapshot"],
];

/// Words that are easily taken for one another.
const PREPOSITIONS: &[&str] = &["from", "in", "of", "on", "to", "using", "with"];

const OPERATOR: &str = "an operator";
const END_OF_ENTRY: &str = "the end of the line";
const END_OF_STATEMENT: &str = "the end of the statement";
const SAID_OF_IT: &str = "what is said of it";
const TEXT: &str = "a text in double quotes";

/// The diagnostic of what the scanner found.
pub(super) fn fault(source: SourceId, text: &str, chunk: &Chunk, fault: Fault) -> Diagnostic {
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
        Fault::UnclosedParenthesis { at } => {
            let is_square = text.as_bytes().get(at) == Some(&b'[');
            let (open, close) = if is_square { ('[', ']') } else { ('(', ')') };
            SyntaxError::UnclosedParenthesis { open, close }.at(span(at, at + 1))
        }
        Fault::UnclosedBrace { at } => SyntaxError::UnclosedBlock.at(span(at, at + 1)),
        Fault::SingleQuotes { start, end } => {
            let place = span(start, end);
            let diagnostic = SyntaxError::WrongQuotes { single: true }.at(place);
            let inside = text.get(start + 1..end.saturating_sub(1)).unwrap_or("\"");
            if end - start < 2 || inside.contains(['"', '\\']) {
                diagnostic
            } else {
                diagnostic.safe_fix(place, format!("\"{inside}\""))
            }
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
    let mut expected = Expected::of(error);
    if words::opens_block(written) {
        // Its statement goes on with a block.
        let end = expected
            .kinds
            .iter()
            .position(|kind| *kind == END_OF_STATEMENT);
        if let Some(end) = end {
            expected.kinds.remove(end);
            expected.literals.push("{");
        }
    }
    None.or_else(|| place.hyphenated_name())
        .or_else(|| place.foreign_name())
        .or_else(|| place.detached_unit())
        .or_else(|| place.typographic_quotes())
        .or_else(|| place.semicolon(&expected))
        .or_else(|| place.which_snapshot())
        .or_else(|| place.lone_of(&expected))
        .or_else(|| place.phrase(&expected))
        .unwrap_or_else(|| place.unexpected(&expected))
}

/// Whether a statement ends where it has to go on: the next line is then probably part of it.
pub(super) fn breaks_off(written: &str, error: &Error<Rule>) -> bool {
    offset(error) >= written.len() && Expected::of(error).wants_value()
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

    /// `check of recovery pass`, `newest snapshot of original`: the word before is the one that is meant otherwise.
    fn misspelt_before(&self) -> Option<Diagnostic> {
        let candidates: &[&'static str] = match words::first_word(self.rest()) {
            "of" => &["checks"],
            "snapshot" => &["latest", "oldest"],
            _ => return None,
        };
        let before = self.before().trim_end();
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let start = before.trim_end_matches(is_word).len();
        let word = before.get(start..)?;
        let near = match word {
            "newest" | "last" | "recent" if candidates.contains(&"latest") => crate::Near {
                word: "latest",
                is_only: true,
            },
            "first" | "earliest" if candidates.contains(&"oldest") => crate::Near {
                word: "oldest",
                is_only: true,
            },
            _ => crate::near(
                word,
                candidates.iter().copied().filter(|known| *known != word),
            )?,
        };
        let place = self.span(start, before.len());
        let error = SyntaxError::Unexpected {
            expected: format!("`{}`", near.word),
            found: format!("`{word}`"),
            help: None,
        };
        Some(error.at(place).fix_spelling(place, near))
    }

    /// What stands behind the word that stands here, without the blanks between them.
    fn behind(&self, word: &str) -> &str {
        let behind = self.rest().get(word.len()..).unwrap_or("");
        behind.trim_start_matches([' ', '\t'])
    }

    fn word_behind(&self, word: &str) -> &str {
        words::first_word(self.behind(word))
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
            .safe_fix(place, fixed),
        )
    }

    /// `größe`
    fn foreign_name(&self) -> Option<Diagnostic> {
        let is_letter = |character: char| character.is_alphanumeric() || character == '_';
        let is_foreign = self
            .rest()
            .starts_with(|first: char| is_letter(first) && !first.is_ascii());
        let start = self.before().trim_end_matches(is_letter).len();
        let length = self
            .rest()
            .find(|character| !is_letter(character))
            .unwrap_or(self.rest().len());
        let place = self.span(start, self.at + length);
        let name = self
            .written
            .get(start..self.at + length)
            .filter(|_| is_foreign)?;
        Some(
            SyntaxError::ForeignName {
                name: name.to_owned(),
            }
            .at(place),
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
        let safety = literals::unit_safety(unit);
        Some(error.at(place).fix_with(place, better, safety))
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
                diagnostic.safe_fix(place, format!("\"{content}\""))
            }
            _ => diagnostic,
        })
    }

    fn semicolon(&self, expected: &Expected) -> Option<Diagnostic> {
        self.rest().starts_with(';').then(|| {
            let place = self.span(self.at, self.at + 1);
            if expected.kinds.contains(&END_OF_ENTRY) {
                let error = SyntaxError::Unexpected {
                    expected: "the end of the option".into(),
                    found: "`;`".into(),
                    help: Some("a newline or a comma ends an option".into()),
                };
                return error.at(place).safe_fix(place, ",");
            }
            let error = SyntaxError::Unexpected {
                expected: "the end of the statement".into(),
                found: "`;`".into(),
                help: Some("a newline ends a statement".into()),
            };
            let is_last = self.rest().trim_end().len() == 1;
            let diagnostic = error.at(place);
            if is_last {
                diagnostic.safe_fix(place, "")
            } else {
                diagnostic
            }
        })
    }

    /// `odlest snapshot of source`, `snapshot of source`
    fn which_snapshot(&self) -> Option<Diagnostic> {
        let before = self.before().trim_end();
        let start = before
            .trim_end_matches(|last: char| last.is_ascii_alphanumeric() || last == '_')
            .len();
        let word = before.get(start..)?;
        let place = self.span(start, before.len());
        match words::first_word(self.rest()) {
            "snapshot" => {
                let near =
                    crate::near(word, ["latest", "oldest"]).filter(|near| near.word != word)?;
                let error = SyntaxError::Unexpected {
                    expected: format!("`{}`", near.word),
                    found: format!("`{word}`"),
                    help: None,
                };
                Some(error.at(place).fix_spelling(place, near))
            }
            "of" if word == "snapshot" => {
                let error = SyntaxError::Unexpected {
                    expected: "`latest snapshot of` or `oldest snapshot of`".into(),
                    found: "`snapshot of`".into(),
                    help: Some(
                        "say which one: `latest snapshot of source`, `snapshot \"…\" of source`"
                            .into(),
                    ),
                };
                Some(error.at(place).fix(place, "latest snapshot"))
            }
            _ => None,
        }
    }

    /// `restore target from source of 2026-11-22T09:15:00Z`
    fn lone_of(&self, expected: &Expected) -> Option<Diagnostic> {
        let is_lone =
            words::first_word(self.rest()) == "of" && expected.literals.contains(&"as of");
        is_lone.then(|| {
            let place = self.token_span();
            let error = SyntaxError::Unexpected {
                expected: "`as of`".into(),
                found: "`of`".into(),
                help: None,
            };
            error.at(place).safe_fix(place, "as of")
        })
    }

    /// `set credential of …`: the second or third word of a phrase.
    fn phrase(&self, expected: &Expected) -> Option<Diagnostic> {
        let is_claim = |phrase: &[&str]| matches!(phrase, ["is" | "accepts" | "has", ..]);
        let first = words::first_word(self.written);
        let here = |phrase: &[&str]| {
            expected.literals.contains(&phrase.join(" ").as_str())
                || is_claim(phrase) && expected.kinds.contains(&SAID_OF_IT)
                // Of several statements that begin alike, only one was tried.
                || self.at == 0 && matches!(first, "drop" | "alter") && phrase.first() == Some(&first)
        };
        let (place, words) = self.broken_phrase(self.at, here).or_else(|| {
            // A first word that was taken for a name: `latest snapshto of …`.
            let before = self.before().trim_end();
            let start = before
                .trim_end_matches(|last: char| last.is_ascii_alphanumeric() || last == '_')
                .len();
            let is_value = expected.kinds.contains(&OPERATOR) && start < before.len();
            let there = |phrase: &[&str]| {
                is_claim(phrase) || matches!(phrase, ["latest" | "oldest" | "checks" | "no", ..])
            };
            let is_target = before.get(start..) == Some("columns");
            let by_type = |phrase: &[&str]| matches!(phrase, ["columns", ..]);
            None.or_else(|| is_value.then(|| self.broken_phrase(start, there)).flatten())
                .or_else(|| {
                    is_target
                        .then(|| self.broken_phrase(start, by_type))
                        .flatten()
                })
        })?;
        let place = Self { at: place, ..*self };
        let literals = Expected {
            literals: words,
            kinds: Vec::new(),
        };
        Some(place.unexpected(&literals))
    }

    /// Where the longest of some phrases that begins at a place goes wrong, and how it could go on.
    fn broken_phrase(
        &self,
        start: usize,
        fits: impl Fn(&[&str]) -> bool,
    ) -> Option<(usize, Vec<&'static str>)> {
        let mut furthest = 0;
        let mut next_words = Vec::new();
        for phrase in PHRASES.iter().filter(|phrase| fits(phrase)) {
            let mut at = start;
            for (index, word) in phrase.iter().enumerate() {
                let rest = self.written.get(at..)?;
                let blanks = rest.len() - rest.trim_start().len();
                if words::first_word(rest.trim_start()) == *word {
                    at += blanks + word.len();
                    continue;
                }
                if index > 0 && at + blanks >= furthest {
                    if at + blanks > furthest {
                        next_words.clear();
                    }
                    furthest = at + blanks;
                    next_words.push(*word);
                }
                break;
            }
        }
        (furthest > 0).then_some((furthest, next_words))
    }

    fn unexpected(&self, expected: &Expected) -> Diagnostic {
        if let Some(diagnostic) = self.misspelt_before() {
            return diagnostic;
        }
        let place = self.token_span();
        let found = found(self.rest());
        let word = words::first_word(self.rest());
        let near = crate::near(
            word,
            expected.words().filter(|candidate| *candidate != word),
        );
        let similar = near.map(|near| near.word);
        let help = match similar {
            Some(_) => None,
            None if self.rest().is_empty() && expected.wants_value() => {
                Some("a newline ends a statement, unless the next line begins with a word like `and`, `or` or `within`".into())
            }
            None if words::RESERVED.contains(&word) && expected.kinds.contains(&"a name") => {
                return SyntaxError::ReservedName { name: word.to_owned() }.at(place);
            }
            None if words::first_word(self.written) == "procedure" && self.rest().starts_with('=') => {
                Some("a procedure is given all its values where it is done: none has a default".into())
            }
            None if words::first_word(self.written) == "procedure" && expected.only_literal() == Some(":") => {
                Some("each parameter says its type, for instance `db: database`".into())
            }
            None if word == "no" && expected.only_literal() == Some("final") => {
                Some("say `without final snapshot`".into())
            }
            None if self.rest().starts_with('.') => Some("no blanks stand around the dots of a path".into()),
            None => None,
        };
        let error = SyntaxError::Unexpected {
            expected: similar.map_or_else(|| expected.in_words(), |similar| format!("`{similar}`")),
            found,
            help,
        };
        let diagnostic = error.at(place);
        let end = self.before().trim_end().len();
        match (near, expected.only_literal()) {
            // A word of the language stands in the wrong place: it is no slip.
            (Some(near), _) if is_known(word) => diagnostic.fix(place, near.word),
            (Some(near), _) => diagnostic.fix_spelling(place, near),
            // A name without a type, or an option without a value: more is missing than the sign.
            (None, Some(":"))
                if !self
                    .rest()
                    .starts_with(|next: char| next.is_alphanumeric() || "\"[_-".contains(next)) =>
            {
                diagnostic
            }
            (None, Some(literal @ (")" | ":" | "]" | "}"))) => {
                diagnostic.fix(self.span(end, end), literal)
            }
            (None, Some("(" | "{")) => diagnostic,
            // One little word was taken for another, or one was left out.
            (None, Some(literal))
                if PREPOSITIONS.contains(&word) && PREPOSITIONS.contains(&literal) =>
            {
                let is_past = literal == "as" && words::first_word(self.written) == "restore";
                diagnostic.fix(place, if is_past { "as of" } else { literal })
            }
            (None, Some("final")) if word == "no" => diagnostic,
            // `with a final snapshot`
            (None, Some(literal)) if !word.is_empty() && self.word_behind(word) == literal => {
                let behind = self.rest().len() - self.behind(word).len();
                diagnostic
                    .help(format!("leave out `{word}`"))
                    .fix(self.span(self.at, self.at + behind), "")
            }
            (None, Some(literal)) if !word.is_empty() => {
                // `by policy`
                let missing = match (literal, word) {
                    ("its", "policy") => "its removal",
                    _ => literal,
                };
                diagnostic.fix(self.span(self.at, self.at), format!("{missing} "))
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

    /// Every word that could stand here.
    fn words(&self) -> impl Iterator<Item = &'static str> {
        let has = |kind| self.kinds.contains(&kind);
        let operators = if has(OPERATOR) {
            &["and", "or"][..]
        } else {
            &[]
        };
        let claims = if has(OPERATOR) {
            &["exists", "is", "accepts", "uses", "has", "matches"][..]
        } else {
            &[]
        };
        let literals = self
            .literals
            .iter()
            .filter_map(|literal| literal.split(' ').next());
        literals
            .chain(operators.iter().copied())
            .chain(claims.iter().copied())
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
        // A text that is asked for afterwards is not optional.
        if self.kinds.contains(&TEXT) {
            return TEXT.into();
        }
        // Where a value may go on, what it could go on with is too much to list.
        let is_only = self.only_literal().is_some();
        let literals = self
            .literals
            .iter()
            .filter(|literal| is_only || **literal != "(");
        let wants_name = self.kinds.contains(&"a name");
        let kinds = self.kinds.iter().filter(|kind| {
            !([OPERATOR, SAID_OF_IT].contains(kind) || wants_name && **kind == END_OF_ENTRY)
        });
        let mut all: Vec<String> = literals.map(|literal| format!("`{literal}`")).collect();
        all.extend(kinds.map(|kind| (*kind).to_owned()));
        match all.as_slice() {
            [] => "the end of the value".into(),
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

/// Whether the language has a word.
fn is_known(word: &str) -> bool {
    PHRASES.iter().any(|phrase| phrase.contains(&word))
        || PREPOSITIONS.contains(&word)
        || words::RESERVED.contains(&word)
        || words::is_item(word)
        || words::statement(word).is_some()
        || words::clauses().any(|clause| clause == word)
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
