#include "dataplane/bpf/pinned_link.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "common/base/unique_fd.h"

namespace heddle::bpf {
namespace {

struct HookRow {
  std::string_view name;
  bpf_attach_type type;
};

constexpr std::array<HookRow, kSocketHooks> kHooks = {{
    {"connect4", BPF_CGROUP_INET4_CONNECT},
    {"connect6", BPF_CGROUP_INET6_CONNECT},
    {"sendmsg4", BPF_CGROUP_UDP4_SENDMSG},
    {"sendmsg6", BPF_CGROUP_UDP6_SENDMSG},
    {"recvmsg4", BPF_CGROUP_UDP4_RECVMSG},
    {"recvmsg6", BPF_CGROUP_UDP6_RECVMSG},
    {"getpeername4", BPF_CGROUP_INET4_GETPEERNAME},
    {"getpeername6", BPF_CGROUP_INET6_GETPEERNAME},
    {"sockops", BPF_CGROUP_SOCK_OPS},
    {"getsockopt", BPF_CGROUP_GETSOCKOPT},
}};

const HookRow& row(SocketHook hook) {
  return kHooks[static_cast<std::size_t>(hook)];
}

Result<std::optional<UniqueFd>> open_link(const std::string& path) {
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (fd) return std::optional<UniqueFd>(std::move(fd));
  if (errno == ENOENT) return std::optional<UniqueFd>();
  return fail_errno(errno, "open the pinned link " + path);
}

Result<bpf_link_info> info_of(int link, const std::string& path) {
  bpf_link_info info{};
  std::uint32_t bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(link, &info, &bytes) != 0)
    return fail_errno(errno, "look at the link " + path);
  return info;
}

Result<> pin(const UniqueFd& link, const std::string& path) {
  if (bpf_obj_pin(link.get(), path.c_str()) != 0) return fail_errno(errno, "pin " + path);
  return {};
}

// ENOLINK: what it was attached to went meanwhile.
Result<bool> update(const UniqueFd& link, int program_fd, const std::string& path) {
  if (bpf_link_update(link.get(), program_fd, nullptr) == 0) return true;
  if (errno == ENOLINK) return false;
  return fail_errno(errno, "replace the program of " + path);
}

}  // namespace

std::string_view name_of(SocketHook hook) {
  return row(hook).name;
}

Result<> ensure_cgroup_link(const std::string& path, SocketHook hook, Cgroup cgroup,
                            int program_fd) {
  TRY(std::optional<UniqueFd> old, open_link(path));
  if (old) {
    TRY(const bpf_link_info info, info_of(old->get(), path));
    if (info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == cgroup.id &&
        info.cgroup.attach_type == row(hook).type) {
      TRY(const bool updated, update(*old, program_fd, path));
      if (updated) return {};
    }
    old.reset();
    TRY_DO(remove_link(path));
  }
  UniqueFd link(bpf_link_create(program_fd, cgroup.fd, row(hook).type, nullptr));
  const std::string name(row(hook).name);
  if (!link && errno == E2BIG)
    return fail(Errc::exhausted, "64 " + name + " programs are attached to the cgroup already");
  if (!link && errno == EPERM) {
    return fail(Errc::denied, "attach " + name +
                                  " to the cgroup: not allowed; either CAP_NET_ADMIN is missing, "
                                  "or a program attached above it forbids others");
  }
  if (!link && errno == EINVAL)
    return fail(Errc::unsupported, "this kernel cannot attach " + name + " to a cgroup by a link");
  if (!link) return fail_errno(errno, "attach " + name + " to the cgroup");
  return pin(link, path);
}

Result<> ensure_lookup_link(const std::string& path, int netns_fd, int program_fd) {
  TRY(const bool replaced, replace_lookup_program(path, program_fd));
  if (replaced) return {};
  TRY_DO(remove_link(path));
  UniqueFd link(bpf_link_create(program_fd, netns_fd, BPF_SK_LOOKUP, nullptr));
  if (!link && errno == E2BIG)
    return fail(Errc::exhausted, "64 sk_lookup programs are attached to the namespace already");
  if (!link) return fail_errno(errno, "attach sk_lookup to the namespace");
  return pin(link, path);
}

Result<bool> replace_lookup_program(const std::string& path, int program_fd) {
  TRY(std::optional<UniqueFd> link, open_link(path));
  if (!link) return false;
  TRY(const bpf_link_info info, info_of(link->get(), path));
  if (info.type != BPF_LINK_TYPE_NETNS || info.netns.netns_ino == 0) return false;
  return update(*link, program_fd, path);
}

Result<bool> is_attached(const std::string& path) {
  TRY(std::optional<UniqueFd> link, open_link(path));
  if (!link) return false;
  TRY(const bpf_link_info info, info_of(link->get(), path));
  if (info.type == BPF_LINK_TYPE_NETNS) return info.netns.netns_ino != 0;
  return info.cgroup.cgroup_id != 0;
}

Result<> remove_link(const std::string& path) {
  TRY(std::optional<UniqueFd> link, open_link(path));
  if (!link) return {};
  // A link whose cgroup or namespace is gone refuses to be detached; the pin is all that is left.
  bpf_link_detach(link->get());
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "unpin " + path);
  return {};
}

}  // namespace heddle::bpf
