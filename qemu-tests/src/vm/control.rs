//! QEMU's machine protocol (QMP): one JSON object a line over a socket.

use crate::limits::{self, limit};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

/// An open control connection.
#[derive(Debug)]
pub(crate) struct Control {
    reader: BufReader<UnixStream>,
}

impl Control {
    /// Connects as soon as QEMU listens.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let end = Instant::now() + limit(limits::CONTROL);
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > end => {
                    return Err(error).context("QEMU does not listen on its control socket");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        stream.set_read_timeout(Some(limit(limits::CONTROL))).context("limiting the control socket")?;
        let mut control = Self { reader: BufReader::new(stream) };
        control.receive().context("QEMU's greeting")?;
        control.execute("qmp_capabilities", json!({}))?;
        Ok(control)
    }

    /// Sends a command and returns its answer; events that arrive before it are passed over.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments}).to_string() + "\n";
        self.reader.get_mut().write_all(line.as_bytes()).with_context(|| format!("sending {command} to QEMU"))?;
        loop {
            let mut answer = self.receive().with_context(|| format!("QEMU's answer to {command}"))?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {error}");
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Bytes written so far to the drive with that device id, as the guest's controller asked for them.
    pub(crate) fn bytes_written(&mut self, device: &str) -> Result<u64> {
        let answer = self.execute("query-blockstats", json!({}))?;
        let rows = answer.as_array().context("query-blockstats answers with a list")?;
        let row = rows.iter().find(|row| row["qdev"].as_str().is_some_and(|path| names(path, device)));
        row.and_then(|row| row["stats"]["wr_bytes"].as_u64()).with_context(|| format!("no statistics for {device}"))
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("QEMU closed the control socket");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU said {line:?}"))
    }
}

/// QEMU gives the id of some devices and the path of others, where the id is one of the parts.
fn names(path: &str, device: &str) -> bool {
    path.split('/').any(|part| part == device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_its_id_or_within_its_path() {
        assert!(names("dev-A", "dev-A") && names("/machine/peripheral/dev-A/virtio-backend", "dev-A"));
        assert!(!names("dev-AB", "dev-A"));
    }
}
