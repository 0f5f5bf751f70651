//! The light node through its public surface, over small nodes that are honest
//! or not.

mod mock;
mod world;

mod agreement;
mod faults;
mod finality;
mod heads;
mod reads;
mod refuted;
mod served;
mod shut;

use axum::body::{Body, to_bytes};
use heliostat_core::Assurance;
use heliostat_node::Findings;
use heliostat_tezos::{Light, Settings};
use http::{Request, StatusCode};
use tower::ServiceExt as _;

use mock::{Node, Ways};
use world::World;

/// An answer.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    grade: Option<Assurance>,
    reason: Option<String>,
    kind: Option<String>,
    body: Vec<u8>,
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON answer")
    }

    /// The id in a node's array of errors.
    fn error(&self) -> String {
        self.json()[0]["id"]
            .as_str()
            .expect("an error has an id")
            .to_owned()
    }

    fn message(&self) -> String {
        self.json()[0]["msg"]
            .as_str()
            .expect("an error has words")
            .to_owned()
    }
}

/// Nodes over one world, in these ways.
async fn nodes(world: &World, ways: Vec<Ways>) -> Vec<Node> {
    let mut nodes = Vec::new();
    for ways in ways {
        nodes.push(Node::start(world, ways).await);
    }
    nodes
}

fn settings(nodes: &[Node]) -> Settings {
    Settings {
        proof_of_work: None,
        ..Settings::new(nodes.iter().map(Node::uri).collect())
    }
}

fn light(settings: Settings) -> Light {
    Light::start(settings, Findings::in_memory()).expect("the settings are sound")
}

async fn ask(light: &Light, request: Request<Body>) -> Got {
    let response = light
        .router()
        .oneshot(request)
        .await
        .expect("a router always answers");
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (grade, reason, kind) = (
        header(Assurance::FIELD).map(|text| text.parse().expect("a grade")),
        header("heliostat-reason"),
        header("content-type"),
    );
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 26)
        .await
        .expect("a whole body");
    Got {
        status,
        grade,
        reason,
        kind,
        body: body.to_vec(),
    }
}

async fn get(light: &Light, path: &str) -> Got {
    let request = Request::get(path)
        .body(Body::empty())
        .expect("a sound request");
    ask(light, request).await
}

/// The balance of an account at a block.
async fn balance(light: &Light, block: &str, account: u32) -> Got {
    let address = world::address(account);
    get(
        light,
        &format!("/chains/main/blocks/{block}/context/contracts/{address}/balance"),
    )
    .await
}
