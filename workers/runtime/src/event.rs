//! What the threads and tasks of a worker tell each other: everything that happens comes to the scheduler as an [`Event`], and it
//! tells the consumers a [`Command`].

use std::sync::mpsc;
use std::time::Instant;

use leadline_proto::control::Change;

use crate::attempt::Ended;
use crate::recall::Recalled;
use crate::record::{Received, Source};
use crate::refetch::Fetched;
use crate::state::{Assigned, PartitionId, Position, Start};

/// What happens to a worker.
#[derive(Debug)]
pub(crate) enum Event {
    /// Partitions are ours.
    Assigned(Vec<Assigned>),
    /// The past of partitions is known.
    Recalled(Vec<Recalled>),
    /// Records were taken.
    Received(Vec<Received>),
    /// Records whose time has come were read again.
    Fetched(Fetched),
    /// Partitions are about to go: finish what is in flight and say where to go on.
    Release(Release),
    /// The ends of partitions, as a consumer has seen them.
    Ends(Source, Vec<(i32, i64)>),
    /// Some position is no longer in its topic.
    OutOfRange(Source),
    /// A commit has failed.
    CommitFailed(Source),
    /// An attempt has ended; `None` when it failed inside Leadline.
    Ended(Start, Option<Ended>),
    /// A probe was answered.
    SinkUp,
    /// A setting on `leads.control` has changed.
    Control(Change),
    /// All settings from before the start are known.
    ControlsKnown,
}

/// A request to give partitions up.
#[derive(Debug)]
pub(crate) struct Release {
    /// Which.
    pub(crate) partitions: Vec<PartitionId>,
    /// They have another owner already.
    pub(crate) lost: bool,
    /// What is in flight then is left behind.
    pub(crate) deadline: Instant,
    /// Receives where to go on, once nothing is in flight.
    pub(crate) reply: mpsc::SyncSender<Vec<Position>>,
}

/// What a consumer is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// To commit positions, each with the epoch it belongs to.
    Commit(Vec<(Position, u64)>),
    /// To go on elsewhere in some partitions, by leaving the group and coming back.
    GoOnAt(Vec<(i32, i64)>),
}
