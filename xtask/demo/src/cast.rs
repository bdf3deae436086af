//! The receivers and what they need to know: who takes what for whom, and how each behaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use weft_client::Client;

use crate::compare::Behaviour;
use crate::receipts::{Place, Receipts};
use crate::receiver::{self, Health, Receiver, Taken, Verifiers};

/// The receivers that `examples/quickstart/weft.toml` names by their ports, and how each behaves.
pub(crate) const RECEIVERS: [(u16, Behaviour); 3] =
    [(7421, Behaviour::Well), (7422, Behaviour::Recovers), (7423, Behaviour::Fails)];

/// 3 s: less than half of what the `retry_waits` of its destinations, 15.75 s, last at least.
pub(crate) const DOWN_FOR: Duration = Duration::from_secs(3);

/// Ports that are ours, with nobody behind them yet.
pub(crate) struct Listeners(Vec<(TcpListener, u16, Behaviour)>);

impl Listeners {
    /// Takes the receivers' ports.
    ///
    /// # Errors
    /// When somebody else has one.
    pub(crate) async fn take() -> Result<Self> {
        let mut listeners = Vec::new();
        for (port, behaviour) in RECEIVERS {
            listeners.push((receiver::listen(port).await?, port, behaviour));
        }
        Ok(Self(listeners))
    }
}

/// The receivers, at work until this is dropped with the runtime.
pub(crate) struct Cast {
    pub(crate) receipts: Arc<Receipts>,
    /// How the receiver of each destination behaves.
    pub(crate) behaviours: BTreeMap<Place, Behaviour>,
    receivers: Vec<Arc<Receiver>>,
}

impl Cast {
    /// Asks the engine where its destinations are and what they are signed with, and starts the receivers.
    ///
    /// Everything that is taken is told to `taken` as well.
    ///
    /// # Errors
    /// When the engine does not tell, or names an address that no receiver has.
    pub(crate) async fn assemble(
        listeners: Listeners,
        operator: &Client,
        tenants: &BTreeMap<&'static str, Client>,
        taken: mpsc::UnboundedSender<Taken>,
    ) -> Result<Self> {
        let (mut behaviours, mut verifiers) = (BTreeMap::new(), Verifiers::new());
        for destination in operator.destinations().await.context("could not list the destinations")?.destinations {
            let place = Place::new(&destination.tenant, &destination.name);
            behaviours.insert(place.clone(), behaviour_of(&destination.url, &place)?);
            let client = tenants.get(destination.tenant.as_str()).with_context(|| format!("{place}: no key"))?;
            let secrets = client.destination_secrets(&destination.name).await;
            let secrets = secrets.with_context(|| format!("could not read the secrets of {place}"))?.secrets;
            let newest = secrets.first().with_context(|| format!("{place} has no secret"))?;
            let verifier = Webhook::new(newest).with_context(|| format!("the secret of {place}"))?;
            verifiers.insert(place, verifier);
        }
        let (receipts, verifiers) = (Arc::new(Receipts::new()), Arc::new(verifiers));
        let mut receivers = Vec::new();
        for (listener, _, behaviour) in listeners.0 {
            let health = match behaviour {
                Behaviour::Well => Health::Well,
                Behaviour::Recovers => Health::down_for(DOWN_FOR),
                Behaviour::Fails => Health::down(),
            };
            let (verifiers, receipts, taken) = (verifiers.clone(), receipts.clone(), taken.clone());
            let receiver = Arc::new(Receiver { health, verifiers, receipts, taken });
            tokio::spawn(receiver.clone().serve(listener));
            receivers.push(receiver);
        }
        Ok(Self { receipts, behaviours, receivers })
    }

    /// The destinations whose receiver behaves so.
    pub(crate) fn places(&self, behaviour: Behaviour) -> Vec<Place> {
        let places = self.behaviours.iter().filter(|(_, of_place)| **of_place == behaviour);
        places.map(|(place, _)| place.clone()).collect()
    }

    /// Tells the receiver that fails to be well.
    pub(crate) fn recover(&self) {
        self.receivers.iter().for_each(|receiver| receiver.health.recover());
    }
}

/// How the receiver at `url` behaves.
fn behaviour_of(url: &str, place: &Place) -> Result<Behaviour> {
    let address: http::Uri = url.parse().with_context(|| format!("the address of {place}"))?;
    ensure!(
        Place::of_path(address.path()).as_ref() == Some(place),
        "{place} has the address {url}: its path must be /{place}"
    );
    let receiver = RECEIVERS.iter().find(|(port, _)| Some(*port) == address.port_u16());
    receiver.map(|(_, behaviour)| *behaviour).with_context(|| format!("{place}: the demo has no receiver at {url}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_an_address_decides_how_its_receiver_behaves() {
        let (crm, pager) = (Place::new("shop", "crm"), Place::new("devtools", "pager"));
        assert_eq!(behaviour_of("http://127.0.0.1:7421/shop/crm", &crm).expect("ours"), Behaviour::Well);
        assert_eq!(behaviour_of("http://127.0.0.1:7423/devtools/pager", &pager).expect("ours"), Behaviour::Fails);
        assert!(behaviour_of("http://127.0.0.1:9/shop/crm", &crm).is_err());
        assert!(behaviour_of("http://127.0.0.1:7421/shop/other", &crm).is_err());
    }
}
