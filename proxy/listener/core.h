#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/async/task_group.h"
#include "proxy/balance/random.h"
#include "proxy/io/deadline_queue.h"
#include "proxy/listener/destinations.h"
#include "proxy/listener/settings.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/metrics.h"
#include "proxy/upstream/group.h"

namespace heddle::listener {

// What all connections of one core share. Threads: the core's.
struct Core {
  Core(asio::any_io_executor exec, const Settings& set, telemetry::Metrics& met,
       telemetry::AccessLog& log, upstream::Shared& all, Destinations::Ask ask, std::uint64_t seed)
      : executor(exec),
        settings(set),
        metrics(met),
        access_log(log),
        shared(all),
        random(seed),
        deadlines(exec),
        shared_connections(exec),
        destinations(exec, std::move(ask)) {}

  asio::any_io_executor executor;
  const Settings settings;
  telemetry::Metrics& metrics;
  telemetry::AccessLog& access_log;
  upstream::Shared& shared;
  balance::Random random;
  io::DeadlineQueue deadlines;
  TaskGroup shared_connections;  // to targets that speak HTTP/2
  std::unordered_map<std::string, std::shared_ptr<upstream::Group>> groups;
  Destinations destinations;
  std::size_t connections = 0;

  std::shared_ptr<upstream::Group> find_group(const std::string& name) const {
    const auto found = groups.find(name);
    return found == groups.end() ? nullptr : found->second;
  }
};

}  // namespace heddle::listener
