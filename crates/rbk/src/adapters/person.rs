//! The person in front of the terminal, and what stands in for one.

use crate::render::colour::{Screen, printable};
use async_trait::async_trait;
use rbk_core::ports::{Approval, Person, PortError, Question};
use std::io::Write;
use tokio::sync::{Mutex, mpsc};

/// Who says yes, in the order in which they are asked.
pub struct Approver {
    screen: Screen,
    /// `--approve`.
    given: Vec<String>,
    /// The environment's policy, for where there is no terminal.
    unattended: bool,
    /// The environment's name, for the journal.
    environment: String,
    keyboard: Mutex<Option<Keyboard>>,
}

impl Approver {
    /// Asks on the terminal what neither `given` nor the policy covers.
    pub fn new(screen: Screen, given: Vec<String>, unattended: bool, environment: String) -> Self {
        Self {
            screen,
            given,
            unattended,
            environment,
            keyboard: Mutex::new(None),
        }
    }

    fn beforehand(&self, question: &Question) -> Option<String> {
        let named = self
            .given
            .iter()
            .find(|step| *step == &question.step || *step == "all");
        match named {
            Some(step) => Some(format!("{} with --approve {step}", operator())),
            None if self.unattended && !self.screen.person => {
                Some(format!("the policy of environment {}", self.environment))
            }
            None => None,
        }
    }
}

#[async_trait]
impl Person for Approver {
    async fn approve(&self, question: &Question) -> Result<Approval, PortError> {
        show(self.screen, question);
        if let Some(by) = self.beforehand(question) {
            return Ok(Approval::Given { by });
        }
        if !self.screen.person {
            return Ok(Approval::Unanswerable);
        }
        let mut keyboard = self.keyboard.lock().await;
        let keyboard = keyboard.get_or_insert_with(Keyboard::open);
        let by = operator();
        loop {
            let ask = match &question.typed {
                Some(name) => format!("  Type {} to go on, or `no`: ", self.screen.err.red(name)),
                None => "  Type `yes` or `no`: ".to_owned(),
            };
            match answer(question, keyboard.line(&ask).await.as_deref()) {
                Some(true) => return Ok(Approval::Given { by }),
                Some(false) => return Ok(Approval::Refused { by }),
                None => continue,
            }
        }
    }
}

/// What a typed line means; `None`: neither yes nor no. The end of input is a no.
fn answer(question: &Question, line: Option<&str>) -> Option<bool> {
    let Some(line) = line.map(str::trim) else {
        return Some(false);
    };
    let wanted = question.typed.as_deref().unwrap_or("yes");
    if line == wanted || question.typed.is_none() && line.eq_ignore_ascii_case("yes") {
        Some(true)
    } else if line.eq_ignore_ascii_case("no") {
        Some(false)
    } else {
        None
    }
}

/// Says yes to everything: in a drill there is nothing to lose.
pub struct DrillApprover {
    /// Where the questions are shown.
    pub screen: Screen,
}

#[async_trait]
impl Person for DrillApprover {
    async fn approve(&self, question: &Question) -> Result<Approval, PortError> {
        show(self.screen, question);
        Ok(Approval::Given {
            by: "the drill".to_owned(),
        })
    }
}

fn show(screen: Screen, question: &Question) {
    let paint = screen.err;
    screen.say("");
    screen.say(paint.magenta(format_args!("? {}", printable(&question.prompt))));
    if !question.consequences.is_empty() {
        screen.say("  After a yes:");
        for consequence in &question.consequences {
            screen.say(format_args!("    - {}", printable(consequence)));
        }
    }
}

/// Who sits here, for the journal.
pub fn operator() -> String {
    let user = whoami::username().unwrap_or_else(|_| "somebody".to_owned());
    match whoami::hostname() {
        Ok(host) => format!("{user}@{host}"),
        Err(_) => user,
    }
}

/// Lines from the terminal, read by a thread of its own: a blocked read must hold up neither Ctrl-C nor the end.
struct Keyboard {
    lines: mpsc::UnboundedReceiver<String>,
}

impl Keyboard {
    fn open() -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines }
    }

    /// Asks for a line. What was typed before the question was there is no answer to it. Safe to drop.
    async fn line(&mut self, ask: &str) -> Option<String> {
        while self.lines.try_recv().is_ok() {}
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{ask}").and_then(|()| stderr.flush());
        self.lines.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colour::Paint;

    fn screen() -> Screen {
        Screen {
            out: Paint::new(false),
            err: Paint::new(false),
            live: false,
            person: false,
        }
    }

    fn question(typed: Option<&str>) -> Question {
        Question {
            step: "Switch".to_owned(),
            prompt: "Point sgpt at recovery?".to_owned(),
            consequences: Vec::new(),
            typed: typed.map(str::to_owned),
        }
    }

    async fn asked(given: &[&str], unattended: bool) -> Approval {
        let given = given.iter().map(|step| (*step).to_owned()).collect();
        let approver = Approver::new(screen(), given, unattended, "prod".to_owned());
        approver.approve(&question(None)).await.unwrap()
    }

    #[tokio::test]
    async fn without_a_terminal_only_an_option_or_the_policy_says_yes() {
        assert_eq!(asked(&[], false).await, Approval::Unanswerable);
        assert_eq!(asked(&["Restore"], false).await, Approval::Unanswerable);
        assert!(
            matches!(asked(&["Switch"], false).await, Approval::Given { by } if by.contains("--approve Switch"))
        );
        assert!(matches!(
            asked(&["all"], false).await,
            Approval::Given { .. }
        ));
        assert!(matches!(asked(&[], true).await, Approval::Given { by } if by.contains("policy")));
    }

    #[test]
    fn a_destructive_question_wants_the_name_and_nothing_else() {
        let destructive = question(Some("original"));
        assert_eq!(answer(&destructive, Some("yes")), None);
        assert_eq!(answer(&destructive, Some("ORIGINAL")), None);
        assert_eq!(answer(&destructive, Some(" original \n")), Some(true));
        assert_eq!(answer(&destructive, Some("no")), Some(false));
        let mild = question(None);
        assert_eq!(answer(&mild, Some("y")), None);
        assert_eq!(answer(&mild, Some("Yes")), Some(true));
        assert_eq!(answer(&mild, None), Some(false));
    }
}
