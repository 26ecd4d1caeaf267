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

Result<std::optional<format::Runtime>> parse_runtime(const Arguments& arguments) {
  if (!arguments.has("--runtime")) return std::nullopt;
  const std::string& text = arguments.text("--runtime");
  const auto runtime = format::parse_runtime(text);
  if (!runtime) return fail(Errc::invalid, "--runtime '" + text + "' must be netns or docker");
  return runtime;
}

Result<format::Lab> load_filtered(const Arguments& arguments) {
  const std::string& file = arguments.text("FILE");
  TRY(format::Lab lab, format::load_lab(file));
  if (arguments.has("--runtime")) {
    TRY(const auto runtime, parse_runtime(arguments));
    TRY(std::string text, format::read_lab_file(file));
    TRY(text, format::with_runtime(std::move(text), file, *runtime));
    TRY(lab, format::load_lab(format::LabSource{.text = std::move(text),
                                                .file = lab.file,
                                                .directory = lab.directory,
                                                .environment = format::own_environment()}));
  }
  return filtered(arguments, std::move(lab));
}

Result<format::Lab> filtered(const Arguments& arguments, format::Lab lab) {
  if (!arguments.has("--node-filter")) return lab;
  TRY(const std::vector<std::string> names, parse_node_filter(arguments.list("--node-filter")));
  return format::filter_nodes(std::move(lab), names);
}

}  // namespace heddle::cmd
