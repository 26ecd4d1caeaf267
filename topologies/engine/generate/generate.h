#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.h"

// Lab files of regular shapes, as text. Pure: equal arguments give equal files.
namespace heddle::generate {

// Each node of a tier is joined with each of the next. The first tier is the one of the leaves.
struct Clos {
  std::vector<unsigned> tiers;
};
struct Ring {
  unsigned nodes = 0;
};
struct Line {
  unsigned nodes = 0;
};
struct Star {
  unsigned leaves = 0;
};
struct Mesh {
  unsigned nodes = 0;
};
struct Tree {
  unsigned fanout = 0;
  unsigned depth = 0;  // levels of links: 1 is a star
};
struct Grid {
  unsigned width = 0;
  unsigned height = 0;
};
// Connected: a random tree, and links between random pairs until nodes have `degree` on average.
struct Random {
  unsigned nodes = 0;
  unsigned degree = 0;
  std::uint64_t seed = 1;
};
// Hosts with heddled, and steps that make a swarm of them.
struct Swarm {
  unsigned hosts = 0;
};
using Shape = std::variant<Clos, Ring, Line, Star, Mesh, Tree, Grid, Random, Swarm>;

struct Options {
  // What nodes with more than one link are. bridge: the others are linux nodes of one subnet; only
  // of shapes without a loop.
  enum class Inner { linux, bridge };

  std::string name;     // of the lab; empty: the shape's
  std::string comment;  // the file's first line; empty: none
  Inner inner = Inner::linux;
  std::string node_prefix = "node";   // of nodes' names
  std::string group_prefix = "tier";  // of the groups of a clos' or tree's nodes
  unsigned links_per_pair = 1;
  bool addresses = true;  // of links: a /31 each
  bool routes = false;    // each node has a loopback address, and routes to all others'
  bool steps = false;     // that see each node reach each other; for this there are routes
};

inline constexpr unsigned kMaxGenerated = 10'000;  // nodes
inline constexpr unsigned kMaxGeneratedLinks = 30'000;
inline constexpr unsigned kMaxRouted = 200;  // nodes of a lab with routes: they grow as its square
inline constexpr unsigned kMaxSwarm = 200;   // hosts

// The file. Errors: `invalid` with the number that cannot be, and what can.
Result<std::string> generate(const Shape& shape, const Options& options);

}  // namespace heddle::generate
