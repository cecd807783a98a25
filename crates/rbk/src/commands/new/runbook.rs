//! `rbk new runbook FILE`: a template, with the names that the environment has.

use super::create;
use crate::cli::{NewRunbookArgs, Template};
use crate::exit::{Exit, Failure};
use crate::load::{Near, load_environment};
use crate::render::colour::Screen;
use rbk_core::environment::Environment;
use rbk_core::shell::shell_word;
use std::path::{Path, PathBuf};

/// Writes it, and says what to type next.
pub fn runbook(screen: Screen, args: &NewRunbookArgs) -> Result<Exit, Failure> {
    let file = with_extension(&args.file);
    let env = args.environment.env.as_deref();
    let environment = match load_environment(screen, Near::Runbook(&file), env) {
        Ok(loaded) => loaded.environment,
        // Without one the template's own names stay; one that was asked for must be there.
        Err(_) if env.is_none() => None,
        Err(failure) => return Err(failure),
    };
    let mut text = text(args.template, &file);
    let mut replaced = Vec::new();
    if let Some(environment) = &environment {
        (text, replaced) = with_names_of(environment, &text);
    }
    create(&file, &text)?;
    screen.say(format_args!(
        "{} {} is written",
        screen.err.green("✓"),
        file.display()
    ));
    for (before, after) in replaced {
        screen.say(format_args!("  `{before}` is `{after}` in it"));
    }
    let name = shell_word(&file.display().to_string());
    match environment {
        Some(_) => screen.say(format_args!("next: `rbk check {name}`, then `rbk plan {name}`")),
        None => screen.say(format_args!(
            "next: an environment to check it against, `rbk new environment prod`, then `rbk check {name}`"
        )),
    }
    Ok(Exit::Done)
}

fn with_extension(file: &Path) -> PathBuf {
    match file.extension() {
        Some(extension) if extension == "rbk" => file.to_owned(),
        _ => {
            let mut name = file.as_os_str().to_owned();
            name.push(".rbk");
            PathBuf::from(name)
        }
    }
}

fn text(template: Template, file: &Path) -> String {
    let shipped = match template {
        Template::Blank => {
            let blank = include_str!("blank.rbk");
            return blank.replace("{title}", &title(file));
        }
        Template::QuickRecovery => include_str!("../../../../../runbooks/quick-recovery.rbk"),
        Template::PointInTime => include_str!("../../../../../runbooks/point-in-time.rbk"),
        Template::ReplaceOriginal => include_str!("../../../../../runbooks/replace-original.rbk"),
        Template::BackupAudit => include_str!("../../../../../runbooks/backup-audit.rbk"),
        Template::RebuildSchema => include_str!("../../../../../runbooks/rebuild-schema.rbk"),
        Template::RepairOriginal => include_str!("../../../../../runbooks/repair-original.rbk"),
        Template::ReturnToOriginal => {
            include_str!("../../../../../runbooks/return-to-original.rbk")
        }
        Template::FullRecovery => include_str!("../../../../../runbooks/full-recovery.rbk"),
    };
    shipped.to_owned()
}

/// `monthly-audit.rbk` is the runbook "Monthly audit".
fn title(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let words: String = stem
        .chars()
        .map(|character| match character {
            '-' | '_' => ' ',
            '"' | '\\' | '{' | '}' => '\'',
            character if character.is_control() => ' ',
            character => character,
        })
        .collect();
    let mut characters = words.trim().chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => "A runbook".to_owned(),
    }
}

/// The templates name `original`, `recovery` and `sgpt`. An environment that has other names and doesn't say in
/// `[parameters]` what is meant gets its own where only one can be meant.
fn with_names_of(environment: &Environment, text: &str) -> (String, Vec<(String, String)>) {
    let one = |mut names: Vec<String>| match names.len() {
        1 => names.pop(),
        _ => None,
    };
    let databases = |like: bool| {
        let found = environment.databases.iter();
        let found = found.filter(|(_, database)| database.like.is_some() == like);
        one(found.map(|(name, _)| name.to_string()).collect())
    };
    let applications = environment.applications.keys().map(ToString::to_string);
    let candidates = [
        ("database = original", "original", databases(false)),
        ("database = recovery", "recovery", databases(true)),
        ("application = sgpt", "sgpt", one(applications.collect())),
    ];
    let knows = |name: &str| {
        environment
            .databases
            .keys()
            .any(|known| known.as_str() == name)
            || environment
                .applications
                .keys()
                .any(|known| known.as_str() == name)
    };
    let mut replaced = Vec::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (written, name, own) in candidates {
        let Some(own) = own.filter(|_| !knows(name)) else {
            continue;
        };
        for line in lines
            .iter_mut()
            .filter(|line| is_default(environment, line, written))
        {
            *line = line.replace(name, &own);
            let pair = (name.to_owned(), own.clone());
            if !replaced.contains(&pair) {
                replaced.push(pair);
            }
        }
    }
    lines.push(String::new());
    (lines.join("\n"), replaced)
}

/// Whether a line is a parameter with that default, which the environment doesn't give a value of its own.
fn is_default(environment: &Environment, line: &str, written: &str) -> bool {
    let Some(rest) = line.strip_prefix("param ") else {
        return false;
    };
    let Some((name, rest)) = rest.split_once(':') else {
        return false;
    };
    rest.trim() == written && !environment.parameters.contains_key(name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_is_the_title() {
        assert_eq!(
            title(Path::new("runbooks/monthly-audit.rbk")),
            "Monthly audit"
        );
        assert_eq!(title(Path::new("a\"{b}.rbk")), "A''b'");
        assert_eq!(title(Path::new("-.rbk")), "A runbook");
    }

    #[test]
    fn the_extension_is_added_where_it_is_missing() {
        assert_eq!(with_extension(Path::new("a.b")), Path::new("a.b.rbk"));
        assert_eq!(with_extension(Path::new("a.rbk")), Path::new("a.rbk"));
    }
}
