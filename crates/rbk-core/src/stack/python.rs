//! A Python file of literals, read without executing it: assignments of texts, numbers, names, lists and dictionaries.
//!
//! What isn't a literal is kept as such with its line, and only in the way where it is asked for.

use super::token::{Broken, Kind, Token, tokens};
use std::collections::BTreeMap;

/// How deep brackets may nest before what is in them is passed over. Python itself gives up at 200.
const DEEPEST: usize = 100;
/// How many names may lead to each other.
const LONGEST_CHAIN: usize = 32;

/// How many dictionaries may be unpacked into each other for one key.
const MOST_UNPACKED: usize = 1_000;
/// What a name is that comes from elsewhere.
const UNEXPLAINED: &str = "a name that the file doesn't explain";

/// A value and its line, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub literal: Literal,
    /// Where it begins.
    pub line: usize,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `None`
    None,
    /// `True`, `False`
    Boolean(bool),
    /// As it is written, with its sign.
    Number(String),
    /// A text, escapes resolved, parts joined.
    Text(String),
    /// `[…]`, `(…)`, `{…}` without keys.
    List(Vec<Node>),
    /// `{…}` with keys, in order.
    Dict(Vec<Entry>),
    /// `RemovalPolicy.SNAPSHOT`, or a name alone.
    Path(Vec<String>),
    /// Something that must be computed, in words.
    Computed(&'static str),
}

/// What stands in a dictionary.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// `key: value`
    Pair(Node, Node),
    /// `**other`
    Unpacked(Node),
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Module {
    /// What is assigned at the top of the file.
    values: Vec<Node>,
    /// Which of them each name is, the last time.
    assigned: BTreeMap<String, usize>,
    /// Where a name may be changed otherwise: by a block, by an index, by an import.
    changed: BTreeMap<String, usize>,
}

/// Why a value isn't found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none of that name.
    #[error("there is no `{path}`")]
    Absent {
        /// `CONFIG['prod']`
        path: String,
    },
    /// It is no dictionary, or something that must be computed is in the way.
    #[error("line {line}: `{path}` is {what}")]
    InTheWay {
        /// `CONFIG['prod']`
        path: String,
        /// From 1.
        line: usize,
        /// What it is.
        what: &'static str,
    },
    /// Something else than a plain assignment changes it.
    #[error("line {line} changes `{name}` by code, which isn't executed here")]
    Changed {
        /// The variable.
        name: String,
        /// From 1.
        line: usize,
    },
}

impl Module {
    /// Reads a file.
    pub fn read(text: &str) -> Result<Module, Broken> {
        let tokens = tokens(text)?;
        let mut module = Module::default();
        for statement in tokens.split(|token| token.kind == Kind::End) {
            module.statement(statement);
        }
        Ok(module)
    }

    /// The dictionary that the keys lead to: a variable, then keys of nested dictionaries.
    pub fn section(&self, keys: &[String]) -> Result<Section<'_>, NotFound> {
        let (variable, keys) = keys.split_first().ok_or_else(|| NotFound::Absent {
            path: String::new(),
        })?;
        let mut path = variable.clone();
        let mut node = self.variable(variable, &path)?;
        for key in keys {
            let dict = self.dict(node, &path)?;
            path.push_str(&format!("[{}]", python_text(key)));
            node = dict
                .get(key)?
                .ok_or_else(|| NotFound::Absent { path: path.clone() })?;
        }
        self.dict(node, &path)
    }

    fn variable(&self, name: &str, path: &str) -> Result<&Node, NotFound> {
        if let Some(line) = self.changed.get(name) {
            return Err(NotFound::Changed {
                name: name.to_owned(),
                line: *line,
            });
        }
        let at = self.assigned.get(name);
        at.and_then(|at| self.values.get(*at))
            .ok_or_else(|| NotFound::Absent {
                path: path.to_owned(),
            })
    }

    /// What a name stands for, where the file says it plainly.
    fn resolved<'m>(&'m self, mut node: &'m Node) -> Result<&'m Node, NotFound> {
        for _ in 0..LONGEST_CHAIN {
            let Literal::Path(path) = &node.literal else {
                return Ok(node);
            };
            let [name] = path.as_slice() else {
                return Ok(node);
            };
            // A name that comes from elsewhere stays one.
            if !self.assigned.contains_key(name) {
                return Ok(node);
            }
            node = self.variable(name, name)?;
        }
        Ok(node)
    }

    fn dict<'m>(&'m self, node: &'m Node, path: &str) -> Result<Section<'m>, NotFound> {
        let node = self.resolved(node)?;
        let what = match &node.literal {
            Literal::Dict(entries) => {
                return Ok(Section {
                    module: self,
                    entries,
                    path: path.to_owned(),
                    line: node.line,
                });
            }
            Literal::Computed(what) => what,
            Literal::Path(_) => UNEXPLAINED,
            _ => "no dictionary",
        };
        Err(NotFound::InTheWay {
            path: path.to_owned(),
            line: node.line,
            what,
        })
    }

    fn statement(&mut self, statement: &[Token]) {
        let (inside, statement) = match statement {
            [first, rest @ ..] if first.kind == Kind::Indent => (true, rest),
            all => (false, all),
        };
        let mut parser = Parser {
            tokens: statement,
            at: 0,
            depth: 0,
        };
        if !inside && let Some((names, node)) = parser.assignment() {
            for name in names {
                self.assigned.insert(name, self.values.len());
            }
            self.values.push(node);
            return;
        }
        for (name, line) in changes(statement) {
            self.changed.entry(name).or_insert(line);
        }
    }
}

/// A dictionary of a file.
#[derive(Debug, Clone)]
pub struct Section<'m> {
    module: &'m Module,
    entries: &'m [Entry],
    path: String,
    /// Where it begins, from 1.
    pub line: usize,
}

impl<'m> Section<'m> {
    /// The value of a key: the last one that is said, as in Python. `None`: it has no such key.
    pub fn get(&self, key: &str) -> Result<Option<&'m Node>, NotFound> {
        self.get_within(key, LONGEST_CHAIN, &mut { MOST_UNPACKED })
    }

    fn get_within(
        &self,
        key: &str,
        deepest: usize,
        most: &mut usize,
    ) -> Result<Option<&'m Node>, NotFound> {
        for entry in self.entries.iter().rev() {
            match entry {
                Entry::Pair(name, value) => {
                    let name = self.module.resolved(name)?;
                    match &name.literal {
                        Literal::Text(text) if text == key => {
                            return self.module.resolved(value).map(Some);
                        }
                        // It could be this key.
                        Literal::Computed(what) => return Err(self.in_the_way(name.line, what)),
                        Literal::Path(_) => {
                            return Err(self.in_the_way(name.line, UNEXPLAINED));
                        }
                        Literal::Text(_)
                        | Literal::None
                        | Literal::Boolean(_)
                        | Literal::Number(_)
                        | Literal::List(_)
                        | Literal::Dict(_) => {}
                    }
                }
                Entry::Unpacked(other) => {
                    let (Some(deeper), Some(less)) = (deepest.checked_sub(1), most.checked_sub(1))
                    else {
                        return Err(self.in_the_way(other.line, "unpacked too often"));
                    };
                    *most = less;
                    let path = format!("{}, unpacked", self.path);
                    let other = self.module.dict(other, &path)?;
                    if let Some(found) = other.get_within(key, deeper, most)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    fn in_the_way(&self, line: usize, what: &'static str) -> NotFound {
        NotFound::InTheWay {
            path: format!("a key of {}", self.path),
            line,
            what,
        }
    }
}

/// The names that a statement may change, other than by a plain assignment: rather one too many than one too few.
fn changes(statement: &[Token]) -> Vec<(String, usize)> {
    let name_at = |at: usize| match statement.get(at) {
        Some(Token {
            kind: Kind::Name(name),
            line,
        }) => Some((name.clone(), *line)),
        _ => None,
    };
    let is_name =
        |token: &Token, word: &str| matches!(&token.kind, Kind::Name(name) if name == word);
    let Some((first, line)) = name_at(0) else {
        // `[A, B] = …`, `(A) = …`: every name in it.
        return names(statement);
    };
    // A block on the line of its own head: `if x: CONFIG = {}`. All of it, then.
    let head = statement
        .iter()
        .rposition(|token| token.kind == Kind::Sign(":"));
    let has_body = head.is_some_and(|head| head + 1 < statement.len());
    match first.as_str() {
        "def" | "class" => name_at(1).into_iter().collect(),
        "from" | "import" | "del" | "global" | "nonlocal" | "async" => names(statement),
        "for" | "with" | "if" | "elif" | "else" | "while" | "try" | "except" | "finally"
        | "match" | "case"
            if has_body =>
        {
            names(statement)
        }
        "for" => {
            let end = statement.iter().position(|token| is_name(token, "in"));
            names(
                end.and_then(|end| statement.get(..end))
                    .unwrap_or(statement),
            )
        }
        "with" | "except" => {
            let start = statement.iter().position(|token| is_name(token, "as"));
            names(
                start
                    .and_then(|start| statement.get(start..))
                    .unwrap_or_default(),
            )
        }
        "if" | "elif" | "else" | "while" | "try" | "finally" | "match" | "case" => Vec::new(),
        // `CONFIG: dict` alone says a type.
        _ if head == Some(1) && target_end(statement).is_none() => Vec::new(),
        // `CONFIG[…] = …`, `A, CONFIG = …`, `CONFIG.update(…)`, `CONFIG |= …`
        _ => match target_end(statement).and_then(|end| statement.get(..end)) {
            Some(target) => names(target),
            None => vec![(first, line)],
        },
    }
}

/// Where the first `=` outside of brackets is.
fn target_end(statement: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    statement.iter().position(|token| {
        match token.kind {
            Kind::Sign("(" | "[" | "{") => depth += 1,
            Kind::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Kind::Sign("=") => return depth == 0,
            _ => {}
        }
        false
    })
}

fn names(tokens: &[Token]) -> Vec<(String, usize)> {
    tokens
        .iter()
        .filter_map(|token| match &token.kind {
            Kind::Name(name) => Some((name.clone(), token.line)),
            _ => None,
        })
        .collect()
}

/// Reads one statement.
struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn kind(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn line(&self) -> usize {
        let token = self.tokens.get(self.at).or_else(|| self.tokens.last());
        token.map_or(0, |token| token.line)
    }

    fn is(&self, sign: &'static str) -> bool {
        self.kind() == Some(&Kind::Sign(sign))
    }

    fn accept(&mut self, sign: &'static str) -> bool {
        let is = self.is(sign);
        self.at += usize::from(is);
        is
    }

    /// `NAME = value`, `NAME: type = value`, `A = B = value`.
    fn assignment(&mut self) -> Option<(Vec<String>, Node)> {
        let mut names = Vec::new();
        while let Some(Kind::Name(name)) = self.kind() {
            let name = name.clone();
            let begin = self.at;
            self.at += 1;
            if names.is_empty() && self.accept(":") {
                let mut depth = 0_usize;
                while let Some(kind) = self.kind() {
                    match kind {
                        Kind::Sign("[" | "(" | "{") => depth += 1,
                        Kind::Sign("]" | ")" | "}") => depth = depth.saturating_sub(1),
                        Kind::Sign("=") if depth == 0 => break,
                        _ => {}
                    }
                    self.at += 1;
                }
            }
            if !self.accept("=") {
                self.at = begin;
                break;
            }
            names.push(name);
        }
        if names.is_empty() {
            return None;
        }
        let mut node = self.value(&[]);
        if self.at < self.tokens.len() {
            node.literal = Literal::Computed("computed");
        }
        Some((names, node))
    }

    /// A value up to one of these signs or the end; what goes on otherwise is computed, and passed over.
    fn value(&mut self, ends: &[&'static str]) -> Node {
        let line = self.line();
        let literal = self.atom();
        if self.is_end(ends) {
            return Node { literal, line };
        }
        let what = match literal {
            Literal::Path(_) if self.is("(") => "what a call gives",
            Literal::Computed(what) => what,
            _ => "computed",
        };
        self.pass(ends);
        Node {
            literal: Literal::Computed(what),
            line,
        }
    }

    fn is_end(&self, ends: &[&'static str]) -> bool {
        match self.kind() {
            None => true,
            Some(Kind::Sign(sign)) => ends.contains(sign),
            Some(_) => false,
        }
    }

    /// Passes over whatever stands there, brackets as a whole.
    fn pass(&mut self, ends: &[&'static str]) {
        let mut depth = 0_usize;
        while let Some(kind) = self.kind() {
            if let Kind::Sign(sign) = kind {
                let sign = *sign;
                if depth == 0 && (ends.contains(&sign) || matches!(sign, ")" | "]" | "}")) {
                    return;
                }
                match sign {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth -= 1,
                    _ => {}
                }
            }
            self.at += 1;
        }
    }

    fn atom(&mut self) -> Literal {
        match self.kind() {
            Some(Kind::Text(_) | Kind::Opaque(_)) => self.texts(),
            Some(Kind::Number(number)) => {
                let number = number.clone();
                self.at += 1;
                Literal::Number(number)
            }
            Some(Kind::Sign(sign @ ("-" | "+"))) => {
                let sign = if *sign == "-" { "-" } else { "" };
                self.at += 1;
                match self.kind() {
                    Some(Kind::Number(number)) => {
                        let number = format!("{sign}{number}");
                        self.at += 1;
                        Literal::Number(number)
                    }
                    _ => Literal::Computed("computed"),
                }
            }
            Some(Kind::Name(_)) => self.name(),
            Some(Kind::Sign("(")) => self.nested(|parser| parser.sequence(")")),
            Some(Kind::Sign("[")) => self.nested(|parser| parser.sequence("]")),
            Some(Kind::Sign("{")) => self.nested(Parser::braces),
            Some(Kind::Sign(_) | Kind::End | Kind::Indent) | None => Literal::Computed("nothing"),
        }
    }

    /// What is in brackets, unless they nest too deep.
    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Literal) -> Literal {
        if self.depth >= DEEPEST {
            self.at += 1;
            self.pass(&[]);
            self.at += 1;
            return Literal::Computed("nested too deep");
        }
        self.depth += 1;
        self.at += 1;
        let literal = read(self);
        self.depth -= 1;
        literal
    }

    /// Texts beside each other are one.
    fn texts(&mut self) -> Literal {
        let mut joined = String::new();
        let mut opaque = None;
        loop {
            match self.kind() {
                Some(Kind::Text(text)) => joined.push_str(text),
                Some(Kind::Opaque(what)) => opaque = Some(*what),
                _ => break,
            }
            self.at += 1;
        }
        opaque.map_or(Literal::Text(joined), Literal::Computed)
    }

    fn name(&mut self) -> Literal {
        let mut path = Vec::new();
        while let Some(Kind::Name(name)) = self.kind() {
            path.push(name.clone());
            self.at += 1;
            if !self.accept(".") {
                break;
            }
        }
        match path.as_slice() {
            [only] => match only.as_str() {
                "True" => Literal::Boolean(true),
                "False" => Literal::Boolean(false),
                "None" => Literal::None,
                "lambda" | "not" | "await" | "yield" => Literal::Computed("computed"),
                _ => Literal::Path(path),
            },
            _ => Literal::Path(path),
        }
    }

    /// What stands in `(…)` or `[…]`, and the closing bracket. One value in parentheses is that value.
    fn sequence(&mut self, close: &'static str) -> Literal {
        let mut items = Vec::new();
        let mut commas = 0;
        while !self.is_over(close) {
            if self.accept("*") {
                self.pass(&[",", close]);
                items.push(Node {
                    literal: Literal::Computed("unpacked"),
                    line: self.line(),
                });
            } else {
                items.push(self.value(&[",", close]));
            }
            if !self.accept(",") {
                break;
            }
            commas += 1;
        }
        self.close(close);
        if close == ")" && commas == 0 && items.len() == 1 {
            return items
                .pop()
                .map_or(Literal::Computed("nothing"), |item| item.literal);
        }
        Literal::List(items)
    }

    /// What stands in `{…}`, and the closing brace.
    fn braces(&mut self) -> Literal {
        let mut entries = Vec::new();
        let mut items = Vec::new();
        while !self.is_over("}") {
            if self.accept("**") {
                entries.push(Entry::Unpacked(self.value(&[",", "}"])));
            } else {
                let key = self.value(&[":", ",", "}"]);
                if self.accept(":") {
                    let value = self.value(&[",", "}"]);
                    entries.push(Entry::Pair(key, value));
                } else {
                    items.push(key);
                }
            }
            if !self.accept(",") {
                break;
            }
        }
        self.close("}");
        if items.is_empty() {
            Literal::Dict(entries)
        } else if entries.is_empty() {
            Literal::List(items)
        } else {
            Literal::Computed("neither a set nor a dictionary")
        }
    }

    fn is_over(&self, close: &'static str) -> bool {
        self.kind().is_none() || self.is(close)
    }

    /// The closing bracket; what stands before it and was not understood is passed over.
    fn close(&mut self, close: &'static str) {
        self.pass(&[close]);
        self.at += 1;
    }
}

/// A text as Python writes it.
pub fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

impl std::fmt::Display for Literal {
    /// As Python would write it, long ones shortened.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Literal::None => f.write_str("None"),
            Literal::Boolean(true) => f.write_str("True"),
            Literal::Boolean(false) => f.write_str("False"),
            Literal::Number(number) => f.write_str(number),
            Literal::Text(text) => f.write_str(&python_text(text)),
            Literal::List(_) => f.write_str("a list"),
            Literal::Dict(_) => f.write_str("a dictionary"),
            Literal::Path(path) => f.write_str(&path.join(".")),
            Literal::Computed(what) => write!(f, "no literal ({what})"),
        }
    }
}
