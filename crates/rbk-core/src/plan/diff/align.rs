//! Which item of one list is which of another: the alignment in order that keeps most, so that one inserted statement isn't a change of
//! everything behind it.

use std::collections::BTreeMap;

/// Above this many comparisons of pairs only equal items are matched: a plan that long is read by nobody pair by pair.
const MOST: usize = 4_000_000;

/// Two lists side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// In the first list only: its index.
    Old(usize),
    /// In the second list only: its index.
    New(usize),
    /// In both.
    Both(usize, usize),
}

/// Aligns two lists. `alike` says how much two items are the same thing: 0 not at all, more for more, `EQUAL` for equal ones.
pub(super) fn align<T>(old: &[T], new: &[T], alike: impl Fn(&T, &T) -> u32) -> Vec<Pair> {
    let same = |(left, right): &(&T, &T)| alike(left, right) == EQUAL;
    let before = old.iter().zip(new).take_while(same).count();
    let rest = old.len().min(new.len()) - before;
    let ends = old.iter().rev().zip(new.iter().rev()).take(rest);
    let behind = ends.take_while(same).count();
    let middle_old = old.get(before..old.len() - behind).unwrap_or_default();
    let middle_new = new.get(before..new.len() - behind).unwrap_or_default();

    let mut pairs: Vec<Pair> = (0..before).map(|at| Pair::Both(at, at)).collect();
    let matched = if middle_old.len().saturating_mul(middle_new.len()) <= MOST {
        best(middle_old, middle_new, &alike)
    } else {
        greedy(middle_old, middle_new, &alike)
    };
    pairs.extend(
        matched
            .into_iter()
            .chain((0..behind).map(|at| Pair::Both(middle_old.len() + at, middle_new.len() + at)))
            .map(|pair| match pair {
                Pair::Old(at) => Pair::Old(at + before),
                Pair::New(at) => Pair::New(at + before),
                Pair::Both(left, right) => Pair::Both(left + before, right + before),
            }),
    );
    pairs
}

/// What equal items are worth: more than any chain of merely similar neighbours that they could be given up for.
pub(super) const EQUAL: u32 = 8;

/// The alignment of the greatest worth.
fn best<T>(old: &[T], new: &[T], alike: &impl Fn(&T, &T) -> u32) -> Vec<Pair> {
    let width = new.len() + 1;
    // worth[i * width + j]: of what is behind `i` and `j`.
    let mut worth = vec![0_u32; (old.len() + 1) * width];
    let at = |worth: &[u32], i: usize, j: usize| worth.get(i * width + j).copied().unwrap_or(0);
    for (i, left) in old.iter().enumerate().rev() {
        for (j, right) in new.iter().enumerate().rev() {
            let both = match alike(left, right) {
                0 => 0,
                value => value + at(&worth, i + 1, j + 1),
            };
            let value = both.max(at(&worth, i + 1, j)).max(at(&worth, i, j + 1));
            if let Some(cell) = worth.get_mut(i * width + j) {
                *cell = value;
            }
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(left), Some(right)) = (old.get(i), new.get(j)) {
        let here = at(&worth, i, j);
        let value = alike(left, right);
        if value > 0 && here == value + at(&worth, i + 1, j + 1) {
            pairs.push(Pair::Both(i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == at(&worth, i + 1, j) {
            pairs.push(Pair::Old(i));
            i += 1;
        } else {
            pairs.push(Pair::New(j));
            j += 1;
        }
    }
    pairs.extend((i..old.len()).map(Pair::Old));
    pairs.extend((j..new.len()).map(Pair::New));
    pairs
}

/// Equal items only, each the next one that is left.
fn greedy<T>(old: &[T], new: &[T], alike: &impl Fn(&T, &T) -> u32) -> Vec<Pair> {
    const AHEAD: usize = 200;
    let mut pairs = Vec::new();
    let mut next = 0;
    for (j, right) in new.iter().enumerate() {
        let rest = old.iter().enumerate().skip(next).take(AHEAD);
        let found = rest
            .map(|(i, left)| (i, alike(left, right)))
            .find(|(_, value)| *value == EQUAL);
        match found {
            Some((i, _)) => {
                pairs.extend((next..i).map(Pair::Old));
                pairs.push(Pair::Both(i, j));
                next = i + 1;
            }
            None => pairs.push(Pair::New(j)),
        }
    }
    pairs.extend((next..old.len()).map(Pair::Old));
    pairs
}

/// Of things that are in both lists, those that have to be moved to get from one order to the other: as few as possible.
/// `positions` are the old positions in the new order; the answer is in the new order, too.
pub(super) fn moved(positions: &[usize]) -> Vec<bool> {
    // The longest increasing subsequence stays; the best end of each length is kept with where it came from.
    let mut ends: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut lengths = Vec::with_capacity(positions.len());
    let mut before: Vec<Option<usize>> = Vec::with_capacity(positions.len());
    for (index, position) in positions.iter().enumerate() {
        let best = ends.range(..position).next_back();
        let (length, from) = best.map_or((1, None), |(_, (length, at))| (length + 1, Some(*at)));
        lengths.push(length);
        before.push(from);
        let worse = ends
            .range(position..)
            .next()
            .filter(|(_, (there, _))| *there <= length)
            .map(|(key, _)| *key);
        if let Some(key) = worse {
            ends.remove(&key);
        }
        ends.insert(*position, (length, index));
    }
    let mut moved = vec![true; positions.len()];
    let last = lengths
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, length)| **length)
        .map(|(index, _)| index);
    let mut at = last;
    while let Some(index) = at {
        if let Some(cell) = moved.get_mut(index) {
            *cell = false;
        }
        at = before.get(index).copied().flatten();
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(old: &str, new: &str) -> String {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        let alike = |left: &char, right: &char| {
            if left == right {
                EQUAL
            } else {
                u32::from(left.eq_ignore_ascii_case(right)) * 2
            }
        };
        let text = |pair: Pair| match pair {
            Pair::Old(at) => format!("-{}", old[at]),
            Pair::New(at) => format!("+{}", new[at]),
            Pair::Both(left, right) => format!("{}{}", old[left], new[right]),
        };
        let pairs = align(&old, &new, alike);
        pairs.into_iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_inserted_item_changes_nothing_behind_it() {
        assert_eq!(pairs("abc", "abxc"), "aa bb +x cc");
        assert_eq!(pairs("abc", "xabc"), "+x aa bb cc");
        assert_eq!(pairs("abc", "ac"), "aa -b cc");
        assert_eq!(pairs("", "ab"), "+a +b");
        assert_eq!(pairs("ab", ""), "-a -b");
    }

    #[test]
    fn equal_items_win_over_similar_ones() {
        assert_eq!(pairs("ab", "Aab"), "+A aa bb");
        assert_eq!(pairs("aB", "Ab"), "aA Bb");
        assert_eq!(pairs("aaa", "aAaa"), "aa +A aa aa");
    }

    #[test]
    fn a_long_list_is_aligned_in_time() {
        let old: Vec<usize> = (0..5000).collect();
        let new: Vec<usize> = (0..5000)
            .map(|n| if n % 7 == 0 { n + 9000 } else { n })
            .collect();
        let pairs = align(&old, &new, |left, right| u32::from(left == right) * EQUAL);
        let both = pairs.iter().filter(|pair| matches!(pair, Pair::Both(..)));
        assert_eq!(both.count(), 5000 - 5000_usize.div_ceil(7));
    }

    #[test]
    fn as_few_as_possible_are_moved() {
        assert_eq!(moved(&[0, 1, 2]), [false, false, false]);
        assert_eq!(moved(&[2, 0, 1]), [true, false, false]);
        assert_eq!(moved(&[1, 2, 0]), [false, false, true]);
        assert_eq!(
            moved(&[3, 0, 1, 4, 2, 5]).iter().filter(|it| **it).count(),
            2
        );
        assert!(moved(&[]).is_empty());
    }
}
