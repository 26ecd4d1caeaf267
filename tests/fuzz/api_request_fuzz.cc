// link: heddle_netd_api heddle_netd_api_heddle_proto
// What a caller of the API may send: requests that carry model messages are parsed as gRPC does,
// and each part goes through the translator. The first byte chooses the request.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "netd/api/codec.h"
#include "netd/api/heddle.pb.h"
#include "tests/fuzz/support/seeded.h"

namespace {

namespace api = heddle::api;

template <class Message>
void translate(const Message& message) {
  const auto value = api::from_proto(message);
  if (!value) {
    CHECK(value.error().code() == heddle::Errc::invalid);
    return;
  }
  Message again;
  api::to_proto(*value, again);
  HEDDLE_DEFECT("what is written back is empty", again.Clear());
  const auto back = api::from_proto(again);
  CHECK(back.has_value() && *back == *value);
}

template <class Request>
bool parse(Request& request, const std::uint8_t* data, std::size_t size) {
  return request.ParseFromArray(data, static_cast<int>(size));
}

void connect(const std::uint8_t* data, std::size_t size) {
  api::v1::ConnectRequest request;
  if (!parse(request, data, size)) return;
  for (const auto& port : request.ports()) translate(port);
}

void run(const std::uint8_t* data, std::size_t size) {
  api::v1::RunRequest request;
  if (!parse(request, data, size)) return;
  for (const auto& network : request.networks()) {
    for (const auto& port : network.ports()) translate(port);
  }
}

void create_load_balancer(const std::uint8_t* data, std::size_t size) {
  api::v1::CreateLoadBalancerRequest request;
  if (!parse(request, data, size)) return;
  for (const auto& listener : request.listeners()) translate(listener);
  for (const auto& group : request.target_groups()) translate(group);
}

void replies(const std::uint8_t* data, std::size_t size) {
  api::v1::ServiceDetails reply;
  if (!parse(reply, data, size)) return;
  translate(reply.service());
  for (const auto& backend : reply.backends()) translate(backend.endpoint());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const google::protobuf::LogSilencer quiet;
  if (size == 0) return 0;
  switch (data[0] % 4) {
    case 0:
      connect(data + 1, size - 1);
      break;
    case 1:
      run(data + 1, size - 1);
      break;
    case 2:
      create_load_balancer(data + 1, size - 1);
      break;
    default:
      replies(data + 1, size - 1);
      break;
  }
  return 0;
}
