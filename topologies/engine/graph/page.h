#pragma once
#include <string>
#include <vector>

#include "topologies/engine/graph/graph.h"
#include "topologies/engine/graph/layout.h"
#include "topologies/engine/graph/timeline.h"

namespace heddle::graph {

// One page that needs nothing else: nodes and links to click on, and the events of a run, if there
// are any, under a slider. All that comes from a lab file or a report is data to it, never markup
// or script. `points`: as many as nodes.
std::string format_html(const Graph& graph, const std::vector<Point>& points,
                        const std::vector<Event>& events);

}  // namespace heddle::graph
