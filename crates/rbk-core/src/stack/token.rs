//! The tokens of a Python file, as far as literals need them. Source: the lexical analysis chapter of Python's language
//! reference. Works in one pass without recursion; whatever is not understood is an error with its line.

/// A token and the line that it begins in, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Name(String),
    /// A number as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// A text whose value the file alone does not tell, or bytes.
    Opaque(&'static str),
    /// `(`, `,`, `**`, …
    Sign(&'static str),
    /// The end of a statement.
    End,
    /// White space at the beginning of a statement: it belongs to a block.
    Indent,
}

/// Why a file can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// Longest first: each is tried in this order.
const SIGNS: &[&str] = &[
    "**=", "//=", ">>=", "<<=", "...", "!=", "%=", "&=", "**", "*=", "+=", "-=", "->", "//", "/=",
    ":=", "<<", "<=", "==", ">=", ">>", "@=", "^=", "|=", "!", "%", "&", "(", ")", "*", "+", ",",
    "-", ".", "/", ":", "<", "=", ">", "@", "[", "]", "^", "{", "|", "}", "~",
];

/// The tokens of a file.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Broken> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut scanner = Scanner {
        rest: text,
        line: 1,
        depth: 0,
        tokens: Vec::new(),
    };
    scanner.all()?;
    Ok(scanner.tokens)
}

struct Scanner<'t> {
    rest: &'t str,
    line: usize,
    /// How many brackets are open.
    depth: usize,
    tokens: Vec<Token>,
}

impl<'t> Scanner<'t> {
    fn all(&mut self) -> Result<(), Broken> {
        let mut begins = true;
        while let Some(c) = self.peek() {
            if begins && self.depth == 0 {
                begins = false;
                let blank = self.skip_while(|c| matches!(c, ' ' | '\t' | '\u{c}'));
                // A line without anything on it ends no block.
                let is_line = self.peek().is_some_and(|c| !matches!(c, '\n' | '\r' | '#'));
                if blank && is_line {
                    self.push(Kind::Indent);
                }
                continue;
            }
            match c {
                '\n' | '\r' => {
                    self.newline();
                    if self.depth == 0 {
                        self.end();
                        begins = true;
                    }
                }
                ' ' | '\t' | '\u{c}' => self.bump(c),
                '#' => {
                    self.skip_while(|c| !matches!(c, '\n' | '\r'));
                }
                '\\' => {
                    self.bump(c);
                    if !self.peek().is_some_and(|c| matches!(c, '\n' | '\r')) {
                        return Err(self.broken("a backslash outside of a text"));
                    }
                    self.newline();
                }
                ';' => {
                    self.bump(c);
                    self.end();
                }
                '"' | '\'' => self.text("")?,
                c if c.is_ascii_digit()
                    || c == '.' && self.rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) =>
                {
                    self.number();
                }
                c if c == '_' || c.is_alphabetic() => self.word()?,
                _ => self.sign()?,
            }
        }
        if self.depth > 0 {
            return Err(self.broken("a bracket that is never closed"));
        }
        self.end();
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self, c: char) {
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or("");
    }

    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn newline(&mut self) {
        let bytes = if self.rest.starts_with("\r\n") { 2 } else { 1 };
        self.take(bytes);
        self.line += 1;
    }

    fn skip_while(&mut self, is: impl Fn(char) -> bool) -> bool {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        self.take(end);
        end > 0
    }

    fn push(&mut self, kind: Kind) {
        self.tokens.push(Token {
            kind,
            line: self.line,
        });
    }

    fn end(&mut self) {
        let open = self
            .tokens
            .last()
            .is_some_and(|last| !matches!(last.kind, Kind::End | Kind::Indent));
        if open {
            self.push(Kind::End);
        }
    }

    fn broken(&self, reason: &'static str) -> Broken {
        Broken {
            line: self.line,
            reason,
        }
    }

    fn number(&mut self) {
        let mut before = ' ';
        let mut end = 0;
        for (at, c) in self.rest.char_indices() {
            let exponent = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            // `0x1e+1` is a sum; nothing that is compared here depends on it.
            if !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || exponent) {
                break;
            }
            before = c;
            end = at + c.len_utf8();
        }
        let number = self.take(end).to_owned();
        self.push(Kind::Number(number));
    }

    fn word(&mut self) -> Result<(), Broken> {
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let word = self.take(end);
        let is_prefix = matches!(self.peek(), Some('"' | '\''))
            && word.len() <= 2
            && word.chars().all(|c| "rRuUbBfFtT".contains(c));
        if is_prefix {
            return self.text(word);
        }
        self.push(Kind::Name(word.to_owned()));
        Ok(())
    }

    fn sign(&mut self) -> Result<(), Broken> {
        let Some(sign) = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) else {
            return Err(self.broken("a character that Python does not know"));
        };
        match *sign {
            "(" | "[" | "{" => self.depth += 1,
            ")" | "]" | "}" => {
                self.depth = self
                    .depth
                    .checked_sub(1)
                    .ok_or_else(|| self.broken("a bracket that was never opened"))?;
            }
            _ => {}
        }
        self.push(Kind::Sign(sign));
        self.take(sign.len());
        Ok(())
    }

    /// A text from its opening quotes on.
    fn text(&mut self, prefix: &str) -> Result<(), Broken> {
        let has = |letter: char| prefix.chars().any(|c| c.eq_ignore_ascii_case(&letter));
        let line = self.line;
        let quote = self.quote();
        let raw = has('r');
        let kind = if has('f') || has('t') {
            self.formatted(quote)?;
            Kind::Opaque("a text with values put into it")
        } else {
            let body = self.body(quote)?;
            if has('b') {
                Kind::Opaque("bytes")
            } else if raw {
                Kind::Text(body.replace("\r\n", "\n"))
            } else {
                unescaped(body).map_or(
                    Kind::Opaque("a text with an escape that names a character"),
                    Kind::Text,
                )
            }
        };
        self.tokens.push(Token { kind, line });
        Ok(())
    }

    /// The opening quotes: one or three.
    fn quote(&mut self) -> &'t str {
        let first = self.rest.chars().next().unwrap_or('"');
        let triple = self.rest.chars().take(3).filter(|c| *c == first).count() == 3;
        self.take(if triple { 3 } else { 1 })
    }

    /// What stands before the closing quotes.
    fn body(&mut self, quote: &str) -> Result<&'t str, Broken> {
        let start = self.rest;
        loop {
            if self.rest.starts_with(quote) {
                let body = start.len() - self.rest.len();
                self.take(quote.len());
                return Ok(start.get(..body).unwrap_or(""));
            }
            self.within(quote)?;
        }
    }

    /// One character of a text, or two behind a backslash.
    fn within(&mut self, quote: &str) -> Result<(), Broken> {
        match self.peek() {
            None => return Err(self.broken("a text that never ends")),
            Some('\\') => {
                self.bump('\\');
                match self.peek() {
                    None => return Err(self.broken("a text that never ends")),
                    Some('\n' | '\r') => self.newline(),
                    Some(c) => self.bump(c),
                }
            }
            Some('\n' | '\r') if quote.len() == 1 => {
                return Err(self.broken("a text that ends with its line"));
            }
            Some('\n' | '\r') => self.newline(),
            Some(c) => self.bump(c),
        }
        Ok(())
    }

    /// A formatted text, passed over: in its holes, texts may stand with the same quotes (since Python 3.12).
    fn formatted(&mut self, quote: &'t str) -> Result<(), Broken> {
        // The quotes of each text that is open, and how many braces in it are.
        let mut open: Vec<(&'t str, usize)> = vec![(quote, 0)];
        while let Some((quote, braces)) = open.last_mut() {
            let quote = *quote;
            if *braces == 0 {
                if self.rest.starts_with(quote) {
                    self.take(quote.len());
                    open.pop();
                } else if self.rest.starts_with("{{") || self.rest.starts_with("}}") {
                    self.take(2);
                } else if self.rest.starts_with('{') {
                    *braces = 1;
                    self.take(1);
                } else {
                    self.within(quote)?;
                }
                continue;
            }
            match self.peek() {
                None => return Err(self.broken("a text that never ends")),
                Some('{') => {
                    *braces += 1;
                    self.bump('{');
                }
                Some('}') => {
                    *braces -= 1;
                    self.bump('}');
                }
                Some('"' | '\'') => {
                    let inner = self.quote();
                    open.push((inner, 0));
                }
                Some('\n' | '\r') => self.newline(),
                Some(c) => self.bump(c),
            }
        }
        Ok(())
    }
}

/// The text behind its escapes; `None`: one of them needs a table of names, or is no character.
fn unescaped(body: &str) -> Option<String> {
    let mut text = String::with_capacity(body.len());
    let mut rest = body.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\r' && rest.peek() == Some(&'\n') {
            continue;
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let escaped = rest.next()?;
        match escaped {
            '\r' => {
                rest.next_if_eq(&'\n');
            }
            '\n' => {}
            '\\' | '\'' | '"' => text.push(escaped),
            'a' => text.push('\u{7}'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\u{b}'),
            '0'..='7' => {
                let mut value = escaped.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    rest.next();
                    value = value * 8 + digit;
                }
                text.push(char::from_u32(value)?);
            }
            'x' | 'u' | 'U' => {
                let digits = match escaped {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let mut value: u32 = 0;
                for _ in 0..digits {
                    value = value
                        .checked_mul(16)?
                        .checked_add(rest.next()?.to_digit(16)?)?;
                }
                text.push(char::from_u32(value)?);
            }
            'N' => return None,
            other => {
                text.push('\\');
                text.push(other);
            }
        }
    }
    Some(text)
}
