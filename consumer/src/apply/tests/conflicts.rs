//! Conflicts decided against clients of the target are told, each once.

use std::time::Duration;

use twinlog_schemas::{Basis, ConflictTold, EventType, FactBody, Stamp, Tags};

use super::lab::{Lab, tags};
use crate::conflict::Contested;

fn stamped(lab: &Lab, site: &str, value: &str) -> Stamp<Tags> {
    lab.stamp(site, tags(value), Basis::Known)
}

/// Scenario: clients at both sites tag a version, neither knowing of the other; the facts come in either order, and again
/// after a restart of their topic.
/// Guarantee: beside the loser it is told once who won and who lost; beside the winner nothing.
#[tokio::test(start_paused = true)]
async fn a_lost_change_is_told_once_whichever_fact_comes_first() {
    for mine_first in [true, false] {
        for mine_later in [true, false] {
            let lab = Lab::new().await;
            let version = lab.put_body("hello");
            lab.born(&version).await;
            let (mut mine, mut theirs) = (stamped(&lab, "west", "mine"), stamped(&lab, "east", "theirs"));
            tokio::time::sleep(Duration::from_secs(1)).await;
            *if mine_later { &mut mine } else { &mut theirs } =
                if mine_later { stamped(&lab, "west", "mine") } else { stamped(&lab, "east", "theirs") };
            lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
            let facts = [
                lab.fact("west", &version, FactBody::Tags(mine.clone())),
                lab.fact("east", &version, FactBody::Tags(theirs.clone())),
            ];
            lab.say(&facts[0]).await;
            for n in if mine_first { [0, 1, 0] } else { [1, 0, 1] } {
                lab.apply_fact(&facts[n]).await;
            }
            let told = lab.seen.told().conflicts.clone();
            if mine_later {
                assert!(told.is_empty(), "{told:?}");
                continue;
            }
            let [conflict] = &told[..] else { panic!("{told:?}") };
            assert_eq!((conflict.contested, conflict.tied()), (Contested::Tags, false));
            assert_eq!((conflict.winner.site.as_str(), conflict.loser.site.as_str()), ("east", "west"));
            assert_eq!(conflict.loser.changed_at_ns, mine.changed_at_ns);
            let [event] = &lab.heard.events()[..] else { panic!("told once") };
            assert_eq!(event.event_type(), Some(EventType::ConflictDecided));
            let data: ConflictTold = serde_json::from_value(event.data.clone()).unwrap();
            assert_eq!((data.category.as_str(), data.winner.site.as_str(), data.tied), ("tags", "east", false));
            assert_eq!(data.version_id, version.version_id.as_str());
        }
    }
}

/// Guarantee: a change that was made over another site's, which had reached its site, is no conflict; nor is one that
/// says the same.
#[tokio::test(start_paused = true)]
async fn a_change_made_over_a_known_one_is_no_conflict() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
    let mine = stamped(&lab, "west", "mine");
    lab.apply_fact(&lab.fact("west", &version, FactBody::Tags(mine.clone()))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let same = stamped(&lab, "east", "mine");
    lab.apply_fact(&lab.fact("east", &version, FactBody::Tags(same))).await;
    let after = Stamp { over: Some(mine.named()), ..stamped(&lab, "east", "theirs") };
    lab.apply_fact(&lab.fact("east", &version, FactBody::Tags(after))).await;
    assert_eq!(lab.object(&version).await.tags, tags("theirs"));
    assert!(lab.seen.told().conflicts.is_empty());
}
