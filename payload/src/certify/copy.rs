//! What the certificate of an image, a restore, a clone or a verification says. As in [`super::record`] the authoritative
//! form is this record as UTF-8 JSON, and a field or a word this version does not know is an error.
//!
//! All counts of bytes are of a disk's contents, each byte counted once whatever was repeated or resumed, and are whole
//! blocks of [`Media::logical_block`]. Addresses are logical blocks of the disk that the field names.
//!
//! Job code makes a [`CopyRecord::draft`], fills in what it counted, and calls [`CopyRecord::conclude`]; outcome, statement
//! and limits follow from the numbers.

mod conclude;
mod words;

pub use conclude::End;
#[cfg(test)]
pub(super) use words::CLOCK;
pub(super) use words::put_into_words;
pub use words::statement;

use super::record::{BlockRange, Host, Interruption, LogReference, Media, Operator, Tool, Validation, Verification};
use serde::{Deserialize, Serialize};

/// The `format` of this version. The sentences of [`statement`] belong to it: other words are another format.
pub const FORMAT: &str = "mule-copy-certificate/1";

/// The longest list of ranges or names; the count beside a list is of all.
pub const LISTED: usize = 200;

/// The certificate of one drive that was imaged, restored, cloned or verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRecord {
    /// [`FORMAT`].
    pub format: String,
    /// Job id and slot, unique for ever: `<32 hexadecimal digits>-<slot>`.
    pub id: String,
    pub action: Action,
    pub outcome: Outcome,
    /// What was proved, no more: exactly [`statement`] of this record.
    pub statement: String,
    /// The drive this is about: the source of an image, the target of a restore or a clone, the drive that was verified.
    pub media: Media,
    /// Where the contents come from: the source of a clone, the disk an image was once made of. None where an image is
    /// made: that drive is `media`.
    pub source: Option<Origin>,
    /// None for a clone.
    pub image: Option<Image>,
    pub copy: Copying,
    pub exceptions: Exceptions,
    /// Restore, clone: the blocks written, read back. Verify: the drive's blocks against the image. Image: the image's
    /// contents read back from where they were stored. Extent `full` or `none`.
    pub verification: Verification,
    pub operator: Operator,
    /// What the organisation fills in.
    pub validation: Validation,
    pub tool: Tool,
    pub host: Host,
    pub log: LogReference,
    /// What this certificate does not claim.
    pub limits: Vec<String>,
}

/// What the job was to do with the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Image,
    Restore,
    Clone,
    Verify,
}

impl Action {
    /// Whether the drive of the certificate is written.
    pub fn writes(self) -> bool {
        matches!(self, Self::Restore | Self::Clone)
    }

    /// As the certificate spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Restore => "restore",
            Self::Clone => "clone",
            Self::Verify => "verify",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Imaged,
    ImagedWithExceptions,
    Restored,
    RestoredWithExceptions,
    Cloned,
    ClonedWithExceptions,
    Verified,
    /// The drive does not hold what the image says.
    Differs,
    Failed,
    Interrupted,
}

impl Outcome {
    /// As the certificate spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Imaged => "imaged",
            Self::ImagedWithExceptions => "imaged-with-exceptions",
            Self::Restored => "restored",
            Self::RestoredWithExceptions => "restored-with-exceptions",
            Self::Cloned => "cloned",
            Self::ClonedWithExceptions => "cloned-with-exceptions",
            Self::Verified => "verified",
            Self::Differs => "differs",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The disk the contents come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    pub model: String,
    pub serial: String,
    pub wwn: String,
    pub bytes: u64,
    pub logical_block: u32,
}

/// The image that was made, restored or compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// File name, `NAME.img.zst`.
    pub name: String,
    /// SHA-256 of the manifest's exact bytes, hexadecimal: this is what names an image. Blank where there is no manifest yet.
    pub manifest_sha256: String,
    /// The root over the frames' BLAKE3, as in the manifest.
    pub blake3: String,
    /// The disk's size.
    pub disk_bytes: u64,
    /// The size of the image's file or files.
    pub file_bytes: u64,
    /// Bytes of the disk whose frames were decoded in this job and had the manifest's BLAKE3.
    pub bytes_checked: u64,
    /// The earlier image that holds what did not change.
    pub base: Option<Base>,
    pub signature: Signature,
    /// The stick (or host key) that signed the manifest, `mule-…`; blank where that was not checked.
    pub signer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub name: String,
    pub manifest_sha256: String,
}

/// Whether the manifest's signature holds, and why its key is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// By the key that signs this certificate too.
    OwnKey,
    /// By a key on a list that the operator named.
    Trusted,
    /// It holds, but nothing vouches for the key except what lies beside the image.
    SelfAsserted,
    NotChecked,
}

/// How much of a disk or a partition was to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Every block.
    Raw,
    /// What the file system's map calls used.
    UsedBlock,
}

/// A partition of the disk that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    pub number: u32,
    pub first_lba: u64,
    pub blocks: u64,
    /// `NTFS`, `BitLocker`, `unknown`, …
    pub content: String,
    pub mode: Mode,
    /// Why it was copied in this way.
    pub reason: String,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copying {
    /// `used-block` where any partition is.
    pub mode: Mode,
    pub partitions: Vec<Partition>,
    /// Size of the disk that was to be copied or compared with.
    pub bytes: u64,
    /// Contents read from the source drive or the image.
    pub bytes_read: u64,
    /// Not read, as the file systems' maps call them free.
    pub bytes_free: u64,
    /// Contents written to the drive.
    pub bytes_written: u64,
    /// Zeros written to the drive in the place of free or unreadable parts of the disk.
    pub bytes_zeroed: u64,
    pub cut: Cut,
    pub tail: Tail,
    pub gpt: Gpt,
    /// Whether the first MiB was kept back until everything else was written and read back.
    pub first_mib_last: bool,
    /// SHA-512 of the disk as it was copied, with zeros for what was not read; blank where it was not computed.
    pub sha512: String,
    /// As `sha512`.
    pub sha256: String,
    pub started: String,
    pub finished: String,
    /// Power cuts and restarts of the machine in between.
    pub interruptions: Vec<Interruption>,
    /// Why the outcome has a reservation; blank where it has none.
    pub reason: String,
}

/// The end of the disk for which a smaller drive has no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How much smaller the drive is.
    pub bytes: u64,
    /// Of these, what the disk holds that is not free by a map.
    pub bytes_read: u64,
    /// Of these, what is neither zeros nor the GPT's backup: contents that were lost.
    pub bytes_used: u64,
}

/// The end of a drive that is bigger than the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    pub handling: TailHandling,
    /// How much bigger the drive is.
    pub bytes: u64,
    /// Of these, zeroed or wiped; a GPT's backup is counted in [`Gpt`].
    pub bytes_written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TailHandling {
    /// There is no tail.
    None,
    /// It holds what it held.
    Left,
    Zeroed,
    Wiped,
}

/// What became of the backup of a GUID partition table at the end of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpt {
    pub backup: GptBackup,
    /// Bytes of the moved backup, at the drive's end.
    pub bytes_written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GptBackup {
    /// Nothing is known of one, or there is none.
    None,
    /// Where it was.
    Left,
    Moved,
}

/// What went wrong with single blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Blocks of the disk that could not be read when it was copied: zeros in the copy. Of a restore and a verification,
    /// those of the image.
    pub unreadable: Vec<BlockRange>,
    pub unreadable_blocks: u64,
    /// Files that hold such blocks, `partition 2: /path/name`.
    pub files: Vec<String>,
    pub files_hit: u64,
    /// Where names were looked for and where not; blank where every block was read.
    pub files_note: String,
    /// Blocks of the drive that could not be written.
    pub unwritable: Vec<BlockRange>,
    pub unwritable_blocks: u64,
}

#[cfg(test)]
mod tests;
