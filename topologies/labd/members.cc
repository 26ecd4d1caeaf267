// How members start and stop: directories, cgroups, processes and heddled.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "dataplane/netns/netns.h"
#include "topologies/engine/process/cgroup.h"
#include "topologies/engine/process/mounts.h"
#include "topologies/labd/service.h"

extern char** environ;

namespace heddle::labd {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using process::Child;

constexpr auto kDaemonStart = 20s;
constexpr auto kKillTime = 10s;
constexpr auto kExecTime = 60s;
constexpr std::streamoff kLogTail = 2000;

Result<> make_directories(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fail_errno(ec.value(), "make directory " + path);
  return {};
}

Result<> write_file(const std::string& path, const std::string& text) {
  TRY_DO(make_directories(fs::path(path).parent_path().string()));
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, "create " + path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno ? errno : ENOSPC, "write " + path);
  return {};
}

std::string log_tail(const std::string& path) {
  std::ifstream file(path, std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kLogTail));
  std::string text(std::istreambuf_iterator<char>(file), {});
  return text.empty() ? "; it printed nothing" : "; its log ends:\n" + text;
}

bool listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd &&
         ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Service::Service(format::Lab lab, plan::Plan plan, Options options)
    : lab_(std::move(lab)),
      plan_(std::move(plan)),
      options_(std::move(options)),
      fabric_(plan_),
      links_(plan_),
      containers_(plan_.paths, [this](const std::string& member, int status) {
        events_.add("ended", member, "its container, with status " + std::to_string(status));
      }) {
  for (const plan::Member& member : plan_.members) running_[member.name];
}

Result<> Service::ensure_ready(const plan::Member& member) {
  std::lock_guard making(ready_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (running_[member.name].ready) return {};
  }
  TRY_DO(prepare_member(member));
  std::lock_guard lock(mutex_);
  running_[member.name].ready = true;
  return {};
}

Result<> Service::prepare_member(const plan::Member& member) {
  TRY_DO(process::create_cgroup(member.cgroup + "/commands"));
  if (member.kind == plan::Member::Kind::host) {
    TRY_DO(process::create_cgroup(member.cgroup + "/daemon"));
    TRY_DO(make_directories(member.run_dir));
    TRY_DO(make_directories(member.state_dir));
    TRY_DO(prepare_disk(member));
    TRY_DO(make_directories(member.files_dir));
    for (const auto& [path, content] : member.files) TRY_DO(write_file(path, content));
  }
  for (const std::string& directory : member.directories) TRY_DO(make_directories(directory));
  if (member.own_mounts) {
    if (!node_mounts_) {
      TRY(node_mounts_, fabric::create_node_mounts(plan_.paths));
    }
    TRY(auto namespaces, fabric::create_node_namespaces(
                             member, node_mounts_.get(),
                             {.directory = lab_.directory, .scratch = plan_.paths.netns_dir()}));
    std::lock_guard lock(mutex_);
    running_[member.name].namespaces = std::move(namespaces);
  }
  return {};
}

// All at once, then waits for each: the slowest sets the time.
Result<> Service::start_daemons(const std::vector<const plan::Member*>& members) {
  for (const plan::Member* member : members) TRY_DO(spawn_daemon(*member).during(member->name));
  for (const plan::Member* member : members) TRY_DO(wait_daemon(*member).during(member->name));
  return {};
}

Result<> Service::spawn_daemon(const plan::Member& member) {
  Held held;
  TRY(process::SpawnRequest request, spawn_request(member, Where::node, held));
  request.command = {"heddled",      "--state-dir", member.state_dir, "--run-dir",
                     member.run_dir, "--socket",    member.socket,    "--cgroup",
                     member.cgroup,  "--name",      member.name};
  request.cgroup = member.cgroup + "/daemon";
  request.directory = "/";
  UniqueFd log(::open(member.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return fail_errno(errno, "open " + member.log);
  request.output = log.get();
  request.error = log.get();
  TRY(auto child, supervisor_.start(request, process::Supervisor::Streams::as_given,
                                    record_end(member.name, "heddled")));
  events_.add("started", member.name, "heddled, pid " + std::to_string(child->pid()));
  std::lock_guard lock(mutex_);
  running_[member.name].daemon = std::move(child);
  return {};
}

Result<bool> Service::daemon_answers(const plan::Member& member, Deadline deadline) {
  std::shared_ptr<Child> child;
  {
    std::lock_guard lock(mutex_);
    child = running_[member.name].daemon;
  }
  if (listens(member.socket)) return true;
  if (const auto ending = child->ending())
    return fail(Errc::unavailable,
                "heddled ended with status " + std::to_string(ending->exit) + log_tail(member.log));
  if (std::chrono::steady_clock::now() >= deadline)
    return fail(Errc::timeout,
                "heddled does not answer on " + member.socket + log_tail(member.log));
  return false;
}

Result<> Service::wait_daemon(const plan::Member& member) {
  const Deadline deadline = after(kDaemonStart);
  for (;;) {
    TRY(const bool answers, daemon_answers(member, deadline));
    if (answers) return {};
    std::this_thread::sleep_for(5ms);
  }
}

// What a node keeps running, from its creation on.
Result<> Service::start_command(const plan::Member& member) {
  if (!member.node || member.node->command.empty()) return {};
  std::vector<std::string> command{"/bin/sh", "-c", "exec " + member.node->command};
  TRY(auto child, start_in(member, command, record_end(member.name, "cmd")));
  events_.add("started", member.name, "cmd: " + member.node->command);
  std::lock_guard lock(mutex_);
  background_["cmd." + member.name] = {
      .on = member.name, .command = std::move(command), .child = std::move(child)};
  return {};
}

Result<> Service::kill_member(const std::string& name) {
  std::lock_guard change(change_mutex_);
  TRY(const plan::Member* member, need_powered(name));
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(running_[name].down, true))
      return fail(Errc::conflict, name + " is down already");
    running_[name].ready = false;
  }
  TRY_DO(links_.member_down(name).during("kill " + name));
  // The link first: a machine without power sends no FIN for its dying processes.
  TRY_DO(fabric_.cut(name).during("kill " + name));
  TRY_DO(process::kill_cgroup(member->cgroup, after(kKillTime)).during("kill " + name));
  if (!member->container.empty()) TRY_DO(containers_.kill(*member).during("kill " + name));
  {
    std::lock_guard lock(mutex_);
    running_[name].frozen = false;
    running_[name].namespaces = {};
  }
  if (!member->run_dir.empty())
    TRY_DO(process::unmount_below(member->run_dir).during("kill " + name));
  TRY_DO(fabric_.remove_member(name).during("kill " + name));
  if (!member->run_dir.empty())
    TRY_DO(process::remove_tree(member->run_dir).during("kill " + name));
  return process::remove_cgroup(member->cgroup).during("kill " + name);
}

// What a node was given once all its links were there, as at its deploy.
Result<> Service::configure_again(const plan::Member& member) {
  TRY_DO(start_command(member));
  if (!member.node) return {};
  for (const std::string& line : member.node->exec) {
    TRY(const auto child, start_in(member, {"/bin/sh", "-c", line}));
    const auto ended = child->wait(after(kExecTime));
    if (!ended) child->signal(SIGKILL, Child::Reach::group);
    if (!ended) return fail(Errc::timeout, "exec \"" + line + "\" runs longer than 60 s");
    if (ended->exit != 0)
      return fail(Errc::internal, "exec \"" + line + "\" ended with status " +
                                      std::to_string(ended->exit) + ": " + child->error().text);
  }
  return {};
}

Result<> Service::start_member(const std::string& name) {
  std::lock_guard change(change_mutex_);
  TRY(const plan::Member* member, need_powered(name));
  {
    std::lock_guard lock(mutex_);
    if (!running_[name].down) return fail(Errc::conflict, name + " runs already");
  }
  if (!member->container.empty()) TRY_DO(containers_.start(*member).during("start " + name));
  TRY_DO(fabric_.restore(name).during("start " + name));
  links_.member_up(name);
  TRY_DO(links_.settle().during("start " + name));
  TRY_DO(ensure_ready(*member).during("start " + name));
  // Its cgroup is a new one. What this machine does not offer was said when the lab was built.
  if (auto set = set_limits(*member); !set && set.error().code() != Errc::unsupported)
    return std::move(set).during("start " + name);
  {
    std::lock_guard lock(mutex_);
    running_[name].down = false;
  }
  if (member->daemon) TRY_DO(start_daemons({member}).during("start " + name));
  return configure_again(*member).during("start " + name);
}

Result<> Service::kill_daemon(const std::string& name) {
  std::lock_guard change(change_mutex_);
  TRY(const plan::Member* member, need_host(name));
  std::shared_ptr<Child> child;
  {
    std::lock_guard lock(mutex_);
    child = running_[name].daemon;
  }
  if (!member->daemon || !child || child->ending())
    return fail(Errc::conflict, "heddled does not run on " + name);
  child->signal(SIGKILL, Child::Reach::process);
  TRY_DO(child->wait(after(kKillTime)).during("kill heddled on " + name));
  return {};
}

Result<> Service::restart_daemon(const std::string& name) {
  std::lock_guard change(change_mutex_);
  TRY(const plan::Member* member, need_host(name));
  std::shared_ptr<Child> child;
  {
    std::lock_guard lock(mutex_);
    if (running_[name].down) return fail(Errc::unavailable, name + " is down; start it first");
    child = running_[name].daemon;
  }
  TRY_DO(need_moving(name));
  if (child && !child->ending()) {
    child->signal(SIGTERM, Child::Reach::process);
    if (!child->wait(after(kKillTime)))
      return fail(Errc::timeout, "heddled on " + name + " does not end on SIGTERM");
  }
  return start_daemons({member}).during("restart heddled on " + name);
}

std::map<std::string, std::string> Service::environment(const plan::Member& member) const {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    // The deployer's own HEDDLE_SOCKET and the like would lead commands to another daemon.
    if (equals == std::string_view::npos || pair.starts_with("HEDDLE_")) continue;
    out.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  const std::string path = out.contains("PATH") ? out["PATH"] : "/usr/sbin:/usr/bin:/sbin:/bin";
  out["PATH"] = options_.program_dir + ":" + path;
  for (const auto& [key, value] : member.env) out[key] = value;
  return out;
}

Result<process::SpawnRequest> Service::inside_container(const plan::Member& member, Held& held) {
  TRY(auto inside, containers_.enter(member));
  held.process = std::move(inside.process);
  process::SpawnRequest request;
  request.env = std::move(inside.env);
  request.directory = std::move(inside.directory);
  request.process = held.process.get();
  request.root = std::move(inside.root);
  request.capabilities = inside.capabilities;
  return request;
}

Result<process::SpawnRequest> Service::spawn_request(const plan::Member& member, Where where,
                                                     Held& held) {
  TRY_DO(ensure_ready(member).during(member.name));
  process::SpawnRequest request;
  if (!member.container.empty() && where == Where::node) {
    TRY(request, inside_container(member, held));
  } else {
    request.env = environment(member);
    request.directory = lab_.directory;
    if (!member.netns.empty()) {
      TRY(held.netns, netns::open(member.netns));
      request.netns = held.netns.get();
    }
  }
  request.open_files = options_.open_files;
  request.cgroup = member.cgroup + "/commands";
  if (where == Where::network) return request;
  if (member.own_mounts) {
    std::lock_guard lock(mutex_);
    request.mount_ns = running_[member.name].namespaces.mounts.get();
    request.uts_ns = running_[member.name].namespaces.uts.get();
  } else if (member.kind == plan::Member::Kind::host) {
    request.hostname = member.name;
  }
  if (member.node) request.user = member.node->user;
  return request;
}

Result<std::shared_ptr<Child>> Service::start_in(const plan::Member& member,
                                                 const std::vector<std::string>& command,
                                                 process::Supervisor::OnEnded on_ended,
                                                 Where where) {
  std::shared_lock gate(spawn_gate_);
  TRY_DO(need_moving(member.name));
  Held held;
  TRY(process::SpawnRequest request, spawn_request(member, where, held));
  request.command = command;
  return supervisor_.start(request, process::Supervisor::Streams::capture, std::move(on_ended));
}

Result<> Service::prepare_containers(const std::vector<const plan::Member*>& members,
                                     const format::Environment& environment,
                                     const OnProgress& on_progress) {
  auto lap = std::chrono::steady_clock::now();
  return containers_.prepare(members, environment, [&](const std::string& image) {
    const auto now = std::chrono::steady_clock::now();
    on_progress("pulled image " + image,
                std::chrono::duration_cast<std::chrono::milliseconds>(now - lap));
    lap = now;
  });
}

Result<> Service::create_container(const plan::Member& member, const OnProgress& on_progress) {
  TRY_DO(ensure_ready(member));  // directories that are bound into it
  TRY(const auto warnings, containers_.create(member, lab_.directory));
  for (const std::string& warning : warnings)
    on_progress("warning: " + member.name + ": " + warning, {});
  return {};
}

// An engine limits its containers itself.
Result<> Service::set_limits(const plan::Member& member) {
  if (!member.node || member.node->limits.empty() || !member.container.empty()) return {};
  TRY_DO(process::create_cgroup(member.cgroup));
  const format::Limits& limits = member.node->limits;
  return process::limit_cgroup(
      plan_.paths.cgroup(), member.cgroup,
      {.cpu = limits.cpu, .memory = limits.memory, .cpu_set = limits.cpu_set});
}

}  // namespace heddle::labd
