// link: heddle_netd_identity
// Text that people paste becomes a token or an error that names the broken part; a token's text is
// the only one that gives it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "netd/identity/join_token.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

HEDDLE_FUZZ_TARGET(join_token, data, size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = heddle::identity::parse_token(text);
  if (token) {
    std::string again = heddle::identity::format(*token);
    HEDDLE_DEFECT("a secret is cut", again.pop_back());
    CHECK(again == text);
  } else {
    CHECK(token.error().code() == heddle::Errc::invalid && token.error().text().size() < 300);
  }
  return 0;
}
