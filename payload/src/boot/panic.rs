//! A defect of this program must not become a kernel panic without a word: PID 1 never ends.

use super::consoles::{Console, Kind};
use crate::{console::protocol, power};
use std::{
    io::Write as _,
    panic::{self, PanicHookInfo},
    sync::atomic::{AtomicBool, Ordering},
};

/// From now on a panic prints itself on every console of these names and halts the whole machine, threads that write to drives
/// included; the log partition tells the next boot where the run was. Only for PID 1: elsewhere nothing is changed.
pub fn install(consoles: Vec<String>) {
    if !power::is_init() {
        return;
    }
    static HALTED: AtomicBool = AtomicBool::new(false);
    panic::set_hook(Box::new(move |info| {
        // Another thread, or the hook itself, has panicked meanwhile: one message is enough, and this thread stops here too.
        if !HALTED.swap(true, Ordering::SeqCst) {
            let text = message(info);
            for mut console in consoles.iter().filter_map(|name| Console::open(name).ok()) {
                // On a screen the table of the run is in the way.
                let start: &[u8] = if console.kind() == Kind::Screen { b"\x1b[0m\x1b[2J\x1b[H" } else { b"\n\n" };
                let _ = console.write_all(start).and_then(|()| console.write_all(text.as_bytes()));
                crate::console::Tty::drain(&mut console);
            }
        }
        power::halt_now()
    }));
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
    format!(
        "{}\n\nThis is a defect of Mule, not of a drive. The machine halts now.\n\
         Note the line above and switch off; the next start resumes the job from the log.\n",
        protocol::error(&format!("internal error: {what}{place}"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_is_one_line_that_programs_find() {
        let text = Arc::new(Mutex::new(String::new()));
        let seen = text.clone();
        let old = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some("panics on purpose") {
                *seen.lock().unwrap() = message(info);
            }
        }));
        let panicking = std::thread::Builder::new().name("panics on purpose".into()).spawn(|| panic!("a\nb"));
        let _ = panicking.unwrap().join();
        panic::set_hook(old);
        let text = text.lock().unwrap();
        assert!(text.starts_with("MULE ERROR: internal error: a; b ("), "{text}");
        assert!(text.contains("panic.rs:"));
    }

    #[test]
    fn on_a_host_panics_stay_what_they_are() {
        install(vec!["tty0".into()]);
        assert!(std::panic::catch_unwind(|| panic!("caught")).is_err());
    }
}
