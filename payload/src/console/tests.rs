mod hostile;

use super::*;
use crate::console::pages::{Ended, Found, Start};

fn drive(n: u64, state: State) -> DriveLine {
    DriveLine {
        name: format!("sd{}", char::from(b'a' + u8::try_from(n).unwrap())),
        port: format!("ata{}", n + 1),
        model: "WDC WD5000AAKX-00ERMA0 with a long name".into(),
        serial: format!("WD-WCC2E{n:07}"),
        bytes: 500_107_862_016,
        step: "pass 2/3 write FF".into(),
        done: 432 + n,
        total: 1000,
        rate_now: 98_100_000,
        rate_avg: 97_000_000,
        eta: Some(Duration::from_secs(5025)),
        defects: 0,
        temperature: Some(38),
        state,
    }
}

fn snapshot(drives: Vec<DriveLine>) -> Snapshot {
    Snapshot {
        title: "Wipe, DoD 5220.22-M, 3 passes (\"E\"), full verification".into(),
        drives,
        elapsed: Duration::from_secs(3671),
        message: String::new(),
    }
}

fn three() -> Snapshot {
    let mut bad = drive(1, State::Running);
    (bad.defects, bad.temperature, bad.eta) = (3, None, None);
    let failed = drive(2, State::Done("FAILED: the drive no longer answers".into(), Severity::Bad));
    snapshot(vec![drive(0, State::Running), bad, failed])
}

/// A terminal that understands just what the console writes: what a person would see.
struct Glass {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Glass {
    fn new() -> Self {
        Self { cells: vec![vec![' '; 80]; 25], row: 0, column: 0 }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let text = str::from_utf8(bytes).unwrap();
        assert!(text.is_ascii());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut numbers = String::new();
                    let end = loop {
                        match chars.next().unwrap() {
                            c if c.is_ascii_alphabetic() || c == ']' => break c,
                            c => numbers.push(c),
                        }
                    };
                    self.control(&numbers, end);
                }
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                '\r' => self.column = 0,
                '\x07' => {}
                c => {
                    self.cells[self.row][self.column] = c;
                    self.column += 1;
                    assert!(self.column < 80, "the last column wraps");
                }
            }
            assert!(self.row < 25, "the screen scrolls");
        }
    }

    fn control(&mut self, numbers: &str, end: char) {
        let number = |n: usize| numbers.split(';').nth(n).and_then(|n| n.parse::<usize>().ok()).unwrap_or(1);
        match end {
            'H' => (self.row, self.column) = (number(0) - 1, number(1) - 1),
            'K' => self.cells[self.row][self.column..].fill(' '),
            'J' => {
                let from = if numbers == "2" { 0 } else { self.row };
                self.cells[from..].iter_mut().for_each(|row| row.fill(' '));
            }
            'A' => self.row -= number(0),
            'm' | 'l' | ']' => {}
            other => panic!("{other}"),
        }
    }

    fn text(&self) -> String {
        let rows: Vec<_> = self.cells.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }
}

/// What an 80x25 screen shows after `act`.
fn seen(act: impl FnOnce(&mut Screen<Vec<u8>>)) -> String {
    let mut screen = Screen::new(Vec::new());
    act(&mut screen);
    let mut glass = Glass::new();
    glass.feed(screen.output());
    glass.text()
}

#[test]
fn few_drives_have_two_rows_each() {
    let expected = r#"MULE  Wipe, DoD 5220.22-M, 3 passes ("E"), full verification            1:01:11
1 of 3 drives finished, 1 NOT GOOD, 196.2 MB/s together, --:-- left
sda     WDC WD5000AAKX-00ERMA0 wi~ WD-WCC2E0000000      500.1 GB ata1
        [######........]  43.2% pass 2/3 write FF     98.1 MB/s  1:23:45  38C
sdb     WDC WD5000AAKX-00ERMA0 wi~ WD-WCC2E0000001      500.1 GB ata2
        [######........]  43.3% 3 bad, pass 2/3 wri~  98.1 MB/s    --:--
sdc     WDC WD5000AAKX-00ERMA0 wi~ WD-WCC2E0000002      500.1 GB ata3
        FAILED: the drive no longer answers"#;
    assert_eq!(seen(|screen| screen.update(&three())), expected);
}

#[test]
fn eleven_drives_and_the_notes_fit_a_vga_screen() {
    let mut run = snapshot((0..11).map(|n| drive(n, State::Running)).collect());
    run.drives[3].state = State::Waiting;
    run.drives[4].state = State::Done("erased, verified in full".into(), Severity::Good);
    run.drives[5].state = State::Trouble("no answer for 40 s".into());
    run.drives[6].name = "nvme0n1".into();
    run.drives[7].serial = "a\x1b[2Jb".into();
    run.message = "Do not switch off.".into();
    let text = seen(|screen| {
        screen.update(&run);
        screen.note("certificate of sde written");
        screen.problem("sdf does not answer");
    });
    let expected = r#"MULE  Wipe, DoD 5220.22-M, 3 passes ("E"), full verification            1:01:11
1 of 11 drives finished, 882.9 MB/s together, 1:23:45 left
drive   serial number       size step                  done       rate     left
sda     WD-WCC2E0000000 500.1 GB pass 2/3 write FF    43.2%  98.1 MB/s  1:23:45
sdb     WD-WCC2E0000001 500.1 GB pass 2/3 write FF    43.3%  98.1 MB/s  1:23:45
sdc     WD-WCC2E0000002 500.1 GB pass 2/3 write FF    43.4%  98.1 MB/s  1:23:45
sdd     WD-WCC2E0000003 500.1 GB waiting
sde     WD-WCC2E0000004 500.1 GB erased, verified in full
sdf     WD-WCC2E0000005 500.1 GB no answer for 40 s   43.7%  98.1 MB/s  1:23:45
nvme0n1 WD-WCC2E0000006 500.1 GB pass 2/3 write FF    43.8%  98.1 MB/s  1:23:45
sdh     a\u{1b}[2Jb     500.1 GB pass 2/3 write FF    43.9%  98.1 MB/s  1:23:45
sdi     WD-WCC2E0000008 500.1 GB pass 2/3 write FF    44.0%  98.1 MB/s  1:23:45
sdj     WD-WCC2E0000009 500.1 GB pass 2/3 write FF    44.1%  98.1 MB/s  1:23:45
sdk     WD-WCC2E0000010 500.1 GB pass 2/3 write FF    44.2%  98.1 MB/s  1:23:45
Do not switch off.








certificate of sde written
sdf does not answer"#;
    assert_eq!(text, expected);
}

#[test]
fn more_drives_than_rows_take_turns() {
    let mut run = snapshot((0..26).map(|n| drive(n, State::Running)).collect());
    let mut all = String::new();
    for turn in 0..2 {
        run.elapsed = Duration::from_secs(turn * 5);
        all += &seen(|screen| screen.update(&run));
        assert!(all.contains(&format!("part {} of 2, 26 drives", turn + 1)));
    }
    for n in 0..26 {
        assert!(all.contains(&run.drives[n].serial));
    }
}

#[test]
fn only_what_changed_is_drawn_again() {
    let mut screen = Screen::new(Vec::new());
    screen.update(&three());
    let first = screen.output().len();
    screen.update(&three());
    assert_eq!(screen.output().len(), first);
    let mut later = three();
    later.drives[0].done += 100;
    screen.update(&later);
    assert!(screen.output().len() - first < 120);
}

#[test]
fn a_long_page_turns_with_the_space_bar_and_a_short_one_does_not() {
    let mut page = Page::default();
    (1..=60).for_each(|n| page.text(format!("line {n}")));
    let text = seen(|screen| screen.show(&page));
    assert!(text.starts_with("line 1\n") && text.ends_with("line 24\n-- lines 1 to 24 of 60; space shows more --"));
    let text = seen(|screen| {
        screen.show(&page);
        assert!(screen.turn());
        assert!(screen.turn());
    });
    assert!(text.starts_with("line 49\n") && text.ends_with("-- lines 49 to 60 of 60; space shows more --"));
    assert!(!Screen::new(Vec::new()).turn());
    page.countdown = Some(3);
    seen(|screen| {
        screen.show(&page);
        assert!(!screen.turn());
    });
}

#[test]
fn serial_lines_say_what_changed_and_little_more() {
    let mut lines = PlainLines::new(Vec::new(), Duration::from_secs(5));
    let mut run = three();
    for tenth in 0..100 {
        run.elapsed = Duration::from_millis(tenth * 100);
        if tenth == 12 {
            run.drives[0].step = "verify".into();
        }
        if tenth == 20 {
            run.drives[1].state = State::Done("erased".into(), Severity::Good);
        }
        lines.update(&run);
    }
    lines.machine("MULE WRITING S");
    lines.problem("odd\x1b\n  thing");
    lines.note("MULE FINISHED outcome=ok\nMULE FINISHED outcome=ok");
    let expected = r#"[    0:00] sda WD-WCC2E0000000: pass 2/3 write FF, 43.2%, 98.1 MB/s, 1:23:45 left, 38 C
[    0:00] sdb WD-WCC2E0000001: 3 bad, pass 2/3 write FF, 43.3%, 98.1 MB/s, --:-- left
[    0:00] sdc WD-WCC2E0000002: FAILED: the drive no longer answers
[    0:01] sda WD-WCC2E0000000: verify, 43.2%, 98.1 MB/s, 1:23:45 left, 38 C
[    0:02] sdb WD-WCC2E0000001: erased
[    0:06] sda WD-WCC2E0000000: verify, 43.2%, 98.1 MB/s, 1:23:45 left, 38 C
MULE WRITING S
! odd\u{1b}\n  thing
 MULE FINISHED outcome=ok\nMULE FINISHED outcome=ok
"#;
    assert_eq!(lines.output(), expected);
}

#[test]
fn a_countdown_is_printed_once_and_then_only_the_seconds() {
    let mut lines = PlainLines::new(Vec::new(), Duration::from_secs(5));
    for seconds in (0..=12).rev() {
        lines.show(&pages::countdown(seconds, "Wipe", &[]));
    }
    lines.show(&pages::countdown(12, "Wipe", &[]));
    let text = lines.output();
    assert_eq!(text.matches("WILL ERASE").count(), 1);
    assert!(text.ends_with("10 s ...\n5 s ...\n4 s ...\n3 s ...\n2 s ...\n1 s ...\n0 s ...\n"), "{text}");
}

#[test]
fn a_host_terminal_keeps_the_table_below_the_notes() {
    let mut terminal = Terminal::new(Vec::new(), true);
    terminal.note("before");
    terminal.update(&three());
    terminal.note("sdb has bad blocks");
    let mut run = three();
    run.elapsed += Duration::from_millis(100);
    terminal.update(&run);
    run.drives[0].state = State::Done("erased".into(), Severity::Good);
    terminal.update(&run);
    terminal.finish();
    let mut glass = Glass::new();
    glass.feed(terminal.output());
    let text = glass.text();
    assert!(text.starts_with("before\nsdb has bad blocks\nMULE  Wipe"), "{text}");
    assert_eq!(text.matches("MULE  Wipe").count(), 1);
    assert!(text.contains("\n        erased\n"), "{text}");
}

#[test]
fn without_colours_a_terminal_gets_words_only() {
    let mut terminal = Terminal::new(Vec::new(), false);
    terminal.problem("x");
    terminal.update(&three());
    assert!(!terminal.output().windows(2).any(|pair| pair == b"\x1b["));
}

fn found(n: u64) -> Found {
    let line = drive(n, State::Waiting);
    Found {
        name: line.name,
        model: line.model,
        serial: line.serial,
        bytes: line.bytes,
        logical: 512,
        bus: "ATA".into(),
        port: line.port,
        refusal: None,
        remark: String::new(),
    }
}

#[test]
fn the_first_page_says_where_one_is() {
    let start = Start {
        version: "0.1.0".into(),
        kernel: "6.12.57-mule".into(),
        stick: "00112233445566778899aabbccddeeff".into(),
        clock: "2002-01-01 00:00:17".into(),
        clock_warning: Some("The clock is not set.".into()),
        board: "Intel Corporation DQ965GF, BIOS CO96510J.86A.6040".into(),
        memory: 2 << 30,
    };
    let expected = "MULE 0.1.0 - erases, verifies and certifies whole disks
  stick    00112233445566778899aabbccddeeff
  clock    2002-01-01 00:00:17 UTC
  machine  Intel Corporation DQ965GF, BIOS CO96510J.86A.6040
  memory   2,048 MiB
  kernel   6.12.57-mule
The clock is not set.

waiting for drives";
    let text = seen(|screen| {
        screen.show(&pages::start(&start));
        screen.note("waiting for drives");
    });
    assert_eq!(text, expected);
}

#[test]
fn a_drive_in_full_keeps_names_and_texts_apart() {
    let long =
        "a Host Protected Area hides 4,096 bytes: an overwrite does not reach them, and they keep what they hold";
    let lines = [("model", "WDC".to_owned()), ("REMARK", long.to_owned())];
    let page = pages::in_full("/dev/sdb", 1, 3, &lines);
    let expected = "/dev/sdb: drive 2 of 3
model          WDC
REMARK         a Host Protected Area hides 4,096 bytes: an overwrite does not
               reach them, and they keep what they hold";
    assert_eq!(seen(|screen| screen.show(&page)), expected);
    assert_eq!(pages::choice(Key::Char('d')), Some(pages::Choice::Details));
}

#[test]
fn the_drive_table_gives_reasons() {
    let mut list = vec![found(0), found(1)];
    list[1].refusal =
        Some("this is the stick the machine was started from; it is never a target, whatever a job says".into());
    list[1].bus = "USB".into();
    let hints = ["00:1f.2 is in RAID mode: set AHCI in the BIOS setup.".to_owned()];
    let mut page = pages::drives(&list, &hints);
    pages::add_prompt(&mut page);
    let expected = "2 drives found, 1 can be erased
drive       size model                      serial number        bus
sda     500.1 GB WDC WD5000AAKX-00ERMA0 wi~ WD-WCC2E0000000      ATA   ready
sdb     500.1 GB WDC WD5000AAKX-00ERMA0 wi~ WD-WCC2E0000001      USB   REFUSED
        this is the stick the machine was started from; it is never a target,
        whatever a job says
00:1f.2 is in RAID mode: set AHCI in the BIOS setup.

The machine waits. Keys: p power off, r restart, l list drives, d details";
    assert_eq!(seen(|screen| screen.show(&page)), expected);
    assert_eq!(
        pages::details(&list[0]),
        "sda: WDC WD5000AAKX-00ERMA0 with a long name, serial number WD-WCC2E0000000, 500,107,862,016 bytes, \
         976,773,168 blocks of 512, ATA at ata1"
    );
    assert_eq!(pages::choice(Key::Char('P')), Some(pages::Choice::PowerOff));
    assert_eq!(pages::choice(Key::Enter), None);
}

#[test]
fn the_countdown_fits_a_screen_with_any_number_of_drives() {
    let expected = "  WILL ERASE 1 DRIVE
Wipe, zero

sda     500.1 GB WDC WD5000AAKX-00ERMA0 wi~ WD-WCC2E0000000      ATA

Begins in 9 s. ANY KEY STOPS THE RUN; nothing has been written yet.";
    assert_eq!(seen(|screen| screen.show(&pages::countdown(9, "Wipe, zero", &[found(0)]))), expected);
    for count in 0..26 {
        let targets: Vec<_> = (0..count).map(found).collect();
        let page = pages::countdown(9, "Wipe", &targets);
        assert!(page.lines.len() <= 21);
        assert_eq!(page.lines.iter().any(|line| line.text.starts_with("... and")), count > 15);
    }
}

#[test]
fn the_end_says_first_what_failed() {
    let ended = |n, outcome: &str, severity, detail: &str| {
        let line = drive(n, State::Waiting);
        Ended {
            name: line.name,
            model: line.model,
            serial: line.serial,
            bytes: line.bytes,
            outcome: outcome.into(),
            severity,
            detail: detail.into(),
        }
    };
    let drives =
        [ended(0, "erased", Severity::Good, ""), ended(1, "FAILED", Severity::Bad, "block 4,711 could not be written")];
    let counts = Counts { erased: 1, failed: 1, ..Counts::default() };
    let page = pages::summary(counts.outcome(), &counts, "erased", &drives, &["Certificates are on the stick.".into()]);
    let expected = "
  FAILED: 1 OF 2 DRIVES NOT ERASED

sdb     500.1 GB WDC WD5000AAKX-00ER~ WD-WCC2E0000001    FAILED
        block 4,711 could not be written
sda     500.1 GB WDC WD5000AAKX-00ER~ WD-WCC2E0000000    erased

Certificates are on the stick.";
    assert_eq!(seen(|screen| screen.show(&page)), expected);
    assert_eq!(page.lines[1].style, Style::Banner(Severity::Bad));
    let one = Counts { erased: 1, ..Counts::default() };
    let page = pages::summary(RunOutcome::Ok, &one, "erased", &drives[..1], &[]);
    assert_eq!((page.lines[1].text.trim(), page.lines[1].style), ("OK: 1 DRIVE ERASED", Style::Banner(Severity::Good)));
}

#[test]
fn an_error_says_what_to_do() {
    let page = pages::error(&["mule.toml, line 3: no".into()], Some("sda WD-1"), "Correct the file on any PC.");
    let expected = "  STOPPED

mule.toml, line 3: no
Drive: sda WD-1

Correct the file on any PC.";
    assert_eq!(seen(|screen| screen.show(&page)), expected);
}

#[test]
fn a_word_is_taken_where_it_is_offered_and_its_letters_are_no_keys() {
    use pages::{Choice, Said, Typed, choice};
    let type_in = |offered, text: &str| {
        let mut typed = Typed::new(offered);
        text.chars().filter_map(|letter| typed.key(Key::Char(letter))).collect::<Vec<_>>()
    };
    let close = Choice::Said(Said::Close);
    assert_eq!(type_in(&[Said::Close], "CLOSE"), [close]);
    assert_eq!(type_in(&[Said::Continue, Said::Close], "CLCONTINUE"), [Choice::Said(Said::Continue)]);
    assert_eq!(type_in(&[Said::Close], "CCLOSE"), [close]);
    assert_eq!(type_in(&[], "CLOSE"), [Choice::List], "nothing is offered");
    assert_eq!(type_in(&[Said::Again], "close"), [Choice::List], "a word is typed in capitals");
    assert_eq!(type_in(&[Said::Close], "CLd"), [Choice::Details]);
    let mut typed = Typed::new(&[Said::Close]);
    "CLOS".chars().for_each(|letter| assert_eq!(typed.key(Key::Char(letter)), None));
    assert_eq!(typed.key(Key::Enter), choice(Key::Enter));
    assert_eq!(typed.key(Key::Char('E')), None, "not in one go");
}
