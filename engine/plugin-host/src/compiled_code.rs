//! Compiled code, kept between starts: an interpreter takes seconds to compile and milliseconds to read.
//!
//! Compiled code is run as it is found: whoever can change it can do what the engine can. So each file carries a tag under a key that only the
//! engine has, over the component's digest and the code; what does not verify, was compiled by another release or for another machine, or
//! cannot be read is compiled anew. It is read whole into memory, so that a later change of the file changes nothing.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;
use weft_core::digest::Digest;

/// What the tag covers first: the purpose, and the layout of the file.
const PURPOSE: &[u8] = b"weft compiled code 1";
/// Bytes of the tag that a file begins with.
const TAG_BYTES: usize = 32;
/// What files end with.
const ENDING: &str = "compiled";
/// What all files together may take; the ones that were written longest ago go first. A Python plugin has some 60 MB.
const FOLDER_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

type Tag = Hmac<Sha256>;

/// A folder of compiled code, and the key that vouches for it.
#[derive(Clone)]
pub struct CompiledCode {
    folder: PathBuf,
    key: [u8; 32],
}

/// Shows where it is, not the key.
impl fmt::Debug for CompiledCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompiledCode({})", self.folder.display())
    }
}

impl CompiledCode {
    /// Code in `folder`, which need not exist yet and should be the engine's own, vouched for by `key`.
    pub fn in_folder(folder: PathBuf, key: [u8; 32]) -> Self {
        Self { folder, key }
    }

    /// What was compiled of the component with this digest, if it is there and as it was written.
    #[expect(unsafe_code, reason = "code whose tag verifies was written by an engine with this key")]
    pub(crate) fn read(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let file = fs::read(self.path(digest)).ok()?;
        let (tag, code) = file.split_at_checked(TAG_BYTES)?;
        if self.tag(digest, code).verify_slice(tag).is_err() {
            tracing::warn!(version = digest.short(), "compiled code is not as it was written; it is compiled anew");
            return None;
        }
        // SAFETY: `deserialize` takes what `serialize` made. The tag says that an engine with our key made it; whether it was another
        // release or another machine wasmtime finds out by itself and refuses.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Keeps what was compiled; what cannot be written is compiled again at the next start.
    pub(crate) fn write(&self, digest: Digest, compiled: &Component) {
        if let Err(error) = self.try_write(digest, compiled) {
            let folder = self.folder.display();
            tracing::warn!("compiled code could not be kept in {folder}, and the next start takes longer: {error:#}");
        }
    }

    fn try_write(&self, digest: Digest, compiled: &Component) -> wasmtime::Result<()> {
        let code = compiled.serialize()?;
        let tag = self.tag(digest, &code).finalize().into_bytes();
        fs::create_dir_all(&self.folder)?;
        self.make_room(code.len() as u64)?;
        let path = self.path(digest);
        let partial = path.with_extension("partial");
        let mut file = Vec::with_capacity(TAG_BYTES + code.len());
        file.extend_from_slice(&tag);
        file.extend_from_slice(&code);
        fs::write(&partial, file)?;
        Ok(fs::rename(partial, path)?)
    }

    /// Removes the oldest files until `bytes` more are not too many.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, about.len(), entry.path()));
        }
        files.sort_unstable();
        let mut all = bytes + files.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for (_, bytes, path) in files {
            if all <= FOLDER_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            all -= bytes;
        }
        Ok(())
    }

    fn tag(&self, digest: Digest, code: &[u8]) -> Tag {
        Tag::new_from_slice(&self.key)
            .expect("a key of any length will do")
            .chain_update(PURPOSE)
            .chain_update(digest.as_bytes())
            .chain_update(code)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        Path::new(&self.folder).join(digest.to_string()).with_extension(ENDING)
    }
}
