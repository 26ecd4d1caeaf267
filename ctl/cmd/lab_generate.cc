#include <charconv>
#include <ostream>
#include <sstream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/files.h"
#include "ctl/cmd/labs.h"
#include "topologies/engine/generate/generate.h"

namespace heddle::cmd {
namespace lab_generate {
namespace {

using generate::Options;
using generate::Shape;

constexpr unsigned kMany = generate::kMaxGenerated;

constexpr Flag kName{"--name", "LAB", "the lab's name (default: the shape's)"};
constexpr Flag kOutput{"--output,-o", "FILE", "write it here, not to standard output"};
constexpr Flag kPrefix{"--node-prefix", "TEXT", "what nodes' names begin with (node)"};
constexpr Flag kLinksPerPair{"--links-per-pair", "N", "how many links join two nodes (1)"};
constexpr Flag kAddresses{"--addresses", "",
                          "a /31 for each link (default); --addresses=false leaves them out"};
constexpr Flag kRoutes{"--routes", "",
                       "give each node a loopback address, and routes to all others' over "
                       "all shortest ways, at most 16 each"};
constexpr Flag kSteps{"--steps", "", "add a step that sees each node reach each other"};
constexpr Flag kKind{"--kind", "KIND",
                     "what inner nodes are: linux (default), or bridge: switches, whose nodes "
                     "around share a subnet"};

constexpr Flag kClosFlags[] = {
    {"--nodes", "N,N...",
     "nodes of each tier, the leaves' first; each is joined with all of the next"},
    kName,
    kOutput,
    kPrefix,
    {"--group-prefix", "TEXT", "what the tiers' groups are called (tier)"},
    kLinksPerPair,
    kAddresses,
    kRoutes,
    kSteps};
constexpr Flag kFlags[] = {kName, kOutput, kPrefix, kLinksPerPair, kAddresses, kRoutes, kSteps};
constexpr Flag kBridgeFlags[] = {kName,         kOutput,    kPrefix, kKind,
                                 kLinksPerPair, kAddresses, kRoutes, kSteps};
constexpr Flag kTreeFlags[] = {
    {"--fanout", "N", "nodes below each inner node (2)"},
    {"--depth", "N", "levels below the root (2)"},
    kName,
    kOutput,
    kPrefix,
    {"--group-prefix", "TEXT", "what the levels' groups are called (tier)"},
    kKind,
    kLinksPerPair,
    kAddresses,
    kRoutes,
    kSteps};
constexpr Flag kRandomFlags[] = {{"--degree", "D", "links of a node, on average (3)"},
                                 {"--seed", "N", "equal seeds give equal labs (1)"},
                                 kName,
                                 kOutput,
                                 kPrefix,
                                 kLinksPerPair,
                                 kAddresses,
                                 kRoutes,
                                 kSteps};
constexpr Flag kSwarmFlags[] = {kName, kOutput};

// What the flags that several shapes have say. `flags`: those of the command.
Result<Options> options_of(const Arguments& arguments, std::span<const Flag> flags,
                           std::string comment) {
  const auto has = [&](std::string_view name) {
    for (const Flag& flag : flags) {
      if (first_name(flag.names) == name) return arguments.has(name);
    }
    return false;
  };
  Options options;
  options.comment = std::move(comment);
  if (has("--name")) options.name = arguments.text("--name");
  if (has("--node-prefix")) options.node_prefix = arguments.text("--node-prefix");
  if (has("--group-prefix")) options.group_prefix = arguments.text("--group-prefix");
  if (has("--links-per-pair")) {
    TRY(options.links_per_pair,
        parse_number("--links-per-pair", arguments.text("--links-per-pair"), {1, 16}));
  }
  if (has("--kind")) {
    const std::string& kind = arguments.text("--kind");
    if (kind != "linux" && kind != "bridge")
      return fail(Errc::invalid, "--kind '" + kind + "' is unknown; choose linux or bridge");
    if (kind == "bridge") options.inner = Options::Inner::bridge;
  }
  if (flags.data() != kSwarmFlags)
    options.addresses = arguments.choice("--addresses").value_or(true);
  options.routes = has("--routes");
  options.steps = has("--steps");
  return options;
}

Result<int> write(const Arguments& arguments, Context& context, const Shape& shape,
                  std::span<const Flag> flags, const std::string& how) {
  TRY(const Options options, options_of(arguments, flags, "heddle lab generate " + how));
  TRY(const std::string text, generate::generate(shape, options));
  const auto written = write_result(context, arguments.text("--output"), text);
  return written ? kDone : failed(context, written.error());
}

// `4,2,1`
Result<std::vector<unsigned>> parse_sizes(std::string_view flag, const std::string& text) {
  std::vector<unsigned> sizes;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    TRY(const unsigned size, parse_number(flag, part, {1, kMany}));
    sizes.push_back(size);
    if (sizes.size() > 64) return fail(Errc::invalid, std::string(flag) + " has too many numbers");
  }
  if (sizes.empty() || text.ends_with(','))
    return fail(Errc::invalid, std::string(flag) + " '" + text + "' must be numbers, as in 4,2,1");
  return sizes;
}

Result<unsigned> count(const Arguments& arguments) {
  return parse_number("N", arguments.text("N"), {1, kMany});
}
Result<unsigned> number_or(const Arguments& arguments, std::string_view flag, unsigned otherwise) {
  if (!arguments.has(flag)) return otherwise;
  return parse_number(flag, arguments.text(flag), {1, kMany});
}

Result<int> clos(const Arguments& arguments, Context& context) {
  if (!arguments.has("--nodes"))
    return fail(Errc::invalid, "--nodes is missing: the sizes of the tiers, as in --nodes 4,2,1");
  TRY(std::vector<unsigned> tiers, parse_sizes("--nodes", arguments.text("--nodes")));
  return write(arguments, context, generate::Clos{std::move(tiers)}, kClosFlags,
               "clos --nodes " + arguments.text("--nodes"));
}
Result<int> ring(const Arguments& arguments, Context& context) {
  TRY(const unsigned nodes, count(arguments));
  return write(arguments, context, generate::Ring{nodes}, kFlags, "ring " + arguments.text("N"));
}
Result<int> line(const Arguments& arguments, Context& context) {
  TRY(const unsigned nodes, count(arguments));
  return write(arguments, context, generate::Line{nodes}, kBridgeFlags,
               "line " + arguments.text("N"));
}
Result<int> star(const Arguments& arguments, Context& context) {
  TRY(const unsigned leaves, count(arguments));
  return write(arguments, context, generate::Star{leaves}, kBridgeFlags,
               "star " + arguments.text("N"));
}
Result<int> mesh(const Arguments& arguments, Context& context) {
  TRY(const unsigned nodes, count(arguments));
  return write(arguments, context, generate::Mesh{nodes}, kFlags, "mesh " + arguments.text("N"));
}
Result<int> tree(const Arguments& arguments, Context& context) {
  TRY(const unsigned fanout, number_or(arguments, "--fanout", 2));
  TRY(const unsigned depth, number_or(arguments, "--depth", 2));
  return write(arguments, context, generate::Tree{fanout, depth}, kTreeFlags,
               "tree --fanout " + std::to_string(fanout) + " --depth " + std::to_string(depth));
}
Result<int> grid(const Arguments& arguments, Context& context) {
  TRY(const std::vector<unsigned> sides, parse_sizes("SIZE", arguments.text("SIZE")));
  if (sides.size() != 2)
    return fail(Errc::invalid,
                "SIZE '" + arguments.text("SIZE") + "' must be two numbers, as in 4,3");
  return write(arguments, context, generate::Grid{sides[0], sides[1]}, kFlags,
               "grid " + arguments.text("SIZE"));
}
Result<int> random(const Arguments& arguments, Context& context) {
  TRY(const unsigned nodes, count(arguments));
  TRY(const unsigned degree, number_or(arguments, "--degree", std::min(3U, nodes - 1)));
  std::uint64_t seed = 1;
  if (arguments.has("--seed")) {
    const std::string& text = arguments.text("--seed");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (error != std::errc() || end != text.data() + text.size())
      return fail(Errc::invalid, "--seed '" + text + "' must be a number from 0 to 2^64-1");
  }
  return write(arguments, context, generate::Random{nodes, degree, seed}, kRandomFlags,
               "random " + std::to_string(nodes) + " --degree " + std::to_string(degree) +
                   " --seed " + std::to_string(seed));
}
Result<int> swarm(const Arguments& arguments, Context& context) {
  TRY(const unsigned hosts, count(arguments));
  return write(arguments, context, generate::Swarm{hosts}, kSwarmFlags,
               "swarm " + arguments.text("N"));
}

constexpr Command kCommands[] = {
    {.path = "lab generate clos",
     .summary = "Tiers of nodes, each joined with all of the next: leaves and spines",
     .example = "  heddle lab generate clos --nodes 4,2,1\n"
                "  heddle lab generate clos --nodes 8,4 --routes --steps -o clos.lab.yml",
     .flags = kClosFlags,
     .run = clos},
    {.path = "lab generate ring N",
     .summary = "N nodes in a ring",
     .example = "  heddle lab generate ring 6 --routes --steps",
     .flags = kFlags,
     .run = ring},
    {.path = "lab generate line N",
     .summary = "N nodes in a line",
     .example = "  heddle lab generate line 5 --routes",
     .flags = kBridgeFlags,
     .run = line},
    {.path = "lab generate star N",
     .summary = "N nodes around a hub",
     .example = "  heddle lab generate star 8 --kind bridge --steps",
     .flags = kBridgeFlags,
     .run = star},
    {.path = "lab generate mesh N",
     .summary = "N nodes, each joined with each",
     .example = "  heddle lab generate mesh 5",
     .flags = kFlags,
     .run = mesh},
    {.path = "lab generate tree",
     .summary = "A tree: a root, and as many nodes below each as --fanout says",
     .example = "  heddle lab generate tree --fanout 3 --depth 2 --kind bridge",
     .flags = kTreeFlags,
     .run = tree},
    {.path = "lab generate grid SIZE",
     .summary = "Nodes in rows and columns (SIZE is WIDTH,HEIGHT), each joined with its neighbours",
     .example = "  heddle lab generate grid 4,3 --routes",
     .flags = kFlags,
     .run = grid},
    {.path = "lab generate random N",
     .summary = "N nodes joined at random, all connected",
     .example = "  heddle lab generate random 20 --degree 3 --seed 7",
     .flags = kRandomFlags,
     .run = random},
    {.path = "lab generate swarm N",
     .summary = "N hosts with heddled, and steps that make a swarm of them",
     .example = "  heddle lab generate swarm 3 -o swarm.lab.yml && heddle lab run swarm.lab.yml",
     .flags = kSwarmFlags,
     .run = swarm},
};

}  // namespace
}  // namespace lab_generate

void register_lab_generate(CLI::App& app, Context& context) {
  for (const Command& command : lab_generate::kCommands) add_command(app, context, command);
  ensure_group(ensure_group(app, "lab", ""), "generate", "Write lab files of regular shapes");
}

}  // namespace heddle::cmd
