//! The process of a server, which does not outlive whoever started it.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::PostgresError;

/// Ends a server that was asked to and does not: far longer than a stop with everything in the cache takes.
const STOP_MAX: Duration = Duration::from_secs(60);

/// A running process. A thread of its own starts and awaits it: the signal for orphans is sent when the *thread* that
/// started them ends, and a test's thread ends long before a server that tests share.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    ended: Receiver<()>,
    is_over: bool,
}

impl Process {
    /// Starts a command, which must be wrapped by [`dies_with_us`] to end with this process.
    ///
    /// # Errors
    /// [`PostgresError::Program`].
    pub(crate) fn start(mut command: Command) -> Result<Self, PostgresError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| PostgresError::Program { doing: "start", program, source };
        let (started, starting) = channel();
        let (end, ended) = channel();
        let keeper = move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error))),
            };
            // Nobody is left to tell when the other end has been dropped.
            drop(started.send(Ok(child.id())));
            drop(child.wait());
            let _ = end.send(());
        };
        let spawned = thread::Builder::new().name("postgres".to_owned()).spawn(keeper);
        let id = spawned.and_then(|_| starting.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())));
        let pid = id.and_then(|id| {
            let id = i32::try_from(id).map_err(io::Error::other)?;
            Pid::from_raw(id).ok_or_else(|| io::Error::other("a process without a number"))
        });
        Ok(Self { pid: pid.map_err(failed)?, ended, is_over: false })
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.is_over = self.is_over || !matches!(self.ended.try_recv(), Err(TryRecvError::Empty));
        self.is_over
    }

    /// Sends a signal and waits until the process has ended; kills it if it does not.
    pub(crate) fn end(&mut self, signal: Signal) {
        if self.is_over() {
            return;
        }
        // It may have ended by itself.
        let _ = kill_process(self.pid, signal);
        if self.ended.recv_timeout(STOP_MAX) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.ended.recv();
        }
        self.is_over = true;
    }
}

/// Wraps a program so that it gets `SIGQUIT` when we die, however that comes about. Where there is no `setpriv` (it is of
/// Linux), a server is stopped by whoever drops it and by nobody else.
pub(crate) fn dies_with_us(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if setpriv.is_file() {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // Ctrl-C is for whoever started it, who may need it for a while longer.
    command.process_group(0);
    command
}
