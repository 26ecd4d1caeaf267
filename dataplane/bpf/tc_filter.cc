#include "dataplane/bpf/tc_filter.h"

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "common/base/unique_fd.h"
#include "dataplane/bpf/libbpf_log.h"

namespace heddle::bpf {
namespace {

constexpr std::uint32_t kHandle = 0x4844;  // "HD"
constexpr std::uint32_t kPriority = 1;

bpf_tc_hook ingress_of(IfIndex device) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(device.value);
  hook.attach_point = BPF_TC_INGRESS;
  return hook;
}

bpf_tc_opts our_place() {
  bpf_tc_opts opts{};
  opts.sz = sizeof(opts);
  opts.handle = kHandle;
  opts.priority = kPriority;
  return opts;
}

std::string at(IfIndex device) {
  return "device " + std::to_string(device.value);
}

// EINVAL: there is no clsact; ENOENT: no filter; ENODEV: no device.
bool means_absent(int error) {
  return error == -ENOENT || error == -EINVAL || error == -ENODEV;
}

struct FilterDump {
  nlmsghdr header;
  tcmsg filter;
};

// Whether any filter hangs on this end of the clsact.
Result<bool> has_filters(int netlink, IfIndex device, std::uint32_t parent) {
  FilterDump request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETTFILTER;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.filter.tcm_family = AF_UNSPEC;
  request.filter.tcm_ifindex = static_cast<int>(device.value);
  request.filter.tcm_parent = parent;
  if (::send(netlink, &request, sizeof(request), 0) < 0)
    return fail_errno(errno, "ask for filters of " + at(device));
  bool found = false;
  for (;;) {
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    const ssize_t received = ::recv(netlink, buffer.data(), buffer.size(), 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, "read filters of " + at(device));
    }
    auto left = static_cast<unsigned>(received);
    auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return found;
      if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
        if (error == ENOENT || error == ENODEV || error == EINVAL) return false;
        return fail_errno(error, "read filters of " + at(device));
      }
      if (message->nlmsg_type == RTM_NEWTFILTER) found = true;
    }
  }
}

Result<Clsact> ensure_filter(bpf_tc_hook hook, IfIndex device, int program_fd) {
  begin_libbpf_log();
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) {
    if (created == -ENOENT || created == -EOPNOTSUPP)
      return fail(Errc::unsupported,
                  "this kernel has no clsact qdisc (CONFIG_NET_SCH_INGRESS, module sch_ingress)");
    return fail_errno(-created, "add the clsact qdisc to " + at(device));
  }
  bpf_tc_opts opts = our_place();
  opts.prog_fd = program_fd;
  opts.flags = BPF_TC_F_REPLACE;
  if (const int failed = bpf_tc_attach(&hook, &opts); failed != 0) {
    if (failed == -ENOENT)
      return fail(Errc::unsupported,
                  "this kernel has no BPF classifier (CONFIG_NET_CLS_BPF, module cls_bpf)");
    return fail_errno(-failed, "attach a program to " + at(device));
  }
  return created == 0 ? Clsact::added : Clsact::there;
}

}  // namespace

Result<Clsact> ensure_ingress_filter(IfIndex device, int program_fd) {
  return ensure_filter(ingress_of(device), device, program_fd);
}

Result<Clsact> ensure_egress_filter(IfIndex device, int program_fd) {
  bpf_tc_hook hook = ingress_of(device);
  hook.attach_point = BPF_TC_EGRESS;
  return ensure_filter(hook, device, program_fd);
}

Result<> remove_ingress_filter(IfIndex device) {
  begin_libbpf_log();
  bpf_tc_hook hook = ingress_of(device);
  bpf_tc_opts opts = our_place();
  const int failed = bpf_tc_detach(&hook, &opts);
  if (failed != 0 && !means_absent(failed))
    return fail_errno(-failed, "detach our program from " + at(device));
  return {};
}

Result<> remove_empty_clsact(IfIndex device) {
  begin_libbpf_log();
  UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink) return fail_errno(errno, "open a netlink socket");
  TRY(const bool ingress,
      has_filters(netlink.get(), device, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)));
  TRY(const bool egress,
      has_filters(netlink.get(), device, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)));
  if (ingress || egress) return {};
  bpf_tc_hook hook = ingress_of(device);
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  const int failed = bpf_tc_hook_destroy(&hook);
  if (failed != 0 && !means_absent(failed))
    return fail_errno(-failed, "remove the clsact qdisc from " + at(device));
  return {};
}

Result<std::uint32_t> ingress_program(IfIndex device) {
  begin_libbpf_log();
  bpf_tc_hook hook = ingress_of(device);
  bpf_tc_opts opts = our_place();
  const int failed = bpf_tc_query(&hook, &opts);
  if (failed == 0) return opts.prog_id;
  if (means_absent(failed)) return 0u;
  return fail_errno(-failed, "look for our program on " + at(device));
}

}  // namespace heddle::bpf
