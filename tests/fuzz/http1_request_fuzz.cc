// link: heddle_proxy_http heddle_common_base
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"
#include "proxy/http/serialize.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// A request that is accepted is forwarded as bytes that the same parser reads the same way: nothing
// can mean one thing here and another at the target. And the scanner finds the same end however the
// bytes arrive.
namespace {

using namespace heddle::http;

void check_scanner(std::string_view bytes, const Limits& limits) {
  HeadScanner whole;
  const auto at_once = whole.scan(bytes, limits);
  HeadScanner slow;
  std::size_t seen = 0;
  while (seen < bytes.size()) {
    ++seen;
    const auto found = slow.scan(bytes.substr(0, seen), limits);
    if (!found) {
      CHECK(!at_once);
      return;
    }
    if (*found) {
      CHECK(at_once && *at_once && **at_once == **found && **found == seen);
      return;
    }
  }
  CHECK(at_once && !*at_once);
}

}  // namespace

HEDDLE_FUZZ_TARGET(http1_request, data, size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Limits limits;
  limits.head_bytes = 4096;
  limits.target_bytes = 512;
  limits.field_count = 32;
  if (size < 2048) check_scanner(bytes, limits);
  HeadScanner scanner;
  const auto end = scanner.scan(bytes, limits);
  if (!end || !*end) return 0;
  RequestHead head;
  if (parse_request(bytes.substr(0, **end), limits, head)) return 0;

  RequestEdit edit;
  edit.host = "10.0.0.1:80";
  edit.request_id = "id";
  std::string out;
  append_request(out, head, edit);
  HEDDLE_DEFECT("the client's framing is forwarded beside ours",
                out.insert(out.find("\r\n") + 2, "Content-Length: 7\r\n"));
  HeadScanner again_scanner;
  Limits wide;
  const auto again_end = again_scanner.scan(out, wide);
  CHECK(again_end && *again_end && **again_end == out.size());
  RequestHead again;
  CHECK(!parse_request(out, wide, again));
  CHECK(again.method == head.method);
  CHECK(again.path == head.path);
  CHECK(again.body == head.body);
  CHECK(head.host.empty() || again.host == head.host);
  CHECK(again.upgrade == head.upgrade);
  CHECK(again.expects_continue == head.expects_continue);
  (void)guess_protocol(bytes);
  return 0;
}
