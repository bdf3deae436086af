//! `wasi:io`: streams that lead into the log, and pollables that wait for nothing but virtual time.
//!
//! No resource has state of its own: its number says everything, so there is no table that a guest could fill.

use wasmtime::component::{ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut, bail};

use crate::guest::Guest;
use crate::guest_log::Stream;

type Store<'a> = StoreContextMut<'a, Guest>;

/// What a guest may write before it asks again; the specification's `blocking-write-and-flush` takes 4096 in any case.
const WRITE_BYTES: u64 = 64 * 1024;

/// Standard input: at its end.
pub(crate) struct InputStream;

impl InputStream {
    pub(crate) fn stdin() -> Resource<Self> {
        Resource::new_own(0)
    }
}

/// Standard output or standard error.
pub(crate) struct OutputStream;

impl OutputStream {
    pub(crate) fn of(stream: Stream) -> Resource<Self> {
        Resource::new_own(match stream {
            Stream::Out => 1,
            Stream::Err => 2,
        })
    }

    fn print(store: &mut Store<'_>, this: &Resource<Self>, bytes: &[u8]) {
        let stream = if this.rep() == 1 { Stream::Out } else { Stream::Err };
        store.data_mut().log.print(stream, bytes);
    }
}

/// Something to wait for: its number is the time in milliseconds at which it is due.
pub(crate) struct Pollable;

impl Pollable {
    pub(crate) fn due_at(ms: u32) -> Resource<Self> {
        Resource::new_own(ms)
    }

    fn ready() -> Resource<Self> {
        Self::due_at(0)
    }
}

/// Why a stream failed; ours never do.
struct StreamFailure;

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "the type must have it; our streams never fail")]
    LastOperationFailed(Resource<StreamFailure>),
    #[component(name = "closed")]
    Closed,
}

pub(super) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.0")?;
    error.resource("error", ResourceType::host::<StreamFailure>(), |_, _| Ok(()))?;
    error.func_wrap("[method]error.to-debug-string", |_: Store<'_>, (_,): (Resource<StreamFailure>,)| {
        Ok((String::new(),))
    })?;
    link_poll(&mut linker.instance("wasi:io/poll@0.2.0")?)?;
    let mut streams = linker.instance("wasi:io/streams@0.2.0")?;
    link_input(&mut streams)?;
    link_output(&mut streams)
}

fn link_poll(poll: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    poll.resource("pollable", ResourceType::host::<Pollable>(), |_, _| Ok(()))?;
    poll.func_wrap("[method]pollable.ready", |store: Store<'_>, (this,): (Resource<Pollable>,)| {
        Ok((store.data().time.has_reached(this.rep()),))
    })?;
    poll.func_wrap("[method]pollable.block", |mut store: Store<'_>, (this,): (Resource<Pollable>,)| {
        store.data_mut().time.wait_until(this.rep());
        Ok(())
    })?;
    poll.func_wrap("poll", |mut store: Store<'_>, (all,): (Vec<Resource<Pollable>>,)| {
        let Some(soonest) = all.iter().map(Resource::rep).min() else {
            bail!("the guest polls an empty list, which would wait for ever");
        };
        let time = &mut store.data_mut().time;
        time.wait_until(soonest);
        let is_ready = |one: &Resource<Pollable>| time.has_reached(one.rep());
        let ready = (0_u32..).zip(&all).filter(|(_, one)| is_ready(one)).map(|(place, _)| place);
        Ok((ready.collect::<Vec<_>>(),))
    })
}

fn link_input(streams: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    type This = Resource<InputStream>;

    streams.resource("input-stream", ResourceType::host::<InputStream>(), |_, _| Ok(()))?;
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        streams.func_wrap(read, |_: Store<'_>, (_, _): (This, u64)| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))?;
    }
    for skip in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        streams.func_wrap(skip, |_: Store<'_>, (_, _): (This, u64)| Ok((Err::<u64, _>(StreamError::Closed),)))?;
    }
    streams.func_wrap("[method]input-stream.subscribe", |_: Store<'_>, (_,): (This,)| Ok((Pollable::ready(),)))
}

fn link_output(streams: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    type This = Resource<OutputStream>;

    streams.resource("output-stream", ResourceType::host::<OutputStream>(), |_, _| Ok(()))?;
    streams.func_wrap("[method]output-stream.check-write", |_: Store<'_>, (_,): (This,)| {
        Ok((Ok::<_, StreamError>(WRITE_BYTES),))
    })?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        streams.func_wrap(write, |mut store: Store<'_>, (this, bytes): (This, Vec<u8>)| {
            OutputStream::print(&mut store, &this, &bytes);
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        streams.func_wrap(flush, |_: Store<'_>, (_,): (This,)| Ok((Ok::<_, StreamError>(()),)))?;
    }
    streams.func_wrap("[method]output-stream.subscribe", |_: Store<'_>, (_,): (This,)| Ok((Pollable::ready(),)))?;
    for zeroes in ["[method]output-stream.write-zeroes", "[method]output-stream.blocking-write-zeroes-and-flush"] {
        // Zeroes are nothing that a log could show.
        streams.func_wrap(zeroes, |_: Store<'_>, (_, _): (This, u64)| Ok((Ok::<_, StreamError>(()),)))?;
    }
    for splice in ["[method]output-stream.splice", "[method]output-stream.blocking-splice"] {
        streams.func_wrap(splice, |_: Store<'_>, (_, _, _): (This, Resource<InputStream>, u64)| {
            Ok((Err::<u64, _>(StreamError::Closed),))
        })?;
    }
    Ok(())
}
