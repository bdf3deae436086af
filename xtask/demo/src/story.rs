//! What happens in the demo, in its order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use weft_client::{Client, ClientOptions};

use crate::cast::{Cast, DOWN_FOR, Listeners, RECEIVERS};
use crate::clock::Stopwatch;
use crate::compare::{self, Behaviour, Count};
use crate::counts::{Expected, SentEvent};
use crate::draw;
use crate::engine::{self, ADDRESS, Engine};
use crate::expected::Fate;
use crate::next;
use crate::progress::{Progress, grouped};
use crate::receiver::Taken;
use crate::replacement::Replacement;
use crate::replay;
use crate::sample;
use crate::sending::Sending;
use crate::settle::settle;
use crate::stage::Stage;
use crate::summary;
use crate::traces::Traces;

/// Between two looks at how far things are.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Plays the demo on `stage` with `count` events drawn by `seed`; with `once`, ends when everything is checked.
///
/// # Errors
/// When something cannot be started, the engine ends, or a count is not as it must be.
pub(crate) async fn play(stage: &Stage, count: usize, seed: u64, once: bool) -> Result<()> {
    let events = draw::draw(&sample::read(&stage.events())?, count, seed)?;
    engine::port_is_free()?;
    let listeners = Listeners::take().await?;
    stage.set()?;
    println!("\n{} events of two tenants, drawn by seed {seed}", grouped(count as u64));

    let mut engine = Engine::start(stage)?;
    let tenants = engine.keys.iter().map(|(tenant, key)| Ok((*tenant, client(key)?)));
    let tenants: BTreeMap<_, _> = tenants.collect::<Result<_>>()?;
    engine.ready(tenants.values().next().context("the quickstart has tenants")?).await?;
    let (taken, takings) = mpsc::unbounded_channel();
    let outcome = tokio::select! {
        outcome = act(stage, listeners, tenants, events, taken) => outcome,
        failure = engine.fails() => Err(failure),
        () = asked_to_stop() => Err(anyhow::anyhow!("interrupted before the end")),
    };
    let outcome = match outcome {
        Ok(example) if !once => {
            println!("{}", next::steps(stage, &example));
            tokio::select! {
                failure = engine.fails() => Err(failure),
                () = next::tell(takings) => Ok(()),
                () = asked_to_stop() => Ok(()),
            }
        }
        outcome => outcome.map(drop),
    };
    println!("\nStopping the engine.");
    engine.stop().await?;
    outcome
}

/// Everything that is checked; returns the id of an event that is worth a look.
async fn act(
    stage: &Stage,
    listeners: Listeners,
    tenants: BTreeMap<&'static str, Client>,
    events: Vec<draw::DrawnEvent>,
    taken: mpsc::UnboundedSender<Taken>,
) -> Result<String> {
    let watch = Stopwatch::start();
    let operator = client(&stage.operator_key()?)?;
    let cast = Cast::assemble(listeners, &operator, &tenants, taken).await?;
    let [(well, _), (recovers, _), (fails, _)] = RECEIVERS;
    println!("  engine     http://{ADDRESS}, its log in {}", stage.relative(&stage.log()));
    println!(
        "  receivers  {well} is well, {recovers} answers 503 for its first {} s, {fails} until it is told otherwise;\n             \
         all refuse what does not verify",
        DOWN_FOR.as_secs()
    );

    println!("\nSending, and replacing a plugin half-way");
    let mut progress = Progress::new();
    let sending = Arc::new(Sending::new(events, tenants)?);
    let (sent, replacement) = send(stage, &sending, &operator, &cast, &mut progress).await?;
    let expected = Expected::of(&sent);
    let traces = settle(&operator, sent.iter().map(|event| event.id.clone()).collect(), &mut progress).await?;
    progress.keep(&format!("every event has ended, {:.1} s after the first was sent", watch.elapsed().as_secs_f64()));

    let pages = cast.receipts.snapshot();
    println!("\n{}", summary::tables(&traces, &pages));
    println!("\n{}", replacement.told(&traces));
    let behaviour = |place: &_| cast.behaviours.get(place).copied().unwrap_or(Behaviour::Well);
    let mut counts = compare::tenants(&expected, &traces);
    counts.extend(compare::places(&expected, &traces, &pages, behaviour));
    counts.extend(replacement.counts(&traces, sent.len() as u64));
    settle_accounts(&counts, &traces)?;
    println!("\nweft check\n{}", engine::check(stage).await?);

    replay_dead_letters(&operator, &cast, &expected, &mut progress).await?;
    println!("\nweft check\n{}", engine::check(stage).await?);
    println!("\nAll is as it must be, after {:.1} s.", watch.elapsed().as_secs_f64());
    Ok(worth_a_look(&sent).to_owned())
}

/// The id of an event whose trace shows much and is not long: of two parts, each for two destinations.
fn worth_a_look(sent: &[SentEvent]) -> &str {
    let shows_much = |event: &&SentEvent| match &event.fate {
        Fate::Routed(outputs) => outputs.len() == 2 && outputs.iter().all(|output| output.destinations.len() == 2),
        Fate::Filtered | Fate::Emptied => false,
    };
    sent.iter().find(shows_much).or(sent.first()).map_or("", |event| event.id.as_str())
}

/// Sends all events and replaces the plugin when half of them are sent.
async fn send(
    stage: &Stage,
    sending: &Arc<Sending>,
    operator: &Client,
    cast: &Cast,
    progress: &mut Progress,
) -> Result<(Vec<SentEvent>, Replacement)> {
    let mut sender = tokio::spawn(sending.clone().run());
    let mut replacing = std::pin::pin!(async {
        sending.half_way().await;
        let replacement = Replacement::make(stage, operator).await?;
        sending.was_replaced();
        anyhow::Ok(replacement)
    });
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    let mut replacement = None;
    let sent = loop {
        tokio::select! {
            sent = &mut sender => break sent.context("the sender panicked")??,
            made = &mut replacing, if replacement.is_none() => {
                let made = made?;
                progress.keep(&made.line());
                replacement = Some(made);
            }
            _ = ticks.tick() => progress.show(&how_far(sending, cast)),
        }
    };
    progress.keep(&how_far(sending, cast));
    // The last events wait for it, so that it is there when they are sent.
    Ok((sent, replacement.context("the events were sent before the plugin was replaced")?))
}

fn how_far(sending: &Sending, cast: &Cast) -> String {
    let (taken, turned_away) = cast.receipts.so_far();
    let (sent, all) = (sending.acknowledged() as u64, sending.count() as u64);
    format!(
        "{} of {} events sent; receivers took {} and turned {} away",
        grouped(sent),
        grouped(all),
        grouped(taken),
        grouped(turned_away)
    )
}

async fn replay_dead_letters(
    operator: &Client,
    cast: &Cast,
    expected: &Expected,
    progress: &mut Progress,
) -> Result<()> {
    let places = cast.places(Behaviour::Fails);
    let must: u64 = places.iter().filter_map(|place| expected.deliveries.get(place)).map(|of| of.len() as u64).sum();
    let letters = replay::dead_letters(operator).await?;
    println!(
        "\nReplaying {} dead letters of {}, whose receiver is told to be well",
        grouped(letters),
        summary::named(&places)
    );
    cast.recover();
    let started = replay::replay_all(operator).await?;
    let mut counts = vec![Count::new("dead letters", letters, must), Count::new("replays started", started, must)];
    counts.extend(replay::arrived(operator, expected, &cast.receipts, &places, progress).await?);
    counts.push(Count::new("dead letters after the replay", replay::dead_letters(operator).await?, 0));
    refuse_what_is_off(&counts)?;
    progress.keep(&format!("{} arrived, each under its own webhook-id and with its own body", grouped(started)));
    Ok(())
}

/// Names what is off, with examples of ends that should not be.
fn settle_accounts(counts: &[Count], traces: &Traces) -> Result<()> {
    for strange in traces.strange.iter().take(5) {
        println!("  strange: {strange}");
    }
    refuse_what_is_off(counts)?;
    println!("\n{} counts are what an independent walk over the input says.", counts.len());
    Ok(())
}

fn refuse_what_is_off(counts: &[Count]) -> Result<()> {
    let off: Vec<_> = counts.iter().filter(|count| count.is_off()).map(|count| format!("\n  {count}")).collect();
    if off.is_empty() { Ok(()) } else { bail!("{} of {} counts are off:{}", off.len(), counts.len(), off.concat()) }
}

fn client(key: &str) -> Result<Client> {
    Client::new(ClientOptions::new(format!("http://{ADDRESS}"), key)).context("could not make a client of the engine")
}

/// Waits for Ctrl-C, or for a polite end from outside.
async fn asked_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
