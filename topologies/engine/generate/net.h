#pragma once
// Inside this folder only: a shape as nodes and edges.
#include <cstddef>
#include <string>
#include <vector>

#include "topologies/engine/generate/generate.h"

namespace heddle::generate {

struct Edge {
  std::size_t a = 0;
  std::size_t b = 0;
};
struct Net {
  std::string shape;                // its name
  std::vector<std::string> names;   // of nodes
  std::vector<std::string> groups;  // as many, or none
  std::vector<Edge> edges;          // links_per_pair times each pair
};

// Errors: `invalid`.
Result<Net> net_of(const Shape& shape, const Options& options);

// How a node's packets get to another: over the nearest neighbours, all that are equally near.
// `hops[v]` are indices of edges; empty at `to` itself.
std::vector<std::vector<std::size_t>> next_hops(const Net& net, std::size_t to);

}  // namespace heddle::generate
