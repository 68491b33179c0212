//! Many senders at once, each with one connection at a time, that note what they were told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::Product;
use crate::support::http::{Body, Request};

/// A lead that was accepted.
pub(super) struct Accepted {
    pub(super) number: usize,
    pub(super) lead_id: String,
}

/// Posts the bodies of the numbers below `count` by so many senders; each sender takes the numbers of its own remainder, in order.
pub(super) fn many(product: &Product, senders: usize, count: usize, body: &(dyn Fn(usize) -> String + Sync)) -> Vec<Accepted> {
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        let send = |sender: usize| {
            let mut accepted = Vec::new();
            for number in (sender..count).step_by(senders) {
                accepted.extend(one(product, number, body(number)));
                done.fetch_add(1, Ordering::Relaxed);
            }
            accepted
        };
        let running: Vec<_> = (0..senders).map(|sender| scope.spawn(move || send(sender))).collect();
        running.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    })
}

/// Posts one; `None` when it was not accepted or the connection broke.
pub(super) fn one(product: &Product, number: usize, body: String) -> Option<Accepted> {
    let url = product.url();
    let (host, path) = url.trim_start_matches("http://").split_once('/')?;
    let request = Request { method: "POST", target: format!("/{path}"), headers: vec![], body: Body::Whole(body.into()) };
    let answer = request.try_send_until_read(host)?;
    let receipt: Value = serde_json::from_str(&answer.body).ok()?;
    (answer.status == 202).then(|| Accepted { number, lead_id: receipt["lead_id"].as_str().unwrap().to_owned() })
}
