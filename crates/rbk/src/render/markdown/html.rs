//! Text from outside as it may stand in a comment: shown letter by letter, whatever it says.
//!
//! All that rbk writes into a comment are HTML blocks without a blank line, in which no Markdown is read, and all text from outside
//! stands in `<code>` or `<pre>`, where GitHub makes no mentions, references or links of anything. So there is one thing to get
//! right: the five characters of HTML, line breaks, and characters that can't be seen.

use crate::render::colour::printable;
use std::fmt::Write;

/// Text on one line: `<code>…</code>`, a piece a line.
pub fn code(text: &str) -> String {
    let text = printable(text);
    let lines: Vec<String> = text
        .trim_end_matches('\n')
        .split('\n')
        .map(|line| {
            if line.trim().is_empty() {
                "<code>&#32;</code>".to_owned()
            } else {
                format!("<code>{}</code>", escaped(line))
            }
        })
        .collect();
    lines.join("<br>")
}

/// The same, cut after so many characters; how many are left out is said.
pub fn clipped(text: &str, most: usize) -> String {
    let Some((at, _)) = text.char_indices().nth(most) else {
        return code(text);
    };
    let (shown, left) = text.split_at(at);
    format!(
        "{} <i>… and {} more characters</i>",
        code(shown),
        left.chars().count()
    )
}

/// Lines as they are: `<pre>…</pre>`. A blank line would end the block that all of it stands in.
pub fn pre(text: &str) -> String {
    let text = printable(text);
    let mut out = String::from("<pre>");
    for (index, line) in text.trim_end().split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if line.trim().is_empty() {
            out.push_str("&#32;");
        } else {
            out.push_str(&escaped(line));
        }
    }
    out.push_str("</pre>");
    out
}

/// Without the characters that HTML is made of.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A tab in front would be taken away with the line's indentation in some places.
            '\t' => out.push_str("&#9;"),
            // Joiners make letters and emoji on a terminal; in a name that is reviewed they hide.
            '\u{200c}' | '\u{200d}' => out.extend(letter.escape_unicode()),
            other => out.push(other),
        }
    }
    out
}

/// A table; cells are HTML already.
pub fn table<const N: usize>(
    heads: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut out = String::from("<table>\n");
    if let Some(heads) = heads {
        let cells: Vec<String> = heads
            .iter()
            .map(|head| format!("<th>{head}</th>"))
            .collect();
        // Writing to a String can't fail.
        let _ = writeln!(out, "<tr>{}</tr>", cells.join(""));
    }
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = writeln!(out, "<tr>{}</tr>", cells.join(""));
    }
    out.push_str("</table>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_html_is_made_of_is_shown_as_it_is() {
        assert_eq!(
            code("</code><img src=x onerror='a'> & \"b\""),
            "<code>&lt;/code&gt;&lt;img src=x onerror=&#39;a&#39;&gt; &amp; &quot;b&quot;</code>"
        );
    }

    #[test]
    fn no_line_is_blank() {
        assert_eq!(
            pre("a\n\n \t\n\u{a0}\nb\n"),
            "<pre>a\n&#32;\n&#32;\n&#32;\nb</pre>"
        );
        assert_eq!(
            code("a\n\nb"),
            "<code>a</code><br><code>&#32;</code><br><code>b</code>"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(
            code("a\u{200b}b\u{202e}c\u{0}d\u{e0041}"),
            "<code>a\\u{200b}b\\u{202e}c\\u{0}d\\u{e0041}</code>"
        );
    }

    #[test]
    fn what_is_left_out_is_counted() {
        assert_eq!(clipped("abc", 3), "<code>abc</code>");
        assert_eq!(
            clipped("äbcde", 2),
            "<code>äb</code> <i>… and 3 more characters</i>"
        );
    }
}
