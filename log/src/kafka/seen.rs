//! Topics as they were seen lately: whether a partition is there is asked before nearly everything else, since librdkafka
//! waits for one that is not; and all topics are asked for by whoever may have to do with a new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::topic::{TopicInfo, TopicName};

/// How long a topic counts as it was seen. What is asked of one that has gone since may be answered late, with the same error.
const LATELY: Duration = Duration::from_secs(10);

/// How long all topics count as they were listed.
const LISTED: Duration = Duration::from_secs(2);

type All = Arc<BTreeMap<TopicName, TopicInfo>>;

#[derive(Default)]
pub(super) struct Seen {
    /// How many partitions each topic had, and when.
    topics: Mutex<BTreeMap<TopicName, (i32, Instant)>>,
    /// All topics, and when they were asked for.
    listed: Mutex<Option<(All, Instant)>>,
}

impl Seen {
    /// A topic was looked up; `None` if it is not there. Topics that nobody has asked about for long are forgotten.
    pub(super) fn learn<'a>(&self, topics: impl IntoIterator<Item = (&'a TopicName, Option<i32>)>) {
        let (mut seen, now) = (self.topics(), Instant::now());
        seen.retain(|_, (_, when)| now.duration_since(*when) < LATELY);
        for (topic, partitions) in topics {
            match partitions {
                Some(partitions) => drop(seen.insert(topic.clone(), (partitions, now))),
                None => drop(seen.remove(topic)),
            }
        }
    }

    /// All topics, as they were listed when asked for at `asked`.
    pub(super) fn learn_all(&self, all: &BTreeMap<TopicName, TopicInfo>, asked: Instant) {
        self.learn(all.iter().map(|(name, info)| (name, Some(info.partitions))));
        let all = Arc::new(all.clone());
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer that took long may come after that to a later question.
        if listed.as_ref().is_none_or(|(_, before)| *before <= asked) {
            *listed = Some((all, asked));
        }
    }

    /// How many partitions the topic had lately.
    pub(super) fn partitions(&self, topic: &TopicName) -> Option<i32> {
        self.topics().get(topic).filter(|(_, when)| when.elapsed() < LATELY).map(|(partitions, _)| *partitions)
    }

    /// All topics, where they were listed lately.
    pub(super) fn listed(&self) -> Option<BTreeMap<TopicName, TopicInfo>> {
        let all = {
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            listed.take_if(|(_, asked)| asked.elapsed() >= LISTED);
            listed.as_ref().map(|(all, _)| Arc::clone(all))
        };
        all.map(|all| BTreeMap::clone(&all))
    }

    fn topics(&self) -> MutexGuard<'_, BTreeMap<TopicName, (i32, Instant)>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_topic_counts_as_it_was_seen_for_a_while() {
        let (here, gone) = (TopicName::new("here").unwrap(), TopicName::new("gone").unwrap());
        let seen = Seen::default();
        assert_eq!(seen.partitions(&here), None);
        seen.learn([(&here, Some(4)), (&gone, Some(2))]);
        seen.learn([(&gone, None)]);
        tokio::time::advance(LATELY - Duration::from_millis(1)).await;
        assert_eq!((seen.partitions(&here), seen.partitions(&gone)), (Some(4), None));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(seen.partitions(&here), None);
        seen.learn([(&gone, Some(2))]);
        assert_eq!(seen.topics().len(), 1, "what has not been seen lately takes no room");
    }

    #[tokio::test(start_paused = true)]
    async fn all_topics_count_as_they_were_listed_for_less_long() {
        let seen = Seen::default();
        assert_eq!(seen.listed(), None);
        let (here, asked) = (TopicName::new("here").unwrap(), Instant::now());
        let all = BTreeMap::from([(here.clone(), TopicInfo { partitions: 4, replication_factor: 1 })]);
        tokio::time::advance(Duration::from_secs(1)).await;
        seen.learn_all(&all, asked);
        assert_eq!((seen.listed(), seen.partitions(&here)), (Some(all), Some(4)));
        seen.learn_all(&BTreeMap::new(), asked - Duration::from_millis(500));
        assert_eq!(seen.listed().map(|all| all.len()), Some(1), "an older answer that came later");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((seen.listed(), seen.partitions(&here)), (None, Some(4)), "counted from the question");
    }
}
