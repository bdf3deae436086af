//! The plugin host against real guests, compiled from source: what it answers, contains, repeats and refuses.

mod answers;
mod compiled_code;
mod containment;
mod determinism;
mod lending;
mod loading;
mod released;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use uuid::Uuid;
use weft_core::contract::{EventView, Fault, Outputs, Patch, PayloadView};
use weft_core::event::Header;
use weft_core::id::EventId;
use weft_core::limits::CallLimits;
use weft_core::time::Timestamp;
use weft_plugin_host::{CallContext, HostConfig, Instance, PluginHost, Version};

static HOST: LazyLock<PluginHost> = LazyLock::new(|| PluginHost::new(&config()).expect("a host on this machine"));
static HOSTILE: LazyLock<Version> = LazyLock::new(|| load("hostile"));

fn config() -> HostConfig {
    HostConfig { instances_max: 32, component_bytes_max: 32 << 20, memory_bytes_max: 256 << 20 }
}

/// The component of this name, as `cargo xtask components` builds it.
fn component(name: &str) -> Vec<u8> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let folder = std::env::var_os("WEFT_COMPONENTS").map_or_else(default, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; build it with `cargo xtask components`", path.display()))
}

fn load(name: &str) -> Version {
    HOST.load(&component(name)).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
}

/// One step: a configuration and limits, for one output of one event.
struct Step {
    config: Arc<str>,
    limits: CallLimits,
    event: u128,
    output: u32,
}

impl Step {
    /// A step whose hostile plugin behaves like this, with the default limits but for the time: a busy machine is no fault.
    fn of(behaviour: &str) -> Self {
        let config = format!(r#"{{"do": "{behaviour}"}}"#).into();
        let limits = CallLimits { call: Duration::from_secs(20), ..CallLimits::default() };
        Self { config, limits, event: 7, output: 0 }
    }

    /// The same with so much time for a call.
    fn within_ms(mut self, ms: u64) -> Self {
        self.limits.call = Duration::from_millis(ms);
        self
    }

    fn instance(&self) -> Instance {
        self.try_instance(&HOSTILE).expect("an instance")
    }

    fn try_instance(&self, version: &Version) -> Result<Instance, Fault> {
        version.instance(&self.call(), None)
    }

    fn call(&self) -> CallContext<'_> {
        CallContext {
            config: &self.config,
            limits: &self.limits,
            received_at: Timestamp::from_ms(1_614_265_330_007),
            event: EventId::from_uuid(Uuid::from_u128(self.event)),
            output: self.output,
        }
    }

    /// Transforms the usual event on a fresh instance.
    fn transform(&self) -> Result<Vec<Patch>, Fault> {
        match self.instance().transform(&event(&[], &[]))?.expect("outputs") {
            Outputs::Events(patches) => Ok(patches),
            Outputs::Drop(reason) => panic!("dropped: {reason}"),
        }
    }

    /// The attributes of the only output.
    fn attributes(&self) -> Vec<Header> {
        self.transform().expect("no fault").remove(0).set_attributes
    }
}

fn event<'a>(headers: &'a [Header], attributes: &'a [Header]) -> EventView<'a> {
    EventView {
        id: "evt_01h2xcejqtf2nbrexx3vqjhp41",
        output: 0,
        event_type: "order.created",
        source: "shop",
        content_type: "application/json",
        received_at: "2021-02-25T15:02:10.007Z",
        ordering_key: None,
        headers,
        attributes,
        data: PayloadView::Text(r#"{"order":"ünïcode"}"#),
    }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.to_owned() }
}
