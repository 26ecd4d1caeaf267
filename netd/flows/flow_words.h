#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "dataplane/bpf/flow_ring.h"
#include "netd/flows/flow.h"
#include "netd/model/view.h"

namespace heddle::flows {

// Flows as people read them: by the names of the View. Pure.
class FlowWords final {
 public:
  using Callers = std::map<std::uint64_t, std::string>;  // workloads of this node by netns cookie

  // All borrowed. `wall_minus_monotonic` makes times of the programs' ones.
  FlowWords(const model::View& view, const Callers& callers,
            std::chrono::nanoseconds wall_minus_monotonic);

  Flow describe(const bpf::FlowEvent& event) const;

 private:
  std::string workload(Vni vni, const IpAddr& address) const;
  std::string node(const IpAddr& address) const;
  void describe_packet(const bpf::FlowEvent& event, Flow& flow) const;
  void describe_call(const bpf::FlowEvent& event, Flow& flow) const;

  const Callers& callers_;
  const std::chrono::nanoseconds offset_;
  std::map<Vni, std::string> networks_;
  std::map<std::pair<Vni, IpAddr>, std::string> workloads_;
  std::map<IpAddr, std::string> services_;
  std::map<IpAddr, std::pair<Vni, std::string>> vips_;
  std::map<IpAddr, std::string> nodes_;
};

// Whether the query lets it through.
bool matches(const Query& query, const Flow& flow);

// Errors: `invalid` with what the filter takes.
Result<> check(const Query& query);

}  // namespace heddle::flows
