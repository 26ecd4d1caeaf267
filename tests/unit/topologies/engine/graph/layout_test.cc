#include "topologies/engine/graph/layout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "topologies/engine/generate/generate.h"

namespace heddle::graph {
namespace {

Graph graph_of_shape(const generate::Shape& shape) {
  const auto text = generate::generate(shape, {});
  EXPECT_TRUE(text);
  const auto lab = format::parse_lab(*text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return graph_of(*lab);
}

double nearest(const std::vector<Point>& points) {
  double out = 1e9;
  for (std::size_t a = 0; a < points.size(); ++a) {
    for (std::size_t b = a + 1; b < points.size(); ++b)
      out = std::min(out, std::hypot(points[a].x - points[b].x, points[a].y - points[b].y));
  }
  return out;
}

TEST(Layout, NoTwoNodesStandOnEachOther) {
  for (const generate::Shape& shape : std::initializer_list<generate::Shape>{
           generate::Line{3}, generate::Ring{40}, generate::Star{60}, generate::Mesh{12},
           generate::Tree{3, 3}, generate::Grid{8, 8}, generate::Random{200, 4, 3},
           generate::Clos{{40, 8, 4}}, generate::Swarm{30}}) {
    const auto points = lay_out(graph_of_shape(shape));
    for (const Point& point : points) ASSERT_TRUE(std::isfinite(point.x) && std::isfinite(point.y));
    EXPECT_GE(nearest(points), kSpacing * 0.99) << shape.index();
  }
}

TEST(Layout, EqualGraphsHaveEqualPoints) {
  const Graph graph = graph_of_shape(generate::Random{50, 3, 9});
  const auto once = lay_out(graph);
  const auto again = lay_out(graph);
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].x, again[i].x);
    EXPECT_EQ(once[i].y, again[i].y);
  }
}

TEST(Layout, TiersAreRowsTheFirstAtTheBottom) {
  const Graph graph = graph_of_shape(generate::Clos{{4, 2, 1}});
  const auto points = lay_out(graph);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(points[i].y, points[0].y);
  EXPECT_EQ(points[4].y, points[5].y);
  EXPECT_LT(points[4].y, points[0].y);
  EXPECT_LT(points[6].y, points[4].y);
}

// What is joined is near, what is far over links is far: a line is about as long as its links.
TEST(Layout, ALineIsStretchedOut) {
  const auto points = lay_out(graph_of_shape(generate::Line{20}));
  EXPECT_GT(std::hypot(points[0].x - points[19].x, points[0].y - points[19].y), 12 * kSpacing);
  EXPECT_LT(std::hypot(points[0].x - points[1].x, points[0].y - points[1].y), 4 * kSpacing);
}

TEST(Layout, AGraphOfNothingOrOneIsNoSpecialCase) {
  EXPECT_TRUE(lay_out({}).empty());
  Graph one;
  one.nodes.emplace_back();
  EXPECT_EQ(lay_out(one).size(), 1U);
  Graph apart;
  apart.nodes.resize(3);
  EXPECT_GE(nearest(lay_out(apart)), kSpacing * 0.99);
}

TEST(Layout, ThousandsStandInAGrid) {
  const auto points = lay_out(graph_of_shape(generate::Ring{4000}));
  EXPECT_EQ(points.size(), 4000U);
  EXPECT_GE(nearest(points), kSpacing);
}

}  // namespace
}  // namespace heddle::graph
