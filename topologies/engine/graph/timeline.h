#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "topologies/engine/graph/graph.h"

namespace heddle::graph {

// What an event does to how its subjects look from then on. note: nothing. restored: a fault's
// effect, whichever it was, is over.
enum class Effect { note, down, up, cut, mended, impaired, cleared, failed, held, restored };
std::string_view name_of(Effect effect);

// Something that happened in a run, on nodes and links of a graph.
struct Event {
  std::int64_t at_ms = 0;  // since the run's start
  std::string kind;        // step, check, fault, ...: as the report has it
  std::string subject;     // in the report's words
  std::string text;
  Effect effect = Effect::note;
  std::vector<std::size_t> nodes;  // indices: the subjects that the graph has
  std::vector<std::size_t> links;
};

// Reads what `heddle lab run --format json` printed: its `steps` (at their `at_ms`, or one after
// the other) and the `entries` of its `timeline`, whose subjects are what they are `on`; or, where
// there are, `events`, objects with `at_ms`, `kind`, `subject`, `text` and `ok`. What an event
// lacks is taken for empty, what it has beyond is left alone. In order of time. Errors: `invalid`
// when it is no report, or one of another lab.
Result<std::vector<Event>> read_report(std::string_view json, const Graph& graph);

inline constexpr std::size_t kMaxReport = 64U << 20;  // bytes
inline constexpr std::size_t kMaxEvents = 20'000;     // more are left out, the latest first

}  // namespace heddle::graph
