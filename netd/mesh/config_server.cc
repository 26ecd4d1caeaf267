#include "netd/mesh/config_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/observe/log.h"
#include "netd/api/proxy.grpc.pb.h"
#include "netd/mesh/feed.h"
#include "netd/mesh/translate.h"

namespace heddle::mesh {
namespace {

namespace pb = heddle::proxy::v1;

constexpr int kMaxMessageBytes = 64 << 10;  // of a proxy: questions and acknowledgements
constexpr int kBacklog = 128;
constexpr int kMaxStreamsPerConnection = 4;

class Subscription;

// What a subscription needs of its server.
class Registry {
 public:
  virtual ~Registry() = default;
  // Says hello for `id`; publishes to it what is known. An older stream of the same process is
  // ended; one that drains beside its successor goes on hearing of its targets.
  virtual grpc::Status attach(const std::shared_ptr<Subscription>& stream, const Peer& peer,
                              const model::Id& id) = 0;
  virtual void detach(const Subscription* stream, const model::Id& id) = 0;
  virtual void acknowledged(const Peer& peer, const model::Id& id,
                            const ConfigServer::Acknowledged& what) = 0;
};

// One Subscribe call. gRPC calls the On... functions from its threads, one read and one write under
// way at most; `mutex_` orders them with publish() and finish().
class Subscription final : public grpc::ServerBidiReactor<pb::ProxyMessage, pb::ConfigMessage>,
                           public std::enable_shared_from_this<Subscription> {
 public:
  Subscription(Registry& registry, Peer peer) : registry_(registry), peer_(peer) {}

  // Apart from construction: gRPC keeps a bare pointer until OnDone, we keep ourselves alive.
  void begin() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  void publish(std::shared_ptr<const Catalog> catalog, std::shared_ptr<const ProxyPlan> plan) {
    {
      const std::lock_guard lock(mutex_);
      feed_.update(std::move(catalog), std::move(plan));
    }
    pump();
  }

  const Peer& peer() const { return peer_; }

  // Ends the call, after the message under way when there is one.
  void finish(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (finishing_) return;
      finishing_ = true;
      final_ = std::move(status);
      if (writing_) return;
    }
    Finish(final_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return finish(grpc::Status::OK);
    auto message = from_message(incoming_);
    grpc::Status status = message ? receive(*message) : invalid(message.error());
    if (!status.ok()) return finish(std::move(status));
    pump();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    bool end = false;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      end = finishing_;
    }
    if (end) return Finish(final_);
    if (!ok) return finish(grpc::Status::CANCELLED);
    pump();
  }

  void OnDone() override {
    if (!id_.empty()) registry_.detach(this, id_);
    const auto last = std::move(self_);
  }

 private:
  static grpc::Status invalid(const Error& error) {
    return {error.code() == Errc::exhausted ? grpc::StatusCode::RESOURCE_EXHAUSTED
                                            : grpc::StatusCode::INVALID_ARGUMENT,
            error.text()};
  }

  grpc::Status receive(const ProxyMessage& message) {
    const auto* hello = std::get_if<Hello>(&message);
    if (id_.empty() != (hello != nullptr))
      return {grpc::StatusCode::INVALID_ARGUMENT, "hello comes first, and once"};
    if (hello != nullptr) {
      auto status = registry_.attach(shared_from_this(), peer_, hello->proxy_id);
      if (status.ok()) id_ = hello->proxy_id;
      return status;
    }
    if (const auto* ack = std::get_if<Ack>(&message)) {
      ConfigServer::Acknowledged what{*ack, std::nullopt};
      {
        const std::lock_guard lock(mutex_);
        if (ack->error.empty() && ack->revision == feed_.revision()) what.sockets = feed_.sockets();
      }
      registry_.acknowledged(peer_, id_, what);
      return grpc::Status::OK;
    }
    const std::lock_guard lock(mutex_);
    if (const auto* resolve = std::get_if<Resolve>(&message)) {
      if (auto taken = feed_.resolve(resolve->destination); !taken) return invalid(taken.error());
    } else if (const auto* release = std::get_if<Release>(&message)) {
      feed_.release(release->target_group);
    }
    return grpc::Status::OK;
  }

  void pump() {
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || finishing_) return;
      const auto next = feed_.next();
      if (!next) return;
      to_message(*next, outgoing_);
      writing_ = true;
    }
    StartWrite(&outgoing_);
  }

  Registry& registry_;
  const Peer peer_;
  std::shared_ptr<Subscription> self_;  // until OnDone
  pb::ProxyMessage incoming_;           // the reads', one at a time
  model::Id id_;                        // the reads'; "" until the hello
  std::mutex mutex_;                    // guards what follows; outgoing_ is the write's meanwhile
  Feed feed_;
  pb::ConfigMessage outgoing_;
  grpc::Status final_;
  bool writing_ = false;
  bool finishing_ = false;
};

class Server final : public ConfigServer, public pb::ProxyConfig::CallbackService, public Registry {
 public:
  explicit Server(Settings settings) : settings_(std::move(settings)) {}
  ~Server() override;

  Result<> open();
  void update(std::shared_ptr<const Catalog> catalog, Plans plans) override;

  grpc::ServerBidiReactor<pb::ProxyMessage, pb::ConfigMessage>* Subscribe(
      grpc::CallbackServerContext* context) override {
    auto stream = std::make_shared<Subscription>(*this, peer_named(context->peer()));
    stream->begin();
    return stream.get();
  }

  grpc::Status attach(const std::shared_ptr<Subscription>& stream, const Peer& peer,
                      const model::Id& id) override;
  void detach(const Subscription* stream, const model::Id& id) override;
  void acknowledged(const Peer& peer, const model::Id& id, const Acknowledged& what) override {
    settings_.on_ack(peer, id, what);
  }

 private:
  void accepted(UniqueFd client);
  Peer peer_named(const std::string& name);

  const Settings settings_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<UnixListener> listener_;

  std::mutex peers_mutex_;
  std::map<std::string, Peer> peers_;  // by gRPC's name of the connection: `fd:` and its number

  std::mutex mutex_;  // guards what follows; taken before a Subscription's
  std::shared_ptr<const Catalog> catalog_;
  Plans plans_;
  using Streams = std::vector<std::shared_ptr<Subscription>>;  // one for each process
  std::map<model::Id, Streams> streams_;
};

Result<> Server::open() {
  grpc::ServerBuilder builder;
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  grpc_ = builder.BuildAndStart();
  if (!grpc_) return fail(Errc::unavailable, "gRPC does not start the configuration service");
  UnixListener::Settings listener;
  listener.socket = {settings_.socket, SOCK_STREAM, kBacklog, settings_.uid};
  listener.flags = SOCK_NONBLOCK;
  listener.accepted = [this](UniqueFd client) { accepted(std::move(client)); };
  TRY(listener_, UnixListener::start(std::move(listener)));
  return {};
}

Server::~Server() {
  listener_.reset();
  if (!grpc_) return;
  // Streams never end by themselves: no grace.
  grpc_->Shutdown(std::chrono::system_clock::now());
  grpc_->Wait();
}

void Server::accepted(UniqueFd client) {
  const auto peer = peer_of(client.get());
  if (!peer || (peer->uid != 0 && peer->uid != settings_.uid)) return;
  {
    // Before gRPC has it: its first call may come at once. A number is in use once at a time.
    const std::lock_guard lock(peers_mutex_);
    peers_["fd:" + std::to_string(client.get())] = *peer;
  }
  grpc::AddInsecureChannelFromFd(grpc_.get(), client.release());
}

// Unknown ones get an identity that nothing is allowed to.
Peer Server::peer_named(const std::string& name) {
  const std::lock_guard lock(peers_mutex_);
  const auto it = peers_.find(name);
  return it == peers_.end() ? Peer{0, static_cast<uid_t>(-1)} : it->second;
}

void Server::update(std::shared_ptr<const Catalog> catalog, Plans plans) {
  const std::lock_guard lock(mutex_);
  catalog_ = std::move(catalog);
  plans_ = std::move(plans);
  for (const auto& [id, streams] : streams_) {
    const auto plan = plans_.find(id);
    if (plan == plans_.end()) continue;  // wanted no more: it keeps what it has while it drains
    for (const auto& stream : streams) stream->publish(catalog_, plan->second);
  }
}

grpc::Status Server::attach(const std::shared_ptr<Subscription>& stream, const Peer& peer,
                            const model::Id& id) {
  if (!settings_.allowed(peer, id)) {
    log_warn("proxy_refused", {{"id", id}, {"pid", peer.pid}, {"uid", peer.uid}});
    return {grpc::StatusCode::PERMISSION_DENIED, "this process is not proxy '" + id + "'"};
  }
  std::shared_ptr<Subscription> older;
  {
    const std::lock_guard lock(mutex_);
    Streams& streams = streams_[id];
    const auto same = std::ranges::find_if(
        streams, [&](const auto& known) { return known->peer().pid == peer.pid; });
    if (same == streams.end()) {
      streams.push_back(stream);
    } else {
      older = std::exchange(*same, stream);
    }
    if (const auto plan = plans_.find(id); plan != plans_.end())
      stream->publish(catalog_, plan->second);
  }
  if (older) older->finish({grpc::StatusCode::ABORTED, "this proxy subscribed again"});
  return grpc::Status::OK;
}

void Server::detach(const Subscription* stream, const model::Id& id) {
  const std::lock_guard lock(mutex_);
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  std::erase_if(it->second, [&](const auto& known) { return known.get() == stream; });
  if (it->second.empty()) streams_.erase(it);
}

}  // namespace

Result<std::unique_ptr<ConfigServer>> ConfigServer::start(Settings settings) {
  auto server = std::make_unique<Server>(std::move(settings));
  TRY_DO(server->open().during("serve proxies' configuration"));
  return std::unique_ptr<ConfigServer>(std::move(server));
}

}  // namespace heddle::mesh
