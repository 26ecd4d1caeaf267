#include "netd/reconcile/network_number.h"

#include <set>

#include "common/base/stable_hash.h"

namespace heddle::reconcile {
namespace {

constexpr std::uint32_t kLocal = 0x8000'0000;

}  // namespace

NetworkNumbers number_networks(const model::View& view) {
  NetworkNumbers numbers;
  std::set<std::uint32_t> taken;
  for (const auto& [id, network] : view.networks) {
    std::uint32_t number = network.vni.value;
    if (number == 0) {
      number = static_cast<std::uint32_t>(stable_hash(id)) | kLocal;
      while (taken.contains(number)) number = (number + 1) | kLocal;
    }
    taken.insert(number);
    numbers.emplace(id, number);
  }
  return numbers;
}

}  // namespace heddle::reconcile
