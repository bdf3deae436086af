//! An answer that comes line by line, each a value of JSON.

use std::marker::PhantomData;

use bytes::{Buf as _, BytesMut};
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::{Answer, Client};
use crate::error::ClientError;

/// The lines that are still to come.
pub(super) struct Lines<'a, T> {
    client: &'a Client,
    url: String,
    response: Response,
    /// What has come of lines that are not read yet.
    come: BytesMut,
    line: PhantomData<T>,
}

impl Client {
    /// Sends a request whose answer comes line by line.
    ///
    /// # Errors
    /// [`ClientError`] if there is no answer, or another one.
    pub(super) async fn lines<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Lines<'_, T>, ClientError> {
        let (url, response) = self.begin(request).await?;
        if !response.status().is_success() {
            return Err(self.whole(url, response).await?.into_error());
        }
        Ok(Lines { client: self, url, response, come: BytesMut::new(), line: PhantomData })
    }
}

impl<T: DeserializeOwned> Lines<'_, T> {
    /// The next line, `None` after the last.
    ///
    /// # Errors
    /// [`ClientError`] if the connection breaks off, or the line is none.
    pub(super) async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.come.iter().position(|byte| *byte == b'\n') {
                let body = self.come.split_to(end).freeze();
                self.come.advance(1);
                let (url, status) = (self.url.clone(), self.response.status());
                return Answer { url, status, is_problem: false, body }.read().map(Some);
            }
            match self.response.chunk().await.map_err(|error| self.client.no_answer(&self.url, error))? {
                Some(chunk) => self.come.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}
