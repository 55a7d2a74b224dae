//! The console's one loop. Each round: answers of the session, then its newest view, then keys, all that is
//! there; then one frame, and only if it differs from what is on the screen; then wait.

use super::app::{App, Order};
use super::options::{Exit, TuiError, TuiOptions};
use super::reader::Keys;
use super::terminal::{Host, Out, TerminalGuard};
use crate::session::{Request, SessionHandle, View};
use crossterm::event::Event;
use futures::future::FutureExt;
use futures::stream::{BoxStream, Stream, StreamExt, select_all};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::io::BufWriter;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What comes from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Event(Event),
    /// The terminal has another size now.
    Resized,
    /// A signal that asks the process to end.
    Stop(i32),
    /// The process was stopped and goes on.
    Continued,
    /// The terminal gives no more events.
    Gone,
}

/// Most inputs that are taken before a frame is drawn: a flood of keys must not keep the screen dark.
const INPUTS_PER_FRAME: usize = 256;

/// Opens the console on the real terminal and stays until the operator, a signal or the terminal ends it.
pub async fn run(handle: SessionHandle, options: TuiOptions) -> Result<Exit, TuiError> {
    let app = App::new(&handle, &options)?;
    let signals = signals().map_err(|source| TuiError::Terminal { what: "watched for signals", source })?;
    let mut guard = TerminalGuard::enter(options.mouse, options.tmux)?;
    let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, Out));
    let terminal = Terminal::new(backend).map_err(|source| TuiError::Terminal { what: "measured", source })?;
    // Its drop would write to the terminal, and complain on standard error, which panics where both are gone.
    // The guard gives everything back that was taken.
    let mut terminal = ManuallyDrop::new(terminal);
    let keys = Keys::listen().map_err(|source| TuiError::Terminal { what: "read", source })?;
    let inputs = select_all([signals, keys.boxed()]);
    let requests = handle.requests.clone();
    let exit = drive(app, &mut terminal, &mut guard, inputs, handle.view).await;
    // The session may have gone first; then there is nobody to tell.
    let _ = requests.try_send(Request::Quit);
    drop(guard);
    Ok(exit)
}

fn signals() -> std::io::Result<BoxStream<'static, Input>> {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let mut streams: Vec<BoxStream<'static, Input>> = Vec::new();
    for kind in kinds {
        let mut source = signal(kind)?;
        let number = kind.as_raw_value();
        streams
            .push(futures::stream::poll_fn(move |cx| source.poll_recv(cx)).map(move |()| Input::Stop(number)).boxed());
    }
    let resumed = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
    for (kind, input) in [(resumed, Input::Continued), (SignalKind::window_change(), Input::Resized)] {
        let mut source = signal(kind)?;
        streams.push(futures::stream::poll_fn(move |cx| source.poll_recv(cx)).map(move |()| input.clone()).boxed());
    }
    Ok(select_all(streams).boxed())
}

/// The loop itself, over any screen, host and source of inputs.
pub async fn drive<B: Backend>(
    mut app: App,
    terminal: &mut Terminal<B>,
    host: &mut impl Host,
    mut inputs: impl Stream<Item = Input> + Unpin,
    mut view: watch::Receiver<Arc<View>>,
) -> Exit {
    let mut frame = Frame::default();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        drain(&mut app, &mut inputs, &mut view);
        if let Some(exit) = carry_out(&mut app, &mut frame, terminal, host) {
            return exit;
        }
        if frame.draw(&mut app, terminal).is_err() {
            return Exit::TerminalGone;
        }
        tokio::select! {
            biased;
            Some((layer, reply)) = app.pending.next(), if !app.pending.is_empty() => app.reply(layer, reply),
            changed = view.changed() => match changed {
                Ok(()) => app.take_view(view.borrow_and_update().clone()),
                Err(_) => return Exit::SessionGone,
            },
            input = inputs.next() => take(&mut app, input.unwrap_or(Input::Gone)),
            _ = tick.tick() => if host.is_gone() {
                return Exit::TerminalGone;
            },
        }
    }
}

/// Takes in everything that is there already.
fn drain(app: &mut App, inputs: &mut (impl Stream<Item = Input> + Unpin), view: &mut watch::Receiver<Arc<View>>) {
    while let Some(Some((layer, reply))) = app.pending.next().now_or_never() {
        app.reply(layer, reply);
    }
    if view.has_changed().unwrap_or(false) {
        app.take_view(view.borrow_and_update().clone());
    }
    for _ in 0..INPUTS_PER_FRAME {
        let Some(Some(input)) = inputs.next().now_or_never() else { break };
        take(app, input);
    }
}

fn take(app: &mut App, input: Input) {
    match input {
        Input::Event(event) => app.event(event),
        // Every frame measures the terminal; this only ends the wait for the next one.
        Input::Resized => {}
        Input::Stop(number) => app.order(Order::Exit(Exit::Signal(number))),
        Input::Continued => app.order(Order::Resume),
        Input::Gone => app.order(Order::Exit(Exit::TerminalGone)),
    }
}

fn carry_out<B: Backend>(
    app: &mut App,
    frame: &mut Frame,
    terminal: &mut Terminal<B>,
    host: &mut impl Host,
) -> Option<Exit> {
    for order in app.take_orders() {
        let done = match order {
            Order::Exit(exit) => return Some(exit),
            Order::Copy(text) => {
                let copied = host.copy(&text);
                if copied.is_ok() {
                    let lines = text.lines().count();
                    let what = match text.chars().count() {
                        _ if lines > 1 => format!("{lines} lines"),
                        long @ 80.. => format!("{long} characters"),
                        _ => text,
                    };
                    app.say(format!("copied {what}"));
                }
                copied
            }
            Order::CaptureMouse(on) => host.capture_mouse(on),
            Order::Suspend => host.suspend().map(|()| frame.forget(terminal)),
            Order::Resume => host.resume().map(|()| frame.forget(terminal)),
            Order::Redraw => {
                frame.forget(terminal);
                Ok(())
            }
        };
        if let Err(error) = done {
            app.warn(error.to_string());
        }
    }
    None
}

/// What is on the screen now.
#[derive(Debug, Default)]
struct Frame {
    shown: Option<(Buffer, Option<Position>)>,
}

impl Frame {
    fn draw<B: Backend>(&mut self, app: &mut App, terminal: &mut Terminal<B>) -> Result<(), B::Error> {
        let area = Rect::from((Position::ORIGIN, terminal.size()?));
        let mut next = Buffer::empty(area);
        let cursor = app.draw(&mut next);
        if self.shown.as_ref().is_some_and(|(buffer, at)| *at == cursor && *buffer == next) {
            return Ok(());
        }
        let mut fits = false;
        terminal.draw(|frame| {
            // Between measuring and drawing the terminal may have changed its size; the next round sees it.
            fits = frame.area() == area;
            if fits {
                frame.buffer_mut().clone_from(&next);
                if let Some(at) = cursor {
                    frame.set_cursor_position(at);
                }
            }
        })?;
        self.shown = fits.then_some((next, cursor));
        Ok(())
    }

    /// Nothing on the screen can be relied upon: the next frame is drawn whole.
    fn forget<B: Backend>(&mut self, terminal: &mut Terminal<B>) {
        self.shown = None;
        if let Ok(size) = terminal.size() {
            // `Terminal::clear` would ask the terminal for its cursor; a resize clears without asking.
            let _ = terminal.resize(Rect::from((Position::ORIGIN, size)));
        }
    }
}
