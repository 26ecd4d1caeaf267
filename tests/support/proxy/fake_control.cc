#include "tests/support/proxy/fake_control.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "netd/api/proxy.grpc.pb.h"

namespace heddle::testing {

struct FakeControl::State final : pb::ProxyConfig::Service {
  using Stream = grpc::ServerReaderWriter<pb::ConfigMessage, pb::ProxyMessage>;

  mutable std::mutex mutex;
  std::condition_variable changed;
  pb::Snapshot snapshot;
  std::map<std::string, pb::TargetGroup> groups;
  std::map<SocketAddr, std::string> destinations;
  std::map<std::uint64_t, std::string> acks;
  std::set<Stream*> streams;
  std::size_t hellos = 0;
  std::size_t resolves = 0;
  std::unique_ptr<grpc::Server> server;

  void broadcast(const pb::ConfigMessage& message) {
    for (Stream* stream : streams) stream->Write(message);
  }

  void answer(Stream* stream, const pb::Resolve& resolve) {
    ++resolves;
    SocketAddr key;
    const std::string& bytes = resolve.destination().address();
    if (bytes.size() == 4) {
      std::uint32_t value = 0;
      for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
      key.address = IpAddr::v4(value);
    }
    key.port = static_cast<std::uint16_t>(resolve.destination().port());
    const auto found = destinations.find(key);
    pb::ConfigMessage message;
    *message.mutable_resolved()->mutable_destination() = resolve.destination();
    if (found != destinations.end()) message.mutable_resolved()->set_target_group(found->second);
    stream->Write(message);
    if (found == destinations.end() || !groups.contains(found->second)) return;
    pb::ConfigMessage group;
    *group.mutable_target_group()->mutable_put() = groups[found->second];
    stream->Write(group);
  }

  grpc::Status Subscribe(grpc::ServerContext*, Stream* stream) override {
    pb::ProxyMessage in;
    while (stream->Read(&in)) {
      const std::lock_guard lock(mutex);
      if (in.has_hello()) {
        ++hellos;
        pb::ConfigMessage message;
        *message.mutable_snapshot() = snapshot;
        stream->Write(message);
        streams.insert(stream);
      } else if (in.has_resolve()) {
        answer(stream, in.resolve());
      } else if (in.has_ack()) {
        acks[in.ack().revision()] = in.ack().error();
      }
      changed.notify_all();
    }
    const std::lock_guard lock(mutex);
    streams.erase(stream);
    return grpc::Status::OK;
  }
};

FakeControl::FakeControl(std::string socket_path)
    : state_(std::make_shared<State>()), socket_path_(std::move(socket_path)) {}

FakeControl::~FakeControl() {
  stop();
}

void FakeControl::start() {
  ::unlink(socket_path_.c_str());
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_path_, grpc::InsecureServerCredentials());
  builder.RegisterService(state_.get());
  state_->server = builder.BuildAndStart();
}

void FakeControl::stop() {
  if (!state_->server) return;
  state_->server->Shutdown(std::chrono::system_clock::now());
  state_->server->Wait();
  state_->server.reset();
}

void FakeControl::set_snapshot(pb::Snapshot snapshot) {
  const std::lock_guard lock(state_->mutex);
  pb::ConfigMessage message;
  *message.mutable_snapshot() = snapshot;
  state_->snapshot = std::move(snapshot);
  state_->broadcast(message);
}

void FakeControl::put_group(pb::TargetGroup group) {
  const std::lock_guard lock(state_->mutex);
  pb::ConfigMessage message;
  *message.mutable_target_group()->mutable_put() = group;
  state_->groups[group.name()] = std::move(group);
  state_->broadcast(message);
}

void FakeControl::remove_group(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  pb::ConfigMessage message;
  message.mutable_target_group()->set_remove(name);
  state_->groups.erase(name);
  state_->broadcast(message);
}

void FakeControl::set_destination(const SocketAddr& destination, const std::string& group) {
  const std::lock_guard lock(state_->mutex);
  state_->destinations[destination] = group;
}

void FakeControl::send(const pb::ConfigMessage& message) {
  const std::lock_guard lock(state_->mutex);
  state_->broadcast(message);
}

bool FakeControl::wait_for_ack(std::uint64_t revision, std::chrono::milliseconds budget) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, budget, [&] { return state_->acks.contains(revision); });
}

std::string FakeControl::ack_error(std::uint64_t revision) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->acks.find(revision);
  return found == state_->acks.end() ? "no ack" : found->second;
}

std::size_t FakeControl::hellos() const {
  const std::lock_guard lock(state_->mutex);
  return state_->hellos;
}

std::size_t FakeControl::resolves() const {
  const std::lock_guard lock(state_->mutex);
  return state_->resolves;
}

pb::SocketAddress address_of(const SocketAddr& address) {
  pb::SocketAddress out;
  const auto& bytes = address.address.bytes();
  out.set_address(reinterpret_cast<const char*>(bytes.data()), address.address.is_v4() ? 4 : 16);
  out.set_port(address.port);
  return out;
}

pb::Target target_of(const std::string& id, const SocketAddr& address, pb::TargetState state) {
  pb::Target out;
  out.set_id(id);
  *out.mutable_address() = address_of(address);
  out.set_state(state);
  return out;
}

pb::TargetGroup group_of(const std::string& name, pb::Protocol protocol,
                         const std::vector<SocketAddr>& targets) {
  pb::TargetGroup out;
  out.set_name(name);
  out.set_service(name);
  out.set_protocol(protocol);
  for (const SocketAddr& target : targets) {
    *out.add_targets() = target_of("ep-" + std::to_string(target.port), target);
  }
  return out;
}

pb::Listener http_listener(const std::string& name, const std::string& socket,
                           const std::string& group) {
  pb::Listener out;
  out.set_name(name);
  out.set_socket(socket);
  out.set_kind(pb::LISTENER_HTTP);
  out.mutable_default_action()->mutable_forward()->add_groups()->set_target_group(group);
  return out;
}

}  // namespace heddle::testing
