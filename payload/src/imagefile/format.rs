//! The parts of the file, as bytes.

use serde::{Deserialize, Serialize};

/// Bytes of the disk in one frame; the last may be shorter.
pub const FRAME: usize = 1 << 20;
/// Frames in one group.
pub const GROUP: u64 = 1024;
/// Bytes of a slot: room for any compressed MiB (zstd's bound is 1 MiB + 4 KiB) and a skippable header.
pub(super) const SLOT: usize = FRAME + 8192;
/// Largest header, index or seek table this program reads (1 GiB of map lines, a seek table of 100 TB).
pub(super) const SKIPPABLE_MAX: u32 = 1 << 30;

/// What a skippable frame holds, by its magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Header,
    Index,
    Used,
    Padding,
    Bad,
    Ahead,
    SeekTable,
}

const MAGICS: &[(u32, Part)] = &[
    (0x184d_2a50, Part::Header),
    (0x184d_2a51, Part::Index),
    (0x184d_2a52, Part::Used),
    (0x184d_2a53, Part::Padding),
    (0x184d_2a54, Part::Bad),
    (0x184d_2a55, Part::Ahead),
    (0x184d_2a5e, Part::SeekTable),
];
/// A zstd frame (RFC 8878, 3.1.1).
pub(super) const ZSTD: u32 = 0xfd2f_b528;
/// Ends a seek table.
pub(super) const SEEKABLE: u32 = 0x8f92_eab1;

impl Part {
    pub(super) fn of(magic: u32) -> Option<Self> {
        MAGICS.iter().find(|(known, _)| *known == magic).map(|(_, part)| *part)
    }

    /// A skippable frame with this content.
    pub(super) fn wrap(self, content: &[u8]) -> Vec<u8> {
        let magic = MAGICS.iter().find(|(_, part)| *part == self).map_or(0, |(magic, _)| *magic);
        let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
        [&magic.to_le_bytes()[..], &len.to_le_bytes(), content].concat()
    }
}

/// A little-endian number at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// How much of the disk was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All of it.
    Raw,
    /// What the file systems' maps call used.
    UsedBlock,
}

/// What the image is of. Nothing in it depends on the time: the same disk gives the same file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `mule-image/2`; of the first images `mule-image/1`.
    pub format: String,
    pub disk_bytes: u64,
    pub logical_block: u32,
    pub physical_block: u32,
    pub frame_bytes: u32,
    pub model: String,
    pub serial: String,
    pub wwn: String,
    pub mode: Mode,
    /// The root of the image whose frames a differential image leaves out.
    pub base_root: Option<String>,
}

impl Header {
    pub const FORMAT: &str = "mule-image/2";
    /// Images that have a frame and a hash for each MiB, whatever it holds.
    const FIRST: &str = "mule-image/1";

    /// Frames of the disk.
    pub fn frames(&self) -> u64 {
        self.disk_bytes.div_ceil(FRAME as u64)
    }

    /// Bytes of the disk in frame `index`.
    pub fn frame_len(&self, index: u64) -> usize {
        let left = self.disk_bytes.saturating_sub(index * FRAME as u64);
        usize::try_from(left).unwrap_or(FRAME).min(FRAME)
    }

    /// Whether the other header is of the same disk.
    pub fn is_of_disk(&self, other: &Self) -> bool {
        let of = |h: &Self| (h.model.clone(), h.serial.clone(), h.wwn.clone(), h.disk_bytes, h.logical_block);
        of(self) == of(other)
    }

    /// Groups of the disk.
    pub fn groups(&self) -> u64 {
        self.frames().div_ceil(GROUP)
    }

    /// Frames in a group.
    pub fn group_len(&self, group: u64) -> u64 {
        self.frames().saturating_sub(group * GROUP).min(GROUP)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        Part::Header.wrap(&text)
    }

    /// The header in a skippable frame's content, where it is one this program can work with.
    pub(super) fn decode(content: &[u8]) -> Result<Self, String> {
        let header: Self = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        let known = [Self::FORMAT, Self::FIRST].contains(&header.format.as_str());
        if !known || header.frame_bytes as usize != FRAME {
            return Err(format!("format {:?} with frames of {} bytes", header.format, header.frame_bytes));
        }
        let block = u64::from(header.logical_block);
        if !matches!(block, 512..=4096) || !block.is_power_of_two() || !header.disk_bytes.is_multiple_of(block) {
            return Err(format!("{} bytes in blocks of {block}", header.disk_bytes));
        }
        // 1 EiB: far beyond any disk, and no sum of ours overflows.
        if header.disk_bytes == 0 || header.disk_bytes > 1 << 60 {
            return Err(format!("{} bytes", header.disk_bytes));
        }
        Ok(header)
    }
}
