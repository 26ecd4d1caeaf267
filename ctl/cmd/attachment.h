#pragma once
#include <array>

#include "ctl/cmd/command.h"
#include "ctl/cmd/ports.h"
#include "netd/client/types.h"

namespace heddle::cmd {

// How a workload is to be connected to a network: what `network connect` and `run` have in common.
inline constexpr std::array kAttachmentFlags = {
    Flag{"--ip", "ADDRESS", "IPv4 address (IPv6 in a network without IPv4); chosen when absent"},
    Flag{"--ip6", "ADDRESS", "IPv6 address; chosen when absent, in a network with IPv6"},
    Flag{"--link-local-ip", "ADDRESS...", "further address, of 169.254.0.0/16 or fe80::/10"},
    Flag{"--mac,--mac-address", "MAC", "Ethernet address; chosen when absent"},
    Flag{"--ifname", "NAME", "interface inside; eth0, eth1 ... when absent"},
    Flag{"--alias", "NAME...", "further name on the network"},
    Flag{"--service", "NAME", "service that this becomes a backend of"},
    kPortFlag,
    Flag{"--publish,-p", "SPEC...",
         "ports of the host that lead here: [ADDRESS:][HOST[-HOST]:]PORT[-PORT][/tcp|udp|sctp]; "
         "without HOST one is chosen and printed"},
    Flag{"--gw-priority", "NUMBER",
         "the network with the highest gives the workload its way out; 0 when absent"},
    Flag{"--sysctl", "KEY=VALUE...",
         "setting of the interface: net.ipv4.conf.IFNAME.rp_filter=2, with IFNAME as it stands"},
    Flag{"--driver-opt", "KEY=VALUE...", "option of the driver"},
    Flag{"--rate-in", "RATE", "most that reaches the workload: 10mbit, 2.5gbit, 800kbit, or bits"},
    Flag{"--rate-out", "RATE", "most that the workload sends"},
};

// A table of flags that begins with another.
template <std::size_t A, std::size_t B>
constexpr std::array<Flag, A + B> joined_flags(const std::array<Flag, A>& first,
                                               const std::array<Flag, B>& second) {
  std::array<Flag, A + B> all{};
  for (std::size_t i = 0; i < A; ++i) all[i] = first[i];
  for (std::size_t i = 0; i < B; ++i) all[A + i] = second[i];
  return all;
}

// The first of kAttachmentFlags that is given; "" for none.
std::string given_attachment_flag(const Arguments& arguments);

// What they say; network and workload are left to the caller. Errors: `invalid` with the flag.
Result<client::Attachment> parse_attachment(const Arguments& arguments);

}  // namespace heddle::cmd
