#pragma once
#include <string>

#include "topologies/engine/graph/graph.h"

// A graph as other programs read it.
namespace heddle::graph {

// Mermaid's flowchart, as GitHub and others show it in a fenced block.
std::string format_mermaid(const Graph& graph);

// Graphviz: `dot -Tsvg`, or `neato` for labs without tiers.
std::string format_dot(const Graph& graph);

}  // namespace heddle::graph
