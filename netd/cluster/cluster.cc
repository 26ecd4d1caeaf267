#include "netd/cluster/cluster.h"

#include <algorithm>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/api/model.pb.h"
#include "netd/api/status.h"
#include "netd/cluster/cluster_impl.h"
#include "netd/cluster/manager_health.h"
#include "netd/identity/authority.h"
#include "netd/identity/fetch_root.h"
#include "netd/identity/join_token.h"

namespace heddle::cluster {
namespace {

constexpr std::chrono::seconds kHealthTime{1};

Membership membership_of(const model::Id& swarm, const model::Node& node) {
  Membership membership;
  membership.set_swarm(swarm);
  membership.set_node(node.id);
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

}  // namespace

Result<> ClusterImpl::resume() {
  TRY(auto membership, dir_.open());
  if (!membership) return {};
  {
    const std::lock_guard lock(mutex_);
    membership_ = *membership;
  }
  if (!membership->manager()) TRY_DO(Manager::drop_keys(dir_));  // of a step that was cut short
  TRY_DO(start_link(*membership));
  start_upkeep();
  return {};
}

Cluster::Role ClusterImpl::role() const {
  const std::lock_guard lock(mutex_);
  if (!membership_) return Role::none;
  return membership_->manager() ? Role::manager : Role::worker;
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
    return fail(Errc::unavailable,
                "this manager's store (etcd) is starting, or waits for a majority of the managers" +
                    (not_manager_yet_.empty() ? "" : ": " + not_manager_yet_));
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
  membership.set_manager(true);
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
  if (node.role == model::NodeRole::manager) TRY_DO(wait_for_manager(deadline));
  return node;
}

Result<> ClusterImpl::wait_for_manager(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_until(lock, deadline, [&] { return manager_ != nullptr; })) return {};
  return fail(Errc::timeout, "this node joined, but is no manager yet; it goes on trying" +
                                 (not_manager_yet_.empty() ? "" : ": " + not_manager_yet_));
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
  const bool last = role() == Role::manager && is_last_manager();
  if (last && force == Force::no) {
    return fail(Errc::in_use,
                "this is the swarm's last manager: the swarm ends with it, and "
                "its other nodes must be made to leave by hand; to do that, use "
                "--force");
  }
  if (auto left = last ? Result<>() : tie->leave(deadline); !left) {
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
    wanted_.reset();
    managers_.clear();
    report_.reset();
  }
  log_info("swarm_left");
  return dir_.wipe();
}

bool ClusterImpl::is_last_manager() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::none_of(
      managers_, [&](const model::Node& each) { return each.id != membership_->node(); });
}

// Runs on this node's manager; when that fails for want of a quorum, the error says so.
template <class Call>
auto ClusterImpl::managed(Call call) -> decltype(call(std::declval<Manager&>())) {
  TRY(const auto here, manager());
  auto done = call(*here);
  if (!done) done = std::unexpected(here->voters().explain(std::move(done).error()));
  return done;
}

Result<model::Node> ClusterImpl::set_role(model::Id node, model::NodeRole role, Deadline deadline) {
  return managed([&](Manager& here) -> Result<model::Node> {
    TRY(const model::Node known, here.registry().find(node));
    if (role == model::NodeRole::manager && known.status != model::NodeStatus::ready) {
      return fail(Errc::unavailable,
                  "node " + known.name + " is down; it can become a manager when its heddled runs");
    }
    if (role == model::NodeRole::worker) {
      TRY(const bool votes, here.voters().is_member(node, deadline));
      if (votes) TRY_DO(here.voters().check_spare(node, deadline));
    }
    TRY(const model::Node changed, here.registry().set_role(node, role, deadline));
    // This node's own etcd does not see its own end.
    if (role == model::NodeRole::worker && is_self(node)) return changed;
    TRY_DO(here.voters().wait_until(
        node, role == model::NodeRole::manager ? Voters::Becomes::voter : Voters::Becomes::none,
        deadline));
    return changed;
  });
}

Result<model::Node> ClusterImpl::update_node(model::Id node, NodeChange change, Deadline deadline) {
  return managed([&](Manager& here) {
    return here.registry().update_node(std::move(node), std::move(change), deadline);
  });
}

bool ClusterImpl::is_self(const model::Id& node) const {
  const std::lock_guard lock(mutex_);
  return membership_ && membership_->node() == node;
}

Result<> ClusterImpl::remove_node(model::Id node, Force force, Deadline deadline) {
  if (is_self(node)) {
    return fail(Errc::invalid, "this is the node itself: `heddle swarm leave` takes it out");
  }
  return managed([&](Manager& here) -> Result<> {
    TRY(const model::Node known, here.registry().find(node));
    if (force == Force::no && known.status == model::NodeStatus::ready) {
      return fail(Errc::in_use,
                  "node " + known.name + " is up: run `heddle swarm leave` on it, or use --force");
    }
    if (force == Force::no && known.role == model::NodeRole::manager) {
      return fail(Errc::in_use, "node " + known.name +
                                    " is a manager: demote it first with `heddle node demote " +
                                    known.name + "`, or use --force");
    }
    TRY(const bool votes, here.voters().is_member(node, deadline));
    if (votes) TRY_DO(here.voters().check_spare(node, deadline));
    TRY_DO(here.registry().remove_node(node, deadline));
    if (!votes) return {};
    return here.voters().wait_until(node, Voters::Becomes::none, deadline);
  });
}

Result<Credentials> ClusterImpl::credentials() const {
  Credentials credentials;
  TRY(credentials.root_pem, dir_.read(kRootFile));
  TRY(credentials.certificate_pem, dir_.read(kNodeCertificateFile));
  TRY(credentials.key_pem, dir_.read(kNodeKeyFile));
  return credentials;
}

std::vector<Cluster::ManagerState> ClusterImpl::managers(Deadline deadline) {
  std::vector<model::Node> known;
  {
    const std::lock_guard lock(mutex_);
    known = managers_;
  }
  const auto ours = credentials();
  if (known.empty() || !ours) return {};
  const auto answers =
      ask_managers(managers_among(known), *ours, std::min(deadline, after(kHealthTime)));
  std::vector<ManagerState> states;
  for (const model::Node& node : known) {
    const auto found = std::ranges::find(answers, node.id, &ManagerHealth::node);
    auto standing = ManagerState::Standing::unreachable;
    if (found != answers.end() && found->good()) {
      standing =
          found->leads() ? ManagerState::Standing::leader : ManagerState::Standing::reachable;
    }
    states.push_back({node.id, standing});
  }
  return states;
}

// The way back from a lost quorum: etcd's --force-new-cluster, which keeps the data and forgets the
// other members.
Result<model::Node> ClusterImpl::force_new_cluster(Deadline deadline) {
  const std::lock_guard changing(changing_);
  if (role() != Role::manager) {
    return fail(Errc::conflict,
                "only a manager has the swarm's store: --force-new-cluster is for the manager that "
                "is left of a swarm which lost its quorum");
  }
  std::shared_ptr<Manager> old;
  Membership membership;
  {
    std::unique_lock lock(mutex_);
    if (manager_ && manager_->voters().status().leader != 0) {
      return fail(Errc::conflict,
                  "the swarm has its quorum: nothing needs to be forced; take managers out with "
                  "`heddle node rm`");
    }
    forcing_ = true;
    changed_.notify_all();
    membership = *membership_;
  }
  const std::lock_guard tending(tending_);
  {
    const std::lock_guard lock(mutex_);
    forcing_ = false;
    old = take_manager();
  }
  old.reset();
  Manager::Settings lonely{settings_.state_dir, settings_.etcd_binary, settings_.etcd_cgroup,
                           membership};
  lonely.others = Manager::Settings::Others::lost;
  // Twice: etcd would forget members that come later at each start with that flag.
  TRY_DO(Manager::start(lonely, clock_, std::nullopt, deadline));
  log_warn("new_cluster_forced", {{"node", membership.node()}});
  TRY(membership, change_membership([](Membership& changed) {
        changed.clear_managers();
        changed.add_managers(own_target(changed));
      }));
  TRY_DO(start_manager(membership, deadline));
  TRY(const auto here, manager());
  return here->registry().find(membership.node());
}

Result<Cluster::Token> ClusterImpl::join_token(model::NodeRole role, Rotate rotate,
                                               std::optional<std::chrono::seconds> ttl,
                                               Deadline deadline) {
  if (ttl && rotate == Rotate::no) {
    return fail(Errc::invalid, "a token gets its end when it is made: give --rotate beside --ttl");
  }
  identity::JoinToken token;
  TRY(token.secret, managed([&](Manager& here) {
        token.root = here.authority().digest();
        return rotate == Rotate::yes ? here.registry().rotate_token(role, ttl, deadline)
                                     : here.registry().token_secret(role, deadline);
      }));
  const std::lock_guard lock(mutex_);
  if (!membership_) return std::unexpected(not_in_a_swarm());
  return Token{identity::format(token), own_target(*membership_)};
}

Result<model::Network> ClusterImpl::create_network(model::Network draft, std::vector<Prefix> avoid,
                                                   Deadline deadline) {
  return managed([&](Manager& here) {
    return here.registry().create_network(std::move(draft), std::move(avoid), deadline);
  });
}

Result<model::Network> ClusterImpl::update_network(model::Network before, model::Network after,
                                                   std::vector<Prefix> avoid, Deadline deadline) {
  return managed([&](Manager& here) {
    return here.registry().update_network(std::move(before), std::move(after), std::move(avoid),
                                          deadline);
  });
}

Result<> ClusterImpl::remove_network(model::Id network, Deadline deadline) {
  return managed(
      [&](Manager& here) { return here.registry().remove_network(std::move(network), deadline); });
}

Result<model::Service> ClusterImpl::create_service(model::Service wanted, Vip vip,
                                                   Deadline deadline) {
  return managed([&](Manager& here) {
    return here.registry().create_service(std::move(wanted), vip, deadline);
  });
}

Result<model::Service> ClusterImpl::update_service(model::Id service, ServiceChange change,
                                                   Deadline deadline) {
  return managed([&](Manager& here) {
    return here.registry().update_service(std::move(service), std::move(change), deadline);
  });
}

Result<> ClusterImpl::remove_service(model::Id service, Deadline deadline) {
  return managed(
      [&](Manager& here) { return here.registry().remove_service(std::move(service), deadline); });
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

Result<std::unique_ptr<Cluster>> Cluster::open(Settings settings, Events events) {
  auto cluster = std::make_unique<ClusterImpl>(std::move(settings), std::move(events));
  TRY_DO(cluster->resume());
  return cluster;
}

}  // namespace heddle::cluster
