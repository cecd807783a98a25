//! scratch
use std::collections::BTreeMap;
fn main() {
    let mut args = std::env::args().skip(1);
    let envp = args.next().unwrap();
    for file in args {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut sources = rbk_syntax::Sources::default();
        let id = sources.add(file.clone(), text.clone());
        let et = std::fs::read_to_string(&envp).unwrap();
        let eid = sources.add(envp.clone(), et.clone());
        let loaded = rbk_core::environment::load("prod", eid, &et, std::path::Path::new("."));
        let parsed = rbk_syntax::parse(id, &text);
        let mut ds = parsed.diagnostics;
        ds.extend(loaded.diagnostics);
        println!("=== {file}");
        if let (Some(env), Some(rb)) = (loaded.environment, parsed.runbook) {
            let given = BTreeMap::new();
            let c = rbk_core::check::check(
                &rbk_core::check::Input {
                    runbook: &rb,
                    environment: &env,
                    places: &loaded.places,
                    given: &given,
                },
                &mut sources,
            );
            ds.extend(c.diagnostics);
            if let Some(p) = c.program {
                let plan = rbk_core::lower::plan(&p, &file, &text);
                for pf in &plan.preflight {
                    println!("  pre {}", serde_json::to_string(pf).unwrap());
                }
                for a in plan.actions() {
                    println!("  {} [{:?}] {}", a.id, a.risk, a.summary);
                }
            }
        }
        for d in ds {
            let (l, c) = sources.line_column(d.primary.span).unwrap_or((0, 0));
            println!(
                "{:?} {} {l}:{c} {} | {} | {}",
                d.severity,
                d.code,
                d.message,
                sources.text(d.primary.span).replace('\n', "⏎"),
                d.primary.text
            );
            for r in d.related {
                println!(
                    "     rel {:?}: {} | {}",
                    sources.line_column(r.span),
                    sources.text(r.span).replace('\n', "⏎"),
                    r.text
                );
            }
            if let Some(h) = d.help {
                println!("     help {h}");
            }
        }
    }
}
