//! A question on its way: whoever stops waiting for the answer says so.

use tokio::sync::oneshot;

use crate::error::AskError;
use crate::post::{Letter, Post};

/// Posts a letter and waits for its answer; if this is dropped before, `forget` is posted.
pub(crate) async fn wait<T, E>(
    post: &Post,
    letter: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Letter,
    forget: Letter,
    closed: impl Fn() -> E,
) -> Result<T, E> {
    let (reply, answer) = oneshot::channel();
    post.send(letter(reply)).await.map_err(|_| closed())?;
    let mut guard = Guard { post, forget: Some(forget) };
    let answered = answer.await.unwrap_or_else(|_| Err(closed()));
    guard.forget = None;
    answered
}

/// The same for what the server is asked.
pub(crate) async fn ask<T>(
    post: &Post,
    letter: impl FnOnce(oneshot::Sender<Result<T, AskError>>) -> Letter,
    forget: Letter,
) -> Result<T, AskError> {
    wait(post, letter, forget, AskError::closed).await
}

struct Guard<'p> {
    post: &'p Post,
    forget: Option<Letter>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(forget) = self.forget.take() {
            // Where there is no room for it, the answer comes and finds nobody.
            let _ = self.post.try_send(forget);
        }
    }
}
