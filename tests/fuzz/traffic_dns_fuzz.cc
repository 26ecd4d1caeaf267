// link: heddle_topologies_traffic
// What a probe reads of a DNS server's reply: no more addresses than it has answers, each from
// inside the packet.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"
#include "topologies/traffic/dns.h"

HEDDLE_FUZZ_TARGET(traffic_dns, data, size) {
  using namespace heddle::traffic;
  const std::string_view packet(reinterpret_cast<const char*>(data), size);
  const auto head = read_dns_answer(packet);
  for (const std::uint16_t type : {kDnsTypeA, kDnsTypeAaaa}) {
    auto addresses = read_dns_addresses(packet, type);
    if (!addresses) continue;
    HEDDLE_DEFECT("an address is read twice", if (!addresses->empty()) addresses->resize(
                                                  static_cast<std::size_t>(head->answers) + 1));
    if (!head || addresses->size() > static_cast<std::size_t>(head->answers)) std::abort();
    if (addresses->size() * (type == kDnsTypeA ? 4 : 16) > size) std::abort();
  }
  return 0;
}
