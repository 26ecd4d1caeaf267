#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "topologies/engine/format/lab.h"

// A lab's faults with nothing left to chance. Pure.
namespace heddle::faults {

using Milliseconds = std::chrono::milliseconds;

// One strike of a fault. Times count from the timeline's start.
struct Occurrence {
  std::string name;            // of its fault; may be empty
  format::FaultAction action;  // a partition has its sides
  std::vector<std::string> on;
  Milliseconds at{0};
  std::optional<Milliseconds> lasts{};
};

// Every strike of the lab's faults, by time; equal labs and seeds give equal timelines.
std::vector<Occurrence> expand(const format::Lab& lab, std::uint64_t seed);

// One strike by itself, whose choices this decides.
class Chance;
Occurrence strike_of(const format::Lab& lab, const format::FaultAction& action,
                     const format::Target& on, Chance& chance);

// What happens when; an undo before a strike of the same moment.
struct Event {
  enum class What { strike, undo };
  Milliseconds at{0};
  What what = What::strike;
  std::size_t occurrence = 0;
};
std::vector<Event> events_of(const std::vector<Occurrence>& occurrences);

// `kill h3`, `partition h1 from h2 and h3`; an event's own words: `h3 has power again`.
std::string describe(const Occurrence& occurrence);
std::string describe_undo(const Occurrence& occurrence);

// The fault that strikes just so, whatever the seed, and a lab whose faults are these.
format::Fault pinned(const Occurrence& occurrence);
format::Lab with_faults(format::Lab lab, const std::vector<Occurrence>& occurrences);

// `faults:` and `seed:` as a lab file has them.
std::string format_faults(const std::vector<Occurrence>& occurrences, std::uint64_t seed);

// The text of a lab file with its `faults:` and `seed:` replaced.
// Errors: `invalid` when the file is not written as one block of keys.
Result<std::string> replace_faults(const std::string& text, const std::string& faults);

}  // namespace heddle::faults
