//! The tab that shows the open run, and the list of runs while none is open.

use super::list::RunList;
use super::live::LiveRun;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use ratatui::layout::Rect;

#[derive(Debug, Default)]
pub struct RunPlace {
    open: bool,
    list: RunList,
    live: LiveRun,
}

impl Screen for RunPlace {
    fn scope(&self) -> Scope {
        if self.open { Scope::Run } else { Scope::Runs }
    }

    fn title(&self, _cx: &Cx) -> String {
        if self.open { "Run" } else { "Runs" }.to_owned()
    }

    fn sync(&mut self, cx: &Cx) {
        self.open = cx.view.open_run.is_some();
        self.live.sync(cx);
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        match &cx.view.open_run {
            Some(run) => self.live.draw(canvas, area, run, cx),
            None => self.list.draw(canvas, area, cx),
        }
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match &cx.view.open_run {
            Some(run) => self.live.act(act, run, cx),
            None => self.list.act(act, cx),
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match &cx.view.open_run {
            Some(run) => self.live.click(hit, run),
            None => self.list.click(hit, cx),
        }
    }

    fn selected(&self, cx: &Cx) -> Selected {
        match &cx.view.open_run {
            Some(run) => Selected::Run(run.state.id.clone()),
            None => self.list.selected(cx),
        }
    }
}
