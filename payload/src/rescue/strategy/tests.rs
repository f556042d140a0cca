use super::*;
use crate::engine::sampling::Draws;
use std::collections::BTreeMap;

/// A medium with bad sectors; some can be read after a number of failures.
struct Sick {
    data: Vec<u8>,
    block: u64,
    /// Sector and how often it still fails.
    bad: BTreeMap<u64, u32>,
    reads: BTreeMap<u64, u32>,
    log: Vec<(u64, u64)>,
    dies_after: Option<usize>,
}

impl Medium for Sick {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Trouble> {
        if self.dies_after.is_some_and(|n| self.log.len() >= n) {
            return Err(Trouble::Gone("it is gone".into()));
        }
        self.log.push((offset, buf.len() as u64));
        let mut good = true;
        for sector in offset / self.block..(offset + buf.len() as u64).div_ceil(self.block) {
            *self.reads.entry(sector).or_default() += 1;
            if let Some(left) = self.bad.get_mut(&sector).filter(|left| **left > 0) {
                *left = left.saturating_sub(1).max(u32::from(*left == u32::MAX) * u32::MAX);
                good = false;
            }
        }
        let start = usize::try_from(offset).unwrap();
        if !good {
            return Err(Trouble::Bad);
        }
        buf.copy_from_slice(&self.data[start..start + buf.len()]);
        Ok(())
    }

    fn block(&self) -> u32 {
        u32::try_from(self.block).unwrap()
    }
}

struct Kept(Vec<u8>);

impl Sink for Kept {
    fn recovered(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.0[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn changed(&mut self, _: &Map) {}
    fn stop(&self) -> bool {
        false
    }
}

fn sick(draws: &mut Draws, block: u64, failures: u32) -> Sick {
    let sectors = 600 + draws.below(300);
    let data = (0..sectors * block).map(|at| u8::try_from(1 + at % 255).unwrap()).collect();
    let mut bad = BTreeMap::new();
    for _ in 0..draws.below(8) {
        let start = draws.below(sectors);
        (start..sectors.min(start + 1 + draws.below(9))).for_each(|sector| {
            bad.insert(sector, failures);
        });
    }
    Sick { data, block, bad, reads: BTreeMap::new(), log: Vec::new(), dies_after: None }
}

fn check(medium: &Sick, map: &Map, kept: &Kept) {
    for sector in 0..medium.data.len() as u64 / medium.block {
        let range =
            usize::try_from(sector * medium.block).unwrap()..usize::try_from((sector + 1) * medium.block).unwrap();
        let is_bad = medium.bad.get(&sector).is_some_and(|left| *left > 0);
        assert_eq!(map.at(sector * medium.block), if is_bad { Status::Bad } else { Status::Finished }, "{sector}");
        if is_bad {
            assert!(kept.0[range].iter().all(|byte| *byte == 0));
        } else {
            assert!(kept.0[range.clone()] == medium.data[range]);
        }
    }
}

#[test]
fn everything_that_can_be_read_is_and_every_bad_sector_is_marked() {
    let mut draws = Draws::new([6; 32]);
    for round in 0..60 {
        let mut medium = sick(&mut draws, if round % 2 == 0 { 512 } else { 4096 }, u32::MAX);
        let size = medium.data.len() as u64;
        let (mut map, mut kept) = (Map::new(size), Kept(vec![0; medium.data.len()]));
        assert!(matches!(rescue(&mut map, &mut medium, &mut kept, &Settings { retries: 2 }), End::Complete));
        check(&medium, &map, &kept);
        // As a part of a chunk, alone, and twice more.
        assert!(medium.bad.keys().all(|sector| medium.reads[sector] <= 4), "{:?}", medium.reads.values().max());
        assert_eq!(map.areas().filter(|a| !matches!(a.status, Status::Finished | Status::Bad)).count(), 0);
    }
}

#[test]
fn a_sector_that_works_on_the_fourth_try_is_read_with_two_retries() {
    let mut draws = Draws::new([7; 32]);
    for _ in 0..20 {
        let mut medium = sick(&mut draws, 512, 3);
        let (mut map, mut kept) = (Map::new(medium.data.len() as u64), Kept(vec![0; medium.data.len()]));
        rescue(&mut map, &mut medium, &mut kept, &Settings { retries: 2 });
        assert!(map.is_finished() && kept.0 == medium.data);
    }
}

#[test]
fn a_drive_that_dies_goes_on_from_its_map() {
    let mut draws = Draws::new([8; 32]);
    for deaths in 1..30 {
        let mut medium = sick(&mut draws, 512, u32::MAX);
        let (mut map, mut kept) = (Map::new(medium.data.len() as u64), Kept(vec![0; medium.data.len()]));
        medium.dies_after = Some(deaths);
        if matches!(rescue(&mut map, &mut medium, &mut kept, &Settings::default()), End::Gone(_)) {
            medium.dies_after = None;
            map = Map::parse(&map.text(), map.size()).unwrap();
            rescue(&mut map, &mut medium, &mut kept, &Settings::default());
        }
        check(&medium, &map, &kept);
    }
}

#[test]
fn good_areas_come_first() {
    let mut medium = Sick {
        data: vec![1; 1 << 20],
        block: 512,
        bad: BTreeMap::from([(100, u32::MAX), (1500, u32::MAX)]),
        reads: BTreeMap::new(),
        log: Vec::new(),
        dies_after: None,
    };
    let (mut map, mut kept) = (Map::new(1 << 20), Kept(vec![0; 1 << 20]));
    rescue(&mut map, &mut medium, &mut kept, &Settings::default());
    let first_single = medium.log.iter().position(|(_, len)| *len == 512).unwrap();
    let large: u64 = medium.log[..first_single].iter().map(|(_, len)| len).sum();
    assert_eq!(large, 1 << 20, "every chunk is tried before any single sector");
}
