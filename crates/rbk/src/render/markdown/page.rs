//! A comment that fits: what matters most is in it, and what isn't is counted.

/// The most bytes of a comment. GitHub takes 65,536 characters; whoever posts it may want to say something of their own.
pub const MOST: usize = 60_000;

/// What the note about what is left out may take.
const NOTE: usize = 600;

/// A part of the page.
pub struct Section {
    /// Before its items.
    pub open: String,
    /// What it is about, one after the other.
    pub items: Vec<Item>,
    /// Behind its items.
    pub close: String,
    /// What its items are, one and several: `("action", "actions")`.
    pub names: (&'static str, &'static str),
}

impl Section {
    /// A section without items.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            open: text.into(),
            items: Vec::new(),
            close: String::new(),
            names: ("item", "items"),
        }
    }
}

/// Something that can be told at length, briefly, or be counted only.
pub struct Item {
    /// Whether it goes before others where there isn't room for all.
    pub first: bool,
    /// All of it.
    pub full: String,
    /// In a line.
    pub brief: String,
}

impl Item {
    /// What has one form only.
    pub fn line(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            first: false,
            full: text.clone(),
            brief: text,
        }
    }
}

/// How much of an item is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Not,
    Briefly,
    Fully,
}

/// Which items a pass is about.
type Wanted = fn(&Item) -> bool;

/// Puts the sections together, within the bound. `head` always stands first; `elsewhere` says where all of it can be seen.
pub fn assemble(head: &str, sections: &[Section], foot: &str, elsewhere: &str) -> String {
    let mut left = MOST.saturating_sub(head.len() + foot.len() + NOTE);
    // Each section's frame, and the line that counts what is left out of it.
    let frame = |section: &Section| section.open.len() + section.close.len() + 120;
    let mut frames = 0;
    for section in sections {
        if frame(section) > left {
            break;
        }
        left -= frame(section);
        frames += 1;
    }
    let (kept, dropped) = sections.split_at(frames);
    let mut shown: Vec<Vec<Shown>> = kept
        .iter()
        .map(|section| vec![Shown::Not; section.items.len()])
        .collect();
    let passes: [(Wanted, Shown); 4] = [
        (|item| item.first, Shown::Briefly),
        (|item| !item.first, Shown::Briefly),
        (|item| item.first, Shown::Fully),
        (|item| !item.first, Shown::Fully),
    ];
    for (wanted, level) in passes {
        for (section, shown) in kept.iter().zip(&mut shown) {
            for (item, shown) in section.items.iter().zip(shown.iter_mut()) {
                let cost = match level {
                    Shown::Fully if *shown == Shown::Not => continue,
                    Shown::Fully => item.full.len().saturating_sub(item.brief.len()),
                    Shown::Briefly | Shown::Not => item.brief.len(),
                };
                if wanted(item) && cost <= left {
                    left -= cost;
                    *shown = level;
                }
            }
        }
    }
    write(head, kept, &shown, dropped, foot, elsewhere)
}

fn write(
    head: &str,
    kept: &[Section],
    shown: &[Vec<Shown>],
    dropped: &[Section],
    foot: &str,
    elsewhere: &str,
) -> String {
    let mut body = String::new();
    let (mut brief, mut gone) = (0, 0);
    for (section, shown) in kept.iter().zip(shown) {
        body.push_str(&section.open);
        let mut missing = 0;
        for (item, shown) in section.items.iter().zip(shown) {
            match shown {
                Shown::Fully => body.push_str(&item.full),
                Shown::Briefly => {
                    brief += usize::from(item.brief != item.full);
                    body.push_str(&item.brief);
                }
                Shown::Not => missing += 1,
            }
        }
        if missing > 0 {
            let (one, several) = section.names;
            let name = if missing == 1 { one } else { several };
            body.push_str(&format!("<li><b>… and {missing} more {name}</b></li>\n"));
        }
        gone += missing;
        body.push_str(&section.close);
    }
    let inside: usize = dropped.iter().map(|section| section.items.len()).sum();
    let mut parts = Vec::new();
    if brief > 0 {
        parts.push(format!("{brief} without details"));
    }
    if gone + inside > 0 {
        parts.push(format!("{} not shown", gone + inside));
    }
    if !dropped.is_empty() {
        let name = if dropped.len() == 1 { "part" } else { "parts" };
        parts.push(format!("{} {name} of the page left out", dropped.len()));
    }
    let note = if parts.is_empty() {
        String::new()
    } else {
        format!(
            "<p>⚠️ <b>Shortened to fit a comment</b>: {}. All of it: {elsewhere}</p>\n\n",
            parts.join(", ")
        )
    };
    format!("{head}{note}{body}{foot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, items: usize, size: usize) -> Section {
        let item = |at: usize| Item {
            first: at + 1 == items,
            full: format!("<li>{name} {at} {}</li>\n", "x".repeat(size)),
            brief: format!("<li>{name} {at}</li>\n"),
        };
        Section {
            open: "<ul>\n".to_owned(),
            items: (0..items).map(item).collect(),
            close: "</ul>\n\n".to_owned(),
            names: ("action", "actions"),
        }
    }

    #[test]
    fn what_fits_is_shown_in_full() {
        let page = assemble("head\n", &[section("a", 3, 10)], "foot", "there");
        assert!(page.starts_with("head\n<ul>\n<li>a 0 xxxxxxxxxx</li>"));
        assert!(!page.contains("Shortened"));
    }

    #[test]
    fn details_go_before_items_and_what_is_left_out_is_counted() {
        let page = assemble("head\n", &[section("a", 100, 2000)], "foot", "there");
        assert!(page.len() <= MOST, "{}", page.len());
        assert!(page.contains("<li>a 98</li>"), "the last is told briefly");
        let full = page.matches("xxx</li>").count();
        assert!((25..30).contains(&full), "{full}");
        assert!(page.contains(&format!("{} without details. All of it: there", 100 - full)));
        // What goes first is told in full, though it stands last.
        assert!(page.contains("<li>a 99 xxx"));
    }

    #[test]
    fn nothing_makes_it_too_long() {
        let sections: Vec<Section> = (0..900).map(|_| section("a", 900, 9)).collect();
        let page = assemble("head\n", &sections, "foot", "there");
        assert!(page.len() <= MOST, "{}", page.len());
        assert!(page.contains("not shown"));
        assert!(page.contains("parts of the page left out"));
        assert!(page.ends_with("foot"));
    }
}
