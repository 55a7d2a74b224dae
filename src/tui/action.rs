//! The registry: one row per action. Key handling, footer, help, palette and documentation all read it.

use super::situation::Need;

/// Where an action can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere except in dialogs.
    Global,
    /// In every list and text.
    Move,
    Overview,
    Catalog,
    Detail,
    Timeline,
    Runbooks,
    Form,
    Plan,
    Run,
    Runs,
    Tasks,
    Stores,
    Journal,
    Notices,
    Checklists,
    Help,
    /// In every dialog.
    Dialog,
    /// In the dialogs of a step that failed, is unknown, or whose target changed.
    Outcome,
}

impl Scope {
    pub const ALL: [Scope; 19] = [
        Scope::Global,
        Scope::Move,
        Scope::Overview,
        Scope::Catalog,
        Scope::Detail,
        Scope::Timeline,
        Scope::Runbooks,
        Scope::Form,
        Scope::Plan,
        Scope::Run,
        Scope::Runs,
        Scope::Tasks,
        Scope::Stores,
        Scope::Journal,
        Scope::Notices,
        Scope::Checklists,
        Scope::Help,
        Scope::Dialog,
        Scope::Outcome,
    ];

    pub const fn title(self) -> &'static str {
        match self {
            Scope::Global => "Everywhere",
            Scope::Move => "Moving",
            Scope::Overview => "Overview",
            Scope::Catalog => "Catalog",
            Scope::Detail => "Backup",
            Scope::Timeline => "Timeline",
            Scope::Runbooks => "Runbooks",
            Scope::Form => "Parameters of a runbook",
            Scope::Plan => "Plan",
            Scope::Run => "Run",
            Scope::Runs => "List of runs",
            Scope::Tasks => "Tasks",
            Scope::Stores => "Stores",
            Scope::Journal => "Journal",
            Scope::Notices => "Notices",
            Scope::Checklists => "Checklists",
            Scope::Help => "Help",
            Scope::Dialog => "Dialogs",
            Scope::Outcome => "Failed, unknown or changed",
        }
    }
}

/// One row of the registry.
#[derive(Debug)]
pub struct ActionRow {
    pub act: Act,
    /// Its name in the configuration and the documentation.
    pub name: &'static str,
    /// One or two words, for the footer.
    pub title: &'static str,
    pub help: &'static str,
    pub scope: Scope,
    pub keys: &'static [&'static str],
    /// Place in the footer, 1 first; 0 keeps it out.
    pub footer: u8,
    /// What must hold; the reason it does not is shown instead.
    pub need: Need,
}

impl ActionRow {
    /// Whether it answers a question.
    pub fn confirms(&self) -> bool {
        self.scope == Scope::Outcome || matches!(self.act, Act::Yes | Act::Confirm)
    }
}

macro_rules! actions {
    ($($act:ident $name:literal $scope:ident [$($key:literal)*] $footer:literal $need:ident $title:literal $help:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Act { $($act,)* }

        pub const ACTIONS: &[ActionRow] = &[$(ActionRow {
            act: Act::$act, name: $name, title: $title, help: $help, scope: Scope::$scope,
            keys: &[$($key,)*], footer: $footer, need: Need::$need,
        },)*];
    };
}

actions! {
    Help "help" Global ["?" "f1"] 90 Nothing "help" "Show the keys that work here.";
    Palette "palette" Global [":" "ctrl-p"] 91 Nothing "commands" "Find any action by name and run it.";
    Quit "quit" Global ["q"] 92 Nothing "quit" "Close the top layer; on a screen, leave the console. Says what goes on without you.";
    Back "back" Global ["esc"] 0 Nothing "back" "Clear the filter, or go one layer back.";
    Leave "leave" Global ["ctrl-c"] 0 Nothing "leave" "Leave the console; twice leaves at once. Runs go on in their runners.";
    Overview "overview" Global ["1"] 0 Nothing "overview" "What can be restored, worst first.";
    Catalog "catalog" Global ["2"] 0 Nothing "catalog" "Every backup.";
    Timeline "timeline" Global ["3"] 0 Nothing "timeline" "To which instants each asset can be restored.";
    Runbooks "runbooks" Global ["4"] 0 Nothing "runbooks" "Procedures: choose one, plan it, run it.";
    Run "run" Global ["5"] 0 Nothing "run" "The open run, or the list of runs.";
    Tasks "tasks" Global ["6"] 0 Nothing "tasks" "Scans and verifications of this console.";
    Stores "stores" Global ["7"] 0 Nothing "stores" "Where copies lie, and how the last listing went.";
    Journal "journal" Global ["8"] 0 Nothing "journal" "The record of the open run.";
    Notices "notices" Global ["9"] 0 Nothing "notices" "Errors and remarks that nobody has dismissed yet.";
    Checklists "checklists" Global ["0"] 0 Nothing "checklists" "What must be looked at every day, week, month and quarter.";
    Rescan "rescan" Global ["r" "f5"] 60 Live "rescan" "List all stores again.";
    Arm "arm" Global ["A"] 70 Unarmed "arm" "Leave read-only mode for a while, with a reason.";
    Disarm "disarm" Global ["D"] 71 Armed "disarm" "Go back to read-only mode now.";
    Freeze "freeze" Global ["ctrl-f"] 0 Nothing "freeze" "Hold the screen still, or let it go on. Frozen, it answers nothing.";
    Theme "theme" Global ["T"] 0 Nothing "theme" "Take the next theme.";
    Mouse "mouse" Global ["m"] 0 Nothing "mouse" "Give the mouse to the terminal (to select text), or take it back.";
    Copy "copy" Global ["y"] 0 Nothing "copy" "Copy the selected item to the clipboard.";
    CopyView "copy-view" Global ["Y"] 0 Nothing "copy view" "Copy the text of the screen to the clipboard.";
    Suspend "suspend" Global ["ctrl-z"] 0 Nothing "suspend" "Put the console in the background of the shell.";
    Redraw "redraw" Global ["ctrl-l"] 0 Nothing "redraw" "Draw the whole screen again.";

    Up "up" Move ["up" "k"] 0 Nothing "up" "One row up.";
    Down "down" Move ["down" "j"] 0 Nothing "down" "One row down.";
    PageUp "page-up" Move ["page-up" "ctrl-u"] 0 Nothing "page up" "One page up.";
    PageDown "page-down" Move ["page-down" "ctrl-d"] 0 Nothing "page down" "One page down.";
    Top "top" Move ["home" "g"] 0 Nothing "top" "To the first row.";
    Bottom "bottom" Move ["end" "G"] 0 Nothing "bottom" "To the last row.";
    Left "left" Move ["left" "h"] 0 Nothing "left" "To the left, or the previous choice.";
    Right "right" Move ["right" "l"] 0 Nothing "right" "To the right, or the next choice.";
    Open "open" Move ["enter"] 2 Nothing "open" "Open what is selected. Never confirms anything.";
    NextPane "next-pane" Move ["tab"] 0 Nothing "next pane" "Give the keys to the next pane.";
    PreviousPane "previous-pane" Move ["shift-tab"] 0 Nothing "previous pane" "Give the keys to the previous pane.";

    OverviewVerify "overview.verify" Overview ["v"] 3 Backup "verify" "Prove the newest backup of the asset (level 4).";
    OverviewRestore "overview.restore" Overview ["R"] 2 Restore "restore" "Plan a restore of the asset.";
    OverviewDetail "overview.backup" Overview ["b"] 4 Backup "newest backup" "Show the newest backup of the asset.";

    Filter "catalog.filter" Catalog ["/"] 2 Nothing "filter" "Filter as you type: words, column:value, !word for without.";
    Sort "catalog.sort" Catalog ["s"] 4 Nothing "sort" "Sort by the next column.";
    SortReverse "catalog.reverse" Catalog ["S"] 0 Nothing "reverse" "Turn the order around.";
    Group "catalog.group" Catalog ["o"] 5 Nothing "group" "Group by asset, or not.";
    CatalogVerify "catalog.verify" Catalog ["v"] 6 Backup "verify" "Prove the selected backup (level 4).";
    CatalogRestore "catalog.restore" Catalog ["R"] 3 Restore "restore" "Plan a restore from the selected backup.";

    DetailVerify "backup.verify" Detail ["v"] 2 Backup "verify" "Prove this backup (level 4).";
    DetailRestore "backup.restore" Detail ["R"] 3 Restore "restore" "Plan a restore from this backup.";

    ZoomIn "timeline.zoom-in" Timeline ["+" "="] 2 Nothing "zoom in" "Show a shorter span.";
    ZoomOut "timeline.zoom-out" Timeline ["-"] 3 Nothing "zoom out" "Show a longer span.";

    FormPlan "form.plan" Form ["p"] 2 Live "make plan" "Resolve everything and show what would happen.";
    FormMode "form.mode" Form ["M"] 3 Nothing "mode" "Dry-run or real: a dry run leaves out every step that changes something.";

    PlanStart "plan.start" Plan ["s"] 1 Live "start" "Start this plan, exactly as shown.";
    PlanSave "plan.copy-digest" Plan ["d"] 3 Nothing "copy digest" "Copy the digest of the plan.";

    RunAnswer "run.answer" Run ["a"] 1 Question "answer" "Look at the open question and answer it.";
    RunStart "run.start" Run ["s"] 2 Startable "start" "Begin the run, or go on after a pause.";
    RunPause "run.pause" Run ["p"] 3 RunLive "pause" "Start no further step. What runs now runs to its end.";
    RunAbort "run.abort" Run ["X"] 5 RunLive "abort" "Stop the run, and take back what has an undo.";
    RunNote "run.note" Run ["n"] 6 RunAlive "note" "Put a remark into the journal.";
    RunResume "run.revive" Run ["u"] 2 RunLost "bring back" "Start the lost runner of this run again.";
    RunAnother "run.another-point" Run ["o"] 4 Provisional "another point" "At a commit point: take the recovery back, and do it anew with another value.";
    RunAmend "run.amend" Run ["e"] 0 RunLive "amend" "Give a step another limit, or put a decision off, with a reason.";
    RunHandover "run.handover" Run ["H"] 6 RunAlive "hand over" "Give the run to another operator, take it from one who offers it, or relieve one who is gone.";
    RunTakeOver "run.take-over" Run ["t"] 2 Away "take over" "Bring a run here that another machine holds, with a reason.";
    RunClose "run.close" Run ["c"] 7 Nothing "list of runs" "Stop following this run; it goes on.";

    RunsTakeOver "runs.take-over" Runs ["t"] 3 Away "take over" "Bring a run here that another machine holds; where its mirror is lost, free its lock.";

    TaskCancel "tasks.cancel" Tasks ["x"] 2 Task "cancel" "Stop the selected task.";

    StoreRescan "stores.rescan" Stores ["s"] 2 Store "rescan this" "List the selected store again.";

    NoticeDismiss "notices.dismiss" Notices ["x"] 2 Notice "dismiss" "Forget the selected notice.";

    CheckHolds "checklists.holds" Checklists ["n"] 1 Live "holds" "Answer the selected item: it holds, and what shows it.";
    CheckFails "checklists.fails" Checklists ["x"] 2 Live "fails" "Answer the selected item: it does not hold, and what is wrong.";
    NextList "checklists.next" Checklists ["]"] 3 Nothing "next list" "To the next checklist.";

    HelpFilter "help.filter" Help ["/"] 1 Nothing "filter" "Search the keys.";

    Cancel "dialog.cancel" Dialog ["esc"] 1 Nothing "cancel" "Close the dialog; nothing is done.";
    Press "dialog.press" Dialog ["enter"] 0 Nothing "press" "Press the focused button. Never confirms anything that changes the world.";
    NextButton "dialog.next" Dialog ["tab"] 0 Nothing "next" "To the next field or button.";
    PreviousButton "dialog.previous" Dialog ["shift-tab"] 0 Nothing "previous" "To the previous field or button.";
    Confirm "dialog.confirm" Dialog ["ctrl-y"] 0 Nothing "confirm" "Send what was typed: phrase, reason, answer.";
    Yes "dialog.yes" Dialog ["y"] 0 Nothing "yes" "Say yes to a question that takes one key.";
    No "dialog.no" Dialog ["n"] 0 Nothing "no" "Say no.";
    DialogLeave "dialog.leave" Dialog ["ctrl-c"] 0 Nothing "leave" "Leave the console; runs go on in their runners.";
    DialogUp "dialog.up" Dialog ["up"] 0 Nothing "up" "Scroll up.";
    DialogDown "dialog.down" Dialog ["down"] 0 Nothing "down" "Scroll down.";

    Retry "outcome.retry" Outcome ["r"] 0 Nothing "retry" "Run the step once more.";
    Skip "outcome.skip" Outcome ["s"] 0 Nothing "skip" "Go on without the step; asks for a reason.";
    ByHand "outcome.by-hand" Outcome ["h"] 0 Nothing "done by hand" "The step was done by a person; asks for evidence.";
    LookAgain "outcome.look-again" Outcome ["l"] 0 Nothing "look again" "Look at the world again to learn what happened.";
    TakeBack "outcome.take-back" Outcome ["u"] 0 Nothing "take back" "Undo the failed step, so that it can be tried again.";
    AcceptDrift "outcome.accept" Outcome ["c"] 0 Nothing "accept change" "Go on with the changed target; asks for a reason.";
    RaiseLimit "outcome.raise-limit" Outcome ["m"] 0 Nothing "raise limit" "Let the step touch more than its limit; asks for the figure and a reason.";
    CopyCode "approval.copy-code" Outcome ["d"] 0 Nothing "copy code" "Copy the code of an approval, for a device without a network.";
    EnterSignature "approval.signature" Outcome ["e"] 0 Nothing "enter signature" "Type or paste the name and signature that an approver's device printed.";
    OutcomeAbort "outcome.abort" Outcome ["X"] 0 Nothing "abort run" "Stop the run; asks for a reason.";
}

/// The row of an action.
pub fn row(act: Act) -> &'static ActionRow {
    ACTIONS.iter().find(|row| row.act == act).unwrap_or(&ACTIONS[0])
}

/// The registry as a Markdown table, for README and manual page.
pub fn reference() -> String {
    let mut out = String::from("| where | key | action | what it does |\n|---|---|---|---|\n");
    for scope in Scope::ALL {
        for row in ACTIONS.iter().filter(|row| row.scope == scope) {
            let keys: Vec<String> = row.keys.iter().map(|key| format!("`{key}`")).collect();
            out.push_str(&format!("| {} | {} | `{}` | {} |\n", scope.title(), keys.join(" "), row.name, row.help));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_rows_are_whole() {
        for (at, row) in ACTIONS.iter().enumerate() {
            assert!(ACTIONS[..at].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(!row.keys.is_empty() && row.help.ends_with('.'), "{}", row.name);
        }
        assert!(reference().contains("| Everywhere | `?` `f1` | `help` |"));
    }
}
