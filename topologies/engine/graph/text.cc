#include "topologies/engine/graph/text.h"

#include <algorithm>

namespace heddle::graph {
namespace {

// Mermaid's labels are HTML in the end; its own entities are `#name;` and `#number;`.
std::string mermaid_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool special = std::string_view("\"<>&#;`\\|{}[]()").find(c) != std::string_view::npos;
    if (special || byte < 0x20 || byte == 0x7f) {
      out += "#" + std::to_string(byte) + ";";
    } else {
      out += c;
    }
  }
  return out;
}

std::string dot_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

// What a state looks like, in both.
std::string class_of(const Node& node) {
  if (node.state == "down") return "down";
  return node.state.empty() || node.state == "running" ? "" : "odd";
}

bool is_dark(const Link& link) {
  return link.state == "cut" || link.state == "down";
}

std::string impairment_of(const Link& link) {
  if (link.forward == link.backward) return link.forward;
  std::string out;
  if (!link.forward.empty()) out += "\u2192 " + link.forward;
  if (!link.backward.empty()) out += (out.empty() ? "" : " ") + ("\u2190 " + link.backward);
  return out;
}

std::string mermaid_node(const Node& node, std::size_t index) {
  std::string label = mermaid_text(node.name);
  if (!node.address.empty()) label += "<br/>" + mermaid_text(node.address);
  if (!class_of(node).empty()) label += "<br/>" + mermaid_text(node.state);
  const std::string id = "n" + std::to_string(index);
  if (node.kind == "bridge") return id + "{{\"" + label + "\"}}";
  if (node.kind == "underlay") return id + "([\"" + label + "\"])";
  if (node.kind == "host") return id + "[\"" + label + "\"]";
  return id + "(\"" + label + "\")";
}

}  // namespace

std::string format_mermaid(const Graph& graph) {
  std::string out = "---\ntitle: \"" + mermaid_text(graph.lab) + "\"\n---\ngraph LR\n";
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    out += "  " + mermaid_node(graph.nodes[i], i) + "\n";
  for (const Link& link : graph.links) {
    std::string label = mermaid_text(link.a.interface);
    if (!link.b.interface.empty()) label += " \u00b7 " + mermaid_text(link.b.interface);
    if (const std::string impairment = impairment_of(link); !impairment.empty())
      label += "<br/>" + mermaid_text(impairment);
    if (is_dark(link)) label += "<br/>" + link.state;
    out += "  n" + std::to_string(link.a.node) + (is_dark(link) ? " -.-|\"" : " ---|\"") + label +
           "\"| n" + std::to_string(link.b.node) + "\n";
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (const std::string kind = class_of(graph.nodes[i]); !kind.empty())
      out += "  class n" + std::to_string(i) + " " + kind + "\n";
  }
  return out +
         "  classDef down fill:#b3261e,color:#fff\n"
         "  classDef odd fill:#b26a00,color:#fff\n";
}

std::string format_dot(const Graph& graph) {
  std::string out = "graph " + dot_text(graph.lab) +
                    " {\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, "
                    "fontname=\"sans-serif\"];\n"
                    "  edge [fontname=\"sans-serif\", fontsize=9];\n";
  for (const Node& node : graph.nodes) {
    // A line break is `\n`, which dot_text would take for text.
    std::string label = dot_text(node.name);
    if (!node.address.empty()) {
      label.pop_back();
      label += "\\n" + dot_text(node.address).substr(1);
    }
    out += "  " + dot_text(node.name) + " [label=" + label;
    if (node.kind == "bridge") out += ", shape=hexagon";
    if (node.kind == "underlay") out += ", shape=ellipse";
    if (class_of(node) == "down") out += ", fillcolor=\"#e57373\"";
    if (class_of(node) == "odd") out += ", fillcolor=\"#ffb74d\"";
    out += "];\n";
  }
  for (const Link& link : graph.links) {
    out += "  " + dot_text(graph.nodes[link.a.node].name) + " -- " +
           dot_text(graph.nodes[link.b.node].name) + " [taillabel=" + dot_text(link.a.interface) +
           ", headlabel=" + dot_text(link.b.interface);
    if (const std::string impairment = impairment_of(link); !impairment.empty())
      out += ", label=" + dot_text(impairment);
    if (is_dark(link)) out += ", style=dashed, color=\"#b3261e\"";
    out += "];\n";
  }
  return out + "}\n";
}

}  // namespace heddle::graph
