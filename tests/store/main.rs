//! The store's conformance suite: every case runs on SQLite and on PostgreSQL, each on a fresh database.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "modules of a test binary have no outside")]

#[path = "../it/support/database.rs"]
mod database;
#[path = "../it/support/scratch.rs"]
#[expect(dead_code, reason = "shared with the tests of the program")]
mod scratch;

mod admission;
mod auditing;
mod claiming;
mod committing;
mod deadlines;
mod licences;
mod looking;
mod make;
mod operating;
mod outage;
mod outbox;
mod people;
mod plans;
mod reading;
mod remembering;
mod rescuing;
mod retaining;
mod reviewing;
mod schema;
mod server;
mod site;

/// Runs each case on both databases.
macro_rules! conformance {
    ($($module:ident: $($case:ident),+;)+) => {
        mod sqlite { $(mod $module { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$module::$case(crate::site::Site::sqlite().await).await;
            }
        )+ })+ }
        mod postgres { $(mod $module { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$module::$case(crate::site::Site::postgres().await).await;
            }
        )+ })+ }
    };
}

conformance! {
    admission: stores_everything_at_once, a_repeated_request_is_replayed, a_key_with_another_body_is_refused, keys_belong_to_owners,
        a_second_open_application_is_refused, duplicates_within_a_batch, concurrent_requests_with_one_key,
        concurrent_requests_of_one_holder, concurrent_batches_in_any_order;
    claiming: most_urgent_first, takes_only_what_is_wanted_due_and_free, concurrent_claims_share_nothing, an_idle_claim_writes_nothing,
        released_jobs_are_due_again, what_is_put_off_is_due_later, only_the_holder_releases, suspects_run_alone, says_when_the_next_is_due;
    committing: everything_or_nothing, jobs_are_written_as_differences, a_review_goes_with_its_application,
        a_new_licence_supersedes_the_former, what_is_appended_keeps_its_order, counters_are_a_real_count,
        concurrent_commits_follow_each_other, plans_see_what_exists_once, a_plan_keeps_to_what_it_holds, an_empty_plan_writes_nothing,
        two_writes_of_one_application_count_as_one, an_old_holder_writes_nothing;
    remembering: a_remembered_state_is_written_again_and_again, everything_that_a_plan_has_is_written,
        an_outdated_state_writes_nothing, an_old_lease_or_fence_writes_nothing, an_unknown_application_writes_nothing,
        concurrent_plans_of_one_state_are_written_once;
    rescuing: frees_what_dead_processes_held, leaves_the_living_alone, frees_jobs_of_forgotten_processes, processes_come_and_go;
    deadlines: finds_due_checks, finds_promises_of_another_calendar, counts_risk_and_breach, knows_the_promise_that_is_due_first;
    reviewing: lists_by_time_left, filters_and_pages, hands_out_the_most_urgent, counts_leases_that_hold, finds_lapsed_leases,
        finds_decisions_that_take_effect, hands_supervisors_what_was_escalated, hands_supervisors_what_is_overdue,
        offers_what_one_may_claim, leases_are_counted_by_one_commit_at_a_time;
    outbox: one_per_application_in_order, a_held_one_is_not_taken_twice, a_failed_one_waits, a_dead_one_does_not_block,
        a_dead_one_can_be_sent_again, says_when_the_next_is_due, lists_in_pages,
        delivered_ones_are_listed_for_a_time, dead_ones_are_forgotten_in_the_end;
    operating: keys_are_kept_and_revoked, pauses_end, limits_are_set_and_lifted, depths_by_stage, alerts_are_mailed_once,
        alerts_say_what_about, batches_go_item_by_item, verdicts_are_due_once_the_stage_is_left, workflows_are_pinned,
        the_newest_calendar_counts, acts_are_a_part_of_the_log, concurrent_acts_follow_each_other,
        the_last_runs_of_reconcilers_are_kept;
    auditing: the_log_is_append_only, pages_of_one_application, search_by_actor_type_and_time, walks_all_applications,
        heads_of_a_span, checkpoints_are_taken_once;
    licences: a_presentation_is_used_up_once, checks_are_listed_newest_first, licences_have_their_turn_to_be_checked,
        a_service_ends_with_its_application, only_a_current_licence_is_ended_or_replaced, licences_without_card_are_listed;
    people: users_are_kept_changed_and_disabled, users_are_assigned, the_last_administrator_stays,
        two_administrators_do_not_remove_each_other, an_ended_session_stays_ended, tries_are_counted_within_a_window,
        concurrent_tries_are_all_counted;
    reading: lists_newest_first_to_the_end, a_search_reads_some_at_a_time_and_goes_on, filters, counts_up_to_a_cap, a_foreign_cursor_is_refused, photos_and_who_uses_them,
        licences_of_a_holder;
    looking: figures_are_rolled_up, reviews_are_settled_once, due_times_are_counted, decided_ones_wait_at_a_stage,
        forecasts_are_kept_by_the_hour, missed_due_times_are_counted;
    retaining: photos_tell_who_needs_them, a_photo_is_condemned_spared_and_erased, mailed_alerts_are_forgotten,
        finished_batches_are_forgotten, checks_of_presentations_are_forgotten;
    outage: an_unreachable_database_is_unavailable_and_comes_back;
    schema: migrating_again_changes_nothing, a_newer_schema_is_refused, an_unmigrated_server_is_refused;
}
