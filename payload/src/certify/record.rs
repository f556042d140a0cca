//! What a certificate says: the authoritative form is this record as UTF-8 JSON, and the signature covers exactly those
//! bytes. Fields no software can know stay visibly blank (`""`). Times are RFC 3339, UTC, by the machine's clock.
//!
//! The fields are those of NIST SP 800-88 Rev. 2, 4.6 and Appendix C, with the literal passes and the counts that were
//! really read back. A field this version does not know is an error: it would be signed, but shown to nobody.

use crate::{firmware::units::Unit, journal::event::Sizes};
use serde::{Deserialize, Serialize};

/// The `format` of this version.
pub const FORMAT: &str = "mule-certificate/1";

/// One drive's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// Job id and slot, unique for ever: `<32 hexadecimal digits>-<slot>`.
    pub id: String,
    /// `erased`, `erased-with-exceptions`, `discarded` (no erasure), `failed` or `interrupted`.
    pub outcome: String,
    /// One or two plain sentences: what was proved, no more.
    pub statement: String,
    pub media: Media,
    pub sanitisation: Sanitisation,
    pub coverage: Coverage,
    pub verification: Verification,
    pub operator: Operator,
    /// What the organisation fills in: validation is its act, not this program's (NIST SP 800-88 Rev. 2, 4.5.2).
    pub validation: Validation,
    pub tool: Tool,
    pub host: Host,
    pub log: LogReference,
    /// Images of what the drive held before, which were kept: it is not gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_images: Vec<KeptImage>,
    /// What this certificate does not claim.
    pub limits: Vec<String>,
}

/// An image that was made of a drive before it was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptImage {
    /// File name of the image.
    pub image: String,
    /// RFC 3339, by the clock of the machine that kept it.
    pub since: String,
    pub until: String,
    /// SHA-256 of its manifest's bytes.
    pub manifest_sha256: String,
    /// When it was looked at, before this was signed.
    pub looked: String,
    /// What was found not to be as it was signed then: its manifest, the sizes of its files, its index. Blank where nothing.
    pub fault: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Manufacturer where the model tells it, else blank.
    pub manufacturer: String,
    pub model: String,
    pub serial: String,
    pub wwn: String,
    pub firmware: String,
    /// `hard disk`, `solid-state`, or `unknown`.
    pub media_type: String,
    /// `ATA`, `NVMe`, `USB`, `SCSI`, …
    pub interface: String,
    /// Which part of the device was addressed, and what else the device holds; left out where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Capacity in bytes, as addressed.
    pub bytes: u64,
    pub logical_block: u32,
    pub physical_block: u32,
    /// From the job, or blank.
    pub property_number: String,
    /// From the job, or blank.
    pub source: String,
    /// From the job, or blank.
    pub classification: String,
    /// What SMART said before and after, where it could be read.
    pub health_before: Option<serde_json::Value>,
    pub health_after: Option<serde_json::Value>,
    /// How hot it got, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heat: Option<HeatRecord>,
}

/// A drive's temperature while it was worked on, since the machine last started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatRecord {
    /// Degrees Celsius.
    pub highest_celsius: u64,
    /// Above this it was given a rest.
    pub limit_celsius: u64,
    /// How often, and for how long in all.
    pub pauses: u32,
    pub paused_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sanitisation {
    /// `mule methods` name.
    pub method: String,
    /// The field's name of it.
    pub title: String,
    /// Where the pass list is documented.
    pub source: String,
    /// `Purge` where a standard calls the drive's command one for this medium, and its effect was seen; else `Clear`, the
    /// highest an overwrite through the interface can claim; blank where the outcome is not an erasure.
    pub category: String,
    /// `overwrite`, `command`, or `command and overwrite`.
    pub technique: String,
    /// The erasure by the drive's own firmware, before the passes, where the method has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandRecord>,
    /// Every pass, literally, in order.
    pub passes: Vec<PassRecord>,
    pub started: String,
    pub finished: String,
    /// Power cuts and restarts of the machine in between.
    pub interruptions: Vec<Interruption>,
    /// Why the outcome is not `erased`; blank where it is.
    pub reason: String,
}

/// What a drive's firmware was asked for, and what shows that it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRecord {
    /// The command's name in its standard; blank where none was sent.
    pub name: String,
    /// What calls it a purge of this medium; blank where nothing does.
    pub purge: String,
    /// Whether it only destroys keys.
    pub cryptographic: bool,
    /// `password-gone`, `seen-in-progress`, `seen-to-change` or `reported-only`; blank where it did not succeed.
    pub evidence: String,
    /// The same in words.
    pub evidence_words: String,
    pub started: String,
    pub finished: String,
    /// Blocks of known data that were written and read back before it: at least 5 % of the drive, both ends included.
    pub markers: u64,
    /// Those that were still there after it.
    pub markers_left: u64,
    /// Whether the machine stopped after it had ended: what may have been written since was never under it, and no purge is
    /// claimed.
    pub stopped_since: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassRecord {
    /// From 1.
    pub number: u32,
    /// `00`, `92 49 24`, `random`.
    pub writes: String,
    pub bytes_written: u64,
    /// Blank where the pass did not run.
    pub started: String,
    /// Blank where the pass did not reach the end.
    pub finished: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interruption {
    /// The last time the log, or the account beside an unfinished image, knows the job was running.
    pub last_seen: String,
    /// When the job went on; blank where it did not.
    pub resumed: String,
    /// Where it went on, and whether anything was repeated or begun again.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Blocks of `logical_block` bytes that the drive shows.
    pub blocks_addressable: u64,
    /// Blocks that took the last pass; 0 where there was none.
    pub blocks_overwritten: u64,
    /// Blocks that could not be written in some pass.
    pub unwritable: Vec<BlockRange>,
    /// How many blocks those are in all, also where the list was cut short.
    pub unwritable_blocks: u64,
    /// Blocks that hold for good what was written before the machine last stopped, and that were not read since: what happened
    /// to them while it was off is not known.
    pub unread_blocks: u64,
    /// What is known of areas the drive hides (HPA, DCO, remapped sectors).
    pub hidden_areas: String,
    /// The numbers behind it, where the drive was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Hidden>,
}

/// What can be addressed, and what the drive's firmware stated of its sizes, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Whether the job asked to lift what hides sectors.
    pub removal_asked: bool,
    pub before: Sizes,
    pub after: Sizes,
    /// Bytes known to be hidden still, by the drive or by what it is connected through: nothing was written there.
    pub bytes_not_reached: u64,
    /// What could not be found out; blank where nothing.
    pub unknown: String,
    /// Why something stayed hidden that was to be lifted; blank where nothing did.
    pub left: String,
}

/// A run of logical blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRange {
    pub first_lba: u64,
    pub blocks: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// `full`, `sampled` or `none`, as asked.
    pub extent: String,
    /// What was done, in words, with the standard's section where it follows one.
    pub description: String,
    /// Whether what was read came from a device attached to the machine, past all caches of the host, as far as the system
    /// tells; `false` where that is not known.
    pub past_host_caches: bool,
    /// Blocks that an erasure's verification was to read back; 0 where it did not begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_planned: Option<u64>,
    /// Blocks read back and found equal; where nothing was written after the drive's own erasure, read and found without a
    /// marker.
    pub blocks_matched: u64,
    /// Blocks read back and found different.
    pub blocks_different: u64,
    /// Blocks that could not be read back.
    pub blocks_unreadable: u64,
    pub different: Vec<BlockRange>,
    pub unreadable: Vec<BlockRange>,
    /// What kinds of data were read, where nothing was written after the drive's own erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<KindsRecord>,
    pub started: String,
    pub finished: String,
}

/// Blocks by what they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindsRecord {
    /// 00 everywhere.
    pub zeros: u64,
    /// FF everywhere.
    pub ones: u64,
    /// Another pattern of at most 16 bytes, repeated.
    pub repeating: u64,
    /// Anything else.
    pub varied: u64,
    /// The first such pattern, hexadecimal; blank where there is none.
    pub pattern: String,
}

/// From the job file's `[operator]`; blank where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operator {
    pub name: String,
    pub title: String,
    pub organisation: String,
    pub location: String,
    pub contact: String,
}

/// Left blank for a person's hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    pub name: String,
    pub title: String,
    pub date: String,
    pub decision: String,
    pub signature: String,
    pub destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `mule`.
    pub name: String,
    pub version: String,
    /// SHA-256 of the running binary, hexadecimal.
    pub sha256: String,
    pub kernel: String,
}

/// The machine that did the work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    pub board: String,
    pub serial: String,
    pub firmware: String,
    /// The drive's port on it.
    pub port: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogReference {
    /// The signer: the id of the stick (or of the host's key), the principal for `ssh-keygen -Y verify -I`.
    pub stick: String,
    /// The job's id.
    pub job: String,
    /// Number of the last frame of the log when this was written.
    pub sequence: u64,
    /// BLAKE3 of that frame, hexadecimal: a log that lacks it, or a certificate the log lacks, shows.
    pub head: String,
}
