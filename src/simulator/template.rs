//! `{{…}}` in the texts of specs and scripts.
//!
//! Owns the syntax only: finding the names and putting values in their place. What a name means is the caller's
//! business, save the form of the names that stand for a fan-out's item. Rule: what is put in is never looked at again,
//! so a submitted text that holds `{{…}}` stays as it is.

/// The names between `{{` and `}}`, trimmed, in order, duplicates included.
pub(crate) fn names(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    render(text, usize::MAX, |name| {
        found.push(name.to_owned());
        None
    });
    found
}

/// `text` with every `{{name}}` replaced by what `value` gives; a name without a value stays as it stands. The rest is
/// left out, with a mark, where it would come to more than `most` bytes.
pub(crate) fn render(text: &str, most: usize, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut rendered = String::with_capacity(text.len().min(most));
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
        if rendered.len() > most {
            rendered.push_str(" […]");
            return rendered;
        }
    }
    rendered.push_str(rest);
    rendered
}

/// A name that stands for something of a fan-out's item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ItemName<'a> {
    /// Of which item: 0 is that of the innermost fan-out, 1 that of the one around it.
    pub(crate) outward: usize,
    /// What of it.
    pub(crate) part: ItemPart<'a>,
}

/// What of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemPart<'a> {
    /// The value at a JSON pointer in it.
    Value(&'a str),
    /// Its number, from 0.
    Index,
    /// Its number, from 1.
    Number,
}

/// Reads `item`, `item:/pointer`, `index` and `number`, with one `outer.` before it for each fan-out outward.
pub(crate) fn item_name(name: &str) -> Option<ItemName<'_>> {
    let (mut rest, mut outward) = (name, 0);
    while let Some(inner) = rest.strip_prefix("outer.") {
        (rest, outward) = (inner, outward + 1);
    }
    let part = match rest.split_once(':') {
        None if rest == "item" => ItemPart::Value(""),
        None if rest == "index" => ItemPart::Index,
        None if rest == "number" => ItemPart::Number,
        Some(("item", pointer)) if pointer.starts_with('/') => ItemPart::Value(pointer),
        _ => return None,
    };
    Some(ItemName { outward, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_looked_at_again() {
        let rendered = render("{{a}} and {{ b }}", 100, |name| (name == "a").then(|| "{{b}}".to_owned()));
        assert_eq!(rendered, "{{b}} and {{ b }}");
    }

    #[test]
    fn an_open_brace_without_its_end_is_text() {
        assert_eq!(render("{{a", 100, |_| Some(String::new())), "{{a");
        assert_eq!(names("x {{one}} {{ two:/p }} {{"), ["one", "two:/p"]);
    }

    #[test]
    fn a_text_that_grows_without_end_is_cut() {
        let rendered = render(&"{{a}}".repeat(1000), 50, |_| Some("0123456789".to_owned()));
        assert_eq!(rendered, format!("{} […]", "0123456789".repeat(6)));
    }

    #[test]
    fn an_items_name_says_how_far_out_it_is() {
        let of = |outward, part| Some(ItemName { outward, part });
        assert_eq!(item_name("item"), of(0, ItemPart::Value("")));
        assert_eq!(item_name("outer.outer.item:/a/b"), of(2, ItemPart::Value("/a/b")));
        assert_eq!(item_name("outer.number"), of(1, ItemPart::Number));
        assert_eq!(item_name("index"), of(0, ItemPart::Index));
        assert_eq!(item_name("items"), None);
        assert_eq!(item_name("item:a"), None);
        assert_eq!(item_name("outer.a"), None);
    }
}
