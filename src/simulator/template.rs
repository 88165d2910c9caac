//! `{{…}}` in the texts of specs and scripts.
//!
//! Owns the syntax only: finding the names and putting values in their place. What a name means is the caller's
//! business. Rule: what is put in is never looked at again, so a submitted text that holds `{{…}}` stays as it is.

/// The names between `{{` and `}}`, trimmed, in order, duplicates included.
pub(crate) fn names(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    render(text, |name| {
        found.push(name.to_owned());
        None
    });
    found
}

/// `text` with every `{{name}}` replaced by what `value` gives; a name without a value stays as it stands.
pub(crate) fn render(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else { break };
        let end = start + length + 2;
        rendered.push_str(&rest[..start]);
        match value(rest[start + 2..end - 2].trim()) {
            Some(value) => rendered.push_str(&value),
            None => rendered.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    rendered.push_str(rest);
    rendered
}

/// Whether a name stands for a fan-out's item or for its number.
pub(crate) fn is_of_item(name: &str) -> bool {
    matches!(name, "item" | "index" | "number") || name.starts_with("item:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_looked_at_again() {
        let rendered = render("{{a}} and {{ b }}", |name| (name == "a").then(|| "{{b}}".to_owned()));
        assert_eq!(rendered, "{{b}} and {{ b }}");
    }

    #[test]
    fn an_open_brace_without_its_end_is_text() {
        assert_eq!(render("{{a", |_| Some(String::new())), "{{a");
        assert_eq!(names("x {{one}} {{ two:/p }} {{"), ["one", "two:/p"]);
    }
}
