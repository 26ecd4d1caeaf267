#include "netd/driver/names.h"

#include "common/base/stable_hash.h"

namespace heddle::driver {
namespace {

// 40 bits of a random id: two of 10,000 endpoints on one node meet with a chance of 1 in 20,000.
constexpr std::size_t kDigits = 10;

Mac derived_mac(std::uint8_t first, const model::Id& id) {
  const std::uint64_t hash = stable_hash(id);
  Mac mac{{first, 0x48, 0, 0, 0, 0}};
  for (int i = 0; i < 4; ++i) mac.bytes[2 + i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return mac;
}

}  // namespace

std::string bridge_name(const model::Id& network) {
  return "hdb" + network.substr(0, kDigits);
}
std::string host_device(const model::Id& endpoint) {
  return "hdv" + endpoint.substr(0, kDigits);
}
Mac bridge_mac(const model::Id& network) {
  return derived_mac(0x06, network);
}
Mac host_side_mac(const model::Id& endpoint) {
  return derived_mac(0x0a, endpoint);
}

}  // namespace heddle::driver
