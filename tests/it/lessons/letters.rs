//! Dead letters: nothing moves on before they are acknowledged, and what nobody can read is kept in them.

use leadline_proto::dead_letter::{DeadLetter, ErrorKind};
use leadline_proto::{Code, Status};
use leadline_tests::kafka::Record;
use leadline_tests::smtp::address;
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::kafka::limit_records;
use super::line::{Line, copies, headers, id_of, lead, once, own, record, the_outcome};
use crate::support::PATIENCE;

pub(super) fn the_position_waits_for_its_dead_letter(stack: &Stack) {
    let (good, bad) = (own(stack, "good"), address::refused(550, &own(stack, "bad")));
    let line = Line::new(stack, stack.smtp(), "", "", &[("good", &good), ("bad", &bad)]);
    limit_records(stack.kafka(), &line.topic("dlq"), 100);
    let worker = line.email();
    let dead = line.put_one(&lead("bad", "a", ""), 0);
    // Behind it: of another person, and of another partition.
    let others = [line.put_one(&lead("good", "b", ""), 0), line.put_one(&lead("good", "c", ""), 1)];
    line.ended(&others, PATIENCE);
    eventually("the other partition is committed", PATIENCE, || (line.committed().get(&1) == Some(&1)).then_some(()));
    eventually("Kafka refuses the dead letter", PATIENCE, || {
        worker.process.output().contains("publishing again").then_some(())
    });
    assert!(!line.committed().contains_key(&0), "{:?}", line.committed());
    assert!(line.outcomes().iter().all(|outcome| outcome.lead_id != dead), "it has not ended yet");

    limit_records(stack.kafka(), &line.topic("dlq"), 1 << 20);
    let outcomes = line.ended(&[dead], PATIENCE);
    assert_eq!(the_outcome(&outcomes, dead).status, Status::DeadLettered { code: Code::of("smtp-rcpt-550") });
    let letters = line.records("dlq");
    assert_eq!(letters.iter().map(id_of).collect::<Vec<_>>(), [Some(dead)]);
    let letter = DeadLetter::read(&headers(&letters[0])).unwrap();
    assert_eq!((letter.origin.topic, letter.origin.partition, letter.origin.offset), (line.topic("leads"), 0, 0));
    eventually("the position moves on", PATIENCE, || (line.committed().get(&0) == Some(&2)).then_some(()));
    assert_eq!(copies(stack.smtp(), &good), once(&others));
}

pub(super) fn bytes_that_nobody_can_read_are_kept(stack: &Stack) {
    let line = Line::new(stack, stack.smtp(), "", "", &[("free", &own(stack, "free"))]);
    let sink = line.product.crm_sink.clone();
    let letters = || stack.kafka().records(&line.product.topic(&format!("{sink}.dlq")));
    let bytes: Vec<u8> = (0..=255).collect();
    let odd = |value: Option<Vec<u8>>, headers: Vec<(String, Vec<u8>)>| Record {
        partition: 2,
        offset: 0,
        key: Some(bytes.clone()),
        value,
        headers,
    };
    let strange = vec![("ce_id".to_owned(), vec![0xff; 300]), (String::new(), vec![]), ("x".to_owned(), b"\0".to_vec())];
    let good = lead("free", "a", "");
    line.put(&[odd(Some(bytes.clone()), strange), odd(None, vec![]), record(&good, 2)]);
    let mut worker = line.product.start_crm();
    line.ended_at(&sink, &[good.lead_id], PATIENCE);
    let kept = eventually("a dead letter of each", PATIENCE, || Some(letters()).filter(|letters| letters.len() >= 2));
    for (original, copy) in line.records("leads").iter().zip(&kept) {
        assert_eq!(
            (&copy.key, copy.value.as_deref().unwrap_or_default()),
            (&original.key, original.value.as_deref().unwrap_or_default())
        );
        assert!(original.headers.iter().all(|header| copy.headers.contains(header)), "{:?}", copy.headers);
        let letter = DeadLetter::read(&headers(copy)).unwrap();
        assert_eq!((letter.kind, letter.code.as_str(), letter.attempts), (ErrorKind::Poison, "unknown-type", 0));
        let origin = letter.origin;
        assert_eq!((origin.topic, origin.partition, origin.offset), (line.topic("leads"), 2, original.offset));
    }
    // They are behind the worker for good.
    assert_eq!(worker.stop(), 0);
    assert_eq!(line.committed_by(&sink), [(2, 3)].into());
    let _worker = line.product.start_crm();
    let next: Uuid = line.put_one(&lead("free", "b", ""), 2);
    line.ended_at(&sink, &[next], PATIENCE);
    assert_eq!(letters().len(), 2);
}
