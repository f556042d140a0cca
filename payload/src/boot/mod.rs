//! From the kernel's hand-over to a machine that can run a job.

pub mod cmdline;

pub use cmdline::Cmdline;
