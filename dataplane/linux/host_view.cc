#include "dataplane/linux/host_view.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace heddle::dataplane {
namespace {
constexpr std::string_view kGone = "if#";
}

Result<HostView> HostView::read(netlink::Socket& socket) {
  HostView view;
  TRY(view.links, netlink::links(socket));
  TRY(view.addresses, netlink::addresses(socket));
  TRY(view.routes, netlink::routes(socket));
  TRY(view.neighbours, netlink::permanent_neighbours(socket));
  TRY(view.rates, netlink::rates(socket));
  return view;
}

const netlink::Link* HostView::link(IfIndex index) const {
  const auto found = std::ranges::find(links, index, &netlink::Link::index);
  return found == links.end() ? nullptr : &*found;
}

std::string HostView::name(IfIndex index) const {
  const netlink::Link* found = link(index);
  return found ? found->name : name_of_gone(index);
}

std::string name_of_gone(IfIndex index) {
  return std::string(kGone) + std::to_string(index.value);
}

std::optional<IfIndex> parse_gone(const std::string& name) {
  if (!name.starts_with(kGone)) return std::nullopt;
  IfIndex index;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kGone.size(), end, index.value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return index;
}

}  // namespace heddle::dataplane
