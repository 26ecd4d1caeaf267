#include "topologies/engine/graph/page.h"

#include <boost/json.hpp>

#include "common/base/check.h"
#include "topologies/engine/graph/page_template.h"

namespace heddle::graph {
namespace {

namespace json = boost::json;

constexpr std::string_view kDataMark = "@DATA@";

json::array texts(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}
json::array numbers(const std::vector<std::size_t>& list) {
  return json::array(list.begin(), list.end());
}

json::object to_json(const Node& node, const Point& point) {
  json::array details;
  for (const auto& [key, value] : node.details) details.push_back(json::array{key, value});
  return {{"name", node.name},
          {"kind", node.kind},
          {"group", node.group},
          {"address", node.address},
          {"state", node.state},
          {"details", std::move(details)},
          {"commands", texts(node.commands)},
          {"x", static_cast<std::int64_t>(point.x)},
          {"y", static_cast<std::int64_t>(point.y)}};
}

json::object to_json(const End& end) {
  return {{"node", end.node}, {"interface", end.interface}, {"addresses", texts(end.addresses)}};
}

json::object to_json(const Link& link) {
  return {{"a", to_json(link.a)},
          {"b", to_json(link.b)},
          {"mtu", link.mtu},
          {"forward", link.forward},
          {"backward", link.backward},
          {"state", link.state},
          {"commands", texts(link.commands)}};
}

json::object to_json(const Event& event) {
  return {{"at", event.at_ms},
          {"kind", event.kind},
          {"subject", event.subject},
          {"text", event.text},
          {"effect", std::string(name_of(event.effect))},
          {"nodes", numbers(event.nodes)},
          {"links", numbers(event.links)}};
}

// JSON inside a script element: nothing in it may end the element or open a comment.
std::string script_safe(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      out += "\\u003c";
    } else if (c == '>') {
      out += "\\u003e";
    } else if (c == '&') {
      out += "\\u0026";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string format_html(const Graph& graph, const std::vector<Point>& points,
                        const std::vector<Event>& events) {
  CHECK(points.size() == graph.nodes.size());
  json::array nodes;
  for (std::size_t i = 0; i < points.size(); ++i)
    nodes.push_back(to_json(graph.nodes[i], points[i]));
  json::array links;
  for (const Link& link : graph.links) links.push_back(to_json(link));
  json::array timeline;
  for (const Event& event : events) timeline.push_back(to_json(event));
  const json::object data{{"lab", graph.lab},
                          {"nodes", std::move(nodes)},
                          {"links", std::move(links)},
                          {"events", std::move(timeline)}};
  const std::string_view page = kPageTemplate;
  const std::size_t at = page.find(kDataMark);
  CHECK(at != std::string_view::npos);
  std::string out(page.substr(0, at));
  out += script_safe(json::serialize(data));
  return out.append(page.substr(at + kDataMark.size()));
}

}  // namespace heddle::graph
