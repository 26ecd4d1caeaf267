#include "netd/flows/reader.h"

#include <algorithm>
#include <chrono>

#include "dataplane/netns/netns.h"
#include "netd/flows/flow_words.h"

namespace heddle::flows {
namespace {

using namespace std::chrono_literals;

std::chrono::nanoseconds wall_minus_monotonic() {
  return std::chrono::system_clock::now().time_since_epoch() -
         std::chrono::steady_clock::now().time_since_epoch();
}

// By the cookies of the namespaces that their sandboxes are now.
FlowWords::Callers callers_of(const model::View& view) {
  FlowWords::Callers callers;
  for (const auto& [id, workload] : view.workloads) {
    if (workload.sandbox.empty()) continue;
    const auto sandbox = netns::open(workload.sandbox);
    if (!sandbox) continue;
    if (const auto cookie = netns::cookie(sandbox->get())) callers[*cookie] = workload.name;
  }
  return callers;
}

bool is_strange(const bpf::FlowEvent& event, const FlowWords::Callers& callers) {
  return event.netns != 0 && !callers.contains(event.netns);
}

}  // namespace

Result<Page> Reader::read(Query query, Deadline deadline) {
  TRY_DO(check(query));
  constexpr auto kTurn = 200ms;  // other readers wait no longer
  const auto end = std::min(deadline, std::chrono::steady_clock::now() + query.wait);
  Page page{.flows = {}, .last = query.after, .lost = 0};
  FlowWords::Callers callers;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    TRY(const auto read, log_.read(page.last, query.one_of,
                                   std::clamp<std::chrono::milliseconds>(left, 0ms, kTurn)));
    page.last = read.last;
    page.lost += read.lost;
    const auto current = views_();
    const bool strange = std::ranges::any_of(
        read.events, [&](const auto& event) { return is_strange(event, callers); });
    if (strange) callers = callers_of(*current);
    const FlowWords words(*current, callers, wall_minus_monotonic());
    for (const bpf::FlowEvent& event : read.events) {
      Flow flow = words.describe(event);
      if (matches(query, flow)) page.flows.push_back(std::move(flow));
    }
    if (!page.flows.empty() || std::chrono::steady_clock::now() >= end) return page;
  }
}

}  // namespace heddle::flows
