//! How a replication ended, table by table: what went wrong first, then by name.

use super::colour::printable;
use super::time;
use rbk_core::journal::{ReplicationFacts, TableFacts};

/// How many tables are listed at most; the journal has all of them.
const LISTED: usize = 40;

/// A line for each table, in columns, none wider than `width`.
pub fn tables(facts: &ReplicationFacts, width: usize) -> Vec<String> {
    let mut tables: Vec<&TableFacts> = facts.tables.iter().collect();
    tables.sort_by_key(|table| (is_completed(table), table.table.as_str()));
    let rows: Vec<[String; 4]> = tables
        .iter()
        .take(LISTED)
        .map(|table| {
            [
                printable(&table.table),
                format!("{} rows", spaced(table.rows)),
                table
                    .seconds
                    .map_or_else(String::new, |seconds| time::seconds(seconds as f64)),
                printable(&table.state),
            ]
        })
        .collect();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (counts, times) = (widest(1), widest(2));
    // Of what doesn't fit, a name is what can be cut without losing a figure.
    let name = widest(0).min(width.saturating_sub(counts + times + widest(3) + 6));
    let mut lines: Vec<String> = rows
        .iter()
        .map(|[table, rows, took, state]| {
            let table = shortened(table, name);
            format!("{table:<name$}  {rows:>counts$}  {took:>times$}  {state}")
        })
        .collect();
    let more = tables.len().saturating_sub(LISTED);
    if more > 0 {
        let rest = tables.iter().skip(LISTED);
        let open = rest.filter(|table| !is_completed(table)).count();
        lines.push(match open {
            0 => format!("and {more} more, all completed"),
            open => format!("and {more} more, {open} of them not completed"),
        });
    }
    lines
}

fn is_completed(table: &TableFacts) -> bool {
    table.state.eq_ignore_ascii_case("table completed")
}

/// Keeps a text's end: tables of one schema begin alike.
fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let end: String = text.chars().skip(length - kept).collect();
    format!("…{end}")
}

/// `1 234 567`
fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::tables;
    use rbk_core::journal::{ReplicationFacts, TableFacts};

    fn table(name: &str, state: &str, rows: u64, seconds: Option<u64>) -> TableFacts {
        TableFacts {
            table: name.to_owned(),
            state: state.to_owned(),
            rows,
            seconds,
        }
    }

    fn facts(tables: Vec<TableFacts>) -> ReplicationFacts {
        ReplicationFacts {
            tables,
            ..ReplicationFacts::default()
        }
    }

    #[test]
    fn what_went_wrong_comes_first_and_columns_are_aligned() {
        let facts = facts(vec![
            table("public.documents", "Table completed", 2_000, Some(4)),
            table("public.embeddings", "Table completed", 1_234_567, Some(185)),
            table("public.users", "Table error", 0, None),
        ]);
        assert_eq!(
            tables(&facts, 100),
            [
                "public.users               0 rows         Table error",
                "public.documents       2 000 rows   4.0s  Table completed",
                "public.embeddings  1 234 567 rows  3m05s  Table completed",
            ]
        );
    }

    #[test]
    fn a_narrow_terminal_loses_the_beginning_of_names_only() {
        let name = "public.a_table_of_a_very_long_name_that_is_told_from_others_by_its_end";
        let facts = facts(vec![table(name, "Table completed", 7, Some(1))]);
        assert_eq!(
            tables(&facts, 50),
            ["…_others_by_its_end  7 rows  1.0s  Table completed"]
        );
    }

    #[test]
    fn a_long_list_ends_with_what_it_leaves_out() {
        let many = |state: &str| {
            let one = |number| table(&format!("public.t{number:02}"), state, 1, None);
            facts((0..45).map(one).collect())
        };
        let completed = tables(&many("Table completed"), 100);
        assert_eq!(completed.len(), 41);
        assert_eq!(completed[40], "and 5 more, all completed");
        let failed = tables(&many("Table error"), 100);
        assert_eq!(failed[40], "and 5 more, 5 of them not completed");
        assert_eq!(tables(&facts(Vec::new()), 100), Vec::<String>::new());
    }

    #[test]
    fn a_name_does_not_move_the_cursor() {
        let facts = facts(vec![table("public.\u{202e}\u{1b}[2J", "", 0, None)]);
        let text = tables(&facts, 100).join("\n");
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    }
}
