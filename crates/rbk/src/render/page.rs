//! Draws a page of Markdown for a terminal: headings, paragraphs and lists wrapped to its width, emphasis, code. As much of Markdown
//! as the pages of the diagnostics use (`docs/diagnostics/README.md`), and no more.

use super::colour::{Paint, printable};

/// No line of prose is longer than this, however wide the terminal is.
const WIDEST: usize = 100;

/// How far code is moved to the right.
const INDENT: &str = "    ";

/// A page as lines for a terminal with that many columns.
pub fn draw(markdown: &str, paint: Paint, width: usize) -> String {
    let width = width.min(WIDEST);
    let mut out = String::new();
    let mut prose = String::new();
    let mut fenced = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            flush(&mut out, &mut prose, paint, width);
            fenced = !fenced;
        } else if fenced {
            let code = match line.is_empty() {
                true => String::new(),
                false => format!("{INDENT}{}", paint.cyan(printable(line))),
            };
            out.push_str(&code);
            out.push('\n');
        } else if let Some(heading) = line.strip_prefix('#') {
            flush(&mut out, &mut prose, paint, width);
            let heading = heading.trim_start_matches('#').trim();
            out.push_str(&paint.bold(printable(heading)));
            out.push('\n');
        } else if line.trim().is_empty() {
            flush(&mut out, &mut prose, paint, width);
            out.push('\n');
        } else {
            if line.starts_with("- ") {
                flush(&mut out, &mut prose, paint, width);
            }
            if !prose.is_empty() {
                prose.push(' ');
            }
            prose.push_str(line.trim());
        }
    }
    flush(&mut out, &mut prose, paint, width);
    out
}

/// Writes a paragraph or an item of a list, wrapped between words; nothing within backticks is torn apart.
fn flush(out: &mut String, prose: &mut String, paint: Paint, width: usize) {
    let text = std::mem::take(prose);
    if text.is_empty() {
        return;
    }
    let hang = if text.starts_with("- ") { 2 } else { 0 };
    let mut column = 0;
    for (index, word) in words(&text).into_iter().enumerate() {
        let (shown, length) = styled(&word, paint);
        if index > 0 {
            if column + 1 + length > width {
                out.push('\n');
                out.push_str(&" ".repeat(hang));
                column = hang;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(&shown);
        column += length;
    }
    out.push('\n');
}

/// The words of a text; blanks in code belong to the word.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut code = false;
    for c in text.chars() {
        if c == '`' {
            code = !code;
        }
        match words.last_mut() {
            Some(word) if c != ' ' || code => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A word as it is shown, and how many columns that takes: code loses its backticks where colour tells it apart.
fn styled(word: &str, paint: Paint) -> (String, usize) {
    let word = printable(word);
    let mut shown = String::new();
    let mut length = 0;
    for (index, part) in word.split('`').enumerate() {
        let code = index % 2 == 1;
        length += part.chars().count();
        match code {
            true if paint.is_on() => shown.push_str(&paint.cyan(part)),
            true => {
                shown.push_str(&format!("`{part}`"));
                length += 2;
            }
            false => {
                // `**important**` is one word, or begins with one and ends with another.
                let bare = part.replace("**", "");
                length -= part.chars().count() - bare.chars().count();
                shown.push_str(&match bare.len() == part.len() || bare.is_empty() {
                    true => bare,
                    false => paint.bold(bare),
                });
            }
        }
    }
    (shown, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# RBK0000: A page

A paragraph that is long enough to be wrapped,
with `code that stays together` and a **word** of weight.

- an item that goes on and on until it must be wrapped
- a second

```rbk wrong
step \"A\" {

  note \"{x}\"
}
```
";

    #[test]
    fn a_page_is_wrapped_and_its_code_is_not() {
        insta::assert_snapshot!(draw(PAGE, Paint::new(false), 40), @r#"
        RBK0000: A page

        A paragraph that is long enough to be
        wrapped, with `code that stays together`
        and a word of weight.

        - an item that goes on and on until it
          must be wrapped
        - a second

            step "A" {

              note "{x}"
            }
        "#);
    }

    #[test]
    fn colour_takes_the_place_of_backticks_and_stars() {
        let drawn = draw("# A\n\nsay `b c` **now**.\n", Paint::new(true), 40);
        assert_eq!(
            drawn,
            "\u{1b}[1mA\u{1b}[0m\n\nsay \u{1b}[36mb c\u{1b}[0m \u{1b}[1mnow.\u{1b}[0m\n"
        );
    }
}
