#include "dataplane/linux/sandboxes.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "dataplane/linux/sysctl.h"
#include "dataplane/netlink/elsewhere.h"
#include "dataplane/netns/netns.h"

namespace heddle::dataplane {
namespace {

constexpr std::string_view kByCookie = "cookie:";

Result<> read_links(const Look& look, SandboxView& view) {
  TRY(auto socket, netlink::Socket::open());
  TRY(view.links, netlink::links(socket));
  TRY(view.addresses, netlink::addresses(socket));
  TRY(view.routes, netlink::routes(socket));
  TRY(view.rates, netlink::rates(socket));
  for (const std::string& name : look.sysctls) {
    if (auto value = read_sysctl(name)) view.sysctls[name] = *std::move(value);
  }
  return {};
}

}  // namespace

Result<std::map<SandboxPath, SandboxView>> look_into(netlink::Socket& host,
                                                     const netns::Visitor& visitor,
                                                     const std::map<SandboxPath, Look>& sandboxes) {
  std::map<SandboxPath, SandboxView> views;
  std::vector<UniqueFd> open;
  std::vector<int> fds;
  std::vector<const SandboxPath*> paths;
  for (const auto& [path, look] : sandboxes) {
    auto fd = netns::open(path);
    if (!fd) continue;
    TRY(views[path].id, netlink::netns_id(host, fd->get()));
    paths.push_back(&path);
    fds.push_back(fd->get());
    open.push_back(*std::move(fd));
  }
  TRY_DO(visitor.run_in_each(fds, [&](std::size_t i) -> Result<> {
    SandboxView& view = views[*paths[i]];
    TRY(view.cookie, netns::own_cookie());
    const Look& look = sandboxes.at(*paths[i]);
    return look.links ? read_links(look, view).during("look into " + *paths[i]) : Result<>();
  }));
  return views;
}

void Cookies::learn(const SandboxPath& sandbox, std::uint64_t cookie) {
  SandboxPath& path = known_[cookie];
  if (path == sandbox) return;
  by_path_.erase({path, cookie});
  path = sandbox;
  by_path_.emplace(path, cookie);
}

void Cookies::keep_only(const std::set<std::uint64_t>& cookies) {
  std::erase_if(known_, [&](const auto& known) { return !cookies.contains(known.first); });
  std::erase_if(by_path_, [&](const auto& known) { return !cookies.contains(known.second); });
}

SandboxPath Cookies::name(std::uint64_t cookie,
                          const std::map<SandboxPath, SandboxView>& views) const {
  const auto seen =
      std::ranges::find_if(views, [&](const auto& view) { return view.second.cookie == cookie; });
  if (seen != views.end()) return seen->first;
  const auto known = known_.find(cookie);
  if (known != known_.end() && !views.contains(known->second)) return known->second;
  return std::string(kByCookie) + std::to_string(cookie);
}

std::optional<SandboxPath> Cookies::path(std::uint64_t cookie) const {
  const auto known = known_.find(cookie);
  if (known == known_.end()) return std::nullopt;
  return known->second;
}

std::set<std::uint64_t> Cookies::meant_by(const SandboxPath& sandbox,
                                          const netns::Visitor& visitor) const {
  std::set<std::uint64_t> cookies;
  if (sandbox.starts_with(kByCookie)) {
    std::uint64_t value = 0;
    const char* end = sandbox.data() + sandbox.size();
    const auto parsed = std::from_chars(sandbox.data() + kByCookie.size(), end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end) cookies.insert(value);
    return cookies;
  }
  for (auto it = by_path_.lower_bound({sandbox, 0}); it != by_path_.end() && it->first == sandbox;
       ++it) {
    cookies.insert(it->second);
  }
  if (auto fd = netns::open(sandbox)) {
    if (auto cookie = visitor.cookie(fd->get())) cookies.insert(*cookie);
  }
  return cookies;
}

}  // namespace heddle::dataplane
