// link: heddle_proxy_http heddle_common_base
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"
#include "proxy/http/serialize.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// The first byte chooses whether the request was HEAD. A response that is accepted is written for
// the client as bytes that the same parser reads the same way.
HEDDLE_FUZZ_TARGET(http1_response, data, size) {
  using namespace heddle::http;
  if (size == 0) return 0;
  const ResponseContext context{(data[0] & 1) != 0};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  HeadScanner scanner;
  const auto end = scanner.scan(bytes, {});
  if (!end || !*end) return 0;
  ResponseHead head;
  if (parse_response(bytes.substr(0, **end), {}, context, head)) return 0;
  if (head.status == 101 || head.status < 200) {
    std::string interim;
    append_interim(interim, head);
    return 0;
  }
  ResponseEdit edit;
  edit.body = head.body;
  edit.close = head.body.kind == BodyKind::until_close;
  std::string out;
  append_response(out, head, edit);
  HEDDLE_DEFECT("the target's framing goes to the client beside ours",
                out.insert(out.find("\r\n") + 2, "Content-Length: 7\r\n"));
  ResponseHead again;
  CHECK(!parse_response(out, {}, context, again));
  CHECK(again.status == head.status);
  CHECK(again.body == head.body);
  return 0;
}
