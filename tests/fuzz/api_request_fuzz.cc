// link: heddle_netd_server
// What a caller of the API may send: requests are parsed as gRPC does and translated as the server
// does. The first byte chooses the request.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "netd/api/codec.h"
#include "netd/api/heddle.pb.h"
#include "netd/server/filters.h"
#include "netd/server/translate.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

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

// What the server makes of a request, or an error that is the caller's fault.
template <class Request, class Spec>
void ask(const std::uint8_t* data, std::size_t size, Spec (*read)(const Request&)) {
  Request request;
  if (!parse(request, data, size)) return;
  const Spec spec = read(request);
  CHECK(spec.has_value() ||
        (spec.error().code() == heddle::Errc::invalid && !spec.error().text().empty()));
}

// What was accepted can be stored and read again.
void create(const std::uint8_t* data, std::size_t size) {
  api::v1::CreateNetworkRequest request;
  if (!parse(request, data, size)) return;
  const auto spec = heddle::server::network_spec(request);
  if (!spec) return;
  heddle::model::Network network;
  network.name = "a";
  network.driver = "b";
  network.options = spec->options;
  network.labels = spec->labels;
  CHECK(api::decode<heddle::model::Network>(api::encode(network)).has_value());
}

void connect(const std::uint8_t* data, std::size_t size) {
  api::v1::ConnectRequest request;
  if (!parse(request, data, size)) return;
  for (const auto& port : request.ports()) translate(port);
  for (const auto& port : request.published()) translate(port);
  const auto spec = heddle::server::connect_spec(request);
  if (!spec) return;
  heddle::model::Endpoint endpoint;
  endpoint.ports = spec->ports;
  endpoint.published = spec->published;
  endpoint.sysctls = spec->sysctls;
  endpoint.mac = spec->mac.value_or(heddle::Mac{});
  CHECK(api::decode<heddle::model::Endpoint>(api::encode(endpoint)).has_value());
}

void list(const std::uint8_t* data, std::size_t size) {
  api::v1::ListNetworksRequest request;
  if (!parse(request, data, size)) return;
  const heddle::model::View view;
  if (const auto filter = heddle::server::network_filter(request.filters())) {
    (void)heddle::server::fits(*filter, view, heddle::model::Network());
  }
  const auto prune = heddle::server::prune_spec(request.filters(), heddle::model::Time());
  CHECK(prune || prune.error().code() == heddle::Errc::invalid);
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

HEDDLE_FUZZ_TARGET(api_request, data, size) {
  const google::protobuf::LogSilencer quiet;
  if (size == 0) return 0;
  ++data;
  --size;
  switch (data[-1] % 8) {
    case 0:
      connect(data, size);
      break;
    case 1:
      ask(data, size, heddle::server::run_spec);
      break;
    case 2:
      create_load_balancer(data, size);
      break;
    case 3:
      replies(data, size);
      break;
    case 4:
      create(data, size);
      break;
    case 5:
      ask(data, size, heddle::server::network_update);
      break;
    case 6:
      ask(data, size, heddle::server::publish_spec);
      break;
    default:
      list(data, size);
      break;
  }
  return 0;
}
