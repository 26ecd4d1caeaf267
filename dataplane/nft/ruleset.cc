#include "dataplane/nft/ruleset.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "dataplane/intent/operation.h"
#include "dataplane/nft/skeleton.h"

namespace heddle::nft {
namespace {

using dataplane::Masquerade;
using dataplane::NetworkRules;

constexpr std::size_t kElementsPerLine = 512;

bool is_identifier(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::isalpha(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(
             name, [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

bool is_device(const std::string& name) {
  return name.size() <= kMaxIfName && std::ranges::all_of(name, [](unsigned char c) {
           return std::isalnum(c) || (c != 0 && std::string_view("_-.:@#").contains(c));
         });
}

std::string family_of(const Prefix& subnet) {
  return subnet.is_v4() ? "4" : "6";
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    const bool is_name = !part.contains('/');  // devices cannot have one in their name
    text += (text.empty() ? "" : " . ") + (is_name ? "\"" + part + "\"" : part);
  }
  return text;
}

void add_rules(const NetworkRules& rules, const std::string& label, bool device_is_its_own,
               Elements& into) {
  const auto add = [&](const std::string& set, std::vector<std::string> parts) {
    into[set].insert({std::move(parts), label});
  };
  if (device_is_its_own) {
    add("links", {rules.device});
    add("inside_links", {rules.device, rules.device});
    if (!rules.outbound) add("internal_links", {rules.device});
    if (!rules.inbound) add("closed_links", {rules.device});
  }
  for (const Prefix& subnet : rules.subnets) {
    const std::string n = family_of(subnet);
    add("subnets" + n, {subnet.format()});
    if (!rules.outbound) add("internal" + n, {subnet.format()});
    if (!rules.inbound) add("closed" + n, {subnet.format()});
    for (const Prefix& other : rules.subnets) {
      if (other.is_v4() == subnet.is_v4()) add("inside" + n, {subnet.format(), other.format()});
    }
  }
}

void add_masquerade(const Masquerade& masquerade, Elements& into) {
  const std::string n = family_of(masquerade.subnet);
  const std::string subnet = masquerade.subnet.format();
  into["masquerade" + n].insert({{subnet}, ""});
  into["within" + n].insert({{subnet, subnet}, ""});
  if (!masquerade.except_device.empty())
    into["unchanged" + n].insert({{subnet, masquerade.except_device}, ""});
}

const std::set<Element>& of(const Elements& elements, const std::string& set) {
  static const std::set<Element> kNone;
  const auto found = elements.find(set);
  return found == elements.end() ? kNone : found->second;
}

bool holds(const Elements& elements, const std::string& set, const std::string& part) {
  return std::ranges::any_of(of(elements, set), [&](const Element& element) {
    return element.parts.size() == 1 && element.parts.front() == part;
  });
}

void read_masquerades(const Elements& elements, const std::string& n, Networks& into) {
  for (const Element& element : of(elements, "masquerade" + n)) {
    auto subnet = element.parts.size() == 1 ? Prefix::parse(element.parts.front())
                                            : Result<Prefix>(fail(Errc::invalid, ""));
    if (!subnet) continue;
    Masquerade masquerade{*subnet, ""};
    for (const Element& pair : of(elements, "unchanged" + n)) {
      if (pair.parts.size() == 2 && pair.parts[0] == element.parts[0])
        masquerade.except_device = pair.parts[1];
    }
    into.masquerades.insert(std::move(masquerade));
  }
}

// Networks by their label, which starts with the device.
void read_rules(const Elements& elements, Networks& into) {
  std::map<std::string, NetworkRules> by_label;
  const auto network = [&](const Element& element) -> NetworkRules& {
    const auto [found, added] = by_label.try_emplace(element.comment);
    if (added) {
      found->second.device = element.comment.substr(0, element.comment.find(' '));
      found->second.inbound = true;
    }
    return found->second;
  };
  const auto note = [&](const Element& element, const std::string& kind) {
    NetworkRules& rules = network(element);
    if (holds(elements, "closed" + kind, element.parts.front())) rules.inbound = false;
    if (holds(elements, "internal" + kind, element.parts.front())) rules.outbound = false;
  };
  for (const Element& element : of(elements, "links")) {
    if (element.parts.size() == 1) note(element, "_links");
  }
  for (const std::string n : {"4", "6"}) {
    for (const Element& element : of(elements, "subnets" + n)) {
      auto subnet = Prefix::parse(element.parts.front());
      if (!subnet) continue;
      network(element).subnets.push_back(*subnet);
      note(element, n);
    }
  }
  for (auto& [label, rules] : by_label) {
    std::ranges::sort(rules.subnets);
    into.rules.insert(std::move(rules));
  }
}

std::set<std::string> texts(const std::set<Element>& elements) {
  std::set<std::string> all;
  for (const Element& element : elements) all.insert(join(element.parts));
  return all;
}

void compare(const Elements& seen, const Elements& expected, std::vector<std::string>& remarks) {
  for (const Set& set : sets()) {
    const auto is = texts(of(seen, set.name));
    const auto should = texts(of(expected, set.name));
    for (const std::string& text : is) {
      if (!should.contains(text))
        remarks.push_back("set " + set.name + ": foreign element " + text);
    }
    for (const std::string& text : should) {
      if (!is.contains(text)) remarks.push_back("set " + set.name + " lacks " + text);
    }
  }
}

// `add element`, a bounded number to the line.
void write_elements(const std::string& table, const std::string& set,
                    const std::vector<std::string>& elements, std::string& text) {
  for (std::size_t start = 0; start < elements.size(); start += kElementsPerLine) {
    text += "add element inet " + table + " " + set + " { ";
    const std::size_t end = std::min(elements.size(), start + kElementsPerLine);
    for (std::size_t i = start; i < end; ++i) text += (i > start ? ", " : "") + elements[i];
    text += " }\n";
  }
}

void write_networks(const std::string& table, const Networks& networks, std::string& text) {
  for (const auto& [set, elements] : elements_of(networks)) {
    std::vector<std::string> all;
    for (const Element& element : elements) {
      all.push_back(join(element.parts) +
                    (element.comment.empty() ? "" : " comment \"" + element.comment + "\""));
    }
    write_elements(table, set, all, text);
  }
}

void write_rules(const std::string& table, std::string& text) {
  for (const Rule& rule : rules())
    text += "add rule inet " + table + " " + rule.chain + " " + rule.text + "\n";
}

void write_published(const std::string& table, const Published& published, std::string& text) {
  std::map<std::string, std::vector<std::string>> by_map;
  for (const auto& [key, target] : published) {
    const bool anywhere = key.address.is_unspecified();
    const std::string map =
        (anywhere ? "anywhere" : "published") + std::string(key.address.is_v4() ? "4" : "6");
    by_map[map].push_back(std::string(dataplane::name(key.protocol)) + " . " +
                          (anywhere ? "" : key.address.format() + " . ") +
                          std::to_string(key.port) + " : " + target.address.format() + " . " +
                          std::to_string(target.port));
  }
  for (const auto& [map, elements] : by_map) write_elements(table, map, elements, text);
}

std::string type_of(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " . ") + part;
  return text;
}

void write_objects(const std::string& table, std::string& text) {
  text += "table inet " + table + " {\n";
  for (const std::string& counter : counters()) text += "  counter " + counter + " { }\n";
  for (const Set& set : sets()) {
    text += (set.data.empty() ? "  set " : "  map ") + set.name + " { type " + type_of(set.key);
    if (!set.data.empty()) text += " : " + type_of(set.data);
    text += set.ranges ? "; flags interval; }\n" : "; }\n";
  }
  for (const Chain& chain : chains()) {
    text += "  chain " + chain.name + " {";
    if (!chain.hook.empty())
      text += " type " + chain.type + " hook " + chain.hook + " priority " +
              std::to_string(chain.priority) + "; policy accept;";
    text += " }\n";
  }
  text += "}\n";
}

}  // namespace

Result<> validate(const std::string& table, const Networks& networks) {
  const auto device = [](const std::string& name) -> Result<> {
    if (is_device(name)) return {};
    return fail(Errc::invalid, "\"" + name + "\" is no name for a network device");
  };
  if (!is_identifier(table))
    return fail(Errc::invalid, "\"" + table + "\" is no name for an nftables table");
  for (const Masquerade& masquerade : networks.masquerades)
    TRY_DO(device(masquerade.except_device));
  for (const NetworkRules& rules : networks.rules) TRY_DO(device(rules.device));
  return {};
}

Elements elements_of(const Networks& networks) {
  Elements all;
  std::map<std::string, int> users;
  for (const NetworkRules& rules : networks.rules) ++users[rules.device];
  int number = 0;
  for (const NetworkRules& rules : networks.rules)
    add_rules(rules, rules.device + " " + std::to_string(++number), users[rules.device] == 1, all);
  for (const Masquerade& masquerade : networks.masquerades) add_masquerade(masquerade, all);
  return all;
}

Read read(const Elements& elements) {
  Read all;
  read_masquerades(elements, "4", all.networks);
  read_masquerades(elements, "6", all.networks);
  read_rules(elements, all.networks);
  compare(elements, elements_of(all.networks), all.remarks);
  return all;
}

NetworkRules altered(const std::string& remark) {
  return {.device = "altered: " + remark, .subnets = {}};
}

bool is_altered(const NetworkRules& rules) {
  return rules.device.starts_with("altered: ");
}

std::string update(const std::string& table, const Networks& networks) {
  std::string text;
  for (const Chain& chain : chains()) text += "flush chain inet " + table + " " + chain.name + "\n";
  for (const Set& set : sets()) {
    if (set.data.empty()) text += "flush set inet " + table + " " + set.name + "\n";
  }
  write_rules(table, text);
  write_networks(table, networks, text);
  return text;
}

std::string replacement(const std::string& table, const Networks& networks,
                        const Published& published) {
  std::string text = removal(table);
  write_objects(table, text);
  write_rules(table, text);
  write_networks(table, networks, text);
  write_published(table, published, text);
  return text;
}

std::string removal(const std::string& table) {
  // `delete table` fails without a table, hence the `add` before it; all is one transaction.
  return "add table inet " + table + "\ndelete table inet " + table + "\n";
}

}  // namespace heddle::nft
