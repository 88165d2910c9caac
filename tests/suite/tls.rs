//! Encryption: whom the client trusts, and that nothing makes it speak to anybody else.
//!
//! Over real TLS, with an authority made for each test. The system's authorities are replaced by one that has signed
//! nothing, so that the tests say the same on every machine.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::program::{Program, text};
use crate::raw_server::{Act, RawServer, answer, json};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const KEY: &str = "mr_sk_5ecr3tc4n4ry0123456789abcdefc4f2";
const SNAPSHOT: &str =
    r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","status":"running","cost_summary":{"total_usd_cents":3}}"#;

/// An authority that signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Writes the certificate into a file.
    fn file(&self, program: &Program, name: &str) -> PathBuf {
        let path = program.home.path().join(name);
        fs::write(&path, &self.pem).unwrap();
        path
    }
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    OtherHost,
    Expired,
}

/// A server that answers every request with these bytes.
async fn serve(authority: &Authority, fault: Fault, acts: &[Act]) -> SocketAddr {
    let host = if fault == Fault::OtherHost { "other.example" } else { "127.0.0.1" };
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    if fault == Fault::Expired {
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let bytes: Vec<u8> =
        acts.iter().flat_map(|act| if let Act::Send(bytes) = act { bytes.clone() } else { vec![] }).collect();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate breaks off.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut seen = Vec::new();
            while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
                if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// Reads a run over https, where the system trusts nobody that counts.
async fn get(program: &Program, address: SocketAddr, arguments: &[&str]) -> (i32, String, Output) {
    let base_url = format!("https://{address}/api/v1");
    let mut command = program.command(&[&["get", RUN, "--base-url", &base_url], arguments].concat());
    let nobody = Authority::new().file(program, "nobody.pem");
    command.env("MODELRELAY_API_KEY", KEY).env("SSL_CERT_FILE", nobody);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = text(&output.stderr);
    assert!(!said.contains(KEY), "{said}");
    (output.status.code().unwrap(), said, output)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named_and_nowhere_else() {
    let program = Program::new();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (own, other) = (authority.file(&program, "own.pem"), stranger.file(&program, "other.pem"));
    let (own, other) = (own.to_str().unwrap(), other.to_str().unwrap());
    let address = serve(&authority, Fault::None, &json(SNAPSHOT)).await;
    for refused in [&[][..], &["--ca-file", other]] {
        let (code, said, output) = get(&program, address, refused).await;
        assert_eq!(code, 7, "{said}");
        assert!(said.contains("certificate") && said.contains("--ca-file"), "{said}");
        assert!(output.stdout.is_empty());
    }
    for accepted in [&["--ca-file", own][..], &["--ca-file", other, "--ca-file", own]] {
        let (code, said, output) = get(&program, address, accepted).await;
        assert_eq!((code, said.as_str()), (0, ""));
        assert!(text(&output.stdout).contains("running"));
    }
    // By the settings, from beside them; the flag comes before it.
    let config = program.home.path().join(".config/relay-console/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "ca_file = \"own.pem\"\n").unwrap();
    fs::copy(own, config.with_file_name("own.pem")).unwrap();
    assert_eq!(get(&program, address, &[]).await.0, 0);
    assert_eq!(get(&program, address, &["--ca-file", other]).await.0, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_and_one_that_is_over_are_refused_whoever_signed_them() {
    let program = Program::new();
    let authority = Authority::new();
    let own = authority.file(&program, "own.pem");
    for fault in [Fault::OtherHost, Fault::Expired] {
        let address = serve(&authority, fault, &json(SNAPSHOT)).await;
        let (code, said, _) = get(&program, address, &["--ca-file", own.to_str().unwrap()]).await;
        assert_eq!(code, 7, "{said}");
        assert!(said.contains("certificate"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_from_https_to_http_is_refused_and_its_body_means_nothing() {
    let program = Program::new();
    let authority = Authority::new();
    let own = authority.file(&program, "own.pem");
    let thief = RawServer::answering(vec![json(SNAPSHOT)]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: http://{}/api/v1/runs/{RUN}", thief.address);
        let redirect = answer(status, &[&location, "content-type: application/json"], SNAPSHOT);
        let address = serve(&authority, Fault::None, &redirect).await;
        let (code, said, output) = get(&program, address, &["--ca-file", own.to_str().unwrap()]).await;
        assert_eq!(code, 8, "{said}");
        assert!(said.contains(&thief.address) && output.stdout.is_empty(), "{said}");
    }
    assert_eq!(thief.seen().requests.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_authorities_that_is_none_is_refused_with_its_name_and_before_any_request() {
    let program = Program::new();
    let address = serve(&Authority::new(), Fault::None, &json(SNAPSHOT)).await;
    let path = |name: &str| program.home.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    fs::write(path("garbage.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(path("bytes.pem"), b"\xff\xfe").unwrap();
    for name in ["absent.pem", "key.pem", "garbage.pem", "bytes.pem", "."] {
        let (code, said, _) = get(&program, address, &["--ca-file", &path(name)]).await;
        assert_eq!(code, 2, "{name}: {said}");
        assert!(said.contains(&path(name)), "{said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_whom_it_trusts() {
    let program = Program::new();
    let authority = Authority::new();
    let own = authority.file(&program, "own.pem");
    let address = serve(&authority, Fault::None, &answer(404, &["content-type: application/json"], "{}")).await;
    let mut command = program.command(&["doctor", "--json", "--base-url", &format!("https://{address}/api/v1")]);
    command.args(["--ca-file", own.to_str().unwrap()]).env("MODELRELAY_API_KEY", KEY);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let authorities = findings.iter().find(|finding| finding["item"] == "authorities").unwrap();
    assert_eq!(authorities["facts"]["extra"], 1, "{authorities}");
    assert_eq!(report["exit_code"], 0, "{report:#}");
}
