//! `weft trigger`: sends a sample event, and shows what becomes of it.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use weft_client::SendEvent;
use weft_client::wire::{Event, EventState};
use weft_core::event::EventType;
use weft_server::clock::Clock;

use crate::config::ConfigPath;
use crate::engine::Engine;
use crate::{print, timeline};

/// Looks at the event, at most: the first attempts of a sample take a second or two.
const LOOKS_MAX: u32 = 100;
/// The time between two looks.
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(100);

/// Send a sample event, and show what becomes of it.
#[derive(Debug, Args)]
pub(crate) struct Trigger {
    #[command(flatten)]
    engine: Engine,
    /// What is to have happened, e.g. order.created
    event_type: EventType,
    /// What it is about, as JSON [default: a sample]
    #[arg(long, value_name = "JSON", value_parser = value)]
    data: Option<Value>,
    /// Print the id at once and look no further
    #[arg(long)]
    no_wait: bool,
}

/// A payload as Standard Webhooks advises.
#[derive(Debug, Serialize)]
struct Sample<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    timestamp: String,
    data: Value,
}

impl Trigger {
    /// Sends it, and waits until its first attempts are made.
    ///
    /// # Errors
    /// Why it could not be sent.
    pub(crate) async fn run(self, config: &ConfigPath) -> anyhow::Result<ExitCode> {
        let client = self.engine.client(config)?;
        let clock = Clock::system();
        let sample = Sample {
            event_type: self.event_type.as_str(),
            timestamp: clock.now().to_string(),
            data: self.data.unwrap_or_else(|| json!({"id": "sample_1", "note": "sent by weft trigger"})),
        };
        let mut event = SendEvent::json(serde_json::to_vec(&sample)?.into());
        event.event_type = Some(self.event_type.to_string());
        let accepted = client.send(event).await?;
        if self.no_wait {
            print::out(&format!("{}\n", accepted.id))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut event = client.event(&accepted.id).await?;
        for _ in 0..LOOKS_MAX {
            if is_tried(&event) {
                break;
            }
            clock.rest(BETWEEN_LOOKS).await;
            event = client.event(&accepted.id).await?;
        }
        print::out(&timeline::of(&event))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether there is something to see: the event has ended without a delivery, or each delivery has been tried.
fn is_tried(event: &Event) -> bool {
    match event.state {
        EventState::Received { .. } => false,
        EventState::Routed { .. } => event.deliveries.iter().all(|it| !it.attempts.is_empty()),
        EventState::Dropped { .. } | EventState::Dead { .. } => true,
    }
}

fn value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))
}
