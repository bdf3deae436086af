//! Promise 2, nothing vanishes: every event and every delivery comes to an end that is written down.

mod backups;
mod dead_letters;
mod destinations;
mod ends;
mod full_disk;
mod policies;
mod restarts;
