#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/model/objects.h"

// Ports of this host that programs of it may have taken: found by trying to bind, which nothing
// else tells as surely. Source: ip(7), tcp(7), udp(7).
// Threads: any; looks in the namespace of the calling thread; one system call or two each.
namespace heddle::control {

// Whether `address` may be published on: one of this host, or unspecified.
// Errors: `invalid` listing those that the host has.
Result<> check_host_address(const IpAddr& address);

// Whether nothing on this host has bound the port. SCTP is not looked at: asking would load the
// protocol into a kernel that does without it.
// Errors: `in_use` with how to find the program.
Result<> check_port_free(const IpAddr& address, std::uint16_t port,
                         model::PublishedProtocol protocol);

// The first of `count` ports in a row that are free at all `addresses`, of those that the kernel
// gives out by itself (ip_local_port_range), and that `taken` does not say are ours already.
// Errors: `exhausted` when a number of tries found none.
Result<std::uint16_t> choose_ports(const std::vector<IpAddr>& addresses, std::uint16_t count,
                                   model::PublishedProtocol protocol,
                                   const std::function<bool(std::uint16_t first)>& taken);

}  // namespace heddle::control
