// link: heddle_proxy_control
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "proxy/control/config_store.h"
#include "proxy/control/grpc_stream.h"
#include "proxy/snapshot/decode.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// Bytes from heddled. Even first byte: one configuration message, applied on top of what came
// before; a message that is refused changes nothing. Odd: the HTTP/2 connection itself.
namespace {

using namespace heddle;

void apply(std::string_view bytes) {
  control::ConfigStore store(control::Sockets{{"web", nullptr}});
  const Deadline now = Deadline() + std::chrono::hours(1);
  for (int twice = 0; twice < 2; ++twice) {
    auto decoded = snapshot::decode(bytes);
    if (!decoded.message) {
      CHECK(!decoded.message.error().text().empty());
      return;
    }
    std::size_t groups = store.groups().size();
    const auto events = store.apply(*std::move(decoded.message), now);
    HEDDLE_DEFECT("a refused snapshot leaves a group behind", if (!events)++ groups);
    if (!events) CHECK(store.groups().size() == groups);
    (void)store.expire(now + std::chrono::seconds(6));
  }
}

}  // namespace

HEDDLE_FUZZ_TARGET(proxy_config, data, size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    apply(bytes);
    return 0;
  }
  control::GrpcStream stream("/s/M");
  stream.send("hello");
  (void)stream.take_output();
  if (stream.receive(bytes, [](std::string_view) {})) (void)stream.take_output();
  return 0;
}
