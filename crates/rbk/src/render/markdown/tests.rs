//! Whatever a runbook says stays in its place, and a comment always fits.

use super::page::MOST;
use super::{diff, plan, wrong};
use crate::render::diagnostics::Finding;
use crate::render::plan::quick_recovery;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use rbk_core::plan::diff::PlanDiff;
use rbk_core::plan::{Bounds, Expr, Guard, Origin, Plan};
use rbk_syntax::{Code, Diagnostic, Sources, Span};
use serde_json::Value;

/// What would do something in a comment if it got out of its place.
const HOSTILE: [&str; 9] = [
    "PAYLOAD</code></pre></td></tr></table></summary></details>\n\n# heading @octocat @org/team #1 GH-1 octo/repo#2",
    "PAYLOAD `@octocat` ``` @octocat\n```\n~~~\n@octocat",
    "PAYLOAD | a | b |\n|---|---|\n| @octocat | https://evil.example www.evil.example me@evil.example |",
    "PAYLOAD [x](javascript:alert(1)) ![i](https://evil.example/x.png) <https://evil.example> [1]: https://evil.example",
    "PAYLOAD <script>alert(1)</script><img src=x onerror=alert(1)><!-- --><a href='//evil.example'>x</a>",
    "PAYLOAD --> ]]> ?> <![CDATA[ <?php &lt;b&gt; &#64;octocat &commat;octocat",
    "PAYLOAD \\\\| \\` **b** __i__ ~~s~~ $$x$$ :smile: - [ ] task\n\n    indented\n\n- @octocat",
    "PAYLOAD a\u{200b}b\u{200d}c\u{202e}d\u{feff}e\u{0}f\u{1b}[31mg\u{2028}h\u{ad}i\u{e0041}",
    "\n \n\t\nPAYLOAD\r\n\r\n@octocat\n\u{a0}\n\u{3000}\n</pre>\n\n@octocat",
];

/// A plan in which everything that a runbook or an environment says freely is hostile.
fn hostile(payload: &str) -> Plan {
    const FREE: [&str; 22] = [
        "title",
        "doc",
        "file",
        "sha256",
        "statement",
        "summary",
        "path",
        "text",
        "name",
        "class",
        "subnet_group",
        "parameter_group",
        "account",
        "region",
        "storage_type",
        "id",
        "instance",
        "secret",
        "role",
        "rbk",
        "security_groups",
        "roles",
    ];
    fn walk(key: &str, value: &mut Value, payload: &str) {
        match value {
            Value::String(text) if FREE.contains(&key) => *text = format!("{text}{payload}"),
            Value::Array(items) => {
                for item in items {
                    walk(key, item, payload);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    walk(if name == "tags" { "text" } else { name }, member, payload);
                }
            }
            _ => {}
        }
    }
    let mut document = serde_json::to_value(quick_recovery()).unwrap();
    walk("", &mut document, payload);
    serde_json::from_value(document).unwrap()
}

/// Tags that rbk writes, with their attributes.
const TAGS: [&str; 18] = [
    "h2", "h3", "p", "table", "tr", "th", "td", "details", "summary", "ul", "li", "pre", "code",
    "b", "i", "sub", "br", "hr",
];

/// Proves that a page is nothing but rbk's own tags around text that is shown as it is.
#[track_caller]
fn prove(page: &str) {
    assert!(page.len() <= MOST, "{} bytes", page.len());
    // No Markdown is read anywhere: all of it are HTML blocks.
    for event in Parser::new_ext(page, Options::all()) {
        assert!(
            matches!(
                event,
                Event::Start(Tag::HtmlBlock) | Event::Html(_) | Event::End(TagEnd::HtmlBlock)
            ),
            "{event:?} in\n{page}"
        );
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let (text, tagged) = rest.split_at(at);
        prove_text(text, &open);
        let end = tagged.find('>').expect("a tag ends");
        let tag = &tagged[1..end];
        rest = &tagged[end + 1..];
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "in\n{page}"),
            None => {
                assert!(TAGS.contains(&tag), "<{tag}> in\n{page}");
                if !matches!(tag, "br" | "hr") {
                    open.push(tag);
                }
            }
        }
    }
    prove_text(rest, &open);
    assert!(open.is_empty(), "{open:?} is left open in\n{page}");
}

#[track_caller]
fn prove_text(text: &str, open: &[&str]) {
    assert!(!text.contains('>'), "{text}");
    for unseen in text.chars() {
        assert!(
            unseen == '\n'
                || !unseen.is_control()
                    && !"\u{200b}\u{200d}\u{202e}\u{feff}\u{2028}\u{ad}\u{e0041}".contains(unseen),
            "{unseen:?} can't be seen in {text}"
        );
    }
    if !open.contains(&"code") && !open.contains(&"pre") {
        for word in ["PAYLOAD", "@", "http", "www.", "#", "octocat"] {
            let bare = text.replace("&#9;", "");
            assert!(!bare.contains(word), "`{word}` stands open: {text}");
        }
    }
}

#[test]
fn nothing_that_a_runbook_says_gets_out_of_its_place() {
    let base = quick_recovery();
    for payload in HOSTILE {
        let it = hostile(payload);
        let page = plan(&it);
        prove(&page);
        assert!(
            page.matches("PAYLOAD").count() > 50,
            "it isn't there at all"
        );
        prove(&diff(&PlanDiff::of(Some(&base), &it), &it));
        prove(&diff(&PlanDiff::of(Some(&it), &base), &base));
        prove(&diff(&PlanDiff::of(None, &it), &it));
        prove(&diff(&PlanDiff::of(Some(&it), &it), &it));
    }
}

#[test]
fn what_is_wrong_stays_in_its_place_too() {
    for payload in HOSTILE {
        let mut sources = Sources::default();
        let id = sources.add(payload, payload);
        let one =
            Diagnostic::error(Code("RBK1001"), payload, Span::new(id, 0, 1), payload).help(payload);
        let diagnostics = vec![one; 300];
        let finding = Finding {
            sources: &sources,
            diagnostics: &diagnostics,
        };
        let page = wrong(std::path::Path::new(payload), &finding);
        prove(&page);
        assert!(page.contains("can't be planned: 300 errors"));
        assert!(page.contains("Shortened"));
    }
}

#[test]
fn a_plan_of_thousands_of_actions_fits_and_says_what_is_left_out() {
    let mut long = quick_recovery();
    let actions = long.steps[0].actions.clone();
    for _ in 0..400 {
        long.steps[0].actions.extend(actions.iter().cloned());
    }
    long.steps[1].actions[0].statement = "x ".repeat(300_000);
    long.steps[2].actions[0].summary = "@octocat ".repeat(90_000);
    long.runbook.doc = Some("y\n".repeat(100_000));
    let page = plan(&long);
    prove(&page);
    assert!(
        page.len() > MOST - 2000,
        "{} bytes: there was room",
        page.len()
    );
    assert!(page.contains("Shortened to fit a comment"));
    assert!(page.contains("more actions</b>"));
    assert!(page.contains("All of it: <code>rbk plan "));
    // On failure comes last, and is there.
    assert!(page.contains("<b>On failure</b>"));
    prove(&diff(&PlanDiff::of(None, &long), &long));
    prove(&diff(&PlanDiff::of(Some(&quick_recovery()), &long), &long));
    let many = {
        let mut many = quick_recovery();
        let step = many.steps[0].clone();
        many.steps.extend(std::iter::repeat_n(step, 2000));
        many
    };
    prove(&plan(&many));
}

#[test]
fn a_plan_reads_from_what_it_does_to_how() {
    let page = plan(&quick_recovery());
    prove(&page);
    let order = [
        "<h2>Plan: <code>Quick recovery</code></h2>",
        "<b><code>prod</code></b>, account <b><code>123456789012</code></b>, region <b><code>eu-central-1</code></b>",
        "🔵 a person</td><td><code>ask a person: Point sgpt at recovery?</code>",
        "🟢 creates</td><td><code>create instance `statistagptdb-recovery`",
        "<h3>Parameters</h3>",
        "<code>the runbook&#39;s default</code>",
        "Read and proven before the first effect: <b>9</b>",
        "that is: <code>sgpt uses original</code>",
        "<b>Step 1: <code>Restore</code></b>: 11 actions, at most 1h47m",
        "<pre>restore target from snap</pre>",
        "class                db.r6g.large",
        "<b>On failure</b>",
        "rbk plan ",
    ];
    let mut from = 0;
    for words in order {
        let found = page[from..].find(words);
        from += found.unwrap_or_else(|| panic!("no {words} behind\n{}", &page[..from]));
    }
    assert!(!page.contains("Shortened"));
}

#[test]
fn holes_decisions_and_steps_done_together_are_told() {
    let mut it = quick_recovery();
    it.parameters[3].value = None;
    it.parameters[3].origin = Origin::Open;
    it.parameters[3].bounds = Some(Bounds {
        condition: Expr::Now,
        text: "max_loss <= 2d".to_owned(),
    });
    let decision = it.steps[0].actions[0].id.clone();
    it.steps[0].actions[0].action = rbk_core::plan::Action::Decide {
        condition: Expr::LatestSnapshot {
            database: "original".into(),
        },
    };
    it.steps[0].actions[1].only_if = vec![Guard {
        decision,
        holds: false,
    }];
    it.steps[0].parallel = Some(1);
    it.steps[1].parallel = Some(1);
    let page = plan(&it);
    prove(&page);
    for words in [
        "<td>holes</td><td>1, given when it is run",
        "⬚ <code>‹given when it is run›</code><br>where <code>max_loss &lt;= 2d</code>",
        "↳ <code>only if not latest snapshot of original (decided by Restore#1)</code>",
        ", together with <code>Look at the data</code>",
    ] {
        assert!(page.contains(words), "no {words} in\n{page}");
    }
    let drawn = crate::render::plan::human(&it, crate::render::colour::Paint::new(false));
    for words in [
        "‹given when it is run›",
        "where max_loss <= 2d",
        "only if not latest snapshot of original (decided by Restore#1)",
        "together with \"Look at the data\"",
    ] {
        assert!(drawn.contains(words), "no {words} in\n{drawn}");
    }
}
