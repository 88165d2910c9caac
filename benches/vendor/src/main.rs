//! Reads a run's whole event stream with the vendor's Rust client and prints what it got: one JSON object.
//!
//! `vendor-client BASE_URL RUN_ID`, with the key in `MODELRELAY_API_KEY`. `errors` are items that came as an error: the
//! client goes on behind them, and the events that they held are lost.

use std::time::Instant;

use futures_util::StreamExt;
use modelrelay::{ApiKey, Client};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, base_url, run_id] = arguments.as_slice() else { return Err("wanted: BASE_URL RUN_ID".into()) };
    let key = ApiKey::parse(&std::env::var("MODELRELAY_API_KEY")?)?;
    let client = Client::builder().api_key(key).base_url(base_url.as_str()).build()?;
    let begun = Instant::now();
    let mut stream = client.runs().stream_events(run_id.parse()?, None, None).await?;
    let (mut events, mut errors) = (0_u64, 0_u64);
    while let Some(item) = stream.next().await {
        match item {
            Ok(_) => events += 1,
            Err(_) => errors += 1,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(r#"{{"events":{events},"errors":{errors},"seconds":{seconds:.3}}}"#);
    Ok(())
}
