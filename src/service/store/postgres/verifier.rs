//! What PostgreSQL keeps of a password instead of the password: a verifier of SCRAM-SHA-256 (RFC 5802, section 3; RFC 7677).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A verifier with one iteration. More of them slow down whoever guesses a password, and every client that connects: some
/// milliseconds each, which a lab of crashing handlers would measure. A password of 128 random bits is not guessed.
///
/// The password must be ASCII, which needs no preparation (RFC 4013).
pub(super) fn of(password: &str, salt: [u8; 16]) -> String {
    let salted = mac(password.as_bytes(), &[&salt, &1_u32.to_be_bytes()]);
    let stored_key = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server_key = mac(&salted, &[b"Server Key"]);
    let [salt, stored_key, server_key] = [&salt[..], &stored_key, &server_key].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256$1:{salt}${stored_key}:{server_key}")
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
