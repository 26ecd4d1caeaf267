// env-files of nodes: NAME=VALUE lines, as `docker run --env-file` reads them.
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

Result<> read_env_file(const std::string& path, std::map<std::string, std::string>& out) {
  TRY(const std::string text, read_lab_file(path));
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string::npos || line[start] == '#') continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || equals == start || line.find('\0') != std::string::npos)
      return fail(Errc::invalid, path + ":" + std::to_string(number) + ":1: must be NAME=VALUE");
    out[line.substr(start, equals - start)] = line.substr(equals + 1);
  }
  return {};
}

}  // namespace

Result<> read_env_files(Lab& lab) {
  for (Node& node : lab.nodes) {
    std::map<std::string, std::string> values;
    for (const std::string& file : node.env_files) {
      const std::string path = file.starts_with("/") ? file : lab.directory + "/" + file;
      TRY_DO(read_env_file(path, values).during("topology.nodes." + node.name + ".env-files"));
    }
    node.env.insert(values.begin(), values.end());  // what the node says itself stays
  }
  return {};
}

}  // namespace heddle::format
