//! Lists: URLs or objects, and only those that a filter lets through.

use crate::wire::{Answer, Recursion, Refusal, sync};
use serde::{Deserialize, Serialize};

/// Parameters that every list understands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListParams {
    /// URLs or objects.
    pub(crate) recursion: Recursion,
    /// Only what matches.
    pub(crate) filter: String,
    /// `container`, or empty for all.
    #[serde(rename = "instance-type")]
    pub(crate) instance_type: String,
}

/// Answers with objects or with their URLs.
pub(crate) fn answer<T: Serialize>(
    recursion: Recursion,
    objects: &[T],
    url: impl Fn(&T) -> String,
) -> Answer {
    if recursion == Recursion::Urls {
        sync(&objects.iter().map(url).collect::<Vec<_>>())
    } else {
        sync(objects)
    }
}

/// Keeps the objects that a filter lets through.
///
/// # Errors
/// The filter is not understood.
pub(crate) fn keep<T: Serialize>(filter: &str, objects: &mut Vec<T>) -> Result<(), Refusal> {
    let filter = model::filter::Filter::parse(filter)
        .map_err(|error| Refusal::bad_request(format!("Invalid filter: {error}")))?;
    let Some(filter) = filter else { return Ok(()) };
    objects.retain(|object| serde_json::to_value(object).is_ok_and(|value| filter.matches(&value)));
    Ok(())
}
