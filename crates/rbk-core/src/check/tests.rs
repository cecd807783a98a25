//! What a statement looks like on one line.

use super::one_line;

#[test]
fn comments_are_left_out_and_options_are_told_apart() {
    assert_eq!(one_line("note \"a # b\" # c"), "note \"a # b\" # c");
    assert_eq!(
        one_line("await a exists # why\n  # between\n  within 5m"),
        "await a exists within 5m"
    );
    assert_eq!(
        one_line(
            "replicate a to b with copy { # all\n  tables: public.*\n\n  except: [ # but\n    x,\n    y\n  ]\n  text: \"#\"\n}"
        ),
        "replicate a to b with copy { tables: public.*, except: [x, y], text: \"#\" }"
    );
    assert_eq!(
        one_line("do renew(\n  target, # this one\n  5m\n) as \"again\""),
        "do renew(target, 5m) as \"again\""
    );
    assert_eq!(
        one_line("sql on a \"\"\"\n  select 1 # 2\n  \\\"\"\"\n\"\"\""),
        "sql on a \"\"\" select 1 # 2 \\\"\"\" \"\"\""
    );
}
