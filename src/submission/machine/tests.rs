//! The machine's paths one by one, and its promises over every path that chance can find.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::api::ids::{CallId, NodeId, RequestId, RunId, ToolName};
use crate::api::tool::{StepKey, ToolCall, ToolResult, ToolResultsRequest};

const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

fn intent(calls: usize) -> Intent {
    let result = |call: usize| ToolResult {
        tool_call: ToolCall {
            id: CallId::parse(&format!("call-{call}")).unwrap(),
            name: ToolName::parse("lookup").unwrap(),
            arguments: None,
        },
        output: format!("mine {call}"),
        error: None,
    };
    Intent {
        request_id: Uuid::from_u128(7),
        run_id: RunId::parse(ID).unwrap(),
        request: ToolResultsRequest {
            step: StepKey::new(&NodeId::parse("n").unwrap(), 1, RequestId::parse(ID).unwrap()),
            results: (0..calls).map(result).collect(),
        },
        after_seq: 0,
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, why: format!("{kind:?}"), retry_after: None, request_id: None, class: Class::Unavailable }
}

fn failed(kind: FailureKind) -> Input {
    Input::SendFailed(failure(kind))
}

fn taken(accepted: u64) -> Input {
    Input::Taken { accepted, status: RunStatus::Running, request_id: Some("server".into()) }
}

fn mine(call: usize) -> Found {
    Found::Answered { output: format!("mine {call}"), error: None }
}

fn theirs() -> Found {
    Found::Answered { output: "theirs".into(), error: Some("failed".into()) }
}

fn found(calls: &[Found]) -> Input {
    Input::Found(Findings { calls: calls.to_vec(), status: Some(RunStatus::Waiting) })
}

/// Plays `inputs`; the last one must end it.
fn play(calls: usize, inputs: &[Input]) -> Verdict {
    let (mut machine, mut command) = Machine::start(&intent(calls));
    for input in inputs {
        assert!(!matches!(command, Command::Finish(_)), "over before {input:?}");
        command = machine.on(input.clone(), 0.5);
    }
    let Command::Finish(verdict) = command else { panic!("not over: {command:?}") };
    verdict
}

fn verdicts(verdict: &Verdict) -> Vec<CallVerdict> {
    verdict.calls.iter().map(|(_, verdict)| verdict.clone()).collect()
}

use FailureKind::{Final, Rejected, Unclear};

#[test]
fn a_submission_that_is_taken_whole_is_accepted_call_by_call() {
    let verdict = play(2, &[taken(2)]);
    assert_eq!(verdict.accepted(), 2);
    assert_eq!((verdict.sends, verdict.status), (1, Some(RunStatus::Running)));
    assert_eq!(verdict.server_request_id.as_deref(), Some("server"));
    let names: Vec<&str> = verdict.calls.iter().map(|(key, _)| key.call_id.as_str()).collect();
    assert_eq!(names, ["call-0", "call-1"]);
}

#[test]
fn what_is_refused_for_good_is_refused_at_once() {
    let verdict = play(1, &[failed(Final)]);
    assert_eq!(verdicts(&verdict), [CallVerdict::Refused { why: "Final".into() }]);
    assert_eq!(verdict.sends, 1);
}

#[test]
fn a_lost_answer_is_found_in_the_events() {
    assert_eq!(play(1, &[failed(Unclear), found(&[mine(0)])]).accepted(), 1);
    let superseded = play(1, &[failed(Rejected), found(&[theirs()])]);
    assert_eq!(
        verdicts(&superseded),
        [CallVerdict::Superseded { output: "theirs".into(), error: Some("failed".into()) }]
    );
}

#[test]
fn a_result_with_my_output_and_another_error_is_not_mine() {
    let other = Found::Answered { output: "mine 0".into(), error: Some("e".into()) };
    assert_eq!(play(1, &[failed(Unclear), found(&[other])]).accepted(), 0);
    let empty = Found::Answered { output: "mine 0".into(), error: Some(String::new()) };
    assert_eq!(play(1, &[failed(Unclear), found(&[empty])]).accepted(), 1);
}

#[test]
fn what_still_waits_is_sent_again_three_times_in_all() {
    let inputs = [failed(Unclear), found(&[Found::Pending])];
    let verdict = play(1, &inputs.iter().cycle().take(6).cloned().collect::<Vec<_>>());
    assert_eq!(verdict.sends, 3);
    assert_eq!(verdicts(&verdict), [CallVerdict::StillPending { why: "Unclear".into() }]);
}

#[test]
fn fewer_accepted_than_sent_is_resolved_call_by_call_and_never_sent_again() {
    let verdict = play(3, &[taken(1), found(&[mine(0), theirs(), Found::Pending])]);
    assert_eq!(verdict.sends, 1);
    assert_eq!(
        verdicts(&verdict),
        [
            CallVerdict::Accepted,
            CallVerdict::Superseded { output: "theirs".into(), error: Some("failed".into()) },
            CallVerdict::StillPending { why: "the server accepted 1 of 3 results".into() }
        ]
    );
}

#[test]
fn a_submission_of_which_a_part_has_an_outcome_is_not_sent_again() {
    let verdict = play(2, &[failed(Unclear), found(&[Found::Pending, theirs()])]);
    assert_eq!(verdict.sends, 1);
    assert!(matches!(verdicts(&verdict)[0], CallVerdict::StillPending { .. }));
}

#[test]
fn an_event_that_is_late_is_waited_for_a_little() {
    let nowhere = || found(&[Found::Nowhere]);
    assert_eq!(play(1, &[failed(Unclear), nowhere(), nowhere(), found(&[mine(0)])]).accepted(), 1);
    let lost = play(1, &[failed(Unclear), nowhere(), nowhere(), nowhere(), nowhere()]);
    assert!(matches!(&verdicts(&lost)[0], CallVerdict::Unknown { why } if why.contains("no event")), "{lost:?}");
    let refused = play(1, &[failed(Rejected), nowhere(), nowhere(), nowhere(), nowhere()]);
    assert_eq!(verdicts(&refused), [CallVerdict::Refused { why: "Rejected".into() }]);
}

#[test]
fn a_look_that_cannot_succeed_ends_in_unknown_with_the_reason() {
    let mut inputs = vec![failed(Unclear)];
    inputs.extend((0..FAILED_LOOKS).map(|_| Input::LookFailed(failure(Unclear))));
    let verdict = play(1, &inputs);
    assert_eq!(verdicts(&verdict), [CallVerdict::Unknown { why: "Unclear; finding out failed: Unclear".into() }]);
    let forbidden = play(1, &[failed(Unclear), Input::LookFailed(failure(Final))]);
    assert_eq!(verdicts(&forbidden), [CallVerdict::Unknown { why: "Unclear; finding out failed: Final".into() }]);
    let gone = play(1, &[failed(Rejected), Input::LookFailed(failure(Rejected))]);
    assert_eq!(verdicts(&gone), [CallVerdict::Refused { why: "Rejected".into() }]);
}

#[test]
fn a_final_refusal_after_a_lost_answer_is_looked_into_and_not_sent_again() {
    let start = [failed(Unclear), found(&[Found::Pending]), failed(Final)];
    let accepted = play(1, &[start.as_slice(), &[found(&[mine(0)])]].concat());
    assert_eq!((accepted.accepted(), accepted.sends), (1, 2));
    let refused = play(1, &[start.as_slice(), &[found(&[Found::Pending])]].concat());
    assert_eq!(verdicts(&refused), [CallVerdict::Refused { why: "Final".into() }]);
}

#[test]
fn what_another_process_left_is_looked_up_and_never_sent() {
    let (mut machine, command) = Machine::look_only(&intent(2), "it ended");
    assert_eq!(command, Command::Look { after: Duration::ZERO });
    let Command::Finish(verdict) = machine.on(found(&[Found::Pending, mine(1)]), 0.5) else { panic!("not over") };
    let why = "it did not arrive (it ended)".to_owned();
    assert_eq!(verdicts(&verdict), [CallVerdict::StillPending { why }, CallVerdict::Accepted]);
    assert_eq!(verdict.sends, 0);
    let (mut machine, _) = Machine::look_only(&intent(1), "it ended");
    let mut command = machine.on(found(&[Found::Nowhere]), 0.5);
    while matches!(command, Command::Look { .. }) {
        command = machine.on(found(&[Found::Nowhere]), 0.5);
    }
    let Command::Finish(verdict) = command else { panic!("{command:?}") };
    assert!(matches!(&verdicts(&verdict)[0], CallVerdict::Unknown { why } if why.contains("it ended")), "{verdict:?}");
}

#[test]
fn after_an_earlier_submission_it_is_sent_only_where_the_look_finds_every_call_pending() {
    let begin = || Machine::look_first(&intent(1), "sent before").0;
    let command = begin().on(found(&[Found::Pending]), 0.5);
    assert_eq!(command, Command::Send { after: Duration::ZERO, request_id: Uuid::from_u128(7) });
    let Command::Finish(verdict) = begin().on(found(&[theirs()]), 0.5) else { panic!("sent") };
    assert!(matches!(verdicts(&verdict)[0], CallVerdict::Superseded { .. }) && verdict.sends == 0);
}

#[test]
fn a_retry_after_is_waited_for_before_the_next_send() {
    let (mut machine, _) = Machine::start(&intent(1));
    let busy = Failure { retry_after: Some(Duration::from_secs(9)), ..failure(Unclear) };
    machine.on(Input::SendFailed(busy), 0.5);
    let command = machine.on(found(&[Found::Pending]), 0.5);
    assert_eq!(command, Command::Send { after: Duration::from_secs(9), request_id: Uuid::from_u128(7) });
}

#[test]
fn errors_of_the_client_mean_what_they_say_about_the_submission() {
    use crate::api::error::{SettingError, StatusError, TransportError, TransportKind};
    let status = |status| {
        let (code, message, fields, issues) = (None, String::new(), Vec::new(), Vec::new());
        let (request_id, retry_after, attempts) = (None, None, 1);
        let error = StatusError { status, code, message, fields, issues, request_id, retry_after, attempts };
        Failure::from(Error::Status(Box::new(error))).kind
    };
    for code in [400, 401, 403, 413, 422] {
        assert_eq!(status(code), Final, "{code}");
    }
    for code in [404, 409] {
        assert_eq!(status(code), Rejected, "{code}");
    }
    for code in [408, 429, 500, 503] {
        assert_eq!(status(code), Unclear, "{code}");
    }
    let (kind, host, cause) = (TransportKind::Timeout, "h".into(), String::new());
    let network = Error::Transport(TransportError { kind, host, cause, attempts: 1 });
    assert_eq!(Failure::from(network).kind, Unclear);
    let unreadable = Error::Decode { what: "x", cause: "y".into(), status: 200, request_id: None, attempts: 1 };
    assert_eq!(Failure::from(unreadable).kind, Unclear);
    assert_eq!(Failure::from(Error::Setting(SettingError::MissingCredentials)).kind, Final);
}

/// An input that answers `command`, by chance.
fn answer(command: &Command, calls: usize, chance: [u8; 4]) -> Input {
    let kinds = [Final, Rejected, Unclear, Unclear];
    let kind = kinds[usize::from(chance[1]) % 4];
    match command {
        Command::Send { .. } if chance[0].is_multiple_of(4) => taken(u64::from(chance[1]) % (calls as u64 + 2)),
        Command::Send { .. } => failed(kind),
        _ if chance[0].is_multiple_of(3) => Input::LookFailed(failure(kind)),
        _ => {
            let spread = chance[3].is_multiple_of(2);
            let one = |call: usize| match (usize::from(chance[2]) + if spread { call } else { 0 }) % 4 {
                0 | 1 => Found::Pending,
                2 => Found::Nowhere,
                _ if chance[3].is_multiple_of(3) => theirs(),
                _ => mine(call),
            };
            found(&(0..calls).map(one).collect::<Vec<_>>())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_path_keeps_the_promises(
        calls in 1_usize..4,
        start in 0_u8..3,
        chances in vec(any::<[u8; 4]>(), 60),
        jitter in 0.0_f64..=1.0,
    ) {
        let (mut machine, mut command) = match start {
            0 => Machine::start(&intent(calls)),
            1 => Machine::look_first(&intent(calls), "before"),
            _ => Machine::look_only(&intent(calls), "before"),
        };
        // Only a first send that the operator has decided on, with nothing under way before it, needs no look.
        let (mut sends, mut all_pending, mut refused) = (0_u8, start == 0, false);
        let mut proven = vec![false; calls];
        for chance in chances {
            match &command {
                Command::Finish(_) => break,
                Command::Send { request_id, .. } => {
                    sends += 1;
                    prop_assert_eq!(*request_id, Uuid::from_u128(7));
                    prop_assert!(all_pending, "sent without having found every call pending");
                    prop_assert!(!refused, "sent after a final refusal");
                }
                Command::Look { .. } => {}
            }
            all_pending = false;
            let input = answer(&command, calls, chance);
            match &input {
                Input::Taken { accepted, .. } if *accepted >= calls as u64 => proven.fill(true),
                Input::SendFailed(failure) => refused |= failure.kind == Final,
                Input::Found(findings) => {
                    all_pending = findings.calls.iter().all(|call| *call == Found::Pending);
                    for (call, proof) in proven.iter_mut().enumerate() {
                        *proof |= findings.calls[call] == mine(call);
                    }
                }
                _ => {}
            }
            command = machine.on(input, jitter);
        }
        prop_assert!(sends <= SENDS && (start < 2 || sends == 0));
        let Command::Finish(verdict) = command else { return Err(TestCaseError::fail("no verdict after 60 inputs")) };
        prop_assert_eq!(verdict.sends, sends);
        prop_assert_eq!(verdict.calls.len(), calls);
        for (call, (key, verdict)) in verdict.calls.iter().enumerate() {
            prop_assert_eq!(key.call_id.as_str(), format!("call-{call}"));
            prop_assert!(*verdict != CallVerdict::Accepted || proven[call], "accepted without proof");
        }
    }
}
