//! What the manual says beside the command tree: environment, files, and an example or two of each subcommand.

/// A run id for examples.
macro_rules! run {
    () => {
        "550e8400-e29b-41d4-a716-446655440000"
    };
}

/// The variables that are read.
pub(super) const ENVIRONMENT: [(&str, &str); 9] = [
    ("MODELRELAY_API_KEY", "The secret key (mr_sk_…). A key in --api-key-file is before it, a profile's after it."),
    (
        "MODELRELAY_TOKEN",
        "A customer's or an account's token, used where neither --api-key-file nor MODELRELAY_API_KEY gives a key.",
    ),
    ("MODELRELAY_API_BASE_URL", "Where the runs API is. --base-url is before it, a profile's base_url after it."),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "The proxy, unless --no-proxy is given; never for this machine."),
    ("NO_COLOR", "Set to anything: no colours."),
    ("VISUAL, EDITOR", "The editor behind Ctrl-X e in the console."),
    ("RELAY_CONSOLE_LOG", "What is logged, such as relay_console::feed=trace. It is before -v."),
    ("XDG_CONFIG_HOME", "Where the configuration stands; ~/.config without it."),
    ("XDG_STATE_HOME", "Where drafts, journals and the log stand; ~/.local/state without it."),
];

/// The files that are read and written.
pub(super) const FILES: [(&str, &str); 4] = [
    (
        "~/.config/relay-console/config.toml",
        "current_profile, [profiles.NAME] with api_key or token, base_url and customer_id, and [prices] with \
         \"provider/model\" = { input_cents_per_million, output_cents_per_million } for estimates. It should be \
         readable by its owner only.",
    ),
    ("~/.config/mrl/config.toml", "The vendor CLI's profiles, used where the file above has none of the name."),
    (
        "~/.local/state/relay-console/",
        "What the console keeps of each run: answers that are not sent yet (drafts) and what was read. Readable by \
         its owner only.",
    ),
    ("~/.local/state/relay-console/log/relay-console.log", "The log. -v writes more. No secret is ever written to it."),
];

/// A command line, and what it does. The first word after the program's name is the subcommand that it belongs to.
const EXAMPLES: &[(&str, &str)] = &[
    (concat!("relay-console ", run!()), "Follow a run and answer what it waits for."),
    (concat!("relay-console follow ", run!(), " --profile lab"), "Follow a run with the profile lab."),
    ("relay-console demo", "Try the console on a made-up run; no account, no network."),
    ("relay-console simulate --listen 127.0.0.1:8080", "Serve made-up runs for tests of your own."),
    ("relay-console start --spec flow.json --input topic=rain", "Start a run and follow it."),
    ("relay-console compile flow.json", "Compile a spec; its plan hash is on standard output."),
    ("relay-console lint flow.json", "Look for mistakes in a spec."),
    (concat!("relay-console get ", run!(), " --json"), "The run's snapshot as the server sends it."),
    (concat!("relay-console pending ", run!()), "What the run waits for."),
    (concat!("relay-console steps ", run!()), "What each step of the run asked and was told."),
    (concat!("relay-console tasks ", run!()), "The run's list of tasks."),
    (concat!("relay-console events ", run!(), " --no-wait"), "The events so far, a line of JSON each."),
    (
        concat!("relay-console answer ", run!(), " --call call_1 --output done --yes"),
        "Answer one pending tool call without the console.",
    ),
    ("relay-console drafts", "What is kept of your answers on this machine, sent and unsent."),
    ("relay-console drafts purge --ended --older-than 30d", "Remove what has been over for a month; it asks first."),
    (concat!("relay-console watch ", run!(), " --exit-on-wait"), "One line a change, until somebody has to answer."),
    (concat!("relay-console check ", run!()), "Read the whole stream and compare it with the snapshot."),
    ("relay-console replay events.ndjson", "Look at a journal in the console."),
    ("relay-console doctor", "Find out what is wrong with the settings, the server or this machine."),
    ("relay-console doctor --json", "The same for a program."),
    ("relay-console completions bash > relay-console.bash", "Let bash complete this program's words."),
    ("relay-console man | man -l -", "Read this page without installing it."),
    ("relay-console man --dir man1", "Write every page into the directory man1."),
];

/// The examples of a subcommand; for the program itself, one of each that there is.
pub(super) fn examples(subcommand: Option<&str>, names: &[String]) -> Vec<(&'static str, &'static str)> {
    let word = |line: &'static str| line.split(' ').nth(1).unwrap_or_default();
    if let Some(subcommand) = subcommand {
        return EXAMPLES.iter().copied().filter(|(line, _)| word(line) == subcommand).collect();
    }
    let own = EXAMPLES.iter().copied().take(1);
    let first_of = |name: &String| EXAMPLES.iter().copied().find(|(line, _)| word(line) == name);
    own.chain(names.iter().filter_map(first_of)).collect()
}
