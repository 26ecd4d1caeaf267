#include "netd/cluster/node_server.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/api/model.pb.h"
#include "netd/api/status.h"
#include "netd/cluster/join_limit.h"
#include "netd/cluster/session_host.h"
#include "netd/cluster/wire.h"
#include "netd/identity/join_token.h"

namespace heddle::cluster {
namespace {

using namespace node::v1;
using grpc::ServerContext;
using grpc::Status;

constexpr std::size_t kMaxRequest = 16 << 10;  // bytes of a certificate request
constexpr std::size_t kMaxMemory = 512 << 20;  // that callers may make libgrpc buffer
constexpr std::chrono::seconds kCallTime{10};
constexpr std::chrono::seconds kMarkTime{2};
// How long a node may be without a session before it counts as down: a restart of its heddled takes
// less, and the packets go on flowing meanwhile.
constexpr std::chrono::seconds kGrace{2};
// A manager whose store has no leader for so long does not know what goes on: another may.
constexpr std::chrono::milliseconds kLeaderless{1500};
constexpr std::chrono::seconds kReturn{5};  // what nodes get beside it to find a restarted manager

Deadline deadline_of(const ServerContext& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  const auto most = std::chrono::duration_cast<std::chrono::system_clock::duration>(kCallTime);
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::min(left, most));
}

class Server final : public NodeServer, public NodeApi::Service {
 public:
  Server(Settings settings, Registry& registry, Replica& replica, Voters& voters,
         const identity::Authority& authority, const Clock& clock)
      : settings_(std::move(settings)),
        registry_(registry),
        replica_(replica),
        voters_(voters),
        authority_(authority),
        clock_(clock),
        limit_(clock) {}
  ~Server() override;

  Result<> listen();

  Status Join(ServerContext* context, const JoinRequest* request, JoinReply* reply) override;
  Status Renew(ServerContext* context, const RenewRequest* request, RenewReply* reply) override;
  Status Session(ServerContext* context, SessionStream* stream) override;
  Status ClaimBlock(ServerContext* context, const ClaimBlockRequest* request,
                    model::v1::AddressBlock* reply) override;
  Status ReleaseBlock(ServerContext* context, const model::v1::AddressBlock* request,
                      ReleaseBlockReply* reply) override;
  Status Leave(ServerContext* context, const LeaveRequest* request, LeaveReply* reply) override;
  Status Promote(ServerContext* context, const PromoteRequest* request,
                 PromoteReply* reply) override;
  Status Health(ServerContext* context, const HealthRequest* request, HealthReply* reply) override;

 private:
  struct Ended {
    std::chrono::steady_clock::time_point at;
    model::Id node;
    std::string session;
  };

  Result<> join(const JoinRequest& request, Deadline deadline, JoinReply& reply);
  Result<> renew(const model::Id& node, const RenewRequest& request, Deadline deadline,
                 RenewReply& reply);
  Result<> leave(const model::Id& node, Deadline deadline);
  Result<> promote(const model::Id& node, Deadline deadline, PromoteReply& reply);
  // A node as the store has it now, not as the copy did a moment ago.
  Result<model::Node> find_node_now(const model::Id& node, Deadline deadline);
  Status refuse(Error error) const { return api::to_status(voters_.explain(std::move(error))); }
  // A node of the swarm, as of now.
  Result<model::Id> member(const ServerContext& context) const;
  void keep_house();
  void end_sessions(std::vector<Ended> ended);
  void end_former_sessions();

  const Settings settings_;
  Registry& registry_;
  Replica& replica_;
  Voters& voters_;
  const identity::Authority& authority_;
  const Clock& clock_;
  JoinLimit limit_;

  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::set<SessionHost*> sessions_;
  std::vector<Ended> ended_;
  std::unique_ptr<grpc::Server> server_;
  std::thread housekeeping_;
};

Server::~Server() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_.notify_all();
  }
  if (server_) {
    // Sessions never end by themselves: no grace.
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  if (housekeeping_.joinable()) housekeeping_.join();
}

Result<> Server::listen() {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = settings_.root_pem;
  options.pem_key_cert_pairs.push_back({settings_.key_pem, settings_.chain_pem});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(settings_.listen.format(), grpc::SslServerCredentials(options), &port);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(kMaxMessageUp);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 64);  // of one connection
  grpc::ResourceQuota quota("node-api");
  quota.Resize(kMaxMemory);
  builder.SetResourceQuota(quota);
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0) {
    return fail(Errc::in_use, "cannot listen on " + settings_.listen.format() +
                                  " for other nodes: the port is taken or the address is not this "
                                  "host's");
  }
  end_former_sessions();
  housekeeping_ = std::thread([this] { keep_house(); });
  return {};
}

// Nodes whose session this manager held before it was restarted, and that do not come back.
void Server::end_former_sessions() {
  const auto comes_back = std::chrono::steady_clock::now() + kReturn;
  const std::lock_guard lock(mutex_);
  replica_.read([&](const Objects& objects) {
    for (const auto& [id, node] : objects.nodes) {
      const auto label = node.labels.find(kSessionLabel);
      if (label == node.labels.end() || !label->second.starts_with(settings_.manager)) continue;
      ended_.push_back({comes_back, id, label->second});
    }
  });
}

Result<model::Id> Server::member(const ServerContext& context) const {
  TRY(model::Id node, caller_of(context, settings_.swarm));
  bool known = false;
  replica_.read([&](const Objects& objects) { known = objects.nodes.contains(node); });
  if (known) return node;
  return fail(Errc::denied, "node " + node +
                                " is not in the swarm, or was removed from it; "
                                "leave and join again");
}

Status Server::Join(ServerContext* context, const JoinRequest* request, JoinReply* reply) {
  if (!limit_.admit()) {
    return api::to_status({Errc::exhausted, "too many nodes try to join now; try again shortly"});
  }
  auto joined = join(*request, deadline_of(*context), *reply);
  if (joined) return Status::OK;
  log_warn("join_refused", {{"peer", context->peer()}, {"error", joined.error()}});
  return refuse(joined.error());
}

Result<> Server::join(const JoinRequest& request, Deadline deadline, JoinReply& reply) {
  TRY(const model::NodeRole role, registry_.check_secret(request.secret(), deadline));
  if (request.certificate_request().size() > kMaxRequest) {
    return fail(Errc::invalid, "certificate request: too large");
  }
  Registry::Admission admission;
  TRY(const identity::Digest key, identity::key_digest(request.certificate_request()));
  admission.key_digest = identity::format(key);
  model::Node& node = admission.node;
  node.id = admission.key_digest.substr(0, 16);
  node.role = role;
  node.name = request.name();
  TRY_DO(check_node_name(node.name));
  TRY(node.address, IpAddr::parse(request.address()).during("address"));
  TRY(node.data_address, IpAddr::parse(request.data_address()).during("data address"));
  if (request.api_port() == 0 || request.api_port() > 65535) {
    return fail(Errc::invalid, "API port: not 1 to 65535");
  }
  node.api_port = static_cast<std::uint16_t>(request.api_port());
  // Issued first: a bad request must not leave a node behind. It is a worker's until the node is
  // ready to be a manager, see Promote.
  TRY(const std::string certificate,
      authority_.issue(request.certificate_request(),
                       identity::node_profile(settings_.swarm, node.id, identity::NodeKind::worker),
                       clock_));
  TRY(node, registry_.admit(admission, deadline));
  api::to_proto(node, *reply.mutable_node());
  replica_.read([&](const Objects& objects) {
    if (objects.swarm) api::to_proto(objects.swarm->value, *reply.mutable_swarm());
    for (const auto& [id, each] : objects.nodes) {
      if (each.value.role != model::NodeRole::manager) continue;
      reply.add_managers(SocketAddr{each.value.address, each.value.api_port}.format());
    }
  });
  reply.set_certificate(certificate);
  log_info("node_joined", {{"node", node.id}, {"name", node.name}});
  return {};
}

Result<model::Node> Server::find_node_now(const model::Id& node, Deadline deadline) {
  TRY_DO(replica_.catch_up(deadline));
  Result<model::Node> found = fail(Errc::denied, "this node was removed from the swarm");
  replica_.read([&](const Objects& objects) {
    const auto known = objects.nodes.find(node);
    if (known != objects.nodes.end()) found = known->second.value;
  });
  return found;
}

Status Server::Renew(ServerContext* context, const RenewRequest* request, RenewReply* reply) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  const auto renewed = renew(*node, *request, deadline_of(*context), *reply);
  return renewed ? Status::OK : refuse(renewed.error());
}

// A manager's certificate goes to managers, and a worker's to those that are no manager any more in
// any sense: one that still votes would stop its etcd too soon.
Result<> Server::renew(const model::Id& node, const RenewRequest& request, Deadline deadline,
                       RenewReply& reply) {
  TRY(const model::Node known, find_node_now(node, deadline));
  auto kind = identity::NodeKind::manager;
  if (known.role == model::NodeRole::worker) {
    TRY(const bool votes, voters_.is_member(node, deadline));
    if (votes) return fail(Errc::unavailable, "this node is still one of etcd's members");
    kind = identity::NodeKind::worker;
  }
  if (request.certificate_request().size() > kMaxRequest) {
    return fail(Errc::invalid, "certificate request: too large");
  }
  TRY(*reply.mutable_certificate(),
      authority_.issue(request.certificate_request(),
                       identity::node_profile(settings_.swarm, node, kind), clock_));
  return {};
}

Status Server::Promote(ServerContext* context, const PromoteRequest*, PromoteReply* reply) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  const auto promoted = promote(*node, deadline_of(*context), *reply);
  if (promoted) return Status::OK;
  log_debug("promotion_refused", {{"node", *node}, {"error", promoted.error()}});
  return refuse(promoted.error());
}

Result<> Server::promote(const model::Id& node, Deadline deadline, PromoteReply& reply) {
  TRY(const model::Node known, find_node_now(node, deadline));
  if (known.role != model::NodeRole::manager) {
    return fail(Errc::denied, "node " + known.name + " is not to be a manager");
  }
  TRY(*reply.mutable_initial_cluster(), voters_.admit(known, deadline));
  reply.set_root_key(authority_.key_pem());
  reply.set_etcd_root(settings_.etcd_root_pem);
  reply.set_etcd_root_key(settings_.etcd_root_key_pem);
  log_info("manager_admitted", {{"node", node}, {"name", known.name}});
  return {};
}

Status Server::Health(ServerContext* context, const HealthRequest*, HealthReply* reply) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  const auto status = voters_.status();
  reply->set_member(status.self);
  reply->set_leader(status.leader);
  reply->set_voter(!status.learner);
  return Status::OK;
}

Status Server::Session(ServerContext* context, SessionStream* stream) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  if (voters_.lost_for() > kLeaderless) {
    return {grpc::StatusCode::UNAVAILABLE, "this manager's store has no leader"};
  }
  SessionHost host(registry_, replica_, *context, *stream, *node, settings_.manager);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return {grpc::StatusCode::UNAVAILABLE, "this manager is stopping"};
    sessions_.insert(&host);
  }
  Status status = host.run();
  const std::lock_guard lock(mutex_);
  sessions_.erase(&host);
  if (host.began()) ended_.push_back({std::chrono::steady_clock::now(), *node, host.session()});
  return status;
}

Status Server::ClaimBlock(ServerContext* context, const ClaimBlockRequest* request,
                          model::v1::AddressBlock* reply) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  const auto block = registry_.claim_block(request->network(), *node, deadline_of(*context));
  if (!block) return refuse(block.error());
  api::to_proto(*block, *reply);
  return Status::OK;
}

Status Server::ReleaseBlock(ServerContext* context, const model::v1::AddressBlock* request,
                            ReleaseBlockReply*) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  auto block = api::from_proto(*request);
  if (!block) return api::to_status(block.error());
  if (block->node != *node) {
    return api::to_status({Errc::denied, "block " + block->prefix.format() + " is another node's"});
  }
  const auto released = registry_.release_block(*block, deadline_of(*context));
  return released ? Status::OK : refuse(released.error());
}

Status Server::Leave(ServerContext* context, const LeaveRequest*, LeaveReply*) {
  const auto node = member(*context);
  if (!node) return api::to_status(node.error());
  const auto left = leave(*node, deadline_of(*context));
  if (!left) return refuse(left.error());
  log_info("node_left", {{"node", *node}});
  return Status::OK;
}

// A manager's etcd is no member any more when the answer comes: only then may it stop.
Result<> Server::leave(const model::Id& node, Deadline deadline) {
  TRY(const bool votes, voters_.is_member(node, deadline));
  if (!votes) return registry_.remove_node(node, deadline);
  TRY_DO(voters_.check_spare(node, deadline));
  TRY_DO(registry_.remove_node(node, deadline));
  return voters_.wait_until(node, Voters::Becomes::none, deadline);
}

// Ends silent sessions, and marks nodes down whose session ended a while ago.
void Server::keep_house() {
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, std::chrono::milliseconds(250), [&] { return stopping_; })) {
    const bool leaderless = voters_.lost_for() > kLeaderless;
    for (SessionHost* session : sessions_) {
      session->check_silence();
      if (leaderless) session->end();
    }
    const auto due = std::chrono::steady_clock::now() - kGrace;
    std::vector<Ended> now;
    std::erase_if(ended_, [&](const Ended& each) {
      if (each.at > due) return false;
      now.push_back(each);
      return true;
    });
    if (now.empty()) continue;
    lock.unlock();
    end_sessions(std::move(now));
    lock.lock();
  }
}

void Server::end_sessions(std::vector<Ended> ended) {
  for (std::size_t i = 0; i < ended.size(); ++i) {
    auto marked = registry_.end_session(ended[i].node, ended[i].session, after(kMarkTime));
    if (marked) continue;
    // The others would fail alike: all of them later.
    log_warn("node_down_not_stored", {{"node", ended[i].node}, {"error", marked.error()}});
    const std::lock_guard lock(mutex_);
    for (; i < ended.size(); ++i) {
      ended[i].at = std::chrono::steady_clock::now();
      ended_.push_back(std::move(ended[i]));
    }
  }
}

}  // namespace

Result<std::unique_ptr<NodeServer>> NodeServer::start(Settings settings, Registry& registry,
                                                      Replica& replica, Voters& voters,
                                                      const identity::Authority& authority,
                                                      const Clock& clock) {
  auto server =
      std::make_unique<Server>(std::move(settings), registry, replica, voters, authority, clock);
  TRY_DO(server->listen());
  return server;
}

}  // namespace heddle::cluster
