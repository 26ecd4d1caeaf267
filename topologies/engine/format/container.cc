// Of a node whose runtime is docker; and which nodes have it.
#include <algorithm>
#include <charconv>

#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr std::pair<Container::Pull, std::string_view> kPulls[] = {
    {Container::Pull::if_not_present, "ifnotpresent"},
    {Container::Pull::always, "always"},
    {Container::Pull::never, "never"}};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return text;
}

// What may stand in a request's path.
bool is_image_name(std::string_view text) {
  return !text.empty() && text.size() <= 512 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/:@+").find(c) != std::string_view::npos;
  });
}

class ContainerReader {
 public:
  ContainerReader(const MapReader& own, const LevelOf& level_of, Diagnostics& diagnostics)
      : own_(own), level_of_(level_of), diagnostics_(diagnostics) {}

  Container read() const {
    Container out;
    out.image = text("image");
    if (out.image.empty())
      diagnostics_.error(own_.mark(), own_.path_of("image"),
                         "missing: a node with `runtime: docker` is a container of an image");
    if (!out.image.empty() && !is_image_name(out.image))
      level_of_("image")->error("image",
                                "\"" + out.image.substr(0, 80) + "\" is no name of an image");
    out.pull = pull();
    out.entrypoint = words("entrypoint");
    out.command = words("cmd");
    if (const MapReader* map = level_of_("labels")) out.labels = map->text_map("labels");
    out.cap_add = texts("cap-add");
    out.devices = texts("devices");
    for (const std::string& device : out.devices) {
      if (!device.starts_with("/") || std::ranges::count(device, ':') > 2)
        level_of_("devices")->error("devices", "must be /dev/NAME[:/dev/NAME[:rwm]]");
    }
    out.security_opts = texts("security-opts");
    if (const MapReader* map = level_of_("shm-size")) {
      const auto bytes = parse_bytes(map->text("shm-size").value_or(""));
      if (!bytes) map->error("shm-size", "must be a size, such as 256MB");
      out.shm_size = bytes.value_or(0);
    }
    if (const MapReader* map = level_of_("privileged"))
      out.privileged = map->flag("privileged").value_or(true);
    return out;
  }

 private:
  std::string text(std::string_view key) const {
    const MapReader* map = level_of_(key);
    return map ? map->text(key).value_or("") : "";
  }
  std::vector<std::string> texts(std::string_view key) const {
    const MapReader* map = level_of_(key);
    return map ? map->texts(key) : std::vector<std::string>{};
  }
  std::vector<std::string> words(std::string_view key) const {
    const auto split = split_words(text(key));
    if (!split) level_of_(key)->error(key, split.error().text());
    return split.value_or(std::vector<std::string>{});
  }
  Container::Pull pull() const {
    const MapReader* map = level_of_("image-pull-policy");
    const std::string value = map ? lower(map->text("image-pull-policy").value_or("")) : "";
    for (const auto& [pull, name] : kPulls) {
      if (value == name) return pull;
    }
    if (map) map->error("image-pull-policy", "must be IfNotPresent, Always or Never");
    return Container::Pull::if_not_present;
  }

  const MapReader& own_;
  const LevelOf& level_of_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::string_view name_of(Runtime runtime) {
  return runtime == Runtime::docker ? "docker" : "netns";
}

std::optional<Runtime> parse_runtime(std::string_view text) {
  if (text == "netns") return Runtime::netns;
  // containerlab's other name for it: the engine is whichever answers.
  if (text == "docker" || text == "podman") return Runtime::docker;
  return std::nullopt;
}

std::optional<Runtime> read_runtime_name(const MapReader& map) {
  const auto text = map.text("runtime");
  if (!text) return std::nullopt;
  const auto runtime = parse_runtime(*text);
  if (!runtime)
    map.error("runtime", "must be netns or docker, not \"" + text->substr(0, 40) + "\"");
  return runtime;
}

Container read_container(const MapReader& own, const LevelOf& level_of, Diagnostics& diagnostics) {
  return ContainerReader(own, level_of, diagnostics).read();
}

// As a shell splits a line without expanding anything (POSIX, 2.2 Quoting).
Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> out;
  bool open = false;  // a word has begun
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (!quote && blank) {
      open = false;
      continue;
    }
    if (!open) out.emplace_back();
    open = true;
    if (c == quote) {
      quote = 0;
    } else if (!quote && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size() &&
               (!quote || text[i + 1] == '"' || text[i + 1] == '\\')) {
      out.back() += text[++i];
    } else {
      out.back() += c;
    }
  }
  if (quote) return fail(Errc::invalid, std::string("a quote ") + quote + " is not closed");
  return out;
}

// 512, 512k, 512MB, 1Gb, 2GiB: as Docker, a kilo is 1024.
std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (ec != std::errc() || !(number > 0) || number > 1e15) return std::nullopt;
  std::string unit(stop, static_cast<std::size_t>(end - stop));
  std::ranges::transform(unit, unit.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  unit.erase(0, unit.find_first_not_of(' ') == std::string::npos ? 0 : unit.find_first_not_of(' '));
  constexpr std::string_view kUnits = "bkmgt";
  std::size_t power = 0;
  if (!unit.empty()) {
    power = kUnits.find(unit.front());
    const std::string_view rest = std::string_view(unit).substr(1);
    if (power == std::string_view::npos || (rest != "" && rest != "b" && rest != "ib"))
      return std::nullopt;
  }
  for (; power > 0; --power) number *= 1024;
  return number < 1e18 ? std::optional(static_cast<std::uint64_t>(number)) : std::nullopt;
}

Result<std::string> with_runtime(std::string text, const std::string& file, Runtime runtime) {
  TRY(const YamlNode root, parse_yaml(text, file));
  const std::string line = "runtime: " + std::string(name_of(runtime));
  const auto there = std::ranges::find(root.entries, "runtime", &YamlNode::Entry::key);
  if (there == root.entries.end()) {
    text += (text.ends_with('\n') ? "" : "\n") + line + "\n";
  } else {
    std::size_t begin = 0;
    for (int at = 1; at < there->mark.line; ++at) begin = text.find('\n', begin) + 1;
    text.replace(begin, std::min(text.find('\n', begin), text.size()) - begin, line);
  }
  const auto read = parse_yaml(text, file);
  const YamlNode* value = read ? read->find("runtime") : nullptr;
  if (!value || value->scalar != name_of(runtime) || read->entries.size() < root.entries.size())
    return fail(Errc::invalid,
                file +
                    ": is not written as a block that has each of its keys in a line "
                    "of its own; write `" +
                    line + "` into it");
  return text;
}

}  // namespace heddle::format
