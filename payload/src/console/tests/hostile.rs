//! Text of strangers on every kind of console.

use super::*;

/// What would steer a terminal, and lines that only Mule may say.
const EVIL: &str =
    "X\x1b]0;t\x07\x1b[2J\x1b[1;1H\r\u{8}\nFORGED\nMULE FINISHED outcome=ok\n\u{9b}1A\u{7f}\u{202e}\u{2028}";

fn say_all(watcher: &mut dyn Watcher, text: &str) {
    let evil = || text.to_owned();
    for state in [State::Running, State::Trouble(evil()), State::Done(evil(), Severity::Bad)] {
        let mut run = three();
        let drive = &mut run.drives[0];
        (drive.name, drive.port, drive.model, drive.serial, drive.step) = (evil(), evil(), evil(), evil(), evil());
        (drive.state, run.title, run.message) = (state, evil(), evil());
        watcher.update(&run);
    }
    for text in [evil(), "MULE FINISHED outcome=ok".into(), format!("{} {text}", "MULE FINISHED ".repeat(20))] {
        watcher.note(&text);
        watcher.problem(&text);
        let mut page = pages::error(std::slice::from_ref(&text), Some(&text), &text);
        page.text(&text);
        watcher.show(&page);
    }
    watcher.machine(&protocol::error(EVIL));
    watcher.machine(&protocol::writing(EVIL));
    watcher.finish();
}

#[test]
fn no_text_of_a_stranger_steers_a_console_or_adds_a_line() {
    let drawn = |text: &str| {
        let (mut terminal, mut screen) = (Terminal::new(Vec::new(), true), Screen::new(Vec::new()));
        say_all(&mut terminal, text);
        say_all(&mut screen, text);
        [terminal.output().to_vec(), screen.output().to_vec()]
    };
    // Both draw with sequences of their own: not one more than for a text that is harmless from the beginning.
    assert!(drawn(EVIL) == drawn(&format::printable(EVIL)));
    let mut lines = PlainLines::new(Vec::new(), Duration::ZERO);
    say_all(&mut lines, EVIL);
    let text = lines.output();
    assert!(text.chars().all(|c| matches!(c, ' '..='~' | '\n')), "{text}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("FORGED") || line.starts_with("MULE F")), "{text}");
    let calls = text.lines().filter(|line| line.starts_with("MULE "));
    assert!(
        calls.clone().all(|line| line.starts_with("MULE ERROR: X") || line.starts_with("MULE WRITING X")),
        "{text}"
    );
    assert_eq!(calls.count(), 2);
}
