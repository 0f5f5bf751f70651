//! A real Chromium, spoken to over the pipe of its DevTools protocol.

use std::{path::PathBuf, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time,
};

/// Where a Chromium may be, besides the path in this variable.
const VARIABLE: &str = "HELIOSTAT_CHROMIUM";
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Generous: the machine may be busy. Nothing is asserted about times.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing but loopback is reachable, so that a page which loads from
/// elsewhere fails here as it would for an operator without internet.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--remote-debugging-pipe",
    // The tests' own pages are all it opens, and containers have no sandbox.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// One browser with one page. Dropping it ends the process.
pub struct Browser {
    _child: Child,
    _profile: tempfile::TempDir,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    next: u64,
    /// Every event so far: method and parameters.
    pub events: Vec<(String, Value)>,
}

fn installed() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Some(path.into());
    }
    let paths = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&paths).collect();
    let all = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|path| path.is_file())
}

impl Browser {
    /// A browser, where there is one; says why not otherwise.
    pub async fn launch() -> Option<Self> {
        let Some(chromium) = installed() else {
            eprintln!("skipped: there is no chromium on the path; {VARIABLE} names one elsewhere");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder can be made");
        // The protocol is spoken on descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
            ])
            .arg(chromium)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell starts");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut browser = Self {
            _child: child,
            _profile: profile,
            input,
            output,
            session: None,
            next: 0,
            events: Vec::new(),
        };
        browser.attach().await;
        Some(browser)
    }

    async fn attach(&mut self) {
        let made = self
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", attach).await;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({})).await;
        }
    }

    /// Sends one command and returns its result.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let mut text = command.to_string().into_bytes();
        text.push(0);
        self.input.write_all(&text).await.expect("chromium listens");
        let reply = time::timeout(PATIENCE, self.reply(id)).await;
        let mut reply = reply.unwrap_or_else(|_| panic!("{method} is not answered"));
        assert!(reply["error"].is_null(), "{method}: {}", reply["error"]);
        reply["result"].take()
    }

    async fn reply(&mut self, id: u64) -> Value {
        loop {
            let mut text = Vec::new();
            let read = self.output.read_until(0, &mut text).await;
            assert!(read.expect("it is read") > 0, "chromium ended");
            let message: Value = serde_json::from_slice(text.strip_suffix(b"\0").unwrap_or(&text))
                .expect("the protocol is JSON");
            if message["id"].as_u64() == Some(id) {
                return message;
            }
            if let Some(method) = message["method"].as_str() {
                self.events
                    .push((method.to_owned(), message["params"].clone()));
            }
        }
    }

    /// The value of an expression in the page.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let mut result = self.call("Runtime.evaluate", params).await;
        let thrown = &result["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        result["result"]["value"].take()
    }

    /// Returns once the expression is true in the page.
    pub async fn until(&mut self, expression: &str) {
        let waited = time::timeout(PATIENCE, async {
            while self.evaluate(expression).await != Value::Bool(true) {
                time::sleep(Duration::from_millis(50)).await;
            }
        });
        if waited.await.is_err() {
            let text = self.evaluate("document.body.innerText").await;
            panic!(
                "never true: {expression}\n{}",
                text.as_str().unwrap_or_default()
            );
        }
    }

    /// Opens a page of `width` by `height` in a colour scheme.
    pub async fn open(&mut self, url: &str, width: u32, height: u32, scheme: &str) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).await;
        self.call("Page.navigate", json!({ "url": url })).await;
        self.until("document.readyState === 'complete'").await;
    }

    /// Stores what the whole page looks like, for people.
    pub async fn picture(&mut self, name: &str) {
        let params = json!({ "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", params).await;
        let data = shot["data"].as_str().expect("a picture in base64");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data);
        let path = folder.join(format!("{name}.png"));
        std::fs::write(path, bytes.expect("base64")).expect("a file can be written");
    }

    /// What the page complained of: errors, exceptions, breaches of the
    /// content security policy.
    pub fn complaints(&self) -> Vec<&Value> {
        let bad = |method: &str, params: &Value| match method {
            "Runtime.exceptionThrown" => true,
            "Log.entryAdded" => params["entry"]["level"] == "error",
            "Runtime.consoleAPICalled" => params["type"] == "error",
            _ => false,
        };
        let events = self.events.iter().filter(|(method, it)| bad(method, it));
        events.map(|(_, params)| params).collect()
    }

    /// Every address the page asked for.
    pub fn requested(&self) -> Vec<&str> {
        let requests = self
            .events
            .iter()
            .filter(|(method, _)| method == "Network.requestWillBeSent");
        requests
            .filter_map(|(_, params)| params["request"]["url"].as_str())
            .collect()
    }
}
