//! Commands as a shell reads them back.
//!
//! Rule: a word that came from anywhere else stays one word, whatever is in it.

/// A command, word by word.
#[must_use]
pub fn line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// One word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        let words = ["relay-console", "a b", "", "it's", "$(rm)", "--base-url", "http://h:1/x"].map(str::to_owned);
        assert_eq!(line(&words), r"relay-console 'a b' '' 'it'\''s' '$(rm)' --base-url http://h:1/x");
    }
}
