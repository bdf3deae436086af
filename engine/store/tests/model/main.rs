//! Long random walks through everything that a store can be asked, beside a plain model of what it must answer.
//!
//! A walk is given by its seed: `WEFT_MODEL_SEED=7 WEFT_MODEL_STEPS=100000 cargo test -p weft-store --test model first_walk` walks
//! that one way for as long as wished, on SQLite and on Postgres. There, an even seed has two engines, which take turns, fall
//! silent and take over what the other leaves. A walk that fails says its seed, its step and what it did last.

mod compare;
mod dice;
mod ground;
mod keeping;
mod lanes;
mod letters;
mod model;
mod scenery;
mod walk;
mod work;

use crate::ground::{Ground, PostgresGround, SqliteGround};
use crate::walk::Walk;

/// Seeds of the walks when nobody names one. Each found nothing when it was written down; other seeds are walked by hand.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

fn seed(place: usize) -> u64 {
    number("WEFT_MODEL_SEED").unwrap_or(SEEDS[place])
}

async fn walk<G: Ground>(seed: u64, ground: G) {
    Walk::begin(seed, ground).await.go(number("WEFT_MODEL_STEPS").unwrap_or(G::STEPS)).await;
}

mod on_sqlite {
    use super::*;

    async fn walk_on_sqlite(place: usize) {
        Box::pin(walk(seed(place), SqliteGround::new())).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_first_walk() {
        walk_on_sqlite(0).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_second_walk() {
        walk_on_sqlite(1).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_third_walk() {
        walk_on_sqlite(2).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_fourth_walk() {
        walk_on_sqlite(3).await;
    }
}

mod on_postgres {
    use super::*;

    async fn walk_on_postgres(place: usize) {
        let seed = seed(place);
        let nodes = if seed.is_multiple_of(2) { 2 } else { 1 };
        Box::pin(walk(seed, PostgresGround::new(nodes))).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_first_walk() {
        walk_on_postgres(0).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_second_walk() {
        walk_on_postgres(1).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_third_walk() {
        walk_on_postgres(2).await;
    }

    #[tokio::test]
    async fn promise_2_a_store_does_what_a_plain_model_does_fourth_walk() {
        walk_on_postgres(3).await;
    }
}
