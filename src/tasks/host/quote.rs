//! An argument vector as one line for a POSIX shell, which is all that ssh can carry.

use crate::model::task::Failure;

/// `words` so that a POSIX shell makes exactly these words of it again.
pub fn line(words: &[String]) -> Result<String, Failure> {
    let quoted: Result<Vec<String>, Failure> = words.iter().map(|word| one(word)).collect();
    Ok(quoted?.join(" "))
}

/// Inside single quotes a shell leaves everything alone but the single quote itself.
fn one(word: &str) -> Result<String, Failure> {
    if word.contains('\0') {
        return Err(Failure::new("an argument holds a NUL character")
            .means("no program can be given such an argument; nothing was done"));
    }
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through_a_shell(words: &[String]) -> Vec<String> {
        let script = format!("for word in {}; do printf '%s\\0' \"$word\"; done", line(words).unwrap());
        let output = std::process::Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn awkward_words_survive() {
        let words =
            ["a b", "'", "''", "\"$HOME\"", "`id`", "$(id)", "\\", "a\nb\n", "", "ünï ☃", "*", "-x", "!", "#", "~"];
        let words: Vec<String> = words.map(str::to_owned).into();
        assert_eq!(through_a_shell(&words), words);
        assert!(line(&["a\0b".to_owned()]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_words_survive(words in proptest::collection::vec("[^\0]{0,12}", 1..6)) {
            prop_assert_eq!(through_a_shell(&words), words);
        }
    }
}
