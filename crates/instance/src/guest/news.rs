//! What a change of configuration is to the container itself.

use super::is_shown;
use api::Time;
use api::guest::{Event, News};
use api::instances::Instance;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// How many events a listener may be behind.
const BACKLOG: usize = 64;

/// Those who listen inside one container. Takes no room while nobody does.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<mpsc::Sender<Arc<Event>>>>);

impl Listeners {
    /// One more.
    pub(crate) fn add(&self) -> mpsc::Receiver<Arc<Event>> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Tells all; those who are gone or too far behind are forgotten.
    pub(crate) fn tell(&self, news: Vec<News>) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for news in news {
            if listeners.is_empty() {
                return;
            }
            let event = Arc::new(Event { timestamp: Time::now(), news });
            listeners.retain(|listener| listener.try_send(event.clone()).is_ok());
        }
    }
}

/// What is different, keys first.
pub(crate) fn news(before: &Instance, after: &Instance) -> Vec<News> {
    let mut news = keys(before, after);
    let (old, new) = (&before.expanded_devices, &after.expanded_devices);
    let changes = model::devices::changes(old, new);
    for (action, names, devices) in
        [("removed", changes.removed, old), ("added", changes.added, new), ("updated", changes.updated, new)]
    {
        news.extend(names.into_iter().map(|name| {
            let config = devices.get(&name).cloned().unwrap_or_default();
            News::Device { action, name, config }
        }));
    }
    news
}

fn keys(before: &Instance, after: &Instance) -> Vec<News> {
    let (old, new) = (&before.expanded_config, &after.expanded_config);
    let mut names: Vec<&String> = old.keys().chain(new.keys()).filter(|key| is_shown(key)).collect();
    names.sort();
    names.dedup();
    let value = |config: &api::Config, key: &String| config.get(key).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|key| News::Config { key: key.clone(), old_value: value(old, key), value: value(new, key) })
        .filter(|news| !matches!(news, News::Config { old_value, value, .. } if old_value == value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(mut json: serde_json::Value) -> Instance {
        for (key, value) in
            [("name", "web".into()), ("status", "Running".into()), ("status_code", 103.into())]
        {
            json[key] = value;
        }
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_what_containers_may_know_is_news() {
        let before = instance(serde_json::json!({
            "expanded_config": {"user.a": "1", "user.same": "x", "limits.cpu": "1"},
            "expanded_devices": {"old": {"type": "none"}, "eth0": {"type": "nic", "limits.max": "1Mbit"}},
        }));
        let after = instance(serde_json::json!({
            "expanded_config": {"user.b": "2", "user.same": "x", "limits.cpu": "2"},
            "expanded_devices": {"new": {"type": "none"}, "eth0": {"type": "nic", "limits.max": "2Mbit"}},
        }));
        let seen: Vec<String> =
            news(&before, &after).iter().map(|news| serde_json::to_string(news).unwrap()).collect();
        assert_eq!(
            seen,
            [
                r#"{"type":"config","metadata":{"key":"user.a","old_value":"1","value":""}}"#,
                r#"{"type":"config","metadata":{"key":"user.b","old_value":"","value":"2"}}"#,
                r#"{"type":"device","metadata":{"action":"removed","name":"old","config":{"type":"none"}}}"#,
                r#"{"type":"device","metadata":{"action":"added","name":"new","config":{"type":"none"}}}"#,
                r#"{"type":"device","metadata":{"action":"updated","name":"eth0","config":{"limits.max":"2Mbit","type":"nic"}}}"#,
            ]
        );
        assert!(news(&before, &before).is_empty());
    }

    #[test]
    fn who_is_too_slow_is_cut_off() {
        let listeners = Listeners::default();
        let mut slow = listeners.add();
        let change =
            News::Config { key: "user.a".to_owned(), old_value: String::new(), value: "1".to_owned() };
        listeners.tell(vec![change; BACKLOG + 1]);
        for _ in 0..BACKLOG {
            slow.try_recv().unwrap();
        }
        assert!(matches!(slow.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }
}
