//! The tokens of one item or statement, comments among them.

use crate::parse::{Mark, Outline, Role};

/// A token as it is written, and what the layout must know of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    pub(super) kind: Kind,
    /// How many lines end between it and the token before; 2 stands for more as well.
    pub(super) line_ends: u8,
    /// It begins a clause.
    pub(super) is_clause: bool,
    /// It is an `and` or `or`.
    pub(super) is_joint: bool,
    /// It begins an entry of a block of options.
    pub(super) is_entry: bool,
    /// It belongs to the word before it.
    pub(super) is_attached: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, a name, a number, a text, an operator.
    Plain,
    /// A `-` that belongs to the value behind it.
    Minus,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// The `{` of options.
    OpenBrace,
    /// The `}` of options.
    CloseBrace,
    Comma,
    Colon,
    Comment,
}

/// Cuts the pieces of a text into tokens, one piece after the other.
pub(super) struct Tokens<'t, 'o> {
    text: &'t str,
    marks: &'o [Mark],
    comments: &'o [(usize, usize)],
}

impl<'t, 'o> Tokens<'t, 'o> {
    pub(super) fn new(text: &'t str, outline: &'o Outline) -> Self {
        Self {
            text,
            marks: &outline.marks,
            comments: &outline.comments,
        }
    }

    /// The next comment, if it begins before `end`.
    pub(super) fn comment_before(&mut self, end: usize) -> Option<(usize, usize)> {
        let (first, rest) = self.comments.split_first()?;
        if first.0 >= end {
            return None;
        }
        self.comments = rest;
        Some(*first)
    }

    /// The tokens of a piece. Those of pieces before it are not asked for any more.
    pub(super) fn piece(&mut self, start: usize, end: usize) -> Vec<Token<'t>> {
        let mut tokens = Vec::new();
        let mut at = start;
        let mut line_ends = 0;
        while at < end {
            let rest = self.text.get(at..end).unwrap_or("");
            let Some(first) = rest.chars().next() else {
                break;
            };
            if first.is_ascii_whitespace() {
                line_ends += u8::from(first == '\n' && line_ends < 2);
                at += 1;
                continue;
            }
            let token = self.token(at, end, first);
            at += token.text.len();
            tokens.push(Token { line_ends, ..token });
            line_ends = 0;
        }
        tokens
    }

    fn token(&mut self, at: usize, end: usize, first: char) -> Token<'t> {
        let mut token = Token {
            text: "",
            kind: Kind::Plain,
            line_ends: 0,
            is_clause: false,
            is_joint: false,
            is_entry: false,
            is_attached: false,
        };
        let mut token_end = None;
        if first == '#'
            && let Some((_, comment_end)) = self.comment_before(at + 1)
        {
            token.kind = Kind::Comment;
            token_end = Some(comment_end);
        }
        while let Some((mark, rest)) = self.marks.split_first() {
            if mark.start() > at {
                break;
            }
            self.marks = rest;
            if mark.start() < at {
                continue;
            }
            match mark.role {
                Role::Whole => token_end = Some(mark.end()),
                Role::Prefix => {
                    token_end = Some(mark.end());
                    if first == '-' {
                        token.kind = Kind::Minus;
                    }
                }
                Role::Attached => token.is_attached = true,
                Role::Entry => token.is_entry = true,
                Role::Clause => token.is_clause = true,
                Role::Joint => token.is_joint = true,
            }
        }
        let is_whole = token_end.is_some();
        let token_end = token_end.unwrap_or_else(|| at + self.length(at, end, first));
        token.text = self.text.get(at..token_end).unwrap_or("");
        if !is_whole {
            token.kind = match first {
                '(' | '[' => Kind::Open,
                ')' | ']' => Kind::Close,
                '{' => Kind::OpenBrace,
                '}' => Kind::CloseBrace,
                ',' => Kind::Comma,
                ':' => Kind::Colon,
                _ => Kind::Plain,
            };
        }
        token
    }

    /// How long a token is that is not marked: a word or name with its dots, a number, or a sign.
    fn length(&self, at: usize, end: usize, first: char) -> usize {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let rest = self.text.as_bytes().get(at..end).unwrap_or(&[]);
        let length = rest.iter().take_while(|byte| is_word(byte)).count();
        if length > 0 { length } else { first.len_utf8() }
    }
}
