// link: heddle_netd_mesh
// What a process on the proxies' socket for sockets may ask: refused, or a proxy and a socket that
// give the same bytes again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "netd/mesh/socket_server.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

HEDDLE_FUZZ_TARGET(socket_question, data, size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto question = heddle::mesh::parse_socket_question(text);
  if (!question) {
    CHECK(question.error().code() == heddle::Errc::invalid);
    return 0;
  }
  HEDDLE_DEFECT("a name ends early", question->name.pop_back());
  CHECK(question->proxy + "\n" + question->name == text);
  CHECK(question->proxy.find('\n') == std::string::npos && question->proxy.size() < 256);
  CHECK(question->name.find('\n') == std::string::npos && question->name.size() < 256);
  return 0;
}
