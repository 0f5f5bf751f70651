//! A real Prometheus that scrapes a real process with the shipped rules: what
//! fires when upstreams lie and die, and what the shipped panels show.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use heliostat_sim::zcash::{
    Generator, GeneratorConfig, Node,
    node::{Filter, Misbehaviour},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::running::{Process, store};

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(90);
/// Seconds between two blocks of the simulated chain.
const SPACING: u64 = 75;
const BLOCKS: u64 = 20;
const OPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ops");

/// What has data from the first scrapes of any process on.
const AT_ONCE: [&str; 8] = [
    "Ready",
    "Age of the newest block",
    "Height",
    "Behind upstreams",
    "State",
    "Claimed heights",
    "Stores",
    "Descriptors",
];

/// A server of the test's own. Dropping it ends it.
struct Prometheus {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Prometheus {
    /// One that scrapes `target` every second, and whose rules fire at once.
    fn start(target: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let rules = fs::read_to_string(format!("{OPS}/prometheus/alerts.yml")).unwrap();
        // What has to last for minutes has to last for no time here.
        let rules: Vec<_> = rules
            .lines()
            .map(|line| match line.trim_start().strip_prefix("for: ") {
                Some(_) => "        for: 0s".to_owned(),
                None => line.to_owned(),
            })
            .collect();
        fs::write(folder.path().join("alerts.yml"), rules.join("\n")).unwrap();
        let target = target.trim_start_matches("http://");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [alerts.yml]\n\
             scrape_configs:\n  - job_name: heliostat\n    static_configs: [{{ targets: ['{target}'] }}]\n"
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        // It cannot say which port the system chose for it.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let started = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}/data",
                folder.path().display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            eprintln!("skipped: there is no prometheus on the path (Debian's package prometheus)");
            return None;
        };
        Some(Self {
            child,
            url: format!("http://{address}/api/v1"),
            _folder: folder,
        })
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        let reply = reqwest::get(format!("{}/{path}", self.url)).await.ok()?;
        serde_json::from_str(&reply.text().await.ok()?).ok()
    }

    /// The series that an expression gives now.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let answer = self.ask(&format!("query?query={encoded}")).await.unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The names of the alerts that fire, of ours.
    async fn firing(&self) -> Option<BTreeSet<String>> {
        let answer = self.ask("alerts").await?;
        let alerts = answer["data"]["alerts"].as_array()?;
        let fires = |alert: &&Value| alert["state"] == "firing";
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
        alerts.iter().filter(fires).map(name).collect()
    }

    /// Waits until these fire and no others.
    async fn until(&self, when: &str, wanted: &[&str]) {
        let all: BTreeSet<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        self.until_so(when, |firing| *firing == all).await;
    }

    /// Waits until what fires is as wanted.
    async fn until_so(&self, when: &str, wanted: impl Fn(&BTreeSet<String>) -> bool) {
        let mut last = None;
        let waiting = async {
            loop {
                last = self.firing().await;
                if last.as_ref().is_some_and(&wanted) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{when}: {last:?} fire");
    }

    /// Waits until the process has been scraped.
    async fn scraped(&self) {
        let waiting = async {
            while self
                .ask("query?query=heliostat_ready")
                .await
                .is_none_or(|answer| {
                    let series = answer["data"]["result"].as_array();
                    series.is_none_or(Vec::is_empty)
                })
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "nothing was scraped");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A chain whose newest block is of now.
fn young() -> Generator {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = now.as_secs() - SPACING * BLOCKS;
    Generator::new(GeneratorConfig {
        base_time: u32::try_from(first).unwrap(),
        ..GeneratorConfig::new(7, BLOCKS)
    })
}

/// The panels of the shipped dashboard: title and expression, as asked with
/// everything chosen.
fn panels() -> Vec<(String, String)> {
    let text = fs::read_to_string(format!("{OPS}/grafana/heliostat.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let all = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| {
            let expression = target["expr"].as_str().unwrap();
            let chosen = ["$chain", "$instance", "$job"]
                .iter()
                .fold(expression.to_owned(), |text, one| text.replace(one, ".*"));
            (title.to_owned(), chosen.replace("$__rate_interval", "1m"))
        })
    });
    all.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_rules_fire_in_a_real_prometheus_when_upstreams_lie_and_die() {
    let generator = young();
    let start = || Node::start(generator.chain().clone());
    let (one, two) = (start().await.unwrap(), start().await.unwrap());
    let (first, second) = (one.url(), two.url());
    let folder = tempfile::tempdir().unwrap();
    let args = ["--upstream", &first, "--upstream", &second];
    let process = Process::start(&[&args[..], &["--store", &store(&folder)]].concat());
    process.until("ready", |status| status.ready).await;
    let Some(prometheus) = Prometheus::start(&process.observe) else {
        return;
    };
    prometheus.scraped().await;
    prometheus.until("all is well", &[]).await;
    for (title, expression) in panels() {
        let series = prometheus.query(&expression).await;
        let shown = !series.is_empty();
        assert!(
            shown || !AT_ONCE.contains(&&*title),
            "{title}: {expression}"
        );
    }

    two.handle().stop().await;
    prometheus
        .until("one upstream died", &["HeliostatFewUpstreams"])
        .await;
    one.handle().stop().await;
    let nobody_left = ["HeliostatFewUpstreams", "HeliostatNotReady"];
    prometheus.until("both died", &nobody_left).await;
    one.handle().resume().await;
    two.handle().resume().await;
    prometheus.until("they are back", &[]).await;

    // A lie about the next block, told by one of them.
    let mut longer = generator;
    longer.extend(2);
    let lie = Filter::method("getblock").at(BLOCKS + 1..=BLOCKS + 2);
    two.misbehave(Misbehaviour::WrongMerkleRoot, lie.clone());
    one.misbehave(Misbehaviour::WrongMerkleRoot, lie);
    one.set_chain(longer.chain().clone());
    two.set_chain(longer.chain().clone());
    let lied = |status: &heliostat_observe::Status| {
        let upstreams = &status.chains["zcash"].upstreams;
        upstreams.iter().all(|upstream| upstream.state == "wrong")
    };
    process.until("convicted", lied).await;
    let lies = [
        "HeliostatErrorsLogged",
        "HeliostatFewUpstreams",
        "HeliostatLie",
        "HeliostatNotReady",
        "HeliostatUpstreamWrong",
    ];
    prometheus.until("both lied", &lies).await;

    assert_eq!(process.terminate(), Some(0));
    // What it counted in its last minutes stays an alarm for as long.
    let absent = |firing: &BTreeSet<String>| firing.contains("HeliostatAbsent");
    prometheus.until_so("it is gone", absent).await;
}
