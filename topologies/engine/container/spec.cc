#include "topologies/engine/container/spec.h"

#include <boost/json.hpp>
#include <cmath>

namespace heddle::container {
namespace {

namespace json = boost::json;

template <class Texts>
json::array list(const Texts& texts) {
  json::array out;
  for (const auto& text : texts) out.emplace_back(std::string(text));
  return out;
}

json::object map(const std::map<std::string, std::string>& entries) {
  json::object out;
  for (const auto& [key, value] : entries) out[key] = value;
  return out;
}

json::array env_of(const plan::Member& member) {
  json::array out;
  for (const auto& [key, value] : member.env) out.emplace_back(key + "=" + value);
  return out;
}

json::array binds_of(const plan::Member& member, const std::string& directory) {
  json::array out;
  for (const std::string& bind : member.binds)
    out.emplace_back(bind.starts_with("/") ? bind : directory + "/" + bind);
  return out;
}

// /dev/x[:/dev/y[:rwm]]
json::array devices_of(const format::Container& container) {
  json::array out;
  for (const std::string& device : container.devices) {
    const std::size_t first = device.find(':');
    const std::string on_machine = device.substr(0, first);
    std::string inside = on_machine;
    std::string rights = "rwm";
    if (first != std::string::npos) {
      const std::size_t second = device.find(':', first + 1);
      inside = device.substr(first + 1, second - first - 1);
      if (second != std::string::npos) rights = device.substr(second + 1);
    }
    out.push_back(json::object{
        {"PathOnHost", on_machine}, {"PathInContainer", inside}, {"CgroupPermissions", rights}});
  }
  return out;
}

json::object host_config(const plan::Member& member, const plan::LabPaths& paths,
                         const std::string& directory) {
  const format::Node& node = *member.node;
  const format::Container& container = *node.container;
  json::object out{{"NetworkMode", "none"},
                   {"Binds", binds_of(member, directory)},
                   {"Tmpfs", map(node.tmpfs)},
                   {"Sysctls", map(member.sysctls)},
                   {"CapAdd", list(container.cap_add)},
                   {"Devices", devices_of(container)},
                   {"SecurityOpt", list(container.security_opts)},
                   {"Privileged", container.privileged}};
  if (node.limits.cpu > 0) out["NanoCpus"] = std::llround(node.limits.cpu * 1e9);
  if (node.limits.memory > 0) out["Memory"] = node.limits.memory;
  if (!node.limits.cpu_set.empty()) out["CpusetCpus"] = node.limits.cpu_set;
  if (container.shm_size > 0) out["ShmSize"] = container.shm_size;
  if (!node.shares.empty()) {
    out["NetworkMode"] = "container:" + paths.container(node.shares);
  } else if (!node.dns.empty()) {
    out["Dns"] = list(node.dns.servers);
    out["DnsSearch"] = list(node.dns.search);
    out["DnsOptions"] = list(node.dns.options);
  }
  return out;
}

}  // namespace

std::string format_spec(const plan::Member& member, const plan::LabPaths& paths,
                        const std::string& directory) {
  const format::Node& node = *member.node;
  const format::Container& container = *node.container;
  json::object labels = map(container.labels);
  labels[kLabLabel] = paths.lab();
  labels[kRunLabel] = paths.run_dir();
  labels[kNodeLabel] = member.name;
  // A terminal, as containerlab gives it: an image whose command is a shell keeps running.
  json::object out{{"Image", with_tag(container.image)},
                   {"Env", env_of(member)},
                   {"Labels", std::move(labels)},
                   {"Tty", true},
                   {"HostConfig", host_config(member, paths, directory)}};
  if (node.shares.empty()) out["Hostname"] = member.hostname;  // else the other's
  if (!node.user.empty()) out["User"] = node.user;
  if (!container.entrypoint.empty()) out["Entrypoint"] = list(container.entrypoint);
  if (!container.command.empty()) out["Cmd"] = list(container.command);
  return json::serialize(out);
}

std::string with_tag(const std::string& image) {
  const std::string_view last = std::string_view(image).substr(image.rfind('/') + 1);
  return last.find_first_of(":@") == std::string_view::npos ? image + ":latest" : image;
}

std::string percent_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

}  // namespace heddle::container
