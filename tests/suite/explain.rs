//! `rbk explain`, and the pages it shows: there is one for each diagnostic, and what its examples say is so.
//! How a page and its examples are written is told in `docs/diagnostics/README.md`; the frames are read from there.

use crate::process::{rbk, root, said};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FOLDER: &str = "docs/diagnostics";

/// Where the part stands in a frame.
const PART: &str = "…";

/// A fenced block of a page.
struct Block {
    /// The words behind the backticks.
    info: Vec<String>,
    text: String,
}

impl Block {
    fn says(&self, word: &str) -> bool {
        self.info.iter().any(|said| said == word)
    }

    /// The words behind each of this one.
    fn behind<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.info.windows(2);
        pairs
            .filter(move |pair| pair[0] == word)
            .map(|pair| pair[1].as_str())
    }

    /// Its environment file.
    fn environment(&self) -> String {
        match self.behind("case").next() {
            Some(name) => format!("tests/lang/cases/{name}.toml"),
            None if self.says("dms") => "tests/lang/dms.toml".to_owned(),
            None => "tests/lang/team.toml".to_owned(),
        }
    }
}

/// An example that is run.
struct Example {
    code: String,
    /// `RBK2004, the first example`
    name: String,
    right: bool,
    also: BTreeSet<String>,
}

impl Example {
    /// What isn't as the page says, from the codes that were told and those of them that are errors.
    fn wrong(&self, told: &BTreeSet<String>, errors: &BTreeSet<String>) -> Option<String> {
        let name = &self.name;
        if self.right {
            let bad = !errors.is_empty() || told.contains(&self.code);
            return bad.then(|| format!("{name} should be right, but is told {told:?}"));
        }
        let mut expected = self.also.clone();
        expected.insert(self.code.clone());
        (*told != expected).then(|| format!("{name} should be told {expected:?}, is told {told:?}"))
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The codes that have a page in the folder.
fn written() -> BTreeSet<String> {
    std::fs::read_dir(root().join(FOLDER))
        .expect("the folder is there")
        .filter_map(|entry| entry.expect("readable").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect()
}

fn pages() -> BTreeMap<String, String> {
    let page = |code: &String| (code.clone(), read(&format!("{FOLDER}/{code}.md")));
    written().iter().map(page).collect()
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in markdown.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(info), None) => {
                open = Some(Block {
                    info: info.split_whitespace().map(str::to_owned).collect(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed:\n{markdown}");
    blocks
}

/// The frames of runbooks by name, and that of environments.
fn frames() -> (BTreeMap<String, String>, String) {
    let mut frames = BTreeMap::new();
    let mut environment = String::new();
    for block in blocks(&read(&format!("{FOLDER}/README.md"))) {
        let name = block.behind("frame").next().map(str::to_owned);
        match name {
            Some(name) => drop(frames.insert(name, block.text)),
            None if block.says("frame") => environment = block.text,
            None => {}
        }
    }
    (frames, environment)
}

/// The runbook of a block: itself, or in its frame.
fn runbook(block: &Block, frames: &BTreeMap<String, String>) -> String {
    match frames.iter().find(|(name, _)| block.says(name)) {
        Some((_, frame)) => frame.replacen(PART, block.text.trim_end(), 1),
        None => block.text.clone(),
    }
}

/// The sections of an environment file, each with its header, the first without one.
fn sections(text: &str) -> Vec<(String, Vec<String>)> {
    let mut sections = vec![(String::new(), Vec::new())];
    for line in text.lines() {
        if line.starts_with('[') {
            sections.push((line.to_owned(), Vec::new()));
        } else if let Some((_, lines)) = sections.last_mut() {
            lines.push(line.to_owned());
        }
    }
    sections
}

/// The environment of a block: the frame, with what the block says in the place of what it says there.
fn environment(block: &str, frame: &str) -> String {
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let mut merged = sections(frame);
    for (header, lines) in sections(block) {
        match merged.iter_mut().find(|(other, _)| *other == header) {
            Some((_, old)) => {
                let keys: BTreeSet<String> = lines.iter().filter_map(|line| key(line)).collect();
                old.retain(|line| key(line).is_none_or(|key| !keys.contains(&key)));
                old.extend(lines);
            }
            None => merged.push((header, lines)),
        }
    }
    merged
        .into_iter()
        .flat_map(|(header, lines)| std::iter::once(header).chain(lines))
        .map(|line| line + "\n")
        .collect()
}

/// What no page can hold, and what each is told.
fn made() -> Vec<(&'static str, Vec<u8>)> {
    let deep = format!(
        "runbook \"Deep\"\nrequire {}true{}\n",
        "(".repeat(300),
        ")".repeat(300)
    );
    let long = format!(
        "runbook \"Long\"\nstep \"A\" {{\n  note \"{}\"\n}}\n",
        "long ".repeat(40_000)
    );
    let large = format!(
        "runbook \"Large\"\n{}",
        "# a dump, not a runbook\n".repeat(500_000)
    );
    let many = format!(
        "runbook \"Many\"\nstep \"A\" {{\n  note \"a\"\n}}\n{}",
        "requier true\n".repeat(200)
    );
    let procedures: Vec<String> = (0..30)
        .map(|n| {
            let ifs = "  if recovery exists {\n".repeat(3);
            let ends = "  }\n".repeat(3);
            match n {
                29 => format!("procedure p{n}() {{\n{ifs}  note \"deep\"\n{ends}}}\n"),
                _ => format!("procedure p{n}() {{\n{ifs}  do p{}()\n{ends}}}\n", n + 1),
            }
        })
        .collect();
    let ways = format!(
        "runbook \"Ways\"\n{}step \"A\" {{\n  do p0()\n}}\n",
        procedures.concat()
    );
    vec![
        ("RBK0026", deep.into_bytes()),
        ("RBK0027", long.into_bytes()),
        ("RBK0028", large.into_bytes()),
        (
            "RBK0029",
            b"runbook \"A\"\nstep \"A\" {\n  note \"a\x1b[2Jb\"\n}\n".to_vec(),
        ),
        (
            "RBK0030",
            b"runbook \"A\"\nstep \"A\" {\n  note \"caf\xe9\"\n}\n".to_vec(),
        ),
        ("RBK0033", many.into_bytes()),
        ("RBK1064", ways.into_bytes()),
    ]
}

/// The codes that were told, by the file they were told of: all, and the errors.
fn told(arguments: &[&str]) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let output = rbk(arguments).output().expect("rbk starts");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {arguments:?}: {}", said(&output)));
    let mut told: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for diagnostic in document["diagnostics"].as_array().expect("a list") {
        let text = |key: &str| diagnostic[key].as_str().expect("a text").to_owned();
        let (all, errors) = told.entry(text("file")).or_default();
        all.insert(text("code"));
        if text("severity") == "error" {
            errors.insert(text("code"));
        }
    }
    told
}

/// A file in a folder of its own.
fn put(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join(name);
    std::fs::write(&file, text).expect("written");
    file
}

#[test]
fn every_diagnostic_has_a_page_of_its_form() {
    let pages = pages();
    let mut wrong = Vec::new();
    for (code, title) in rbk_core::codes::all() {
        let Some(page) = pages.get(code.0) else {
            wrong.push(format!("{code} ({title}) has no page"));
            continue;
        };
        let heading = format!("# {code}: {title}");
        if page.lines().next() != Some(&heading) {
            wrong.push(format!("the page of {code} must begin with `{heading}`"));
        }
        let headings: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        let right = match code.0.starts_with("RBK4") {
            true => headings == ["Said", "State", "Now"],
            false => headings == ["Wrong", "Right", "Mend"] || headings == ["Wrong", "Right"],
        };
        if !right {
            wrong.push(format!("the page of {code} has the headings {headings:?}"));
        }
        let lines = page.lines().count();
        if !(8..=60).contains(&lines) {
            wrong.push(format!("the page of {code} has {lines} lines"));
        }
        if page.lines().any(|line| line.chars().count() > 140) {
            wrong.push(format!("the page of {code} has a line that is too long"));
        }
    }
    let known: BTreeSet<&str> = rbk_core::codes::all().map(|(code, _)| code.0).collect();
    for code in pages.keys().filter(|code| !known.contains(code.as_str())) {
        wrong.push(format!("{code} has a page, and isn't registered"));
    }
    let list: String = rbk_core::codes::all()
        .map(|(code, title)| format!("- [{code}]({code}.md): {title}\n"))
        .collect();
    if !read(&format!("{FOLDER}/README.md")).ends_with(&format!("## All pages\n\n{list}")) {
        wrong.push(format!("README.md must end with\n## All pages\n\n{list}"));
    }
    assert!(wrong.is_empty(), "{FOLDER}:\n{}", wrong.join("\n"));
}

#[test]
fn every_example_is_told_what_its_page_says() {
    let (frames, base) = frames();
    let folder = tempfile::tempdir().expect("a folder");
    let made = made();
    let mut runbooks: BTreeMap<String, Vec<(PathBuf, Example)>> = BTreeMap::new();
    let mut environments: Vec<(PathBuf, Example)> = Vec::new();
    let mut wrong = Vec::new();
    for (code, page) in &pages() {
        let (mut wrongs, mut rights) = (0, 0);
        for (index, block) in blocks(page).iter().enumerate() {
            let right = block.says("right");
            if !right && !block.says("wrong") {
                continue;
            }
            *if right { &mut rights } else { &mut wrongs } += 1;
            let example = Example {
                code: code.clone(),
                name: format!("{code}, example {}", index + 1),
                right,
                also: block.behind("also").map(str::to_owned).collect(),
            };
            let folder = folder.path().join(format!("{code}-{index}"));
            if block.says("rbk") {
                let file = put(&folder, "example.rbk", runbook(block, &frames));
                let group = runbooks.entry(block.environment()).or_default();
                group.push((file, example));
            } else if block.says("lock") {
                put(&folder, "example.lock.toml", &block.text);
                environments.push((put(&folder, "example.toml", &base), example));
            } else if block.says("toml") {
                let text = environment(&block.text, &base);
                environments.push((put(&folder, "example.toml", text), example));
            } else {
                wrong.push(format!("{} says not what it is", example.name));
            }
        }
        if let Some((_, bytes)) = made.iter().find(|(other, _)| other == code) {
            let example = Example {
                code: code.clone(),
                name: format!("{code}, the file that is made"),
                right: false,
                also: match code.as_str() {
                    "RBK0033" => BTreeSet::from(["RBK0004".to_owned()]),
                    "RBK1064" => BTreeSet::from(["RBK1025".to_owned()]),
                    _ => BTreeSet::new(),
                },
            };
            let file = put(&folder.path().join(code), "example.rbk", bytes);
            let group = runbooks
                .entry("tests/lang/team.toml".to_owned())
                .or_default();
            group.push((file, example));
            wrongs += 1;
            rights += 1;
        }
        // What is said of a project's files is tested where a project is made: `PLACES`.
        let run = !code.starts_with("RBK4") && !PLACES.contains(&code.as_str());
        if run && (wrongs == 0 || rights == 0) {
            wrong.push(format!(
                "{code} has {wrongs} wrong and {rights} right examples"
            ));
        }
    }
    for (environment, examples) in &runbooks {
        let mut arguments = vec!["check", "--format", "json", "--env", environment.as_str()];
        arguments.extend(
            examples
                .iter()
                .map(|(file, _)| file.to_str().expect("UTF-8")),
        );
        let told = told(&arguments);
        for (file, example) in examples {
            let (all, errors) = told
                .get(file.to_str().expect("UTF-8"))
                .cloned()
                .unwrap_or_default();
            wrong.extend(example.wrong(&all, &errors));
        }
    }
    for (file, example) in &environments {
        let file = file.to_str().expect("UTF-8");
        let told = told(&["env", "check", "--format", "json", "--env", file]);
        let (all, errors): (Vec<_>, Vec<_>) = told.into_values().unzip();
        let flat = |sets: Vec<BTreeSet<String>>| sets.into_iter().flatten().collect();
        wrong.extend(example.wrong(&flat(all), &flat(errors)));
    }
    assert!(wrong.is_empty(), "{FOLDER}:\n{}", wrong.join("\n"));
}

/// Diagnostics about which file is meant rather than about what is in it.
const PLACES: [&str; 4] = ["RBK3031", "RBK3032", "RBK3033", "RBK3034"];

#[test]
fn a_page_is_shown_however_its_code_is_written() {
    let says = |arguments: &[&str]| {
        let output = rbk(arguments).output().expect("rbk starts");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(output.stderr.is_empty(), "{}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let shown = says(&["explain", "RBK2004"]);
    assert!(
        shown.starts_with("RBK2004: a switch to a database"),
        "{shown}"
    );
    assert!(
        !shown.contains('\u{1b}') && !shown.contains("```"),
        "{shown}"
    );
    assert_eq!(says(&["explain", "rbk2004"]), shown);
    assert_eq!(says(&["explain", "2004"]), shown);
    assert_eq!(
        says(&["explain", "RBK2004", "--format", "markdown"]),
        read("docs/diagnostics/RBK2004.md")
    );
    let both = says(&["explain", "2004", "2005"]);
    assert!(
        both.starts_with(&shown) && both.contains("\nRBK2005: "),
        "{both}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&says(&["explain", "2004", "--format", "json"])).expect("JSON");
    assert_eq!(json["explanations"][0]["code"], "RBK2004");
    assert_eq!(
        json["explanations"][0]["page"],
        read("docs/diagnostics/RBK2004.md")
    );
}

#[test]
fn all_codes_are_listed_by_what_they_are_about() {
    let output = rbk(&["explain"]).output().expect("rbk starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut left = text.as_str();
    for kind in [
        "syntax\n",
        "\nnames and types\n",
        "\nstates\n",
        "\nenvironment\n",
        "\nruns\n",
    ] {
        let (_, rest) = left.split_once(kind).expect(kind);
        left = rest;
    }
    for (code, title) in rbk_core::codes::all() {
        assert!(text.contains(&format!("  {code}  {title}\n")), "{code}");
    }
    let output = rbk(&["explain", "--format", "json"])
        .output()
        .expect("rbk starts");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let listed = json["explanations"].as_array().map(Vec::len);
    assert_eq!(listed, Some(rbk_core::codes::all().count()));
}

#[test]
fn an_unknown_code_is_told_with_the_nearest() {
    for code in ["RBK0000", "RBK", "", "2004x", "RBK99999", "no such words"] {
        let output = rbk(&["explain", code]).output().expect("rbk starts");
        assert_eq!(output.status.code(), Some(64), "{code}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{code}: {}", said(&output));
    }
    let says = |code| said(&rbk(&["explain", code]).output().expect("rbk starts"));
    insta::assert_snapshot!(says("rbk0000"), @r"
    exit 64
    ---- stderr
    error: there is no diagnostic `rbk0000`
      help: the nearest are
      RBK0001  Something else was expected
      RBK0002  A runbook without a title
      RBK0003  Unknown statement
    ");
    insta::assert_snapshot!(says("never frozen"), @r"
    exit 64
    ---- stderr
    error: there is no diagnostic `never frozen`
      help: the nearest are
      RBK2011  a thaw of what was never frozen
    ");
}
