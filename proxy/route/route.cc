#include "proxy/route/route.h"

namespace heddle::route {

const std::string& choose_group(const snapshot::Forward& forward, std::uint64_t random) {
  std::uint64_t sum = 0;
  for (const auto& group : forward.groups) sum += group.weight;
  std::uint64_t at = sum ? random % sum : 0;
  for (const auto& group : forward.groups) {
    if (at < group.weight) return group.group;
    at -= group.weight;
  }
  return forward.groups.front().group;
}

}  // namespace heddle::route
