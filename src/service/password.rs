//! Passwords of the servers that the lab starts: drawn anew for each, and told to nobody but the server and the driver or the client.

/// A password of 128 random bits, in digits that need no quoting anywhere.
pub(crate) fn draw() -> String {
    format!("{:032x}", rand::random::<u128>())
}
