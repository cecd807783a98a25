//! Names and texts in SQL that rbk writes, and the little it must know of SQL that others wrote.

use crate::environment::TableName;

/// A name as SQL: always in quotes, so that no name is a keyword, changes its case or ends the statement.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL, whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A table, index or sequence with its schema as SQL.
pub fn quote_name(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// A table as SQL.
pub fn quote_table(table: &TableName) -> String {
    quote_name(&table.schema, &table.table)
}

/// What a text of SQL can't hold if it is to run in a transaction of rbk's own: the words of the first such statement.
/// `None`: nothing of the kind.
pub(crate) fn outside_a_transaction(sql: &str) -> Option<String> {
    statements(sql).into_iter().find_map(|words| refused(&words))
}

/// Whether there is any statement in it.
pub(crate) fn is_empty(sql: &str) -> bool {
    statements(sql).is_empty()
}

/// The words that a statement is refused for.
fn refused(words: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let named = |count: usize| {
        words
            .iter()
            .take(count)
            .map(|word| word.to_uppercase())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let concurrently = || {
        words
            .contains(&"concurrently")
            .then(|| format!("{} … CONCURRENTLY", named(1)))
    };
    match words.as_slice() {
        ["begin" | "commit" | "end" | "rollback" | "abort" | "vacuum" | "savepoint" | "release", ..] => {
            Some(named(1))
        }
        ["start" | "prepare", "transaction", ..]
        | ["alter", "system", ..]
        | ["create" | "drop", "database" | "tablespace" | "subscription", ..] => Some(named(2)),
        ["create", "index", ..]
        | ["create", "unique", "index", ..]
        | ["drop", "index", ..]
        | ["reindex", ..]
        | ["refresh", "materialized", ..] => {
            // A materialized view may be refreshed concurrently in a transaction, indexes not.
            match words.first() {
                Some(&"refresh") => None,
                _ => concurrently(),
            }
        }
        ["copy", rest @ ..] if rest.contains(&"stdin") || rest.contains(&"stdout") => {
            Some("COPY … STDIN or STDOUT".to_owned())
        }
        _ => None,
    }
}

/// The bare words of each statement, in lower case: without comments, texts, quoted names, numbers and punctuation.
/// Source: the manual's page *Lexical Structure*, and psql's own way with `BEGIN ATOMIC … END` in functions.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut anything = false;
    let mut body = 0_usize;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if first == '\'' {
            // `E'it\'s'`: the letter before the quote decides.
            let escapes = words.last().is_some_and(|word| word == "e") && sql_before_is_e(sql, rest);
            anything = true;
            quoted(rest, '\'', escapes)
        } else if first == '"' {
            anything = true;
            quoted(rest, '"', false)
        } else if first == '$' {
            anything = true;
            dollar_quoted(rest)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len());
            let word = rest.get(..end).unwrap_or(rest).to_lowercase();
            anything = true;
            let in_routine = words.first().is_some_and(|word| word == "create")
                && words
                    .iter()
                    .take(4)
                    .any(|word| word == "function" || word == "procedure");
            if in_routine {
                match word.as_str() {
                    "begin" => body += 1,
                    "case" if body > 0 => body += 1,
                    "end" => body = body.saturating_sub(1),
                    _ => {}
                }
            }
            words.push(word);
            end
        } else {
            if first == ';' && body == 0 {
                if anything {
                    all.push(std::mem::take(&mut words));
                }
                anything = false;
            } else if !first.is_whitespace() {
                anything = true;
            }
            first.len_utf8()
        };
        rest = rest.get(taken.max(1)..).unwrap_or("");
    }
    if anything {
        all.push(words);
    }
    all
}

/// Whether the character just before `rest` is the `E` of an escape text.
fn sql_before_is_e(sql: &str, rest: &str) -> bool {
    let before = sql.get(..sql.len() - rest.len()).unwrap_or("");
    before.ends_with(['e', 'E'])
}

/// How long a nested comment is, its marks included.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else if let Some(c) = rest.chars().next() {
            at += c.len_utf8();
        } else {
            break;
        }
    }
    text.len()
}

/// How long a text or quoted name is, its quotes included; a doubled quote is one character of it.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + c.len_utf8(),
            }
        }
    }
    text.len()
}

/// How long `$tag$ … $tag$` is; a lone `$` is one character.
fn dollar_quoted(text: &str) -> usize {
    let inside = text.get(1..).unwrap_or("");
    let Some(end) = inside.find('$') else {
        return 1;
    };
    let tag = inside.get(..end).unwrap_or("");
    let starts_like_a_name = !tag.starts_with(|c: char| c.is_ascii_digit());
    if !starts_like_a_name || !tag.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return 1;
    }
    let mark = format!("${tag}$");
    let behind = text.get(mark.len()..).unwrap_or("");
    match behind.find(&mark) {
        Some(at) => mark.len() + at + mark.len(),
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_it_stays_one_name() {
        assert_eq!(quote_identifier("documents"), "\"documents\"");
        assert_eq!(
            quote_identifier("a\"; DROP TABLE b; --"),
            "\"a\"\"; DROP TABLE b; --\""
        );
        assert_eq!(quote_name("Öffentlich", "order"), "\"Öffentlich\".\"order\"");
    }

    #[test]
    fn whatever_a_text_holds_it_stays_one_text() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\' b"), "E'a\\\\'' b'");
    }

    #[test]
    fn transaction_control_is_found_wherever_it_stands_and_nowhere_else() {
        let cases = [
            ("COMMIT", Some("COMMIT")),
            ("update a set b = 1; commit; drop table a", Some("COMMIT")),
            ("/* ; */ -- ;\n vacuum full a", Some("VACUUM")),
            ("create unique index concurrently a on b (c)", Some("CREATE … CONCURRENTLY")),
            ("START TRANSACTION", Some("START TRANSACTION")),
            ("alter system set x = 1", Some("ALTER SYSTEM")),
            ("copy a from stdin", Some("COPY … STDIN or STDOUT")),
            ("update a set b = 'x; commit;'", None),
            ("update a set b = E'it\\'s; commit;' where \"; commit\" = 1", None),
            ("do $$ begin perform 1; end $$; update a set b = $t$;commit;$t$", None),
            (
                "create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end; select 1",
                None,
            ),
            (
                "create function f() returns int language sql begin atomic select 1; end; rollback",
                Some("ROLLBACK"),
            ),
            ("refresh materialized view concurrently a", None),
            ("select 1 /* /* ; */ commit; */", None),
        ];
        for (sql, found) in cases {
            assert_eq!(outside_a_transaction(sql).as_deref(), found, "{sql}");
        }
    }

    #[test]
    fn comments_and_semicolons_are_no_statement() {
        assert!(is_empty(" ; -- nothing\n /* at all */ ;"));
        assert!(!is_empty("select 1"));
        assert!(!is_empty("(select 1)"));
    }

    #[test]
    fn unfinished_text_ends_with_the_text() {
        for sql in ["'", "\"", "$$", "$a", "/*", "E'\\", "--", "$1", "ä'", "$ä$"] {
            statements(sql);
        }
    }
}
