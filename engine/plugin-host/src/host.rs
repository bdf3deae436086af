//! The engine that compiles and runs plugins, and how it is set up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use weft_core::digest::Digest;

use crate::compiled_code::CompiledCode;
use crate::description::Description;
use crate::guest::Guest;
use crate::memory::TABLE_ENTRIES_MAX;
use crate::refusal::Refusal;
use crate::version::Version;
use crate::{admission, fault, imports, ticker};

/// How much of an instance's memory is cleared by writing zeroes and stays mapped when the instance ends.
///
/// Guests of the SDK fit into it whole (their stack is 64 KiB), so that an event costs no system call and no page fault,
/// which would make two threads slower than one. Clearing more costs more than it saves.
const KEEP_RESIDENT_BYTES: usize = 256 * 1024;
/// The same for tables.
const TABLE_KEEP_RESIDENT_BYTES: usize = 16 * 1024;
/// Core instances of one component: Python components have 108, QuickJS ones 50.
const CORE_INSTANCES_MAX: u32 = 256;
/// Tables of one component; interpreters have 3.
const TABLES_MAX: u32 = 16;
/// Memories of one component; interpreters have 3.
const MEMORIES_MAX: u32 = 4;
/// Bytes of a component instance's own bookkeeping.
const COMPONENT_INSTANCE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a core instance's own bookkeeping.
const CORE_INSTANCE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the host must be able to hold.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Instances alive at once: as many as there are plugin threads, and some for probes. With more, [`Version::instance`]
    /// is a fault of the host.
    pub instances_max: u32,
    /// Largest component that is taken; see [`weft_core::limits::COMPONENT_BYTES`].
    pub component_bytes_max: usize,
    /// The most that any call's `memory_bytes` may be; see [`weft_core::limits::GUEST_MEMORY_BYTES`].
    pub memory_bytes_max: usize,
}

/// Why no host could be made.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The engine does not run on this machine.
    #[error("could not set up the WebAssembly engine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread that stops guests did not start.
    #[error("could not start the thread that ends calls at their limit")]
    Ticker(#[source] std::io::Error),
}

/// Compiles components into versions. Cheap to clone; all clones share one engine.
#[derive(Clone)]
pub struct PluginHost {
    inner: Arc<Inner>,
}

struct Inner {
    config: HostConfig,
    engine: Engine,
    linker: Linker<Guest>,
    compiled_code: Option<CompiledCode>,
    // A compilation takes up to 0.4 GiB: one at a time. How many there were.
    compiling: Mutex<u64>,
}

impl PluginHost {
    /// Sets up the engine and starts the thread that ends calls at their limit; it stops when the host and all versions are gone.
    ///
    /// # Errors
    /// [`HostError`] if the machine lacks what the engine needs.
    pub fn new(config: &HostConfig) -> Result<Self, HostError> {
        Self::with(config, None)
    }

    /// The same, and what it compiles is found there by the next one.
    ///
    /// # Errors
    /// [`HostError`] if the machine lacks what the engine needs.
    pub fn remembering(config: &HostConfig, compiled_code: CompiledCode) -> Result<Self, HostError> {
        Self::with(config, Some(compiled_code))
    }

    fn with(config: &HostConfig, compiled_code: Option<CompiledCode>) -> Result<Self, HostError> {
        let engine = engine(config).map_err(engine_error)?;
        ticker::start(&engine).map_err(HostError::Ticker)?;
        let linker = imports::linker(&engine).map_err(engine_error)?;
        let inner = Inner { config: config.clone(), engine, linker, compiled_code, compiling: Mutex::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Checks and compiles `component`. It takes milliseconds for a compiled language, seconds for an interpreter: call it on a
    /// thread of its own, and [`Version::probe`] afterwards.
    ///
    /// # Errors
    /// A [`Refusal`] says what is wrong and what to do.
    pub fn load(&self, component: &[u8]) -> Result<Version, Refusal> {
        let config = &self.inner.config;
        if component.len() > config.component_bytes_max {
            return Err(Refusal::TooLarge { bytes: component.len(), bytes_max: config.component_bytes_max });
        }
        admission::check_kind(component)?;
        let description = Description::of(component)?;
        let digest = Digest::of(component);
        let compiled = self.compiled(digest, component)?;
        let interfaces = admission::check_interfaces(&self.inner.engine, &compiled)?;
        admission::check_resources(&compiled, config.memory_bytes_max)?;
        let linked = self.inner.linker.instantiate_pre(&compiled).map_err(|e| admission::misfit(&e))?;
        Ok(Version::new(digest, component.len(), linked, interfaces, description))
    }

    /// How many components were compiled and not found as compiled code.
    pub fn compilations(&self) -> u64 {
        *self.inner.compiling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was compiled of `component` before, or is now.
    fn compiled(&self, digest: Digest, component: &[u8]) -> Result<Component, Refusal> {
        let Some(code) = &self.inner.compiled_code else { return self.compile(component) };
        if let Some(compiled) = code.read(&self.inner.engine, digest) {
            return Ok(compiled);
        }
        let compiled = self.compile(component)?;
        code.write(digest, &compiled);
        Ok(compiled)
    }

    fn compile(&self, component: &[u8]) -> Result<Component, Refusal> {
        let mut compilations = self.inner.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        *compilations += 1;
        // A compiler that panics has a bug; the component that shows it is refused and nothing else stops.
        let compiled = catch_unwind(AssertUnwindSafe(|| Component::from_binary(&self.inner.engine, component)));
        match compiled {
            Ok(compiled) => compiled.map_err(|e| admission::compile_refusal(&e)),
            Err(panic) => Err(Refusal::DoesNotCompile { reason: fault::panic_text(&*panic) }),
        }
    }
}

/// The engine, with a pool of instances where the machine has the addresses for one.
fn engine(config: &HostConfig) -> wasmtime::Result<Engine> {
    match Engine::new(&pooling(config)) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            // Each slot reserves some GiB of addresses, which a few machines do not have.
            tracing::warn!("plugins will be slower: no pool of instances could be reserved: {error:#}");
            Engine::new(&base())
        }
    }
}

fn base() -> Config {
    let mut engine = Config::new();
    engine
        .epoch_interruption(true)
        // Guests answer within one call and nothing else runs beside it; support for more doubles the price of a call.
        .concurrency_support(false)
        // The same bytes on every processor.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // What no guest needs is not offered to a hostile one.
        .wasm_memory64(false)
        .wasm_tail_call(false);
    engine
}

fn pooling(config: &HostConfig) -> Config {
    let instances = config.instances_max.max(1);
    let mut pool = PoolingAllocationConfig::new();
    // The totals are the instances times what one may have, so that only too many instances can exhaust the pool.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(instances.saturating_mul(MEMORIES_MAX))
        .total_tables(instances.saturating_mul(TABLES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(COMPONENT_INSTANCE_BYTES_MAX)
        .max_core_instance_size(CORE_INSTANCE_BYTES_MAX)
        .max_memory_size(config.memory_bytes_max)
        .table_elements(TABLE_ENTRIES_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
    let mut engine = base();
    engine.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    engine
}

fn engine_error(error: wasmtime::Error) -> HostError {
    HostError::Engine(error.into_boxed_dyn_error())
}
