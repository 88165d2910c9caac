//! `compile` and `lint`: what is wrong with a spec is shown where it stands in the file.

use super::{Bench, HOSTILE, assert_fails, assert_inert, text};

const SPEC: &str = r#"{
  "kind": "workflow",
  "nodes": [
    {"id": "a", "type": "llm", "user": "{{topic}} in 漢字"},
    {"id": "b", "type": "join.all", "depends_on": ["a", "nobody"]}
  ],
  "outputs": [{"name": "o", "from": "b"}]
}
"#;

const PLAN: &str = r#"{"plan_hash":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","plan_json":{"nodes": [1.0],"x":"\u001b"}}"#;

const ISSUES: &str = r#"[{"code":"MISSING_MODEL","path":"$.nodes[0].model","message":"the node has no model"},
 {"code":"UNKNOWN_DEPENDENCY","path":"$.nodes[1].depends_on[1]","message":"there is no node nobody"},
 {"code":"ODD","path":"somewhere: else","message":""}]"#;

fn refusal() -> String {
    format!(r#"{{"error":"bad_request","code":"VALIDATION_ERROR","message":"invalid workflow","issues":{ISSUES}}}"#)
}

fn report(compile_error: &str) -> String {
    let compile = r#"{"code":"CYCLE","path":"/nodes/1/id","message":"b waits for itself"}"#;
    format!(r#"{{"kind":"workflow","lint_issues":{ISSUES},"compile_issues":[{compile}]{compile_error}}}"#)
}

fn with_spec(status: u16, body: &str) -> Bench {
    let bench = Bench::answering(status, body);
    bench.file("spec.json", SPEC);
    bench
}

#[test]
fn a_compiled_spec_is_its_hash_and_its_plan_where_asked_for() {
    let bench = with_spec(200, PLAN);
    let hash = "0a".repeat(32);
    assert_eq!(text(&bench.run(&["compile", "spec.json"]).stdout), format!("{hash}\n"));
    let plan = bench.run(&["compile", "spec.json", "--plan"]);
    assert_eq!(text(&plan.stdout), format!("{hash}\n{{\"nodes\": [1.0],\"x\":\"\\u001b\"}}\n"));
    assert_eq!(text(&bench.run(&["compile", "spec.json", "--json"]).stdout), format!("{PLAN}\n"));
    let from_input = bench.run_with_input(&["compile", "-"], SPEC);
    assert_eq!((from_input.status.code(), text(&from_input.stdout)), (Some(0), format!("{hash}\n")));
    let seen = bench.server.seen().requests;
    for request in &seen {
        assert_eq!(request.line, "POST /api/v1/workflows/compile");
        assert_eq!(request.body, SPEC.trim_end(), "the spec is sent as it was written");
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn issues_are_a_table_and_point_into_the_file() {
    let compile = with_spec(400, &refusal());
    let lint = with_spec(200, &report(r#","compile_error":"the provider's list cannot be read""#));
    let clean = with_spec(200, r#"{"plan_hash":"0a0a0a0a","plan_json":{}}"#);
    let transcripts = [
        compile.transcript(&["compile", "spec.json"]),
        compile.scrollback(&["compile", "-"], &compile.run_with_input(&["compile", "-"], SPEC)),
        lint.transcript(&["lint", "spec.json"]),
        clean.transcript(&["lint", "spec.json"]),
        with_spec(200, "{}").transcript(&["lint", "spec.json", "--no-compile"]),
    ];
    crate::snapshots().bind(|| insta::assert_snapshot!("calls_issues", transcripts.join("\n")));
}

#[test]
fn lint_asks_for_compiling_unless_told_not_to_and_json_is_the_servers_answer_clean_or_not() {
    let bench = with_spec(200, &report(""));
    let output = bench.run(&["lint", "spec.json", "--json"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), format!("{}\n", report(""))));
    bench.run(&["lint", "spec.json", "--no-compile"]);
    assert_eq!(bench.lines(), ["POST /api/v1/workflows/lint", "POST /api/v1/workflows/lint?compile=false"]);
    let failed = with_spec(200, r#"{"compile_error":"no compiler"}"#).run(&["lint", "spec.json", "--json"]);
    assert_eq!(failed.status.code(), Some(2), "what could not be compiled is not clean");
    let clean = with_spec(200, "{}").run(&["lint", "spec.json", "--json"]);
    assert_eq!((clean.status.code(), text(&clean.stdout)), (Some(0), "{}\n".to_owned()));
}

#[test]
fn a_refused_spec_leaves_standard_output_empty_with_json_as_well() {
    for arguments in [&["compile", "spec.json"][..], &["compile", "spec.json", "--json"]] {
        let output = with_spec(400, &refusal()).run(arguments);
        assert_fails(&output, 2, &["spec.json has 3 issues", "VALIDATION_ERROR", "req-7", "spec.json:5:57"]);
    }
    // Not every server says more than that it refuses.
    let output = with_spec(400, "").run(&["lint", "spec.json"]);
    assert_fails(&output, 2, &["cannot lint spec.json", "(400)"]);
}

#[test]
fn a_file_that_is_no_spec_is_refused_with_the_place_before_anything_is_sent() {
    let bench = Bench::answering(200, PLAN);
    for name in ["compile", "lint"] {
        bench.file("broken.json", "{\n  \"kind\": \"ü\", \"nodes\": [,]\n}");
        let output = bench.run(&[name, "broken.json"]);
        assert_fails(&output, 2, &["broken.json:2:26: this is not JSON: expected value\n 2 |   \"kind\"", "\n   |  "]);
        let output = bench.run_with_input(&[name, "-"], "{\"a\": \u{1b}[2J}");
        assert_fails(&output, 2, &["<stdin>:1:7: this is not JSON", "␛[2J"]);
        assert_fails(
            &bench.run(&[name, bench.file("list.json", "[1]")]),
            2,
            &["list.json: a workflow spec is a JSON object"],
        );
        assert_fails(&bench.run(&[name, "none.json"]), 2, &["cannot read none.json", "No such file"]);
        assert_fails(&bench.run(&[name, "."]), 2, &["cannot read ."]);
        std::fs::write(bench.program.home.path().join("latin.json"), b"{\n\"a\": \"\xe9\"}").unwrap();
        assert_fails(&bench.run(&[name, "latin.json"]), 2, &["latin.json:2:7: this is not UTF-8"]);
        assert_fails(&bench.run(&[name]), 2, &["FILE"]);
    }
    assert_eq!(bench.lines(), Vec::<String>::new());
}

#[test]
fn every_failure_has_its_exit_code() {
    for name in ["compile", "lint"] {
        for (status, code) in [(400, 2), (401, 4), (403, 4), (404, 5), (409, 6), (422, 2), (503, 7)] {
            let bench = with_spec(status, r#"{"message":"some words"}"#);
            assert_fails(&bench.run(&[name, "spec.json"]), code, &["some words", "spec.json"]);
        }
        assert_fails(&with_spec(200, "[").run(&[name, "spec.json"]), 8, &["cannot be read"]);
    }
}

#[test]
fn hostile_text_is_inert_in_the_table_and_in_the_excerpt() {
    let issue = r#"{"code":"@<0>","path":"$['a']['@<1>']","message":"@<2>"}"#.replace('@', HOSTILE);
    let file = "{\"a\": {\"b\": \"\u{202e}\u{200b}\u{7f}\"}, \"x\": 1}";
    for (arguments, status, body) in [
        (
            &["compile", "bad.json"][..],
            400,
            format!(r#"{{"message":"@<3>","issues":[{issue}]}}"#).replace('@', HOSTILE),
        ),
        (
            &["lint", "bad.json"],
            200,
            format!(r#"{{"lint_issues":[{issue}],"compile_error":"@<3>"}}"#).replace('@', HOSTILE),
        ),
    ] {
        let bench = Bench::answering(status, &body);
        bench.file("bad.json", file);
        let output = bench.run(arguments);
        assert_eq!(output.status.code(), Some(2));
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert_inert(&shown, &format!("{arguments:?}"));
        for field in 0..4 {
            assert!(shown.contains(&format!("1m<{field}>")), "field {field} in {shown}");
        }
        assert!(shown.contains("has no ␛[2J") && shown.contains("¿¿␡"), "{shown}");
    }
}
