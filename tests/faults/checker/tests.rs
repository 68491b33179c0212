//! Tests of the checker: a good run passes, and each thing that may go wrong is found.
use super::*;
