//! The command line: which words there are, and who answers them.

use std::future::Future;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::config::ConfigPath;
use crate::{
    backup, check, config, dead_letters, destinations, events, listen, plugin, restore, serve, store, trigger,
};

/// A webhook and event router that its users extend with WebAssembly components.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Weft {
    #[command(flatten)]
    config: ConfigPath,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Run the engine until it is told to stop
    Serve(serve::Serve),
    /// Prove what the store must fulfil, beside a running engine or without one
    Check(check::Check),
    /// Copy the store into a file, beside a running engine or without one
    Backup(backup::Backup),
    /// Put a backup in the place of the store
    Restore(restore::Restore),
    /// Look into the store, or move it
    #[command(subcommand)]
    Store(store::Verb),
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::Verb),
    /// Send events, and see what became of them
    Events(events::Events),
    /// Send a sample event, and show what becomes of it
    Trigger(trigger::Trigger),
    /// Receive deliveries on this machine: verify them, show them, and answer as told
    Listen(listen::Listen),
    /// What Weft has given up on
    DeadLetters(dead_letters::DeadLetters),
    /// Where deliveries go
    Destinations(destinations::Destinations),
    /// The components that handle events
    Plugin(plugin::Plugin),
}

impl Weft {
    /// Does what was asked for; the code says whether all is well.
    ///
    /// # Errors
    /// Why it could not be done.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let config = &self.config;
        match self.noun {
            Noun::Serve(serve) => on_all_cores(serve.run(config)),
            Noun::Check(check) => on_this_thread(check.run(config)),
            Noun::Backup(backup) => on_this_thread(backup.run(config)),
            Noun::Restore(restore) => on_this_thread(restore.run(config)),
            Noun::Store(store::Verb::Stats(stats)) => on_this_thread(stats.run(config)),
            Noun::Store(store::Verb::Move(to)) => on_this_thread(to.run(config)),
            Noun::Config(config::Verb::Check(check)) => check.run(config),
            Noun::Events(events) => on_this_thread(events.run(config)),
            Noun::Trigger(trigger) => on_this_thread(trigger.run(config)),
            Noun::Listen(listen) => on_this_thread(listen.run(config)),
            Noun::DeadLetters(letters) => on_this_thread(letters.run(config)),
            Noun::Destinations(destinations) => on_this_thread(destinations.run(config)),
            Noun::Plugin(plugin) => on_this_thread(plugin.run(config)),
        }
    }
}

fn on_all_cores<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    finish(Builder::new_multi_thread(), work)
}

fn on_this_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    finish(Builder::new_current_thread(), work)
}

fn finish<T>(mut builder: Builder, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = builder.enable_all().build().context("could not start the runtime")?;
    let result = runtime.block_on(work);
    // What still runs is not waited for: who sends a second signal wants an end.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_words_of_the_command_line_do_not_contradict_each_other() {
        Weft::command().debug_assert();
    }

    #[test]
    fn every_command_that_is_promised_is_understood() {
        for line in [
            "weft serve --config other.toml --log-format json",
            "weft check --json",
            "weft config check --without-secrets",
            "weft backup weft.bak --json",
            "weft restore weft.bak --force",
            "weft store stats --json --exact",
            "weft store move --to sqlite:other.db",
            "weft events send order.json --type order.created --id o-1 --idempotency-key k --content-type application/json",
            "weft events send -",
            "weft events show evt_01 --json --url http://localhost:1 --tenant shop --key-file key",
            "weft trigger order.created --tenant shop --no-wait",
            "weft listen --port 0 --destination crm --answer 500,429,204 --retry-after 3 --delay-ms 50 --count 3 --json",
            "weft listen --secret-file secrets",
            "weft dead-letters list --destination crm --kind delivery --reason gone --since 2026-01-31T12:00:00Z --json",
            "weft dead-letters replay dlv_01 evt_01",
            "weft dead-letters replay --all --destination crm --dry-run",
            "weft dead-letters list --limit 1000 --cursor 5_00 --include-replayed",
            "weft destinations list --json",
            "weft destinations pause crm",
            "weft destinations resume crm",
            "weft destinations enable crm",
            "weft destinations disable crm",
            "weft destinations secret crm",
            "weft plugin new order-tag --lang python",
            "weft plugin build --install",
            "weft plugin check target/order-tag.wasm --json",
            "weft plugin test order-tag --no-build --accept --json",
            "weft plugin run fixtures/large.json --component order-tag.wasm --step-config {}",
            "weft plugin run - --type order.created",
            "weft plugin bench --seconds 1",
            "weft plugin list --json",
            "weft plugin activate json-filter 3f2a --pin",
            "weft plugin rollback json-filter",
            "weft plugin push target/order-tag.wasm --name order-tag --activate",
            "weft plugin versions order-tag --json",
            "weft plugin dry-run operator/order-tag 3f2a --last 100000 --since 2026-01-31T12:00:00Z --json",
            "weft plugin reload",
        ] {
            if let Err(error) = Weft::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn what_nobody_can_mean_is_refused_before_anything_is_done() {
        for line in [
            "weft dead-letters replay",
            "weft listen --answer 100",
            "weft listen --delay-ms 600001",
            "weft trigger order.created --data {",
            "weft dead-letters replay dlv_01 --all",
            "weft dead-letters replay dlv_01 --destination crm",
            "weft dead-letters list --limit 1001",
            "weft dead-letters list --since yesterday",
            "weft plugin activate json-filter 3f2a --pin --follow",
        ] {
            assert!(Weft::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
