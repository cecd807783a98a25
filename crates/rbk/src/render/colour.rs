//! Where words go and how they look: data to stdout, everything else to stderr, colour only on terminals.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// The two streams of the process, and what each can show.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// How stdout is painted.
    pub out: Paint,
    /// How stderr is painted.
    pub err: Paint,
    /// Whether stderr can show lines that change.
    pub live: bool,
    /// Whether a person can be asked: stdin and stderr are terminals.
    pub person: bool,
}

impl Screen {
    /// Looks at the streams and at `NO_COLOR`, `CI` and `TERM`.
    pub fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = set("CI") || dumb;
        let colour = !set("NO_COLOR") && !plain;
        let (out, err) = (
            std::io::stdout().is_terminal(),
            std::io::stderr().is_terminal(),
        );
        Self {
            out: Paint::new(out && colour),
            err: Paint::new(err && colour),
            live: err && !plain,
            person: err && std::io::stdin().is_terminal(),
        }
    }

    /// Writes data to stdout. A reader that went away (`rbk plan … | head`) is no failure; a full disk is.
    pub fn data(&self, text: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes a line for people to stderr; there is nobody left to tell if that fails.
    pub fn say(&self, line: impl Display) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// How many columns stderr has; 100 where nobody can say.
    pub fn width(&self) -> usize {
        let terminal = terminal_size::terminal_size_of(std::io::stderr()).filter(|_| self.live);
        terminal.map_or(100, |(width, _)| usize::from(width.0).clamp(40, 160))
    }

    /// A warning.
    pub fn warn(&self, line: impl Display) {
        self.say(format_args!("{} {line}", self.err.yellow("warning:")));
    }
}

/// Paints words, or leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    colour: bool,
}

macro_rules! paints {
    ($($(#[$doc:meta])* $name:ident = $style:expr;)*) => {
        $($(#[$doc])* pub fn $name(self, text: impl Display) -> String { self.with($style, text) })*
    };
}

impl Paint {
    /// Paints if `colour`.
    pub const fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Whether it paints.
    pub fn is_on(self) -> bool {
        self.colour
    }

    paints! {
        /// Headings.
        bold = Style::new().bold();
        /// What may be passed over.
        dim = Style::new().dimmed();
        /// What went wrong, or is destroyed.
        red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        /// What went well, or is created.
        green = AnsiColor::Green.on_default();
        /// What wants attention, or is changed.
        yellow = AnsiColor::Yellow.on_default();
        /// What is only known later.
        cyan = AnsiColor::Cyan.on_default();
        /// What a person decides.
        magenta = Style::new().bold().fg_color(Some(AnsiColor::Magenta.into()));
    }

    fn with(self, style: Style, text: impl Display) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}

/// Text from outside (a file, a service, a database) as it may be put on a terminal: control characters, which could
/// move the cursor or hide words, and characters that can't be seen are written as escapes; line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            if c.is_control() && c != '\n' && c != '\t' || is_unseen(c) {
                out.extend(c.escape_unicode());
            } else {
                out.push(c);
            }
            out
        })
}

/// Whether a character can't be seen, or changes the order in which others are shown: a reviewer would read something else than
/// what stands there. Source: Unicode's default-ignorable code points, without what makes one emoji or letter out of two.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_when_on() {
        assert_eq!(Paint::new(false).red("no"), "no");
        assert_eq!(Paint::new(true).green("yes"), "\u{1b}[32myes\u{1b}[0m");
    }

    #[test]
    fn control_characters_and_direction_overrides_are_shown_as_escapes() {
        assert_eq!(
            printable("a\u{1b}[2Jb\r\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\u{d}\nc\\u{202e}d"
        );
    }
}
