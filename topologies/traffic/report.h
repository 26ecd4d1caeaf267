#pragma once
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "topologies/traffic/loads.h"
#include "topologies/traffic/measure.h"

// Inside this folder only: what loads print.
namespace heddle::traffic {

inline boost::json::array to_json(const Failures& failures) {
  boost::json::array out;
  for (const auto& failure : failures.first_ones())
    out.push_back({{"at_ms", failure.at.count()}, {"why", failure.why}});
  return out;
}

inline boost::json::object to_json(const Latencies& latencies) {
  return {{"p50", latencies.percentile_ms(50)},
          {"p99", latencies.percentile_ms(99)},
          {"max", latencies.max_ms()}};
}

// Prints the summary and judges it.
inline int conclude(boost::json::object summary, const Limits& limits, std::uint64_t lost,
                    Milliseconds longest_gap) {
  boost::json::array broken;
  if (limits.fail_on_loss && lost > 0) broken.push_back("something was lost or failed");
  if (limits.max_gap && longest_gap > *limits.max_gap)
    broken.push_back("the longest gap is longer than allowed");
  const int status = broken.empty() ? 0 : 1;
  summary["broken"] = std::move(broken);
  std::cout << boost::json::serialize(summary) << std::endl;
  return status;
}

}  // namespace heddle::traffic
