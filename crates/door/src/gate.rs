//! Every request passes here before it reaches a service.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use http::{Request, StatusCode, Version, header};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{Service, ServiceExt, util::Oneshot};

use crate::{
    connection::{
        body::{Answer, RequestBody, UnderWay},
        flow::Exchange,
        stranger,
        watch::{Entrant, Watch},
    },
    counts::Refused,
    defaults,
    house::House,
    identity::Peer,
    limits::memory::Account,
    refusal::{Refusal, is_grpc},
    token::Tokens,
};

/// The service of one connection.
pub(crate) struct Gate<S> {
    common: Arc<Common>,
    service: S,
}

/// What all requests of a connection share.
struct Common {
    house: Arc<House>,
    peer: Peer,
    entrant: Entrant,
    watch: Arc<Watch>,
    account: Arc<Account>,
    unwelcome: Option<Refusal>,
    /// The lists of identities it was last looked up in.
    generation: AtomicU64,
    known: AtomicBool,
}

impl<S> Gate<S> {
    pub(crate) fn new(
        house: &Arc<House>,
        service: S,
        peer: Peer,
        watch: &Arc<Watch>,
        account: Arc<Account>,
        unwelcome: Option<Refusal>,
    ) -> Self {
        let generation = house.generation();
        let entrant = Entrant {
            certificate: peer.certificate.clone(),
            node: None,
        };
        let known = house.knows(&entrant);
        watch.entered(entrant.clone());
        let common = Common {
            house: Arc::clone(house),
            known: AtomicBool::new(known),
            peer,
            entrant,
            watch: Arc::clone(watch),
            account,
            unwelcome,
            generation: AtomicU64::new(generation),
        };
        Self {
            common: Arc::new(common),
            service,
        }
    }
}

impl Common {
    /// Everything that can be said of a request at once.
    fn admit(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        if let Some(refusal) = &self.unwelcome {
            self.watch.leave();
            return Err(refusal.clone());
        }
        if !self.still_known() {
            self.watch.leave();
            return Err(stranger());
        }
        if request.version() == Version::HTTP_2 && header_bytes(request) > defaults::MAX_HEADERS {
            let limit = defaults::MAX_HEADERS;
            return Err(Refusal::new(
                Refused::Headers,
                format!("the request's headers are larger than {limit} bytes; send less in them"),
            ));
        }
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        self.house.admit(&self.peer, length)
    }

    /// The lists may have changed since the last request.
    fn still_known(&self) -> bool {
        if self.house.identities.is_none() {
            return true;
        }
        let generation = self.house.generation();
        if self.generation.swap(generation, Relaxed) != generation {
            let known = self.house.knows(&self.entrant);
            self.known.store(known, Relaxed);
        }
        self.known.load(Relaxed)
    }

    /// A refusal in the words of who asked, counted; one of the whole
    /// connection was counted when that was refused.
    fn refuse(&self, refusal: &Refusal, asked: &http::HeaderMap) -> Response<Body> {
        if self.unwelcome.is_none() {
            self.house.counters.refused(refusal.reason);
        }
        refusal.response(asked)
    }

    /// Looks at the request's token and puts its identity into the request.
    async fn identify<B>(
        &self,
        tokens: &Tokens,
        request: &mut Request<B>,
        exchange: &Exchange,
    ) -> Result<(), Refusal> {
        let method = method(request);
        if tokens.is_open(&method) {
            return Ok(());
        }
        let token = bearer(request.headers())?;
        let identity = self.house.authorize(tokens, token, &method).await?;
        let expires = identity.expires.unwrap_or(0);
        exchange.expires.store(expires, Relaxed);
        // Services have no use for it, and what they do not have they cannot
        // log or pass on.
        request.headers_mut().remove(header::AUTHORIZATION);
        request.extensions_mut().insert(identity);
        Ok(())
    }
}

/// The size of a request's headers as RFC 9113 counts it, section 6.5.2.
fn header_bytes<B>(request: &Request<B>) -> usize {
    const EACH: usize = 32;
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| EACH + name.as_str().len() + value.len());
    let uri = request.uri();
    let pseudo = [
        (":method", Some(request.method().as_str())),
        (":scheme", uri.scheme_str()),
        (":authority", uri.authority().map(|host| host.as_str())),
        (":path", uri.path_and_query().map(|path| path.as_str())),
    ];
    let pseudo =
        pseudo.map(|(name, value)| value.map_or(0, |value| EACH + name.len() + value.len()));
    fields.chain(pseudo).sum()
}

/// A gRPC request's method name, or an HTTP request's verb and path.
fn method<B>(request: &Request<B>) -> String {
    let path = request.uri().path();
    match is_grpc(request.headers()) {
        true => path.rsplit('/').next().unwrap_or(path).to_owned(),
        false => format!("{} {path}", request.method()),
    }
}

/// The token of a request that has exactly one.
fn bearer(headers: &http::HeaderMap) -> Result<&str, Refusal> {
    let refused = |words| Err(Refusal::new(Refused::Unauthenticated, words));
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return refused("send one token, as the header authorization: Bearer TOKEN");
    };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => refused("the authorization is no bearer token; send Bearer TOKEN"),
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Gate<S>
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Passing<S>;

    fn call(&self, mut request: Request<Incoming>) -> Passing<S> {
        let common = Arc::clone(&self.common);
        let under_way = Some(UnderWay::new(&common.watch));
        let exchange = common.watch.request();
        let asked = grpc_only(request.headers());
        let stage = match common.admit(&request) {
            Err(refusal) => Stage::Refused {
                response: Some(common.refuse(&refusal, &asked)),
            },
            Ok(()) => {
                exchange.admitted.store(true, Relaxed);
                request.extensions_mut().insert(common.peer.clone());
                let account = Arc::clone(&common.account);
                let rules = common.house.rules();
                let limit = rules.limits.max_request;
                let mut request = request
                    .map(|body| RequestBody::new(body, Arc::clone(&exchange), account, limit));
                let service = self.service.clone();
                match &rules.tokens {
                    None => Stage::Serving {
                        answer: service.oneshot(request),
                    },
                    Some(tokens) => {
                        let (common, tokens) = (Arc::clone(&common), tokens.clone());
                        let (asked, exchange) = (asked.clone(), Arc::clone(&exchange));
                        let checked = async move {
                            let identified = common.identify(&tokens, &mut request, &exchange);
                            if let Err(refusal) = identified.await {
                                return common.refuse(&refusal, &asked);
                            }
                            let Ok(response) = service.oneshot(request).await;
                            response
                        };
                        Stage::Checked {
                            answer: Box::pin(checked),
                        }
                    }
                }
            }
        };
        Passing {
            common,
            exchange,
            asked,
            under_way,
            stage,
        }
    }
}

/// What a refusal has to know of a request's headers.
fn grpc_only(headers: &http::HeaderMap) -> http::HeaderMap {
    let mut asked = http::HeaderMap::new();
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        asked.insert(header::CONTENT_TYPE, kind.clone());
    }
    asked
}

pin_project! {
    /// A request on its way through.
    pub(crate) struct Passing<S>
    where
        S: Service<Request<RequestBody>>,
    {
        common: Arc<Common>,
        exchange: Arc<Exchange>,
        asked: http::HeaderMap,
        under_way: Option<UnderWay>,
        #[pin]
        stage: Stage<S>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S>
    where
        S: Service<Request<RequestBody>>,
    {
        Refused { response: Option<Response<Body>> },
        Serving { #[pin] answer: Oneshot<S, Request<RequestBody>> },
        Checked { answer: Pin<Box<dyn Future<Output = Response<Body>> + Send>> },
    }
}

impl<S> Future for Passing<S>
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
{
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.stage.project() {
            StageProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(response),
                None => Poll::Pending,
            },
            StageProjection::Serving { answer } => answer.poll(cx).map(|Ok(response)| response),
            StageProjection::Checked { answer } => answer.as_mut().poll(cx),
        };
        // In our own words and with the right code, whatever the service made
        // of a body that broke off.
        let response = match this.exchange.oversized.swap(false, Relaxed) {
            true => Poll::Ready(
                this.common
                    .refuse(&this.common.house.too_large(), this.asked),
            ),
            false => response,
        };
        let response = std::task::ready!(response);
        let Some(under_way) = this.under_way.take() else {
            return Poll::Pending;
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            this.common.watch.upgrade(Some(this.exchange));
        }
        let exchange = Arc::clone(this.exchange);
        let is_grpc = !this.asked.is_empty() && is_grpc(this.asked);
        let account = Arc::clone(&this.common.account);
        let response =
            response.map(|body| Answer::new(body, exchange, account, under_way, is_grpc));
        Poll::Ready(Ok(response))
    }
}
