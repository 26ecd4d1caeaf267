#include "topologies/engine/generate/net.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <set>
#include <utility>

namespace heddle::generate {
namespace {

constexpr unsigned kMaxLinksPerPair = 16;

// Equal on every machine, which std's distributions are not. Source: Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014.
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t bound) {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31)) % bound;
  }

 private:
  std::uint64_t state_;
};

Error out_of_range(const std::string& what, std::uint64_t got, std::uint64_t least,
                   std::uint64_t most) {
  return {Errc::invalid, what + " must be a number from " + std::to_string(least) + " to " +
                             std::to_string(most) + ", not " + std::to_string(got)};
}

class Builder {
 public:
  explicit Builder(const Options& options) : options_(options) {}

  Result<Net> operator()(const Clos& clos) {
    net_.shape = "clos";
    if (clos.tiers.size() < 2 || clos.tiers.size() > 8)
      return fail(Errc::invalid, "a clos has 2 to 8 tiers, such as 4,2,1; not " +
                                     std::to_string(clos.tiers.size()));
    std::size_t below = 0;  // the first node of the tier before
    for (std::size_t tier = 0; tier < clos.tiers.size(); ++tier) {
      const unsigned size = clos.tiers[tier];
      if (size < 1 || size > kMaxGenerated)
        return std::unexpected(out_of_range("a tier's size", size, 1, kMaxGenerated));
      const std::size_t first = net_.names.size();
      const std::string number = std::to_string(tier + 1);
      for (unsigned i = 1; i <= size; ++i) {
        net_.names.push_back(options_.node_prefix + number + "-" + std::to_string(i));
        net_.groups.push_back(options_.group_prefix + "-" + number);
      }
      if (tier > 0 && !fits((first - below) * size)) return too_many_links();
      for (std::size_t a = below; tier > 0 && a < first; ++a) {
        for (std::size_t b = first; b < net_.names.size(); ++b) join(a, b);
      }
      below = first;
    }
    return done();
  }
  Result<Net> operator()(const Ring& ring) {
    TRY_DO(add_nodes("ring", "a ring's size", ring.nodes, 3, kMaxGenerated));
    for (std::size_t i = 0; i < ring.nodes; ++i) join(i, (i + 1) % ring.nodes);
    return done();
  }
  Result<Net> operator()(const Line& line) {
    TRY_DO(add_nodes("line", "a line's size", line.nodes, 2, kMaxGenerated));
    for (std::size_t i = 0; i + 1 < line.nodes; ++i) join(i, i + 1);
    return done();
  }
  Result<Net> operator()(const Star& star) {
    if (star.leaves < 1 || star.leaves >= kMaxGenerated)
      return std::unexpected(out_of_range("a star's size", star.leaves, 1, kMaxGenerated - 1));
    net_.shape = "star";
    net_.names.push_back("hub");
    for (unsigned i = 1; i <= star.leaves; ++i) {
      net_.names.push_back(options_.node_prefix + std::to_string(i));
      join(0, i);
    }
    return done();
  }
  Result<Net> operator()(const Mesh& mesh) {
    TRY_DO(add_nodes("mesh", "a mesh's size", mesh.nodes, 2, kMaxGenerated));
    if (!fits(std::uint64_t{mesh.nodes} * (mesh.nodes - 1) / 2)) return too_many_links();
    for (std::size_t a = 0; a < mesh.nodes; ++a) {
      for (std::size_t b = a + 1; b < mesh.nodes; ++b) join(a, b);
    }
    return done();
  }
  Result<Net> operator()(const Tree& tree) {
    net_.shape = "tree";
    if (tree.fanout < 1 || tree.fanout > 1000)
      return std::unexpected(out_of_range("--fanout", tree.fanout, 1, 1000));
    if (tree.depth < 1 || tree.depth > 20)
      return std::unexpected(out_of_range("--depth", tree.depth, 1, 20));
    add_of_tree(0, 0);
    std::size_t parent = 0;
    for (unsigned level = 1; level <= tree.depth; ++level) {
      const std::size_t end = net_.names.size();
      for (unsigned number = 0; parent < end; ++parent) {
        for (unsigned i = 0; i < tree.fanout; ++i) {
          if (net_.names.size() >= kMaxGenerated)
            return fail(Errc::invalid, "a tree of fan-out " + std::to_string(tree.fanout) +
                                           " and depth " + std::to_string(tree.depth) +
                                           " has more than " + std::to_string(kMaxGenerated) +
                                           " nodes");
          add_of_tree(level, number++);
          join(parent, net_.names.size() - 1);
        }
      }
    }
    return done();
  }
  Result<Net> operator()(const Grid& grid) {
    net_.shape = "grid";
    for (const unsigned side : {grid.width, grid.height}) {
      if (side < 1 || side > kMaxGenerated)
        return std::unexpected(out_of_range("a grid's side", side, 1, kMaxGenerated));
    }
    if (const auto size = std::uint64_t{grid.width} * grid.height; size < 2 || size > kMaxGenerated)
      return std::unexpected(out_of_range("a grid's nodes", size, 2, kMaxGenerated));
    for (unsigned y = 0; y < grid.height; ++y) {
      for (unsigned x = 0; x < grid.width; ++x) {
        const std::size_t self = net_.names.size();
        net_.names.push_back(options_.node_prefix + std::to_string(x + 1) + "-" +
                             std::to_string(y + 1));
        if (x > 0) join(self - 1, self);
        if (y > 0) join(self - grid.width, self);
      }
    }
    return done();
  }
  Result<Net> operator()(const Random& random) {
    TRY_DO(add_nodes("random", "the number of nodes", random.nodes, 2, kMaxGenerated));
    if (random.degree < 1 || random.degree >= random.nodes)
      return std::unexpected(out_of_range("--degree", random.degree, 1, random.nodes - 1));
    SplitMix chance(random.seed);
    std::set<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t i = 1; i < random.nodes; ++i) pairs.emplace(chance.below(i), i);
    const std::uint64_t wanted = std::uint64_t{random.nodes} * random.degree / 2;
    if (!fits(wanted)) return too_many_links();
    while (pairs.size() < wanted) {
      const std::size_t a = chance.below(random.nodes);
      const std::size_t b = chance.below(random.nodes);
      if (a != b) pairs.emplace(std::min(a, b), std::max(a, b));
    }
    for (const auto& [a, b] : pairs) join(a, b);
    return done();
  }
  Result<Net> operator()(const Swarm&) {
    return fail(Errc::internal, "a swarm's hosts are on the underlay");
  }

 private:
  Result<> add_nodes(const std::string& shape, const std::string& what, unsigned count,
                     unsigned least, unsigned most) {
    net_.shape = shape;
    if (count < least || count > most)
      return std::unexpected(out_of_range(what, count, least, most));
    for (unsigned i = 1; i <= count; ++i)
      net_.names.push_back(options_.node_prefix + std::to_string(i));
    return {};
  }
  void add_of_tree(unsigned level, unsigned number) {
    net_.names.push_back(options_.node_prefix + std::to_string(level) + "-" +
                         std::to_string(number + 1));
    net_.groups.push_back(options_.group_prefix + "-" + std::to_string(level));
  }
  void join(std::size_t a, std::size_t b) {
    for (unsigned i = 0; i < options_.links_per_pair; ++i) net_.edges.push_back({a, b});
  }
  bool fits(std::uint64_t more_pairs) const {
    return net_.edges.size() + more_pairs * options_.links_per_pair <= kMaxGeneratedLinks;
  }
  static Result<Net> too_many_links() {
    return fail(Errc::invalid,
                "more than " + std::to_string(kMaxGeneratedLinks) + " links; choose fewer nodes");
  }
  Result<Net> done() {
    if (net_.names.size() > kMaxGenerated)
      return fail(Errc::invalid, std::to_string(net_.names.size()) + " nodes; at most " +
                                     std::to_string(kMaxGenerated) + " are possible");
    if (!fits(0)) return too_many_links();
    return std::move(net_);
  }

  const Options& options_;
  Net net_;
};

}  // namespace

Result<Net> net_of(const Shape& shape, const Options& options) {
  if (options.links_per_pair < 1 || options.links_per_pair > kMaxLinksPerPair)
    return std::unexpected(
        out_of_range("--links-per-pair", options.links_per_pair, 1, kMaxLinksPerPair));
  return std::visit(Builder(options), shape);
}

std::vector<std::vector<std::size_t>> next_hops(const Net& net, std::size_t to) {
  std::vector<std::vector<std::size_t>> edges_of(net.names.size());
  for (std::size_t i = 0; i < net.edges.size(); ++i) {
    edges_of[net.edges[i].a].push_back(i);
    edges_of[net.edges[i].b].push_back(i);
  }
  constexpr auto kFar = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> distance(net.names.size(), kFar);
  std::vector<std::vector<std::size_t>> hops(net.names.size());
  std::deque<std::size_t> reached{to};
  distance[to] = 0;
  while (!reached.empty()) {
    const std::size_t at = reached.front();
    reached.pop_front();
    for (const std::size_t edge : edges_of[at]) {
      const std::size_t other = net.edges[edge].a == at ? net.edges[edge].b : net.edges[edge].a;
      if (distance[other] == kFar) {
        distance[other] = distance[at] + 1;
        reached.push_back(other);
      }
      if (distance[other] == distance[at] + 1) hops[other].push_back(edge);
    }
  }
  return hops;
}

}  // namespace heddle::generate
