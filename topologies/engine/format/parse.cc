#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>

#include "common/base/unique_fd.h"
#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"
#include "topologies/engine/format/variables.h"

extern char** environ;

namespace heddle::format {
namespace {

constexpr MapReader::Range kSeed{0, std::numeric_limits<std::int64_t>::max()};

// `${NAME}` in every text under `node`, as containerlab replaces them before it reads the file.
void expand_texts(YamlNode& node, const std::string& path, const Environment& environment,
                  Diagnostics& diagnostics) {
  if (node.kind == YamlNode::Kind::scalar && node.scalar.find("${") != std::string::npos) {
    auto expanded = expand(
        node.scalar,
        [&](std::string_view name) -> std::optional<std::string> {
          const auto found = environment.find(std::string(name));
          if (found == environment.end()) return std::nullopt;
          return found->second;
        },
        Unknown::refuse);
    if (expanded) {
      node.scalar = *std::move(expanded);
    } else {
      diagnostics.error(
          node.mark, path,
          expanded.error().text() + " in the environment; give a default: ${NAME:=value}");
    }
  }
  for (YamlNode& item : node.items) expand_texts(item, path, environment, diagnostics);
  for (YamlNode::Entry& entry : node.entries) {
    if (entry.key == "files") continue;  // these know the host's own variables, at deploy
    expand_texts(entry.value, path.empty() ? entry.key : path + "." + entry.key, environment,
                 diagnostics);
  }
}

void read_root(const YamlNode& root, Lab& lab, Diagnostics& diagnostics) {
  const MapReader map(root, "", keys::kLab, diagnostics);
  if (const auto name = map.text("name")) {
    lab.name = *name;
    if (!is_name(lab.name))
      map.error("name",
                "must be 1 to 63 letters, digits, -, _ or ., and start with a letter or "
                "digit");
  } else {
    diagnostics.error(root.mark, "name", "missing: every lab has a name");
  }
  if (const YamlNode* value = map.find("settings"))
    diagnostics.warn(value->mark, "settings", "ignored: nothing here needs them");
  read_mgmt(map.find("mgmt"), lab, diagnostics);
  read_underlay(map.find("underlay"), lab, diagnostics);
  if (const YamlNode* hosts = map.find("hosts")) read_hosts(*hosts, lab, diagnostics);
  const Runtime runtime = read_runtime_name(map).value_or(Runtime::netns);
  if (const YamlNode* topology = map.find("topology"))
    read_topology(*topology, runtime, lab, diagnostics);
  if (const YamlNode* overlays = map.find("overlays")) read_overlays(*overlays, lab, diagnostics);
  if (const YamlNode* services = map.find("services")) read_services(*services, lab, diagnostics);
  if (const YamlNode* steps = map.find("steps")) read_steps(*steps, lab, diagnostics);
  if (const YamlNode* faults = map.find("faults")) read_faults(*faults, lab, diagnostics);
  if (const YamlNode* checks = map.find("checks")) read_checks(*checks, lab, diagnostics);
  if (const YamlNode* fidelity = map.find("fidelity")) read_fidelity(*fidelity, lab, diagnostics);
  if (const auto seed = map.integer("seed", kSeed)) lab.seed = static_cast<std::uint64_t>(*seed);
}

}  // namespace

void expand_root(YamlNode& root, const Environment& environment, Diagnostics& diagnostics) {
  for (YamlNode::Entry& entry : root.entries) {
    // Theirs are captured while they run.
    if (entry.key == "steps" || entry.key == "checks") continue;
    expand_texts(entry.value, entry.key, environment, diagnostics);
  }
}

std::string_view name_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::linux:
      return "linux";
    case NodeKind::bridge:
      return "bridge";
    case NodeKind::host:
      return "host";
  }
  return "";
}

const Host* Lab::find_host(std::string_view wanted) const {
  for (const Host& host : hosts) {
    if (host.name == wanted) return &host;
  }
  return nullptr;
}

const Node* Lab::find_node(std::string_view wanted) const {
  for (const Node& node : nodes) {
    if (node.name == wanted) return &node;
  }
  return nullptr;
}

Result<Lab> parse_lab(std::string_view text, const std::string& file,
                      const Environment& environment) {
  TRY(YamlNode root, parse_yaml(text, file));
  Diagnostics diagnostics(file);
  if (root.kind != YamlNode::Kind::map) {
    diagnostics.error(root.mark, "", "a lab file is a map that starts with `name:`");
    return std::unexpected(diagnostics.as_error());
  }
  Lab lab;
  lab.file = file;
  expand_root(root, environment, diagnostics);
  read_root(root, lab, diagnostics);
  if (!diagnostics.failed()) check_lab(lab, diagnostics);
  if (diagnostics.failed()) return std::unexpected(diagnostics.as_error());
  lab.warnings = diagnostics.warnings();
  return lab;
}

Result<std::string> read_lab_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, "open lab file " + path);
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read lab file " + path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxFileBytes)
      return fail(Errc::invalid, path + ": larger than " + std::to_string(kMaxFileBytes >> 20) +
                                     " MiB; is this a lab file?");
  }
}

Environment own_environment() {
  Environment environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos)
      environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return environment;
}

Result<Lab> load_lab(const LabSource& source) {
  TRY(Lab lab, parse_lab(source.text, source.file, source.environment));
  lab.directory = source.directory;
  TRY_DO(read_env_files(lab));
  return lab;
}

Result<Lab> load_lab(const std::string& path, const std::string& directory) {
  TRY(std::string text, read_lab_file(path));
  std::error_code ignored;
  return load_lab(
      LabSource{.text = std::move(text),
                .file = path,
                .directory = directory.empty()
                                 ? std::filesystem::absolute(path, ignored).parent_path().string()
                                 : directory,
                .environment = own_environment()});
}

}  // namespace heddle::format
