//! A scrolled text, block by block: rows that were made for this frame stand beside rows that are kept from frame to
//! frame, and none of them is copied to be drawn.

use std::sync::Arc;

use ratatui::text::Line;

/// Rows that were made for this frame, or are kept.
pub(super) enum Block<'a> {
    Made(Vec<Line<'static>>),
    Kept(Arc<[Line<'static>]>),
    Stream(&'a [Line<'static>]),
}

impl Block<'_> {
    fn rows(&self) -> &[Line<'static>] {
        match self {
            Self::Made(rows) => rows,
            Self::Kept(rows) => rows,
            Self::Stream(rows) => rows,
        }
    }
}

/// Rows of all the blocks.
pub(super) fn total(blocks: &[Block<'_>]) -> usize {
    blocks.iter().map(|block| block.rows().len()).sum()
}

/// The rows from `first` on, at most `height`.
pub(super) fn visible<'a>(blocks: &'a [Block<'_>], first: usize, height: usize) -> Vec<&'a Line<'static>> {
    let (mut skip, mut shown) = (first, Vec::new());
    for block in blocks {
        let rows = block.rows();
        let from = skip.min(rows.len());
        skip -= from;
        shown.extend(rows[from..].iter().take(height - shown.len()));
    }
    shown
}
