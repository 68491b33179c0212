//! What others have learnt the hard way: each mistake that neighbours of Leadline have made has a test here that makes it again.
//! Beside these the switches and promises that only show at run time: holds, the brake, the breaker, repeats.
//!
//! Against a real Kafka, a real mail server and a real database. To test workers, leads are put into Kafka directly; what ingest has
//! to learn is in `durable` and `edge`. Plain retries and dead letters belong in `retries`, plain crashes in `crash`, the life of the
//! spool in `spool`.

mod brake;
mod crashes;
mod duplicates;
mod durable;
mod edge;
mod follower;
mod holds;
mod kafka;
mod letters;
mod line;
mod mailbox;
mod outages;
mod positions;
mod retrying;

use leadline_tests::{Stack, Suite, Tool};

/// A name and what it shows.
type Test = (&'static str, fn(&Stack));

pub(crate) fn tests(suite: &mut Suite) {
    let tests: [Test; 24] = [
        ("leads_at_the_same_offset_of_two_partitions_are_both_delivered", positions::the_same_offset_on_two_partitions),
        ("a_new_group_starts_with_the_oldest_lead", positions::a_new_group_starts_with_the_oldest),
        ("deleted_records_stop_their_partition_until_it_is_released", positions::deleted_records),
        ("the_count_of_tries_survives_a_rebalance_and_a_kill", retrying::the_count_survives),
        ("waiting_retries_stop_no_new_lead_and_hide_none_that_is_due", retrying::waiting_retries_stop_nobody),
        ("leads_that_failed_together_come_back_apart", retrying::they_come_back_apart),
        ("stops_and_revokes_lose_nothing_and_commit_no_open_lead", crashes::stops_and_revokes),
        ("a_kill_at_any_step_loses_nothing_and_repeats_only_what_was_begun", crashes::killed_at_any_step),
        ("a_lead_that_was_begun_and_not_delivered_is_no_duplicate", crashes::begun_is_not_delivered),
        ("a_frozen_worker_sends_nothing_that_another_has_sent", crashes::frozen),
        ("a_late_answer_makes_no_second_mail_and_a_missing_one_marked_copies", duplicates::a_late_answer_makes_no_second_mail),
        ("a_repeat_is_told_and_not_sent", duplicates::a_repeat_is_told_and_not_sent),
        ("a_record_that_stands_twice_is_handled_once", duplicates::a_record_that_stands_twice_is_handled_once),
        ("a_retry_record_that_surfaced_late_sends_nothing_again", duplicates::a_retry_record_that_surfaced_late),
        ("a_lead_posted_again_much_later_is_handled_once", duplicates::a_lead_posted_again_much_later_is_handled_once),
        ("a_bad_deploy_is_stopped_by_the_brake_until_it_is_released", brake::a_bad_deploy_is_stopped),
        ("the_brake_counts_by_ratio_too", brake::it_counts_by_ratio),
        ("held_leads_wait_and_come_back_at_once_when_released", holds::held_leads_wait_and_come_back),
        ("a_position_moves_only_when_the_dead_letter_is_acknowledged", letters::the_position_waits_for_its_dead_letter),
        ("bytes_that_nobody_can_read_are_kept_with_reason_and_origin", letters::bytes_that_nobody_can_read_are_kept),
        ("a_server_that_hangs_for_many_leads_is_down_and_for_one_is_not", outages::hanging_for_many_is_an_outage),
        ("the_end_of_an_outage_is_noticed_soon", outages::its_end_is_noticed_soon),
        ("a_server_that_says_too_fast_is_called_by_fewer", outages::too_fast_means_fewer),
        ("a_server_that_bears_few_connections_gets_all_mails_once", outages::it_settles_at_what_the_server_bears),
    ];
    for (name, test) in tests {
        suite.test(&format!("lessons::{name}"), [Tool::Kafka, Tool::Smtp], test);
    }
    ingest_tests(suite);
}

fn ingest_tests(suite: &mut Suite) {
    let tests: [Test; 4] = [
        ("nobody_is_told_202_before_the_lead_is_in_kafka_or_in_the_spool", durable::no_202_without_an_entry),
        ("a_fault_of_ours_is_a_503_that_says_when_to_come_again", durable::each_fault_has_its_status),
        ("a_full_producer_blocks_nobody_and_drops_nothing", durable::a_full_producer),
        ("ingest_starts_without_the_secrets_of_sinks", edge::ingest_knows_no_secret_of_a_sink),
    ];
    for (name, test) in tests {
        suite.test(&format!("lessons::{name}"), [Tool::Kafka], test);
    }
    let both = [Tool::Kafka, Tool::Smtp];
    suite.test("lessons::the_same_post_twice_gives_one_mail_and_one_record", both, edge::the_same_post_twice);
    let constant = |_: &Stack| edge::tokens_are_compared_in_constant_time();
    suite.test("lessons::tokens_are_compared_in_constant_time", [], constant);
    suite.test("lessons::no_client_goes_without_verification", [], |_| edge::every_client_verifies());
}
