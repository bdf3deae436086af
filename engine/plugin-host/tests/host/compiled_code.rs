//! Compiled code is found by the next start, and only if it is what was written.

use std::fs;
use std::path::{Path, PathBuf};

use weft_core::contract::Role;
use weft_plugin_host::{CompiledCode, PluginHost};

use crate::{Step, component, config};

const KEY: [u8; 32] = [7; 32];

/// A start of an engine with this key.
fn start(folder: &Path, key: [u8; 32]) -> PluginHost {
    PluginHost::remembering(&config(), CompiledCode::in_folder(folder.to_owned(), key)).expect("a host")
}

/// Loads and probes `stamp`, and answers how many components were compiled for that.
fn compilations_for_stamp(folder: &Path, key: [u8; 32]) -> u64 {
    let host = start(folder, key);
    let version = host.load(&component("stamp")).expect("a version");
    assert_eq!((version.roles(), version.probe(&Step::of("ok").call())), (&[Role::Transform][..], Ok(())));
    host.compilations()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()).collect()
}

#[test]
fn what_was_compiled_is_found_by_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(compilations_for_stamp(folder.path(), KEY), 1);
    assert_eq!(compilations_for_stamp(folder.path(), KEY), 0);
    fs::remove_dir_all(folder.path()).expect("it may be removed at any time");
    assert_eq!(compilations_for_stamp(folder.path(), KEY), 1);
}

#[test]
fn promise_5_code_that_was_changed_cut_or_written_by_a_stranger_is_compiled_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let with_file = |change: &dyn Fn(&mut Vec<u8>)| {
        compilations_for_stamp(folder.path(), KEY);
        let [file] = &files(folder.path())[..] else { panic!("one file") };
        let mut content = fs::read(file).expect("it can be read");
        change(&mut content);
        fs::write(file, content).expect("it can be written");
        compilations_for_stamp(folder.path(), KEY)
    };
    assert_eq!(with_file(&|_| {}), 0, "nothing was changed");
    assert_eq!(with_file(&|content| *content.last_mut().expect("code") ^= 1), 1);
    assert_eq!(with_file(&|content| content[0] ^= 1), 1, "the tag counts, too");
    assert_eq!(with_file(&|content| content.truncate(content.len() / 2)), 1);
    assert_eq!(with_file(&Vec::clear), 1);
    assert_eq!(compilations_for_stamp(folder.path(), [8; 32]), 1, "another key vouches for nothing of this one");
}

#[test]
fn promise_5_code_of_one_component_is_not_taken_for_anothers() {
    let folder = tempfile::tempdir().expect("a folder");
    start(folder.path(), KEY).load(&component("hostile")).expect("a version");
    let [hostile] = &files(folder.path())[..] else { panic!("one file") };
    compilations_for_stamp(folder.path(), KEY);
    let stamp = files(folder.path()).into_iter().find(|file| file != hostile).expect("the other");
    fs::copy(hostile, stamp).expect("it can be written");
    assert_eq!(compilations_for_stamp(folder.path(), KEY), 1);
}
