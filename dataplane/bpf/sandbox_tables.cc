#include "dataplane/bpf/sandbox_tables.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "dataplane/bpf/first_failure.h"
#include "dataplane/bpf/pinned_link.h"
#include "ebpf/abi/maps.h"

namespace heddle::bpf {
namespace {

heddle_member_key member_key(std::uint64_t cookie, std::uint32_t network) {
  heddle_member_key key{};
  key.cookie = cookie;
  key.network = network;
  return key;
}

heddle_inbound_key inbound_key(std::uint64_t cookie, std::uint16_t port) {
  heddle_inbound_key key{};
  key.cookie = cookie;
  key.port = port;
  return key;
}

std::optional<std::uint64_t> cookie_of(const std::string& file_name) {
  std::uint64_t cookie = 0;
  char rest = 0;
  if (std::sscanf(file_name.c_str(), "%lx%c", &cookie, &rest) != 1) return std::nullopt;
  return cookie;
}

std::vector<std::uint64_t> pinned_cookies(const std::string& links_dir) {
  std::vector<std::uint64_t> cookies;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(links_dir, failed)) {
    if (const auto cookie = cookie_of(entry.path().filename())) cookies.push_back(*cookie);
  }
  return cookies;
}

}  // namespace

Result<SandboxTables> SandboxTables::open(const Objects& objects, std::string links_dir) {
  TRY(auto members, Members::open(objects.map(HEDDLE_MAP_MEMBERS), HEDDLE_MAP_MEMBERS));
  TRY(auto intercepts, Intercepts::open(objects.map(HEDDLE_MAP_INTERCEPTS), HEDDLE_MAP_INTERCEPTS));
  TRY(auto inbound, Inbound::open(objects.map(HEDDLE_MAP_INBOUND), HEDDLE_MAP_INBOUND));
  TRY(auto sidecars, Sidecars::open(objects.map(HEDDLE_MAP_SIDECARS), HEDDLE_MAP_SIDECARS));
  SandboxTables tables(objects, std::move(links_dir), std::move(members), std::move(intercepts),
                       std::move(inbound), std::move(sidecars));
  TRY_DO(tables.members());
  TRY_DO(tables.refresh_inbound());
  return tables;
}

std::string SandboxTables::link_path(std::uint64_t cookie) const {
  std::array<char, 17> name{};
  std::snprintf(name.data(), name.size(), "%016lx", cookie);
  return links_dir_ + "/" + name.data();
}

Result<> SandboxTables::replace_programs() {
  for (const std::uint64_t cookie : pinned_cookies(links_dir_)) {
    TRY(const bool attached, is_attached(link_path(cookie)));
    if (!attached) {
      TRY_DO(remove_link(link_path(cookie)));
      continue;
    }
    TRY(const UniqueFd program, objects_->load_inbound(cookie));
    TRY_DO(replace_lookup_program(link_path(cookie), program.get()));
  }
  return {};
}

Result<> SandboxTables::set_networks(std::uint64_t cookie,
                                     const std::set<std::uint32_t>& networks) {
  std::set<std::uint32_t>& known = networks_of_[cookie];
  for (const std::uint32_t network : networks) {
    TRY_DO(members_.put(member_key(cookie, network), heddle_member{}));
    known.insert(network);
  }
  std::set<std::uint32_t> surplus = known;
  for (const std::uint32_t network : networks) surplus.erase(network);
  for (const std::uint32_t network : surplus) {
    TRY_DO(members_.remove(member_key(cookie, network)));
    known.erase(network);
  }
  return {};
}

Result<> SandboxTables::put_member(const Programs::Member& member) {
  if (member.cookie == 0) return fail(Errc::invalid, "a member has no namespace cookie");
  if (member.networks.contains(HEDDLE_MEMBER_SELF))
    return fail(Errc::invalid, "a member names the network number " +
                                   std::to_string(HEDDLE_MEMBER_SELF) + ", which is reserved");
  heddle_member self{};
  self.flags = member.resolver ? HEDDLE_MEMBER_RESOLVER : 0;
  TRY_DO(set_networks(member.cookie, member.networks));
  return members_.put(member_key(member.cookie, HEDDLE_MEMBER_SELF), self);
}

Result<> SandboxTables::remove_member(std::uint64_t cookie) {
  TRY_DO(members_.remove(member_key(cookie, HEDDLE_MEMBER_SELF)));
  TRY_DO(set_networks(cookie, {}));
  networks_of_.erase(cookie);
  return {};
}

// Networks without the entry that makes a member are shown too, as a member without a resolver: the
// comparison with the intent then finds them.
Result<std::vector<Programs::Member>> SandboxTables::members() {
  TRY(const auto entries, members_.entries());
  std::map<std::uint64_t, Programs::Member> found;
  networks_of_.clear();
  for (const auto& [key, entry] : entries) {
    Programs::Member& member = found[key.cookie];
    member.cookie = key.cookie;
    if (key.network == HEDDLE_MEMBER_SELF) {
      member.resolver = (entry.flags & HEDDLE_MEMBER_RESOLVER) != 0;
    } else {
      member.networks.insert(key.network);
      networks_of_[key.cookie].insert(key.network);
    }
  }
  std::vector<Programs::Member> members;
  members.reserve(found.size());
  for (auto& [cookie, member] : found) members.push_back(std::move(member));
  return members;
}

Result<> SandboxTables::set_inbound(std::uint64_t cookie, const std::set<std::uint16_t>& ports) {
  std::set<std::uint16_t>& known = ports_of_[cookie];
  for (const std::uint16_t port : ports) {
    TRY_DO(inbound_.put(inbound_key(cookie, port), 0));
    known.insert(port);
  }
  std::set<std::uint16_t> surplus = known;
  for (const std::uint16_t port : ports) surplus.erase(port);
  for (const std::uint16_t port : surplus) {
    TRY_DO(inbound_.remove(inbound_key(cookie, port)));
    known.erase(port);
  }
  return {};
}

// The listener is known before a port leads to it, and the link comes before outbound is steered:
// at every moment a connection goes to the application or to a listening sidecar.
Result<> SandboxTables::put_intercept(const Programs::Intercept& intercept, int netns_fd,
                                      int inbound_listener) {
  const std::uint64_t cookie = intercept.cookie;
  if (cookie == 0) return fail(Errc::invalid, "an interception has no namespace cookie");
  if (!intercept.inbound.empty() && inbound_listener < 0)
    return fail(Errc::invalid, "inbound interception needs the sidecar's listening socket");
  heddle_intercept entry{};
  entry.proxy_cgroup = intercept.proxy_cgroup_id;
  entry.outbound_port = htons(intercept.outbound_port);
  entry.inbound_port = htons(intercept.inbound_port);
  if (inbound_listener >= 0)
    TRY_DO(sidecars_.put(cookie, static_cast<std::uint64_t>(inbound_listener))
               .during("hand the sidecar's listener to sk_lookup"));
  if (!intercept.inbound.empty()) {
    TRY(const UniqueFd program, objects_->load_inbound(cookie));
    TRY_DO(ensure_lookup_link(link_path(cookie), netns_fd, program.get()));
  }
  TRY_DO(set_inbound(cookie, intercept.inbound));
  TRY_DO(intercepts_.put(cookie, entry));
  if (intercept.inbound.empty()) return remove_link(link_path(cookie));
  return {};
}

Result<> SandboxTables::remove_intercept(std::uint64_t cookie) {
  FirstFailure steps;
  steps.then(intercepts_.remove(cookie));
  steps.then(remove_link(link_path(cookie)));
  steps.then(set_inbound(cookie, {}));
  steps.then(sidecars_.remove(cookie));
  ports_of_.erase(cookie);
  return std::move(steps).result();
}

Result<> SandboxTables::refresh_inbound() {
  TRY(const auto entries, inbound_.entries());
  ports_of_.clear();
  for (const auto& [key, unused] : entries) ports_of_[key.cookie].insert(key.port);
  return {};
}

// A listener that closed has left the map by itself. Reading a socket map gives the socket's
// cookie.
Result<bool> SandboxTables::inbound_works(std::uint64_t cookie) const {
  TRY(const auto listener, sidecars_.find(cookie));
  if (!listener) return false;
  return is_attached(link_path(cookie));
}

// Inbound ports count only while the namespace's link and the listener are there.
Result<std::vector<Programs::Intercept>> SandboxTables::intercepts() {
  TRY(const auto entries, intercepts_.entries());
  TRY_DO(refresh_inbound());
  std::vector<Programs::Intercept> intercepts;
  intercepts.reserve(entries.size());
  for (const auto& [cookie, entry] : entries) {
    Programs::Intercept intercept{.cookie = cookie,
                                  .outbound_port = ntohs(entry.outbound_port),
                                  .inbound_port = ntohs(entry.inbound_port),
                                  .inbound = {},
                                  .proxy_cgroup_id = entry.proxy_cgroup};
    if (const auto ports = ports_of_.find(cookie); ports != ports_of_.end()) {
      TRY(const bool works, inbound_works(cookie));
      if (works) intercept.inbound = ports->second;
    }
    intercepts.push_back(std::move(intercept));
  }
  std::ranges::sort(intercepts);
  return intercepts;
}

Result<> SandboxTables::detach_all() {
  FirstFailure steps;
  for (const std::uint64_t cookie : pinned_cookies(links_dir_))
    steps.then(remove_link(link_path(cookie)));
  return std::move(steps).result();
}

}  // namespace heddle::bpf
