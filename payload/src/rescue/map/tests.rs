use super::*;
use crate::engine::sampling::Draws;
use std::process::Command;

const ALL: [Status; 5] = [Status::NonTried, Status::NonTrimmed, Status::NonScraped, Status::Bad, Status::Finished];

fn random(draws: &mut Draws, size: u64) -> (Map, Vec<Status>) {
    let mut map = Map::new(size);
    let mut bytes = vec![Status::NonTried; usize::try_from(size).unwrap()];
    for _ in 0..draws.below(30) {
        let (start, len) = (draws.below(size), draws.below(60));
        let status = ALL[usize::try_from(draws.below(5)).unwrap()];
        map.set(start, len, status);
        (start..size.min(start + len)).for_each(|at| bytes[usize::try_from(at).unwrap()] = status);
    }
    (map, bytes)
}

#[test]
fn a_map_agrees_with_a_list_of_bytes_and_survives_its_text() {
    let mut draws = Draws::new([2; 32]);
    for _ in 0..300 {
        let (map, bytes) = random(&mut draws, 400);
        let mut at = 0;
        let mut last = None;
        for area in map.areas() {
            assert_eq!(area.start, at);
            assert_ne!(last, Some(area.status));
            last = Some(area.status);
            (area.start..area.end()).for_each(|at| assert_eq!(bytes[usize::try_from(at).unwrap()], area.status));
            at = area.end();
        }
        assert_eq!(at, 400);
        assert_eq!(Map::parse(&map.text(), 400).unwrap(), map);
        assert!(Map::parse(&map.text(), 401).is_err() && Map::parse(&map.text(), 399).is_err());
    }
}

#[test]
fn ddrescuelog_reads_the_same_areas() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.map");
    let mut map = Map::new(1 << 30);
    map.set(0, 1 << 30, Status::Finished);
    map.set(5 * 512, 3 * 512, Status::Bad);
    map.set(1 << 20, 4096, Status::NonTrimmed);
    map.save(&path).unwrap();
    assert_eq!(Map::load(&path, 1 << 30).unwrap(), map);
    let list = |kind: &str| {
        let out = Command::new("ddrescuelog").arg(format!("--list-blocks={kind}")).arg(&path).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().lines().map(|l| l.parse().unwrap()).collect::<Vec<u64>>()
    };
    assert_eq!(list("-"), [5, 6, 7]);
    assert_eq!(list("*"), (2048..2056).collect::<Vec<_>>());
}

#[test]
fn no_text_makes_the_parser_panic() {
    let mut draws = Draws::new([4; 32]);
    for _ in 0..2000 {
        let (map, _) = random(&mut draws, 400);
        let mut text = map.text().into_bytes();
        for _ in 0..=draws.below(5) {
            let at = usize::try_from(draws.below(text.len() as u64)).unwrap();
            text[at] = u8::try_from(draws.below(128)).unwrap();
        }
        if let Ok(map) = Map::parse(&String::from_utf8_lossy(&text), 400) {
            assert_eq!(map.areas().map(|area| area.len).sum::<u64>(), 400);
        }
    }
    assert!(Map::parse("0 ?\n0xFFFFFFFFFFFFFFFF 0xFF ?", 9).is_err());
}
