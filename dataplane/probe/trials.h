#pragma once
#include <string>

#include "common/base/result.h"

// One trial each: what was found, or why not. Run in this order on a thread of their own:
// `private_netns` leaves its thread in a namespace of its own, and those after it rely on that.
namespace heddle::probe::trials {

Result<std::string> kernel_version();
Result<std::string> net_admin();
Result<std::string> sys_admin();
Result<std::string> jit();
Result<std::string> private_netns();
Result<std::string> veth();
Result<std::string> bridge();
Result<std::string> token_bucket();  // these on the pair that veth() left
Result<std::string> macvlan();
Result<std::string> ipvlan();
Result<std::string> vlan();
Result<std::string> nft_masquerade();
Result<std::string> bpf_syscall();
Result<std::string> btf();
Result<std::string> bpffs();
Result<std::string> vxlan();
Result<std::string> clsact();
Result<std::string> tunnel_key();
Result<std::string> redirect_peer();
Result<std::string> cgroup2();
Result<std::string> connect_hook();
Result<std::string> netns_cookie();
Result<std::string> sockopt_hook();
Result<std::string> sk_lookup();
Result<std::string> ringbuf();
Result<std::string> sock_destroy();

// The release of a kernel as numbers: 6.1.0-26-amd64 is at least 6.1.
bool at_least(const std::string& release, int major, int minor);

// The first cgroup2 mount in the text of /proc/self/mounts; empty: none.
std::string cgroup2_in(const std::string& mounts);

}  // namespace heddle::probe::trials
