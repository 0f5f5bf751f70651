//! What the service manager is told: ready, stopping, a line for `systemctl
//! status`, and that the process is alive (sd_notify(3)). Without a service
//! manager that asks, nothing is told.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::net::UnixDatagram,
    path::Path,
    process,
    sync::Arc,
    time::Duration,
};

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{Status, Subject, defaults::STATUS_LINE};

/// The socket of the service manager.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    watchdog: Option<Duration>,
}

impl Notify {
    /// The service manager that started this process, if it wants to be told.
    ///
    /// # Errors
    /// It names a socket that cannot be used.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let number = |name| {
            env::var(name)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
        };
        // Set for another process: a child of the service inherits both.
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| ours);
        Self::to(&address, watchdog.map(Duration::from_micros)).map(Some)
    }

    /// A service manager at `address`, a path or an abstract name after `@`,
    /// that expects a sign of life within every `watchdog`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn to(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        match abstract_name(address) {
            Some(name) => connect_abstract(&socket, &name)?,
            None => socket.connect(Path::new(address))?,
        }
        // To a manager that does not read we say nothing, and wait for nothing.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            watchdog: watchdog.filter(|every| !every.is_zero()),
        })
    }

    /// Sends one state. A manager that went away is no reason to stop.
    fn tell(&self, state: &str) {
        if let Err(error) = self.socket.send(state.as_bytes()) {
            tracing::debug!("the service manager was not told: {error}");
        }
    }

    /// Everything that was started is up: sockets are open and what is stored
    /// is served. Whether upstreams answer is told by [`run`](Self::run).
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is being read again; [`ready`](Self::ready) ends it.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The process stops.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    /// Keeps the status line current and gives signs of life until `stop`. A
    /// sign of life is given only after the subject said what it does: a
    /// process that hangs there is one the manager should restart.
    pub async fn run(self: Arc<Self>, subject: Arc<dyn Subject>, stop: CancellationToken) {
        // Half of what is asked for, as its manual advises.
        let pause = self
            .watchdog
            .map_or(STATUS_LINE, |every| STATUS_LINE.min(every / 2));
        let mut told = String::new();
        loop {
            let Some(status) = stop.run_until_cancelled(subject.status()).await else {
                return;
            };
            let line = format!("STATUS={}", words(&status));
            if self.watchdog.is_some() {
                self.tell("WATCHDOG=1");
            }
            if line != told {
                self.tell(&line);
                told = line;
            }
            if stop.run_until_cancelled(time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }
}

fn abstract_name(address: &OsStr) -> Option<OsString> {
    let name = address.as_encoded_bytes().strip_prefix(b"@")?;
    // What follows an ASCII letter is whole.
    String::from_utf8(name.to_vec()).ok().map(OsString::from)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn connect_abstract(socket: &UnixDatagram, name: &OsStr) -> io::Result<()> {
    use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    let address = SocketAddr::from_abstract_name(name.as_encoded_bytes())?;
    socket.connect_addr(&address)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn connect_abstract(_: &UnixDatagram, _: &OsStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// One line: what is wrong, or how far each chain is. Words of upstreams can
/// be in it, so that nothing in them may end the line.
fn words(status: &Status) -> String {
    let chains = status.chains.iter().map(|(name, chain)| {
        let height = chain
            .local_height
            .map_or("?".to_owned(), |it| it.to_string());
        format!("{name}: {height}, {}", chain.state)
    });
    let all = match status.not_ready.is_empty() {
        true => chains.collect::<Vec<_>>().join("; "),
        false => format!("not ready: {}", status.not_ready.join("; ")),
    };
    let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
    all.chars().take(LONGEST).map(printable).collect()
}

/// Letters of a status line: what fits in a terminal's few lines.
const LONGEST: usize = 400;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::{FutureExt, future::BoxFuture};
    use tokio::net::UnixDatagram as Socket;

    use super::*;
    use crate::ChainStatus;

    struct Said(ChainStatus);

    impl Subject for Said {
        fn status(&self) -> BoxFuture<'_, Status> {
            let chains = BTreeMap::from([("alpha".to_owned(), self.0.clone())]);
            futures::future::ready(Status::of("1", 0, chains)).boxed()
        }

        fn evidence(&self) -> BoxFuture<'_, serde_json::Value> {
            futures::future::ready(serde_json::Value::Null).boxed()
        }
    }

    async fn next(manager: &Socket) -> String {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).await.expect("a datagram");
        String::from_utf8(bytes[..length].to_vec()).expect("text")
    }

    #[tokio::test]
    async fn the_manager_hears_ready_signs_of_life_status_and_stopping() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = Socket::bind(&path).expect("a socket");
        let every = Some(Duration::from_millis(20));
        let notify = Arc::new(Notify::to(path.as_os_str(), every).expect("it listens"));
        notify.ready();
        assert_eq!(next(&manager).await, "READY=1");

        let subject = Said(ChainStatus {
            local_height: Some(12),
            state: "following".into(),
            not_ready: vec!["stale\nREADY=1".into()],
            ..ChainStatus::default()
        });
        let stop = CancellationToken::new();
        let run = tokio::spawn(Arc::clone(&notify).run(Arc::new(subject), stop.clone()));
        assert_eq!(next(&manager).await, "WATCHDOG=1");
        let line = next(&manager).await;
        assert_eq!(line, "STATUS=not ready: alpha: stale READY=1");
        // The line did not change; the process is still alive.
        assert_eq!(next(&manager).await, "WATCHDOG=1");
        assert_eq!(next(&manager).await, "WATCHDOG=1");
        stop.cancel();
        run.await.expect("it ends");
        notify.reloading();
        notify.stopping();
        let mut said = next(&manager).await;
        while said == "WATCHDOG=1" {
            said = next(&manager).await;
        }
        assert!(said.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{said}");
        assert!(next(&manager).await.starts_with("STOPPING=1\n"));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_manager_with_an_abstract_name_is_found() {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        let name = format!("heliostat-test-{}", process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("a socket");
        manager.set_nonblocking(true).expect("a socket");
        let manager = Socket::from_std(manager).expect("a socket");
        let asked = OsString::from(format!("@{name}"));
        Notify::to(&asked, None).expect("it listens").ready();
        assert_eq!(next(&manager).await, "READY=1");
    }

    #[tokio::test]
    async fn a_manager_that_does_not_read_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = Socket::bind(&path).expect("a socket");
        let notify = Notify::to(path.as_os_str(), None).expect("it listens");
        for _ in 0..10_000 {
            notify.ready();
        }
        drop(manager);
        notify.ready();
    }

    #[test]
    fn a_socket_that_is_not_there_is_an_error() {
        assert!(Notify::to(OsStr::new("/nowhere/at/all"), None).is_err());
    }
}
