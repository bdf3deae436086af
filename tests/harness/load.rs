//! Orders sent beside each other, with a memory of what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Caller, Order, within};

/// Senders that send orders one after the other until the load is ended, or until the engine does not answer any more.
///
/// Each order has a key of its own, `order-<number>`, so that what was not answered can be sent again.
#[derive(Debug)]
pub struct Load {
    senders: JoinSet<()>,
    memory: Arc<watch::Sender<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    acknowledged: Acknowledged,
    unanswered: Vec<usize>,
    /// Those who have not given up.
    senders: usize,
    is_over: bool,
}

/// The ids of the acknowledged events by the number of their order.
pub type Acknowledged = BTreeMap<usize, String>;

impl Load {
    /// Starts `senders` senders, whose orders have numbers from `first` on.
    pub fn begin(caller: &Caller, senders: usize, first: usize) -> Self {
        let memory = Arc::new(watch::Sender::new(Memory { senders, ..Memory::default() }));
        let next = Arc::new(AtomicUsize::new(first));
        let mut running = JoinSet::new();
        for _ in 0..senders {
            running.spawn(send(caller.clone(), next.clone(), memory.clone()));
        }
        Self { senders: running, memory }
    }

    /// Waits until at least `count` orders are acknowledged; `false` if it does not come to that because the engine has
    /// stopped answering.
    pub async fn acknowledged(&self, count: usize) -> bool {
        let mut memory = self.memory.subscribe();
        let enough = memory.wait_for(|memory| memory.acknowledged.len() >= count || memory.senders == 0);
        let memory = within(&format!("{count} acknowledged events"), enough).await;
        memory.expect("the load holds the other end").acknowledged.len() >= count
    }

    /// Ends the load: what was acknowledged, and the numbers of the orders whose answer never came.
    pub async fn end(mut self) -> (Acknowledged, Vec<usize>) {
        self.memory.send_modify(|memory| memory.is_over = true);
        let ended = async { while self.senders.join_next().await.is_some() {} };
        within("the senders end", ended).await;
        let memory = self.memory.send_replace(Memory::default());
        (memory.acknowledged, memory.unanswered)
    }
}

async fn send(caller: Caller, next: Arc<AtomicUsize>, memory: Arc<watch::Sender<Memory>>) {
    while !memory.borrow().is_over {
        let number = next.fetch_add(1, Ordering::Relaxed);
        match caller.try_send(&Order::keyed(number)).await {
            Ok(accepted) => memory.send_modify(|memory| drop(memory.acknowledged.insert(number, accepted.id))),
            Err(_) => {
                memory.send_modify(|memory| memory.unanswered.push(number));
                break;
            }
        }
    }
    memory.send_modify(|memory| memory.senders -= 1);
}
