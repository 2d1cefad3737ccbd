//! The digest of a run: two runs of a seed must agree in every byte of the log and in everything that sites show.

use sha2::{Digest, Sha256};
use twinlog_log::TopicPartition;

use super::shown::Shown;
use super::world::{LANES, World};

/// The digest, in hexadecimal.
pub(super) async fn digest(world: &World) -> Result<String, String> {
    let mut digest = Sha256::new();
    for place in &world.places {
        for (topic, _) in world.topics_of(place) {
            for partition in 0..LANES {
                let at = TopicPartition { topic: topic.clone(), partition };
                for record in world.log.records(&at) {
                    digest.update(format!("{record:?}"));
                }
            }
        }
        for key in &world.keys {
            let shown = Shown::of(world, place, key).await.map_err(|error| error.to_string())?;
            digest.update(format!("{:?}{:?}", shown.listing, shown.versions));
        }
    }
    Ok(hex::encode(&digest.finalize()[..16]))
}
