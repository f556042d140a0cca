//! What a job says of images, restores and clones.

use super::{
    key::Key,
    values::{Hash, Level, Tail, Word},
};
use std::time::Duration;

/// Label of the file system that images are kept on, where the job names none.
pub const STORE_DEFAULT: &str = "MULE-STORE";
/// How often bad sectors are tried again at the end, where the job does not say.
pub const RETRIES_DEFAULT: u8 = 1;

/// The keys of the actions that copy whole drives, and of `keep`. A key that does not belong to the job's action has its
/// default here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyKeys {
    /// Serial number or WWN of the drive that is cloned. Always there for a clone, and no entry of the job's drives; but a
    /// serial number here and a WWN there may still be one and the same drive.
    pub source: Option<String>,
    /// Label of the file system with the images.
    pub store: String,
    /// Serial number or WWN of the drive with the store; `None`: any drive with that label.
    pub store_drive: Option<String>,
    /// The image in the store, without [`super::IMAGE_SUFFIX`]. Always there for a restore; a verification with it
    /// compares drives with the image.
    pub image: Option<String>,
    /// What the new image is to be called, without the suffix. Only where the job names exactly one drive.
    pub name: Option<String>,
    /// The earlier image that the new one stores the differences to, without the suffix. Only where the job names exactly one
    /// drive.
    pub base: Option<String>,
    /// Store every block, whatever a file system says of it.
    pub raw: bool,
    /// Which plain hash of the raw device goes into the manifest.
    pub hash: Hash,
    pub level: Level,
    /// How often bad sectors are tried again at the end, 0 to 100.
    pub retries: u8,
    /// What becomes of a larger target behind the content.
    pub tail: Tail,
    /// Whether a target smaller than the source will do if the used part fits.
    pub smaller: bool,
    /// Whether what lies behind a smaller target's end and in no partition is given up.
    pub give_up_behind: bool,
    /// Whether GPT's backup header moves to the target's end.
    pub move_gpt: bool,
    /// How long an image of what is about to be destroyed is kept; `None`: none is made.
    pub keep: Option<Duration>,
}

impl Default for CopyKeys {
    fn default() -> Self {
        Self {
            source: None,
            store: STORE_DEFAULT.to_owned(),
            store_drive: None,
            image: None,
            name: None,
            base: None,
            raw: false,
            hash: Hash::Auto,
            level: Level::Auto,
            retries: RETRIES_DEFAULT,
            tail: Tail::Leave,
            smaller: false,
            give_up_behind: false,
            move_gpt: false,
            keep: None,
        }
    }
}

impl CopyKeys {
    /// The values that are not the defaults, as text for [`super::Job::digest`]. The defaults are left out so that a job
    /// which has none of these keys keeps its digest.
    pub(super) fn said(&self) -> impl Iterator<Item = (&'static str, String)> {
        let pairs = self.texts().into_iter().zip(Self::default().texts());
        pairs.filter(|(own, default)| own != default).map(|((key, text), _)| (key.word(), text))
    }

    /// Every value as text; what is not there is the empty text, which no value can be.
    fn texts(&self) -> [(Key, String); 15] {
        let Self {
            source,
            store,
            store_drive,
            image,
            name,
            base,
            raw,
            hash,
            level,
            retries,
            tail,
            smaller,
            give_up_behind,
            move_gpt,
            keep,
        } = self;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            (Key::Source, text(source)),
            (Key::Store, store.clone()),
            (Key::StoreDrive, text(store_drive)),
            (Key::Image, text(image)),
            (Key::Name, text(name)),
            (Key::Base, text(base)),
            (Key::Raw, raw.to_string()),
            (Key::Hash, hash.to_string()),
            (Key::Level, level.to_string()),
            (Key::Retries, retries.to_string()),
            (Key::Tail, tail.to_string()),
            (Key::Smaller, smaller.to_string()),
            (Key::GiveUpBehind, give_up_behind.to_string()),
            (Key::MoveGpt, move_gpt.to_string()),
            (Key::Keep, keep.map(|keep| keep.as_secs().to_string()).unwrap_or_default()),
        ]
    }
}
