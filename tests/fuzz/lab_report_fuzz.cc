// link: heddle_topologies_engine_graph
// Whatever a report holds, it is read or refused, what it names is in the graph, and its page holds
// nothing that a browser would take for markup.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"
#include "topologies/engine/graph/page.h"

HEDDLE_FUZZ_TARGET(lab_report, data, size) {
  using namespace heddle;
  static const graph::Graph graph = graph::graph_of(*format::parse_lab(
      "name: fuzz\nhosts: {h1: {}, h2: {}}\n"
      "topology: {nodes: {n: {}}, links: [{endpoints: [\"h1:eth1\", \"n:eth1\"]}]}\n",
      "f.yml", {}));
  static const std::size_t plain = graph::format_html(graph, graph::lay_out(graph), {}).size();
  const auto events =
      graph::read_report(std::string_view(reinterpret_cast<const char*>(data), size), graph);
  if (!events) return 0;
  std::int64_t before = 0;
  for (const graph::Event& event : *events) {
    for (const std::size_t node : event.nodes) {
      if (node >= graph.nodes.size()) std::abort();
    }
    for (const std::size_t link : event.links) {
      if (link >= graph.links.size()) std::abort();
    }
    if (event.at_ms < before) std::abort();
    before = event.at_ms;
  }
  std::string page = graph::format_html(graph, graph::lay_out(graph), *events);
  HEDDLE_DEFECT("a report's text is markup", page.insert(page.find("</script>"), "<"));
  const std::size_t start = page.find("id=\"data\">") + 10;
  const std::size_t end = page.find("</script>", start);
  if (page.size() < plain || page.substr(start, end - start).find('<') != std::string::npos)
    std::abort();
  return 0;
}
