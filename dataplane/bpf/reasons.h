#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace heddle::bpf {

// `no_endpoint`: how an enum heddle_drop_reason is called everywhere. One of a newer program is
// `reason_99`.
std::string reason_label(std::uint32_t reason);
bool is_reason(std::string_view label);

}  // namespace heddle::bpf
