#include "netd/cluster/cluster.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/api/model.pb.h"
#include "netd/api/status.h"
#include "netd/cluster/link.h"
#include "netd/cluster/manager.h"
#include "netd/cluster/membership.h"
#include "netd/cluster/node_client.h"
#include "netd/cluster/notifier.h"
#include "netd/identity/authority.h"
#include "netd/identity/fetch_root.h"
#include "netd/identity/join_token.h"

namespace heddle::cluster {
namespace {

constexpr std::chrono::seconds kManagerStart{30};  // one attempt at a restart
constexpr std::chrono::milliseconds kUpkeep{3'600'000};
constexpr std::chrono::milliseconds kUpkeepRetry{1000};

Membership membership_of(const model::Id& swarm, const model::Node& node) {
  Membership membership;
  membership.set_swarm(swarm);
  membership.set_node(node.id);
  membership.set_manager(node.role == model::NodeRole::manager);
  membership.set_address(node.address.format());
  membership.set_api_port(node.api_port);
  membership.set_data_address(node.data_address.format());
  return membership;
}

Error not_in_a_swarm() {
  return {Errc::conflict,
          "this node is in no swarm; begin one with `heddle swarm init`, or join "
          "one with `heddle swarm join`"};
}

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
Result<HostPort> parse_manager(const std::string& text) {
  const auto bad = [&] {
    return fail(Errc::invalid, "manager '" + text + "' is not HOST:PORT, such as 192.0.2.1:7373");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad();
  HostPort out;
  out.host = text.substr(0, colon);
  if (out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    return bad();
  }
  std::uint32_t port = 0;
  const std::string digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5) return bad();
  for (const char c : digits) {
    if (c < '0' || c > '9') return bad();
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (port == 0 || port > 65535) return bad();
  out.port = static_cast<std::uint16_t>(port);
  return out;
}

class ClusterImpl final : public Cluster {
 public:
  ClusterImpl(Settings settings, Events events)
      : settings_(std::move(settings)), dir_(settings_.state_dir), notifier_(std::move(events)) {}
  ~ClusterImpl() override;

  Result<> resume();

  Role role() const override;
  Result<model::Node> init(InitRequest request, Deadline deadline) override;
  Result<model::Node> join(JoinRequest request, Deadline deadline) override;
  Result<> leave(Force force, Deadline deadline) override;
  Result<Token> join_token(model::NodeRole role, Rotate rotate,
                           std::optional<std::chrono::seconds> ttl, Deadline deadline) override;
  Result<model::Network> create_network(model::Network draft, std::vector<Prefix> avoid,
                                        Deadline deadline) override;
  Result<model::Network> update_network(model::Network before, model::Network after,
                                        std::vector<Prefix> avoid, Deadline deadline) override;
  Result<> remove_network(model::Id network, Deadline deadline) override;
  Result<model::AddressBlock> claim_block(model::Id network, Deadline deadline) override;
  Result<> release_block(model::AddressBlock block, Deadline deadline) override;
  void report(NodeReport report) override;

 private:
  Result<> check_free() const;
  Result<model::Node> init_here(const InitRequest& request, Deadline deadline);
  Result<model::Node> join_there(const JoinRequest& request, Deadline deadline);
  Result<std::string> join_key();
  Result<> store_joined(const node::v1::JoinReply& reply, const std::string& root,
                        const std::string& key, const Membership& membership);
  Result<> start_link(const Membership& membership);
  void start_upkeep();
  bool keep_manager(const Membership& membership);
  bool keep_worker(const Membership& membership);
  Result<std::shared_ptr<Link>> link() const;
  Result<std::shared_ptr<Manager>> manager() const;
  void stop_all();
  bool stopping() const;
  void save_state();

  const Settings settings_;
  const SystemClock clock_;
  std::mutex changing_;  // held by init, join, leave: one at a time
  MembershipDir dir_;
  Notifier notifier_;

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::optional<Membership> membership_;
  std::shared_ptr<Link> link_;
  std::shared_ptr<Manager> manager_;  // absent while it starts
  std::optional<NodeReport> report_;  // the last, for a link that comes
  std::thread upkeep_;                // starts a manager, renews certificates
};

ClusterImpl::~ClusterImpl() {
  stop_all();
}

// The state is kept as of the end; etcd and the sessions of others go after our own.
void ClusterImpl::stop_all() {
  std::shared_ptr<Link> link;
  std::shared_ptr<Manager> manager;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_.notify_all();
  }
  if (upkeep_.joinable()) upkeep_.join();
  notifier_.clear();
  save_state();
  {
    const std::lock_guard lock(mutex_);
    link = std::exchange(link_, nullptr);
    manager = std::exchange(manager_, nullptr);
    stopping_ = false;
  }
  link.reset();
  manager.reset();
  notifier_.clear();
}

bool ClusterImpl::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

Result<> ClusterImpl::resume() {
  TRY(auto membership, dir_.open());
  if (!membership) return {};
  {
    const std::lock_guard lock(mutex_);
    membership_ = *membership;
  }
  TRY_DO(start_link(*membership));
  start_upkeep();
  return {};
}

Cluster::Role ClusterImpl::role() const {
  const std::lock_guard lock(mutex_);
  if (!membership_) return Role::none;
  return membership_->manager() ? Role::manager : Role::worker;
}

Result<> ClusterImpl::start_link(const Membership& membership) {
  Link::Settings settings;
  settings.swarm = membership.swarm();
  settings.node = membership.node();
  TRY(settings.root_pem, dir_.read(kRootFile));
  TRY(settings.certificate_pem, dir_.read(kNodeCertificateFile));
  TRY(settings.key_pem, dir_.read(kNodeKeyFile));
  settings.managers.assign(membership.managers().begin(), membership.managers().end());
  settings.last_state = dir_.read(kLastStateFile).value_or("");
  Link::Events events;
  events.on_state = [this](SwarmState state) { notifier_.state(std::move(state)); };
  events.on_session = [this](bool up) { notifier_.session(up); };
  events.on_refused = [this](model::Id id, Error why) { notifier_.refused(id, why); };
  events.on_dirty = [this] { notifier_.save_soon([this] { save_state(); }); };
  std::shared_ptr<Link> link = Link::start(std::move(settings), std::move(events));
  const std::lock_guard lock(mutex_);
  if (report_) link->report(*report_);
  std::swap(link_, link);
  return {};
}

void ClusterImpl::save_state() {
  std::shared_ptr<Link> link;
  Membership membership;
  {
    const std::lock_guard lock(mutex_);
    if (!link_ || !membership_) return;
    link = link_;
    membership = *membership_;
  }
  const std::string bytes = link->save();
  if (bytes.empty()) return;
  if (auto saved = dir_.write(kLastStateFile, bytes); !saved) {
    log_warn("state_not_saved", {{"error", saved.error()}});
  }
  const auto managers = link->managers();
  const std::vector<std::string> known(membership.managers().begin(), membership.managers().end());
  if (managers == known) return;
  membership.clear_managers();
  for (const std::string& each : managers) membership.add_managers(each);
  if (auto saved = dir_.write(membership); !saved) {
    log_warn("managers_not_saved", {{"error", saved.error()}});
    return;
  }
  const std::lock_guard lock(mutex_);
  if (membership_) membership_ = membership;
}

// A manager whose etcd does not come up must not keep heddled from starting: networks work on.
void ClusterImpl::start_upkeep() {
  upkeep_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const Membership membership = *membership_;
      lock.unlock();
      const bool good = membership.manager() ? keep_manager(membership) : keep_worker(membership);
      lock.lock();
      const std::chrono::milliseconds length = good ? kUpkeep : kUpkeepRetry;
      stop_.wait_for(lock, length, [&] { return stopping_; });
    }
  });
}

// Managers renew certificates at their start; one that has run for long is started again.
bool ClusterImpl::keep_manager(const Membership& membership) {
  std::shared_ptr<Manager> old;
  const bool due = Manager::renewal_is_due(dir_, clock_);
  {
    const std::lock_guard lock(mutex_);
    if (manager_ && !due) return true;
    old = std::exchange(manager_, nullptr);
  }
  old.reset();
  auto started = Manager::start({settings_.state_dir, settings_.etcd_binary, settings_.etcd_cgroup,
                                 membership, [this] { return stopping(); }},
                                clock_, std::nullopt, after(kManagerStart));
  if (!started) {
    if (!stopping()) log_error("manager_not_started", {{"error", started.error()}});
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    manager_ = std::move(*started);
    if (link_) link_->retry();
  }
  if (!due) return true;
  log_info("certificates_renewed");
  auto fresh = start_link(membership);
  if (!fresh) log_error("link_not_started", {{"error", fresh.error()}});
  return fresh.has_value();
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
    TRY(const std::string fresh, tie->renew(request.request_pem, after(std::chrono::seconds(10))));
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

Result<std::shared_ptr<Link>> ClusterImpl::link() const {
  const std::lock_guard lock(mutex_);
  if (!link_) return std::unexpected(not_in_a_swarm());
  return link_;
}

Result<std::shared_ptr<Manager>> ClusterImpl::manager() const {
  const std::lock_guard lock(mutex_);
  if (!membership_) return std::unexpected(not_in_a_swarm());
  if (manager_) return manager_;
  if (membership_->manager()) {
    return fail(Errc::unavailable, "this manager's store (etcd) is starting; try again shortly");
  }
  std::string managers;
  for (const std::string& each : link_ ? link_->managers() : std::vector<std::string>()) {
    managers += (managers.empty() ? "" : ", ") + each;
  }
  return fail(Errc::denied,
              "this node is a worker; do this on a manager of the swarm (" + managers + ")");
}

Result<> ClusterImpl::check_free() const {
  const std::lock_guard lock(mutex_);
  if (!membership_) return {};
  return fail(Errc::conflict, "this node is in swarm " + membership_->swarm() +
                                  " already; leave it first with `heddle swarm leave`");
}

Result<model::Node> ClusterImpl::init(InitRequest request, Deadline deadline) {
  const std::lock_guard changing(changing_);
  TRY_DO(check_free());
  auto made = init_here(request, deadline);
  if (!made) {
    stop_all();
    const std::lock_guard lock(mutex_);
    membership_.reset();
    (void)dir_.wipe().has_value();
  }
  return std::move(made).during("begin a swarm");
}

Result<model::Node> ClusterImpl::init_here(const InitRequest& request, Deadline deadline) {
  if (request.advertise.is_unspecified() || request.data_address.is_unspecified()) {
    return fail(Errc::invalid, "the advertised address must be one of this host's, not " +
                                   request.advertise.format());
  }
  if (!request.pool.is_v4() || request.subnet_length < request.pool.length() ||
      request.subnet_length > 29) {
    return fail(Errc::invalid, "subnets of /" + std::to_string(request.subnet_length) +
                                   " do not fit the pool " + request.pool.format());
  }
  TRY_DO(check_node_name(settings_.node_name));
  model::Swarm swarm{make_id(), request.vxlan_port, request.pool, request.subnet_length};
  TRY_DO(dir_.wipe());
  TRY(const auto identity, Manager::make_identity(dir_, swarm.id, request.advertise, clock_));
  model::Node node;
  node.id = identity.node;
  node.name = settings_.node_name;
  node.role = model::NodeRole::manager;
  node.address = request.advertise;
  node.api_port = request.api_port;
  node.data_address = request.data_address;
  node.joined = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  Membership membership = membership_of(swarm.id, node);
  membership.add_managers(SocketAddr{node.address, node.api_port}.format());
  TRY(std::shared_ptr<Manager> manager,
      Manager::start(
          {settings_.state_dir, settings_.etcd_binary, settings_.etcd_cgroup, membership}, clock_,
          Manager::Founding{swarm, node, identity.key_digest}, deadline));
  TRY_DO(dir_.write(membership));
  {
    const std::lock_guard lock(mutex_);
    membership_ = membership;
    manager_ = std::move(manager);
  }
  TRY_DO(start_link(membership));
  start_upkeep();
  log_info("swarm_begun", {{"swarm", swarm.id}, {"node", node.id}});
  return node;
}

Result<model::Node> ClusterImpl::join(JoinRequest request, Deadline deadline) {
  const std::lock_guard changing(changing_);
  TRY_DO(check_free());
  return join_there(request, deadline).during("join the swarm");
}

// Kept until a join succeeds: a join that is repeated after its answer was lost is the same node's.
Result<std::string> ClusterImpl::join_key() {
  auto kept = dir_.read(kJoinKeyFile);
  if (kept && identity::make_request("x", *kept)) return kept;
  TRY(const auto fresh, identity::make_request("x"));
  TRY_DO(dir_.write(kJoinKeyFile, fresh.key_pem));
  return fresh.key_pem;
}

Result<model::Node> ClusterImpl::join_there(const JoinRequest& request, Deadline deadline) {
  TRY(const identity::JoinToken token, identity::parse_token(request.token));
  TRY(const HostPort target, parse_manager(request.manager));
  TRY_DO(check_node_name(settings_.node_name));
  TRY(const std::string root, identity::fetch_root({target.host, target.port, token.root,
                                                    std::string(identity::kManagerName)},
                                                   clock_, deadline));
  TRY(const std::string key, join_key());
  TRY(const auto certificate_request, identity::make_request("node", key));
  node::v1::JoinRequest message;
  message.set_secret(token.secret);
  message.set_certificate_request(certificate_request.request_pem);
  message.set_name(settings_.node_name);
  message.set_address(request.advertise.format());
  message.set_api_port(request.api_port);
  message.set_data_address(request.data_address.format());

  const auto stub = node::v1::NodeApi::NewStub(dial(request.manager, {root, "", ""}));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  set_deadline(context, deadline);
  node::v1::JoinReply reply;
  const grpc::Status status = stub->Join(&context, message, &reply);
  if (!status.ok()) return std::unexpected(api::from_status(status));

  TRY(const model::Node node, api::from_proto(reply.node()));
  TRY(const model::Swarm swarm, api::from_proto(reply.swarm()));
  Membership membership = membership_of(swarm.id, node);
  for (const std::string& each : reply.managers()) membership.add_managers(each);
  if (membership.managers().empty()) membership.add_managers(request.manager);
  TRY_DO(store_joined(reply, root, key, membership));
  {
    const std::lock_guard lock(mutex_);
    membership_ = membership;
  }
  TRY_DO(start_link(membership));
  start_upkeep();
  log_info("swarm_joined", {{"swarm", swarm.id}, {"node", node.id}});
  return node;
}

Result<> ClusterImpl::store_joined(const node::v1::JoinReply& reply, const std::string& root,
                                   const std::string& key, const Membership& membership) {
  TRY_DO(identity::check_key_fits(reply.certificate(), key));
  TRY_DO(identity::check_signed_by(reply.certificate(), root, clock_.wall()));
  TRY_DO(dir_.wipe());
  TRY_DO(dir_.write(kRootFile, root));
  TRY_DO(dir_.write(kNodeKeyFile, key));
  TRY_DO(dir_.write(kNodeCertificateFile, reply.certificate()));
  return dir_.write(membership);
}

Result<> ClusterImpl::leave(Force force, Deadline deadline) {
  const std::lock_guard changing(changing_);
  TRY(const auto tie, link());
  if (role() == Role::manager) {
    if (force == Force::no) {
      return fail(Errc::in_use,
                  "this is the swarm's last manager: the swarm ends with it, and "
                  "its other nodes must be made to leave by hand; to do that, use "
                  "--force");
    }
  } else if (auto left = tie->leave(deadline); !left) {
    const bool gone = left.error().code() == Errc::denied;  // removed by a manager
    if (!gone && force == Force::no) {
      return std::unexpected(
          std::move(left).error().during("leave the swarm (--force leaves "
                                         "without the managers' knowing)"));
    }
  }
  stop_all();
  {
    const std::lock_guard lock(mutex_);
    membership_.reset();
    report_.reset();
  }
  log_info("swarm_left");
  return dir_.wipe();
}

Result<Cluster::Token> ClusterImpl::join_token(model::NodeRole role, Rotate rotate,
                                               std::optional<std::chrono::seconds> ttl,
                                               Deadline deadline) {
  TRY(const auto here, manager());
  if (ttl && rotate == Rotate::no) {
    return fail(Errc::invalid, "a token gets its end when it is made: give --rotate beside --ttl");
  }
  identity::JoinToken token;
  token.root = here->authority().digest();
  if (rotate == Rotate::yes) {
    TRY(token.secret, here->registry().rotate_token(role, ttl, deadline));
  } else {
    TRY(token.secret, here->registry().token_secret(role, deadline));
  }
  const std::lock_guard lock(mutex_);
  if (!membership_) return std::unexpected(not_in_a_swarm());
  TRY(const IpAddr address, IpAddr::parse(membership_->address()));
  const auto port = static_cast<std::uint16_t>(membership_->api_port());
  return Token{identity::format(token), SocketAddr{address, port}.format()};
}

Result<model::Network> ClusterImpl::create_network(model::Network draft, std::vector<Prefix> avoid,
                                                   Deadline deadline) {
  TRY(const auto here, manager());
  return here->registry().create_network(std::move(draft), std::move(avoid), deadline);
}

Result<model::Network> ClusterImpl::update_network(model::Network before, model::Network after,
                                                   std::vector<Prefix> avoid, Deadline deadline) {
  TRY(const auto here, manager());
  return here->registry().update_network(std::move(before), std::move(after), std::move(avoid),
                                         deadline);
}

Result<> ClusterImpl::remove_network(model::Id network, Deadline deadline) {
  TRY(const auto here, manager());
  return here->registry().remove_network(std::move(network), deadline);
}

Result<model::AddressBlock> ClusterImpl::claim_block(model::Id network, Deadline deadline) {
  TRY(const auto tie, link());
  return tie->claim_block(network, deadline);
}

Result<> ClusterImpl::release_block(model::AddressBlock block, Deadline deadline) {
  TRY(const auto tie, link());
  return tie->release_block(block, deadline);
}

void ClusterImpl::report(NodeReport report) {
  const std::lock_guard lock(mutex_);
  if (link_) link_->report(report);
  report_ = std::move(report);
}

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::open(Settings settings, Events events) {
  auto cluster = std::make_unique<ClusterImpl>(std::move(settings), std::move(events));
  TRY_DO(cluster->resume());
  return cluster;
}

}  // namespace heddle::cluster
