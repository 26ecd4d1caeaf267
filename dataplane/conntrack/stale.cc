#include "dataplane/conntrack/stale.h"

#include <algorithm>

namespace heddle::conntrack {
namespace {

using dataplane::PublishedKey;
using dataplane::PublishedTarget;

bool covers(const PublishedKey& key, const IpAddr& address) {
  if (key.address.is_v4() != address.is_v4()) return false;
  return key.address.is_unspecified() || key.address == address;
}

SocketAddr socket_of(const PublishedTarget& target) {
  return {target.address, target.port};
}

// The ports that `address` may be one of.
template <class Ports>
const auto* at(const Ports& ports, std::uint8_t protocol, std::uint16_t port) {
  const auto found = ports.find({protocol, port});
  return found == ports.end() ? nullptr : &found->second;
}

bool is_wrong_now(const Flow& flow, const PublishedKey& key, const PublishedTarget& target,
                  const std::function<bool(const IpAddr&)>& is_local) {
  if (!covers(key, flow.original.destination.address)) return false;
  if (flow.reply.source == socket_of(target)) return false;
  if (!key.address.is_unspecified()) return true;
  return flow.reply.source == flow.original.destination &&
         is_local(flow.original.destination.address);
}

}  // namespace

Stale::Stale(const Published& removed, const Published& added,
             std::function<bool(const IpAddr&)> is_local)
    : is_local_(std::move(is_local)) {
  const auto sort = [](const Published& ports, Ports& into) {
    for (const auto& [key, target] : ports)
      into[{static_cast<std::uint8_t>(key.protocol), key.port}].emplace_back(key, target);
  };
  sort(removed, removed_);
  sort(added, added_);
}

bool Stale::contains(const Flow& flow) const {
  if (const auto* gone = at(removed_, flow.protocol, flow.original.destination.port)) {
    for (const auto& [key, target] : *gone) {
      if (covers(key, flow.original.destination.address) && flow.reply.source == socket_of(target))
        return true;
    }
  }
  if (const auto* gone = at(removed_, flow.protocol, flow.reply.destination.port)) {
    for (const auto& [key, target] : *gone) {
      if (covers(key, flow.reply.destination.address) &&
          flow.original.source == socket_of(target) &&
          flow.reply.destination != flow.original.source)
        return true;
    }
  }
  if (const auto* put = at(added_, flow.protocol, flow.original.destination.port)) {
    return std::ranges::any_of(*put, [&](const auto& port) {
      return is_wrong_now(flow, port.first, port.second, is_local_);
    });
  }
  return false;
}

bool Stale::has_family(bool v4) const {
  const auto any = [&](const Ports& ports) {
    return std::ranges::any_of(ports, [&](const auto& entry) {
      return std::ranges::any_of(
          entry.second, [&](const auto& port) { return port.first.address.is_v4() == v4; });
    });
  };
  return any(removed_) || any(added_);
}

}  // namespace heddle::conntrack
