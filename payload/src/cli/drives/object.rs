//! A drive as JSON, for scripts. What is not known is null.

use super::remarks::remarks;
use crate::{
    content::{self, Survey},
    discover::Drive,
    firmware::capacity::Size,
};
use serde_json::{Value, json};

/// All that is known of a drive.
pub(super) fn of(drive: &Drive, content: Option<&Survey>, refusal: Option<&str>) -> Value {
    let details = &drive.details;
    let nvme = details.controller.as_ref().map(|controller| {
        json!({ "controller": controller, "namespace": details.namespace, "sanitize_log": details.sanitized })
    });
    json!({
        "name": drive.name, "path": drive.path, "model": drive.identity.model, "serial": drive.identity.serial,
        "wwn": drive.identity.wwn, "bytes": drive.identity.bytes,
        "logical_block": drive.geometry.ok().map(|g| g.logical()),
        "physical_block": drive.geometry.ok().map(|g| g.physical()),
        "bus": drive.bus.to_string(), "port": drive.port, "firmware": drive.firmware, "removable": drive.removable,
        "read_only": drive.read_only, "rotational": drive.rotational, "rotation": details.rotation,
        "form_factor": details.form_factor,
        "in_use": drive.usage.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hidden_bytes": drive.hidden_bytes(), "overlaid_bytes": drive.overlaid_bytes(),
        "native_sectors": drive.native_sectors, "sizes": sizes(drive), "health": drive.health, "link": drive.link,
        "ata": drive.ata, "nvme": nvme, "content": content.map(volumes), "remarks": remarks(drive), "refused": refusal,
    })
}

/// The sizes of an ATA drive in logical sectors; a limit that the drive does not have is "unsupported".
fn sizes(drive: &Drive) -> Value {
    let size = |size: &Size| match size {
        Size::Sectors(sectors) => json!(sectors),
        Size::Unsupported => json!("unsupported"),
        Size::Unknown(_) => Value::Null,
    };
    let all = drive.details.sizes.as_ref().map(|sizes| {
        let unknown: Vec<String> = sizes.unknown().map(|(limit, why)| format!("{limit}: {why}")).collect();
        json!({
            "visible": sizes.visible(), "native": size(sizes.native()), "factory": size(sizes.factory()),
            "accessible_max": size(sizes.accessible()), "unknown": unknown,
        })
    });
    all.into()
}

fn volumes(survey: &Survey) -> Value {
    let volume = |volume: &content::Volume| {
        json!({
            "number": volume.number, "start": volume.start, "bytes": volume.len, "kind": volume.kind.to_string(),
            "label": volume.label,
        })
    };
    json!({
        "table": survey.table.to_string(),
        "volumes": survey.volumes.iter().map(volume).collect::<Vec<_>>(),
    })
}
