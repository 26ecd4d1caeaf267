#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topologies/engine/control/message.h"
#include "topologies/engine/format/lab.h"

// A lab as something to look at. Pure.
namespace heddle::graph {

struct Node {
  std::string name;
  std::string kind;  // host, linux, bridge, machine (this one), underlay
  std::string group;
  std::string address;  // on the underlay
  std::string state;    // of a deployed lab: running, down, daemon dead, ...; empty: not deployed
  std::vector<std::pair<std::string, std::string>> details;  // what else there is to say
  std::vector<std::string> commands;                         // to copy into a shell
};

struct End {
  std::size_t node = 0;  // index
  std::string interface;
  std::vector<std::string> addresses;
};

// A link of the file, or of a host or node to the underlay: then `b` is the underlay's node.
struct Link {
  End a;
  End b;
  std::uint32_t mtu = 1500;
  std::string
      forward;  // what it does to packets from `a` to `b`, see format::describe; empty: nothing
  std::string backward;  // and to those from `b`
  std::string state;     // of a deployed lab: up, cut, down; empty: not deployed
  std::vector<std::string> commands;
};

struct Graph {
  std::string lab;
  std::vector<Node> nodes;
  std::vector<Link> links;

  std::optional<std::size_t> find(std::string_view node) const;
};

Graph graph_of(const format::Lab& lab);

// Adds how a deployed lab's hosts, nodes and links are.
void add_status(Graph& graph, const control::LabStatus& status);

// A word as a POSIX shell takes it unchanged.
std::string shell_word(std::string_view text);

}  // namespace heddle::graph
