#include "netd/mesh/mesh.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "common/observe/log.h"
#include "netd/mesh/config_server.h"
#include "netd/mesh/plan.h"
#include "netd/mesh/socket_server.h"
#include "netd/mesh/sockets.h"
#include "netd/mesh/supervisor.h"
#include "netd/mesh/worker.h"

namespace heddle::mesh {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLastRetry{5'000};
constexpr milliseconds kLongestRetirement{15'000};
constexpr const char* kSocketsSuffix = ".sockets";  // proxy/control/socket_fetch.h asks there

// Which namespace a path leads to now. As long as a socket of it is open its number is not reused.
struct NamespaceKey {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const NamespaceKey&, const NamespaceKey&) = default;
};

NamespaceKey namespace_at(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) < 0) return {};
  return {info.st_dev, info.st_ino};
}

// May anybody walk to what is in this directory?
bool passable(const std::filesystem::path& directory) {
  struct stat info{};
  return ::stat(directory.c_str(), &info) == 0 && (info.st_mode & S_IXOTH) != 0;
}

bool reachable(const std::filesystem::path& directory) {
  for (auto path = directory;; path = path.parent_path()) {
    if (!passable(path)) return false;
    if (path == path.parent_path()) return true;
  }
}

// A sidecar serves one workload and stays small; a load balancer serves whoever comes.
unsigned threads_for(const ProxyPlan& plan) {
  constexpr unsigned kMost = 8;
  const bool balances = !plan.groups.empty();
  return balances ? std::clamp(std::thread::hardware_concurrency(), 1u, kMost) : 1u;
}

// The plan with the names that the proxy knows its sockets by.
std::shared_ptr<const ProxyPlan> told(const ProxyPlan& plan, const SocketSet& sockets) {
  auto made = std::make_shared<ProxyPlan>(plan);
  for (auto& listener : made->listeners) listener.socket = sockets.handed_name(listener.socket);
  return made;
}

class NodeMesh final : public Mesh {
 public:
  NodeMesh(Settings settings, std::function<void()> on_status_change)
      : settings_(std::move(settings)), on_status_change_(std::move(on_status_change)) {}
  ~NodeMesh() override;

  Result<> open(holder::Keeper& keeper, runtime::Processes& processes);
  void update(std::shared_ptr<const model::View> view) override;
  std::optional<ProxyStatus> status(const model::Id& workload) override;
  int listener(const std::string& sandbox, std::uint16_t port) override;
  std::string proxy_cgroup(const model::Id& workload) const override {
    return settings_.cgroup_base + "/proxy-" + workload;
  }
  void remove_everything() override;

 private:
  struct Entry {
    std::shared_ptr<const ProxyPlan> plan;
    // What the proxy is told: the newest plan whose sockets could be opened, with their handed
    // names.
    std::shared_ptr<const ProxyPlan> published;
    std::shared_ptr<const SocketSet> sockets;  // of `published`; null: none could be opened yet
    NamespaceKey sandbox;                      // of the sockets
    std::string problem;
    int failures = 0;  // to open the plan's sockets, in a row; a retry is due
  };

  std::string metrics_path(const model::Id& proxy) const {
    return dir() + "/" + proxy + ".metrics.sock";
  }
  std::string dir() const { return settings_.run_dir + "/proxies"; }
  std::string control_socket() const { return settings_.run_dir + "/proxy.sock"; }

  Result<> make_directories();
  Supervisor::Settings supervisor_settings() const;
  void refresh(Entry& entry, const ProxyPlan& plan);
  bool open_sockets(Entry& entry);
  void acknowledged(const Peer& peer, const model::Id& proxy,
                    const ConfigServer::Acknowledged& what);
  void drop_retired_later(const model::Id& proxy);
  Result<UniqueFd> socket_for(const Peer& peer, const SocketQuestion& question);
  void retry_later(const model::Id& proxy, int failures);
  void release(const model::Id& proxy);
  void gone(const model::Id& proxy);
  bool allowed(const Peer& peer, const model::Id& proxy);

  const Settings settings_;
  const std::function<void()> on_status_change_;

  std::mutex mutex_;  // guards what follows up to the threads
  std::unique_ptr<SocketStore> store_;
  std::map<model::Id, Entry> entries_;
  std::map<model::Id, std::shared_ptr<const SocketSet>> leaving_;  // while their proxies drain
  std::shared_ptr<const Catalog> catalog_;                         // published, as are these
  ConfigServer::Plans plans_;
  bool updated_ = false;

  // In the order of their making: each uses those before it.
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<ConfigServer> server_;
  std::unique_ptr<SocketServer> socket_server_;
};

Result<> NodeMesh::make_directories() {
  std::error_code ec;
  for (const auto& path : {settings_.run_dir, dir(), settings_.log_dir}) {
    std::filesystem::create_directories(path, ec);
    if (ec) return fail_errno(ec.value(), "make directory " + path);
  }
  if (settings_.uid != 0 && !passable(settings_.run_dir)) {
    return fail(Errc::invalid, "proxies run as uid " + std::to_string(settings_.uid) +
                                   " and cannot enter " + settings_.run_dir + "; run: chmod o+x " +
                                   settings_.run_dir);
  }
  return {};
}

Supervisor::Settings NodeMesh::supervisor_settings() const {
  return {
      .dir = dir(),
      .log_dir = settings_.log_dir,
      .binary = settings_.proxy_binary,
      .control_socket = control_socket(),
      .control_dir = settings_.uid == 0 || reachable(settings_.run_dir) ? "" : settings_.run_dir,
      .uid = settings_.uid,
      .cgroup = [this](const model::Id& id) { return proxy_cgroup(id); }};
}

Result<> NodeMesh::open(holder::Keeper& keeper, runtime::Processes& processes) {
  TRY_DO(make_directories());
  TRY(store_, SocketStore::open(keeper));
  worker_ = std::make_unique<Worker>();
  supervisor_ = std::make_unique<Supervisor>(
      supervisor_settings(), processes,
      Supervisor::Events{.on_change = on_status_change_,
                         .on_gone = [this](const model::Id& id) { gone(id); }});
  TRY(server_,
      ConfigServer::start({
          .socket = control_socket(),
          .uid = settings_.uid,
          .allowed = [this](const Peer& peer, const model::Id& id) { return allowed(peer, id); },
          .on_ack = [this](
                        const Peer& peer, const model::Id& id,
                        const ConfigServer::Acknowledged& what) { acknowledged(peer, id, what); },
      }));
  TRY(socket_server_,
      SocketServer::start({
          .path = control_socket() + kSocketsSuffix,
          .uid = settings_.uid,
          .find = [this](const Peer& peer,
                         const SocketQuestion& question) { return socket_for(peer, question); },
      }));
  return {};
}

NodeMesh::~NodeMesh() {
  // Threads end while all that they touch is there.
  socket_server_.reset();
  server_.reset();
  if (worker_) worker_->stop();
  supervisor_.reset();
}

void NodeMesh::update(std::shared_ptr<const model::View> view) {
  const std::lock_guard lock(mutex_);
  const auto plans =
      plan_proxies(*view, {.outbound = settings_.outbound_port, .inbound = settings_.inbound_port});
  std::vector<model::Id> unwanted;
  for (const auto& [id, entry] : entries_) {
    if (!plans.contains(id)) unwanted.push_back(id);
  }
  for (const auto& id : unwanted) release(id);
  ConfigServer::Plans published;
  std::vector<model::Id> wanted;
  for (const auto& [id, plan] : plans) {
    Entry& entry = entries_[id];
    refresh(entry, plan);
    if (entry.published) published[id] = entry.published;
    wanted.push_back(id);
  }
  if (!std::exchange(updated_, true)) {
    supervisor_->unwant_others(wanted);
    store_->keep_only(wanted);
  }
  catalog_ = plans.empty() ? nullptr : std::make_shared<const Catalog>(std::move(view));
  plans_ = std::move(published);
  server_->update(catalog_, plans_);
}

void NodeMesh::refresh(Entry& entry, const ProxyPlan& plan) {
  const bool first = !entry.plan;
  const bool other_sockets =
      first || entry.plan->sockets != plan.sockets || entry.plan->sandbox != plan.sandbox;
  const bool changed = first || *entry.plan != plan;
  if (changed) entry.plan = std::make_shared<const ProxyPlan>(plan);
  const NamespaceKey now = namespace_at(plan.sandbox);
  // A sandbox that has gone is its workload's affair; one that was replaced needs new listeners.
  const bool replaced = now != NamespaceKey{} && now != entry.sandbox;
  if (!other_sockets && entry.failures > 0) return;  // a retry is due already
  if (!other_sockets && !replaced) {
    if (changed) entry.published = told(plan, *entry.sockets);
    return;
  }
  entry.failures = 0;
  if (!open_sockets(entry)) retry_later(plan.id, entry.failures);
}

bool NodeMesh::open_sockets(Entry& entry) {
  const ProxyPlan& plan = *entry.plan;
  std::shared_ptr<const SocketSet> previous = entry.sockets;
  if (const auto it = leaving_.find(plan.id); it != leaving_.end()) {
    if (!previous) previous = it->second;
    leaving_.erase(it);
  }
  entry.sandbox = namespace_at(plan.sandbox);
  auto sockets = store_->ensure(plan, metrics_path(plan.id), previous.get());
  if (!sockets) {
    const Error error = sockets.error().during("open the listeners of " + plan.name + "'s proxy");
    log_warn("proxy_listeners_failed", {{"id", plan.id}, {"error", error}});
    // A proxy that was left by an earlier daemon, but whose sockets were lost, holds the addresses.
    if (error.code() == Errc::exists) supervisor_->replace(plan.id);
    entry.problem = error.text();
    ++entry.failures;
    return false;  // what listens goes on, as it was told last
  }
  entry.sockets = *std::move(sockets);
  entry.published = told(plan, *entry.sockets);
  entry.problem.clear();
  entry.failures = 0;
  supervisor_->want({plan.id, plan.name, plan.sandbox, threads_for(plan), entry.sockets});
  drop_retired_later(plan.id);
  return true;
}

// A listener that is wanted no more ends when the proxy has said that it does not use it: it serves
// what waited there first. One that does not say so in time has trouble enough of its own.
void NodeMesh::acknowledged(const Peer& peer, const model::Id& proxy,
                            const ConfigServer::Acknowledged& what) {
  supervisor_->acknowledged(proxy, peer.pid, what.ack.revision, what.ack.error);
  if (!what.sockets || !supervisor_->is_process(proxy, peer.pid)) return;
  worker_->post([this, proxy, in_use = *what.sockets] {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(proxy);
    if (it == entries_.end() || it->second.failures > 0) return;
    store_->drop_retired(proxy, store_->retired(proxy, in_use));
  });
}

void NodeMesh::drop_retired_later(const model::Id& proxy) {
  auto names = store_->retired(proxy, {});
  if (names.empty()) return;
  worker_->at(Worker::Time::clock::now() + kLongestRetirement,
              [this, proxy, names = std::move(names)] {
                const std::lock_guard lock(mutex_);
                const auto it = entries_.find(proxy);
                if (it == entries_.end() || it->second.failures > 0) return;
                store_->drop_retired(proxy, names);
              });
}

Result<UniqueFd> NodeMesh::socket_for(const Peer& peer, const SocketQuestion& question) {
  if (!allowed(peer, question.proxy))
    return fail(Errc::denied, "this process is not proxy '" + question.proxy + "'");
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(question.proxy);
  const int fd = it == entries_.end() || !it->second.sockets
                     ? -1
                     : it->second.sockets->find_handed(question.name);
  if (fd < 0) return fail(Errc::not_found, "proxy '" + question.proxy + "' has no such socket");
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno(errno, "duplicate socket " + question.name);
  return copy;
}

void NodeMesh::retry_later(const model::Id& proxy, int failures) {
  const int doublings = std::clamp(failures - 1, 0, 10);
  const auto delay = std::min(kLastRetry, kFirstRetry * (1 << doublings));
  worker_->at(Worker::Time::clock::now() + delay, [this, proxy, failures] {
    {
      const std::lock_guard lock(mutex_);
      const auto it = entries_.find(proxy);
      if (it == entries_.end() || it->second.failures != failures) return;
      if (open_sockets(it->second)) {
        plans_[proxy] = it->second.published;
        server_->update(catalog_, plans_);
      } else {
        retry_later(proxy, it->second.failures);
      }
    }
    on_status_change_();
  });
}

// Its sockets stay until the proxy has drained: they may be wanted again meanwhile, and nobody who
// is still steered to them is refused.
void NodeMesh::release(const model::Id& proxy) {
  const auto it = entries_.find(proxy);
  leaving_[proxy] = std::move(it->second.sockets);
  entries_.erase(it);
  supervisor_->unwant(proxy);
}

void NodeMesh::gone(const model::Id& proxy) {
  const std::lock_guard lock(mutex_);
  if (entries_.contains(proxy)) return;
  const auto sockets = leaving_.find(proxy);
  store_->drop(proxy, sockets == leaving_.end() ? nullptr : sockets->second.get());
  if (sockets != leaving_.end()) leaving_.erase(sockets);
  ::unlink(metrics_path(proxy).c_str());
}

std::optional<ProxyStatus> NodeMesh::status(const model::Id& workload) {
  std::string problem;
  {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(workload);
    if (it == entries_.end()) return std::nullopt;
    problem = it->second.problem;
  }
  ProxyStatus status = supervisor_->status(workload).value_or(ProxyStatus{});
  status.metrics = metrics_path(workload);
  if (!problem.empty()) {
    status.state = ProxyState::failed;
    status.problem = problem;
  }
  return status;
}

int NodeMesh::listener(const std::string& sandbox, std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (!entry.sockets || entry.plan->sandbox != sandbox) continue;
    for (const auto& socket : entry.plan->sockets) {
      if (socket.where == SocketPlan::Where::sandbox && socket.address.port == port)
        return entry.sockets->find(socket.name);
    }
  }
  return -1;
}

bool NodeMesh::allowed(const Peer& peer, const model::Id& proxy) {
  if (supervisor_->is_process(proxy, peer.pid)) return true;
  return peer.uid == 0 && supervisor_->status(proxy).has_value();
}

void NodeMesh::remove_everything() {
  {
    const std::lock_guard lock(mutex_);
    catalog_ = nullptr;
    plans_.clear();
    server_->update(nullptr, {});
    for (auto& [id, entry] : entries_) leaving_[id] = std::move(entry.sockets);
    entries_.clear();
    for (const auto& [id, sockets] : leaving_) store_->drop(id, sockets.get());
    leaving_.clear();
  }
  supervisor_->end_all();
  const std::lock_guard lock(mutex_);
  store_->keep_only({});
  std::error_code ec;
  std::filesystem::remove_all(dir(), ec);
  std::filesystem::create_directories(dir(), ec);
}

}  // namespace

Result<std::unique_ptr<Mesh>> Mesh::start(Settings settings, holder::Keeper& keeper,
                                          runtime::Processes& processes,
                                          std::function<void()> on_status_change) {
  auto mesh = std::make_unique<NodeMesh>(std::move(settings), std::move(on_status_change));
  TRY_DO(mesh->open(keeper, processes).during("start the mesh"));
  return std::unique_ptr<Mesh>(std::move(mesh));
}

}  // namespace heddle::mesh
