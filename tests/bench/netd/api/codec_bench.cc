// What a node pays to read its state at start, and a manager to read a worker's report: one
// endpoint as bytes and back.
#include <benchmark/benchmark.h>

#include "common/base/check.h"
#include "netd/api/codec.h"

namespace heddle::api {
namespace {

model::Endpoint endpoint() {
  return {.id = "0123456789abcdef",
          .network = "00c0ffee00c0ffee",
          .workload = "fedcba9876543210",
          .workload_name = "web-1",
          .node = "00000000000000a1",
          .address = *IfAddr::parse("10.40.0.5/20"),
          .mac = *Mac::parse("02:00:0a:28:00:05"),
          .interface = "eth0",
          .aliases = {"www"},
          .service = "web",
          .ports = {{"http", 8080, model::Protocol::tcp, model::AppProtocol::http1}}};
}

void BM_EncodeEndpoint(benchmark::State& state) {
  const auto value = endpoint();
  for (auto _ : state) benchmark::DoNotOptimize(encode(value));
}
BENCHMARK(BM_EncodeEndpoint);

void BM_DecodeEndpoint(benchmark::State& state) {
  const std::string bytes = encode(endpoint());
  for (auto _ : state) {
    auto value = decode<model::Endpoint>(bytes);
    CHECK(value.has_value());
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(BM_DecodeEndpoint);

}  // namespace
}  // namespace heddle::api
