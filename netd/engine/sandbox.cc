#include "netd/engine/sandbox.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "dataplane/netns/netns.h"

namespace heddle::engine {
namespace {

constexpr unsigned kRouteUp = 0x1;  // RTF_UP, RTF_REJECT (linux/route.h)
constexpr unsigned kRouteReject = 0x200;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool leads_somewhere(const std::string& flags) {
  const auto value = static_cast<unsigned>(std::strtoul(flags.c_str(), nullptr, 16));
  return (value & kRouteUp) != 0 && (value & kRouteReject) == 0;
}

Result<std::set<std::string>> interface_names() {
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> all(
      ::if_nameindex(), [](struct if_nameindex* list) { ::if_freenameindex(list); });
  if (!all) return fail_errno(errno, "list interfaces");
  std::set<std::string> names;
  for (const auto* entry = all.get(); entry->if_index != 0; ++entry) {
    if (std::string_view(entry->if_name) != "lo") names.insert(entry->if_name);
  }
  return names;
}

}  // namespace

// Iface Destination Gateway Flags RefCnt Use Metric Mask ...
std::set<std::string> default_devices(const std::string& proc_net_route) {
  std::set<std::string> devices;
  std::istringstream lines(proc_net_route);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string device, destination, gateway, flags, references, use, metric, mask;
    fields >> device >> destination >> gateway >> flags >> references >> use >> metric >> mask;
    if (destination == "00000000" && mask == "00000000" && leads_somewhere(flags)) {
      devices.insert(device);
    }
  }
  return devices;
}

// destination length source length gateway metric references use flags device
std::set<std::string> default_devices6(const std::string& proc_net_ipv6_route) {
  std::set<std::string> devices;
  std::istringstream lines(proc_net_ipv6_route);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string destination, length, source, from, gateway, metric, references, use, flags, device;
    fields >> destination >> length >> source >> from >> gateway >> metric >> references >> use >>
        flags >> device;
    const bool everywhere = length == "00" && std::ranges::count(destination, '0') == 32;
    if (everywhere && device != "lo" && leads_somewhere(flags)) devices.insert(device);
  }
  return devices;
}

Result<Sandbox> open_sandbox(std::int64_t pid) {
  Sandbox sandbox;
  TRY(sandbox.process, runtime::identify(pid));
  TRY(sandbox.netns, netns::open("/proc/" + std::to_string(pid) + "/ns/net"));
  TRY(const UniqueFd own, netns::open("/proc/self/ns/net"));
  if (netns::same(sandbox.netns.get(), own.get())) {
    return fail(Errc::invalid, "it has host networking");
  }
  // Only now is it sure that what was opened is this process's.
  TRY(const auto still, runtime::identify(pid));
  if (still != sandbox.process) return fail(Errc::not_found, "the process ended meanwhile");
  TRY_DO(netns::run_in(sandbox.netns.get(), [&]() -> Result<> {
    TRY(sandbox.cookie, netns::own_cookie());
    TRY(sandbox.interfaces, interface_names());
    sandbox.routed = default_devices(read_file("/proc/thread-self/net/route"));
    sandbox.routed6 = default_devices6(read_file("/proc/thread-self/net/ipv6_route"));
    return {};
  }));
  return sandbox;
}

Result<> pin_sandbox(const Sandbox& sandbox, const std::string& path) {
  if (const auto there = netns::open(path);
      there && netns::same(there->get(), sandbox.netns.get())) {
    return {};
  }
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  if (ec) return fail_errno(ec.value(), "make " + path);
  return netns::pin(sandbox.netns.get(), path);
}

}  // namespace heddle::engine
