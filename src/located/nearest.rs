//! The name that someone probably meant.

/// The candidate closest to `name`, if it is close enough to be a slip: at most a third of the letters
/// differ, or only upper and lower case do.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let allowed = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_mended_and_a_stranger_is_not() {
        let keys = ["bucket", "prefix", "region"];
        assert_eq!(nearest("buckte", keys), Some("bucket"));
        assert_eq!(nearest("Region", keys), Some("region"));
        assert_eq!(nearest("password", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
