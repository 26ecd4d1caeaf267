#include "netd/ipam/mac.h"

#include <string>

#include "common/base/stable_hash.h"

namespace heddle::ipam {

Mac mac_for(const model::Id& network_id, const IpAddr& address, int attempt) {
  const std::string network =
      attempt == 0 ? network_id : network_id + "/" + std::to_string(attempt);
  std::uint32_t tail = 0;
  if (address.is_v4()) {
    // The address itself, turned by the network's hash: different addresses stay different.
    tail = address.v4_value() ^ static_cast<std::uint32_t>(stable_hash(network));
  } else {
    const auto& bytes = address.bytes();
    tail = static_cast<std::uint32_t>(stable_hash(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, stable_hash(network)));
  }
  return Mac{{0x02, 0x48, static_cast<std::uint8_t>(tail >> 24),
              static_cast<std::uint8_t>(tail >> 16), static_cast<std::uint8_t>(tail >> 8),
              static_cast<std::uint8_t>(tail)}};
}

}  // namespace heddle::ipam
