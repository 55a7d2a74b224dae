//! Runbook files: what is refused, and where the message points.

use crate::rig::{RUNBOOK, estate, modules, plan, runbook};
use relight::model::task::Values;
use relight::runbook::{Confirm, Mode, load, params};
use serde_json::json;

fn refused(from: &str, to: &str) -> String {
    assert!(RUNBOOK.contains(from), "`{from}` is not in the runbook");
    let text = RUNBOOK.replacen(from, to, 1);
    load::parse("test", "test.toml", &text, &modules()).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_good_file_has_its_defaults_by_effect() {
    let runbook = runbook();
    let confirm = |id: &str| runbook.steps.iter().find(|s| s.id.as_str() == id).unwrap().confirm;
    assert_eq!(confirm("check"), Confirm::None);
    assert_eq!(confirm("make"), Confirm::Key);
    assert_eq!(confirm("plain"), Confirm::None);
    assert_eq!(confirm("swap"), Confirm::Phrase);
}

#[test]
fn mistakes_are_named_with_line_and_suggestion() {
    let cases = [
        ("use = \"test.fill\"", "use = \"test.fil\"", "did you mean `test.fill`"),
        ("with = { name = \"plain\" }", "with = { nam = \"plain\" }", "did you mean `name`"),
        ("with = { name = \"plain\" }", "", "needs its input `name`"),
        ("confirm = \"key\"", "confirm = \"none\"", "needs at least confirm = \"key\""),
        (
            "phrase = \"cut {{ target.database }}\"",
            "phrase = \"x\"\nconfirm = \"key\"",
            "needs at least confirm = \"phrase\"",
        ),
        ("phrase = \"cut {{ target.database }}\"", "phrase = \"{{ param.db }}\"", "cannot use `param.db`"),
        (
            "phrase = \"cut {{ target.database }}\"",
            "phrase = \"x\"\neffect = \"observe\"",
            "cannot claim to be observe",
        ),
        ("id = \"ask\"", "id = \"tell\"", "first named here"),
        ("{{ param.db }}_{{ plan.stamp }}", "{{ param.dv }}", "there is no parameter `dv`"),
        ("creates {{ name.side }}", "creates {{ resolve.seen.sen }}", "did you mean `seen`"),
        ("creates {{ name.side }}", "creates {{ name.side", "the template cannot be read"),
        ("retry = 1", "retry = 99", "at most 10"),
        ("attest = \"", "ask = \"x\"\nattest = \"", "exactly one of"),
        ("id = \"test\"", "id = \"other\"", "differs from the file's name"),
        (
            "[[steps.post]]\ntitle = \"It stands\"\nuse = \"test.look\"\nexpect = { seen = { at_least = \"{{ resolve.seen.seen }}\" } }",
            "post = []",
            "names nothing that must hold",
        ),
        (
            "[[steps.stop_if]]\ntitle = \"Too little room\"\nuse = \"test.look\"\nwhen = { seen = { below = \"{{ resolve.seen.seen }}\" } }",
            "stop_if = []",
            "names no condition",
        ),
        ("commit_point = true", "", "the step is no commit point"),
        ("decide_within = \"2h\"", "decide_within = \"2ms\"", "lie between 1s and 30d"),
        ("back_to = \"make\"", "back_to = \"mak\"", "did you mean `make`"),
        (
            "back_to = \"make\", params = [\"db\"]",
            "back_to = \"make\", params = [\"dv\"]",
            "there is no parameter `dv`",
        ),
        ("params = [\"db\"]", "params = []", "at least one parameter"),
        ("commit_point = true", "commit_point = true\nskip = \"with-reason\"", "is a commit point: a run that goes on"),
        (
            "undo = { use = \"test.unmake\", with = { name = \"{{ name.side }}\" } }",
            "",
            "nobody could go back before it",
        ),
        ("retry = 1", "retry = 1\ncommit_point = true", "one commit point"),
    ];
    all_refused(&cases);
}

#[test]
fn mistakes_in_limits_are_named_too() {
    all_refused(&[
        ("limit = { objects = 100 }", "limit = { objects = 0 }", "a whole number above 0"),
        ("limit = { objects = 100 }", "limit = {}", "limits nothing"),
        ("limit = { objects = 100 }", "limit = { bytes = \"much\" }", "a size above 0"),
        ("limit = { objects = 100 }", "limit = { objets = 1, objects = 2 }", "did you mean `objects`"),
        ("limit = { objects = 100 }", "limit = { objects = 100 }\nretry = 1", "counted anew"),
        ("{{ 10 * 10 }}", "{{ param.dv }}", "there is no parameter `dv`"),
        ("confirm = \"key\"\nretry = 1", "limit = { objects = 5 }", "`test.fill` does not count objects"),
        ("attest = \"Do it by hand\"", "attest = \"x\"\nlimit = { objects = 5 }", "`limit` has no place here"),
    ]);
}

fn all_refused(cases: &[(&str, &str, &str)]) {
    for (from, to, wanted) in cases {
        let message = refused(from, to);
        assert!(message.contains(wanted), "wanted `{wanted}` in:\n{message}");
        assert!(message.contains("test.toml:"), "no place in:\n{message}");
    }
}

#[test]
fn a_plan_pins_everything_and_its_digest_notices_any_change() {
    let plan = plan(&["make", "swap"], Mode::Real);
    assert_eq!(plan.steps[0].title, format!("Make {}", plan.names["side"].as_str().unwrap()));
    assert_eq!(plan.touches, [format!("creates {}", plan.names["side"].as_str().unwrap())]);
    plan.verify_digest().unwrap();
    let back: relight::runbook::Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    back.verify_digest().unwrap();
    let mut altered = back.clone();
    altered.names.insert("side".to_owned(), json!("production"));
    assert!(altered.verify_digest().is_err());
}

#[test]
fn every_wrong_parameter_is_listed() {
    let given: Values = [("dc".to_owned(), json!("x")), ("db".to_owned(), json!("a\u{1b}[2J"))].into_iter().collect();
    let problems = params::parse(&runbook(), &given, &estate()).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(!problems.concat().contains('\u{1b}'));
}

#[test]
fn every_mistake_of_a_file_comes_in_one_go() {
    let text = RUNBOOK
        .replacen("title = \"Test\"", "title = \"Test\"\nauthor = \"me\"", 1)
        .replacen("use = \"test.look\"", "use = \"test.glance\"", 1)
        .replacen("id = \"tell\"", "id = \"../tell\"", 1)
        .replacen("{{ param.db }} is back", "{{ param.dd }} is back", 1)
        .replacen("confirm = \"key\"", "confirm = \"none\"", 1);
    let problems = load::parse("test", "test.toml", &text, &modules()).unwrap_err();
    let message = problems.to_string();
    for wanted in ["author", "test.glance", "cannot be an id", "no parameter `dd`", "at least confirm"] {
        assert!(message.contains(wanted), "`{wanted}` is missing in:\n{message}");
    }
    assert_eq!(problems.len(), 5, "{message}");
}

#[test]
fn the_runbooks_that_come_along_load_against_the_real_modules() {
    let modules = relight::runner::module_rows(&relight::tasks::table::all());
    let (runbooks, errors) = load::all(&[], &modules);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let ids: Vec<String> = runbooks.iter().map(|runbook| runbook.id.to_string()).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/runbooks");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut there: Vec<String> = files.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
    there.sort();
    assert_eq!(ids, there, "every file of the folder comes along");
}

#[test]
fn of_two_own_runbooks_with_one_id_neither_is_used() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &two] {
        std::fs::write(dir.path().join("test.toml"), RUNBOOK).unwrap();
    }
    std::fs::create_dir(one.path().join("folder.toml")).unwrap();
    let gone = one.path().join("gone");
    let dirs = [one.path().to_owned(), two.path().to_owned(), gone];
    let (runbooks, errors) = load::all(&dirs, &modules());
    assert_eq!(runbooks.iter().filter(|runbook| runbook.id.as_str() == "test").count(), 0);
    let errors = errors.join("\n");
    for wanted in ["already defined", "is not a file", "cannot be read"] {
        assert!(errors.contains(wanted), "`{wanted}` is missing in:\n{errors}");
    }
}

#[test]
fn a_drill_without_a_scratch_place_is_refused_while_planning() {
    let (runbook, modules) = (runbook(), modules());
    let refused = relight::runbook::Binding::new(&runbook, &modules, Values::new(), Mode::Drill, crate::rig::at(0));
    assert!(refused.unwrap_err()[0].contains("cannot be drilled"));
}
