//! Who has the next turn, who finds a place, and what one that hangs costs the others.

use super::accounts::DOUBTFUL_ATTEMPTS;
use super::state::{LOOKS_UNTIL_SILENT, LOOKS_UNTIL_SLOW, SURPLUS_MAX};
use super::*;
use bytes::Bytes;
use uuid::Uuid;
use weft_core::delivery::RequestParts;
use weft_core::id::{DeliveryId, EventId};
use weft_core::time::Timestamp;
use weft_store::work::Lease;

const LIMITS: OutboxLimits = OutboxLimits {
    waiting: 6,
    waiting_per_destination: 4,
    bytes: 400,
    attempts: 3,
    attempts_slow: 4,
    attempts_per_destination: 2,
};

/// A busy engine's, in small.
const MANY: OutboxLimits = OutboxLimits {
    waiting: 256,
    waiting_per_destination: 64,
    bytes: 100_000,
    attempts: 32,
    attempts_slow: 64,
    attempts_per_destination: 16,
};

/// A whole engine's.
const LARGE: OutboxLimits = OutboxLimits {
    waiting: 8_192,
    waiting_per_destination: 2_048,
    bytes: 10_000_000,
    attempts: 1_024,
    attempts_slow: 2_048,
    attempts_per_destination: 64,
};

fn destination(number: u128) -> DestinationId {
    DestinationId::from_uuid(Uuid::from_u128(number))
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(7))
}

fn work_of(number: u128, bytes: usize) -> DeliveryWork {
    DeliveryWork {
        id: DeliveryId::from_uuid(Uuid::from_u128(7)),
        event: EventId::from_uuid(Uuid::from_u128(7)),
        tenant: tenant(),
        destination: destination(number),
        output: 0,
        event_type: "a".to_owned(),
        content_type: "text/plain".to_owned(),
        request: RequestParts::default(),
        ordering_key: None,
        body: Bytes::from(vec![b'.'; bytes]),
        number: 1,
        ends_at: Timestamp::from_ms(0),
        lease: Lease { owner: 1, until: Timestamp::from_ms(0) },
    }
}

fn put_of(outbox: &Outbox, number: u128, bytes: usize) -> bool {
    outbox.reserve(destination(number), bytes).map(|place| place.fill(work_of(number, bytes))).is_some()
}

fn put(outbox: &Outbox, number: u128) -> bool {
    put_of(outbox, number, 10)
}

/// Puts as many as there are places for, up to `count`; answers how many.
fn put_many(outbox: &Outbox, number: u128, count: usize) -> usize {
    (0..count).take_while(|_| put(outbox, number)).count()
}

async fn next(outbox: &Outbox) -> (DestinationId, AttemptSlot) {
    let (work, slot) = outbox.take().await.expect("open");
    (work.destination, slot)
}

/// Begins every attempt that can begin.
fn begin_all(outbox: &Outbox) -> Vec<(DestinationId, AttemptSlot)> {
    let next = || outbox.take_of(&mut outbox.lock()).map(|(work, slot)| (work.destination, slot));
    std::iter::from_fn(next).collect()
}

/// How many of `attempts` go to a destination.
fn to(attempts: &[(DestinationId, AttemptSlot)], number: u128) -> usize {
    attempts.iter().filter(|(to, _)| *to == destination(number)).count()
}

/// An outbox that knows of destinations that they answer.
fn knowing(limits: OutboxLimits, numbers: impl IntoIterator<Item = u128>) -> Outbox {
    let outbox = Outbox::new(limits);
    for number in numbers {
        assert!(put(&outbox, number));
        for (_, slot) in begin_all(&outbox) {
            assert!(slot.pass_on(Made::Answered).is_none());
        }
    }
    outbox
}

/// Whether deliveries of a destination wait in the store for want of a place.
fn is_behind(outbox: &Outbox, number: u128) -> bool {
    outbox.lock().lane(destination(number)).is_behind
}

/// Claims what there are places for, of destinations of which the store holds so many; answers how much of each.
fn claim(outbox: &Outbox, rows: usize, mut stored: impl FnMut(u128) -> usize) -> Vec<(u128, usize)> {
    let mut claimed = Vec::new();
    for mut places in outbox.places_for_claim(rows) {
        let number = places.destination().uuid().as_u128();
        let found = stored(number).min(places.left());
        (0..found).for_each(|_| places.fill(work_of(number, 10)));
        places.done();
        claimed.push((number, found));
    }
    claimed
}

/// Claims everything of a destination, as if the store held nothing.
fn catch_up(outbox: &Outbox, number: u128) {
    let said_behind = outbox.lock().lane(destination(number)).said_behind;
    outbox.lock().caught_up(destination(number), said_behind);
}

/// Whether somebody who waits in `drained` is woken.
async fn is_drained(outbox: &Outbox) -> bool {
    tokio::select! {
        biased;
        () = outbox.drained() => true,
        () = std::future::ready(()) => false,
    }
}

/// Looks so often that attempts under way count as slow, or their destinations as silent.
fn look(outbox: &Outbox, times: u64) {
    for _ in 0..times {
        assert!(outbox.look().is_empty(), "nobody lacks a place");
    }
}

#[tokio::test]
async fn promise_7_destinations_take_turns_and_none_takes_all_attempts() {
    let outbox = knowing(LIMITS, [1, 2]);
    for number in [1, 1, 1, 2] {
        assert!(put(&outbox, number));
    }
    let (first, _one) = next(&outbox).await;
    let (second, _two) = next(&outbox).await;
    let (third, _three) = next(&outbox).await;
    assert_eq!([first, second, third], [destination(1), destination(2), destination(1)]);
    assert_eq!(outbox.waiting(), 1, "the third of destination 1 waits for a slot");
}

#[tokio::test]
async fn a_slot_that_is_given_back_lets_the_next_attempt_begin() {
    let outbox = Outbox::new(LIMITS);
    for _ in 0..3 {
        assert!(put(&outbox, 1));
    }
    let slots = (next(&outbox).await, next(&outbox).await);
    let waiting = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.take().await.is_some() }
    });
    drop(slots);
    assert!(waiting.await.expect("the taker returns"));
}

#[tokio::test]
async fn a_slot_is_passed_on_to_the_destination_whose_turn_it_is() {
    let outbox = knowing(LIMITS, [1, 2, 3]);
    assert!(put(&outbox, 1) && put(&outbox, 1) && put(&outbox, 1) && put(&outbox, 2));
    let (first, slot) = next(&outbox).await;
    assert_eq!(first, destination(1));
    let (second, slot) = slot.pass_on(Made::Answered).expect("three wait");
    assert_eq!(second.destination, destination(2));
    let others = (next(&outbox).await, next(&outbox).await);
    assert!(slot.pass_on(Made::Answered).is_none(), "nothing waits");
    drop(others);
    for number in 1..=3 {
        assert!(put(&outbox, number));
    }
    let _all = (next(&outbox).await, next(&outbox).await, next(&outbox).await);
}

#[tokio::test]
async fn promise_7_a_slot_is_not_passed_on_beyond_a_destinations_share() {
    let outbox = knowing(LIMITS, [1, 2]);
    for _ in 0..4 {
        assert!(put(&outbox, 1));
    }
    let (_, first) = next(&outbox).await;
    let (_, second) = next(&outbox).await;
    let (_, first) = first.pass_on(Made::Answered).expect("its own place is free again");
    assert!(put(&outbox, 2));
    let (other, _third) = next(&outbox).await;
    assert_eq!(other, destination(2), "the destination's two attempts are under way");
    drop((first, second));
}

#[tokio::test]
async fn what_finds_no_place_waits_in_the_store_and_later_ones_behind_it() {
    let outbox = knowing(LIMITS, [1]);
    for _ in 0..4 {
        assert!(put(&outbox, 1));
    }
    assert!(!put(&outbox, 1), "the destination's places are taken");
    let _taken = (next(&outbox).await, next(&outbox).await);
    assert!(!put(&outbox, 1), "a later one may not overtake what waits in the store");
    assert!(put(&outbox, 2), "another destination has places");
    outbox.drained().await;
    assert!(is_behind(&outbox, 1));
    catch_up(&outbox, 1);
    assert!(put(&outbox, 1));
    assert!(!is_behind(&outbox, 1));
}

#[test]
fn a_place_that_is_not_used_is_given_back() {
    let outbox = Outbox::new(LIMITS);
    drop(outbox.reserve(destination(1), 100));
    assert_eq!(outbox.waiting(), 0);
    assert!(outbox.reserve(destination(1), 100).is_some());
}

#[test]
fn bodies_are_bounded_but_a_single_large_one_passes() {
    let outbox = Outbox::new(LIMITS);
    let large = outbox.reserve(destination(1), 5_000);
    assert!(large.is_some());
    assert!(outbox.reserve(destination(2), 1).is_none());
}

#[tokio::test]
async fn closing_hands_back_what_waits() {
    let outbox = Outbox::new(LIMITS);
    assert!(put(&outbox, 1) && put(&outbox, 2));
    assert_eq!(outbox.close().len(), 2);
    assert!(outbox.take().await.is_none());
    assert!(outbox.reserve(destination(1), 1).is_none());
}

#[test]
fn promise_7_however_many_destinations_hang_the_others_keep_their_attempts() {
    let (well, hanging) = (1_u128, 1_000..1_500_u128);
    let outbox = knowing(MANY, [well]);
    let mut hung = Vec::new();
    // Twenty seconds of load: each destination gets something once a second.
    for second in 0..20 {
        for number in hanging.clone() {
            put_many(&outbox, number, 1);
        }
        for _ in 0..4 {
            for _ in 0..10 {
                assert!(put(&outbox, well), "a place, in second {second}");
                let (attempts, rest): (Vec<_>, Vec<_>) =
                    begin_all(&outbox).into_iter().partition(|(to, _)| *to == destination(well));
                hung.extend(rest);
                assert_eq!(attempts.len(), 1, "an attempt at once, in second {second}");
                attempts.into_iter().for_each(|(_, slot)| drop(slot.pass_on(Made::Answered)));
            }
            drop(outbox.look());
        }
        let (quick, slow) = outbox.attempts();
        assert!(quick <= MANY.attempts / 2 && slow <= MANY.attempts_slow, "{quick} and {slow} in second {second}");
    }
    assert!(hung.len() >= MANY.attempts_slow / 2, "those that hang are tried: {}", hung.len());
}

#[test]
fn promise_7_an_attempt_that_lasts_counts_among_the_slow_ones() {
    let outbox = knowing(LIMITS, [1, 2]);
    assert_eq!(put_many(&outbox, 1, 2) + put_many(&outbox, 2, 2), 4);
    let attempts = begin_all(&outbox);
    assert_eq!((attempts.len(), outbox.attempts()), (3, (3, 0)), "the fourth waits for a slot");
    look(&outbox, LOOKS_UNTIL_SLOW - 1);
    assert!(begin_all(&outbox).is_empty());
    look(&outbox, 1);
    assert_eq!(outbox.attempts(), (0, 3));
    let last = begin_all(&outbox);
    assert_eq!((last.len(), outbox.attempts()), (1, (1, 3)));
    drop((attempts, last));
    assert_eq!(outbox.attempts(), (0, 0), "each is given back where it counted");
}

#[test]
fn an_attempt_stays_among_the_quick_ones_while_there_is_no_room_among_the_slow() {
    let outbox = knowing(OutboxLimits { attempts_slow: 2, ..LIMITS }, [1, 2]);
    assert_eq!(put_many(&outbox, 1, 2) + put_many(&outbox, 2, 2), 4);
    let attempts = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SLOW);
    assert_eq!(outbox.attempts(), (1, 2));
    drop(attempts);
    assert_eq!(outbox.attempts(), (0, 0));
}

#[test]
fn promise_7_a_silent_destination_has_few_attempts_and_no_more_in_memory() {
    let outbox = knowing(MANY, [1]);
    assert_eq!(put_many(&outbox, 1, 3), 3);
    let mut attempts = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SILENT - 1);
    assert_eq!(put_many(&outbox, 1, 1), 1, "for all that is known, it is only slow");
    attempts.extend(begin_all(&outbox));
    look(&outbox, 1);
    assert_eq!(attempts.len(), DOUBTFUL_ATTEMPTS);
    assert_eq!(put_many(&outbox, 1, 9), 0, "what it cannot begin waits in the store");
    assert!(is_behind(&outbox, 1));
    drop(attempts.pop());
    catch_up(&outbox, 1);
    assert_eq!(put_many(&outbox, 1, 9), 1, "one may begin for each that ends");
    assert_eq!(begin_all(&outbox).len(), 1);
}

#[test]
fn promise_7_attempts_at_silent_destinations_never_count_among_the_quick_ones() {
    let outbox = knowing(MANY, [1]);
    assert!(put(&outbox, 1));
    let first = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SILENT);
    assert!(put(&outbox, 1));
    let second = begin_all(&outbox);
    assert_eq!((second.len(), outbox.attempts()), (1, (0, 2)));
    drop((first, second));
    assert!(put(&outbox, 1), "it is not forgotten");
    let _third = begin_all(&outbox);
    assert_eq!(outbox.attempts(), (0, 1));
}

#[test]
fn a_destination_that_answers_again_has_its_full_share_at_once() {
    let outbox = knowing(MANY, [1]);
    assert!(put(&outbox, 1));
    let mut hung = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SILENT);
    let (_, slot) = hung.pop().expect("one hung");
    assert!(slot.pass_on(Made::Answered).is_none(), "it answers late, but it answers");
    assert_eq!(put_many(&outbox, 1, 40), 40);
    assert_eq!(begin_all(&outbox).len(), MANY.attempts_per_destination);
}

#[test]
fn a_destination_that_answers_others_meanwhile_is_not_silent() {
    let outbox = knowing(MANY, [1]);
    assert!(put(&outbox, 1));
    let _hung = begin_all(&outbox);
    for _ in 0..3 * LOOKS_UNTIL_SILENT {
        assert!(put(&outbox, 1));
        for (_, slot) in begin_all(&outbox) {
            assert!(slot.pass_on(Made::Answered).is_none());
        }
        look(&outbox, 1);
    }
    assert_eq!(put_many(&outbox, 1, 40), 40);
    assert_eq!(begin_all(&outbox).len(), MANY.attempts_per_destination - 1);
}

#[test]
fn what_fails_at_once_makes_nobody_silent_and_what_fails_late_does_not_make_up_for_silence() {
    let outbox = Outbox::new(MANY);
    assert!(put(&outbox, 1) && put(&outbox, 2));
    for (_, slot) in begin_all(&outbox) {
        if slot.number == Some(0) {
            assert!(slot.pass_on(Made::Unanswered).is_none(), "nobody listens there");
        } else {
            look(&outbox, LOOKS_UNTIL_SILENT);
            assert!(slot.pass_on(Made::Unanswered).is_none(), "its time is up");
        }
    }
    assert_eq!(put_many(&outbox, 1, 40), 40);
    assert_eq!(put_many(&outbox, 2, 40), DOUBTFUL_ATTEMPTS);
    let attempts = begin_all(&outbox);
    assert_eq!((to(&attempts, 1), to(&attempts, 2)), (MANY.attempts_per_destination, DOUBTFUL_ATTEMPTS));
}

#[test]
fn promise_7_destinations_that_have_not_been_tried_have_few_attempts_each_and_half_of_all() {
    let outbox = knowing(MANY, [1]);
    for number in 10..20 {
        assert_eq!(put_many(&outbox, number, 8), 8);
    }
    assert_eq!(put_many(&outbox, 1, 16), 16);
    let attempts = begin_all(&outbox);
    assert_eq!((to(&attempts, 10), to(&attempts, 1)), (2, 16), "they take turns for their half");
    assert_eq!(attempts.len(), MANY.attempts);
    drop(attempts);
    let outbox = Outbox::new(MANY);
    assert_eq!(put_many(&outbox, 10, 8), 8);
    assert_eq!(begin_all(&outbox).len(), DOUBTFUL_ATTEMPTS, "one of them is not enough to take more");
}

#[test]
fn promise_7_a_destination_that_has_answered_does_not_line_up_behind_those_that_have_not() {
    let outbox = Outbox::new(MANY);
    for number in (10..20).chain([1]) {
        assert_eq!(put_many(&outbox, number, 4), 4);
    }
    let mut attempts = begin_all(&outbox);
    assert_eq!((attempts.len(), to(&attempts, 1)), (MANY.attempts / 2, 1), "half is taken, and it is last in line");
    let place = attempts.iter().position(|(to, _)| *to == destination(1)).expect("it has been tried");
    let (_, slot) = attempts.remove(place);
    let (next, _slot) = slot.pass_on(Made::Answered).expect("the line goes on");
    assert_eq!(next.destination, destination(15));
    assert_eq!(to(&begin_all(&outbox), 1), 3, "the half of the others is free");
}

#[test]
fn promise_7_a_destination_that_was_never_tried_has_its_turn_beside_those_that_are_busy() {
    let outbox = knowing(MANY, [1, 2]);
    assert_eq!(put_many(&outbox, 1, 40) + put_many(&outbox, 2, 40), 80);
    let mut attempts = begin_all(&outbox);
    assert_eq!(attempts.len(), MANY.attempts);
    assert!(put(&outbox, 3));
    let (_, slot) = attempts.pop().expect("all are under way");
    let (next, _slot) = slot.pass_on(Made::Answered).expect("many wait");
    assert_eq!(next.destination, destination(3));
}

#[test]
fn promise_7_silent_destinations_have_half_of_the_slow_account_and_take_turns_for_it() {
    let outbox = Outbox::new(MANY);
    let silent = 10..10 + MANY.attempts_slow as u128;
    let mut hung = Vec::new();
    for number in silent.clone() {
        assert!(put(&outbox, number));
        hung.extend(begin_all(&outbox));
        drop(outbox.look());
    }
    look(&outbox, LOOKS_UNTIL_SILENT);
    assert_eq!(outbox.attempts(), (0, MANY.attempts_slow), "all have been tried once");
    assert_eq!(silent.clone().filter(|number| put(&outbox, *number)).count(), 0, "and none has room for more");
    for _ in 0..MANY.attempts_slow / 2 {
        hung.remove(0);
    }
    for number in silent.clone() {
        catch_up(&outbox, number);
    }
    assert_eq!(silent.filter(|number| put(&outbox, *number)).count(), MANY.attempts_slow / 2, "those that are idle");
    assert!(begin_all(&outbox).is_empty(), "half of the account is still theirs");
    hung.truncate(MANY.attempts_slow / 2 - 3);
    let begun: Vec<_> = begin_all(&outbox).into_iter().map(|(to, _)| to).collect();
    assert_eq!(begun, [10, 11, 12].map(destination), "one begins for each that ends");
}

#[test]
fn promise_7_destinations_that_answer_slowly_share_what_the_silent_ones_leave() {
    let outbox = knowing(OutboxLimits { attempts: 64, attempts_per_destination: 32, ..MANY }, 1..=4);
    for number in 1..=4 {
        assert_eq!(put_many(&outbox, number, 12), 12);
    }
    let mut attempts = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SLOW);
    assert_eq!(outbox.attempts(), (0, 48), "more than half of what there may be");
    for number in 1..=4 {
        put_many(&outbox, number, 30);
    }
    attempts.extend(begin_all(&outbox));
    for number in 1..=4 {
        assert_eq!(to(&attempts, number), MANY.attempts_slow / 4, "an equal share for {number}");
    }
}

#[test]
fn promise_7_destinations_that_are_not_known_to_answer_have_half_of_the_places() {
    let outbox = knowing(MANY, [1]);
    for number in 10..20 {
        put_many(&outbox, number, 30);
    }
    assert_eq!(outbox.waiting(), MANY.waiting / 2);
    assert_eq!(put_many(&outbox, 1, 99), MANY.waiting_per_destination);
}

#[test]
fn promise_7_places_that_others_need_are_taken_from_destinations_that_do_not_answer() {
    let limits = OutboxLimits { waiting: 2_048, waiting_per_destination: 1_000, ..MANY };
    let outbox = knowing(limits, [2, 3]);
    assert_eq!(put_many(&outbox, 1, 1_000), 1_000);
    let hung = begin_all(&outbox);
    let waiting = 1_000 - hung.len();
    look(&outbox, LOOKS_UNTIL_SLOW);
    assert_eq!(put_many(&outbox, 2, 500), 500);
    look(&outbox, 1);
    let surplus = outbox.look();
    assert!(surplus.iter().all(|work| work.destination == destination(1)), "not of the one that fills its places");
    assert_eq!((outbox.waiting(), surplus.len()), (limits.waiting / 2, waiting + 500 - limits.waiting / 2));
    assert!(!put(&outbox, 1) && is_behind(&outbox, 1), "the rest waits behind what went back");
    assert!(outbox.look().is_empty(), "half of the places are free");
    assert_eq!(put_many(&outbox, 3, 1_000), 1_000);
    let rest = waiting - surplus.len();
    assert_eq!((outbox.look().len(), outbox.look().len()), (SURPLUS_MAX, rest - SURPLUS_MAX), "and then it has none");
    drop(hung);
    assert!(begin_all(&outbox).iter().all(|(to, _)| *to != destination(1)), "what went back is not begun");
}

#[test]
fn promise_7_a_destination_whose_attempts_are_slow_has_a_part_of_the_free_places() {
    let outbox = knowing(OutboxLimits { attempts_per_destination: 4, ..MANY }, 1..=9);
    for number in 1..=8 {
        assert_eq!(put_many(&outbox, number, 2), 2);
    }
    let _attempts = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SLOW);
    for number in 1..=8 {
        // None of it begins here: that would make the destination quick again.
        let had = put_many(&outbox, number, 99);
        assert!((1..=4).contains(&had), "{had} for {number}");
    }
    assert!(put_many(&outbox, 9, 99) == MANY.waiting_per_destination, "there is room for one that is quick");
}

#[test]
fn what_waits_for_our_own_store_makes_nobody_slow_or_silent() {
    let outbox = knowing(LIMITS, [1]);
    assert_eq!(put_many(&outbox, 1, 2), 2);
    let attempts = begin_all(&outbox);
    attempts.iter().for_each(|(_, slot)| slot.is_over(Made::Answered));
    look(&outbox, 3 * LOOKS_UNTIL_SILENT);
    assert_eq!(outbox.attempts(), (2, 0), "it keeps its slot among the quick ones: the sending slows down");
    drop(attempts);
    assert_eq!(put_many(&outbox, 1, 4), 4);
    let again = begin_all(&outbox);
    assert_eq!((again.len(), outbox.attempts()), (2, (2, 0)));
}

#[test]
fn promise_7_bodies_under_way_are_bounded_and_one_destination_has_a_quarter() {
    let outbox = knowing(MANY, 1..=6);
    for number in 1..=6 {
        for _ in 0..2 {
            assert_eq!(put_of(&outbox, number, 10_000), number < 6, "{number}");
        }
    }
    let mut attempts = begin_all(&outbox);
    let begun: Vec<_> = (1..=6).map(|number| to(&attempts, number)).collect();
    assert_eq!(begun, [2, 2, 2, 2, 2, 0], "a quarter of 100 kB at most, and 100 kB in all");
    catch_up(&outbox, 6);
    assert!(put_of(&outbox, 6, 10_000) && put_of(&outbox, 1, 10));
    assert!(begin_all(&outbox).is_empty(), "a smaller one does not go before it for ever");
    let (_, slot) = attempts.pop().expect("ten are under way");
    let (next, _slot) = slot.pass_on(Made::Answered).expect("one more fits");
    assert_eq!(next.destination, destination(6));
}

#[test]
fn promise_7_bodies_under_way_to_one_destination_leave_room_for_the_others() {
    let outbox = knowing(MANY, [1, 2]);
    assert!(put_of(&outbox, 1, 12_000) && put_of(&outbox, 1, 12_000));
    let attempts = begin_all(&outbox);
    assert!(put_of(&outbox, 1, 12_000) && put_of(&outbox, 2, 12_000));
    let further = begin_all(&outbox);
    assert_eq!((to(&attempts, 1), to(&further, 1), to(&further, 2)), (2, 0, 1));
    drop(attempts);
    assert_eq!(begin_all(&outbox).len(), 1);
}

#[test]
fn bodies_that_wait_for_one_destination_have_a_quarter_and_a_large_one_passes_alone() {
    let outbox = knowing(MANY, [1]);
    assert!(put_of(&outbox, 1, 20_000) && !put_of(&outbox, 1, 10_000));
    assert!(put_of(&outbox, 2, 20_000), "another has its own");
    catch_up(&outbox, 1);
    drop(begin_all(&outbox));
    assert!(put_of(&outbox, 1, 60_000), "it is alone");
    assert_eq!(to(&begin_all(&outbox), 1), 1);
}

#[tokio::test]
async fn ingest_does_not_wait_for_destinations_that_are_not_known_to_answer() {
    let limits = OutboxLimits { waiting: 4_096, waiting_per_destination: 4_096, ..MANY };
    let outbox = Outbox::new(limits);
    assert_eq!(put_many(&outbox, 1, 2_000), 2_000);
    let (_, slot) = next(&outbox).await;
    outbox.keeps_up(tenant()).await;
    let _next = slot.pass_on(Made::Answered).expect("it goes on");
    assert!(outbox.relief(tenant()).is_some(), "from now on it is the machine that is behind");
}

#[tokio::test]
async fn a_claim_fills_the_places_of_a_destination_once_half_of_them_are_free() {
    let outbox = knowing(MANY, [1]);
    assert_eq!(put_many(&outbox, 1, 99), 64);
    outbox.fell_behind([destination(1)]);
    assert!(!is_drained(&outbox).await && claim(&outbox, 100, |_| 100).is_empty(), "there is no place");
    let mut attempts = begin_all(&outbox);
    assert_eq!(outbox.waiting(), 48);
    assert!(!is_drained(&outbox).await, "a quarter of the places is not worth a claim");
    while outbox.waiting() > 32 {
        let (_, slot) = attempts.remove(0);
        attempts.extend(slot.pass_on(Made::Answered).map(|(work, slot)| (work.destination, slot)));
    }
    assert!(is_drained(&outbox).await);
    assert_eq!(claim(&outbox, 100, |_| 100), [(1, 32)]);
    assert!(is_behind(&outbox, 1), "all places are filled, and more may be there");
    drop(attempts);
    while outbox.waiting() > 32 {
        begin_all(&outbox).into_iter().for_each(|(_, slot)| drop(slot));
    }
    assert_eq!(claim(&outbox, 100, |_| 5), [(1, 5)]);
    assert!(!is_behind(&outbox, 1) && put(&outbox, 1), "nothing more is due: the next goes on from memory");
}

#[tokio::test]
async fn promise_7_a_destination_that_hangs_is_not_looked_at_before_it_has_a_place() {
    let outbox = knowing(MANY, [1]);
    assert_eq!(put_many(&outbox, 1, 16), 16);
    let mut attempts = begin_all(&outbox);
    look(&outbox, LOOKS_UNTIL_SILENT);
    for _ in 0..10 {
        assert!(!put(&outbox, 1));
        outbox.fell_behind([destination(1)]);
        assert!(!is_drained(&outbox).await && claim(&outbox, 100, |_| 100).is_empty());
    }
    while attempts.len() > DOUBTFUL_ATTEMPTS {
        drop(attempts.pop());
        assert!(!is_drained(&outbox).await, "{} hang", attempts.len());
    }
    let (_, slot) = attempts.pop().expect("some hang");
    assert!(slot.pass_on(Made::Unanswered).is_none());
    assert!(is_drained(&outbox).await);
    assert_eq!(claim(&outbox, 100, |_| 100), [(1, 1)], "one for the one that ended");
    let (_, slot) = attempts.pop().expect("some hang");
    assert!(slot.pass_on(Made::Answered).is_some());
    assert_eq!(claim(&outbox, 100, |_| 100), [(1, 64)], "it answers, and has all its places again");
}

#[test]
fn what_is_said_while_a_claim_is_under_way_is_not_forgotten_by_its_end() {
    let outbox = knowing(MANY, [1]);
    outbox.fell_behind([destination(1)]);
    let places = outbox.places_for_claim(100);
    outbox.fell_behind([destination(1)]);
    places.into_iter().for_each(ClaimPlaces::done);
    assert!(is_behind(&outbox, 1));
    assert_eq!(claim(&outbox, 100, |_| 1), [(1, 1)]);
    assert!(!is_behind(&outbox, 1));
}

#[test]
fn a_claim_that_fails_gives_its_places_back_and_is_tried_again() {
    let outbox = knowing(MANY, [1]);
    outbox.fell_behind([destination(1)]);
    drop(outbox.places_for_claim(100));
    assert_eq!(outbox.waiting(), 0);
    assert_eq!(claim(&outbox, 100, |_| 1), [(1, 1)]);
}

#[test]
fn promise_7_destinations_that_are_behind_take_turns_in_claims() {
    let outbox = knowing(MANY, 1..=9);
    outbox.fell_behind((1..=9).map(destination));
    let first = claim(&outbox, 64, |_| 1_000);
    assert_eq!(first, [(1, 16), (2, 16), (3, 16), (4, 16)], "one alone does not get all");
    let second = claim(&outbox, 64, |_| 1_000);
    assert_eq!(second, [(5, 16), (6, 16), (7, 16), (8, 16)]);
    assert_eq!(claim(&outbox, 64, |_| 1_000)[0], (9, 16));
}

#[tokio::test]
async fn a_claim_waits_until_half_of_all_places_are_free() {
    let outbox = knowing(MANY, 1..=5);
    for number in 1..=4 {
        assert_eq!(put_many(&outbox, number, 99), 64);
    }
    assert!(!put(&outbox, 5), "the places are taken");
    outbox.fell_behind([destination(5)]);
    assert!(!is_drained(&outbox).await && claim(&outbox, 100, |_| 1).is_empty());
    while outbox.waiting() > MANY.waiting / 2 {
        assert!(!is_drained(&outbox).await, "{} wait", outbox.waiting());
        begin_all(&outbox).into_iter().for_each(|(_, slot)| drop(slot));
    }
    assert!(is_drained(&outbox).await);
    assert!(claim(&outbox, 100, |_| 1).contains(&(5, 1)));
}

#[tokio::test]
async fn promise_7_what_is_claimed_for_destinations_that_may_not_answer_leaves_half_of_the_places() {
    let outbox = knowing(MANY, [1]);
    outbox.fell_behind((10..20).map(destination));
    assert!(is_drained(&outbox).await);
    let doubtful = claim(&outbox, 1_000, |_| 1_000);
    assert_eq!(doubtful.iter().map(|(_, count)| count).sum::<usize>(), MANY.waiting / 2);
    assert!(!is_drained(&outbox).await, "more of them would take the others' half");
    outbox.fell_behind([destination(1)]);
    assert!(is_drained(&outbox).await);
    assert_eq!(claim(&outbox, 1_000, |_| 1_000)[0], (1, 64), "those that answer go first");
}

/// Lets every attempt that can begin end as `made`, as long as any can; answers how many went to each of `numbers`.
fn end_all<const COUNT: usize>(outbox: &Outbox, numbers: [u128; COUNT], made: Made) -> [usize; COUNT] {
    let mut ended = [0; COUNT];
    loop {
        let begun = begin_all(outbox);
        if begun.is_empty() {
            return ended;
        }
        for (place, number) in numbers.into_iter().enumerate() {
            ended[place] += to(&begun, number);
        }
        for (_, slot) in begun {
            slot.is_over(made);
        }
    }
}

/// Ends attempts at a destination until it counts as failing.
fn let_fail(outbox: &Outbox, number: u128, made: Made) {
    for _ in 0..failing::FAILING_AFTER {
        assert!(put(outbox, number));
        assert_eq!(end_all(outbox, [number], made), [1]);
    }
}

#[test]
fn promise_7_a_destination_whose_every_attempt_fails_at_once_has_a_pace_until_one_succeeds() {
    for made in [Made::Unanswered, Made::Overloaded] {
        let outbox = knowing(LARGE, [1, 2]);
        let_fail(&outbox, 1, made);
        let stored = |_| 1_000;
        outbox.fell_behind([destination(1)]);
        let mut begun = 0;
        for _ in 0..100 {
            claim(&outbox, 1_000, stored);
            begun += end_all(&outbox, [1], made)[0];
        }
        assert_eq!(begun, failing::BEGUN_PER_LOOK, "{made:?}: that is all until the next look");
        assert!(put(&outbox, 2) && end_all(&outbox, [2], Made::Answered) == [1], "others do not notice");
        assert!(outbox.look().is_empty());
        let (to, slot) =
            outbox.take_of(&mut outbox.lock()).map(|(work, slot)| (work.destination, slot)).expect("a turn");
        assert_eq!(to, destination(1));
        slot.is_over(Made::Answered);
        drop(slot);
        let mut begun = 0;
        for _ in 0..10 {
            claim(&outbox, 1_000, stored);
            begun += end_all(&outbox, [1], Made::Answered)[0];
        }
        assert!(
            begun > failing::BEGUN_PER_LOOK * 2,
            "{made:?}: one success, and it goes at full speed again ({begun})"
        );
    }
}

#[test]
fn promise_7_failing_destinations_share_a_pace_and_each_has_its_turn() {
    const NUMBERS: [u128; 5] = [1, 2, 3, 4, 5];
    let outbox = knowing(LARGE, NUMBERS);
    for number in NUMBERS {
        let_fail(&outbox, number, Made::Unanswered);
    }
    outbox.fell_behind(NUMBERS.map(destination));
    let mut sums = [0; 5];
    for _ in 0..10 {
        let mut begun = [0; 5];
        for _ in 0..20 {
            claim(&outbox, 1_000, |_| 1_000);
            let ended = end_all(&outbox, NUMBERS, Made::Unanswered);
            (0..5).for_each(|place| begun[place] += ended[place]);
        }
        assert!(begun.iter().sum::<usize>() <= failing::BEGUN_PER_LOOK_BY_ALL, "{begun:?}");
        (0..5).for_each(|place| sums[place] += begun[place]);
        assert!(outbox.look().is_empty());
    }
    assert!(sums.iter().all(|sum| *sum >= 100), "each has its share of a thousand: {sums:?}");
}

#[test]
fn promise_7_a_receiver_that_refuses_what_it_is_sent_is_not_failing() {
    let outcome = |status| AttemptOutcome::Rejected { status, retry_after: None };
    for (status, made) in
        [(400, Made::Answered), (404, Made::Answered), (429, Made::Overloaded), (503, Made::Overloaded)]
    {
        assert_eq!(Made::of(&outcome(status)), made, "{status}");
    }
    let outbox = knowing(LARGE, [1]);
    let_fail(&outbox, 1, Made::Answered);
    outbox.fell_behind([destination(1)]);
    let mut begun = 0;
    for _ in 0..10 {
        claim(&outbox, 1_000, |_| 1_000);
        begun += end_all(&outbox, [1], Made::Answered)[0];
    }
    assert!(begun > failing::BEGUN_PER_LOOK * 2, "{begun}");
}
