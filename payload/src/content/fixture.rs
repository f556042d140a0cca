//! File systems made and checked by the distribution's tools; those tools share no code with ours.

use super::{Survey, Treatment, survey};
use crate::blocks::ReadAt;
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

pub(super) const MIB: u64 = 1 << 20;

/// An image in a folder of its own.
pub(super) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// A file of `size` zeros.
    pub(super) fn new(size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Self { folder };
        fs::File::create(disk.path()).unwrap().set_len(size).unwrap();
        disk
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        let disk = Self::new(0);
        fs::write(disk.path(), bytes).unwrap();
        disk
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// A path beside the image.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    /// Runs a line of words, `@` being the image and `%` the folder; gives its output, or its failure.
    pub(super) fn run(&self, line: &str, input: Option<&Path>) -> Result<Vec<u8>, String> {
        let (image, folder) = (self.path(), self.folder.path());
        let place = |word: &str| word.replace('@', image.to_str().unwrap()).replace('%', folder.to_str().unwrap());
        let mut words = line.split_whitespace().map(place);
        let mut command = Command::new(words.next().unwrap());
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let input = input.map_or_else(Stdio::null, |input| fs::File::open(input).unwrap().into());
        let out = command
            .args(words)
            .stdin(input)
            .env("PATH", path)
            .env("LC_ALL", "C")
            .env("MTOOLS_SKIP_CHECK", "1")
            .output();
        let out = out.unwrap_or_else(|error| panic!("{line}: {error}; is its package installed?"));
        let text = [&out.stdout[..], &out.stderr[..]].concat();
        if out.status.success() { Ok(out.stdout) } else { Err(format!("{line}: {}", String::from_utf8_lossy(&text))) }
    }

    pub(super) fn must(&self, line: &str) -> Vec<u8> {
        self.run(line, None).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// With a file as its input.
    pub(super) fn must_with(&self, line: &str, input: &Path) -> Vec<u8> {
        self.run(line, Some(input)).unwrap_or_else(|failure| panic!("{failure}"))
    }

    pub(super) fn text(&self, line: &str) -> String {
        String::from_utf8(self.must(line)).unwrap()
    }
}

/// Numbers that are the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end.max(1)
    }

    pub(super) fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

/// Files of many sizes: name and content.
pub(super) fn files(count: u64) -> Vec<(String, Vec<u8>)> {
    let mut dice = Dice::new(7 + count);
    let one = |number| {
        let len = match number % 4 {
            0 => dice.below(700),
            1 => dice.below(5_000),
            2 => dice.below(40_000),
            _ => dice.below(300_000),
        };
        (format!("file{number:03}.bin"), dice.bytes(len))
    };
    (0..count).map(one).collect()
}

/// Writes the files into a folder.
pub(super) fn write_files(folder: &Path, files: &[(String, Vec<u8>)]) {
    fs::create_dir_all(folder).unwrap();
    for (name, content) in files {
        fs::write(folder.join(name), content).unwrap();
    }
}

/// The image with 0xA5 in every byte that is called free, and how many those are.
pub(super) fn scrubbed(bytes: &[u8], survey: &Survey) -> (Vec<u8>, u64) {
    let image = bytes.to_vec();
    let mut allocation = survey.allocation(&image);
    let mut result = bytes.to_vec();
    let mut free = 0;
    for start in (0..bytes.len() as u64).step_by(1 << 20) {
        let len = MIB.min(bytes.len() as u64 - start);
        let mut at = start;
        let used = allocation.used(start, len);
        for range in used.iter().chain(std::iter::once(&(start + len..start + len))) {
            assert!(range.start >= at && range.end <= start + len, "{used:?} is not sorted within its window");
            let gap = usize::try_from(at).unwrap()..usize::try_from(range.start).unwrap();
            free += gap.len() as u64;
            result[gap].fill(0xa5);
            at = range.end;
        }
    }
    assert!(!allocation.any_raw_fallback(), "{:?}", allocation.fallbacks());
    (result, free)
}

/// Surveys an image whose first volume must be proved, and overwrites what it calls free.
pub(super) fn proved(bytes: &[u8]) -> (Survey, Disk) {
    let image = bytes.to_vec();
    let survey = survey(&image, 512);
    let told: u64 = survey.volumes.iter().map(free).sum();
    let (image, free) = scrubbed(bytes, &survey);
    assert_eq!(free, told, "what the survey says and what the windows give");
    (survey, Disk::of(&image))
}

/// Bytes the survey calls free; the volume must be proved.
pub(super) fn free(volume: &super::Volume) -> u64 {
    match &volume.treatment {
        Treatment::Used { used, free } => {
            assert_eq!(used + free, volume.len);
            *free
        }
        Treatment::Raw { reason } => panic!("raw: {reason}"),
    }
}

/// Why the first volume is raw; everything must then be in use.
pub(super) fn raw(bytes: &[u8]) -> String {
    let image = bytes.to_vec();
    let survey = survey(&image, 512);
    let reason = match &survey.volumes[0].treatment {
        Treatment::Raw { reason } => reason.clone(),
        Treatment::Used { .. } => panic!("it is proved"),
    };
    let all: Range<u64> = 0..bytes.len() as u64;
    assert_eq!(survey.allocation(&image).used(0, all.end), [all]);
    reason
}

/// The number before `after` in a text.
pub(super) fn number(text: &str, before: &str) -> u64 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {before:?} in {text}"))
}

/// Which of a disk's sectors are called free as a whole.
fn free_sectors(disk: &dyn ReadAt, survey: &Survey) -> Vec<bool> {
    let mut free = vec![true; usize::try_from(disk.size() / SECTOR).unwrap()];
    let mut allocation = survey.allocation(disk);
    for start in (0..disk.size()).step_by(4 << 20) {
        for range in allocation.used(start, (4 * MIB).min(disk.size() - start)) {
            let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
            let sectors =
                usize::try_from(sectors.start).unwrap()..usize::try_from(sectors.end).unwrap().min(free.len());
            free.get_mut(sectors).into_iter().for_each(|used| used.fill(false));
        }
    }
    free
}

const SECTOR: u64 = 512;

/// Surveys `count` damaged copies of a volume that is proved: bits flipped in `hot` places, bytes replaced, ends cut off.
/// None may panic, and none may call free what the whole volume does not.
pub(super) fn torture(bytes: &[u8], hot: &[Range<u64>], count: u64) {
    let mut dice = Dice::new(0x5eed + count);
    let mut image = bytes.to_vec();
    let truth = free_sectors(&image, &survey(&image, 512));
    for _ in 0..count {
        let mut undo = Vec::new();
        for _ in 0..=dice.below(4) {
            let range = &hot[usize::try_from(dice.below(hot.len() as u64)).unwrap()];
            let at = usize::try_from(range.start + dice.below(range.end - range.start)).unwrap();
            undo.push((at, image[at]));
            image[at] = match dice.below(3) {
                0 => image[at] ^ 1 << dice.below(8),
                1 => u8::MAX,
                _ => u8::try_from(dice.below(256)).unwrap(),
            };
        }
        let cut = if dice.below(8) == 0 { dice.below(bytes.len() as u64) } else { bytes.len() as u64 };
        let cut_image = crate::blocks::Part::new(&image, 0, cut);
        let survey = survey(&cut_image, 512);
        if survey.is_used_block() {
            let free = free_sectors(&cut_image, &survey);
            let wrong = free.iter().zip(&truth).position(|(free, truth)| *free && !truth);
            assert!(wrong.is_none(), "sector {wrong:?} is called free after {undo:?} were changed");
        }
        for (at, byte) in undo.into_iter().rev() {
            image[at] = byte;
        }
    }
}
