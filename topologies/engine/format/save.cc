#include "topologies/engine/format/save.h"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include "topologies/engine/format/emit.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

YamlNode scalar(std::string text) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.scalar = std::move(text);
  return node;
}

YamlNode* find(YamlNode& map, std::string_view key) {
  const auto found = std::ranges::find(map.entries, key, &YamlNode::Entry::key);
  return found == map.entries.end() ? nullptr : &found->value;
}

void put(YamlNode& map, std::string_view key, YamlNode value) {
  map.kind = YamlNode::Kind::map;  // `h1:` alone is null
  if (YamlNode* there = find(map, key)) {
    *there = std::move(value);
  } else {
    map.entries.push_back({std::string(key), {}, std::move(value)});
  }
}

// One way, by the words of `describe`, which are the file's.
YamlNode to_yaml(const Impairment& impairment) {
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  std::istringstream words(describe(impairment));
  std::string value;
  for (std::string key; words >> key >> value;) {
    if (key != "burst") {
      put(map, key, scalar(value));
      continue;
    }
    YamlNode loss;
    put(loss, "share", *find(map, "loss"));
    put(loss, "burst", scalar(value));
    put(map, "loss", std::move(loss));
  }
  return map;
}

YamlNode to_yaml(const LinkImpairment& impairment) {
  if (impairment.forward == impairment.backward) return to_yaml(impairment.forward);
  YamlNode map;
  put(map, "forward", to_yaml(impairment.forward));
  put(map, "backward", to_yaml(impairment.backward));
  return map;
}

// `a:eth1`, or a map of node and interface.
std::string end_of(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::scalar) return node.scalar;
  const YamlNode* name = node.find("node");
  const YamlNode* interface = node.find("interface");
  return name && interface ? name->scalar + ":" + interface->scalar : "";
}

class Saver {
 public:
  Saver(YamlNode& root, const Lab& lab) : root_(root), lab_(lab) {}

  void apply(const LiveLink& link) {
    constexpr std::string_view kUnderlay = "underlay:";
    if (link.b.starts_with(kUnderlay)) {
      apply_to_member(link.b.substr(kUnderlay.size()), link.impairment);
    } else {
      apply_to_link(link);
    }
  }

 private:
  static bool differs(const std::optional<LinkImpairment>& file, const LinkImpairment& live) {
    return file.value_or(LinkImpairment{}) != live;
  }

  void apply_to_member(const std::string& name, const LinkImpairment& live) {
    const auto underlay = lab_.underlay ? lab_.underlay->impair : std::nullopt;
    YamlNode* members = find(root_, "hosts");
    std::optional<LinkImpairment> own;
    if (const Host* host = lab_.find_host(name)) {
      own = host->impair;
    } else if (const Node* node = lab_.find_node(name)) {
      own = node->impair;
      YamlNode* topology = find(root_, "topology");
      members = topology ? find(*topology, "nodes") : nullptr;
    }
    YamlNode* member = members ? find(*members, name) : nullptr;
    if (member && differs(own ? own : underlay, live)) put(*member, "impair", to_yaml(live));
  }

  void apply_to_link(const LiveLink& live) {
    YamlNode* topology = find(root_, "topology");
    YamlNode* links = topology ? find(*topology, "links") : nullptr;
    if (!links || links->items.size() != lab_.links.size()) return;
    for (std::size_t i = 0; i < lab_.links.size(); ++i) {
      YamlNode& link = links->items[i];
      const YamlNode* ends = link.find("endpoints");
      if (!ends || ends->items.size() != 2) continue;
      if (end_of(ends->items[0]) != live.a || end_of(ends->items[1]) != live.b) continue;
      if (differs(lab_.links[i].impair, live.impairment))
        put(link, "impair", to_yaml(live.impairment));
    }
  }

  YamlNode& root_;
  const Lab& lab_;
};

}  // namespace

// What stays of `$${x}` is `${x}`, which would be replaced when the file is read again.
void escape_replaced(YamlNode& now, const YamlNode& before) {
  if (now.scalar != before.scalar) {
    std::string out;
    for (std::size_t i = 0; i < now.scalar.size(); ++i) {
      if (now.scalar.compare(i, 2, "${") == 0) out += '$';
      out += now.scalar[i];
    }
    now.scalar = std::move(out);
  }
  for (std::size_t i = 0; i < now.items.size(); ++i) escape_replaced(now.items[i], before.items[i]);
  for (std::size_t i = 0; i < now.entries.size(); ++i)
    escape_replaced(now.entries[i].value, before.entries[i].value);
}

Result<std::string> save_lab(std::string_view text, const std::string& file,
                             const Environment& environment, const std::vector<LiveLink>& links) {
  TRY(const Lab lab, parse_lab(text, file, environment));
  TRY(YamlNode root, parse_yaml(text, file));
  const YamlNode before = root;
  Diagnostics diagnostics(file);
  expand_root(root, environment, diagnostics);  // parse_lab has done the same
  escape_replaced(root, before);
  Saver saver(root, lab);
  for (const LiveLink& link : links) saver.apply(link);
  std::string out = emit_yaml(root);
  if (out.size() > kMaxFileBytes)
    return fail(Errc::invalid, file + ": with its aliases written out it is larger than " +
                                   std::to_string(kMaxFileBytes >> 20) + " MiB");
  return out;
}

}  // namespace heddle::format
