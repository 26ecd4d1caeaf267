#include "dataplane/bpf/reasons.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "ebpf/abi/drop.h"

namespace heddle::bpf {
namespace {

constexpr std::array<std::string_view, HEDDLE_DROP_COUNT> kReasons = {
#define HEDDLE_DROP_NAME(name, text) #name,
    HEDDLE_DROP_REASONS(HEDDLE_DROP_NAME)
#undef HEDDLE_DROP_NAME
};

}  // namespace

std::string reason_label(std::uint32_t reason) {
  if (reason >= kReasons.size()) return "reason_" + std::to_string(reason);
  std::string label(kReasons[reason]);
  std::ranges::transform(label, label.begin(), [](unsigned char c) { return std::tolower(c); });
  return label;
}

bool is_reason(std::string_view label) {
  for (std::uint32_t reason = 0; reason < kReasons.size(); ++reason) {
    if (reason_label(reason) == label) return true;
  }
  return false;
}

}  // namespace heddle::bpf
