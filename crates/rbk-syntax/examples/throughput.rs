//! Times the parser on a long runbook: `cargo run --release -p rbk-syntax --example throughput -- 10000`.

use rbk_syntax::{SourceId, parse};
use std::time::{Duration, Instant};

const STEP: &str = r#"
## Brings one database back.
step "Restore number NUMBER" {
  restore target from snap                       # from the newest
  await target is available within 60m every 15s
  set credentials of target
  await target accepts connections within 5m
  assert count(target.public.documents) > 1_000 and age(snap) <= max_loss + 2h
    else "only {count(target.public.documents)} documents, {age(snap)} old"
  freeze writes on source if reachable
  approve "Point {app} at {target}?"
  switch secret of app to target accepting loss
  keep target because "it serves until the original is repaired"
}
"#;

fn main() {
    let lines = std::env::args()
        .nth(1)
        .and_then(|lines| lines.parse().ok())
        .unwrap_or(10_000);
    let mut text = String::from("runbook \"Long\"\nparam max_loss: duration = 24h\n");
    let mut number = 0;
    let mut count = 2;
    while count < lines {
        number += 1;
        count += STEP.lines().count();
        text.push_str(&STEP.replace("NUMBER", &number.to_string()));
    }
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let parsed = parse(SourceId::default(), &text);
            let time = start.elapsed();
            assert!(
                parsed.diagnostics.is_empty(),
                "{:?}",
                parsed.diagnostics.first()
            );
            time
        })
        .collect();
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "{count} lines, {} bytes: median {median:?}, {:?} a line",
        text.len(),
        median / count as u32
    );
}
