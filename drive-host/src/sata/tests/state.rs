use super::{super::sanitize::SANITIZE, *};

#[test]
fn a_disk_that_remembers_is_the_same_one_in_the_next_program() {
    let words = "security,sanitize,smart,hpa=600,bad=10,remembers,sanitize-seconds=100";
    let (file, mut first) = disk(words);
    lba_of(&mut first, READ_NATIVE_MAX_EXT, 0, 0, 0);
    assert_eq!(lba_of(&mut first, SET_MAX_EXT, 0, 1, 999), Some(999));
    access(&mut first, 10, DataPhase::Out(&[7; 512]));
    let mut block = [0; 512];
    block[2..5].copy_from_slice(b"key");
    order_with(&mut first, (SET_PASSWORD, 0, 1, 0), DataPhase::Out(&block)).unwrap();
    order(&mut first, SANITIZE, 0x14, 0x11, 0x4f57_0000_00aa).unwrap();
    first.set("reallocated", 9).unwrap();
    drop(first);

    let mut second = again(&file, words);
    assert_eq!(word(&mut second, 128) & 6, 6, "locked with its password");
    assert_eq!((shown(&mut second), second.health.reallocated, second.bad.len()), (1000, 9, 0));
    let (count, _) = order(&mut second, SANITIZE, 0, 0, 0).unwrap();
    assert_eq!(count, 1 << 14, "it goes on");
    second.pass_time(Duration::from_secs(100));
    assert!(cells(&file).chunks(4).all(|four| four == [0xaa, 0, 0, 0]));
    drop(second);

    let mut third = again(&file, words);
    assert_eq!(order(&mut third, SANITIZE, 0, 0, 0), Ok((1 << 15, 0xffff)));
    let state = file.path().with_file_name(format!("{}.state", file.path().file_name().unwrap().display()));
    assert!(state.exists());
    fs::write(&state, "nonsense\n").unwrap();
    assert!(SataDisk::from_text(&format!("S1={},{words}", file.path().display())).is_err());
    fs::remove_file(state).unwrap();
}

#[test]
fn a_disk_that_does_not_remember_is_a_new_one_in_the_next_program() {
    let (file, mut first) = disk("hpa=600");
    lba_of(&mut first, READ_NATIVE_MAX_EXT, 0, 0, 0);
    lba_of(&mut first, SET_MAX_EXT, 0, 1, 999);
    assert_eq!(shown(&mut again(&file, "hpa=600")), 600);
}
