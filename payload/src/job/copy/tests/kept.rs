//! The safety net: what is kept before a drive is overwritten, and what brings it back.

use super::{
    super::target::Tail,
    bench::{Copies, SIZE, cells, full, old},
    clean,
};
use crate::{
    console::Silent,
    imagefile::names_of,
    job::{
        retain::{self, RetainError, Retained, Wish},
        run::{Surroundings, execute},
        status::Log,
        tests::rig::clock,
    },
};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};

fn wish(copies: &Copies) -> Wish {
    Wish {
        dir: copies.images_dir().into(),
        keep: Duration::from_secs(48 * 3600),
        before: "wipe (zero)".into(),
        threads: 2,
        limit: None,
        clock,
    }
}

fn kept(copies: &Copies, serials: &[&str]) -> Result<Vec<Retained>, String> {
    let targets = copies.targets(serials);
    retain::retain(copies.job(), targets.iter(), &wish(copies), &mut Silent)
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
    assert_eq!((notes[0].serial.as_str(), notes[0].bytes), ("A", SIZE));
    copies.bench.method = "zero";
    let (journal, _) = copies.bench.open_log().unwrap();
    let around = Surroundings { retained: notes.clone(), ..copies.bench.around() };
    let tally = execute(copies.bench.plan(), &Arc::new(Log::new(journal, clock)), around, &mut Silent);
    clean(&tally);
    assert!(cells(copies.disk("A"), SIZE).iter().all(|byte| *byte == 0));
    let name = tally.settled[0].certificate.clone().unwrap();
    let text = fs::read_to_string(copies.bench.folder().join(&name)).unwrap();
    assert!(text.contains("NOT gone") && text.contains(&notes[0].image), "{text}");
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

#[test]
fn an_image_cut_short_is_gone_on_with() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    copies.disk("A").break_it(|faults| {
        faults.from_now().power_cut_after = Some((4, crate::drive::sim::PowerCut::KeepUnflushed));
    });
    assert!(kept(&copies, &["A"]).is_err());
    assert_eq!(retain::list(copies.images_dir()).unwrap().len(), 0);
    assert!(kept(&copies, &["A"]).is_ok());
    let parts = fs::read_dir(copies.images_dir()).unwrap().flatten();
    assert_eq!(parts.filter(|entry| entry.path().to_str().unwrap().contains(".img.zst.part")).count(), 0);
    assert_eq!(names_of(&only_image(&copies)).len(), 1);
}

#[test]
fn its_time_runs_out_but_only_a_commit_removes_it() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    clean(&copies.image("B", "mine", None));
    let note = kept(&copies, &["A"]).unwrap().remove(0);
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
