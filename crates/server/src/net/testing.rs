//! Helpers of this layer's own unit tests.

use super::{Batch, Behind, Closed, Flow};

/// Stands behind a socket and does nothing.
pub(crate) struct Nobody;

impl Behind for Nobody {
    type Mail = ();

    fn on_open(&mut self, _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_text(&mut self, _: &str, _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_binary(&mut self, _: &[u8], _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_mail(&mut self, (): (), _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_close(&mut self, _: Closed, _: &mut Batch<'_, ()>) {}
}
