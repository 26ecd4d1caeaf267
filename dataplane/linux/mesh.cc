#include "dataplane/linux/mesh.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

#include "dataplane/linux/kernel.h"
#include "dataplane/netns/netns.h"

namespace heddle::dataplane {

// The id that the kernel tells programs is the inode's number (kernfs, 64-bit).
Result<std::uint64_t> Mesh::cgroup_id(const std::string& path) const {
  const std::string whole = path.starts_with('/') ? path : cgroup_ + "/" + path;
  struct statfs fs{};
  struct stat info{};
  if (::statfs(whole.c_str(), &fs) < 0 || ::stat(whole.c_str(), &info) < 0)
    return fail_errno(errno, "look up cgroup " + whole);
  if (fs.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(info.st_mode))
    return fail(Errc::invalid, whole + " is no cgroup2 directory");
  return info.st_ino;
}

std::string Mesh::cgroup_name(std::uint64_t id, const std::string& wanted) const {
  const auto there = cgroup_id(wanted);
  return there && *there == id ? wanted : "cgroup:" + std::to_string(id);
}

Result<> Mesh::ensure(const Member& member) {
  TRY(bpf::Programs* const programs, need(programs_));
  TRY(const UniqueFd sandbox, netns::open(member.sandbox));
  TRY(const std::uint64_t cookie, visitor_.cookie(sandbox.get()));
  TRY_DO(programs->put_member(
      {.cookie = cookie, .networks = member.networks, .resolver = member.resolver}));
  cookies_.learn(member.sandbox, cookie);
  return {};
}

Result<> Mesh::remove_member(const SandboxPath& sandbox) {
  TRY(bpf::Programs* const programs, need(programs_));
  Result<> first;
  for (const std::uint64_t cookie : cookies_.meant_by(sandbox, visitor_)) {
    auto removed = programs->remove_member(cookie);
    if (first) first = std::move(removed);
  }
  return first;
}

Result<> Mesh::ensure(const Interception& interception) {
  TRY(bpf::Programs* const programs, need(programs_));
  TRY(const UniqueFd sandbox, netns::open(interception.sandbox));
  TRY(const std::uint64_t cookie, visitor_.cookie(sandbox.get()));
  TRY(const std::uint64_t cgroup, cgroup_id(interception.proxy_cgroup));
  int listener = -1;
  if (!interception.inbound.empty()) {
    listener = listeners_.listener(interception.sandbox, interception.inbound_port);
    if (listener < 0)
      return fail(Errc::unavailable, "nobody listens on port " +
                                         std::to_string(interception.inbound_port) + " in " +
                                         interception.sandbox + " yet");
  }
  TRY_DO(programs->put_intercept({.cookie = cookie,
                                  .outbound_port = interception.outbound_port,
                                  .inbound_port = interception.inbound_port,
                                  .inbound = interception.inbound,
                                  .proxy_cgroup_id = cgroup},
                                 sandbox.get(), listener));
  cookies_.learn(interception.sandbox, cookie);
  return {};
}

Result<> Mesh::remove_interception(const SandboxPath& sandbox) {
  TRY(bpf::Programs* const programs, need(programs_));
  Result<> first;
  for (const std::uint64_t cookie : cookies_.meant_by(sandbox, visitor_)) {
    auto removed = programs->remove_intercept(cookie);
    if (first) first = std::move(removed);
  }
  return first;
}

Result<StaleFlows::Paths> Mesh::known_members() const {
  TRY(bpf::Programs* const programs, need(programs_));
  TRY(const auto members, programs->members());
  StaleFlows::Paths paths;
  for (const bpf::Programs::Member& member : members) {
    if (auto path = cookies_.path(member.cookie)) paths.emplace(member.cookie, *std::move(path));
  }
  return paths;
}

Result<> Mesh::end_stale_flows() {
  TRY(const auto members, known_members());
  return stale_flows_.end(members);
}

Result<> Mesh::observe(const HostState& wanted, const std::map<SandboxPath, SandboxView>& sandboxes,
                       HostState& state) {
  if (!programs_) return {};
  TRY(const auto members, (*programs_)->members());
  TRY(const auto intercepts, (*programs_)->intercepts());
  std::set<std::uint64_t> used;
  for (const bpf::Programs::Member& member : members) {
    used.insert(member.cookie);
    const SandboxPath name = cookies_.name(member.cookie, sandboxes);
    // Members of an earlier process have a name from now on.
    if (sandboxes.contains(name)) cookies_.learn(name, member.cookie);
    state.members[name] = {
        .sandbox = name, .networks = member.networks, .resolver = member.resolver};
  }
  for (const bpf::Programs::Intercept& intercept : intercepts) {
    used.insert(intercept.cookie);
    const SandboxPath name = cookies_.name(intercept.cookie, sandboxes);
    const auto intent = wanted.interceptions.find(name);
    state.interceptions[name] = {
        .sandbox = name,
        .outbound_port = intercept.outbound_port,
        .inbound_port = intercept.inbound_port,
        .inbound = intercept.inbound,
        .proxy_cgroup = cgroup_name(intercept.proxy_cgroup_id, intent == wanted.interceptions.end()
                                                                   ? std::string()
                                                                   : intent->second.proxy_cgroup)};
  }
  cookies_.keep_only(used);
  TRY(const auto known, known_members());
  TRY(state.stale_flows, stale_flows_.find(known));
  return {};
}

}  // namespace heddle::dataplane
