//! Settings: which source wins, what is refused and in which words, and that a key reaches its own server only.

use std::path::PathBuf;
use std::time::Duration;

use relay_console::api::client::{Credentials, DEFAULT_BASE_URL};
use relay_console::settings::{
    self, Directories, Environment, Files, Flags, Settings, SettingsError, Source, TextFile,
};
use secrecy::{ExposeSecret, SecretString};

const OWN: &str = "/home/op/.config/relay-console/config.toml";
const VENDOR: &str = "/home/op/.config/mrl/config.toml";

/// Everything that a configuration comes from, said in short.
#[derive(Default, Clone)]
struct Sources<'a> {
    flags: Flags,
    api_key: &'a str,
    token: &'a str,
    base_url: &'a str,
    own: &'a str,
    vendor: &'a str,
    key_file: Option<&'a str>,
}

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: PathBuf::from(path), text: Ok(SecretString::from(text)), readable_by_others: false }
}

fn directories() -> Directories {
    Directories { config_home: "/home/op/.config".into(), state_home: "/home/op/.local/state".into() }
}

impl Sources<'_> {
    fn environment(&self) -> Environment {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Environment {
            api_key: set(self.api_key).map(SecretString::from),
            token: set(self.token).map(SecretString::from),
            base_url: set(self.base_url),
            no_color: false,
        }
    }

    fn files(&self) -> Files {
        let there = |path, text: &str| (!text.is_empty()).then(|| file(path, text));
        Files {
            own: there(OWN, self.own),
            vendor: there(VENDOR, self.vendor),
            api_key: self.key_file.map(|text| file("/run/key", text)),
            authorities: Vec::new(),
        }
    }

    fn resolve(&self) -> Result<Settings, SettingsError> {
        settings::resolve(&self.flags, &self.environment(), &self.files(), &directories())
    }

    fn refusal(&self) -> String {
        self.resolve().unwrap_err().to_string()
    }
}

fn profile(name: &str) -> Flags {
    Flags { profile: Some(name.into()), ..Flags::default() }
}

fn base_url(url: &str) -> Flags {
    Flags { base_url: Some(url.into()), ..Flags::default() }
}

/// The base URL, the secret with its kind, and where each came from.
fn summary(settings: &Settings) -> (String, String, String) {
    let server = &settings.server;
    let secret = match &server.credentials.value {
        Credentials::ApiKey(key) => format!("key {}", key.expose_secret()),
        Credentials::Token(token) => format!("token {}", token.expose_secret()),
    };
    (
        format!("{} from {}", server.base_url.value.as_str(), server.base_url.source),
        secret,
        server.credentials.source.to_string(),
    )
}

const TWO_PROFILES: &str = r#"
current_profile = "prod"
[profiles.prod]
api_key = "mr_sk_prod"
[profiles.lab]
token = "lab.token"
base_url = "https://lab.example/api/v1/"
"#;

#[test]
fn a_key_in_the_environment_is_enough_and_goes_to_the_default_server() {
    let settings = Sources { api_key: " mr_sk_env\n", ..Sources::default() }.resolve().unwrap();
    let expected =
        (format!("{DEFAULT_BASE_URL} from the default"), "key mr_sk_env".to_owned(), "MODELRELAY_API_KEY".to_owned());
    assert_eq!(summary(&settings), expected);
    assert_eq!(settings.server.label(), "api.modelrelay.ai");
    assert_eq!(settings.server.notices, Vec::<String>::new());
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_profile_which_wins_over_the_default() {
    let mut sources = Sources { vendor: TWO_PROFILES, flags: profile("lab"), ..Sources::default() };
    let from_profile = sources.resolve().unwrap();
    assert_eq!(
        summary(&from_profile),
        (
            format!("https://lab.example/api/v1 from profile \"lab\" in {VENDOR}"),
            "token lab.token".to_owned(),
            format!("profile \"lab\" in {VENDOR}")
        )
    );
    assert_eq!(from_profile.server.label(), "lab");
    sources.base_url = "https://env.example/api/v1";
    sources.token = "env.token";
    let from_environment = sources.resolve().unwrap();
    assert_eq!(
        summary(&from_environment),
        (
            "https://env.example/api/v1 from MODELRELAY_API_BASE_URL".to_owned(),
            "token env.token".to_owned(),
            "MODELRELAY_TOKEN".to_owned()
        )
    );
    sources.api_key = "mr_sk_env";
    assert_eq!(summary(&sources.resolve().unwrap()).1, "key mr_sk_env");
    sources.flags.base_url = Some("https://flag.example".into());
    sources.key_file = Some("mr_sk_file\n");
    assert_eq!(
        summary(&sources.resolve().unwrap()),
        ("https://flag.example from --base-url".to_owned(), "key mr_sk_file".to_owned(), "--api-key-file".to_owned())
    );
}

#[test]
fn the_current_profile_is_used_where_none_is_named_ours_before_the_vendors() {
    let vendor_only = Sources { vendor: TWO_PROFILES, ..Sources::default() }.resolve().unwrap();
    assert_eq!(summary(&vendor_only).1, "key mr_sk_prod");
    let own = "current_profile = \"prod\"\n[profiles.prod]\napi_key = \"mr_sk_own\"\n";
    let both = Sources { own, vendor: TWO_PROFILES, ..Sources::default() }.resolve().unwrap();
    assert_eq!(summary(&both).1, "key mr_sk_own");
    let expected = Source::File { field: "current_profile", path: OWN.into() };
    assert_eq!(both.server.profile.unwrap().source, expected);
    let named = Sources { own: "current_profile = \"lab\"", vendor: TWO_PROFILES, ..Sources::default() };
    assert_eq!(summary(&named.resolve().unwrap()).1, "token lab.token");
}

#[test]
fn a_profiles_key_never_goes_to_another_base_url() {
    for (flags, environment) in [
        (base_url("https://evil.example/api/v1"), ""),
        (Flags::default(), "https://evil.example/api/v1"),
        (Flags { allow_http: true, ..base_url("http://api.modelrelay.ai/api/v1") }, ""),
        (base_url("https://api.modelrelay.ai:444/api/v1"), ""),
        (base_url("https://api.modelrelay.ai/api/v2"), ""),
        (base_url("https://api.modelrelay.ai.evil.example/api/v1"), ""),
    ] {
        let sources = Sources { flags, base_url: environment, vendor: TWO_PROFILES, ..Sources::default() };
        let refusal = sources.refusal();
        assert!(refusal.contains("goes only to https://api.modelrelay.ai/api/v1"), "{refusal}");
        assert!(refusal.contains("--api-key-file"), "{refusal}");
        let with_own_key = Sources { api_key: "mr_sk_env", ..sources };
        assert_eq!(summary(&with_own_key.resolve().unwrap()).1, "key mr_sk_env");
    }
}

#[test]
fn the_same_server_in_another_spelling_is_the_same_server() {
    for url in [
        "https://API.modelrelay.ai:443/api/v1/",
        "https://api.modelrelay.ai/api/v1",
        " https://api.modelrelay.ai/api/v1",
    ] {
        let sources = Sources { flags: base_url(url), vendor: TWO_PROFILES, ..Sources::default() };
        assert_eq!(summary(&sources.resolve().unwrap()).1, "key mr_sk_prod", "{url}");
    }
}

#[test]
fn missing_credentials_are_refused_with_every_way_to_give_them() {
    let refusal = Sources::default().refusal();
    for phrase in ["MODELRELAY_API_KEY", "mr_sk_", "MODELRELAY_TOKEN", "--api-key-file", OWN, "relay-console demo"] {
        assert!(refusal.contains(phrase), "{phrase:?} is not in {refusal}");
    }
    let bare = Sources {
        own: "current_profile = \"a\"\n[profiles.a]\nbase_url = \"https://a.example\"",
        ..Sources::default()
    };
    assert!(bare.refusal().contains("profile \"a\""), "{}", bare.refusal());
    assert!(bare.refusal().contains("has neither api_key nor token"), "{}", bare.refusal());
}

#[test]
fn each_wrong_input_is_refused_in_words_that_say_what_and_where() {
    let own = |text: &'static str| Sources { api_key: "mr_sk_1", own: text, ..Sources::default() };
    let flags = |flags: Flags| Sources { api_key: "mr_sk_1", flags, ..Sources::default() };
    let key = |key: &'static str| Sources { api_key: key, ..Sources::default() };
    let cases: Vec<(Sources, &[&str])> = vec![
        (own("a = = 1"), &[OWN, "line 1, column 5"]),
        (
            own("\n\n[profiles.a]\n  api_kye = \"mr_sk_1\""),
            &["line 4, column 3", "unknown field `api_kye`", "`api_key`"],
        ),
        (own("profiles = 3"), &["line 1, column 12", "invalid type"]),
        (
            own("[prices]\n\"a/b\" = { input_cents_per_million = 1 }"),
            &["line 2", "missing field `output_cents_per_million`"],
        ),
        (
            own("[prices]\n\"a/b\" = { input_cents_per_million = \"3\", output_cents_per_million = 1 }"),
            &["line 2", "invalid type"],
        ),
        (
            own("[prices]\n\"a/b\" = { input_cents_per_million = -3, output_cents_per_million = 1 }"),
            &[OWN, "\"a/b\"", "not negative"],
        ),
        (
            own("[prices]\n\"a/b\" = { input_cents_per_million = inf, output_cents_per_million = 1 }"),
            &["must be finite"],
        ),
        (
            own("[prices]\n\"b\" = { input_cents_per_million = 3, output_cents_per_million = 1 }"),
            &["\"b\"", "anthropic/claude"],
        ),
        (
            own("current_profile = \"gone\"\n[profiles.a]\n[profiles.b]"),
            &["no profile \"gone\"", "current_profile in", OWN, "there are: a, b"],
        ),
        (flags(profile("gone")), &["no profile \"gone\"", "--profile", "none at all"]),
        (flags(base_url("api.modelrelay.ai")), &["\"api.modelrelay.ai\"", "--base-url", "cannot be used"]),
        (flags(base_url("ftp://api.modelrelay.ai/")), &["not https"]),
        (flags(base_url("http://runs.example/api/v1")), &["--base-url", "unencrypted", "--allow-http"]),
        (flags(base_url("https://api.modelrelay.ai/api/v1?x=1")), &["query"]),
        (key("mr_pk_1"), &["MODELRELAY_API_KEY", "publishable", "mr_sk_"]),
        (key("mr_sk_1 mr_sk_2"), &["the key from MODELRELAY_API_KEY", "copy it again"]),
        (key("mr_sk_é"), &["copy it again"]),
        (Sources { key_file: Some(" \n"), ..Sources::default() }, &["--api-key-file", "is empty"]),
        (Sources { key_file: Some("mr_sk_1\nmr_sk_2"), ..Sources::default() }, &["more than one line"]),
        (Sources { token: "mr_pk_9", ..Sources::default() }, &["MODELRELAY_TOKEN", "publishable"]),
    ];
    for (sources, phrases) in cases {
        let refusal = sources.refusal();
        for phrase in phrases {
            assert!(refusal.contains(phrase), "{phrase:?} is not in {refusal:?}");
        }
    }
}

#[test]
fn a_publishable_key_is_refused_wherever_it_comes_from() {
    let in_profile = "current_profile = \"a\"\n[profiles.a]\napi_key = \"mr_pk_1\"";
    for sources in [
        Sources { api_key: "mr_pk_1", ..Sources::default() },
        Sources { key_file: Some("mr_pk_1\n"), ..Sources::default() },
        Sources { own: in_profile, ..Sources::default() },
        Sources { vendor: in_profile, ..Sources::default() },
    ] {
        assert!(matches!(sources.resolve(), Err(SettingsError::PublishableKey(_))));
    }
}

#[test]
fn no_message_and_no_debug_print_shows_a_secret() {
    let secret = "mr_sk_0123456789";
    for own in [
        format!("profiles = \"{secret}\""),
        format!("[profiles.a]\n{secret} = 1"),
        format!("[profiles.a]\napi_key = \"{secret}"),
        format!("[profiles.a]\napi_key = {secret}"),
        format!("[profiles.a]\napi_key = [\"{secret}\"]"),
        format!("[profiles]\na = \"{secret}\""),
    ] {
        let refusal = Sources { own: &own, ..Sources::default() }.refusal();
        assert!(!refusal.contains("0123456789"), "{refusal}");
    }
    let url = format!("https://user:{secret}@host.example/api");
    let refusal = Sources { flags: base_url(&url), api_key: "mr_sk_1", ..Sources::default() }.refusal();
    assert!(refusal.contains("do not belong there") && !refusal.contains("0123456789"), "{refusal}");
    let sources = Sources { api_key: secret, ..Sources::default() };
    let printed = format!("{:?} {:?} {:?}", sources.environment(), sources.files(), sources.resolve().unwrap());
    assert!(!printed.contains("0123456789"), "{printed}");
    let sources = Sources { vendor: TWO_PROFILES, key_file: Some(secret), ..Sources::default() };
    let printed = format!("{:?} {:?}", sources.files(), sources.resolve().unwrap());
    assert!(!printed.contains("0123456789") && !printed.contains("mr_sk_prod"), "{printed}");
}

#[test]
fn a_wrong_file_of_the_vendor_is_told_of_and_refused_only_when_it_is_needed() {
    let broken = "[profiles.prod\n";
    let not_needed = Sources { api_key: "mr_sk_1", vendor: broken, ..Sources::default() }.resolve().unwrap();
    assert_eq!(not_needed.server.notices.len(), 1);
    assert!(not_needed.server.notices[0].contains(VENDOR), "{:?}", not_needed.server.notices);
    let needed = Sources { flags: profile("prod"), vendor: broken, ..Sources::default() }.refusal();
    assert!(needed.contains("line 1"), "{needed}");
    let nothing_else = Sources { vendor: broken, ..Sources::default() }.refusal();
    assert!(nothing_else.contains(VENDOR) && nothing_else.contains("no credentials"), "{nothing_else}");
    let unknown_fields = "[profiles.prod]\napi_key = \"mr_sk_1\"\nproject_id = \"p\"\noutput = \"json\"\nnew = 1";
    assert!(Sources { flags: profile("prod"), vendor: unknown_fields, ..Sources::default() }.resolve().is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let sources = Sources { api_key: "mr_sk_1", ..Sources::default() };
    let unreadable = |path: &str| TextFile { text: Err("permission denied".into()), ..file(path, "") };
    let own = Files { own: Some(unreadable(OWN)), ..Files::default() };
    let key = Files { api_key: Some(unreadable("/run/key")), ..Files::default() };
    for (files, path) in [(own, OWN), (key, "/run/key")] {
        let error = settings::resolve(&sources.flags, &sources.environment(), &files, &directories()).unwrap_err();
        assert!(error.to_string().contains(&format!("cannot read {path}: permission denied")), "{error}");
    }
}

#[test]
fn credentials_that_do_not_come_from_the_chosen_profile_and_files_that_others_read_are_told_of() {
    let sources = Sources { api_key: "mr_sk_1", flags: profile("lab"), vendor: TWO_PROFILES, ..Sources::default() };
    let notices = sources.resolve().unwrap().server.notices;
    assert_eq!(
        notices,
        [format!("the credentials come from MODELRELAY_API_KEY, not from profile \"lab\" in {VENDOR}")]
    );
    let sources = Sources { vendor: TWO_PROFILES, ..Sources::default() };
    let mut files = sources.files();
    files.vendor.as_mut().unwrap().readable_by_others = true;
    let settings = settings::resolve(&sources.flags, &sources.environment(), &files, &directories()).unwrap();
    assert!(settings.server.notices[0].contains(&format!("chmod 600 {VENDOR}")), "{:?}", settings.server.notices);
}

#[test]
fn preferences_need_no_credentials_and_carry_the_prices() {
    let own = "[prices]\n\"anthropic/claude\" = { input_cents_per_million = 300, output_cents_per_million = 1500.5 }";
    let sources = Sources { own, ..Sources::default() };
    let defaults = settings::preferences(&sources.flags, &sources.environment(), &sources.files()).unwrap();
    assert!(defaults.include_output && defaults.color && !defaults.ascii && !defaults.mouse);
    assert_eq!(defaults.idle_timeout, Duration::from_secs(15));
    let price = defaults.prices["anthropic/claude"];
    assert_eq!(
        (price.input_cents_per_million, price.output_cents_per_million).partial_cmp(&(300.0, 1500.5)),
        Some(std::cmp::Ordering::Equal)
    );
    let flags = Flags {
        no_output: true,
        ascii: true,
        mouse: true,
        idle_timeout: Some(Duration::from_secs(3)),
        ..Flags::default()
    };
    let environment = Environment { no_color: true, ..Environment::default() };
    let set = settings::preferences(&flags, &environment, &Files::default()).unwrap();
    assert!(!set.include_output && !set.color && set.ascii && set.mouse);
    assert_eq!(set.idle_timeout, Duration::from_secs(3));
}

#[test]
fn calls_are_attributed_to_the_customer_of_the_flag_else_to_the_profiles() {
    let own = "current_profile = \"a\"\n[profiles.a]\napi_key = \"mr_sk_1\"\ncustomer_id = \" customer-7 \"";
    let customer = |sources: &Sources| sources.resolve().map(|settings| settings.server.customer_id);
    let of_profile = Sources { own, ..Sources::default() };
    let source = Source::Profile { name: "a".into(), path: OWN.into() };
    assert_eq!(customer(&of_profile).unwrap().unwrap(), settings::Sourced::new("customer-7".to_owned(), source));
    let flag = |id: &str| Flags { customer_id: Some(id.into()), ..Flags::default() };
    let by_flag = Sources { flags: flag("customer-8"), ..of_profile.clone() };
    assert_eq!(customer(&by_flag).unwrap().unwrap().value, "customer-8");
    assert_eq!(by_flag.resolve().unwrap().server.client_config().customer_id.as_deref(), Some("customer-8"));
    let wrong = customer(&Sources { flags: flag("a\nb"), ..of_profile }).unwrap_err();
    assert_eq!(wrong, SettingsError::Customer(Source::Flag("--customer")));
    let vendor = own.replace("\" customer-7 \"", "7");
    let of_vendor = Sources { vendor: &vendor, ..Sources::default() };
    assert_eq!(customer(&of_vendor).unwrap(), None, "the vendor's file has no such field");
}

fn survey(sources: &Sources) -> settings::Survey {
    settings::survey(&sources.flags, &sources.environment(), &sources.files(), &directories())
}

#[test]
fn one_wrong_setting_does_not_hide_the_others_from_a_survey() {
    let broken = Sources { own: "a = =", api_key: "mr_sk_1", ..Sources::default() };
    let found = survey(&broken);
    assert!(matches!(&found.own, settings::FileState::Wrong(SettingsError::Toml { line: 1, .. })), "{:?}", found.own);
    assert!(found.profile.is_err());
    assert!(found.base_url.is_none(), "the profile that cannot be read may say another");
    assert_eq!(found.credentials.unwrap().unwrap().source, Source::Environment("MODELRELAY_API_KEY"));
    let with_url = Sources { base_url: "https://lab.example", ..broken };
    assert_eq!(survey(&with_url).base_url.unwrap().unwrap().value.as_str(), "https://lab.example");
    let bad_key = survey(&Sources { api_key: "mr_pk_1", vendor: TWO_PROFILES, ..Sources::default() });
    assert_eq!(bad_key.profile.unwrap().unwrap().value, "prod");
    assert!(bad_key.base_url.unwrap().is_ok());
    assert!(matches!(bad_key.credentials, Some(Err(SettingsError::PublishableKey(_)))));
    let profiles = vec!["lab".into(), "prod".into()];
    assert_eq!(bad_key.vendor, settings::FileState::Present { profiles, exposed: false });
    assert_eq!(bad_key.own, settings::FileState::Absent);
}

#[test]
fn a_survey_agrees_with_what_a_command_resolves_and_names_what_is_passed_over() {
    let sources = Sources { api_key: "mr_sk_1", token: "t", vendor: TWO_PROFILES, ..Sources::default() };
    let (found, server) = (survey(&sources), sources.resolve().unwrap().server);
    assert_eq!(found.profile.unwrap(), server.profile);
    assert_eq!(found.base_url.unwrap().unwrap(), server.base_url);
    assert_eq!(found.credentials.unwrap().unwrap().source, server.credentials.source);
    assert_eq!(found.customer_id.unwrap().unwrap(), server.customer_id);
    assert_eq!(found.notices, server.notices);
    assert_eq!(
        found.passed_over,
        [Source::Environment("MODELRELAY_TOKEN"), Source::Profile { name: "prod".into(), path: VENDOR.into() }]
    );
    let refused = Sources { flags: base_url("https://evil.example"), vendor: TWO_PROFILES, ..Sources::default() };
    assert_eq!(survey(&refused).credentials.unwrap().unwrap_err(), refused.resolve().unwrap_err());
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_in_place_of_a_configuration_file_is_told_of_and_not_waited_for() {
    use crate::program::Program;
    let end = std::time::Instant::now() + Duration::from_secs(20);
    for name in ["relay-console", "mrl"] {
        let program = Program::new();
        let file = program.home.path().join(".config").join(name).join("config.toml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        let mut command = program.command(&["get", "550e8400-e29b-41d4-a716-446655440000"]);
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > end {
                child.kill().unwrap();
                panic!("it waits for {}", file.display());
            }
            std::thread::yield_now();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("not a regular file") && said.contains(file.to_str().unwrap()), "{said}");
    }
}

#[test]
fn the_journal_is_kept_unless_the_file_or_the_command_line_says_no() {
    let journal = |own: &'static str, no_journal: bool| {
        let flags = Flags { no_journal, ..Flags::default() };
        Sources { own, api_key: "mr_sk_env", flags, ..Sources::default() }.resolve().unwrap().preferences.journal
    };
    assert!(journal("", false) && journal("journal = true", false));
    assert!(!journal("journal = false", false) && !journal("journal = true", true));
}
