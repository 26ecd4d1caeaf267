#include "topologies/engine/plan/paths.h"

#include <algorithm>
#include <cstdint>

namespace heddle::plan {
namespace {

// Unix socket paths hold 107 bytes, and heddled has sockets some levels below its run directory.
constexpr std::size_t kMaxDirectoryName = 14;
constexpr std::size_t kHashDigits = 6;

std::string hash_text(std::string_view text) {  // FNV-1a, base 32
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash ^= hash >> 32;
  std::string out;
  for (std::size_t i = 0; i < kHashDigits; ++i, hash >>= 5)
    out += "0123456789abcdefghijklmnopqrstuv"[hash & 31];
  return out;
}

}  // namespace

Roots roots_for(const std::string& lab_dir, const std::string& cgroup_mount) {
  if (lab_dir.empty())
    return {.run = "/run/heddle/labs",
            .state = "/var/lib/heddle/labs",
            .cgroup = cgroup_mount,
            .tag = ""};
  return {.run = lab_dir + "/run",
          .state = lab_dir + "/state",
          .cgroup = cgroup_mount,
          .tag = "." + hash_text(lab_dir)};
}

std::string short_name(std::string_view name, std::size_t max_bytes) {
  if (name.size() <= max_bytes) return std::string(name);
  return std::string(name.substr(0, max_bytes - kHashDigits - 1)) + "-" + hash_text(name);
}

LabPaths::LabPaths(Roots roots, std::string lab)
    : roots_(std::move(roots)), lab_(std::move(lab)), short_(short_name(lab_, kMaxDirectoryName)) {}

// The first dot ends the lab's part: a lab with dots in its name has a hash in their place.
std::string LabPaths::container(std::string_view node) const {
  std::string lab = lab_;
  if (lab.find('.') != std::string::npos) {
    std::ranges::replace(lab, '.', '-');
    lab += "-" + hash_text(lab_);
  }
  if (!roots_.tag.empty()) lab += "-" + roots_.tag.substr(1);
  return "heddle-lab-" + lab + "." + std::string(node);
}
std::string LabPaths::member_cgroup(std::string_view name) const {
  return cgroup() + "/" + std::string(name);
}
std::string LabPaths::host_run(std::string_view name) const {
  return run_dir() + "/hosts/" + short_name(name, kMaxDirectoryName);
}
std::string LabPaths::host_state(std::string_view name) const {
  return state_dir() + "/" + short_name(name, kMaxDirectoryName);
}
std::string LabPaths::host_files(std::string_view name) const {
  return state_dir() + "/.files/" + short_name(name, kMaxDirectoryName);
}

}  // namespace heddle::plan
