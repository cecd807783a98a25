//! The deployed stack's own file, held against what its settings must be. The file is read, never executed.

use rbk_core::check;
use rbk_core::environment::{Environment, Places};
use rbk_core::plan::StackValue;
use rbk_core::ports::World;
use rbk_core::run;
use rbk_core::stack::Settings;
use rbk_syntax::{SourceId, Span};
use std::io::Read;
use std::path::Path;

/// The most bytes of a stack's file that are read.
const MOST: u64 = 4 << 20;

/// What the settings of an environment's stack must be, as expressions; nothing where it names none.
pub fn values(environment: &Environment, places: &Places) -> Vec<StackValue> {
    let settings = environment.stack.iter().flat_map(|stack| &stack.settings);
    let anywhere = Span::new(SourceId::default(), 0, 0);
    settings
        .filter_map(|declared| {
            // What is wrong with one was told when the environment was read.
            let text = &declared.expression;
            let checked = check::setting(environment, places, text, anywhere).ok()?;
            Some(StackValue {
                setting: declared.name.clone(),
                expr: checked.expr,
                ty: checked.ty,
                text: text.clone(),
            })
        })
        .collect()
}

/// Evaluates what the settings must be now, and compares it with the stack's file. What can't be found out is told in the
/// answer. `None`: the environment has no stack.
pub async fn settings(
    world: &World,
    environment: &Environment,
    values: &[StackValue],
) -> Option<Settings> {
    let stack = environment.stack.as_ref()?;
    let wanted = run::stack_values(world, environment, values).await;
    let text = stack.file.as_deref().map(read);
    let text = text.as_ref().map(|text| match text {
        Ok(text) => Ok(text.as_str()),
        Err(reason) => Err(reason.clone()),
    });
    Some(Settings::compare(stack, &wanted, text))
}

fn read(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let length = std::fs::File::open(file)
        .and_then(|opened| opened.take(MOST + 1).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    if length as u64 > MOST {
        return Err(format!("it is larger than {} MB", MOST >> 20));
    }
    Ok(text)
}
