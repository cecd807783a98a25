//! What a sandbox changes about an environment: its certificate authority, no tunnel, its stand-ins' health addresses, and where
//! the migration tool is that was brought for it.
//!
//! `rbk drill` lays it over the environment that it rehearses; `rbk sandbox up` writes it to a manifest, which
//! `rbk run` and its like find through `RBK_SANDBOX`. It is always shown, and never laid over anything but the
//! sandbox's own endpoint on this machine.

use crate::adapters::is_loopback;
use crate::exit::Failure;
use crate::render::colour::Screen;
use rbk_core::environment::Environment;
use rbk_core::ids::ApplicationName;
use rbk_core::plan::{Action, Plan};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variable that names the manifest of a running sandbox.
pub const VARIABLE: &str = "RBK_SANDBOX";

/// The version of the manifest that this build writes and reads.
const VERSION: u32 = 1;

/// Written by `rbk sandbox up`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's version.
    pub version: u32,
    /// The sandbox's address; the manifest is for nothing else.
    pub endpoint: String,
    /// The account that it pretends to be.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The environment that it was made from.
    pub environment: String,
    /// What it changes.
    pub overlay: Overlay,
}

impl Manifest {
    /// A manifest in today's format.
    pub fn new(endpoint: String, environment: &Environment, overlay: Overlay) -> Self {
        Self {
            version: VERSION,
            endpoint,
            account: environment.account.clone(),
            region: environment.region.clone(),
            environment: environment.name.clone(),
            overlay,
        }
    }
}

/// The changes themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// PEM file of the sandbox's certificate authority.
    pub ca: PathBuf,
    /// Health addresses of the stand-ins for applications.
    pub health: BTreeMap<ApplicationName, String>,
    /// Liquibase, where the environment names no program of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liquibase: Option<PathBuf>,
}

impl Overlay {
    /// Changes the environment, and says what was changed, a line each.
    pub fn apply(&self, environment: &mut Environment) -> Vec<String> {
        let mut changes = vec![format!(
            "[access] ca is the sandbox's own, {}",
            self.ca.display()
        )];
        environment.access.ca = Some(self.ca.clone());
        if environment.access.tunnel.take().is_some() {
            changes.push(
                "[access] tunnel is off: the sandbox's databases are on this machine".to_owned(),
            );
        }
        for (name, address) in &self.health {
            let application = environment.applications.get_mut(name);
            if let Some(health) = application.and_then(|application| application.health.as_mut()) {
                health.http.clone_from(address);
                health.expect = 200;
                changes.push(format!(
                    "[applications.{name}] health is its stand-in's, {address}"
                ));
            }
        }
        if let (Some(program), Some(migrations)) = (&self.liquibase, &mut environment.migrations)
            && migrations.program.is_none()
        {
            changes.push(format!("[migrations] program is {}", program.display()));
            migrations.program = Some(vec![program.display().to_string()]);
        }
        changes
    }

    /// Changes what a plan that was made without it says of the environment: the environment itself, and the tool that brings schemas up.
    pub fn apply_to_plan(&self, plan: &mut Plan) -> Vec<String> {
        let changes = self.apply(&mut plan.environment);
        let program = plan
            .environment
            .migrations
            .as_ref()
            .and_then(|migrations| migrations.program.clone());
        let steps = plan.steps.iter_mut().flat_map(|step| &mut step.actions);
        for planned in steps.chain(&mut plan.on_failure).chain(&mut plan.cleanup) {
            if let Action::Migrate { migrations, .. } = &mut planned.action {
                migrations.program.clone_from(&program);
            }
        }
        changes
    }
}

/// The overlay of the sandbox that the AWS clients are aimed at, if they are aimed at one.
pub fn from_variables(screen: Screen) -> Result<Option<Overlay>, Failure> {
    let Some(manifest) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    match std::env::var("AWS_ENDPOINT_URL")
        .ok()
        .filter(|_| is_local_endpoint())
    {
        Some(endpoint) => find(Path::new(&manifest), &endpoint).map(Some),
        None => {
            screen.warn("RBK_SANDBOX is set and ignored: AWS_ENDPOINT_URL aims at no sandbox on this machine");
            Ok(None)
        }
    }
}

fn find(path: &Path, endpoint: &str) -> Result<Overlay, Failure> {
    let again = "copy the `export` lines of `rbk sandbox up` again, or `unset RBK_SANDBOX AWS_ENDPOINT_URL`";
    let unreadable = |why: String| {
        Failure::wrong(format!("RBK_SANDBOX names `{}`: {why}", path.display())).help(again)
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if manifest.version > VERSION {
        return Err(unreadable(format!(
            "its version is {}, this rbk knows {VERSION}",
            manifest.version
        )));
    }
    let same = |address: &str| Url::parse(address).ok();
    if same(&manifest.endpoint) != same(endpoint) {
        return Err(Failure::wrong(format!(
            "RBK_SANDBOX is of the sandbox at {}, but AWS_ENDPOINT_URL is {endpoint}",
            manifest.endpoint
        ))
        .help(again));
    }
    Ok(manifest.overlay)
}

/// Whether AWS calls stay on this machine: `AWS_ENDPOINT_URL` says so and no service's own variable says otherwise.
pub fn is_local_endpoint() -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let general = variable("AWS_ENDPOINT_URL").is_some_and(|url| is_loopback_address(&url));
    let own = [
        "AWS_ENDPOINT_URL_RDS",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "AWS_ENDPOINT_URL_STS",
    ];
    !ignored
        && general
        && own
            .into_iter()
            .filter_map(variable)
            .all(|url| is_loopback_address(&url))
}

fn is_loopback_address(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| is_loopback(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(endpoint: &str, version: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let manifest = Manifest {
            version,
            endpoint: endpoint.to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            environment: "prod".to_owned(),
            overlay: Overlay {
                ca: PathBuf::from("ca.pem"),
                health: BTreeMap::new(),
                liquibase: None,
            },
        };
        std::fs::write(file.path(), serde_json::to_string(&manifest).unwrap()).unwrap();
        file
    }

    #[test]
    fn a_manifest_holds_for_its_own_endpoint_only() {
        let file = manifest("http://127.0.0.1:4600", 1);
        assert!(find(file.path(), "http://127.0.0.1:4600/").is_ok());
        let other = find(file.path(), "http://127.0.0.1:4601").unwrap_err();
        assert!(
            other.message.contains("127.0.0.1:4601"),
            "{}",
            other.message
        );
    }

    #[test]
    fn a_manifest_that_is_gone_broken_or_newer_is_told() {
        let endpoint = "http://localhost:4600";
        assert!(find(Path::new("no-such-file"), endpoint).is_err());
        let broken = tempfile::NamedTempFile::new().unwrap();
        assert!(find(broken.path(), endpoint).is_err());
        let newer = find(manifest("http://localhost:4600", 2).path(), endpoint).unwrap_err();
        assert!(newer.message.contains("version is 2"), "{}", newer.message);
    }

    #[test]
    fn loopback_is_told_from_everything_else() {
        for local in [
            "http://127.0.0.1:4566",
            "http://localhost:1",
            "http://[::1]:4566/",
        ] {
            assert!(is_loopback_address(local), "{local}");
        }
        for remote in [
            "https://localhost.example.com",
            "http://10.0.0.1",
            "127.0.0.1",
            "",
        ] {
            assert!(!is_loopback_address(remote), "{remote}");
        }
    }
}
