//! A person in the loop: approvals, notes, and what stays on purpose.

use super::{Once, Performed};
use crate::ids::DatabaseName;
use crate::journal::Event;
use crate::plan::{Action, PlannedAction, Template};
use crate::ports::{Approval, Question};
use crate::run::{Failure, Scene, render};
use async_trait::async_trait;

/// Asks for a yes.
pub(super) struct Approve<'a> {
    pub prompt: &'a Template,
    pub typed: Option<&'a str>,
}

#[async_trait]
impl Once for Approve<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let prompt = render(&mut scene.look(), self.prompt).await?;
        let question = Question {
            step: step_of(scene),
            prompt: prompt.clone(),
            consequences: consequences(scene),
            typed: self.typed.map(str::to_owned),
        };
        match scene.world.person.approve(&question).await? {
            Approval::Given { by } => Ok(Performed {
                observations: Vec::new(),
                last: Event::Approved { by, prompt },
            }),
            Approval::Refused { by } => Err(Failure::Refused { prompt, by }),
            Approval::Unanswerable => Err(Failure::Unanswerable {
                step: question.step,
                prompt,
            }),
        }
    }
}

pub(super) fn step_of(scene: &Scene<'_>) -> String {
    let holds = |actions: &[PlannedAction]| actions.iter().any(|it| it.id == scene.planned.id);
    let step = scene.plan.steps.iter().find(|step| holds(&step.actions));
    step.map_or("on failure".to_owned(), |step| step.path.to_string())
}

/// What happens after a yes, up to the next question.
fn consequences(scene: &Scene<'_>) -> Vec<String> {
    let is_this = |planned: &&PlannedAction| planned.id == scene.planned.id;
    let after = |actions: Vec<&PlannedAction>| -> Option<Vec<String>> {
        let at = actions.iter().position(is_this)?;
        Some(
            actions
                .into_iter()
                .skip(at + 1)
                .take_while(|planned| !matches!(planned.action, Action::Approve { .. }))
                .map(|planned| planned.summary.clone())
                .collect(),
        )
    };
    let steps = scene.plan.steps.iter().flat_map(|step| &step.actions);
    after(steps.collect())
        .or_else(|| after(scene.plan.on_failure.iter().collect()))
        .unwrap_or_default()
}

/// Shows an instruction.
pub(super) struct Note<'a> {
    pub text: &'a Template,
}

#[async_trait]
impl Once for Note<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        Ok(Performed::done(render(&mut scene.look(), self.text).await?))
    }
}

/// Records that what was created stays.
pub(super) struct Keep<'a> {
    pub database: &'a DatabaseName,
    pub because: &'a Template,
}

#[async_trait]
impl Once for Keep<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let because = render(&mut scene.look(), self.because).await?;
        Ok(Performed::done(format!(
            "{} stays: {because}",
            self.database
        )))
    }
}
