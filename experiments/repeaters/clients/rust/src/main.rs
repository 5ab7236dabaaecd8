//! reqwest, or hyper-util's pooled client, as they come, with a pool of its own for each try.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

type Error = Box<dyn std::error::Error>;

async fn by_hyper_util(base: &str, words: &[&str]) -> Result<(), Error> {
    let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    if words[0] != "-" {
        let request = hyper::Request::get(format!("{base}{}", words[0])).body(Full::default())?;
        client.request(request).await?.into_body().collect().await?;
        // The connection takes a moment to be idle again.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut request = hyper::Request::builder().method(words[1]).uri(format!("{base}{}", words[2]));
    if words[3] != "-" {
        request = request.header("idempotency-key", format!("\"{}\"", words[3]));
    }
    let body = if words[4] == "-" { Full::default() } else { Full::from(words[4].to_owned()) };
    let answer = tokio::time::timeout(Duration::from_secs(1), client.request(request.body(body)?)).await??;
    answer.into_body().collect().await?;
    Ok(())
}

async fn by_reqwest(base: &str, words: &[&str]) -> Result<(), Error> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build()?;
    if words[0] != "-" {
        client.get(format!("{base}{}", words[0])).send().await?.bytes().await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut request = client.request(words[1].parse()?, format!("{base}{}", words[2]));
    if words[3] != "-" {
        request = request.header("idempotency-key", format!("\"{}\"", words[3]));
    }
    if words[4] != "-" {
        request = request.body(words[4].to_owned());
    }
    request.send().await?.bytes().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let made = match arguments[1].as_str() {
            "reqwest" => by_reqwest(&arguments[2], &words).await,
            _ => by_hyper_util(&arguments[2], &words).await,
        };
        if let Err(error) = made {
            println!("{line}: {error}");
        }
    }
}
