//! Letting everything else go first.

use crate::numbers::{IOPRIO_CLASS_IDLE, IOPRIO_CLASS_SHIFT, IOPRIO_WHO_PROCESS};
use std::io;

/// This thread, and every thread that it starts from now on, gets the processor (nice(2)) and the disks (ioprio_set(2)) only
/// when nobody else wants them.
///
/// # Errors
/// What the system says where it has no such priorities.
pub fn become_idle() -> io::Result<()> {
    rustix::process::nice(19)?;
    let priority = IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT;
    // SAFETY: ioprio_set(2) takes three numbers and touches no memory of this process.
    let code = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) };
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_becomes_idle_and_its_threads_too() {
        std::thread::spawn(|| {
            become_idle().unwrap();
            std::thread::spawn(|| {
                let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
                let behind_name = stat.rsplit(')').next().unwrap();
                // Field 19 of proc_pid_stat(5) is the nice value; state is field 3.
                assert_eq!(behind_name.split_whitespace().nth(16), Some("19"));
            })
            .join()
            .unwrap();
        })
        .join()
        .unwrap();
    }
}
