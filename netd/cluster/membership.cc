#include "netd/cluster/membership.h"

#include <google/protobuf/text_format.h>
#include <sys/stat.h>

#include <filesystem>

#include "netd/identity/files.h"

namespace heddle::cluster {
namespace {

constexpr char kMembershipFile[] = "membership";

}  // namespace

Result<std::string> MembershipDir::read(const std::string& name) const {
  return identity::read_private(file(name));
}

Result<> MembershipDir::write(const std::string& name, const std::string& content) const {
  return identity::write_private(file(name), content);
}

Result<> MembershipDir::remove(const std::string& name) const {
  std::error_code failed;
  std::filesystem::remove_all(file(name), failed);
  if (failed) return fail_errno(failed.value(), "remove " + file(name));
  return {};
}

Result<std::optional<Membership>> MembershipDir::open() {
  std::error_code failed;
  std::filesystem::create_directories(path_, failed);
  if (failed) return fail_errno(failed.value(), "create " + path_);
  if (::chmod(path_.c_str(), 0700) != 0) return fail_errno(errno, "chmod " + path_);
  auto text = read(kMembershipFile);
  if (!text && text.error().code() == Errc::not_found) {
    TRY_DO(remove_all_but(kJoinKeyFile));
    return std::nullopt;
  }
  if (!text) return std::unexpected(std::move(text).error());
  Membership membership;
  if (!google::protobuf::TextFormat::ParseFromString(*text, &membership) ||
      membership.swarm().empty() || membership.node().empty()) {
    return fail(Errc::internal, file(kMembershipFile) + " is damaged; restore " + path_ +
                                    " from a backup, or remove it and join again");
  }
  return membership;
}

Result<> MembershipDir::write(const Membership& membership) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(membership, &text);
  return write(kMembershipFile, text);
}

Result<> MembershipDir::remove_all_but(const std::string& kept) {
  std::error_code first;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(path_, failed)) {
    if (entry.path().filename() == kept) continue;
    std::filesystem::remove_all(entry.path(), failed);
    if (failed && !first) first = failed;
  }
  if (first) return fail_errno(first.value(), "empty " + path_);
  return {};
}

Result<> MembershipDir::wipe() {
  std::error_code failed;
  std::filesystem::remove(file(kMembershipFile), failed);
  return remove_all_but("");
}

}  // namespace heddle::cluster
