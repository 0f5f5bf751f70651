//! A PostgreSQL server of one's own.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::Authority;

/// Only the socket's name holds it: nothing listens on the network, unless
/// the cluster was given a certificate.
const PORT: u16 = 5432;
/// The name in a certificate of [`PrivatePostgres::start_with_tls`].
const HOST: &str = "localhost";
const USER: &str = "heliostat";
/// Odd enough that a test can look for it where it must not be.
const PASSWORD: &str = "pa%40ss-secret-7f3a";
const PASSWORD_PLAIN: &str = "pa@ss-secret-7f3a";
/// `initdb` and crash recovery on a busy machine take seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// Accounts that exist where `initdb` would refuse to run as root.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// Keeps the server and ends it with this process, even if that is killed:
/// then the pipe it reads from closes.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses="$4" -c ssl="$5" \
    -c fsync=off -c max_connections=60 </dev/null >"$2/log" 2>&1 &
server=$!
echo "$server"
read -r word || word=quit
case "$word" in
    stop) kill -INT "$server" ;;
    kill) kill -KILL "$server" ;;
    *) kill -QUIT "$server" ;;
esac
wait "$server"
"#;

/// A cluster made by the machine's `initdb` in a temporary directory, reached
/// through a Unix socket there. Runs without `fsync`: tests kill processes,
/// they cannot cut the power.
pub struct PrivatePostgres {
    home: TempDir,
    tools: PathBuf,
    account: Option<(u32, u32)>,
    server: Option<Child>,
    databases: Mutex<HashSet<String>>,
    port: u16,
    tls: Tls,
}

/// How a cluster is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    /// By its Unix socket alone.
    Local,
    /// By loopback too, without TLS.
    Plain,
    /// By loopback too, with TLS for those who ask.
    Offered,
}

impl PrivatePostgres {
    /// Makes a cluster and starts it. `None`, with a line on stderr, where the
    /// machine has no `initdb`. Panics when it has one that does not work.
    pub fn start_new() -> Option<Self> {
        Self::new(Tls::Local)
    }

    /// One that listens on loopback too ([`Self::network_url`]) and has a
    /// certificate for `localhost`, signed by a CA made for it alone
    /// ([`Self::authority`]). TLS is offered until [`Self::offer_tls`] says
    /// otherwise.
    pub fn start_with_tls() -> Option<Self> {
        Self::new(Tls::Offered)
    }

    fn new(tls: Tls) -> Option<Self> {
        let Some(tools) = tools() else {
            eprintln!("skipped: no initdb in PATH or /usr/lib/postgresql/*/bin");
            return None;
        };
        let home = tempfile::Builder::new()
            .prefix("heliostat-pg-")
            .tempdir()
            .expect("a temporary directory can be made");
        let account = account(home.path());
        if let Some((user, group)) = account {
            std::os::unix::fs::chown(home.path(), Some(user), Some(group))
                .expect("root can give a directory away");
        }
        let mut cluster = Self {
            home,
            tools,
            account,
            server: None,
            databases: Mutex::default(),
            port: PORT,
            tls,
        };
        cluster.init();
        if tls != Tls::Local {
            cluster.certify();
            cluster.port = free_port();
        }
        cluster.start();
        Some(cluster)
    }

    fn init(&self) {
        let secret = self.home.path().join("password");
        fs::write(&secret, PASSWORD_PLAIN).expect("the directory is ours");
        if let Some((user, group)) = self.account {
            std::os::unix::fs::chown(&secret, Some(user), Some(group))
                .expect("root can give a file away");
        }
        let made = self
            .command(&self.tools.join("initdb"))
            .arg("-D")
            .arg(self.home.path().join("data"))
            .arg("--pwfile")
            .arg(&secret)
            .args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8"])
            .args(["--locale=C", "--no-sync"])
            .output()
            .expect("initdb can be run");
        let told = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb failed: {told}");
    }

    fn command(&self, program: &Path) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(program);
        command.current_dir(self.home.path());
        if let Some((user, group)) = self.account {
            command.gid(group).uid(user);
        }
        command
    }

    /// Starts the server, and waits until it takes connections.
    pub fn start(&mut self) {
        let began = Instant::now();
        while self.server.is_none() {
            assert!(began.elapsed() < PATIENCE, "no start: {}", self.log());
            self.try_start(began);
        }
    }

    /// One attempt; in vain while processes of a killed server linger.
    fn try_start(&mut self, began: Instant) {
        let mut keeper = self
            .command(Path::new("sh"))
            .args(["-c", KEEPER, "keeper"])
            .args([&self.tools, self.home.path()])
            .arg(self.port.to_string())
            .arg(if self.tls == Tls::Local {
                ""
            } else {
                "127.0.0.1"
            })
            .arg(if self.tls == Tls::Offered {
                "on"
            } else {
                "off"
            })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let mut process = String::new();
        BufReader::new(keeper.stdout.take().expect("it is piped"))
            .read_line(&mut process)
            .expect("the keeper names the server");
        let ready = || {
            let state = fs::read_to_string(self.home.path().join("data/postmaster.pid"));
            let state = state.unwrap_or_default();
            let mut lines = state.lines();
            lines.next() == Some(process.trim())
                && lines.next_back().is_some_and(|line| line.trim() == "ready")
        };
        while !ready() {
            let log = self.log();
            let taken = self.tls != Tls::Local && log.contains("could not bind");
            if taken || log.contains("pre-existing shared memory") || log.contains("postmaster.pid")
            {
                drop(keeper.stdin.take());
                keeper.wait().expect("the keeper ends with its server");
                if taken {
                    self.port = free_port();
                }
                thread::sleep(PAUSE);
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not ready: {log}");
            thread::sleep(PAUSE);
        }
        self.server = Some(keeper);
    }

    fn end(&mut self, word: &str) {
        let Some(mut keeper) = self.server.take() else {
            return;
        };
        if let Some(mut orders) = keeper.stdin.take() {
            // When it is gone already, there is nobody to tell.
            let _ = writeln!(orders, "{word}");
        }
        let _ = keeper.wait();
    }

    /// Stops the server in good order: sessions are cut, data is flushed.
    pub fn stop(&mut self) {
        self.end("stop");
    }

    /// Stops it at once; it recovers from its log when it starts again.
    pub fn stop_immediately(&mut self) {
        self.end("quit");
    }

    /// Kills its first process with `SIGKILL`; the others follow by themselves.
    pub fn kill(&mut self) {
        self.end("kill");
    }

    /// The address of a database, which is created when it is new.
    pub fn url(&self, database: &str) -> String {
        let mut databases = self
            .databases
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if databases.insert(database.to_owned()) {
            let made = self
                .command(&self.tools.join("createdb"))
                .env("PGPASSWORD", PASSWORD_PLAIN)
                .arg("-h")
                .arg(self.home.path())
                .args(["-p", &self.port.to_string(), "-U", USER, database])
                .output()
                .expect("createdb lies beside initdb");
            let told = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "createdb failed: {told}");
        }
        let host = self.home.path().display().to_string().replace('/', "%2F");
        format!(
            "postgres://{USER}:{PASSWORD}@{host}:{}/{database}",
            self.port
        )
    }

    /// The address of a database over loopback by the name in the server's
    /// certificate. Only of a cluster [started with TLS](Self::start_with_tls).
    pub fn network_url(&self, database: &str) -> String {
        assert!(self.tls != Tls::Local, "it does not listen on the network");
        self.url(database);
        format!(
            "postgres://{USER}:{PASSWORD}@{HOST}:{}/{database}",
            self.port
        )
    }

    /// The file with the certificate of the CA that signed the server's.
    pub fn authority(&self) -> PathBuf {
        self.home.path().join("authority.pem")
    }

    /// The file with the server's own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.home.path().join("data/server.crt")
    }

    /// Starts the server again with or without TLS.
    pub fn offer_tls(&mut self, offered: bool) {
        self.stop();
        self.tls = if offered { Tls::Offered } else { Tls::Plain };
        self.start();
    }

    /// Lays the certificate and its key where the server looks for them.
    fn certify(&self) {
        let authority = Authority::new();
        let (certificate, key) = authority.sign(HOST);
        let data = self.home.path().join("data");
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        for (path, text) in [
            (self.authority(), authority.pem()),
            (self.certificate(), certificate),
            (data.join("server.key"), key),
        ] {
            fs::write(&path, text).expect("the directory is ours");
            fs::set_permissions(&path, mode(0o600)).expect("the file is ours");
            if let Some((user, group)) = self.account {
                std::os::unix::fs::chown(&path, Some(user), Some(group))
                    .expect("root can give a file away");
            }
        }
    }

    /// What the addresses contain and nothing may show: the password, as
    /// written in a URL and plain.
    pub fn secrets(&self) -> [&'static str; 2] {
        [PASSWORD, PASSWORD_PLAIN]
    }

    /// What the server said since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.stop_immediately();
    }
}

/// A port of loopback that nobody listened on a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// The directory of the server's programs. Wrappers in the path may switch
/// users themselves, so the real ones are preferred.
fn tools() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql");
    let installed = versions.into_iter().flatten().flatten();
    let mut installed: Vec<_> = installed
        .map(|version| version.path().join("bin"))
        .collect();
    installed.sort();
    installed.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    installed.extend(std::env::split_paths(&path));
    let complete = |tools: &PathBuf| {
        let parts = ["initdb", "postgres", "createdb"];
        parts.iter().all(|part| tools.join(part).is_file())
    };
    installed.into_iter().find(complete)
}

/// Whom to run as: `initdb` refuses root. `None` when this is not root, who is
/// told by owning what it makes.
fn account(made: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(made).ok()?.uid() != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &&str| {
        let line = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(*name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    ACCOUNTS.iter().find_map(find)
}
