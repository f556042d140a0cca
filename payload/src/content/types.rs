//! Types of partitions that are never what they seem: a file system in one may be a part of something larger.

const DYNAMIC: &str = "it is part of a Windows dynamic disk";
const SPACES: &str = "it is part of a Windows storage space";

/// Why a partition with this type byte of the master boot record is raw.
pub(super) fn mbr(sys: u8) -> Option<&'static str> {
    (sys == 0x42).then_some(DYNAMIC)
}

/// Type GUIDs of the GUID partition table.
const GPT: &[(&str, &str)] = &[
    ("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", DYNAMIC),
    ("af9b60a0-1431-4f62-bc68-3311714a69ad", DYNAMIC),
    ("e75caf8f-f680-4cee-afa3-b001e56efc2d", SPACES),
];

/// Why a partition with this type GUID (in small letters) is raw.
pub(super) fn gpt(guid: &str) -> Option<&'static str> {
    GPT.iter().find(|(known, _)| *known == guid).map(|(_, raw)| *raw)
}
