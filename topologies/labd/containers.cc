#include "topologies/labd/containers.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <set>

#include "dataplane/netns/netns.h"
#include "topologies/engine/container/removal.h"

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kStop = 0;  // no container's serial
constexpr auto kNoted = 5s;         // a process's end, by its engine
constexpr auto kLook = 20ms;
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// CapBnd of proc(5); nothing when it has what this program has.
std::optional<std::uint64_t> capabilities_of(const std::string& pid) {
  const auto bounding = [](const std::string& process) {
    std::ifstream status("/proc/" + process + "/status");
    std::string word;
    std::uint64_t bits = 0;
    while (status >> word) {
      if (word == "CapBnd:") status >> std::hex >> bits;
    }
    return bits;
  };
  const std::uint64_t its = bounding(pid);
  return its == bounding("self") ? std::nullopt : std::optional(its);
}

// Engines take IPv6 from a namespace without a network of theirs.
Result<> allow_ipv6(int netns_fd, const plan::Member& member) {
  for (const auto& [key, value] : member.sysctls) {
    if (key.starts_with("net.ipv6.") && key.ends_with(".disable_ipv6")) return {};
  }
  return netns::run_in(netns_fd, [&]() -> Result<> {
    for (const char* which : {"all", "default", "lo"}) {
      const std::string path = "/proc/sys/net/ipv6/conf/" + std::string(which) + "/disable_ipv6";
      UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (!fd && errno == ENOENT) return {};  // a machine without IPv6
      if (!fd || ::write(fd.get(), "0", 1) != 1) return fail_errno(errno, "write " + path);
    }
    return {};
  });
}

// Why nothing can run in it.
Error why_not(container::Engine& engine, const plan::Member& member) {
  const auto state = engine.inspect(member.container);
  if (!state) return state.error();
  return engine.ended_at_once(member.container, *state)
      .during(member.name + " can be killed and started, its container does not run");
}

}  // namespace

Containers::Containers(const plan::LabPaths& paths, OnEnded on_ended)
    : paths_(paths), on_ended_(std::move(on_ended)) {}

Containers::~Containers() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

Result<> Containers::prepare(const std::vector<const plan::Member*>& members,
                             const format::Environment& environment, const OnPulled& on_pulled) {
  std::set<std::string> images;
  for (const plan::Member* member : members) {
    if (member->container.empty()) continue;
    if (!engine_) {
      TRY(std::string socket, container::find_socket(environment));
      auto engine = std::make_unique<container::Engine>(std::move(socket));
      TRY_DO(engine->need());
      TRY_DO(container::record_engine(paths_, engine->socket()));
      engine_ = std::move(engine);
    }
    const format::Container& what = *member->node->container;
    if (!images.insert(what.image).second) continue;
    TRY(const bool pulled, engine_->ensure_image(what).during(member->name));
    if (pulled) on_pulled(what.image);
  }
  return {};
}

// An engine would make a directory on this machine of a source that is not there.
Result<> Containers::check_binds(const plan::Member& member, const std::string& directory) const {
  for (const std::string& bind : member.binds) {
    std::string source = bind.substr(0, bind.find(':'));
    if (!source.starts_with("/")) source = directory + "/" + source;
    struct stat info{};
    if (::stat(source.c_str(), &info) < 0) return fail_errno(errno, "bind " + source);
  }
  return {};
}

Result<std::vector<std::string>> Containers::create(const plan::Member& member,
                                                    const std::string& directory) {
  TRY_DO(check_binds(member, directory));
  TRY_DO(container::record_asked(paths_, member.container));
  auto created = engine_->create(member, paths_, directory);
  if (!created) {
    // After a timeout the engine may make it yet: it stays on record then.
    if (created.error().code() != Errc::timeout) container::forget(paths_, member.container);
    return created;
  }
  TRY_DO(container::record_made(paths_, member.container));
  TRY_DO(start(member));
  return created;
}

Result<> Containers::start(const plan::Member& member) {
  TRY(const container::State state, engine_->start(member.container));
  auto done = began(member, state);
  if (done) return done;
  // What has just ended cannot be entered any more; the engine notes it a moment later.
  for (const Deadline deadline = after(kNoted); std::chrono::steady_clock::now() < deadline;) {
    const auto now = engine_->inspect(member.container);
    if (!now) break;
    if (!now->running) return std::unexpected(engine_->ended_at_once(member.container, *now));
    std::this_thread::sleep_for(kLook);
  }
  return done;
}

Result<> Containers::began(const plan::Member& member, const container::State& state) {
  const std::string pid = std::to_string(state.pid);
  Running running{.state = state, .name = member.container};
  running.process.reset(
      static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(state.pid), 0)));
  if (!running.process) return fail_errno(errno, "open the process of " + member.container);
  TRY(const UniqueFd space, netns::open("/proc/" + pid + "/ns/net"));
  TRY(const UniqueFd own, netns::open("/proc/self/ns/net"));
  running.capabilities = capabilities_of(pid);
  // Only now is it sure that what was opened is this container's: the pid may be another's.
  TRY(const container::State now, engine_->inspect(member.container));
  if (!now.running || now.pid != state.pid)
    return fail(Errc::unavailable,
                "container " + member.container + " was started again meanwhile");
  if (netns::same(space.get(), own.get()))
    return fail(Errc::internal,
                "the engine gave container " + member.container + " this machine's network");
  if (member.owns_netns) {
    TRY_DO(netns::pin(space.get(), member.netns));
    TRY_DO(allow_ipv6(space.get(), member));
  }
  return watch(member, std::move(running));
}

Result<> Containers::watch(const plan::Member& member, Running running) {
  const std::lock_guard lock(mutex_);
  if (!epoll_) {
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kStop}};
    if (!epoll_ || !stop_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) < 0)
      return fail_errno(errno, "watch containers");
    thread_ = std::thread([this] { run(); });
  }
  running.serial = next_serial_++;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = running.serial}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, running.process.get(), &event) < 0)
    return fail_errno(errno, "watch container " + running.name);
  running_[member.name] = std::move(running);
  return {};
}

// Its end is no news from here on.
void Containers::unwatch(const std::string& member) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(member);
  if (found == running_.end()) return;
  // By itself epoll forgets a process when its last copy is closed, and commands have some.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.process.get(), nullptr);
  running_.erase(found);
}

void Containers::run() {
  std::array<epoll_event, 16> events;
  for (;;) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    for (int i = 0; i < ready; ++i) {
      const std::uint64_t serial = events[static_cast<std::size_t>(i)].data.u64;
      if (serial == kStop) return;
      ended(serial);
    }
  }
}

void Containers::ended(std::uint64_t serial) {
  std::string member;
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, running] : running_) {
      if (running.serial != serial || running.ended) continue;
      running.ended = true;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, running.process.get(), nullptr);
      member = key;
      name = running.name;
    }
  }
  if (member.empty()) return;
  // The engine notes its status a moment later.
  int status = 0;
  for (const Deadline deadline = after(kNoted); std::chrono::steady_clock::now() < deadline;) {
    const auto state = engine_->inspect(name);
    if (!state) break;
    status = state->exit_status;
    if (!state->running) break;
    std::this_thread::sleep_for(kLook);
  }
  on_ended_(member, status);
}

Result<> Containers::kill(const plan::Member& member) {
  unwatch(member.name);
  return engine_->kill(member.container);
}

Result<> Containers::set(const plan::Member& member, Stand stand) {
  if (has_ended(member.name))
    return fail(Errc::unavailable, member.name + ": its container has ended");
  return stand == Stand::still ? engine_->pause(member.container)
                               : engine_->unpause(member.container);
}

Result<> Containers::remove(const plan::Member& member) {
  unwatch(member.name);
  if (!engine_) return {};
  TRY_DO(engine_->remove(member.container));
  container::forget(paths_, member.container);
  return {};
}

bool Containers::has_ended(const std::string& member) const {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(member);
  return found == running_.end() || found->second.ended;
}

Result<Containers::Inside> Containers::enter(const plan::Member& member) const {
  if (has_ended(member.name)) return std::unexpected(why_not(*engine_, member));
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(member.name);
  if (found == running_.end())
    return fail(Errc::unavailable, member.name + ": its container is being taken away");
  const Running& running = found->second;
  Inside out{.process = UniqueFd(::fcntl(running.process.get(), F_DUPFD_CLOEXEC, 3)),
             .pid = static_cast<int>(running.state.pid),
             .root = "/proc/" + std::to_string(running.state.pid) + "/root",
             .directory = running.state.directory,
             .env = running.state.env,
             .capabilities = running.capabilities};
  if (!out.process) return fail_errno(errno, "keep the process of " + running.name);
  out.env.emplace("PATH", kDefaultPath);
  out.env.emplace("HOSTNAME", member.hostname);
  if (member.node->user.empty()) out.env.emplace("HOME", "/root");
  return out;
}

}  // namespace heddle::labd
