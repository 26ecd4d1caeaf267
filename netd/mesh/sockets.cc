#include "netd/mesh/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/observe/log.h"
#include "dataplane/netns/netns.h"
#include "netd/mesh/unix_listener.h"

#ifndef SO_NETNS_COOKIE  // since Linux 5.14
#define SO_NETNS_COOKIE 71
#endif

namespace heddle::mesh {
namespace {

constexpr std::string_view kPrefix = "proxy/";
constexpr int kMetricsBacklog = 16;

std::optional<SocketAddr> bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) < 0) return std::nullopt;
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    return SocketAddr{IpAddr::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
  return SocketAddr{IpAddr::v6(bytes), ntohs(in6.sin6_port)};
}

bool listens(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening == 1;
}

std::uint64_t inode(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

// The number tells a listener from a later one at the same address.
std::string handed_as(const std::string& name, int fd) {
  return name + ":" + std::to_string(inode(fd));
}

// A kept socket of a namespace that has been replaced since is of no use.
bool still_fits(int fd, const SocketAddr& address, int netns) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (!listens(fd) || ::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
    return false;
  const auto wanted = netns::cookie(netns);
  return wanted && *wanted == cookie && bound_address(fd) == address;
}

// The listener is at `path` when a connect there ends in this very socket's queue; the file may
// have been removed or replaced.
bool is_at(int fd, const std::string& path) {
  sockaddr_un bound{};
  socklen_t size = sizeof bound;
  struct stat info{};
  return listens(fd) && ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0 &&
         bound.sun_family == AF_UNIX && path == bound.sun_path &&
         ::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

Error in_plain_words(Error error, const ProxyPlan& plan, const SocketPlan& socket) {
  const std::string where =
      socket.where == SocketPlan::Where::host ? "on this host" : "in " + plan.name + "'s sandbox";
  if (error.code() == Errc::exists) {
    return Error(Errc::exists, socket.address.format() + " is used by another program " + where +
                                   "; stop it, or choose another address");
  }
  if (error.sys_errno() == EADDRNOTAVAIL)
    return Error(Errc::not_found,
                 where + " there is no address " + socket.address.address.format());
  return error;
}

}  // namespace

SocketSet::SocketSet(std::vector<Socket> sockets, int sandbox) : sockets_(std::move(sockets)) {
  place_ = "net:" + std::to_string(inode(sandbox));
  for (auto& socket : sockets_) {
    const bool metrics = socket.name == kMetricsSocket;
    socket.handed = metrics ? socket.name : handed_as(socket.name, socket.fd.get());
    if (metrics) place_ += "," + handed_as(socket.name, socket.fd.get());
  }
}

std::string keeper_name(const model::Id& proxy, const std::string& socket) {
  return std::string(kPrefix) + proxy + "/" + socket;
}

int SocketSet::find(const std::string& name) const {
  for (const auto& socket : sockets_) {
    if (socket.name == name) return socket.fd.get();
  }
  return -1;
}

std::string SocketSet::handed_name(const std::string& name) const {
  for (const auto& socket : sockets_) {
    if (socket.name == name) return socket.handed;
  }
  return "";
}

int SocketSet::find_handed(const std::string& handed) const {
  for (const auto& socket : sockets_) {
    if (socket.handed == handed) return socket.fd.get();
  }
  return -1;
}

Result<std::unique_ptr<SocketStore>> SocketStore::open(holder::Keeper& keeper) {
  std::unique_ptr<SocketStore> store(new SocketStore(keeper));
  TRY(auto all, keeper.take_all());
  for (auto& [name, fd] : all) {
    if (!name.starts_with(kPrefix)) continue;
    const std::string rest = name.substr(kPrefix.size());
    store->names_[rest.substr(0, rest.find('/'))].push_back(name);
    store->kept_.emplace(name, std::move(fd));
  }
  return store;
}

void SocketStore::keep_only(const std::vector<model::Id>& ids) {
  std::vector<model::Id> unwanted;
  for (const auto& [id, names] : names_) {
    if (std::ranges::find(ids, id) == ids.end()) unwanted.push_back(id);
  }
  for (const auto& id : unwanted) drop(id, nullptr);
}

Result<std::shared_ptr<const SocketSet>> SocketStore::ensure(const ProxyPlan& plan,
                                                             const std::string& metrics,
                                                             const SocketSet* previous) {
  if (previous != nullptr) {
    for (const auto& socket : previous->all()) {
      UniqueFd copy(::fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 3));
      if (!copy) return fail_errno(errno, "duplicate a listener of " + plan.name);
      kept_[keeper_name(plan.id, socket.name)] = std::move(copy);
    }
  }
  TRY(const UniqueFd sandbox, netns::open(plan.sandbox));
  std::vector<SocketSet::Socket> sockets;
  if (auto opened = open_all(plan, metrics, sandbox.get(), sockets); !opened) {
    give_back(plan.id, std::move(sockets));
    return std::unexpected(std::move(opened).error());
  }
  return std::make_shared<const SocketSet>(std::move(sockets), sandbox.get());
}

Result<> SocketStore::open_all(const ProxyPlan& plan, const std::string& metrics, int sandbox,
                               std::vector<SocketSet::Socket>& sockets) {
  TRY(const UniqueFd host, netns::open("/proc/self/ns/net"));
  for (const auto& socket : plan.sockets) {
    const bool here = socket.where == SocketPlan::Where::host;
    auto fd = take_or_open(plan, socket, here ? host.get() : sandbox);
    if (!fd) return std::unexpected(in_plain_words(std::move(fd).error(), plan, socket));
    sockets.push_back({socket.name, *std::move(fd), ""});
  }
  TRY(UniqueFd fd, take_or_open_metrics(plan.id, metrics));
  sockets.push_back({kMetricsSocket, std::move(fd), ""});
  return {};
}

// The Keeper has them already: a second bind would meet the first.
void SocketStore::give_back(const model::Id& proxy, std::vector<SocketSet::Socket> sockets) {
  for (auto& socket : sockets) kept_[keeper_name(proxy, socket.name)] = std::move(socket.fd);
}

std::vector<std::string> SocketStore::retired(const model::Id& proxy,
                                              const std::set<std::string>& in_use) const {
  std::vector<std::string> found;
  const auto names = names_.find(proxy);
  if (names == names_.end()) return found;
  for (const std::string& name : names->second) {
    const auto it = kept_.find(name);
    if (it == kept_.end()) continue;
    const std::string own = name.substr(keeper_name(proxy, "").size());
    if (!in_use.contains(handed_as(own, it->second.get()))) found.push_back(name);
  }
  return found;
}

void SocketStore::drop_retired(const model::Id& proxy, const std::vector<std::string>& which) {
  for (const std::string& name : which) {
    const UniqueFd fd = take(name);
    if (!fd) continue;  // in use again, or dropped already
    ::shutdown(fd.get(), SHUT_RDWR);
    if (auto dropped = keeper_.drop(name); !dropped)
      log_warn("listener_not_dropped", {{"name", name}, {"error", dropped.error()}});
    std::erase(names_[proxy], name);
  }
}

Result<UniqueFd> SocketStore::take_or_open(const ProxyPlan& plan, const SocketPlan& socket,
                                           int netns) {
  const std::string name = keeper_name(plan.id, socket.name);
  if (UniqueFd fd = take(name); fd && still_fits(fd.get(), socket.address, netns)) return fd;
  auto fd = netns::listen_tcp(netns, socket.address);
  if (!fd && fd.error().code() == Errc::exists && end_retired(plan, socket.address.port))
    fd = netns::listen_tcp(netns, socket.address);
  if (!fd) return fd;
  TRY_DO(keep(plan.id, name, fd->get()));
  return fd;
}

// Gives way at once: a retired listener of another address may hold this port.
bool SocketStore::end_retired(const ProxyPlan& plan, std::uint16_t port) {
  bool ended = false;
  for (const std::string& name : retired(plan.id, {})) {
    const bool wanted = std::ranges::any_of(plan.sockets, [&](const SocketPlan& socket) {
      return keeper_name(plan.id, socket.name) == name;
    });
    const auto address = bound_address(kept_.at(name).get());
    if (wanted || !address || address->port != port) continue;
    drop_retired(plan.id, {name});
    ended = true;
  }
  return ended;
}

Result<UniqueFd> SocketStore::take_or_open_metrics(const model::Id& proxy,
                                                   const std::string& path) {
  const std::string name = keeper_name(proxy, kMetricsSocket);
  if (UniqueFd fd = take(name); fd && is_at(fd.get(), path)) return fd;
  TRY(UniqueFd fd,
      listen_unix(
          {.path = path, .type = SOCK_STREAM, .backlog = kMetricsBacklog, .uid = ::geteuid()}));
  TRY_DO(keep(proxy, name, fd.get()));
  return fd;
}

UniqueFd SocketStore::take(const std::string& name) {
  const auto it = kept_.find(name);
  if (it == kept_.end()) return {};
  UniqueFd fd = std::move(it->second);
  kept_.erase(it);
  return fd;
}

// Without a Keeper the proxy works all the same, until the daemon and it end at once.
Result<> SocketStore::keep(const model::Id& proxy, const std::string& name, int fd) {
  auto& names = names_[proxy];
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  auto kept = keeper_.put(name, fd);
  if (kept) return {};
  if (kept.error().code() == Errc::exhausted) return kept;
  log_warn("listener_not_kept", {{"name", name}, {"error", kept.error()}});
  return {};
}

void SocketStore::drop(const model::Id& proxy, const SocketSet* sockets) {
  if (sockets != nullptr) {
    for (const auto& socket : sockets->all()) ::shutdown(socket.fd.get(), SHUT_RDWR);
  }
  const auto it = names_.find(proxy);
  if (it == names_.end()) return;
  for (const auto& name : it->second) {
    if (const UniqueFd fd = take(name)) ::shutdown(fd.get(), SHUT_RDWR);
    if (auto dropped = keeper_.drop(name); !dropped)
      log_warn("listener_not_dropped", {{"name", name}, {"error", dropped.error()}});
  }
  names_.erase(it);
}

}  // namespace heddle::mesh
