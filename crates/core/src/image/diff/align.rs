//! Aligns two lists by their longest common subsequence.

/// Maximum number of cells in the table of the longest common subsequence, at 4 bytes each.
const CELLS: usize = 1 << 22;

/// Pairs as many equal items of two lists as possible, in order. An item without a partner is paired with `None`; between
/// two pairs, those of the first list come first. If the table would have more than [`CELLS`], only the common beginning and
/// the common end are paired.
pub(super) fn align<T: PartialEq>(before: &[T], after: &[T]) -> Vec<(Option<usize>, Option<usize>)> {
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (left, right) = (&before[start..], &after[start..]);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[..left.len() - end], &right[..right.len() - end]);

    let mut pairs: Vec<_> = (0..start).map(|place| (Some(place), Some(place))).collect();
    let mut add = |a: Option<usize>, b: Option<usize>| pairs.push((a.map(|a| a + start), b.map(|b| b + start)));
    if left.len().saturating_mul(right.len()) > CELLS {
        (0..left.len()).for_each(|a| add(Some(a), None));
        (0..right.len()).for_each(|b| add(None, Some(b)));
    } else {
        let table = Table::new(left, right);
        let (mut a, mut b) = (0, 0);
        while a < left.len() || b < right.len() {
            if a < left.len() && b < right.len() && left[a] == right[b] {
                add(Some(a), Some(b));
                (a, b) = (a + 1, b + 1);
            } else if b == right.len() || a < left.len() && table.longest(a + 1, b) >= table.longest(a, b + 1) {
                add(Some(a), None);
                a += 1;
            } else {
                add(None, Some(b));
                b += 1;
            }
        }
    }
    pairs.extend((0..end).map(|place| (Some(before.len() - end + place), Some(after.len() - end + place))));
    pairs
}

/// Lengths of the longest common subsequences of all suffixes of two lists.
struct Table {
    lengths: Vec<u32>,
    width: usize,
}

impl Table {
    fn new<T: PartialEq>(left: &[T], right: &[T]) -> Self {
        let width = right.len() + 1;
        let mut table = Self { lengths: vec![0; (left.len() + 1) * width], width };
        for a in (0..left.len()).rev() {
            for b in (0..right.len()).rev() {
                table.lengths[a * width + b] = if left[a] == right[b] {
                    table.longest(a + 1, b + 1) + 1
                } else {
                    table.longest(a + 1, b).max(table.longest(a, b + 1))
                };
            }
        }
        table
    }

    fn longest(&self, a: usize, b: usize) -> u32 {
        self.lengths[a * self.width + b]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_stand_side_by_side() {
        let told = |before: &str, after: &str| {
            let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
            let pair = |(a, b): (Option<usize>, Option<usize>)| match (a, b) {
                (Some(a), Some(b)) => {
                    assert_eq!(before[a], after[b]);
                    format!("={}", before[a])
                }
                (Some(a), None) => format!("-{}", before[a]),
                (None, Some(b)) => format!("+{}", after[b]),
                (None, None) => String::new(),
            };
            align(&before, &after).into_iter().map(pair).collect::<Vec<_>>().join(" ")
        };
        for (before, after, expected) in [
            ("", "", ""),
            ("abc", "abc", "=a =b =c"),
            ("abc", "", "-a -b -c"),
            ("", "a", "+a"),
            ("abc", "axc", "=a -b +x =c"),
            ("abcd", "acxd", "=a -b =c +x =d"),
            ("aa", "aaa", "=a =a +a"),
            ("xaby", "zabw", "-x +z =a =b -y +w"),
            ("ab", "ba", "-a =b +a"),
        ] {
            assert_eq!(told(before, after), expected);
        }
    }

    #[test]
    fn long_lists_cost_little() {
        let before: Vec<u32> = (0..100_000).collect();
        let mut after: Vec<u32> = before.iter().map(|number| number + 1).collect();
        (after[0], after[99_999]) = (0, 99_999);
        let pairs = align(&before, &after);
        assert_eq!(pairs.len(), 1 + 2 * 99_998 + 1);
    }
}
