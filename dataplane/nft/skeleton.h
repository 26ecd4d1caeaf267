#pragma once
#include <boost/json/array.hpp>
#include <string>
#include <vector>

// What our table always consists of, whatever the networks are: chains, their rules, sets, maps and
// counters. Only elements differ from host to host, so the number of rules does not follow the
// number of networks or ports. Pure. Source: nft(8), libnftables-json(5).
namespace heddle::nft {

struct Chain {
  std::string name;
  std::string type;  // filter, nat; empty: called by others
  std::string hook;
  int priority = 0;
  friend bool operator==(const Chain&, const Chain&) = default;
};

// A set, or with `data` a map.
struct Set {
  std::string name;
  std::vector<std::string> key;
  std::vector<std::string> data;
  bool ranges = false;  // elements are prefixes
  friend bool operator==(const Set&, const Set&) = default;
};

// One rule, as it is written and as nft lists it.
struct Rule {
  std::string chain;
  std::string text;
  boost::json::array listed;
};

std::vector<Chain> chains();
std::vector<Set> sets();  // sets of networks; maps of published ports
std::vector<Rule> rules();
std::vector<std::string> counters();  // named, so that a counted packet does not change a rule

}  // namespace heddle::nft
