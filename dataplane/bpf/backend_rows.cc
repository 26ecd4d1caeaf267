#include "dataplane/bpf/backend_rows.h"

#include <algorithm>
#include <numeric>

#include "ebpf/abi/socket.h"

namespace heddle::bpf {
namespace {

using dataplane::BackendAddress;
using dataplane::BackendUse;

// How many rows each gets: its weight without the common divisor, or in proportion where that would
// be too many, but at least one.
std::vector<std::int64_t> shares_of(const std::vector<BackendAddress>& ready) {
  std::vector<std::int64_t> shares;
  std::int64_t divisor = 0;
  for (const BackendAddress& backend : ready) {
    shares.push_back(backend.weight);
    divisor = std::gcd(divisor, shares.back());
  }
  for (std::int64_t& share : shares) share /= divisor;
  const std::int64_t sum = std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
  if (sum <= HEDDLE_SERVICE_READY_ROWS_MAX) return shares;
  // What the least ones get above their proportion has room beside this.
  constexpr std::int64_t kRoom = HEDDLE_SERVICE_READY_ROWS_MAX - HEDDLE_SERVICE_BACKENDS_MAX;
  for (std::int64_t& share : shares) share = std::max<std::int64_t>(1, share * kRoom / sum);
  return shares;
}

}  // namespace

// Smooth weighted round robin: at each row everyone gains its share, the richest gets the row and
// pays the sum; of equals the first.
BackendRows rows_of(const std::vector<BackendAddress>& backends) {
  std::vector<BackendAddress> ready;
  std::vector<BackendAddress> others;
  for (const BackendAddress& backend : backends) {
    (backend.use == BackendUse::ready ? ready : others).push_back(backend);
  }
  BackendRows made;
  if (!ready.empty()) {
    const std::vector<std::int64_t> shares = shares_of(ready);
    const std::int64_t sum = std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
    std::vector<std::int64_t> gained(ready.size(), 0);
    for (std::int64_t row = 0; row < sum; ++row) {
      for (std::size_t i = 0; i < ready.size(); ++i) gained[i] += shares[i];
      const auto richest = std::ranges::max_element(gained);
      *richest -= sum;
      made.rows.push_back(ready[static_cast<std::size_t>(richest - gained.begin())]);
    }
  }
  made.ready = static_cast<std::uint32_t>(made.rows.size());
  made.rows.insert(made.rows.end(), others.begin(), others.end());
  return made;
}

}  // namespace heddle::bpf
