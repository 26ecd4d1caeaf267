// Trials that load a program or create a map and drop it again.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <cerrno>

#include "dataplane/probe/trials.h"

namespace heddle::probe::trials {
namespace {

int silent(libbpf_print_level, const char*, va_list) {
  return 0;
}

// libbpf's probes print what fails; here that is an answer, not an event.
class Quiet final {
 public:
  Quiet() : before_(libbpf_set_print(silent)) {}
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { libbpf_set_print(before_); }

 private:
  libbpf_print_fn_t before_;
};

Result<std::string> answer(int probed, const char* what) {
  if (probed == 1) return std::string(what);
  if (probed == 0) return fail(Errc::unsupported, std::string("the kernel has no ") + what);
  return fail_errno(-probed, what);
}

Result<std::string> program_type(bpf_prog_type type, const char* what) {
  const Quiet quiet;
  return answer(libbpf_probe_bpf_prog_type(type, nullptr), what);
}

Result<std::string> helper(bpf_prog_type type, bpf_func_id function, const char* what) {
  const Quiet quiet;
  return answer(libbpf_probe_bpf_helper(type, function, nullptr), what);
}

}  // namespace

Result<std::string> bpf_syscall() {
  return program_type(BPF_PROG_TYPE_SCHED_CLS, "BPF programs for traffic control");
}

Result<std::string> clsact() {
  const unsigned int index = ::if_nametoindex("probe0");  // of the veth trial
  if (index == 0) return fail(Errc::unsupported, "no link to try it on");
  const Quiet quiet;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(index),
              .attach_point = BPF_TC_INGRESS);
  const int made = bpf_tc_hook_create(&hook);
  if (made < 0) return fail_errno(-made, "add a clsact qdisc (CONFIG_NET_CLS_ACT)");
  return std::string("added");
}

Result<std::string> tunnel_key() {
  return helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_set_tunnel_key, "bpf_skb_set_tunnel_key");
}

Result<std::string> redirect_peer() {
  return helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_peer, "bpf_redirect_peer");
}

Result<std::string> connect_hook() {
  return program_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "cgroup connect hooks");
}

Result<std::string> netns_cookie() {
  return helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_netns_cookie, "bpf_get_netns_cookie");
}

Result<std::string> sockopt_hook() {
  return program_type(BPF_PROG_TYPE_CGROUP_SOCKOPT, "cgroup getsockopt hooks");
}

Result<std::string> sk_lookup() {
  return program_type(BPF_PROG_TYPE_SK_LOOKUP, "sk_lookup programs");
}

Result<std::string> ringbuf() {
  const Quiet quiet;
  return answer(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr), "BPF ring buffers");
}

}  // namespace heddle::probe::trials
