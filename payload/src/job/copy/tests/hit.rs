//! Files on bad sectors.

use super::*;

/// A drive with FAT on it and a letter with a bad sector: the name is on the certificate of the image and of what is
/// restored from it, and the manifest's signature covers it.
#[test]
fn the_file_on_a_bad_sector_is_named_by_every_certificate() {
    let at = tempfile::tempdir().unwrap();
    let tool = |name: &str, arguments: &[&str]| {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let done = Command::new(name).args(arguments).current_dir(at.path()).env("PATH", path).output().unwrap();
        assert!(done.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let letter = b"Dear Ann, ".repeat(300);
    fs::write(at.path().join("letter"), &letter).unwrap();
    tool("mkfs.fat", &["-C", "volume", &(SIZE / 1024).to_string()]);
    tool("mmd", &["-i", "volume", "::letters"]);
    tool("mcopy", &["-i", "volume", "letter", "::letters/to Ann.txt"]);
    let volume = fs::read(at.path().join("volume")).unwrap();
    let sector = volume.chunks(512).position(|sector| sector == &letter[..512]).unwrap() as u64 + 2;

    let copies = Copies::new(vec![old("A", SIZE), old("B", SIZE), old("C", SIZE)]);
    copies.disk("A").write_cells(0, &volume);
    copies.disk("A").break_it(|faults| faults.unreadable.extend([sector]));
    not_clean(&copies.image("A", "a", None));
    not_clean(&copies.restore("a", &["B"], Tail::Leave));
    for serial in ["A", "B"] {
        let exceptions = copies.certificate(serial).exceptions;
        assert_eq!((&exceptions.files[..], exceptions.files_hit), (&["disk: /letters/to Ann.txt".to_owned()][..], 1));
        assert_eq!(exceptions.files_note, "Names were looked for in the disk (FAT).");
    }
    // A clone has no image to look into; it says so.
    not_clean(&copies.clone("A", &["C"]));
    let exceptions = copies.certificate("C").exceptions;
    assert_eq!((exceptions.files.len(), exceptions.files_note.as_str()), (0, "File names were not looked for."));
}
