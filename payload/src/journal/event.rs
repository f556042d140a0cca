//! What the log says. Every act is announced by a frame that is on the medium before the act begins.
//!
//! Adding a variant at the end keeps old logs readable; changing one does not.

use super::bounded::{List, Text};
use crate::plan::Content;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Drives in one job; eleven is the normal case.
pub const MAX_DRIVES: usize = 64;
/// Passes in one method; Gutmann has 35.
pub const MAX_PASSES: usize = 40;
/// Drives in one checkpoint frame; a run with more writes several.
pub const CHECKPOINT_DRIVES: usize = 16;

/// Identifies a job: 16 random bytes drawn when it was authorised.
pub type JobId = [u8; 16];

/// One frame's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct Entry {
    /// Milliseconds since 1970-01-01 UTC by the machine's clock, right or wrong.
    pub at: u64,
    /// What happened.
    pub event: Event,
}

/// A drive as the log knows it: enough to find it again on another port or another day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct DriveRef {
    pub model: Text<64>,
    pub serial: Text<64>,
    pub wwn: Option<Text<64>>,
    /// Capacity in bytes.
    pub bytes: u64,
    /// Logical block in bytes.
    pub logical: u32,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum Action {
    Report,
    Wipe,
    Verify,
    Image,
    Restore,
    Clone,
}

impl Action {
    /// As the log shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Wipe => "wipe",
            Self::Verify => "verify",
            Self::Image => "image",
            Self::Restore => "restore",
            Self::Clone => "clone",
        }
    }
}

/// How much of the last pass is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum Verify {
    /// Every block.
    Full,
    /// NIST SP 800-88 Rev. 1, 4.7: two samples in each of at least 1,000 subsections, at least 10 % in all.
    Sampled,
    /// Nothing.
    None,
}

/// What a pass writes, in a form whose size is known; see [`Content`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum PassContent {
    Byte(u8),
    Triple([u8; 3]),
    Random,
}

impl From<Content> for PassContent {
    fn from(content: Content) -> Self {
        match content {
            Content::Byte(byte) => Self::Byte(byte),
            Content::Triple(bytes) => Self::Triple(bytes),
            Content::Random => Self::Random,
        }
    }
}

impl From<PassContent> for Content {
    fn from(content: PassContent) -> Self {
        match content {
            PassContent::Byte(byte) => Self::Byte(byte),
            PassContent::Triple(bytes) => Self::Triple(bytes),
            PassContent::Random => Self::Random,
        }
    }
}

/// Which sweep over the drive: the number of a writing pass (from 0), the verification after the last, or one of those
/// around a command of the drive's firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum Sweep {
    Pass(u8),
    Verify,
    /// Known blocks are written before the command; the key says which and where.
    MarkersWritten,
    /// They are read back before the command.
    MarkersRead,
    /// They are looked for after it.
    MarkersGone,
}

/// A run of bytes on a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub struct Extent {
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
}

/// What was wrong with an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum DefectKind {
    /// It could not be written in this sweep.
    Unwritable,
    /// It could not be read back.
    Unreadable,
    /// It was read back and held something else.
    Mismatch,
}

/// How far one drive has come: everything before `offset` in this sweep is on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct Progress {
    /// The drive's place in the job's list.
    pub slot: u8,
    pub sweep: Sweep,
    /// Bytes from the start of the drive.
    pub offset: u64,
}

/// The sizes of a drive in bytes: what can be addressed, and what its firmware states; `None` where it has no such limit, or
/// did not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct Sizes {
    /// What can be addressed from here.
    pub visible: u64,
    /// What the drive says that it shows (IDENTIFY DEVICE); a bridge in front of it may show less.
    pub stated: Option<u64>,
    /// Without a Host Protected Area.
    pub native: Option<u64>,
    /// Without a Device Configuration Overlay.
    pub factory: Option<u64>,
    /// Without a lowered Accessible Max Address.
    pub accessible: Option<u64>,
}

impl Sizes {
    /// The largest of them.
    pub fn largest(&self) -> u64 {
        [self.stated, self.native, self.factory, self.accessible].into_iter().flatten().fold(self.visible, u64::max)
    }

    /// Bytes known to be hidden.
    pub fn hidden(&self) -> u64 {
        self.largest() - self.visible
    }
}

/// How a drive's part of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum Outcome {
    /// Every pass reached every block, and the verification the job asked for agreed everywhere.
    Erased,
    /// As above, but for the blocks the certificate lists.
    ErasedWithExceptions,
    /// Not erased.
    Failed,
    /// Stopped before the end.
    Interrupted,
    /// All of it is in a proved image.
    Imaged,
    /// As above, but for what could not be read.
    ImagedWithExceptions,
    /// It holds the image, read back in full.
    Restored,
    /// As above, but for what the image itself lacks.
    RestoredWithExceptions,
    /// It holds what its source held, read back in full.
    Cloned,
    /// As above, but for what could not be read of the source.
    ClonedWithExceptions,
    /// It holds what it should.
    Verified,
    /// It holds something else.
    Differs,
    /// Its blocks were discarded and read afterwards, which is no erasure.
    Discarded,
}

/// Every outcome with its word, and whether it is what was asked for without reservation.
const OUTCOMES: &[(Outcome, &str, bool)] = &[
    (Outcome::Erased, "erased", true),
    (Outcome::ErasedWithExceptions, "erased-with-exceptions", false),
    (Outcome::Failed, "failed", false),
    (Outcome::Interrupted, "interrupted", false),
    (Outcome::Imaged, "imaged", true),
    (Outcome::ImagedWithExceptions, "imaged-with-exceptions", false),
    (Outcome::Restored, "restored", true),
    (Outcome::RestoredWithExceptions, "restored-with-exceptions", false),
    (Outcome::Cloned, "cloned", true),
    (Outcome::ClonedWithExceptions, "cloned-with-exceptions", false),
    (Outcome::Verified, "verified", true),
    (Outcome::Differs, "differs", false),
    (Outcome::Discarded, "discarded", false),
];

impl Outcome {
    /// As certificates and logs spell it.
    pub fn word(self) -> &'static str {
        OUTCOMES.iter().find(|(outcome, ..)| *outcome == self).map_or("?", |(_, word, _)| word)
    }

    /// Whether everything that was asked for was done and proved.
    pub fn is_clean(self) -> bool {
        OUTCOMES.iter().any(|(outcome, _, clean)| *outcome == self && *clean)
    }

    /// Whether an action can end like this. Anything can fail or be interrupted.
    pub fn ends(self, action: Action) -> bool {
        match self {
            Self::Failed | Self::Interrupted => true,
            Self::Erased | Self::ErasedWithExceptions | Self::Discarded => action == Action::Wipe,
            Self::Imaged | Self::ImagedWithExceptions => action == Action::Image,
            Self::Restored | Self::RestoredWithExceptions => action == Action::Restore,
            Self::Cloned | Self::ClonedWithExceptions => action == Action::Clone,
            Self::Verified | Self::Differs => action == Action::Verify,
        }
    }
}

/// Everything that is ever logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub enum Event {
    /// The first frame of a log.
    Created { image: [u8; 16] },
    /// This key signs from here on: made for what the medium says of itself, or made for that earlier and put aside meanwhile.
    /// `replaces` is the key before it, which is put aside.
    KeyMade { public: [u8; 32], replaces: Option<[u8; 32]> },
    /// The machine started.
    Boot { version: Text<32>, kernel: Text<64>, board: Text<96> },
    /// A job was refused, or the run stopped, and why.
    Refused { reason: Text<400> },
    /// A job was authorised. `request` is the BLAKE3 of the job file and command line that asked for it.
    JobStarted {
        job: JobId,
        action: Action,
        method: Text<32>,
        passes: List<PassContent, MAX_PASSES>,
        verify: Verify,
        request: [u8; 32],
        drives: u8,
    },
    /// A drive of the job; one frame each, before anything is written to it.
    DriveStarted { job: JobId, slot: u8, drive: DriveRef },
    /// A sweep begins (again). `key` is the key of a random pass; it lets every block be checked or resumed from its address.
    SweepStarted { job: JobId, slot: u8, sweep: Sweep, key: Option<[u8; 32]> },
    /// How far the drives of a job have come.
    Checkpoint { job: JobId, drives: List<Progress, CHECKPOINT_DRIVES> },
    /// Bad extents met in a sweep.
    Defects { job: JobId, slot: u8, sweep: Sweep, kind: DefectKind, extents: List<Extent, 16> },
    /// A sweep reached the end; `bytes` were written or compared in it.
    SweepFinished { job: JobId, slot: u8, sweep: Sweep, bytes: u64 },
    /// After an interruption the drive's part begins at the first pass again, and why.
    DriveRestarted { job: JobId, slot: u8, reason: Text<200> },
    /// A drive's part is over.
    DriveFinished { job: JobId, slot: u8, outcome: Outcome, reason: Text<200> },
    /// A drive's certificate: the SHA-256 of its exact bytes.
    Certified { job: JobId, slot: u8, sha256: [u8; 32], name: Text<128> },
    /// After a power cut or restart the job goes on.
    JobResumed { job: JobId },
    /// Every drive of the job has an outcome.
    JobFinished { job: JobId },
    /// The machine is about to be switched off or restarted in good order.
    Shutdown,
    /// Something worth knowing that decides nothing.
    Note { text: Text<400> },
    /// What was found out about areas the drive hides, before anything was written to it: its sizes before and after they
    /// were lifted, where that was asked for; what could not be found out, and why anything stayed hidden.
    HiddenAreas {
        job: JobId,
        slot: u8,
        removal: bool,
        before: Sizes,
        after: Sizes,
        unknown: Text<120>,
        left: Text<176>,
    },
    /// A command by which the drive erases itself is about to be sent. `technique` is its name in its standard.
    CommandStarted { job: JobId, slot: u8, technique: Text<64> },
    /// The drive says that it succeeded; `evidence` names what was seen of that.
    CommandEnded { job: JobId, slot: u8, evidence: Text<24> },
    /// What a verification without a pass read, in bytes: zeros, ones, another repeated pattern, anything else; the first
    /// such pattern.
    Inspected { job: JobId, slot: u8, kinds: [u64; 4], example: Option<[u8; 16]> },
    /// The drive of this model and serial number (by IDENTIFY DEVICE) is about to get the published user password: from
    /// here on it may have it.
    PasswordMayBeSet { model: Text<40>, serial: Text<20> },
    /// The drive was asked, and has no password any more.
    PasswordGone { model: Text<40>, serial: Text<20> },
    /// The job went on without a drive that was not there or could not be touched, and stays open for it.
    DriveWaits { job: JobId, slot: u8, reason: Text<200> },
}
