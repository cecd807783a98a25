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

/// A `CREATE INDEX` as `pg_get_indexdef` writes it, for a partitioned table with its partitions (`ON ONLY` leaves an index
/// that is not valid), and perhaps for an index that may be there.
pub(crate) fn create_index(definition: &str, may_be_there: bool) -> String {
    let taken_apart = || {
        let (create, rest) = ["CREATE INDEX ", "CREATE UNIQUE INDEX "]
            .into_iter()
            .find_map(|create| Some((create, definition.strip_prefix(create)?)))?;
        let end = match rest.starts_with('"') {
            true => quoted(rest, '"', false)?,
            false => rest.find(' ')?,
        };
        let (name, on) = rest.split_at_checked(end)?;
        Some((create, name, on))
    };
    let Some((create, name, on)) = taken_apart() else {
        return definition.to_owned();
    };
    let condition = if may_be_there { "IF NOT EXISTS " } else { "" };
    let on = match on.strip_prefix(" ON ONLY ") {
        Some(on) => format!(" ON {on}"),
        None => on.to_owned(),
    };
    format!("{create}{condition}{name}{on}")
}

/// What a text of SQL can't hold if it is to run in a transaction of rbk's own: the words of the first such statement.
/// `None`: nothing of the kind.
pub(crate) fn outside_a_transaction(sql: &str) -> Option<String> {
    statements(sql)
        .into_iter()
        .find_map(|words| refused(&words))
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
        [
            "begin" | "commit" | "end" | "rollback" | "abort" | "vacuum" | "savepoint" | "release",
            ..,
        ] => Some(named(1)),
        ["start" | "prepare", "transaction", ..]
        | ["alter", "system", ..]
        | [
            "create" | "drop",
            "database" | "tablespace" | "subscription",
            ..,
        ] => Some(named(2)),
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

/// Whether a text can stand between the parentheses of `USING (…)` and can't end them: one expression without comments,
/// as far as its parentheses tell.
pub(crate) fn stays_within_parentheses(expression: &str) -> bool {
    let mut depth = 0_i64;
    for piece in pieces(expression) {
        match piece {
            Piece::Mark('(') => depth += 1,
            Piece::Mark(')') => depth -= 1,
            Piece::Mark(';') | Piece::Comment | Piece::Unfinished => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && !is_empty(expression)
}

/// The bare words of each statement, in lower case. Source for `BEGIN ATOMIC … END` in functions: psql's own way.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut anything = false;
    let mut body = 0_usize;
    for piece in pieces(sql) {
        match piece {
            Piece::Comment => continue,
            Piece::Mark(';') if body == 0 => {
                if anything {
                    all.push(std::mem::take(&mut words));
                }
                anything = false;
                continue;
            }
            Piece::Word(word) => {
                let word = word.to_lowercase();
                let mut beginning = words.iter().take(4);
                let in_routine = words.first().is_some_and(|word| word == "create")
                    && beginning.any(|word| word == "function" || word == "procedure");
                match word.as_str() {
                    "begin" if in_routine => body += 1,
                    "case" if body > 0 => body += 1,
                    "end" => body = body.saturating_sub(1),
                    _ => {}
                }
                words.push(word);
            }
            Piece::Mark(_) | Piece::Quoted | Piece::Unfinished => {}
        }
        anything = true;
    }
    if anything {
        all.push(words);
    }
    all
}

/// A piece of SQL. Blanks are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'s> {
    /// A name without quotes, a keyword, a number's letters.
    Word(&'s str),
    /// A text or a name in quotes.
    Quoted,
    /// A text, name or comment that the end cuts off.
    Unfinished,
    Comment,
    Mark(char),
}

/// Source: the manual's page *Lexical Structure*.
fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    let mut rest = sql;
    // `E'it\'s'`: the letter right before a quote decides whether a backslash escapes.
    let mut escapes = false;
    while let Some(first) = rest.chars().next() {
        let mut behind_e = false;
        let (piece, taken) = if rest.starts_with("--") {
            (Some(Piece::Comment), rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            closed(Piece::Comment, comment(rest), rest)
        } else if first == '\'' {
            closed(Piece::Quoted, quoted(rest, '\'', escapes), rest)
        } else if first == '"' {
            closed(Piece::Quoted, quoted(rest, '"', false), rest)
        } else if rest.starts_with('$') && dollar_mark(rest).is_some() {
            closed(Piece::Quoted, dollar_quoted(rest), rest)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
            let word = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
            behind_e = word.eq_ignore_ascii_case("e");
            (Some(Piece::Word(word)), word.len())
        } else {
            (
                (!first.is_whitespace()).then_some(Piece::Mark(first)),
                first.len_utf8(),
            )
        };
        escapes = behind_e;
        all.extend(piece);
        rest = rest.get(taken.max(1)..).unwrap_or("");
    }
    all
}

/// A piece, or that it isn't finished where its end isn't found.
fn closed<'s>(piece: Piece<'s>, end: Option<usize>, rest: &str) -> (Option<Piece<'s>>, usize) {
    match end {
        Some(end) => (Some(piece), end),
        None => (Some(Piece::Unfinished), rest.len()),
    }
}

/// How long a nested comment is, its marks included.
fn comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest.chars().next()?.len_utf8();
        }
    }
    None
}

/// How long a text or quoted name is, its quotes included; a doubled quote is one character of it.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// The `$tag$` that a text begins with.
fn dollar_mark(text: &str) -> Option<&str> {
    let end = text.get(1..)?.find('$')? + 1;
    let tag = text.get(1..end)?;
    let named = tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !named || tag.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.get(..=end)
}

/// How long `$tag$ … $tag$` is.
fn dollar_quoted(text: &str) -> Option<usize> {
    let mark = dollar_mark(text)?;
    let at = text.get(mark.len()..)?.find(mark)?;
    Some(mark.len() + at + mark.len())
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
        assert_eq!(
            quote_name("Öffentlich", "order"),
            "\"Öffentlich\".\"order\""
        );
    }

    #[test]
    fn whatever_a_text_holds_it_stays_one_text() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\' b"), "E'a\\\\'' b'");
    }

    #[test]
    fn an_index_is_made_with_its_partitions_whatever_its_name() {
        for (definition, plain, perhaps) in [
            (
                "CREATE INDEX a ON ONLY public.b USING btree (c)",
                "CREATE INDEX a ON public.b USING btree (c)",
                "CREATE INDEX IF NOT EXISTS a ON public.b USING btree (c)",
            ),
            (
                "CREATE UNIQUE INDEX \" ON ONLY \"\" INDEX \" ON public.b USING btree (c) WHERE (d = ' ON ONLY '::text)",
                "CREATE UNIQUE INDEX \" ON ONLY \"\" INDEX \" ON public.b USING btree (c) WHERE (d = ' ON ONLY '::text)",
                "CREATE UNIQUE INDEX IF NOT EXISTS \" ON ONLY \"\" INDEX \" ON public.b USING btree (c) WHERE (d = ' ON ONLY '::text)",
            ),
        ] {
            assert_eq!(create_index(definition, false), plain);
            assert_eq!(create_index(definition, true), perhaps);
        }
    }

    #[test]
    fn transaction_control_is_found_wherever_it_stands_and_nowhere_else() {
        let cases = [
            ("COMMIT", Some("COMMIT")),
            ("update a set b = 1; commit; drop table a", Some("COMMIT")),
            ("/* ; */ -- ;\n vacuum full a", Some("VACUUM")),
            (
                "create unique index concurrently a on b (c)",
                Some("CREATE … CONCURRENTLY"),
            ),
            ("START TRANSACTION", Some("START TRANSACTION")),
            ("alter system set x = 1", Some("ALTER SYSTEM")),
            ("copy a from stdin", Some("COPY … STDIN or STDOUT")),
            ("update a set b = 'x; commit;'", None),
            (
                "update a set b = E'it\\'s; commit;' where \"; commit\" = 1",
                None,
            ),
            (
                "do $$ begin perform 1; end $$; update a set b = $t$;commit;$t$",
                None,
            ),
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
    fn an_expression_cant_leave_its_parentheses() {
        for (expression, stays) in [
            ("embedding_vector::text", true),
            ("coalesce(a, ')') || ')'", true),
            ("a), DROP COLUMN (b", false),
            ("(a", false),
            ("a -- ", false),
            ("a /* */", false),
            ("'a", false),
            ("a; b", false),
            (" ", false),
        ] {
            assert_eq!(stays_within_parentheses(expression), stays, "{expression}");
        }
    }

    #[test]
    fn unfinished_text_ends_with_the_text() {
        for sql in ["'", "\"", "$$", "$a", "/*", "E'\\", "--", "$1", "ä'", "$ä$"] {
            statements(sql);
        }
    }
}
