// link: heddle_netd_api
// Bytes of a store or a peer become a model value or an error; a value survives a round trip. The
// first byte chooses the type.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "netd/api/codec.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

namespace {

template <class T>
void round_trip(std::string_view bytes) {
  const auto value = heddle::api::decode<T>(bytes);
  if (!value) {
    CHECK(value.error().code() == heddle::Errc::invalid && !value.error().text().empty());
    return;
  }
  std::string again = heddle::api::encode(*value);
  HEDDLE_DEFECT("the last byte is not written", if (!again.empty()) again.pop_back());
  const auto back = heddle::api::decode<T>(again);
  CHECK(back.has_value());
  CHECK(*back == *value);
  CHECK(heddle::api::encode(*back) == again);
}

}  // namespace

HEDDLE_FUZZ_TARGET(model_codec, data, size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  namespace model = heddle::model;
  switch (data[0] % 9) {
    case 0:
      round_trip<model::Network>(bytes);
      break;
    case 1:
      round_trip<model::Workload>(bytes);
      break;
    case 2:
      round_trip<model::Endpoint>(bytes);
      break;
    case 3:
      round_trip<model::Service>(bytes);
      break;
    case 4:
      round_trip<model::Node>(bytes);
      break;
    case 5:
      round_trip<model::AddressBlock>(bytes);
      break;
    case 6:
      round_trip<model::Sidecar>(bytes);
      break;
    case 7:
      round_trip<model::LoadBalancer>(bytes);
      break;
    default:
      round_trip<model::Swarm>(bytes);
      break;
  }
  return 0;
}
