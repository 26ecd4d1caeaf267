// link: heddle_topologies_engine_control
// What a lab's daemon reads from its socket: refused or equal to what would be sent again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"
#include "topologies/engine/control/message.h"

HEDDLE_FUZZ_TARGET(lab_control, data, size) {
  using namespace heddle::control;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = decode_request(text)) {
    auto wire = encode(*request);
    HEDDLE_DEFECT("a request is cut", wire.pop_back());
    const auto again = decode_request(wire);
    if (!again || *again != *request) std::abort();
  }
  if (const auto reply = decode_reply(text)) {
    const auto again = decode_reply(encode(*reply));
    if (!again || again->result != reply->result || again->status != reply->status) std::abort();
    if (again->events != reply->events || again->text != reply->text) std::abort();
  }
  (void)decode_progress(text);
  return 0;
}
