//! The safety net: what is kept before a drive is overwritten, and what brings it back.

use super::{
    super::target::Tail,
    bench::{Copies, SIZE, cells, full, old},
    clean,
};
use crate::{
    certify::{key::StickKey, record::Record},
    console::Silent,
    files,
    imagefile::Manifest,
    job::{
        retain::{self, Kept, RetainError, Retained, Wish},
        run::{Surroundings, execute},
        status::Log,
        tests::rig::clock,
    },
    journal::event::Action,
};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};

pub(super) fn wish(copies: &Copies) -> Wish {
    Wish {
        dir: copies.images_dir().into(),
        keep: Duration::from_secs(48 * 3600),
        before: "wipe (zero)".into(),
        threads: 2,
        limit: None,
        clock,
    }
}

pub(super) fn kept(copies: &Copies, serials: &[&str]) -> Result<Vec<Kept>, String> {
    let targets = copies.targets(serials);
    retain::retain(copies.job(Action::Image), targets.iter(), &wish(copies), &mut Silent)
}

fn only_image(copies: &Copies) -> PathBuf {
    let list = retain::list(copies.images_dir()).unwrap();
    assert_eq!(list.len(), 1);
    list.into_iter().next().unwrap().0
}

#[test]
fn what_is_kept_before_a_wipe_is_named_by_its_certificate_and_comes_back() {
    let mut copies = Copies::new(vec![full("A", SIZE)]);
    let before = cells(copies.disk("A"), SIZE);
    let notes = kept(&copies, &["A"]).unwrap();
    assert_eq!((notes[0].note.serial.as_str(), notes[0].note.bytes), ("A", SIZE));
    copies.bench.method = "zero";
    let (journal, _) = copies.bench.open_log().unwrap();
    let around = Surroundings { retained: notes.clone(), ..copies.bench.around() };
    let tally = execute(copies.bench.plan(), &Arc::new(Log::new(journal, clock)), around, &mut Silent);
    clean(&tally);
    assert!(cells(copies.disk("A"), SIZE).iter().all(|byte| *byte == 0));
    let name = tally.settled[0].certificate.clone().unwrap();
    let text = fs::read_to_string(copies.bench.folder().join(&name)).unwrap();
    assert!(text.contains("NOT gone") && text.contains(&notes[0].note.image), "{text}");
    let image = only_image(&copies);
    let name = image.file_name().unwrap().to_str().unwrap().trim_end_matches(".img.zst").to_owned();
    clean(&copies.restore(&name, &["A"], Tail::Leave));
    assert!(cells(copies.disk("A"), SIZE) == before);
}

#[test]
fn a_drive_that_cannot_be_read_whole_is_not_overwritten() {
    let copies = Copies::new(vec![full("A", SIZE), full("B", SIZE)]);
    copies.disk("B").break_it(|faults| faults.unreadable = [3000].into());
    let error = kept(&copies, &["A", "B"]).unwrap_err();
    assert!(error.contains("SIMULATED DISK B") && error.contains("imaged-with-exceptions"), "{error}");
    assert!(["A", "B"].iter().all(|serial| copies.disk(serial).counts().writes == 0));
}

/// The certificate of an erasure before which an image was kept, and to which something happened in between.
fn erased(meanwhile: impl FnOnce(&Copies, &Kept)) -> Record {
    let mut copies = Copies::new(vec![full("A", SIZE)]);
    let kept = kept(&copies, &["A"]).unwrap().remove(0);
    copies.bench.method = "zero";
    let (journal, _) = copies.bench.open_log().unwrap();
    let log = Arc::new(Log::new(journal, clock));
    let retained = retain::notes(copies.images_dir(), &log).unwrap();
    assert_eq!(retained, std::slice::from_ref(&kept));
    meanwhile(&copies, &kept);
    let around = Surroundings { retained, ..copies.bench.around() };
    let tally = execute(copies.bench.plan(), &log, around, &mut Silent);
    clean(&tally);
    let name = tally.settled[0].certificate.clone().unwrap();
    let record: Record = serde_json::from_slice(&fs::read(copies.bench.folder().join(name)).unwrap()).unwrap();
    assert_eq!(record.kept_images.len(), 1);
    record
}

#[test]
fn a_certificate_says_of_a_kept_image_what_was_found_when_it_was_looked_at() {
    let whole = erased(|_, _| ());
    assert_eq!(whole.kept_images[0].fault, "");
    assert!(whole.limits[0].contains("is NOT gone") && whole.limits[0].contains("were as they were signed"));
    type Harm = fn(&Copies, &Kept);
    let harms: [(Harm, &str); 5] = [
        (|_, kept| fs::remove_file(&kept.image).unwrap(), "is not there with its"),
        (|_, kept| fs::write(&kept.image, b"").unwrap(), "is not there with its"),
        (|_, kept| fs::remove_file(Manifest::path(&kept.image)).unwrap(), "manifest"),
        (
            |_, kept| {
                let mut bytes = fs::read(&kept.image).unwrap();
                // In the index of its only group.
                let at = bytes.windows(8).rposition(|eight| eight == b"MULEIDX2").unwrap();
                bytes[at + 40] ^= 1;
                fs::write(&kept.image, bytes).unwrap();
            },
            "index",
        ),
        (
            |copies, kept| {
                // Another image of the same drive by the same key, of another time.
                copies.disk("A").write_cells(0, b"other");
                clean(&copies.image("A", "other", None));
                for ending in ["", ".manifest.json", ".manifest.json.sig"] {
                    let from = copies.images_dir().join(format!("other.img.zst{ending}"));
                    fs::copy(from, format!("{}{ending}", kept.image.display())).unwrap();
                }
            },
            "is not the one that was signed for",
        ),
    ];
    for (harm, why) in harms {
        let record = erased(harm);
        assert!(record.kept_images[0].fault.contains(why), "{}", record.kept_images[0].fault);
        assert!(record.limits[0].contains("may NOT be gone") && record.limits[0].contains(why), "{}", record.limits[0]);
    }
}

#[test]
fn a_strangers_note_is_not_repeated() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    let kept = kept(&copies, &["A"]).unwrap().remove(0);
    let (path, log) = (Retained::path(&kept.image), copies.job(Action::Image).log);
    let own = fs::read_to_string(&path).unwrap();
    let signature = files::beside(&path, ".sig");
    let armour = fs::read(&signature).unwrap();
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        let stranger = StickKey::from_seed(&[9; 32]);
        let mut errors = Vec::new();
        for armour in [armour.clone(), stranger.sign(text.as_bytes()).unwrap().into_bytes(), Vec::new()] {
            fs::write(&signature, armour).unwrap();
            assert_eq!(retain::notes(copies.images_dir(), &log).unwrap(), [], "{text}");
            errors.push(Retained::read(&kept.image).map(|kept| kept.note));
        }
        errors
    };
    let changed = refused(&own.replace("wipe (zero)", "nothing"));
    assert!(changed[0].is_err() && changed[1].is_ok() && changed[2].is_err());
    // Whoever signs it, a path and what is not printable are refused.
    for text in [
        own.replace("\"kept-", "\"../kept-"),
        own.replace("\"kept-", "\"/etc/kept-"),
        own.replace("wipe (zero)", "\\u001b[2J"),
        own.replace(&kept.note.manifest_sha256, "../../x"),
    ] {
        assert!(text != own && refused(&text).iter().all(Result::is_err), "{text}");
        assert!(retain::remove(&kept.image).is_err() && kept.image.exists());
    }
    fs::write(&path, &own).unwrap();
    fs::write(&signature, &armour).unwrap();
    assert_eq!(retain::notes(copies.images_dir(), &log).unwrap(), [kept]);
}

#[test]
fn its_time_runs_out_but_only_a_commit_removes_it() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    clean(&copies.image("B", "mine", None));
    let note = kept(&copies, &["A"]).unwrap().remove(0).note;
    let day = 24 * 3600 * 1000;
    let since = clock();
    assert!(!note.has_expired(since) && note.has_expired(since + 2 * day + 3_600_000));
    assert!(!note.has_expired(since + day));
    let image = only_image(&copies);
    let mine = copies.image_path("mine");
    assert!(matches!(retain::remove(&mine), Err(RetainError::NotKept(_))));
    assert!(mine.exists());
    retain::remove(&image).unwrap();
    let left: Vec<_> = fs::read_dir(copies.images_dir()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name.to_str().unwrap().starts_with("mine")), "{left:?}");
    for text in ["", "{}", "[1]", "{\"format\":\"mule-kept/1\"}"] {
        fs::write(Retained::path(&mine), text).unwrap();
        assert!(matches!(Retained::read(&mine), Err(RetainError::Form(..))), "{text}");
        assert!(retain::remove(&mine).is_err() && mine.exists());
    }
}
