//! What LVM reports, read from its JSON.

use crate::run::RunError;
use serde_json::Value;

/// A volume group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Bytes that belong to no volume.
    pub free: u64,
    /// The unit of sizes in it, in bytes.
    pub extent: u64,
    /// Devices that it consists of and that are not there.
    pub missing: u64,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A logical volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logical {
    /// Its name.
    pub name: String,
    /// What tells it from all others, also after it was renamed.
    pub uuid: String,
    /// In bytes.
    pub size: u64,
    /// The thin pool that it is in; empty: none.
    pub pool: String,
    /// What it is a snapshot of; empty: nothing that is still there.
    pub origin: String,
    /// It is a thin pool.
    pub is_pool: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// How full something is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Status {
    /// In bytes.
    pub size: u64,
    /// Bytes that were written; `None`: it is not active.
    pub used: Option<u64>,
    /// The part of a thin pool's own notes that is in use, in percent.
    pub metadata_percent: Option<f64>,
}

pub(super) const GROUP: &str = "vg_name,vg_size,vg_free,vg_extent_size,vg_missing_pv_count,vg_tags";
pub(super) const VOLUME: &str = "lv_name,lv_uuid,lv_size,pool_lv,origin,segtype,lv_tags";
pub(super) const STATUS: &str = "lv_size,data_percent,metadata_percent";

pub(super) fn groups(output: &[u8]) -> Result<Vec<Group>, RunError> {
    rows(output, "vg")?
        .iter()
        .map(|row| {
            Ok(Group {
                name: text(row, "vg_name")?,
                size: number(row, "vg_size")?,
                free: number(row, "vg_free")?,
                extent: number(row, "vg_extent_size")?,
                missing: number(row, "vg_missing_pv_count")?,
                tags: tags(&text(row, "vg_tags")?),
            })
        })
        .collect()
}

pub(super) fn volumes(output: &[u8]) -> Result<Vec<Logical>, RunError> {
    let mut volumes: Vec<Logical> = Vec::new();
    for row in rows(output, "lv")? {
        let volume = Logical {
            name: text(&row, "lv_name")?,
            uuid: text(&row, "lv_uuid")?,
            size: number(&row, "lv_size")?,
            pool: text(&row, "pool_lv")?,
            origin: text(&row, "origin")?,
            is_pool: text(&row, "segtype")? == "thin-pool",
            tags: tags(&text(&row, "lv_tags")?),
        };
        // One row for each of its segments.
        if volumes.last().is_none_or(|last| last.uuid != volume.uuid) {
            volumes.push(volume);
        }
    }
    Ok(volumes)
}

pub(super) fn status(output: &[u8]) -> Result<Status, RunError> {
    let rows = rows(output, "lv")?;
    let row = rows.first().ok_or_else(|| bad("it reports nothing".to_owned()))?;
    let size = number(row, "lv_size")?;
    let part = percent(&text(row, "data_percent")?);
    let metadata_percent = percent(&text(row, "metadata_percent")?);
    Ok(Status { size, used: part.map(|part| of(size, part)), metadata_percent })
}

fn percent(text: &str) -> Option<f64> {
    text.parse().ok().filter(|part: &f64| part.is_finite() && *part >= 0.0)
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it was rounded before
fn of(size: u64, percent: f64) -> u64 {
    (size as f64 * percent / 100.0) as u64
}

fn tags(text: &str) -> Vec<String> {
    text.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn bad(detail: String) -> RunError {
    RunError::BadOutput { program: "lvm".to_owned(), detail }
}

fn rows(output: &[u8], kind: &str) -> Result<Vec<Value>, RunError> {
    let report: Value = serde_json::from_slice(output).map_err(|error| bad(error.to_string()))?;
    let reports =
        report.get("report").and_then(Value::as_array).ok_or_else(|| bad("no report".to_owned()))?;
    let rows = reports.iter().filter_map(|report| report.get(kind)?.as_array());
    Ok(rows.flatten().cloned().collect())
}

fn text(row: &Value, field: &str) -> Result<String, RunError> {
    match row.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        // Newer versions can tell numbers from texts.
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Array(several)) => {
            Ok(several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
        }
        Some(Value::Null) => Ok(String::new()),
        _ => Err(bad(format!("no {field}"))),
    }
}

fn number(row: &Value, field: &str) -> Result<u64, RunError> {
    let text = text(row, field)?;
    text.parse().map_err(|_| bad(format!("{field} is {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read() {
        let output = br#"{"report": [{"vg": [{"vg_name":"pool1", "vg_size":"4290772992", "vg_free":"0",
            "vg_extent_size":"4194304", "vg_missing_pv_count":"1", "vg_tags":"a,b"}]}]}"#;
        let group = Group {
            name: "pool1".into(),
            size: 4_290_772_992,
            free: 0,
            extent: 4 << 20,
            missing: 1,
            tags: vec!["a".into(), "b".into()],
        };
        assert_eq!(groups(output).unwrap(), [group]);
        assert_eq!(groups(br#"{"report": [{"vg": []}]}"#).unwrap(), []);
        assert!(groups(b"").is_err() && groups(br#"{"report": [{"vg": [{}]}]}"#).is_err());
    }

    #[test]
    fn volumes_are_read() {
        let output = br#"{"report": [{"lv": [
            {"lv_name":"c","lv_uuid":"u1","lv_size":"8","pool_lv":"p","origin":"i","segtype":"thin","lv_tags":""},
            {"lv_name":"p","lv_uuid":"u2","lv_size":"9","pool_lv":"","origin":"","segtype":"thin-pool","lv_tags":"x"},
            {"lv_name":"t","lv_uuid":"u3","lv_size":"7","pool_lv":"","origin":"","segtype":"linear","lv_tags":""},
            {"lv_name":"t","lv_uuid":"u3","lv_size":"7","pool_lv":"","origin":"","segtype":"linear","lv_tags":""}
        ]}]}"#;
        let found = volumes(output).unwrap();
        let names: Vec<_> = found.iter().map(|volume| (volume.name.as_str(), volume.is_pool)).collect();
        assert_eq!(names, [("c", false), ("p", true), ("t", false)]);
        assert_eq!((found[0].origin.as_str(), found[0].pool.as_str(), found[0].size), ("i", "p", 8));
    }

    #[test]
    fn percentages_become_bytes() {
        let output =
            br#"{"report":[{"lv":[{"lv_size":"1000","data_percent":"12.50","metadata_percent":"3.1"}]}]}"#;
        assert_eq!(status(output).unwrap().used, Some(125));
        let idle = br#"{"report":[{"lv":[{"lv_size":"1000","data_percent":"","metadata_percent":""}]}]}"#;
        assert_eq!(status(idle).unwrap(), Status { size: 1000, used: None, metadata_percent: None });
    }
}
