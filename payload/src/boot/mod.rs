//! From the kernel's hand-over to a machine that can run a job: mounts, consoles, the stick, what is known of the machine.

pub mod cmdline;
pub mod consoles;
pub mod machine;
pub mod medium;
pub mod mounts;
pub mod panic;
pub mod stick_fs;
pub mod store;
pub mod watchdog;

pub use cmdline::Cmdline;
pub use consoles::{Console, Consoles};
pub use machine::Machine;
pub use medium::BootMedium;
pub use stick_fs::StickFs;
pub use watchdog::Watchdog;
