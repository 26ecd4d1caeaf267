#include "dataplane/nft/ruleset.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <optional>

namespace heddle::nft {
namespace {

using dataplane::Masquerade;
namespace json = boost::json;

constexpr std::string_view kChain = "postrouting";
constexpr int kPriority = 100;  // NF_IP_PRI_NAT_SRC, "srcnat"

std::string family(const Prefix& subnet) {
  return subnet.is_v4() ? "ip" : "ip6";
}

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

// Objects are built member by member: in braces, boost::json guesses between array and object.
json::value object(std::string_view key, json::value value) {
  json::object made;
  made.emplace(key, std::move(value));
  return made;
}

json::value object(std::string_view key, json::value value, std::string_view key2,
                   json::value value2) {
  json::object made;
  made.emplace(key, std::move(value));
  made.emplace(key2, std::move(value2));
  return made;
}

// How the listing writes a range: a whole address stands alone.
json::value range(const Prefix& subnet) {
  const json::value address(json::string(subnet.address().format()));
  if (subnet.length() == (subnet.is_v4() ? 32 : 128)) return address;
  return object("prefix", object("addr", address, "len", subnet.length()));
}

json::value match(std::string_view op, json::value left, json::value right) {
  json::object made;
  made.emplace("op", op);
  made.emplace("left", std::move(left));
  made.emplace("right", std::move(right));
  return object("match", std::move(made));
}

json::value field(const Prefix& subnet, std::string_view name) {
  return object("payload",
                object("protocol", json::string(family(subnet)), "field", json::string(name)));
}

json::array expressions(const Masquerade& masquerade) {
  const Prefix& subnet = masquerade.subnet;
  json::array all;
  all.push_back(match("==", field(subnet, "saddr"), range(subnet)));
  all.push_back(match("!=", field(subnet, "daddr"), range(subnet)));
  if (!masquerade.except_device.empty())
    all.push_back(match("!=", object("meta", object("key", "oifname")),
                        json::string(masquerade.except_device)));
  all.push_back(object("masquerade", nullptr));
  return all;
}

// The member at a path of keys, or nullptr.
const json::value* at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* here = &value;
  for (const auto key : path) {
    const json::object* object = here->if_object();
    here = object ? object->if_contains(key) : nullptr;
    if (!here) return nullptr;
  }
  return here;
}

std::string text_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* found = at(value, path);
  const json::string* text = found ? found->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

std::optional<Prefix> read_range(const json::value& right) {
  if (const json::string* whole = right.if_string()) {
    auto address = IpAddr::parse(*whole);
    if (!address) return std::nullopt;
    return Prefix::containing(*address, address->is_v4() ? 32 : 128);
  }
  auto address = IpAddr::parse(text_at(right, {"prefix", "addr"}));
  const json::value* length = at(right, {"prefix", "len"});
  if (!address || !length || !length->is_int64()) return std::nullopt;
  const auto bits = length->get_int64();
  if (bits < 0 || bits > 128) return std::nullopt;
  auto prefix = Prefix::make(*address, static_cast<int>(bits));
  if (!prefix) return std::nullopt;
  return *prefix;
}

// A rule is ours when writing down what was read gives the same expressions again.
std::optional<Masquerade> read_rule(const json::value& rule) {
  const json::value* listed = at(rule, {"expr"});
  if (!listed || !listed->is_array()) return std::nullopt;
  json::array rest;
  Masquerade masquerade;
  for (const json::value& expression : listed->get_array()) {
    if (at(expression, {"counter"})) continue;
    rest.push_back(expression);
    const json::value* right = at(expression, {"match", "right"});
    if (!right) continue;
    if (text_at(expression, {"match", "left", "payload", "field"}) == "saddr") {
      const auto subnet = read_range(*right);
      if (!subnet) return std::nullopt;
      masquerade.subnet = *subnet;
    }
    if (text_at(expression, {"match", "left", "meta", "key"}) == "oifname" && right->is_string())
      masquerade.except_device = std::string(right->get_string());
  }
  if (rest != expressions(masquerade)) return std::nullopt;
  return masquerade;
}

bool is_our_chain(const json::value& chain) {
  const json::value* priority = at(chain, {"prio"});
  return text_at(chain, {"name"}) == kChain && text_at(chain, {"type"}) == "nat" &&
         text_at(chain, {"hook"}) == "postrouting" && text_at(chain, {"policy"}) == "accept" &&
         priority && priority->is_int64() && priority->get_int64() == kPriority;
}

}  // namespace

Result<> validate(const std::string& table, const std::set<Masquerade>& masquerades) {
  if (!is_identifier(table))
    return fail(Errc::invalid, "\"" + table + "\" is no name for an nftables table");
  for (const Masquerade& masquerade : masquerades) {
    if (masquerade.subnet.length() == 0)
      return fail(Errc::invalid, "masquerading needs a subnet, not " + masquerade.subnet.format());
    if (!is_device(masquerade.except_device))
      return fail(Errc::invalid,
                  "\"" + masquerade.except_device + "\" is no name for a network device");
  }
  return {};
}

std::string replacement(const std::string& table, const std::set<Masquerade>& masquerades) {
  // `delete table` fails without a table, hence the `add` before it; all is one transaction.
  std::string text = "add table inet " + table + "\ndelete table inet " + table + "\n";
  if (masquerades.empty()) return text;
  text += "table inet " + table + " {\n  chain " + std::string(kChain) +
          " {\n    type nat hook postrouting priority " + std::to_string(kPriority) +
          "; policy accept;\n";
  for (const Masquerade& masquerade : masquerades) {
    const std::string subnet = masquerade.subnet.format();
    const std::string ip = family(masquerade.subnet);
    text += "    " + ip + " saddr " + subnet + " " + ip + " daddr != " + subnet;
    if (!masquerade.except_device.empty())
      text += " oifname != \"" + masquerade.except_device + "\"";
    text += " counter masquerade comment \"what leaves " + subnet + "\"\n";
  }
  return text + "  }\n}\n";
}

Masquerade altered() {
  return {.subnet = Prefix(), .except_device = "altered"};
}

Result<std::set<Masquerade>> parse_listing(std::string_view text) {
  boost::system::error_code error;
  const json::value listing = json::parse(text, error);
  const json::value* items = error ? nullptr : at(listing, {"nftables"});
  if (!items || !items->is_array())
    return fail(Errc::internal, "nftables listed the table in an unknown form");
  std::set<Masquerade> found;
  bool chain = false;
  for (const json::value& item : items->get_array()) {
    if (at(item, {"metainfo"})) continue;
    if (const json::value* table = at(item, {"table"})) {
      if (at(*table, {"flags"})) found.insert(altered());
    } else if (const json::value* listed = at(item, {"chain"}); listed && is_our_chain(*listed)) {
      chain = true;
    } else if (const json::value* rule = at(item, {"rule"})) {
      found.insert(text_at(*rule, {"chain"}) == kChain ? read_rule(*rule).value_or(altered())
                                                       : altered());
    } else {
      found.insert(altered());
    }
  }
  if (!chain || found.empty()) found.insert(altered());
  return found;
}

}  // namespace heddle::nft
