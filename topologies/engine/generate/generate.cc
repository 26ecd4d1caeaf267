#include "topologies/engine/generate/generate.h"

#include <algorithm>

#include "common/net/ip.h"
#include "topologies/engine/format/reader.h"
#include "topologies/engine/format/scalar.h"
#include "topologies/engine/generate/net.h"

namespace heddle::generate {
namespace {

using format::yaml_scalar;

constexpr std::uint32_t kLinks = 10U << 24 | 128U << 16;      // 10.128.0.0/9, a /31 for each link
constexpr std::uint32_t kLoopbacks = 10U << 24 | 127U << 16;  // 10.127.0.0/16
constexpr std::size_t kExecBytes = 16'000;     // of one line: Linux takes 128 KiB (execve(2))
constexpr std::size_t kAtOnce = 32;            // places of a step
constexpr std::size_t kMaxHops = 16;           // of a route
constexpr std::size_t kMaxBridgePorts = 1023;  // Linux's BR_MAX_PORTS

// Prints a route, over those links that are there: not those to nodes that a filter leaves out.
constexpr std::string_view kTo =
    "to() { d=$1; n=; shift; while [ $# -gt 0 ]; do [ ! -e /sys/class/net/$1 ] || "
    "n=\"$n nexthop via $2\"; shift 2; done; [ -z \"$n\" ] || echo \"route add $d$n\"; }; ";

std::string loopback_of(std::size_t node) {
  return IpAddr::v4(kLoopbacks + static_cast<std::uint32_t>(node) + 1).format();
}

class Writer {
 public:
  Writer(const Net& net, const Options& options)
      : net_(net),
        options_(options),
        interfaces_(net.names.size()),
        degree_(net.names.size()),
        bridged_(options.inner == Options::Inner::bridge),
        routes_(options.routes || (options.steps && !bridged_)) {
    for (const Edge& edge : net_.edges) {
      ++degree_[edge.a];
      ++degree_[edge.b];
      ends_.emplace_back("eth" + std::to_string(++interfaces_[edge.a]),
                         "eth" + std::to_string(++interfaces_[edge.b]));
    }
  }

  Result<std::string> run() {
    TRY_DO(check());
    if (!options_.comment.empty()) out_ += "# " + options_.comment + "\n";
    out_ += "name: " + yaml_scalar(options_.name.empty() ? net_.shape : options_.name) + "\n";
    out_ += "topology:\n";
    if (routes_) {
      // Replies may come by another of several equal ways than the kernel would take.
      out_ +=
          "  defaults:\n    sysctls:\n      net.ipv4.ip_forward: \"1\"\n"
          "      net.ipv4.conf.all.rp_filter: \"0\"\n"
          "      net.ipv4.conf.default.rp_filter: \"0\"\n";
      plan_routes();
    }
    out_ += "  nodes:\n";
    for (std::size_t node = 0; node < net_.names.size(); ++node) write_node(node);
    out_ += "  links:\n";
    for (std::size_t edge = 0; edge < net_.edges.size(); ++edge) write_link(edge);
    if (options_.steps) write_steps();
    return std::move(out_);
  }

 private:
  Result<> check() const {
    if (routes_ && net_.names.size() > kMaxRouted)
      return fail(Errc::invalid, "--routes is for at most " + std::to_string(kMaxRouted) +
                                     " nodes; this lab has " + std::to_string(net_.names.size()));
    if (routes_ && !options_.addresses)
      return fail(Errc::invalid, "routes need addresses; leave --addresses=false out");
    if (!bridged_) return {};
    if (const std::size_t most = std::ranges::max(degree_); most > kMaxBridgePorts)
      return fail(Errc::invalid, "a bridge of this lab would have " + std::to_string(most) +
                                     " links; a Linux bridge has at most " +
                                     std::to_string(kMaxBridgePorts) +
                                     " ports. Make it smaller, or of linux nodes");
    if (options_.routes)
      return fail(Errc::invalid,
                  "--routes is of no use with bridges: the nodes around them share a subnet");
    if (options_.steps && !options_.addresses)
      return fail(Errc::invalid, "the steps need addresses; leave --addresses=false out");
    if (net_.edges.size() >= net_.names.size())
      return fail(Errc::invalid, "a " + net_.shape +
                                     " of bridges has a loop, around which frames go for ever; "
                                     "bridges are for star, tree and line with one link per pair");
    if (std::ranges::none_of(degree_, [](unsigned degree) { return degree > 1; }))
      return fail(Errc::invalid, "a " + net_.shape + " of two nodes has no inner node");
    return {};
  }

  bool is_bridge(std::size_t node) const { return bridged_ && degree_[node] > 1; }

  // From each node to each other's loopback.
  void plan_routes() {
    routes_of_.resize(net_.names.size());
    for (std::size_t to = 0; to < net_.names.size(); ++to) {
      const auto hops = next_hops(net_, to);
      for (std::size_t from = 0; from < net_.names.size(); ++from) {
        if (from == to) continue;
        std::string route = "to '" + loopback_of(to) + " src " + loopback_of(from) + "'";
        const std::size_t count = std::min(hops[from].size(), kMaxHops);
        for (std::size_t i = 0; i < count; ++i)
          route +=
              " " + near_interface(hops[from][i], from) + " " + far_address(hops[from][i], from);
        routes_of_[from].push_back(std::move(route));
      }
    }
  }
  const std::string& near_interface(std::size_t edge, std::size_t from) const {
    return net_.edges[edge].a == from ? ends_[edge].first : ends_[edge].second;
  }
  std::string far_address(std::size_t edge, std::size_t from) const {
    const bool from_a = net_.edges[edge].a == from;
    return IpAddr::v4(kLinks + static_cast<std::uint32_t>(2 * edge) + (from_a ? 1 : 0)).format();
  }

  void write_node(std::size_t node) {
    out_ += "    " + yaml_scalar(net_.names[node]) + ":";
    std::string inside;
    if (is_bridge(node)) inside += "kind: bridge";
    if (!net_.groups.empty())
      inside += (inside.empty() ? "" : ", ") + ("group: " + yaml_scalar(net_.groups[node]));
    if (!routes_) {
      out_ += inside.empty() ? " {}\n" : " {" + inside + "}\n";
      return;
    }
    out_ += "\n";
    if (!inside.empty()) out_ += "      " + inside + "\n";
    out_ += "      exec:\n";
    std::string lines = "echo addr add " + loopback_of(node) + "/32 dev lo";
    for (const std::string& route : routes_of_[node]) {
      if (lines.size() > kExecBytes) flush_exec(lines);
      lines += (lines.empty() ? "" : "; ") + route;
    }
    flush_exec(lines);
  }
  void flush_exec(std::string& lines) {
    out_ +=
        "        - " + yaml_scalar(std::string(kTo) + "{ " + lines + "; } | ip -batch -") + "\n";
    lines.clear();
  }

  void write_link(std::size_t edge) {
    const auto& [a, b] = net_.edges[edge];
    out_ += "    - {endpoints: [\"" + net_.names[a] + ":" + ends_[edge].first + "\", \"" +
            net_.names[b] + ":" + ends_[edge].second + "\"]";
    if (options_.addresses) out_ += ", ipv4: [" + address(a, edge) + ", " + address(b, edge) + "]";
    out_ += "}\n";
  }
  std::string address(std::size_t node, std::size_t edge) const {
    if (is_bridge(node)) return "\"\"";
    if (bridged_) return bridged_address(node) + "/16";
    const bool first = net_.edges[edge].a == node;
    return IpAddr::v4(kLinks + static_cast<std::uint32_t>(2 * edge) + (first ? 0 : 1)).format() +
           "/31";
  }
  static std::string bridged_address(std::size_t node) {
    return IpAddr::v4(kLinks + static_cast<std::uint32_t>(node) + 1).format();
  }

  void write_steps() {
    std::vector<std::string> places;
    std::string addresses;
    for (std::size_t node = 0; node < net_.names.size(); ++node) {
      if (is_bridge(node)) continue;
      places.push_back(net_.names[node]);
      addresses += " " + (bridged_ ? bridged_address(node) : loopback_of(node));
    }
    const std::string run =
        "for to in" + addresses +
        "; do ping -n -q -c 1 -W 1 $to >/dev/null || { echo no answer from $to; "
        "exit 1; }; done";
    out_ += "steps:\n";
    for (std::size_t first = 0; first < places.size(); first += kAtOnce) {
      const std::size_t end = std::min(first + kAtOnce, places.size());
      std::string on;
      for (std::size_t i = first; i < end; ++i)
        on += (on.empty() ? "" : ", ") + yaml_scalar(places[i]);
      const std::string name = end - first == places.size()
                                   ? "each node reaches each other"
                                   : "nodes " + std::to_string(first + 1) + " to " +
                                         std::to_string(end) + " of " +
                                         std::to_string(places.size()) + " reach all others";
      out_ += "  - name: " + name + "\n    on: [" + on + "]\n    run: " + yaml_scalar(run) +
              "\n    eventually: 30s\n    timeout: 120s\n";
    }
  }

  const Net& net_;
  const Options& options_;
  std::string out_;
  std::vector<unsigned> interfaces_;  // made so far, of each node
  std::vector<unsigned> degree_;
  std::vector<std::pair<std::string, std::string>> ends_;
  std::vector<std::vector<std::string>> routes_of_;
  const bool bridged_;
  const bool routes_;
};

Result<std::string> write_swarm(const Swarm& swarm, const Options& options) {
  if (swarm.hosts < 1 || swarm.hosts > kMaxSwarm)
    return fail(Errc::invalid, "a swarm's size must be a number from 1 to " +
                                   std::to_string(kMaxSwarm) + ", not " +
                                   std::to_string(swarm.hosts));
  std::string others;
  std::string all;
  std::string out = options.comment.empty() ? "" : "# " + options.comment + "\n";
  out += "name: " + yaml_scalar(options.name.empty() ? "swarm" : options.name) + "\nhosts:\n";
  for (unsigned i = 1; i <= swarm.hosts; ++i) {
    const std::string host = "h" + std::to_string(i);
    out += "  " + host + ": {}\n";
    all += (i > 1 ? ", " : "") + host;
    if (i > 1) others += (i > 2 ? ", " : "") + host;
  }
  out +=
      "steps:\n"
      "  - name: h1 starts a swarm\n    on: h1\n"
      "    run: heddle swarm init --advertise-addr ${h1.address}\n"
      "    capture: {join: \"heddle swarm join .*\"}\n";
  if (!others.empty())
    out += "  - name: the others join\n    on: [" + others +
           "]\n    run: ${join}\n    timeout: 120s\n";
  out +=
      "  - name: every host is a node\n    on: h1\n    run: heddle node ls\n"
      "    eventually: 30s\n    expect: {stdout: [" +
      all + "]}\n";
  return out;
}

}  // namespace

Result<std::string> generate(const Shape& shape, const Options& options) {
  for (const auto& [text, flag] :
       {std::pair(options.name, "--name"), std::pair(options.node_prefix, "--node-prefix"),
        std::pair(options.group_prefix, "--group-prefix")}) {
    const bool optional = text.empty() && std::string_view(flag) == "--name";
    if (!optional && (!format::is_name(text) || text.size() > 40))
      return fail(Errc::invalid, std::string(flag) + " '" + text +
                                     "' must be letters, digits, -, _ or ., start with a letter or "
                                     "digit, and have at most 40 bytes");
  }
  if (const auto* swarm = std::get_if<Swarm>(&shape)) return write_swarm(*swarm, options);
  TRY(const Net net, net_of(shape, options));
  TRY(std::string text, Writer(net, options).run());
  if (text.size() > format::kMaxFileBytes)
    return fail(Errc::invalid, "the file would have more than " +
                                   std::to_string(format::kMaxFileBytes >> 20) +
                                   " MiB, which is no lab file; choose fewer nodes");
  return text;
}

}  // namespace heddle::generate
