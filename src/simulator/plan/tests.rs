//! Compiling: dependencies, hashes, the compiled form, and every issue with its place.

use serde_json::{Value, json};

use super::*;

fn compile(json: &Value) -> Result<Plan, Vec<Issue>> {
    Plan::compile(json, &|_| false)
}

fn llm(id: &str, user: &str) -> Value {
    json!({"id": id, "type": "llm", "user": user})
}

/// Nodes that are whole, for specs in which something else is wrong.
fn with_nodes(nodes: &Value) -> Value {
    json!({"model": "m", "inputs": [{"name": "l"}], "nodes": nodes})
}

#[test]
fn naming_a_node_in_a_text_makes_it_a_dependency() {
    let plan = compile(&json!({"model": "m", "inputs": [{"name": "topic"}], "nodes": [
        llm("a", "about {{topic}}"),
        {"id": "b", "type": "llm", "system": "be brief", "user": "sum up {{ a }} and {{a}}"},
        {"id": "c", "type": "llm", "input": [{"role": "user", "content": [{"type": "text", "text": "{{b}}"}]}]},
        {"id": "t", "type": "transform.json", "object": {"x": {"from": "c"}, "y": {"from": "topic"}}},
        {"id": "f", "type": "map.fanout", "items_from": "t", "items_pointer": "/x", "subnode": llm("s", "{{item}} {{a}}")},
    ]}))
    .unwrap();
    let depends = |index: usize| plan.nodes[index].depends_on.iter().map(NodeId::as_str).collect::<Vec<_>>();
    assert_eq!([depends(1), depends(2), depends(3), depends(4)], [vec!["a"], vec!["b"], vec!["c"], vec!["t", "a"]]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one row a code")]
fn every_issue_has_its_code_and_its_place() {
    let join = |predicate: Value| {
        with_nodes(&json!([llm("a", ""), {"id": "j", "type": "join.any", "depends_on": ["a"], "predicate": predicate}]))
    };
    let fan_out = |fields: Value| {
        let mut node = json!({"id": "f", "type": "map.fanout"});
        node.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        with_nodes(&json!([node]))
    };
    let sub = llm("s", "{{item}}");
    let cases = [
        (json!([]), "INVALID_FIELD", "$"),
        (json!({"kind": "workflow.v1", "model": "m", "nodes": [llm("a", "")]}), "INVALID_KIND", "$.kind"),
        (json!({"model": "m"}), "MISSING_FIELD", "$.nodes"),
        (json!({"model": "m", "nodes": []}), "EMPTY_NODES", "$.nodes"),
        (json!({"model": "m", "nodes": vec![llm("a", ""); 1001]}), "TOO_MANY_NODES", "$.nodes"),
        (json!({"model": 7, "nodes": [llm("a", "")]}), "INVALID_FIELD", "$.model"),
        (json!({"model": "m", "max_parallelism": 0, "nodes": [llm("a", "")]}), "OUT_OF_RANGE", "$.max_parallelism"),
        (with_nodes(&json!([llm("A", "")])), "INVALID_ID", "$.nodes[0].id"),
        (with_nodes(&json!([{"type": "llm"}])), "MISSING_FIELD", "$.nodes[0].id"),
        (with_nodes(&json!([llm("a", ""), llm("a", "")])), "DUPLICATE_ID", "$.nodes[1].id"),
        (json!({"nodes": [llm("a", "")]}), "MISSING_MODEL", "$.nodes[0].model"),
        (with_nodes(&json!([{"id": "a", "type": "llm", "model": " "}])), "MISSING_MODEL", "$.nodes[0].model"),
        (json!({"nodes": [{"id": "a", "type": "route.switch"}]}), "MISSING_MODEL", "$.nodes[0].model"),
        (json!({"model": "x".repeat(129), "nodes": [llm("a", "")]}), "INVALID_FIELD", "$.model"),
        (
            with_nodes(&json!([{"id": "a", "type": "llm", "model": "x".repeat(129)}])),
            "INVALID_FIELD",
            "$.nodes[0].model",
        ),
        (with_nodes(&json!([{"id": "a", "type": "agent.run"}])), "UNKNOWN_TYPE", "$.nodes[0].type"),
        (
            with_nodes(&json!([{"id": "a", "type": "llm", "depends_on": ["b"]}])),
            "UNKNOWN_DEPENDENCY",
            "$.nodes[0].depends_on[0]",
        ),
        (with_nodes(&json!([llm("a", "{{nobody}}")])), "UNKNOWN_PLACEHOLDER", "$.nodes[0].user"),
        (with_nodes(&json!([llm("a", "{{item}}")])), "UNKNOWN_PLACEHOLDER", "$.nodes[0].user"),
        (
            with_nodes(&json!([{"id": "a", "type": "llm", "input": [{"content": "{{x}}"}]}])),
            "UNKNOWN_PLACEHOLDER",
            "$.nodes[0].input[0].content",
        ),
        (with_nodes(&json!([llm("a", "{{b}}"), llm("b", "{{a}}"), llm("c", "{{b}}")])), "CYCLE", "$.nodes[0]"),
        (with_nodes(&json!([llm("a", "{{a}}")])), "CYCLE", "$.nodes[0]"),
        (with_nodes(&json!([{"id": "j", "type": "join.collect"}])), "MISSING_DEPENDENCY", "$.nodes[0].depends_on"),
        (
            join(json!({"source": "node_output", "op": "matches", "value": "("})),
            "INVALID_PREDICATE",
            "$.nodes[1].predicate.value",
        ),
        (join(json!({"source": "node_output"})), "MISSING_FIELD", "$.nodes[1].predicate.op"),
        (
            with_nodes(
                &json!([llm("a", ""), {"id": "j", "type": "join.collect", "depends_on": ["a"], "timeout_ms": -1}]),
            ),
            "OUT_OF_RANGE",
            "$.nodes[1].timeout_ms",
        ),
        (with_nodes(&json!([{"id": "t", "type": "transform.json"}])), "MISSING_VALUES", "$.nodes[0]"),
        (
            with_nodes(&json!([{"id": "t", "type": "transform.json", "object": {"a b": {"from": "x"}}}])),
            "UNKNOWN_SOURCE",
            "$.nodes[0].object[\"a b\"].from",
        ),
        (
            with_nodes(&json!([{"id": "t", "type": "transform.json", "merge": [{"from": "l", "pointer": "x"}]}])),
            "INVALID_POINTER",
            "$.nodes[0].merge[0].pointer",
        ),
        (fan_out(json!({"subnode": sub})), "MISSING_ITEMS", "$.nodes[0]"),
        (fan_out(json!({"items_from": "x", "items_from_input": "l", "subnode": sub})), "MISSING_ITEMS", "$.nodes[0]"),
        (fan_out(json!({"items_from": "x", "subnode": sub})), "UNKNOWN_DEPENDENCY", "$.nodes[0].items_from"),
        (fan_out(json!({"items_from_input": "x", "subnode": sub})), "UNKNOWN_INPUT", "$.nodes[0].items_from_input"),
        (fan_out(json!({"items_from_input": "l"})), "MISSING_FIELD", "$.nodes[0].subnode"),
        (
            fan_out(json!({"items_from_input": "l", "items_path": "/~2", "subnode": sub})),
            "INVALID_POINTER",
            "$.nodes[0].items_path",
        ),
        (
            fan_out(json!({"items_from_input": "l", "subnode": {"id": "s", "type": "join.all"}})),
            "INVALID_SUBNODE",
            "$.nodes[0].subnode.type",
        ),
        (
            fan_out(json!({"items_from_input": "l", "subnode": llm("s", "{{outer.item}}")})),
            "UNKNOWN_PLACEHOLDER",
            "$.nodes[0].subnode.user",
        ),
        (
            fan_out(json!({"items_from_input": "l", "subnode": {"id": "S", "type": "llm"}})),
            "INVALID_ID",
            "$.nodes[0].subnode.id",
        ),
        (
            json!({"inputs": [{"name": "l"}], "nodes": [{"id": "f", "type": "map.fanout", "items_from_input": "l",
                "subnode": {"id": "s", "type": "llm"}}]}),
            "MISSING_MODEL",
            "$.nodes[0].subnode.model",
        ),
        (
            with_nodes(
                &json!([llm("f__0", ""), {"id": "f", "type": "map.fanout", "items_from_input": "l", "subnode": sub}]),
            ),
            "DUPLICATE_ID",
            "$.nodes[0].id",
        ),
        (
            with_nodes(&json!([{"id": "f".repeat(57), "type": "map.fanout", "items_from_input": "l", "subnode": sub}])),
            "INVALID_ID",
            "$.nodes[0].id",
        ),
        (with_nodes(&json!([{"id": "a", "type": "llm", "tools": [""]}])), "INVALID_FIELD", "$.nodes[0].tools[0]"),
        (
            with_nodes(&json!([{"id": "a", "type": "llm", "tool_execution": {"mode": "x"}}])),
            "INVALID_FIELD",
            "$.nodes[0].tool_execution.mode",
        ),
        (
            json!({"model": "m", "nodes": [llm("a", "")], "outputs": [{"name": "x", "from": "b"}]}),
            "UNKNOWN_NODE",
            "$.outputs[0].from",
        ),
        (
            json!({"model": "m", "nodes": [llm("a", "")], "outputs": [{"name": "x", "from": "a"}, {"name": "x", "from": "a"}]}),
            "DUPLICATE_OUTPUT",
            "$.outputs[1].name",
        ),
        (
            json!({"model": "m", "nodes": [llm("a", "")], "outputs": [{"name": "x", "from": "a", "pointer": "output"}]}),
            "INVALID_POINTER",
            "$.outputs[0].pointer",
        ),
        (
            json!({"model": "m", "nodes": [llm("a", "")], "inputs": [{"name": "x"}, {"name": "x"}]}),
            "DUPLICATE_INPUT",
            "$.inputs[1].name",
        ),
        (
            json!({"model": "m", "nodes": [llm("a", "")], "inputs": [{"name": "a"}]}),
            "AMBIGUOUS_NAME",
            "$.inputs[0].name",
        ),
    ];
    for (spec, code, path) in cases {
        let issues = compile(&spec).unwrap_err();
        let found: Vec<(&str, &str)> = issues.iter().map(|issue| (issue.code.as_str(), issue.path.as_str())).collect();
        assert_eq!(found, [(code, path)], "{spec}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let spec = json!({"nodes": [llm("a", "{{b}} {{x}}"), llm("b", "{{a}}"), llm("c", "{{d}}"), llm("d", "{{c}} {{a}}")],
        "outputs": [{"name": "", "from": "z"}]});
    let codes: Vec<String> = compile(&spec).unwrap_err().into_iter().map(|issue| issue.code).collect();
    let expected = [
        "UNKNOWN_PLACEHOLDER",
        "MISSING_MODEL",
        "MISSING_MODEL",
        "MISSING_MODEL",
        "MISSING_MODEL",
        "INVALID_FIELD",
        "UNKNOWN_NODE",
        "CYCLE",
        "CYCLE",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn a_cycle_is_named_in_its_order() {
    let spec = with_nodes(&json!([llm("a", "{{c}}"), llm("b", "{{a}}"), llm("c", "{{b}}"), llm("d", "{{a}}")]));
    let issues = compile(&spec).unwrap_err();
    assert_eq!(issues[0].message, "these nodes wait for each other: a → c → b → a");
}

#[test]
fn the_item_of_a_fan_out_has_an_id_of_the_published_form_and_its_subnodes_type() {
    let plan = compile(&json!({"model": "m", "inputs": [{"name": "files"}], "nodes": [
        {"id": "fan", "type": "map.fanout", "items_from_input": "files", "subnode":
            {"id": "inner", "type": "map.fanout", "items_from": "item", "subnode": llm("one", "{{item}} of {{outer.item}}")}},
    ]}))
    .unwrap();
    let id = item_id(&NodeId::parse("fan").unwrap(), 12).unwrap();
    assert_eq!(plan.type_of(&id), Some(NodeType::MapFanout));
    let inner = item_id(&id, 3).unwrap();
    assert!(NodeId::parse(inner.as_str()).is_ok());
    assert_eq!(plan.type_of(&inner), Some(NodeType::LlmResponses));
}

#[test]
fn a_node_may_fail_only_where_every_way_onward_leads_through_a_join_that_chooses() {
    let any = |id: &str, on: Value| json!({"id": id, "type": "join.any", "depends_on": on});
    let plan = compile(&json!({"model": "m", "nodes": [
        llm("a", ""), llm("b", "{{a}}"), llm("c", ""), llm("d", ""), llm("e", "{{d}}"),
        any("j", json!(["b", "c", "d"])),
    ], "outputs": [{"name": "x", "from": "j"}, {"name": "y", "from": "c"}]}))
    .unwrap();
    let may_fail: Vec<&str> = plan.nodes.values().filter(|node| node.may_fail).map(|node| node.id.as_str()).collect();
    // c is an output, d leads to e as well, e and j lead nowhere.
    assert_eq!(may_fail, ["a", "b"]);
}

#[test]
fn specs_that_mean_the_same_have_the_same_hash() {
    let hash = |spec: Value| compile(&spec).unwrap().hash;
    let one = hash(json!({"model": "m", "nodes": [llm("a", ""), llm("b", "{{a}}")]}));
    let same = [
        json!({"nodes": [{"user": "", "type": "llm.responses", "id": "a"}, llm("b", "{{a}}")], "kind": "workflow", "model": "m"}),
        json!({"nodes": [{"id": "a", "type": "llm", "user": "", "model": "m", "stream": true, "depends_on": []},
            {"id": "b", "type": "llm", "user": "{{a}}", "model": "m", "depends_on": ["a"]}], "inputs": []}),
        json!({"model": "m", "nodes": [llm("a", ""), llm("b", "{{a}}")], "outputs": [{"name": "b", "from": "b", "pointer": ""}]}),
        json!({"model": "m", "nodes": [llm("a", ""), llm("b", "{{a}}")], "max_parallelism": null, "nobody_reads": 1}),
    ];
    for spec in same {
        assert_eq!(hash(spec.clone()), one, "{spec}");
    }
    let others = [
        json!({"model": "n", "nodes": [llm("a", ""), llm("b", "{{a}}")]}),
        json!({"model": "m", "nodes": [llm("a", "."), llm("b", "{{a}}")]}),
        json!({"model": "m", "nodes": [llm("a", ""), llm("b", "{{a}}")], "max_parallelism": 1}),
        json!({"model": "m", "nodes": [llm("a", ""), llm("b", "{{a}}")], "name": "x"}),
        json!({"model": "m", "nodes": [llm("a", ""), {"id": "b", "type": "llm", "user": "{{a}}", "max_output_tokens": 5}]}),
        json!({"model": "m", "nodes": [llm("a", ""), {"id": "b", "type": "llm", "user": "{{a}}", "new_field": 5}]}),
        json!({"model": "m", "nodes": [llm("a", ""), llm("b", "{{a}}")], "outputs": [{"name": "b", "from": "a"}]}),
    ];
    for spec in others {
        assert_ne!(hash(spec.clone()), one, "{spec}");
    }
}

#[test]
fn the_hash_is_that_of_the_compiled_forms_text() {
    use sha2::Digest as _;
    let plan = compile(&with_nodes(&json!([llm("a", "{{l}}")]))).unwrap();
    let text = plan.json().to_string();
    assert_eq!(hex(&sha2::Sha256::digest(text.as_bytes())), plan.hash.as_str());
    let expected = concat!(
        r#"{"edges":[],"inputs":[{"name":"l"}],"kind":"workflow.v1","nodes":[{"id":"a","input":{"bindings":"#,
        r#"[{"encoding":"json_string","from":"l","to_placeholder":"l"}],"request":{"input":[{"content":"#,
        r#"[{"text":"{{l}}","type":"text"}],"role":"user","type":"message"}],"model":"m"},"stream":true},"#,
        r#""type":"llm.responses"}],"outputs":[{"from":"a","name":"a"}]}"#,
    );
    assert_eq!(text, expected);
}
