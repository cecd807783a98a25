//! What a stack's settings must say now, as a block that can be pasted into its file.

use super::colour::{Paint, printable};
use rbk_core::stack::{Setting, Settings, python_text};
use std::fmt::Write;

/// How far comments are set off at most.
const WIDEST: usize = 72;

/// The block with its heading; what differs from the file as it is now is marked.
pub fn block(paint: Paint, settings: &Settings) -> String {
    let mut out = String::new();
    let is_python = settings.file.is_some();
    let place = settings.file.as_ref().map_or_else(String::new, |file| {
        format!(" ({}, {})", file.display(), settings.path())
    });
    let heading = format!(
        "What the stack must say now, so that the next deployment undoes nothing{}",
        printable(&place)
    );
    line(&mut out, paint.bold(heading));
    if let Some(reason) = &settings.unread {
        let reason = format!("  the file could not be compared: {}", printable(reason));
        line(&mut out, paint.yellow(reason));
    }
    let written: Vec<(&Setting, Option<String>)> = settings
        .settings
        .iter()
        .map(|setting| (setting, assignment(setting, is_python)))
        .collect();
    let width = written
        .iter()
        .filter_map(|(_, text)| text.as_ref())
        .map(|text| text.chars().count())
        .max()
        .unwrap_or(0)
        .min(WIDEST);
    for (setting, text) in written {
        let Some(text) = text else {
            let why = setting.why.as_deref().unwrap_or("nothing is known of it");
            // On one line, or what is pasted is no Python any more.
            let why = printable(why).replace('\n', " ");
            let text = format!("    # {}: {why}", setting.name);
            line(&mut out, paint.dim(text));
            continue;
        };
        match remark(setting, settings) {
            None => line(&mut out, format_args!("    {text}")),
            Some(remark) => {
                let padding = " ".repeat(width.saturating_sub(text.chars().count()));
                let marked = setting.differs == Some(true);
                let text = if marked { paint.yellow(&text) } else { text };
                let remark = remark.replace('\n', " ");
                line(&mut out, format_args!("    {text}{padding}  # {remark}"));
            }
        }
    }
    out
}

/// `'recovery_enabled': True,` or `recovery_enabled = true`; `None`: nothing can be said.
fn assignment(setting: &Setting, is_python: bool) -> Option<String> {
    let value = printable(setting.wanted.as_deref()?);
    Some(if is_python {
        format!("{}: {value},", python_text(&setting.name))
    } else {
        format!("{} = {value}", setting.name)
    })
}

/// What the file says instead, and where.
fn remark(setting: &Setting, settings: &Settings) -> Option<String> {
    let place = setting
        .line
        .map_or_else(String::new, |line| format!(", line {line}"));
    match (setting.differs, &setting.found) {
        (Some(false), _) => None,
        (Some(true), Some(found)) => Some(format!("now {}{place}", printable(found))),
        (Some(true), None) => Some("not in the file".to_owned()),
        (None, Some(found)) => Some(format!("compare it: {}{place}", printable(found))),
        (None, None) if settings.unread.is_some() => None,
        (None, None) => setting
            .why
            .as_ref()
            .map(|why| format!("compare it: {}", printable(why))),
    }
}

fn line(out: &mut String, text: impl std::fmt::Display) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::block;
    use crate::render::colour::Paint;
    use rbk_core::environment::Stack;
    use rbk_core::stack::{Settings, Wanted};
    use rbk_core::value::Value;

    fn settings(file: Option<&str>, text: Option<Result<&str, String>>) -> Settings {
        let value = |name: &str, expression: &str, value| Wanted {
            name: name.to_owned(),
            expression: expression.to_owned(),
            value,
        };
        let said = |text: &str| Ok(Value::Text(text.to_owned()));
        let stack = Stack {
            file: file.map(Into::into),
            section: vec!["CONFIG".to_owned(), "prod".to_owned()],
            settings: Vec::new(),
        };
        let wanted = [
            value(
                "recovery_enabled",
                "recovery exists",
                Ok(Value::Boolean(true)),
            ),
            value(
                "keep_original_db",
                "original exists",
                Ok(Value::Boolean(true)),
            ),
            value(
                "active_sgpt_secret_key",
                "active_secret(sgpt)",
                said("rds/statistagptdb_recovery"),
            ),
            value(
                "recovery_removal_policy",
                "removal_policy(recovery)",
                said("snapshot"),
            ),
            value(
                "recovery_snapshot_id",
                "source_snapshot(recovery)",
                said(""),
            ),
            value(
                "recovery_secret_name",
                "secret(recovery)",
                Err("no permission\u{1b}[2J".to_owned()),
            ),
        ];
        Settings::compare(&stack, &wanted, text)
    }

    const FILE: &str = "CONFIG = {'prod': {\n'recovery_enabled': False,\n'active_sgpt_secret_key': KEY(),\n'recovery_removal_policy': cdk.RemovalPolicy.SNAPSHOT}}\n";

    #[test]
    fn a_block_that_can_be_pasted() {
        let paint = Paint::new(false);
        let file = Some("stacks/config.py");
        insta::assert_snapshot!("stack_block", block(paint, &settings(file, Some(Ok(FILE)))));
        let unread = settings(file, Some(Err("no such file".to_owned())));
        insta::assert_snapshot!("stack_unread", block(paint, &unread));
        insta::assert_snapshot!("stack_plain", block(paint, &settings(None, None)));
    }
}
