//! A run as lines: what happens is told, what is asked is answered on standard input.

mod answer;
mod facts;
mod follow;
mod lines;
mod live;
mod plan;
mod question;
mod sentence;
mod talk;
mod verdict;

pub use facts::facts;
pub use follow::{agreed, follow, over};
pub use lines::{Line, Lines};
pub use plan::plan;
pub use sentence::{answer_words, sentence};
pub use talk::Options;
pub use verdict::{elapsed, exit};
