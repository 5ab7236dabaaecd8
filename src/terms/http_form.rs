//! The forms that requests have over HTTP.

use super::{Reply, Trouble};

/// What a request is over HTTP: its method, and the headers on which the effect depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpForm {
    /// `POST` to a collection. Nothing tells a retry from another request.
    Post,
    /// `POST` to a collection with an `Idempotency-Key`: the message's id.
    PostWithKey,
    /// `PUT` to the key that the client has chosen.
    Put,
    /// `PUT` with `If-Match`: only if the value still has this version.
    PutIfMatch(u32),
    /// `DELETE` of what is there under a key.
    Delete,
}

impl HttpForm {
    /// Its method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            HttpForm::Post | HttpForm::PostWithKey => "POST",
            HttpForm::Put | HttpForm::PutIfMatch(_) => "PUT",
            HttpForm::Delete => "DELETE",
        }
    }

    /// The status of the answer that says this of a request of this form.
    #[must_use]
    pub fn status(self, reply: Reply) -> u16 {
        match (reply, self) {
            (Ok(_), HttpForm::Post | HttpForm::PostWithKey) => 201,
            (Ok(_), HttpForm::Put | HttpForm::PutIfMatch(_) | HttpForm::Delete) => 200,
            (Err(Trouble::Failed(_)), _) => 503,
            (Err(Trouble::Unknown), _) => 500,
            (Err(Trouble::InProgress), _) => 409,
            (Err(Trouble::Refused), HttpForm::PutIfMatch(_)) => 412,
            (Err(Trouble::Refused), HttpForm::Post | HttpForm::PostWithKey | HttpForm::Put | HttpForm::Delete) => 422,
        }
    }
}
