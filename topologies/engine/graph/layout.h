#pragma once
#include <vector>

#include "topologies/engine/graph/graph.h"

namespace heddle::graph {

struct Point {
  double x = 0;
  double y = 0;
};

// Nodes are at least this far from each other.
inline constexpr double kSpacing = 110;

// Where each node is drawn. Nodes that all have groups, of two at least (but for the underlay's),
// stand in rows, the first group's at the bottom; others where their distances on paper come near
// to those over links. Pure: equal graphs give equal points.
std::vector<Point> lay_out(const Graph& graph);

}  // namespace heddle::graph
