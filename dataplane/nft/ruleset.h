#pragma once
#include <set>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"

// The text of our nftables table and the reading of its listing. Pure. Source: nft(8),
// libnftables-json(5).
namespace heddle::nft {

// Errors: `invalid` for a table or device name that nft would read as something else, or a subnet
// of length 0.
Result<> validate(const std::string& table, const std::set<dataplane::Masquerade>& masquerades);

// One transaction that replaces the whole table `inet <table>`, whatever it held; with nothing to
// masquerade, that removes it.
std::string replacement(const std::string& table,
                        const std::set<dataplane::Masquerade>& masquerades);

// What stands in an observation for anything in the table that we did not write (a rule changed by
// hand, another chain, a dormant flag), so that it differs from every intent: 0.0.0.0/0.
dataplane::Masquerade altered();

// What `list table` says in JSON, by meaning: counters, handles, comments and order do not matter.
// Errors: `internal` when it is no such listing.
Result<std::set<dataplane::Masquerade>> parse_listing(std::string_view json);

}  // namespace heddle::nft
