//! The one suite over every engine.

use std::sync::Arc;

use async_trait::async_trait;
use heliostat_store::{
    Options, Store, open,
    testing::{Engine, PrivatePostgres, TABLES, conformance},
};

/// Opens stores by an address made from a name.
struct By<F>(F, bool);

#[async_trait]
impl<F: Fn(&str) -> String + Send + Sync> Engine for By<F> {
    async fn open(&self, name: &str) -> Arc<dyn Store> {
        let address = (self.0)(name);
        let opened = open(&address, name, TABLES, Options::default()).await;
        opened.unwrap_or_else(|error| panic!("{error}"))
    }

    fn durable(&self) -> bool {
        self.1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    conformance(&By(|_: &str| "memory:".into(), false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("sqlite:{}/new/{name}.sqlite", home.path().display());
    conformance(&By(path, true)).await;
}

#[tokio::test]
async fn sqlite_conforms_on_one_thread() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("sqlite:{}/{name}.sqlite", home.path().display());
    conformance(&By(path, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    // One database: the schema alone keeps chains apart.
    let url = server.url("chains");
    conformance(&By(|_: &str| url.clone(), true)).await;
}
