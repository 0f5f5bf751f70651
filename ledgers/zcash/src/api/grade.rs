//! The grade on every answer: initial metadata of unary replies, the trailer
//! of streams.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};
use heliostat_core::Assurance;
use http::HeaderValue;
use tonic::{
    Code, Response, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

/// A stream of replies that ends with its grade.
pub(super) type Graded<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The grade as a metadata value.
fn value(grade: Assurance) -> MetadataValue<Ascii> {
    grade
        .to_string()
        .parse()
        .expect("a grade's text is printable because it has letters, digits and a slash only")
}

/// The grade as the value of an HTTP header.
pub(super) fn header(grade: Assurance) -> HeaderValue {
    match grade {
        Assurance::Agreed { .. } => HeaderValue::try_from(grade.to_string())
            .expect("a grade's text is printable because it has letters, digits and a slash only"),
        plain => HeaderValue::from_static(plain.label()),
    }
}

/// A unary reply with its grade.
pub(super) fn unary<T>(message: T, grade: Assurance) -> Response<T> {
    let mut response = Response::new(message);
    response
        .metadata_mut()
        .insert(Assurance::FIELD, value(grade));
    response
}

/// A streamed reply whose trailer carries the grade. A stream that fails
/// carries none.
///
/// The trailers of a server stream are those of the status that ends it, and
/// an `Err` whose code is OK ends it well: that is where the grade rides.
pub(super) fn streamed<T: Send + 'static>(
    items: impl Stream<Item = Result<T, Status>> + Send + 'static,
    grade: Assurance,
) -> Response<Graded<T>> {
    let mut trailer = MetadataMap::new();
    trailer.insert(Assurance::FIELD, value(grade));
    let end = stream::once(async move { Err(Status::with_metadata(Code::Ok, "", trailer)) });
    Response::new(items.chain(end).boxed())
}
