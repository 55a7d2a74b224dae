//! What lies on what: each tab keeps its own stack, so that leaving a tab loses nothing.

use super::screen::{Place, Screen};

#[derive(Debug)]
pub struct Layer {
    /// Where late answers go; never used twice.
    pub id: u64,
    pub screen: Box<dyn Screen>,
    /// It has been drawn: an answer to it can be meant.
    pub seen: bool,
}

#[derive(Debug)]
pub struct LayerStack {
    stacks: Vec<(Place, Vec<Layer>)>,
    place: Place,
    next: u64,
}

impl LayerStack {
    /// One base screen for each tab; the first is in sight.
    pub fn new(bases: Vec<(Place, Box<dyn Screen>)>) -> Self {
        let place = bases.first().map_or(Place::Overview, |(place, _)| *place);
        let mut next = 0;
        let stacks = bases
            .into_iter()
            .map(|(place, screen)| {
                next += 1;
                (place, vec![Layer { id: next, screen, seen: false }])
            })
            .collect();
        Self { stacks, place, next }
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn go(&mut self, place: Place) {
        self.place = place;
    }

    fn current(&self) -> &[Layer] {
        self.stacks.iter().find(|(place, _)| *place == self.place).map_or(&[], |(_, stack)| stack)
    }

    fn current_mut(&mut self) -> Option<&mut Vec<Layer>> {
        let place = self.place;
        self.stacks.iter_mut().find(|(known, _)| *known == place).map(|(_, stack)| stack)
    }

    pub fn push(&mut self, screen: Box<dyn Screen>) {
        self.next += 1;
        let id = self.next;
        if let Some(stack) = self.current_mut() {
            stack.push(Layer { id, screen, seen: false });
        }
    }

    /// Takes the top layer away; a base screen stays.
    pub fn pop(&mut self) -> bool {
        match self.current_mut() {
            Some(stack) if stack.len() > 1 => stack.pop().is_some(),
            _ => false,
        }
    }

    /// Takes away everything above the base screen of the tab in sight.
    pub fn pop_all(&mut self) {
        if let Some(stack) = self.current_mut() {
            stack.truncate(1);
        }
    }

    pub fn depth(&self) -> usize {
        self.current().len()
    }

    pub fn top(&self) -> Option<&Layer> {
        self.current().last()
    }

    pub fn top_mut(&mut self) -> Option<&mut Layer> {
        self.current_mut()?.last_mut()
    }

    pub fn by_id(&mut self, id: u64) -> Option<&mut Layer> {
        self.stacks.iter_mut().flat_map(|(_, stack)| stack.iter_mut()).find(|layer| layer.id == id)
    }

    /// Takes away the layer with this id and what lies on it.
    pub fn close(&mut self, id: u64) {
        for (_, stack) in &mut self.stacks {
            if let Some(at) = stack.iter().position(|layer| layer.id == id).filter(|at| *at > 0) {
                stack.truncate(at);
            }
        }
    }

    /// What is in sight, lowest first: the topmost page and the dialogs on it.
    pub fn visible(&self) -> &[Layer] {
        let stack = self.current();
        let page = stack.iter().rposition(|layer| !layer.screen.is_dialog()).unwrap_or(0);
        &stack[page.min(stack.len())..]
    }

    pub fn visible_mut(&mut self) -> &mut [Layer] {
        let skip = self.current().len() - self.visible().len();
        self.current_mut().map_or(&mut [], |stack| &mut stack[skip..])
    }

    /// Titles from base to the topmost page.
    pub fn pages(&self) -> impl Iterator<Item = &Layer> {
        self.current().iter().filter(|layer| !layer.screen.is_dialog())
    }
}
