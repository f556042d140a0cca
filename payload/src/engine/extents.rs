//! Sets of byte ranges: merged, in order, with a total that stays right even where the list had to be cut short.

/// A run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// Length in bytes, never 0.
    pub len: u64,
}

impl Range {
    /// The byte after the last.
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// Ranges in ascending order that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    list: Vec<Range>,
}

impl Ranges {
    /// Adds a range, merging it with its neighbours.
    pub fn insert(&mut self, start: u64, len: u64) {
        if len == 0 {
            return;
        }
        let mut added = Range { start, len };
        let first = self.list.partition_point(|r| r.end() < start);
        let mut last = first;
        while let Some(range) = self.list.get(last).filter(|r| r.start <= added.end()) {
            let end = added.end().max(range.end());
            added.start = added.start.min(range.start);
            added.len = end - added.start;
            last += 1;
        }
        self.list.splice(first..last, [added]);
    }

    /// The ranges, ascending.
    pub fn as_slice(&self) -> &[Range] {
        &self.list
    }

    /// Bytes in all ranges.
    pub fn bytes(&self) -> u64 {
        self.list.iter().map(|r| r.len).sum()
    }

    /// Bytes of the ranges that lie before `limit`.
    pub fn bytes_before(&self, limit: u64) -> u64 {
        self.list.iter().take_while(|r| r.start < limit).map(|r| r.end().min(limit) - r.start).sum()
    }

    /// Bytes that lie in both.
    pub fn common_bytes(&self, other: &Self) -> u64 {
        other.list.iter().map(|r| self.bytes_before(r.end()) - self.bytes_before(r.start)).sum()
    }

    /// Forgets everything from `limit` on.
    pub fn clip(&mut self, limit: u64) {
        self.list.retain(|r| r.start < limit);
        if let Some(last) = self.list.last_mut() {
            last.len = last.end().min(limit) - last.start;
        }
    }

    /// What lies at `from` and behind it.
    pub fn from_offset(&self, from: u64) -> Self {
        let mut rest = Self::default();
        self.list.iter().filter(|r| r.end() > from).for_each(|r| {
            let start = r.start.max(from);
            rest.insert(start, r.end() - start);
        });
        rest
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        other.list.iter().for_each(|r| self.insert(r.start, r.len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_agree_with_a_bitmap() {
        let mut state: u32 = 1;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u64::from((state >> 8) % below)
        };
        for _ in 0..300 {
            let mut bitmap = [false; 300];
            let mut ranges = Ranges::default();
            for _ in 0..next(20) {
                let (start, len) = (next(250), next(40));
                ranges.insert(start, len);
                (start..start + len).for_each(|at| bitmap[usize::try_from(at).unwrap()] = true);
            }
            assert_eq!(ranges.bytes(), bitmap.iter().filter(|b| **b).count() as u64);
            let behind = ranges.from_offset(100);
            let mut before = ranges.clone();
            before.clip(100);
            assert_eq!((before.bytes(), behind.bytes()), (ranges.bytes_before(100), ranges.bytes() - before.bytes()));
            assert_eq!(ranges.bytes_before(100), bitmap[..100].iter().filter(|b| **b).count() as u64);
            for pair in ranges.as_slice().windows(2) {
                assert!(pair[0].end() < pair[1].start);
            }
        }
    }
}
