//! Standard INQUIRY data and pages of vital product data (SPC-4, 7.8; SAT-3, 12.4.2).

use super::text::clean;
use crate::ata::identify::{Rotation, form_factor};
use std::fmt::Write;

/// Bytes of standard INQUIRY data that are asked for.
pub const INQUIRY_LEN: usize = 36;
/// Length of the ATA Information page: head, signatures, then IDENTIFY data.
pub const ATA_INFORMATION_LEN: usize = 572;
/// Where IDENTIFY data begin in it.
const IDENTIFY_AT: usize = 60;

/// What standard INQUIRY data say (SPC-4, 6.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Peripheral device type: 0 is a disk, 5 an optical drive.
    pub kind: u8,
    /// Whether the medium can be removed.
    pub removable: bool,
    /// T10 vendor identification; `ATA` from a translation layer.
    pub vendor: String,
    /// Product identification.
    pub product: String,
    /// Product revision level.
    pub revision: String,
}

impl Inquiry {
    /// Parses standard data; `None` where they are too short or no device is connected.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; INQUIRY_LEN] = bytes.first_chunk()?;
        (bytes[0] >> 5 == 0).then(|| Self {
            kind: bytes[0] & 0x1f,
            removable: bytes[1] & 0x80 != 0,
            vendor: clean(&bytes[8..16]),
            product: clean(&bytes[16..32]),
            revision: clean(&bytes[32..36]),
        })
    }
}

/// The content of page `page` as far as it was transferred; `None` where this is another page.
fn page(bytes: &[u8], page: u8) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
    (head[1] == page).then(|| &rest[..rest.len().min(len)])
}

/// Unit Serial Number page (80h); `None` where it is empty.
pub fn serial_number(bytes: &[u8]) -> Option<String> {
    Some(clean(page(bytes, 0x80)?)).filter(|serial| !serial.is_empty())
}

/// The logical unit's NAA or EUI-64 name from the Device Identification page (83h), in the kernel's notation
/// (`naa.5000…`, `eui.0025…`). NAA goes first, as the kernel prefers it.
pub fn world_wide_name(bytes: &[u8]) -> Option<String> {
    let names = world_wide_names(bytes);
    names.iter().find(|name| name.starts_with("naa.")).or_else(|| names.first()).cloned()
}

/// All such names on the page; a page that is cut has none behind the cut.
pub fn world_wide_names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = page(bytes, 0x83).unwrap_or_default();
    while let [_, kind, _, len, body @ ..] = rest {
        let Some(name) = body.get(..usize::from(*len)) else { break };
        let (association, designator) = (kind >> 4 & 3, kind & 0xf);
        let prefix = match designator {
            3 => Some("naa."),
            2 => Some("eui."),
            _ => None,
        };
        if let (Some(prefix), 0, false) = (prefix, association, name.is_empty()) {
            names.push(hex(prefix, name));
        }
        rest = &body[name.len()..];
    }
    names
}

/// The IDENTIFY DEVICE data in the ATA Information page (89h).
pub fn identify_data(bytes: &[u8]) -> Option<&[u8; 512]> {
    // COMMAND CODE (byte 56) says which command the data came from: ECh is a disk's, A1h an ATAPI device's.
    page(bytes, 0x89)?;
    (*bytes.get(56)? == 0xec).then_some(())?;
    bytes.get(IDENTIFY_AT..)?.first_chunk()
}

/// Rotation rate and form factor from the Block Device Characteristics page (B1h; SBC-3, 6.6).
pub fn characteristics(bytes: &[u8]) -> (Option<Rotation>, Option<&'static str>) {
    match page(bytes, 0xb1) {
        Some([high, low, _, form, ..]) => (Rotation::of(u16::from_be_bytes([*high, *low])), form_factor(*form)),
        _ => (None, None),
    }
}

/// `prefix` and the bytes in hexadecimal.
pub(crate) fn hex(prefix: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(prefix.to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inquiry_data_are_read() {
        let mut bytes = [0; 36];
        bytes[1] = 0x80;
        bytes[8..36].copy_from_slice(b"ATA     WDC WD5000AAKS-01E12");
        let inquiry = Inquiry::parse(&bytes).unwrap();
        assert_eq!((inquiry.vendor.as_str(), inquiry.product.as_str()), ("ATA", "WDC WD5000AAKS-0"));
        assert!(inquiry.removable && inquiry.kind == 0 && inquiry.revision == "1E12");
        bytes[0] = 0x7f;
        assert_eq!(Inquiry::parse(&bytes), None);
        assert_eq!(Inquiry::parse(&bytes[..35]), None);
    }

    #[test]
    fn a_serial_number_is_trimmed_and_only_taken_from_its_page() {
        assert_eq!(serial_number(&[0, 0x80, 0, 6, b' ', b'A', b'1', b' ', b' ', 0, b'X']).as_deref(), Some("A1"));
        assert_eq!(serial_number(&[0, 0x83, 0, 1, b'A']), None);
        assert_eq!(serial_number(&[0, 0x80, 0, 2, b' ', b' ']), None);
        assert_eq!(serial_number(&[0, 0x80, 0xff, 0xff, b'A']).as_deref(), Some("A"));
        assert_eq!(serial_number(&[0]), None);
    }

    #[test]
    fn the_units_naa_name_is_preferred() {
        let eui = [0x01, 0x02, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        let naa = [0x01, 0x03, 0, 8, 0x50, 0x01, 0x4e, 0xe0, 0, 0, 0, 0x2a];
        let port = [0x61, 0x93, 0, 8, 0x50, 9, 9, 9, 9, 9, 9, 9];
        let make = |parts: &[&[u8]]| {
            let body = parts.concat();
            [&[0, 0x83, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat()
        };
        assert_eq!(world_wide_name(&make(&[&port, &eui, &naa])).as_deref(), Some("naa.50014ee00000002a"));
        assert_eq!(world_wide_name(&make(&[&eui, &port])).as_deref(), Some("eui.0102030405060708"));
        assert_eq!(world_wide_name(&make(&[&port])), None);
        let whole = make(&[&port, &eui, &naa]);
        for len in 0..whole.len() {
            let _ = world_wide_name(&whole[..len]);
        }
    }

    #[test]
    fn a_disk_says_how_it_turns_and_how_large_it_is() {
        let page = |rate: [u8; 2], form| [0, 0xb1, 0, 0x3c, rate[0], rate[1], 0, form];
        assert_eq!(characteristics(&page([0x1c, 0x20], 2)), (Some(Rotation::Rpm(7200)), Some("3.5 inch")));
        assert_eq!(characteristics(&page([0, 1], 3)), (Some(Rotation::None), Some("2.5 inch")));
        assert_eq!(characteristics(&page([0, 0], 0)), (None, None));
        assert_eq!(characteristics(&page([0x1c, 0x20], 2)[..7]), (None, None));
    }

    #[test]
    fn identify_data_lie_in_the_ata_information_page() {
        let mut bytes = vec![0; ATA_INFORMATION_LEN];
        bytes[1] = 0x89;
        bytes[2..4].copy_from_slice(&568_u16.to_be_bytes());
        assert_eq!(identify_data(&bytes), None);
        bytes[56] = 0xec;
        bytes[60] = 0x5a;
        assert_eq!(identify_data(&bytes).unwrap()[0], 0x5a);
        assert_eq!(identify_data(&bytes[..571]), None);
    }
}
