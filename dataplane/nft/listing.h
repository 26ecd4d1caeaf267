#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "dataplane/nft/ruleset.h"

// The reading of nft's JSON listing of our table. Pure. Source: libnftables-json(5).
namespace heddle::nft {

struct Listing {
  // Every chain, set, map and counter of ours is there as it should be, and nothing else: an update
  // is enough to bring back rules and elements.
  bool whole = false;
  Elements elements;                 // of the sets of networks
  std::vector<std::string> remarks;  // what differs from the skeleton, each in a sentence
};

// By meaning: handles, comments of rules and what counters say do not matter. The elements of
// published ports are not read (elements.h does).
// Errors: `internal` when it is no such listing.
Result<Listing> parse_listing(std::string_view json);

}  // namespace heddle::nft
