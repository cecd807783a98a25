//! One fact of an entity: the set of values that it may have, and where it last changed.

use rbk_syntax::Span;
use std::marker::PhantomData;

/// A value of a fact.
pub(crate) trait Bit: Copy {
    /// One bit of its own.
    fn bit(self) -> u8;
    /// The bits of all values that a fact may have before anything is known.
    const UNKNOWN: u8;
}

/// A fact: a set of possible values.
#[derive(Debug)]
pub(crate) struct Facet<T> {
    possible: u8,
    since: Option<Span>,
    of: PhantomData<T>,
}

impl<T: Bit> Facet<T> {
    /// Whether it can only be this.
    pub(crate) fn is(self, value: T) -> bool {
        self.possible == value.bit()
    }

    /// Whether it can be this.
    pub(crate) fn may_be(self, value: T) -> bool {
        self.possible & value.bit() != 0
    }

    /// Whether another one has the same possible values.
    pub(crate) fn same(self, other: Self) -> bool {
        self.possible == other.possible
    }

    /// Where it last changed, if a statement or a proof changed it.
    pub(crate) fn since(self) -> Option<Span> {
        self.since
    }

    /// It is this now.
    pub(crate) fn set(&mut self, value: T, span: Span) {
        self.possible = value.bit();
        self.since = Some(span);
    }

    /// It is one of these now.
    pub(crate) fn set_any(&mut self, values: &[T], span: Span) {
        self.possible = values.iter().fold(0, |bits, value| bits | value.bit());
        self.since = Some(span);
    }

    /// It can be no other than these; what contradicts what is known says more than what is known. Tells whether it contradicts it.
    pub(crate) fn narrow(&mut self, values: &[T], span: Span) -> bool {
        let bits = values.iter().fold(0, |bits, value| bits | value.bit());
        let narrowed = self.possible & bits;
        self.possible = if narrowed == 0 { bits } else { narrowed };
        self.since = Some(span);
        narrowed == 0
    }

    /// It can be what either can be.
    pub(crate) fn join(&mut self, other: Self) {
        if self.possible != other.possible {
            self.possible |= other.possible;
            self.since = other.since.or(self.since);
        }
    }
}

impl<T: Bit> Default for Facet<T> {
    fn default() -> Self {
        Self {
            possible: T::UNKNOWN,
            since: None,
            of: PhantomData,
        }
    }
}

impl<T> Clone for Facet<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Facet<T> {}
