//! Diagnostics a line each: for editors and problem matchers, and as GitHub's workflow commands.

use super::Finding;
use super::json::{Entry, each_once};
use crate::render::colour::printable;
use rbk_syntax::Severity;

/// `file:line:column: error RBK2004: message`, and what to do behind it.
pub fn compact(findings: &[Finding<'_>]) -> String {
    let line = |entry: &Entry| {
        let word = match entry.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        };
        let help = entry
            .help
            .as_ref()
            .map_or_else(String::new, |help| format!(" (help: {})", one_line(help)));
        format!(
            "{}:{}:{}: {word} {}: {}{help}\n",
            one_line(&entry.file),
            entry.line,
            entry.column,
            entry.code,
            one_line(&entry.message)
        )
    };
    each_once(findings).iter().map(line).collect()
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.lines().map(str::trim).collect();
    printable(words.join(" ").trim())
}

/// `::error file=…,line=…::…`, which GitHub shows as annotations. It shows ten errors and ten warnings of a step, so errors come first.
/// Source: "Workflow commands for GitHub Actions".
pub fn github(findings: &[Finding<'_>]) -> String {
    let mut entries = each_once(findings);
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.severity));
    let line = |entry: &Entry| {
        let command = match entry.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "notice",
        };
        // GitHub takes columns of a place within one line only; both ends count.
        let end = entry.end_column.saturating_sub(1).max(entry.column);
        let columns = if entry.line == entry.end_line {
            format!(",col={},endColumn={end}", entry.column)
        } else {
            String::new()
        };
        let mut message = entry.message.clone();
        for related in &entry.related {
            message.push_str(&format!(
                "\n{}:{}: {}",
                related.file, related.line, related.label
            ));
        }
        if let Some(help) = &entry.help {
            message.push_str(&format!("\nhelp: {help}"));
        }
        format!(
            "::{command} file={},line={},endLine={}{columns},title={}::{}\n",
            property(&entry.file),
            entry.line,
            entry.end_line,
            property(&entry.code),
            data(&printable(&message))
        )
    };
    entries.iter().map(line).collect()
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// What stands between commas.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbk_syntax::{Code, Diagnostic, Sources, Span};

    fn hostile() -> (Sources, Vec<Diagnostic>) {
        let mut sources = Sources::default();
        let id = sources.add("a,b:c%\n::error::x.rbk", "one\ntwo wörds\nthree\n");
        let other = sources.add("env.toml", "x = 1\n");
        let inside = Diagnostic::warning(
            Code("RBK2001"),
            "100% odd\n::stop-commands::x",
            Span::new(id, 8, 14),
            "",
        )
        .relate(Span::new(other, 0, 1), "here")
        .help("write\n  this");
        let across = Diagnostic::error(Code("RBK1001"), "no", Span::new(id, 4, 17), "");
        (sources, vec![inside.clone(), across, inside])
    }

    #[test]
    fn a_line_is_a_line_whatever_it_says_and_each_is_told_once() {
        let (sources, diagnostics) = hostile();
        let finding = Finding {
            sources: &sources,
            diagnostics: &diagnostics,
        };
        insta::assert_snapshot!(compact(std::slice::from_ref(&finding)), @r"
        a,b:c% ::error::x.rbk:2:5: warning RBK2001: 100% odd ::stop-commands::x (help: write this)
        a,b:c% ::error::x.rbk:2:1: error RBK1001: no
        ");
    }

    #[test]
    fn errors_come_first_and_nothing_gets_out_of_its_place() {
        let (sources, diagnostics) = hostile();
        let finding = Finding {
            sources: &sources,
            diagnostics: &diagnostics,
        };
        insta::assert_snapshot!(github(&[finding]), @r"
        ::error file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax.rbk,line=2,endLine=3,title=RBK1001::no
        ::warning file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax.rbk,line=2,endLine=2,col=5,endColumn=9,title=RBK2001::100%25 odd%0A::stop-commands::x%0Aenv.toml:1: here%0Ahelp: write%0A  this
        ");
    }
}
