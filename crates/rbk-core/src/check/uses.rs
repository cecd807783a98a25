//! What can be wrong with a file that is used. Whoever reads the files says it; reading is not this pass's.

use rbk_syntax::{Code, Diagnostic, Span};
use thiserror::Error;

/// A `use` whose file is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UseError {
    /// It could not be read.
    #[error("`{file}` can't be used: {reason}")]
    Unreadable {
        /// As it is written.
        file: String,
        /// Where it was looked for.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// It is being used already, directly or through others.
    #[error("`{file}` comes back to itself")]
    Circle {
        /// As it is written.
        file: String,
        /// The `use`s that led here, outermost first.
        through: Vec<Span>,
    },
}

impl UseError {
    /// The diagnostic at the name of the file, as the `use` gives it.
    pub fn at(&self, span: Span) -> Diagnostic {
        let message = self.to_string();
        match self {
            UseError::Unreadable { path, .. } => {
                Diagnostic::error(Code("RBK1028"), message, span, "not read").help(format!(
                    "a file is looked for beside the one that uses it; this one is `{path}`"
                ))
            }
            UseError::Circle { through, .. } => {
                let error =
                    Diagnostic::error(Code("RBK1029"), message, span, "is being read already");
                let related = through
                    .iter()
                    .fold(error, |error, place| error.relate(*place, "used here"));
                related.help("put what both need into a file of its own, and use that one")
            }
        }
    }
}
