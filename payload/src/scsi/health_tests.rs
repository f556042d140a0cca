use super::*;
use crate::scsi::{CommandError, Reply};

/// A page with these parameters.
fn page(code: u8, parameters: &[(u16, &[u8])]) -> Vec<u8> {
    let body: Vec<u8> = parameters
        .iter()
        .flat_map(|(number, value)| {
            [&number.to_be_bytes()[..], &[0x03, u8::try_from(value.len()).unwrap()], value].concat()
        })
        .collect();
    [&[code, 0][..], &u16::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
}

/// A disk with these pages and this head of a grown defect list.
struct Disk {
    pages: Vec<Vec<u8>>,
    defects: Option<[u8; 8]>,
    sense: Vec<u8>,
}

impl CommandPlane for Disk {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, _: Duration) -> Result<Reply, CommandError> {
        let Data::In(buf) = data else { panic!("only reads") };
        let answer = match cdb[0] {
            0x4d => self.pages.iter().find(|page| page[0] & 0x3f == cdb[2] & 0x3f).map(|page| (0, page.clone())),
            0xb7 => self.defects.map(|head| (if self.sense.is_empty() { 0 } else { 2 }, head.to_vec())),
            other => panic!("{other:#x}"),
        };
        let Some((status, bytes)) = answer else {
            return Ok(Reply {
                status: 2,
                sense: vec![0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0],
                transferred: 0,
            });
        };
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        Ok(Reply { status, sense: self.sense.clone(), transferred: len })
    }
}

fn disk() -> Disk {
    let listed = [0x00, 0x02, 0x03, 0x05, 0x0d, 0x0e, 0x15, 0x2f];
    let listed = [&[0, 0, 0, u8::try_from(listed.len()).unwrap()][..], &listed].concat();
    let errors =
        |total: u8| [(0x0003, &[0_u8, 9][..]), (0x0006, &[0, 0, 0, 0, 0, 0, 0, 0][..])].map(|(n, v)| (n, v, total));
    let counted = |code, total| {
        let rows = errors(total);
        let mut page = page(code, &rows.map(|(number, value, _)| (number, value)));
        *page.last_mut().unwrap() = total;
        page
    };
    Disk {
        pages: vec![
            listed,
            counted(0x02, 0),
            counted(0x03, 7),
            counted(0x05, 2),
            page(0x0d, &[(0, &[0, 28]), (1, &[0, 68])]),
            page(0x15, &[(0, &[0, 0x19, 0x93, 0x3a, 0, 1, 0, 0, 0, 0, 0, 0])]),
            page(0x2f, &[(0, &[0, 0, 28, 0])]),
        ],
        defects: Some([0, 0x0d, 0, 0, 0, 0, 0, 24]),
        sense: Vec::new(),
    }
}

/// As the standards lay out LOG SENSE (SPC-4) and READ DEFECT DATA (12) (SBC-3).
#[test]
fn the_commands_have_their_bytes() {
    assert_eq!(log_sense(0x0d), [0x4d, 0, 0x4d, 0, 0, 0, 0, 4, 0, 0]);
    assert_eq!(grown_defects(), [0xb7, 0x0b, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]);
}

#[test]
fn a_disk_tells_its_health() {
    let health = ask(&mut disk()).unwrap();
    let expected = Health {
        passed: Some(true),
        reallocated: Some(3),
        reported_uncorrectable: Some(9),
        power_on_hours: Some(0x0019_933a / 60),
        temperature_celsius: Some(28),
        ..Health::default()
    };
    assert_eq!(health, expected);
}

#[test]
fn a_disk_tells_how_hot_it_is_and_may_be() {
    assert_eq!(temperatures(&mut disk()), (Some(28), Some(68)));
    let silent = Disk { pages: Vec::new(), defects: None, sense: Vec::new() };
    assert_eq!(temperatures(&mut { silent }), (None, None));
}

#[test]
fn a_predicted_failure_and_a_warning_do_not_pass_and_a_test_says_nothing() {
    for (asc, ascq, passed) in
        [(0x5d, 0x10, Some(false)), (0x0b, 0x01, Some(false)), (0x5d, 0xff, None), (0x29, 0, None), (0, 0, Some(true))]
    {
        let mut health = Health::default();
        read(&mut health, 0x2f, &page(0x2f, &[(0, &[asc, ascq, 30])]));
        assert_eq!(health.passed, passed, "{asc:#x} {ascq:#x}");
    }
}

#[test]
fn what_is_not_told_stays_unknown() {
    let silent = Disk { pages: Vec::new(), defects: None, sense: Vec::new() };
    assert_eq!(ask(&mut { silent }), None);
    let mut unlisted = disk();
    unlisted.pages[0] = vec![0, 0, 0, 1, 0x0d];
    unlisted.defects = None;
    let expected = Health { temperature_celsius: Some(28), ..Health::default() };
    assert_eq!(ask(&mut unlisted), Some(expected));
    let mut health = Health::default();
    read(&mut health, 0x0d, &page(0x0d, &[(0, &[0, 0xff])]));
    read(&mut health, 0x0d, &page(0x2f, &[(0, &[0, 0, 30])]));
    read(&mut health, 0x0d, &[0x0d, 0, 0xff, 0xff, 0, 0, 3, 200, 0, 28]);
    assert_eq!(health, Health::default());
}

#[test]
fn a_defect_list_counts_in_the_format_it_came_in() {
    assert_eq!(defects(&[0, 0x08, 0, 0, 0, 0, 0, 24]), Some(6));
    assert_eq!(defects(&[0, 0x0b, 0, 0, 0, 0, 0, 24]), Some(3));
    assert_eq!(defects(&[0, 0x15, 0, 0, 0, 0, 0, 24]), None);
    assert_eq!(defects(&[0, 0x0e, 0, 0, 0, 0, 0, 24]), None);
    let mut other = disk();
    other.sense = vec![0x70, 0, 1, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x1c, 0];
    assert_eq!(ask(&mut other).unwrap().reallocated, Some(3));
    other.sense[2] = 4;
    assert_eq!(ask(&mut other).unwrap().reallocated, None);
}

#[test]
fn pages_cut_short_say_what_came_whole() {
    for whole in disk().pages {
        for len in 0..whole.len() {
            read(&mut Health::default(), whole[0], &whole[..len]);
        }
    }
}
