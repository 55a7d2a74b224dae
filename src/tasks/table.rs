//! The one table of all task modules.

use super::module::Table;
use super::{backup, checks, crypt, fetch, files, images, models, pg, redis, schedules, services, thaw, traffic, wal};

/// Every module that a runbook may use.
pub fn all() -> Table {
    let mut table = Table::default();
    table.add(checks::backup_resolve::BackupResolve);
    table.add(checks::backup_verify::BackupVerify);
    table.add(fetch::Fetch);
    table.add(checks::disk_space::DiskSpace);
    table.add(checks::http_health::HttpHealth);
    backups(&mut table);
    postgres(&mut table);
    pairs(&mut table);
    logs(&mut table);
    folders(&mut table);
    registries(&mut table);
    caches(&mut table);
    containers(&mut table);
    units(&mut table);
    table
}

fn backups(table: &mut Table) {
    table.add(backup::destination::Destination);
    table.add(pg::dump::Dump);
    table.add(files::archive::Archive);
    table.add(crypt::encrypt::Encrypt);
    table.add(crypt::test_decrypt::TestDecrypt);
    table.add(crypt::remove_plain::RemovePlain);
    table.add(backup::publish::Publish);
    table.add(backup::publish_folder::PublishFolder);
    table.add(backup::confirm::Confirm);
    table.add(backup::discard::Discard);
    table.add(backup::expiring::Expiring);
    table.add(backup::expire_target::ExpireTarget);
    table.add(backup::expire::Expire);
    table.add(backup::expired::Expired);
    table.add(thaw::archived::Archived);
    table.add(thaw::ask::Ask);
    table.add(thaw::wait::Wait);
}

fn pairs(table: &mut Table) {
    table.add(pg::pair::answers::Answers);
    table.add(pg::pair::roles::Roles);
    table.add(pg::pair::identity::Half);
    table.add(pg::pair::primary_down::PrimaryDown);
    table.add(pg::pair::loss::Loss);
    table.add(pg::pair::fence::Fence);
    table.add(pg::pair::unfence::Unfence);
    table.add(pg::pair::caught_up::CaughtUp);
    table.add(pg::pair::promote::Promote);
    table.add(pg::pair::writable::Writable);
    table.add(pg::pair::rejoin::Rejoin);
    table.add(pg::pair::standby_wait::StandbyWait);
    table.add(traffic::point::Point::NOW);
    table.add(traffic::point::Point::BEFORE);
    table.add(traffic::point_back::PointBack::NOW);
    table.add(traffic::point_back::PointBack::BEFORE);
    table.add(pg::scratch::pair::ScratchPair);
    table.add(pg::scratch::make::ScratchServer);
    table.add(pg::scratch::lose::ScratchLose);
    table.add(pg::scratch::remove::ScratchRemove);
    table.add(pg::scratch::gone::ScratchGone);
    table.add(traffic::remove::Remove);
    table.add(traffic::gone::Gone);
}

fn logs(table: &mut Table) {
    table.add(wal::window::Window);
    table.add(wal::fetch::Fetch);
    table.add(wal::reaches::Reaches);
    table.add(pg::base::look::BaseLook);
    table.add(pg::base::backup::BaseBackup);
    table.add(pg::recover::cluster::ClusterLook);
    table.add(pg::recover::unpack::UnpackBase);
    table.add(pg::recover::watch::Recover);
    table.add(pg::recover::recovered::Recovered);
    table.add(pg::recover::swap::SwapCluster);
    table.add(pg::recover::swap_back::SwapClusterBack);
    table.add(pg::recover::clear::SideClear);
    table.add(pg::recover::gone::SideGone);
}

fn caches(table: &mut Table) {
    table.add(redis::inspect::Inspect);
    table.add(redis::identity::Identity);
    table.add(redis::save::Save);
    table.add(redis::pull::Pull);
    table.add(redis::load::Load::BESIDE);
    table.add(redis::remove_side::RemoveSide::BESIDE);
    table.add(redis::load::Load::HERE);
    table.add(redis::remove_side::RemoveSide::HERE);
    table.add(redis::here_gone::HereGone);
    table.add(redis::swap::Swap);
    table.add(redis::swap_back::SwapBack);
}

fn containers(table: &mut Table) {
    table.add(images::inspect::Inspect);
    table.add(images::identity::Identity);
    table.add(images::save::Save);
    table.add(images::load::Load);
    table.add(images::remove_side::RemoveSide);
    table.add(images::side_gone::SideGone);
    table.add(images::swap::Swap);
    table.add(images::swap_back::SwapBack);
    table.add(images::in_use::InUse);
}

fn units(table: &mut Table) {
    table.add(services::inspect::Inspect);
    table.add(services::identity::Identity);
    table.add(services::stop::Stop);
    table.add(services::start::Start);
    table.add(services::fence::Fence);
    table.add(services::unfence::Unfence);
    table.add(schedules::list::List);
    table.add(schedules::pause::Pause);
    table.add(schedules::resume::Resume);
}

fn folders(table: &mut Table) {
    table.add(files::inspect::Inspect);
    table.add(files::identity::Identity);
    table.add(files::extract::Extract);
    table.add(files::compare::Compare);
    table.add(files::swap::Swap);
    table.add(files::swap_back::SwapBack);
    table.add(files::remove_side::RemoveSide);
    table.add(files::remove_made::RemoveMade);
    table.add(files::made_gone::MadeGone);
}

fn registries(table: &mut Table) {
    table.add(models::destination::Destination);
    table.add(models::collect::Collect);
    table.add(models::publish::Publish);
    table.add(models::manifest::ManifestLook);
    table.add(models::compare::Compare);
}

fn postgres(table: &mut Table) {
    table.add(pg::inspect::Inspect);
    table.add(pg::leftovers::Leftovers);
    table.add(pg::identity::Identity);
    table.add(pg::preflight::Preflight);
    table.add(pg::room::Room);
    table.add(pg::safety_dump::SafetyDump);
    table.add(pg::create_side::CreateSide);
    table.add(pg::drop_side::DropSide);
    table.add(pg::restore::Restore);
    table.add(pg::validate::Validate);
    table.add(pg::swap::Swap);
    table.add(pg::swap_back::SwapBack);
    table.add(pg::health::Health);
    table.add(pg::rows::diff::RowsDiff);
    table.add(pg::rows::merge::RowsMerge);
    table.add(pg::rows::unmerge::RowsUnmerge);
    table.add(pg::remove_made::RemoveMade);
    table.add(pg::made_gone::MadeGone);
}
