//! Texts with other blanks: more and fewer between tokens, other indentation, other line ends, more blank lines, blocks on
//! one line. Nothing here knows the layout; it only knows texts, comments and which signs need no blank around them.

/// A small generator of chance, the same for the same seed.
pub struct Chance(u64);

impl Chance {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn blanks(&mut self, least: u64) -> String {
        let count = least + self.below(3);
        (0..count)
            .map(|_| if self.below(4) == 0 { '\t' } else { ' ' })
            .collect()
    }
}

/// The text with other blanks. It is laid out: comments stand behind two blanks, a line ends where a statement does.
pub fn mangled(text: &str, seed: u64) -> String {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let line_end = if chance.below(2) == 0 { "\n" } else { "\r\n" };
    let mut out = String::new();
    if chance.below(4) == 0 {
        out.push('\u{feff}');
    }
    let mut rest = text;
    let mut before = '\n';
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => text_length(rest),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            _ => next.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        rest = behind;
        match next {
            '"' => out.push_str(&token.replace('\n', line_end)),
            '#' => out.push_str(token),
            '\n' => {
                out.push_str(&chance.blanks(0));
                out.push_str(line_end);
                if rest.starts_with('\n') {
                    for _ in 0..chance.below(3) {
                        out.push_str(&chance.blanks(0));
                        out.push_str(line_end);
                    }
                }
                // A line that begins with a word in the first column might begin an item.
                out.push_str(&chance.blanks(0));
                rest = rest.trim_start_matches(' ');
            }
            ' ' => {
                rest = rest.trim_start_matches(' ');
                let behind = rest.chars().next().unwrap_or('\n');
                let is_needed = !(",:()[]{}".contains(before) || ",:()[]{}".contains(behind));
                out.push_str(&chance.blanks(u64::from(is_needed)));
            }
            '(' | ')' | ',' | ':' | '[' | ']' if before != '.' => {
                // Digits and a `:` might be a time.
                let is_time = next == ':' && before.is_ascii_digit();
                if !is_time {
                    out.push_str(&chance.blanks(0));
                }
                out.push(next);
                if !is_time && !rest.starts_with(['\n', '\r']) {
                    out.push_str(&chance.blanks(0));
                }
            }
            _ => out.push_str(token),
        }
        before = next;
    }
    out
}

/// How long the text in quotes is that another begins with.
fn text_length(text: &str) -> usize {
    let quotes = if text.starts_with("\"\"\"") {
        "\"\"\""
    } else {
        "\""
    };
    let mut at = quotes.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quotes) {
            return at + quotes.len();
        }
        at += match rest.as_bytes()[0] {
            b'\\' => 2,
            b'{' => interpolation_length(rest),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    text.len()
}

/// How long the `{…}` is that a text begins with.
fn interpolation_length(text: &str) -> usize {
    let mut at = 1;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        at += match rest.as_bytes()[0] {
            b'}' => return at + 1,
            b'"' => text_length(rest),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    text.len()
}
