//! How fast `check` reads a stream, beside a plain decode of the same stream from the same server, and beside the
//! vendor's own client where that was built:
//! `cargo build --release --manifest-path benches/vendor/Cargo.toml --target-dir target/vendor`.

use std::process::{Command, Stdio};
use std::time::Instant;

use relay_console::simulator::flood::FloodConfig;
use serde_json::Value;

use crate::BINARY;
use crate::plain::decode;
use crate::simulate::Simulate;
use crate::table::{Row, grouped, millions, rate};

const EVENTS: u64 = 200_000;
const ROUNDS: usize = 5;

/// The vendor's client, as the command above builds it.
const VENDOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/vendor/release/vendor-client");

/// Events a second, the best of all rounds; the ways take turns, so that what disturbs one disturbs all.
pub(crate) fn measure() -> Vec<Row> {
    let FloodConfig { text_bytes, .. } = FloodConfig::of(EVENTS, 1000);
    let flood = format!("events={EVENTS},nodes=1000,text={text_bytes}B,seed=7");
    let simulate = Simulate::start_with("1", &["--flood", &flood]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut best = [Some(0.0); 5];
    for _ in 0..ROUNDS {
        let rates = [
            Some(runtime.block_on(read(&simulate, |_| 0))),
            Some(runtime.block_on(read(&simulate, decode))),
            check(&simulate, &["--no-journal"]),
            check(&simulate, &[]),
            vendor(&simulate),
        ];
        for (best, rate) in best.iter_mut().zip(rates) {
            *best = best.zip(rate).map(|(best, rate): (f64, f64)| best.max(rate));
        }
    }
    let [served, plain, bare, kept, vendor] = best;
    let plain = plain.unwrap_or_default();
    let mut rows = vec![
        Row::beside(
            format!("{} events over loopback, best of {ROUNDS}: read and ignored", grouped(EVENTS)),
            rate(served.unwrap_or_default()),
        ),
        Row::beside("the same: a plain borrowed, typed decode", rate(plain)),
    ];
    rows.push(match bare {
        Some(bare) => {
            let share = bare / plain * 100.0;
            let measured = format!("{}, {share:.0} % of the plain decode", rate(bare));
            Row::least("the same: `check --no-journal`", measured, "70 %", share >= 70.0)
        }
        None => Row::beside("the same: `check --no-journal`", "it does not know the option"),
    });
    rows.push(match vendor.zip(bare) {
        Some((vendor, bare)) => {
            let times = bare / vendor;
            let measured = format!("{times:.1} times {}", rate(vendor));
            Row::least("the same: against the vendor's client", measured, "7 times", times >= 7.0)
        }
        None => Row::beside("the same: against the vendor's client", "it was not built: see `benches/vendor`"),
    });
    if let Some(kept) = kept {
        let share = kept / bare.unwrap_or(plain) * 100.0;
        let measured = format!("{}, {share:.0} % of that", rate(kept));
        rows.push(Row::least("the same: `check` with the journal", measured, "80 %", share >= 80.0));
    }
    rows
}

/// What `check` itself says; `None` where it does not know an option.
fn check(simulate: &Simulate, options: &[&str]) -> Option<f64> {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(BINARY)
        .args(["check", simulate.run_of("flood"), "--json"])
        .args(options)
        .env_clear()
        .env("HOME", home.path())
        .envs(simulate.environment())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let figures: Value = serde_json::from_slice(&output.stdout).ok()?;
    assert_eq!((&figures["events"], &figures["snapshot"]), (&EVENTS.into(), &"agrees".into()), "{figures}");
    figures["events_per_second"].as_f64()
}

/// What the vendor's client gets of the stream, events a second; `None` where it was not built.
fn vendor(simulate: &Simulate) -> Option<f64> {
    let mut command = Command::new(VENDOR);
    command.args([simulate.base_url.as_str(), simulate.run_of("flood")]).env("MODELRELAY_API_KEY", &simulate.api_key);
    let output = command.output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    Some(figures["events"].as_f64()? / figures["seconds"].as_f64()?)
}

/// Reads all events over HTTP and does this with every line; events a second.
async fn read(simulate: &Simulate, each: impl Fn(&[u8]) -> u64) -> f64 {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(Vec::new()).build().unwrap();
    let url = format!("{}/runs/{}/events?wait=false", simulate.base_url, simulate.run_of("flood"));
    let begun = Instant::now();
    let mut response = client.get(url).header("X-ModelRelay-Api-Key", &simulate.api_key).send().await.unwrap();
    let (mut rest, mut events, mut sum) = (Vec::new(), 0, 0);
    while let Some(piece) = response.chunk().await.unwrap() {
        let mut bytes = piece.as_ref();
        if let Some(end) = memchr::memchr(b'\n', bytes).filter(|_| !rest.is_empty()) {
            rest.extend_from_slice(&bytes[..end]);
            sum += each(&rest);
            events += 1;
            rest.clear();
            bytes = &bytes[end + 1..];
        }
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            sum += each(&bytes[..end]);
            events += 1;
            bytes = &bytes[end + 1..];
        }
        rest.extend_from_slice(bytes);
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(events, EVENTS);
    std::hint::black_box(sum);
    millions(events) * 1e6 / seconds
}
