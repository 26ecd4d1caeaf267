#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netd/api/heddle.pb.h"
#include "netd/control/daemon.h"

// `--filter KEY=VALUE` of lists, as Docker reads them: of several values of one key one must fit,
// of labels all; what is asked by different keys must all hold.
namespace heddle::server {

struct NetworkFilter {
  std::set<std::string> drivers;
  std::set<std::string> ids;    // the id starts with it
  std::set<std::string> names;  // the name contains it
  std::set<model::Scope> scopes;
  std::vector<std::string> labels;  // `KEY` or `KEY=VALUE`
  std::optional<bool> dangling;     // whether nothing is connected
};

using Filters = google::protobuf::RepeatedPtrField<api::v1::Filter>;

// Errors: `invalid` with the key or value and what is accepted.
Result<NetworkFilter> network_filter(const Filters& filters);
bool fits(const NetworkFilter& filter, const model::View& view, const model::Network& network);

// `until`, `label` and `label!`; `now` is what ages count from. Errors: as above.
Result<control::PruneSpec> prune_spec(const Filters& filters, model::Time now);

}  // namespace heddle::server
