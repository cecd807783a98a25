//! `[let NAME =] snapshot DB [as "…"]`: a manual snapshot, done when it is available.
//!
//! Without `as`, rbk makes up an identifier of the instance's name and the run. With a `let`, the snapshot has a name in the runbook,
//! and can be restored. It stays until somebody deletes it: nothing of rbk's does.
//!
//! ```rbk
//! let before = snapshot original as "before-the-repair"
//! ```

use super::Meaning;
use crate::check::{Checker, StatementError};
use crate::ids::{DatabaseName, InstanceId};
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Risk, SnapshotName, Template, TemplatePart};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct TakeSnapshot {
    database: DatabaseName,
    instance: InstanceId,
    id: SnapshotName,
    binding: Option<String>,
}

impl TakeSnapshot {
    pub(super) fn check(name: Option<&ast::Name>, database: &ast::Path, id: Option<&ast::Text>, checker: &mut Checker<'_>) -> Option<Self> {
        let database = checker.database(database);
        let id = match id {
            None => Some(SnapshotName::Generated),
            Some(id) => given(id, checker),
        };
        // The name is known from here on, whatever is wrong with the rest.
        let binding = match name {
            Some(name) => Some(checker.define_snapshot(name, database.as_ref())?),
            None => None,
        };
        let database = database?;
        let instance = checker.database_facts(&database)?.instance.clone();
        Some(Self { database, instance, id: id?, binding })
    }
}

/// How a snapshot is called, judged as far as it is known.
fn given(text: &ast::Text, checker: &mut Checker<'_>) -> Option<SnapshotName> {
    let template = checker.template(text);
    let known: Option<String> = match template.0.as_slice() {
        [] => Some(String::new()),
        [TemplatePart::Text(id)] => Some(id.clone()),
        _ => None,
    };
    let template = match known {
        // RDS stores it so.
        Some(id) if is_identifier(&id) => Template(vec![TemplatePart::Text(id.to_ascii_lowercase())]),
        Some(id) => {
            checker.report(StatementError::SnapshotId { span: text.span, id });
            return None;
        }
        None => {
            refuse_parts(&template, text.span, checker)?;
            template
        }
    };
    Some(SnapshotName::Given { id: template })
}

/// Reports what is known of an identifier that can't be part of one.
fn refuse_parts(template: &Template, span: Span, checker: &mut Checker<'_>) -> Option<()> {
    let shown: String = template.0.iter().map(|part| match part {
        TemplatePart::Text(text) => text.as_str(),
        TemplatePart::Expr(_) => "…",
    }).collect();
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let has_bad_part = template.0.iter().any(|part| match part {
        TemplatePart::Text(text) => !text.chars().all(is_letter) || text.contains("--"),
        TemplatePart::Expr(_) => false,
    });
    let begins_badly = matches!(template.0.first(), Some(TemplatePart::Text(text)) if !text.starts_with(|first: char| first.is_ascii_alphabetic()));
    let ends_badly = matches!(template.0.last(), Some(TemplatePart::Text(text)) if text.ends_with('-'));
    if has_bad_part || begins_badly || ends_badly || shown.len() > 255 {
        checker.report(StatementError::SnapshotId { span, id: shown });
        return None;
    }
    Some(())
}

/// Whether a snapshot that is made can be called so. Source: `CreateDBSnapshot.DBSnapshotIdentifier`,
/// `DeleteDBInstance.FinalDBSnapshotIdentifier`.
pub(super) fn is_identifier(id: &str) -> bool {
    (1..=255).contains(&id.len())
        && id.starts_with(|first: char| first.is_ascii_alphabetic())
        && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        && !id.ends_with('-')
        && !id.contains("--")
}

impl Meaning for TakeSnapshot {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.take_snapshot(&self.database, &self.id, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let name = match &self.id {
            SnapshotName::Generated => String::new(),
            SnapshotName::Given { id } => {
                lowering.no_such_snapshot(id);
                format!(" `{}`", lowering.template(id))
            }
        };
        let bound = self.binding.as_ref().map(|binding| format!(", from here on `{binding}`"));
        lowering.action(
            // It costs money until somebody deletes it.
            Risk::Creates,
            // The first one of a large volume takes hours.
            6 * 60 * MINUTE,
            format!("take a snapshot{name} of `{}` (instance `{}`) and wait until it is available{}", self.database, self.instance, bound.unwrap_or_default()),
            Action::CreateSnapshot {
                database: self.database.clone(),
                instance: self.instance.clone(),
                id: self.id.clone(),
                binding: self.binding.clone(),
            },
        );
    }
}
