//! How one table travels: which columns go with their row, which after it, which not at all.

use super::{
    catalog::{Relation, TableName},
    settings::LobMode,
    types::{Lob, SqlType, Transport, quoted},
};

/// One table's way from the source to the target.
#[derive(Debug)]
pub(crate) struct TablePlan {
    pub(crate) source: TableName,
    pub(crate) target: TableName,
    /// The columns that travel.
    pub(crate) columns: Vec<Planned>,
    /// The columns, by their place in `columns`, that find a row again; empty unless LOBs follow their rows.
    pub(crate) key: Vec<usize>,
    /// What the task's log says about it.
    pub(crate) notes: Vec<String>,
}

/// A column that travels.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) source: SqlType,
    /// The type that it has there; if there is no such column, PostgreSQL will say so itself.
    pub(crate) target: SqlType,
    pub(crate) way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    WithRow,
    /// The row comes without it, then it is set by key; up to `inline` bytes come with the row.
    After {
        inline: usize,
    },
    /// Cut to so many bytes.
    Cut {
        lob: Lob,
        longest: usize,
    },
}

impl TablePlan {
    /// Decides on each column. The error is why DMS suspends the table before its first row.
    pub(crate) fn make(
        source: (&TableName, &Relation),
        target: (&TableName, &Relation),
        lobs: LobMode,
    ) -> Result<TablePlan, String> {
        let (source_name, source) = source;
        let (target_name, target) = target;
        let mut plan = TablePlan {
            source: source_name.clone(),
            target: target_name.clone(),
            columns: Vec::new(),
            key: Vec::new(),
            notes: Vec::new(),
        };
        if source.keys.is_empty()
            && let Some(array) = source.columns.iter().find(|column| column.of.array)
        {
            return Err(format!(
                "table {source_name} has the ARRAY column '{}' but no primary key; the table is suspended",
                array.name
            ));
        }
        let key = usable_key(source, target);
        for column in &source.columns {
            let found = target.column(&column.name);
            let target_type = found.map_or(&column.of, |found| &found.of);
            let way = match lob_class(&column.of, target_type) {
                Class::NotCarried => {
                    plan.notes.push(format!(
                        "[METADATA_MANAGE ]I: Column '{}' was removed from table definition {source_name}: data type {} is not supported",
                        column.name, column.of.full
                    ));
                    continue;
                }
                Class::Plain => Way::WithRow,
                Class::Lob(lob) => match lobs {
                    LobMode::Without => {
                        plan.notes.push(format!(
                            "[METADATA_MANAGE ]I: Column '{}' was removed from table definition {source_name}: LOBs are not supported by the task",
                            column.name
                        ));
                        continue;
                    }
                    LobMode::Limited { longest } => Way::Cut { lob, longest },
                    LobMode::Full { .. } if key.is_none() => {
                        plan.notes.push(format!(
                            "[METADATA_MANAGE ]W: LOB column '{}' of table {source_name} is not replicated: both sides need the same primary key or unique index, without a LOB in it",
                            column.name
                        ));
                        continue;
                    }
                    LobMode::Full { inline } => Way::After { inline },
                },
            };
            plan.columns.push(Planned {
                name: column.name.clone(),
                source: column.of.clone(),
                target: target_type.clone(),
                way,
            });
        }
        if plan.columns.is_empty() {
            return Err(format!(
                "table {source_name} has no column that can be loaded"
            ));
        }
        let follows = |column: &Planned| matches!(column.way, Way::After { .. });
        if plan.columns.iter().any(follows)
            && let Some(key) = key
        {
            plan.key = key
                .iter()
                .filter_map(|name| plan.columns.iter().position(|it| it.name == *name))
                .collect();
        }
        Ok(plan)
    }

    /// Whether LOBs follow their rows.
    pub(crate) fn has_lobs_after(&self) -> bool {
        !self.key.is_empty()
    }

    /// Whether an empty value of that column on the target comes from the way and not from the source's row.
    pub(crate) fn withholds(&self, name: &str) -> bool {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .is_none_or(|column| matches!(column.way, Way::After { .. }))
    }

    /// Reads all rows, each value as text.
    pub(crate) fn select(&self) -> String {
        let values: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let longest = match column.way {
                    Way::WithRow | Way::After { .. } => None,
                    // One more than fits tells that it doesn't fit.
                    Way::Cut {
                        lob: Lob::Nclob,
                        longest,
                    } => Some(longest / 2 + 1),
                    Way::Cut { longest, .. } => Some(longest + 1),
                };
                column.source.read(&quoted(&column.name), longest)
            })
            .collect();
        format!("SELECT {} FROM {}", values.join(", "), self.source.quoted())
    }

    /// Inserts rows; each parameter is one column's values as an array of texts.
    pub(crate) fn insert(&self) -> String {
        let every = || self.columns.iter().enumerate();
        let names: Vec<String> = every().map(|(_, it)| quoted(&it.name)).collect();
        let values: Vec<String> = every()
            .map(|(place, it)| it.target.bind(&format!("u.c{place}")))
            .collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.target.quoted(),
            names.join(", "),
            values.join(", "),
            unnested(every().map(|(place, _)| place)),
        )
    }

    /// The columns that [`TablePlan::update`] takes, in its order: the LOBs, then the key.
    pub(crate) fn update_columns(&self) -> Vec<usize> {
        let lobs = self.columns.iter().enumerate();
        lobs.filter(|(_, it)| matches!(it.way, Way::After { .. }))
            .map(|(place, _)| place)
            .chain(self.key.iter().copied())
            .collect()
    }

    /// Sets the LOBs of rows that are there; parameters as in [`TablePlan::insert`].
    pub(crate) fn update(&self) -> String {
        let places = self.update_columns();
        let of = |place: usize| self.columns.get(place);
        let set = places.iter().filter_map(|place| {
            let column = of(*place).filter(|it| matches!(it.way, Way::After { .. }))?;
            let value = column.target.bind(&format!("u.c{place}"));
            Some(format!("{} = {value}", quoted(&column.name)))
        });
        let same = self.key.iter().filter_map(|place| {
            let column = of(*place)?;
            let value = column.target.bind(&format!("u.c{place}"));
            Some(format!("t.{} = {value}", quoted(&column.name)))
        });
        format!(
            "UPDATE {} AS t SET {} FROM {} WHERE {}",
            self.target.quoted(),
            set.collect::<Vec<_>>().join(", "),
            unnested(places.iter().copied()),
            same.collect::<Vec<_>>().join(" AND "),
        )
    }
}

fn unnested(places: impl Iterator<Item = usize> + Clone) -> String {
    let parameters: Vec<String> = places
        .clone()
        .enumerate()
        .map(|(number, _)| format!("${}::text[]", number + 1))
        .collect();
    let columns: Vec<String> = places.map(|place| format!("c{place}")).collect();
    format!(
        "unnest({}) AS u ({})",
        parameters.join(", "),
        columns.join(", ")
    )
}

enum Class {
    Plain,
    Lob(Lob),
    NotCarried,
}

/// A type that DMS doesn't know comes as a string; what takes it as a LOB on the target gets it as one.
fn lob_class(source: &SqlType, target: &SqlType) -> Class {
    match (source.transport(), target.transport()) {
        (Transport::NotCarried, _) => Class::NotCarried,
        (Transport::Lob(lob), _) | (Transport::Unknown, Transport::Lob(lob)) => Class::Lob(lob),
        (Transport::Plain | Transport::Unknown, _) => Class::Plain,
    }
}

/// A key that both sides have, with nothing in it that doesn't come with its row.
fn usable_key<'a>(source: &'a Relation, target: &Relation) -> Option<&'a Vec<String>> {
    let sorted = |key: &[String]| {
        let mut key = key.to_vec();
        key.sort();
        key
    };
    source.keys.iter().find(|key| {
        let comes_with_row = key.iter().all(|name| {
            source.column(name).is_some_and(|column| {
                let there = target.column(name).map_or(&column.of, |it| &it.of);
                matches!(lob_class(&column.of, there), Class::Plain)
            })
        });
        comes_with_row && target.keys.iter().any(|it| sorted(it) == sorted(key))
    })
}
