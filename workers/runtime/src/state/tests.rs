//! Tests of the worker state.
