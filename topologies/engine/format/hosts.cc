#include <algorithm>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr std::string_view kDefaultSubnet = "10.99.0.0/24";
constexpr MapReader::Range kUnderlayMtu{1280, 65535};
constexpr std::size_t kMaxFilePath = 200;

bool is_relative_file(const std::string& path) {
  if (path.empty() || path.size() > kMaxFilePath || path.front() == '/' || path.back() == '/')
    return false;
  std::size_t at = 0;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part(path.data() + at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

Host read_host(const YamlNode::Entry& entry, Diagnostics& diagnostics) {
  const MapReader map(entry.value, "hosts." + entry.key, keys::kHost, diagnostics);
  Host host;
  host.name = entry.key;
  host.mark = entry.mark;
  if (const auto text = map.text("address")) {
    if (const auto address = IpAddr::parse(*text); address && address->is_v4()) {
      host.address = *address;
    } else {
      map.error("address", "must be an IPv4 address of the underlay, such as 10.99.0.11");
    }
  }
  host.daemon = map.flag("daemon").value_or(true);
  host.env = map.text_map("env");
  host.files = map.text_map("files");
  for (const auto& [path, content] : host.files) {
    if (!is_relative_file(path))
      map.error("files", "\"" + path.substr(0, 80) + "\" must be a relative path without . and ..");
  }
  if (const YamlNode* impair = map.find("impair"))
    host.impair = read_impairment(*impair, map.path_of("impair"), diagnostics);
  return host;
}

}  // namespace

void read_underlay(const YamlNode* node, Lab& lab, Diagnostics& diagnostics) {
  static const YamlNode kEmpty;
  const MapReader map(node ? *node : kEmpty, "underlay", keys::kUnderlay, diagnostics);
  Underlay underlay;
  const std::string subnet = map.text("subnet").value_or(std::string(kDefaultSubnet));
  auto parsed = Prefix::parse(subnet);
  if (!parsed || !parsed->is_v4() || parsed->length() < 8 || parsed->length() > 29) {
    map.error("subnet", "must be an IPv4 subnet of /8 to /29, such as " +
                            std::string(kDefaultSubnet) +
                            (parsed ? "" : " (" + parsed.error().text() + ")"));
    parsed = Prefix::parse(kDefaultSubnet);
  }
  underlay.subnet = *parsed;
  underlay.mtu = static_cast<std::uint32_t>(map.integer("mtu", kUnderlayMtu).value_or(1500));
  if (const YamlNode* impair = map.find("impair"))
    underlay.impair = read_impairment(*impair, map.path_of("impair"), diagnostics);
  lab.underlay = underlay;
}

void read_hosts(const YamlNode& hosts, Lab& lab, Diagnostics& diagnostics) {
  if (hosts.kind != YamlNode::Kind::map) {
    diagnostics.error(hosts.mark, "hosts", "must be a map of host names");
    return;
  }
  for (const YamlNode::Entry& entry : hosts.entries) {
    if (!is_name(entry.key))
      diagnostics.error(entry.mark, "hosts",
                        "\"" + entry.key.substr(0, 80) +
                            "\" is no host name: 1 to "
                            "63 letters, digits, -, _ or ., starting with a letter or digit");
    lab.hosts.push_back(read_host(entry, diagnostics));
  }
}

}  // namespace heddle::format
