#include "ctl/cmd/rate.h"

#include "common/net/rate.h"

namespace heddle::cmd {

Result<std::uint64_t> parse_rate(std::string_view flag, const std::string& text) {
  if (text.empty()) return 0;
  if (const auto rate = heddle::parse_rate(text)) return *rate;
  return fail(Errc::invalid,
              std::string(flag) + " '" + text + "' must be " + std::string(kRateForm));
}

}  // namespace heddle::cmd
