//! Images, restores, clones and verifications against an image: jobs that are valid, and their digests.

use super::*;
use mule_types::jobfile::EXAMPLE;

pub(super) const IMAGE: &str = "[job]\naction = \"image\"\ndrives = [\"S1\"]\nstore = \"KELLER\"\nname = \"büro 1.img.zst\"\n\
                     base = \"büro 0\"\nraw = true\nhash = \"both\"\nlevel = -7\nretries = 0\nverify = \"none\"\n";
pub(super) const RESTORE: &str = "[job]\naction = \"restore\"\ndrives = [\"T1\", \"T2\"]\nimage = \"büro.img.zst\"\n\
                       confirm = \"erase\"\nstore = \" KELLER \"\ntail = \"zero\"\nsmaller = true\nmove-gpt = true\n\
                       keep = \"2d\"\nverify = \"full\"\n";
pub(super) const CLONE: &str = "[job]\naction = \"clone\"\nsource = \" S1 \"\ndrives = [\"T1\", \"T2\"]\nconfirm = \"erase\"\n\
                     hash = \"none\"\nretries = 100\ntail = \"wipe\"\nkeep = \"1h\"\nstore = \"KELLER\"\n";
pub(super) const COMPARE: &str = "[job]\naction = \"verify\"\nimage = \"büro\"\nstore = \"KELLER\"\n";
pub(super) const BLANK: &str = "[job]\naction = \"verify\"\nverify = \"sampled\"\n";
pub(super) const KEPT: &str =
    "[job]\naction = \"wipe\"\nmethod = \"zero\"\ndrives = [\"T1\"]\nconfirm = \"erase\"\nkeep = \"366d\"\n";

fn named(names: &[&str]) -> Selection {
    Selection::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn an_image_is_read() {
    let job = job(IMAGE).unwrap();
    assert_eq!((job.action(), job.drives(), job.verify()), (Action::Image, &named(&["S1"]), VerifyExtent::None));
    let expected = CopyKeys {
        store: "KELLER".into(),
        name: Some("büro 1".into()),
        base: Some("büro 0".into()),
        raw: true,
        hash: Hash::Both,
        level: Level::Zstd(-7),
        retries: 0,
        ..CopyKeys::default()
    };
    assert_eq!(*job.copy(), expected);
    assert!(job.method().is_none());
    assert_eq!(job.then(), Then::PowerOff);
}

#[test]
fn a_restore_and_a_clone_are_read() {
    let restore = job(RESTORE).unwrap();
    assert_eq!((restore.action(), restore.drives()), (Action::Restore, &named(&["T1", "T2"])));
    let expected = CopyKeys {
        store: "KELLER".into(),
        image: Some("büro".into()),
        tail: Tail::Zero,
        smaller: true,
        give_up_behind: false,
        move_gpt: true,
        keep: Some(Duration::from_secs(48 * 3600)),
        ..CopyKeys::default()
    };
    assert_eq!((restore.copy(), restore.verify()), (&expected, VerifyExtent::Full));
    let clone = job(CLONE).unwrap();
    assert_eq!((clone.action(), clone.drives()), (Action::Clone, &named(&["T1", "T2"])));
    let expected = CopyKeys {
        store: "KELLER".into(),
        source: Some("S1".into()),
        hash: Hash::None,
        retries: 100,
        tail: Tail::Wipe,
        keep: Some(Duration::from_secs(3600)),
        ..CopyKeys::default()
    };
    assert_eq!((clone.copy(), clone.verify()), (&expected, VerifyExtent::Full));
}

#[test]
fn both_verifications_and_a_wipe_that_keeps_an_image_are_read() {
    let compare = job(COMPARE).unwrap();
    assert_eq!((compare.action(), compare.drives()), (Action::Verify, &Selection::All));
    assert_eq!((compare.copy().image.as_deref(), compare.copy().store.as_str()), (Some("büro"), "KELLER"));
    assert!(compare.method().is_none(), "there is no pattern to compare with");
    let alone = job(&format!("{COMPARE}drives = \"none\"\n")).unwrap();
    assert_eq!((alone.action(), alone.drives()), (Action::Verify, &named(&[])));
    let refused = job(&format!("{BLANK}drives = \"none\"\n")).unwrap_err().to_string();
    assert!(refused.contains("only with action = \"verify\" and an image"), "{refused}");
    let blank = job(BLANK).unwrap();
    assert_eq!((blank.method().unwrap().name, blank.verify()), ("zero", VerifyExtent::Sampled));
    assert_eq!(*blank.copy(), CopyKeys::default());
    let kept = job(KEPT).unwrap();
    assert_eq!((kept.copy().keep, kept.copy().store.as_str()), (Some(KEEP_MAX), "MULE-STORE"));
}

#[test]
fn what_is_not_said_has_its_default() {
    let image = job("[job]\naction = \"image\"\n").unwrap();
    assert_eq!((image.drives(), image.verify()), (&Selection::All, VerifyExtent::Full));
    let CopyKeys {
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
    } = image.copy().clone();
    assert_eq!([source, store_drive, image, name, base], [const { None }; 5]);
    assert_eq!((store.as_str(), hash, level, retries, tail), ("MULE-STORE", Hash::Auto, Level::Auto, 1, Tail::Leave));
    assert_eq!((raw, smaller, give_up_behind, move_gpt, keep), (false, false, false, false, None));
}

#[test]
fn values_at_the_edge_of_their_range_are_taken() {
    let copy = |from: &str, to: &str| job(&IMAGE.replacen(from, to, 1)).unwrap().copy().clone();
    for (written, level) in [
        ("1", Level::Zstd(1)),
        ("19", Level::Zstd(19)),
        ("-1", Level::Zstd(-1)),
        ("-50", Level::Zstd(-50)),
        ("\"3\"", Level::Zstd(3)),
        ("\"auto\"", Level::Auto),
        ("\"store\"", Level::Store),
    ] {
        assert_eq!(copy("-7", written).level, level);
    }
    assert_eq!(copy("KELLER", &"ü".repeat(32)).store, "ü".repeat(32));
    assert_eq!(copy("retries = 0", "retries = 100").retries, 100);
    assert_eq!(job(&RESTORE.replace("2d", "8784h")).unwrap().copy().keep, Some(KEEP_MAX));
}

#[test]
fn the_command_line_has_every_key() {
    let over = |text: &str, line: &str| parse("m", text.as_bytes(), &overrides(line)).unwrap();
    let image = over(
        IMAGE,
        "mule.store=\"A B\" mule.name=n mule.base=b.img.zst mule.raw=false mule.hash=sha256 mule.level=store \
         mule.retries=7 mule.verify=full",
    );
    let expected = CopyKeys {
        store: "A B".into(),
        name: Some("n".into()),
        base: Some("b".into()),
        hash: Hash::Sha256,
        level: Level::Store,
        retries: 7,
        ..CopyKeys::default()
    };
    assert_eq!((image.copy(), image.verify()), (&expected, VerifyExtent::Full));
    assert_eq!(over(IMAGE, "mule.level=-3").copy().level, Level::Zstd(-3));
    let restore = over(RESTORE, "mule.image=i mule.tail=wipe mule.smaller=false mule.move-gpt=false mule.keep=3h");
    let expected = CopyKeys {
        store: "KELLER".into(),
        image: Some("i".into()),
        tail: Tail::Wipe,
        keep: Some(Duration::from_secs(3 * 3600)),
        ..CopyKeys::default()
    };
    assert_eq!(*restore.copy(), expected);
    assert_eq!(over(CLONE, "mule.source=S7").copy().source.as_deref(), Some("S7"));
    // The whole job, and the dry run of one.
    let whole = over("", "mule.action=restore mule.drives=T1 mule.image=i mule.confirm=erase");
    assert_eq!((whole.action(), whole.drives()), (Action::Restore, &named(&["T1"])));
    for text in [IMAGE, RESTORE, CLONE, COMPARE, BLANK, KEPT] {
        let report = over(text, "mule.action=report");
        assert_eq!((report.action(), report.copy()), (Action::Report, &CopyKeys::default()));
    }
}

/// What an earlier version computed: a wipe that it began must go on under this one.
#[test]
fn jobs_without_these_keys_keep_their_digest() {
    let all = "[job]\naction = \"wipe\"\nmethod = \"zero\"\ndrives = \"all\"\nverify = \"none\"\nconfirm = \"erase\"\n\
               [media]\nsource = \"school\"\n[media.S1]\nproperty-number = \"7\"\n";
    for (text, digest) in [
        (WIPE, "f9f1e6e899748e116ebe54b3fc3df3f3a4c6253ac1087de4a417b942a3a0783d"),
        (all, "3f114a70da6540851012598e984742c7aa4599943a68ad635f9ea436a8ecee83"),
        (EXAMPLE, "43d9073cddc6b2020e83b37f620c85340bf82287d3826b693265bd15e37d320f"),
    ] {
        assert_eq!(blake3::Hash::from_bytes(job(text).unwrap().digest()).to_hex().as_str(), digest);
    }
}

#[test]
fn the_digest_covers_every_one_of_these_keys() {
    let digest = |text: &str, from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        job(&text.replacen(from, to, 1)).unwrap().digest()
    };
    let mut seen = [IMAGE, RESTORE, CLONE, COMPARE, BLANK, KEPT].map(|text| job(text).unwrap().digest()).to_vec();
    for (text, from, to) in [
        (IMAGE, "KELLER", "MULE-STORE"),
        (IMAGE, "büro 1", "büro 2"),
        (IMAGE, "base = \"büro 0\"", ""),
        (IMAGE, "raw = true", ""),
        (IMAGE, "both", "sha256"),
        (IMAGE, "-7", "-6"),
        (IMAGE, "retries = 0", "retries = 2"),
        (IMAGE, "verify = \"none\"", ""),
        (RESTORE, "büro", "buero"),
        (RESTORE, "zero", "leave"),
        (RESTORE, "smaller = true", ""),
        (RESTORE, "smaller = true", "smaller = true\ngive-up-behind = true"),
        (RESTORE, "move-gpt = true", "move-gpt = false"),
        (RESTORE, "keep = \"2d\"", ""),
        (RESTORE, "2d", "47h"),
        (CLONE, " S1 ", "S2"),
        (COMPARE, "KELLER", "X"),
        (KEPT, "keep = \"366d\"", ""),
        (KEPT, "keep = \"366d\"", "keep = \"366d\"\nstore = \"X\""),
    ] {
        let digest = digest(text, from, to);
        assert!(!seen.contains(&digest), "{from} -> {to}");
        seen.push(digest);
    }
    for (text, from, to) in [
        (IMAGE, "büro 1.img.zst", "büro 1"),
        (RESTORE, "2d", "48h"),
        (RESTORE, "\"T1\", \"T2\"", "\"T2\", \"T1\""),
        (RESTORE, "verify = \"full\"", "then = \"stay\"\ncountdown = 1"),
        (COMPARE, "store =", "drives = \"all\"\nverify = \"full\"\nstore ="),
        (KEPT, "keep =", "store = \"MULE-STORE\"\nkeep ="),
    ] {
        assert_eq!(digest(text, from, to), job(text).unwrap().digest(), "{from} -> {to}");
    }
}
