//! Whether the worker's topics exist and have the same number of partitions: an outcome, a retry record and a dead letter stand
//! in the partition of their lead. Looked at from the side; until it holds the worker is not ready, and says why.

use std::time::Duration;

use leadline_platform::health::Condition;
use leadline_platform::kafka::Producer;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the next look.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks until the topics fit; the first is the one the others must be like.
pub(crate) async fn run(producer: Producer, topics: Vec<String>, fit: Condition) {
    loop {
        let (client, names) = (producer.clone(), topics.clone());
        match tokio::task::spawn_blocking(move || look(&client, &names)).await {
            Ok(Ok(())) => return fit.set(true),
            Ok(Err(why)) => {
                tracing::error!(why, "the topics are not as they must be; `leadline topics create` makes missing ones")
            }
            Err(error) => tracing::error!(%error, "the topics cannot be looked at"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn look(producer: &Producer, topics: &[String]) -> Result<(), String> {
    let mut expected = None;
    for topic in topics {
        let count = producer.partitions(topic, TIMEOUT).map_err(|error| format!("{topic}: {error}"))?;
        let wanted = *expected.get_or_insert(count);
        if count != wanted {
            return Err(format!("{topic} has {count} partitions where {} has {wanted}", topics[0]));
        }
    }
    Ok(())
}
