//! Compares a topic that exists with what is wanted of it. Pure.

use twinlog_log::TopicInfo;

use super::{PartitionsRule, Wanted};
use crate::finding::Finding;

/// What there is to say about a topic as it is (`None`: it does not exist).
pub fn check(wanted: &Wanted, found: Option<&TopicInfo>, lanes: i32) -> Finding {
    let spec = &wanted.spec;
    let subject = format!("topic {}", spec.name);
    let Some(found) = found else {
        let advice = "`twinlog bucket enable <bucket>` creates it";
        return Finding::fail(subject, format!("missing on cluster {}", wanted.cluster), advice);
    };
    let partitions = found.partitions;
    let (fits, rule) = match wanted.purpose.partitions_rule(lanes) {
        PartitionsRule::Exactly(number) => (partitions == number, format!("must be {number}")),
        PartitionsRule::MultipleOf(number) => {
            (partitions % number == 0, format!("must be a multiple of the {number} lanes"))
        }
    };
    if !fits {
        let advice = "set lanes to what the site was set up with, or delete the topic while nothing is in it";
        return Finding::fail(subject, format!("it has {partitions} partitions and {rule}"), advice);
    }
    if found.replication_factor < spec.replication_factor {
        let what =
            format!("replication factor {}, configured is {}", found.replication_factor, spec.replication_factor);
        return Finding::warn(subject, what, "reassign its partitions with Kafka's tools");
    }
    if partitions != spec.partitions {
        let what = format!("there, {partitions} partitions; configured for new ones is {}", spec.partitions);
        return Finding::ok(subject, what);
    }
    Finding::ok(subject, format!("there, {partitions} partitions"))
}
