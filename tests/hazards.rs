//! The ways in which real recovery scripts have lost data or left a system down, each with the test that holds Relight
//! to not having it. What is named here must exist; the tests themselves run in their own suites.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::path::Path;

/// What went wrong, the file below `tests`, and the test.
const HELD: &[(&str, &str, &str)] = &[
    (
        "names were made anew at each use, so that one database was created, another loaded, and a third renamed",
        "engine/loading.rs",
        "a_plan_pins_everything_and_its_digest_notices_any_change",
    ),
    (
        "the first of two renames succeeded and the second failed: no database had the production name",
        "restore/database.rs",
        "a_swap_that_cannot_end_puts_everything_back",
    ),
    (
        "a target time was read as an offset of a zone, so that no base backup lay before it",
        "recover/instants.rs",
        "any_instant_of_the_window_keeps_exactly_what_was_committed_by_then",
    ),
    (
        "that there is no usable backup was found out with the server stopped and its folder moved away",
        "recover/refusals.rs",
        "what_cannot_be_reached_is_refused_with_the_nearest_that_can_be",
    ),
    (
        "the settings of recovery were written where the server's version does not read them",
        "recover/instants.rs",
        "any_instant_of_the_window_keeps_exactly_what_was_committed_by_then",
    ),
    ("an empty source was restored with success", "e2e/files.rs", "a_backup_of_nothing_is_no_recovery"),
    (
        "the plaintext was deleted although its encryption had failed",
        "crypt/made.rs",
        "the_plaintext_stays_when_what_was_encrypted_cannot_be_opened_again",
    ),
    (
        "the key of an encrypted backup was lost with the host that it protected, and nobody had tried it elsewhere",
        "crypt/closed.rs",
        "without_its_key_a_backup_reaches_l2_at_most_and_is_not_restored",
    ),
    (
        "a compressed dump was judged by its name, and the check of every day failed on good backups",
        "proof/dumps.rs",
        "every_form_is_proven_to_its_contents",
    ),
    (
        "a value that was not configured was noticed at the download, after the data had been moved aside",
        "e2e/loading.rs",
        "a_plan_that_cannot_be_made_says_every_reason",
    ),
    (
        "a dump was loaded into a server that was not in the state for it",
        "restore/database.rs",
        "preflight_names_everything_that_stands_against_the_restore",
    ),
    (
        "any trouble of the monitor counted as a lost primary, and the standby was promoted",
        "failover/watch.rs",
        "a_silent_primary_is_unknown_and_opens_nothing",
    ),
    (
        "the old primary was not fenced: both took writes",
        "failover/roles.rs",
        "a_host_that_cannot_be_reached_gives_no_fence",
    ),
    (
        "a primary that only the console could not reach was failed over",
        "failover/net.rs",
        "a_console_that_is_cut_off_from_the_primary_promotes_nothing",
    ),
    (
        "the collector of measures called what did not exist, and nobody was told anything",
        "cli/reading.rs",
        "metrics_are_prometheus_text",
    ),
    (
        "times with and without a zone were mixed, and no alert was ever sent",
        "catalog/names.rs",
        "names_are_read_in_the_zone_of_their_store_also_at_the_change_of_clocks",
    ),
    ("an overdue backup gave no figure, and so no alarm", "health.rs", "nothing_at_all_is_critical"),
    (
        "recovery to a target that the log does not reach ran for ever, or stopped the server",
        "recover/night.rs",
        "a_recovered_cluster_that_does_not_start_gives_its_place_back",
    ),
    (
        "a gate let through what it could not read",
        "engine/probes.rs",
        "what_cannot_be_looked_at_is_unknown_and_looked_at_again_only_when_asked",
    ),
    (
        "the lag was taken from the clock, which refused a failover that would have lost nothing",
        "failover/roles.rs",
        "a_failover_loses_at_most_its_estimate_and_a_fresh_copy_brings_the_pair_back",
    ),
    (
        "a store that could not be listed counted as complete",
        "health.rs",
        "nothing_in_an_unseen_store_is_unknown_and_never_healthy",
    ),
    (
        "a base backup was checked with the tool for dumps, and the check passed whatever it said",
        "proof/trees.rs",
        "base_backups_agree_with_their_manifest_file_by_file",
    ),
    (
        "a Redis server with its log of changes switched on came up empty beside the restored snapshot",
        "redis/restored.rs",
        "the_naive_way_comes_up_without_the_snapshot",
    ),
    (
        "the restore of sessions wrote the live state over their backup",
        "estates/agents_runs.rs",
        "agents_sessions_come_back_and_their_backup_is_never_written_to",
    ),
    (
        "the live database was dropped before the chosen dump was looked at",
        "estates/agents_runs.rs",
        "agents_a_damaged_dump_is_refused_while_the_live_database_stands_untouched",
    ),
    (
        "recovery emptied the data folder with the last minutes of its log in it",
        "recover/night.rs",
        "a_recovered_cluster_takes_the_live_ones_place_and_the_old_folder_stays",
    ),
    (
        "a base backup was promised without the log that makes it consistent",
        "catalog/logs.rs",
        "a_window_reaches_from_the_end_of_the_base_to_the_hole",
    ),
    (
        "an incremental backup held labels and no log",
        "estates/agents_runs.rs",
        "agents_labels_without_segments_make_no_recovery_window",
    ),
    (
        "a live database was replaced without a question",
        "estates/crud_hazards.rs",
        "no_restore_replaces_a_live_database_without_the_phrase_of_its_target",
    ),
    (
        "the newest backups were bad, and retention had removed the last good one",
        "expire/folder.rs",
        "with_the_newest_five_corrupt_the_last_proven_one_survives_a_real_run",
    ),
    (
        "the set-up of a standby emptied the data folder of whatever host it ran on",
        "failover/roles.rs",
        "a_failover_loses_at_most_its_estimate_and_a_fresh_copy_brings_the_pair_back",
    ),
    (
        "a logical dump was taken for the base of a recovery to a point in time",
        "estates/deploy_runs.rs",
        "deploy_a_dump_is_no_base_for_a_point_in_time",
    ),
    (
        "a restore of models counted nothing, and printed success with none",
        "estates/deploy_models.rs",
        "deploy_models_that_do_not_count_up_to_their_manifest_are_not_restored",
    ),
    (
        "a model that failed while it was hashed was left out of the manifest, and the run succeeded",
        "estates/deploy_models.rs",
        "deploy_a_model_that_the_manifest_leaves_out_fails_the_proof",
    ),
    (
        "a model was looked for by the beginning of its name, and another's files came with it",
        "estates/deploy_models.rs",
        "deploy_one_model_comes_back_without_those_whose_names_begin_alike",
    ),
    (
        "one stamp was asked of all components, while each job had stamped a second of its own",
        "estates/deploy_models.rs",
        "deploy_each_component_is_chosen_by_its_own_stamp_and_the_skew_is_told",
    ),
    (
        "all configuration was unpacked over the root, and took back what had been changed on purpose",
        "estates/deploy_runs.rs",
        "deploy_one_folder_of_configuration_comes_back_and_the_others_stay",
    ),
    (
        "application data was restored from a prefix that no job writes, and the application started on nothing",
        "estates/ops_runs.rs",
        "ops_a_prefix_that_no_job_writes_is_red_and_nothing_is_restored_from_it",
    ),
    (
        "a job had a policy and no line in cron, and nobody missed its backups",
        "estates/ops_runs.rs",
        "ops_catalog_health_and_schedules_agree_with_what_is_there",
    ),
    (
        "what was to go into the archive was deleted before it had been archived",
        "expire/archived.rs",
        "each_object_is_read_back_from_the_archive_before_it_goes",
    ),
    (
        "a base backup ended well while the archive that was to roll it forward had been failing for days",
        "recover/made.rs",
        "a_broken_archive_is_told_before_anything_is_copied_and_the_own_log_must_be_asked_for",
    ),
    (
        "the marker that a backup is whole was written by the tool that had failed to upload half of it",
        "recover/made.rs",
        "half_a_base_backup_is_listed_as_incomplete_until_the_retry_made_the_rest",
    ),
    (
        "an upload of half a disk's worth was begun anew from its first byte after each interruption",
        "recover/made.rs",
        "a_base_backup_killed_at_every_turn_is_resumed_to_one_whole_copy_in_each_store",
    ),
    (
        "a base backup was validated by a logical restore, whose failure was swallowed",
        "estates/platform_runs.rs",
        "platform_a_full_is_judged_by_its_manifest_and_counts_with_all_of_its_members",
    ),
    (
        "only the base archive of a full was unpacked and its log left out; that it was missing was not missed",
        "estates/platform_runs.rs",
        "platform_a_full_is_judged_by_its_manifest_and_counts_with_all_of_its_members",
    ),
    (
        "the default target `latest` was written as a time: no server started, with production stopped and moved away",
        "estates/platform_runs.rs",
        "platform_a_damaged_and_then_a_lost_database_come_back_out_of_the_bucket_alone",
    ),
    (
        "a server with a log of changes was started on a snapshot and came up empty",
        "estates/platform_runs.rs",
        "platform_redis_comes_back_with_its_log_of_changes_on",
    ),
    (
        "the log of changes was looked for under the name that it had before Redis 7, and skipped in silence",
        "estates/platform_runs.rs",
        "platform_catalog_window_and_health_agree_with_a_walk_over_the_buckets",
    ),
];

#[test]
fn every_hazard_has_the_test_that_is_named_for_it() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut missing = Vec::new();
    for (hazard, file, test) in HELD {
        let text = std::fs::read_to_string(tests.join(file)).unwrap_or_default();
        let found = text.find(&format!("fn {test}(")).map(|at| text[..at].trim_end());
        // Its attribute stands right above it, maybe with those of the runtime.
        let runs = found.is_some_and(|before| {
            let above = before.rsplit("\n\n").next().unwrap_or_default();
            above.contains("#[test]") || above.contains("#[tokio::test")
        });
        if !runs {
            missing.push(format!("{file}: {test}, against: {hazard}"));
        }
    }
    assert!(missing.is_empty(), "tests that are gone:\n{}", missing.join("\n"));
}
