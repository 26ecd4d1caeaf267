#include "topologies/engine/graph/layout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

namespace heddle::graph {
namespace {

constexpr double kLinkLength = 170;
constexpr double kRow = 190;              // from row to row
constexpr std::size_t kMaxSpring = 1500;  // nodes; beyond, distances of all pairs take too long
constexpr int kRounds = 40;
constexpr int kSweeps = 6;
constexpr int kPushes = 60;

using Neighbours = std::vector<std::vector<std::size_t>>;

Neighbours neighbours_of(const Graph& graph) {
  Neighbours out(graph.nodes.size());
  for (const Link& link : graph.links) {
    out[link.a.node].push_back(link.b.node);
    out[link.b.node].push_back(link.a.node);
  }
  return out;
}

// Each node's row, when the file says so.
std::optional<std::vector<std::size_t>> rows_of(const Graph& graph) {
  std::map<std::string, std::size_t> numbers;
  std::vector<std::size_t> rows;
  for (const Node& node : graph.nodes) {
    if (node.group.empty() && node.kind != "underlay") return std::nullopt;
    rows.push_back(numbers.emplace(node.group, numbers.size()).first->second);
  }
  if (numbers.size() < 2) return std::nullopt;
  return rows;
}

// Rows; in each, a node goes where its neighbours are on average, for as few crossings as that
// brings.
std::vector<Point> in_rows(const Graph& graph, const std::vector<std::size_t>& rows) {
  const Neighbours neighbours = neighbours_of(graph);
  std::vector<std::vector<std::size_t>> order(*std::ranges::max_element(rows) + 1);
  for (std::size_t i = 0; i < rows.size(); ++i) order[rows[i]].push_back(i);
  std::vector<Point> points(graph.nodes.size());
  std::size_t longest = 0;
  for (const auto& row : order) longest = std::max(longest, row.size());
  const double width = static_cast<double>(longest) * kSpacing * 1.2;
  const double height = std::max(kRow, width / 12);  // links of wide rows are flat else
  const auto place = [&](std::size_t row) {          // evenly over the whole width
    const double each = width / static_cast<double>(order[row].size());
    for (std::size_t i = 0; i < order[row].size(); ++i)
      points[order[row][i]] = {(static_cast<double>(i) + 0.5) * each - width / 2,
                               -height * static_cast<double>(row)};
  };
  for (std::size_t row = 0; row < order.size(); ++row) place(row);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t row = sweep % 2 ? order.size() - 1 - i : i;
      std::map<std::size_t, double> centre;
      for (const std::size_t node : order[row]) {
        double sum = 0;
        for (const std::size_t other : neighbours[node]) sum += points[other].x;
        const auto count = static_cast<double>(neighbours[node].size());
        centre[node] = count > 0 ? sum / count : points[node].x;
      }
      std::ranges::stable_sort(order[row], {}, [&](std::size_t node) { return centre[node]; });
      place(row);
    }
  }
  return points;
}

std::vector<Point> in_a_grid(const Graph& graph) {
  const auto columns =
      static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(graph.nodes.size()))));
  std::vector<Point> points;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    points.push_back({static_cast<double>(i % columns) * kSpacing * 1.2,
                      static_cast<double>(i / columns) * kSpacing * 1.2});
  return points;
}

// Links between each pair of nodes; between parts that nothing joins a little more than the
// longest.
std::vector<std::uint16_t> distances(const Neighbours& neighbours) {
  constexpr std::uint16_t kUnknown = 0xffff;
  const std::size_t count = neighbours.size();
  std::vector<std::uint16_t> out(count * count, kUnknown);
  std::uint16_t longest = 1;
  for (std::size_t from = 0; from < count; ++from) {
    std::uint16_t* of = &out[from * count];
    std::deque<std::size_t> reached{from};
    of[from] = 0;
    while (!reached.empty()) {
      const std::size_t at = reached.front();
      reached.pop_front();
      for (const std::size_t other : neighbours[at]) {
        if (of[other] != kUnknown) continue;
        of[other] = static_cast<std::uint16_t>(of[at] + 1);
        longest = std::max(longest, of[other]);
        reached.push_back(other);
      }
    }
  }
  const auto apart = static_cast<std::uint16_t>(std::min<int>(longest + 1, 12));
  std::ranges::replace(out, kUnknown, apart);
  return out;
}

// Pulls and pushes pairs to their distance, all pairs in a round, by less each round. Source:
// Zheng, Pawar and Goodman, "Graph drawing by stochastic gradient descent", 2018.
class Spring {
 public:
  explicit Spring(const Graph& graph) : count_(graph.nodes.size()) {
    distances_ = distances(neighbours_of(graph));
    for (std::size_t i = 0; i < count_; ++i) {
      const auto number = static_cast<double>(i);  // a sunflower's spiral: no two in one place
      points_.push_back({std::sqrt(number) * std::cos(number * 2.399963),
                         std::sqrt(number) * std::sin(number * 2.399963)});
      for (std::size_t j = i + 1; j < count_; ++j) pairs_.emplace_back(i, j);
    }
  }

  std::vector<Point> run() {
    if (pairs_.empty()) return points_;
    const double longest = *std::ranges::max_element(distances_);
    const double first = longest * longest;
    const double last = 0.1;
    for (int round = 0; round < kRounds; ++round) {
      const double step = first * std::pow(last / first, round / (kRounds - 1.0));
      shuffle();
      for (const auto& [a, b] : pairs_) move(a, b, step);
    }
    for (Point& point : points_) point = {point.x * kLinkLength, point.y * kLinkLength};
    return points_;
  }

 private:
  void move(std::size_t a, std::size_t b, double step) {
    const double wanted = distances_[a * count_ + b];
    const double share = std::min(1.0, step / (wanted * wanted));
    const double dx = points_[a].x - points_[b].x;
    const double dy = points_[a].y - points_[b].y;
    const double is = std::max(std::hypot(dx, dy), 1e-6);
    const double by = share * (is - wanted) / (2 * is);
    points_[a].x -= by * dx;
    points_[a].y -= by * dy;
    points_[b].x += by * dx;
    points_[b].y += by * dy;
  }
  void shuffle() {
    for (std::size_t i = pairs_.size(); i > 1; --i) {
      seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
      std::swap(pairs_[i - 1], pairs_[(seed_ >> 33) % i]);
    }
  }

  std::size_t count_;
  std::vector<std::uint16_t> distances_;
  std::vector<Point> points_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs_;
  std::uint64_t seed_ = 1;
};

// Nodes that stand on each other move apart; where that does not suffice, all grows.
void spread(std::vector<Point>& points) {
  double nearest = kSpacing;
  for (int push = 0; push <= kPushes; ++push) {
    nearest = kSpacing;
    for (std::size_t a = 0; a < points.size(); ++a) {
      for (std::size_t b = a + 1; b < points.size(); ++b) {
        double dx = points[b].x - points[a].x;
        double dy = points[b].y - points[a].y;
        if (std::abs(dx) >= kSpacing || std::abs(dy) >= kSpacing) continue;
        double is = std::hypot(dx, dy);
        if (is >= kSpacing) continue;
        nearest = std::min(nearest, is);
        if (push == kPushes) continue;  // the last only looks
        if (is < 1e-3) {
          dx = 1 + static_cast<double>(a % 7);
          dy = 1 + static_cast<double>(b % 5);
          is = std::hypot(dx, dy);
          points[b] = {points[b].x + dx, points[b].y + dy};
        }
        const double by = (kSpacing - is) / (2 * is) * 1.05;
        points[a] = {points[a].x - dx * by, points[a].y - dy * by};
        points[b] = {points[b].x + dx * by, points[b].y + dy * by};
      }
    }
    if (nearest >= kSpacing) return;
  }
  const double factor = kSpacing / std::max(nearest, 1.0);
  for (Point& point : points) point = {point.x * factor, point.y * factor};
}

}  // namespace

std::vector<Point> lay_out(const Graph& graph) {
  if (const auto rows = rows_of(graph)) return in_rows(graph, *rows);
  if (graph.nodes.size() > kMaxSpring) return in_a_grid(graph);
  std::vector<Point> points = Spring(graph).run();
  spread(points);
  return points;
}

}  // namespace heddle::graph
