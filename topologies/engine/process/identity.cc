#include "topologies/engine/process/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>

#include "common/base/unique_fd.h"

namespace heddle::process {
namespace {

constexpr std::size_t kEntry = 1 << 16;
constexpr int kMostGroups = 256;

std::optional<unsigned> parse_id(std::string_view text) {
  unsigned value = 0;
  const auto [stop, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// Nothing when it is not there: a container may have no users but root.
File open_below(const std::string& root, const char* path) {
  const UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const int fd =
      directory ? static_cast<int>(::syscall(SYS_openat2, directory.get(), path, &how, sizeof how))
                : -1;
  File file(fd < 0 ? nullptr : ::fdopen(fd, "r"));
  if (fd >= 0 && !file) ::close(fd);
  return file;
}

// Looks a user up, by number where the text is one.
struct User {
  uid_t user;
  gid_t group;
  std::string name;
  std::string home;
};
User user_of(const passwd& entry) {
  return {entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir ? entry.pw_dir : ""};
}

std::optional<User> find_user(const std::string& text, std::optional<unsigned> id,
                              const std::string& root) {
  std::vector<char> buffer(kEntry);
  passwd entry{};
  passwd* found = nullptr;
  if (root.empty()) {
    if (id) {
      ::getpwuid_r(*id, &entry, buffer.data(), buffer.size(), &found);
    } else {
      ::getpwnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
    }
    return found ? std::optional(user_of(entry)) : std::nullopt;
  }
  const File file = open_below(root, "etc/passwd");
  while (file && ::fgetpwent_r(file.get(), &entry, buffer.data(), buffer.size(), &found) == 0) {
    if (id ? entry.pw_uid == *id : text == entry.pw_name) return user_of(entry);
  }
  return std::nullopt;
}

Result<std::vector<gid_t>> groups_of(const User& user, const std::string& root) {
  std::vector<gid_t> groups{user.group};
  if (root.empty()) {
    int count = kMostGroups;
    groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(user.name.c_str(), user.group, groups.data(), &count) < 0)
      return fail(Errc::exhausted, "user " + user.name + " is in more than 256 groups");
    groups.resize(static_cast<std::size_t>(count));
    return groups;
  }
  std::vector<char> buffer(kEntry);
  group entry{};
  group* found = nullptr;
  const File file = open_below(root, "etc/group");
  while (file && groups.size() < static_cast<std::size_t>(kMostGroups) &&
         ::fgetgrent_r(file.get(), &entry, buffer.data(), buffer.size(), &found) == 0) {
    for (char** member = entry.gr_mem; *member; ++member) {
      if (user.name == *member) groups.push_back(entry.gr_gid);
    }
  }
  return groups;
}

std::optional<gid_t> find_group(const std::string& name, const std::string& root) {
  std::vector<char> buffer(kEntry);
  group entry{};
  group* found = nullptr;
  if (root.empty()) {
    ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    return found ? std::optional(entry.gr_gid) : std::nullopt;
  }
  const File file = open_below(root, "etc/group");
  while (file && ::fgetgrent_r(file.get(), &entry, buffer.data(), buffer.size(), &found) == 0) {
    if (name == entry.gr_name) return entry.gr_gid;
  }
  return std::nullopt;
}

}  // namespace

Result<Identity> find_identity(const std::string& text, const std::string& root) {
  const std::string where = root.empty() ? "this machine" : "the container";
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const auto id = parse_id(name);
  const auto user = find_user(name, id, root);
  if (!user && !id) return fail(Errc::not_found, where + " has no user " + name);
  Identity out;
  out.user = user ? user->user : *id;
  out.group = user ? user->group : 0;
  if (user) {
    out.home = user->home;
    TRY(out.groups, groups_of(*user, root));
  }
  if (colon == std::string::npos) return out;
  const std::string group_name = text.substr(colon + 1);
  auto gid = parse_id(group_name);
  if (!gid) gid = find_group(group_name, root);
  if (!gid) return fail(Errc::not_found, where + " has no group " + group_name);
  out.group = *gid;
  out.groups = {out.group};
  return out;
}

}  // namespace heddle::process
