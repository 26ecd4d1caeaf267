#include "dataplane/bpf/flow_ring.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "dataplane/bpf/loaded_flow_ring.h"
#include "dataplane/bpf/reasons.h"
#include "dataplane/bpf/table.h"
#include "ebpf/abi/flow.h"
#include "ebpf/abi/maps.h"

namespace heddle::bpf {
namespace {

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

SocketAddr at(__be32 address, __be16 port) {
  return {IpAddr::v4(ntohl(address)), ntohs(port)};
}

FlowEvent decode(const heddle_flow_event& event) {
  FlowEvent decoded{.at = std::chrono::nanoseconds(event.time),
                    .verdict = static_cast<FlowVerdict>(event.verdict),
                    .reason = {},
                    .netns = event.netns,
                    .vni = Vni{event.vni},
                    .bytes = event.bytes,
                    .ethertype = ntohs(event.ethertype),
                    .protocol = event.protocol,
                    .from = at(event.from, event.from_port),
                    .to = at(event.to, event.to_port),
                    .actual = at(event.actual, event.actual_port),
                    .node = IpAddr::v4(ntohl(event.node))};
  if (decoded.verdict == FlowVerdict::dropped || decoded.verdict == FlowVerdict::refused)
    decoded.reason = reason_label(event.reason);
  return decoded;
}

class LoadedFlowRing final : public FlowRing {
 public:
  using Watches = Table<__u32, heddle_watch>;
  explicit LoadedFlowRing(Watches watches) : watches_(std::move(watches)) {}

  Result<> open(int ring) {
    ring_.reset(ring_buffer__new(ring, &LoadedFlowRing::note, this, nullptr));
    if (!ring_) return fail_errno(errno, "open the ring of flows");
    return {};
  }

  Result<> watch(std::uint32_t one_of, std::chrono::milliseconds time) override {
    TRY(const auto before, watches_.find(0));
    heddle_watch entry = before.value_or(heddle_watch{});
    const auto nanoseconds = std::chrono::nanoseconds(time).count();
    entry.until = monotonic_ns() + static_cast<std::uint64_t>(nanoseconds);
    entry.one_of = std::max<std::uint32_t>(one_of, 1);
    return watches_.put(0, entry);
  }

  Result<std::vector<FlowEvent>> take(std::chrono::milliseconds patience) override {
    taken_.clear();
    const int got = ring_buffer__poll(ring_.get(), static_cast<int>(patience.count()));
    if (got < 0 && got != -EINTR) return fail_errno(-got, "read the ring of flows");
    return std::exchange(taken_, {});
  }

  Result<std::uint32_t> lost() override {
    TRY(const auto entry, watches_.find(0));
    return entry.value_or(heddle_watch{}).lost;
  }

 private:
  static int note(void* ring, void* data, std::size_t size) {
    heddle_flow_event event;
    if (size < sizeof event) return 0;
    std::memcpy(&event, data, sizeof event);
    if (event.verdict < HEDDLE_FLOW_VERDICTS)
      static_cast<LoadedFlowRing*>(ring)->taken_.push_back(decode(event));
    return 0;
  }

  struct Free {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  };
  Watches watches_;
  std::unique_ptr<ring_buffer, Free> ring_;
  std::vector<FlowEvent> taken_;
};

}  // namespace

Result<std::unique_ptr<FlowRing>> open_flow_ring(const Objects& objects) {
  TRY(auto watches, LoadedFlowRing::Watches::open(objects.map(HEDDLE_MAP_WATCH), HEDDLE_MAP_WATCH));
  auto ring = std::make_unique<LoadedFlowRing>(std::move(watches));
  TRY_DO(ring->open(objects.map(HEDDLE_MAP_FLOWS)));
  return ring;
}

}  // namespace heddle::bpf
