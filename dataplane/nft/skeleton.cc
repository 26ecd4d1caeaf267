#include "dataplane/nft/skeleton.h"

#include <boost/json.hpp>
#include <string_view>
#include <utility>

namespace heddle::nft {
namespace {

namespace json = boost::json;

// A part of a rule in nft's language, and as the listing has it.
struct Part {
  std::string text;
  json::value listed;
};

Part part(std::string text, std::string_view listed) {
  return {std::move(text), json::parse(listed)};
}

// Objects are built member by member: in braces, boost::json guesses between array and object.
json::value object(std::string_view key, json::value value) {
  json::object made;
  made.emplace(key, std::move(value));
  return made;
}

const Part kIn = part("iifname", R"({"meta":{"key":"iifname"}})");
const Part kOut = part("oifname", R"({"meta":{"key":"oifname"}})");
const Part kFrom4 = part("ip saddr", R"({"payload":{"protocol":"ip","field":"saddr"}})");
const Part kTo4 = part("ip daddr", R"({"payload":{"protocol":"ip","field":"daddr"}})");
const Part kFrom6 = part("ip6 saddr", R"({"payload":{"protocol":"ip6","field":"saddr"}})");
const Part kTo6 = part("ip6 daddr", R"({"payload":{"protocol":"ip6","field":"daddr"}})");
const Part kProtocol = part("meta l4proto", R"({"meta":{"key":"l4proto"}})");
const Part kPort = part("th dport", R"({"payload":{"protocol":"th","field":"dport"}})");

// ct(8): packets of connections that began allowed, and what they caused.
const Part kKnown =
    part("ct state established,related", R"({"match":{"op":"in","left":{"ct":{"key":"state"}},)"
                                         R"("right":["established","related"]}})");
const Part kTranslated =
    part("ct status dnat", R"({"match":{"op":"in","left":{"ct":{"key":"status"}},)"
                           R"("right":"dnat"}})");
const Part kToThisHost =
    part("fib daddr type local", R"({"match":{"op":"==","left":{"fib":{"result":"type",)"
                                 R"("flags":["daddr"]}},"right":"local"}})");
const Part kNotLoopback =
    part("iifname != \"lo\"", R"({"match":{"op":"!=","left":{"meta":{"key":"iifname"}},)"
                              R"("right":"lo"}})");
const Part kRedirect4 =
    part("icmp type redirect", R"({"match":{"op":"==","left":{"payload":{"protocol":"icmp",)"
                               R"("field":"type"}},"right":"redirect"}})");
const Part kRedirect6 =
    part("icmpv6 type nd-redirect", R"({"match":{"op":"==","left":{"payload":{"protocol":"icmpv6",)"
                                    R"("field":"type"}},"right":"nd-redirect"}})");
const Part kAccept = part("accept", R"({"accept":null})");
const Part kDrop = part("drop", R"({"drop":null})");
const Part kReturn = part("return", R"({"return":null})");
const Part kMasquerade = part("masquerade", R"({"masquerade":null})");

Part concat(const std::vector<Part>& parts) {
  Part all;
  json::array listed;
  for (const Part& one : parts) {
    all.text += (all.text.empty() ? "" : " . ") + one.text;
    listed.push_back(one.listed);
  }
  all.listed = object("concat", std::move(listed));
  return all;
}

Part match(const Part& left, const std::string& text, json::value right) {
  json::object made;
  made.emplace("op", "==");
  made.emplace("left", left.listed);
  made.emplace("right", std::move(right));
  return {left.text + " " + text, object("match", std::move(made))};
}

Part in(const Part& left, const std::string& set) {
  return match(left, "@" + set, json::string("@" + set));
}

Part in_loopback(const Part& address) {
  return match(address, "127.0.0.0/8", json::parse(R"({"prefix":{"addr":"127.0.0.0","len":8}})"));
}

Part count(const std::string& counter) {
  return {"counter name \"" + counter + "\"", object("counter", json::string(counter))};
}

Part jump(const std::string& chain) {
  return {"jump " + chain, object("jump", object("target", json::string(chain)))};
}

Part translate(const std::string& family, const std::vector<Part>& key, const std::string& map) {
  const Part all = concat(key);
  json::object lookup;
  lookup.emplace("key", all.listed);
  lookup.emplace("data", "@" + map);
  json::object made;
  made.emplace("family", family);
  made.emplace("addr", object("map", std::move(lookup)));
  return {"dnat " + family + " to " + all.text + " map @" + map, object("dnat", std::move(made))};
}

class Rules final {
 public:
  void add(const std::string& chain, const std::vector<Part>& parts) {
    Rule rule{chain, "", {}};
    for (const Part& one : parts) {
      rule.text += (rule.text.empty() ? "" : " ") + one.text;
      rule.listed.push_back(one.listed);
    }
    all_.push_back(std::move(rule));
  }
  std::vector<Rule> take() { return std::move(all_); }

 private:
  std::vector<Rule> all_;
};

// The exact address decides before any address. Behind `jump`, since the address must be the
// host's: what merely passes through to another machine's port 80 is not ours.
void add_published(Rules& rules) {
  rules.add("prerouting", {kToThisHost, jump("published")});
  rules.add("output", {kToThisHost, jump("published")});
  rules.add("published", {translate("ip", {kProtocol, kTo4, kPort}, "published4")});
  rules.add("published", {translate("ip", {kProtocol, kPort}, "anywhere4")});
  rules.add("published", {translate("ip6", {kProtocol, kTo6, kPort}, "published6")});
  rules.add("published", {translate("ip6", {kProtocol, kPort}, "anywhere6")});
}

// Of what reaches an endpoint through a published port, the source is kept but for two that the
// endpoint could not answer through us: loopback, and a sibling (it would answer directly).
void add_source_nat(Rules& rules) {
  const std::string chain = "postrouting";
  rules.add(chain, {in_loopback(kFrom4), in(kTo4, "subnets4"), kTranslated, count("loopback"),
                    kMasquerade});
  const auto family = [&](const Part& from, const Part& to, const std::string& n) {
    rules.add(chain,
              {in(concat({from, to}), "inside" + n), kTranslated, count("hairpin"), kMasquerade});
    rules.add(chain, {in(concat({from, to}), "within" + n), kReturn});
    rules.add(chain, {in(concat({from, kOut}), "unchanged" + n), kReturn});
    rules.add(chain, {in(from, "masquerade" + n), count("masqueraded"), kMasquerade});
  };
  family(kFrom4, kTo4, "4");
  family(kFrom6, kTo6, "6");
}

// `accept` ends this chain alone: every later chain of the host still decides (nft(8), VERDICT).
void add_forwarding(Rules& rules) {
  const std::string chain = "forward";
  rules.add(chain, {kKnown, kAccept});
  rules.add(chain, {in(concat({kIn, kOut}), "inside_links"), kAccept});
  for (const Part& device : {kIn, kOut})
    rules.add(chain, {in(device, "internal_links"), count("internal"), kDrop});
  for (const Part& address : {kFrom4, kTo4})
    rules.add(chain, {in(address, "internal4"), count("internal"), kDrop});
  for (const Part& address : {kFrom6, kTo6})
    rules.add(chain, {in(address, "internal6"), count("internal"), kDrop});
  rules.add(chain, {kTranslated, kAccept});
  rules.add(chain, {in(kIn, "links"), jump("apart")});
  rules.add(chain, {in(kFrom4, "subnets4"), jump("apart")});
  rules.add(chain, {in(kFrom6, "subnets6"), jump("apart")});
  rules.add("apart", {in(kOut, "links"), count("isolated"), kDrop});
  rules.add("apart", {in(kTo4, "subnets4"), count("isolated"), kDrop});
  rules.add("apart", {in(kTo6, "subnets6"), count("isolated"), kDrop});
  rules.add(chain, {in(kOut, "closed_links"), count("closed"), kDrop});
  rules.add(chain, {in(kTo4, "closed4"), count("closed"), kDrop});
  rules.add(chain, {in(kTo6, "closed6"), count("closed"), kDrop});
}

// Bridges on which 127.0.0.1 is published have route_localnet: the kernel then no longer refuses
// loopback addresses that arrive on them (CVE-2020-8558). RFC 1122, section 3.2.1.3 (g): they never
// come from outside. Before conntrack, so that answers to 127.0.0.1, which still carry the
// masqueraded address here, pass.
void add_loopback_guard(Rules& rules) {
  rules.add("raw", {kNotLoopback, in_loopback(kTo4), count("martian"), kDrop});
  rules.add("raw", {kNotLoopback, in_loopback(kFrom4), count("martian"), kDrop});
}

// A port of the host that leads back into the network it was called from: the kernel would tell the
// caller to go to the endpoint directly, under the host's address, which the endpoint has not.
void add_redirect_guard(Rules& rules) {
  rules.add("redirects", {in(kOut, "links"), kRedirect4, kDrop});
  rules.add("redirects", {in(kOut, "links"), kRedirect6, kDrop});
}

}  // namespace

// Our `forward` comes before `filter` (0), where others' stand; it only ever drops.
std::vector<Chain> chains() {
  return {{"raw", "filter", "prerouting", -300},
          {"prerouting", "nat", "prerouting", -100},
          {"output", "nat", "output", -100},
          {"published", "", "", 0},
          {"postrouting", "nat", "postrouting", 100},
          {"forward", "filter", "forward", -10},
          {"apart", "", "", 0},
          {"redirects", "filter", "output", 0}};
}

std::vector<Set> sets() {
  std::vector<Set> all{{"links", {"ifname"}, {}, false},
                       {"inside_links", {"ifname", "ifname"}, {}, false},
                       {"internal_links", {"ifname"}, {}, false},
                       {"closed_links", {"ifname"}, {}, false}};
  for (const std::string n : {"4", "6"}) {
    const std::string address = "ipv" + n + "_addr";
    all.push_back({"subnets" + n, {address}, {}, true});
    all.push_back({"inside" + n, {address, address}, {}, true});
    all.push_back({"internal" + n, {address}, {}, true});
    all.push_back({"closed" + n, {address}, {}, true});
    all.push_back({"masquerade" + n, {address}, {}, true});
    all.push_back({"within" + n, {address, address}, {}, true});
    all.push_back({"unchanged" + n, {address, "ifname"}, {}, true});
    const std::vector<std::string> target{address, "inet_service"};
    all.push_back({"published" + n, {"inet_proto", address, "inet_service"}, target, false});
    all.push_back({"anywhere" + n, {"inet_proto", "inet_service"}, target, false});
  }
  return all;
}

std::vector<Rule> rules() {
  Rules all;
  add_loopback_guard(all);
  add_redirect_guard(all);
  add_published(all);
  add_source_nat(all);
  add_forwarding(all);
  return all.take();
}

std::vector<std::string> counters() {
  return {"martian", "loopback", "hairpin", "masqueraded", "internal", "isolated", "closed"};
}

}  // namespace heddle::nft
