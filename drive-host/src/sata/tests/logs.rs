use super::*;

/// One sector of a log.
fn log(disk: &mut SataDisk, lba: u64) -> Option<[u8; 512]> {
    let mut sector = [0; 512];
    order_with(disk, (0x2f, 0, 1, lba), DataPhase::In(&mut sector)).ok()?;
    Some(sector)
}

#[test]
fn a_disk_says_how_hot_it_may_get_where_it_has_a_limit() {
    let (_file, mut without) = disk("smart");
    assert_eq!((log(&mut without, 0), log(&mut without, 0x504)), (None, None));
    let (_file, mut limited) = disk("smart,temperature=41,temperature-limit=55");
    let directory = log(&mut limited, 0).unwrap();
    assert_eq!((directory[0], directory[8], directory[10]), (1, 6, 0));
    assert_eq!(log(&mut limited, 0x004).unwrap()[8..11], [2, 0, 5]);
    let page = log(&mut limited, 0x504).unwrap();
    assert_eq!((page[8], page[15], page[88], page[95]), (41, 0xc0, 55, 0xc0));
    assert!(log(&mut limited, 0x104).is_none() && log(&mut limited, 0x10).is_none());
    assert!(log(&mut limited, 0x01_0000_0504).is_none(), "another page");
}
