//! How a terminal dresses the expressions of a plan.

use super::colour::{Paint, printable};
use rbk_core::plan::Dress;

impl Dress for Paint {
    fn hole(&self, text: &str) -> String {
        self.cyan(format_args!("‹{text}›"))
    }

    fn text(&self, text: &str) -> String {
        printable(text)
    }
}
