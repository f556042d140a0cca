use super::*;
use crate::content::fixture::Dice;

/// A bitmap that lies at the start of the volume.
#[derive(Debug)]
struct Plain;

impl Bits for Plain {
    fn fill(&self, volume: &dyn ReadAt, units: Range<u64>, bits: &mut [u8]) -> Result<(), Doubt> {
        crate::content::doubt::read_into(volume, units.start / 8, bits, "the test's bitmap")
    }
}

const UNIT: u64 = 16;

/// A volume of `units` units whose map is random: runs of any length.
fn volume(units: u64) -> Vec<u8> {
    let mut dice = Dice::new(units);
    let mut volume = vec![0; usize::try_from(units * UNIT).unwrap()];
    let (mut at, mut state) = (0, false);
    while at < units {
        let most = if dice.below(9) == 0 { 20_000 } else { 40 };
        let end = (at + 1 + dice.below(most)).min(units);
        if state {
            (at..end).for_each(|unit| volume[usize::try_from(unit / 8).unwrap()] |= 1 << (unit % 8));
        }
        (at, state) = (end, !state);
    }
    volume
}

fn counted(volume: &Vec<u8>, units: u64, always: &[Range<u64>]) -> Counted {
    Map::count(volume, Layout { origin: 0, unit: UNIT, units }, Box::new(Plain), always).unwrap()
}

#[test]
fn windows_give_what_the_bits_say() {
    // More than one piece, and a last one that is not whole.
    let units = PIECE_UNITS + 12_345;
    let volume = volume(units);
    let always = [0..100, 5_000..5_001, units * UNIT - 77..units * UNIT];
    let counted = counted(&volume, units, &always);
    let in_use = |unit: u64| volume[usize::try_from(unit / 8).unwrap()] >> (unit % 8) & 1 == 1;
    assert_eq!(counted.used, (0..units).filter(|unit| in_use(*unit)).count() as u64);
    let expected = |byte: u64| !in_use(byte / UNIT) && !always.iter().any(|range| range.contains(&byte));
    assert_eq!(counted.free, (0..units * UNIT).filter(|byte| expected(*byte)).count() as u64);
    let mut dice = Dice::new(3);
    let mut held = Held::default();
    for _ in 0..300 {
        let start = match dice.below(3) {
            0 => (PIECE_UNITS * UNIT).saturating_sub(dice.below(3000)),
            _ => dice.below(units * UNIT),
        };
        let window = start..(start + dice.below(4000)).min(units * UNIT);
        let mut found = Vec::new();
        counted.map.free(&volume, &window, &mut held, &mut found).unwrap();
        let mut free = vec![false; usize::try_from(window.end - window.start).unwrap()];
        for range in found {
            (range.start..range.end).for_each(|byte| free[usize::try_from(byte - window.start).unwrap()] = true);
        }
        assert!(window.clone().zip(free).all(|(byte, free)| free == expected(byte)), "{window:?}");
    }
}

#[test]
fn a_map_that_changed_is_not_used() {
    let units = PIECE_UNITS + 500;
    let mut volume = volume(units);
    let counted = counted(&volume, units, &[]);
    volume[3] ^= 1;
    let mut held = Held::default();
    for _ in 0..2 {
        let result = counted.map.free(&volume, &(0..400), &mut held, &mut Vec::new());
        assert!(matches!(result, Err(Doubt::Damaged(_))));
    }
    let behind = PIECE_UNITS * UNIT..units * UNIT;
    counted.map.free(&volume, &behind, &mut held, &mut Vec::new()).unwrap();
}

#[test]
fn single_units_are_looked_up() {
    let units = PIECE_UNITS + 12_345;
    let volume = volume(units);
    let counted = counted(&volume, units, &[]);
    let in_use = |unit: u64| volume[usize::try_from(unit / 8).unwrap()] >> (unit % 8) & 1 == 1;
    let mut lookup = Lookup::new(&counted.map, &volume);
    let mut dice = Dice::new(5);
    let mut both = [0; 2];
    for _ in 0..20_000 {
        let start = if dice.below(4) == 0 { PIECE_UNITS - dice.below(20) } else { dice.below(units) };
        let range = start..(start + 1 + dice.below(24)).min(units);
        let all = range.clone().all(in_use);
        both[usize::from(all)] += 1;
        assert_eq!(lookup.in_use(range.clone(), String::new).is_ok(), all, "{range:?}");
    }
    assert!(both.iter().all(|times| *times > 500), "{both:?}");
    assert!(lookup.in_use(units..units + 1, String::new).is_err());
}

#[test]
fn a_map_larger_than_the_volume_is_refused() {
    let volume = vec![0; 1 << 16];
    for (origin, unit, units) in [(0, 4096, 18), (u64::MAX, 1, 1), (0, u64::MAX, 3), (0, 0, 5)] {
        let layout = Layout { origin, unit, units };
        assert!(Map::count(&volume, layout, Box::new(Plain), &[]).is_err(), "{layout:?}");
    }
}
