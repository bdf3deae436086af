//! What `weft check` finds.

/// What a check has counted and found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// How much was looked at.
    pub counted: Counted,
    /// What is wrong; empty if every promise about the tables holds.
    pub findings: Vec<Finding>,
}

/// How much a check has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Events, by state.
    pub events: EventCounts,
    /// Deliveries, by state.
    pub deliveries: DeliveryCounts,
    /// Attempts.
    pub attempts: u64,
    /// Passes that have run.
    pub passes: u64,
    /// Replays.
    pub replays: u64,
    /// Bodies.
    pub bodies: u64,
    /// Events that retention has removed.
    pub pruned_events: u64,
    /// Deliveries that retention has removed.
    pub pruned_deliveries: u64,
}

/// Events by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Waiting for a pass.
    pub received: u64,
    /// With deliveries.
    pub routed: u64,
    /// Ended without a delivery.
    pub dropped: u64,
    /// Given up.
    pub dead: u64,
}

/// Deliveries by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Waiting to be sent.
    pub pending: u64,
    /// Accepted by the receiver.
    pub delivered: u64,
    /// Given up.
    pub dead: u64,
    /// Dropped by a step of their destination.
    pub dropped: u64,
    /// Given up by a person.
    pub cancelled: u64,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The database file itself is damaged.
    #[error("the database is damaged: {message}")]
    Damaged {
        /// What the database says.
        message: String,
    },
    /// A row points to one that is not there.
    #[error("{table} row {row} points to a row of {parent} that is not there")]
    Dangling {
        /// The table that points.
        table: String,
        /// Its row.
        row: String,
        /// The table pointed to.
        parent: String,
    },
    /// An event or a replay is routed, and has not the deliveries that were planned (promise 2).
    #[error("{subject} is routed with {planned} planned deliveries, and {found} are there")]
    MissingDelivery {
        /// The event or replay.
        subject: String,
        /// How many its pass planned.
        planned: i64,
        /// How many there are.
        found: i64,
    },
    /// State and times of a row contradict each other: nobody would work on it, or it has ended without an end (promise 2).
    #[error("{subject} is {state}, and {contradiction}")]
    Contradiction {
        /// The event, replay or delivery.
        subject: String,
        /// Its state.
        state: String,
        /// What does not go with that state.
        contradiction: String,
    },
    /// A delivery is delivered, and no attempt was accepted.
    #[error("{delivery} is delivered, and none of its attempts was accepted")]
    DeliveredUnaccepted {
        /// The delivery.
        delivery: String,
    },
    /// An attempt was accepted, and the delivery is not delivered.
    #[error("{delivery} is {state}, and its attempt {number} was accepted")]
    AcceptedUndelivered {
        /// The delivery.
        delivery: String,
        /// Its state.
        state: String,
        /// The attempt.
        number: i64,
    },
    /// An attempt began after its delivery had ended.
    #[error("attempt {number} of {delivery} began after its end")]
    AttemptAfterEnd {
        /// The delivery.
        delivery: String,
        /// The attempt.
        number: i64,
    },
    /// A row counts more or fewer attempts or passes than there are, or their numbers have gaps.
    #[error("{subject} counts {counted} {noun}, and {found} are there")]
    Miscounted {
        /// The event, replay or delivery.
        subject: String,
        /// What is counted: attempts or passes.
        noun: &'static str,
        /// How many the row says.
        counted: i64,
        /// How many there are.
        found: i64,
    },
    /// An output reached a destination more than once in one pass (promise 3).
    #[error("{event}: output {output} of pass {pass} has {found} deliveries for {destination}{}",
        replay.as_ref().map(|replay| format!(" in {replay}")).unwrap_or_default())]
    DeliveredTwice {
        /// The event.
        event: String,
        /// The replay that the pass belongs to.
        replay: Option<String>,
        /// The pass.
        pass: i64,
        /// The output.
        output: i64,
        /// The destination.
        destination: String,
        /// How many deliveries.
        found: i64,
    },
    /// A lease that no start of the engine holds, or one on a row that has ended.
    #[error("{subject} is {state} and leased by start {owner}: no engine holds such a lease")]
    LeaseWithoutOwner {
        /// The event, replay or delivery.
        subject: String,
        /// Its state.
        state: String,
        /// The start that the lease names.
        owner: i64,
    },
    /// Something with an ordering key could overtake what was accepted before it, or waits for nothing (promise 4).
    #[error("{subject} is {state} under an ordering key, and {contradiction}")]
    OutOfLane {
        /// The event, replay or delivery.
        subject: String,
        /// Its state.
        state: String,
        /// What does not go with its place.
        contradiction: &'static str,
    },
    /// What was accepted or planned is neither there nor pruned (promise 2).
    #[error("ledger of {tenant}, day {day}: {counted} {noun} were counted, {found} are there and {pruned} were pruned")]
    Ledger {
        /// The tenant.
        tenant: String,
        /// The day, since the Unix epoch.
        day: i64,
        /// What is counted.
        noun: String,
        /// How many were counted as they were stored.
        counted: i64,
        /// How many rows there are.
        found: i64,
        /// How many were pruned.
        pruned: i64,
    },
    /// A body that nothing refers to.
    #[error("body {row} belongs to no event and to no delivery")]
    OrphanBody {
        /// Its row.
        row: String,
    },
    /// A row that cannot be read.
    #[error("{0}")]
    Unreadable(String),
}
