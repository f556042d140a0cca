use super::*;
use crate::{
    nvme::NvmeError,
    scsi::{CommandError, Reply},
};
use mule_types::technique::nvme::{Action, SecureErase};

/// A controller by its lists.
struct Controller {
    managed: bool,
    most: u32,
    /// TNVMCAP and UNVMCAP.
    capacity: (u64, u64),
    active: Vec<u32>,
    allocated: Option<Vec<u32>>,
}

impl Controller {
    fn usual() -> Self {
        Self { managed: false, most: 1, capacity: (1 << 30, 0), active: vec![1], allocated: None }
    }
}

impl NvmeAdmin for Controller {
    fn admin(&mut self, command: &AdminCommand, data: Data<'_>) -> Result<u32, NvmeError> {
        let Data::In(page) = data else { panic!("only questions") };
        let list = match command.cdw10 {
            1 => {
                page[4] = b'A';
                page[256] = u8::from(self.managed) << 3;
                page[280..288].copy_from_slice(&self.capacity.0.to_le_bytes());
                page[296..304].copy_from_slice(&self.capacity.1.to_le_bytes());
                page[516..520].copy_from_slice(&self.most.to_le_bytes());
                return Ok(0);
            }
            0 if self.active.contains(&command.nsid) => {
                (page[0], page[130]) = (64, 9);
                return Ok(0);
            }
            2 => &self.active,
            0x10 => self.allocated.as_ref().ok_or(NvmeError::Status(2))?,
            _ => return Err(NvmeError::Status(2)),
        };
        let behind = list.iter().filter(|nsid| **nsid > command.nsid);
        for (nsid, entry) in behind.zip(page.chunks_mut(4)) {
            entry.copy_from_slice(&nsid.to_le_bytes());
        }
        Ok(0)
    }
}

const FORMAT: Option<Technique> = Some(Technique::NvmeFormat(SecureErase::UserData));
const SANITIZE: Option<Technique> = Some(Technique::NvmeSanitize(Action::BlockErase));

#[test]
fn a_namespace_is_the_drive_only_where_nothing_else_can_be() {
    let managed = || Controller { managed: true, most: 8, allocated: Some(vec![1]), ..Controller::usual() };
    for (name, mut controller, others, format, sanitize) in [
        ("an ordinary drive", Controller::usual(), 0, true, true),
        ("a second namespace", Controller { active: vec![1, 2], most: 2, ..Controller::usual() }, 1, false, false),
        ("managed, nothing else", managed(), 0, true, true),
        ("not attached here", Controller { allocated: Some(vec![1, 7]), ..managed() }, 1, false, false),
        ("capacity of none", Controller { capacity: (1 << 30, 512), ..managed() }, 0, false, true),
        ("capacity not stated", Controller { capacity: (0, 0), ..managed() }, 0, false, true),
        ("the list refused", Controller { allocated: None, ..managed() }, 0, false, true),
        ("more numbers than namespaces", Controller { most: 4, ..Controller::usual() }, 0, false, true),
        ("not in its own list", Controller { active: vec![2], ..Controller::usual() }, 1, false, false),
        ("no namespaces at all", Controller { active: vec![], most: 0, ..Controller::usual() }, 0, false, true),
    ] {
        let unit = of_controller(&mut controller, 1);
        assert_eq!((unit.kind, unit.name.as_str(), unit.other_units), (Kind::Namespace, "1", others), "{name}");
        assert_eq!((unit.is_whole(FORMAT), unit.is_whole(SANITIZE)), (format, sanitize), "{name}: {unit:?}");
        assert!(format || others > 0 || !unit.unknown.is_empty() || unit.may_hold_deleted(), "{name}");
    }
}

#[test]
fn a_full_list_is_continued_and_a_senseless_one_is_not_believed() {
    let all: Vec<u32> = (1..=1500).collect();
    let unit = of_controller(&mut Controller { active: all, most: 1500, ..Controller::usual() }, 3);
    assert_eq!((unit.other_units, unit.others.len(), unit.unknown.as_str()), (1499, LISTED, ""));
    assert_eq!(unit.others[0], Other { name: "1".into(), bytes: Some(32768) });
    let unit = of_controller(&mut Controller { active: vec![2, 1], ..Controller::usual() }, 1);
    assert!(unit.unknown.contains("not in order") && !unit.is_whole(FORMAT), "{unit:?}");
}

#[test]
fn what_changed_while_the_drive_was_worked_on_is_not_known() {
    let before = of_controller(&mut Controller { active: vec![1, 2], most: 2, ..Controller::usual() }, 1);
    let after = of_controller(&mut Controller::usual(), 1);
    assert_eq!(after.clone().since(&after), after);
    let both = after.since(&before);
    assert_eq!((both.other_units, both.others[0].name.as_str()), (1, "2"));
    assert!(both.unknown.contains("changed") && !both.is_whole(FORMAT));
}

/// A device by its answer to REPORT LUNS; `None` refuses it.
struct Device(Option<Vec<u8>>);

impl CommandPlane for Device {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, _: Duration) -> Result<Reply, CommandError> {
        assert_eq!(cdb[0], 0xa0);
        let (Some(luns), Data::In(buf)) = (&self.0, data) else {
            return Ok(Reply { status: 2, sense: Vec::new(), transferred: 0 });
        };
        buf[3] = u8::try_from(luns.len() * 8).unwrap();
        luns.iter().enumerate().for_each(|(at, lun)| buf[8 + 8 * at + 1] = *lun);
        Ok(Reply { status: 0, sense: Vec::new(), transferred: 8 + 8 * luns.len() })
    }
}

#[test]
fn a_logical_unit_is_the_drive_only_where_it_is_the_only_one() {
    let at = |lun, luns: &[u64]| Address { lun, luns: luns.to_vec(), ..Address::default() };
    for (name, answer, address, attached, others, whole) in [
        ("one", Some(vec![0]), at(Some(0), &[0]), false, 0, true),
        ("one, no address", Some(vec![0]), at(None, &[]), false, 0, true),
        ("two actuators", Some(vec![0, 1]), at(Some(0), &[0]), false, 1, false),
        ("two, which is not known", Some(vec![0, 1]), at(None, &[]), false, 2, false),
        ("the system knows one more", Some(vec![0]), at(Some(0), &[0, 1]), false, 1, false),
        ("refused", None, at(Some(0), &[0]), false, 0, false),
        ("refused by a bridge that counted them", None, at(Some(0), &[0]), true, 0, true),
        ("refused by a card reader", None, at(Some(0), &[0, 1, 2]), true, 2, false),
        ("refused by a bridge nobody counted", None, at(None, &[]), true, 0, false),
    ] {
        let unit = of_device(Some(&mut Device(answer)), &address, attached);
        assert_eq!((unit.other_units, unit.is_whole(None)), (others, whole), "{name}: {unit:?}");
    }
}

#[test]
fn the_areas_of_an_emmc_are_others_and_an_sd_card_has_none() {
    let area = |name: &str| crate::drive::Area { name: name.into(), bytes: Some(4 << 20) };
    let of = |areas| of_card(&Address { area: "user".into(), areas, ..Address::default() });
    assert_eq!(of(Some(vec![area("boot0"), area("rpmb")])).other_units, 2);
    assert!(of(Some(Vec::new())).is_whole(None) && !of(None).is_whole(None));
}
