//! What a path and a query string hold, with problems in our own words.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::SharedState;
use super::refusal::{INVALID_PARAMETER, Refusal};

/// The one parameter of a path.
pub(super) struct Segment(pub(super) String);

/// The parameters of a query string.
pub(super) struct Params<T>(pub(super) T);

impl FromRequestParts<SharedState> for Segment {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &SharedState) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let refused = |error: PathRejection| Refusal::new(&INVALID_PARAMETER, error.body_text()).key("path");
        path.map(|Path(segment)| Self(segment)).map_err(refused)
    }
}

impl<T: DeserializeOwned> FromRequestParts<SharedState> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &SharedState) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let refused = |error: QueryRejection| Refusal::new(&INVALID_PARAMETER, error.body_text()).key("query");
        query.map(|Query(params)| Self(params)).map_err(refused)
    }
}
