//! A client that expects what it asks for.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Asks one node.
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub fn new(base: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base }
    }

    async fn get(&self, path: &str, accept: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.base);
        let request = self.http.get(url).header("accept", accept);
        request.send().await.unwrap()
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.get(path, "application/json").await.status().as_u16()
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.get(path, "application/json").await;
        assert_eq!(response.status(), 200, "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    pub async fn binary(&self, path: &str) -> Vec<u8> {
        let response = self.get(path, "application/octet-stream").await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/octet-stream"
        );
        response.bytes().await.unwrap().to_vec()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.value(path).await
    }

    pub async fn value<T: DeserializeOwned>(&self, path: &str) -> T {
        let bytes = self.bytes(path).await;
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{path}: {error}: {}", String::from_utf8_lossy(&bytes)))
    }
}
