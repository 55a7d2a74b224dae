//! A second person's yes: whose counts, for what, how long.

use crate::rig::{Rig, key, plan, scenario};
use relight::event::EventKind;
use relight::runbook::approval::{ApprovalRequest, Approver, CodeError, signature_bytes, signature_text};
use relight::runbook::{Mode, QuestionKind};

#[test]
fn two_people_approve_before_the_phrase_and_the_target_is_read_after_them() {
    let rig = scenario(
        "steps risky
        start
        arm             -> ?approval risky=awaiting-approval >- !waiting
        yes             -> refused ?approval
        approve grace   -> ?approval risky=awaiting-approval >-
        approve grace   -> refused ?approval
        approve linus   -> >identify-to-ask:risky ?-
        identity orders -> ?phrase
        phrase
        identity orders -> >run:risky
        done            -> !completed exceptions=0",
    );
    let given: Vec<&str> = rig
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ApprovalGiven { approver, .. } => Some(approver.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(given, ["grace", "linus"]);
}

#[test]
fn nobody_approves_their_own_work() {
    let rig = scenario(
        "steps risky
        start
        arm             -> ?approval
        approve ada     -> refused ?approval
        approve ADA by=ada -> refused
        relieve bob     -> ?arm
        arm             -> ?approval
        approve bob     -> refused ?approval",
    );
    assert!(rig.refused.unwrap().contains("nobody approves their own work"));
}

#[test]
fn a_signature_counts_for_its_request_alone() {
    let mut rig = scenario("steps risky\nstart\narm -> ?approval");
    for (said, why) in [
        ("eve", "none of the approvers"),
        ("grace by=linus", "another key"),
        ("grace plan", "another run, step, plan"),
        ("grace run", "another run, step, plan"),
        ("grace loss", "plan, loss"),
        ("grace earlier", "is not one of grace"),
    ] {
        rig.play("approve", said);
        let refused = rig.refused.clone().unwrap_or_default();
        assert!(refused.contains(why), "{said}: {refused}");
    }
    let kept = rig.events.iter().filter(|e| matches!(&e.kind, EventKind::Answered { refused: Some(_), .. })).count();
    assert_eq!(kept, 6, "refused approvals are kept in the journal");
}

#[test]
fn an_approval_runs_out_before_it_is_given_and_after() {
    scenario(
        "steps risky
        start
        arm
        approve grace
        wait 601        -> ?approval
        approve linus   -> ?approval
        approve grace   -> >identify-to-ask:risky
        identity orders -> ?phrase
        wait 601
        phrase          -> ?approval >-",
    );
    let mut late = scenario("steps risky\nstart\narm -> ?approval");
    late.seconds += 601;
    late.play("approve", "grace");
    assert!(late.refused.as_deref().unwrap().contains("the time for this approval ended"), "{:?}", late.refused);
    assert!(matches!(&late.engine.state().question.as_ref().unwrap().kind, QuestionKind::Approval { .. }));
}

#[test]
fn an_attempt_uses_its_approval_up() {
    scenario(
        "steps risky
        start
        arm
        approve grace
        approve linus
        identity orders
        phrase
        identity orders -> >run:risky
        crash           -> >reconcile:risky
        look not-done   -> ?approval
        no              -> !paused
        resume          -> ?approval
        abort           -> !aborted-clean",
    );
}

#[test]
fn a_declaration_may_need_a_second_person_where_the_proof_needs_none() {
    let declared = scenario(
        "steps fence lossy
        start
        arm
        identity orders
        skip dead
        phrase          -> ?approval lossy=awaiting-approval
        crash           -> ?approval
        approve grace   -> ?key
        yes             -> >run:lossy
        done            -> !completed-with-exceptions exceptions=2",
    );
    let asked = declared.events.iter().find_map(|event| match &event.kind {
        EventKind::QuestionAsked { question, .. } => question["kind"]["request"]["loss"].as_str().map(str::to_owned),
        _ => None,
    });
    assert_eq!(asked.as_deref(), Some("an hour of orders"));
    scenario("steps fence lossy\nstart\narm\nidentity orders\nphrase\nidentity orders\nproof -> ?key");
}

#[test]
fn a_dry_run_asks_nobody() {
    scenario("steps check risky dry-run\nstart\ndone -> !completed risky=not-run");
}

fn request() -> ApprovalRequest {
    let mut rig = Rig::new(&plan(&["risky"], Mode::Real));
    rig.play("start", "");
    rig.play("arm", "");
    match rig.engine.state().question.clone().unwrap().kind {
        QuestionKind::Approval { request, code, .. } => {
            assert_eq!(request.code(), code);
            *request
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_carries_the_whole_request_and_a_slip_of_the_finger_is_noticed() {
    let request = request();
    let code = request.code();
    assert_eq!(ApprovalRequest::text_of(&code.to_lowercase()), Ok(request.text()));
    assert!(request.text().contains("\nloss: all of orders\n"));
    for at in [0, 7, code.len() / 2, code.len() - 1] {
        let mut letters: Vec<char> = code.chars().collect();
        letters[at] = if letters[at] == '7' { '8' } else { '7' };
        let wrong: String = letters.into_iter().collect();
        assert!(ApprovalRequest::text_of(&wrong).is_err(), "{at}");
    }
    assert!(ApprovalRequest::text_of(&code[..code.len() - 30]).is_err());
    let signature = signature_text(&key("grace").sign(request.text().as_bytes()));
    assert!(key("grace").public().signed(&request.text(), &signature_bytes(&signature.replace('-', " ")).unwrap()));
    assert_eq!(signature_bytes(&signature[1..]), Err(CodeError::Length));
    let nobody = Approver { name: "x".to_owned(), public_key: "AAAA".to_owned() };
    assert!(!nobody.signed("", &[0; 64]) && nobody.check().is_err());
}
