#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "topologies/engine/capture/tap.h"
#include "topologies/engine/control/message.h"

namespace heddle::capture {

// Where a link's end is, by its name: NODE:INTERFACE, also a bridge's port, or NODE alone for its
// link to the underlay. `switch_netns`: where the lab's bridges are.
// Errors: `not_found` naming what is nearest; `unavailable` when the node is down.
Result<Place> find_place(const std::string& link, const control::LabStatus& status,
                         const std::string& switch_netns);

struct Limits {
  std::optional<std::uint64_t> count{};  // packets
  std::optional<std::chrono::milliseconds> time{};
  std::uint32_t snaplen = 262'144;  // bytes of each packet
};
struct Summary {
  enum class Why { count, time, stopped, reader_gone, link_gone };
  Why why = Why::stopped;
  std::uint64_t packets = 0;
  std::uint64_t dropped = 0;
};

struct Descriptors {
  int output = -1;  // a file or a pipe; blocking
  int stop = -1;    // ends the capture when it is readable; -1: nothing does
};

// Writes what a link's end sees as pcapng, each packet as soon as it came, until a limit, `stop`,
// or the end of the reader or of the link. The file is whole whenever it ends. Errors: those of
// Tap; else of writing.
Result<Summary> capture(const Place& place, const Limits& limits, const Descriptors& descriptors);

}  // namespace heddle::capture
