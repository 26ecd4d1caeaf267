#include "netd/runtime/sandbox.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "common/base/unique_fd.h"
#include "dataplane/netns/netns.h"
#include "netd/runtime/runtime.h"

namespace heddle::runtime {
namespace {

std::optional<std::int64_t> parse_pid(std::string_view text) {
  std::int64_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

Result<SandboxRef> refer_to_process(std::string_view text) {
  const auto pid = parse_pid(text);
  if (!pid) {
    return fail(Errc::invalid, "'" + std::string(text.substr(0, 40)) +
                                   "' is no process number; give pid:N with N above 0");
  }
  TRY(const ProcessId process, identify(*pid));
  const std::string number = std::to_string(*pid);
  return SandboxRef{"/proc/" + number + "/ns/net", number + ":" + process.start};
}

Result<> check_namespace(const std::string& path, std::string_view reference) {
  auto sandbox = netns::open(path);
  if (!sandbox) return std::unexpected(std::move(sandbox).error());
  TRY(const UniqueFd own, netns::open("/proc/self/ns/net"));
  if (netns::same(sandbox->get(), own.get())) {
    return fail(Errc::invalid, std::string(reference) +
                                   " has host networking: it shares this daemon's network "
                                   "namespace; start it in one of its own");
  }
  return {};
}

}  // namespace

Result<SandboxRef> resolve_reference(std::string_view reference) {
  SandboxRef found;
  if (reference.starts_with("pid:")) {
    TRY(found, refer_to_process(reference.substr(4)));
  } else if (reference.starts_with("netns:/")) {
    found.path = reference.substr(6);
  } else {
    return fail(Errc::invalid, "workload '" + std::string(reference.substr(0, 80)) +
                                   "' is neither netns:/PATH nor pid:N");
  }
  TRY_DO(check_namespace(found.path, reference));
  // The process may have ended and its number be somebody else's between the two looks.
  if (!owner_alive(found.owner))
    return fail(Errc::not_found, std::string(reference) + " ended meanwhile");
  return found;
}

bool owner_alive(const std::string& owner) {
  if (owner.empty()) return true;
  const auto colon = owner.find(':');
  if (colon == std::string::npos) return false;
  const auto pid = parse_pid(std::string_view(owner).substr(0, colon));
  if (!pid) return false;
  const auto process = identify(*pid);
  return process && process->start == owner.substr(colon + 1);
}

}  // namespace heddle::runtime
