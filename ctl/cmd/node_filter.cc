#include "ctl/cmd/node_filter.h"

#include "topologies/engine/format/filter.h"

namespace heddle::cmd {

Result<std::vector<std::string>> parse_node_filter(const std::vector<std::string>& values) {
  std::vector<std::string> names;
  for (const std::string& value : values) {
    std::size_t at = 0;
    for (;;) {
      const std::size_t comma = std::min(value.find(',', at), value.size());
      if (comma == at)
        return fail(Errc::invalid,
                    "--node-filter '" + value + "' must be names with commas between them");
      names.push_back(value.substr(at, comma - at));
      if (comma == value.size()) break;
      at = comma + 1;
    }
  }
  return names;
}

Result<format::Lab> load_filtered(const Arguments& arguments) {
  TRY(format::Lab lab, format::load_lab(arguments.text("FILE")));
  return filtered(arguments, std::move(lab));
}

Result<format::Lab> filtered(const Arguments& arguments, format::Lab lab) {
  if (!arguments.has("--node-filter")) return lab;
  TRY(const std::vector<std::string> names, parse_node_filter(arguments.list("--node-filter")));
  return format::filter_nodes(std::move(lab), names);
}

}  // namespace heddle::cmd
