//! What a path points at, checked against what `serde_json` reads there.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SPEC: &str = r#"{
  "nodes": [
    {"id": "a", "user": "x, ] } \" \\"},
	{"id": "ü漢", "user" : "{{a}}", "tools": [], "max": -1.5e3 }
  ],
  "a b": {"\u00e9\"": true, "0": null},
  "twice": 1, "twice": [2]
}
"#;

/// What stands at the place, and line and column.
fn at(path: &str) -> (String, usize, usize, Option<String>) {
    let place = locate(SPEC, path).unwrap();
    (SPEC[place.bytes.clone()].to_owned(), place.line, place.column, place.missing)
}

#[test]
fn a_path_points_at_the_value_as_it_was_written() {
    let found = |text: &str, line, column| (text.to_owned(), line, column, None);
    assert_eq!(at("$.nodes[0].user"), found(r#""x, ] } \" \\""#, 3, 25));
    assert_eq!(at("$.nodes[1].user"), found("\"{{a}}\"", 4, 24));
    assert_eq!(at("$.nodes[1].tools"), found("[]", 4, 42));
    assert_eq!(at("$.nodes[1].max"), found("-1.5e3", 4, 53));
    assert_eq!(at("$['a b'].é\""), found("true", 6, 23));
    assert_eq!(at("$[\"a b\"]['0']"), found("null", 6, 34));
    assert_eq!(at("$.twice[0]"), found("2", 7, 25));
    assert_eq!(at("$").1, 1);
}

#[test]
fn other_spellings_of_a_path_point_at_the_same() {
    for path in
        ["$.nodes[1].id", "nodes[1].id", "$.nodes.1.id", "/nodes/1/id", "$['nodes'][1]['id']", " $.nodes[ 1 ].id "]
    {
        assert_eq!(at(path).0, "\"ü漢\"", "{path}");
    }
}

#[test]
fn a_path_that_leads_nowhere_gives_its_nearest_ancestor_and_what_is_missing() {
    let missing = |path: &str| {
        let (_, line, column, missing) = at(path);
        (line, column, missing.unwrap())
    };
    assert_eq!(missing("$.nodes[1].model.name"), (4, 2, "model".to_owned()));
    assert_eq!(missing("$.nodes[7].id"), (2, 12, "[7]".to_owned()));
    let endless = format!("[{}]", usize::MAX);
    assert_eq!(missing(&format!("$.nodes{endless}.id")), (2, 12, endless.clone()));
    assert_eq!(missing(&format!("$.nodes[1].tools{endless}")), (4, 42, endless));
    assert_eq!(missing("$.nodes[1].tools[0]"), (4, 42, "[0]".to_owned()));
    assert_eq!(missing("$.nodes[0].id.x"), (3, 12, "x".to_owned()));
}

#[test]
fn a_path_that_cannot_be_read_to_its_end_points_where_its_beginning_does() {
    let missing = |path: &str| {
        let (_, line, column, missing) = at(path);
        (line, column, missing.unwrap())
    };
    assert_eq!(missing("$.nodes[0][x].y"), (3, 5, "[x].y".to_owned()));
    assert_eq!(missing("$.nodes[1]..id"), (4, 2, "..id".to_owned()));
    assert_eq!(missing("nodes[1]['id"), (4, 2, "['id".to_owned()));
    assert_eq!(missing("$['a"), (1, 1, "['a".to_owned()));
}

#[test]
fn what_is_no_path_has_no_place() {
    for path in ["", " ", "somewhere else", "node b", "..a", "[x]", "[7]"] {
        assert_eq!(locate(SPEC, path), None, "{path}");
    }
}

#[test]
fn the_line_of_a_place_ends_where_the_line_does() {
    let text = "{\r\n \"a\": [1,\r\n2]}";
    let place = locate(text, "$.a").unwrap();
    assert_eq!((place.line, place.column, place.line_of(text)), (2, 7, " \"a\": [1,"));
    assert_eq!(locate(text, "$.a[1]").unwrap().line_of(text), "2]}");
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Every value in `value` with its path.
fn walk(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), value.clone()));
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{path}[{index}]"), found));
        }
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('\\', "\\\\").replace('\'', "\\'");
                walk(member, &format!("{path}['{key}']"), found);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn every_value_of_any_json_is_found_by_its_path_however_it_is_laid_out(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let mut expected = Vec::new();
        walk(&value, "$", &mut expected);
        for (path, value) in expected {
            let place = locate(&text, &path).unwrap();
            prop_assert_eq!(&place.missing, &None);
            let found: Value = serde_json::from_str(&text[place.bytes]).unwrap();
            prop_assert_eq!(found, value, "{}", path);
        }
    }

    #[test]
    fn no_text_and_no_path_makes_it_panic(text: String, path: String, json in "[\\[\\]{}\",:\\\\a0 é\n]{0,40}") {
        let _ = locate(&text, &path);
        for path in ["$.a[0].a", "$[0][0]", &path] {
            if let Some(place) = locate(&json, path) {
                let _ = place.line_of(&json);
            }
        }
    }
}
