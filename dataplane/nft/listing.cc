#include "dataplane/nft/listing.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <set>

#include "dataplane/nft/skeleton.h"

namespace heddle::nft {
namespace {

namespace json = boost::json;

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

// A prefix, an address (as a prefix of its whole length), or a name.
std::optional<std::string> read_part(const json::value& value) {
  if (const json::string* text = value.if_string()) {
    auto address = IpAddr::parse(*text);
    if (!address) return std::string(*text);
    return std::string(*text) + (address->is_v4() ? "/32" : "/128");
  }
  const json::value* length = at(value, {"prefix", "len"});
  if (!length || !length->is_int64()) return std::nullopt;
  return text_at(value, {"prefix", "addr"}) + "/" + std::to_string(length->get_int64());
}

std::optional<Element> read_element(const json::value& listed) {
  Element element;
  const json::value* value = &listed;
  if (const json::value* inner = at(listed, {"elem"})) {
    const json::value* key = at(*inner, {"val"});
    if (!key) return std::nullopt;
    for (const auto& [name, ignored] : inner->get_object()) {
      if (name != "val" && name != "comment") return std::nullopt;  // a timeout, a counter
    }
    element.comment = text_at(*inner, {"comment"});
    value = key;
  }
  if (const json::value* parts = at(*value, {"concat"})) {
    if (!parts->is_array()) return std::nullopt;
    for (const json::value& one : parts->get_array()) {
      auto part = read_part(one);
      if (!part) return std::nullopt;
      element.parts.push_back(*std::move(part));
    }
    return element;
  }
  auto part = read_part(*value);
  if (!part) return std::nullopt;
  element.parts.push_back(*std::move(part));
  return element;
}

bool is_list(const json::value* value, const std::vector<std::string>& expected) {
  if (!value) return expected.empty();
  if (const json::string* one = value->if_string())
    return expected.size() == 1 && std::string_view(*one) == expected.front();
  const json::array* all = value->if_array();
  return all && std::ranges::equal(*all, expected, [](const json::value& is, const auto& should) {
           return is.is_string() && std::string_view(is.get_string()) == should;
         });
}

bool is_as_described(const json::object& listed, const Set& set) {
  constexpr std::string_view kKnown[] = {"family", "name",  "table", "type",
                                         "handle", "flags", "elem",  "map"};
  for (const auto& [name, ignored] : listed) {
    if (std::ranges::find(kKnown, std::string_view(name)) == std::end(kKnown)) return false;
  }
  std::string data;
  for (const std::string& part : set.data) data += (data.empty() ? "" : " . ") + part;
  const json::value whole = listed;
  return is_list(at(whole, {"type"}), set.key) && text_at(whole, {"map"}) == data &&
         is_list(at(whole, {"flags"}),
                 set.ranges ? std::vector<std::string>{"interval"} : std::vector<std::string>{});
}

class Reader final {
 public:
  Listing read(const json::array& items) {
    for (const json::value& item : items) {
      if (at(item, {"metainfo"})) continue;
      if (const json::value* table = at(item, {"table"})) {
        if (at(*table, {"flags"})) alter("the table is dormant or owned by another program");
      } else if (const json::value* chain = at(item, {"chain"})) {
        read_chain(*chain);
      } else if (const json::value* set = at(item, {"set"})) {
        read_set(*set);
      } else if (const json::value* map = at(item, {"map"})) {
        read_set(*map);
      } else if (const json::value* counter = at(item, {"counter"})) {
        read_counter(*counter);
      } else if (const json::value* rule = at(item, {"rule"})) {
        read_rule(*rule);
      } else {
        alter("a foreign object");
      }
    }
    name_missing();
    compare_rules();
    return std::move(listing_);
  }

 private:
  void alter(const std::string& remark) {
    listing_.whole = false;
    listing_.remarks.push_back(remark);
  }

  void read_chain(const json::value& listed) {
    const std::string name = text_at(listed, {"name"});
    const auto all = chains();
    const auto known = std::ranges::find(all, name, &Chain::name);
    if (known == all.end()) return alter("foreign chain " + name);
    chains_.insert(name);
    const json::value* priority = at(listed, {"prio"});
    const Chain is{name, text_at(listed, {"type"}), text_at(listed, {"hook"}),
                   priority && priority->is_int64() ? static_cast<int>(priority->get_int64()) : 0};
    const std::string policy = text_at(listed, {"policy"});
    if (is != *known || policy != (known->hook.empty() ? "" : "accept") || at(listed, {"dev"}))
      alter("chain " + name + " has another hook, priority or policy");
  }

  void read_set(const json::value& listed) {
    const std::string name = text_at(listed, {"name"});
    const auto all = sets();
    const auto known = std::ranges::find(all, name, &Set::name);
    if (known == all.end() || !listed.is_object()) return alter("foreign set " + name);
    sets_.insert(name);
    if (!is_as_described(listed.get_object(), *known))
      return alter("set " + name + " has another type");
    const json::value* elements = at(listed, {"elem"});
    if (!elements || !known->data.empty() || !elements->is_array()) return;
    for (const json::value& one : elements->get_array()) {
      if (auto element = read_element(one); element && element->parts.size() == known->key.size()) {
        listing_.elements[name].insert(*std::move(element));
      } else {
        listing_.remarks.push_back("set " + name + " has a foreign element");
      }
    }
  }

  void read_counter(const json::value& listed) {
    const std::string name = text_at(listed, {"name"});
    const auto all = counters();
    if (std::ranges::find(all, name) == all.end()) return alter("foreign counter " + name);
    counters_.insert(name);
  }

  void read_rule(const json::value& listed) {
    const json::value* expressions = at(listed, {"expr"});
    rules_[text_at(listed, {"chain"})].push_back(
        expressions && expressions->is_array() ? expressions->get_array() : json::array());
  }

  void name_missing() {
    for (const Chain& chain : chains()) {
      if (!chains_.contains(chain.name)) alter("chain " + chain.name + " is missing");
    }
    for (const Set& set : sets()) {
      if (!sets_.contains(set.name)) alter("set " + set.name + " is missing");
    }
    for (const std::string& counter : counters()) {
      if (!counters_.contains(counter)) alter("counter " + counter + " is missing");
    }
  }

  void compare_rules() {
    std::map<std::string, std::vector<json::array>> expected;
    for (Rule& rule : rules()) expected[rule.chain].push_back(std::move(rule.listed));
    for (const auto& [chain, should] : expected) {
      if (!chains_.contains(chain)) continue;  // said already
      const std::vector<json::array>& is = rules_[chain];
      if (is == should) continue;
      std::size_t foreign = 0;
      for (const json::array& rule : is) foreign += std::ranges::find(should, rule) == should.end();
      std::size_t missing = 0;
      for (const json::array& rule : should) missing += std::ranges::find(is, rule) == is.end();
      if (foreign) listing_.remarks.push_back("chain " + chain + " has a foreign rule");
      if (missing) listing_.remarks.push_back("chain " + chain + " lacks a rule");
      if (!foreign && !missing)
        listing_.remarks.push_back("chain " + chain + " has its rules in another order, or twice");
    }
  }

  Listing listing_{.whole = true, .elements = {}, .remarks = {}};
  std::set<std::string> chains_;
  std::set<std::string> sets_;
  std::set<std::string> counters_;
  std::map<std::string, std::vector<json::array>> rules_;  // by chain, in order
};

}  // namespace

Result<Listing> parse_listing(std::string_view text) {
  boost::system::error_code error;
  const json::value listing = json::parse(text, error);
  const json::value* items = error ? nullptr : at(listing, {"nftables"});
  if (!items || !items->is_array())
    return fail(Errc::internal, "nftables listed the table in an unknown form");
  return Reader().read(items->get_array());
}

}  // namespace heddle::nft
