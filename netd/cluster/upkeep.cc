#include <algorithm>
#include <filesystem>

#include "common/observe/log.h"
#include "netd/cluster/cluster_impl.h"
#include "netd/cluster/etcd_child.h"
#include "netd/identity/authority.h"

namespace heddle::cluster {
namespace {

constexpr std::chrono::seconds kManagerStart{30};  // one attempt at a restart
constexpr std::chrono::seconds kRoleCall{10};      // a manager's answer to a change of role
constexpr std::chrono::milliseconds kUpkeep{3'600'000};
constexpr std::chrono::milliseconds kUpkeepRetry{1000};

}  // namespace

std::string own_target(const Membership& membership) {
  const auto address = IpAddr::parse(membership.address());
  if (!address) return "";
  return SocketAddr{*address, static_cast<std::uint16_t>(membership.api_port())}.format();
}

// The state is kept as of the end; etcd and the sessions of others go after our own.
void ClusterImpl::stop_all() {
  std::shared_ptr<Link> link;
  std::shared_ptr<Manager> manager;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (upkeep_.joinable()) upkeep_.join();
  notifier_.clear();
  save_state();
  {
    const std::lock_guard lock(mutex_);
    link = std::exchange(link_, nullptr);
    manager = take_manager();
    stopping_ = false;
  }
  link.reset();
  manager.reset();
  notifier_.clear();
}

// Calls that wait in it end soon. The lock is held.
std::shared_ptr<Manager> ClusterImpl::take_manager() {
  if (manager_) manager_->voters().stop();
  return std::exchange(manager_, nullptr);
}

bool ClusterImpl::interrupted(model::NodeRole role) const {
  const std::lock_guard lock(mutex_);
  return stopping_ || forcing_ || (wanted_ && *wanted_ != role);
}

Result<> ClusterImpl::start_link(const Membership& membership) {
  Link::Settings settings;
  settings.swarm = membership.swarm();
  settings.node = membership.node();
  settings.address = own_target(membership);
  TRY(const Credentials ours, credentials());
  settings.root_pem = ours.root_pem;
  settings.certificate_pem = ours.certificate_pem;
  settings.key_pem = ours.key_pem;
  settings.managers.assign(membership.managers().begin(), membership.managers().end());
  settings.last_state = dir_.read(kLastStateFile).value_or("");
  Link::Events events;
  events.on_state = [this](SwarmState state) {
    heard(state);
    notifier_.state(std::move(state));
  };
  events.on_session = [this](bool up) { notifier_.session(up); };
  events.on_refused = [this](model::Id id, Error why) { notifier_.refused(id, why); };
  events.on_dirty = [this] { notifier_.save_soon([this] { save_state(); }); };
  std::shared_ptr<Link> link = Link::start(std::move(settings), std::move(events));
  const std::lock_guard lock(mutex_);
  if (report_) link->report(*report_);
  std::swap(link_, link);
  return {};
}

void ClusterImpl::heard(const SwarmState& state) {
  const std::lock_guard lock(mutex_);
  managers_.clear();
  for (const model::Node& node : state.nodes) {
    if (node.role == model::NodeRole::manager) managers_.push_back(node);
    if (node.id != state.self || wanted_ == node.role) continue;
    wanted_ = node.role;
    changed_.notify_all();
  }
}

void ClusterImpl::save_state() {
  std::shared_ptr<Link> link;
  std::vector<std::string> known;
  {
    const std::lock_guard lock(mutex_);
    if (!link_ || !membership_) return;
    link = link_;
    known.assign(membership_->managers().begin(), membership_->managers().end());
  }
  const std::string bytes = link->save();
  if (bytes.empty()) return;
  if (auto saved = dir_.write(kLastStateFile, bytes); !saved) {
    log_warn("state_not_saved", {{"error", saved.error()}});
  }
  const auto managers = link->managers();
  if (managers == known) return;
  const auto saved = change_membership([&](Membership& membership) {
    membership.clear_managers();
    for (const std::string& each : managers) membership.add_managers(each);
  });
  if (!saved) log_warn("managers_not_saved", {{"error", saved.error()}});
}

// Two threads write it: one at a time, each from what the other left.
Result<Membership> ClusterImpl::change_membership(const std::function<void(Membership&)>& change) {
  const std::lock_guard saving(saving_);
  Membership membership;
  {
    const std::lock_guard lock(mutex_);
    if (!membership_) return fail(Errc::conflict, "this node left its swarm");
    membership = *membership_;
  }
  change(membership);
  TRY_DO(dir_.write(membership));
  const std::lock_guard lock(mutex_);
  membership_ = membership;
  return membership;
}

// A manager whose etcd does not come up must not keep heddled from starting: networks work on.
void ClusterImpl::start_upkeep() {
  upkeep_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const Membership membership = *membership_;
      const auto wanted = wanted_;
      lock.unlock();
      const bool good = keep(membership, wanted);
      lock.lock();
      const std::chrono::milliseconds length = good ? kUpkeep : kUpkeepRetry;
      changed_.wait_for(lock, length, [&] {
        return stopping_ || wanted_ != wanted || membership_->manager() != membership.manager();
      });
    }
  });
}

bool ClusterImpl::keep(const Membership& membership, std::optional<model::NodeRole> wanted) {
  const std::lock_guard tending(tending_);
  const auto role = membership.manager() ? model::NodeRole::manager : model::NodeRole::worker;
  if (!wanted || *wanted == role) {
    return membership.manager() ? keep_manager(membership) : keep_worker(membership);
  }
  const auto stepped = membership.manager() ? step_down(membership) : step_up(membership);
  if (stepped) return true;
  std::string why = stepped.error().text();
  {
    const std::lock_guard lock(mutex_);
    std::swap(not_manager_yet_, why);
  }
  if (why != stepped.error().text()) log_info("role_not_changed", {{"error", stepped.error()}});
  return false;
}

// Managers renew certificates at their start; one that has run for long is started again.
bool ClusterImpl::keep_manager(const Membership& membership) {
  std::shared_ptr<Manager> old;
  const bool due = Manager::renewal_is_due(dir_, clock_);
  {
    const std::lock_guard lock(mutex_);
    if (manager_ && !due) return true;
    old = take_manager();
  }
  old.reset();
  auto started = lost_its_store(membership) ? step_up(membership)
                                            : start_manager(membership, after(kManagerStart));
  if (!started) {
    if (!interrupted(model::NodeRole::manager)) {
      log_error("manager_not_started", {{"error", started.error()}});
    }
    return false;
  }
  if (!due) return true;
  log_info("certificates_renewed");
  auto fresh = start_link(membership);
  if (!fresh) log_error("link_not_started", {{"error", fresh.error()}});
  return fresh.has_value();
}

Result<> ClusterImpl::start_manager(const Membership& membership, Deadline deadline) {
  auto started =
      Manager::start({settings_.state_dir, settings_.etcd_binary, settings_.etcd_cgroup, membership,
                      [this] { return interrupted(model::NodeRole::manager); }},
                     clock_, std::nullopt, deadline);
  const std::lock_guard lock(mutex_);
  not_manager_yet_ = started ? "" : started.error().text();
  if (!started) return std::unexpected(std::move(started).error());
  manager_ = std::move(*started);
  if (link_) link_->retry();
  changed_.notify_all();
  return {};
}

// Another manager has what it had, so it begins anew as a member without data.
bool ClusterImpl::lost_its_store(const Membership& membership) const {
  std::error_code failed;
  return membership.managers_size() > 1 && !std::filesystem::exists(dir_.file(kEtcdDir), failed);
}

// Towards a manager: what managers have is fetched from one of them, and etcd begins as a learner.
Result<> ClusterImpl::step_up(Membership membership) {
  TRY_DO(EtcdChild::find_binary(settings_.etcd_binary));
  TRY(const auto tie, link());
  TRY(const auto promotion, tie->promote(after(kRoleCall)));
  TRY_DO(Manager::take_keys(dir_, membership, promotion.keys, clock_));
  TRY(membership, change_membership([&](Membership& changed) {
        changed.set_manager(true);
        changed.set_initial_cluster(promotion.initial_cluster);
      }));
  log_info("became_manager", {{"members", promotion.initial_cluster}});
  return start_manager(membership, after(kManagerStart));
}

// Towards a worker. A manager gives the certificate of one only when this node's etcd is no member
// any more; to stop it sooner could cost the quorum that its removal needs.
Result<> ClusterImpl::step_down(Membership membership) {
  TRY(const auto tie, link());
  if (!tie->up()) return fail(Errc::unavailable, "no session with a manager");
  TRY(const std::string key, dir_.read(kNodeKeyFile));
  TRY(const auto request, identity::make_request(membership.node(), key));
  TRY(const std::string fresh, tie->renew(request.request_pem, after(kRoleCall)));
  TRY(const auto certificate, identity::parse_certificate(fresh));
  if (std::ranges::find(certificate.dns_names, identity::kManagerName) !=
      certificate.dns_names.end()) {
    return fail(Errc::unavailable, "the managers still have this node as one of them");
  }
  TRY_DO(identity::check_key_fits(fresh, key));
  std::shared_ptr<Manager> old;
  {
    const std::lock_guard lock(mutex_);
    old = take_manager();
  }
  old.reset();
  TRY_DO(dir_.write(kNodeCertificateFile, fresh));
  TRY(membership, change_membership([](Membership& changed) {
        changed.set_manager(false);
        changed.clear_initial_cluster();
      }));
  TRY_DO(Manager::drop_keys(dir_));
  log_info("became_worker");
  return start_link(membership);
}

// A worker asks a manager for a new certificate in time, and goes on with a new link.
bool ClusterImpl::keep_worker(const Membership& membership) {
  const auto pem = dir_.read(kNodeCertificateFile);
  const auto certificate = pem ? identity::parse_certificate(*pem) : fail(Errc::not_found, "");
  if (certificate && certificate->not_after - clock_.wall() > identity::kRenewBefore) return true;
  const auto renew = [&]() -> Result<> {
    TRY(const auto tie, link());
    TRY(const std::string key, dir_.read(kNodeKeyFile));
    TRY(const auto request, identity::make_request(membership.node(), key));
    TRY(const std::string fresh, tie->renew(request.request_pem, after(kRoleCall)));
    TRY_DO(identity::check_key_fits(fresh, key));
    TRY_DO(dir_.write(kNodeCertificateFile, fresh));
    save_state();
    return start_link(membership);
  };
  auto renewed = renew();
  if (renewed) {
    log_info("certificate_renewed");
  } else {
    log_error("certificate_not_renewed", {{"error", renewed.error()}});
  }
  return renewed.has_value();
}

}  // namespace heddle::cluster
