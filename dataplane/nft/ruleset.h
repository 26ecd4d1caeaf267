#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"

// From what networks need to the elements of the table's sets, and back; the text of transactions.
// Pure. Source: nft(8).
namespace heddle::nft {

// 10.77.0.0/20, or "hbr0", or several joined in a concatenation. The comment tells to which network
// a device or subnet belongs.
struct Element {
  std::vector<std::string> parts;
  std::string comment;
  friend auto operator<=>(const Element&, const Element&) = default;
};
using Elements = std::map<std::string, std::set<Element>>;  // by set

using Published = std::map<dataplane::PublishedKey, dataplane::PublishedTarget>;

struct Networks {
  std::set<dataplane::Masquerade> masquerades;
  std::set<dataplane::NetworkRules> rules;
  friend bool operator==(const Networks&, const Networks&) = default;
};

// Errors: `invalid` for a table or device name that nft would read as something else.
Result<> validate(const std::string& table, const Networks& networks);

// Of every set of networks; those without elements are absent. A device that several networks share
// (the VXLAN device) tells nothing and is left out: their subnets do.
Elements elements_of(const Networks& networks);

// Reading writes down what it understood and compares: what does not come out again is named in a
// sentence, for someone changed it by hand.
struct Read {
  Networks networks;
  std::vector<std::string> remarks;
};
Read read(const Elements& elements);

// An alteration as an observation shows it, so that it differs from every intent: rules of a device
// that no device can be called.
dataplane::NetworkRules altered(const std::string& remark);
bool is_altered(const dataplane::NetworkRules& rules);

// One transaction each. All rules and networks anew, the maps of published ports untouched:
std::string update(const std::string& table, const Networks& networks);
// The whole table, whatever it was or held:
std::string replacement(const std::string& table, const Networks& networks,
                        const Published& published);
// No table:
std::string removal(const std::string& table);

}  // namespace heddle::nft
